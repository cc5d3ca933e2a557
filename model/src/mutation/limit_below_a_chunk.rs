//! A speed limit that is smaller than one chunk lets nothing pass, ever.

use super::Mutation;
use crate::block_copy::{self, Caller, SLICES_PER_SECOND};
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "limit-below-a-chunk",
    bug: "bug-D14-limit",
    what: "The rate limiter waits until a whole chunk fits into a slice of time: below that limit the job wakes, and \
           sleeps again, for ever.",
    reference: "inferred: no record; ratelimit_calculate_delay lets a chunk pass that exceeds the slice, and then \
                waits longer",
    breaks: super::EVERY_RUN_RESTS,
    story: "bugs/a-throttled-backup",
    dialect: "10.0",
    plant: |rules| rules.is_limited = wait_for_a_whole_chunk,
};

fn wait_for_a_whole_chunk(w: &World, job: JobIx, caller: Caller) -> bool {
    let copy = w.copy(job);
    let too_slow = copy.speed > 0 && copy.speed / SLICES_PER_SECOND < copy.chunk_max;
    block_copy::is_limited(w, job, caller) || caller == Caller::Job && too_slow
}
