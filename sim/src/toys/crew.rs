//! Interchangeable workers that add to a sum, and one who finishes when all are done.

use crate::hash::fingerprint_of;
use crate::{Breach, Footprint, System};

/// `workers` workers add to a sum, worker *n* 2ⁿ, in any order and unseen. When all have, one
/// finisher shows the sum, and then, in the same step, that it has finished. Beside them there may
/// be a bystander.
///
/// On paper, for *n* workers and no bystander: 2ⁿ sums and one finished state, which a crew reduces
/// to *n* + 2. An auditor makes the order of the workers visible, since any of the 2ⁿ partial sums
/// may be what is read.
#[derive(Clone, Copy, Debug)]
pub struct Crew {
    /// How many workers there are; from 1 to 64.
    pub workers: u8,
    /// Who else is there.
    pub bystander: Bystander,
}

/// Somebody who does one step at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bystander {
    /// Nobody is there.
    Nobody,
    /// Rings a bell, which commutes with all that the workers do.
    Ringer,
    /// Reads the sum and shows it, which commutes with nothing that adds to it.
    Auditor,
}

/// The sum, and who has done what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CrewState {
    /// What the workers have added so far. Bit *n* says whether worker *n* is done.
    pub sum: u64,
    finished: bool,
    bystander_done: bool,
}

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CrewStep {
    /// The worker with this number adds its share.
    Work(u8),
    /// The finisher finishes.
    Finish,
    /// The bystander does what it does.
    Stand,
}

/// What is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CrewSight {
    /// A bell.
    Bell,
    /// The sum as the auditor read it.
    Audit(u64),
    /// The sum in the end.
    Sum(u64),
    /// It is finished.
    Finished,
}

/// All that anybody does to it commutes, unless it is looked at.
const SUM: u64 = 1 << 0;
/// The list on which workers strike out their names. By footprint, that does not commute; it does
/// because nobody but the finisher looks at it.
const PRESENT: u64 = 1 << 1;
const FINISHED: u64 = 1 << 2;
const BYSTANDER: u64 = 1 << 3;

impl Crew {
    fn total(&self) -> u64 {
        u64::MAX >> (64 - self.workers)
    }
}

impl System for Crew {
    type State = CrewState;
    type Step = CrewStep;
    type Observation = CrewSight;

    fn initial(&self) -> CrewState {
        assert!(
            (1..=64).contains(&self.workers),
            "internal bug: from 1 to 64 workers add to 64 bits"
        );
        CrewState {
            sum: 0,
            finished: false,
            bystander_done: self.bystander == Bystander::Nobody,
        }
    }

    fn enabled(&self, state: &CrewState, steps: &mut Vec<CrewStep>) {
        steps.clear();
        steps.extend(
            (0..self.workers)
                .filter(|n| state.sum >> n & 1 == 0)
                .map(CrewStep::Work),
        );
        if state.sum == self.total() && !state.finished {
            steps.push(CrewStep::Finish);
        }
        if !state.bystander_done {
            steps.push(CrewStep::Stand);
        }
    }

    fn apply(&self, state: &mut CrewState, step: CrewStep, seen: &mut Vec<CrewSight>) -> Footprint {
        match step {
            CrewStep::Work(n) => {
                state.sum += 1 << n;
                Footprint {
                    reads: 0,
                    writes: PRESENT,
                    adds: SUM,
                    ..Footprint::NONE
                }
            }
            CrewStep::Finish => {
                state.finished = true;
                seen.extend([CrewSight::Sum(state.sum), CrewSight::Finished]);
                Footprint {
                    reads: SUM | PRESENT,
                    writes: FINISHED,
                    ..Footprint::NONE
                }
            }
            CrewStep::Stand => {
                state.bystander_done = true;
                let audits = self.bystander == Bystander::Auditor;
                seen.push(if audits {
                    CrewSight::Audit(state.sum)
                } else {
                    CrewSight::Bell
                });
                Footprint {
                    reads: if audits { SUM } else { 0 },
                    writes: BYSTANDER,
                    ..Footprint::NONE
                }
            }
        }
    }

    fn judge(&self, _state: &CrewState, _resting: bool) -> Result<(), Breach> {
        Ok(())
    }

    fn fingerprint(&self, state: &CrewState) -> u128 {
        fingerprint_of(state)
    }

    fn actor(&self, step: CrewStep) -> usize {
        match step {
            CrewStep::Finish => 0,
            CrewStep::Stand => 1,
            CrewStep::Work(n) => 2 + usize::from(n),
        }
    }

    fn actor_name(&self, _state: &CrewState, actor: usize) -> String {
        match actor {
            0 => "finisher".to_owned(),
            1 => "bystander".to_owned(),
            worker => format!("worker{}", worker - 2),
        }
    }

    fn name(&self, _state: &CrewState, step: CrewStep) -> String {
        match step {
            CrewStep::Work(n) => format!("worker{n} adds"),
            CrewStep::Finish => "finisher finishes".to_owned(),
            CrewStep::Stand => "bystander stands".to_owned(),
        }
    }

    fn crew(&self, _state: &CrewState, step: CrewStep) -> Option<u32> {
        matches!(step, CrewStep::Work(_)).then_some(0)
    }
}
