//! A failed job's bitmap is thawed, but goes on not recording, as while it was frozen.

use super::Mutation;
use crate::backup;
use crate::dirty_bitmap;
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "recording-switched-off",
    bug: "bug-D9",
    what: "After a failed or cancelled backup its bitmap no longer records, and nobody notices what it misses.",
    reference: "inferred: bdrv_reclaim_dirty_bitmap copies the flag back",
    breaks: "recording-preserved",
    story: "bugs/cancelled-under-a-write",
    dialect: "10.0",
    plant: |rules| rules.settle_bitmap = thaw_without_recording,
};

fn thaw_without_recording(w: &mut World, index: JobIx) {
    backup::settle_bitmap(w, index);
    let job = w.job(index);
    let (failed, source) = (job.ret.is_some(), job.backup.source);
    if let Some((name, _)) = job.backup.bitmap.clone().filter(|_| failed) {
        dirty_bitmap::by_name(w, source, &name).disabled = true;
    }
}
