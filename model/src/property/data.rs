//! What a backup copies: the source at the start instant, and who copied which clusters.
//!
//! The ghost is in the block-copy part, and copy tasks only add to it: clusters that were copied are a set that only
//! grows, and what was to be copied stands still from the start instant on.

use std::ops::Range;
use std::sync::Arc;

use super::area;
use crate::backup::Sync;
use crate::block_copy::{BlockCopy, Caller, WORKERS_MAX};
use crate::event::Operation;
use crate::image::{Allocation, Fill};
use crate::property::Witness;
use crate::runs::{Bits, Runs};
use crate::world::{FileIx, GuestIx, JobIx, NodeIx, World};

/// The ghost of a job's block-copy state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct CopyGhost {
    /// What the source held when the job was created, until the start instant.
    created: Option<Arc<Runs<Fill>>>,
    /// The start instant, once it has come.
    pub(super) instant: Option<Arc<Instant>>,
    /// What was copied well, in bytes.
    done: Bits,
    /// How much was copied well, in whole clusters: bytes.
    copied: u64,
    /// Somebody else has written to the target: what it holds says nothing of the job.
    spoiled: bool,
    /// The terminal event was said.
    over: bool,
}

/// A job's start instant: what was there, and what is to be copied of it.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Instant {
    /// The source's contents.
    contents: Runs<Fill>,
    /// What the job is to copy: bytes, whole clusters up to the image's end.
    scope: Bits,
    /// All else the target had already, through its chain.
    complete: bool,
    /// Of all else the target's own image has nothing: it can be put over another.
    bare: bool,
}

impl CopyGhost {
    /// The job has started, and has nothing to copy.
    pub(crate) fn is_empty_job(&self) -> bool {
        self.instant
            .as_ref()
            .is_some_and(|instant| instant.scope.is_empty())
    }
}

// ---- the start instant

/// A job was created: from now on its source is held.
pub(crate) fn created(w: &mut World, job: JobIx) {
    let source = w.job(job).backup.source;
    let contents = w.read_chain(w.node(source).chain(), 0..w.copy(job).len);
    w.copy_mut(job).ghost.created = Some(Arc::new(contents));
}

/// The start instant of some jobs: all that their command starts.
pub(crate) fn instant(w: &mut World, jobs: &[JobIx]) {
    for &job in jobs {
        let instant = Arc::new(seen_now(w, job));
        let ghost = &mut w.copy_mut(job).ghost;
        let created = ghost.created.take();
        ghost.instant = Some(instant.clone());
        if let Some(created) = created {
            stood_still(w, job, &instant.contents, &created);
        }
        super::bitmap::hand_over(w, job);
    }
    let group_of = |w: &World, job: JobIx| w.job(job).group;
    for &job in jobs {
        let group = group_of(w, job);
        let members: Vec<JobIx> = jobs
            .iter()
            .copied()
            .filter(|&other| group_of(w, other) == group)
            .collect();
        w.witness_if(members.len() >= 3, Witness::GroupOfThree);
        let empty = members
            .iter()
            .all(|&member| w.copy(member).ghost.is_empty_job());
        w.witness_if(members.len() >= 2 && empty, Witness::GroupAllEmpty);
    }
}

/// A source must not have changed since its job was created.
fn stood_still(w: &mut World, job: JobIx, now: &Runs<Fill>, then: &Runs<Fill>) {
    if let Some(bytes) = differ(now, then, 0..w.copy(job).len) {
        let (id, bytes) = (w.job(job).id.clone(), area(&bytes));
        let message = format!(
            "{bytes} of the source of job {id} changed before all actions of its command were prepared"
        );
        w.breaks("same-instant", message);
    }
}

fn seen_now(w: &World, job: JobIx) -> Instant {
    let backup = &w.job(job).backup;
    let (source, target) = (backup.source, backup.target);
    let copy = w.copy(job);
    let contents = w.read_chain(w.node(source).chain(), 0..copy.len);
    let scope = match backup.sync {
        Sync::Full | Sync::None => whole(copy.len),
        Sync::Top => allocated(w, source, copy),
        Sync::Bitmap | Sync::Incremental => marked(w, job, copy),
    };
    let complete = same_outside(w, target, &contents, &scope, copy.len)
        && !w.node(target).chain().contains(&w.node(source).chain()[0]);
    let bare = own_outside(w, target, &scope, copy.len).is_empty();
    Instant {
        contents,
        scope,
        complete,
        bare,
    }
}

fn whole(len: u64) -> Bits {
    let mut bits = Bits::new();
    if len > 0 {
        bits.set(0..len, ());
    }
    bits
}

/// What the bitmap of a job marks now, in whole clusters.
fn marked(w: &World, job: JobIx, copy: &BlockCopy) -> Bits {
    let backup = &w.job(job).backup;
    let bitmap = backup.bitmap.as_ref();
    let bitmap = bitmap.and_then(|(name, _)| w.node(backup.source).bitmap(name));
    let runs = bitmap.into_iter().flat_map(|bitmap| {
        let bytes = |run: Range<u64>| run.start * bitmap.granularity..run.end * bitmap.granularity;
        bitmap.dirty_bits().iter().map(move |(run, ())| bytes(run))
    });
    runs.map(|bytes| (in_clusters(copy, &bytes), ())).collect()
}

/// What the source's top image has of its own, in whole clusters.
fn allocated(w: &World, source: NodeIx, copy: &BlockCopy) -> Bits {
    let image = &w.file(w.node(source).chain()[0]).image;
    let mut bits = Bits::new();
    let mut at = 0;
    while at < copy.len {
        let (allocation, end) = image.allocation(at, copy.len);
        if allocation != Allocation::Unallocated {
            bits.set(in_clusters(copy, &(at..end)), ());
        }
        at = end;
    }
    bits
}

/// A range rounded outwards to clusters, up to the image's end.
fn in_clusters(copy: &BlockCopy, bytes: &Range<u64>) -> Range<u64> {
    let (start, end) = copy.clusters(bytes);
    start..end.min(copy.len)
}

/// Does the target read, outside of some bytes, as these contents?
fn same_outside(w: &World, target: NodeIx, contents: &Runs<Fill>, scope: &Bits, len: u64) -> bool {
    let outside = scope.over(0..len).filter(|(_, inside)| inside.is_none());
    outside
        .into_iter()
        .all(|(range, _)| first_difference(w, target, contents, range).is_none())
}

/// What the target's own image has outside of some bytes, whatever is below it.
fn own_outside(w: &World, target: NodeIx, scope: &Bits, len: u64) -> Vec<Range<u64>> {
    let image = &w.file(w.node(target).chain()[0]).image;
    let mut own = Bits::new();
    let mut at = 0;
    while at < len {
        let (allocation, end) = image.allocation(at, len);
        if allocation != Allocation::Unallocated {
            own.set(at..end, ());
        }
        at = end;
    }
    own.subtract(scope);
    own.iter().map(|(range, ())| range).collect()
}

/// The first bytes in a range that the target does not hold as these contents do.
fn first_difference(
    w: &World,
    target: NodeIx,
    contents: &Runs<Fill>,
    range: Range<u64>,
) -> Option<Range<u64>> {
    if range.is_empty() {
        return None;
    }
    let held = w.read_chain(w.node(target).chain(), range.clone());
    differ(&held, contents, range)
}

/// The first bytes in a range in which the contents differ.
fn differ(one: &Runs<Fill>, other: &Runs<Fill>, range: Range<u64>) -> Option<Range<u64>> {
    let filled = |fill: Option<Fill>| fill.unwrap_or(Fill::ZERO);
    for (piece, fill) in one.over(range) {
        let differing = |(_, theirs): &(Range<u64>, Option<Fill>)| filled(*theirs) != filled(fill);
        if let Some((bytes, _)) = other.over(piece).find(differing) {
            return Some(bytes);
        }
    }
    None
}

/// A job starts: its instant must have come, and the source must be what it was then.
pub(crate) fn starts(w: &mut World, job: JobIx) {
    let id = w.job(job).id.clone();
    let Some(instant) = w.copy(job).ghost.instant.clone() else {
        let message = format!("job {id} runs before all actions of its command are prepared");
        return w.breaks("start-barrier", message);
    };
    let source = w.job(job).backup.source;
    let range = 0..w.copy(job).len;
    if let Some(bytes) = first_difference(w, source, &instant.contents, range) {
        let bytes = area(&bytes);
        let message = format!("{bytes} of the source of job {id} changed before the job started");
        w.breaks("same-instant", message);
    }
}

// ---- claims and copies

/// A task is about to have this area, be it for its status or for its copy.
pub(crate) fn taken(w: &mut World, job: JobIx, range: Range<u64>) {
    if w.copy(job).overlapping((range.start, range.end)).is_some() {
        let (id, bytes) = (w.job(job).id.clone(), area(&range));
        let message = format!("job {id} begins to copy {bytes}, which is being copied already");
        w.breaks("disjoint-tasks", message);
    }
}

/// An area was claimed, and its copy is about to begin.
pub(crate) fn claimed(w: &mut World, job: JobIx, caller: Caller, range: Range<u64>) {
    let copy = w.copy(job);
    let range = range.start..range.end.min(copy.len);
    let granularity = copy.dirty.granularity;
    let granules = range.start / granularity..range.end.div_ceil(granularity);
    let left = copy.dirty.dirty_bits().intersects(granules);
    let scope = copy.ghost.instant.as_ref().map(|instant| &instant.scope);
    // Less than a cluster is always taken for data: the end of the image may be copied though top has nothing there.
    let tail = range.end == copy.len && range.end - range.start < copy.cluster;
    let in_scope = tail || scope.is_none_or(|scope| scope.covers(range.clone()));
    let recopied = copy.ghost.done.intersects(range.clone());
    let workers_max = match caller {
        Caller::Job => copy.workers_max,
        Caller::Guest(_) => WORKERS_MAX,
    };
    let full = copy
        .call(caller)
        .is_some_and(|call| call.running >= workers_max);
    w.witness_if(matches!(caller, Caller::Guest(_)), Witness::CopyBeforeWrite);
    taken(w, job, range.clone());
    if !(left || !in_scope || recopied || full) {
        return;
    }
    let (id, bytes) = (w.job(job).id.clone(), area(&range));
    if left {
        let message =
            format!("job {id} begins to copy {bytes}, which is still left to copy for others");
        w.breaks("disjoint-tasks", message);
    }
    if !in_scope {
        let message = format!("job {id} copies {bytes}, which it was not asked to");
        w.breaks("only-scope", message);
    }
    if recopied {
        w.breaks("no-recopy", format!("job {id} copies {bytes} again"));
    }
    if full {
        let message = format!("a call of job {id} has more than {workers_max} copies in flight");
        w.breaks("worker-bound", message);
    }
}

/// A task has read the source.
pub(crate) fn was_read(w: &mut World, job: JobIx, range: Range<u64>, contents: &Runs<Fill>) {
    let Some(instant) = w.copy_add(job).ghost.instant.clone() else {
        return;
    };
    if let Some(bytes) = differ(contents, &instant.contents, range) {
        let (id, bytes) = (w.job(job).id.clone(), area(&bytes));
        let message = format!("job {id} has read {bytes} after a guest changed it");
        w.breaks("old-data-only", message);
    }
}

/// A target is about to be written by a task.
pub(crate) fn target_written(w: &mut World, job: JobIx) {
    if w.copy_add(job).ghost.over {
        let id = w.job(job).id.clone();
        w.breaks(
            "no-write-after-end",
            format!("job {id} writes to its target after its end"),
        );
    }
}

/// Old data was saved for a guest's write, as far as its filter knows: the write goes on.
pub(crate) fn write_goes_on(w: &mut World, guest: GuestIx, job: JobIx) {
    let copy = w.copy(job);
    let (Some(request), Some(instant)) = (w.guest(guest).request(), &copy.ghost.instant) else {
        return;
    };
    let scope = instant.scope.over(in_clusters(copy, &request.range()));
    let mut unsaved: Bits = scope
        .filter(|(_, inside)| inside.is_some())
        .map(|(range, _)| (range, ()))
        .collect();
    unsaved.subtract(&copy.ghost.done);
    if let Some((range, ())) = unsaved.iter().next() {
        let (id, bytes) = (w.job(job).id.clone(), area(&range));
        let name = w.guest(guest).name.clone();
        let message = format!(
            "a write of {name} goes on before the old data of {bytes} is saved for job {id}"
        );
        w.breaks("cbw-failure-visible", message);
    }
}

/// What is being copied for guests while the job's bitmap is settled; whether that ends well is not known yet.
pub(crate) fn in_flight(w: &World, job: JobIx) -> Bits {
    let mut bits = Bits::new();
    for range in w.copy(job).claimed() {
        bits.set(range, ());
    }
    bits
}

/// A task has ended.
pub(crate) fn task_ended(w: &mut World, job: JobIx, range: Range<u64>, failed: Option<Operation>) {
    let copy = w.copy_add(job);
    let Some(operation) = failed else {
        if !range.is_empty() {
            let (start, end) = copy.clusters(&range);
            copy.ghost.copied += end - start;
            copy.ghost.done.set(range, ());
        }
        return;
    };
    let granularity = copy.dirty.granularity;
    let granules = range.start / granularity..range.end.div_ceil(granularity);
    let left = copy.dirty.dirty_bits().covers(granules);
    w.witness_if(operation == Operation::Write, Witness::UnhappyTarget);
    super::bitmap::left_behind(w, job, &range);
    if !left {
        let (id, bytes) = (w.job(job).id.clone(), area(&range));
        let message = format!("job {id} could not copy {bytes}, and does not know that it is left");
        w.breaks("failed-copy-is-left", message);
    }
}

/// A call waits: for a worker, for its tasks, for somebody else's task, or for the limiter.
pub(crate) fn call_waits(w: &mut World, job: JobIx, caller: Caller) {
    use crate::block_copy::CallState::{AwaitTask, PoolFull, Sleeping};
    let Some(state) = w.copy(job).call(caller).map(|call| call.state) else {
        return;
    };
    match (state, caller) {
        (Sleeping { .. }, Caller::Job) => w.witness(Witness::SpeedSleep),
        (Sleeping { .. }, Caller::Guest(guest)) => delayed(w, guest),
        (AwaitTask(_), Caller::Guest(_)) => w.witness(Witness::GuestWaitsForCopy),
        (PoolFull { .. }, _) => w.witness(Witness::FullPool),
        _ => {}
    }
}

fn delayed(w: &mut World, guest: GuestIx) {
    let name = w.guest(guest).name.clone();
    let message = format!("a write of {name} sleeps because of a job's speed limit");
    w.breaks("throttle-only-background", message);
}

/// Somebody has written a file that is a job's target: what it holds says nothing of the job any more.
pub(crate) fn spoils(w: &mut World, node: NodeIx) {
    if let Some(job) = w.node(node).target_of {
        w.copy_mut(job).ghost.spoiled = true;
    }
}

/// What the job was to copy and has not, in bytes.
pub(crate) fn uncopied(w: &World, job: JobIx) -> Bits {
    let ghost = &w.copy(job).ghost;
    let mut left = ghost
        .instant
        .as_ref()
        .map_or_else(Bits::new, |instant| instant.scope.clone());
    left.subtract(&ghost.done);
    left
}

// ---- the end

/// A job has succeeded: its target must be what the source was at the start instant.
pub(crate) fn succeeded(w: &mut World, index: JobIx) {
    let (copy, target) = (w.copy(index), w.job(index).backup.target);
    let (len, ghost) = (copy.len, copy.ghost.clone());
    let progress = copy.progress();
    let id = w.job(index).id.clone();
    let unfinished = progress.current != progress.total || !copy.tasks.is_empty();
    if let Some(instant) = ghost.instant.filter(|_| !ghost.spoiled) {
        is_instant(w, index, target, &instant, len);
    }
    if unfinished {
        let (current, total) = (progress.current, progress.total);
        let message = format!("job {id} succeeded with {current} bytes of {total} copied");
        w.breaks("progress-sane", message);
    }
}

/// The target of a job that has succeeded, against the start instant.
fn is_instant(w: &mut World, index: JobIx, target: NodeIx, instant: &Instant, len: u64) {
    let id = w.job(index).id.clone();
    for (range, _) in instant.scope.iter() {
        if let Some(bytes) = first_difference(w, target, &instant.contents, range) {
            let bytes = area(&bytes);
            let message = format!(
                "job {id} succeeded, but {bytes} of its target is not what the source held at the start"
            );
            w.breaks("point-in-time", message);
        }
    }
    let by_bitmap = matches!(w.job(index).backup.sync, Sync::Incremental | Sync::Bitmap);
    w.witness_if(by_bitmap && instant.complete, Witness::ChainComplete);
    let hides = |range: &Range<u64>| first_difference(w, target, &instant.contents, range.clone());
    let hidden = own_outside(w, target, &instant.scope, len);
    let hidden = hidden.iter().filter(|_| instant.bare).find_map(hides);
    if let Some(bytes) = hidden {
        let bytes = area(&bytes);
        let message = format!(
            "job {id} succeeded, but {bytes} of its target, which was not to be copied, hides what is below"
        );
        w.breaks("incremental-complete", message);
    }
    if instant.complete && !same_outside(w, target, &instant.contents, &instant.scope, len) {
        let message = format!(
            "job {id} succeeded, but its target with its chain is not what the source held at the start"
        );
        w.breaks("incremental-complete", message);
    }
}

/// The terminal event is said.
pub(crate) fn is_over(w: &mut World, job: JobIx) {
    let copy = w.copy_mut(job);
    copy.ghost.over = true;
    let (begun, said, copied) = (copy.begun, copy.progress().current, copy.ghost.copied);
    let in_flight = copy.tasks.first().map(|task| area(&(task.start..task.end)));
    let id = w.job(job).id.clone();
    if let Some(bytes) = in_flight {
        let message = format!("job {id} is over, and a copy of {bytes} is in flight");
        w.breaks("no-write-after-end", message);
    }
    if begun && said != copied {
        let message = format!("job {id} says that {said} bytes are copied, and {copied} are");
        w.breaks("progress-sane", message);
    }
}

/// The client changes image files itself, while QEMU may have them open as targets.
pub(crate) fn file_changed(w: &mut World, file: FileIx) {
    let targets: Vec<NodeIx> = w
        .node_indices()
        .filter(|&node| w.node(node).target_of.is_some())
        .filter(|&node| w.node(node).chain().contains(&file))
        .collect();
    for node in targets {
        spoils(w, node);
    }
}
