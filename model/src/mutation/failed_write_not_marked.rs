//! Only writes that succeed are recorded, though one that failed may have changed a part of its range.

use super::Mutation;
use crate::guest::{self, Stage};
use crate::world::{GuestIx, NodeIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "failed-write-not-marked",
    bug: "bug-D14",
    what: "A write that fails is not marked, though it may have changed some of what it was to change.",
    reference: "inferred: bdrv_co_write_req_finish marks whatever the result is",
    breaks: "no-lost-dirty",
    story: "bugs/write-that-fails",
    dialect: "10.0",
    plant: |rules| rules.record_write = record_if_it_succeeded,
};

fn record_if_it_succeeded(w: &mut World, index: GuestIx, node: NodeIx) {
    if matches!(w.guest(index).stage, Stage::Landed { result: Ok(()), .. }) {
        guest::record_write(w, index, node);
    }
}
