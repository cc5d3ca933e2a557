//! Every interleaving without a table of states: one schedule for each Mazurkiewicz trace.
//!
//! Two schedules are the same trace when one becomes the other by exchanging neighbours that are
//! independent: steps of different actors whose [`Footprint`](crate::Footprint)s say so. [`Stateless`] goes
//! through all traces, depth first, and does each in one schedule only. It keeps one schedule in
//! memory, so it serves systems with more states than can be kept.
//!
//! # How
//!
//! It is optimal dynamic partial-order reduction: Abdulla, Aronis, Jonsson and Sagonas, *Source Sets:
//! A Foundation for Optimal Dynamic Partial Order Reduction*, Journal of the ACM 64(4), 2017 (POPL
//! 2014). When an execution has come to its end, each way in which it could have gone differently
//! goes into the *wakeup tree* of the node where the two part, unless the tree or a *sleeping* step
//! leads there anyway. Nothing is ever begun that turns out to be known, so [`Report::blocked`] is
//! 0.
//!
//! The paper's processes have at most one next step each, and do not take steps away from each
//! other. Here an actor may have several, and others may take any of them away: a fork is held, a
//! budget is spent. So it is not enough to look at the races of steps that were done. For each actor
//! we ask what it could have done after any other set of the execution's events, as far as they
//! matter to it; `races.rs` says why nothing else is needed. These sets are the *conflicting
//! extensions* of Rodríguez, Sousa, Sharma and Kroening, *Unfolding-based Partial Order Reduction*,
//! CONCUR 2015.
//!
//! # What it does not promise
//!
//! - Which events matter to an actor is known of a system with [`Parts`]. Of any other system every
//!   set of events must be taken to matter, which is exponential in the independent ones among them
//!   (not in executions, but in the time between two): for small systems only.
//! - Two steps of one actor count as dependent, so a crew of sixty-four is sixty-four factorial
//!   traces: such systems are for the stateful search.
//! - A system that can go on for ever is explored to [`Limits::depth_max`] only.
//! - Footprints are believed. [`reduce::audit`](crate::reduce::audit) tries them.

mod execution;
mod races;
mod saved;
mod wakeup;

use crate::parts::{Offer, Parts};
use crate::schedule::Schedule;
use crate::{Breach, Stale, System};
use execution::{Event, Move, Past};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use wakeup::Branch;

pub use saved::{Keeping, Saved};

/// When to end an exploration before all has been seen.
#[derive(Clone, Copy, Debug)]
pub struct Limits<'a> {
    /// After this many executions.
    pub executions_max: u64,
    /// After this many steps, those of all executions together.
    pub steps_max: u64,
    /// An execution is cut off after this many steps.
    pub depth_max: usize,
    /// At the first broken promise.
    pub stop_at_breach: bool,
    /// As soon as it is set.
    pub interrupt: Option<&'a AtomicBool>,
}

impl Limits<'_> {
    /// Never.
    pub const NONE: Limits<'static> = Limits {
        executions_max: u64::MAX,
        steps_max: u64::MAX,
        depth_max: usize::MAX,
        stop_at_breach: false,
        interrupt: None,
    };
}

/// What came of an exploration. Where it is written down its breach is left out: that is kept as a schedule, see
/// [`Found::again`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// Why it ended.
    pub end: End,
    /// How many executions came to rest. Each is another trace.
    pub executions: u64,
    /// How many were given up because all that they could still become was known. Always 0: that is
    /// what *optimal* means.
    pub blocked: u64,
    /// How many were cut off at [`Limits::depth_max`].
    pub cut: u64,
    /// How many steps were done to go through the executions; the common beginning of two counts
    /// once.
    pub steps: u64,
    /// How many steps were done to find out where executions could have parted.
    pub steps_replayed: u64,
    /// The length of the longest execution, in steps.
    pub depth: usize,
    /// Which of [`System::witnesses`] some step was.
    pub witnessed: u64,
    /// The first broken promise, in depth-first order with the least steps first.
    #[serde(skip)]
    pub first_breach: Option<Found>,
}

/// Why an exploration ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// Every trace was seen.
    Exhausted,
    /// A promise was broken, and that was enough.
    Breached,
    /// At [`Limits::executions_max`].
    ExecutionsMax,
    /// At [`Limits::steps_max`].
    StepsMax,
    /// Every trace was seen, but some only up to [`Limits::depth_max`].
    DepthMax,
    /// By [`Limits::interrupt`].
    Interrupted,
}

/// A broken promise, and how to get there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// The promise.
    pub breach: Breach,
    /// The steps that break it; it has no headers.
    pub schedule: Schedule,
}

/// A node of the tree of schedules, on the path from the root to where the exploration is.
struct Node<S: System> {
    state: S::State,
    /// All steps possible in `state`, ascending.
    enabled: Vec<S::Step>,
    /// Steps after which everything has been seen.
    asleep: Vec<Move<S::Step>>,
    /// What is still to be seen from here, in this order.
    pending: Vec<Branch<S::Step>>,
}

/// What happens next at the end of the path.
enum Next<T> {
    /// This step, and then what the branches say.
    Go(T, Vec<Branch<T>>),
    Rest,
    Cut,
    Blocked,
}

/// Says by which columns the steps of an actor are found: see [`Offer::looked`].
pub type Looked<S> = fn(&S, &<S as System>::State, usize) -> u64;

/// Explores one system, trace by trace.
pub struct Stateless<'s, S: System> {
    system: &'s S,
    limits: Limits<'s>,
    looked: Option<Looked<S>>,
    /// The path; the last node is where the exploration is.
    nodes: Vec<Node<S>>,
    /// What was done in each node but the last.
    events: Vec<Event<S::Step>>,
    /// How many actors are asked one by one: all there are, or one more than the largest that ever had a step.
    actors: usize,
    /// There may be actors that are not among those, and have had no step yet.
    strangers: bool,
    report: Report,
    seen: Vec<S::Observation>,
    /// The execution has come to its end, and was not yet looked at for where it could have parted.
    at_end: bool,
}

impl<'s, S: System> Stateless<'s, S> {
    /// An exploration that knows of `system` only what every system says: see the module's text for
    /// what that costs.
    #[must_use]
    pub fn new(system: &'s S, limits: Limits<'s>) -> Stateless<'s, S> {
        Stateless {
            system,
            limits,
            looked: None,
            nodes: Vec::new(),
            events: Vec::new(),
            actors: 0,
            strangers: true,
            report: Report {
                end: End::Exhausted,
                executions: 0,
                blocked: 0,
                cut: 0,
                steps: 0,
                steps_replayed: 0,
                depth: 0,
                witnessed: 0,
                first_breach: None,
            },
            seen: Vec::new(),
            at_end: false,
        }
    }

    /// The same exploration of a system that says by which of its columns an actor's steps are found.
    #[must_use]
    pub fn of_parts(system: &'s S, limits: Limits<'s>) -> Stateless<'s, S>
    where
        S: Parts,
    {
        let exploration = Stateless::with_looked(system, limits, |system, state, actor| {
            if actor >= system.offers() {
                return 0;
            }
            let mut offer = Offer::new();
            system.offer(state, actor, &mut offer);
            // Whether all others are idle is theirs to decide.
            match offer.when_idle {
                true => u64::MAX,
                false => offer.looked,
            }
        });
        Stateless {
            actors: system.offers(),
            strangers: false,
            ..exploration
        }
    }

    /// The same exploration, with a function that says by which bits of footprints the steps of an
    /// actor are found in a state: no step that writes none of them changes what the actor may do.
    #[must_use]
    pub fn with_looked(system: &'s S, limits: Limits<'s>, looked: Looked<S>) -> Stateless<'s, S> {
        Stateless {
            looked: Some(looked),
            ..Stateless::new(system, limits)
        }
    }

    /// Goes through all traces; calls `on_rest` with the state in which each execution came to
    /// rest.
    ///
    /// # Panics
    ///
    /// When a step that was possible is not after independent steps were exchanged: the system's
    /// footprints say too little then.
    pub fn explore(mut self, on_rest: &mut dyn FnMut(&S::State)) -> Report {
        self.begin();
        self.run(on_rest, None)
    }

    /// As [`Stateless::explore`], from where it was when `from` was kept, if that is given; and it is kept for the next
    /// time. The report is that of an exploration which nobody disturbed. [`Limits::depth_max`] must be what it was:
    /// executions that were cut off are not gone on with.
    ///
    /// # Errors
    ///
    /// What was kept is of another system.
    ///
    /// # Panics
    ///
    /// As [`Stateless::explore`].
    pub fn explore_on(
        mut self,
        from: Option<&Saved>,
        keeping: Keeping<'_>,
        on_rest: &mut dyn FnMut(&S::State),
    ) -> Result<Report, Stale> {
        match from {
            Some(saved) => self.restore(saved)?,
            None => self.begin(),
        }
        Ok(self.run(on_rest, Some(keeping)))
    }

    fn begin(&mut self) {
        self.enter(self.system.initial(), Vec::new(), Vec::new());
        self.judge(false);
    }

    fn run(
        mut self,
        on_rest: &mut dyn FnMut(&S::State),
        mut keeping: Option<Keeping<'_>>,
    ) -> Report {
        self.report.end = loop {
            if !self.at_end {
                if let Some(end) = self.limit() {
                    break end;
                }
                match self.next() {
                    Next::Go(step, pending) => {
                        self.go(step, pending);
                        self.keep_if_due(&mut keeping);
                        continue;
                    }
                    Next::Rest => {
                        self.report.executions += 1;
                        self.judge(true);
                        on_rest(&self.last().state);
                    }
                    Next::Cut => self.report.cut += 1,
                    Next::Blocked => self.report.blocked += 1,
                }
                self.at_end = true;
                // Where it could have parted is of no use then.
                if let Some(end @ End::Breached) = self.limit() {
                    break end;
                }
            }
            let replayed = self.report.steps_replayed;
            self.reverse_races();
            if self.is_interrupted() {
                // Perhaps not every race was looked at. Whoever goes on looks at all of them; what is known of some is
                // not put into a tree twice.
                self.report.steps_replayed = replayed;
                break self.limit().unwrap_or(End::Interrupted);
            }
            self.at_end = false;
            if !self.back() {
                return Report {
                    end: self.exhausted(),
                    ..self.report
                };
            }
        };
        if let Some(Keeping { keeper, .. }) = keeping {
            keeper(&self.so_far());
        }
        self.report
    }

    fn keep_if_due(&self, keeping: &mut Option<Keeping<'_>>) {
        if let Some(Keeping { due, keeper }) = keeping
            && due.swap(false, Relaxed)
        {
            keeper(&self.so_far());
        }
    }

    fn last(&self) -> &Node<S> {
        self.nodes
            .last()
            .expect("internal bug: the path has a root")
    }

    fn last_mut(&mut self) -> &mut Node<S> {
        self.nodes
            .last_mut()
            .expect("internal bug: the path has a root")
    }

    fn limit(&self) -> Option<End> {
        let limits = &self.limits;
        if limits.stop_at_breach && self.report.first_breach.is_some() {
            Some(End::Breached)
        } else if self.report.executions >= limits.executions_max {
            Some(End::ExecutionsMax)
        } else if self.report.steps >= limits.steps_max {
            Some(End::StepsMax)
        } else if self.is_interrupted() {
            Some(End::Interrupted)
        } else {
            None
        }
    }

    fn is_interrupted(&self) -> bool {
        let interrupt = self.limits.interrupt;
        interrupt.is_some_and(|interrupt| interrupt.load(Relaxed))
    }

    fn exhausted(&self) -> End {
        match (&self.report.first_breach, self.report.cut) {
            (Some(_), _) if self.limits.stop_at_breach => End::Breached,
            (_, 0) => End::Exhausted,
            _ => End::DepthMax,
        }
    }

    /// What comes next: what is pending, or the least step that is possible.
    fn next(&mut self) -> Next<S::Step> {
        let is_deep = self.events.len() >= self.limits.depth_max;
        let node = self.last_mut();
        if node.enabled.is_empty() {
            return Next::Rest;
        }
        if is_deep {
            return Next::Cut;
        }
        if !node.pending.is_empty() {
            let Branch { first, children } = node.pending.remove(0);
            return Next::Go(first.step, children);
        }
        let is_awake = |step: &&S::Step| node.asleep.iter().all(|asleep| asleep.step != **step);
        match node.enabled.iter().find(is_awake) {
            Some(step) => Next::Go(*step, Vec::new()),
            None => Next::Blocked,
        }
    }

    /// Does `step` at the end of the path; what is to be seen after it is `pending`.
    fn go(&mut self, step: S::Step, pending: Vec<Branch<S::Step>>) {
        let node = self.last();
        let (state, done) = self.try_step(&node.state, step);
        self.report.witnessed |= self.system.witnessed(&state);
        let node = self.last();
        let past = self.past_of(done);
        let asleep = still_asleep(&node.asleep, done).collect();
        let alternatives = self.offers(&node.state, done.actor);
        let alternatives = alternatives
            .into_iter()
            .filter(|other| other.step != step)
            .collect();
        let looked = self.looked(&node.state, done.actor);
        self.events.push(Event {
            done,
            past,
            alternatives,
            looked,
        });
        self.enter(state, asleep, pending);
        self.report.steps += 1;
        self.report.depth = self.report.depth.max(self.events.len());
        self.judge(false);
    }

    /// What `step` does in `state`, in which it is possible.
    fn try_step(&self, state: &S::State, step: S::Step) -> (S::State, Move<S::Step>) {
        let mut state = state.clone();
        let footprint = self.system.apply(&mut state, step, &mut Vec::new());
        (
            state,
            Move {
                step,
                actor: self.system.actor(step),
                footprint,
            },
        )
    }

    /// The events that happen before `done`, which comes next.
    fn past_of(&self, done: Move<S::Step>) -> Past {
        let mut past = Past::default();
        for (index, event) in self.events.iter().enumerate().rev() {
            if !past.contains(index) && event.done.depends_on(done) {
                past.add(index, &event.past);
            }
        }
        past
    }

    /// Goes on to a new node at the end of the path.
    fn enter(
        &mut self,
        state: S::State,
        asleep: Vec<Move<S::Step>>,
        pending: Vec<Branch<S::Step>>,
    ) {
        let mut enabled = Vec::new();
        self.system.enabled(&state, &mut enabled);
        if let Some(first) = pending.first().map(|branch| branch.first) {
            assert!(
                enabled.contains(&first.step),
                "internal bug: `{:?}` is not possible after independent steps were exchanged: \
                 footprints say too little",
                first.step
            );
        }
        let largest = enabled
            .iter()
            .map(|step| self.system.actor(*step) + 1)
            .max();
        self.actors = self.actors.max(largest.unwrap_or(0));
        self.nodes.push(Node {
            state,
            enabled,
            asleep,
            pending,
        });
    }

    /// Asks about the promises at the end of the path; keeps the first that is broken.
    fn judge(&mut self, resting: bool) {
        if self.report.first_breach.is_some() {
            return;
        }
        if let Err(breach) = self.system.judge(&self.last().state, resting) {
            let mut schedule = Schedule::new();
            for (node, event) in self.nodes.iter().zip(&self.events) {
                schedule.push(self.system.name(&node.state, event.done.step));
            }
            self.report.first_breach = Some(Found { breach, schedule });
        }
    }

    /// Goes back to the last node from which something is still to be seen; false if there is none.
    fn back(&mut self) -> bool {
        loop {
            self.nodes.pop();
            let (Some(node), Some(event)) = (self.nodes.last_mut(), self.events.pop()) else {
                return false;
            };
            node.asleep.push(event.done);
            if !node.pending.is_empty() {
                return true;
            }
        }
    }
}

/// What is asleep after `done`, too.
fn still_asleep<T: Copy>(asleep: &[Move<T>], done: Move<T>) -> impl Iterator<Item = Move<T>> {
    asleep
        .iter()
        .filter(move |asleep| !asleep.depends_on(done))
        .copied()
}
