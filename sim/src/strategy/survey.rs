//! What a few runs say about a system before the campaign: how long runs are, and who does how much.

use super::{Random, Strategy};
use crate::run::{Runner, Watcher};
use crate::{Footprint, System};

/// How many runs are looked at.
const RUNS: u64 = 16;

/// Estimates for strategies that plan ahead. A function of the system alone, so that a run is a function of
/// its seed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// The number of steps of the longest run.
    pub steps_max: u64,
    /// How many steps each actor does in a run: the mean, rounded up, by number of the actor.
    pub steps_of_actors: Vec<u64>,
}

impl Survey {
    /// Looks at random walks with the seeds from 0 to 15, each ended after `steps_max` steps.
    #[must_use]
    pub fn of<S: System>(system: &S, steps_max: u64) -> Survey {
        let mut runner = Runner::new(system);
        runner.steps_max = steps_max;
        let mut random: Box<dyn Strategy> = Box::new(Random::default());
        let mut counts = Counts::default();
        let lengths = (0..RUNS).map(|seed| runner.run(random.as_mut(), seed, &mut counts).steps);
        let steps_max = lengths.max().unwrap_or(0);
        let mean = |count: u64| count.div_ceil(RUNS);
        Survey {
            steps_max,
            steps_of_actors: counts.0.into_iter().map(mean).collect(),
        }
    }
}

/// How many steps each actor did, in all runs together.
#[derive(Default)]
struct Counts(Vec<u64>);

impl<S: System> Watcher<S> for Counts {
    fn after(
        &mut self,
        system: &S,
        _: &S::State,
        step: S::Step,
        _: Footprint,
        _: &[S::Observation],
    ) {
        let actor = system.actor(step);
        if self.0.len() <= actor {
            self.0.resize(actor + 1, 0);
        }
        self.0[actor] += 1;
    }
}
