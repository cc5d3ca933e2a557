//! A cancelled job ends without a decision about its bitmap.

use super::Mutation;
use crate::backup;
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "cancel-keeps-bitmap-busy",
    bug: "bug-D4",
    what: "A cancelled job ends, and its bitmap stays busy for ever.",
    reference: "inferred: a cancel is neither the success nor the failure that backup_cleanup_sync_bitmap asks for",
    breaks: "busy-ends",
    story: "bugs/cancelled-under-a-write",
    dialect: "10.0",
    plant: |rules| rules.settle_bitmap = settle_unless_cancelled,
};

fn settle_unless_cancelled(w: &mut World, index: JobIx) {
    if !w.job(index).force_cancel {
        backup::settle_bitmap(w, index);
    }
}
