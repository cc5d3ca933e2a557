//! Sleep sets: a step is not done where its doing in another order has been seen already.
//!
//! After the steps *a* and then *b* of a state were tried, and *a* commutes with *b*, there is no
//! need to do *a* right after *b*: *a* sleeps there. Every state is still visited, but most of them
//! by fewer steps. A state that is reached again with fewer sleepers is expanded again, for those
//! that have woken up (Godefroid, Holzmann and Pirottin, *State-space caching revisited*, 1995).
//!
//! What one order of independent steps breaks or witnesses, the other does too
//! ([`System::judge`](crate::System::judge)), so nothing is lost but steps.

use super::harvest::{Harvest, note, rest};
use super::key_set::segment_of;
use super::memo::Transition;
use super::worker::Visit;
use super::{Control, End, Limit, Search};
use crate::Footprint;
use crate::parts::Parts;
use rustc_hash::FxHashMap;
use std::sync::atomic::Ordering::Relaxed;

/// By state: the steps that sleep there.
pub(super) type Sleepers<T> = FxHashMap<u64, Vec<T>>;

/// A step that has to be tried unless it sleeps, and where it leads.
struct Tried<T> {
    step: T,
    footprint: Footprint,
    successor: u64,
    kept: u64,
}

/// The end of the frontier: what will be expanded after this layer.
struct Next<T> {
    /// By place: the only steps to be done; without it all that do not sleep.
    only: Vec<Option<Vec<T>>>,
    /// By key: the place.
    places: FxHashMap<u64, usize>,
}

impl<T> Next<T> {
    fn new() -> Next<T> {
        Next {
            only: Vec::new(),
            places: FxHashMap::default(),
        }
    }

    fn push(&mut self, key: u64, only: Option<Vec<T>>) {
        self.places.insert(key, self.only.len());
        self.only.push(only);
    }

    /// Keys are packed anew; these are what waits.
    fn repacked(&mut self, keys: &[u64]) {
        self.places = (0..).zip(keys).map(|(place, key)| (*key, place)).collect();
    }
}

/// Searches breadth first, with sleep sets, on one thread.
pub(super) fn run<S: Parts>(search: &mut Search<'_, S>, control: &Control) -> End {
    // What waits is in `search.frontier`, so that it is packed anew with the rest: this layer in
    // front, what comes after it behind.
    search.only.resize_with(search.frontier.len(), || None);
    loop {
        if search.frontier.is_empty() {
            search.keep(0, false);
            return End::Covered;
        }
        let only = std::mem::take(&mut search.only);
        let depth = search.layers.len() as u64;
        let new = only.iter().filter(|only| only.is_none()).count();
        search.layers.push(new as u64);
        control.depth.store(depth, Relaxed);
        let (expanded, mut next) = (only.len(), Next::new());
        for (place, only) in only.into_iter().enumerate() {
            expand(search, place, only, &mut next);
        }
        if !search.findings.is_empty() {
            return End::Broken;
        }
        let layer: Vec<u64> = search.frontier.drain(..expanded).collect();
        if let Err(limit) = search.keep_layer(depth as usize, layer) {
            return End::Limit(limit);
        }
        search.only = next.only;
        let too_deep = depth >= search.options.depth_max && !search.frontier.is_empty();
        let deepest = too_deep.then_some(Limit::Depth);
        if let Some(limit) = deepest.or_else(|| search.passed(control)) {
            search.keep(0, false);
            return End::Limit(limit);
        }
        search.keep_if_due(control, 0, false);
    }
}

/// Does the steps that are awake in the state at a place of the frontier.
fn expand<S: Parts>(
    search: &mut Search<'_, S>,
    place: usize,
    only: Option<Vec<S::Step>>,
    next: &mut Next<S::Step>,
) {
    let key = search.frontier[place];
    let mut harvest = Harvest::of_notes();
    let mut list = List {
        key,
        harvest: &mut harvest,
        tried: Vec::new(),
    };
    let expanded = search.workers[0].expand(&search.rows, key, &mut list);
    let mut tried = list.tried;
    let Ok(possible) = expanded else {
        search.repack();
        let waiting = search.frontier.len() - next.only.len();
        next.repacked(&search.frontier[waiting..]);
        return expand(search, place, only, next);
    };
    if possible == 0 {
        let worker = &mut search.workers[0];
        rest(search.system, worker, &search.rows, key, &mut harvest);
    }
    search.total.add(harvest.tally);
    search.findings.append(&mut harvest.findings);

    tried.sort_unstable_by_key(|tried| tried.step);
    let sleepers = search.sleepers.get(&key).cloned().unwrap_or_default();
    let sleeps = |tried: &&Tried<S::Step>| sleepers.contains(&tried.step);
    let asleep = tried.iter().filter(sleeps);
    let mut asleep: Vec<(S::Step, Footprint)> =
        asleep.map(|tried| (tried.step, tried.footprint)).collect();
    for tried in &tried {
        let is_awake = match &only {
            Some(only) => only.contains(&tried.step),
            None => !sleepers.contains(&tried.step),
        };
        if is_awake {
            search.total.transitions += 1;
            let commutes =
                |(_, footprint): &&(_, Footprint)| footprint.independent(tried.footprint);
            let sleeping = asleep.iter().filter(commutes).map(|(step, _)| *step);
            arrive(search, tried, sleeping.collect(), next);
            asleep.push((tried.step, tried.footprint));
        }
    }
}

/// A step leads to a state, in which these steps sleep.
fn arrive<S: Parts>(
    search: &mut Search<'_, S>,
    tried: &Tried<S::Step>,
    sleeping: Vec<S::Step>,
    next: &mut Next<S::Step>,
) {
    let key = tried.successor;
    if search.visited[segment_of(tried.kept)].insert(tried.kept) {
        if !sleeping.is_empty() {
            search.sleepers.insert(key, sleeping);
        }
        search.frontier.push(key);
        next.push(key, None);
        return;
    }
    let Some(slept) = search.sleepers.get_mut(&key) else {
        return;
    };
    let (still, woken): (Vec<_>, Vec<_>) = slept.iter().partition(|step| sleeping.contains(step));
    if woken.is_empty() {
        return;
    }
    if still.is_empty() {
        search.sleepers.remove(&key);
    } else {
        *slept = still;
    }
    // What waits as a whole will find fewer sleepers when its turn comes.
    match next.places.get(&key) {
        Some(place) => {
            if let Some(only) = &mut next.only[*place] {
                only.extend(woken);
            }
        }
        None => {
            search.frontier.push(key);
            next.push(key, Some(woken));
        }
    }
}

/// Lists what has to be tried.
struct List<'h, S: Parts> {
    key: u64,
    harvest: &'h mut Harvest<S>,
    tried: Vec<Tried<S::Step>>,
}

impl<S: Parts> Visit<S::Step> for List<'_, S> {
    const PLAIN: bool = false;

    fn visit(&mut self, transition: &Transition<S::Step>, successor: u64, kept: u64) {
        note(self.key, transition, self.harvest);
        self.tried.push(Tried {
            step: transition.step,
            footprint: transition.footprint,
            successor,
            kept,
        });
    }

    fn visit_plain(&mut self, _successor: u64) {
        unreachable!("internal bug: steps are wanted");
    }
}
