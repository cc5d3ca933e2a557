//! A failure that looks like a success.

use super::Mutation;
use crate::group;
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "error-unsaid",
    bug: "bug-J12",
    what: "The COMPLETED of a job that failed has no error: to its reader it succeeded.",
    reference: "inferred: no record; it is what the promise about the error's text is there for",
    breaks: "error-text",
    story: "bugs/a-read-fails",
    dialect: "10.0",
    plant: |rules| rules.say_end = say_no_error,
};

fn say_no_error(w: &mut World, index: JobIx) {
    if w.job(index).force_cancel {
        return group::say_end(w, index);
    }
    let event = group::completed(w, index, None);
    w.emit(index, event);
}
