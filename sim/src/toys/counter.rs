//! A shared counter that threads increment without a lock.

use crate::hash::fingerprint_of;
use crate::{Breach, Footprint, System};

/// `threads` threads increment a counter once each: load it, then store one more.
///
/// In the naive form (`compare_and_swap` false) an update is lost when somebody stores between a
/// thread's load and its store. In the right form a store fails if the counter has changed since
/// the load, and the thread begins anew.
///
/// On paper, for two threads in the naive form: of the six orders of four steps, two are serial and
/// four lose an update. A random walk loses one exactly when its second step is the other thread's
/// load: in half of all runs.
#[derive(Clone, Copy, Debug)]
pub struct Counter {
    /// How many threads there are; at most 63.
    pub threads: u8,
    /// Whether a store looks whether the counter has changed.
    pub compare_and_swap: bool,
}

/// The counter, and what each thread knows of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CounterState {
    /// The counter.
    pub value: u8,
    /// By thread: what it loaded.
    threads: Vec<Thread>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Thread {
    Idle,
    Loaded(u8),
    Done,
}

/// A step of the thread with this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CounterStep {
    /// It loads the counter.
    Load(u8),
    /// It stores one more than it loaded, or finds that it must not.
    Store(u8),
}

/// A thread has stored a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stored {
    /// Which thread.
    pub thread: u8,
    /// What it stored.
    pub value: u8,
}

/// The part that is the counter; thread *n* is part *n*.
const VALUE: u64 = 1 << 63;

impl System for Counter {
    type State = CounterState;
    type Step = CounterStep;
    type Observation = Stored;

    fn initial(&self) -> CounterState {
        assert!(
            self.threads <= 63,
            "internal bug: a footprint has no room for {} threads",
            self.threads
        );
        CounterState {
            value: 0,
            threads: vec![Thread::Idle; self.threads.into()],
        }
    }

    fn enabled(&self, state: &CounterState, steps: &mut Vec<CounterStep>) {
        steps.clear();
        let threads = || (0..).zip(&state.threads);
        steps.extend(
            threads()
                .filter(|(_, t)| **t == Thread::Idle)
                .map(|(n, _)| CounterStep::Load(n)),
        );
        steps.extend(
            threads()
                .filter(|(_, t)| matches!(t, Thread::Loaded(_)))
                .map(|(n, _)| CounterStep::Store(n)),
        );
    }

    fn apply(
        &self,
        state: &mut CounterState,
        step: CounterStep,
        seen: &mut Vec<Stored>,
    ) -> Footprint {
        match step {
            CounterStep::Load(n) => {
                state.threads[usize::from(n)] = Thread::Loaded(state.value);
                Footprint {
                    reads: VALUE,
                    writes: 1 << n,
                    ..Footprint::NONE
                }
            }
            CounterStep::Store(n) => {
                let thread = &mut state.threads[usize::from(n)];
                let Thread::Loaded(loaded) = *thread else {
                    panic!("internal bug: thread {n} has not loaded")
                };
                if self.compare_and_swap && loaded != state.value {
                    *thread = Thread::Idle;
                    return Footprint {
                        reads: VALUE,
                        writes: 1 << n,
                        ..Footprint::NONE
                    };
                }
                *thread = Thread::Done;
                state.value = loaded + 1;
                seen.push(Stored {
                    thread: n,
                    value: state.value,
                });
                Footprint {
                    reads: 0,
                    writes: VALUE | 1 << n,
                    ..Footprint::NONE
                }
            }
        }
    }

    fn judge(&self, state: &CounterState, resting: bool) -> Result<(), Breach> {
        if resting && state.value != self.threads {
            let message = format!(
                "{} threads have incremented the counter to {}",
                self.threads, state.value
            );
            return Err(Breach::new("no-lost-update", message));
        }
        Ok(())
    }

    fn fingerprint(&self, state: &CounterState) -> u128 {
        fingerprint_of(state)
    }

    fn actor(&self, step: CounterStep) -> usize {
        let (CounterStep::Load(n) | CounterStep::Store(n)) = step;
        n.into()
    }

    fn actor_name(&self, _state: &CounterState, actor: usize) -> String {
        format!("thread{actor}")
    }

    fn name(&self, _state: &CounterState, step: CounterStep) -> String {
        match step {
            CounterStep::Load(n) => format!("thread{n} load"),
            CounterStep::Store(n) => format!("thread{n} store"),
        }
    }
}
