//! A status that does not follow from the one before.

use super::Mutation;
use crate::backup;
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "ends-while-paused",
    bug: "bug-J1",
    what: "A paused job that is cancelled is not said to run again before it ends: it goes from paused to \
           aborting.",
    reference: "inferred: no record; it is what QEMU's table of transitions is there for (and bug-B16 was an \
                error in its bounds)",
    breaks: "legal-transitions",
    story: "bugs/cancelled-while-paused",
    dialect: "10.0",
    plant: |rules| rules.run_again = run_again_unless_cancelled,
};

fn run_again_unless_cancelled(w: &mut World, index: JobIx) {
    if !w.job(index).force_cancel {
        backup::run_again(w, index);
    }
}
