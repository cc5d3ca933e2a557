//! Replay as well as can be: follows a schedule that is older than the system, and says where it
//! could not.
//!
//! At each point the first step of the schedule is taken that has not been done and is possible, by
//! its own name or by a near one ([`near::renamed`]) that the schedule does not use for another
//! step. What stands before it keeps its place and is done late if it becomes possible. Only when
//! nothing scheduled is possible, or left, a step is taken that the schedule does not have: the
//! least one. A schedule of very many different steps is followed by their own names only.

use super::{Choice, Choices, Strategy};
use crate::near;
use crate::schedule::{Schedule, ScheduledStep};
use std::collections::{BTreeMap, VecDeque};
use std::fmt::{self, Display};

/// Follows a schedule as far as the system lets it, and then goes on until the run rests.
#[derive(Clone, Debug)]
pub struct BestEffort {
    schedule: Schedule,
    /// By its name, which scheduled steps have not been done: their indices, ascending, at least one.
    left: BTreeMap<String, VecDeque<usize>>,
    /// By the name of a step that was possible and not scheduled, the names in the schedule that it may have had.
    near: BTreeMap<String, Vec<String>>,
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

/// How many different names a schedule may have for near ones to be looked for among them.
const COMPARED_MAX: usize = 2_000;

/// How many added steps are named before the rest is only counted.
const NAMED_MAX: usize = 3;

/// The indices of the steps of a schedule, by their names.
fn by_name(schedule: &Schedule) -> BTreeMap<String, VecDeque<usize>> {
    let mut indices: BTreeMap<String, VecDeque<usize>> = BTreeMap::new();
    for (index, name) in schedule.names().enumerate() {
        indices.entry(name.to_owned()).or_default().push_back(index);
    }
    indices
}

impl BestEffort {
    /// Follows `schedule` from its first step, in every run anew.
    #[must_use]
    pub fn new(schedule: Schedule) -> BestEffort {
        BestEffort {
            left: by_name(&schedule),
            near: BTreeMap::new(),
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
        let mut left: Vec<usize> = self.left.values().flatten().copied().collect();
        left.sort_unstable();
        let left_out = left
            .into_iter()
            .map(|index| Deviation::LeftOut(self.place(index)));
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

    /// The first scheduled step that is possible, and which of the possible steps that is.
    fn scheduled(&mut self, possible: &[&str]) -> Option<(usize, usize)> {
        let unscheduled: Vec<&str> = possible
            .iter()
            .copied()
            .filter(|name| !self.left.contains_key(*name))
            .collect();
        for name in &unscheduled {
            if !self.near.contains_key(*name) {
                let near = self.near_names(name);
                self.near.insert((*name).to_owned(), near);
            }
        }
        let first = |name: &str| self.left.get(name)?.front().copied();
        let exact = possible.iter().filter_map(|name| first(name));
        let near = unscheduled.iter().flat_map(|name| &self.near[*name]);
        let index = exact.chain(near.filter_map(|name| first(name))).min()?;
        let wanted = self.name(index);
        let position = |wanted: &str| possible.iter().position(|name| *name == wanted);
        let choice = position(wanted)
            .or_else(|| position(near::renamed(wanted, &unscheduled)?))
            .expect("internal bug: it is possible, by its own name or a near one");
        Some((index, choice))
    }

    /// The names in the schedule that a step may have had. Of too many nobody is asked: a run would last for hours.
    fn near_names(&self, name: &str) -> Vec<String> {
        if self.left.len() > COMPARED_MAX {
            return Vec::new();
        }
        let scheduled = self.left.keys();
        scheduled
            .filter(|wanted| near::renamed(wanted, &[name]).is_some())
            .cloned()
            .collect()
    }

    fn do_scheduled(&mut self, index: usize, did: &str) {
        let wanted = self.place(index);
        let at = self.done + 1;
        if let Some(left) = self.left.get_mut(&wanted.name) {
            left.pop_front();
            if left.is_empty() {
                self.left.remove(&wanted.name);
            }
        }
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
        self.left = by_name(&self.schedule);
        self.near.clear();
        (self.reached, self.done) = (0, 0);
        self.deviations.clear();
    }

    fn choose(&mut self, choices: &dyn Choices) -> Choice {
        let names: Vec<String> = (0..choices.count())
            .map(|index| choices.name(index))
            .collect();
        let possible: Vec<&str> = names.iter().map(String::as_str).collect();
        let choice = match self.scheduled(&possible) {
            Some((index, choice)) => {
                self.do_scheduled(index, possible[choice]);
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
