//! The rules that a planted bug can replace: one function each.
//!
//! A rule that some [`Mutation`](crate::mutation::Mutation) replaces is called through this table
//! (`(w.rules().settle_bitmap)(w, job)`), and so does not know of it. The table of a QEMU without planted bugs is
//! [`Rules::QEMU`]: each row names the function that a reader looks for.

use crate::backup::{self, BackupRequest};
use crate::block_copy::{self, Caller};
use crate::error::{Errno, QmpError};
use crate::event::{ErrorAction, Operation};
use crate::guest;
use crate::job::{self, Job};
use crate::main_loop::{self, Flow};
use crate::monitor;
use crate::transaction::{self, Transaction};
use crate::world::{ContextIx, GroupIx, GuestIx, JobIx, NodeIx, World};

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

    // Pausing, entering, cancelling.
    /// One more reason for a job to pause.
    pub pause: fn(&mut World, JobIx),
    /// One reason less.
    pub resume: fn(&mut World, JobIx),
    /// A job's coroutine is let go on.
    pub enter: fn(&mut World, JobIx),
    /// May a job pause at a pause point?
    pub may_pause: fn(&Job) -> bool,
    /// A job is marked as cancelled; forced or not.
    pub cancel_async: fn(&mut World, JobIx, bool),
    /// A running job gets another speed limit, bytes per second.
    pub set_speed: fn(&mut World, JobIx, u64),

    // The copies of a call.
    /// Must a call wait for its rate limiter?
    pub is_limited: fn(&World, JobIx, Caller) -> bool,
    /// Must a call wait for a free worker?
    pub is_full: fn(&World, JobIx, Caller) -> bool,
    /// The copy task that starts at this byte ends, and how.
    pub end_task: fn(&mut World, JobIx, u64, Option<(Operation, Errno)>),

    // Event loops and drained sections.
    /// May callbacks run in an event loop?
    pub may_run: fn(&World, Option<ContextIx>) -> bool,
    /// Is the innermost nested event loop over?
    pub may_resume: fn(&World) -> bool,
    /// May the next command's handler begin?
    pub may_begin: fn(&World) -> bool,
    /// A change of the block graph; with the number of its drained section once that has begun.
    pub graph_change: fn(&mut World, Option<u32>) -> Flow,
    /// A drained section lets go of a node.
    pub let_go: fn(&mut World, NodeIx),
    /// A transaction lets go of the source of one of its backups.
    pub end_source_drain: fn(&mut World, &Transaction, u32),
    /// May guests begin requests on a node?
    pub may_submit: fn(&World, NodeIx) -> bool,
    /// A guest's next request begins.
    pub begin_request: fn(&mut World, GuestIx),

    // Resizing.
    /// Does everybody let a node be resized?
    pub check_resize_shared: fn(&World, NodeIx) -> Result<(), QmpError>,
    /// The bitmaps of a node get a new length, bytes.
    pub resize_bitmaps: fn(&mut World, NodeIx, u64),
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
        pause: job::pause,
        resume: job::resume,
        enter: job::enter,
        may_pause: backup::may_pause,
        cancel_async: job::cancel_async,
        set_speed: backup::set_speed,
        is_limited: block_copy::is_limited,
        is_full: block_copy::is_full,
        end_task: block_copy::end_task,
        may_run: main_loop::may_run,
        may_resume: main_loop::may_resume,
        may_begin: monitor::may_begin,
        graph_change: main_loop::graph_change,
        let_go: World::let_go,
        end_source_drain: transaction::end_source_drain,
        may_submit: guest::may_submit,
        begin_request: guest::begin,
        check_resize_shared: monitor::check_resize_shared,
        resize_bitmaps: monitor::resize_bitmaps,
    };
}

impl World {
    /// The rules in force.
    pub(crate) fn rules(&self) -> &'static Rules {
        &self.dialect.rules
    }
}
