//! What an always-mode job could not copy is not merged back.

use super::Mutation;
use crate::backup::{self, BitmapMode};
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "always-mode-forgets",
    bug: "bug-E18",
    what: "With bitmap-mode always a failed job's bitmap forgets all that the job had claimed, also what was not \
           copied.",
    reference: "inferred: backup_cleanup_sync_bitmap merges the copy bitmap back",
    breaks: "consumed-only-if-copied",
    story: "bugs/always-mode-and-a-failed-copy",
    dialect: "10.0",
    plant: |rules| rules.settle_bitmap = abdicate_without_merging,
};

fn abdicate_without_merging(w: &mut World, index: JobIx) {
    let backup = &w.job(index).backup;
    let source = backup.source;
    match backup.bitmap.clone() {
        Some((name, BitmapMode::Always)) => w.abdicate_bitmap(source, &name),
        _ => backup::settle_bitmap(w, index),
    }
}
