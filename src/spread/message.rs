//! What a member and the one who started it say to each other: a line of JSON each.

use crate::checkpoint::Shares;
use scenarios::scene::{Scene, Step};
use serde::{Deserialize, Serialize};
use sim::search::shard::Outline;
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
    /// See [`Options::cycles`].
    pub cycles: bool,
    /// Where its shares are kept, if they are.
    pub shares: Option<Shares>,
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
            cycles: self.cycles,
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
            cycles,
            ..
        } = self;
        format!(
            "reduction {reduce}, fingerprints {fingerprints}, cycles {cycles}, states {states_max}, depth {depth_max}"
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
    Broken(Outline),
    Inconclusive(Limit),
}

/// A report, with numbers for steps.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reported {
    ending: Ending,
    /// All but the verdict.
    report: Report<Step>,
}

impl Reported {
    /// The report of a search of `scene`.
    pub fn of(scene: &Scene, report: &Report<Step>) -> Reported {
        Reported {
            ending: match &report.verdict {
                Verdict::Verified => Ending::Verified,
                Verdict::Broken(found) => Ending::Broken(Outline::of(scene, found)),
                Verdict::Inconclusive(limit) => Ending::Inconclusive(*limit),
            },
            report: report.clone(),
        }
    }

    /// The report; `None` if it is none of this scene.
    pub fn report(self, scene: &Scene) -> Option<Report<Step>> {
        let Reported { ending, mut report } = self;
        report.verdict = match ending {
            Ending::Verified => Verdict::Verified,
            Ending::Broken(outline) => Verdict::Broken(outline.fill(scene)?),
            Ending::Inconclusive(limit) => Verdict::Inconclusive(limit),
        };
        Some(report)
    }
}
