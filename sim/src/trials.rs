//! How good a strategy is: how many runs of a campaign it takes until one breaks a promise, for many root seeds.
//!
//! Each root seed is one campaign of [`fuzz`](crate::fuzz): its runs 0, 1, 2 and so on are done until one breaks a
//! promise. How many that were is one value of the sample; [`Median`](crate::median::Median) says what is typical.
//!
//! The result is a function of the arguments alone: one root is one piece of work, whoever does it.

use crate::System;
use crate::run::{End, Runner};
use crate::seed::run_seed;
use crate::strategy::Strategy;
use std::fmt::{self, Display};
use std::num::NonZeroUsize;
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;

/// What makes the strategy of a run.
pub type Maker<'a> = dyn Fn() -> Box<dyn Strategy> + Sync + 'a;

/// Which campaigns to begin, and when to give one up.
pub struct Trials<'a> {
    /// The strategies that are compared.
    pub strategies: &'a [&'a Maker<'a>],
    /// The root seeds that each of them gets.
    pub roots: Range<u64>,
    /// A campaign is given up after this many runs.
    pub runs_max: u64,
    /// A run that could go on after this many steps is ended; it counts, and has broken nothing.
    pub steps_max: u64,
    /// How many threads do the work. It changes no result.
    pub jobs: NonZeroUsize,
}

/// What came of one campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    /// How many runs it took.
    pub runs: Runs,
    /// The promise that was broken then.
    pub property: Option<&'static str>,
}

/// How many runs it took until one broke a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Runs {
    /// So many, with the one that broke it; at least one.
    Exactly(u64),
    /// More than so many: the campaign was given up.
    MoreThan(u64),
}

impl Runs {
    /// How many runs were done.
    #[must_use]
    pub fn done(self) -> u64 {
        let (Runs::Exactly(runs) | Runs::MoreThan(runs)) = self;
        runs
    }
}

/// As `12` or `>1000`.
impl Display for Runs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Runs::Exactly(runs) => f.pad(&runs.to_string()),
            Runs::MoreThan(runs) => f.pad(&format!(">{runs}")),
        }
    }
}

/// What others may look at, and do, while trials go on.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Control {
    /// How many campaigns are over.
    pub done: AtomicU64,
    /// Set it, and the trials end without a result after the runs that are under way.
    pub interrupt: AtomicBool,
}

/// Does the campaigns. For each strategy, what came of each root, in order; nothing if it was interrupted.
///
/// # Panics
///
/// When a run panics.
pub fn trials<S: System>(
    system: &S,
    trials: &Trials<'_>,
    control: &Control,
) -> Option<Vec<Vec<Trial>>> {
    let roots = trials.roots.end.saturating_sub(trials.roots.start);
    let count = trials.strategies.len() as u64 * roots;
    let next = AtomicU64::new(0);
    let work = || {
        let mut worker = Worker::new(system, trials, &control.interrupt);
        let mut done = Vec::new();
        loop {
            // Neighbours are roots of one strategy: their campaigns are about equally long.
            let index = next.fetch_add(1, Relaxed);
            if index >= count {
                return Some(done);
            }
            let (strategy, root) = (index / roots, trials.roots.start + index % roots);
            done.push((index, worker.campaign(strategy as usize, root)?));
            control.done.fetch_add(1, Relaxed);
        }
    };
    let mut all = thread::scope(|scope| {
        let workers: Vec<_> = (0..trials.jobs.get()).map(|_| scope.spawn(work)).collect();
        let mut all = Some(Vec::new());
        for worker in workers {
            let done = worker
                .join()
                .unwrap_or_else(|payload| resume_unwind(payload));
            all = all.zip(done).map(|(mut all, done)| {
                all.extend(done);
                all
            });
        }
        all
    })?;
    all.sort_unstable_by_key(|(index, _)| *index);
    let all: Vec<Trial> = all.into_iter().map(|(_, trial)| trial).collect();
    let of_strategy = |strategy: usize| {
        let roots = roots as usize;
        all[strategy * roots..(strategy + 1) * roots].to_vec()
    };
    Some((0..trials.strategies.len()).map(of_strategy).collect())
}

/// One of the threads.
struct Worker<'a, S: System> {
    trials: &'a Trials<'a>,
    interrupt: &'a AtomicBool,
    runner: Runner<'a, S>,
    strategies: Vec<Box<dyn Strategy>>,
}

impl<'a, S: System> Worker<'a, S> {
    fn new(system: &'a S, trials: &'a Trials<'a>, interrupt: &'a AtomicBool) -> Worker<'a, S> {
        let mut runner = Runner::new(system);
        runner.steps_max = trials.steps_max;
        Worker {
            trials,
            interrupt,
            runner,
            strategies: trials.strategies.iter().map(|maker| maker()).collect(),
        }
    }

    /// Does one campaign; nothing if it was interrupted.
    fn campaign(&mut self, strategy: usize, root: u64) -> Option<Trial> {
        let strategy = self.strategies[strategy].as_mut();
        for index in 0..self.trials.runs_max {
            if self.interrupt.load(Relaxed) {
                return None;
            }
            let outcome = self.runner.run(strategy, run_seed(root, index), &mut ());
            if let End::Breached(breach) = outcome.end {
                return Some(Trial {
                    runs: Runs::Exactly(index + 1),
                    property: Some(breach.property),
                });
            }
        }
        Some(Trial {
            runs: Runs::MoreThan(self.trials.runs_max),
            property: None,
        })
    }
}
