//! What is claimed counts as left to copy until its copy has ended.

use super::Mutation;
use crate::block_copy::{self, BlockCopy, Removed};
use crate::error::Errno;
use crate::event::Operation;

pub(super) const MUTATION: Mutation = Mutation {
    name: "clear-after-copy",
    bug: "bug-E11",
    what: "The bits of what is copied are cleared when the copy ends, not when it is claimed: while it is in flight \
           a second copy of it can begin.",
    reference: "inferred: block_copy_task_create clears them under the lock",
    breaks: "disjoint-tasks",
    story: "bugs/an-image-that-ends-within-a-cluster",
    dialect: "10.0",
    plant: |rules| {
        rules.take = |_, _| {};
        rules.remove_task = clear_at_the_end;
    },
};

fn clear_at_the_end(
    copy: &mut BlockCopy,
    start: u64,
    failed: Option<(Operation, Errno)>,
) -> Removed {
    let end = copy.tasks[copy.task_at(start)].end.min(copy.len);
    let removed = block_copy::remove_task(copy, start, failed);
    if failed.is_none() {
        copy.dirty.reset(start..end);
    }
    removed
}
