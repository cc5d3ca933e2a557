//! block-copy: the engine that moves clusters from source to target, for the job and for guests' writes.
//!
//! One state a job: the bitmap of clusters still to copy, the tasks in flight, and the *calls* that claim
//! clusters: the job's background call over the whole drive, and one call for each guest write that must save
//! old data first. QEMU: `block/block-copy.c`, under its coroutine mutex.
//!
//! Two tasks of one job that end well commute: each takes itself off the list, adds its bytes to the progress
//! and writes its own range of the target. Only a task's end that others wait for is more than an addition.

use std::ops::Range;

use crate::backup;
use crate::bitmap::Bitmap;
use crate::error::Errno;
use crate::event::{ErrorAction, Operation};
use crate::fault::{Blkdebug, Fault};
use crate::image::{self, Allocation, Fill, Image, Kind};
use crate::property::data::{self as property, CopyGhost};
use crate::runs::Runs;
use crate::world::{GuestIx, JobIx, NodeIx, Part, World};

/// The most a task copies through a buffer, in bytes, unless a cluster is larger: `BLOCK_COPY_MAX_BUFFER`.
pub const CHUNK_MAX: u64 = 1 << 20;

/// Copy tasks of one call in flight at once: `BLOCK_COPY_MAX_WORKERS`.
pub const WORKERS_MAX: u64 = 64;

/// The smallest cluster block-copy works with, in bytes: `BLOCK_COPY_CLUSTER_SIZE_DEFAULT`.
pub const CLUSTER_MIN: u64 = 65536;

/// Slices of the rate limiter in a second: `BLOCK_COPY_SLICE_TIME` is 100 ms.
pub(crate) const SLICES_PER_SECOND: u64 = 10;

/// Whose call it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Caller {
    /// The job's background call (`block_copy_async`).
    Job,
    /// A guest's write, which waits for it (`block_copy`).
    Guest(GuestIx),
}

/// What a task in flight is doing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// It is being found out what the source has there; nothing has begun.
    Locating,
    /// The source is being read.
    Reading,
    /// The target is being written, with this.
    Writing(Runs<Fill>),
    /// Zeroes are being written to the target.
    Zeroing,
}

/// A copy task: clusters that were claimed together. QEMU: `BlockCopyTask`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Task {
    /// The first byte; a multiple of the cluster.
    pub start: u64,
    /// One past the last byte; a multiple of the cluster (it may lie past the image's end).
    pub end: u64,
    /// Whose task it is.
    pub caller: Caller,
    /// What it is doing.
    pub phase: Phase,
    /// What the I/O in flight will fail with.
    pub fault: Option<Errno>,
}

/// Where a call's coroutine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallState {
    /// It runs (never seen between steps).
    Claiming,
    /// The rate limiter made it sleep; `woken` once the main thread ended an iothread's sleep early.
    Sleeping {
        /// By set-speed.
        woken: bool,
    },
    /// It claimed an area, and waits to know what the source has there.
    Locating,
    /// It claimed an area and waits for a free worker.
    PoolFull {
        /// The area's first byte.
        start: u64,
        /// One past its last.
        end: u64,
        /// Copy by writing zeroes.
        zero: bool,
    },
    /// Its pass is over; it waits for its tasks.
    Draining,
    /// Nothing was left to claim, but somebody else's task overlaps: it waits for that to end.
    AwaitTask(u64),
    /// Over.
    Finished,
}

/// One call over a range. QEMU: `BlockCopyCallState`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Call {
    /// Whose it is.
    pub caller: Caller,
    /// Its range; multiples of the cluster.
    pub range: (u64, u64),
    /// Where its coroutine is.
    pub state: CallState,
    /// Where the pass has got to.
    pub cursor: u64,
    /// The pass found something to copy.
    pub copied: bool,
    /// Its tasks in flight.
    pub running: u64,
    /// It was told to stop.
    pub cancelled: bool,
    /// Its first error.
    pub failed: Option<(Operation, Errno)>,
    /// The command whose handler began it, if one did.
    pub begun_in: Option<u32>,
    /// It has waited for an I/O: the next one comes after that.
    pub waited: bool,
    /// Two of its I/Os came one after the other.
    pub chained: bool,
}

/// How far a job is, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Copied.
    pub current: u64,
    /// Copied, in flight and still to copy.
    pub total: u64,
}

/// block-copy's state for one job. QEMU: `BlockCopyState`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BlockCopy {
    /// The image node that is copied.
    pub source: NodeIx,
    /// The image node that is written.
    pub target: NodeIx,
    /// Bytes; a power of two.
    pub cluster: u64,
    /// The source's length in bytes.
    pub len: u64,
    /// The clusters still to copy: the copy bitmap.
    pub dirty: Bitmap,
    /// Tasks in flight, by start.
    pub tasks: Vec<Task>,
    /// Calls in progress, the job's first.
    pub calls: Vec<Call>,
    /// Bytes copied.
    pub(crate) copied: u64,
    /// The job's run function has begun: progress counts from here.
    pub begun: bool,
    /// Bytes per second for the background call; 0 is no limit.
    pub speed: u64,
    /// Bytes charged in the limiter's slice.
    charged: u64,
    /// The most workers a background call uses.
    pub workers_max: u64,
    /// The most a background task copies, bytes.
    pub chunk_max: u64,
    /// The sync=top scan is not over: unallocated clusters are dropped when met.
    pub skip_unallocated: bool,
    /// What [`crate::property`] remembers of it; no rule reads it.
    pub ghost: CopyGhost,
}

impl BlockCopy {
    /// A state with nothing to copy yet.
    pub fn new(source: NodeIx, target: NodeIx, cluster: u64, len: u64) -> BlockCopy {
        let mut dirty = Bitmap::new(None, cluster, len);
        dirty.disabled = true;
        BlockCopy {
            source,
            target,
            cluster,
            len,
            dirty,
            tasks: Vec::new(),
            calls: Vec::new(),
            copied: 0,
            begun: false,
            speed: 0,
            charged: 0,
            workers_max: WORKERS_MAX,
            chunk_max: CHUNK_MAX.max(cluster),
            skip_unallocated: false,
            ghost: CopyGhost::default(),
        }
    }

    /// The bytes that are being copied, or that a call has claimed and waits with for a free worker: neither copied
    /// nor left to copy.
    pub fn claimed(&self) -> Vec<Range<u64>> {
        let tasks = self.tasks.iter().map(|task| (task.start, task.end));
        let held = self.calls.iter().filter_map(|call| match call.state {
            CallState::PoolFull { start, end, .. } => Some((start, end)),
            _ => None,
        });
        let inside = tasks.chain(held).filter(|(start, _)| *start < self.len);
        inside
            .map(|(start, end)| start..end.min(self.len))
            .collect()
    }

    /// Bytes claimed by tasks in flight.
    pub fn in_flight(&self) -> u64 {
        self.tasks.iter().map(|task| task.end - task.start).sum()
    }

    /// Progress as events and queries show it; nothing before the run function begins.
    pub fn progress(&self) -> Progress {
        if !self.begun {
            return Progress::default();
        }
        let held = self.calls.iter().map(|call| match call.state {
            CallState::PoolFull { start, end, .. } => end - start,
            _ => 0,
        });
        let left = self.dirty.count() + self.in_flight() + held.sum::<u64>();
        Progress {
            current: self.copied,
            total: self.copied + left,
        }
    }

    /// The call of that caller.
    pub fn call(&self, caller: Caller) -> Option<&Call> {
        self.calls.iter().find(|call| call.caller == caller)
    }

    pub(crate) fn call_mut(&mut self, caller: Caller) -> &mut Call {
        let found = self.calls.iter_mut().find(|call| call.caller == caller);
        found.expect("internal: the call is in progress")
    }

    pub(crate) fn task_at(&self, start: u64) -> usize {
        self.tasks
            .binary_search_by_key(&start, |task| task.start)
            .expect("internal: no such copy task")
    }

    /// The first task in flight that overlaps the range. (Tasks are disjoint and sorted.)
    pub fn overlapping(&self, range: (u64, u64)) -> Option<&Task> {
        let at = self.tasks.partition_point(|task| task.end <= range.0);
        self.tasks.get(at).filter(|task| task.start < range.1)
    }

    /// The start of an area in the range that is claimed: a task's, or one that waits for a worker.
    /// QEMU: `reqlist_find_conflict`; a task is on the list from its claim on.
    fn claimed_in(&self, range: (u64, u64)) -> Option<u64> {
        let held = self.calls.iter().filter_map(|call| match call.state {
            CallState::PoolFull { start, end, .. } => Some((start, end)),
            _ => None,
        });
        let held = held
            .filter(|area| area.0 < range.1 && range.0 < area.1)
            .map(|area| area.0);
        held.chain(self.overlapping(range).map(|task| task.start))
            .min()
    }

    /// The most that one task of a call may copy, in bytes.
    fn longest(&self, caller: Caller) -> u64 {
        match caller {
            Caller::Job => self.chunk_max,
            Caller::Guest(_) => CHUNK_MAX.max(self.cluster),
        }
    }

    /// The range, rounded outwards to clusters.
    pub fn clusters(&self, range: &Range<u64>) -> (u64, u64) {
        let down = range.start / self.cluster * self.cluster;
        (down, range.end.div_ceil(self.cluster) * self.cluster)
    }

    /// The limiter's slice is used up.
    pub(crate) fn slice_is_spent(&self) -> bool {
        self.speed > 0 && self.charged >= (self.speed / SLICES_PER_SECOND).max(1)
    }
}

/// Is the task one of a crew of interchangeable workers: a task of the background call that ends well, for which
/// nobody waits, and whose end at most lets the next claimed area begin, whichever worker ends first?
///
/// Areas are claimed in one order by whichever worker is free, so two ends commute; unless a fault could hit the
/// area that begins, or has hit one in flight (then the pool takes no more).
pub fn is_crew(w: &World, job: JobIx, start: u64) -> bool {
    let copy = w.copy(job);
    let task = &copy.tasks[copy.task_at(start)];
    let Some(call) = copy.call(task.caller) else {
        return false;
    };
    let awaited = || {
        copy.calls
            .iter()
            .any(|call| call.state == CallState::AwaitTask(start))
    };
    if task.caller != Caller::Job || task.fault.is_some() || awaited() {
        return false;
    }
    match call.state {
        CallState::Draining => ignores_faults(w, copy.target),
        CallState::PoolFull { .. } => {
            // The area that begins when a worker is free may be one that a guest waits for.
            let nobody_waits = copy
                .calls
                .iter()
                .all(|call| !matches!(call.state, CallState::AwaitTask(_)));
            let unfaulted = nobody_waits && copy.tasks.iter().all(|task| task.fault.is_none());
            unfaulted
                && copy.speed == 0
                && ignores_faults(w, copy.source)
                && ignores_faults(w, copy.target)
        }
        _ => false,
    }
}

fn ignores_faults(w: &World, node: NodeIx) -> bool {
    let events = [
        "read_aio",
        "read_backing_aio",
        "cluster_alloc",
        "write_aio",
        "pwritev",
        "pwritev_done",
    ];
    let ignores = |layer: &Blkdebug| events.iter().all(|event| layer.ignores(event));
    w.node(node).blkdebug.as_ref().is_none_or(ignores)
}

// ---- calls

/// Begins a call and runs it until it waits; its end goes to the job or the guest that made it.
/// QEMU: `block_copy_common`.
pub(crate) fn begin_call(w: &mut World, job: JobIx, caller: Caller, range: (u64, u64)) {
    let call = Call {
        caller,
        range,
        state: CallState::Claiming,
        cursor: range.0,
        copied: false,
        running: 0,
        cancelled: false,
        failed: None,
        begun_in: w.monitor().handling.then_some(w.monitor().serial),
        waited: false,
        chained: false,
    };
    let copy = w.copy_mut(job);
    let at = copy.calls.partition_point(|other| other.caller < caller);
    copy.calls.insert(at, call);
    advance(w, job, caller);
}

/// Tells the background call to stop: no new tasks, those in flight end. QEMU: `block_copy_call_cancel`.
pub(crate) fn cancel_call(w: &mut World, job: JobIx) {
    let call = w.copy_mut(job).call_mut(Caller::Job);
    call.cancelled = true;
    wake_sleeper(w, job);
}

/// Ends the background call's sleep early, from its own event loop: it goes on at once. QEMU: `block_copy_kick`.
fn wake_sleeper(w: &mut World, job: JobIx) {
    if let Some(CallState::Sleeping { .. }) = w.copy(job).call(Caller::Job).map(|call| call.state) {
        w.copy_mut(job).call_mut(Caller::Job).state = CallState::Claiming;
        advance(w, job, Caller::Job);
    }
}

/// As [`wake_sleeper`], from the main thread: a sleeper in an iothread has a way to go.
pub(crate) fn kick(w: &mut World, job: JobIx) {
    if w.job(job).context.is_none() {
        return wake_sleeper(w, job);
    }
    let copy = w.copy_mut(job);
    let mut calls = copy.calls.iter_mut();
    let call = calls.find(|call| call.caller == Caller::Job);
    if let Some(CallState::Sleeping { woken }) = call.map(|call| &mut call.state) {
        *woken = true;
    }
}

/// The limiter's slice is over, or the background call was woken from its sleep: if it sleeps, it goes on.
pub(crate) fn sleep_over(w: &mut World, job: JobIx) {
    let copy = w.copy_mut(job);
    let state = copy.call(Caller::Job).map(|call| call.state);
    if state != Some(CallState::Sleeping { woken: true }) {
        copy.charged = 0;
    }
    if let Some(CallState::Sleeping { .. }) = state {
        let call = copy.call_mut(Caller::Job);
        call.state = CallState::Claiming;
        call.chained = true;
        advance(w, job, Caller::Job);
    }
}

/// Runs a call's coroutine until it waits for something or ends.
fn advance(w: &mut World, job: JobIx, caller: Caller) {
    while claim_next(w, job, caller) {}
    property::call_waits(w, job, caller);
    let copy = w.copy(job);
    let call = copy
        .call(caller)
        .expect("internal: the call is in progress");
    if call.state == CallState::Finished {
        finish_call(w, job, caller);
    }
}

/// A call is over: whoever made it goes on.
pub(crate) fn finish_call(w: &mut World, job: JobIx, caller: Caller) {
    let call = w.copy_mut(job).call_mut(caller);
    call.state = CallState::Finished;
    let (cancelled, failed) = (call.cancelled, call.failed);
    match caller {
        Caller::Job => backup::call_finished(w, job),
        Caller::Guest(guest) => {
            assert!(!cancelled, "internal: only a background call is cancelled");
            w.copy_mut(job).calls.retain(|call| call.caller != caller);
            (w.rules().guest_copied)(w, guest, job, failed.map(|(_, errno)| errno));
        }
    }
}

/// Claims the next dirty area of a call's pass and sets a worker on it; `false` when the call waits or ended.
/// QEMU: one iteration of `block_copy_dirty_clusters`.
fn claim_next(w: &mut World, job: JobIx, caller: Caller) -> bool {
    let copy = w.copy(job);
    let call = copy
        .call(caller)
        .expect("internal: the call is in progress");
    if call.cancelled || call.failed.is_some() {
        return (w.rules().end_pass)(w, job, caller);
    }
    let Some(area) = (w.rules().next_area)(copy, call) else {
        return (w.rules().end_pass)(w, job, caller);
    };
    // While the scan of sync=top goes on it is the one that reads the table.
    if !copy.skip_unallocated && w.must_survey(copy.source, area.start) {
        begin_locating(w, job, caller, area);
        return false;
    }
    claim(w, job, caller, area)
}

/// The status of an area that a call has claimed takes an I/O.
fn begin_locating(w: &mut World, job: JobIx, caller: Caller, area: Range<u64>) {
    let take = w.rules().take;
    let (start, end) = w.copy(job).clusters(&area);
    property::taken(w, job, start..end.min(w.copy(job).len));
    let copy = w.copy_mut(job);
    take(copy, start..end.min(copy.len));
    let task = Task {
        start,
        end,
        caller,
        phase: Phase::Locating,
        fault: None,
    };
    let at = copy.tasks.partition_point(|task| task.start < start);
    copy.tasks.insert(at, task);
    copy.call_mut(caller).state = CallState::Locating;
}

/// The status of the area is known: the call goes on with it, whatever it was told meanwhile. Whoever waits for the area
/// goes on if it has no task now.
fn located(w: &mut World, job: JobIx, start: u64) {
    let source = w.copy(job).source;
    w.note_surveyed(source, start);
    let copy = w.copy_mut(job);
    let task = copy.tasks.remove(copy.task_at(start));
    let area = start..task.end.min(copy.len);
    copy.dirty.set(area.clone());
    let waiters = waiters(copy, start);
    let call = copy.call_mut(task.caller);
    call.state = CallState::Claiming;
    call.waited = true;
    let goes_on = claim(w, job, task.caller, area);
    let begun = w.copy(job).tasks.iter().any(|task| task.start == start);
    if goes_on {
        advance(w, job, task.caller);
    } else {
        property::call_waits(w, job, task.caller);
    }
    for waiter in waiters.into_iter().filter(|_| !begun) {
        (w.rules().go_on)(w, job, waiter);
    }
}

/// The rest of an iteration, for an area whose status is at hand.
fn claim(w: &mut World, job: JobIx, caller: Caller, area: Range<u64>) -> bool {
    let copy = w.copy(job);
    let (source, cluster, len) = (copy.source, copy.cluster, copy.len);
    let limited = (w.rules().is_limited)(w, job, caller);
    let full = (w.rules().is_full)(w, job, caller);
    let skip_unallocated = copy.skip_unallocated;

    let status = source_status(w, source, &area, (cluster, len), skip_unallocated);
    let SourceStatus {
        end,
        zero,
        allocated,
    } = status;
    if !allocated {
        let copy = w.copy_mut(job);
        copy.dirty.reset(area.start..end.min(len));
        copy.call_mut(caller).cursor = end;
        return true;
    }
    if limited {
        w.copy_mut(job).call_mut(caller).state = CallState::Sleeping { woken: false };
        return false;
    }
    let take = w.rules().take;
    let copy = w.copy_mut(job);
    take(copy, area.start..end.min(len));
    copy.charged += if copy.speed > 0 { end - area.start } else { 0 };
    let call = copy.call_mut(caller);
    call.cursor = end;
    call.copied = true;
    if full {
        call.state = CallState::PoolFull {
            start: area.start,
            end,
            zero,
        };
        return false;
    }
    begin_task(w, job, caller, area.start, end, zero);
    true
}

/// The next area that a call may claim: the first that is left to copy in what its pass has not been over.
/// QEMU: `block_copy_task_create`.
pub(crate) fn next_area(copy: &BlockCopy, call: &Call) -> Option<Range<u64>> {
    copy.dirty
        .next_dirty(call.cursor, call.range.1, copy.longest(call.caller))
}

/// An area is claimed: it is not left to copy from then on, so nobody else claims it. QEMU: `bdrv_reset_dirty_bitmap`
/// in `block_copy_task_create`.
pub(crate) fn take(copy: &mut BlockCopy, area: Range<u64>) {
    copy.dirty.reset(area);
}

/// Has the call used up what the rate limiter gives it in this slice? Guests' calls do not ask it.
pub(crate) fn is_limited(w: &World, job: JobIx, caller: Caller) -> bool {
    caller == Caller::Job && w.copy(job).slice_is_spent()
}

/// Has the call no free worker? QEMU: `aio_task_pool_wait_slot`.
pub(crate) fn is_full(w: &World, job: JobIx, caller: Caller) -> bool {
    let copy = w.copy(job);
    let workers_max = match caller {
        Caller::Job => copy.workers_max,
        Caller::Guest(_) => WORKERS_MAX,
    };
    copy.call(caller)
        .is_some_and(|call| call.running == workers_max)
}

/// What the source has from an area's start on.
struct SourceStatus {
    /// Up to where it is all the same, in whole clusters.
    end: u64,
    /// It is zeroes.
    zero: bool,
    /// The top image has it; always so unless only that is asked for.
    allocated: bool,
}

/// How far the source is of one kind from the area's start on, in whole clusters. Less than a cluster of one kind is
/// copied as one cluster of data. QEMU: `block_copy_block_status`.
fn source_status(
    w: &World,
    source: NodeIx,
    area: &Range<u64>,
    (cluster, len): (u64, u64),
    of_top: bool,
) -> SourceStatus {
    let limit = area.end.min(len);
    let chain = w.node(source).chain();
    let asked = if of_top { &chain[..1] } else { chain };
    let extent = match asked {
        [only] => image::status(&[&w.file(*only).image], area.start, limit),
        asked => image::status(&w.images(asked), area.start, limit),
    };
    let (allocation, same) = if of_top {
        w.file(chain[0]).image.allocation(area.start, extent.end)
    } else {
        (Allocation::Data, extent.end)
    };
    let known = same - area.start;
    if known < cluster {
        return SourceStatus {
            end: area.start + cluster,
            zero: false,
            allocated: true,
        };
    }
    let whole = if same == len {
        known.div_ceil(cluster)
    } else {
        known / cluster
    };
    SourceStatus {
        end: area.start + whole * cluster,
        zero: extent.kind == Kind::Zero,
        allocated: allocation != Allocation::Unallocated,
    }
}

/// A pass of a call is over. QEMU: the loop of `block_copy_common`.
pub(crate) fn end_pass(w: &mut World, job: JobIx, caller: Caller) -> bool {
    let copy = w.copy_mut(job);
    let call = copy.call_mut(caller);
    if call.running > 0 {
        call.state = CallState::Draining;
        return false;
    }
    if call.cancelled || call.failed.is_some() {
        call.state = CallState::Finished;
        return false;
    }
    call.cursor = call.range.0;
    if std::mem::take(&mut call.copied) {
        return true;
    }
    let range = call.range;
    if let Some(start) = copy.claimed_in(range) {
        copy.call_mut(caller).state = CallState::AwaitTask(start);
        return false;
    }
    let left = copy.dirty.next_dirty(range.0, range.1, u64::MAX).is_some();
    if !left {
        copy.call_mut(caller).state = CallState::Finished;
    }
    left
}

// ---- tasks

/// A worker takes an area: its first I/O starts, or the task is over at once. QEMU: `block_copy_task_entry`.
fn begin_task(w: &mut World, job: JobIx, caller: Caller, start: u64, end: u64, zero: bool) {
    let copy = w.copy(job);
    let (source, target, range) = (copy.source, copy.target, start..end.min(copy.len));
    let (phase, fault, operation) = if zero {
        (
            Phase::Zeroing,
            w.zero_starts(target, &range),
            Operation::Write,
        )
    } else {
        (
            Phase::Reading,
            w.read_starts(source, &range),
            Operation::Read,
        )
    };
    let at_once = fault.is_some_and(|fault| fails_at_once(w, job, caller, operation, fault));
    let errno = fault.map(|fault| fault.errno);
    let zeroed_at_once = zero && fault.is_none() && w.zeroes_at_once(target, &range);
    let task = Task {
        start,
        end,
        caller,
        phase,
        fault: errno,
    };
    property::claimed(w, job, caller, start..end);
    let copy = w.copy_mut(job);
    let at = copy.tasks.partition_point(|task| task.start < start);
    copy.tasks.insert(at, task);
    let call = copy.call_mut(caller);
    call.running += 1;
    if at_once {
        (w.rules().remove_task)(
            w.copy_mut(job),
            start,
            errno.map(|errno| (operation, errno)),
        );
    } else if zeroed_at_once {
        zero_target(w, job, range.clone());
        (w.rules().remove_task)(w.copy_mut(job), start, None);
        property::task_ended(w, job, range, None);
    } else {
        call.chained |= call.waited;
    }
}

/// Whether a task's I/O fails before it starts. A job that ignores errors and meets a rule that stays would try for
/// ever within one step (QEMU's main loop hangs then): its failures come one hop later.
fn fails_at_once(
    w: &World,
    job: JobIx,
    caller: Caller,
    operation: Operation,
    fault: Fault,
) -> bool {
    let tries_again = fault.immediately && fault.stays && caller == Caller::Job && {
        let policy = w.job(job).backup.policy(operation);
        policy.action(fault.errno) == ErrorAction::Ignore
    };
    fault.immediately && !tries_again
}

/// The I/O a task waits for is done: the read is followed by the write, the write by the task's end.
///
/// It looks at nothing of the state but its own task, so this is an addition to it.
pub(crate) fn io_done(w: &mut World, job: JobIx, start: u64) {
    let copy = w.copy_add(job);
    let (source, target, at) = (copy.source, copy.target, copy.task_at(start));
    let task = &mut copy.tasks[at];
    if task.phase == Phase::Locating {
        return located(w, job, start);
    }
    let range = start..task.end.min(copy.len);
    if let Some(errno) = task.fault {
        let reading = task.phase == Phase::Reading;
        let operation = if reading {
            Operation::Read
        } else {
            Operation::Write
        };
        return (w.rules().end_task)(w, job, start, Some((operation, errno)));
    }
    let (phase, caller) = (
        std::mem::replace(&mut task.phase, Phase::Reading),
        task.caller,
    );
    note_successors(w, job, caller, phase == Phase::Reading);
    match phase {
        Phase::Locating => unreachable!("internal: handled before"),
        Phase::Reading => {
            let contents = w.read_chain(w.node(source).chain(), range.clone());
            property::was_read(w, job, range.clone(), &contents);
            let fault = w.write_starts(target, &range);
            let copy = w.copy_add(job);
            let at = copy.task_at(start);
            copy.tasks[at].phase = Phase::Writing(contents);
            copy.tasks[at].fault = fault.map(|fault| fault.errno);
            // Setting a flag commutes with setting it.
            let caller = copy.tasks[at].caller;
            copy.call_mut(caller).chained = true;
            if let Some(Fault {
                errno,
                immediately: true,
                ..
            }) = fault
            {
                (w.rules().end_task)(w, job, start, Some((Operation::Write, errno)));
            }
        }
        Phase::Writing(contents) => {
            property::target_written(w, job);
            w.note_mapped(target);
            (w.rules().write_target)(w, job, &contents);
            (w.rules().end_task)(w, job, start, None);
        }
        Phase::Zeroing => {
            zero_target(w, job, range);
            (w.rules().end_task)(w, job, start, None);
        }
    }
}

/// What the steps that follow in its crew will touch is part of a task's footprint already, because siblings may be
/// moved over all of them: the write after a read; and, while an area waits for a worker, the copying of that area.
fn note_successors(w: &mut World, job: JobIx, caller: Caller, reading: bool) {
    let copy = w.copy_add(job);
    let (source, target) = (copy.source, copy.target);
    let waiting = matches!(copy.call_mut(caller).state, CallState::PoolFull { .. });
    if reading || waiting {
        w.note_add(Part::Node(target));
        w.note_add(Part::File(w.top_file(target)));
        let node = w.node_add(target);
        let (announces, chain) = (node.blkdebug.is_some(), node.chain());
        if announces || chain.len() > 1 {
            let chain = chain.to_vec();
            w.images(if announces { &chain } else { &chain[1..] });
        }
    }
    if waiting {
        w.note_write(Part::Copy(job));
        w.images(w.node(source).chain());
        w.zeroes_at_once(target, &(0..0));
        w.file(w.top_file(target));
    }
}

/// A task writes what it has read to the target.
pub(crate) fn write_target(w: &mut World, job: JobIx, contents: &Runs<Fill>) {
    let target = w.copy_add(job).target;
    change_target(w, target, |image, below| image.write(below, contents));
}

/// A task writes zeroes to the target.
fn zero_target(w: &mut World, job: JobIx, range: Range<u64>) {
    property::target_written(w, job);
    let target = w.copy_add(job).target;
    w.note_mapped(target);
    change_target(w, target, |image, below| image.write_zeroes(below, range));
}

/// The target changes. Tasks in flight never overlap, so their writes commute.
fn change_target(w: &mut World, target: NodeIx, change: impl FnOnce(&mut Image, &[&Image])) {
    w.mark_written(target);
    let node = w.node_add(target);
    if let [only] = *node.chain() {
        w.change_image(&[only], true, change);
    } else {
        let chain = node.chain().to_vec();
        w.change_image(&chain, true, change);
    }
}

/// A task ends: `block_copy_task_end`, then whoever waited for it goes on.
pub(crate) fn end_task(w: &mut World, job: JobIx, start: u64, failed: Option<(Operation, Errno)>) {
    if let Some((operation, _)) = failed {
        w.note_write(Part::Copy(job));
        if operation == Operation::Write {
            let target = w.copy(job).target;
            w.note_mapped(target);
        }
    }
    let copy = w.copy_add(job);
    let range = start..copy.tasks[copy.task_at(start)].end.min(copy.len);
    let removed = (w.rules().remove_task)(w.copy_add(job), start, failed);
    let waiters = (w.rules().waiters)(w.copy_add(job), start);
    property::task_ended(w, job, range, failed.map(|(operation, _)| operation));
    let Removed {
        caller,
        state,
        running,
    } = removed;
    match state {
        CallState::PoolFull { start, end, zero } => pool_has_room(w, job, caller, start, end, zero),
        CallState::Draining if running == 0 => (w.rules().go_on)(w, job, caller),
        _ => {}
    }
    for waiter in waiters {
        (w.rules().go_on)(w, job, waiter);
    }
}

/// What a call has left when one of its tasks has ended.
pub(crate) struct Removed {
    /// Whose call it is.
    caller: Caller,
    /// Where its coroutine is.
    state: CallState,
    /// Its tasks in flight.
    running: u64,
}

/// Takes a task off the list; a failed one gives its clusters back and leaves its error with its call.
/// QEMU: `block_copy_task_end`.
pub(crate) fn remove_task(
    copy: &mut BlockCopy,
    start: u64,
    failed: Option<(Operation, Errno)>,
) -> Removed {
    let task = copy.tasks.remove(copy.task_at(start));
    match failed {
        None => copy.copied += task.end - task.start,
        Some(error) => {
            copy.dirty.set(task.start..task.end.min(copy.len));
            copy.call_mut(task.caller).failed.get_or_insert(error);
        }
    }
    let call = copy.call_mut(task.caller);
    call.running -= 1;
    Removed {
        caller: task.caller,
        state: call.state,
        running: call.running,
    }
}

/// The calls that wait for the end of the task that starts there.
pub(crate) fn waiters(copy: &BlockCopy, start: u64) -> Vec<Caller> {
    let waits = |call: &&Call| call.state == CallState::AwaitTask(start);
    copy.calls
        .iter()
        .filter(waits)
        .map(|call| call.caller)
        .collect()
}

/// A call that waited for a worker has one; if the pool has failed meanwhile, the area is given back. Whoever
/// waits for the area goes on if it has no task now.
fn pool_has_room(w: &mut World, job: JobIx, caller: Caller, start: u64, end: u64, zero: bool) {
    let copy = w.copy_mut(job);
    let (len, waiters) = (copy.len, waiters(copy, start));
    let call = copy.call_mut(caller);
    call.state = CallState::Claiming;
    call.waited = true;
    if call.failed.is_some() {
        copy.dirty.set(start..end.min(len));
    } else {
        begin_task(w, job, caller, start, end, zero);
    }
    let begun = w.copy(job).tasks.iter().any(|task| task.start == start);
    advance(w, job, caller);
    for waiter in waiters.into_iter().filter(|_| !begun) {
        (w.rules().go_on)(w, job, waiter);
    }
}

/// A call that waited goes on: after its tasks, by deciding what comes next; after somebody else's, from its start.
pub(crate) fn go_on(w: &mut World, job: JobIx, caller: Caller) {
    let call = w.copy_mut(job).call_mut(caller);
    if call.state == CallState::Draining {
        call.cursor = call.range.1;
    }
    call.state = CallState::Claiming;
    advance(w, job, caller);
}
