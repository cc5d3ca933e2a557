//! A cancelled job of bitmap-mode always hands its bitmap over as if all had been copied.

use super::Mutation;
use crate::backup::{self, BitmapMode};
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "cancel-forgets-uncopied",
    bug: "bug-B2-cancel",
    what: "With bitmap-mode always, a cancelled job's bitmap forgets what the job has not copied yet.",
    reference: "inferred: no record; it is what the merge in backup_cleanup_sync_bitmap is there for",
    breaks: "consumed-only-if-copied",
    story: "bugs/cancelled-in-mode-always",
    dialect: "10.0",
    plant: |rules| rules.settle_bitmap = hand_over_a_cancelled,
};

fn hand_over_a_cancelled(w: &mut World, index: JobIx) {
    let job = w.job(index);
    let (cancelled, source) = (job.force_cancel, job.backup.source);
    match job.backup.bitmap.clone() {
        Some((name, BitmapMode::Always)) if cancelled => w.abdicate_bitmap(source, &name),
        _ => backup::settle_bitmap(w, index),
    }
}
