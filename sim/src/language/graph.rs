//! The worlds as numbers: who leads to whom, showing what. The states themselves are dropped as soon
//! as their steps have been tried.

use super::{Covered, End, Options};
use crate::System;
use crate::expand::{Expansion, Successor};
use crate::hash::fingerprint_of;
use std::collections::BTreeMap;
use std::hash::Hash;
use std::ops::Range;

/// The word of a step that shows nothing.
pub(super) const SILENT: u32 = 0;

/// The reduced graph of worlds; world 0 is the initial one.
pub(super) struct Graph<O> {
    pub(super) worlds: Vec<World>,
    /// Those of one world are next to each other, in the order of its steps.
    edges: Vec<Edge>,
    /// What can be seen, in the order in which it was first met.
    pub(super) observations: Vec<O>,
    /// What one step can show: numbers of observations. [`SILENT`] is the empty word.
    words: Vec<Box<[u32]>>,
    /// How a trace can end, in the order in which it was first met.
    pub(super) ends: Vec<End>,
    pub(super) covered: Covered,
}

/// A world.
pub(super) struct World {
    /// Where its edges begin and end. None if it is an end, or if it was not tried.
    edges: (u32, u32),
    /// How a trace ends here, if one does: a number of `ends`.
    pub(super) end: Option<u32>,
    /// The world from which it was first met, and the step's position among the enabled ones there.
    /// The initial world has itself.
    pub(super) from: (u32, u32),
}

/// A step from one world to another.
pub(super) struct Edge {
    /// The step's position among the enabled ones.
    pub(super) index: u32,
    /// What it shows: a number of `words`.
    pub(super) word: u32,
    /// Where it leads.
    pub(super) to: u32,
}

impl<O> Graph<O> {
    /// The edges of a world, with their numbers.
    pub(super) fn edges(&self, world: u32) -> impl Iterator<Item = (u32, &Edge)> {
        let range = self.edge_range(world);
        range
            .clone()
            .zip(&self.edges[range.start as usize..range.end as usize])
    }

    /// The numbers of the edges of a world.
    pub(super) fn edge_range(&self, world: u32) -> Range<u32> {
        let (start, end) = self.worlds[world as usize].edges;
        start..end
    }

    pub(super) fn edge(&self, edge: u32) -> &Edge {
        &self.edges[edge as usize]
    }

    /// Whether a trace ends in a world or goes on from it; not if it was not tried.
    pub(super) fn leads_on(&self, world: u32) -> bool {
        self.worlds[world as usize].end.is_some() || !self.edge_range(world).is_empty()
    }

    /// What the step of an edge from `world` is called.
    pub(super) fn name<S: System<Observation = O>>(
        &self,
        system: &S,
        world: u32,
        edge: u32,
    ) -> String {
        let state = self.state(system, world);
        let mut enabled = Vec::new();
        system.enabled(&state, &mut enabled);
        system.name(&state, enabled[self.edge(edge).index as usize])
    }

    /// The state of a world, found by doing again the steps by which it was first met.
    fn state<S: System>(&self, system: &S, world: u32) -> S::State {
        let mut steps = Vec::new();
        let mut at = world;
        while at != 0 {
            let (from, index) = self.worlds[at as usize].from;
            steps.push(index);
            at = from;
        }
        let (mut state, mut enabled, mut seen) = (system.initial(), Vec::new(), Vec::new());
        for index in steps.into_iter().rev() {
            system.enabled(&state, &mut enabled);
            system.apply(&mut state, enabled[index as usize], &mut seen);
        }
        state
    }

    /// What an edge shows.
    pub(super) fn word(&self, edge: &Edge) -> &[u32] {
        &self.words[edge.word as usize]
    }
}

impl<O: Hash> Graph<O> {
    /// Visits every world once, depth first, so that what a budget leaves has whole traces.
    pub(super) fn explore<S: System<Observation = O>>(
        system: &S,
        options: Options,
        goes_on: &mut dyn FnMut(Covered) -> bool,
    ) -> Graph<O> {
        let mut explorer = Explorer::new(system);
        let mut expansion = Expansion::new();
        let mut successors = Vec::new();
        while let Some((world, state)) = explorer.open.pop() {
            let covered = explorer.covered();
            if covered.worlds > options.worlds_max || !goes_on(covered) {
                explorer.open.push((world, state));
                break;
            }
            if let Err(breach) = system.judge(&state, false) {
                explorer.end(world, End::Breached(breach));
                continue;
            }
            let moved = expansion.expand(system, &state, options.reduce, &mut |successor| {
                successors.push(successor);
            });
            if moved {
                explorer.lead(system, world, &mut successors);
            } else {
                let end = match system.judge(&state, true) {
                    Ok(()) => End::Rests,
                    Err(breach) => End::Breached(breach),
                };
                explorer.end(world, end);
            }
        }
        explorer.finish()
    }
}

/// What an exploration needs besides what it leaves.
struct Explorer<S: System> {
    worlds: Vec<World>,
    edges: Vec<Edge>,
    /// The number of each world, by the fingerprint of its state.
    known: BTreeMap<u128, u32>,
    /// Worlds whose steps have not been tried; the last one is next.
    open: Vec<(u32, S::State)>,
    observations: Interner<S::Observation>,
    words: Interner<Box<[u32]>>,
    ends: Interner<End>,
}

impl<S: System> Explorer<S> {
    fn new(system: &S) -> Explorer<S> {
        let mut explorer = Explorer {
            worlds: Vec::new(),
            edges: Vec::new(),
            known: BTreeMap::new(),
            open: Vec::new(),
            observations: Interner::new(),
            words: Interner::new(),
            ends: Interner::new(),
        };
        let silent = explorer.words.number(Box::default());
        assert_eq!(
            silent, SILENT,
            "internal bug: the first word is the empty one"
        );
        explorer.meet(system, system.initial(), (0, 0));
        explorer
    }

    fn covered(&self) -> Covered {
        Covered {
            worlds: self.worlds.len(),
            open: self.open.len(),
            steps: self.edges.len(),
        }
    }

    /// The number of the world with this state.
    fn meet(&mut self, system: &S, state: S::State, from: (u32, u32)) -> u32 {
        let number = narrow(self.worlds.len());
        let known = *self
            .known
            .entry(system.fingerprint(&state))
            .or_insert(number);
        if known == number {
            self.worlds.push(World {
                edges: (0, 0),
                end: None,
                from,
            });
            self.open.push((number, state));
        }
        known
    }

    fn end(&mut self, world: u32, end: End) {
        self.worlds[world as usize].end = Some(self.ends.number(end));
    }

    /// Notes where the steps of a world lead.
    fn lead(&mut self, system: &S, world: u32, successors: &mut Vec<Successor<S>>) {
        let start = narrow(self.edges.len());
        for successor in successors.drain(..) {
            let index = narrow(successor.index);
            let word = self.word(successor.seen);
            let to = self.meet(system, successor.state, (world, index));
            self.edges.push(Edge { index, word, to });
        }
        self.worlds[world as usize].edges = (start, narrow(self.edges.len()));
    }

    fn word(&mut self, seen: Vec<S::Observation>) -> u32 {
        if seen.is_empty() {
            return SILENT;
        }
        let word = seen
            .into_iter()
            .map(|observation| self.observations.number(observation))
            .collect();
        self.words.number(word)
    }

    fn finish(self) -> Graph<S::Observation> {
        Graph {
            covered: self.covered(),
            worlds: self.worlds,
            edges: self.edges,
            observations: self.observations.items,
            words: self.words.items,
            ends: self.ends.items,
        }
    }
}

/// Numbers for things, in the order in which they are first met.
struct Interner<T> {
    items: Vec<T>,
    /// By fingerprint.
    numbers: BTreeMap<u128, u32>,
}

impl<T: Hash> Interner<T> {
    fn new() -> Interner<T> {
        Interner {
            items: Vec::new(),
            numbers: BTreeMap::new(),
        }
    }

    fn number(&mut self, item: T) -> u32 {
        let next = narrow(self.items.len());
        let number = *self.numbers.entry(fingerprint_of(&item)).or_insert(next);
        if number == next {
            self.items.push(item);
        }
        number
    }
}

/// A number that is stored in 32 bits.
fn narrow(number: usize) -> u32 {
    u32::try_from(number).expect("more than 2^32 worlds or steps of worlds")
}
