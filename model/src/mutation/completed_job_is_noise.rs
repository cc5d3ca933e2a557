//! A job's own drain waits for the job.

use super::Mutation;
use crate::node::NodeSet;
use crate::world::World;

pub(super) const MUTATION: Mutation = Mutation {
    name: "completed-job-is-noise",
    bug: "bug-B8",
    what: "A job that is being ended still says that it is at work, so the drained section of its own end waits \
           for it.",
    reference: "QEMU, completion callbacks that drain, mended in 3.1",
    breaks: "no-deadlock",
    story: "bugs/done-by-hand",
    dialect: "10.0",
    plant: |rules| rules.is_quiet = is_quiet,
};

fn is_quiet(w: &World, nodes: NodeSet) -> bool {
    let mut jobs = w.jobs_on(nodes).into_iter();
    w.is_quiet(nodes) && !jobs.any(|job| w.job(job).status.is_completed())
}
