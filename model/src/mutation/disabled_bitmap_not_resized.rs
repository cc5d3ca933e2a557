//! A resize passes over the bitmaps that do not record.

use super::Mutation;
use crate::monitor;
use crate::node::Listed;
use crate::world::{NodeIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "disabled-bitmap-not-resized",
    bug: "bug-B8-resize",
    what: "A resize passes over the bitmaps that are disabled, and leaves them at the old length.",
    reference: "inferred: no record; it is what the walk of bdrv_dirty_bitmap_truncate over all bitmaps is there for",
    breaks: "size-follows-node",
    story: "bugs/a-resize-beside-a-guest",
    dialect: "10.0",
    plant: |rules| rules.resize_bitmaps = resize_those_that_record,
};

fn resize_those_that_record(w: &mut World, node: NodeIx, size: u64) {
    let disabled = |listed: &Listed| matches!(listed, Listed::Bitmap(bitmap) if bitmap.disabled);
    let before = w.node(node).listed.clone();
    monitor::resize_bitmaps(w, node, size);
    for (listed, before) in w.node_mut(node).listed.iter_mut().zip(before) {
        if disabled(&before) {
            *listed = before;
        }
    }
}
