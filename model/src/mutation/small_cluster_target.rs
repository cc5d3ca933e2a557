//! The unit of copying does not look at the target's clusters.

use super::Mutation;
use crate::backup::BackupRequest;
use crate::block_copy::CLUSTER_MIN;

pub(super) const MUTATION: Mutation = Mutation {
    name: "small-cluster-target",
    bug: "bug-E3",
    what: "A copy works in units smaller than the target's clusters: the rest of such a cluster becomes zeroes \
           there, and hides the older backup that is put below later.",
    reference: "QEMU, mended in 2.6; guarded by iotest 124, test_larger_cluster_target",
    breaks: "incremental-complete",
    story: "bugs/larger-clusters-in-the-target",
    dialect: "10.0",
    plant: |rules| rules.copy_cluster = whatever_the_target_has,
};

fn whatever_the_target_has(request: &BackupRequest, _of_target: Option<u64>) -> u64 {
    CLUSTER_MIN.max(request.cluster_min)
}
