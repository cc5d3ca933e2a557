//! A job that was never started cannot be cancelled.

use super::Mutation;
use crate::job;
use crate::main_loop::Frame;
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "created-cannot-be-cancelled",
    bug: "bug-J15",
    what: "A job that was created and not started is marked as cancelled and nobody ends it: the transaction \
           that takes it back waits for ever.",
    reference: "Proxmox's patches of backup, bug 3225, mended 2021",
    breaks: "no-deadlock",
    story: "bugs/the-last-action-aborts",
    dialect: "10.0",
    plant: |rules| rules.cancel = cancel_if_started,
};

fn cancel_if_started(w: &mut World, index: JobIx, force: bool) -> Option<Frame> {
    if w.job(index).started {
        return job::cancel(w, index, force);
    }
    job::cancel_async(w, index, force);
    None
}
