//! A job's end waits for copies in a thread that it keeps from running.
//!
//! The model has no such locks; what they did is that tasks of the thread could not go on.

use super::Mutation;
use crate::main_loop::Frame;
use crate::step;
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "drain-at-the-end-blocks-itself",
    bug: "bug-B7",
    what: "A job's end drains its nodes with the lock of its thread taken twice, so the thread in which the \
           copies run that it waits for cannot go on.",
    reference: "QEMU, callbacks that drain hung when a job was finalized, mended in 3.1; in backup's clean again \
                (bug-F3), mended in 5.0",
    breaks: "no-deadlock",
    story: "bugs/the-end-waits-for-a-guest",
    dialect: "10.0",
    plant: |rules| rules.job_may_run = may_run,
};

fn may_run(w: &World, index: JobIx) -> bool {
    let ends = |frame: &Frame| matches!(frame, Frame::Finalize { job, .. } if *job == index);
    let in_a_thread = w.job(index).context.is_some();
    step::may_run(w, index) && !(in_a_thread && w.main().frames().any(ends))
}
