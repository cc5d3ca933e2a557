//! The end of an image that ends within a cluster is not gone over.

use super::Mutation;
use crate::block_copy::BlockCopy;

pub(super) const MUTATION: Mutation = Mutation {
    name: "unaligned-tail",
    bug: "bug-E4",
    what: "The background call ends before a last cluster that is not whole, and the job succeeds without it.",
    reference: "QEMU, mended in 5.2; guarded by iotest 302 (there the unaligned end failed an assertion)",
    breaks: "point-in-time",
    story: "bugs/an-image-that-ends-within-a-cluster",
    dialect: "10.0",
    plant: |rules| rules.job_range = whole_clusters_only,
};

fn whole_clusters_only(copy: &BlockCopy) -> (u64, u64) {
    (0, copy.len / copy.cluster * copy.cluster)
}
