//! What a campaign of random stories says to machines: one row. The rows of parts can be added up.

use scenarios::coverage::Matrix;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::report::defect_line;
use crate::exit::Exit;
use crate::fuzz::row::{EndedBy, hexadecimal};
use crate::merge::part::{Campaign, Part, Span, words};
use crate::output::{Case, Failure};
use crate::stage;

/// The row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// The stories of this campaign, or of this part.
    pub random: Span,
    pub dialects: Vec<String>,
    pub strategy: String,
    pub root: u64,
    /// The runs of each story.
    pub seeds: Span,
    pub campaign: Campaign,
    pub verdict: String,
    /// Which stories were played.
    pub covered: Vec<Span>,
    pub ended_by: Option<EndedBy>,
    pub stories: u64,
    pub runs: u64,
    pub steps: u64,
    pub unrested: u64,
    #[serde(with = "hexadecimal")]
    pub digest: u128,
    /// By name.
    pub defects: Vec<Met>,
    /// By signature.
    pub findings: Vec<Found>,
    pub nondeterminism: Option<Value>,
    #[serde(with = "matrix")]
    pub coverage: Matrix,
}

/// How often a known defect was met.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Met {
    pub defect: String,
    pub stories: u64,
    pub runs: u64,
}

/// A kind of failures: the first of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Found {
    pub scenario: String,
    pub dialect: String,
    pub seed: u64,
    pub message: String,
    pub signature: String,
    pub runs: u64,
}

/// A matrix as JSON.
pub mod matrix {
    use scenarios::coverage::Matrix;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::Value;

    pub fn serialize<S: Serializer>(matrix: &Matrix, to: S) -> Result<S::Ok, S::Error> {
        matrix.to_json().serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Matrix, D::Error> {
        Matrix::of_json(&Value::deserialize(from)?).map_err(D::Error::custom)
    }
}

impl Row {
    fn is_cut_short(&self) -> bool {
        matches!(self.ended_by, Some(EndedBy::Time | EndedBy::Interrupt))
    }

    fn word(&self) -> &'static str {
        if self.nondeterminism.is_some() {
            "NONDETERMINISTIC"
        } else if !self.findings.is_empty() {
            "BREACH"
        } else if self.is_cut_short() {
            "INCOMPLETE"
        } else if self.unrested > 0 {
            "UNKNOWN"
        } else {
            "clean"
        }
    }

    fn again(&self, found: &Found) -> String {
        let run = (self.root, found.seed);
        stage::words_to_paste(&found.scenario, &found.dialect, run, &self.strategy)
    }

    fn told_finding(&self, found: &Found) -> Vec<String> {
        let many = match found.runs {
            0 | 1 => String::new(),
            runs => format!(", the first of {runs} runs that fail so"),
        };
        let Found {
            scenario,
            dialect,
            seed,
            message,
            ..
        } = found;
        vec![
            format!("  BREACH  {message}"),
            format!("          in {scenario}, QEMU {dialect}, seed {seed}{many}"),
            format!("  again   {}", self.again(found)),
        ]
    }

    fn title(&self) -> String {
        format!("random:{}", words(&self.random))
    }
}

impl Part for Row {
    const COMMAND: &'static str = "fuzz --random";
    const UNIT: &'static str = "random stories";

    fn name(&self) -> String {
        "the random stories".to_owned()
    }

    fn campaign(&self) -> &Campaign {
        &self.campaign
    }

    fn campaign_mut(&mut self) -> &mut Campaign {
        &mut self.campaign
    }

    fn terms(&self) -> Vec<(&'static str, String)> {
        vec![
            ("list of dialects", self.dialects.join(" and ")),
            ("root seed", self.root.to_string()),
            ("strategy", self.strategy.clone()),
            ("range of runs of each story", words(&self.seeds)),
        ]
    }

    fn covered(&self) -> &[Span] {
        &self.covered
    }

    fn ends(&self) -> bool {
        matches!(
            self.ended_by,
            Some(EndedBy::Nondeterminism | EndedBy::Failure)
        )
    }

    fn found(&self) -> Option<String> {
        let first = self.findings.first();
        first.map(|found| format!("{}: {}", found.scenario, found.message))
    }

    fn add(&mut self, later: &Row) -> Result<(), String> {
        self.ended_by = later.ended_by;
        self.stories = self.stories.saturating_add(later.stories);
        self.runs = self.runs.saturating_add(later.runs);
        self.steps = self.steps.saturating_add(later.steps);
        self.unrested = self.unrested.saturating_add(later.unrested);
        self.digest = self.digest.wrapping_add(later.digest);
        for met in &later.defects {
            match self
                .defects
                .iter_mut()
                .find(|mine| mine.defect == met.defect)
            {
                Some(mine) => {
                    mine.stories = mine.stories.saturating_add(met.stories);
                    mine.runs = mine.runs.saturating_add(met.runs);
                }
                None => self.defects.push(met.clone()),
            }
        }
        self.defects
            .sort_by(|one, other| one.defect.cmp(&other.defect));
        for found in &later.findings {
            let same = |mine: &&mut Found| mine.signature == found.signature;
            match self.findings.iter_mut().find(same) {
                Some(mine) => mine.runs = mine.runs.saturating_add(found.runs),
                None => self.findings.push(found.clone()),
            }
        }
        self.findings
            .sort_by(|one, other| one.signature.cmp(&other.signature));
        self.nondeterminism = self
            .nondeterminism
            .take()
            .or_else(|| later.nondeterminism.clone());
        self.coverage.add(&later.coverage);
        Ok(())
    }

    fn conclude(&mut self, covered: Vec<Span>, is_whole: bool) {
        self.random = self.campaign.asked;
        self.covered = covered;
        if !is_whole && !self.ends() {
            self.ended_by = Some(EndedBy::Interrupt);
        }
        self.verdict = self.word().to_owned();
    }

    fn exit(&self) -> Exit {
        if self.nondeterminism.is_some() {
            Exit::Nondeterministic
        } else if !self.findings.is_empty() {
            Exit::Violated
        } else if self.unrested > 0 || self.is_cut_short() {
            Exit::Inconclusive
        } else if self.stories == 0 {
            Exit::NothingChecked
        } else {
            Exit::Clean
        }
    }

    fn runs(&self) -> u64 {
        self.runs
    }

    fn told(&self, _: usize) -> Vec<String> {
        let [first, behind] = self.seeds;
        let mut lines = vec![format!(
            "{}  {} stories, {} runs of each in QEMU {}: {} runs, {} steps  {}",
            self.title(),
            self.stories,
            behind.saturating_sub(first),
            self.dialects.join(" and "),
            self.runs,
            self.steps,
            self.verdict
        )];
        let defects = self.defects.iter();
        lines.extend(defects.map(|met| defect_line(&met.defect, met.stories, met.runs)));
        lines.extend(
            self.findings
                .iter()
                .flat_map(|found| self.told_finding(found)),
        );
        if let Some(found) = &self.nondeterminism {
            let text = |key: &str| found[key].as_str().unwrap_or_default().to_owned();
            lines.push(format!(
                "  NONDETERMINISTIC  {}, QEMU {}, seed {} was not the same twice",
                text("scenario"),
                text("dialect"),
                found["seed"]
            ));
        }
        lines.push(String::new());
        lines.extend(self.coverage.to_string().lines().map(str::to_owned));
        lines
    }

    fn case(&self) -> Case {
        let failure = |found: &Found| {
            let (rule, message) = found.message.split_once(": ").unwrap_or_default();
            Failure {
                rule: rule.to_owned(),
                message: format!("{}, QEMU {}: {message}", found.scenario, found.dialect),
                again: self.again(found),
                ..Failure::default()
            }
        };
        Case {
            name: self.title(),
            dialect: String::new(),
            file: self.title(),
            exit: self.exit(),
            word: self.verdict.clone(),
            note: match self.is_cut_short() {
                true => "parts are missing".to_owned(),
                false => String::new(),
            },
            work: format!(
                "{} stories, {} runs, {} steps",
                self.stories, self.runs, self.steps
            ),
            seconds: 0.0,
            failures: self.findings.iter().map(failure).collect(),
        }
    }
}
