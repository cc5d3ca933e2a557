//! A job in an iothread becomes idle, and does not tell the main thread, which waits for that.

use super::Mutation;
use crate::main_loop::{self, Wait};
use crate::world::World;

pub(super) const MUTATION: Mutation = Mutation {
    name: "no-kick-on-idle",
    bug: "bug-C5",
    what: "A job in an iothread pauses for a drained section, and nobody wakes the main thread that waits for it.",
    reference: "QEMU, mended in 3.1: job_do_yield and the drained poll of block jobs kick the waiting thread",
    breaks: "no-deadlock",
    story: "bugs/a-drain-beside-an-iothread",
    dialect: "10.0",
    plant: |rules| rules.may_resume = unless_asleep,
};

/// The main thread sleeps in its poll until something of its own happens.
fn unless_asleep(w: &World) -> bool {
    let main = w.main();
    let asleep = main.next_bh().is_none()
        && main.jobs.iter().map(|&index| w.job(index)).any(|job| {
            job.started && job.paused && job.context.is_some() && is_awaited(w, job.nodes)
        });
    main_loop::may_resume(w) && !asleep
}

fn is_awaited(w: &World, nodes: u64) -> bool {
    matches!(w.main().waiting_for(), Some(Wait::Quiet(awaited)) if awaited & nodes != 0)
}
