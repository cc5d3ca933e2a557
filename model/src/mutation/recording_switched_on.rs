//! The successor takes the name of the bitmap over and records, whether the bitmap did or not.

use super::Mutation;
use crate::backup;
use crate::dirty_bitmap;
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "recording-switched-on",
    bug: "bug-D9",
    what: "A bitmap that does not record is backed up by, and records from then on.",
    reference: "inferred: bdrv_dirty_bitmap_create_successor hands the flag on",
    breaks: "recording-preserved",
    story: "bugs/flags-of-a-bitmap",
    dialect: "10.0",
    plant: |rules| rules.settle_bitmap = take_over_and_record,
};

fn take_over_and_record(w: &mut World, index: JobIx) {
    backup::settle_bitmap(w, index);
    let job = w.job(index);
    let (well, source) = (job.ret.is_none(), job.backup.source);
    if let Some((name, _)) = job.backup.bitmap.clone().filter(|_| well) {
        dirty_bitmap::by_name(w, source, &name).disabled = false;
    }
}
