//! What is said of a job, in which order, and what its group makes of it.

use super::{Broken, bitmap, data};
use crate::backup::At;
use crate::block_copy::{Call, CallState, Caller};
use crate::event::{ErrorAction, Event};
use crate::job::{IoStatus, Job, Status, Verb};
use crate::main_loop::{Bh, Frame, Wait};
use crate::property::Witness;
use crate::world::{GroupIx, JobIx, NodeIx, World};

/// The ghost of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct JobGhost {
    /// The status said last.
    pub(super) said: Option<Status>,
    /// A terminal event was said.
    pub(super) ended: bool,
    /// A forced cancel was seen.
    cancelled: bool,
    /// The number of the command that created it.
    command: u32,
}

impl JobGhost {
    /// The number of the command that created it.
    pub(crate) fn command(&self) -> u32 {
        self.command
    }
}

/// The ghost of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct GroupGhost {
    /// How its first member ended: well or not.
    ended_well: Option<bool>,
}

// ---- what is said

/// An event is about to be said.
pub(crate) fn says(w: &mut World, index: JobIx, event: &Event) {
    match event {
        Event::JobStatusChange { status, .. } => status_said(w, index, *status),
        Event::BlockJobCompleted { error, .. } => {
            terminal_said(w, index, event.name());
            error_text(w, index, error.is_some());
        }
        Event::BlockJobCancelled { .. } => terminal_said(w, index, event.name()),
        Event::BlockJobPending { .. } => pending_said(w, index),
        Event::BlockJobError { action, .. } => error_said(w, index, *action),
        Event::Shutdown => {}
    }
}

fn status_said(w: &mut World, index: JobIx, status: Status) {
    let command = w.monitor().serial;
    let job = w.job_mut(index);
    let before = job.ghost.said.replace(status);
    let legal = match before {
        None => status == Status::Created,
        Some(before) => before != status && before.may_become(status),
    };
    let (id, started, ended) = (job.id.clone(), job.started, job.ghost.ended);
    if !legal {
        let (from, to) = (before.map_or("nothing", Status::name), status.name());
        let message = format!("job {id} goes from {from} to {to}");
        w.breaks("legal-transitions", message);
    }
    match status {
        Status::Created => created(w, index, command),
        Status::Running if before == Some(Status::Created) => data::starts(w, index),
        Status::Paused => paused(w, index),
        Status::Concluded => concluded(w, index, started, ended),
        Status::Null if before == Some(Status::Created) => has_left(w, index, status),
        _ => {}
    }
}

fn created(w: &mut World, index: JobIx, command: u32) {
    w.job_mut(index).ghost.command = command;
    let id = w.job(index).id.clone();
    let jobs = w.main().jobs.clone();
    if jobs
        .into_iter()
        .any(|other| other != index && w.job(other).id == id)
    {
        w.breaks("id-unique", format!("two jobs are called {id}"));
    }
    data::created(w, index);
    let group = w.job(index).group;
    if !w.group(group).members.contains(&index) {
        w.breaks(
            "group-list",
            format!("job {id} is created outside its group"),
        );
    }
}

fn paused(w: &mut World, index: JobIx) {
    if has_copies(w, index) {
        let id = w.job(index).id.clone();
        let message = format!("job {id} says it is paused while a copy of its own is in flight");
        w.breaks("pause-is-quiescent", message);
    }
}

fn concluded(w: &mut World, index: JobIx, started: bool, ended: bool) {
    let id = w.job(index).id.clone();
    if started != ended {
        let message = if started {
            format!("job {id} is concluded without a terminal event")
        } else {
            format!("job {id} was never started, and has a terminal event")
        };
        w.breaks("one-terminal-event", message);
    }
    has_left(w, index, Status::Concluded);
}

fn has_left(w: &mut World, index: JobIx, status: Status) {
    let job = w.job(index);
    let group = w.try_group(job.group);
    if group.is_some_and(|group| group.members.contains(&index)) {
        let message = format!("job {} is {} and still in its group", job.id, status.name());
        w.breaks("group-list", message);
    }
}

fn terminal_said(w: &mut World, index: JobIx, name: &str) {
    let job = w.job_mut(index);
    let twice = std::mem::replace(&mut job.ghost.ended, true);
    let (id, said, started) = (job.id.clone(), job.ghost.said, job.started);
    let (holds, filter) = (job.nodes != 0, job.backup.filter);
    if twice || !started {
        let why = if twice {
            "a second time"
        } else {
            "of a job that was never started"
        };
        w.breaks(
            "one-terminal-event",
            format!("{name} of job {id} is said {why}"),
        );
    }
    if !matches!(said, Some(Status::Pending | Status::Aborting)) {
        let said = said.map_or("nothing", Status::name);
        w.breaks(
            "event-order",
            format!("{name} of job {id} is said after {said}"),
        );
    }
    if holds || bitmap::is_filter_of(w, filter, index) {
        let message = format!("{name} of job {id} is said while it holds nodes");
        w.breaks("terminal-is-final", message);
    }
    if w.main().is_queued(&Bh::JobExit(index)) {
        let message = format!("{name} of job {id} is said before its exit bottom half has run");
        w.breaks("terminal-is-final", message);
    }
    data::is_over(w, index);
}

fn error_text(w: &mut World, index: JobIx, said: bool) {
    let job = w.job(index);
    if said != job.ret.is_some() || job.ret.is_some() != job.error.is_some() {
        let message = format!("the error of job {} is not its result", job.id);
        w.breaks("error-text", message);
    }
}

fn pending_said(w: &mut World, index: JobIx) {
    let job = w.job(index);
    let (id, said, group) = (job.id.clone(), job.ghost.said, job.group);
    if said != Some(Status::Pending) {
        w.breaks(
            "event-order",
            format!("job {id} waits for job-finalize, and is not pending"),
        );
    }
    let members = w.group(group).members.clone();
    let undone = members
        .into_iter()
        .find(|&member| !is_done_well(w.job(member)));
    if let Some(member) = undone {
        let message = format!(
            "job {id} is pending before job {} is done",
            w.job(member).id
        );
        w.breaks("pending-together", message);
    }
}

fn is_done_well(job: &Job) -> bool {
    matches!(
        job.status,
        Status::Waiting | Status::Pending | Status::Concluded
    ) && job.ret.is_none()
}

fn error_said(w: &mut World, index: JobIx, action: ErrorAction) {
    let job = w.job(index);
    if job.ghost.ended || job.status.is_completed() {
        let message = format!("job {} meets an error after its end", job.id);
        w.breaks("event-order", message);
    }
    w.witness(match action {
        ErrorAction::Report => Witness::ErrorReport,
        ErrorAction::Ignore => Witness::ErrorIgnored,
        ErrorAction::Stop => Witness::ErrorStop,
    });
}

// ---- verbs

/// A job before a verb.
pub(crate) struct Asked {
    verb: Verb,
    job: Job,
    copying: bool,
}

/// A verb is about to be tried.
pub(crate) fn asks(w: &World, index: JobIx, verb: Verb) -> Asked {
    Asked {
        verb,
        job: w.job(index).clone(),
        copying: has_copies(w, index),
    }
}

/// A verb was tried; `done` if it was not refused.
pub(crate) fn asked(w: &mut World, index: JobIx, before: &Asked, done: bool) {
    let Asked { verb, job, copying } = before;
    let allowed = verb.allowed_in(job.status);
    let (id, word, status) = (&job.id, verb.name(), job.status.name());
    if done && !allowed {
        let message = format!("job {id} accepts {word} while it is {status}");
        return w.breaks("verb-table", message);
    }
    if !done {
        w.witness_if(!allowed, Witness::VerbRefused);
        if w.try_job(index) != Some(job) {
            let message = format!("job {id} refuses {word} while it is {status}, and changes");
            w.breaks("verb-table", message);
        }
        return;
    }
    if sleeps_on(w, index, *verb) {
        let message = format!("job {id} sleeps on for its speed limit after {word}");
        w.breaks("throttle-only-background", message);
    }
    match verb {
        Verb::Cancel => {
            w.witness_if(*copying, Witness::CancelWhileCopying);
            w.witness_if(job.status == Status::Pending, Witness::CancelWhilePending);
            w.witness_if(job.status == Status::Waiting, Witness::CancelWhileWaiting);
            let returned = job.deferred && !job.status.is_completed();
            w.witness_if(returned, Witness::CancelAfterReturn);
        }
        Verb::Pause => w.witness_if(*copying, Witness::PauseWhileCopying),
        Verb::Resume => w.witness_if(job.status == Status::Paused, Witness::ResumeAfterPause),
        Verb::Finalize => w.witness(Witness::UserFinalize),
        Verb::Dismiss => dismissed(w, index, job),
        Verb::SetSpeed | Verb::Complete => {}
    }
}

/// Does the job sleep for its speed limit, and has the verb not woken it?
fn sleeps_on(w: &World, index: JobIx, verb: Verb) -> bool {
    let wakes = match verb {
        // A sleeper in the main loop has looked again, and may have gone to sleep for the new limit.
        Verb::SetSpeed => !(w.rules().is_limited)(w, index, Caller::Job),
        // A coroutine in an iothread is on its way there.
        Verb::Cancel | Verb::Pause => w.try_job(index).is_some_and(|job| !job.busy),
        Verb::Resume | Verb::Complete | Verb::Finalize | Verb::Dismiss => false,
    };
    let asleep = |call: &Call| call.state == (CallState::Sleeping { woken: false });
    wakes && w.copy(index).call(Caller::Job).is_some_and(asleep)
}

fn dismissed(w: &mut World, index: JobIx, job: &Job) {
    w.witness(Witness::DismissedByUser);
    if w.try_job(index).is_some() {
        w.breaks(
            "dismiss-works",
            format!("job {} was dismissed, and is still there", job.id),
        );
    }
}

/// A job is about to be gone.
pub(crate) fn forgotten(w: &mut World, index: JobIx) {
    let job = w.job(index);
    let asked_for = w.monitor().handling || w.monitor().quitting;
    if job.started && !job.auto_dismiss && !asked_for {
        let message = format!("job {} is gone before its user has dismissed it", job.id);
        w.breaks("dismiss-works", message);
    }
}

/// A coroutine is entered.
pub(crate) fn enters(w: &mut World, index: JobIx) {
    let job = w.job(index);
    let awaits_copies = matches!(job.backup.at, At::Quiescing(_) | At::AwaitCancelled);
    let amid = awaits_copies && crate::backup::call_in_progress(w, index);
    if job.deferred || !job.busy || amid {
        let message = format!(
            "the coroutine of job {} is entered while it is not yielded",
            job.id
        );
        w.breaks("no-run-after-return", message);
    }
}

/// A run function has returned.
pub(crate) fn returned(w: &mut World, index: JobIx) {
    let monitor = w.monitor();
    let unanswered = monitor.handling || monitor.reply.is_some();
    let serial = monitor.serial;
    let soon = unanswered && w.job(index).ghost.command == serial;
    w.witness_if(soon, Witness::EndBeforeReply);
}

/// A nested event loop begins to wait.
pub(crate) fn waits(w: &mut World, wait: Wait) {
    let Wait::Quiet(nodes) = wait else {
        return;
    };
    let held = |node: &NodeIx| nodes & (1 << node) != 0;
    let requests = w
        .node_indices()
        .filter(held)
        .any(|node| w.node(node).requests > 0);
    w.witness_if(requests, Witness::DrainWaitsForRequest);
    let jobs = w.main().jobs.iter().copied();
    let copying = jobs
        .map(|job| w.job(job))
        .any(|job| job.nodes & nodes != 0 && job.busy && matches!(job.backup.at, At::Quiescing(_)));
    w.witness_if(copying, Witness::DrainWaitsForCopy);
}

/// What a nested event loop waited for has come. Nodes on which nothing runs have no job in the middle of its work.
pub(crate) fn waited(w: &mut World, wait: Wait) {
    let Wait::Quiet(nodes) = wait else {
        return;
    };
    let amid = |job: &Job| {
        let idle = job.busy || job.paused || !job.started || job.status.is_completed();
        job.nodes & nodes != 0 && !idle
    };
    let jobs = w.main().jobs.iter().copied();
    let amid: Vec<JobIx> = jobs.filter(|&index| amid(w.job(index))).collect();
    for index in amid {
        if has_copies(w, index) {
            let id = w.job(index).id.clone();
            let message = format!("a copy of job {id} is in flight in a drained section");
            w.breaks("pause-is-quiescent", message);
        }
    }
}

/// A background call ends that nobody waits for.
pub(crate) fn left_copying(w: &mut World, index: JobIx) {
    let (id, status) = (w.job(index).id.clone(), w.job(index).status.name());
    let message = format!("the last copy of job {id} ends while the job is {status}");
    w.breaks("pause-is-quiescent", message);
}

/// Has the job copies of its own in flight?
fn has_copies(w: &World, index: JobIx) -> bool {
    let tasks = &w.copy(index).tasks;
    tasks.iter().any(|task| task.caller == Caller::Job)
}

/// The process begins to end.
pub(crate) fn shuts_down(w: &mut World) {
    let jobs = w.main().jobs.iter();
    let going_on = jobs
        .copied()
        .any(|job| w.job(job).status != Status::Concluded);
    w.witness_if(going_on, Witness::ShutdownWithJob);
}

// ---- groups

/// One member failed, and its group is about to be aborted.
pub(crate) fn aborts(w: &mut World, index: JobIx) {
    let group = w.job(index).group;
    let members = w.group(group).members.clone();
    let aborts = |frame: &Frame| matches!(frame, Frame::AbortGroup { group: of } if *of == group);
    if w.main().frames().any(aborts) {
        let message = format!(
            "job {} aborts a group that is being aborted",
            w.job(index).id
        );
        w.breaks("single-aborter", message);
    }
    w.witness_if(members.len() >= 2, Witness::GroupAborts);
    for member in members.into_iter().filter(|&member| member != index) {
        if w.try_job(member)
            .is_some_and(|job| job.status == Status::Waiting)
        {
            w.witness(Witness::SiblingFailedWhileWaiting);
            let empty = w.copy(member).ghost.is_empty_job();
            w.witness_if(empty, Witness::EmptyJobFirst);
        }
    }
}

/// The fate of a job is decided.
pub(crate) fn decided(w: &mut World, index: JobIx) {
    let job = w.job(index);
    let (id, group, well) = (job.id.clone(), job.group, job.ret.is_none());
    if well && (job.ghost.cancelled || job.force_cancel) {
        let message = format!("job {id} was cancelled, and succeeds");
        w.breaks("cancel-means-fail", message);
    }
    let first = *w.group_mut(group).ghost.ended_well.get_or_insert(well);
    if first != well {
        let (word, other) = if well {
            ("succeeds", "failed")
        } else {
            ("fails", "succeeded")
        };
        let message = format!("job {id} {word} after a job of its group {other}");
        w.breaks("grouped-atomicity", message);
    }
    if well {
        all_done(w, group, index);
        data::succeeded(w, index);
    }
}

fn all_done(w: &mut World, group: GroupIx, index: JobIx) {
    let members = w.group(group).members.clone();
    w.witness_if(members.len() >= 2, Witness::GroupSucceeds);
    let undone = members
        .into_iter()
        .find(|&member| !is_done_well(w.job(member)));
    if let Some(member) = undone {
        let (id, other) = (w.job(index).id.clone(), w.job(member).id.clone());
        let message = format!("job {id} succeeds before job {other} of its group is done and well");
        w.breaks("no-commit-before-all-done", message);
    }
}

// ---- what must hold of a job after every step that wrote it

/// Remembers a forced cancel; the first promise about the job that does not hold.
pub(crate) fn broken_in(w: &mut World, index: JobIx) -> Option<Broken> {
    let job = w.job(index);
    let taken_back = job.ghost.cancelled && !job.force_cancel || job.force_cancel && !job.cancelled;
    let found = [
        (
            job.user_paused && job.pause_count == 0,
            "pause-balance",
            ("job", "is paused by its user for no reason"),
        ),
        (
            taken_back,
            "cancel-is-final",
            ("the cancel of job", "was taken back"),
        ),
        (
            job.iostatus != IoStatus::Ok && !job.user_paused,
            "iostatus",
            ("job", "has met an error, and is not paused"),
        ),
    ]
    .into_iter()
    .filter(|(is_broken, ..)| *is_broken)
    .find_map(|(_, property, (subject, what))| {
        w.breach_of(property, format!("{subject} {} {what}", job.id))
    });
    if job.force_cancel && !job.ghost.cancelled {
        w.job_mut(index).ghost.cancelled = true;
    }
    found
}
