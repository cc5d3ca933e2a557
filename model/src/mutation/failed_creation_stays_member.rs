//! A job that fails in its creation stays a member of its group.
//!
//! In QEMU later walks of the group touch freed memory. There is none here: walks step over the dead.

use super::Mutation;
use crate::main_loop::Flow;
use crate::world::{GroupIx, JobIx, World};
use crate::{group, job};

pub(super) const MUTATION: Mutation = Mutation {
    name: "failed-creation-stays-member",
    bug: "bug-B4",
    what: "A job that cannot be made after all is freed, and its group still lists it.",
    reference: "QEMU, mended in 3.0; an earlier form of it (bug-B3: a dead pointer in the group), mended in 2.8",
    breaks: "group-list",
    story: "bugs/a-negative-speed",
    dialect: "10.0",
    plant: |rules| {
        rules.fail_early = fail_without_leaving;
        rules.cancel_sibling = cancel_living_sibling;
        rules.abort_next = abort_next;
    },
};

fn fail_without_leaving(w: &mut World, index: JobIx) {
    job::dismiss(w, index);
}

fn cancel_living_sibling(w: &mut World, member: JobIx) {
    if w.try_job(member).is_some() {
        group::cancel_sibling(w, member);
    }
}

fn abort_next(w: &mut World, group: GroupIx) -> Flow {
    let members = w.group(group).members.iter().copied();
    let living = members.filter(|&member| w.try_job(member).is_some());
    let living = living.collect();
    w.group_mut(group).members = living;
    group::abort_next(w, group)
}
