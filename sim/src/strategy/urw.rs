//! Uniform random walk: an actor is the likelier the more it still has to do.
//!
//! Zhao, Wolff, Mathur and Roychoudhury, *Selectively Uniform Concurrency Testing*, 2025. If the actors wait
//! for nobody and each does as many steps as was estimated, every interleaving of them is equally likely:
//! of those that go on with actor *a*, there are as many as *a*'s share of the remaining steps. The
//! estimate is how many steps an actor did on average in the runs of a [`Survey`].
//!
//! Not done is the selection of that paper: all steps count, not only those of interest; and an actor that
//! is born late does not count for its parent before.

use super::{Choice, Choices, Strategy, Survey, pick};
use crate::seed::Randomness;

/// Picks an actor by its share of the remaining steps, and then one of its steps, equally likely.
#[derive(Clone, Debug)]
pub struct Urw {
    /// How many steps each actor is taken to have in a run.
    estimates: Vec<u64>,
    randomness: Randomness,
    /// How many of them are left.
    remaining: Vec<u64>,
    /// The actors that can go on, each once, with what they have left.
    ready: Vec<(usize, u64)>,
}

impl Urw {
    /// For runs in which actors do as many steps as the survey says.
    #[must_use]
    pub fn new(survey: &Survey) -> Urw {
        Urw {
            estimates: survey.steps_of_actors.clone(),
            randomness: Randomness::new(0),
            remaining: Vec::new(),
            ready: Vec::new(),
        }
    }

    /// How many steps `actor`, which can do one, has left: at least that one.
    fn remaining(&self, actor: usize) -> u64 {
        self.remaining.get(actor).copied().unwrap_or(0).max(1)
    }

    fn find_ready(&mut self, choices: &dyn Choices) {
        self.ready.clear();
        for index in 0..choices.count() {
            let actor = choices.actor(index);
            if !self.ready.iter().any(|(known, _)| *known == actor) {
                self.ready.push((actor, self.remaining(actor)));
            }
        }
    }
}

impl Strategy for Urw {
    fn begin(&mut self, seed: u64) {
        self.randomness = Randomness::new(seed);
        self.remaining.clone_from(&self.estimates);
    }

    fn choose(&mut self, choices: &dyn Choices) -> Choice {
        self.find_ready(choices);
        let total = self.ready.iter().map(|(_, remaining)| remaining).sum();
        let mut ticket = self.randomness.below_u64(total);
        let chosen = self.ready.iter().find(|(_, remaining)| {
            let wins = ticket < *remaining;
            ticket = ticket.wrapping_sub(*remaining);
            wins
        });
        let (actor, _) = *chosen.expect("internal bug: a ticket that nobody holds");
        if let Some(remaining) = self.remaining.get_mut(actor) {
            *remaining = remaining.saturating_sub(1);
        }
        Choice::Step(pick(&mut self.randomness, choices, |other| other == actor))
    }
}
