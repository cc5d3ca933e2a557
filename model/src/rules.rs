//! The rules that a planted bug can replace: one function each.
//!
//! A rule that some [`Mutation`](crate::mutation::Mutation) replaces is called through this table
//! (`(w.rules().settle_bitmap)(w, job)`), and so does not know of it. The table of a QEMU without planted bugs is
//! [`Rules::QEMU`]: each row names the function that a reader looks for.

use crate::backup::{self, BackupRequest};
use crate::error::{Errno, QmpError};
use crate::event::{ErrorAction, Operation};
use crate::job;
use crate::world::{GroupIx, JobIx, NodeIx, World};

/// One function for each rule that can be replaced.
#[derive(Clone, Debug)]
pub struct Rules {
    /// A backup's prepare creates its job.
    pub create_backup: CreateBackup,
    /// A transaction's commit starts a job.
    pub start_job: fn(&mut World, JobIx),
    /// A job meets an error.
    pub error_action: fn(&mut World, JobIx, Operation, Errno) -> ErrorAction,
    /// A job's end decides what becomes of its bitmap.
    pub settle_bitmap: fn(&mut World, JobIx),
}

/// See [`Rules::create_backup`]: the request, its source and target, and the group to join.
pub type CreateBackup =
    fn(&mut World, &BackupRequest, NodeIx, NodeIx, Option<GroupIx>) -> Result<JobIx, QmpError>;

impl Rules {
    /// QEMU's.
    pub const QEMU: Rules = Rules {
        create_backup: backup::create,
        start_job: job::start,
        error_action: job::error_action,
        settle_bitmap: backup::settle_bitmap,
    };
}

impl World {
    /// The rules in force.
    pub(crate) fn rules(&self) -> &'static Rules {
        &self.dialect.rules
    }
}
