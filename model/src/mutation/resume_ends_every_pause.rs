//! Whoever resumes a job takes away all reasons to pause, not only the one that is its own.

use super::Mutation;
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "resume-ends-every-pause",
    bug: "bug-C7",
    what: "A resume ignores other reasons to pause: the end of a drained section lets a job go on that its user has \
           paused.",
    reference: "inferred: no record; it is what the count in job_pause and job_resume is there for",
    breaks: "pause-balance",
    story: "bugs/a-drain-beside-a-paused-backup",
    dialect: "10.0",
    plant: |rules| rules.resume = forget_all_reasons,
};

fn forget_all_reasons(w: &mut World, index: JobIx) {
    if w.try_job(index).is_some_and(|job| job.started) {
        w.job_mut(index).pause_count = 0;
        (w.rules().enter)(w, index);
    }
}
