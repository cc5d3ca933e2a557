//! A group's abort waits for a thread that it keeps from running.
//!
//! The model has no such locks; what they did is that tasks of the thread could not go on.

use super::Mutation;
use crate::main_loop::Wait;
use crate::step;
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "abort-blocks-the-sibling",
    bug: "bug-B9",
    what: "A group's abort waits for a sibling with the lock of the sibling's thread held, so its copies never \
           end.",
    reference: "QEMU, mended in 3.1",
    breaks: "no-deadlock",
    story: "iothreads/group-across-two-iothreads",
    dialect: "7.2",
    plant: |rules| rules.job_may_run = may_run,
};

fn may_run(w: &World, index: JobIx) -> bool {
    let awaited = w.main().waiting_for() == Some(Wait::JobCompleted(index));
    step::may_run(w, index) && !(awaited && w.job(index).context.is_some())
}
