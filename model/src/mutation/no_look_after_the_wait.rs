//! A guest's write that waited for a copy does not look how that ended.

use super::Mutation;
use crate::block_copy::{self, CallState, Caller};
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "no-look-after-the-wait",
    bug: "bug-E10",
    what: "A guest's write waits for somebody else's copy of its cluster and then goes on, though that copy failed.",
    reference: "inferred: block_copy goes round again after each wait",
    breaks: "cbw-failure-visible",
    story: "bugs/two-guests-save-one-cluster-and-one-fails",
    dialect: "10.0",
    plant: |rules| rules.go_on = go_on_without_a_look,
};

fn go_on_without_a_look(w: &mut World, job: JobIx, caller: Caller) {
    let state = w.copy(job).call(caller).map(|call| call.state);
    match (state, caller) {
        (Some(CallState::AwaitTask(_)), Caller::Guest(_)) => block_copy::finish_call(w, job, caller),
        _ => block_copy::go_on(w, job, caller),
    }
}
