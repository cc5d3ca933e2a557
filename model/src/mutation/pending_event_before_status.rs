//! An event comes before what it speaks of.

use super::Mutation;
use crate::group;
use crate::job::{self, Status};
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "pending-event-before-status",
    bug: "bug-J4",
    what: "BLOCK_JOB_PENDING is said before the job is pending: whoever finalizes at once is refused.",
    reference: "inferred: no record; it is what the promise about the order of events is there for",
    breaks: "event-order",
    story: "bugs/done-by-hand",
    dialect: "10.0",
    plant: |rules| rules.become_pending = say_then_become,
};

fn say_then_become(w: &mut World, index: JobIx) {
    if !w.job(index).auto_finalize {
        group::say_pending(w, index);
    }
    job::set_status(w, index, Status::Pending);
}
