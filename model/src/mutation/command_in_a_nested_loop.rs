//! A command's handler begins inside a nested event loop, in the middle of what the main thread is doing.

use super::Mutation;
use crate::world::World;

pub(super) const MUTATION: Mutation = Mutation {
    name: "command-in-a-nested-loop",
    bug: "bug-C10",
    what: "Commands are dispatched by nested event loops, too: job-finalize arrives while the job is being finalized, \
           and the job ends twice.",
    reference: "QEMU, mended in 9.0, 8.2.2 and 7.2.10: commands are dispatched in the I/O handler's context only",
    breaks: "one-terminal-event",
    story: "bugs/finalize-meets-the-end",
    dialect: "10.0",
    plant: |rules| rules.may_begin = begin_anywhere,
};

fn begin_anywhere(w: &World) -> bool {
    let monitor = w.monitor();
    let idle = !monitor.handling && monitor.reply.is_none() && !monitor.quitting;
    idle && !monitor.inbox.is_empty() && !w.main().is_busy()
}
