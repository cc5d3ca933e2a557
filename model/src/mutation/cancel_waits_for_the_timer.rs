//! A job that sleeps is not entered before its timer has fired.

use super::Mutation;
use crate::block_copy::{CallState, Caller};
use crate::job;
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "cancel-waits-for-the-timer",
    bug: "bug-C4",
    what: "A job that sleeps for its speed limit cannot be entered: its cancel waits for the timer.",
    reference: "QEMU, between 2.11 and 2.12: so entered-twice was first mended; since then job_enter ends the sleep",
    breaks: "throttle-only-background",
    story: "races/cancel-a-sleeper-while-a-guest-writes",
    dialect: "10.0",
    plant: |rules| rules.enter = enter_unless_asleep,
};

fn enter_unless_asleep(w: &mut World, index: JobIx) {
    let call = w.copy(index).call(Caller::Job);
    if !call.is_some_and(|call| matches!(call.state, CallState::Sleeping { .. })) {
        job::enter(w, index);
    }
}
