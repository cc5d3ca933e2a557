//! Probabilistic concurrency testing: whoever has the highest priority goes on, and at a few random points
//! the one who goes on loses it.
//!
//! Burckhardt, Kothari, Musuvathi and Nagarakatte, *A Randomized Scheduler with Probabilistic Guarantees of
//! Finding Bugs*, 2010. A bug has depth *d* when *d* ordering constraints between steps are enough for it;
//! most have a small one. With *n* actors and at most *k* steps, one run finds it with a probability of at
//! least 1 / (*n* · *k*^(*d* − 1)).
//!
//! Here *n* are the actors of the system, and *k* is the longest of the runs that a [`Survey`] saw. Where
//! runs are longer than that, no point of change lies in the rest of them. Where one actor has several
//! steps at once, they are equally likely; the guarantee is for systems in which actors have one each.

use super::{Choice, Choices, Strategy, Survey, pick};
use crate::seed::Randomness;
use std::num::NonZeroU8;

/// Follows priorities of actors, which change at *d* − 1 random points.
#[derive(Clone, Debug)]
pub struct Pct {
    /// How many steps a run is taken to have; at least 1.
    length: u64,
    randomness: Randomness,
    /// After how many steps the one who did the last of them is lowered; one for each rank below the
    /// first priorities, the lowest rank last.
    changes: Vec<u64>,
    steps_done: u64,
    /// By number of the actor; `None` for those that have not been met.
    priorities: Vec<Option<Priority>>,
}

/// Every lowered actor is below every one that was not lowered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Priority {
    /// Lowered at a point of change: the later points go lower.
    Lowered(usize),
    /// As drawn when it was met. So the order of the actors is a random permutation.
    First(u64),
}

impl Pct {
    /// For bugs up to this depth, in runs as long as the survey says.
    #[must_use]
    pub fn new(survey: &Survey, depth: NonZeroU8) -> Pct {
        Pct {
            length: survey.steps_max.max(1),
            randomness: Randomness::new(0),
            changes: vec![0; usize::from(depth.get()) - 1],
            steps_done: 0,
            priorities: Vec::new(),
        }
    }

    /// The priority of an actor, which is drawn when it is first met.
    fn priority(&mut self, actor: usize) -> Priority {
        if self.priorities.len() <= actor {
            self.priorities.resize(actor + 1, None);
        }
        let Pct {
            priorities,
            randomness,
            ..
        } = self;
        *priorities[actor].get_or_insert_with(|| Priority::First(randomness.word()))
    }

    /// Counts a step of `actor`, and lowers it if this is a point of change.
    fn count(&mut self, actor: usize) {
        self.steps_done += 1;
        for (index, change) in self.changes.iter().enumerate() {
            if *change == self.steps_done {
                self.priorities[actor] = Some(Priority::Lowered(self.changes.len() - index));
            }
        }
    }
}

impl Strategy for Pct {
    fn begin(&mut self, seed: u64) {
        self.randomness = Randomness::new(seed);
        self.steps_done = 0;
        self.priorities.clear();
        for change in &mut self.changes {
            *change = 1 + self.randomness.below_u64(self.length);
        }
    }

    fn choose(&mut self, choices: &dyn Choices) -> Choice {
        let best = (0..choices.count())
            .map(|index| choices.actor(index))
            .max_by_key(|actor| (self.priority(*actor), *actor))
            .expect("at least one step is offered");
        let step = pick(&mut self.randomness, choices, |actor| actor == best);
        self.count(best);
        Choice::Step(step)
    }
}
