//! A job pauses while it holds the graph's lock for reading.

use super::Mutation;
use crate::main_loop::{self, Flow, Frame, Wait};
use crate::world::World;

pub(super) const MUTATION: Mutation = Mutation {
    name: "pause-under-the-graph-lock",
    bug: "bug-U23",
    what: "A job pauses for the drained section of a change of the graph, and keeps the graph locked, for which the \
           change waits in that section.",
    reference: "QEMU, mended in 9.0 (commit ae5a40e8, RHEL-28125): a pause point must not be under the graph's \
                read lock",
    breaks: "no-deadlock",
    story: "bugs/a-drain-beside-a-paused-backup",
    dialect: "10.0",
    plant: |rules| rules.graph_change = wait_for_readers,
};

fn wait_for_readers(w: &mut World, drain: Option<u32>) -> Flow {
    let mut jobs = w.main().jobs.iter().copied();
    let reader = jobs.find(|&index| w.job(index).started && w.job(index).paused);
    match reader {
        Some(job) if drain.is_some() => {
            Flow::Become(Frame::GraphChange { drain }, Wait::JobCompleted(job))
        }
        _ => main_loop::graph_change(w, drain),
    }
}
