//! What steps do, remembered.
//!
//! What an offer holds, and what comes of its steps, is a function of the few columns that were
//! looked at. So for each offer there is a decision tree: each node asks for the number in one column, and
//! a leaf holds the steps with the columns they change. The tree is learned: a row that leads off
//! it is worked out by the rules once, and then never again. (LTSmin's transition caching, with the
//! dependencies observed for each row instead of declared for each step.)

use crate::{Breach, Footprint};
use rustc_hash::FxHashMap;

/// Numbers up to which a node of more than one branch is a plain table.
const TABLE_MAX: u32 = 1 << 12;

/// How many transitions and nodes a worker remembers, about; what comes on top is worked out each
/// time.
const ENTRIES_MAX: usize = 12_000_000;

/// Where a branch leads: nowhere yet, to a leaf or to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Branch(u32);

impl Branch {
    const UNKNOWN: Branch = Branch(0);

    fn node(index: usize) -> Branch {
        Branch(number(index) << 1)
    }

    fn leaf(index: usize) -> Branch {
        Branch(number(index) << 1 | 1)
    }
}

/// Indices from 1, so that 0 is nothing.
fn number(index: usize) -> u32 {
    u32::try_from(index + 1).expect("internal bug: the memo is bounded")
}

/// Asks for the number in a column.
struct Node {
    column: u8,
    branches: Branches,
}

enum Branches {
    /// Only one number has been met.
    One(u32, Branch),
    Table(Vec<Branch>),
    Map(FxHashMap<u32, Branch>),
}

impl Branches {
    #[inline]
    fn get(&self, id: u32) -> Branch {
        match self {
            Branches::One(only, branch) if *only == id => *branch,
            Branches::One(..) => Branch::UNKNOWN,
            Branches::Table(table) => table.get(id as usize).copied().unwrap_or(Branch::UNKNOWN),
            Branches::Map(map) => map.get(&id).copied().unwrap_or(Branch::UNKNOWN),
        }
    }

    fn set(&mut self, id: u32, branch: Branch) {
        match self {
            Branches::One(only, old) if *only == id || *old == Branch::UNKNOWN => {
                (*only, *old) = (id, branch);
            }
            Branches::One(only, old) => {
                let (only, old) = (*only, *old);
                *self = if only.max(id) < TABLE_MAX {
                    Branches::Table(Vec::new())
                } else {
                    Branches::Map(FxHashMap::default())
                };
                self.set(only, old);
                self.set(id, branch);
            }
            Branches::Table(table) if id < TABLE_MAX => {
                if table.len() <= id as usize {
                    table.resize(id as usize + 1, Branch::UNKNOWN);
                }
                table[id as usize] = branch;
            }
            Branches::Table(table) => {
                let known = (0..).zip(table.iter().copied());
                let mut map: FxHashMap<u32, Branch> = known
                    .filter(|(_, branch)| *branch != Branch::UNKNOWN)
                    .collect();
                map.insert(id, branch);
                *self = Branches::Map(map);
            }
            Branches::Map(map) => {
                map.insert(id, branch);
            }
        }
    }
}

/// An offer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Leaf {
    /// The first of its transitions.
    pub from: u32,
    /// One past the last of them.
    pub to: u32,
    /// See [`Offer::alone`](crate::parts::Offer::alone).
    pub alone: bool,
    /// See [`Offer::when_idle`](crate::parts::Offer::when_idle).
    pub when_idle: bool,
    /// Whether one of the transitions is more than a change of the state.
    pub notable: bool,
    /// Whether one of the transitions belongs to a crew, or is one of time.
    pub special: bool,
}

/// A column that a step changes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Update {
    pub column: u8,
    pub from: u32,
    pub to: u32,
}

/// What is known of a step in the states of a leaf, besides what it changes.
#[derive(Clone, Debug)]
pub(super) struct Transition<T> {
    pub step: T,
    pub footprint: Footprint,
    pub crew: Option<u32>,
    pub of_time: bool,
    pub witnessed: u64,
    pub breach: Option<Box<Breach>>,
}

/// What one worker remembers.
pub(super) struct Memo<T> {
    roots: Vec<Branch>,
    nodes: Vec<Node>,
    leaves: Vec<Leaf>,
    transitions: Vec<Transition<T>>,
    /// By transition: where its updates begin; they end where those of the next begin.
    updates_from: Vec<u32>,
    updates: Vec<Update>,
    /// By transition: what the key grows by, if keys are sums.
    pub growths: Vec<u64>,
}

impl<T> Memo<T> {
    pub fn new(offers: usize) -> Memo<T> {
        Memo {
            roots: vec![Branch::UNKNOWN; offers],
            nodes: Vec::new(),
            leaves: Vec::new(),
            transitions: Vec::new(),
            updates_from: vec![0],
            updates: Vec::new(),
            growths: Vec::new(),
        }
    }

    /// Offer number `offer` of the state with this row, if that is known.
    #[inline]
    pub fn find(&self, offer: usize, row: &[u32]) -> Option<Leaf> {
        let mut branch = self.roots[offer];
        while branch.0 & 1 == 0 {
            let index = (branch.0 >> 1).checked_sub(1)?;
            let node = &self.nodes[index as usize];
            branch = node.branches.get(row[usize::from(node.column)]);
        }
        Some(self.leaves[(branch.0 >> 1) as usize - 1])
    }

    /// Remembers that `leaf` is offer number `offer` of every state that has in the columns of the
    /// mask `depends` what `row` has there.
    pub fn insert(&mut self, offer: usize, row: &[u32], mut depends: u64, leaf: Leaf) {
        let end = Branch::leaf(self.leaves.len());
        self.leaves.push(leaf);
        let mut branch = self.roots[offer];
        let mut last: Option<usize> = None;
        while branch != Branch::UNKNOWN {
            assert!(branch.0 & 1 == 0, "internal bug: that was known already");
            let index = (branch.0 >> 1) as usize - 1;
            let node = &self.nodes[index];
            depends &= !(1 << node.column);
            branch = node.branches.get(row[usize::from(node.column)]);
            last = Some(index);
        }
        while depends != 0 {
            let column = depends.trailing_zeros() as u8;
            depends &= depends - 1;
            let index = self.nodes.len();
            self.nodes.push(Node {
                column,
                branches: Branches::One(0, Branch::UNKNOWN),
            });
            self.link(offer, last, row, Branch::node(index));
            last = Some(index);
        }
        self.link(offer, last, row, end);
    }

    fn link(&mut self, offer: usize, from: Option<usize>, row: &[u32], to: Branch) {
        match from {
            None => self.roots[offer] = to,
            Some(index) => {
                let node = &mut self.nodes[index];
                node.branches.set(row[usize::from(node.column)], to);
            }
        }
    }

    /// Adds a transition, for a leaf to be made.
    pub fn push(&mut self, transition: Transition<T>, updates: &[Update], growth: u64) {
        self.transitions.push(transition);
        self.updates.extend_from_slice(updates);
        self.updates_from.push(number(self.updates.len()) - 1);
        self.growths.push(growth);
    }

    /// How many transitions there are.
    pub fn len(&self) -> usize {
        self.transitions.len()
    }

    /// Whether nothing more should be remembered.
    pub fn is_full(&self) -> bool {
        self.transitions.len() + self.nodes.len() > ENTRIES_MAX
    }

    /// Forgets the transitions from `len` on; no leaf of the trees has them.
    pub fn truncate(&mut self, len: usize) {
        self.transitions.truncate(len);
        self.updates_from.truncate(len + 1);
        self.updates.truncate(self.updates_from[len] as usize);
        self.growths.truncate(len);
    }

    #[inline]
    pub fn transition(&self, index: u32) -> &Transition<T> {
        &self.transitions[index as usize]
    }

    #[inline]
    pub fn updates(&self, index: u32) -> &[Update] {
        let index = index as usize;
        &self.updates[self.updates_from[index] as usize..self.updates_from[index + 1] as usize]
    }

    /// Works out anew what keys grow by.
    pub fn regrow<E>(
        &mut self,
        mut growth: impl FnMut(&[Update]) -> Result<u64, E>,
    ) -> Result<(), E> {
        for index in 0..self.growths.len() {
            self.growths[index] = growth(self.updates(index as u32))?;
        }
        Ok(())
    }

    /// Roughly how many bytes all that takes, without what is on the heap behind it.
    pub fn bytes(&self) -> usize {
        let tables: usize = self
            .nodes
            .iter()
            .map(|node| match &node.branches {
                Branches::One(..) => 0,
                Branches::Table(table) => table.capacity() * size_of::<Branch>(),
                Branches::Map(map) => map.capacity() * 9,
            })
            .sum();
        tables
            + self.nodes.capacity() * size_of::<Node>()
            + self.leaves.capacity() * size_of::<Leaf>()
            + self.transitions.capacity() * (size_of::<Transition<T>>() + 12)
            + self.updates.capacity() * size_of::<Update>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(n: u32) -> Leaf {
        Leaf {
            from: n,
            to: n,
            ..Leaf::default()
        }
    }

    #[test]
    fn a_leaf_is_found_by_the_columns_it_depends_on_and_by_no_others() {
        let mut memo: Memo<u8> = Memo::new(2);
        memo.insert(0, &[1, 2, 3], 0b101, leaf(7));
        let found = |memo: &Memo<u8>, row: [u32; 3]| memo.find(0, &row).map(|leaf| leaf.from);
        assert_eq!(found(&memo, [1, 99, 3]), Some(7));
        assert_eq!(found(&memo, [1, 2, 4]), None);
        assert_eq!(found(&memo, [0, 2, 3]), None);
        assert!(memo.find(1, &[1, 2, 3]).is_none());
        // The first column decides whether the others matter.
        memo.insert(0, &[2, 5, 5], 0b001, leaf(8));
        assert_eq!(found(&memo, [2, 0, 0]), Some(8));
        memo.insert(0, &[1, 2, 4], 0b111, leaf(9));
        assert_eq!(found(&memo, [1, 2, 4]), Some(9));
        assert_eq!(found(&memo, [1, 3, 4]), None);
        assert_eq!(found(&memo, [1, 99, 3]), Some(7));
    }

    #[test]
    fn a_leaf_that_depends_on_nothing_is_always_found() {
        let mut memo: Memo<u8> = Memo::new(1);
        memo.insert(0, &[4], 0, leaf(3));
        assert_eq!(memo.find(0, &[77]).map(|leaf| leaf.from), Some(3));
    }

    #[test]
    fn a_node_grows_from_one_branch_to_a_table_to_a_map() {
        let mut memo: Memo<u8> = Memo::new(1);
        let ids = [5, 0, 4095, 4096, 1_000_000_000, 6];
        for (n, id) in (0..).zip(ids) {
            memo.insert(0, &[id], 1, leaf(n));
            for (n, id) in (0..=n).zip(ids) {
                assert_eq!(memo.find(0, &[id]).map(|leaf| leaf.from), Some(n));
            }
        }
        assert!(memo.find(0, &[7]).is_none());
    }
}
