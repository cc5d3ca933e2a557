//! Rows of the scoreboard that an earlier call has made.

use model::mutation::Mutation;
use model::property::PROPERTIES;
use serde::{Deserialize, Serialize};
use sim::median::Median;
use sim::search::EVERY_RUN_RESTS;
use sim::trials::Runs;

use super::report::{Row, Schedules};
use super::{Found, Looked, Schedule};
use crate::checkpoint::{Bound, Slot};
use crate::cli::BugsArgs;
use crate::exit::Exit;

/// The rows that are done, in a file.
pub(super) struct Kept {
    slot: Slot,
    rows: Vec<Saved>,
}

/// A row.
#[derive(Serialize, Deserialize)]
struct Saved {
    bug: String,
    found: Answer,
    states: u64,
    seconds: f64,
    /// For each strategy.
    schedules: Option<Vec<Campaigns>>,
}

/// What a search found.
#[derive(Serialize, Deserialize)]
enum Answer {
    Breach(String, usize),
    Nothing,
    TooMany,
}

/// What came of one strategy's campaigns.
#[derive(Serialize, Deserialize)]
struct Campaigns {
    median: Count,
    interval: Option<(Count, Count)>,
    given_up: usize,
    promises: Vec<(String, usize)>,
    runs: u64,
}

/// How many runs: exactly, or at least one more.
#[derive(Clone, Copy, Serialize, Deserialize)]
enum Count {
    Exactly(u64),
    MoreThan(u64),
}

impl Kept {
    /// The rows that an earlier call has made, if that is wanted.
    ///
    /// # Errors
    /// What to print: a checkpoint that cannot be read or written, or is of other options.
    pub fn begin(args: &BugsArgs) -> Result<Option<Kept>, String> {
        let Some(shelf) = args.checkpoint.shelf()? else {
            return Ok(None);
        };
        let strategies: Vec<String> = args.strategy.iter().map(ToString::to_string).collect();
        let bound = Bound::to_rules()
            .option("--roots", args.roots)
            .option("--max-schedules", args.max_schedules)
            .option("--strategy", strategies.join(","))
            .option("--no-schedules", args.no_schedules);
        let slot = shelf.slot("bugs", "bugs", bound)?;
        let rows: Option<Vec<Saved>> = slot.read()?;
        if let Some(rows) = &rows {
            slot.tell(&format!("{} bugs are done", rows.len()));
        }
        let rows = rows.unwrap_or_default();
        slot.write(&rows)?;
        Ok(Some(Kept { slot, rows }))
    }

    /// The row of a bug, if it is done.
    pub fn row(&self, bug: &'static Mutation) -> Option<Row> {
        let saved = self.rows.iter().find(|saved| saved.bug == bug.name)?;
        saved.row(bug)
    }

    /// One more row, if it is done.
    pub fn add(&mut self, row: &Row) {
        let is_new = self.rows.iter().all(|saved| saved.bug != row.bug.name);
        if let (true, Some(saved)) = (is_new, Saved::of(row)) {
            self.rows.push(saved);
            self.slot.keep(&self.rows);
        }
    }
}

impl Saved {
    /// A row that is worth keeping: one that was ended early, or ran into a mistake of ours, is made again.
    fn of(row: &Row) -> Option<Saved> {
        if matches!(row.exit(), Exit::Inconclusive) {
            return None;
        }
        Some(Saved {
            bug: row.bug.name.to_owned(),
            found: match &row.looked.found {
                Found::Breach(property, steps) => Answer::Breach((*property).to_owned(), *steps),
                Found::Nothing => Answer::Nothing,
                Found::TooMany => Answer::TooMany,
                Found::Ended | Found::Panic(_) => return None,
            },
            states: row.looked.states,
            seconds: row.looked.seconds,
            schedules: match &row.schedules {
                Some(Schedules::Done(done)) => Some(done.iter().map(Campaigns::of).collect()),
                Some(Schedules::Ended) | None => None,
            },
        })
    }

    fn row(&self, bug: &'static Mutation) -> Option<Row> {
        let schedules = match &self.schedules {
            Some(all) => {
                let all: Option<Vec<Schedule>> = all.iter().map(Campaigns::schedule).collect();
                Some(Schedules::Done(all?))
            }
            None => None,
        };
        Some(Row {
            bug,
            looked: Looked {
                found: match &self.found {
                    Answer::Breach(property, steps) => Found::Breach(promise(property)?, *steps),
                    Answer::Nothing => Found::Nothing,
                    Answer::TooMany => Found::TooMany,
                },
                states: self.states,
                seconds: self.seconds,
            },
            schedules,
        })
    }
}

impl Campaigns {
    fn of(schedule: &Schedule) -> Campaigns {
        let promise = |(name, count): &(&str, usize)| ((*name).to_owned(), *count);
        let interval = schedule.median.interval;
        Campaigns {
            median: Count::of(schedule.median.value),
            interval: interval.map(|(low, high)| (Count::of(low), Count::of(high))),
            given_up: schedule.given_up,
            promises: schedule.promises.iter().map(promise).collect(),
            runs: schedule.runs,
        }
    }

    fn schedule(&self) -> Option<Schedule> {
        let promises = self.promises.iter();
        let promises = promises.map(|(name, count)| Some((promise(name)?, *count)));
        Some(Schedule {
            median: Median {
                value: self.median.runs(),
                interval: self.interval.map(|(low, high)| (low.runs(), high.runs())),
            },
            given_up: self.given_up,
            promises: promises.collect::<Option<_>>()?,
            runs: self.runs,
        })
    }
}

impl Count {
    fn of(runs: Runs) -> Count {
        match runs {
            Runs::Exactly(runs) => Count::Exactly(runs),
            Runs::MoreThan(runs) => Count::MoreThan(runs),
        }
    }

    fn runs(self) -> Runs {
        match self {
            Count::Exactly(runs) => Runs::Exactly(runs),
            Count::MoreThan(runs) => Runs::MoreThan(runs),
        }
    }
}

/// The promise that is called so.
fn promise(name: &str) -> Option<&'static str> {
    let all = PROPERTIES.iter().map(|row| row.id);
    let mut all = all.chain([EVERY_RUN_RESTS, super::EXPECTATION]);
    all.find(|id| *id == name)
}
