//! Every request that fails is a reason to pause of its own, and the user's resume takes away one.

use super::Mutation;
use crate::block_copy::{self, Caller};
use crate::error::Errno;
use crate::event::{ErrorAction, Operation};
use crate::job;
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "each-error-pauses",
    bug: "bug-C1",
    what: "Each of several requests that fail together adds a reason to pause; a resume takes one away, and the job \
           never goes on.",
    reference: "QEMU, mended in 4.1.1 and 4.2: block_job_error_action asks whether the job is paused already",
    breaks: "job-ends",
    story: "bugs/two-reads-fail-at-once",
    dialect: "10.0",
    plant: |rules| {
        rules.end_task = ask_for_each_failure;
        rules.error_action = pause_once_more;
    },
};

/// The first failure of a call is asked about when the call is over; here each other one is, too.
fn ask_for_each_failure(
    w: &mut World,
    job: JobIx,
    start: u64,
    failed: Option<(Operation, Errno)>,
) {
    let another = failed.filter(|_| is_another_failure(w, job, start));
    block_copy::end_task(w, job, start, failed);
    if let Some((operation, errno)) = another {
        pause_once_more(w, job, operation, errno);
    }
}

fn is_another_failure(w: &World, job: JobIx, start: u64) -> bool {
    let copy = w.copy(job);
    let own = |call: &block_copy::Call| call.failed.is_some() && !call.cancelled;
    let mut tasks = copy.tasks.iter();
    tasks.any(|task| task.start == start && task.caller == Caller::Job)
        && copy.call(Caller::Job).is_some_and(own)
}

fn pause_once_more(
    w: &mut World,
    index: JobIx,
    operation: Operation,
    errno: Errno,
) -> ErrorAction {
    let paused = w.job(index).user_paused;
    let action = job::error_action(w, index, operation, errno);
    if paused && action == ErrorAction::Stop {
        w.job_mut(index).pause_count += 1;
    }
    action
}
