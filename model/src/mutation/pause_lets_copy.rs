//! A pause only counts; the job that waits for its copies is not entered, and does not stop them.

use super::Mutation;
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "pause-lets-copy",
    bug: "bug-C3",
    what: "A pause does not enter the job that waits for its background copy, or sleeps: the copy goes on while the \
           nodes are drained.",
    reference: "QEMU, mended in 6.0: job_pause enters the job, and backup_pause stops its background call",
    breaks: "pause-is-quiescent",
    story: "bugs/a-drain-beside-a-paused-backup",
    dialect: "10.0",
    plant: |rules| rules.pause = count_only,
};

fn count_only(w: &mut World, index: JobIx) {
    w.job_mut(index).pause_count += 1;
}
