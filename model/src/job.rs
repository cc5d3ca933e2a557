//! The job machine: status, verbs, pause and resume, cancel, the coroutine's door.
//!
//! QEMU: `job.c` and `blockjob.c`, under the job mutex. What a backup does once it runs is in
//! [`crate::backup`]; how jobs end together is in [`crate::group`].

use std::sync::Arc;

use crate::backup::{self, Backup};
use crate::error::{Errno, ErrorClass, QmpError, text};
use crate::event::{ErrorAction, Event, Operation};
use crate::group;
use crate::main_loop::{Bh, Frame};
use crate::name::{self, Name};
use crate::node::NodeSet;
use crate::property::{self, job::JobGhost};
use crate::world::{ContextIx, GroupIx, JobIx, World};

/// A job's status: QEMU's `JobStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// The object exists, its coroutine does not.
    Created,
    /// At work, or asleep inside its work.
    Running,
    /// In a pause point.
    Paused,
    /// Mirror-like jobs only.
    Ready,
    /// Paused while ready.
    Standby,
    /// Done and well; siblings of its group are not.
    Waiting,
    /// The whole group is done and well; the last step is to come.
    Pending,
    /// Failed or cancelled.
    Aborting,
    /// The last step is done; the result can be queried.
    Concluded,
    /// Gone; only seen as an event.
    Null,
}

use Status::{
    Aborting, Concluded, Created, Null, Paused, Pending, Ready, Running, Standby, Waiting,
};

impl Status {
    /// Every status, in QEMU's order.
    pub const ALL: [Status; 10] = [
        Created, Running, Paused, Ready, Standby, Waiting, Pending, Aborting, Concluded, Null,
    ];

    /// The words on the wire, in the order of [`Status::ALL`].
    pub const NAMES: [&'static str; 10] = {
        let mut names = [""; 10];
        let mut index = 0;
        while index < names.len() {
            names[index] = Status::ALL[index].name();
            index += 1;
        }
        names
    };

    /// The word on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Created => "created",
            Running => "running",
            Paused => "paused",
            Ready => "ready",
            Standby => "standby",
            Waiting => "waiting",
            Pending => "pending",
            Aborting => "aborting",
            Concluded => "concluded",
            Null => "null",
        }
    }

    /// The run function is over: `job_is_completed`.
    pub fn is_completed(self) -> bool {
        matches!(self, Waiting | Pending | Aborting | Concluded | Null)
    }

    /// May a job go from here to there: `JobSTT` in `job.c`.
    pub fn may_become(self, next: Status) -> bool {
        match self {
            Created => matches!(next, Running | Aborting | Null),
            Running => matches!(next, Paused | Ready | Waiting | Aborting),
            Paused => next == Running,
            Ready => matches!(next, Standby | Waiting | Aborting),
            Standby => next == Ready,
            Waiting => matches!(next, Pending | Aborting),
            Pending => matches!(next, Aborting | Concluded),
            Aborting => matches!(next, Aborting | Concluded),
            Concluded => next == Null,
            Null => false,
        }
    }
}

/// What a user can ask of a job: QEMU's `JobVerb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// `job-cancel`, `block-job-cancel`
    Cancel,
    /// `job-pause`, `block-job-pause`
    Pause,
    /// `job-resume`, `block-job-resume`
    Resume,
    /// `block-job-set-speed`
    SetSpeed,
    /// `job-complete`, `block-job-complete`
    Complete,
    /// `job-finalize`, `block-job-finalize`
    Finalize,
    /// `job-dismiss`, `block-job-dismiss`
    Dismiss,
}

impl Verb {
    /// Every verb.
    pub const ALL: [Verb; 7] = [
        Verb::Cancel,
        Verb::Pause,
        Verb::Resume,
        Verb::SetSpeed,
        Verb::Complete,
        Verb::Finalize,
        Verb::Dismiss,
    ];

    /// The word in an error.
    pub fn name(self) -> &'static str {
        match self {
            Verb::Cancel => "cancel",
            Verb::Pause => "pause",
            Verb::Resume => "resume",
            Verb::SetSpeed => "set-speed",
            Verb::Complete => "complete",
            Verb::Finalize => "finalize",
            Verb::Dismiss => "dismiss",
        }
    }

    /// Is the verb allowed in that status: `JobVerbTable` in `job.c`.
    pub fn allowed_in(self, status: Status) -> bool {
        match self {
            Verb::Cancel => matches!(
                status,
                Created | Running | Paused | Ready | Standby | Waiting | Pending
            ),
            Verb::Pause | Verb::Resume | Verb::SetSpeed => {
                matches!(status, Created | Running | Paused | Ready | Standby)
            }
            Verb::Complete => matches!(status, Ready | Standby),
            Verb::Finalize => status == Pending,
            Verb::Dismiss => status == Concluded,
        }
    }
}

/// What the last errors were, for `query-block-jobs`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum IoStatus {
    /// None, or the user has resumed since.
    #[default]
    Ok,
    /// An error other than ENOSPC.
    Failed,
    /// ENOSPC.
    Nospace,
}

impl IoStatus {
    /// The word on the wire.
    pub fn name(self) -> &'static str {
        match self {
            IoStatus::Ok => "ok",
            IoStatus::Failed => "failed",
            IoStatus::Nospace => "nospace",
        }
    }
}

/// A job.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Job {
    /// Its id, unique among jobs that are not yet `null`.
    pub id: Name,
    /// Where it is in its life.
    pub status: Status,
    /// It has a coroutine; never becomes false again.
    pub started: bool,
    /// Its coroutine runs, or somebody has claimed the right to enter it.
    pub busy: bool,
    /// It sits in a pause point (or was never started).
    pub paused: bool,
    /// Reasons to pause; it should pause while there is one.
    pub pause_count: u8,
    /// One of the reasons is the user's (or an error's): only the user ends it.
    pub user_paused: bool,
    /// A cancel was asked for.
    pub cancelled: bool,
    /// It must stop now; implies `cancelled`. QEMU's `job_is_cancelled`.
    pub force_cancel: bool,
    /// The run function returned; the rest is the main loop's.
    pub deferred: bool,
    /// The error it ended with; `None` is success.
    pub ret: Option<Errno>,
    /// The error text that queries show.
    pub error: Option<Arc<str>>,
    /// Whether it goes on from `pending` by itself.
    pub auto_finalize: bool,
    /// Whether it goes on from `concluded` by itself.
    pub auto_dismiss: bool,
    /// What the last errors were.
    pub iostatus: IoStatus,
    /// Bytes per second; 0 is no limit.
    pub speed: u64,
    /// Its group.
    pub group: GroupIx,
    /// The nodes whose drained sections hold it: its filter and its target; empty once it let go of them.
    pub nodes: NodeSet,
    /// The event loop its coroutine runs in; `None` is the main loop.
    pub context: Option<ContextIx>,
    /// The command whose reply comes before its exit: see [`crate::monitor`].
    pub exit_after_reply: Option<u32>,
    /// What it was asked to do, and where its coroutine is.
    pub backup: Backup,
    /// What [`crate::property`] remembers of it; no rule reads it.
    pub ghost: JobGhost,
}

impl Job {
    /// `job_should_pause`.
    pub fn should_pause(&self) -> bool {
        self.pause_count > 0
    }
}

// ---- status

/// Changes the status and says so: `job_state_transition`. QEMU asserts that it may; here that is the promise
/// `legal-transitions`.
pub(crate) fn set_status(w: &mut World, index: JobIx, status: Status) {
    let job = w.job_mut(index);
    if job.status == status {
        return;
    }
    job.status = status;
    let id = job.id.clone();
    w.emit(index, Event::JobStatusChange { id, status });
}

/// Says `created`, the first thing heard of a job.
pub(crate) fn announce(w: &mut World, index: JobIx) {
    let id = w.job(index).id.clone();
    let status = Created;
    w.emit(index, Event::JobStatusChange { id, status });
}

/// A cancelled job has failed, and a failed job has an error text and is aborting: `job_update_rc`.
pub(crate) fn update_result(w: &mut World, index: JobIx) {
    let job = w.job_mut(index);
    if job.ret.is_none() && job.force_cancel {
        job.ret = Some(Errno::Ecanceled);
    }
    if let Some(errno) = job.ret {
        job.error.get_or_insert_with(|| text(errno));
        set_status(w, index, Aborting);
    }
}

// ---- starting, entering, returning

/// Starts a job that was created: `job_start`.
pub(crate) fn start(w: &mut World, index: JobIx) {
    let job = w.job_mut(index);
    assert!(
        job.status == Created && !job.started,
        "internal: job {} started twice",
        job.id
    );
    job.started = true;
    job.pause_count -= 1;
    job.busy = true;
    job.paused = false;
    set_status(w, index, Running);
    run(w, index);
}

/// Lets a yielded coroutine go on: `job_enter`. Nothing happens to a job that is not started, has returned, or
/// is busy.
pub(crate) fn enter(w: &mut World, index: JobIx) {
    let job = w.job(index);
    if !job.started || job.deferred || job.busy {
        return;
    }
    w.job_mut(index).busy = true;
    run(w, index);
}

/// Runs the coroutine: at once in the main loop, by a hop in another one (`aio_co_enter`).
pub(crate) fn run(w: &mut World, index: JobIx) {
    match w.job(index).context {
        None => backup::run(w, index),
        Some(context) => w.context_mut(context).hops.push(index),
    }
}

/// The run function returned: the rest is a bottom half of the main loop. QEMU: `job_co_entry`'s tail.
pub(crate) fn returned(w: &mut World, index: JobIx, ret: Option<Errno>) {
    let job = w.job_mut(index);
    assert!(!job.deferred, "internal: job {} returned twice", job.id);
    job.ret = ret;
    job.deferred = true;
    job.busy = true;
    w.main_mut().schedule(Bh::JobExit(index));
    property::job::returned(w, index);
}

/// The exit bottom half: `job_exit`.
pub(crate) fn exit(w: &mut World, index: JobIx) -> Option<Frame> {
    w.job_mut(index).busy = false;
    group::job_completed(w, index)
}

// ---- pausing

/// One more reason to pause: `job_pause`. A job that sleeps is entered, so that it meets a pause point.
pub(crate) fn pause(w: &mut World, index: JobIx) {
    let job = w.job_mut(index);
    job.pause_count += 1;
    if !job.paused {
        (w.rules().enter)(w, index);
    }
}

/// One reason less: `job_resume`. At none, the job is entered.
pub(crate) fn resume(w: &mut World, index: JobIx) {
    let Some(job) = w.try_job(index) else { return };
    assert!(
        job.pause_count > 0,
        "internal: job {} resumed too often",
        job.id
    );
    let job = w.job_mut(index);
    job.pause_count -= 1;
    if job.pause_count == 0 {
        (w.rules().enter)(w, index);
    }
}

/// The job meets an error: says so, and pauses if the policy is to stop. QEMU: `block_job_error_action`.
pub(crate) fn error_action(
    w: &mut World,
    index: JobIx,
    operation: Operation,
    errno: Errno,
) -> ErrorAction {
    let job = w.job(index);
    let action = job.backup.policy(operation).action(errno);
    let device = job.id.clone();
    let event = Event::BlockJobError {
        device,
        operation,
        action,
    };
    w.emit(index, event);
    if action == ErrorAction::Stop {
        let job = w.job_mut(index);
        if !job.user_paused {
            job.user_paused = true;
            job.pause_count += 1;
        }
        if job.iostatus == IoStatus::Ok {
            job.iostatus = if errno == Errno::Enospc {
                IoStatus::Nospace
            } else {
                IoStatus::Failed
            };
        }
    }
    action
}

// ---- cancelling

/// Marks a job as cancelled, without entering it: `job_cancel_async`. A backup's cancel is always
/// forced.
pub(crate) fn cancel_async(w: &mut World, index: JobIx, force: bool) {
    let job = w.job_mut(index);
    if job.user_paused {
        job.iostatus = IoStatus::Ok;
        job.user_paused = false;
        job.pause_count -= 1;
    }
    job.cancelled = true;
    job.force_cancel |= force || backup::CANCEL_IS_FORCED;
}

/// Cancels a job: `job_cancel`. What is left to do in nested event loops is returned.
pub(crate) fn cancel(w: &mut World, index: JobIx, force: bool) -> Option<Frame> {
    (w.rules().cancel_async)(w, index, force);
    let job = w.job(index);
    if !job.started {
        return group::job_completed(w, index);
    }
    if job.deferred {
        return (w.rules().abort_group)(w, index);
    }
    (w.rules().enter)(w, index);
    None
}

// ---- the end

/// The job is gone: `job_do_dismiss`.
pub(crate) fn dismiss(w: &mut World, index: JobIx) {
    set_status(w, index, Null);
    forget(w, index);
}

/// Takes a job out of every list.
pub(crate) fn forget(w: &mut World, index: JobIx) {
    property::job::forgotten(w, index);
    let main = w.main_mut();
    main.jobs.retain(|&job| job != index);
    for drain in &mut main.drains {
        drain.jobs.retain(|&job| job != index);
    }
    w.remove_job(index);
}

/// The job cannot be made after all: it leaves its group, and is gone. QEMU: `job_early_fail`.
pub(crate) fn fail_early(w: &mut World, index: JobIx) {
    let group = w.job(index).group;
    w.group_mut(group).members.retain(|&member| member != index);
    dismiss(w, index);
    group::release(w, group);
}

// ---- what users ask for

/// Finds the job a command names. `block-job-*` commands have an error class of their own.
///
/// # Errors
/// `Job not found`, or `Block job '…' not found`.
pub(crate) fn find(w: &World, id: &str, block_job: bool) -> Result<JobIx, QmpError> {
    let found = w
        .main()
        .jobs
        .iter()
        .copied()
        .find(|&index| &*w.job(index).id == id);
    found.ok_or_else(|| {
        if block_job {
            QmpError::new(
                ErrorClass::DeviceNotActive,
                format!("Block job '{id}' not found"),
            )
        } else {
            QmpError::generic("Job not found")
        }
    })
}

/// Refuses a verb that the status does not allow: `job_apply_verb`.
///
/// # Errors
/// `Job '…' in state '…' cannot accept command verb '…'`.
pub(crate) fn apply_verb(w: &World, index: JobIx, verb: Verb) -> Result<(), QmpError> {
    let job = w.job(index);
    if verb.allowed_in(job.status) {
        return Ok(());
    }
    Err(QmpError::generic(format!(
        "Job '{}' in state '{}' cannot accept command verb '{}'",
        job.id,
        job.status.name(),
        verb.name()
    )))
}

/// `job-pause`: `job_user_pause`.
pub(crate) fn user_pause(w: &mut World, index: JobIx) -> Result<(), QmpError> {
    (w.rules().apply_verb)(w, index, Verb::Pause)?;
    if w.job(index).user_paused {
        return Err(QmpError::generic("Job is already paused"));
    }
    w.job_mut(index).user_paused = true;
    (w.rules().pause)(w, index);
    Ok(())
}

/// `job-resume`: `job_user_resume`.
pub(crate) fn user_resume(w: &mut World, index: JobIx) -> Result<(), QmpError> {
    let job = w.job(index);
    if !job.user_paused || job.pause_count == 0 {
        return Err(QmpError::generic("Can't resume a job that was not paused"));
    }
    (w.rules().apply_verb)(w, index, Verb::Resume)?;
    let job = w.job_mut(index);
    job.iostatus = IoStatus::Ok;
    job.user_paused = false;
    (w.rules().resume)(w, index);
    Ok(())
}

/// `job-cancel` and `block-job-cancel`: `job_user_cancel`.
pub(crate) fn user_cancel(
    w: &mut World,
    index: JobIx,
    block_job_soft: bool,
) -> Result<Option<Frame>, QmpError> {
    let job = w.job(index);
    if block_job_soft && job.user_paused {
        return Err(QmpError::generic(format!(
            "The block job for device '{}' is currently paused",
            job.id
        )));
    }
    (w.rules().apply_verb)(w, index, Verb::Cancel)?;
    Ok((w.rules().cancel)(w, index, !block_job_soft))
}

/// `job-complete`: a backup has nothing to complete.
pub(crate) fn user_complete(w: &World, index: JobIx) -> Result<(), QmpError> {
    (w.rules().apply_verb)(w, index, Verb::Complete)?;
    let id = &w.job(index).id;
    Err(QmpError::generic(format!(
        "The active block job '{id}' cannot be completed"
    )))
}

/// `block-job-set-speed`: `block_job_set_speed`.
pub(crate) fn user_set_speed(w: &mut World, index: JobIx, speed: i64) -> Result<(), QmpError> {
    (w.rules().apply_verb)(w, index, Verb::SetSpeed)?;
    let Ok(speed) = u64::try_from(speed) else {
        return Err(negative_speed());
    };
    w.job_mut(index).speed = speed;
    (w.rules().set_speed)(w, index, speed);
    Ok(())
}

/// The refusal of a negative speed.
pub(crate) fn negative_speed() -> QmpError {
    QmpError::generic("Parameter 'speed' expects a non-negative value")
}

/// Checks a new job's id: `job_create`.
///
/// # Errors
/// Malformed, or taken.
pub(crate) fn check_id(w: &World, id: &str) -> Result<(), QmpError> {
    if !name::is_well_formed(id) {
        return Err(QmpError::generic(format!("Invalid job ID '{id}'")));
    }
    if w.main().jobs.iter().any(|&index| &*w.job(index).id == id) {
        return Err(QmpError::generic(format!("Job ID '{id}' already in use")));
    }
    Ok(())
}
