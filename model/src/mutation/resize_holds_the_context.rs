//! A resize waits in a drained section and holds the context of the iothread that it waits for.

use super::Mutation;
use crate::main_loop::{self, Frame};
use crate::world::{ContextIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "resize-holds-the-context",
    bug: "bug-U25",
    what: "block_resize drains a node with its context's lock held: a guest's request in the iothread cannot end, and \
           the monitor hangs.",
    reference: "RHBZ#1447551 (2017), RHBZ#1903511 (2020); Proxmox VE's pve-qemu, commit dfac4f3 (2023)",
    breaks: "no-deadlock",
    story: "bugs/a-resize-beside-a-guest",
    dialect: "10.0",
    plant: |rules| rules.may_run = unless_held,
};

fn unless_held(w: &World, context: Option<ContextIx>) -> bool {
    let resizes = |frame: &Frame| matches!(frame, Frame::Resize { .. });
    let held = context.is_some() && w.main().frames().any(resizes);
    main_loop::may_run(w, context) && !held
}
