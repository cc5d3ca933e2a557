//! A job is pending before its group is done.

use super::Mutation;
use crate::group;
use crate::job::{self, Status};
use crate::main_loop::Frame;
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "pending-by-itself",
    bug: "bug-G6",
    what: "A job that its user is to finalize is pending as soon as it is done, whatever its siblings do.",
    reference: "inferred: no record; it is what the promise to be pending together is there for",
    breaks: "pending-together",
    story: "groups/finalize-by-the-other-member",
    dialect: "10.0",
    plant: |rules| {
        rules.succeed = succeed;
        rules.become_pending = become_pending;
    },
};

fn succeed(w: &mut World, index: JobIx) -> Option<Frame> {
    if w.job(index).auto_finalize {
        return group::succeed(w, index);
    }
    job::set_status(w, index, Status::Waiting);
    group::become_pending(w, index);
    group::go_on_together(w, index)
}

fn become_pending(w: &mut World, index: JobIx) {
    if w.job(index).status != Status::Pending {
        group::become_pending(w, index);
    }
}
