//! The random walk: every possible step is equally likely.
//!
//! It is the yardstick for all cleverer strategies. Equally likely steps are not equally likely
//! schedules: a schedule's chance is the product over its points of choice, so one that delays a
//! short actor for long is rare.

use super::{Choice, Choices, Strategy};
use crate::seed::Randomness;

/// Picks uniformly among the possible steps. Where there is only one, no random number is used up.
#[derive(Clone, Debug)]
pub struct Random {
    randomness: Randomness,
}

impl Default for Random {
    fn default() -> Random {
        Random {
            randomness: Randomness::new(0),
        }
    }
}

impl Strategy for Random {
    fn begin(&mut self, seed: u64) {
        self.randomness = Randomness::new(seed);
    }

    fn choose(&mut self, choices: &dyn Choices) -> Choice {
        let count =
            u32::try_from(choices.count()).expect("internal bug: more than 2³² steps are enabled");
        Choice::Step(self.randomness.below(count) as usize)
    }
}
