//! Replay as well as can be: follows a schedule that is older than the system, and says where it
//! could not.
//!
//! At each point the first step of the schedule is taken that has not been done and is possible, by
//! its own name or by a near one ([`near::renamed`]) that the schedule does not use for another
//! step. What stands before it keeps its place and is done late if it becomes possible. Only when
//! nothing scheduled is possible, or left, a step is taken that the schedule does not have: the
//! least one.

use super::{Choice, Choices, Strategy};
use crate::near;
use crate::schedule::{Schedule, ScheduledStep};
use std::fmt::{self, Display};

/// Follows a schedule as far as the system lets it, and then goes on until the run rests.
#[derive(Clone, Debug)]
pub struct BestEffort {
    schedule: Schedule,
    /// Indices of the scheduled steps that have not been done, ascending.
    left: Vec<usize>,
    /// How many scheduled steps were done or passed over: the highest index done, plus one.
    reached: usize,
    /// How many steps the run has done.
    done: usize,
    deviations: Vec<Deviation>,
}

/// One way in which a run differs from its schedule. Steps are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deviation {
    /// Step `at` of the run is called otherwise in the schedule.
    Renamed {
        /// The step of the run.
        at: usize,
        /// What the schedule calls it.
        wanted: Place,
        /// What it is called.
        did: String,
    },
    /// Step `at` of the run was not possible when its turn came.
    Late {
        /// The step of the run.
        at: usize,
        /// The scheduled step.
        wanted: Place,
    },
    /// From step `at` of the run on, these steps are not in the schedule.
    Added {
        /// The first of them.
        at: usize,
        /// Their names.
        names: Vec<String>,
    },
    /// This was never possible when it could have been done.
    LeftOut(Place),
}

/// A step of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which one, counted from 1.
    pub step: usize,
    /// The line it stands on, counted from 1, if it was read from a text.
    pub line: Option<usize>,
    /// Its name.
    pub name: String,
}

/// How many added steps are named before the rest is only counted.
const NAMED_MAX: usize = 3;

impl BestEffort {
    /// Follows `schedule` from its first step, in every run anew.
    #[must_use]
    pub fn new(schedule: Schedule) -> BestEffort {
        BestEffort {
            left: (0..schedule.steps().len()).collect(),
            schedule,
            reached: 0,
            done: 0,
            deviations: Vec::new(),
        }
    }

    /// How the run so far differs from the schedule, in the order of the run; what was left out
    /// comes last.
    #[must_use]
    pub fn deviations(&self) -> Vec<Deviation> {
        let left_out = self
            .left
            .iter()
            .map(|index| Deviation::LeftOut(self.place(*index)));
        self.deviations.iter().cloned().chain(left_out).collect()
    }

    fn place(&self, index: usize) -> Place {
        let ScheduledStep { name, line } = &self.schedule.steps()[index];
        Place {
            step: index + 1,
            line: *line,
            name: name.clone(),
        }
    }

    fn name(&self, index: usize) -> &str {
        &self.schedule.steps()[index].name
    }

    /// The first scheduled step that is possible, as its position in `left`, and which of the
    /// possible steps that is.
    fn scheduled(&self, possible: &[&str]) -> Option<(usize, usize)> {
        let is_left = |name: &&str| self.left.iter().any(|index| self.name(*index) == *name);
        let unscheduled: Vec<&str> = possible
            .iter()
            .copied()
            .filter(|name| !is_left(name))
            .collect();
        self.left.iter().enumerate().find_map(|(position, index)| {
            let wanted = self.name(*index);
            let exact = possible.iter().position(|name| *name == wanted);
            let found = exact.or_else(|| {
                let renamed = near::renamed(wanted, &unscheduled)?;
                possible.iter().position(|name| *name == renamed)
            });
            found.map(|choice| (position, choice))
        })
    }

    fn do_scheduled(&mut self, position: usize, did: &str) {
        let index = self.left.remove(position);
        let wanted = self.place(index);
        let at = self.done + 1;
        if wanted.name != did {
            let did = did.to_owned();
            self.deviations.push(Deviation::Renamed { at, wanted, did });
        } else if index < self.reached {
            self.deviations.push(Deviation::Late { at, wanted });
        }
        self.reached = self.reached.max(index + 1);
    }

    fn do_unscheduled(&mut self, did: &str) {
        let (at, did) = (self.done + 1, did.to_owned());
        match self.deviations.last_mut() {
            Some(Deviation::Added { at: first, names }) if *first + names.len() == at => {
                names.push(did);
            }
            _ => self.deviations.push(Deviation::Added {
                at,
                names: vec![did],
            }),
        }
    }
}

impl Strategy for BestEffort {
    fn begin(&mut self, _seed: u64) {
        self.left = (0..self.schedule.steps().len()).collect();
        (self.reached, self.done) = (0, 0);
        self.deviations.clear();
    }

    fn choose(&mut self, choices: &dyn Choices) -> Choice {
        let names: Vec<String> = (0..choices.count())
            .map(|index| choices.name(index))
            .collect();
        let possible: Vec<&str> = names.iter().map(String::as_str).collect();
        let choice = match self.scheduled(&possible) {
            Some((position, choice)) => {
                self.do_scheduled(position, possible[choice]);
                choice
            }
            None => {
                self.do_unscheduled(possible[0]);
                0
            }
        };
        self.done += 1;
        Choice::Step(choice)
    }
}

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "`{}` of line {line}", self.name),
            None => write!(f, "`{}`, step {} of the schedule", self.name, self.step),
        }
    }
}

impl Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Deviation::Renamed { at, wanted, did } => {
                write!(f, "step {at}: `{did}` instead of {wanted}")
            }
            Deviation::Late { at, wanted } => {
                write!(f, "step {at}: {wanted}, later than scheduled")
            }
            Deviation::Added { at, names } => {
                let named: Vec<String> = names
                    .iter()
                    .take(NAMED_MAX)
                    .map(|name| format!("`{name}`"))
                    .collect();
                write!(f, "step {at}: {}", named.join(", "))?;
                match names.len().saturating_sub(NAMED_MAX) {
                    0 => write!(f, ", not scheduled"),
                    more => write!(f, " and {more} more, not scheduled"),
                }
            }
            Deviation::LeftOut(wanted) => write!(f, "left out: {wanted}, never possible"),
        }
    }
}
