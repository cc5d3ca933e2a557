//! A command has two replies.

use super::Mutation;
use crate::event::Reply;
use crate::world::World;

pub(super) const MUTATION: Mutation = Mutation {
    name: "quit-replies-twice",
    bug: "bug-M1",
    what: "When the process ends, the reply of `quit` is written, whether or not it has been written before.",
    reference: "inferred: no record; it is what the promise of one reply is there for",
    breaks: "one-reply",
    story: "bugs/a-negative-speed",
    dialect: "10.0",
    plant: |rules| rules.flush_reply = flush_in_any_case,
};

fn flush_in_any_case(w: &mut World) {
    let reply = w.monitor_mut().reply.take();
    w.say_reply(reply.unwrap_or(Reply::Done));
}
