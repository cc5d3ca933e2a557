//! A call's result is that of the copy that ended last.

use super::Mutation;
use crate::block_copy::{self, BlockCopy, Removed};
use crate::error::Errno;
use crate::event::Operation;

pub(super) const MUTATION: Mutation = Mutation {
    name: "last-result-wins",
    bug: "bug-E8",
    what: "The good result of a copy that ends last replaces the error of one that failed before: the job succeeds \
           without what failed.",
    reference: "QEMU, mended in 5.1 (as far as remembered)",
    breaks: "point-in-time",
    story: "bugs/one-of-two-copies-fails",
    dialect: "10.0",
    plant: |rules| rules.remove_task = keep_the_last_result,
};

fn keep_the_last_result(
    copy: &mut BlockCopy,
    start: u64,
    failed: Option<(Operation, Errno)>,
) -> Removed {
    let caller = copy.tasks[copy.task_at(start)].caller;
    let removed = block_copy::remove_task(copy, start, failed);
    let call = copy.call_mut(caller);
    if failed.is_none() && call.running == 0 && call.failed.take().is_some() {
        // It stops, as a call that has met an error does, and says that all is well.
        call.range.1 = call.range.0;
    }
    removed
}
