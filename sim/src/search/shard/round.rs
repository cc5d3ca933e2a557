//! Whether a state can be reached from itself, with the states in many places.
//!
//! It is counted how many steps lead to each state. Then states to which none leads are taken away with the steps
//! out of them, until there is none (Kahn, *Topological sorting of large networks*, 1962): what is left then leads
//! round. A state's steps are sent to the owners of its successors twice, once to be counted and once to be taken away.

use super::super::path::successors;
use super::super::{Control, Limit, Verdict};
use super::frame::{Malformed, Reader, put};
use super::{Phase, Shard, kind};
use crate::parts::Parts;
use rustc_hash::FxHashMap;
use std::sync::atomic::Ordering::Relaxed;

/// How many states are looked at in one piece of work.
const CHUNK: usize = 1 << 12;

/// What is known of our states.
#[derive(Default)]
pub(super) struct Round {
    /// All of them, until each has said where its steps lead.
    states: Vec<u64>,
    /// How many steps lead to each that was not taken away yet.
    steps_to: FxHashMap<u64, u32>,
    /// States to which no step leads, and whose own steps are to be taken away.
    free: Vec<u64>,
    /// How many were taken away here.
    taken: u64,
    /// Somebody wants an end, or has no room.
    cut: Option<Limit>,
    sum: Sum,
}

/// What the shards have in all, when a round is over.
#[derive(Clone, Copy, Default)]
struct Sum {
    said: usize,
    taken: u64,
    free: u64,
    cut: Option<Limit>,
}

impl Round {
    fn enter(&mut self, key: u64) {
        *self.steps_to.entry(key).or_insert(0) += 1;
    }

    /// A step to a state is taken away.
    fn take(&mut self, key: u64) -> Result<(), Malformed> {
        let Some(steps) = self.steps_to.get_mut(&key) else {
            return Err(Malformed("a step is taken away twice"));
        };
        *steps -= 1;
        if *steps == 0 {
            self.steps_to.remove(&key);
            self.free.push(key);
        }
        Ok(())
    }

    /// Adds what a shard has said.
    fn add(&mut self, taken: u64, free: u64, cut: Option<Limit>) {
        let sum = &mut self.sum;
        sum.said += 1;
        sum.taken += taken;
        sum.free += free;
        sum.cut = match (sum.cut, cut) {
            (Some(Limit::Interrupt), _) | (_, None) => sum.cut,
            _ => cut,
        };
    }

    fn bytes(&self) -> usize {
        let entry = size_of::<(u64, u32)>() + 1;
        let keys = self.states.capacity() + self.free.capacity();
        keys * size_of::<u64>() + self.steps_to.capacity() * entry * 8 / 7
    }
}

impl<S: Parts> Shard<'_, S> {
    /// All states were visited.
    pub(super) fn begin_round(&mut self) {
        let visited = self.search.visited.iter();
        let states: Vec<u64> = visited.flat_map(|segment| segment.iter()).collect();
        self.round = Round {
            states,
            ..Round::default()
        };
        self.phase = Phase::Edges(0);
    }

    /// Whether a piece of work may be begun.
    fn may_go_on(&mut self, control: &Control) -> bool {
        let bytes = self.bytes() + self.round.bytes();
        self.search.bytes = self.search.bytes.max(bytes);
        if bytes as u64 > self.search.options.bytes_max {
            self.round.cut = Some(Limit::BytesForCycles);
        }
        if control.interrupt.load(Relaxed) {
            self.round.cut = Some(Limit::Interrupt);
        }
        self.round.cut.is_none()
    }

    /// Says where the steps of our states lead.
    pub(super) fn send_edges(
        &mut self,
        done: usize,
        control: &Control,
        post: &mut dyn FnMut(usize, Vec<u8>),
    ) -> bool {
        if !self.may_go_on(control) {
            return false;
        }
        let end = (done + CHUNK).min(self.round.states.len());
        for index in done..end {
            for key in self.successors(self.round.states[index]) {
                let owner = self.owner_of(key);
                if owner == self.place.number {
                    self.round.enter(key);
                } else {
                    self.send_row(key, owner, kind::EDGES, post);
                }
            }
        }
        self.phase = Phase::Edges(end);
        end < self.round.states.len()
    }

    pub(super) fn take_edges(&mut self, from: usize, reader: Reader<'_>) -> Result<(), Malformed> {
        self.take_rows(from, reader, |shard, key| {
            shard.round.enter(key);
            Ok(())
        })
    }

    /// All steps are counted.
    pub(super) fn set_free(&mut self) {
        let Round {
            states,
            steps_to,
            free,
            ..
        } = &mut self.round;
        let states = std::mem::take(states).into_iter();
        *free = states.filter(|key| !steps_to.contains_key(key)).collect();
        self.phase = Phase::Take;
    }

    /// Takes away states to which no step leads, and says so to those to which their steps lead.
    pub(super) fn take_away(
        &mut self,
        control: &Control,
        post: &mut dyn FnMut(usize, Vec<u8>),
    ) -> bool {
        if !self.may_go_on(control) {
            return false;
        }
        for _ in 0..CHUNK {
            let Some(key) = self.round.free.pop() else {
                break;
            };
            self.round.taken += 1;
            for key in self.successors(key) {
                let owner = self.owner_of(key);
                if owner == self.place.number {
                    let taken = self.round.take(key);
                    taken.expect("internal bug: a step was not counted");
                } else {
                    self.send_row(key, owner, kind::EDGES, post);
                }
            }
        }
        !self.round.free.is_empty()
    }

    pub(super) fn take_ends(&mut self, from: usize, reader: Reader<'_>) -> Result<(), Malformed> {
        self.take_rows(from, reader, |shard, key| shard.round.take(key))
    }

    /// Says how many states were taken away here, and how many are to be.
    pub(super) fn tell_taken(&mut self, post: &mut dyn FnMut(usize, Vec<u8>)) -> bool {
        let (taken, free) = (self.round.taken, self.round.free.len() as u64);
        let cut = match self.round.cut {
            None => 0,
            Some(Limit::Interrupt) => 1,
            Some(_) => 2,
        };
        let mut frame = vec![kind::TAKEN];
        for number in [taken, free, cut] {
            put(&mut frame, number);
        }
        for to in (0..self.place.count.get()).filter(|to| *to != self.place.number) {
            post(to, frame.clone());
        }
        self.round.add(taken, free, self.round.cut);
        false
    }

    pub(super) fn take_taken(
        &mut self,
        _from: usize,
        mut reader: Reader<'_>,
    ) -> Result<(), Malformed> {
        let (taken, free) = (reader.number()?, reader.number()?);
        let cut = match reader.below(3)? {
            0 => None,
            1 => Some(Limit::Interrupt),
            _ => Some(Limit::BytesForCycles),
        };
        self.round.add(taken, free, cut);
        Ok(())
    }

    /// All have said it: goes on, or knows.
    pub(super) fn take_more_or_end(&mut self) -> Result<(), Malformed> {
        let sum = std::mem::take(&mut self.round.sum);
        if sum.said != self.place.count.get() {
            return Err(Malformed("what was taken away is missing"));
        }
        match sum.cut {
            Some(limit) => self.end(Verdict::Inconclusive(limit)),
            None if sum.free > 0 => self.phase = Phase::Take,
            None if sum.taken == self.sum.states => self.end(Verdict::Verified),
            None => self.end(Verdict::Inconclusive(Limit::Cycle)),
        }
        Ok(())
    }

    /// Where the steps of a state lead, in no order.
    fn successors(&mut self, key: u64) -> Vec<u64> {
        let search = &mut self.search;
        let steps = successors(&mut search.workers[0], &search.rows, key);
        steps.into_iter().map(|(_, key)| key).collect()
    }
}
