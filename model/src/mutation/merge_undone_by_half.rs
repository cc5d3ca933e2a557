//! A merge of several bitmaps remembers what was there before the last of them, not before the first.

use super::Mutation;
use crate::bitmap::Undo;
use crate::dirty_bitmap;
use crate::error::QmpError;
use crate::transaction::BitmapName;
use crate::world::{NodeIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "merge-undone-by-half",
    bug: "bug-D7",
    what: "A merge of several bitmaps that is rolled back takes back the last of them only.",
    reference: "inferred: the copy for the rollback is made in the loop over the sources",
    breaks: "atomic-prepare",
    story: "bugs/merge-of-two",
    dialect: "10.0",
    plant: |rules| rules.merge_sources = remember_each,
};

fn remember_each(
    w: &mut World,
    target: &BitmapName,
    sources: &[BitmapName],
) -> Result<(NodeIx, Option<Undo>), QmpError> {
    let mut merged = dirty_bitmap::merge(w, target, &[])?;
    for source in sources {
        merged = dirty_bitmap::merge(w, target, std::slice::from_ref(source))?;
    }
    Ok(merged)
}
