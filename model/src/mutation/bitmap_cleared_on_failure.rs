//! The bits that a job had claimed are dropped although the job failed.

use super::Mutation;
use crate::backup::{self, BitmapMode};
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "bitmap-cleared-on-failure",
    bug: "bug-D2",
    what: "A failed job's bitmap forgets what the job had claimed, as if it had been copied.",
    reference: "inferred: the class of bugs that the incremental design guards against; QEMU, iotest 124, \
                test_incremental_failure",
    breaks: "failure-keeps-bits",
    story: "faults/the-target-fails-once-anywhere",
    dialect: "10.0",
    plant: |rules| rules.settle_bitmap = forget_in_any_case,
};

fn forget_in_any_case(w: &mut World, index: JobIx) {
    let backup = &w.job(index).backup;
    let source = backup.source;
    match backup.bitmap.clone() {
        Some((name, mode)) if mode != BitmapMode::Never => w.abdicate_bitmap(source, &name),
        _ => backup::settle_bitmap(w, index),
    }
}
