//! `job-finalize` looks at its job once more when the job has dismissed itself.

use super::Mutation;
use crate::group;
use crate::process;
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "finalize-uses-a-freed-job",
    bug: "bug-B10",
    what: "job-finalize goes on with its job after the end of the job, which has dismissed itself: freed memory is \
           used.",
    reference: "QEMU, mended in 5.0: the command holds a reference of its own",
    breaks: "no-crash",
    story: "races/finalize-at-any-moment",
    dialect: "10.0",
    plant: |rules| rules.conclude = conclude_and_look_again,
};

fn conclude_and_look_again(w: &mut World, index: JobIx) {
    let job = w.job(index);
    let (by_hand, id) = (!job.auto_finalize, job.id.clone());
    group::conclude(w, index);
    if by_hand && w.try_job(index).is_none() {
        process::dies(w, &format!("job-finalize uses job {id}, which is gone"));
    }
}
