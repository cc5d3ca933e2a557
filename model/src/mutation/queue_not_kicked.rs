//! Nobody looks at a device's queue after a drained section: what came in the section stays there.

use super::Mutation;
use crate::guest;
use crate::world::{NodeIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "queue-not-kicked",
    bug: "bug-U24",
    what: "A request that a guest puts into an iothread's queue in a drained section is never looked at: the end of \
           the section does not kick the queue.",
    reference: "Proxmox VE's pve-qemu, commits 6b7c181, 2a49e66 and 4ff04bd; RHEL-3934",
    breaks: "guest-write-completes",
    story: "bugs/a-drain-beside-an-iothread",
    dialect: "10.0",
    plant: |rules| rules.let_go = let_go_and_forget_the_queue,
};

fn let_go_and_forget_the_queue(w: &mut World, node: NodeIx) {
    let last = w.node(node).quiesced == 1 && w.node(node).context.is_some();
    let queued = |w: &World| {
        let mut guests = w.guest_indices();
        guests.any(|guest| guest::next_on(w, guest) == Some(node))
    };
    if !(last && queued(w)) {
        w.let_go(node);
    }
}
