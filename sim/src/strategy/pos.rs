//! Partial order sampling: every pending step has a random priority, and those that race with the step done
//! get a new one.
//!
//! Yuan, Yang and Gu, *Partial Order Aware Concurrency Sampling*, 2018. A step that waits long has a low
//! priority, so a random walk hardly ever delays a step past many others, and this does. Steps that race
//! draw again, so that each of their orders stays likely however long one of them has waited.
//!
//! Two steps race here when their footprints say that they do not commute, unless they are of one crew. One
//! step of a crew stands for the others when footprints are compared: of dozens of copies in flight, one is
//! tried.

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
    /// The crews that were met while footprints are compared, and what their first steps touch.
    crews: Vec<(u32, Footprint)>,
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
            crews: Vec::new(),
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

    /// As [`Pos::footprint`], but the first of a crew stands for all of it.
    fn footprint_of_crew(
        &mut self,
        choices: &dyn Choices,
        index: usize,
        crew: Option<u32>,
    ) -> Footprint {
        let Some(crew) = crew else {
            return self.footprint(choices, index);
        };
        if let Some((_, footprint)) = self.crews.iter().find(|(known, _)| *known == crew) {
            return *footprint;
        }
        let footprint = self.footprint(choices, index);
        self.crews.push((crew, footprint));
        footprint
    }

    /// Lets those draw again that race with the step that is done now, and forgets what it makes outdated.
    fn done(&mut self, choices: &dyn Choices, done: usize) {
        let footprint = self.footprint(choices, done);
        let crew = choices.crew(done);
        self.crews.clear();
        for index in 0..choices.count() {
            let its_crew = choices.crew(index);
            if crew.is_some() && its_crew == crew {
                continue;
            }
            let other = self.footprint_of_crew(choices, index, its_crew);
            if !footprint.independent(other) {
                self.pending[index].priority = None;
            }
        }
        let changes = footprint.writes | footprint.adds;
        for pending in &mut self.pending {
            pending.footprint = pending
                .footprint
                .filter(|other| changes & other.depends() == 0);
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
