//! Every state once, and each step that is done from it: for whoever wants to count what can be met.
//!
//! Interchangeable workers are taken in one order only: see [`reduce`](crate::reduce). So not every
//! state in between is visited; every state of rest, and everything that is seen, is.

use crate::expand::Expansion;
use crate::{Breach, System};
use std::collections::BTreeSet;

/// What was visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visited {
    /// How many states.
    pub states: usize,
    /// Whether these are all.
    pub complete: bool,
}

/// Visits states depth first and calls `on` with each step before it is done, and its state. Nothing
/// follows a broken promise. `goes_on` is asked before each state, with the number of those visited.
pub fn visit<S: System>(
    system: &S,
    goes_on: &mut dyn FnMut(usize) -> bool,
    on: &mut dyn FnMut(&S::State, S::Step),
) -> Visited {
    let mut known = BTreeSet::new();
    let mut open = vec![system.initial()];
    let mut expansion = Expansion::new();
    let (mut enabled, mut next) = (Vec::new(), Vec::new());
    while let Some(state) = open.pop() {
        if known.contains(&system.fingerprint(&state)) {
            continue;
        }
        if !goes_on(known.len()) {
            return Visited {
                states: known.len(),
                complete: false,
            };
        }
        known.insert(system.fingerprint(&state));
        if let Err(Breach { .. }) = system.judge(&state, false) {
            continue;
        }
        system.enabled(&state, &mut enabled);
        expansion.expand(system, &state, true, &mut |successor| next.push(successor));
        for successor in next.drain(..).rev() {
            on(&state, enabled[successor.index]);
            open.push(successor.state);
        }
    }
    Visited {
        states: known.len(),
        complete: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toys::{Counter, CounterStep};

    /// Two threads: of nine combinations of idle, loaded and done, those with somebody done come with
    /// one or two values of the counter and of what was loaded. Each thread loads and stores.
    #[test]
    fn every_step_is_met_and_a_budget_is_said() {
        let counter = Counter {
            threads: 2,
            compare_and_swap: true,
        };
        let mut met = BTreeSet::new();
        let all = visit(&counter, &mut |_| true, &mut |_, step| {
            met.insert(step);
        });
        assert!(all.complete);
        let steps = [
            CounterStep::Load(0),
            CounterStep::Load(1),
            CounterStep::Store(0),
            CounterStep::Store(1),
        ];
        assert!(met.into_iter().eq(steps));
        let some = visit(&counter, &mut |states| states < 3, &mut |_, _| {});
        assert_eq!(
            some,
            Visited {
                states: 3,
                complete: false
            }
        );
    }
}
