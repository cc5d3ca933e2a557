//! A copy that failed counts as progress.

use super::Mutation;
use crate::block_copy::{self, BlockCopy, Removed};
use crate::error::Errno;
use crate::event::Operation;

pub(super) const MUTATION: Mutation = Mutation {
    name: "progress-on-failure",
    bug: "bug-E7",
    what: "A copy that failed counts as progress: the offset of the job's end is more than was copied.",
    reference: "QEMU, mended in 6.1 (as far as remembered)",
    breaks: "progress-sane",
    story: "bugs/the-only-copy-fails",
    dialect: "10.0",
    plant: |rules| rules.remove_task = count_in_any_case,
};

fn count_in_any_case(
    copy: &mut BlockCopy,
    start: u64,
    failed: Option<(Operation, Errno)>,
) -> Removed {
    let task = &copy.tasks[copy.task_at(start)];
    let bytes = task.end - task.start;
    if failed.is_some() {
        copy.copied += bytes;
    }
    block_copy::remove_task(copy, start, failed)
}
