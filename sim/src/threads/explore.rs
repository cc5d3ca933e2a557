//! Every order in which the threads of a run can take their locks, by loom.

use super::{Locking, Options, Run, start};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, MutexGuard};

/// How many operations on locks one run may have.
const OPERATIONS_MAX: usize = 10_000;

/// How an exploration ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Explored {
    /// Every order was tried, within the bound on preemptions if there is one.
    Complete,
    /// Whoever was handed the runs had enough.
    Stopped,
    /// Threads wait for each other's locks; what loom says about it.
    Deadlock(String),
}

/// What stops loom from inside.
struct Enough;

/// Runs `system` from `state` in every order in which its threads can take their locks: with
/// `preemptions`, in every order with at most so many switches away from a thread that could have
/// gone on. Each run is handed to `on`, which says whether to go on.
///
/// The second value is how many runs there were, the last one included.
///
/// # Panics
///
/// When a rule of the system panics.
pub fn explore<S>(
    system: &Arc<S>,
    state: &S::State,
    options: &Options,
    preemptions: Option<usize>,
    on: impl FnMut(Run<S>) -> bool + Send + 'static,
) -> (Explored, u64)
where
    S: Locking + Send + Sync + 'static,
    S::State: Sync,
    S::Observation: Sync,
{
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions;
    builder.max_branches = OPERATIONS_MAX;
    builder.max_threads = options.teams.len() + 1;
    let on = Arc::new(Mutex::new(on));
    let runs = Arc::new(Mutex::new(0_u64));
    let model = {
        let (system, state, options) = (Arc::clone(system), state.clone(), options.clone());
        let runs = Arc::clone(&runs);
        move || {
            *unpoisoned(&runs) += 1;
            let on = Arc::clone(&on);
            let then = move |run| {
                if !unpoisoned(&on)(run) {
                    resume_unwind(Box::new(Enough));
                }
            };
            let started = start(Arc::clone(&system), &state, options.clone(), then);
            started
                .expect("loom has as many threads as it says")
                .finish();
        }
    };
    let ended = catch_unwind(AssertUnwindSafe(|| builder.check(model)));
    let explored = match ended {
        Ok(()) => Explored::Complete,
        Err(panic) if panic.is::<Enough>() => Explored::Stopped,
        Err(panic) => match text_of(&*panic) {
            Some(text) if text.starts_with("deadlock") => Explored::Deadlock(text.to_owned()),
            _ => resume_unwind(panic),
        },
    };
    let runs = *unpoisoned(&runs);
    (explored, runs)
}

fn text_of(panic: &(dyn Any + Send)) -> Option<&str> {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
}

fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poison| poison.into_inner())
}
