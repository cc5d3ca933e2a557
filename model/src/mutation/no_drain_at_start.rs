//! A backup is created while guests' requests are in flight: they have passed where its filter will be.

use super::Mutation;

pub(super) const MUTATION: Mutation = Mutation {
    name: "no-drain-at-start",
    bug: "bug-E17",
    what: "A backup begins without waiting for writes in flight, and copies what they have changed since.",
    reference: "inferred: backup_job_create and its callers drain the source",
    breaks: "old-data-only",
    story: "bugs/write-into-the-start",
    dialect: "7.2",
    plant: |rules| rules.drain_source = |_, _| None,
};
