//! The last cancel decides whether it is forced.

use super::Mutation;
use crate::job;
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "soft-cancel-overrides",
    bug: "bug-B13",
    what: "A cancel without force takes back the force of an earlier one.",
    reference: "QEMU, mended in 6.2",
    breaks: "cancel-is-final",
    story: "bugs/cancelled-twice",
    dialect: "10.0",
    plant: |rules| rules.cancel_async = cancel_as_asked,
};

fn cancel_as_asked(w: &mut World, index: JobIx, force: bool) {
    job::cancel_async(w, index, force);
    w.job_mut(index).force_cancel = force;
}
