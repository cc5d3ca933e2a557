//! Runs that need never rest: cycles among the states.
//!
//! A run may go on for ever only round a strongly connected set of states (Tarjan, *Depth-first
//! search and linear graph algorithms*, 1972). It is held against the system only if it is fair: an
//! actor that has a step in every state of the set takes one in it (weak fairness; Manna and Pnueli,
//! *The Temporal Logic of Reactive and Concurrent Systems*, 1992).

use super::key_set::{Segment, segment_of};
use super::layers::Layers;
use super::path::{shortest_to, successors};
use super::{Control, Counterexample, Limit, Options, Order, Search};
use crate::parts::Parts;
use crate::run::{End, Runner, Watcher};
use crate::schedule::Schedule;
use crate::strategy::Replay;
use crate::{Breach, Footprint, System};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::Ordering::Relaxed;

/// Which promise a run breaks that goes on for ever.
pub const PROPERTY: &str = "every-run-rests";

/// Whether `schedule` leads round: it ends in a state in which it has been before. Then nothing ever
/// makes the run rest, and this is the promise it breaks. Whether that is fair was asked when the
/// schedule was found.
pub fn goes_round<S: System>(system: &S, schedule: &Schedule) -> Option<Breach> {
    let mut visited = Visited(vec![system.fingerprint(&system.initial())]);
    let mut replay = Replay::new(schedule.clone());
    let outcome = Runner::new(system).run(&mut replay, 0, &mut visited);
    let (last, before) = visited.0.split_last()?;
    let first = before.iter().position(|other| other == last)?;
    (outcome.end == End::Stopped).then(|| round_breach(first, before.len() - first))
}

/// The fingerprints of the states that a run passes through.
struct Visited(Vec<u128>);

impl<S: System> Watcher<S> for Visited {
    fn after(
        &mut self,
        system: &S,
        state: &S::State,
        _: S::Step,
        _: Footprint,
        _: &[S::Observation],
    ) {
        self.0.push(system.fingerprint(state));
    }
}

fn round_breach(steps: usize, cycle: usize) -> Breach {
    Breach::new(
        PROPERTY,
        format!(
            "after {steps} steps, these {cycle} can be done again and again, and the run never rests"
        ),
    )
}

/// What was found.
pub(super) enum Found<T> {
    /// Every run rests.
    Acyclic,
    /// There are cycles, and if one of them is fair, this leads into it.
    Cyclic(Option<Counterexample<T>>),
    /// This ended the search for them.
    Unknown(Limit),
}

/// A state on the way of a depth-first search.
struct Open<T> {
    key: u64,
    successors: Vec<(T, u64)>,
    next: usize,
}

/// When a state was met, and the earliest open state it leads back to.
#[derive(Clone, Copy)]
struct Met {
    number: u32,
    low: u32,
    open: bool,
}

/// Looks for cycles in the graph that `search` has covered.
pub(super) fn find<S: Parts>(search: &mut Search<'_, S>, control: &Control) -> Found<S::Step> {
    // What was visited is known to have been, and its room is needed.
    search.visited = Segment::all();
    search.spilled = None;
    match has_cycle(search, control) {
        Ok(true) => search.visited = Segment::all(),
        Ok(false) => return Found::Acyclic,
        Err(limit) => return Found::Unknown(limit),
    }
    let components = match components(search, control) {
        Ok(components) => components,
        Err(limit) => return Found::Unknown(limit),
    };
    if search.options.reduce || search.rows.is_symmetric() {
        return Found::Cyclic(None);
    }
    let fair: FxHashSet<u64> = components
        .into_iter()
        .filter(|component| is_fair(search, component))
        .flatten()
        .collect();
    if fair.is_empty() {
        return Found::Cyclic(None);
    }
    Found::Cyclic(Some(counterexample(search, &fair)))
}

/// Whether a state can be reached from itself. This takes little memory, and mostly there is none.
fn has_cycle<S: Parts>(search: &mut Search<'_, S>, control: &Control) -> Result<bool, Limit> {
    let initial = search.system.initial();
    let root = search.workers[0]
        .key_of(&search.rows, &initial)
        .expect("internal bug: the initial state was expanded");
    let (mut way, mut on_way) = (Vec::new(), FxHashSet::default());
    let mut met = 0_u64;
    let mut enter = |search: &mut Search<'_, S>, way: &mut Vec<Open<S::Step>>, key: u64| {
        met += 1;
        way.push(Open {
            key,
            successors: successors(&mut search.workers[0], &search.rows, key),
            next: 0,
        });
        match met.is_multiple_of(1 << 12) {
            true => may_go_on(search, control, 0),
            false => Ok(()),
        }
    };
    search.visited[segment_of(root)].insert(root);
    on_way.insert(root);
    enter(search, &mut way, root)?;
    while let Some(state) = way.last_mut() {
        let Some((_, successor)) = state.successors.get(state.next).copied() else {
            on_way.remove(&state.key);
            way.pop();
            continue;
        };
        state.next += 1;
        if search.visited[segment_of(successor)].insert(successor) {
            on_way.insert(successor);
            enter(search, &mut way, successor)?;
        } else if on_way.contains(&successor) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the search for cycles may go on, which holds so many bytes besides.
fn may_go_on<S: Parts>(
    search: &mut Search<'_, S>,
    control: &Control,
    bytes: usize,
) -> Result<(), Limit> {
    if control.interrupt.load(Relaxed) {
        return Err(Limit::Interrupt);
    }
    if search.has_room_for(bytes) {
        Ok(())
    } else {
        Err(Limit::BytesForCycles)
    }
}

/// The strongly connected sets of states in which a run can go on for ever.
fn components<S: Parts>(
    search: &mut Search<'_, S>,
    control: &Control,
) -> Result<Vec<FxHashSet<u64>>, Limit> {
    let initial = search.system.initial();
    let root = search.workers[0]
        .key_of(&search.rows, &initial)
        .expect("internal bug: the initial state was expanded");
    let mut met: FxHashMap<u64, Met> = FxHashMap::default();
    let (mut way, mut pending, mut found) = (Vec::new(), Vec::new(), Vec::new());
    way.push(open(search, &mut met, &mut pending, root));
    while let Some(state) = way.last_mut() {
        let key = state.key;
        if let Some((_, successor)) = state.successors.get(state.next).copied() {
            state.next += 1;
            match met.get(&successor).copied() {
                None => {
                    if met.len().is_multiple_of(1 << 12) {
                        let entry = size_of::<(u64, Met)>() + 1;
                        may_go_on(search, control, met.capacity() * entry)?;
                    }
                    let state = open(search, &mut met, &mut pending, successor);
                    way.push(state);
                }
                Some(other) if other.open => lower(&mut met, key, other.number),
                Some(_) => {}
            }
            continue;
        }
        let loops = state.successors.iter().any(|(_, other)| *other == key);
        way.pop();
        let Met { number, low, .. } = met[&key];
        if let Some(before) = way.last() {
            lower(&mut met, before.key, low);
        }
        if low == number {
            let at = pending
                .iter()
                .rposition(|other| *other == key)
                .expect("internal bug: an open state is pending");
            let component: FxHashSet<u64> = pending.drain(at..).collect();
            for key in &component {
                if let Some(met) = met.get_mut(key) {
                    met.open = false;
                }
            }
            if component.len() > 1 || loops {
                found.push(component);
            }
        }
    }
    Ok(found)
}

fn open<S: Parts>(
    search: &mut Search<'_, S>,
    met: &mut FxHashMap<u64, Met>,
    pending: &mut Vec<u64>,
    key: u64,
) -> Open<S::Step> {
    let number = u32::try_from(met.len()).expect("internal bug: 2³² states");
    let state = Met {
        number,
        low: number,
        open: true,
    };
    met.insert(key, state);
    pending.push(key);
    Open {
        key,
        successors: successors(&mut search.workers[0], &search.rows, key),
        next: 0,
    }
}

fn lower(met: &mut FxHashMap<u64, Met>, key: u64, low: u32) {
    if let Some(state) = met.get_mut(&key) {
        state.low = state.low.min(low);
    }
}

/// Whether no actor waits for ever in it with a step to do.
fn is_fair<S: Parts>(search: &mut Search<'_, S>, component: &FxHashSet<u64>) -> bool {
    let mut always: Option<BTreeSet<usize>> = None;
    let mut moves = BTreeSet::new();
    for key in component {
        let mut here = BTreeSet::new();
        for (step, successor) in successors(&mut search.workers[0], &search.rows, *key) {
            let actor = search.system.actor(step);
            here.insert(actor);
            if component.contains(&successor) {
                moves.insert(actor);
            }
        }
        always = Some(match always {
            None => here,
            Some(always) => always.intersection(&here).copied().collect(),
        });
    }
    always.unwrap_or_default().is_subset(&moves)
}

/// The shortest way to one of these states, and round from there.
fn counterexample<S: Parts>(
    search: &mut Search<'_, S>,
    fair: &FxHashSet<u64>,
) -> Counterexample<S::Step> {
    let options = Options {
        order: Order::Breadth,
        reduce: false,
        cycles: false,
        ..search.options
    };
    // Keys of one search mean nothing in another, so the layers are made with the same numbers.
    let (steps, key) = {
        let layers = layers_to(search, fair);
        search.options = options;
        search.kept_layers = Some(Layers::Memory(layers));
        let first = fair.clone();
        shortest_to(search, first).expect("internal bug: these layers are in memory")
    };
    let cycle = round(search, fair, key);
    Counterexample {
        breach: round_breach(steps.len(), cycle.len()),
        steps,
        cycle,
        shortest: true,
    }
}

/// The layers before the first one that has a state of `targets`.
fn layers_to<S: Parts>(search: &mut Search<'_, S>, targets: &FxHashSet<u64>) -> Vec<Vec<u64>> {
    let initial = search.system.initial();
    let root = search.workers[0]
        .key_of(&search.rows, &initial)
        .expect("internal bug: the initial state was expanded");
    let (mut layers, mut layer) = (Vec::new(), vec![root]);
    let mut visited: FxHashSet<u64> = [root].into_iter().collect();
    while !layer.iter().any(|key| targets.contains(key)) {
        let mut next = Vec::new();
        for key in &layer {
            for (_, successor) in successors(&mut search.workers[0], &search.rows, *key) {
                if visited.insert(successor) {
                    next.push(successor);
                }
            }
        }
        layers.push(std::mem::replace(&mut layer, next));
    }
    layers
}

/// The shortest way from `key` back to it among `fair` states.
fn round<S: Parts>(search: &mut Search<'_, S>, fair: &FxHashSet<u64>, key: u64) -> Vec<S::Step> {
    let mut from: FxHashMap<u64, (u64, S::Step)> = FxHashMap::default();
    let mut queue = VecDeque::from([key]);
    while let Some(at) = queue.pop_front() {
        let mut successors = successors(&mut search.workers[0], &search.rows, at);
        successors.sort_unstable_by_key(|(step, _)| *step);
        for (step, successor) in successors {
            if fair.contains(&successor) && !from.contains_key(&successor) {
                from.insert(successor, (at, step));
                queue.push_back(successor);
            }
        }
    }
    let mut steps = Vec::new();
    let mut at = key;
    while let Some((before, step)) = from.get(&at).copied() {
        steps.push(step);
        at = before;
        if at == key {
            break;
        }
    }
    steps.reverse();
    steps
}
