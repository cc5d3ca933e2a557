//! A failed copy gives back more than its own clusters.

use super::Mutation;
use crate::block_copy::{self, BlockCopy, Removed};
use crate::error::Errno;
use crate::event::Operation;

pub(super) const MUTATION: Mutation = Mutation {
    name: "failure-gives-back-too-much",
    bug: "bug-inv-D3",
    what: "A copy that fails gives back all that its call goes over, also what was copied already: that is copied a \
           second time.",
    reference: "inferred: no record; it is what the promise no-recopy is there for",
    breaks: "no-recopy",
    story: "bugs/one-of-two-copies-fails",
    dialect: "10.0",
    plant: |rules| rules.remove_task = give_all_back,
};

fn give_all_back(copy: &mut BlockCopy, start: u64, failed: Option<(Operation, Errno)>) -> Removed {
    let caller = copy.tasks[copy.task_at(start)].caller;
    let removed = block_copy::remove_task(copy, start, failed);
    if failed.is_some() {
        let (from, to) = copy.call_mut(caller).range;
        copy.dirty.set(from..to.min(copy.len));
    }
    removed
}
