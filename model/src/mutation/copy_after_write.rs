//! Copy-before-write copies after the write.

use super::Mutation;
use crate::block_copy::{self, Caller};
use crate::guest::{self, Stage};
use crate::node::NodeKind;
use crate::world::{GuestIx, NodeIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "copy-after-write",
    bug: "bug-E13",
    what: "A guest's write lands before the old data under it is copied: the new data is copied in its place.",
    reference: "inferred: the filter's name says the order",
    breaks: "old-data-only",
    story: "bugs/two-guests-save-one-cluster",
    dialect: "10.0",
    plant: |rules| {
        rules.save_old_data = write_first;
        rules.write_lands = land_then_copy;
        rules.guest_copied = |w, index, _, _| copy_next(w, index);
    },
};

fn write_first(w: &mut World, index: GuestIx) {
    if let Stage::Saving { node, .. } = w.guest(index).stage {
        guest::begin_io(w, index, node);
    }
}

fn land_then_copy(w: &mut World, index: GuestIx) {
    guest::lands(w, index);
    let saves = w.guest(index).request().is_some_and(|request| request.changes_data());
    let Stage::Landed { node, reached: true, .. } = w.guest(index).stage else {
        return;
    };
    if saves {
        let below = w.node(node).filters.clone();
        w.guest_mut(index).stage = Stage::Saving { node, below };
        copy_next(w, index);
    }
}

fn copy_next(w: &mut World, index: GuestIx) {
    let Stage::Saving { node, below } = &mut w.guest_mut(index).stage else {
        return;
    };
    let (node, filter) = (*node, below.pop());
    match filter.map(|filter| w.node(filter).kind.clone()) {
        Some(NodeKind::Filter { job, .. }) => {
            let range = w.guest(index).request().map_or(0..0, |request| request.range());
            let clusters = w.copy(job).clusters(&range);
            block_copy::begin_call(w, job, Caller::Guest(index), clusters);
        }
        _ => w.guest_mut(index).stage = landed(node),
    }
}

fn landed(node: NodeIx) -> Stage {
    Stage::Landed {
        node,
        result: Ok(()),
        reached: true,
    }
}
