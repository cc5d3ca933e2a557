//! A transaction lets go of a source before its next action is prepared.

use super::Mutation;
use crate::backup::{self, BackupRequest, Refused};
use crate::transaction::Transaction;
use crate::node::ALL_NODES;
use crate::world::{GroupIx, JobIx, NodeIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "two-points-in-time",
    bug: "bug-E16",
    what: "Each source of a transaction is drained only while its own action is prepared: a guest changes the first \
           while the second is being prepared, so their backups are of two moments.",
    reference: "inferred: the drained sections are held from prepare to clean",
    breaks: "same-instant",
    story: "bugs/two-drives-in-one-transaction",
    dialect: "10.0",
    plant: |rules| {
        rules.create_backup = create_and_release;
        rules.end_source_drain = release_unless_released;
    },
};

fn create_and_release(
    w: &mut World,
    request: &BackupRequest,
    source: NodeIx,
    target: NodeIx,
    group: Option<GroupIx>,
) -> Result<JobIx, Refused> {
    let created = backup::create(w, request, source, target, group)?;
    let mut drains = w.main().drains.iter();
    let drain = drains.find(|drain| drain.nodes != ALL_NODES && drain.nodes & 1 << source != 0).map(|drain| drain.id);
    if let Some(drain) = drain {
        w.drain_end(drain);
    }
    Ok(created)
}

fn release_unless_released(w: &mut World, _transaction: &Transaction, drain: u32) {
    if w.main().drains.iter().any(|other| other.id == drain) {
        w.drain_end(drain);
    }
}
