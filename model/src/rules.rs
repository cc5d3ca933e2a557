//! The rules that a planted bug can replace: one function each.
//!
//! A rule that some [`Mutation`](crate::mutation::Mutation) replaces is called through this table
//! (`(w.rules().settle_bitmap)(w, job)`), and so does not know of it. The table of a QEMU without planted bugs is
//! [`Rules::QEMU`]: each row names the function that a reader looks for.

use std::ops::Range;

use crate::backup::{self, BackupRequest, Refused, Sync};
use crate::bitmap::{Bitmap, Undo};
use crate::block_copy::{self, BlockCopy, Call, Caller, Removed};
use crate::dirty_bitmap;
use crate::error::{Errno, QmpError};
use crate::event::{ErrorAction, Operation};
use crate::group::{self, FinalizeStage};
use crate::guest;
use crate::image::Fill;
use crate::job::{self, Job, Verb};
use crate::main_loop::{self, Flow, Frame};
use crate::monitor;
use crate::name::Name;
use crate::node::NodeSet;
use crate::process;
use crate::runs::Runs;
use crate::step;
use crate::transaction::{self, Action, BitmapName, Prepared, Transaction};
use crate::world::{ContextIx, GroupIx, GuestIx, JobIx, NodeIx, World};

/// One function for each rule that can be replaced.
#[derive(Clone, Debug)]
pub struct Rules {
    /// A backup's prepare creates its job.
    pub create_backup: CreateBackup,
    /// An action without a job is prepared.
    pub prepare_action: PrepareAction,
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
    /// The unit of copying, in bytes, by the request and the target's cluster.
    pub(crate) copy_cluster: fn(&BackupRequest, Option<u64>) -> u64,
    /// The bytes that a job's background call goes over.
    pub(crate) job_range: fn(&BlockCopy) -> (u64, u64),
    /// What a call claims next.
    pub(crate) next_area: fn(&BlockCopy, &Call) -> Option<Range<u64>>,
    /// What was claimed is not left to copy.
    pub(crate) take: fn(&mut BlockCopy, Range<u64>),
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
    /// One job of a group is ended.
    pub(crate) finalize_one: fn(&mut World, JobIx, FinalizeStage) -> Flow,
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

    // Bitmaps, and the start of a backup.
    /// A backup's prepare drains its source; the drained section.
    pub drain_source: fn(&mut World, NodeSet) -> Option<u32>,
    /// A backup's bitmap gets a successor.
    pub freeze_bitmap: fn(&mut World, NodeIx, &Name) -> Result<(), QmpError>,
    /// A backup that could not be created gives its bitmap back to the source.
    pub give_bitmap_back: fn(&mut World, NodeIx, &BackupRequest),
    /// What there is to copy.
    pub fill_copy_bitmap: FillCopyBitmap,
    /// A job's run function begins; whether its coroutine goes on.
    pub begin_run: fn(&mut World, JobIx) -> bool,
    /// May a bitmap be the source of a merge?
    pub check_merge_source: fn(&Bitmap) -> Result<(), QmpError>,
    /// One bitmap is merged into another.
    pub merge_bits: fn(&mut Bitmap, &Bitmap) -> Result<(), QmpError>,
    /// A merge of all its sources.
    pub merge_sources: MergeSources,
    /// A guest's own I/O on an image begins.
    pub begin_io: fn(&mut World, GuestIx, NodeIx),
    /// A guest's I/O is done on the host.
    pub write_lands: fn(&mut World, GuestIx),
    /// The bitmaps record a guest's write that ends.
    pub record_write: fn(&mut World, GuestIx, NodeIx),

    // A job's end, and its group's.
    /// A job's result is what the rest of its end goes by.
    pub update_result: fn(&mut World, JobIx),
    /// A job's exit bottom half.
    pub exit: fn(&mut World, JobIx) -> Option<Frame>,
    /// A job's pause is over.
    pub run_again: fn(&mut World, JobIx),
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
    pub job_may_run: fn(&World, JobIx) -> bool,
    /// The socket is about to be closed.
    pub flush_reply: fn(&mut World),
}

/// See [`Rules::prepare_action`]: the action, and what is to be undone of it.
pub type PrepareAction = fn(&mut World, &Action, &mut Prepared) -> Result<(), QmpError>;

/// See [`Rules::create_backup`]: the request, its source and target, and the group to join.
pub type CreateBackup =
    fn(&mut World, &BackupRequest, NodeIx, NodeIx, Option<GroupIx>) -> Result<JobIx, Refused>;

/// See [`Rules::fill_copy_bitmap`]: the state to fill, what is copied, and the sync bitmap.
pub type FillCopyBitmap = fn(&World, &mut BlockCopy, Sync, Option<&Name>);

/// See [`Rules::merge_sources`]: the target, its sources; the target's node and its bits before.
pub type MergeSources =
    fn(&mut World, &BitmapName, &[BitmapName]) -> Result<(NodeIx, Option<Undo>), QmpError>;

impl Rules {
    /// QEMU's.
    pub const QEMU: Rules = Rules {
        create_backup: backup::create,
        prepare_action: transaction::prepare_action,
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
        drain_source: transaction::drain_source,
        freeze_bitmap: World::freeze_bitmap,
        give_bitmap_back: backup::give_bitmap_back,
        fill_copy_bitmap: backup::fill_copy_bitmap,
        begin_run: backup::begin,
        check_merge_source: dirty_bitmap::check_merge_source,
        merge_bits: Bitmap::merge,
        merge_sources: dirty_bitmap::merge,
        begin_io: guest::begin_io,
        write_lands: guest::lands,
        record_write: guest::record_write,
        copy_cluster: backup::copy_cluster,
        job_range: backup::job_range,
        next_area: block_copy::next_area,
        take: block_copy::take,
        sleep_over: block_copy::sleep_over,
        end_pass: block_copy::end_pass,
        go_on: block_copy::go_on,
        waiters: block_copy::waiters,
        remove_task: block_copy::remove_task,
        write_target: block_copy::write_target,
        save_old_data: guest::save_next,
        guest_copied: guest::copied,
        finalize_one: group::finalize_one,
        update_result: job::update_result,
        exit: job::exit,
        run_again: backup::run_again,
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
        job_may_run: step::may_run,
        flush_reply: process::flush_reply,
    };
}

impl World {
    /// The rules in force.
    pub(crate) fn rules(&self) -> &'static Rules {
        &self.dialect.rules
    }
}
