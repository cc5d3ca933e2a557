//! Why traces part: which steps compete where more than one thing can be seen next.
//!
//! A state of the automaton stands for a set of worlds, those that are possible after what was seen.
//! Among them, and those that they lead to in silence, a *race* is a world in which one step leaves
//! only one of the ways open and another step only another one. Where there is none, the race was
//! earlier, among steps that showed nothing; then the steps that show the ways are all that is named.

use super::automaton::{Automaton, State};
use super::graph::{Graph, SILENT};
use crate::System;
use crate::hash::fingerprint_of;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;

/// A state of the automaton in which traces part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The state's position in [`Automaton::states`].
    pub state: usize,
    /// Its ways: one for each transition, in their order, and then one for the end, if a trace may
    /// end there.
    pub ways: Vec<Way>,
}

/// Why one way is possible: an example.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Way {
    /// The step that leaves only this way open, in a world in which other steps leave only other
    /// ways open; `None` if there is no such world, or if this way does not compete there.
    pub decided_by: Option<String>,
    /// The step that shows what is seen. `None` for the end of a trace.
    pub shown_by: Option<String>,
}

/// The choices of the automaton, which is that of the graph.
pub(super) fn find<S: System>(
    system: &S,
    graph: &Graph<S::Observation>,
    automaton: &Automaton<S::Observation>,
) -> Vec<Choice> {
    let numbers = numbers_of(graph, automaton);
    let mut choices = Vec::new();
    // The spots of each state that has been led to and whose turn has not come.
    let mut open = BTreeMap::from([(0, BTreeSet::from([Spot::at(0)]))]);
    let mut known = vec![false; automaton.states.len()];
    known[0] = true;
    while let Some((number, spots)) = open.pop_first() {
        let state = &automaton.states[number];
        let closure = Closure::new(graph, &spots);
        if state.way_count() > 1 {
            let race = Race::new(graph, &closure, &numbers, state);
            choices.push(Choice {
                state: number,
                ways: race.ways(system),
            });
        }
        for (observation, to) in &state.next {
            if !std::mem::replace(&mut known[*to], true) {
                open.insert(*to, closure.advance(graph, numbers[*observation]));
            }
        }
    }
    choices
}

/// The number that each observation of the automaton has in the graph.
fn numbers_of<O: Hash>(graph: &Graph<O>, automaton: &Automaton<O>) -> Vec<u32> {
    let known = graph.observations.iter().map(fingerprint_of);
    let numbers: BTreeMap<u128, u32> = known.zip(0..).collect();
    let number = |observation| numbers[&fingerprint_of(observation)];
    automaton.observations.iter().map(number).collect()
}

/// A place in a run: in a world, or in the middle of what one of its steps shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Spot {
    world: u32,
    /// The edge, and how many observations of its word have been seen; at least one, and one is
    /// left.
    due: Option<(u32, usize)>,
}

impl Spot {
    fn at(world: u32) -> Spot {
        Spot { world, due: None }
    }
}

/// Something that can be seen next.
struct Sight {
    observation: u32,
    /// The step that shows it, by the world that it leads from and its edge.
    step: (u32, u32),
    /// Where the run is after it.
    then: Spot,
}

/// The spots that are possible after what was seen, and the worlds they lead to in silence.
struct Closure {
    /// Each once, in the order in which they were met.
    worlds: Vec<u32>,
    sights: Vec<Sight>,
}

impl Closure {
    fn new<O>(graph: &Graph<O>, spots: &BTreeSet<Spot>) -> Closure {
        let mut closure = Closure {
            worlds: Vec::new(),
            sights: Vec::new(),
        };
        let mut known = BTreeSet::new();
        for spot in spots {
            match spot.due {
                Some((edge, seen)) => closure.see(graph, spot.world, edge, seen),
                None if known.insert(spot.world) => closure.worlds.push(spot.world),
                None => {}
            }
        }
        let mut turn = 0;
        while let Some(&world) = closure.worlds.get(turn) {
            turn += 1;
            for (number, edge) in graph.edges(world) {
                if edge.word != SILENT {
                    closure.see(graph, world, number, 0);
                } else if known.insert(edge.to) {
                    closure.worlds.push(edge.to);
                }
            }
        }
        closure
    }

    /// Notes what an edge shows after `seen` observations of it.
    fn see<O>(&mut self, graph: &Graph<O>, world: u32, number: u32, seen: usize) {
        let edge = graph.edge(number);
        let word = graph.word(edge);
        let then = if seen + 1 == word.len() {
            Spot::at(edge.to)
        } else {
            let due = Some((number, seen + 1));
            Spot { world, due }
        };
        self.sights.push(Sight {
            observation: word[seen],
            step: (world, number),
            then,
        });
    }

    fn advance<O>(&self, graph: &Graph<O>, observation: u32) -> BTreeSet<Spot> {
        let fits = |sight: &&Sight| sight.observation == observation;
        let spots = self.sights.iter().filter(fits).map(|sight| sight.then);
        // A world without a way on is an untried one; it is of no language.
        spots
            .filter(|spot| spot.due.is_some() || graph.leads_on(spot.world))
            .collect()
    }
}

/// Which ways are open in which worlds. A set of ways is a mask; the last bit stands for all those
/// that have no bit of their own.
struct Race<'g, O> {
    graph: &'g Graph<O>,
    closure: &'g Closure,
    /// What is seen on each way; the end, if it is one, is the last way.
    seen: Vec<u32>,
    way_count: usize,
    /// The ways open from each world of the closure.
    open: BTreeMap<u32, u128>,
}

/// The bit of all ways from this one on.
const LAST_BIT: usize = 127;

fn bit(way: usize) -> u128 {
    1 << way.min(LAST_BIT)
}

impl<'g, O> Race<'g, O> {
    fn new(
        graph: &'g Graph<O>,
        closure: &'g Closure,
        numbers: &[u32],
        state: &State,
    ) -> Race<'g, O> {
        let mut race = Race {
            graph,
            closure,
            seen: state.next.iter().map(|(seen, _)| numbers[*seen]).collect(),
            way_count: state.way_count(),
            open: BTreeMap::new(),
        };
        race.find_open();
        race
    }

    /// Ways are handed back along silent steps until nothing changes: once, unless they go round.
    fn find_open(&mut self) {
        let mut changed = true;
        while std::mem::take(&mut changed) {
            for &world in self.closure.worlds.iter().rev() {
                let ends = self.graph.worlds[world as usize].end.is_some();
                let end = if ends { bit(self.seen.len()) } else { 0 };
                let edges = self.graph.edges(world).map(|(number, _)| number);
                let ways = edges.fold(end, |ways, edge| ways | self.after(edge));
                changed |= self.open.insert(world, ways) != Some(ways);
            }
        }
    }

    /// The ways that a step leaves open.
    fn after(&self, edge: u32) -> u128 {
        let edge = self.graph.edge(edge);
        match self.graph.word(edge).first() {
            None => self.open.get(&edge.to).copied().unwrap_or(0),
            Some(seen) => {
                let way = self.seen.iter().position(|way| way == seen);
                way.map_or(0, bit)
            }
        }
    }

    /// The steps of `world` that leave one way open, the first of each way.
    fn deciders(&self, world: u32) -> BTreeMap<usize, u32> {
        let mut deciders = BTreeMap::new();
        for (number, _) in self.graph.edges(world) {
            let ways = self.after(number);
            let way = ways.trailing_zeros() as usize;
            if ways.is_power_of_two() && way < LAST_BIT {
                deciders.entry(way).or_insert(number);
            }
        }
        deciders
    }

    fn ways<S: System<Observation = O>>(&self, system: &S) -> Vec<Way> {
        let mut ways = vec![Way::default(); self.way_count];
        let races = self
            .closure
            .worlds
            .iter()
            .map(|world| (*world, self.deciders(*world)));
        // The world in which most ways compete, of several the one met first.
        let race = races
            .filter(|(_, deciders)| deciders.len() > 1)
            .reduce(|best, next| {
                if next.1.len() > best.1.len() {
                    next
                } else {
                    best
                }
            });
        if let Some((world, deciders)) = race {
            for (way, edge) in deciders {
                ways[way].decided_by = Some(self.graph.name(system, world, edge));
                ways[way].shown_by = self
                    .shown_by(way, edge, world)
                    .map(|(world, edge)| self.graph.name(system, world, edge));
            }
        }
        for (way, seen) in ways.iter_mut().zip(&self.seen) {
            if way.shown_by.is_none() {
                let shows = |sight: &&Sight| sight.observation == *seen;
                let sight = self.closure.sights.iter().find(shows);
                way.shown_by =
                    sight.map(|sight| self.graph.name(system, sight.step.0, sight.step.1));
            }
        }
        ways
    }

    /// The step that shows a way, after the step that decided it.
    fn shown_by(&self, way: usize, decider: u32, world: u32) -> Option<(u32, u32)> {
        let seen = *self.seen.get(way)?;
        let decided = self.graph.edge(decider);
        if decided.word != SILENT {
            return Some((world, decider));
        }
        let later = Closure::new(self.graph, &BTreeSet::from([Spot::at(decided.to)]));
        let sight = later
            .sights
            .iter()
            .find(|sight| sight.observation == seen)?;
        Some(sight.step)
    }
}
