//! Finite languages as nodes, each language once.
//!
//! A node is the state of a minimal deterministic automaton: how words may end here, and where each
//! first observation leads. Nodes that are equal are one (Revuz, *Minimisation of acyclic
//! deterministic automata in linear time*, 1992, done while they are built), so two languages are
//! equal exactly when their nodes are. Unions are remembered, as the operations on Bryant's decision
//! diagrams are (*Graph-Based Algorithms for Boolean Function Manipulation*, 1986).

use super::Endless;
use super::graph::{Edge, Graph, SILENT};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Nobody knows yet, or nothing: a language without a word.
const EMPTY: u32 = 0;

/// The number of [`End::Spins`](super::End::Spins) in a [`Node`]; the others have those of the
/// graph.
pub(super) const SPINS: u32 = u32::MAX;

/// A language.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Node {
    /// How a word may end here, ascending.
    pub(super) ends: Vec<u32>,
    /// Where each first observation leads, ascending by observation. None leads to [`EMPTY`].
    pub(super) next: Vec<(u32, u32)>,
}

/// All the languages that were needed.
pub(super) struct Forest {
    nodes: Vec<Rc<Node>>,
    numbers: BTreeMap<Rc<Node>, u32>,
    /// Ascending numbers of at least two nodes, and the node of their union.
    unions: BTreeMap<Box<[u32]>, u32>,
}

impl Forest {
    fn new() -> Forest {
        let mut forest = Forest {
            nodes: Vec::new(),
            numbers: BTreeMap::new(),
            unions: BTreeMap::new(),
        };
        let empty = forest.number(Node::default());
        assert_eq!(
            empty, EMPTY,
            "internal bug: the first node is the empty one"
        );
        forest
    }

    pub(super) fn node(&self, number: u32) -> &Node {
        &self.nodes[number as usize]
    }

    /// The one number of this language.
    fn number(&mut self, node: Node) -> u32 {
        if let Some(number) = self.numbers.get(&node) {
            return *number;
        }
        let number = u32::try_from(self.nodes.len()).expect("more than 2^32 languages");
        let node = Rc::new(node);
        self.nodes.push(Rc::clone(&node));
        self.numbers.insert(node, number);
        number
    }

    /// The words of `rest`, each with `word` before it.
    fn prefixed(&mut self, word: &[u32], rest: u32) -> u32 {
        if rest == EMPTY {
            return EMPTY;
        }
        word.iter().rev().fold(rest, |rest, observation| {
            self.number(Node {
                ends: Vec::new(),
                next: vec![(*observation, rest)],
            })
        })
    }

    /// The words of all of them.
    fn union(&mut self, mut languages: Vec<u32>) -> u32 {
        languages.sort_unstable();
        languages.dedup();
        languages.retain(|language| *language != EMPTY);
        match languages[..] {
            [] => return EMPTY,
            [one] => return one,
            _ => {}
        }
        if let Some(known) = self.unions.get(&languages[..]) {
            return *known;
        }
        let mut union = Node::default();
        let mut next: Vec<(u32, u32)> = Vec::new();
        for language in &languages {
            union.ends.extend(&self.node(*language).ends);
            next.extend(&self.node(*language).next);
        }
        union.ends.sort_unstable();
        union.ends.dedup();
        next.sort_unstable();
        for alike in next.chunk_by(|one, other| one.0 == other.0) {
            let rest = self.union(alike.iter().map(|(_, rest)| *rest).collect());
            union.next.push((alike[0].0, rest));
        }
        let number = self.number(union);
        self.unions.insert(languages.into(), number);
        number
    }
}

/// The language of the initial world: the forest and its node there.
///
/// # Errors
///
/// Something can be seen again and again.
pub(super) fn of_graph<O: Clone>(graph: &Graph<O>) -> Result<(Forest, u32), Endless<O>> {
    let mut grower = Grower {
        graph,
        forest: Forest::new(),
        visits: vec![Visit::default(); graph.worlds.len()],
        visited: 0,
        path: Vec::new(),
        cycle: Vec::new(),
    };
    grower.grow()?;
    let root = grower.visits[0].language;
    Ok((grower.forest, root))
}

/// Strongly connected components, each after all that it leads to (Tarjan, *Depth-First Search and
/// Linear Graph Algorithms*, 1972), without recursion. The worlds of one component lead to each
/// other in silence, so they have one language.
struct Grower<'g, O> {
    graph: &'g Graph<O>,
    forest: Forest,
    visits: Vec<Visit>,
    /// How many worlds have been visited.
    visited: u32,
    /// The worlds on the way, each with its next edge.
    path: Vec<(u32, u32)>,
    /// Worlds visited whose component is not complete.
    cycle: Vec<u32>,
}

/// What is known of a world.
#[derive(Clone, Default)]
struct Visit {
    /// When it was visited, counted from 1; 0 if it was not.
    order: u32,
    /// The least `order` that it is known to lead back to.
    low: u32,
    /// Its component is complete, and `language` is its node.
    complete: bool,
    language: u32,
}

impl<O: Clone> Grower<'_, O> {
    fn grow(&mut self) -> Result<(), Endless<O>> {
        self.visit(0);
        while let Some((world, edge)) = self.path.last_mut() {
            let world = *world;
            if *edge < self.graph.edge_range(world).end {
                let to = self.graph.edge(*edge).to;
                *edge += 1;
                if self.visits[to as usize].order == 0 {
                    self.visit(to);
                } else if !self.visits[to as usize].complete {
                    self.lead_back(world, self.visits[to as usize].order);
                }
                continue;
            }
            self.path.pop();
            let Visit { order, low, .. } = self.visits[world as usize];
            if low == order {
                self.complete(world)?;
            } else if let Some((before, _)) = self.path.last() {
                self.lead_back(*before, low);
            }
        }
        Ok(())
    }

    fn visit(&mut self, world: u32) {
        self.visited += 1;
        let visit = &mut self.visits[world as usize];
        visit.order = self.visited;
        visit.low = self.visited;
        self.path.push((world, self.graph.edge_range(world).start));
        self.cycle.push(world);
    }

    fn lead_back(&mut self, world: u32, order: u32) {
        let low = &mut self.visits[world as usize].low;
        *low = order.min(*low);
    }

    /// The component that `first` was the first of is complete: its language.
    fn complete(&mut self, first: u32) -> Result<(), Endless<O>> {
        let start = self
            .cycle
            .iter()
            .rposition(|world| *world == first)
            .expect("internal bug: an incomplete world is on the stack");
        let component = self.cycle.split_off(start);
        let mut ends = Vec::new();
        let mut parts = Vec::new();
        let mut leads_out = false;
        for &world in &component {
            ends.extend(self.graph.worlds[world as usize].end);
            for (_, edge) in self.graph.edges(world) {
                if self.visits[edge.to as usize].complete {
                    leads_out = true;
                    parts.push(self.after(edge));
                } else if edge.word != SILENT {
                    let observation = self.graph.word(edge)[0] as usize;
                    return Err(Endless {
                        observation: self.graph.observations[observation].clone(),
                    });
                }
            }
        }
        let tried = !self.graph.edge_range(first).is_empty();
        if tried && !leads_out {
            ends.push(SPINS);
        }
        if !ends.is_empty() {
            ends.sort_unstable();
            ends.dedup();
            let next = Vec::new();
            parts.push(self.forest.number(Node { ends, next }));
        }
        let language = self.forest.union(parts);
        for world in component {
            let visit = &mut self.visits[world as usize];
            visit.complete = true;
            visit.language = language;
        }
        Ok(())
    }

    /// What an edge and all that follows it can show.
    fn after(&mut self, edge: &Edge) -> u32 {
        let rest = self.visits[edge.to as usize].language;
        self.forest.prefixed(self.graph.word(edge), rest)
    }
}
