//! A backup is refused for its speed when there is a job already, and that job's early end forgets the bitmap.

use super::Mutation;
use crate::backup::{self, BackupRequest};
use crate::world::{NodeIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "negative-speed-keeps-bitmap-busy",
    bug: "bug-D4",
    what: "A backup with a negative speed is refused when its job exists already; the job goes, and its bitmap \
           stays busy for ever.",
    reference: "inferred: the error path of block_job_create, which is not that of backup_job_create",
    breaks: "atomic-prepare",
    story: "bugs/refused-backups",
    dialect: "10.0",
    plant: |rules| rules.give_bitmap_back = give_back_unless_there_was_a_job,
};

fn give_back_unless_there_was_a_job(w: &mut World, source: NodeIx, request: &BackupRequest) {
    if request.speed >= 0 {
        backup::give_bitmap_back(w, source, request);
    }
}
