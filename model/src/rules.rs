//! The rules that a planted bug can replace: one function each.
//!
//! A rule that some [`Mutation`](crate::mutation::Mutation) replaces is called through this table
//! (`(w.rules().settle_bitmap)(w, job)`), and so does not know of it. The table of a QEMU without planted bugs is
//! [`Rules::QEMU`]: each row names the function that a reader looks for.

use std::ops::Range;

use crate::backup::{self, BackupRequest};
use crate::block_copy::{self, BlockCopy, Call, Caller, Removed};
use crate::error::{Errno, QmpError};
use crate::event::{ErrorAction, Operation};
use crate::group::{self, FinalizeStage};
use crate::guest;
use crate::image::Fill;
use crate::job;
use crate::main_loop::Flow;
use crate::runs::Runs;
use crate::world::{GroupIx, GuestIx, JobIx, NodeIx, World};

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
    // ---- copying
    /// The unit of copying, in bytes, by the request and the target's cluster.
    pub(crate) copy_cluster: fn(&BackupRequest, Option<u64>) -> u64,
    /// The bytes that a job's background call goes over.
    pub(crate) job_range: fn(&BlockCopy) -> (u64, u64),
    /// What a call claims next.
    pub(crate) next_area: fn(&BlockCopy, &Call) -> Option<Range<u64>>,
    /// What was claimed is not left to copy.
    pub(crate) take: fn(&mut BlockCopy, Range<u64>),
    /// A call must wait for the rate limiter.
    pub(crate) is_limited: fn(&BlockCopy, Caller) -> bool,
    /// The rate limiter's sleep of a job is over.
    pub(crate) sleep_over: fn(&mut World, JobIx),
    /// A pass of a call is over: whether it goes on at once.
    pub(crate) end_pass: fn(&mut World, JobIx, Caller) -> bool,
    /// A call that waited goes on.
    pub(crate) go_on: fn(&mut World, JobIx, Caller),
    /// Who waits for the task that begins at that byte.
    pub(crate) waiters: fn(&BlockCopy, u64) -> Vec<Caller>,
    /// A task has ended, well or not.
    pub(crate) remove_task: fn(&mut BlockCopy, u64, Option<(Operation, Errno)>) -> Removed,
    /// A task writes to the target.
    pub(crate) write_target: fn(&mut World, JobIx, &Runs<Fill>),
    /// A guest's write has old data saved before it changes anything.
    pub(crate) save_old_data: fn(&mut World, GuestIx),
    /// A job's filter has saved the old data under a guest's write, or could not.
    pub(crate) guest_copied: fn(&mut World, GuestIx, JobIx, Option<Errno>),
    /// A guest's I/O is done.
    pub(crate) guest_lands: fn(&mut World, GuestIx),
    /// One job of a group is ended.
    pub(crate) finalize_one: fn(&mut World, JobIx, FinalizeStage) -> Flow,
    /// A transaction lets go of the source of one of its backups.
    pub(crate) release_source: fn(&mut World, u32),
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
        copy_cluster: backup::copy_cluster,
        job_range: backup::job_range,
        next_area: block_copy::next_area,
        take: block_copy::take,
        is_limited: block_copy::is_limited,
        sleep_over: block_copy::sleep_over,
        end_pass: block_copy::end_pass,
        go_on: block_copy::go_on,
        waiters: block_copy::waiters,
        remove_task: block_copy::remove_task,
        write_target: block_copy::write_target,
        save_old_data: guest::save_next,
        guest_copied: guest::copied,
        guest_lands: guest::lands,
        finalize_one: group::finalize_one,
        release_source: World::drain_end,
    };
}

impl World {
    /// The rules in force.
    pub(crate) fn rules(&self) -> &'static Rules {
        &self.dialect.rules
    }
}
