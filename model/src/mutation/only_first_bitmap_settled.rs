//! Of the bitmaps of a group's jobs, only the first job's is seen to: one variable for all of them.

use super::Mutation;
use crate::backup;
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "only-first-bitmap-settled",
    bug: "bug-2d.32",
    what: "Of a backup of several drives, only the first drive's bitmap is seen to.",
    reference: "Proxmox VE (pve-qemu f257cc0): one variable with two meanings; tests with one drive do not see it",
    breaks: "busy-ends",
    story: "bugs/two-drives-nothing-to-copy",
    dialect: "10.0",
    plant: |rules| rules.settle_bitmap = settle_the_oldest,
};

fn settle_the_oldest(w: &mut World, index: JobIx) {
    let group = w.job(index).group;
    if w.group(group).members.last() == Some(&index) {
        backup::settle_bitmap(w, index);
    }
}
