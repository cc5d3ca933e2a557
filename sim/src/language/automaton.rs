//! The automaton as it is handed out: numbered in one way, whatever it was made from.

use super::forest::{Forest, SPINS};
use crate::Breach;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Debug, Display};

/// The minimal deterministic automaton of a finite set of traces.
///
/// Two are equal exactly when they are of the same traces with the same ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Automaton<O> {
    /// What can be seen, sorted by how it prints for debugging.
    pub observations: Vec<O>,
    /// State 0 is the one in which nothing has been seen yet. They are numbered breadth first, so
    /// in the order of the least number of observations that lead to them.
    pub states: Vec<State>,
}

/// What is possible after some observations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// How the trace may end here, ascending; none if something more is always seen.
    pub ends: Vec<End>,
    /// What may be seen next and where it leads: positions in [`Automaton::observations`],
    /// ascending, each with a position in [`Automaton::states`].
    pub next: Vec<(usize, usize)>,
}

/// How a trace ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// No step is possible any more, and all promises hold.
    Rests,
    /// A promise is broken.
    Breached(Breach),
    /// Steps are possible for ever, but nothing is seen any more.
    Spins,
}

impl Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Rests => f.write_str("rests"),
            End::Breached(breach) => write!(f, "BREACH {breach}"),
            End::Spins => f.write_str("goes on for ever, showing nothing"),
        }
    }
}

impl State {
    /// In how many ways a trace can go on from here, one of them being its end.
    #[must_use]
    pub fn way_count(&self) -> usize {
        self.next.len() + usize::from(!self.ends.is_empty())
    }
}

impl<O: Clone + Debug> Automaton<O> {
    /// Numbers the nodes below `root`. `observations` and `ends` are those of the forest's numbers.
    pub(super) fn new(
        forest: &Forest,
        root: u32,
        observations: &[O],
        ends: &[End],
    ) -> Automaton<O> {
        let alphabet = Alphabet::new(forest, root, observations);
        let mut nodes = vec![root];
        let mut numbers = BTreeMap::from([(root, 0)]);
        let mut states = Vec::new();
        while let Some(&node) = nodes.get(states.len()) {
            let node = forest.node(node);
            let mut next: Vec<(usize, u32)> = node
                .next
                .iter()
                .map(|(observation, rest)| (alphabet.ranks[observation], *rest))
                .collect();
            next.sort_unstable();
            let mut number = |rest: u32| {
                *numbers.entry(rest).or_insert_with(|| {
                    nodes.push(rest);
                    nodes.len() - 1
                })
            };
            let next = next.into_iter().map(|(seen, rest)| (seen, number(rest)));
            let mut state = State {
                next: next.collect(),
                ends: node.ends.iter().map(|end| name(ends, *end)).collect(),
            };
            state.ends.sort();
            states.push(state);
        }
        Automaton {
            observations: alphabet.observations,
            states,
        }
    }
}

fn name(ends: &[End], number: u32) -> End {
    if number == SPINS {
        End::Spins
    } else {
        ends[number as usize].clone()
    }
}

/// The observations below a node.
struct Alphabet<O> {
    observations: Vec<O>,
    /// The position in `observations` of each that is used.
    ranks: BTreeMap<u32, usize>,
}

impl<O: Clone + Debug> Alphabet<O> {
    fn new(forest: &Forest, root: u32, observations: &[O]) -> Alphabet<O> {
        let mut known = BTreeSet::from([root]);
        let mut open = vec![root];
        let mut used = BTreeSet::new();
        while let Some(node) = open.pop() {
            for (observation, rest) in &forest.node(node).next {
                used.insert(*observation);
                if known.insert(*rest) {
                    open.push(*rest);
                }
            }
        }
        let mut used: Vec<u32> = used.into_iter().collect();
        used.sort_by_cached_key(|number| format!("{:?}", observations[*number as usize]));
        Alphabet {
            observations: used
                .iter()
                .map(|number| observations[*number as usize].clone())
                .collect(),
            ranks: used.into_iter().zip(0..).collect(),
        }
    }
}

impl<O> Automaton<O> {
    /// How many distinct traces there are; [`u128::MAX`] if they are that many or more.
    #[must_use]
    pub fn trace_count(&self) -> u128 {
        self.count(|state| !state.ends.is_empty())
    }

    /// How many distinct traces can end in a way other than [`End::Rests`]; [`u128::MAX`] if they are
    /// that many or more.
    #[must_use]
    pub fn trace_count_bad(&self) -> u128 {
        self.count(|state| state.ends.iter().any(|end| *end != End::Rests))
    }

    /// How many transitions there are.
    #[must_use]
    pub fn transition_count(&self) -> usize {
        self.states.iter().map(|state| state.next.len()).sum()
    }

    /// The lengths of the shortest and of the longest trace; `None` if there is no trace.
    #[must_use]
    pub fn trace_lengths(&self) -> Option<(usize, usize)> {
        let mut lengths: Vec<Option<(usize, usize)>> = vec![None; self.states.len()];
        for number in self.last_first() {
            let state = &self.states[number];
            let here = (!state.ends.is_empty()).then_some((0, 0));
            let later = state.next.iter().filter_map(|(_, to)| lengths[*to]);
            lengths[number] = later
                .map(|(shortest, longest)| (shortest + 1, longest + 1))
                .chain(here)
                .reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)));
        }
        lengths[0]
    }

    /// The states, each after all that it leads to.
    #[must_use]
    pub fn last_first(&self) -> Vec<usize> {
        let mut order = Vec::with_capacity(self.states.len());
        let mut known = vec![false; self.states.len()];
        let mut path = vec![(0, 0)];
        known[0] = true;
        while let Some((state, way)) = path.last_mut() {
            match self.states[*state].next.get(*way) {
                Some((_, to)) => {
                    *way += 1;
                    if !std::mem::replace(&mut known[*to], true) {
                        path.push((*to, 0));
                    }
                }
                None => {
                    order.push(*state);
                    path.pop();
                }
            }
        }
        order
    }

    /// How many traces end in a state with that property.
    fn count(&self, ends: impl Fn(&State) -> bool) -> u128 {
        let mut counts = vec![0_u128; self.states.len()];
        for number in self.last_first() {
            let state = &self.states[number];
            let later = state.next.iter().map(|(_, to)| counts[*to]);
            counts[number] = later.fold(u128::from(ends(state)), u128::saturating_add);
        }
        counts[0]
    }

    /// The states that are possible after one more observation, given those before it and which
    /// observations it may have been; each of them once, ascending.
    ///
    /// A recording may leave open what a field held, so one recorded line may be several
    /// observations.
    pub fn advance(&self, states: &[usize], accepts: &mut dyn FnMut(&O) -> bool) -> Vec<usize> {
        let next: BTreeSet<usize> = states
            .iter()
            .flat_map(|state| &self.states[*state].next)
            .filter(|(observation, _)| accepts(&self.observations[*observation]))
            .map(|(_, to)| *to)
            .collect();
        next.into_iter().collect()
    }
}
