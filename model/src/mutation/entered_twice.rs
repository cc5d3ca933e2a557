//! A job's coroutine is entered although it runs, or has returned.

use super::Mutation;
use crate::job;
use crate::world::{JobIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "entered-twice",
    bug: "bug-C2",
    what: "Whoever lets a job go on does not look whether it has yielded: the coroutine is entered a second time, or \
           after its end.",
    reference: "QEMU, mended in 2.11 and again in 2.12: a timer, a cancel and a resume each entered the coroutine; \
                since then job_enter_cond looks at busy and deferred_to_main_loop",
    breaks: "no-run-after-return",
    story: "bugs/a-drain-beside-a-paused-backup",
    dialect: "10.0",
    plant: |rules| rules.enter = enter_in_any_case,
};

fn enter_in_any_case(w: &mut World, index: JobIx) {
    if w.job(index).started {
        w.job_mut(index).busy = true;
        job::run(w, index);
    }
}
