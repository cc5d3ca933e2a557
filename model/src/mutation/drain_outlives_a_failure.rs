//! A transaction that fails does not end the drained sections that it has begun.

use super::Mutation;
use crate::transaction::Transaction;
use crate::world::World;

pub(super) const MUTATION: Mutation = Mutation {
    name: "drain-outlives-a-failure",
    bug: "bug-U21",
    what: "The error path of a backup's start does not end its drained section: the guest's requests wait for ever.",
    reference: "Proxmox VE's pve-qemu, commit 9e8ef15 (2024)",
    breaks: "no-deadlock",
    story: "bugs/a-backup-that-is-refused",
    dialect: "10.0",
    plant: |rules| rules.end_source_drain = end_if_all_went_well,
};

fn end_if_all_went_well(w: &mut World, transaction: &Transaction, drain: u32) {
    if !transaction.failed() {
        w.drain_end(drain);
    }
}
