//! The rollback of a disable that was refused writes back a flag that was never remembered.

use super::Mutation;
use crate::dirty_bitmap;
use crate::error::QmpError;
use crate::transaction::{self, Action, Prepared};
use crate::world::World;

pub(super) const MUTATION: Mutation = Mutation {
    name: "refused-disable-undone",
    bug: "bug-T2-disable",
    what: "A disable that is refused is rolled back all the same: the flag that it did not remember says \"recording\", \
           and a bitmap that is disabled at that moment is enabled.",
    reference: "inferred: QEMU's rollback of a disable has no guard either, as that of an enable (bug-A3)",
    breaks: "abort-safe",
    story: "bugs/a-refused-disable",
    dialect: "10.0",
    plant: |rules| rules.prepare_action = remember_before_looking,
};

fn remember_before_looking(
    w: &mut World,
    action: &Action,
    prepared: &mut Prepared,
) -> Result<(), QmpError> {
    if let Action::BitmapDisable(bitmap) = action {
        let node = dirty_bitmap::find(w, bitmap)?;
        *prepared = Prepared::Switched(node, bitmap.name.clone(), false);
    }
    transaction::prepare_action(w, action, prepared)
}
