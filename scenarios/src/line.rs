//! Lines of a trace: what the client did and what it read, in the order in which it happened to the client.
//!
//! They are exactly the lines of a recording of real QEMU (ARCHITECTURE.md, "Recordings"): the same story played
//! by the model and by a real QEMU gives lines that can be compared one by one.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use model::event::{Event, Reply};
use model::name::Name;
use serde_json::{Map, Value, json};
use sim::hash::fingerprint_of;

/// JSON that a script fixed beforehand, shared, with its hash worked out once.
#[derive(Clone, Debug)]
pub struct Fixed {
    shared: Arc<(Value, u128)>,
}

impl Fixed {
    /// Fixes a value.
    pub fn new(value: Value) -> Fixed {
        let hash = fingerprint_of(&value.to_string());
        Fixed {
            shared: Arc::new((value, hash)),
        }
    }
}

impl Deref for Fixed {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.shared.0
    }
}

impl PartialEq for Fixed {
    fn eq(&self, other: &Fixed) -> bool {
        self.shared.1 == other.shared.1
    }
}

impl Eq for Fixed {}

impl Hash for Fixed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(self.shared.1);
    }
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Line {
    /// QEMU is started: drives and arguments.
    Launch(Fixed),
    /// A QMP command is sent: `execute` and `arguments`.
    Cmd(Fixed),
    /// A reply is read. `whole` is false for queries of which the model knows only some fields.
    Reply {
        /// What came.
        reply: Reply,
        /// Nothing is left out.
        whole: bool,
    },
    /// An event is read.
    Event(Event),
    /// `qemu-io` by the human monitor is done.
    Hmp {
        /// The line that was sent.
        line: Name,
        /// What was printed, without timing.
        output: Vec<Arc<str>>,
    },
    /// The dirty bitmaps of every node.
    Bitmaps(Value),
    /// A command on an image file: all its fields but the result, then the result.
    Img(Fixed, Value),
    /// So many events were received and not taken by a wait.
    Pending(u64),
    /// No event came for so many milliseconds.
    Settled(u64),
    /// The client slept so many milliseconds.
    Slept(u64),
    /// An awaited event did not come: its name and what it had to match.
    Timeout(Fixed),
    /// No reply came.
    Hang,
    /// The process ended: its exit code, or the negative number of the signal.
    Exit(i32),
}

impl Line {
    /// The line as a recording has it.
    pub fn to_json(&self) -> Value {
        match self {
            Line::Launch(launch) => tagged("launch", launch),
            Line::Cmd(command) => tagged("cmd", command),
            Line::Reply {
                reply: Reply::Done, ..
            } => json!({"t": "reply", "return": {}}),
            Line::Reply {
                reply: Reply::Return(value),
                ..
            } => {
                json!({"t": "reply", "return": value})
            }
            Line::Reply {
                reply: Reply::Error(error),
                ..
            } => {
                let error = json!({"class": error.class.to_string(), "desc": &*error.desc});
                json!({"t": "reply", "error": error})
            }
            Line::Reply {
                reply: Reply::Printed(lines),
                ..
            } => {
                json!({"t": "reply", "return": strings(lines)})
            }
            Line::Event(event) => {
                json!({"t": "event", "event": event.name(), "data": event.data()})
            }
            Line::Hmp { line, output } => {
                json!({"t": "hmp", "line": &**line, "output": strings(output)})
            }
            Line::Bitmaps(nodes) => json!({"t": "bitmaps", "nodes": nodes}),
            Line::Img(command, result) => {
                let mut line = tagged("img", command);
                line["result"] = result.clone();
                line
            }
            Line::Pending(count) => json!({"t": "pending", "count": count}),
            Line::Settled(ms) => json!({"t": "settled", "ms": ms}),
            Line::Slept(ms) => json!({"t": "slept", "ms": ms}),
            Line::Timeout(awaited) => tagged("timeout", awaited),
            Line::Hang => json!({"t": "hang"}),
            Line::Exit(code) => json!({"t": "exit", "code": code}),
        }
    }
}

fn tagged(tag: &str, fields: &Value) -> Value {
    let mut line = Map::new();
    line.insert("t".into(), json!(tag));
    if let Value::Object(fields) = fields {
        line.extend(
            fields
                .iter()
                .map(|(key, value)| (key.clone(), value.clone())),
        );
    }
    Value::Object(line)
}

fn strings(lines: &[Arc<str>]) -> Value {
    Value::Array(lines.iter().map(|line| json!(&**line)).collect())
}

/// One line of JSON.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_json())
    }
}
