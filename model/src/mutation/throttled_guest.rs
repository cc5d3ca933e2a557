//! The rate limiter delays guests.

use super::Mutation;
use crate::block_copy::{self, BlockCopy, CallState, Caller};
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "throttled-guest",
    bug: "bug-E19",
    what: "A guest's write that must save old data waits for the job's rate limiter.",
    reference: "inferred: block_copy of a guest's write ignores the limiter on purpose",
    breaks: "throttle-only-background",
    story: "bugs/a-guest-beside-a-sleeping-job",
    dialect: "10.0",
    plant: |rules| {
        rules.is_limited = limit_everybody;
        rules.sleep_over = wake_everybody;
    },
};

fn asleep(copy: &BlockCopy, caller: Caller) -> bool {
    let call = copy.call(caller);
    call.is_some_and(|call| matches!(call.state, CallState::Sleeping { .. }))
}

/// A guest sleeps when the job does, so that there is a timer.
fn limit_everybody(w: &World, job: JobIx, caller: Caller) -> bool {
    let copy = w.copy(job);
    match caller {
        Caller::Job => block_copy::is_limited(w, job, caller),
        Caller::Guest(_) => copy.slice_is_spent() && asleep(copy, Caller::Job),
    }
}

fn wake_everybody(w: &mut World, job: JobIx) {
    let callers = w.copy(job).calls.iter().map(|call| call.caller);
    let guests: Vec<Caller> = callers.filter(|&caller| caller != Caller::Job).collect();
    block_copy::sleep_over(w, job);
    for guest in guests {
        if asleep(w.copy(job), guest) {
            block_copy::go_on(w, job, guest);
        }
    }
}
