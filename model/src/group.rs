//! Job groups: jobs that end together, well or not.
//!
//! QEMU: `JobTxn` in `job.c`. `completion-mode: grouped` puts all jobs of one `transaction` command in one
//! group; every other job has a group of its own. Members are listed newest first, and walked in that order,
//! whichever of them triggered the walk.

use std::sync::Arc;

use crate::defect;
use crate::error::text;
use crate::event::{Event, JobEnd};
use crate::graph;
use crate::job::{self, Status};
use crate::main_loop::{self, Flow, Frame, Wait};
use crate::node::Opener;
use crate::property::{self, job::GroupGhost};
use crate::world::{GroupIx, JobIx, World};

/// A job group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Group {
    /// Its members, newest first; a job leaves when it is finalized.
    pub members: Vec<JobIx>,
    /// One member failed or was cancelled, and somebody is ending all of them.
    pub aborting: bool,
    /// The command that makes the group still holds it.
    pub held: bool,
    /// What [`crate::property`] remembers of it; no rule reads it.
    pub ghost: GroupGhost,
}

/// The job's run function is over, and so is its bottom half's first part: what becomes of the group?
/// QEMU: `job_completed`.
pub(crate) fn job_completed(w: &mut World, index: JobIx) -> Option<Frame> {
    (w.rules().update_result)(w, index);
    if w.job(index).ret.is_some() {
        (w.rules().abort_group)(w, index)
    } else {
        (w.rules().succeed)(w, index)
    }
}

/// One more member is done, and well. When all are, they go on together.
/// QEMU: `job_completed_txn_success`.
pub(crate) fn succeed(w: &mut World, index: JobIx) -> Option<Frame> {
    job::set_status(w, index, Status::Waiting);
    go_on_together(w, index)
}

/// The members of a group go on if all are done.
pub(crate) fn go_on_together(w: &mut World, index: JobIx) -> Option<Frame> {
    let members = w.group(w.job(index).group).members.clone();
    let done = |&member: &JobIx| w.job(member).status.is_completed();
    if !members.iter().all(done) {
        return None;
    }
    pend(w, members)
}

/// Those that are done, and well, are pending; then they are finalized, unless a user wants to do that.
pub(crate) fn pend(w: &mut World, members: Vec<JobIx>) -> Option<Frame> {
    for &member in &members {
        (w.rules().become_pending)(w, member);
    }
    if members.iter().all(|&member| w.job(member).auto_finalize) {
        return Some(Frame::FinalizeAll { members });
    }
    None
}

/// The last step is to come: says so, to a user who is to take it also by an event of its own.
/// QEMU: `job_transition_to_pending`.
pub(crate) fn become_pending(w: &mut World, index: JobIx) {
    job::set_status(w, index, Status::Pending);
    if !w.job(index).auto_finalize {
        say_pending(w, index);
    }
}

/// `BLOCK_JOB_PENDING`: `block_job_event_pending`.
pub(crate) fn say_pending(w: &mut World, index: JobIx) {
    let id = w.job(index).id.clone();
    w.emit(index, Event::BlockJobPending { id });
}

/// The members that `job-finalize` on one of them finalizes: all.
/// QEMU: `job_do_finalize`.
pub(crate) fn finalize(w: &World, index: JobIx) -> Frame {
    Frame::FinalizeAll {
        members: w.group(w.job(index).group).members.clone(),
    }
}

/// One member failed or was cancelled: all others are cancelled too, then ended, newest first.
/// QEMU: `job_completed_txn_abort`. Nobody aborts a group that is being aborted.
pub(crate) fn abort(w: &mut World, index: JobIx) -> Option<Frame> {
    let group = w.job(index).group;
    if w.group(group).aborting {
        return None;
    }
    Some(begin_abort(w, index))
}

/// The group's abort begins.
pub(crate) fn begin_abort(w: &mut World, index: JobIx) -> Frame {
    let group = w.job(index).group;
    property::job::aborts(w, index);
    w.group_mut(group).aborting = true;
    for member in w.group(group).members.clone() {
        if member != index {
            (w.rules().cancel_sibling)(w, member);
        }
    }
    Frame::AbortGroup { group }
}

/// A sibling of the job that failed is cancelled, wherever it is.
pub(crate) fn cancel_sibling(w: &mut World, member: JobIx) {
    (w.rules().cancel_async)(w, member, true);
}

/// The walk of an aborting group: each member is waited for if need be, then finalized. One that was never started
/// has nothing to be waited for.
pub(crate) fn abort_next(w: &mut World, group: GroupIx) -> Flow {
    let Some(&member) = w.group(group).members.first() else {
        release(w, group);
        return Flow::Done;
    };
    if w.job(member).status.is_completed() || !is_awaited(w, member) {
        return Flow::Call(Frame::Finalize {
            job: member,
            stage: FinalizeStage::Decide,
        });
    }
    (w.rules().enter)(w, member);
    Flow::Wait(Wait::JobCompleted(member))
}

/// Is this member, which is not completed, to be waited for? QEMU also waits for one that was never started, and so
/// for ever.
fn is_awaited(w: &mut World, member: JobIx) -> bool {
    let started = w.job(member).started;
    let hangs = !started && w.dialect.has(&defect::GROUPED_ABORT_HANGS);
    if hangs {
        w.meets(&defect::GROUPED_ABORT_HANGS);
    }
    started || hangs
}

/// Where the end of one job has got to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FinalizeStage {
    /// The bitmap's fate, then the job lets go of its nodes.
    Decide,
    /// Its nodes are drained.
    Drained(u32),
    /// It has let go of its nodes.
    Detached {
        /// Closing its target takes an I/O.
        closing: bool,
    },
    /// Its target is being closed.
    Closing,
}

/// Ends one job: commit or abort, clean, terminal event, conclude.
/// QEMU: `job_finalize_single`. Cleaning drains and closes: nested event loops, in which others run.
pub(crate) fn finalize_one(w: &mut World, index: JobIx, stage: FinalizeStage) -> Flow {
    match stage {
        FinalizeStage::Decide => {
            (w.rules().update_result)(w, index);
            let settling = property::bitmap::settles(w, index);
            (w.rules().settle_bitmap)(w, index);
            property::bitmap::settled(w, index, settling);
            property::job::decided(w, index);
            let nodes = if w.dialect.graph_change_drains_all {
                crate::node::ALL_NODES
            } else {
                w.drained_with(w.job(index).backup.filter) | w.job(index).nodes
            };
            let drain = w.drain_begin(nodes);
            let stage = FinalizeStage::Drained(drain);
            Flow::Become(Frame::Finalize { job: index, stage }, Wait::Quiet(nodes))
        }
        FinalizeStage::Drained(drain) => {
            let closing = (w.rules().detach)(w, index);
            w.drain_end(drain);
            let stage = FinalizeStage::Detached { closing };
            let next = Frame::Finalize { job: index, stage };
            let changes = graph::DROPS_FILTER + target_closes(w, index);
            match graph::changes_of(w, changes) {
                Some(callee) => Flow::BecomeAndCall(next, callee),
                None => main_loop::meanwhile(w, next),
            }
        }
        FinalizeStage::Detached { closing } => {
            let stage = FinalizeStage::Closing;
            let wait = if closing { Wait::Io } else { Wait::Nothing };
            Flow::Become(Frame::Finalize { job: index, stage }, wait)
        }
        FinalizeStage::Closing => {
            (w.rules().close_target)(w, index);
            (w.rules().conclude)(w, index);
            let gone = w.try_job(index).is_none() && !w.is_gone();
            let changes = graph::changes_of(w, graph::FORGETS_JOB).filter(|_| gone);
            changes.map_or(Flow::Done, Flow::Instead)
        }
    }
}

/// How often the graph changes when the job's target is closed: not at all, if others opened it.
fn target_closes(w: &World, index: JobIx) -> u8 {
    let target = w.job(index).backup.target;
    match w.node(target).opener {
        Opener::Job => graph::closes(w, target),
        _ => 0,
    }
}

/// The terminal event, then `concluded`, then (unless the user wants to do that) `null`.
/// QEMU: the tail of `job_finalize_single`, and `job_conclude`.
pub(crate) fn conclude(w: &mut World, index: JobIx) {
    if w.job(index).started {
        (w.rules().say_end)(w, index);
    }
    leave(w, index);
    job::set_status(w, index, Status::Concluded);
    let job = w.job(index);
    if job.auto_dismiss || !job.started {
        (w.rules().dismiss)(w, index);
    }
}

/// The terminal event: a job has one. QEMU: the tail of `job_finalize_single`.
pub(crate) fn say_end(w: &mut World, index: JobIx) {
    let event = if w.job(index).force_cancel {
        cancelled(w, index)
    } else {
        let error = w.job(index).ret.map(text);
        completed(w, index, error)
    };
    w.emit(index, event);
}

/// `BLOCK_JOB_CANCELLED`: `block_job_event_cancelled`.
pub(crate) fn cancelled(w: &World, index: JobIx) -> Event {
    let end = end_of(w, index);
    Event::BlockJobCancelled { end }
}

/// `BLOCK_JOB_COMPLETED`: `block_job_event_completed`.
pub(crate) fn completed(w: &World, index: JobIx, error: Option<Arc<str>>) -> Event {
    let end = end_of(w, index);
    Event::BlockJobCompleted { end, error }
}

fn end_of(w: &World, index: JobIx) -> JobEnd {
    let progress = w.copy(index).progress();
    let job = w.job(index);
    JobEnd {
        device: job.id.clone(),
        len: progress.total,
        offset: progress.current,
        speed: job.speed,
    }
}

/// The job is no member any more. (That it was one until now is the promise `one-terminal-event`.)
fn leave(w: &mut World, index: JobIx) {
    let group = w.job(index).group;
    if w.try_group(group).is_none() {
        return;
    }
    w.group_mut(group).members.retain(|&member| member != index);
    if !w.group(group).aborting {
        release(w, group);
    }
}

/// The group is gone once nobody is in it and nobody holds it.
pub(crate) fn release(w: &mut World, group: GroupIx) {
    let entry = w.group(group);
    if entry.members.is_empty() && !entry.held {
        w.remove_group(group);
    }
}
