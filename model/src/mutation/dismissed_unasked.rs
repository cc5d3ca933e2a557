//! A job is gone before anybody has seen how it ended.

use super::Mutation;
use crate::world::{JobIx, World};
use crate::{group, job};

pub(super) const MUTATION: Mutation = Mutation {
    name: "dismissed-unasked",
    bug: "bug-J18",
    what: "A job that failed is dismissed at once, although its user was to do that, and its error is gone with \
           it.",
    reference: "inferred: no record; it is what the promise about dismissal is there for",
    breaks: "dismiss-works",
    story: "bugs/cancelled-twice",
    dialect: "10.0",
    plant: |rules| rules.conclude = conclude_and_dismiss,
};

fn conclude_and_dismiss(w: &mut World, index: JobIx) {
    group::conclude(w, index);
    if w.try_job(index).is_some_and(|job| job.ret.is_some()) {
        job::dismiss(w, index);
    }
}
