//! From a broken promise back to the schedule that breaks it.
//!
//! The search keeps no predecessors. When it has found something, the layers up to there are made
//! once more and kept; then the states from which it can be reached in time are marked, layer by
//! layer backwards; then the least step into a marked state is taken, layer by layer forwards. So
//! the schedule is the least of all the shortest, whatever the order in which states were met.

use super::harvest::Finding;
use super::layers::Layers;
use super::memo::Transition;
use super::worker::{Visit, Worker};
use super::{Control, Counterexample, End, Keep, Options, Order, Search, WhenFull};
use crate::System;
use crate::parts::Parts;
use crate::schedule::Schedule;
use rustc_hash::FxHashSet;
use std::io;

/// How many states more than twice those of the first search an unreduced one may visit when it
/// looks for a schedule that is shorter than a reduced one.
const STATES_MORE: u64 = 5_000_000;

impl<T: Copy> Counterexample<T> {
    /// The counterexample whose schedule this is, with so many steps of its `cycle` at the end. `None` if the schedule
    /// cannot be followed, or breaks nothing.
    #[must_use]
    pub fn again<S: System<Step = T>>(
        system: &S,
        schedule: &Schedule,
        cycle: usize,
        shortest: bool,
    ) -> Option<Counterexample<T>> {
        let (mut state, mut enabled, mut steps) = (system.initial(), Vec::new(), Vec::new());
        for name in schedule.names() {
            system.enabled(&state, &mut enabled);
            let step = system.parse(&state, &enabled, name)?;
            system.apply(&mut state, step, &mut Vec::new());
            steps.push(step);
        }
        system.enabled(&state, &mut enabled);
        let breach = match cycle {
            0 => {
                let by_a_step = system.judge(&state, false).err();
                let at_rest = || system.judge(&state, enabled.is_empty()).err();
                by_a_step.or_else(at_rest)?
            }
            _ => super::goes_round(system, schedule)?,
        };
        let cycle = steps.split_off(steps.len().checked_sub(cycle)?);
        Some(Counterexample {
            breach,
            steps,
            cycle,
            shortest,
        })
    }
}

/// The counterexample that `search` has found, as short as can be.
pub(super) fn counterexample<S: Parts>(
    search: Search<'_, S>,
    control: &Control,
) -> Counterexample<S::Step> {
    let (system, options) = (search.system, search.options);
    // Of states that count as one, only one can be reached by the steps of a schedule.
    let breadth = Options {
        order: Order::Breadth,
        symmetry: false,
        sleep_sets: false,
        depth_max: u64::MAX,
        ..options
    };
    let full = Options {
        reduce: false,
        states_max: search
            .states()
            .saturating_mul(2)
            .saturating_add(STATES_MORE),
        ..breadth
    };
    // Where states are missed, so is perhaps what is shorter.
    let shortest = !matches!(options.keep, Keep::Bitstate(_));
    if options.order == Order::Depth {
        return search_again(system, full, control, shortest).unwrap_or_else(|| deep(search));
    }
    // What it holds is needed by those that come.
    drop(search);
    if let Some(found) = search_again(system, full, control, shortest) {
        return found;
    }
    // It was found before, so it is found again, and nobody should lose it to a limit: on disk, if
    // there is one, or else in as much memory as it takes.
    let free = Options {
        states_max: u64::MAX,
        when_full: WhenFull::Spill,
        ..breadth
    };
    let on_disk = Control {
        store: control.store.clone(),
        ..Control::default()
    };
    if let Some(found) = search_again(system, free, &on_disk, false) {
        return found;
    }
    let free = Options {
        bytes_max: u64::MAX,
        keys_max: usize::MAX,
        when_full: WhenFull::Stop,
        ..free
    };
    search_again(system, free, &Control::default(), false)
        .expect("internal bug: the second search does not find what the first found")
}

/// Searches breadth first and keeps the layers; `None` if a limit comes first.
fn search_again<S: Parts>(
    system: &S,
    options: Options,
    control: &Control,
    shortest: bool,
) -> Option<Counterexample<S::Step>> {
    let mut search = Search::new(system, options);
    search.use_store(control.store.as_ref());
    search.kept_layers = Some(search.new_layers().ok()?);
    let End::Broken = search.run(control) else {
        return None;
    };
    let mut findings = std::mem::take(&mut search.findings);
    // Resting where a promise is broken is one step less than a step that breaks one.
    if findings.iter().any(|finding| finding.step.is_none()) {
        findings.retain(|finding| finding.step.is_none());
    }
    let targets = findings.iter().map(|finding| finding.key).collect();
    let (mut steps, key) = shortest_to(&mut search, targets).ok()?;
    let last = findings
        .into_iter()
        .filter(|finding| finding.key == key || steps.is_empty())
        .min_by_key(|finding| finding.step);
    let Finding { step, breach, .. } = last.expect("internal bug: the schedule leads elsewhere");
    steps.extend(step);
    Some(Counterexample {
        breach,
        steps,
        cycle: Vec::new(),
        shortest,
    })
}

/// The least of the shortest schedules from the initial state to one of `targets`, which are states
/// of the first layer that was not kept, and the state it leads to.
pub(super) fn shortest_to<S: Parts>(
    search: &mut Search<'_, S>,
    targets: FxHashSet<u64>,
) -> io::Result<(Vec<S::Step>, u64)> {
    let layers = search.kept_layers.take();
    let mut layers = layers.unwrap_or_else(Layers::in_memory);
    let mut marked = vec![targets];
    for depth in (0..layers.count()).rev() {
        let later = &marked[marked.len() - 1];
        let mut found = FxHashSet::default();
        layers.read(depth, |key| {
            let successors = successors(&mut search.workers[0], &search.rows, key);
            if successors.iter().any(|(_, key)| later.contains(key)) {
                found.insert(key);
            }
        })?;
        marked.push(found);
    }
    let mut steps = Vec::new();
    let initial = marked.pop().unwrap_or_default();
    let mut key = initial.into_iter().min().unwrap_or_default();
    while let Some(later) = marked.pop() {
        let successors = successors(&mut search.workers[0], &search.rows, key);
        let least = successors
            .into_iter()
            .filter(|(_, key)| later.contains(key))
            .min_by_key(|(step, _)| *step);
        let (step, next) = least.expect("internal bug: a marked state leads nowhere");
        steps.push(step);
        key = next;
    }
    Ok((steps, key))
}

/// The schedule that a depth-first search took.
fn deep<S: Parts>(mut search: Search<'_, S>) -> Counterexample<S::Step> {
    let findings = std::mem::take(&mut search.findings);
    let finding = findings
        .into_iter()
        .min_by_key(|finding| finding.step)
        .expect("internal bug: nothing was found");
    let mut steps: Vec<S::Step> = finding.step.into_iter().collect();
    let mut key = finding.key;
    while let Some(parent) = search.parents.get(&key).copied() {
        let successors = successors(&mut search.workers[0], &search.rows, parent);
        let step = successors
            .into_iter()
            .filter(|(_, successor)| *successor == key)
            .map(|(step, _)| step)
            .min();
        steps.push(step.expect("internal bug: a state was not reached from its parent"));
        key = parent;
    }
    steps.reverse();
    Counterexample {
        breach: finding.breach,
        steps,
        cycle: Vec::new(),
        shortest: false,
    }
}

/// The steps that have to be tried in a state that was expanded before, and where they lead.
pub(super) fn successors<S: Parts>(
    worker: &mut Worker<'_, S>,
    rows: &super::Rows<S::Part>,
    key: u64,
) -> Vec<(S::Step, u64)> {
    let mut list = List(Vec::new());
    worker
        .expand(rows, key, &mut list)
        .expect("internal bug: an expanded state has new numbers");
    list.0
}

struct List<T>(Vec<(T, u64)>);

impl<T: Copy> Visit<T> for List<T> {
    const PLAIN: bool = false;

    fn visit(&mut self, transition: &Transition<T>, successor: u64, _kept: u64) {
        self.0.push((transition.step, successor));
    }

    fn visit_plain(&mut self, _successor: u64) {
        unreachable!("internal bug: steps are wanted");
    }
}
