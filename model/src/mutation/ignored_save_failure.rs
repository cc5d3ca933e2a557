//! The failure of a copy-before-write is ignored.

use super::Mutation;
use crate::guest;

pub(super) const MUTATION: Mutation = Mutation {
    name: "ignored-save-failure",
    bug: "bug-inv-D10",
    what: "A guest's write goes on although the old data under it could not be saved: the snapshot is broken and \
           nobody is told.",
    reference: "inferred: no record; it is what the promise cbw-failure-visible is there for",
    breaks: "cbw-failure-visible",
    story: "bugs/two-guests-save-one-cluster-and-one-fails",
    dialect: "10.0",
    plant: |rules| rules.guest_copied = |w, index, job, _| guest::copied(w, index, job, None),
};


