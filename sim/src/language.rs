//! Everything that can be seen: the language of a system's traces, as its minimal deterministic
//! automaton.
//!
//! A trace is what is seen in one run, from the initial state until nothing is possible any more or
//! a promise is broken. [`Language::explore`] finds them all, in three passes:
//!
//! 1. Every world is visited once, by its fingerprint; what stays of it are its numbers in a graph
//!    (module `graph`). Interchangeable workers are taken in one order: [`reduce`](crate::reduce)
//!    shows that this keeps every trace that ends at rest. It keeps a broken promise too, as long as
//!    runs are finite: what breaks it is a footprint's business (see [`System::judge`]), so the run
//!    in which the kept worker of each crew went first, unseen, breaks one after the same trace.
//! 2. From the last worlds to the first, the language of each is put together from those of its
//!    successors, as a node of a forest in which equal languages are one node (module `forest`). So
//!    the node of the initial world *is* the minimal automaton: no separate minimisation.
//! 3. Its states are numbered breadth first, transitions in the order in which observations print
//!    for debugging, so the same language gives the same automaton, however it was found.
//!
//! [`Language::choices`] then goes the other way, from the first world to the last, and names for
//! each point at which traces part the steps that compete there.
//!
//! Not covered: traces of any length. If something seen can be seen again and again, there is no
//! finite list of traces and the answer is [`Endless`]. Silent cycles are fine; one that nothing
//! leads out of ends its traces with [`End::Spins`].

mod automaton;
mod choice;
mod forest;
mod graph;

pub use automaton::{Automaton, End, State};
pub use choice::{Choice, Way};

use crate::System;
use graph::Graph;
use std::fmt::{self, Debug, Display};

/// How a language is explored.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many distinct worlds may be visited.
    pub worlds_max: usize,
    /// Whether interchangeable workers are taken in one order only: see [`reduce`](crate::reduce).
    /// Without it the automaton is the same and the worlds are more.
    pub reduce: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            worlds_max: usize::MAX,
            reduce: true,
        }
    }
}

/// How far an exploration got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Covered {
    /// Distinct worlds that were met.
    pub worlds: usize,
    /// Those of them whose steps were not tried, because a budget ended it.
    pub open: usize,
    /// Steps that were kept, one for each world that they were kept in.
    pub steps: usize,
}

/// All traces of a system, or all that were found before a budget ended it.
pub struct Language<'s, S: System> {
    system: &'s S,
    graph: Graph<S::Observation>,
    /// The minimal deterministic automaton of the traces found.
    pub automaton: Automaton<S::Observation>,
}

/// Something that is seen can be seen again and again: the set of traces is not finite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endless<O> {
    /// What is seen on the cycle.
    pub observation: O,
}

impl<O: Debug> Display for Endless<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "there is no end to the traces: {:?} can be seen again and again",
            self.observation
        )
    }
}

impl<O: Debug> std::error::Error for Endless<O> {}

impl<'s, S: System> Language<'s, S> {
    /// Finds all traces. `goes_on` is asked before each world is tried; when it says no, or when
    /// there are more worlds than the options allow, the language has only what was found by then.
    ///
    /// # Errors
    ///
    /// The traces are not finite.
    ///
    /// # Panics
    ///
    /// When the system breaks the promises of [`reduce`](crate::reduce), or has more than 2³² worlds
    /// or steps.
    pub fn explore(
        system: &'s S,
        options: Options,
        goes_on: &mut dyn FnMut(Covered) -> bool,
    ) -> Result<Language<'s, S>, Endless<S::Observation>> {
        let graph = Graph::explore(system, options, goes_on);
        let (forest, root) = forest::of_graph(&graph)?;
        let automaton = Automaton::new(&forest, root, &graph.observations, &graph.ends);
        Ok(Language {
            system,
            graph,
            automaton,
        })
    }

    /// Whether these are all traces of the system, because no budget ended the exploration.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.graph.covered.open == 0
    }

    /// How far the exploration got.
    #[must_use]
    pub fn covered(&self) -> Covered {
        self.graph.covered
    }

    /// For each state of the automaton from which traces part, the steps that compete there: in the
    /// order of the states.
    #[must_use]
    pub fn choices(&self) -> Vec<Choice> {
        choice::find(self.system, &self.graph, &self.automaton)
    }
}
