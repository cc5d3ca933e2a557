//! Steps: what may happen next, doing it, and its name.
//!
//! A step is what QEMU does between two points where somebody else may run. All nondeterminism (the order of
//! I/O completions, bottom halves, timers, the arrival of commands and of guests' requests) is the choice of
//! the next step, and nothing else.
//!
//! | step | QEMU function | what makes it indivisible |
//! |---|---|---|
//! | `monitor …` | `qmp_dispatch`, to the handler's end or first nested loop | the main thread |
//! | `monitor reply` | `monitor_qmp_respond` | the main thread |
//! | `main bh …` | `aio_bh_call` | the main thread |
//! | `main resumes …` | the end of an `AIO_WAIT_WHILE` | the main thread |
//! | `main io …` | a synchronous open or close completes | the main thread |
//! | `main shutdown` | `qemu_cleanup` | the main thread |
//! | `… enter` | `co_schedule_bh_cb` in an iothread | the iothread |
//! | `… job read/write/zero` | a completion in `block_copy_task_entry` | the job's event loop |
//! | `… job timer` | the end of `qemu_co_sleep` | the job's event loop |
//! | `… job scan` | `block_copy_reset_unallocated` | the job's event loop |
//! | `guest… begin/lands/ends` | `cbw_do_copy_before_write`, the I/O, `bdrv_co_write_req_finish` | the node's event loop |

use crate::backup::{self, At};
use crate::block_copy::{self, CallState, Caller, Phase};
use crate::guest::{self, QEMU_IO, Stage};
use crate::main_loop::{self, Bh, Frame, Wait};
use crate::monitor;
use crate::property::{self, Witness};
use crate::world::{ContextIx, Footprint, GuestIx, JobIx, Part, World};

/// One step. The order is the order in which enabled steps are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The next command's handler begins.
    MonitorCommand,
    /// The reply is written.
    MonitorReply,
    /// The process begins to end.
    Shutdown,
    /// The main loop runs its next bottom half.
    MainBh,
    /// The innermost nested event loop is over.
    MainResume,
    /// The synchronous I/O of the innermost nested event loop completes.
    MainIo,
    /// An iothread enters the next coroutine that was scheduled there.
    Enter(ContextIx),
    /// The scan of a sync=top job gets the status it asked for.
    Scan(JobIx),
    /// The rate limiter's slice of a job is over: it sleeps until then, or is paused meanwhile.
    Timer(JobIx),
    /// The I/O of a copy task completes: job, first byte.
    Task(JobIx, u64),
    /// A guest's next move.
    Guest(GuestIx),
}

/// Who takes steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Actor {
    /// The monitor's coroutine, and the end of the process.
    Monitor,
    /// The main loop.
    Main,
    /// An iothread, entering coroutines.
    Iothread(ContextIx),
    /// A job: its coroutine, its timer, its copy tasks.
    Job(JobIx),
    /// A guest.
    Guest(GuestIx),
}

impl Step {
    /// Who takes the step.
    pub fn actor(self) -> Actor {
        match self {
            Step::MonitorCommand | Step::MonitorReply | Step::Shutdown => Actor::Monitor,
            Step::MainBh | Step::MainResume | Step::MainIo => Actor::Main,
            Step::Enter(context) => Actor::Iothread(context),
            Step::Scan(job) | Step::Timer(job) | Step::Task(job, _) => Actor::Job(job),
            Step::Guest(guest) => Actor::Guest(guest),
        }
    }
}

impl World {
    /// The steps possible now, ascending, without duplicates: a function of the state alone.
    pub fn enabled(&self, steps: &mut Vec<Step>) {
        steps.clear();
        self.enabled_as(steps, |step| step);
    }

    /// As [`World::enabled`], each step put after those in `steps` as what `of` makes of it.
    pub fn enabled_as<T>(&self, steps: &mut Vec<T>, of: impl Fn(Step) -> T) {
        let mut add = |step| steps.push(of(step));
        self.enabled_of_monitor(&mut add);
        self.enabled_of_main(&mut add);
        for context in self.contexts.indices() {
            self.enabled_of_context(context, &mut add);
        }
        if !self.main().jobs.is_empty() {
            let jobs = || {
                self.jobs
                    .indices()
                    .filter(|&job| (self.rules().job_may_run)(self, job))
            };
            jobs().for_each(|job| self.enabled_scan(job, &mut add));
            jobs().for_each(|job| self.enabled_timer(job, &mut add));
            jobs().for_each(|job| self.enabled_tasks(job, &mut add));
        }
        for guest in self.guests.indices() {
            if guest::is_enabled(self, guest) {
                add(Step::Guest(guest));
            }
        }
    }

    /// The steps of one actor that are possible now, ascending. What they were found by is noted as read.
    pub fn enabled_for(&self, actor: Actor, mut add: impl FnMut(Step)) {
        match actor {
            Actor::Monitor => self.enabled_of_monitor(&mut add),
            Actor::Main => self.enabled_of_main(&mut add),
            Actor::Iothread(context) => {
                self.note_look(Part::Context(context));
                if self.contexts.get(context).is_some() {
                    self.enabled_of_context(context, &mut add);
                }
            }
            Actor::Job(job) => {
                if self.try_job(job).is_some() && (self.rules().job_may_run)(self, job) {
                    self.enabled_scan(job, &mut add);
                    self.enabled_timer(job, &mut add);
                    self.enabled_tasks(job, &mut add);
                }
            }
            Actor::Guest(guest) => {
                self.note_look(Part::Guest(guest));
                if self.guests.get(guest).is_some() && guest::is_enabled(self, guest) {
                    add(Step::Guest(guest));
                }
            }
        }
    }

    fn enabled_of_monitor(&self, add: &mut impl FnMut(Step)) {
        if (self.rules().may_begin)(self) {
            add(Step::MonitorCommand);
        }
        if monitor::may_reply(self) {
            add(Step::MonitorReply);
        }
        if monitor::may_shut_down(self) {
            add(Step::Shutdown);
        }
    }

    fn enabled_of_main(&self, add: &mut impl FnMut(Step)) {
        let main = self.main();
        if main.next_bh().is_some() && !monitor::holds_main_loop(self) {
            add(Step::MainBh);
        }
        match main.waiting_for() {
            Some(Wait::Io) => add(Step::MainIo),
            Some(_) if (self.rules().may_resume)(self) => add(Step::MainResume),
            _ => {}
        }
    }

    fn enabled_of_context(&self, context: ContextIx, add: &mut impl FnMut(Step)) {
        if !self.context(context).hops.is_empty() && (self.rules().may_run)(self, Some(context)) {
            add(Step::Enter(context));
        }
    }

    fn enabled_scan(&self, job: JobIx, add: &mut impl FnMut(Step)) {
        if matches!(self.job(job).backup.at, At::Scanning(_)) {
            add(Step::Scan(job));
        }
    }

    fn enabled_timer(&self, job: JobIx, add: &mut impl FnMut(Step)) {
        let copy = self.copy(job);
        let call = copy.call(Caller::Job);
        let is_asleep = call.is_some_and(|call| matches!(call.state, CallState::Sleeping { .. }));
        // Time goes on while a job is paused, too; one at work is taken to be faster than a slice.
        if is_asleep || copy.slice_is_spent() && self.job(job).paused {
            add(Step::Timer(job));
        }
    }

    fn enabled_tasks(&self, job: JobIx, add: &mut impl FnMut(Step)) {
        for task in &self.copy(job).tasks {
            add(Step::Task(job, task.start));
        }
    }

    /// What the actor with this number is called.
    pub fn actor_name(&self, actor: Actor) -> String {
        match actor {
            Actor::Monitor => "monitor".into(),
            Actor::Main => "main".into(),
            Actor::Iothread(context) => {
                let name = self.context(context).name.as_deref();
                name.unwrap_or("iothread").into()
            }
            Actor::Job(job) => format!("{} job", self.job(job).id),
            Actor::Guest(guest) => self.guest(guest).name.to_string(),
        }
    }

    /// The crew of interchangeable workers a step belongs to: copy tasks of one background call that has claimed
    /// all it will. What that promises is in [`block_copy::is_crew`].
    pub fn crew(&self, step: Step) -> Option<u32> {
        match step {
            Step::Task(job, start) if block_copy::is_crew(self, job, start) => Some(job as u32),
            _ => None,
        }
    }

    /// Does one enabled step and returns what it touched; [`World::take_output`] has what it said.
    ///
    /// # Panics
    /// If the step is not enabled, or QEMU would fail an assertion.
    pub fn apply(&mut self, step: Step) -> Footprint {
        self.forget_touched();
        self.forget_witnessed();
        match step {
            Step::MonitorCommand => monitor::begin(self),
            Step::MonitorReply => monitor::reply(self),
            Step::Shutdown => monitor::shut_down(self),
            Step::MainBh => main_loop::run_bh(self),
            Step::MainResume | Step::MainIo => main_loop::resume(self),
            Step::Enter(context) => {
                let job = self.context_mut(context).hops.remove(0);
                self.witness(Witness::IothreadHop);
                backup::run(self, job);
            }
            Step::Scan(job) => backup::scanned(self, job),
            Step::Timer(job) => (self.rules().sleep_over)(self, job),
            Step::Task(job, start) => block_copy::io_done(self, job, start),
            Step::Guest(guest) => guest::step(self, guest),
        }
        property::after_step(self, self.footprint());
        self.footprint()
    }

    /// The step's name: stable across edits of the story, different for different enabled steps.
    pub fn step_name(&self, step: Step) -> String {
        match step {
            Step::MonitorCommand => match self.monitor().inbox.front() {
                Some((word, _)) => format!("monitor {word}"),
                None => "monitor command".into(),
            },
            Step::MonitorReply => "monitor reply".into(),
            Step::Shutdown => "main shutdown".into(),
            Step::MainBh => match self.main().next_bh() {
                Some(Bh::JobExit(job)) => format!("main bh job-exit {}", self.job(*job).id),
                None => "main bh".into(),
            },
            Step::MainResume => format!("main resumes {}", self.frame_name()),
            Step::MainIo => format!("main io {}", self.frame_name()),
            Step::Enter(context) => {
                let context = self.context(context);
                let job = context.hops.first().map_or("", |&job| &*self.job(job).id);
                format!(
                    "{} enter {job}",
                    context.name.as_deref().unwrap_or("iothread")
                )
            }
            Step::Scan(job) => format!("{} job scan", self.job(job).id),
            Step::Timer(job) => format!("{} job timer", self.job(job).id),
            Step::Task(job, start) => self.task_name(job, start),
            Step::Guest(guest) => self.guest_step_name(guest),
        }
    }

    /// What the innermost function on the main thread's stack is.
    fn frame_name(&self) -> String {
        match self.main().frames().last() {
            Some(Frame::Finalize { job, .. }) => format!("finalize {}", self.job(*job).id),
            Some(Frame::AbortGroup { .. }) => "abort".into(),
            Some(Frame::QemuIo { .. }) => "qemu-io".into(),
            Some(Frame::GraphChange { .. } | Frame::GraphChanges { .. }) => "graph-change".into(),
            Some(Frame::Shutdown(_)) => "shutdown".into(),
            Some(Frame::Transaction(_)) => "transaction".into(),
            Some(Frame::ReachJobs { .. }) => "drain".into(),
            Some(Frame::Resize { .. } | Frame::WaitFor(_)) => "resize".into(),
            Some(Frame::Command(_) | Frame::FinalizeAll { .. }) | None => "command".into(),
        }
    }

    fn task_name(&self, job: JobIx, start: u64) -> String {
        let task = self.copy(job).tasks.iter().find(|task| task.start == start);
        let Some(task) = task else {
            return format!("{} job task", self.job(job).id);
        };
        let verb = match task.phase {
            Phase::Locating => "status",
            Phase::Reading => "read",
            Phase::Writing(_) => "write",
            Phase::Zeroing => "zero",
        };
        let area = format!("{}+{}", bytes(task.start), bytes(task.end - task.start));
        let id = &self.job(job).id;
        match task.caller {
            Caller::Job => format!("{id} job {verb} {area}"),
            Caller::Guest(guest) => {
                format!("{id} cbw {verb} {area} for {}", self.guest(guest).name)
            }
        }
    }

    fn guest_step_name(&self, index: GuestIx) -> String {
        let guest = self.guest(index);
        let word = guest.request().map_or("request", |request| request.word());
        let (move_, number) = match guest.stage {
            Stage::Held { .. } => ("goes on", guest.begun),
            Stage::Idle => ("begin", guest.begun + 1),
            Stage::Saving { .. } | Stage::InFlight { .. } => ("lands", guest.begun),
            Stage::Landed { .. } => ("ends", guest.begun),
        };
        if index == QEMU_IO {
            format!("{} {word} {move_}", guest.name)
        } else {
            format!("{} {word} {number} {move_}", guest.name)
        }
    }
}

/// May the job's coroutine and tasks go on? Not while the main thread, whose callbacks they are, is in a handler.
pub(crate) fn may_run(w: &World, job: JobIx) -> bool {
    (w.rules().may_run)(w, w.job(job).context)
}

/// A number of bytes as people write it: `64k`, `16M`, `512`.
pub(crate) fn bytes(count: u64) -> String {
    let unit = [(30, 'G'), (20, 'M'), (10, 'k')]
        .into_iter()
        .find(|&(shift, _)| count > 0 && count.is_multiple_of(1 << shift));
    match unit {
        Some((shift, letter)) => format!("{}{letter}", count >> shift),
        None => count.to_string(),
    }
}
