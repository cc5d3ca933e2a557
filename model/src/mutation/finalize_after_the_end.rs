//! A finalize that comes too late is accepted.

use super::Mutation;
use crate::error::QmpError;
use crate::group;
use crate::job::{self, Status, Verb};
use crate::main_loop::Frame;
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "finalize-after-the-end",
    bug: "bug-B5",
    what: "`job-finalize` of a job that is concluded already, and waits to be dismissed, is not refused.",
    reference: "QEMU, an assertion about the group failed before the verb was looked at, mended in 3.0",
    breaks: "verb-table",
    story: "bugs/done-by-hand",
    dialect: "10.0",
    plant: |rules| {
        rules.apply_verb = apply_verb;
        rules.finalize = finalize_members;
    },
};

fn apply_verb(w: &World, index: JobIx, verb: Verb) -> Result<(), QmpError> {
    if verb == Verb::Finalize && w.job(index).status == Status::Concluded {
        return Ok(());
    }
    job::apply_verb(w, index, verb)
}

/// A job that is concluded has no group any more.
fn finalize_members(w: &World, index: JobIx) -> Frame {
    let group = w.try_group(w.job(index).group);
    if group.is_some_and(|group| group.members.contains(&index)) {
        return group::finalize(w, index);
    }
    let members = Vec::new();
    Frame::FinalizeAll { members }
}
