//! The main loop: bottom halves, and functions that wait in nested event loops; iothreads beside it.
//!
//! A main-thread function that must wait (a drain, a synchronous I/O, another job's end) runs event-loop passes
//! itself, so bottom halves and I/O completions run *inside* it. The functions that wait are frames on a stack;
//! what each waits for is data. QEMU: `util/async.c`, `AIO_WAIT_WHILE`.

use crate::graph;
use crate::group::FinalizeStage;
use crate::guest;
use crate::job::Status;
use crate::monitor;
use crate::node::NodeSet;
use crate::process::{self, Shutdown};
use crate::property;
use crate::transaction::{self, Transaction};
use crate::world::{ContextIx, GroupIx, GuestIx, JobIx, NodeIx, World};

/// A bottom half of the main loop.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Bh {
    /// A job's run function returned: `job_exit`.
    JobExit(JobIx),
}

/// What a function on the stack is, and how far it has got.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Frame {
    /// The monitor command in progress: when what it called is done, it replies.
    Command(Box<crate::event::Reply>),
    /// `transaction`, or a backup command, which is a transaction of one action.
    Transaction(Box<Transaction>),
    /// Jobs of a group that ended well are finalized one after the other.
    FinalizeAll {
        /// Those still to do, newest first.
        members: Vec<JobIx>,
    },
    /// A group is ended because one of its members failed or was cancelled.
    AbortGroup {
        /// The group.
        group: GroupIx,
    },
    /// One job is finalized.
    Finalize {
        /// The job.
        job: JobIx,
        /// How far.
        stage: FinalizeStage,
    },
    /// Everything is drained and let go again: a change of the block graph.
    GraphChange {
        /// The drained section, once it has begun.
        drain: Option<u32>,
    },
    /// The block graph changes several times, one after the other.
    GraphChanges {
        /// How many changes are to come.
        left: u8,
    },
    /// `qemu-io` by the human monitor waits for its request.
    QemuIo {
        /// The guest slot that runs it.
        guest: GuestIx,
    },
    /// `block_resize` waits for its drain.
    Resize {
        /// The node.
        node: usize,
        /// Bytes.
        size: u64,
        /// The drained section.
        drain: u32,
    },
    /// A drained section reaches the rest of its jobs, and only then the wait for it begins.
    ReachJobs {
        /// What is waited for then.
        then: Wait,
    },
    /// Nothing but a wait.
    WaitFor(Wait),
    /// The process ends.
    Shutdown(Shutdown),
}

/// What a nested event loop waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wait {
    /// Nothing: go on at once.
    Nothing,
    /// Nothing runs on those nodes.
    Quiet(NodeSet),
    /// A synchronous I/O of its own (opening, closing a file).
    Io,
    /// A job's run function is over, its exit bottom half too.
    JobCompleted(JobIx),
    /// A job is concluded, or gone.
    JobConcluded(JobIx),
    /// A guest's request is done.
    Request(GuestIx),
    /// Nothing: what waits is run once, completions of I/O among it. QEMU: `aio_bh_poll`.
    BottomHalves,
    /// Nothing, and no nested event loop: the main thread goes on, and meanwhile iothreads may run.
    Threads,
}

/// What a frame wants next.
#[derive(Debug)]
pub enum Flow {
    /// It is done.
    Done,
    /// It is done, and this goes on in its place.
    Instead(Frame),
    /// It called something; it goes on when that is done.
    Call(Frame),
    /// It waits in a nested event loop; then it goes on as it is.
    Wait(Wait),
    /// It waits, then goes on as this.
    Become(Frame, Wait),
    /// It called something; then it goes on as the first.
    BecomeAndCall(Frame, Frame),
}

/// A drained section in force.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Drain {
    /// Its number, unique among those in force.
    pub id: u32,
    /// The nodes it holds.
    pub nodes: NodeSet,
    /// The jobs it paused.
    pub jobs: Vec<JobIx>,
}

/// What a drained section does to the jobs it holds, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reach {
    /// It begins: they are paused.
    Pause,
    /// It ends: they are resumed.
    Resume,
}

/// The main loop's state, and the lists only the main thread changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Main {
    /// Bottom halves of the pass in progress, the next one last.
    current: Vec<Bh>,
    /// Bottom halves queued since: the next pass runs the last-queued first.
    next: Vec<Bh>,
    /// Functions that wait for each other, the innermost last, each with what its nested event loop waits for.
    stack: Vec<(Frame, Option<Wait>)>,
    /// Drained sections in force.
    pub drains: Vec<Drain>,
    /// The number of the next drained section.
    pub next_drain: u32,
    /// The jobs that a drained section which begins or ends has not reached yet.
    pub to_reach: Option<(Reach, Vec<JobIx>)>,
    /// All jobs, newest first: the global job list.
    pub jobs: Vec<JobIx>,
    /// All nodes, oldest first: `all_bdrv_states`.
    pub nodes: Vec<NodeIx>,
    /// How many node names were generated.
    pub next_node_number: u32,
    /// Passes that have begun since the command in progress returned; see [`crate::monitor`].
    pub passes_since_return: u8,
}

impl Main {
    /// Queues a bottom half: `aio_bh_schedule_oneshot`.
    pub(crate) fn schedule(&mut self, bh: Bh) {
        self.next.push(bh);
    }

    /// The bottom half that would run now.
    pub fn next_bh(&self) -> Option<&Bh> {
        self.current.last().or(self.next.last())
    }

    /// Is it queued?
    pub(crate) fn is_queued(&self, bh: &Bh) -> bool {
        self.current.contains(bh) || self.next.contains(bh)
    }

    /// No bottom half of the pass in progress is left: the next one would begin a new pass.
    pub fn between_passes(&self) -> bool {
        self.current.is_empty()
    }

    /// Some function waits in a nested event loop (or runs).
    pub fn is_nested(&self) -> bool {
        !self.stack.is_empty()
    }

    /// The main thread is in the middle of something: none of its callbacks runs.
    pub fn is_busy(&self) -> bool {
        self.waiting_for() == Some(Wait::Threads)
    }

    /// What the innermost nested event loop waits for.
    pub fn waiting_for(&self) -> Option<Wait> {
        self.stack.last()?.1
    }

    /// The functions on the stack, outermost first.
    pub fn frames(&self) -> impl Iterator<Item = &Frame> {
        self.stack.iter().map(|(frame, _)| frame)
    }

    /// A pass begins: what was queued runs after what is left of the pass in progress, last-queued first.
    pub(crate) fn begin_pass(&mut self) {
        let mut queued = std::mem::take(&mut self.next);
        queued.append(&mut self.current);
        self.current = queued;
    }
}

/// An event loop of its own thread: an iothread.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Context {
    /// Its id (`-object iothread,id=…`).
    pub name: Option<crate::name::Name>,
    /// Jobs whose coroutines are to be entered there, first-queued first.
    pub hops: Vec<JobIx>,
}

/// Runs the next bottom half.
pub(crate) fn run_bh(w: &mut World) {
    if w.main().between_passes() {
        let awaited = w.monitor().reply.is_some() && !w.main().is_nested();
        let main = w.main_mut();
        main.begin_pass();
        main.passes_since_return += u8::from(awaited);
    }
    let bh = w
        .main_mut()
        .current
        .pop()
        .expect("internal: no bottom half queued");
    let frame = match bh {
        Bh::JobExit(index) => (w.rules().exit)(w, index),
    };
    if let Some(frame) = frame {
        call(w, frame);
    }
}

/// Puts a function on the stack, to go on when what is called next is done.
pub(crate) fn push(w: &mut World, frame: Frame) {
    w.main_mut().stack.push((frame, None));
}

/// Calls a function of the main thread and runs it as far as it goes.
pub(crate) fn call(w: &mut World, frame: Frame) {
    push(w, frame);
    go_on(w);
}

/// The innermost nested event loop is over: its function goes on.
pub(crate) fn resume(w: &mut World) {
    let top = w
        .main_mut()
        .stack
        .last_mut()
        .expect("internal: nothing waits");
    if let Some(wait) = top.1.take() {
        property::job::waited(w, wait);
    }
    go_on(w);
}

/// May callbacks run in this event loop (`None` is the main one)? Not while the main thread, whose callbacks they
/// are, is in a handler.
pub(crate) fn may_run(w: &World, context: Option<ContextIx>) -> bool {
    context.is_some() || !w.main().is_busy()
}

/// Is what the innermost nested event loop waits for true?
pub(crate) fn may_resume(w: &World) -> bool {
    match w.main().waiting_for() {
        None | Some(Wait::Io) => false,
        Some(wait) => is_over(w, wait),
    }
}

fn is_over(w: &World, wait: Wait) -> bool {
    match wait {
        Wait::Nothing | Wait::BottomHalves | Wait::Threads => true,
        Wait::Io => false,
        Wait::Quiet(nodes) => (w.rules().is_quiet)(w, nodes),
        Wait::JobCompleted(job) => w.try_job(job).is_none_or(|job| job.status.is_completed()),
        Wait::JobConcluded(job) => w
            .try_job(job)
            .is_none_or(|job| job.status == Status::Concluded),
        Wait::Request(guest) => w.guest(guest).is_idle(),
    }
}

/// Runs the functions on the stack until one waits, or none is left above a loop that still waits.
fn go_on(w: &mut World) {
    loop {
        let Some((frame, None)) = w.main().stack.last() else {
            return;
        };
        if w.main().to_reach.is_some() && !matches!(frame, Frame::ReachJobs { .. }) {
            return reach_later(w, Wait::Nothing);
        }
        let frame = frame.clone();
        match advance(w, frame) {
            Flow::Done => {
                w.main_mut().stack.pop();
            }
            Flow::Instead(frame) => set_top(w, frame),
            Flow::Call(frame) => push(w, frame),
            Flow::BecomeAndCall(frame, callee) => {
                set_top(w, frame);
                push(w, callee);
            }
            Flow::Wait(wait) => begin_wait(w, wait),
            Flow::Become(frame, wait) => {
                set_top(w, frame);
                begin_wait(w, wait);
            }
        }
    }
}

fn set_top(w: &mut World, frame: Frame) {
    w.main_mut()
        .stack
        .last_mut()
        .expect("internal: a frame runs on the stack")
        .0 = frame;
}

/// A function waits: unless what it waits for is true already, its nested loop begins a pass.
fn begin_wait(w: &mut World, wait: Wait) {
    if w.main().to_reach.is_some() {
        return reach_later(w, wait);
    }
    let passes = matches!(wait, Wait::Threads | Wait::BottomHalves);
    if !passes && is_over(w, wait) {
        return property::job::waited(w, wait);
    }
    wait_for(w, wait);
}

/// The main thread is on its way from one job of a drained section to the next: the iothread of the one may be faster.
fn reach_later(w: &mut World, then: Wait) {
    push(w, Frame::ReachJobs { then });
    wait_for(w, Wait::Threads);
}

fn wait_for(w: &mut World, wait: Wait) {
    property::job::waits(w, wait);
    let main = w.main_mut();
    main.stack
        .last_mut()
        .expect("internal: a frame runs on the stack")
        .1 = Some(wait);
    if wait != Wait::Threads {
        main.begin_pass();
    }
}

fn advance(w: &mut World, frame: Frame) -> Flow {
    match frame {
        Frame::Command(reply) => monitor::returns(w, *reply),
        Frame::Transaction(transaction) => transaction::advance(w, transaction),
        Frame::FinalizeAll { members } => finalize_next(w, members),
        Frame::AbortGroup { group } => (w.rules().abort_next)(w, group),
        Frame::Finalize { job, stage } => (w.rules().finalize_one)(w, job, stage),
        Frame::GraphChange { drain } => (w.rules().graph_change)(w, drain),
        Frame::GraphChanges { left } => graph::advance(left),
        Frame::QemuIo { guest } => guest::qemu_io_done(w, guest),
        Frame::Resize { node, size, drain } => monitor::resize_drained(w, node, size, drain),
        Frame::ReachJobs { then } => {
            w.reach_rest();
            Flow::Become(Frame::WaitFor(Wait::Nothing), then)
        }
        Frame::WaitFor(wait) if is_over(w, wait) => Flow::Done,
        Frame::WaitFor(wait) => Flow::Wait(wait),
        Frame::Shutdown(stage) => process::advance(w, stage),
    }
}

fn finalize_next(_w: &mut World, mut members: Vec<JobIx>) -> Flow {
    if members.is_empty() {
        return Flow::Done;
    }
    let job = members.remove(0);
    let callee = Frame::Finalize {
        job,
        stage: FinalizeStage::Decide,
    };
    Flow::BecomeAndCall(Frame::FinalizeAll { members }, callee)
}

/// Every node is drained, then let go (`bdrv_graph_wrlock`), and bottom halves run (`bdrv_graph_wrunlock`).
pub(crate) fn graph_change(w: &mut World, drain: Option<u32>) -> Flow {
    match drain {
        None => {
            let nodes = crate::node::ALL_NODES;
            let drain = Some(w.drain_begin(nodes));
            Flow::Become(Frame::GraphChange { drain }, Wait::Quiet(nodes))
        }
        Some(drain) => {
            w.drain_end(drain);
            let frame = Frame::WaitFor(Wait::Nothing);
            if has_work(w) {
                Flow::Become(frame, Wait::BottomHalves)
            } else {
                meanwhile(w, frame)
            }
        }
    }
}

/// Has a job something to do in the main loop?
fn has_work(w: &World) -> bool {
    let main = w.main();
    let runs = |&index: &JobIx| {
        let job = w.job(index);
        job.started && !job.status.is_completed() && job.context.is_none()
    };
    main.next_bh().is_some() || main.jobs.iter().any(runs)
}

/// The main thread goes on with this, and iothreads may do something first: enter a job that was just started or let
/// go, a guest's request.
pub(crate) fn meanwhile(w: &World, frame: Frame) -> Flow {
    let threads = w.context_indices().next().is_some();
    let wait = if threads {
        Wait::Threads
    } else {
        Wait::Nothing
    };
    Flow::Become(frame, wait)
}
