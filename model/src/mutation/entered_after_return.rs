//! A coroutine is entered after its end.

use super::Mutation;
use crate::world::{JobIx, World};
use crate::{backup, job};

pub(super) const MUTATION: Mutation = Mutation {
    name: "entered-after-return",
    bug: "bug-J6",
    what: "A coroutine is entered although its function has returned: by a pause, a cancel, or the end of a \
           drained section.",
    reference: "QEMU, jobs entered once too often, mended in 2.11 and 2.12 (bug-C2)",
    breaks: "no-run-after-return",
    story: "bugs/cancelled-twice",
    dialect: "10.0",
    plant: |rules| rules.enter = enter,
};

fn enter(w: &mut World, index: JobIx) {
    if w.job(index).deferred {
        backup::run(w, index);
    } else {
        job::enter(w, index);
    }
}
