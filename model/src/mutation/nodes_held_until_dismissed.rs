//! A job lets go of its nodes when it is freed, not when it ends.

use super::Mutation;
use crate::world::{JobIx, World};
use crate::{backup, job};

pub(super) const MUTATION: Mutation = Mutation {
    name: "nodes-held-until-dismissed",
    bug: "bug-B14",
    what: "A concluded job keeps its nodes and its filter until it is dismissed.",
    reference: "QEMU, commands on the nodes of a concluded backup failed or crashed, mended in 6.0",
    breaks: "terminal-is-final",
    story: "bugs/done-by-hand",
    dialect: "10.0",
    plant: |rules| {
        rules.detach = detach_later;
        rules.close_target = close_later;
        rules.dismiss = dismiss_and_detach;
    },
};

fn detach_later(_w: &mut World, _index: JobIx) -> bool {
    false
}

fn close_later(_w: &mut World, _index: JobIx) {}

fn dismiss_and_detach(w: &mut World, index: JobIx) {
    backup::detach(w, index);
    backup::close_target(w, index);
    job::dismiss(w, index);
}
