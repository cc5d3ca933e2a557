//! A bitmap shrinks with its node, and goes on marking what is no longer there.

use super::Mutation;
use crate::bitmap::{Bitmap, Undo};
use crate::monitor;
use crate::world::{NodeIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "bits-past-the-new-end",
    bug: "bug-B7-truncate",
    what: "A disk shrinks, and its bitmap still marks bytes beyond the new end.",
    reference: "inferred: no record; it is what the truncation in hbitmap_truncate is there for",
    breaks: "count-exact",
    story: "bugs/grow-and-shrink",
    dialect: "10.0",
    plant: |rules| rules.resize_bitmaps = resize_without_truncating,
};

fn resize_without_truncating(w: &mut World, node: NodeIx, size: u64) {
    let bits: Vec<Undo> = w.node(node).bitmaps().map(Bitmap::undo).collect();
    monitor::resize_bitmaps(w, node, size);
    for (bitmap, bits) in w.node_mut(node).bitmaps_mut().zip(bits) {
        bitmap.restore(bits);
    }
}
