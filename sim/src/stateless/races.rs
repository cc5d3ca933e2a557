//! Where an execution could have gone another way, because somebody came first who need not have.
//!
//! Let *U* be a trace that has not been seen, and *E* the seen one that has most in common with it:
//! a set of events *P* with which both may begin. Let *U* go on with the step *u* of an actor. *E*
//! does not do it after *P*; it would have had to in the end, if nothing in *E* depended on it.
//! The first event of *E* that does and is not in *P* is its *rival*: it took *u* away, or is
//! what the actor did instead, or has just come in before it. So whatever an actor could do after
//! any set of events that may come first is put in front of its rival, followed by all of *E* that
//! has nothing to do with the rival; that has *P* and *u* in common with *U*. Going on so, *U* is
//! reached.
//!
//! Which sets are there? An actor is asked in each *gap*: after one of its events, instead of the
//! next. What must come first is the past of that event. Of the others, one after the other may come
//! first that changes what the actor can do, or on which something that it can do depends.

use super::execution::{Move, Past, is_weak_initial};
use super::{Node, Stateless, wakeup};
use crate::System;
use std::collections::BTreeSet;

/// The point in the life of an actor between two of its events.
struct Gap {
    actor: usize,
    /// The actor's event that ends it, if there is one.
    next: Option<usize>,
    /// The actor's event before it, and all that happens before that.
    past: Past,
}

impl<S: System> Stateless<'_, S> {
    /// Puts into the wakeup trees along the path every other way that the execution just done
    /// shows.
    pub(super) fn reverse_races(&mut self) {
        let end = self.events.len();
        let mut pasts = vec![Past::default(); self.actors];
        for next in 0..end {
            let event = &self.events[next];
            let actor = event.done.actor;
            let mut past = Past::default();
            past.add(next, &event.past);
            let past = std::mem::replace(&mut pasts[actor], past);
            self.ask(&Gap {
                actor,
                next: Some(next),
                past,
            });
        }
        if self.strangers {
            pasts.push(Past::default());
        }
        for (actor, past) in pasts.into_iter().enumerate() {
            self.ask(&Gap {
                actor,
                next: None,
                past,
            });
        }
    }

    /// Whether the number stands for all actors that have had no step yet, rather than for one.
    fn is_strangers(&self, actor: usize) -> bool {
        self.strangers && actor >= self.actors
    }

    /// Asks what could have been done in a gap, after every set of events that matters.
    fn ask(&mut self, gap: &Gap) {
        let others: Vec<usize> = (0..self.events.len())
            .filter(|index| !gap.past.contains(*index) && !self.is_after(gap, *index))
            .collect();
        if self.is_certain(gap, &others) {
            return;
        }
        let mut asked = BTreeSet::new();
        let mut open = vec![gap.past.clone()];
        while let Some(first) = open.pop() {
            if self.is_interrupted() {
                return;
            }
            let state = self.state_after(&first);
            let looked = self.looked(&state, gap.actor);
            let offered = self.offers(&state, gap.actor);
            for done in &offered {
                self.put_before_rival(gap, &first, *done);
            }
            for other in others
                .iter()
                .copied()
                .filter(|other| !first.contains(*other))
            {
                if self.matters(other, looked, &offered) {
                    let mut more = first.clone();
                    more.add(other, &self.events[other].past);
                    if asked.insert(more.clone()) {
                        open.push(more);
                    }
                }
            }
        }
    }

    /// Whether the event ends the gap, or happens after the one that does.
    fn is_after(&self, gap: &Gap, index: usize) -> bool {
        gap.next
            .is_some_and(|next| next == index || self.events[index].past.contains(next))
    }

    /// Whether the event changes what was `looked` at, or something `offered` depends on it.
    fn matters(&self, index: usize, looked: u64, offered: &[Move<S::Step>]) -> bool {
        let done = self.events[index].done;
        (done.footprint.writes | done.footprint.adds) & looked != 0
            || offered.iter().any(|offer| offer.depends_on(done))
    }

    /// Whether what was done in the gap is all that could have been, whatever `others` came first.
    fn is_certain(&self, gap: &Gap, others: &[usize]) -> bool {
        match gap.next {
            None => {
                let end = &self.nodes[self.events.len()];
                let looked = self.looked(&end.state, gap.actor);
                others
                    .iter()
                    .all(|other| !self.matters(*other, looked, &[]))
            }
            Some(next) => {
                let next = &self.events[next];
                next.alternatives.is_empty()
                    && others
                        .iter()
                        .all(|other| !self.matters(*other, next.looked, &[next.done]))
            }
        }
    }

    /// The columns by which what `actor` may do in `state` is found.
    pub(super) fn looked(&self, state: &S::State, actor: usize) -> u64 {
        match self.looked {
            Some(looked) if !self.is_strangers(actor) => looked(self.system, state, actor),
            _ => u64::MAX,
        }
    }

    /// What `actor` may do in `state`.
    pub(super) fn offers(&self, state: &S::State, actor: usize) -> Vec<Move<S::Step>> {
        let mut enabled = Vec::new();
        self.system.enabled(state, &mut enabled);
        enabled.retain(|step| {
            let own = self.system.actor(*step);
            own == actor || own > actor && self.is_strangers(actor)
        });
        enabled
            .into_iter()
            .map(|step| self.try_step(state, step).1)
            .collect()
    }

    /// The state after these events, which are all that happens before them too.
    fn state_after(&mut self, first: &Past) -> S::State {
        let end = self.events.len();
        let missing = (0..end)
            .find(|index| !first.contains(*index))
            .unwrap_or(end);
        let mut state = self.nodes[missing].state.clone();
        for index in missing..end {
            if first.contains(index) {
                self.redo(&mut state, self.events[index].done.step);
            }
        }
        state
    }

    fn redo(&mut self, state: &mut S::State, step: S::Step) -> Move<S::Step> {
        self.report.steps_replayed += 1;
        self.seen.clear();
        let footprint = self.system.apply(state, step, &mut self.seen);
        Move {
            step,
            actor: self.system.actor(step),
            footprint,
        }
    }

    /// Makes sure that a trace is seen in which `done`, possible after the events `first`, comes
    /// before its rival.
    fn put_before_rival(&mut self, gap: &Gap, first: &Past, done: Move<S::Step>) {
        let is_rival =
            |index: &usize| !first.contains(*index) && self.events[*index].done.depends_on(done);
        let rival = (0..self.events.len()).find(is_rival);
        let Some(rival) = rival.filter(|rival| self.events[*rival].done.step != done.step) else {
            // It is what the execution did there.
            return;
        };
        let sequence = self.sequence(gap, rival, first, done.step);
        let Node {
            asleep, pending, ..
        } = &mut self.nodes[rival];
        let mut known = asleep.iter().chain([&self.events[rival].done]);
        if !known.any(|asleep| is_weak_initial(*asleep, &sequence)) {
            wakeup::insert(pending, sequence);
        }
    }

    /// From node `rival` on: what is left of the events `first`, then `step`, then as much as is
    /// still possible of all that happens neither after `rival` nor after what ended the gap.
    ///
    /// Without that last part, a step that is asleep might seem to lead there and lead elsewhere.
    fn sequence(
        &mut self,
        gap: &Gap,
        rival: usize,
        first: &Past,
        step: S::Step,
    ) -> Vec<Move<S::Step>> {
        let mut state = self.nodes[rival].state.clone();
        let later = rival + 1..self.events.len();
        let mut sequence = Vec::new();
        for index in later.clone().filter(|index| first.contains(*index)) {
            sequence.push(self.redo(&mut state, self.events[index].done.step));
        }
        sequence.push(self.redo(&mut state, step));
        let mut enabled = Vec::new();
        for index in later {
            let event = &self.events[index];
            let is_free =
                !first.contains(index) && !event.past.contains(rival) && !self.is_after(gap, index);
            if is_free {
                let step = event.done.step;
                self.system.enabled(&state, &mut enabled);
                if enabled.contains(&step) {
                    sequence.push(self.redo(&mut state, step));
                }
            }
        }
        sequence
    }
}
