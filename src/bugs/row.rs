//! What the scoreboard says to machines about one bug: a row. The rows of parts can be added up: each part has some of
//! the root seeds, and has searched as all others.

use model::property::PROPERTIES;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sim::search::EVERY_RUN_RESTS;
use sim::trials::{Runs, Trial};

use super::report::schedule;
use super::{EXPECTATION, Schedule};
use crate::exit::Exit;
use crate::merge::part::{Campaign, Part, Span};
use crate::output::{Case, Failure};

/// The row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    pub mutation: String,
    pub bug: String,
    pub scenario: String,
    pub dialect: String,
    pub campaign: Campaign,
    pub verdict: String,
    pub breaks: String,
    pub broken: Option<String>,
    /// Which root seeds were tried.
    pub covered: Vec<Span>,
    pub states: u64,
    pub steps: Option<usize>,
    pub roots: u64,
    pub max_schedules: u64,
    /// By strategy.
    pub schedules: Option<Map<String, Value>>,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub measured: Value,
    /// Of a part: what came of each of its root seeds, for each strategy in the order of `schedules`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Vec<Tried>>,
}

/// What came of the root seeds under one strategy; in reports, and in checkpoints.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tried(Vec<Root>);

/// After how many runs of a root seed which promise was broken; nothing where it was given up.
type Root = Option<(u64, String)>;

impl Tried {
    /// What these trials were.
    pub(super) fn of(schedule: &Schedule) -> Tried {
        let one = |trial: &Trial| {
            let property = trial.property?;
            Some((trial.runs.done(), property.to_owned()))
        };
        Tried(schedule.trials.iter().map(one).collect())
    }

    /// And back; a campaign was given up after so many runs.
    ///
    /// # Errors
    /// A promise that is none, more runs than there can be, or no root seed at all.
    pub(super) fn schedule(&self, runs_max: u64) -> Result<Schedule, String> {
        let one = |root: &Root| match root {
            None => Ok(Trial {
                runs: Runs::MoreThan(runs_max),
                property: None,
            }),
            Some((runs, _)) if !(1..=runs_max).contains(runs) => Err(format!(
                "has a root seed with {runs} runs of 1 to {runs_max}"
            )),
            Some((runs, name)) => Ok(Trial {
                runs: Runs::Exactly(*runs),
                property: Some(promise(name)?),
            }),
        };
        let trials: Vec<Trial> = self.0.iter().map(one).collect::<Result<_, _>>()?;
        Schedule::of(trials).ok_or_else(|| "has no root seed".to_owned())
    }
}

/// The promise that is called so.
///
/// # Errors
/// There is none.
pub(super) fn promise(name: &str) -> Result<&'static str, String> {
    let promises = PROPERTIES.iter().map(|property| property.id);
    let mut all = promises.chain([EVERY_RUN_RESTS, EXPECTATION]);
    all.find(|known| *known == name)
        .ok_or_else(|| format!("no promise is called {name}"))
}

/// What ended before it was done.
const INCONCLUSIVE: &str = "inconclusive";

impl Row {
    /// The schedules of these root seeds and of the part behind.
    fn schedules_with(&self, later: &Row) -> Result<Option<Map<String, Value>>, String> {
        let (Some(mine), Some(others)) = (&self.schedules, &later.schedules) else {
            return match self.schedules.is_none() && later.schedules.is_none() {
                true => Ok(None),
                false => Err("has schedules, or has none, unlike another part".to_owned()),
            };
        };
        if !mine.keys().eq(others.keys()) {
            return Err("has other strategies than another part".to_owned());
        }
        let (Some(seen), Some(more)) = (&self.seen, &later.seen) else {
            return Err("has no `seen`, which the reports of parts have".to_owned());
        };
        if [seen.len(), more.len()] != [mine.len(); 2] {
            return Err("has no `seen` for some strategy".to_owned());
        }
        let both = |(Tried(seen), Tried(more)): (&Tried, &Tried)| {
            let tried = Tried([&seen[..], more].concat());
            let done = tried.schedule(self.max_schedules);
            done.map(|done| schedule(&done))
        };
        let all = mine.keys().zip(seen.iter().zip(more));
        let all = all.map(|(strategy, tried)| Ok((strategy.clone(), both(tried)?)));
        all.collect::<Result<_, String>>().map(Some)
    }

    /// `random 12`, and so on.
    fn medians(&self) -> String {
        let schedules = self.schedules.iter().flatten();
        let words = schedules.map(|(strategy, of)| match of["median"].as_u64() {
            Some(median) => format!("{strategy} {median}"),
            None => format!("{strategy} >{}", self.max_schedules),
        });
        words.collect::<Vec<_>>().join("  ")
    }
}

impl Part for Row {
    const COMMAND: &'static str = "bugs";
    const UNIT: &'static str = "root seeds";

    fn name(&self) -> String {
        self.mutation.clone()
    }

    fn campaign(&self) -> &Campaign {
        &self.campaign
    }

    fn campaign_mut(&mut self) -> &mut Campaign {
        &mut self.campaign
    }

    fn terms(&self) -> Vec<(&'static str, String)> {
        vec![
            ("story", self.scenario.clone()),
            ("dialect", self.dialect.clone()),
            ("promise", self.breaks.clone()),
            ("--max-schedules", self.max_schedules.to_string()),
        ]
    }

    fn covered(&self) -> &[Span] {
        &self.covered
    }

    fn ends(&self) -> bool {
        false
    }

    fn found(&self) -> Option<String> {
        None
    }

    fn add(&mut self, later: &Row) -> Result<(), String> {
        if later.verdict == INCONCLUSIVE {
            return Ok(());
        }
        if self.verdict == INCONCLUSIVE {
            *self = later.clone();
            return Ok(());
        }
        let searched = |row: &Row| {
            (
                row.verdict.clone(),
                row.broken.clone(),
                row.states,
                row.steps,
            )
        };
        if searched(self) != searched(later) {
            return Err("its search came out otherwise than that of another part".to_owned());
        }
        self.schedules = self.schedules_with(later)?;
        if let (Some(seen), Some(more)) = (&mut self.seen, &later.seen) {
            for (Tried(seen), Tried(more)) in seen.iter_mut().zip(more) {
                seen.extend(more.iter().cloned());
            }
        }
        let seconds = |row: &Row| row.measured["seconds"].as_f64().unwrap_or_default();
        if !self.measured.is_null() {
            self.measured = json!({"seconds": seconds(self) + seconds(later)});
        }
        Ok(())
    }

    fn conclude(&mut self, covered: Vec<Span>, is_whole: bool) {
        self.covered = covered;
        self.seen = None;
        if !is_whole {
            self.verdict = INCONCLUSIVE.to_owned();
        }
    }

    fn exit(&self) -> Exit {
        match &*self.verdict {
            "found" => Exit::Clean,
            INCONCLUSIVE => Exit::Inconclusive,
            "panic" => Exit::Internal,
            _ => Exit::Violated,
        }
    }

    fn runs(&self) -> u64 {
        let runs = |of: &Value| of["runs"].as_u64().unwrap_or_default();
        let schedules = self.schedules.iter().flat_map(Map::values);
        schedules.map(runs).fold(0, u64::saturating_add)
    }

    fn told(&self, width: usize) -> Vec<String> {
        let broken = self.broken.as_deref().unwrap_or("-");
        let steps = self.steps.map_or("-".to_owned(), |steps| steps.to_string());
        vec![format!(
            "{:<width$}  {broken} in {steps} steps, after {} states  {}  {}",
            self.mutation,
            self.states,
            self.medians(),
            self.verdict
        )]
    }

    fn case(&self) -> Case {
        let Row {
            mutation, verdict, ..
        } = self;
        let failure = Failure {
            rule: "planted-bug".to_owned(),
            message: format!("{mutation}: {verdict}"),
            again: format!("blockrace bugs {mutation}"),
            ..Failure::default()
        };
        Case {
            name: mutation.clone(),
            dialect: self.dialect.clone(),
            file: format!("scenarios/{}.yaml", self.scenario),
            exit: self.exit(),
            word: verdict.clone(),
            note: String::new(),
            work: self.medians(),
            seconds: 0.0,
            failures: match self.exit() {
                Exit::Clean | Exit::Inconclusive => Vec::new(),
                _ => vec![failure],
            },
        }
    }
}
