//! The two flags of a cancel do not agree.

use super::Mutation;
use crate::job;
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "forced-but-not-cancelled",
    bug: "bug-J10",
    what: "A forced cancel does not set the flag of a cancel.",
    reference: "inferred: no record; QEMU asserts since 6.2 that force means a cancel",
    breaks: "cancel-is-final",
    story: "bugs/cancelled-twice",
    dialect: "10.0",
    plant: |rules| rules.cancel_async = force_only,
};

fn force_only(w: &mut World, index: JobIx, force: bool) {
    let cancelled = w.job(index).cancelled;
    job::cancel_async(w, index, force);
    w.job_mut(index).cancelled = cancelled;
}
