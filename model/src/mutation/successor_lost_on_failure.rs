//! A failed job's bitmap is thawed, and what its successor has recorded is dropped.

use super::Mutation;
use crate::backup::{self, BitmapMode};
use crate::dirty_bitmap;
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "successor-lost-on-failure",
    bug: "bug-D3",
    what: "A failed or cancelled job gives its bitmap back as it was, and forgets what guests have written \
           meanwhile.",
    reference: "inferred: the other half of what bdrv_reclaim_dirty_bitmap is there for",
    breaks: "no-lost-dirty",
    story: "bugs/cancelled-under-a-write",
    dialect: "10.0",
    plant: |rules| rules.settle_bitmap = reclaim_without_merge,
};

fn reclaim_without_merge(w: &mut World, index: JobIx) {
    let job = w.job(index);
    let (failed, source) = (job.ret.is_some(), job.backup.source);
    let Some((name, BitmapMode::OnSuccess)) = job.backup.bitmap.clone().filter(|_| failed) else {
        return backup::settle_bitmap(w, index);
    };
    let frozen = dirty_bitmap::by_name(w, source, &name).undo();
    backup::settle_bitmap(w, index);
    dirty_bitmap::by_name(w, source, &name).restore(frozen);
}
