//! What a member and the one who started it say to each other: a line of JSON each.

use serde::{Deserialize, Serialize};
use sim::System;
use sim::search::shard::{Outline, report};
use sim::search::{Keep, Limit, Options, Report, Verdict};
use std::num::NonZeroUsize;
use std::time::Duration;

/// The first line to a member: what it is to search. The second is the list of hosts, and `"stop"` may follow; when
/// nothing can follow any more, nobody waits for the member.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// The scenario, as on the command line.
    pub scenario: String,
    /// The dialect's name.
    pub dialect: String,
    /// Where to listen.
    pub bind: String,
    /// Which of the members it is.
    pub process: usize,
    /// How long the others are waited for.
    pub connect_timeout: Duration,
    /// After what silence one is gone.
    pub peer_timeout: Duration,
    /// What is left out.
    pub reduce: bool,
    /// Whether only fingerprints are kept.
    pub fingerprints: bool,
    /// How many workers each member has.
    pub jobs: NonZeroUsize,
    /// See [`Options::states_max`].
    pub states_max: u64,
    /// See [`Options::depth_max`].
    pub depth_max: u64,
    /// See [`Options::bytes_max`].
    pub bytes_max: u64,
}

impl Job {
    /// How to search.
    pub fn options(&self) -> Options {
        Options {
            keep: match self.fingerprints {
                true => Keep::Fingerprints,
                false => Keep::Rows,
            },
            reduce: self.reduce,
            cycles: false,
            jobs: self.jobs,
            states_max: self.states_max,
            depth_max: self.depth_max,
            bytes_max: self.bytes_max,
            ..Options::default()
        }
    }

    /// Those of the options that must be the same everywhere, as text.
    pub fn common(&self) -> String {
        let Job {
            reduce,
            fingerprints,
            states_max,
            depth_max,
            ..
        } = self;
        format!(
            "reduction {reduce}, fingerprints {fingerprints}, states {states_max}, depth {depth_max}"
        )
    }
}

/// What a member says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Message {
    /// Where it listens.
    Listening(String),
    /// Something that people should know.
    Note(String),
    /// How far all together are.
    Covered(Counts),
    /// What all together have found.
    Found(Box<Reported>),
    /// Another process is gone.
    Lost(String),
    /// It cannot take part.
    Refused(String),
    /// A mistake of ours.
    Failed(String),
}

/// How far a search is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// States visited.
    pub states: u64,
    /// Steps done.
    pub transitions: u64,
    /// States that wait.
    pub frontier: u64,
    /// The layer.
    pub depth: u64,
}

/// How a search ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Ending {
    Verified,
    Broken {
        places: Vec<u64>,
        at_rest: bool,
        shortest: bool,
    },
    States,
    Depth,
    Bytes,
    Interrupt,
    Peer,
}

/// A report, with numbers for steps.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reported {
    ending: Ending,
    states: u64,
    transitions: u64,
    layers: Vec<u64>,
    resting: u64,
    /// In hexadecimal: JSON's numbers are not so long.
    resting_digest: String,
    witnessed: u64,
    memo_hits: u64,
    memo_misses: u64,
    parts: u64,
    bytes: u64,
    visited_bytes: u64,
    omission_odds: f64,
}

impl Reported {
    /// The report of a search of `system`.
    pub fn of<S: System>(system: &S, report: &Report<S::Step>) -> Reported {
        let ending = match &report.verdict {
            Verdict::Verified => Ending::Verified,
            Verdict::Broken(found) => {
                let Outline {
                    places,
                    at_rest,
                    shortest,
                } = Outline::of(system, found);
                Ending::Broken {
                    places,
                    at_rest,
                    shortest,
                }
            }
            Verdict::Inconclusive(Limit::States) => Ending::States,
            Verdict::Inconclusive(Limit::Depth) => Ending::Depth,
            Verdict::Inconclusive(Limit::Bytes) => Ending::Bytes,
            Verdict::Inconclusive(Limit::Interrupt) => Ending::Interrupt,
            Verdict::Inconclusive(Limit::Peer) => Ending::Peer,
        };
        Reported {
            ending,
            states: report.states,
            transitions: report.transitions,
            layers: report.layers.clone(),
            resting: report.resting,
            resting_digest: format!("{:x}", report.resting_digest),
            witnessed: report.witnessed,
            memo_hits: report.memo_hits,
            memo_misses: report.memo_misses,
            parts: report.parts,
            bytes: report.bytes,
            visited_bytes: report.visited_bytes,
            omission_odds: report.omission_odds,
        }
    }

    /// The report; `None` if it is none of this system.
    pub fn report<S: System>(self, system: &S) -> Option<Report<S::Step>> {
        let verdict = match self.ending {
            Ending::Verified => Verdict::Verified,
            Ending::Broken {
                places,
                at_rest,
                shortest,
            } => {
                let outline = Outline {
                    places,
                    at_rest,
                    shortest,
                };
                Verdict::Broken(outline.fill(system)?)
            }
            Ending::States => Verdict::Inconclusive(Limit::States),
            Ending::Depth => Verdict::Inconclusive(Limit::Depth),
            Ending::Bytes => Verdict::Inconclusive(Limit::Bytes),
            Ending::Interrupt => Verdict::Inconclusive(Limit::Interrupt),
            Ending::Peer => Verdict::Inconclusive(Limit::Peer),
        };
        let mut report = report(verdict);
        report.states = self.states;
        report.transitions = self.transitions;
        report.layers = self.layers;
        report.resting = self.resting;
        report.resting_digest = u128::from_str_radix(&self.resting_digest, 16).ok()?;
        report.witnessed = self.witnessed;
        report.memo_hits = self.memo_hits;
        report.memo_misses = self.memo_misses;
        report.parts = self.parts;
        report.bytes = self.bytes;
        report.visited_bytes = self.visited_bytes;
        report.omission_odds = self.omission_odds;
        Some(report)
    }
}
