//! Two functions abort one group, one inside the other.

use super::Mutation;
use crate::group;
use crate::main_loop::{Flow, Frame};
use crate::world::{GroupIx, JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "two-aborters",
    bug: "bug-B2",
    what: "The end of a job does not ask whether its group is already being aborted: a sibling that was \
           cancelled, or the cancelled job itself, aborts the group once more from inside the first abort.",
    reference: "QEMU, two jobs that leave their functions at the same time, mended in 2.8 (the same series as \
                bug-B1)",
    breaks: "single-aborter",
    story: "bugs/one-of-two-is-cancelled",
    dialect: "10.0",
    plant: |rules| {
        rules.abort_group = abort_again;
        rules.abort_next = abort_next;
    },
};

fn abort_again(w: &mut World, index: JobIx) -> Option<Frame> {
    Some(group::begin_abort(w, index))
}

/// What the outer abort is ending just now the inner one leaves to it, and it may have left the outer one nothing.
fn abort_next(w: &mut World, group: GroupIx) -> Flow {
    let is_member = |job: JobIx| w.try_job(job).is_some_and(|job| job.group == group);
    let is_end = |frame: &Frame| matches!(frame, Frame::Finalize { job, .. } if is_member(*job));
    if w.try_group(group).is_none() || w.main().frames().any(is_end) {
        return Flow::Done;
    }
    group::abort_next(w, group)
}
