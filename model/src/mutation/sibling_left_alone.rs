//! A sibling is left uncancelled.

use super::Mutation;
use crate::group;
use crate::job::{self, Status};
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "sibling-left-alone",
    bug: "bug-G1",
    what: "When a member of a group fails, only those that still run are cancelled: one that is done and waits \
           goes on, and ends well.",
    reference: "inferred: no record; it is what grouped completion is there for",
    breaks: "grouped-atomicity",
    story: "groups/an-empty-one-and-one-that-fails",
    dialect: "10.0",
    plant: |rules| rules.cancel_sibling = cancel_or_let_go,
};

fn cancel_or_let_go(w: &mut World, member: JobIx) {
    if w.job(member).status == Status::Waiting {
        job::set_status(w, member, Status::Pending);
    } else {
        group::cancel_sibling(w, member);
    }
}
