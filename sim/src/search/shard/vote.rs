//! What the shards count, added up at the end of each layer, so that all of them decide alike.

use super::super::{Limit, Report, Search};
use super::frame::{Malformed, Reader, put};
use crate::parts::Parts;

/// What one shard has counted, or all of them together.
#[derive(Clone, Debug, Default)]
pub(super) struct Vote {
    /// What ended the expansion of the layer before it was over.
    pub cut: Option<Limit>,
    /// It is time to keep what was searched so far.
    pub keep: bool,
    /// States of the next layer.
    pub next: u64,
    pub states: u64,
    pub transitions: u64,
    pub resting: u64,
    pub resting_digest: u128,
    pub witnessed: u64,
    /// Broken promises, and those of them that resting breaks.
    pub findings: u64,
    pub findings_at_rest: u64,
    pub memo_hits: u64,
    pub memo_misses: u64,
    pub parts: u64,
    pub bytes: u64,
    pub visited_bytes: u64,
}

impl Vote {
    pub fn of<S: Parts>(search: &Search<'_, S>, cut: Option<Limit>, keep: bool) -> Vote {
        let report = search.report();
        let at_rest = search.findings.iter().filter(|found| found.step.is_none());
        Vote {
            cut,
            keep,
            next: search.next[0].len() as u64,
            states: report.states,
            transitions: report.transitions,
            resting: report.resting,
            resting_digest: report.resting_digest,
            witnessed: report.witnessed,
            findings: search.findings.len() as u64,
            findings_at_rest: at_rest.count() as u64,
            memo_hits: report.memo_hits,
            memo_misses: report.memo_misses,
            parts: report.parts,
            bytes: report.bytes,
            visited_bytes: report.visited_bytes,
        }
    }

    /// Adds what another shard has counted.
    pub fn add(&mut self, other: &Vote) {
        // Somebody who wants it to end is heard before somebody who has no room.
        self.cut = match (self.cut, other.cut) {
            (Some(Limit::Interrupt), _) | (_, None) => self.cut,
            _ => other.cut,
        };
        self.keep |= other.keep;
        self.next += other.next;
        self.states += other.states;
        self.transitions += other.transitions;
        self.resting += other.resting;
        self.resting_digest = self.resting_digest.wrapping_add(other.resting_digest);
        self.witnessed |= other.witnessed;
        self.findings += other.findings;
        self.findings_at_rest += other.findings_at_rest;
        self.memo_hits += other.memo_hits;
        self.memo_misses += other.memo_misses;
        self.parts = self.parts.max(other.parts);
        self.bytes += other.bytes;
        self.visited_bytes += other.visited_bytes;
    }

    /// The frame that says it.
    pub fn frame(&self, kind: u8) -> Vec<u8> {
        let mut bytes = vec![kind];
        let cut = match self.cut {
            None => 0,
            Some(Limit::Interrupt) => 1,
            Some(_) => 2,
        };
        let (low, high) = (self.resting_digest as u64, self.resting_digest >> 64);
        let numbers = [
            cut,
            self.keep.into(),
            self.next,
            self.states,
            self.transitions,
            self.resting,
            low,
            high as u64,
            self.witnessed,
            self.findings,
            self.findings_at_rest,
            self.memo_hits,
            self.memo_misses,
            self.parts,
            self.bytes,
            self.visited_bytes,
        ];
        numbers
            .into_iter()
            .for_each(|number| put(&mut bytes, number));
        bytes
    }

    /// Reads what [`Vote::frame`] wrote after the kind.
    pub fn read(reader: &mut Reader<'_>) -> Result<Vote, Malformed> {
        let cut = match reader.number()? {
            0 => None,
            1 => Some(Limit::Interrupt),
            2 => Some(Limit::Bytes),
            _ => return Err(Malformed("there is no such limit")),
        };
        Ok(Vote {
            cut,
            keep: reader.below(2)? == 1,
            next: reader.number()?,
            states: reader.number()?,
            transitions: reader.number()?,
            resting: reader.number()?,
            resting_digest: u128::from(reader.number()?) | u128::from(reader.number()?) << 64,
            witnessed: reader.number()?,
            findings: reader.number()?,
            findings_at_rest: reader.number()?,
            memo_hits: reader.number()?,
            memo_misses: reader.number()?,
            parts: reader.number()?,
            bytes: reader.number()?,
            visited_bytes: reader.number()?,
        })
    }

    /// The report of all shards, from that of one of them.
    pub fn report<T>(&self, of_one: Report<T>) -> Report<T> {
        let pairs = self.states as f64 * (self.states as f64 - 1.0) / 2.0;
        Report {
            states: self.states,
            transitions: self.transitions,
            resting: self.resting,
            resting_digest: self.resting_digest,
            witnessed: self.witnessed,
            memo_hits: self.memo_hits,
            memo_misses: self.memo_misses,
            parts: self.parts,
            bytes: self.bytes,
            visited_bytes: self.visited_bytes,
            omission_odds: match of_one.omission_odds {
                0.0 => 0.0,
                _ => (pairs / 2_f64.powi(63)).min(1.0),
            },
            ..of_one
        }
    }
}
