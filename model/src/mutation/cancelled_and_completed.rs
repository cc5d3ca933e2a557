//! Two terminal events.

use super::Mutation;
use crate::error::text;
use crate::group;
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "cancelled-and-completed",
    bug: "bug-J3",
    what: "A cancelled job says CANCELLED and then COMPLETED, too.",
    reference: "inferred: no record; it is what the promise of one terminal event is there for",
    breaks: "one-terminal-event",
    story: "bugs/cancelled-twice",
    dialect: "10.0",
    plant: |rules| rules.say_end = say_both,
};

fn say_both(w: &mut World, index: JobIx) {
    group::say_end(w, index);
    if w.job(index).force_cancel {
        let error = w.job(index).ret.map(text);
        let event = group::completed(w, index, error);
        w.emit(index, event);
    }
}
