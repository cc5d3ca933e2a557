//! The rules that a planted bug can replace: one function each.
//!
//! A rule that some [`Mutation`](crate::mutation::Mutation) replaces is called through this table
//! (`(w.rules().settle_bitmap)(w, job)`), and so does not know of it. The table of a QEMU without planted bugs is
//! [`Rules::QEMU`]: each row names the function that a reader looks for.

use crate::backup::{self, BackupRequest};
use crate::error::{Errno, QmpError};
use crate::event::{ErrorAction, Operation};
use crate::group;
use crate::job::{self, Verb};
use crate::main_loop::{Flow, Frame};
use crate::node::NodeSet;
use crate::process;
use crate::step;
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
    /// A job's result is what the rest of its end goes by.
    pub update_result: fn(&mut World, JobIx),
    /// A yielded coroutine is let go on.
    pub enter: fn(&mut World, JobIx),
    /// A job's exit bottom half.
    pub exit: fn(&mut World, JobIx) -> Option<Frame>,
    /// A job's pause is over.
    pub run_again: fn(&mut World, JobIx),
    /// A job is marked as cancelled; with force or not.
    pub cancel_async: fn(&mut World, JobIx, bool),
    /// A job is cancelled; with force or not.
    pub cancel: fn(&mut World, JobIx, bool) -> Option<Frame>,
    /// A job cannot be made after all.
    pub fail_early: fn(&mut World, JobIx),
    /// Is a new job's id one, and free?
    pub check_id: fn(&World, &str) -> Result<(), QmpError>,
    /// Does the status of a job allow a verb?
    pub apply_verb: fn(&World, JobIx, Verb) -> Result<(), QmpError>,
    /// A concluded job is gone.
    pub dismiss: fn(&mut World, JobIx),
    /// One more member of a group is done, and well.
    pub succeed: fn(&mut World, JobIx) -> Option<Frame>,
    /// A job waits for its last step.
    pub become_pending: fn(&mut World, JobIx),
    /// `job-finalize`: who is finalized?
    pub finalize: fn(&World, JobIx) -> Frame,
    /// A member of a group has failed.
    pub abort_group: fn(&mut World, JobIx) -> Option<Frame>,
    /// A sibling of the one that failed is cancelled.
    pub cancel_sibling: fn(&mut World, JobIx),
    /// The walk of an aborting group goes on.
    pub abort_next: fn(&mut World, GroupIx) -> Flow,
    /// A job lets go of its nodes.
    pub detach: fn(&mut World, JobIx) -> bool,
    /// A job closes the target that it opened.
    pub close_target: fn(&mut World, JobIx),
    /// What is left of a job's end, once its nodes are free.
    pub conclude: fn(&mut World, JobIx),
    /// A job's terminal event.
    pub say_end: fn(&mut World, JobIx),
    /// Does nothing run on those nodes?
    pub is_quiet: fn(&World, NodeSet) -> bool,
    /// May a job's coroutine and tasks go on?
    pub may_run: fn(&World, JobIx) -> bool,
    /// The socket is about to be closed.
    pub flush_reply: fn(&mut World),
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
        update_result: job::update_result,
        enter: job::enter,
        exit: job::exit,
        run_again: backup::run_again,
        cancel_async: job::cancel_async,
        cancel: job::cancel,
        fail_early: job::fail_early,
        check_id: job::check_id,
        apply_verb: job::apply_verb,
        dismiss: job::dismiss,
        succeed: group::succeed,
        become_pending: group::become_pending,
        finalize: group::finalize,
        abort_group: group::abort,
        cancel_sibling: group::cancel_sibling,
        abort_next: group::abort_next,
        detach: backup::detach,
        close_target: backup::close_target,
        conclude: group::conclude,
        say_end: group::say_end,
        is_quiet: World::is_quiet,
        may_run: step::may_run,
        flush_reply: process::flush_reply,
    };
}

impl World {
    /// The rules in force.
    pub(crate) fn rules(&self) -> &'static Rules {
        &self.dialect.rules
    }
}
