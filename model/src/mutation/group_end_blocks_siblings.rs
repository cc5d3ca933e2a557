//! A group is ended with the lock of one member's thread, whichever thread the others are in.
//!
//! The model has no such locks; what they did is that tasks of a thread could not go on.

use super::Mutation;
use crate::main_loop::Frame;
use crate::step;
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "group-end-blocks-siblings",
    bug: "bug-B6",
    what: "The end of one member holds the lock of its own thread only while it waits, in a nested event loop, \
           also for siblings in other threads; these cannot go on.",
    reference: "QEMU, a hang on the abort of a backup with two iothreads, mended in 5.0",
    breaks: "no-deadlock",
    story: "iothreads/group-across-two-iothreads",
    dialect: "10.0",
    plant: |rules| rules.job_may_run = may_run,
};

fn may_run(w: &World, index: JobIx) -> bool {
    let ends = |frame: &Frame| match frame {
        Frame::Finalize { job, .. } => is_elsewhere(w, index, *job),
        _ => false,
    };
    step::may_run(w, index) && !w.main().frames().any(ends)
}

/// Is it a member of the other's group, and in another thread than the main loop's and the other's?
fn is_elsewhere(w: &World, index: JobIx, other: JobIx) -> bool {
    let (job, other) = (w.job(index), w.job(other));
    job.group == other.group && job.context.is_some() && job.context != other.context
}
