//! A filter is removed while guests are in it.

use super::Mutation;
use crate::error::Errno;
use crate::group::{self, FinalizeStage};
use crate::guest::{self, Stage};
use crate::main_loop::{Flow, Wait};
use crate::world::{GuestIx, JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "filter-removed-before-copy-ends",
    bug: "bug-E14",
    what: "The end of a job takes its filter away without waiting for the guests in it: their copies land in the \
           target after the job's terminal event.",
    reference: "inferred: bdrv_cbw_drop drains",
    breaks: "no-write-after-end",
    story: "bugs/cancel-while-a-guest-saves",
    dialect: "7.2",
    plant: |rules| {
        rules.finalize_one = without_waiting;
        rules.guest_copied = without_a_filter;
    },
};

fn without_waiting(w: &mut World, index: JobIx, stage: FinalizeStage) -> Flow {
    match group::finalize_one(w, index, stage) {
        Flow::Become(frame, Wait::Quiet(_)) => Flow::Become(frame, Wait::Nothing),
        flow => flow,
    }
}

/// A write whose filter is gone goes on as it would without one.
fn without_a_filter(w: &mut World, index: GuestIx, job: JobIx, failed: Option<Errno>) {
    match w.guest(index).stage {
        Stage::Saving { node, .. } if w.node(node).filters.is_empty() => guest::begin_io(w, index, node),
        _ => guest::copied(w, index, job, failed),
    }
}
