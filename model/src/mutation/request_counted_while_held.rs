//! A request that comes in a drained section waits for its end, and is counted as in flight meanwhile.

use super::Mutation;
use crate::guest::{self, Stage};
use crate::world::{GuestIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "request-counted-while-held",
    bug: "bug-U22",
    what: "A request that comes in a drained section waits for the section's end, and the section waits for the \
           request, which counts as in flight.",
    reference: "QEMU, mended in 5.1 (commit 7f16476fab): blk_wait_while_drained counts the request out while it waits",
    breaks: "no-deadlock",
    story: "bugs/a-drain-beside-an-iothread",
    dialect: "10.0",
    plant: |rules| {
        rules.may_submit = |_, _| true;
        rules.begin_request = count_and_wait;
    },
};

fn count_and_wait(w: &mut World, index: GuestIx) {
    let held = guest::next_on(w, index).filter(|&node| !guest::may_submit(w, node));
    let Some(node) = held else {
        return guest::begin(w, index);
    };
    w.node_mut(node).requests += 1;
    let guest = w.guest_mut(index);
    guest.begun += 1;
    guest.stage = Stage::Held { node };
}
