//! What the tests of this crate share: a search that is too plain to be wrong, and systems with
//! known odds.
#![allow(
    dead_code,
    reason = "each test file is a crate of its own and uses a part of this"
)]

use sim::hash::fingerprint_of;
use sim::reduce::persistent;
use sim::{Breach, Footprint, System};
use std::collections::{BTreeMap, BTreeSet};

/// Visits every reachable state once, and returns how many there are. With `reduce`, only the
/// persistent steps are tried.
pub fn visit<S: System>(system: &S, reduce: bool, on: &mut dyn FnMut(&S::State)) -> usize {
    let mut visited = BTreeSet::new();
    let mut open = vec![system.initial()];
    let (mut enabled, mut kept, mut seen) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(state) = open.pop() {
        if !visited.insert(system.fingerprint(&state)) {
            continue;
        }
        on(&state);
        system.enabled(&state, &mut enabled);
        let mut successors = Vec::new();
        let mut footprints = Vec::new();
        for step in &enabled {
            let mut state = state.clone();
            footprints.push(system.apply(&mut state, *step, &mut seen));
            successors.push(state);
        }
        if reduce {
            persistent(system, &state, &enabled, &footprints, &mut kept);
            open.extend(kept.iter().map(|index| successors[*index].clone()));
        } else {
            open.append(&mut successors);
        }
    }
    visited.len()
}

/// How often each complete trace is shown, over all complete schedules, each done from its
/// beginning to its end.
pub fn traces<S: System>(system: &S) -> BTreeMap<Vec<String>, u32> {
    let mut traces = BTreeMap::new();
    walk(system, &system.initial(), &mut Vec::new(), &mut traces);
    traces
}

fn walk<S: System>(
    system: &S,
    state: &S::State,
    seen: &mut Vec<S::Observation>,
    traces: &mut BTreeMap<Vec<String>, u32>,
) {
    let mut enabled = Vec::new();
    system.enabled(state, &mut enabled);
    if enabled.is_empty() {
        *traces
            .entry(seen.iter().map(|o| format!("{o:?}")).collect())
            .or_default() += 1;
    }
    for step in enabled {
        let (mut state, length) = (state.clone(), seen.len());
        system.apply(&mut state, step, seen);
        walk(system, &state, seen, traces);
        seen.truncate(length);
    }
}

/// A combination lock that is turned at random: it opens, which is the broken promise, when every
/// one of its `digits` digits is 1. On paper a random walk opens it once in 2^digits runs.
pub struct CombinationLock {
    pub digits: u32,
    /// The combination, as binary digits, on which the lock falls to pieces.
    pub panics_at: Option<u64>,
    /// How many digits are set and what they are, in the state in which another promise is broken.
    pub breaks_at: Option<(u32, u64)>,
}

impl CombinationLock {
    pub const fn new(digits: u32) -> CombinationLock {
        CombinationLock {
            digits,
            panics_at: None,
            breaks_at: None,
        }
    }
}

impl System for CombinationLock {
    /// How many digits are set, and the digits.
    type State = (u32, u64);
    type Step = bool;
    type Observation = bool;

    fn initial(&self) -> (u32, u64) {
        (0, 0)
    }

    fn enabled(&self, state: &(u32, u64), steps: &mut Vec<bool>) {
        steps.clear();
        if state.0 < self.digits {
            steps.extend([false, true]);
        }
    }

    fn apply(&self, state: &mut (u32, u64), step: bool, seen: &mut Vec<bool>) -> Footprint {
        *state = (state.0 + 1, state.1 << 1 | u64::from(step));
        seen.push(step);
        assert!(
            state.0 < self.digits || Some(state.1) != self.panics_at,
            "the lock fell to pieces"
        );
        Footprint {
            writes: 1,
            ..Footprint::NONE
        }
    }

    fn judge(&self, state: &(u32, u64), resting: bool) -> Result<(), Breach> {
        if !resting && Some(*state) == self.breaks_at {
            return Err(Breach::new("stays-whole", format!("it broke at {state:?}")));
        }
        if resting && state.1.count_ones() == self.digits {
            return Err(Breach::new(
                "stays-shut",
                format!("all {} digits are 1", self.digits),
            ));
        }
        Ok(())
    }

    fn fingerprint(&self, state: &(u32, u64)) -> u128 {
        fingerprint_of(state)
    }

    fn name(&self, _state: &(u32, u64), step: bool) -> String {
        format!("turn to {}", u8::from(step))
    }
}

/// Two steps into a ring of three places; if it `leaves`, another actor can leave it from each.
#[derive(Clone, Copy, Debug)]
pub struct Ring {
    /// Whether it does.
    pub leaves: bool,
}

impl System for Ring {
    type State = u8;
    type Step = u8;
    type Observation = ();

    fn initial(&self) -> u8 {
        0
    }

    fn enabled(&self, state: &u8, steps: &mut Vec<u8>) {
        steps.clear();
        match *state {
            5 => {}
            2.. if self.leaves => steps.extend([0, 1]),
            _ => steps.push(0),
        }
    }

    fn apply(&self, state: &mut u8, step: u8, _: &mut Vec<()>) -> Footprint {
        *state = match (*state, step) {
            (_, 1) => 5,
            (4, _) => 2,
            (at, _) => at + 1,
        };
        Footprint {
            writes: 1,
            ..Footprint::NONE
        }
    }

    fn judge(&self, _: &u8, _: bool) -> Result<(), Breach> {
        Ok(())
    }

    fn fingerprint(&self, state: &u8) -> u128 {
        (*state).into()
    }

    fn actor(&self, step: u8) -> usize {
        step.into()
    }

    fn name(&self, _: &u8, step: u8) -> String {
        ["on", "out"][usize::from(step)].to_owned()
    }
}
