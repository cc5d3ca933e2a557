//! A bitmap shrinks with its node, and goes on marking what is no longer there.

use super::Mutation;
use crate::bitmap::Bitmap;

pub(super) const MUTATION: Mutation = Mutation {
    name: "bits-past-the-new-end",
    bug: "bug-of-B7",
    what: "A disk shrinks, and its bitmap still marks bytes beyond the new end.",
    reference: "inferred: no record; it is what the truncation in hbitmap_truncate is there for",
    breaks: "count-exact",
    story: "bugs/grow-and-shrink",
    dialect: "10.0",
    plant: |rules| rules.resize_bitmap = resize_without_truncating,
};

fn resize_without_truncating(bitmap: &mut Bitmap, size: u64) {
    let bits = bitmap.undo();
    bitmap.resize(size);
    bitmap.restore(bits);
}
