//! A cancelled job succeeds.

use super::Mutation;
use crate::job;
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "late-cancel-succeeds",
    bug: "bug-B12",
    what: "A cancel that arrives when everything is copied says CANCELLED, but the job's result stays a success.",
    reference: "QEMU, mended in 6.2",
    breaks: "cancel-means-fail",
    story: "bugs/cancelled-twice",
    dialect: "10.0",
    plant: |rules| rules.update_result = update_result,
};

/// Of a job by itself: in a group others are ended meanwhile.
fn update_result(w: &mut World, index: JobIx) {
    let (copy, job) = (w.copy(index), w.job(index));
    let copied = copy.begun && copy.dirty.count() == 0;
    let alone = w.group(job.group).members.len() == 1;
    if copied && alone && job.ret.is_none() {
        return;
    }
    job::update_result(w, index);
}
