//! Another speed limit does not wake the job that sleeps for the old one.

use super::Mutation;
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "speed-waits-for-the-timer",
    bug: "bug-C6",
    what: "A new speed limit takes effect only when the sleep for the old one is over, which may be never.",
    reference: "inferred: no record; it is what block_copy_kick in backup_set_speed is there for",
    breaks: "throttle-only-background",
    story: "races/set-speed-wakes-a-sleeper",
    dialect: "10.0",
    plant: |rules| rules.set_speed = set_and_let_sleep,
};

fn set_and_let_sleep(w: &mut World, index: JobIx, speed: u64) {
    w.copy_mut(index).speed = speed;
}
