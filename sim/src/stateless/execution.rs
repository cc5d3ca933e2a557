//! The execution under way: who did what, and what happened before what.

use crate::Footprint;

/// A step, as it was done somewhere.
#[derive(Clone, Copy, Debug)]
pub(super) struct Move<T> {
    pub(super) step: T,
    pub(super) actor: usize,
    /// What it touched there. It touches the same wherever only independent steps were exchanged.
    pub(super) footprint: Footprint,
}

impl<T> Move<T> {
    /// Whether the two cannot be exchanged.
    pub(super) fn depends_on<U>(&self, other: Move<U>) -> bool {
        self.actor == other.actor || !self.footprint.independent(other.footprint)
    }
}

/// Whether `first`, which is possible where `sequence` begins, could be the first step of a schedule
/// that extends `sequence` up to exchanges: the *weak initials* of the paper (definition 4.1).
pub(super) fn is_weak_initial<T: Copy + Eq>(first: Move<T>, sequence: &[Move<T>]) -> bool {
    for next in sequence {
        if next.actor == first.actor {
            return next.step == first.step;
        }
        if next.depends_on(first) {
            return false;
        }
    }
    true
}

/// A step of the execution.
#[derive(Clone, Debug)]
pub(super) struct Event<T> {
    pub(super) done: Move<T>,
    /// The events that happen before it, in every schedule of this trace.
    pub(super) past: Past,
    /// What its actor could have done instead.
    pub(super) alternatives: Vec<Move<T>>,
    /// The columns by which what the actor could do was found.
    pub(super) looked: u64,
}

/// A set of events, by their numbers, with all that happens before them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Past(Vec<u64>);

impl Past {
    pub(super) fn contains(&self, index: usize) -> bool {
        self.0
            .get(index / 64)
            .is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    /// Adds event `index`, and with it all that happens before it.
    pub(super) fn add(&mut self, index: usize, before: &Past) {
        let length = (index / 64 + 1).max(before.0.len());
        if self.0.len() < length {
            self.0.resize(length, 0);
        }
        for (word, other) in self.0.iter_mut().zip(&before.0) {
            *word |= other;
        }
        self.0[index / 64] |= 1 << (index % 64);
    }
}
