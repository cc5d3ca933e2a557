//! A thread and the actors whose steps it takes.

use super::shelf::Shelf;
use super::{HELD_LOCKS, Locking, Planted, Shared, ones};
use crate::parts::Offer;
use crate::sync::{self, MutexGuard};
use crate::{Breach, Footprint};
use std::sync::atomic::Ordering::SeqCst;

/// Locks that are held, ascending, with what they protect.
struct Held<'a, S: Locking> {
    guards: Vec<(usize, MutexGuard<'a, Shelf<S>>)>,
    locks: u64,
}

/// What actors could do, and what decided it.
struct Look<T> {
    steps: Vec<T>,
    looked: u64,
}

/// What a step did.
struct Done<S: Locking> {
    step: S::Step,
    state: S::State,
    seen: Vec<S::Observation>,
    /// The locks that it named, and those of them that it does not hold.
    named: u64,
    forgotten: u64,
}

pub(super) struct Team<'a, S: Locking> {
    shared: &'a Shared<S>,
    number: usize,
    /// What it has seen last of each column.
    view: Vec<S::Part>,
    /// The view, put together.
    state: S::State,
    /// The locks of what it looked at last.
    wanted: u64,
}

impl<'a, S: Locking> Team<'a, S> {
    pub(super) fn new(shared: &'a Shared<S>, number: usize, state: S::State) -> Team<'a, S> {
        let system = &*shared.system;
        let mut team = Team {
            view: (0..system.columns())
                .map(|column| system.part(&state, column))
                .collect(),
            shared,
            number,
            state,
            wanted: 0,
        };
        let look = team.look();
        team.wanted = shared.locks_of(look.looked);
        team
    }

    /// Takes steps until everybody waits.
    pub(super) fn live(&mut self) {
        // Nobody rings for a team that has not set it yet: it has not waited.
        let _ = self.shared.bells[self.number].thread.set(sync::current());
        while !self.shared.is_over() {
            self.turn();
        }
    }

    /// Takes a step, or waits until there may be one.
    fn turn(&mut self) {
        let mut held = self.take(self.wanted);
        let mut chosen: Option<S::Step> = None;
        loop {
            self.see(&held);
            let look = self.look();
            let under = self.shared.locks_of(look.looked);
            if under & !held.locks != 0 {
                held = self.take_more(held, under);
                continue;
            }
            self.wanted = under;
            if look.steps.is_empty() {
                return self.wait(held, look.looked);
            }
            let step = chosen.filter(|step| look.steps.contains(step));
            let step = step.unwrap_or_else(|| self.choose(&look.steps));
            let named = self.shared.system.locks(&self.state, step);
            if named & !held.locks == 0 {
                return self.step(held, step, named);
            }
            chosen = Some(step);
            held = self.take_more(held, named);
        }
    }

    // ---- locks

    fn take(&self, locks: u64) -> Held<'a, S> {
        let mut held = Held {
            guards: Vec::new(),
            locks: 0,
        };
        self.take_into(&mut held, locks);
        held
    }

    fn take_into(&self, held: &mut Held<'a, S>, locks: u64) {
        let mut order: Vec<usize> = ones(locks).collect();
        if self.shared.options.planted == Planted::Descending && self.number % 2 == 1 {
            order.reverse();
        }
        for lock in order {
            let guard = self.shared.shelves[lock].lock();
            let guard = guard.unwrap_or_else(|poison| poison.into_inner());
            held.guards.push((lock, guard));
        }
        held.locks |= locks;
    }

    /// Takes `more` locks beside those held: just these if all of them come later in the order, or
    /// else everything anew.
    fn take_more(&self, mut held: Held<'a, S>, more: u64) -> Held<'a, S> {
        let missing = more & !held.locks;
        if missing.trailing_zeros() > held.locks.checked_ilog2().unwrap_or(0)
            && self.shared.options.planted != Planted::Descending
        {
            self.take_into(&mut held, missing);
            return held;
        }
        let all = held.locks | more;
        drop(held);
        self.take(all)
    }

    // ---- looking

    /// What lies under the locks held becomes what was seen last.
    fn see(&mut self, held: &Held<'a, S>) {
        let own = self.shared.columns_of(held.locks);
        for (_, shelf) in &held.guards {
            let others = shelf
                .shown
                .iter()
                .filter(|(column, _)| own & 1 << *column == 0);
            for (column, part) in shelf.parts.iter().chain(others) {
                self.view[*column].clone_from(part);
            }
        }
        self.state = self.shared.system.put_together(&self.view);
    }

    fn look(&self) -> Look<S::Step> {
        look(self.shared, self.number, &self.state)
    }

    /// One of several steps: by tossing coins.
    fn choose(&self, steps: &[S::Step]) -> S::Step {
        let (last, others) = steps.split_last().expect("internal bug: there is a step");
        let fallen = others.iter().find(|_| match self.shared.coin() {
            Some(coin) => coin.falls(),
            None => {
                self.shared.end();
                true
            }
        });
        *fallen.unwrap_or(last)
    }

    // ---- stepping

    fn step(&mut self, held: Held<'a, S>, step: S::Step, named: u64) {
        if self.shared.is_over() {
            return;
        }
        let system = &*self.shared.system;
        let forgotten = match self.shared.options.planted {
            Planted::Forgets(locks) => locks & named,
            _ => 0,
        };
        let (mut state, mut seen) = (self.state.clone(), Vec::new());
        let footprint = system.apply(&mut state, step, &mut seen);
        self.shared.write_down(|record| {
            record.steps.push(step);
            if record.steps.len() >= self.shared.options.steps_max {
                self.shared.end();
            }
        });
        let judged = system.judge(&state, false);
        let done = Done {
            step,
            state,
            seen,
            named,
            forgotten,
        };
        if let Err(breach) = judged.and_then(|()| self.check_locks(&done, footprint)) {
            return self.shared.fail(breach);
        }
        self.put_back(held, done);
    }

    /// What the step touched lies under the locks that it named.
    fn check_locks(&self, done: &Done<S>, footprint: Footprint) -> Result<(), Breach> {
        let system = &*self.shared.system;
        let touched = system.touched(&done.state, done.step, footprint);
        let mut needed = self.shared.locks_of(touched);
        if !done.seen.is_empty() {
            needed |= 1 << system.lock_of_sight();
        }
        let names = |locks| -> String {
            let names: Vec<String> = ones(locks).map(|lock| system.lock_name(lock)).collect();
            names.join(", ")
        };
        if needed & !done.named == 0 {
            return Ok(());
        }
        let message = format!(
            "`{}` touches what is under {}, but names only {}",
            system.name(&self.state, done.step),
            names(needed & !done.named),
            names(done.named)
        );
        Err(Breach::new(HELD_LOCKS, message))
    }

    /// Puts back what the step changed, and rings for those whom it may concern.
    fn put_back(&mut self, mut held: Held<'a, S>, mut done: Done<S>) {
        if done.forgotten != 0 {
            // What lies under the forgotten locks is written back later, as if nobody had been
            // there since.
            held.guards
                .retain(|(lock, _)| done.forgotten & 1 << *lock == 0);
            held.locks &= !done.forgotten;
            self.publish(&mut held, &mut done);
            drop(held);
            held = self.take(done.forgotten);
        }
        self.publish(&mut held, &mut done);
        self.state = done.state;
        if done.forgotten != 0 {
            return;
        }
        for (_, shelf) in &held.guards {
            for (column, part) in &shelf.parts {
                self.view[*column].clone_from(part);
            }
        }
        // If there is nothing more to do, that is known without taking the locks again.
        let look = self.look();
        self.wanted = self.shared.locks_of(look.looked);
        if look.steps.is_empty() && self.wanted & !held.locks == 0 {
            self.wait(held, look.looked);
        }
    }

    fn publish(&self, held: &mut Held<'a, S>, done: &mut Done<S>) {
        let system = &*self.shared.system;
        let mut changed = 0;
        for (lock, shelf) in &mut held.guards {
            if done.named & 1 << *lock != 0 {
                changed |= shelf.put_back(system, &self.view, &done.state);
            }
            if *lock == system.lock_of_sight() {
                shelf.seen.append(&mut done.seen);
            }
        }
        for team in (0..self.shared.bells.len()).filter(|team| *team != self.number) {
            self.ring(held, team, changed, &done.state);
        }
    }

    /// Wakes a team that looked at what has `changed`, unless all that it looks at now can be seen
    /// from here, and it still has nothing to do.
    fn ring(&self, held: &mut Held<'a, S>, team: usize, changed: u64, state: &S::State) {
        let watches = |(_, shelf): &(usize, MutexGuard<'_, Shelf<S>>)| shelf.watched[team];
        if held
            .guards
            .iter()
            .all(|guard| watches(guard) & changed == 0)
        {
            return;
        }
        let look = look(self.shared, team, state);
        let is_seen = self.shared.locks_of(look.looked) & !held.locks == 0;
        if look.steps.is_empty() && is_seen {
            watch(held, team, look.looked);
        } else {
            self.shared.ring(team);
        }
    }

    // ---- waiting

    /// Says under the locks what it waits for, lets go of them, and sleeps until somebody rings.
    fn wait(&self, mut held: Held<'a, S>, looked: u64) {
        if self.shared.options.planted == Planted::TestsOutside {
            let locks = held.locks;
            drop(held);
            held = self.take(locks);
        }
        watch(&mut held, self.number, looked);
        let bell = &self.shared.bells[self.number];
        bell.waits.store(true, SeqCst);
        drop(held);
        if self.shared.awake.fetch_sub(1, SeqCst) == 1 {
            self.shared.end();
        }
        while bell.waits.load(SeqCst) && !self.shared.is_over() {
            sync::park();
        }
    }
}

/// Leaves with the locks held what a team looked at.
fn watch<S: Locking>(held: &mut Held<'_, S>, team: usize, looked: u64) {
    for (_, shelf) in &mut held.guards {
        shelf.watched[team] = looked;
    }
}

/// What a team could do in `state`.
fn look<S: Locking>(shared: &Shared<S>, team: usize, state: &S::State) -> Look<S::Step> {
    let mut found = Look {
        steps: Vec::new(),
        looked: 0,
    };
    let mut offer = Offer::new();
    for number in &shared.options.teams[team] {
        shared.system.offer(state, *number, &mut offer);
        found.looked |= offer.looked;
        if !offer.when_idle {
            found
                .steps
                .extend(offer.steps.iter().map(|offered| offered.step));
        }
    }
    found
}
