//! Replay: follows a schedule by the names of its steps, or stops and says why it cannot.

use super::{Choice, Choices, Divergence, Strategy};
use crate::schedule::{Schedule, ScheduledStep};

/// Follows a schedule strictly. It never leaves out a line and never does a step that has none.
///
/// When the lines are used up the run stops, at rest or not.
#[derive(Clone, Debug)]
pub struct Replay {
    schedule: Schedule,
    /// The index of the step that comes next.
    next: usize,
}

impl Replay {
    /// Follows `schedule` from its first step, in every run anew.
    #[must_use]
    pub fn new(schedule: Schedule) -> Replay {
        Replay { schedule, next: 0 }
    }

    fn divergence(&self, wanted: &ScheduledStep, possible: Vec<String>) -> Divergence {
        Divergence {
            step: self.next + 1,
            line: wanted.line,
            wanted: wanted.name.clone(),
            possible,
        }
    }
}

impl Strategy for Replay {
    fn begin(&mut self, _seed: u64) {
        self.next = 0;
    }

    fn choose(&mut self, choices: &dyn Choices) -> Choice {
        let Some(wanted) = self.schedule.steps().get(self.next) else {
            return Choice::Stop;
        };
        match choices.index_of(&wanted.name) {
            Some(index) => {
                self.next += 1;
                Choice::Step(index)
            }
            None => {
                let possible = (0..choices.count())
                    .map(|index| choices.name(index))
                    .collect();
                Choice::Diverged(self.divergence(wanted, possible))
            }
        }
    }

    fn rested(&mut self) -> Option<Divergence> {
        let wanted = self.schedule.steps().get(self.next)?;
        Some(self.divergence(wanted, Vec::new()))
    }
}
