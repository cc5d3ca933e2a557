//! What a worker finds in some states, and how it is sorted in with what others find.

use super::Keep;
use super::bits::Bits;
use super::key_set::{SEGMENTS, Segment, place_of, segment_of};
use super::memo::Transition;
use super::rows::{Overflow, Rows};
use super::worker::{Visit, Worker};
use crate::parts::Parts;
use crate::{Breach, System};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// A broken promise, where it was found.
#[derive(Clone, Debug)]
pub(super) struct Finding<T> {
    /// The state in which the step was done, or which rests.
    pub key: u64,
    /// The step that broke the promise; none if resting does.
    pub step: Option<T>,
    pub breach: Breach,
}

/// What is counted.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Tally {
    pub transitions: u64,
    pub resting: u64,
    pub resting_digest: u128,
    pub witnessed: u64,
}

impl Tally {
    pub fn add(&mut self, other: Tally) {
        self.transitions += other.transitions;
        self.resting += other.resting;
        self.resting_digest = self.resting_digest.wrapping_add(other.resting_digest);
        self.witnessed |= other.witnessed;
    }
}

/// What one worker found in a chunk.
pub(super) struct Harvest<S: System> {
    /// By segment: what is kept of the successors.
    pub visited: Vec<Vec<u64>>,
    /// By segment: the keys of the successors, if what is kept of them is something else.
    keys: Vec<Vec<u64>>,
    /// Some of the states harvested lately, each at a place that follows from its hash: neighbours
    /// have many successors in common, and these need not be sorted in twice.
    recent: Vec<u64>,
    /// How many states of the chunk were expanded: all, unless it was interrupted.
    pub expanded: usize,
    pub tally: Tally,
    pub findings: Vec<Finding<S::Step>>,
}

impl<S: System> Harvest<S> {
    pub fn new() -> Harvest<S> {
        Harvest {
            visited: vec![Vec::new(); SEGMENTS],
            keys: vec![Vec::new(); SEGMENTS],
            recent: vec![NOBODY; RECENT],
            expanded: 0,
            tally: Tally::default(),
            findings: Vec::new(),
        }
    }

    /// One for notes alone.
    pub fn of_notes() -> Harvest<S> {
        Harvest {
            visited: Vec::new(),
            keys: Vec::new(),
            recent: Vec::new(),
            expanded: 0,
            tally: Tally::default(),
            findings: Vec::new(),
        }
    }

    /// The keys of the successors.
    pub fn keys(&self) -> impl Iterator<Item = u64> {
        let segments = self.visited.iter().zip(&self.keys);
        let keys = segments.flat_map(|(visited, keys)| match keys.is_empty() {
            true => visited,
            false => keys,
        });
        keys.copied()
    }

    pub fn clear(&mut self) {
        self.visited.iter_mut().for_each(Vec::clear);
        self.keys.iter_mut().for_each(Vec::clear);
        self.expanded = 0;
        self.tally = Tally::default();
        self.findings.clear();
    }

    /// As if nothing had been harvested: for when what was is lost.
    pub fn forget(&mut self) {
        self.clear();
        self.recent.fill(NOBODY);
    }

    /// What it takes.
    pub fn bytes(&self) -> usize {
        let found = self.visited.iter().chain(&self.keys).map(Vec::capacity);
        (found.sum::<usize>() + self.recent.capacity()) * size_of::<u64>()
    }

    #[inline]
    fn is_recent(&mut self, kept: u64) -> bool {
        let place = &mut self.recent[place_of(kept)];
        std::mem::replace(place, kept) == kept
    }
}

/// How many states harvested lately are remembered.
const RECENT: usize = 1 << 14;

/// Stands in the place of a state when there is none.
const NOBODY: u64 = u64::MAX;

/// A segment of the visited states.
pub(super) trait Visited: Send {
    /// Inserts `keys`, in order, and hands out the indices of those that were not there.
    fn insert_all(&mut self, keys: &[u64], new: impl FnMut(usize));
}

impl Visited for Segment {
    #[inline]
    fn insert_all(&mut self, keys: &[u64], new: impl FnMut(usize)) {
        Segment::insert_all(self, keys, new);
    }
}

impl Visited for Bits {
    #[inline]
    fn insert_all(&mut self, keys: &[u64], new: impl FnMut(usize)) {
        Bits::insert_all(self, keys, new);
    }
}

/// Sorts what was found into some segments, the first of which has this number.
pub(super) fn sort_segments<S: System, V: Visited>(
    first: usize,
    segments: &mut [V],
    harvests: &[Harvest<S>],
    next: &mut Vec<u64>,
) {
    for (number, segment) in (first..).zip(segments) {
        for harvest in harvests {
            let visited = &harvest.visited[number];
            let keys = match &harvest.keys[number] {
                keys if keys.is_empty() => visited,
                keys => keys,
            };
            segment.insert_all(visited, |index| next.push(keys[index]));
        }
    }
}

/// After how many states a worker looks whether it shall stop. Whoever gives it more must ask the
/// same afterwards: what is left of its chunk is not expanded.
const LOOK_EVERY: usize = 1 << 12;

/// Expands the states of `chunk` and harvests what comes of it.
pub(super) fn gather<S: Parts>(
    system: &S,
    worker: &mut Worker<'_, S>,
    rows: &Rows<S::Part>,
    keep: Keep,
    chunk: &[u64],
    interrupt: &AtomicBool,
    harvest: &mut Harvest<S>,
) -> Result<(), Overflow> {
    harvest.clear();
    for (index, key) in (1..).zip(chunk) {
        let mut gather = Gather {
            key: *key,
            keep,
            harvest,
        };
        let transitions = worker.expand(rows, *key, &mut gather)?;
        harvest.tally.transitions += transitions;
        if transitions == 0 {
            rest(system, worker, rows, *key, harvest);
        }
        harvest.expanded = index;
        if index % LOOK_EVERY == 0 && interrupt.load(Relaxed) {
            break;
        }
    }
    Ok(())
}

/// The state `key` rests.
pub(super) fn rest<S: Parts>(
    system: &S,
    worker: &mut Worker<'_, S>,
    rows: &Rows<S::Part>,
    key: u64,
    harvest: &mut Harvest<S>,
) {
    let state = worker.state_of(rows, key);
    let tally = &mut harvest.tally;
    tally.resting += 1;
    tally.resting_digest = tally
        .resting_digest
        .wrapping_add(system.fingerprint(&state));
    if let Err(breach) = system.judge(&state, true) {
        harvest.findings.push(Finding {
            key,
            step: None,
            breach,
        });
    }
}

/// Notes what a step was besides a change of the state.
pub(super) fn note<S: System>(
    key: u64,
    transition: &Transition<S::Step>,
    harvest: &mut Harvest<S>,
) {
    harvest.tally.witnessed |= transition.witnessed;
    if let Some(breach) = &transition.breach {
        harvest.findings.push(Finding {
            key,
            step: Some(transition.step),
            breach: (**breach).clone(),
        });
    }
}

/// Harvests the transitions of one state.
struct Gather<'h, S: System> {
    key: u64,
    keep: Keep,
    harvest: &'h mut Harvest<S>,
}

impl<S: System> Visit<S::Step> for Gather<'_, S> {
    const PLAIN: bool = true;

    fn visit(&mut self, transition: &Transition<S::Step>, successor: u64, kept: u64) {
        note(self.key, transition, self.harvest);
        if self.harvest.is_recent(kept) {
            return;
        }
        let segment = segment_of(kept);
        self.harvest.visited[segment].push(kept);
        if self.keep != Keep::Rows {
            self.harvest.keys[segment].push(successor);
        }
    }

    #[inline]
    fn visit_plain(&mut self, successor: u64) {
        if !self.harvest.is_recent(successor) {
            self.harvest.visited[segment_of(successor)].push(successor);
        }
    }
}
