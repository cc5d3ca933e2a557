//! A guest's write does not wait for a copy in flight of the cluster that it changes.

use super::Mutation;
use crate::block_copy::{self, CallState, Caller};
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "no-wait-for-an-overlap",
    bug: "bug-E10",
    what: "A guest's write finds nothing left to copy in its cluster and goes on, though somebody's copy of it is \
           still in flight.",
    reference: "inferred: block_copy_wait_one is there for it",
    breaks: "cbw-failure-visible",
    story: "bugs/two-guests-save-one-cluster",
    dialect: "10.0",
    plant: |rules| rules.end_pass = end_without_waiting,
};

fn end_without_waiting(w: &mut World, job: JobIx, caller: Caller) -> bool {
    let again = block_copy::end_pass(w, job, caller);
    let call = w.copy_mut(job).call_mut(caller);
    if matches!((call.state, caller), (CallState::AwaitTask(_), Caller::Guest(_))) {
        call.state = CallState::Finished;
    }
    again
}
