//! A job's end waits in a drained section and holds the context of the iothread that it waits for.

use super::Mutation;
use crate::main_loop::{self, Frame};
use crate::world::{ContextIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "clean-holds-the-context",
    bug: "bug-F3",
    what: "The end of a job drains its nodes with their context's lock held: a guest's request in the iothread cannot \
           end, and the drained section waits for it.",
    reference: "QEMU, mended in 5.0: backup's clean took a context that its caller had taken already",
    breaks: "no-deadlock",
    story: "bugs/a-drain-beside-an-iothread",
    dialect: "10.0",
    plant: |rules| rules.may_run = unless_held,
};

fn unless_held(w: &World, context: Option<ContextIx>) -> bool {
    let cleans = |frame: &Frame| matches!(frame, Frame::Finalize { .. });
    let held = context.is_some() && w.main().frames().any(cleans);
    main_loop::may_run(w, context) && !held
}
