//! A system as threads: the steps of its actors, each under the locks that it names.
//!
//! The searches take on faith that a step is indivisible, and that the locks of the real thing make
//! it so. Here nothing is taken on faith: a state is cut into its columns, each column lies inside
//! the mutex that protects it, and actors are threads that
//!
//! 1. *look*: they take the locks of what [`Parts::offer`] looked at, until what it looks at is
//!    under the locks that are held;
//! 2. *take* the locks that the step names ([`Locking::locks`]), and look again;
//! 3. *step*: on a state made of the columns held and of what the thread has seen of the others.
//!    What the step touched must lie under the locks that it named, or the run fails with
//!    [`HELD_LOCKS`];
//! 4. *put back* what it changed, and ring for the actors that had looked at that and had nothing
//!    to do, if, as far as can be seen from here, they have now.
//!
//! An actor with nothing to do leaves what it looked at with each of those locks, and sleeps. When
//! all sleep the run rests, and its end is judged. If something could still be done somebody was not
//! woken: [`EVERY_WAIT_ENDS`].
//!
//! With std's locks ([`crate::sync`]) it is a stress test, whose result is not a function of
//! its arguments. With loom's, [`loom`](https://docs.rs/loom) tries every order in which the locks
//! can be taken. An actor with several steps, or a thread with several actors, tosses coins; under
//! loom a coin falls both ways.
//!
//! Not covered: an offer of time is taken like any other, so a client that waits until only timers
//! are left waits for the timers too. Under loom a run ends where a step `when_idle` would begin.

#[cfg(loom)]
mod explore;
mod planted;
mod shelf;
mod team;

#[cfg(loom)]
pub use explore::{Explored, explore};
pub use planted::Planted;

use crate::parts::{Offer, Parts};
use crate::sync::{self, Coin, Mutex, Thread};
use crate::{Breach, Footprint, System};
use shelf::Shelf;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};
use team::Team;

/// Broken when a step touches a column whose lock it did not name.
pub const HELD_LOCKS: &str = "held-locks";

/// Broken when everybody waits although somebody has a step.
pub const EVERY_WAIT_ENDS: &str = "every-wait-ends";

/// A system that knows the locks of what it is a model of.
///
/// Locks are numbers below 64. They are taken in ascending order; a set of them is a mask.
pub trait Locking: Parts {
    /// How many locks there are.
    fn lock_count(&self) -> usize;

    /// What a lock is called.
    fn lock_name(&self, lock: usize) -> String;

    /// The lock that protects a column.
    fn lock_of(&self, column: usize) -> usize;

    /// The lock under which something is seen: which observation is first is decided by who holds
    /// it first.
    fn lock_of_sight(&self) -> usize;

    /// The locks that `step` names, as a mask: a function of the columns under the locks that it
    /// names, and of those that were looked at to find the step.
    fn locks(&self, state: &Self::State, step: Self::Step) -> u64;

    /// The columns that `step`, done last, touched; `state` is the one it led to, and `footprint` is
    /// what it returned.
    fn touched(&self, _state: &Self::State, step: Self::Step, footprint: Footprint) -> u64 {
        self.depends(step, footprint) | self.changes(step, footprint)
    }

    /// The columns of other locks that whoever holds `column` sees as its last holder saw them: a
    /// list of what there is carries the things in it. A step may use of them only what never
    /// changes while they are there; and whoever changes what there is holds all such lists.
    fn shown_by(&self, _column: usize) -> u64 {
        0
    }
}

/// How a system is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which offers ([`Parts::offers`]) each thread takes steps of. An offer in none takes none.
    pub teams: Vec<Vec<usize>>,
    /// What is wrong with the locking, if something is.
    pub planted: Planted,
    /// How many coins there are: under loom, one for each toss, and a run that needs more is cut off;
    /// on real threads one is enough.
    pub coins: usize,
    /// Steps after which a run is cut off, unfinished.
    pub steps_max: usize,
}

/// What came of a run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Run<S: System> {
    /// The state in which it ended.
    pub state: S::State,
    /// The broken promise, if one was.
    pub breach: Option<Breach>,
    /// What was seen, in order.
    pub seen: Vec<S::Observation>,
    /// The steps, in an order in which they can have been done one after the other.
    pub steps: Vec<S::Step>,
    /// It was cut off: see [`Options::steps_max`] and [`Options::coins`].
    pub is_cut: bool,
}

/// What the threads of a run share.
struct Shared<S: Locking> {
    system: Arc<S>,
    options: Options,
    /// By lock: what it protects.
    shelves: Vec<Mutex<Shelf<S>>>,
    /// By lock: the columns it protects.
    columns: Vec<u64>,
    /// By team.
    bells: Vec<Bell>,
    coins: Vec<Coin>,
    // What follows is no part of what is tried: it decides nothing that a step sees. It is the
    // standard library's under loom too, where it would only multiply the orders to try.
    coins_tossed: AtomicUsize,
    /// Teams that do not sleep, and those that were rung for since.
    awake: AtomicUsize,
    over: AtomicBool,
    record: std::sync::Mutex<Record<S>>,
}

/// What is written down on the way.
struct Record<S: System> {
    breach: Option<Breach>,
    steps: Vec<S::Step>,
}

/// How a team that sleeps is woken.
#[derive(Default)]
struct Bell {
    /// It sleeps, or is about to.
    waits: AtomicBool,
    thread: OnceLock<Thread>,
}

impl<S: Locking> Shared<S> {
    fn new(system: Arc<S>, state: &S::State, options: Options) -> Shared<S> {
        let mut columns = vec![0; system.lock_count()];
        for column in 0..system.columns() {
            columns[system.lock_of(column)] |= 1 << column;
        }
        let teams = options.teams.len();
        let shelf = |mask: &u64| Mutex::new(Shelf::new(&*system, state, *mask, teams));
        Shared {
            shelves: columns.iter().map(shelf).collect(),
            columns,
            bells: (0..teams).map(|_| Bell::default()).collect(),
            coins: (0..options.coins).map(|_| Coin::new()).collect(),
            coins_tossed: AtomicUsize::new(0),
            awake: AtomicUsize::new(teams),
            over: AtomicBool::new(false),
            record: std::sync::Mutex::new(Record {
                breach: None,
                steps: Vec::new(),
            }),
            system,
            options,
        }
    }

    /// The locks that protect these columns.
    fn locks_of(&self, columns: u64) -> u64 {
        let protects = |lock: &usize| self.columns[*lock] & columns != 0;
        (0..self.columns.len())
            .filter(protects)
            .fold(0, |locks, lock| locks | 1 << lock)
    }

    /// The columns that these locks protect.
    fn columns_of(&self, locks: u64) -> u64 {
        ones(locks).fold(0, |columns, lock| columns | self.columns[lock])
    }

    /// The next coin. On real threads one is as good as another; under loom each is tossed once.
    fn coin(&self) -> Option<&Coin> {
        let number = self.coins_tossed.fetch_add(1, SeqCst);
        if cfg!(loom) {
            self.coins.get(number)
        } else {
            self.coins.first()
        }
    }

    fn is_over(&self) -> bool {
        self.over.load(SeqCst)
    }

    /// Nobody does anything any more.
    fn end(&self) {
        self.over.store(true, SeqCst);
        (0..self.bells.len()).for_each(|team| self.ring(team));
    }

    /// Wakes a team, if it sleeps.
    fn ring(&self, team: usize) {
        let bell = &self.bells[team];
        if bell.waits.swap(false, SeqCst) {
            self.awake.fetch_add(1, SeqCst);
            if let Some(thread) = bell.thread.get() {
                sync::unpark(thread);
            }
        }
    }

    /// The run fails; the first failure counts.
    fn fail(&self, breach: Breach) {
        self.write_down(|record| {
            record.breach.get_or_insert(breach);
        });
        self.end();
    }

    fn write_down(&self, note: impl FnOnce(&mut Record<S>)) {
        note(
            &mut self
                .record
                .lock()
                .unwrap_or_else(|poison| poison.into_inner()),
        );
    }

    /// What came of it, when all threads are gone.
    fn finish(self) -> Run<S> {
        let Shared {
            system,
            options,
            coins_tossed,
            shelves,
            record,
            ..
        } = self;
        let record = record
            .into_inner()
            .unwrap_or_else(|poison| poison.into_inner());
        let mut parts = vec![None; system.columns()];
        let mut seen = Vec::new();
        for shelf in shelves {
            let shelf = shelf
                .into_inner()
                .unwrap_or_else(|poison| poison.into_inner());
            for (column, part) in shelf.parts {
                parts[column] = Some(part);
            }
            seen.extend(shelf.seen);
        }
        let parts: Vec<S::Part> = parts.into_iter().flatten().collect();
        assert_eq!(
            parts.len(),
            system.columns(),
            "internal bug: every column has a lock"
        );
        let state = system.put_together(&parts);
        let coins_lack = cfg!(loom) && coins_tossed.into_inner() > options.coins;
        let is_cut = coins_lack || record.steps.len() >= options.steps_max;
        let at_rest = || asleep(&*system, &state).or_else(|| judged_at_rest(&*system, &state));
        Run {
            breach: record
                .breach
                .or_else(|| if is_cut { None } else { at_rest() }),
            is_cut,
            state,
            seen,
            steps: record.steps,
        }
    }
}

/// The first step that is possible although everybody sleeps.
fn asleep<S: Parts>(system: &S, state: &S::State) -> Option<Breach> {
    let mut offer = Offer::new();
    (0..system.offers()).find_map(|number| {
        system.offer(state, number, &mut offer);
        let step = offer.steps.first().filter(|_| !offer.when_idle)?.step;
        let message = format!(
            "everybody waits, but `{}` is possible: nobody woke {}",
            system.name(state, step),
            system.actor_name(state, number)
        );
        Some(Breach::new(EVERY_WAIT_ENDS, message))
    })
}

/// What is wrong with the end of a run, unless there is something to do for those who wait for it.
fn judged_at_rest<S: System>(system: &S, state: &S::State) -> Option<Breach> {
    let mut enabled = Vec::new();
    system.enabled(state, &mut enabled);
    if !enabled.is_empty() {
        return None;
    }
    system.judge(state, true).err()
}

/// Runs `system` on real threads, from its initial state until nothing is possible any more.
///
/// A step `when_idle` is taken when everybody waits.
///
/// # Errors
///
/// The operating system gives no more threads.
#[cfg(not(loom))]
pub fn run<S>(system: &Arc<S>, options: &Options) -> io::Result<Run<S>>
where
    S: Locking + Send + Sync + 'static,
    S::State: Sync,
    S::Observation: Sync,
{
    let (mut state, mut seen, mut steps) = (system.initial(), Vec::new(), Vec::new());
    loop {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        let then = move |run| {
            sender
                .send(run)
                .expect("internal bug: the run is waited for");
        };
        start(Arc::clone(system), &state, options.clone(), then)?.finish();
        let run = receiver.recv().expect("internal bug: a run ends once");
        state = run.state;
        seen.extend(run.seen);
        steps.extend(run.steps);
        let (mut breach, is_cut) = (run.breach, run.is_cut);
        let mut enabled = Vec::new();
        system.enabled(&state, &mut enabled);
        if let (None, false, Some(step)) = (&breach, is_cut, enabled.first()) {
            system.apply(&mut state, *step, &mut seen);
            steps.push(*step);
            breach = system.judge(&state, false).err();
            if breach.is_none() {
                continue;
            }
        }
        return Ok(Run {
            state,
            breach,
            seen,
            steps,
            is_cut,
        });
    }
}

/// Runs `system` from `state` until everybody waits, and hands what came of it to `then`, on the
/// last of its threads.
///
/// # Errors
///
/// The operating system gives no more threads.
pub fn start<S>(
    system: Arc<S>,
    state: &S::State,
    options: Options,
    then: impl Fn(Run<S>) + Send + Sync + 'static,
) -> io::Result<Workers>
where
    S: Locking + Send + Sync + 'static,
    S::State: Sync,
    S::Observation: Sync,
{
    let then = Arc::new(then);
    sync::quietly(|| {
        let shared = Arc::new(Shared::new(system, state, options));
        let mut workers = Vec::new();
        for number in 0..shared.options.teams.len() {
            let (shared, then, state) = (Arc::clone(&shared), Arc::clone(&then), state.clone());
            let left = Arc::downgrade(&shared);
            let work = move || {
                Team::new(&shared, number, state).live();
                if let Some(shared) = Arc::into_inner(shared) {
                    then(shared.finish());
                }
            };
            let rescue = move || {
                if let Some(shared) = left.upgrade() {
                    shared.end();
                }
            };
            workers.push(sync::spawn(work, rescue)?);
        }
        sync::toss(&shared.coins);
        // Real threads may all be gone by now.
        if let Some(shared) = Arc::into_inner(shared) {
            then(shared.finish());
        }
        Ok(Workers(workers))
    })
}

/// The threads of a run.
pub struct Workers(Vec<sync::Worker<()>>);

impl Workers {
    /// Waits until they have ended.
    pub fn finish(self) {
        sync::finish(self.0);
    }
}

/// The bits that are set, ascending.
fn ones(mut mask: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let lowest = mask.trailing_zeros();
        mask &= mask.wrapping_sub(1);
        (lowest < 64).then_some(lowest as usize)
    })
}
