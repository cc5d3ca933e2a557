//! Rows of the scoreboard that an earlier call has made.

use model::mutation::Mutation;
use serde::{Deserialize, Serialize};

use super::report::{Row, Schedules};
use super::row::{Tried, promise};
use super::{Found, Looked};
use crate::checkpoint::{Bound, Slot};
use crate::cli::BugsArgs;
use crate::exit::Exit;
use crate::merge::part::words;

/// The rows that are done, in a file.
pub(super) struct Kept {
    slot: Slot,
    /// As --max-schedules says.
    runs_max: u64,
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
    schedules: Option<Vec<Tried>>,
}

/// What a search found.
#[derive(Serialize, Deserialize)]
enum Answer {
    Breach(String, usize),
    Nothing,
    TooMany,
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
        let roots = args.roots_of_part();
        let bound = Bound::to_rules()
            .option("--roots", args.roots)
            .option("the root seeds", words(&[roots.start, roots.end]))
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
        Ok(Some(Kept {
            slot,
            runs_max: args.max_schedules.get(),
            rows,
        }))
    }

    /// The row of a bug, if it is done.
    pub fn row(&self, bug: &'static Mutation) -> Option<Row> {
        let saved = self.rows.iter().find(|saved| saved.bug == bug.name)?;
        saved.row(bug, self.runs_max)
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
                Some(Schedules::Done(done)) => Some(done.iter().map(Tried::of).collect()),
                Some(Schedules::Ended) | None => None,
            },
        })
    }

    fn row(&self, bug: &'static Mutation, runs_max: u64) -> Option<Row> {
        let schedules = match &self.schedules {
            Some(all) => {
                let all = all.iter().map(|tried| tried.schedule(runs_max).ok());
                Some(Schedules::Done(all.collect::<Option<_>>()?))
            }
            None => None,
        };
        Some(Row {
            bug,
            looked: Looked {
                found: match &self.found {
                    Answer::Breach(property, steps) => {
                        Found::Breach(promise(property).ok()?, *steps)
                    }
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
