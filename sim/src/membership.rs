//! Could the system have shown this? Membership of a sequence of observations in the system's
//! language of traces.
//!
//! What an observer has seen is compatible with many runs. So the *set* of possible worlds is
//! carried along the sequence: before each observation it is closed over the steps that show
//! nothing, and those worlds stay that show the observation next. This is the subset construction
//! for nondeterministic automata (Rabin and Scott, *Finite automata and their decision problems*,
//! 1959), done on the fly and along one word only.
//!
//! When the set becomes empty, the observer has seen what the system cannot do, and the last set
//! that was not empty says what it could have done instead.

use crate::System;
use crate::expand::{Expansion, Successor};
use crate::hash::fingerprint_of;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::{self, Display};
use std::ops::ControlFlow;

/// How a [`Membership`] explores.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many distinct worlds may be visited between two observations, and how many may be
    /// carried.
    pub worlds_max: usize,
    /// How many bytes the worlds may take that are held at once, those of them that wait included,
    /// as [`System::bytes_of`] counts them.
    pub bytes_max: usize,
    /// Whether interchangeable workers are taken in one order only: see [`reduce`](crate::reduce).
    /// Without it the answers are the same and the worlds are more.
    pub reduce: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            worlds_max: 1 << 20,
            bytes_max: 1 << 30,
            reduce: true,
        }
    }
}

/// The worlds that are compatible with what was seen so far. A clone can be led along another
/// continuation.
pub struct Membership<'s, S: System> {
    system: &'s S,
    options: Options,
    /// Never empty; no two are the same.
    worlds: Vec<World<S>>,
    /// What they take.
    bytes: usize,
}

/// A possible world: a state, and what was shown on the way to it but not yet seen.
pub struct World<S: System> {
    /// The state after the last step done.
    pub state: S::State,
    /// What that step showed and what the observer will therefore see next, in order. No step is
    /// done before it is.
    pub due: VecDeque<S::Observation>,
}

/// What an observation did to the set of worlds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advance<O> {
    /// It is possible.
    Possible {
        /// How many worlds show it.
        worlds: usize,
    },
    /// It is not possible. The set of worlds stays what it was before.
    Rejected {
        /// Every observation that would have been possible, sorted by how it prints for debugging.
        /// None if nothing can be seen any more.
        expected: Vec<O>,
        /// How many worlds there were before it.
        worlds: usize,
    },
    /// Nobody knows: there were too many worlds. The set of worlds stays what it was before.
    TooManyWorlds(TooManyWorlds),
}

/// A limit was exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooManyWorlds {
    /// [`Options::worlds_max`], which was this.
    Count(usize),
    /// [`Options::bytes_max`], which was this.
    Bytes(usize),
}

impl Display for TooManyWorlds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TooManyWorlds::Count(worlds_max) => {
                write!(f, "more than {worlds_max} worlds are possible")
            }
            TooManyWorlds::Bytes(bytes_max) => {
                write!(
                    f,
                    "the worlds that are possible take more than {} MiB",
                    bytes_max >> 20
                )
            }
        }
    }
}

impl std::error::Error for TooManyWorlds {}

impl<'s, S: System> Membership<'s, S> {
    /// Nothing seen yet: the initial state is the only world.
    #[must_use]
    pub fn new(system: &'s S) -> Membership<'s, S> {
        Membership::with_options(system, Options::default())
    }

    /// As [`Membership::new`], with other options than the default ones.
    #[must_use]
    pub fn with_options(system: &'s S, options: Options) -> Membership<'s, S> {
        let world = World {
            state: system.initial(),
            due: VecDeque::new(),
        };
        Membership {
            system,
            options,
            bytes: bytes_of(system, &world),
            worlds: vec![world],
        }
    }

    /// Takes the next observation. It is given as a predicate, because a recording may leave open
    /// what a field held.
    ///
    /// `accepts` is asked once for each distinct observation that is possible next.
    pub fn advance(
        &mut self,
        accepts: &mut dyn FnMut(&S::Observation) -> bool,
    ) -> Advance<S::Observation> {
        // Verdicts by the fingerprint of the observation; what was refused is what was expected
        // instead.
        let mut verdicts: BTreeMap<u128, Option<S::Observation>> = BTreeMap::new();
        let mut next = Vec::new();
        let mut known = BTreeSet::new();
        let mut bytes = 0;
        let explored = self.explore(&mut |found, held| {
            let Found::Due(mut world) = found else {
                return Ok(ControlFlow::Continue(()));
            };
            let first = world.due.front().expect("internal bug: nothing is due");
            let verdict = verdicts
                .entry(fingerprint_of(first))
                .or_insert_with(|| (!accepts(first)).then(|| first.clone()));
            if verdict.is_none() {
                world.due.pop_front();
                if known.insert(self.fingerprint(&world)) {
                    bytes += bytes_of(self.system, &world) + KNOWN;
                    next.push(world);
                }
            }
            self.keep_to_limits(next.len(), held + bytes)?;
            Ok(ControlFlow::Continue(()))
        });
        if let Err(too_many) = explored {
            return Advance::TooManyWorlds(too_many);
        }
        if next.is_empty() {
            let mut expected: Vec<_> = verdicts.into_values().flatten().collect();
            expected.sort_by_cached_key(|observation| format!("{observation:?}"));
            return Advance::Rejected {
                expected,
                worlds: self.worlds.len(),
            };
        }
        self.worlds = next;
        self.bytes = bytes;
        Advance::Possible {
            worlds: self.worlds.len(),
        }
    }

    /// Whether it is possible that nothing more will be seen: some world can come to rest without
    /// showing anything.
    ///
    /// # Errors
    ///
    /// Nobody knows: there were too many worlds.
    pub fn can_rest(&self) -> Result<bool, TooManyWorlds> {
        let mut rests = false;
        self.explore(&mut |found, _| {
            rests = matches!(found, Found::Resting);
            Ok(match rests {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            })
        })?;
        Ok(rests)
    }

    /// The worlds that are possible right after the last observation, before any silent step; at
    /// least one.
    #[must_use]
    pub fn worlds(&self) -> &[World<S>] {
        &self.worlds
    }

    /// Visits the worlds that are reachable by steps that show nothing, each once, in one fixed
    /// order, and hands out those in which something is due, and those at rest, until `on` has
    /// enough. It is told how many bytes are held besides what it keeps itself.
    fn explore(&self, on: &mut Visitor<'_, S>) -> Result<(), TooManyWorlds> {
        let mut visited = BTreeSet::new();
        // Each world that waits, and what it takes.
        let mut open: Vec<(World<S>, usize)> = Vec::new();
        let mut waiting = 0;
        let mut expansion = Expansion::new();
        for world in &self.worlds {
            let is_silent = world.due.is_empty();
            if is_silent && !visited.insert(self.system.fingerprint(&world.state)) {
                continue;
            }
            open.push((world.clone(), 0));
            while let Some((world, bytes)) = open.pop() {
                waiting -= bytes;
                let found = if !world.due.is_empty() {
                    Found::Due(world)
                } else {
                    self.keep_to_limits(visited.len(), self.held(waiting, visited.len()))?;
                    let on = &mut |successor| {
                        let world = World::from(successor);
                        let is_silent = world.due.is_empty();
                        if is_silent && !visited.insert(self.system.fingerprint(&world.state)) {
                            return;
                        }
                        let bytes = bytes_of(self.system, &world);
                        waiting += bytes;
                        open.push((world, bytes));
                    };
                    let reduce = self.options.reduce;
                    match expansion.expand(self.system, &world.state, reduce, on) {
                        true => continue,
                        false => Found::Resting,
                    }
                };
                if on(found, self.held(waiting, visited.len()))?.is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// How many bytes are held: the worlds, those that wait, and the fingerprints of those visited.
    fn held(&self, waiting: usize, visited: usize) -> usize {
        self.bytes + waiting + visited * KNOWN
    }

    fn keep_to_limits(&self, worlds: usize, bytes: usize) -> Result<(), TooManyWorlds> {
        let Options {
            worlds_max,
            bytes_max,
            ..
        } = self.options;
        if worlds > worlds_max {
            Err(TooManyWorlds::Count(worlds_max))
        } else if bytes > bytes_max {
            Err(TooManyWorlds::Bytes(bytes_max))
        } else {
            Ok(())
        }
    }

    /// Two worlds with the same state and the same things due are one.
    fn fingerprint(&self, world: &World<S>) -> u128 {
        fingerprint_of(&(self.system.fingerprint(&world.state), &world.due))
    }
}

impl<S: System> From<Successor<S>> for World<S> {
    fn from(successor: Successor<S>) -> World<S> {
        World {
            state: successor.state,
            due: successor.seen.into(),
        }
    }
}

/// Is given what was found and how many bytes are held, and says whether it has enough.
type Visitor<'v, S> = dyn FnMut(Found<S>, usize) -> Result<ControlFlow<()>, TooManyWorlds> + 'v;

/// What a fingerprint takes in a tree of them, about.
const KNOWN: usize = 2 * size_of::<u128>();

/// What a world takes.
fn bytes_of<S: System>(system: &S, world: &World<S>) -> usize {
    size_of::<World<S>>() - size_of::<S::State>()
        + system.bytes_of(&world.state)
        + world.due.capacity() * size_of::<S::Observation>()
}

/// What [`Membership::explore`] hands out.
enum Found<S: System> {
    /// A world in which something is due.
    Due(World<S>),
    /// A world in which nothing is due and no step is enabled.
    Resting,
}

// Not derived: that would ask the system itself to be `Clone`.
impl<S: System> Clone for Membership<'_, S> {
    fn clone(&self) -> Self {
        Membership {
            system: self.system,
            options: self.options,
            worlds: self.worlds.clone(),
            bytes: self.bytes,
        }
    }
}

impl<S: System> Clone for World<S> {
    fn clone(&self) -> World<S> {
        World {
            state: self.state.clone(),
            due: self.due.clone(),
        }
    }
}
