//! Doing a run twice, to see whether it really is a function of its seed.
//!
//! Whatever breaks that (a clock, an address, the order of a hash table, a thread) makes every seed and
//! every schedule worthless, so it is looked for in what a run does, not in the code.

use crate::run::{Outcome, Runner, Watcher};
use crate::strategy::Strategy;
use crate::{Footprint, System};
use std::fmt::{self, Debug, Display};

/// Where two runs under one seed parted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The step, counted from 1; one more than there were if only the outcomes differ.
    pub step: u64,
    /// What is not the same.
    pub what: &'static str,
    /// What it was the first time.
    pub first: String,
    /// What it was the second time.
    pub second: String,
}

impl Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference {
            step,
            what,
            first,
            second,
        } = self;
        write!(
            f,
            "at step {step} {what} differs\n  first   {first}\n  then    {second}"
        )
    }
}

/// Does one run twice, and compares step by step what was done, touched and seen, and the states it led to.
///
/// # Errors
///
/// The first difference.
pub fn run_twice<S: System>(
    runner: &mut Runner<'_, S>,
    strategy: &mut dyn Strategy,
    seed: u64,
) -> Result<Outcome, Box<Difference>> {
    let (mut log, mut log_again) = (Log(Vec::new()), Log(Vec::new()));
    let outcome = runner.run(strategy, seed, &mut log);
    let again = runner.run(strategy, seed, &mut log_again);
    let pairs = log.0.iter().zip(&log_again.0);
    if let Some(difference) = (1..).zip(pairs).find_map(Entry::difference) {
        return Err(Box::new(difference));
    }
    if outcome == again {
        return Ok(outcome);
    }
    Err(Box::new(Difference {
        step: outcome.steps.min(again.steps) + 1,
        what: "the end",
        first: format!("{:?} after {} steps", outcome.end, outcome.steps),
        second: format!("{:?} after {} steps", again.end, again.steps),
    }))
}

/// All that can be known of a step that was done.
struct Entry<S: System> {
    name: String,
    footprint: Footprint,
    seen: Vec<S::Observation>,
    /// The fingerprint of the state it led to.
    state: u128,
}

impl<S: System> Entry<S> {
    /// How the entries for one step differ, if they do.
    fn difference((step, (one, other)): (u64, (&Entry<S>, &Entry<S>))) -> Option<Difference> {
        let found = |what, first: &dyn Debug, second: &dyn Debug| {
            Some(Difference {
                step,
                what,
                first: format!("{}: {first:?}", one.name),
                second: format!("{}: {second:?}", other.name),
            })
        };
        if one.name != other.name {
            return Some(Difference {
                step,
                what: "the step itself",
                first: one.name.clone(),
                second: other.name.clone(),
            });
        }
        if one.seen != other.seen {
            return found("what it shows", &one.seen, &other.seen);
        }
        if one.state != other.state {
            let (first, second) = (one.state, other.state);
            return found(
                "the state after it",
                &format_args!("{first:032x}"),
                &format_args!("{second:032x}"),
            );
        }
        if one.footprint != other.footprint {
            return found("what it touches", &one.footprint, &other.footprint);
        }
        None
    }
}

/// Writes down a run.
struct Log<S: System>(Vec<Entry<S>>);

impl<S: System> Watcher<S> for Log<S> {
    fn before(&mut self, system: &S, state: &S::State, step: S::Step) {
        self.0.push(Entry {
            name: system.name(state, step),
            footprint: Footprint::NONE,
            seen: Vec::new(),
            state: 0,
        });
    }

    fn after(
        &mut self,
        system: &S,
        state: &S::State,
        _: S::Step,
        footprint: Footprint,
        seen: &[S::Observation],
    ) {
        let entry = self.0.last_mut().expect("`before` comes first");
        entry.footprint = footprint;
        entry.seen = seen.to_vec();
        entry.state = system.fingerprint(state);
    }
}
