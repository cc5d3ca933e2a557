//! Locks and threads: the standard library's, or loom's when built with `--cfg loom`.
//!
//! [`threads`](crate::threads) uses these and no others, so what runs as a stress test on real
//! threads is what loom tries in every order. Two things differ between the two builds, and they
//! are here: a [`Coin`] is chance on real threads and every way it can fall under loom, and a model
//! checker needs nobody to wait for the end of a thread.

pub use imp::{Coin, Worker};
pub(crate) use imp::{
    Mutex, MutexGuard, Thread, current, finish, park, quietly, spawn, toss, unpark,
};

#[cfg(not(loom))]
mod imp {
    use std::hash::{BuildHasher, Hasher, RandomState};
    use std::io;
    pub(crate) use std::sync::{Mutex, MutexGuard};
    pub use std::thread::JoinHandle as Worker;
    pub(crate) use std::thread::{Thread, current, park};

    /// A two-way choice.
    #[derive(Debug)]
    pub struct Coin;

    /// Runs `work` on a thread of its own.
    pub(crate) fn spawn(work: impl FnOnce() + Send + 'static) -> io::Result<Worker<()>> {
        std::thread::Builder::new().spawn(work)
    }

    pub(crate) fn unpark(thread: &Thread) {
        thread.unpark();
    }

    /// Does what is no part of what is tried.
    pub(crate) fn quietly<T>(work: impl FnOnce() -> T) -> T {
        work()
    }

    /// Waits for the ends of threads.
    pub(crate) fn finish(workers: Vec<Worker<()>>) {
        for worker in workers {
            if let Err(panic) = worker.join() {
                std::panic::resume_unwind(panic);
            }
        }
    }

    impl Coin {
        pub(crate) fn new() -> Coin {
            Coin
        }

        /// Either, by chance. It is the one source of chance here: real threads are no function of
        /// their arguments anyway.
        pub(crate) fn falls(&self) -> bool {
            RandomState::new().build_hasher().finish() & 1 == 1
        }
    }

    /// Makes coins ready.
    pub(crate) fn toss(_: &[Coin]) {}
}

#[cfg(loom)]
mod imp {
    use loom::sync::atomic::{AtomicBool, Ordering::Relaxed};
    pub(crate) use loom::sync::{Mutex, MutexGuard};
    pub use loom::thread::JoinHandle as Worker;
    pub(crate) use loom::thread::{Thread, current, park};
    use std::io;

    /// Room for the rules of a step, in words: a thread of loom's has its stack on the heap.
    const STACK: usize = 1 << 15;

    /// A two-way choice: a relaxed load that may see either of two stores. As no thread that loads
    /// has synchronised with the one that stored, loom tries both.
    #[derive(Debug)]
    pub struct Coin(AtomicBool);

    /// Runs `work` on a thread of its own.
    pub(crate) fn spawn(work: impl FnOnce() + Send + 'static) -> io::Result<Worker<()>> {
        loom::thread::Builder::new().stack_size(STACK).spawn(work)
    }

    pub(crate) fn unpark(thread: &Thread) {
        thread.unpark();
    }

    /// Does what is no part of what is tried: no order of it is a choice.
    pub(crate) fn quietly<T>(work: impl FnOnce() -> T) -> T {
        loom::stop_exploring();
        let result = work();
        loom::explore();
        result
    }

    /// Waits for nobody: loom runs every thread to its end, and a join would be one more thing
    /// whose orders it tries.
    pub(crate) fn finish(workers: Vec<Worker<()>>) {
        drop(workers);
    }

    impl Coin {
        pub(crate) fn new() -> Coin {
            Coin(AtomicBool::new(false))
        }

        /// Either; loom tries both.
        pub(crate) fn falls(&self) -> bool {
            self.0.load(Relaxed)
        }
    }

    /// Makes coins ready: called by a thread that those who look at them do not synchronise with.
    pub(crate) fn toss(coins: &[Coin]) {
        for coin in coins {
            coin.0.store(true, Relaxed);
        }
    }
}
