//! What steps do, remembered.
//!
//! What an offer holds, and what comes of its steps, is a function of the few columns that were
//! looked at. So for each offer there is a decision tree: each node asks for the number in one column, and
//! a leaf holds the steps with the columns they change. The tree is learned: a row that leads off
//! it is worked out by the rules once, and then never again. (LTSmin's transition caching, with the
//! dependencies observed for each row instead of declared for each step.)

use crate::{Breach, Footprint};
use rustc_hash::FxHashMap;
use std::ops::Range;

/// Numbers up to which a node of more than one branch is a plain table.
const TABLE_MAX: u32 = 1 << 12;

/// How many transitions and words of nodes a worker remembers, about; what comes on top is worked
/// out each time.
const ENTRIES_MAX: usize = 24_000_000;

/// Where a branch leads, in 32 bits: the kind of thing in the lower two, its index in the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Branch(u32);

impl Branch {
    /// Nowhere yet.
    const UNKNOWN: Branch = Branch(0);
    const LEAF: u32 = 1;
    /// A node in the arena: a header, then a branch for each number.
    const TABLE: u32 = 2;
    /// A node with a map of its own.
    const MAP: u32 = 3;

    fn to(kind: u32, index: usize) -> Branch {
        let index = u32::try_from(index).expect("internal bug: the memo is bounded");
        assert!(index < 1 << 30, "internal bug: the memo is bounded");
        Branch(index << 2 | kind)
    }

    #[inline]
    fn kind(self) -> u32 {
        self.0 & 3
    }

    #[inline]
    fn index(self) -> usize {
        (self.0 >> 2) as usize
    }
}

/// The head of a node in the arena: for which column it asks in the lower 8 bits, and how many
/// branches follow in the others. If these are [`ONE`], one number and its branch do.
#[derive(Clone, Copy)]
struct Header(u32);

/// Stands for the number of branches of a node that knows one number, whichever it is.
const ONE: u32 = (1 << 24) - 1;

impl Header {
    fn new(column: u8, branches: u32) -> Header {
        Header(branches << 8 | u32::from(column))
    }

    #[inline]
    fn column(self) -> usize {
        (self.0 & 0xff) as usize
    }

    #[inline]
    fn branches(self) -> u32 {
        self.0 >> 8
    }
}

/// A node that knows large numbers.
struct MapNode {
    column: u8,
    branches: FxHashMap<u32, Branch>,
}

/// The nodes of all decision trees.
#[derive(Default)]
struct Nodes {
    arena: Vec<u32>,
    maps: Vec<MapNode>,
}

impl Nodes {
    /// Where `row` leads from a node.
    #[inline(always)]
    fn follow(&self, node: Branch, row: &[u32]) -> Branch {
        if node.kind() == Branch::MAP {
            return self.follow_map(node, row);
        }
        let at = node.index();
        let header = Header(self.arena[at]);
        let id = row[header.column()];
        if header.branches() == ONE {
            return match self.arena[at + 1] == id {
                true => Branch(self.arena[at + 2]),
                false => Branch::UNKNOWN,
            };
        }
        match id < header.branches() {
            true => Branch(self.arena[at + 1 + id as usize]),
            false => Branch::UNKNOWN,
        }
    }

    #[inline(never)]
    fn follow_map(&self, node: Branch, row: &[u32]) -> Branch {
        let MapNode { column, branches } = &self.maps[node.index()];
        let branch = branches.get(&row[usize::from(*column)]);
        branch.copied().unwrap_or(Branch::UNKNOWN)
    }

    fn column(&self, node: Branch) -> u8 {
        match node.kind() {
            Branch::MAP => self.maps[node.index()].column,
            _ => Header(self.arena[node.index()]).column() as u8,
        }
    }

    /// A node that asks for `column` and knows what follows from one number.
    fn one(&mut self, column: u8, id: u32, branch: Branch) -> Branch {
        let node = Branch::to(Branch::TABLE, self.arena.len());
        self.arena
            .extend([Header::new(column, ONE).0, id, branch.0]);
        node
    }

    /// Makes `id` lead to `branch`; returns the node, which may have moved.
    fn set(&mut self, node: Branch, id: u32, branch: Branch) -> Branch {
        if node.kind() == Branch::MAP {
            self.maps[node.index()].branches.insert(id, branch);
            return node;
        }
        let at = node.index();
        let header = Header(self.arena[at]);
        let column = header.column() as u8;
        let known: Vec<(u32, u32)> = if header.branches() == ONE {
            if self.arena[at + 1] == id {
                self.arena[at + 2] = branch.0;
                return node;
            }
            vec![(self.arena[at + 1], self.arena[at + 2])]
        } else {
            if id < header.branches() {
                self.arena[at + 1 + id as usize] = branch.0;
                return node;
            }
            let branches = &self.arena[at + 1..=at + header.branches() as usize];
            (0..).zip(branches.iter().copied()).collect()
        };
        let known = known.into_iter().chain([(id, branch.0)]);
        let known = known.filter(|(_, branch)| *branch != Branch::UNKNOWN.0);
        let known: Vec<(u32, u32)> = known.collect();
        let largest = known.iter().map(|(id, _)| *id).max().unwrap_or(0);
        if largest >= TABLE_MAX {
            let branches = known.into_iter().map(|(id, branch)| (id, Branch(branch)));
            let branches = branches.collect();
            self.maps.push(MapNode { column, branches });
            return Branch::to(Branch::MAP, self.maps.len() - 1);
        }
        // Room for as many again; what is left behind is less than what is new.
        let room = (largest + 1).next_power_of_two().max(4);
        let at = self.arena.len();
        self.arena.push(Header::new(column, room).0);
        self.arena.resize(at + 1 + room as usize, Branch::UNKNOWN.0);
        for (id, branch) in known {
            self.arena[at + 1 + id as usize] = branch;
        }
        Branch::to(Branch::TABLE, at)
    }
}

/// An offer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Leaf {
    /// The first of its transitions.
    pub from: u32,
    /// How many of them there are.
    pub count: u16,
    /// See [`Offer::alone`](crate::parts::Offer::alone).
    pub alone: bool,
    /// See [`Offer::when_idle`](crate::parts::Offer::when_idle).
    pub when_idle: bool,
    /// Whether one of the transitions is more than a change of the state.
    pub notable: bool,
    /// Whether one of the transitions belongs to a crew, or is one of time.
    pub special: bool,
}

impl Leaf {
    /// Its transitions.
    #[inline]
    pub fn transitions(self) -> Range<u32> {
        self.from..self.from + u32::from(self.count)
    }
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

/// The leaves of one offer met lately, by what they depend on, as long as that is no more than
/// some columns: a short cut past the tree, for keys that are sums.
pub(super) struct Shortcut {
    /// The columns, as a mask.
    columns: u64,
    /// The bits of a key that are these columns.
    bits: u64,
    /// No more columns than this.
    columns_max: u32,
    /// By a hash of those bits: the bits, or [`NO_BITS`], and the leaf.
    places: Vec<(u64, Leaf)>,
}

/// No key has all of them.
const NO_BITS: u64 = u64::MAX;

/// How many leaves a short cut knows; a power of two.
const PLACES: usize = 1 << 11;

impl Shortcut {
    pub fn new(columns_max: u32) -> Shortcut {
        Shortcut {
            columns_max,
            columns: 0,
            bits: 0,
            places: Vec::new(),
        }
    }

    /// What it takes.
    pub fn bytes(&self) -> usize {
        self.places.capacity() * size_of::<(u64, Leaf)>()
    }

    fn place_of(bits: u64) -> usize {
        (bits.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - PLACES.trailing_zeros())) as usize
    }

    /// The leaf of the state with this key, if it was met lately.
    #[inline]
    pub fn find(&self, key: u64) -> Option<Leaf> {
        let bits = key & self.bits;
        let (of, leaf) = self.places.get(Shortcut::place_of(bits))?;
        (*of == bits).then_some(*leaf)
    }

    /// Remembers the leaf of the state with this key, which was found by the columns `asked`, and
    /// says whether it can; `bits_of` says which bits of a key are some columns.
    pub fn insert(
        &mut self,
        key: u64,
        leaf: Leaf,
        asked: u64,
        bits_of: impl Fn(u64) -> u64,
    ) -> bool {
        let columns = self.columns | asked;
        if columns.count_ones() > self.columns_max {
            return false;
        }
        if columns != self.columns || self.places.is_empty() {
            (self.columns, self.bits) = (columns, bits_of(columns));
            self.places.clear();
            self.places.resize(PLACES, (NO_BITS, Leaf::default()));
        }
        let bits = key & self.bits;
        self.places[Shortcut::place_of(bits)] = (bits, leaf);
        true
    }
}

/// What one worker remembers.
pub(super) struct Memo<T> {
    roots: Vec<Branch>,
    nodes: Nodes,
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
            nodes: Nodes::default(),
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
        while branch.kind() >= Branch::TABLE {
            branch = self.nodes.follow(branch, row);
        }
        match branch {
            Branch::UNKNOWN => None,
            leaf => Some(self.leaves[leaf.index()]),
        }
    }

    /// The columns that are asked for on the way of `row` to its leaf, as a mask.
    pub fn asked(&self, offer: usize, row: &[u32]) -> u64 {
        let (mut branch, mut asked) = (self.roots[offer], 0);
        while branch.kind() >= Branch::TABLE {
            asked |= 1 << self.nodes.column(branch);
            branch = self.nodes.follow(branch, row);
        }
        asked
    }

    /// Remembers that `leaf` is offer number `offer` of every state that has in the columns of the
    /// mask `depends` what `row` has there.
    pub fn insert(&mut self, offer: usize, row: &[u32], mut depends: u64, leaf: Leaf) {
        let id_in = |column: u8| row[usize::from(column)];
        // The nodes on the way to where the row leads off the tree.
        let (mut way, mut branch) = (Vec::new(), self.roots[offer]);
        while branch != Branch::UNKNOWN {
            assert!(
                branch.kind() != Branch::LEAF,
                "internal bug: that was known already"
            );
            depends &= !(1 << self.nodes.column(branch));
            way.push(branch);
            branch = self.nodes.follow(branch, row);
        }
        let mut end = Branch::to(Branch::LEAF, self.leaves.len());
        self.leaves.push(leaf);
        // The last column that is asked for first, so that each node knows where it leads.
        while depends != 0 {
            let column = (u64::BITS - 1 - depends.leading_zeros()) as u8;
            depends &= !(1 << column);
            end = self.nodes.one(column, id_in(column), end);
        }
        while let Some(node) = way.pop() {
            let moved = self.nodes.set(node, id_in(self.nodes.column(node)), end);
            if moved == node {
                return;
            }
            end = moved;
        }
        self.roots[offer] = end;
    }

    /// Adds a transition, for a leaf to be made.
    pub fn push(&mut self, transition: Transition<T>, updates: &[Update], growth: u64) {
        self.transitions.push(transition);
        self.updates.extend_from_slice(updates);
        let end = u32::try_from(self.updates.len()).expect("internal bug: the memo is bounded");
        self.updates_from.push(end);
        self.growths.push(growth);
    }

    /// How many transitions there are.
    pub fn len(&self) -> usize {
        self.transitions.len()
    }

    /// Whether nothing more should be remembered.
    pub fn is_full(&self) -> bool {
        self.transitions.len() + self.nodes.arena.len() > ENTRIES_MAX
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
        let maps = self.nodes.maps.iter();
        let maps: usize = maps.map(|map| map.branches.capacity() * 10).sum();
        maps + self.nodes.arena.capacity() * size_of::<u32>()
            + self.leaves.capacity() * size_of::<Leaf>()
            + self.transitions.capacity() * size_of::<Transition<T>>()
            + self.updates_from.capacity() * size_of::<u32>()
            + self.updates.capacity() * size_of::<Update>()
            + self.growths.capacity() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(n: u32) -> Leaf {
        Leaf {
            from: n,
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
