//! The kinds of lines of a recording: what they are called, what they have, what they say.

/// One kind of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineKind {
    /// What field `t` says.
    pub name: &'static str,
    /// Its other fields; one with a question mark may be left out.
    pub fields: &'static [&'static str],
    /// What it says, in a sentence or two.
    pub says: &'static str,
}

const fn kind(name: &'static str, fields: &'static [&'static str], says: &'static str) -> LineKind {
    LineKind { name, fields, says }
}

/// Every kind of lines there is. Those of logs stand last.
#[rustfmt::skip]
pub const KINDS: &[LineKind] = &[
    kind("header", &["qemu", "scenario?", "dialect?"],
        "A recording begins: which release was recorded, of which scenario, and to whose rules it is held if that \
         release has none of its own. Other fields are remarks, such as how often it was seen."),
    kind("launch", &["drives", "args?"], "QEMU is started with these drives, as in a scenario."),
    kind("cmd", &["execute", "arguments?"], "A QMP command is sent."),
    kind("reply", &["return or error"], "The reply to it is read."),
    kind("event", &["event", "data"], "An event is read."),
    kind("hmp", &["line", "output"],
        "A `qemu-io` line of the human monitor: what was typed, and what was printed. Written when the reply comes."),
    kind("bitmaps", &["nodes"],
        "The dirty bitmaps of every node, from `query-named-block-nodes`. Written when the reply comes."),
    kind("img", &["cmd", "…", "result"],
        "A command on image files that no QEMU has open, with the keys of a scenario's `img`, and how it ended."),
    kind("pending", &["count"], "So many events had been read and not been taken by a wait; they are forgotten."),
    kind("settled", &["ms"], "No event came for so many milliseconds."),
    kind("slept", &["ms"], "The client slept so many milliseconds, without reading."),
    kind("timeout", &["event", "match?"], "An awaited event did not come."),
    kind("hang", &[], "No reply came."),
    kind("exit", &["code"],
        "QEMU has ended: its exit code, or the negative number of the signal; -9 is a kill by the client."),
    kind("shutdown", &[], "Some recorders say so before the `quit` that follows: unread events are forgotten. Nothing is seen at it."),
    kind("sent", &["line?"],
        "Of logs: the command whose `hmp` or `bitmaps` line comes later was sent here. Nothing is seen at it."),
    kind("guest", &["drive", "len"], "Of logs: a guest has written, unseen. Nothing is seen at it."),
    kind("taken", &["events"],
        "Of logs: events of these names stand where the client took them, so one may have come before earlier \
         replies. Nothing is seen at it."),
];

/// The kinds of lines at which nothing is seen: what the client did unseen, and remarks.
pub(super) const SILENT: [&str; 4] = ["shutdown", "sent", "guest", "taken"];

/// Is that what a kind of lines is called?
pub(super) fn is_kind(name: &str) -> bool {
    KINDS.iter().any(|kind| kind.name == name)
}

/// Their names, for messages.
pub(super) fn names() -> String {
    let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    names.join(", ")
}
