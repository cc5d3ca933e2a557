//! The short cut for a merge in which one side is empty, taken for the wrong side.

use super::Mutation;
use crate::bitmap::Bitmap;
use crate::error::QmpError;

pub(super) const MUTATION: Mutation = Mutation {
    name: "merge-into-empty-bitmap",
    bug: "bug-D6",
    what: "A merge into an empty bitmap is taken for one that has nothing to do, and the bitmap stays empty.",
    reference: "QEMU, mended in 4.2; it came up when merges learned to write to a third bitmap",
    breaks: "merge-is-union",
    story: "bugs/merge-of-two",
    dialect: "10.0",
    plant: |rules| rules.merge_bits = merge_unless_empty,
};

fn merge_unless_empty(into: &mut Bitmap, source: &Bitmap) -> Result<(), QmpError> {
    if into.count() == 0 && into.size() == source.size() {
        return Ok(());
    }
    into.merge(source)
}
