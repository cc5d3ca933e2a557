//! A group of jobs of which each ends for itself.

use super::Mutation;
use crate::group;
use crate::job::{self, Status};
use crate::main_loop::Frame;
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "each-for-itself",
    bug: "bug-G2",
    what: "A member of a group that is done does not wait for the others.",
    reference: "Proxmox's backup jobs before they were put into one transaction (2020): one disk's failure made \
                all bitmaps worthless",
    breaks: "no-commit-before-all-done",
    story: "bugs/two-end-together",
    dialect: "10.0",
    plant: |rules| rules.succeed = succeed_alone,
};

fn succeed_alone(w: &mut World, index: JobIx) -> Option<Frame> {
    job::set_status(w, index, Status::Waiting);
    group::pend(w, vec![index])
}
