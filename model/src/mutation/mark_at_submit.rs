//! A write is recorded when it is submitted, and a backup does not wait for writes in flight.
//!
//! The backup takes the mark over, and then the data lands.

use super::Mutation;
use crate::guest;
use crate::world::{GuestIx, NodeIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "mark-at-submit",
    bug: "bug-D13",
    what: "A write is marked before its data is written, and a backup begins in between (bug-E17): it takes the \
           mark over without the data.",
    reference: "inferred: bdrv_co_write_req_finish marks at the end, and backups are created in a drained section",
    breaks: "no-lost-dirty",
    story: "bugs/write-into-the-start",
    dialect: "7.2",
    plant: |rules| {
        rules.begin_io = mark_and_begin;
        rules.record_write = |_, _, _| {};
        rules.drain_source = |_, _| None;
    },
};

fn mark_and_begin(w: &mut World, index: GuestIx, node: NodeIx) {
    guest::record_write(w, index, node);
    guest::begin_io(w, index, node);
}
