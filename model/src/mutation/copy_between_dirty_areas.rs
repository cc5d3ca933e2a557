//! A guest's write copies clean clusters between two that are left to copy.

use super::Mutation;
use std::ops::Range;

use crate::block_copy::{self, BlockCopy, Call, Caller};

pub(super) const MUTATION: Mutation = Mutation {
    name: "copy-between-dirty-areas",
    bug: "bug-E1",
    what: "A guest's write over clusters of which the outer ones are left to copy copies all between them again, \
           with what guests have written there since.",
    reference: "QEMU, mended in 4.1 and 4.0.1; iotest 056 guards it with two guests' writes",
    breaks: "no-recopy",
    story: "bugs/a-write-across-a-saved-cluster",
    dialect: "10.0",
    plant: |rules| rules.next_area = from_the_first_to_the_last,
};

fn from_the_first_to_the_last(copy: &BlockCopy, call: &Call) -> Option<Range<u64>> {
    let first = block_copy::next_area(copy, call)?;
    if call.caller == Caller::Job {
        return Some(first);
    }
    let mut end = first.end;
    while let Some(next) = copy.dirty.next_dirty(end, call.range.1, u64::MAX) {
        end = next.end;
    }
    Some(first.start..end)
}
