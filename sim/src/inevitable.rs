//! The point of no return: the step after which every continuation breaks a promise.
//!
//! The step that breaks a promise is often not the one to blame: it only shows what was settled long
//! before. A state is *doomed* when no continuation comes to rest with every promise kept. The
//! states of a failing run are doomed from some step on; that step is looked for backwards from the
//! breach, so that what is known to be doomed need not be explored again for the state before.
//!
//! Whether a state is doomed is decided by exploring all that can follow, but for the orders of one
//! crew ([`reduce::persistent`](crate::reduce::persistent)), which end in the same states and, by
//! what [`System::judge`] promises, break the same promises. One way out is enough to end an
//! exploration.

use crate::reduce::persistent;
use crate::schedule::Schedule;
use crate::shrink::NotBroken;
use crate::{Footprint, System};
use std::collections::BTreeSet;

/// When a failing run was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inevitable {
    /// Before its first step: every run breaks a promise.
    Always,
    /// With this step, counted from 1: before it there was a way out, after it there was none.
    Step(usize),
    /// The budget was spent. The run was lost with this step, counted from 1, at the latest; whether
    /// it was lost already before is not known.
    NotDecided(usize),
}

/// How much work may be spent on it.
pub struct Budget<'a> {
    /// How many states may be explored, all in all.
    pub states_max: usize,
    /// Asked before each state; yes ends the search.
    pub interrupted: &'a dyn Fn() -> bool,
}

/// Finds the step of `schedule` that made its breach inevitable.
///
/// # Errors
///
/// `schedule` cannot be followed strictly, or does not end at a breach.
pub fn inevitable<S: System>(
    system: &S,
    schedule: &Schedule,
    budget: &Budget,
) -> Result<Inevitable, NotBroken> {
    last_way_out(system, schedule, budget).map(|(lost, _)| lost)
}

/// As [`inevitable`], with the nearest schedule that rests with every promise kept, if one was found:
/// none has more first steps in common with `schedule`.
///
/// # Errors
///
/// As [`inevitable`].
pub fn last_way_out<S: System>(
    system: &S,
    schedule: &Schedule,
    budget: &Budget,
) -> Result<(Inevitable, Option<Schedule>), NotBroken> {
    let states = follow(system, schedule).ok_or(NotBroken)?;
    let mut explorer = Explorer {
        system,
        doomed: BTreeSet::new(),
        budget,
    };
    // The last state is the breach itself.
    for (done, state) in states.iter().enumerate().rev().skip(1) {
        match explorer.way_out(state) {
            Search::Found(way) => {
                let begin = schedule.names().take(done);
                let passing = begin.map(str::to_owned).chain(way).collect();
                return Ok((Inevitable::Step(done + 1), Some(passing)));
            }
            Search::None => {}
            Search::CutShort => return Ok((Inevitable::NotDecided(done + 1), None)),
        }
    }
    Ok((Inevitable::Always, None))
}

/// The states before, between and after the steps of a schedule, if the last of them breaks a
/// promise and none before it does.
fn follow<S: System>(system: &S, schedule: &Schedule) -> Option<Vec<S::State>> {
    let mut state = system.initial();
    let (mut enabled, mut seen, mut states) = (Vec::new(), Vec::new(), Vec::new());
    for name in schedule.names() {
        system.judge(&state, false).ok()?;
        system.enabled(&state, &mut enabled);
        let step = system.parse(&state, &enabled, name)?;
        states.push(state.clone());
        system.apply(&mut state, step, &mut seen);
    }
    let kept = judge(system, &state, &mut enabled);
    states.push(state);
    (!kept).then_some(states)
}

/// Whether all promises are kept here, with those that hold at rest if this is rest. `enabled` is
/// what is possible here.
fn judge<S: System>(system: &S, state: &S::State, enabled: &mut Vec<S::Step>) -> bool {
    system.enabled(state, enabled);
    system.judge(state, false).is_ok() && (!enabled.is_empty() || system.judge(state, true).is_ok())
}

/// What came of looking for a way out.
enum Search {
    /// The names of its steps.
    Found(Vec<String>),
    /// There is none.
    None,
    /// The budget was spent.
    CutShort,
}

/// Explores what can follow.
struct Explorer<'a, S: System> {
    system: &'a S,
    /// Fingerprints of states from which no way out was found; while one is looked for, also of
    /// those seen on the way.
    doomed: BTreeSet<u128>,
    budget: &'a Budget<'a>,
}

/// A state that waits to be explored, and the last step on the way to it: an index of those noted.
type Open<T> = (T, Option<usize>);

/// Steps, each with the one before it.
type Ways<T> = Vec<(Option<usize>, T)>;

impl<S: System> Explorer<'_, S> {
    /// Looks for a continuation that rests with every promise kept.
    fn way_out(&mut self, from: &S::State) -> Search {
        let mut open = vec![(from.clone(), None)];
        let (mut enabled, mut ways) = (Vec::new(), Vec::new());
        while let Some((state, last)) = open.pop() {
            if self.doomed.contains(&self.system.fingerprint(&state)) {
                continue;
            }
            if self.doomed.len() >= self.budget.states_max || (self.budget.interrupted)() {
                return Search::CutShort;
            }
            let kept = judge(self.system, &state, &mut enabled);
            if kept && enabled.is_empty() {
                return Search::Found(self.names(from, &ways, last));
            }
            self.doomed.insert(self.system.fingerprint(&state));
            if kept {
                self.successors(&(state, last), &enabled, &mut open, &mut ways);
            }
        }
        Search::None
    }

    /// Puts on `open` what the steps lead to that have to be tried, the least one last.
    fn successors(
        &self,
        (state, last): &Open<S::State>,
        enabled: &[S::Step],
        open: &mut Vec<Open<S::State>>,
        ways: &mut Ways<S::Step>,
    ) {
        let (mut seen, mut kept) = (Vec::new(), Vec::new());
        let (mut after, footprints): (Vec<S::State>, Vec<Footprint>) = enabled
            .iter()
            .map(|step| {
                let mut next = state.clone();
                let footprint = self.system.apply(&mut next, *step, &mut seen);
                (next, footprint)
            })
            .unzip();
        persistent(self.system, state, enabled, &footprints, &mut kept);
        for index in kept.into_iter().rev() {
            ways.push((*last, enabled[index]));
            // Taken from the end, so what stands before keeps its index.
            open.push((after.swap_remove(index), Some(ways.len() - 1)));
        }
    }

    /// The names of the steps on the way from a state up to the step with this index.
    fn names(&self, from: &S::State, ways: &Ways<S::Step>, last: Option<usize>) -> Vec<String> {
        let before = |index: &usize| ways[*index].0;
        let backwards: Vec<usize> = std::iter::successors(last, before).collect();
        let (mut state, mut names) = (from.clone(), Vec::new());
        for index in backwards.into_iter().rev() {
            let step = ways[index].1;
            names.push(self.system.name(&state, step));
            self.system.apply(&mut state, step, &mut Vec::new());
        }
        names
    }
}
