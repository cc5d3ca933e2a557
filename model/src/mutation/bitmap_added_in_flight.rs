//! A write looks at the node's bitmaps when its data has landed, and ends later: one added in between is not looked at.

use super::Mutation;
use crate::guest::{self, Stage};
use crate::world::{GuestIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "bitmap-added-in-flight",
    bug: "bug-D15",
    what: "A bitmap is added while a write is in flight that has looked for bitmaps already, and does not mark it.",
    reference: "inferred: bdrv_set_dirty walks the list and the request ends under one lock",
    breaks: "no-lost-dirty",
    story: "bugs/bitmap-added-under-a-write",
    dialect: "10.0",
    plant: |rules| {
        rules.write_lands = land_and_mark;
        rules.record_write = |_, _, _| {};
    },
};

fn land_and_mark(w: &mut World, index: GuestIx) {
    guest::lands(w, index);
    if let Stage::Landed { node, .. } = w.guest(index).stage {
        guest::record_write(w, index, node);
    }
}
