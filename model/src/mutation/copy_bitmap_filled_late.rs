//! The copy bitmap is filled by the job's run function: until that runs, guests' writes find nothing to save.

use super::Mutation;
use crate::backup;
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "copy-bitmap-filled-late",
    bug: "bug-2a.2",
    what: "What there is to copy is decided when the job runs, not when it is created: a guest's write in between \
           is not saved, and copied as new.",
    reference: "Proxmox VE, mended in 2022 (pve-qemu 27199bd)",
    breaks: "cbw-failure-visible",
    story: "bugs/write-before-the-first-copy",
    dialect: "10.0",
    plant: |rules| {
        rules.fill_copy_bitmap = |_, _, _, _| {};
        rules.begin_run = fill_and_begin;
    },
};

fn fill_and_begin(w: &mut World, index: JobIx) -> bool {
    let mut copy = w.copy(index).clone();
    let (sync, bitmap) = (w.job(index).backup.sync, w.job(index).backup.bitmap.as_ref());
    backup::fill_copy_bitmap(w, &mut copy, sync, bitmap.map(|(name, _)| name));
    *w.copy_mut(index) = copy;
    backup::begin(w, index)
}
