//! The one run loop: from the initial state, step by step, until something ends it.
//!
//! What chooses the steps is a [`Strategy`]; what wants to know about them is a [`Watcher`]. A run
//! that nobody watches costs nothing but its steps: the [`Runner`] keeps its buffers, and names are
//! made only when asked for.

use crate::hash::StableHasher;
use crate::schedule::Schedule;
use crate::strategy::{Choice, Choices, Divergence, Strategy};
use crate::{Breach, Footprint, System};
use std::hash::Hash;
use std::mem;

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Outcome {
    /// Why it ended.
    pub end: End,
    /// How many steps were done.
    pub steps: u64,
    /// The hash of everything that was seen, in order: equal traces have equal hashes, on every
    /// machine.
    pub trace: u128,
}

/// Why a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// No step was enabled, and all promises held.
    Rested,
    /// A promise was broken, by the step done last (or in the initial state, if none was done), or
    /// by resting where the run did.
    Breached(Breach),
    /// [`Runner::steps_max`] steps were done and more were possible.
    StepLimit,
    /// The strategy wanted no further step, though some were possible.
    Stopped,
    /// The strategy wanted what was not possible.
    Diverged(Divergence),
}

/// Looks on while a run goes by. `()` looks on at nothing, and costs nothing.
pub trait Watcher<S: System> {
    /// `step` is about to be done in `state`.
    fn before(&mut self, _system: &S, _state: &S::State, _step: S::Step) {}

    /// `step` has led to `state`, has touched `footprint`, and this was seen. It has not been
    /// judged yet.
    fn after(
        &mut self,
        _system: &S,
        _state: &S::State,
        _step: S::Step,
        _footprint: Footprint,
        _seen: &[S::Observation],
    ) {
    }
}

impl<S: System> Watcher<S> for () {}

/// A [`Watcher`] that writes everything down.
pub struct Recorder<S: System> {
    /// The steps done, by name; no headers.
    pub schedule: Schedule,
    /// Everything seen, in order.
    pub observations: Vec<S::Observation>,
}

impl<S: System> Recorder<S> {
    /// Nothing recorded yet.
    #[must_use]
    pub fn new() -> Recorder<S> {
        Recorder {
            schedule: Schedule::new(),
            observations: Vec::new(),
        }
    }
}

impl<S: System> Default for Recorder<S> {
    fn default() -> Recorder<S> {
        Recorder::new()
    }
}

impl<S: System> Watcher<S> for Recorder<S> {
    fn before(&mut self, system: &S, state: &S::State, step: S::Step) {
        self.schedule.push(system.name(state, step));
    }

    fn after(&mut self, _: &S, _: &S::State, _: S::Step, _: Footprint, seen: &[S::Observation]) {
        self.observations.extend_from_slice(seen);
    }
}

/// Does runs, one after the other, of one system.
pub struct Runner<'s, S: System> {
    system: &'s S,
    /// A run that could go on after this many steps is ended.
    pub steps_max: u64,
    initial: S::State,
    state: S::State,
    enabled: Vec<S::Step>,
    /// What was enabled at the choice before.
    enabled_before: Vec<S::Step>,
    seen: Vec<S::Observation>,
}

impl<'s, S: System> Runner<'s, S> {
    /// A runner without a limit on the number of steps.
    #[must_use]
    pub fn new(system: &'s S) -> Runner<'s, S> {
        let initial = system.initial();
        Runner {
            system,
            steps_max: u64::MAX,
            state: initial.clone(),
            initial,
            enabled: Vec::new(),
            enabled_before: Vec::new(),
            seen: Vec::new(),
        }
    }

    /// Does one run under `seed`, from the initial state. The outcome is a function of `seed` and
    /// of what the strategy is, not of earlier runs.
    ///
    /// # Panics
    ///
    /// When `strategy` chooses a step that was not offered, or when the system itself panics; after
    /// the latter the runner can be used again.
    pub fn run<W>(&mut self, strategy: &mut dyn Strategy, seed: u64, watcher: &mut W) -> Outcome
    where
        W: Watcher<S> + ?Sized,
    {
        self.state.clone_from(&self.initial);
        self.enabled.clear();
        strategy.begin(seed);
        let mut trace = StableHasher::new();
        let mut steps = 0;
        let end = loop {
            if let Err(breach) = self.system.judge(&self.state, false) {
                break End::Breached(breach);
            }
            let step = match self.next(strategy, steps) {
                Ok(step) => step,
                Err(end) => break end,
            };
            self.apply(step, watcher, &mut trace);
            steps += 1;
        };
        Outcome {
            end,
            steps,
            trace: trace.finish_128(),
        }
    }

    /// The system whose runs these are.
    #[must_use]
    pub fn system(&self) -> &'s S {
        self.system
    }

    /// The state in which the last run ended; the initial one before the first.
    #[must_use]
    pub fn state(&self) -> &S::State {
        &self.state
    }

    /// The step that comes next, or why there is none.
    fn next(&mut self, strategy: &mut dyn Strategy, steps: u64) -> Result<S::Step, End> {
        mem::swap(&mut self.enabled, &mut self.enabled_before);
        self.system.enabled(&self.state, &mut self.enabled);
        debug_assert!(
            self.enabled.is_sorted_by(|one, next| one < next),
            "internal bug: the enabled steps are not ascending: {:?}",
            self.enabled
        );
        if self.enabled.is_empty() {
            return Err(self.rest(strategy));
        }
        if steps == self.steps_max {
            return Err(End::StepLimit);
        }
        let Runner {
            system,
            state,
            enabled,
            enabled_before,
            ..
        } = self;
        match strategy.choose(&Offer {
            system: *system,
            state,
            enabled,
            enabled_before,
        }) {
            Choice::Step(index) => Ok(enabled[index]),
            Choice::Stop => Err(End::Stopped),
            Choice::Diverged(divergence) => Err(End::Diverged(divergence)),
        }
    }

    /// How a run ends in which nothing is possible any more. A broken promise is worse news than a
    /// schedule with lines left over.
    fn rest(&self, strategy: &mut dyn Strategy) -> End {
        match self.system.judge(&self.state, true) {
            Err(breach) => End::Breached(breach),
            Ok(()) => strategy.rested().map_or(End::Rested, End::Diverged),
        }
    }

    fn apply<W>(&mut self, step: S::Step, watcher: &mut W, trace: &mut StableHasher)
    where
        W: Watcher<S> + ?Sized,
    {
        watcher.before(self.system, &self.state, step);
        self.seen.clear();
        let footprint = self.system.apply(&mut self.state, step, &mut self.seen);
        self.seen
            .iter()
            .for_each(|observation| observation.hash(trace));
        watcher.after(self.system, &self.state, step, footprint, &self.seen);
    }
}

/// What the run loop offers to a strategy.
struct Offer<'a, S: System> {
    system: &'a S,
    state: &'a S::State,
    enabled: &'a [S::Step],
    enabled_before: &'a [S::Step],
}

impl<S: System> Choices for Offer<'_, S> {
    fn count(&self) -> usize {
        self.enabled.len()
    }

    fn name(&self, index: usize) -> String {
        self.system.name(self.state, self.enabled[index])
    }

    fn index_of(&self, name: &str) -> Option<usize> {
        let step = self.system.parse(self.state, self.enabled, name)?;
        self.enabled.binary_search(&step).ok()
    }

    fn actor(&self, index: usize) -> usize {
        self.system.actor(self.enabled[index])
    }

    fn crew(&self, index: usize) -> Option<u32> {
        self.system.crew(self.state, self.enabled[index])
    }

    fn index_before(&self, index: usize) -> Option<usize> {
        self.enabled_before.binary_search(&self.enabled[index]).ok()
    }

    fn footprint(&self, index: usize) -> Footprint {
        self.system.apply(
            &mut self.state.clone(),
            self.enabled[index],
            &mut Vec::new(),
        )
    }
}
