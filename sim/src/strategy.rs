//! Who chooses the next step. A strategy is a file below `strategy/` and a row in [`STRATEGIES`].
//!
//! The trait is that of shuttle's `Scheduler`, cut down: a strategy sees the possible steps and
//! picks one. It does not know what a step is, so it serves every system.

mod best_effort;
mod pct;
mod portfolio;
mod pos;
mod random;
mod replay;
mod spec;
mod survey;
mod urw;

use crate::Footprint;
use crate::schedule::Schedule;
use crate::seed::Randomness;
use std::fmt::{self, Display};
use std::num::NonZeroU8;

pub use best_effort::{BestEffort, Deviation, Place};
pub use pct::Pct;
pub use portfolio::Portfolio;
pub use pos::Pos;
pub use random::Random;
pub use replay::Replay;
pub use spec::{Spec, SpecError};
pub use survey::Survey;
pub use urw::Urw;

/// Chooses the order of the steps of a run.
pub trait Strategy {
    /// A new run begins. From here on the choices are a function of `seed` and of what is offered,
    /// and of nothing that happened in earlier runs: only so do many workers give the result of
    /// one.
    fn begin(&mut self, seed: u64);

    /// Says how the run goes on. At least one step is offered.
    fn choose(&mut self, choices: &dyn Choices) -> Choice;

    /// The run has come to rest by itself. A strategy that wanted it to go on says so.
    fn rested(&mut self) -> Option<Divergence> {
        None
    }
}

/// What is possible at one point of a run, as a strategy sees it: some steps, numbered from 0 in
/// ascending order.
pub trait Choices {
    /// How many steps are possible; at least one.
    fn count(&self) -> usize;

    /// What step `index` is called.
    fn name(&self, index: usize) -> String;

    /// The step that is called `name`, if it is possible.
    fn index_of(&self, name: &str) -> Option<usize>;

    /// Who takes step `index`: see [`System::actor`](crate::System::actor).
    fn actor(&self, index: usize) -> usize;

    /// The crew of step `index`: see [`System::crew`](crate::System::crew).
    fn crew(&self, index: usize) -> Option<u32>;

    /// The number that step `index` had at the choice before this one, if it was already possible
    /// then. The step that was chosen there, if it is possible again, counts as possible before.
    fn index_before(&self, index: usize) -> Option<usize>;

    /// What step `index` would touch. It is done on a copy of the state to find out, so this is not
    /// cheap.
    fn footprint(&self, index: usize) -> Footprint;
}

/// How a run goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// With this one of the [`Choices`].
    Step(usize),
    /// Not at all: the strategy has seen enough.
    Stop,
    /// Not at all: what the strategy wants is not possible.
    Diverged(Divergence),
}

/// A schedule that cannot be followed: where, what it wanted, and what was possible there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Divergence {
    /// The step of the schedule, counted from 1.
    pub step: usize,
    /// Its line in the schedule's text, counted from 1, if it was read from a text.
    pub line: Option<usize>,
    /// The name on that line.
    pub wanted: String,
    /// The names of the possible steps, in the system's order; none when the run had come to rest.
    pub possible: Vec<String>,
}

impl Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at step {}", self.step)?;
        if let Some(line) = self.line {
            write!(f, " (line {line})")?;
        }
        write!(f, " wanted this:\n  {}\n", self.wanted)?;
        match self.possible.as_slice() {
            [] => write!(f, "possible was nothing: the run had come to rest"),
            names => write!(f, "possible were:\n  {}", names.join("\n  ")),
        }
    }
}

/// A row of [`STRATEGIES`].
#[derive(Clone, Copy, Debug)]
pub struct StrategyRow {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// How one is made.
    pub new: Constructor,
}

/// What a strategy needs besides a seed.
#[derive(Clone, Copy, Debug)]
pub enum Constructor {
    /// Nothing: seeds are its only source, so it can serve a campaign.
    Seeded(fn() -> Box<dyn Strategy>),
    /// Estimates of the system's runs.
    Surveyed(fn(&Survey) -> Box<dyn Strategy>),
    /// Estimates, and the depth of the bugs to look for, which stands behind a colon in its name.
    Deep(fn(&Survey, NonZeroU8) -> Box<dyn Strategy>),
    /// A schedule, which it follows; seeds mean nothing to it.
    Following(fn(Schedule) -> Box<dyn Strategy>),
}

/// Every strategy. Names for the command line, the help text and the tests that try all of them
/// come from here.
pub const STRATEGIES: &[StrategyRow] = &[
    StrategyRow {
        name: "random",
        about: "every possible step is equally likely, at every point anew",
        new: Constructor::Seeded(|| Box::new(Random::default())),
    },
    StrategyRow {
        name: "pct:D",
        about: "random priorities of actors, lowered at D-1 random points: for bugs of depth D",
        new: Constructor::Deep(|survey, depth| Box::new(Pct::new(survey, depth))),
    },
    StrategyRow {
        name: "pos",
        about: "random priorities of steps, drawn again after a race: for long delays",
        new: Constructor::Seeded(|| Box::new(Pos::default())),
    },
    StrategyRow {
        name: "urw",
        about: "actors are as likely as they have steps left: all interleavings alike",
        new: Constructor::Surveyed(|survey| Box::new(Urw::new(survey))),
    },
    StrategyRow {
        name: "portfolio",
        about: "random, pct:2, pct:3, pos and urw share the runs",
        new: Constructor::Surveyed(|survey| Box::new(Portfolio::new(survey))),
    },
    StrategyRow {
        name: "replay",
        about: "follows a schedule, or stops where it cannot and says why",
        new: Constructor::Following(|schedule| Box::new(Replay::new(schedule))),
    },
    StrategyRow {
        name: "best-effort",
        about: "follows a schedule as far as it can, and says where it could not",
        new: Constructor::Following(|schedule| Box::new(BestEffort::new(schedule))),
    },
];

/// One of the steps whose actor is wanted, all of them equally likely.
///
/// # Panics
///
/// When no actor is wanted.
fn pick(
    randomness: &mut Randomness,
    choices: &dyn Choices,
    wanted: impl Fn(usize) -> bool,
) -> usize {
    let is_wanted = |index: &usize| wanted(choices.actor(*index));
    let count = (0..choices.count()).filter(is_wanted).count();
    let nth = randomness.below_u64(count as u64) as usize;
    (0..choices.count())
        .filter(is_wanted)
        .nth(nth)
        .expect("internal bug: it is below the count")
}
