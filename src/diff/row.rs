//! What a campaign with a real QEMU says to machines: one row for each QEMU. The rows of parts can be added up.

use scenarios::coverage::Matrix;
use serde::{Deserialize, Serialize};

use crate::exit::Exit;
use crate::fuzz::random::row::matrix;
use crate::merge::part::{Campaign, Part, Span, words};
use crate::output::{Case, Failure};

/// The row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    /// The version of QEMU that was played.
    pub qemu: String,
    pub dialect: String,
    /// The stories of this campaign, or of this part.
    pub seeds: Span,
    pub campaign: Campaign,
    /// How often each story is played by the model alone.
    pub runs_of_each: u64,
    /// Which stories were played.
    pub covered: Vec<Span>,
    pub stories: u64,
    pub lines: u64,
    pub agreed: u64,
    pub undecided: u64,
    pub disagreed: Vec<u64>,
    pub runs: u64,
    pub broken: Vec<u64>,
    #[serde(with = "matrix")]
    pub coverage: Matrix,
    /// Whether stories are missing: time, or somebody's patience, was over.
    pub interrupted: bool,
}

impl Row {
    fn fails(&self) -> bool {
        !self.disagreed.is_empty() || !self.broken.is_empty()
    }

    fn word(&self) -> &'static str {
        match self.exit() {
            Exit::Violated if self.disagreed.is_empty() => "BREACH",
            Exit::Violated => "DISAGREEMENT",
            Exit::Inconclusive if self.interrupted => "INCOMPLETE",
            Exit::Inconclusive => "UNDECIDED",
            _ => "agree",
        }
    }
}

impl Part for Row {
    const COMMAND: &'static str = "diff";
    const UNIT: &'static str = "random stories";

    fn name(&self) -> String {
        format!("QEMU {}", self.qemu)
    }

    fn campaign(&self) -> &Campaign {
        &self.campaign
    }

    fn campaign_mut(&mut self) -> &mut Campaign {
        &mut self.campaign
    }

    fn terms(&self) -> Vec<(&'static str, String)> {
        vec![
            ("dialect", self.dialect.clone()),
            ("number of runs", self.runs_of_each.to_string()),
        ]
    }

    fn covered(&self) -> &[Span] {
        &self.covered
    }

    fn ends(&self) -> bool {
        self.fails() && !self.campaign.keep_going
    }

    fn found(&self) -> Option<String> {
        let (disagreed, broken) = (self.disagreed.first(), self.broken.first());
        let disagreed = disagreed.map(|seed| format!("random:{seed} disagrees"));
        disagreed.or_else(|| broken.map(|seed| format!("random:{seed} breaks a promise")))
    }

    fn add(&mut self, later: &Row) -> Result<(), String> {
        self.stories = self.stories.saturating_add(later.stories);
        self.lines = self.lines.saturating_add(later.lines);
        self.agreed = self.agreed.saturating_add(later.agreed);
        self.undecided = self.undecided.saturating_add(later.undecided);
        self.disagreed.extend(&later.disagreed);
        self.runs = self.runs.saturating_add(later.runs);
        self.broken.extend(&later.broken);
        self.coverage.add(&later.coverage);
        Ok(())
    }

    fn conclude(&mut self, covered: Vec<Span>, is_whole: bool) {
        self.seeds = self.campaign.asked;
        self.covered = covered;
        self.interrupted = !is_whole;
    }

    fn exit(&self) -> Exit {
        if self.fails() {
            Exit::Violated
        } else if self.undecided > 0 || self.interrupted {
            Exit::Inconclusive
        } else {
            Exit::Clean
        }
    }

    fn runs(&self) -> u64 {
        self.runs.saturating_add(self.stories)
    }

    fn told(&self, _: usize) -> Vec<String> {
        let mut lines: Vec<String> = self
            .coverage
            .to_string()
            .lines()
            .map(str::to_owned)
            .collect();
        lines.push(format!(
            "QEMU {}: {} of the random stories {} played, {} lines: {} agree, {} disagree, {} undecided  {}",
            self.qemu,
            self.stories,
            words(&self.seeds),
            self.lines,
            self.agreed,
            self.disagreed.len(),
            self.undecided,
            self.word()
        ));
        for (seeds, what) in [
            (&self.disagreed, "disagrees"),
            (&self.broken, "breaks a promise"),
        ] {
            lines.extend(seeds.iter().map(|seed| format!("  random:{seed} {what}")));
        }
        lines.push(format!(
            "  and {} runs of the model alone: {} stories break a promise that is no known defect",
            self.runs,
            self.broken.len()
        ));
        lines
    }

    fn case(&self) -> Case {
        let failures = [
            (&self.disagreed, "recording", "is not a trace of the model"),
            (
                &self.broken,
                "expectation",
                "breaks a promise in the model alone",
            ),
        ];
        let failure = |seed: &u64, rule: &str, what: &str| Failure {
            rule: rule.to_owned(),
            message: format!("random:{seed} {what}"),
            again: format!("blockrace diff --seeds {seed}"),
            ..Failure::default()
        };
        let all = failures.into_iter();
        Case {
            name: self.name(),
            dialect: self.dialect.clone(),
            file: format!("random:{}", words(&self.seeds)),
            exit: self.exit(),
            word: self.word().to_owned(),
            note: match self.interrupted {
                true => "stories are missing".to_owned(),
                false => String::new(),
            },
            work: format!("{} stories, {} lines", self.stories, self.lines),
            seconds: 0.0,
            failures: all
                .flat_map(|(seeds, rule, what)| {
                    seeds.iter().map(move |seed| failure(seed, rule, what))
                })
                .collect(),
        }
    }
}
