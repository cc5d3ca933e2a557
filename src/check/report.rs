//! What `check` says about a scenario.

use std::io::{self, Write};
use std::path::PathBuf;

use model::dialect::Dialect;
use scenarios::scene::Step;
use serde_json::json;
use sim::search::{Limit, Report, Verdict};

use crate::exit::Exit;
use crate::stage::Loaded;

/// What came of a scenario in a dialect.
pub struct Told<'a> {
    /// The story.
    pub loaded: &'a Loaded,
    /// The release whose rules were played.
    pub dialect: &'static Dialect,
    /// Schedules kept earlier that still break a promise.
    pub known: Vec<PathBuf>,
    /// Witnesses that no interleaving reaches.
    pub missed: Vec<String>,
    /// What the search found.
    pub report: Report<Step>,
    /// How long it took.
    pub seconds: f64,
    /// Whether only fingerprints were kept.
    pub fingerprints: bool,
}

impl Told<'_> {
    /// What it means for the command's end.
    pub fn exit(&self) -> Exit {
        match &self.report.verdict {
            Verdict::Broken(_) => Exit::Violated,
            _ if !self.known.is_empty() || !self.missed.is_empty() => Exit::Violated,
            Verdict::Inconclusive(_) => Exit::Inconclusive,
            Verdict::Verified => Exit::Clean,
        }
    }

    fn word(&self) -> &'static str {
        match &self.report.verdict {
            Verdict::Broken(_) => "BROKEN",
            Verdict::Inconclusive(_) => "INCONCLUSIVE",
            Verdict::Verified if !self.missed.is_empty() => "UNREACHED",
            Verdict::Verified => "verified",
        }
    }

    fn depth(&self) -> usize {
        self.report.layers.len().saturating_sub(1)
    }

    /// A line, and what needs to be said besides.
    pub fn print(&self, out: &mut impl Write, width: usize) -> io::Result<()> {
        let (name, dialect, report) = (&self.loaded.name, self.dialect, &self.report);
        writeln!(
            out,
            "{name:<width$}  QEMU {dialect:<5} {:>9} states {:>10} steps  depth {:>4}  {:>6} ends  {}",
            report.states,
            report.transitions,
            self.depth(),
            report.resting,
            self.word(),
        )?;
        if let Verdict::Inconclusive(limit) = report.verdict {
            writeln!(
                out,
                "  ended by {}: nothing was broken so far",
                reason(limit)
            )?;
        }
        for witness in &self.missed {
            writeln!(out, "  no interleaving reaches the witness {witness}")?;
        }
        for file in &self.known {
            writeln!(
                out,
                "  still breaks a promise: blockrace replay {}",
                file.display()
            )?;
        }
        if self.fingerprints {
            writeln!(
                out,
                "  only fingerprints were kept: the odds of a missed state are at most {:.1e}",
                report.omission_odds
            )?;
        }
        Ok(())
    }

    /// The same for machines, with what was measured.
    pub fn print_json(&self, out: &mut impl Write) -> io::Result<()> {
        let report = &self.report;
        let broken = match &report.verdict {
            Verdict::Broken(found) => Some(json!({
                "property": found.breach.property,
                "message": found.breach.message,
                "steps": found.steps.len(),
                "shortest": found.shortest,
            })),
            _ => None,
        };
        let limit = match report.verdict {
            Verdict::Inconclusive(limit) => Some(reason(limit)),
            _ => None,
        };
        let row = json!({
            "scenario": self.loaded.name,
            "dialect": self.dialect.name,
            "verdict": self.word().to_lowercase(),
            "states": report.states,
            "transitions": report.transitions,
            "depth": self.depth(),
            "layers": report.layers,
            "resting": report.resting,
            "resting_digest": format!("{:032x}", report.resting_digest),
            "omission_odds": report.omission_odds,
            "unreached": self.missed,
            "known": self.known,
            "limit": limit,
            "broken": broken,
            "measured": {
                "seconds": self.seconds,
                "bytes": report.bytes,
                "visited_bytes": report.visited_bytes,
                "parts": report.parts,
                "memo_hits": report.memo_hits,
                "memo_misses": report.memo_misses,
            },
        });
        writeln!(out, "{row}")
    }
}

fn reason(limit: Limit) -> &'static str {
    match limit {
        Limit::States => "--max-states",
        Limit::Depth => "--max-depth",
        Limit::Bytes => "--max-memory",
        Limit::Interrupt => "--max-time or Ctrl-C",
    }
}
