//! A job starts to run while later actions of its transaction are still being prepared.
//!
//! One with nothing to copy is done at once, sees itself as its group's only member, and concludes the group before
//! its sibling has joined it. Since QEMU 2.8 jobs are created in prepare and started in commit.

use super::Mutation;
use crate::backup::{self, BackupRequest, Refused};
use crate::job;
use crate::world::{GroupIx, JobIx, NodeIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "start-in-prepare",
    bug: "bug-B1",
    what: "A job runs before all actions of its transaction are prepared: an empty one concludes its group before \
           its sibling has joined it.",
    reference: "QEMU, mended in 2.8; guarded by iotest 124, test_transaction_failure_race",
    breaks: "start-barrier",
    story: "iotest-124/test_transaction_failure_race",
    dialect: "10.0",
    plant: |rules| {
        rules.create_backup = create_and_start;
        rules.start_job = start_unless_started;
    },
};

fn create_and_start(
    w: &mut World,
    request: &BackupRequest,
    source: NodeIx,
    target: NodeIx,
    group: Option<GroupIx>,
) -> Result<JobIx, Refused> {
    let created = backup::create(w, request, source, target, group)?;
    job::start(w, created);
    Ok(created)
}

fn start_unless_started(w: &mut World, index: JobIx) {
    if w.try_job(index).is_some_and(|job| !job.started) {
        job::start(w, index);
    }
}
