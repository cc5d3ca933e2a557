//! Whoever waits for a copy is not woken when it ends.

use super::Mutation;


pub(super) const MUTATION: Mutation = Mutation {
    name: "lost-wakeup",
    bug: "bug-E12",
    what: "The end of a copy wakes nobody: a guest's write that waits for it waits for ever.",
    reference: "inferred: reqlist_remove_req wakes all who wait",
    breaks: "guest-write-completes",
    story: "bugs/two-guests-save-one-cluster",
    dialect: "10.0",
    plant: |rules| rules.waiters = |_, _| Vec::new(),
};


