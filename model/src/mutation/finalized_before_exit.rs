//! A job is ended twice: by a cancel, and by the bottom half that was queued before.

use super::Mutation;
use crate::group;
use crate::job::{self, Status};
use crate::main_loop::{Bh, Frame};
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "finalized-before-exit",
    bug: "bug-J5",
    what: "A cancel that arrives after the exit bottom half was queued ends the job at once; the bottom half \
           then finds a job that has ended.",
    reference: "Proxmox's patches of backup, mended 2022: a cancel and the exit of one job in either order",
    breaks: "terminal-is-final",
    story: "bugs/cancelled-twice",
    dialect: "10.0",
    plant: |rules| {
        rules.cancel = cancel;
        rules.exit = exit;
    },
};

fn cancel(w: &mut World, index: JobIx, force: bool) -> Option<Frame> {
    let queued = w.main().is_queued(&Bh::JobExit(index));
    if !queued {
        return job::cancel(w, index, force);
    }
    job::cancel_async(w, index, force);
    group::job_completed(w, index)
}

/// A job that has ended has no group any more.
fn exit(w: &mut World, index: JobIx) -> Option<Frame> {
    if w.job(index).status != Status::Concluded {
        return job::exit(w, index);
    }
    job::update_result(w, index);
    None
}
