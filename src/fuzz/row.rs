//! What a campaign says to machines about one scenario in one dialect: a row. The rows of parts can be added up.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sim::fuzz::{Count, KINDS_MAX};

use super::report;
use super::sample::{Counted, Seen};
use super::verdict::{Facts, Verdict};
use crate::exit::Exit;
use crate::merge::part::{Campaign, Part, Span};
use crate::output::{self, Case};
use crate::stage;
use crate::terminal;

/// The row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    pub scenario: String,
    pub dialect: String,
    /// The file that the scenario came from, and a hash of what it says.
    pub file: String,
    pub content: String,
    pub strategy: String,
    pub root: u64,
    pub campaign: Campaign,
    pub verdict: String,
    /// Which seeds were played.
    pub covered: Vec<Span>,
    pub ended_by: Option<EndedBy>,
    pub runs: u64,
    pub steps: u64,
    pub unrested: u64,
    pub interrupted: bool,
    pub out_of_time: bool,
    #[serde(with = "hexadecimal")]
    pub digest: u128,
    #[serde(with = "Counted")]
    pub traces: Count,
    #[serde(with = "Counted")]
    pub ends: Count,
    pub chance_of_new_trace: f64,
    pub failures: u64,
    pub failure: Option<Failed>,
    pub findings: Vec<Found>,
    pub known: Vec<Known>,
    pub nondeterminism: Option<Value>,
    /// Of a part: what it saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
}

/// What ended a campaign before its last seed, or with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndedBy {
    /// A run was not the same twice.
    Nondeterminism,
    /// A failure of an earlier campaign still fails: no seed was played.
    KnownFailure,
    /// The first failure.
    Failure,
    /// Its time was over.
    Time,
    /// Somebody pressed Ctrl-C, or parts are missing.
    Interrupt,
}

/// A run that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    pub seed: u64,
    pub steps: u64,
    pub message: String,
}

/// A kind of failures: the first of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    #[serde(flatten)]
    pub first: Failed,
    pub signature: String,
    pub runs: u64,
    pub kept: Option<PathBuf>,
    /// The known defect, if the story says that it shows it.
    pub defect: Option<String>,
}

/// What came of a failure of an earlier campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    pub file: PathBuf,
    pub state: String,
    pub message: Option<String>,
}

/// The state of one that fails still.
pub const FAILS: &str = "fails";

/// A digest is 32 digits.
pub mod hexadecimal {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(number: &u128, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&format!("{number:032x}"))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u128, D::Error> {
        let text = String::deserialize(from)?;
        u128::from_str_radix(&text, 16).map_err(|_| D::Error::custom("a digest is hexadecimal"))
    }
}

impl Row {
    fn facts(&self) -> Facts {
        let unknown = self.findings.iter().any(|found| found.defect.is_none());
        let counted: u64 = self
            .findings
            .iter()
            .map(|found| found.runs)
            .fold(0, u64::saturating_add);
        Facts {
            differs: self.nondeterminism.is_some(),
            breaks: unknown || counted < self.failures || self.still_fails().next().is_some(),
            lacks_parts: self.interrupted,
            unrested: self.unrested,
            runs: self.runs,
            failures: self.failures,
            ..Facts::default()
        }
    }

    /// The known failures that fail still.
    fn still_fails(&self) -> impl Iterator<Item = &Known> {
        self.known.iter().filter(|known| known.state == FAILS)
    }

    fn again(&self, seed: u64) -> String {
        let run = (self.root, seed);
        stage::words_to_paste(&self.scenario, &self.dialect, run, &self.strategy)
    }

    fn add_finding(&mut self, later: &Found) {
        let same = |found: &&mut Found| found.signature == later.signature;
        let has_room = self.findings.len() < KINDS_MAX;
        match self.findings.iter_mut().find(same) {
            Some(found) => found.runs = found.runs.saturating_add(later.runs),
            None if has_room => self.findings.push(later.clone()),
            None => {}
        }
    }

    fn add_known(&mut self, later: &Known) {
        let same = |known: &&mut Known| known.file == later.file;
        match self.known.iter_mut().find(same) {
            Some(known) if later.state == FAILS => *known = later.clone(),
            Some(_) => {}
            None => self.known.push(later.clone()),
        }
    }

    fn told_finding(&self, found: &Found) -> Vec<String> {
        let word = match found.defect {
            Some(_) => "DEFECT",
            None => "BREACH",
        };
        let Failed {
            seed,
            steps,
            message,
        } = &found.first;
        let many = match found.runs {
            0 | 1 => String::new(),
            runs => format!(", the first of {runs} runs that fail so"),
        };
        let mut lines = vec![
            format!("  {word}  {message}"),
            format!("          after {steps} steps of seed {seed}{many}"),
            format!("  again   {}", self.again(*seed)),
        ];
        let kept = found.kept.as_ref();
        lines.extend(kept.map(|file| format!("  kept    {}", file.display())));
        lines
    }

    fn told_nondeterminism(&self, found: &Value) -> Vec<String> {
        let seed = found["seed"].as_u64().unwrap_or_default();
        vec![
            format!("  NONDETERMINISTIC  seed {seed} was not the same twice"),
            format!("  again   {}", self.again(seed)),
        ]
    }

    /// What is wrong, for documents.
    fn failures(&self) -> Vec<output::Failure> {
        let known = self.still_fails().map(|known| output::Failure {
            kept: Some(known.file.clone()),
            again: format!("blockrace replay {}", known.file.display()),
            ..failure(known.message.as_deref().unwrap_or_default())
        });
        let new = self.findings.iter().filter(|found| found.defect.is_none());
        let new = new.map(|found| output::Failure {
            kept: found.kept.clone(),
            again: self.again(found.first.seed),
            ..failure(&found.first.message)
        });
        let differs = self.nondeterminism.iter().map(|found| {
            let seed = found["seed"].as_u64().unwrap_or_default();
            output::Failure {
                rule: "same-twice".to_owned(),
                message: format!("seed {seed} was not the same twice"),
                again: self.again(seed),
                ..output::Failure::default()
            }
        });
        known.chain(new).chain(differs).collect()
    }
}

/// A broken promise: `PROPERTY: what happened`.
fn failure(message: &str) -> output::Failure {
    let (rule, message) = message
        .split_once(": ")
        .unwrap_or(("inconclusive", message));
    output::Failure {
        rule: rule.to_owned(),
        message: message.to_owned(),
        ..output::Failure::default()
    }
}

impl Part for Row {
    const COMMAND: &'static str = "fuzz";
    const UNIT: &'static str = "seeds";

    fn name(&self) -> String {
        format!("{} (QEMU {})", self.scenario, self.dialect)
    }

    fn campaign(&self) -> &Campaign {
        &self.campaign
    }

    fn campaign_mut(&mut self) -> &mut Campaign {
        &mut self.campaign
    }

    fn terms(&self) -> Vec<(&'static str, String)> {
        vec![
            ("root seed", self.root.to_string()),
            ("strategy", self.strategy.clone()),
            ("content of the scenario", self.content.clone()),
        ]
    }

    fn covered(&self) -> &[Span] {
        &self.covered
    }

    fn ends(&self) -> bool {
        use EndedBy::{Failure, KnownFailure, Nondeterminism};
        matches!(self.ended_by, Some(Nondeterminism | KnownFailure | Failure))
    }

    fn found(&self) -> Option<String> {
        let failure = self.failure.as_ref();
        failure.map(|failure| format!("seed {}: {}", failure.seed, failure.message))
    }

    fn add(&mut self, later: &Row) -> Result<(), String> {
        let (Some(seen), Some(more)) = (&mut self.seen, &later.seen) else {
            return Err("has no `seen`, which the reports of parts have".to_owned());
        };
        seen.traces.add(&more.traces);
        seen.ends.add(&more.ends);
        (self.traces, self.ends) = (seen.traces.count(), seen.ends.count());
        self.ended_by = later.ended_by;
        self.runs = self.runs.saturating_add(later.runs);
        self.steps = self.steps.saturating_add(later.steps);
        self.unrested = self.unrested.saturating_add(later.unrested);
        self.digest = self.digest.wrapping_add(later.digest);
        self.failures = self.failures.saturating_add(later.failures);
        self.failure = self.failure.take().or_else(|| later.failure.clone());
        later
            .findings
            .iter()
            .for_each(|found| self.add_finding(found));
        later.known.iter().for_each(|known| self.add_known(known));
        self.nondeterminism = later.nondeterminism.clone();
        self.out_of_time |= later.out_of_time;
        Ok(())
    }

    fn conclude(&mut self, covered: Vec<Span>, is_whole: bool) {
        self.covered = covered;
        self.interrupted = !is_whole;
        self.out_of_time &= self.interrupted;
        if self.interrupted && !self.ends() {
            self.ended_by = Some(EndedBy::Interrupt);
        }
        self.chance_of_new_trace = self.traces.chance_of_new(self.runs);
        self.seen = None;
        self.verdict = Verdict::of(&self.facts()).word().to_owned();
    }

    fn exit(&self) -> Exit {
        Verdict::of(&self.facts()).exit()
    }

    fn runs(&self) -> u64 {
        self.runs
    }

    fn told(&self, width: usize) -> Vec<String> {
        let numbers = report::numbers(&self.dialect, self.runs, (self.traces, self.ends));
        let mut lines = vec![terminal::row(
            &self.scenario,
            width,
            &numbers,
            &self.verdict,
        )];
        for known in &self.known {
            let (state, file) = (&known.state, known.file.display());
            lines.push(match &known.message {
                Some(message) => format!("  BREACH  {message}, as before: {file}"),
                None => format!("  {state:<7} {file}"),
            });
        }
        for found in &self.findings {
            lines.extend(self.told_finding(found));
        }
        let kinds: u64 = self
            .findings
            .iter()
            .map(|found| found.runs)
            .fold(0, u64::saturating_add);
        if self.failures > kinds {
            lines.push(format!("  and {} more failures", self.failures - kinds));
        }
        let differs = self.nondeterminism.iter();
        lines.extend(differs.flat_map(|found| self.told_nondeterminism(found)));
        lines
    }

    fn case(&self) -> Case {
        let traces = report::counted(self.traces);
        Case {
            name: self.scenario.clone(),
            dialect: self.dialect.clone(),
            file: self.file.clone(),
            exit: self.exit(),
            word: self.verdict.clone(),
            note: match self.interrupted {
                true => "parts are missing".to_owned(),
                false => String::new(),
            },
            work: format!("{} runs, {traces} traces", self.runs),
            seconds: 0.0,
            failures: self.failures(),
        }
    }
}
