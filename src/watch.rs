//! Work that must be able to end early: a budget of time, and Ctrl-C.

use std::num::NonZeroUsize;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// How often the clock, and whether somebody has pressed Ctrl-C, is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How many threads work: as many as were asked for, or else as there are processors.
pub fn workers(asked: Option<NonZeroUsize>) -> NonZeroUsize {
    asked
        .or_else(|| thread::available_parallelism().ok())
        .unwrap_or(NonZeroUsize::MIN)
}

/// As [`workers`], for each of some processes on this machine.
pub fn workers_each(asked: Option<NonZeroUsize>, processes: usize) -> NonZeroUsize {
    match (asked, processes) {
        (None, 2..) => {
            NonZeroUsize::new(workers(None).get() / processes).unwrap_or(NonZeroUsize::MIN)
        }
        _ => workers(asked),
    }
}

/// Somebody has pressed Ctrl-C: that ends the process's work, whichever command is at it.
static PRESSED: AtomicBool = AtomicBool::new(false);
static LISTEN: Once = Once::new();

/// Whether somebody has pressed Ctrl-C since somebody listens.
pub fn is_interrupted() -> bool {
    PRESSED.load(Relaxed)
}

/// What can end a command before its work is done.
pub struct Watch {
    deadline: Option<Instant>,
}

impl Watch {
    /// Listens for Ctrl-C, and for the end of `max_time` from now on.
    pub fn new(max_time: Option<Duration>) -> Watch {
        // Without a handler, Ctrl-C ends the process at once, and nothing else changes.
        LISTEN.call_once(|| {
            let _ = ctrlc::set_handler(|| PRESSED.store(true, Relaxed));
        });
        Watch {
            deadline: max_time.and_then(|time| Instant::now().checked_add(time)),
        }
    }

    /// Whether somebody has pressed Ctrl-C.
    pub fn is_interrupted(&self) -> bool {
        is_interrupted()
    }

    /// Whether the work must end: the time is over, or somebody has pressed Ctrl-C.
    pub fn is_over(&self) -> bool {
        self.is_interrupted() || self.deadline.is_some_and(|end| Instant::now() >= end)
    }

    /// When the work must end, if there is a budget of time.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// When the next of so many pieces of work that are left must end: each gets an equal part of what is left.
    pub fn share_of_time(&self, pieces_left: usize) -> Option<Instant> {
        let now = Instant::now();
        let left = self.deadline?.saturating_duration_since(now);
        Some(now + left / u32::try_from(pieces_left).unwrap_or(u32::MAX))
    }

    /// Does `work` while `look` is called now and then; sets `interrupt` when it must end, which is at `until`, or
    /// when somebody presses Ctrl-C.
    pub fn over<R: Send>(
        &self,
        until: Option<Instant>,
        interrupt: &AtomicBool,
        look: impl Fn(),
        work: impl FnOnce() -> R + Send,
    ) -> R {
        thread::scope(|scope| {
            let worker = scope.spawn(work);
            let started = Instant::now();
            while !worker.is_finished() {
                let late = until.is_some_and(|until| Instant::now() >= until);
                if late || self.is_interrupted() {
                    interrupt.store(true, Relaxed);
                }
                look();
                // Most work is short, and nobody wants to wait for somebody who sleeps.
                thread::sleep(LOOK_EVERY.min(started.elapsed() / 4));
            }
            worker
                .join()
                .unwrap_or_else(|payload| std::panic::resume_unwind(payload))
        })
    }
}
