//! Partial order sampling: every pending step has a random priority, and those that race with the step done
//! get a new one.
//!
//! Yuan, Yang and Gu, *Partial Order Aware Concurrency Sampling*, 2018. A step that waits long has a low
//! priority, so a random walk hardly ever delays a step past many others, and this does. Steps that race
//! draw again, so that each of their orders stays likely however long one of them has waited.
//!
//! Two steps race here when their footprints say that they do not commute, unless they are of one crew.

use super::{Choice, Choices, Strategy};
use crate::Footprint;
use crate::seed::Randomness;

/// Does the pending step with the highest priority.
#[derive(Clone, Debug)]
pub struct Pos {
    randomness: Randomness,
    /// The steps of the last choice, by their numbers there.
    pending: Vec<Pending>,
    /// Those of this choice, while they are made.
    next: Vec<Pending>,
}

/// What is known of a step that was possible at the last choice.
#[derive(Clone, Copy, Debug)]
struct Pending {
    /// `None` for a step that must draw before it is compared: the one done, and those that raced with it.
    priority: Option<u64>,
    /// `None` where a step done since has changed what it would depend on.
    footprint: Option<Footprint>,
}

const NEW: Pending = Pending {
    priority: None,
    footprint: None,
};

impl Default for Pos {
    fn default() -> Pos {
        Pos {
            randomness: Randomness::new(0),
            pending: Vec::new(),
            next: Vec::new(),
        }
    }
}

impl Pos {
    /// Brings `pending` from the numbers of the last choice to those of this one, and draws for the steps
    /// without a priority.
    fn renumber(&mut self, choices: &dyn Choices) {
        self.next.clear();
        for index in 0..choices.count() {
            let before = choices.index_before(index);
            let mut step = before.map_or(NEW, |before| self.pending[before]);
            step.priority.get_or_insert_with(|| self.randomness.word());
            self.next.push(step);
        }
        std::mem::swap(&mut self.pending, &mut self.next);
    }

    /// What step `index` would touch; it is not done to find out unless it must be.
    fn footprint(&mut self, choices: &dyn Choices, index: usize) -> Footprint {
        *self.pending[index]
            .footprint
            .get_or_insert_with(|| choices.footprint(index))
    }

    /// Lets those draw again that race with the step that is done now, and forgets what it makes outdated.
    fn done(&mut self, choices: &dyn Choices, done: usize) {
        let crew = choices.crew(done);
        let footprint = self.footprint(choices, done);
        let changes = footprint.writes | footprint.adds;
        for index in 0..choices.count() {
            let other = self.footprint(choices, index);
            let siblings = crew.is_some() && choices.crew(index) == crew;
            let pending = &mut self.pending[index];
            if !siblings && !footprint.independent(other) {
                pending.priority = None;
            }
            if changes & other.depends() != 0 {
                pending.footprint = None;
            }
        }
        self.pending[done] = NEW;
    }
}

impl Strategy for Pos {
    fn begin(&mut self, seed: u64) {
        self.randomness = Randomness::new(seed);
        self.pending.clear();
    }

    fn choose(&mut self, choices: &dyn Choices) -> Choice {
        self.renumber(choices);
        let best = (0..choices.count())
            .max_by_key(|index| (self.pending[*index].priority, *index))
            .expect("at least one step is offered");
        if choices.count() == 1 {
            self.pending[best] = NEW;
        } else {
            self.done(choices, best);
        }
        Choice::Step(best)
    }
}
