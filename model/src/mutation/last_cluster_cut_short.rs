//! The end of an image that ends within a cluster is read, and not written.

use super::Mutation;
use crate::block_copy;
use crate::image::Fill;
use crate::runs::Runs;
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "last-cluster-cut-short",
    bug: "bug-E5",
    what: "The write to the target stops at the last whole cluster: all counts as copied, and the end of the image \
           is missing.",
    reference: "QEMU, mended in 4.1 (the end of a copy by offloading); the short write here is inferred",
    breaks: "point-in-time",
    story: "bugs/an-image-that-ends-within-a-cluster",
    dialect: "10.0",
    plant: |rules| rules.write_target = write_whole_clusters,
};

fn write_whole_clusters(w: &mut World, job: JobIx, contents: &Runs<Fill>) {
    let copy = w.copy(job);
    let mut whole = contents.clone();
    whole.truncate(copy.len / copy.cluster * copy.cluster);
    if !whole.is_empty() {
        block_copy::write_target(w, job, &whole);
    }
}
