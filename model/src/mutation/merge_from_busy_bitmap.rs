//! A bitmap that a job holds is taken as the source of a merge: its successor's bits are not in the sum.

use super::Mutation;

pub(super) const MUTATION: Mutation = Mutation {
    name: "merge-from-busy-bitmap",
    bug: "bug-D5",
    what: "A bitmap that a job holds can be merged into another, which then lacks what guests have written since \
           the job began.",
    reference: "QEMU, mended in 4.0",
    breaks: "busy-exclusion",
    story: "bugs/merge-from-a-held-bitmap",
    dialect: "10.0",
    plant: |rules| rules.check_merge_source = |_| Ok(()),
};
