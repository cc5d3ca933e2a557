//! A cancelled job still pauses at its pause points.

use super::Mutation;
use crate::job::Job;

pub(super) const MUTATION: Mutation = Mutation {
    name: "cancelled-job-pauses",
    bug: "bug-C8",
    what: "A cancelled job pauses for a drained section; the abort of its group waits for the job, and inside the \
           drained section that will never end.",
    reference: "inferred: no record; it is what job_is_cancelled in job_pause_point is there for",
    breaks: "no-deadlock",
    story: "bugs/a-drain-beside-a-failing-group",
    dialect: "10.0",
    plant: |rules| rules.may_pause = Job::should_pause,
};
