//! A scene as threads: QEMU's locks over its columns, and who runs on which thread.

mod planted;

pub use planted::{LOCK_BUGS, LockBug};

use model::guest::QEMU_IO;
use model::lock;
use model::step::Actor;
use model::world::{GuestIx, JobIx};
use sim::Footprint;
use sim::threads::Locking;

use crate::scene::{ACTORS, CLIENT, Moment, Scene, Step, guest_parts, number_of};

impl Locking for Scene {
    fn lock_count(&self) -> usize {
        lock::LOCKS
    }

    fn lock_name(&self, lock: usize) -> String {
        lock::name(lock)
    }

    fn lock_of(&self, column: usize) -> usize {
        lock::of_column(column)
    }

    /// Messages leave under the main thread's lock, and the client reads them there.
    fn lock_of_sight(&self) -> usize {
        lock::MAIN
    }

    fn locks(&self, moment: &Moment, step: Step) -> u64 {
        match step {
            // It starts and ends processes, and changes images.
            Step::Client => u64::MAX,
            Step::World(step) => moment.world.locks(step),
        }
    }

    /// What the world noted. The client's own column is touched when it hears something or goes on; that it counts
    /// the guests it waits for, at every step, is no touch: it goes on only when one of them has finished.
    fn touched(&self, moment: &Moment, step: Step, footprint: Footprint) -> u64 {
        let world = moment.world.footprint();
        let counted = match step {
            Step::World(_) if moment.client.joins(&self.script) => guest_parts(),
            _ => 0,
        };
        let client = footprint.writes & 1 << CLIENT;
        world.reads & !counted | world.writes | world.adds | world.looks | client
    }

    /// The graph lists all but guests, which are there from the beginning; and who has the jobs has what they use.
    fn shown_by(&self, column: usize) -> u64 {
        if lock::is_list(column) {
            lock::listed()
        } else {
            0
        }
    }
}

/// Who runs on one thread: numbers of offers, for [`sim::threads::Options`].
pub type Team = Vec<usize>;

/// QEMU's main thread, with the client beside it: it waits when nobody else can do anything.
pub fn main_thread() -> Team {
    let guest = Actor::Guest(QEMU_IO);
    vec![
        0,
        number_of(Actor::Monitor),
        number_of(Actor::Main),
        number_of(guest),
    ]
}

/// A job, on a thread of its own.
pub fn job(job: JobIx) -> Team {
    vec![number_of(Actor::Job(job))]
}

/// A guest of the story, counted from 0, on a thread of its own.
pub fn guest(guest: GuestIx) -> Team {
    vec![number_of(Actor::Guest(QEMU_IO + 1 + guest))]
}

/// An iothread that enters jobs' coroutines, and the jobs.
pub fn iothread(context: usize, jobs: &[JobIx]) -> Team {
    let actors = jobs.iter().map(|&job| Actor::Job(job));
    let enters = Actor::Iothread(context);
    std::iter::once(enters)
        .chain(actors)
        .map(number_of)
        .collect()
}

/// Everybody, dealt to so many threads.
pub fn dealt(threads: usize) -> Vec<Team> {
    let main = main_thread();
    let mut teams = vec![Vec::new(); threads];
    teams[0].extend_from_slice(&main);
    let others = (0..ACTORS).filter(|number| !main.contains(number));
    for (index, number) in others.enumerate() {
        teams[(index + 1) % threads].push(number);
    }
    teams
}
