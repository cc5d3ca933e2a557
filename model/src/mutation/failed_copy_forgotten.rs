//! What could not be copied is not left to copy.

use super::Mutation;
use crate::block_copy::{self, BlockCopy, Removed};
use crate::error::Errno;
use crate::event::Operation;

pub(super) const MUTATION: Mutation = Mutation {
    name: "failed-copy-forgotten",
    bug: "bug-inv-D11",
    what: "A copy that fails does not give its clusters back: nobody tries to copy them again.",
    reference: "inferred: no record; it is what the promise failed-copy-is-left is there for",
    breaks: "failed-copy-is-left",
    story: "bugs/the-only-copy-fails",
    dialect: "10.0",
    plant: |rules| rules.remove_task = forget_what_failed,
};

fn forget_what_failed(
    copy: &mut BlockCopy,
    start: u64,
    failed: Option<(Operation, Errno)>,
) -> Removed {
    let end = copy.tasks[copy.task_at(start)].end.min(copy.len);
    let removed = block_copy::remove_task(copy, start, failed);
    copy.dirty.reset(start..end);
    removed
}
