//! A call takes one worker more than it may.

use super::Mutation;
use crate::block_copy::Caller;
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "one-worker-too-many",
    bug: "bug-D13-workers",
    what: "The pool of copy tasks looks whether it is full after it has begun a task, not before: one copy more is in \
           flight than max-workers allows.",
    reference: "inferred: no record; it is what aio_task_pool_wait_slot before each task is there for",
    breaks: "worker-bound",
    story: "bugs/a-throttled-backup",
    dialect: "10.0",
    plant: |rules| rules.is_full = is_over_full,
};

fn is_over_full(w: &World, job: JobIx, caller: Caller) -> bool {
    let copy = w.copy(job);
    let call = copy.call(caller);
    caller == Caller::Job && call.is_some_and(|call| call.running > copy.workers_max)
}
