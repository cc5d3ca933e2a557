//! A bitmap goes on recording beside the successor that records in its place.

use super::Mutation;
use crate::dirty_bitmap;
use crate::error::QmpError;
use crate::name::Name;
use crate::world::{NodeIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "parent-goes-on-recording",
    bug: "bug-B5-disable",
    what: "A bitmap that a job holds still marks what guests write, so it is not what the job has taken over.",
    reference: "inferred: no record; it is what the promise that a parent stands still is there for",
    breaks: "frozen-parent",
    story: "bugs/cancelled-under-a-write",
    dialect: "10.0",
    plant: |rules| rules.freeze_bitmap = freeze_and_record,
};

fn freeze_and_record(w: &mut World, node: NodeIx, name: &Name) -> Result<(), QmpError> {
    w.freeze_bitmap(node, name)?;
    let parent = dirty_bitmap::by_name(w, node, name);
    parent.disabled = !parent.recording();
    Ok(())
}
