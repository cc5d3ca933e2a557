//! Shortens a schedule that breaks a promise, so that what is left to read is what matters.
//!
//! Two things are taken away. First *steps*, by delta debugging (Zeller and Hildebrandt, *Simplifying
//! and isolating failure-inducing input*, 2002): chunks of the schedule are left out, halves first,
//! single steps last. Then *context switches* (Jalbert and Sen, *A trace simplification technique
//! for effective debugging of concurrent programs*, 2010): what an actor does later is moved to
//! where it was last at work, so that it goes on as long as it can.
//!
//! A candidate is not a schedule that must fit: what is not possible is skipped, and when the
//! candidate is used up the run is completed by the least possible step, so a promise that is broken
//! only at rest can be judged. What was really done is the next schedule. It is taken only if it
//! breaks the promise in fewer steps, or in as many with fewer switches; so shrinking ends, and the
//! result is never longer.
//!
//! There is no clock here. The caller bounds the work by a number of replays, and may interrupt it;
//! without an interruption the result is a function of the arguments.

mod attempt;

use crate::schedule::Schedule;
use crate::{Breach, System};
use attempt::{Attempt, Done};
use std::fmt::{self, Display};
use std::ops::Range;

/// How hard a schedule is to read. Fewer steps are better; among as many, fewer switches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size {
    /// How many steps there are.
    pub steps: usize,
    /// How often a step is by another actor than the one before it.
    pub switches: usize,
}

/// How much work shrinking may be.
pub struct Budget<'a> {
    /// After this many replays the best schedule so far is the result.
    pub replays_max: u64,
    /// A replay that could go on after this many steps is given up.
    pub steps_max: usize,
    /// Asked before each replay; the best schedule so far is the result as soon as it says yes.
    pub interrupted: &'a dyn Fn() -> bool,
}

/// The shortest schedule found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shrunk {
    /// It can be followed strictly, ends at the breach, and has the headers of the original.
    pub schedule: Schedule,
    /// What it breaks.
    pub breach: Breach,
    /// The size of the original, up to its breach.
    pub before: Size,
    /// The size of `schedule`.
    pub after: Size,
    /// How many replays it took.
    pub replays: u64,
    /// Whether nothing that is tried here would shorten it further; otherwise the budget was spent.
    pub complete: bool,
}

/// The schedule to be shrunk does not break the promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotBroken;

impl Display for NotBroken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the schedule does not break the promise")
    }
}

impl std::error::Error for NotBroken {}

/// Looks for a shorter schedule that breaks the same promise; `is_same` says which breaches count
/// as that. Most callers compare [`Breach::property`].
///
/// The first replay, that of `schedule` itself, is made in any case.
///
/// # Errors
///
/// `schedule` does not break the promise: followed as well as can be, and completed.
pub fn shrink<S: System>(
    system: &S,
    schedule: &Schedule,
    is_same: &dyn Fn(&Breach) -> bool,
    budget: &Budget,
) -> Result<Shrunk, NotBroken> {
    let wanted: Vec<Done> = schedule.names().map(Done::wanted).collect();
    let mut attempt = Attempt::new(system);
    let (best, breach) = attempt
        .follow(&wanted, budget.steps_max, is_same)
        .ok_or(NotBroken)?;
    let before = size(&best);
    let mut shrinker = Shrinker {
        attempt,
        is_same,
        budget,
        best,
        breach,
        replays: 1,
        spent: false,
    };
    shrinker.shrink();
    let mut shrunk = Schedule::new();
    for (key, value) in schedule.headers() {
        shrunk.set_header(key, value);
    }
    for done in &shrinker.best {
        shrunk.push(done.name.to_string());
    }
    Ok(Shrunk {
        schedule: shrunk,
        before,
        after: size(&shrinker.best),
        breach: shrinker.breach,
        replays: shrinker.replays,
        complete: !shrinker.spent,
    })
}

fn size(steps: &[Done]) -> Size {
    Size {
        steps: steps.len(),
        switches: blocks(steps).len().saturating_sub(1),
    }
}

/// The stretches of one actor each, in order.
fn blocks(steps: &[Done]) -> Vec<Range<usize>> {
    let mut start = 0;
    steps
        .chunk_by(|one, next| one.actor == next.actor)
        .map(|block| {
            start += block.len();
            start - block.len()..start
        })
        .collect()
}

/// A search for a shorter schedule.
struct Shrinker<'a, S: System> {
    attempt: Attempt<'a, S>,
    is_same: &'a dyn Fn(&Breach) -> bool,
    budget: &'a Budget<'a>,
    /// The shortest so far, as it was done.
    best: Vec<Done>,
    /// What it breaks.
    breach: Breach,
    replays: u64,
    spent: bool,
}

impl<S: System> Shrinker<'_, S> {
    /// Drops and gathers until neither helps.
    fn shrink(&mut self) {
        loop {
            let before = size(&self.best);
            self.drop_steps();
            self.gather_blocks();
            if size(&self.best) == before || self.spent {
                return;
            }
        }
    }

    /// Leaves out chunks, halves first; at last single steps, until none can be spared.
    fn drop_steps(&mut self) {
        let mut chunk = self.best.len().div_ceil(2).max(1);
        loop {
            let dropped = self.drop_chunks(chunk);
            if self.spent || (chunk == 1 && !dropped) {
                return;
            }
            chunk = chunk.div_ceil(2);
        }
    }

    /// Tries to leave out every chunk of this length once, the last ones first: what comes late is
    /// needed by least. Returns whether one could be left out.
    fn drop_chunks(&mut self, chunk: usize) -> bool {
        let mut dropped = false;
        let mut end = self.best.len();
        while end > 0 && !self.spent {
            let start = end.saturating_sub(chunk);
            let candidate = [&self.best[..start], &self.best[end..]].concat();
            dropped |= self.try_out(&candidate);
            end = start.min(self.best.len());
        }
        dropped
    }

    /// Moves blocks to the one of the same actor before them, or that one to them.
    fn gather_blocks(&mut self) {
        let mut index = 0;
        while index < blocks(&self.best).len() && !self.spent {
            if self.gather_at(index) {
                // Something before this block may have become movable.
                index = 0;
            } else {
                index += 1;
            }
        }
    }

    fn gather_at(&mut self, index: usize) -> bool {
        let blocks = blocks(&self.best);
        let here = blocks[index].clone();
        let actor = self.best[here.start].actor;
        let is_same_actor = |block: &&Range<usize>| self.best[block.start].actor == actor;
        let Some(there) = blocks[..index].iter().rfind(is_same_actor).cloned() else {
            return false;
        };
        let best = &self.best;
        let between = &best[there.end..here.start];
        let order = |first: &[Done], then: &[Done]| {
            [&best[..there.start], first, then, &best[here.end..]].concat()
        };
        let both = [&best[there.clone()], &best[here.clone()]].concat();
        let (up, down) = (order(&both, between), order(between, &both));
        self.try_out(&up) || self.try_out(&down)
    }

    /// Replays a candidate. It is the best one from now on if it breaks the promise and is smaller.
    fn try_out(&mut self, candidate: &[Done]) -> bool {
        self.spent =
            self.spent || self.replays >= self.budget.replays_max || (self.budget.interrupted)();
        if self.spent {
            return false;
        }
        self.replays += 1;
        let steps_max = self.best.len().min(self.budget.steps_max);
        match self.attempt.follow(candidate, steps_max, self.is_same) {
            Some((steps, breach)) if size(&steps) < size(&self.best) => {
                (self.best, self.breach) = (steps, breach);
                true
            }
            _ => false,
        }
    }
}
