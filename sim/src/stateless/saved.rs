//! An exploration as far as it has got, to go on from later, in another process.
//!
//! The path is kept: which step was done in each of its nodes, which were done there before, and what is still to be
//! seen from there. A step is written as its place among those that are possible, so what is read is looked up in
//! states that the rules have made again. What was asleep, what happened before what, and what else could have been done
//! follow from the path.

use super::execution::Move;
use super::wakeup::Branch;
use super::{Found, Report, Stateless, still_asleep};
use crate::schedule::Schedule;
use crate::search::Counterexample;
use crate::{Footprint, Stale, System};
use serde::{Deserialize, Serialize};
use std::sync::atomic::AtomicBool;

/// An exploration as far as it has got.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Saved {
    path: Vec<Stop>,
    at_end: bool,
    actors: usize,
    report: Report,
    /// The steps to the broken promise, if there is one, by name.
    broken: Option<Vec<String>>,
}

/// A node of the path.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Stop {
    /// The steps that were done there before.
    done: Vec<u32>,
    /// What is still to be seen from there: each branch, and then those that grow out of it.
    pending: Vec<Twig>,
    /// The step with which the path goes on; none at its end.
    next: Option<u32>,
}

/// The first step of a branch.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Twig {
    step: u32,
    footprint: Footprint,
    /// How many branches grow out of this one.
    children: u32,
}

/// Who keeps an exploration, and when.
pub struct Keeping<'k> {
    /// Whoever wants it to be kept soon sets this.
    pub due: &'k AtomicBool,
    /// Is given it then, and when a limit ends it.
    pub keeper: &'k mut (dyn FnMut(&Saved) + Send),
}

impl Saved {
    /// How many executions came to rest.
    #[must_use]
    pub fn executions(&self) -> u64 {
        self.report.executions
    }
}

impl Found {
    /// What the steps with these names break; `None` if they cannot be followed, or break nothing.
    #[must_use]
    pub fn again<S: System>(system: &S, steps: &[String]) -> Option<Found> {
        let mut schedule = Schedule::new();
        steps.iter().for_each(|name| schedule.push(name.clone()));
        let breach = Counterexample::again(system, &schedule, 0, false)?.breach;
        Some(Found { breach, schedule })
    }
}

const OTHER: Stale = Stale("a step is not possible any more where it was");

impl<S: System> Stateless<'_, S> {
    /// As far as it has got.
    pub(super) fn so_far(&self) -> Saved {
        let broken = self.report.first_breach.as_ref();
        let names = |found: &Found| found.schedule.names().map(str::to_owned).collect();
        Saved {
            path: (0..self.nodes.len())
                .map(|depth| self.stop(depth))
                .collect(),
            at_end: self.at_end,
            actors: self.actors,
            report: self.report.clone(),
            broken: broken.map(names),
        }
    }

    fn stop(&self, depth: usize) -> Stop {
        let node = &self.nodes[depth];
        let inherited = depth.checked_sub(1).map_or(0, |before| {
            still_asleep(&self.nodes[before].asleep, self.events[before].done).count()
        });
        let done = node.asleep[inherited..].iter();
        let next = self.events.get(depth).map(|event| event.done.step);
        let mut pending = Vec::new();
        self.flatten(&node.state, &node.pending, &mut pending);
        Stop {
            done: done.map(|done| place(&node.enabled, done.step)).collect(),
            pending,
            next: next.map(|step| place(&node.enabled, step)),
        }
    }

    /// Lists branches that grow in a state.
    fn flatten(&self, state: &S::State, branches: &[Branch<S::Step>], list: &mut Vec<Twig>) {
        if branches.is_empty() {
            return;
        }
        let mut enabled = Vec::new();
        self.system.enabled(state, &mut enabled);
        for Branch { first, children } in branches {
            list.push(Twig {
                step: place(&enabled, first.step),
                footprint: first.footprint,
                children: children.len() as u32,
            });
            if !children.is_empty() {
                let (state, _) = self.try_step(state, first.step);
                self.flatten(&state, children, list);
            }
        }
    }

    /// Takes the path that was kept.
    pub(super) fn restore(&mut self, saved: &Saved) -> Result<(), Stale> {
        self.enter(self.system.initial(), Vec::new(), Vec::new());
        for (number, stop) in (1..).zip(&saved.path) {
            let node = self.last();
            let mut twigs = stop.pending.iter();
            let mut pending = Vec::new();
            while !twigs.as_slice().is_empty() {
                pending.push(self.grow(&node.state, &mut twigs)?);
            }
            let step = |place: &u32| node.enabled.get(*place as usize).copied().ok_or(OTHER);
            let done = stop.done.iter().map(step).collect::<Result<Vec<_>, _>>()?;
            let done = done
                .into_iter()
                .map(|step| self.try_step(&node.state, step).1);
            let done: Vec<_> = done.collect();
            let next = stop.next.as_ref().map(step).transpose()?;
            let node = self.last_mut();
            node.asleep.extend(done);
            node.pending = pending;
            match next {
                Some(step) => self.go(step, Vec::new()),
                None if number == saved.path.len() => {}
                None => return Err(OTHER),
            }
        }
        // Each stop but the last leads to another node.
        if self.nodes.len() != saved.path.len() {
            return Err(OTHER);
        }
        self.at_end = saved.at_end;
        self.actors = self.actors.max(saved.actors);
        self.report = saved.report.clone();
        if let Some(steps) = &saved.broken {
            let gone = Stale("what broke a promise breaks none now");
            self.report.first_breach = Some(Found::again(self.system, steps).ok_or(gone)?);
        }
        Ok(())
    }

    /// The next branch of a list, in the state in which it grows.
    fn grow(
        &self,
        state: &S::State,
        twigs: &mut std::slice::Iter<'_, Twig>,
    ) -> Result<Branch<S::Step>, Stale> {
        let twig = twigs.next().ok_or(OTHER)?;
        let mut enabled = Vec::new();
        self.system.enabled(state, &mut enabled);
        let step = *enabled.get(twig.step as usize).ok_or(OTHER)?;
        let first = Move {
            step,
            actor: self.system.actor(step),
            footprint: twig.footprint,
        };
        let mut children = Vec::new();
        if twig.children > 0 {
            let (state, _) = self.try_step(state, step);
            for _ in 0..twig.children {
                children.push(self.grow(&state, twigs)?);
            }
        }
        Ok(Branch { first, children })
    }
}

/// The place of a step among those that are possible.
fn place<T: Eq>(enabled: &[T], step: T) -> u32 {
    let place = enabled.iter().position(|possible| *possible == step);
    place.expect("internal bug: footprints say too little: a step is not possible after independent ones were exchanged")
        as u32
}
