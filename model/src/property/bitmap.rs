//! What each bitmap owes: the granules it must mark, by what was asked of it and written under it.
//!
//! The ghost is a second, much simpler bitmap: what the user's commands and the guests' writes mean, without
//! successors and flags. Without a bug the real one marks all of it.

use std::ops::Range;

use super::{Broken, area};
use crate::backup::{At, BitmapMode};
use crate::bitmap::{Bitmap, Hold};
use crate::defect;
use crate::name::Name;
use crate::node::{Node, NodeKind};
use crate::property::Witness;
use crate::runs::Bits;
use crate::transaction::{Action, BitmapName, Prepared};
use crate::world::{JobIx, NodeIx, World};

/// The ghost of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct NodeGhost {
    /// Its bitmaps that owe something, by name.
    owed: Vec<Owed>,
    /// Guests' writes in flight.
    writes: u8,
}

/// What one bitmap owes. All bits are numbers of granules.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Owed {
    name: Name,
    /// Written since; while a job has the bitmap, since the job's start instant.
    now: Bits,
    /// What a job took over at its start instant.
    handed: Option<Handed>,
    /// What it would be if the clears and merges of a transaction in progress were taken back, oldest first.
    before: Vec<Earlier>,
}

/// A bitmap before a clear or a merge.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Earlier {
    /// What it owed.
    now: Bits,
    /// What it marked.
    marked: Bits,
}

/// A bitmap at a job's start instant: all that it marks, owed or not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Handed {
    bits: Bits,
    recording: bool,
    persistent: bool,
}

impl NodeGhost {
    fn find(&self, name: &str) -> Option<&Owed> {
        self.owed.iter().find(|owed| *owed.name == *name)
    }

    /// The entry of that bitmap, made if there is none.
    fn entry(&mut self, name: &Name) -> &mut Owed {
        let at = self.owed.partition_point(|owed| owed.name < *name);
        if self.owed.get(at).is_none_or(|owed| owed.name != *name) {
            let owed = Owed {
                name: name.clone(),
                now: Bits::new(),
                handed: None,
                before: Vec::new(),
            };
            self.owed.insert(at, owed);
        }
        &mut self.owed[at]
    }

    /// Drops the entries that say nothing.
    fn tidy(&mut self) {
        self.owed.retain(|owed| {
            !owed.now.is_empty() || owed.handed.is_some() || !owed.before.is_empty()
        });
    }

    fn forget(&mut self, name: &str) {
        self.owed.retain(|owed| *owed.name != *name);
    }
}

/// The granules that these bytes touch.
fn granules(range: &Range<u64>, granularity: u64) -> Range<u64> {
    range.start / granularity..range.end.div_ceil(granularity)
}

/// Bits of one granularity in granules of another, rounded outwards, up to the bitmap's end.
fn regrained(bits: &Bits, from: u64, into: &Bitmap) -> Bits {
    let widened = bits.iter().map(|(range, ())| {
        let bytes = range.start * from..(range.end * from).min(into.size());
        (granules(&bytes, into.granularity), ())
    });
    widened.collect()
}

fn covers(real: &Bits, owed: &Bits) -> bool {
    first_missing(real, owed).is_none()
}

/// What is in both.
fn common(one: &Bits, other: &Bits) -> Bits {
    let (mut common, mut rest) = (one.clone(), one.clone());
    rest.subtract(other);
    common.subtract(&rest);
    common
}

/// The first run that is owed and not marked as a whole.
fn first_missing(real: &Bits, owed: &Bits) -> Option<Range<u64>> {
    owed.iter()
        .map(|(range, ())| range)
        .find(|range| !real.covers(range.clone()))
}

// ---- guests

/// A guest's write has begun.
pub(crate) fn write_begun(w: &mut World, node: NodeIx) {
    w.node_mut(node).ghost.writes += 1;
}

/// A guest's write has ended. If it `reached` the node, every bitmap that records there (or on a filter above) owes
/// it from now on, whether it succeeded or not.
pub(crate) fn write_ended(w: &mut World, node: NodeIx, range: &Range<u64>, reached: bool) {
    w.node_mut(node).ghost.writes -= 1;
    if !reached || range.is_empty() {
        return;
    }
    owe(w, node, range);
    for filter in w.node(node).filters.clone() {
        owe(w, filter, range);
    }
}

fn owe(w: &mut World, node: NodeIx, range: &Range<u64>) {
    let recording = |bitmap: &&Bitmap| bitmap.name.is_some() && bitmap.recording();
    let owing: Vec<(Name, u64)> = w
        .node(node)
        .bitmaps()
        .filter(recording)
        .filter_map(|bitmap| Some((bitmap.name.clone()?, bitmap.granularity)))
        .collect();
    if owing.is_empty() {
        return;
    }
    let ghost = &mut w.node_mut(node).ghost;
    for (name, granularity) in owing {
        ghost.entry(&name).now.set(granules(range, granularity), ());
    }
}

// ---- commands

/// The bitmaps that an action on bitmaps is about.
fn bitmaps_of(action: &Action) -> Vec<BitmapName> {
    match action {
        Action::BitmapClear(bitmap)
        | Action::BitmapEnable(bitmap)
        | Action::BitmapDisable(bitmap)
        | Action::BitmapRemove(bitmap) => vec![bitmap.clone()],
        // A merge of nothing only looks its target up.
        Action::BitmapMerge { sources, .. } if sources.is_empty() => Vec::new(),
        Action::BitmapMerge { target, sources } => {
            let on_node = |source: &BitmapName| BitmapName {
                node: if source.node.is_empty() {
                    target.node.clone()
                } else {
                    source.node.clone()
                },
                name: source.name.clone(),
            };
            let sources = sources.iter().map(on_node);
            std::iter::once(target.clone()).chain(sources).collect()
        }
        Action::Backup(_) | Action::BitmapAdd { .. } | Action::Abort => Vec::new(),
    }
}

/// A bitmap action before it is prepared.
#[derive(Default)]
pub(crate) struct Asked {
    /// The first of its bitmaps that is busy.
    busy: Option<Name>,
    /// The first of its bitmaps that is inconsistent; to remove one is no use of it.
    inconsistent: Option<Name>,
    /// What the bitmap that it is to change marks.
    marked: Bits,
}

/// A bitmap action is about to be prepared.
pub(crate) fn asks(w: &World, action: &Action) -> Asked {
    let bitmaps = bitmaps_of(action);
    let real = |bitmap: &BitmapName| w.node(w.find_bitmaps(&bitmap.node)?).bitmap(&bitmap.name);
    let marked = bitmaps.first().and_then(real);
    let marked = marked.map_or_else(Bits::new, |bitmap| bitmap.dirty_bits().clone());
    let first = |is: fn(&Bitmap) -> bool| {
        let found = bitmaps.iter().find(|bitmap| real(bitmap).is_some_and(is));
        found.map(|bitmap| bitmap.name.clone())
    };
    let removes = matches!(action, Action::BitmapRemove(_));
    Asked {
        busy: first(Bitmap::busy),
        inconsistent: first(|bitmap| bitmap.inconsistent).filter(|_| !removes),
        marked,
    }
}

/// A bitmap action was prepared, or refused.
pub(crate) fn prepared(
    w: &mut World,
    action: &Action,
    prepared: &Prepared,
    done: bool,
    asked: Asked,
) {
    if let Some(name) = asked.busy {
        if done {
            let verb = action.type_name();
            w.breaks(
                "busy-exclusion",
                format!("{verb} used bitmap {name}, which is busy"),
            );
        } else {
            w.witness(Witness::BusyBitmapRefused);
        }
    }
    if let Some(name) = asked.inconsistent {
        if done {
            used_inconsistent(w, action.type_name(), &name);
        } else {
            w.witness(Witness::InconsistentRefused);
        }
    }
    if !done {
        return;
    }
    match (action, prepared) {
        (Action::BitmapAdd { bitmap, .. }, _) => added(w, bitmap),
        (_, Prepared::Cleared(node, name, _)) => cleared(w, *node, name, asked.marked),
        (Action::BitmapMerge { .. }, Prepared::Merged(node, name, _)) => {
            merged(w, *node, name, &bitmaps_of(action)[1..], asked.marked);
        }
        _ => {}
    }
}

/// An inconsistent bitmap was used for something.
fn used_inconsistent(w: &mut World, who: &str, name: &str) {
    w.breaks(
        "inconsistent-untouchable",
        format!("{who} used bitmap {name}, which is inconsistent"),
    );
}

/// A new bitmap owes nothing.
fn added(w: &mut World, bitmap: &BitmapName) {
    if let Some(node) = w.find_bitmaps(&bitmap.node) {
        w.node_mut(node).ghost.forget(&bitmap.name);
    }
}

fn cleared(w: &mut World, node: NodeIx, name: &Name, marked: Bits) {
    let owed = w.node_mut(node).ghost.entry(name);
    let now = std::mem::take(&mut owed.now);
    owed.before.push(Earlier { now, marked });
}

fn merged(w: &mut World, node: NodeIx, name: &Name, sources: &[BitmapName], marked: Bits) {
    let mut gained = Bits::new();
    let mut missing = None;
    let Some(target) = w.node(node).bitmap(name).cloned() else {
        return;
    };
    for source in sources {
        let Some(from) = w.find_bitmaps(&source.node) else {
            continue;
        };
        let entry = w.node(from);
        let Some(real) = entry.bitmap(&source.name) else {
            continue;
        };
        let wanted = regrained(real.dirty_bits(), real.granularity, &target);
        if let Some(run) = first_missing(target.dirty_bits(), &wanted) {
            let bytes = run.start * target.granularity..run.end * target.granularity;
            missing.get_or_insert((source.name.clone(), bytes));
        }
        if let Some(owed) = entry.ghost.find(&source.name) {
            gained.union(&regrained(&owed.now, real.granularity, &target));
        }
    }
    if let Some((source, bytes)) = missing {
        let message = format!(
            "{} of bitmap {source} is not marked in {name} after their merge",
            area(&bytes)
        );
        w.breaks("merge-is-union", message);
    }
    w.witness_if(!target.disabled, Witness::MergeIntoRecording);
    // What the merge has lost is no debt: that is `merge-is-union`'s to see.
    let gained = common(&gained, target.dirty_bits());
    let owed = w.node_mut(node).ghost.entry(name);
    let now = owed.now.clone();
    owed.before.push(Earlier { now, marked });
    owed.now.union(&gained);
}

/// A prepared bitmap action was taken back.
pub(crate) fn rolled_back(w: &mut World, action: &Action, prepared: &Prepared) {
    match (action, prepared) {
        (Action::BitmapAdd { bitmap, .. }, Prepared::Added) => added(w, bitmap),
        (_, Prepared::Cleared(node, name, _) | Prepared::Merged(node, name, _)) => {
            let real = w.node(*node).bitmap(name);
            let real = real.map(|bitmap| bitmap.dirty_bits().clone());
            let ghost = &mut w.node_mut(*node).ghost;
            let owed = ghost.entry(name);
            let mut as_before = true;
            // What was written meanwhile is lost: see the exception of the row `no-lost-dirty`.
            if let Some(Earlier { now, marked }) = owed.before.pop() {
                owed.now = now;
                as_before = real.is_none_or(|real| real == marked);
            }
            ghost.tidy();
            if !as_before {
                let message = format!(
                    "a transaction failed, and bitmap {name} does not mark what it marked before"
                );
                w.breaks("atomic-prepare", message);
            }
        }
        _ => {}
    }
}

/// A filter is about to go: the user's bitmaps on it go too.
pub(crate) fn go_with(w: &mut World, filter: NodeIx) {
    // It is written when it goes; a planted bug may have it go twice.
    let bitmaps = w.nodes.get(filter).map(Node::bitmaps);
    let mut names = bitmaps.into_iter().flatten();
    let name = names.find_map(|bitmap| bitmap.name.clone());
    drop(names);
    if let Some(name) = name {
        let message = format!("bitmap {name} is gone with the filter on which it was");
        w.meets(&defect::BITMAP_ON_FILTER_VANISHES);
        w.breaks("no-lost-dirty", message);
    }
}

/// A bitmap was taken off its node.
pub(crate) fn removed(w: &mut World, node: NodeIx, name: &str) {
    w.node_mut(node).ghost.forget(name);
}

/// A transaction is over: nothing of it will be taken back.
pub(crate) fn kept(w: &mut World, prepared: &[Prepared]) {
    for prepared in prepared {
        let (Prepared::Cleared(node, name, _) | Prepared::Merged(node, name, _)) = prepared else {
            continue;
        };
        if !crate::dirty_bitmap::is_gone(w, *node, name) {
            let ghost = &mut w.node_mut(*node).ghost;
            ghost.entry(name).before.clear();
            ghost.tidy();
        }
    }
}

/// A node is about to be resized.
pub(crate) fn resizes(w: &mut World, node: NodeIx) {
    let busy = w.node(node).bitmaps().find(|bitmap| bitmap.busy()).cloned();
    if let Some(bitmap) = busy {
        let name = bitmap
            .name
            .as_deref()
            .unwrap_or("without a name")
            .to_owned();
        w.breaks(
            "no-resize-while-busy",
            format!("a node is resized while its bitmap {name} is busy"),
        );
    }
}

/// A node has been resized.
pub(crate) fn resized(w: &mut World, node: NodeIx) {
    let length = w.length(node);
    let entry = w.node(node);
    let wrong = entry.bitmaps().find(|bitmap| bitmap.size() != length);
    let wrong = wrong.map(|bitmap| (bitmap.name.clone(), bitmap.size()));
    let sizes: Vec<(Name, u64)> = entry
        .bitmaps()
        .filter_map(|bitmap| Some((bitmap.name.clone()?, bitmap.granularity)))
        .collect();
    w.witness_if(!sizes.is_empty(), Witness::ResizedWithBitmap);
    if let Some((name, size)) = wrong {
        let name = name.as_deref().unwrap_or("without a name").to_owned();
        let message = format!("bitmap {name} covers {size} bytes of a node of {length}");
        w.breaks("size-follows-node", message);
    }
    let ghost = &mut w.node_mut(node).ghost;
    for owed in &mut ghost.owed {
        let granularity = sizes.iter().find(|(name, _)| *name == owed.name);
        if let Some((_, granularity)) = granularity {
            let end = length.div_ceil(*granularity);
            owed.now.truncate(end);
            for earlier in &mut owed.before {
                earlier.now.truncate(end);
                earlier.marked.truncate(end);
            }
        }
    }
    ghost.tidy();
}

// ---- jobs

/// A job's start instant: what its bitmap owes is handed to the job.
pub(crate) fn hand_over(w: &mut World, job: JobIx) {
    let backup = &w.job(job).backup;
    let source = backup.source;
    let Some((name, _)) = backup.bitmap.clone() else {
        return;
    };
    let Some(bitmap) = w.node(source).bitmap(&name) else {
        return;
    };
    let inconsistent = bitmap.inconsistent;
    let handed = Handed {
        bits: bitmap.dirty_bits().clone(),
        recording: bitmap.recording(),
        persistent: bitmap.persistent,
    };
    if inconsistent {
        used_inconsistent(w, "a backup", &name);
    }
    let owed = w.node_mut(source).ghost.entry(&name);
    owed.handed = Some(handed);
    owed.now = Bits::new();
}

/// A job's bitmap before its fate is decided.
pub(crate) struct Settling {
    name: Name,
    successor: Bits,
    /// What it marked in the hands of a job that never ran.
    unused: Option<Bits>,
}

/// The fate of a job's bitmap is about to be decided.
pub(crate) fn settles(w: &mut World, job: JobIx) -> Option<Settling> {
    let backup = &w.job(job).backup;
    let source = backup.source;
    let (name, _) = backup.bitmap.clone()?;
    let entry = w.node(source);
    let writes = entry.ghost.writes;
    let bitmap = entry.bitmap(&name)?;
    let successor = bitmap.successor();
    let successor = successor.map_or_else(Bits::new, |successor| successor.dirty_bits().clone());
    let unused = (!w.copy(job).begun).then(|| bitmap.dirty_bits().clone());
    w.witness_if(writes > 0, Witness::WriteOverJobEnd);
    Some(Settling {
        name,
        successor,
        unused,
    })
}

/// The fate of a job's bitmap was decided.
pub(crate) fn settled(w: &mut World, index: JobIx, settling: Option<Settling>) {
    let Some(Settling {
        name,
        successor,
        unused,
    }) = settling
    else {
        return;
    };
    let job = w.job(index);
    let (id, source) = (job.id.clone(), job.backup.source);
    let success = job.ret.is_none() && !job.force_cancel;
    let Some((_, mode)) = job.backup.bitmap else {
        return;
    };
    let advances = mode != BitmapMode::Never && (success || mode == BitmapMode::Always);
    let Some(real) = w.node(source).bitmap(&name).cloned() else {
        return w.breaks(
            "busy-ends",
            format!("bitmap {name} is gone at the end of job {id}"),
        );
    };
    if real.busy() {
        w.breaks(
            "busy-ends",
            format!("bitmap {name} is busy after job {id} has ended"),
        );
    }
    if let Some(mut known) = unused {
        known.union(&successor);
        check_unused(w, &id, &real, &known);
    }
    let had = !successor.is_empty();
    w.witness_if(had && advances, Witness::BitmapAbdicatedDirty);
    w.witness_if(had && !advances, Witness::BitmapReclaimedDirty);

    let owed = w.node(source).ghost.find(&name);
    let Some(handed) = owed.and_then(|owed| owed.handed.clone()) else {
        return;
    };
    let kept = match (advances, success) {
        (false, _) => handed.bits.clone(),
        (true, true) => Bits::new(),
        (true, false) => {
            let mut left = super::data::uncopied(w, index);
            left.subtract(&super::data::in_flight(w, index));
            regrained(&left, 1, &real)
        }
    };
    w.witness_if(
        advances && !success && !kept.is_empty(),
        Witness::AlwaysModeMerged,
    );
    check_flags(w, &id, &real, &handed);
    check_bits(w, &id, &real, &kept, (advances, success));
    let ghost = &mut w.node_mut(source).ghost;
    let owed = ghost.entry(&name);
    owed.handed = None;
    // What the job's end has lost is no debt: other promises see that.
    owed.now.union(&common(&kept, real.dirty_bits()));
    let surplus = success && advances && !covers(&owed.now, real.dirty_bits());
    ghost.tidy();
    if surplus {
        let message =
            format!("job {id} succeeded, but its bitmap {name} still marks what was copied");
        w.breaks("grouped-atomicity", message);
    }
}

/// Something could not be copied. If the job's bitmap was settled already, it must mark that all the same.
pub(crate) fn left_behind(w: &mut World, job: JobIx, range: &Range<u64>) {
    let job = w.job(job);
    let settled = job.backup.at == At::Returned && job.status.is_completed();
    let source = job.backup.source;
    let Some((name, BitmapMode::Always)) = job.backup.bitmap.clone().filter(|_| settled) else {
        return;
    };
    let Some(real) = w.node(source).bitmap(&name).cloned() else {
        return;
    };
    if real.busy() {
        return;
    }
    let mut left = Bits::new();
    left.set(granules(range, real.granularity), ());
    if !covers(real.dirty_bits(), &left) {
        w.meets(&defect::ALWAYS_SETTLES_TOO_EARLY);
    }
    w.node_mut(source).ghost.entry(&name).now.union(&left);
}

fn check_flags(w: &mut World, id: &str, real: &Bitmap, handed: &Handed) {
    let name = real.name.as_deref().unwrap_or("");
    if real.recording() != handed.recording {
        let message = format!("bitmap {name} does not record as it did before job {id}");
        w.breaks("recording-preserved", message);
    }
    if real.persistent != handed.persistent {
        let message = format!("bitmap {name} is not persistent as it was before job {id}");
        w.breaks("persistence-follows-name", message);
    }
}

/// A job that never ran gives its bitmap back with what it had, and what was written since.
fn check_unused(w: &mut World, id: &str, real: &Bitmap, known: &Bits) {
    if let Some(run) = first_missing(known, real.dirty_bits()) {
        w.meets(&defect::UNSTARTED_MARKS_ALL);
        let name = real.name.as_deref().unwrap_or("");
        let bytes = area(&(run.start * real.granularity..run.end * real.granularity));
        let message = format!("job {id} never ran, and its bitmap {name} marks {bytes} since");
        w.breaks("atomic-prepare", message);
    }
}

fn check_bits(
    w: &mut World,
    id: &str,
    real: &Bitmap,
    kept: &Bits,
    (advances, _success): (bool, bool),
) {
    let Some(run) = first_missing(real.dirty_bits(), kept) else {
        return;
    };
    let name = real.name.as_deref().unwrap_or("");
    let bytes = area(&(run.start * real.granularity..run.end * real.granularity));
    if advances {
        let message =
            format!("job {id} ended, and bitmap {name} forgot {bytes}, which was not copied");
        w.breaks("consumed-only-if-copied", message);
    } else {
        let message =
            format!("job {id} ended, and bitmap {name} forgot {bytes}, which it marked before");
        w.breaks("failure-keeps-bits", message);
    }
}

// ---- files

/// What a bitmap owes when it is stored.
pub(crate) fn owed(node: &Node, bitmap: &Bitmap) -> Bits {
    let name = bitmap.name.as_deref().unwrap_or_default();
    let owed = node.ghost.find(name);
    owed.map_or_else(Bits::new, |owed| owed.now.clone())
}

/// A bitmap was loaded from its node's file. It owes what it owed when it was stored, unless it is inconsistent.
pub(crate) fn loaded(w: &mut World, node: NodeIx, bitmap: &Bitmap, owed: Bits) {
    if bitmap.inconsistent {
        w.witness(Witness::InconsistentLoaded);
        return;
    }
    w.witness(Witness::BitmapLoaded);
    if let Some(name) = bitmap.name.as_ref().filter(|_| !owed.is_empty()) {
        w.node_mut(node).ghost.entry(name).now = owed;
    }
}

// ---- what must hold of a node after every step that wrote it

/// The first promise about a node's bitmaps that does not hold.
pub(crate) fn broken_in(w: &World, node: NodeIx) -> Option<Broken> {
    let entry = w.node(node);
    let beyond = entry.bitmaps().find(|bitmap| {
        let end = bitmap.size().div_ceil(bitmap.granularity);
        bitmap
            .dirty_bits()
            .iter()
            .next_back()
            .is_some_and(|(run, ())| run.end > end)
    });
    if let Some(bitmap) = beyond {
        let name = bitmap.name.as_deref().unwrap_or("without a name");
        let message = format!("bitmap {name} marks bytes beyond its end");
        if let Some(broken) = w.breach_of("count-exact", message) {
            return Some(broken);
        }
    }
    entry
        .ghost
        .owed
        .iter()
        .find_map(|owed| broken_debt(w, owed, entry.bitmap(&owed.name)))
}

fn broken_debt(w: &World, owed: &Owed, bitmap: Option<&Bitmap>) -> Option<Broken> {
    let name = &owed.name;
    let Some(bitmap) = bitmap else {
        let message = format!("bitmap {name} is gone with all it marked");
        return w.breach_of("no-lost-dirty", message);
    };
    let lost = |run: Range<u64>, place: &str| {
        let bytes = area(&(run.start * bitmap.granularity..run.end * bitmap.granularity));
        let message = format!("{bytes} was written, but is not dirty in {place} {name}");
        w.breach_of("no-lost-dirty", message)
    };
    match (&owed.handed, &bitmap.hold) {
        (Some(handed), Hold::Frozen { .. }) if handed.bits != *bitmap.dirty_bits() => {
            let message = format!("bitmap {name} changed while it had a successor");
            w.breach_of("frozen-parent", message)
        }
        (Some(_), Hold::Frozen { successor }) => lost(
            first_missing(successor.dirty_bits(), &owed.now)?,
            "the successor of bitmap",
        ),
        (None, Hold::Frozen { successor }) => {
            let mut both = bitmap.dirty_bits().clone();
            both.union(successor.dirty_bits());
            lost(first_missing(&both, &owed.now)?, "bitmap")
        }
        (_, Hold::Idle | Hold::Removing) => {
            lost(first_missing(bitmap.dirty_bits(), &owed.now)?, "bitmap")
        }
    }
}

/// Is the node a filter of that job?
pub(crate) fn is_filter_of(w: &World, node: NodeIx, job: JobIx) -> bool {
    w.node_indices().any(|index| index == node)
        && matches!(w.node(node).kind, NodeKind::Filter { job: of, .. } if of == job)
}
