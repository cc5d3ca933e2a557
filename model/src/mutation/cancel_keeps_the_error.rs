//! The cancel of a job that an error had paused leaves the error's mark.

use super::Mutation;
use crate::job;
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "cancel-keeps-the-error",
    bug: "bug-C9",
    what: "The cancel of a job that stopped at an error takes the pause away, and leaves the I/O status at failed.",
    reference: "QEMU, before 2.10, which wrote the invariant down: block_job_user_resume and job_cancel_async reset \
                the I/O status with the pause",
    breaks: "iostatus",
    story: "faults/cancel-after-an-error-stop",
    dialect: "10.0",
    plant: |rules| rules.cancel_async = cancel_and_keep,
};

fn cancel_and_keep(w: &mut World, index: JobIx, force: bool) {
    let iostatus = w.job(index).iostatus;
    job::cancel_async(w, index, force);
    w.job_mut(index).iostatus = iostatus;
}
