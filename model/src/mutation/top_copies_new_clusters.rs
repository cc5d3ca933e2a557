//! Guests' writes during the scan of a sync=top job copy what the top image has not allocated.

use super::Mutation;
use crate::backup::{self, BackupRequest, Refused};
use crate::world::{GroupIx, JobIx, NodeIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "top-copies-new-clusters",
    bug: "bug-E15",
    what: "A guest's write to a cluster that the top image lacks, while a sync=top job still looks for those, has \
           it copied, though it is no part of the backup.",
    reference: "inferred: block_copy_set_skip_unallocated, in QEMU since 5.0, is there for it",
    breaks: "only-scope",
    story: "bugs/a-new-cluster-in-the-top-image",
    dialect: "10.0",
    plant: |rules| rules.create_backup = create_without_skipping,
};

fn create_without_skipping(
    w: &mut World,
    request: &BackupRequest,
    source: NodeIx,
    target: NodeIx,
    group: Option<GroupIx>,
) -> Result<JobIx, Refused> {
    let created = backup::create(w, request, source, target, group)?;
    w.copy_mut(created).skip_unallocated = false;
    Ok(created)
}
