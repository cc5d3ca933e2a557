//! The successor takes the name of the bitmap over, but not that it is stored.

use super::Mutation;
use crate::backup;
use crate::dirty_bitmap;
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "persistence-lost",
    bug: "bug-D8",
    what: "After a backup the bitmap of that name is no longer stored in its image, so it is gone after the next \
           shutdown.",
    reference: "remembered from the record, release unknown; bdrv_dirty_bitmap_abdicate copies the flag",
    breaks: "persistence-follows-name",
    story: "bugs/flags-of-a-bitmap",
    dialect: "10.0",
    plant: |rules| rules.settle_bitmap = take_over_without_persistence,
};

fn take_over_without_persistence(w: &mut World, index: JobIx) {
    backup::settle_bitmap(w, index);
    let job = w.job(index);
    let (well, source) = (job.ret.is_none(), job.backup.source);
    if let Some((name, _)) = job.backup.bitmap.clone().filter(|_| well) {
        dirty_bitmap::by_name(w, source, &name).persistent = false;
    }
}
