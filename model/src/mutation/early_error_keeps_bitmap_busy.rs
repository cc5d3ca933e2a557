//! A backup that cannot be created leaves its bitmap frozen.

use super::Mutation;

pub(super) const MUTATION: Mutation = Mutation {
    name: "early-error-keeps-bitmap-busy",
    bug: "bug-D4",
    what: "A backup is refused when its bitmap is frozen already, and the bitmap stays busy for ever.",
    reference: "inferred: the error path of backup_job_create",
    breaks: "atomic-prepare",
    story: "bugs/refused-backups",
    dialect: "10.0",
    plant: |rules| rules.give_bitmap_back = |_, _, _| {},
};
