//! The copy bitmap is made anew when the job starts, though guests' writes have used it since the filter went in.

use super::Mutation;
use crate::backup;
use crate::job;
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "copy-bitmap-filled-twice",
    bug: "bug-2a.1",
    what: "A guest's write has a cluster copied; then the backup fills its copy bitmap once more and copies the \
           same cluster beside it.",
    reference: "Proxmox VE, mended in 2023 (pve-qemu 0cffb50): jobs are created in a drained section",
    breaks: "disjoint-tasks",
    story: "bugs/write-before-the-first-copy",
    dialect: "10.0",
    plant: |rules| {
        rules.drain_source = |_, _| None;
        rules.start_job = fill_again_and_start;
    },
};

fn fill_again_and_start(w: &mut World, index: JobIx) {
    let mut copy = w.copy(index).clone();
    let (sync, bitmap) = (w.job(index).backup.sync, w.job(index).backup.bitmap.as_ref());
    copy.dirty.clear();
    backup::fill_copy_bitmap(w, &mut copy, sync, bitmap.map(|(name, _)| name));
    *w.copy_mut(index) = copy;
    job::start(w, index);
}
