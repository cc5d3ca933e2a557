//! QMP logs of others: what a client's log says crossed a monitor, as a recording of our own.
//!
//! A reader for each style ([`Style`]) makes messages of a text; `session` cuts them where QEMU was started anew;
//! `infer` finds out what a log leaves unsaid (which drives there are, how large, which bitmaps were there before);
//! `convert` puts both together into a [`Recording`], and [`crate::conform`] decides. So there is one checker.
//!
//! | what a log leaves open | what is done |
//! |---|---|
//! | the drives, their sizes and contents | said by a scenario's header, or inferred and not checked |
//! | when the client read an event | of a test's log: the event may have come earlier ([`Order::Taken`]) |
//! | jobs and bitmaps that were there before its first line | jobs are left out, bitmaps are assumed |
//! | commands and events of other parts of QEMU | counted and left out |

use std::collections::BTreeMap;
use std::fmt;

use model::dialect::{DIALECTS, Dialect};
use serde_json::Value;

use crate::conform::{Exactness, Verdict, conform_within};
use crate::limits::{self, Budget, MONITORS_MAX, VALUES_MAX};
use crate::recording::{Recording, RecordingError};

mod causes;
mod convert;
mod given;
mod infer;
mod iotest;
mod json;
mod libvirt;
mod qmp;
mod session;

pub use given::Given;

/// How a log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// libvirt's debug log: `QEMU_MONITOR_SEND_MSG: mon=0x… msg={…}`, `QEMU_MONITOR_RECV_REPLY`, `…_EVENT`.
    Libvirt,
    /// `qmp-shell -v`, or the debug log of QEMU's Python client: objects, with or without arrows before them.
    Qmp,
    /// What QEMU's iotests print, and compare with their `.out` files.
    Iotest,
}

/// One thing that a log shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Its line in the log, counted from 1.
    pub line: u32,
    /// What.
    pub said: Said,
    /// The `id` of a command or its reply.
    pub id: Option<Value>,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// QEMU greets whoever connects; with its version if it says it.
    Greeting(Option<String>),
    /// A command of the client's.
    Command {
        /// Its name.
        execute: String,
        /// Its arguments, an object.
        arguments: Value,
    },
    /// An object with `return` or `error`.
    Reply(Value),
    /// An event.
    Event {
        /// Its name.
        event: String,
        /// Its data, an object.
        data: Value,
    },
    /// The dirty bitmaps of every node, by node name: iotests print them so.
    Bitmaps(Value),
    /// A line for `qemu-io` in the guest's place; which drive is not said.
    QemuIo(String),
    /// An image was made: its path, and its size in bytes.
    Formatting(String, u64),
}

/// What one monitor said, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Transcript {
    /// The monitor's name, if the log has several.
    pub monitor: String,
    /// What was said.
    pub messages: Vec<Message>,
}

/// A log that was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// How many lines it has.
    pub lines: u32,
    /// How many of them mean nothing to us.
    pub unknown: u32,
    /// The first of those, with its number; of a long one the beginning.
    pub first_unknown: Option<(u32, String)>,
    /// Its events may stand later than they were read, and some may not be shown.
    pub late: bool,
    /// It holds more messages than are read: some are not among these.
    pub too_much: bool,
    /// A transcript for each monitor, in the order in which they first speak.
    pub monitors: Vec<Transcript>,
}

/// How much of a line that means nothing is kept, to be shown.
const SHOWN_MAX: usize = 200;

impl Reading {
    /// A line that means nothing to us.
    fn unknown(&mut self, line: u32, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        self.unknown += 1;
        self.first_unknown
            .get_or_insert_with(|| (line, text.trim_end().chars().take(SHOWN_MAX).collect()));
    }

    /// A message of a monitor's.
    fn heard(&mut self, monitor: &str, message: Message) {
        let known = self
            .monitors
            .iter()
            .position(|known| known.monitor == monitor);
        if known.is_none() && self.monitors.len() == MONITORS_MAX {
            self.too_much = true;
            return;
        }
        let index = known.unwrap_or_else(|| {
            self.monitors.push(Transcript {
                monitor: monitor.to_owned(),
                messages: Vec::new(),
            });
            self.monitors.len() - 1
        });
        self.monitors[index].messages.push(message);
    }
}

/// Reads a log. Nothing in it is fatal: what is not understood is counted.
pub fn read(style: Style, text: &str) -> Reading {
    let budget = Budget::default();
    let mut reading = match style {
        Style::Libvirt => libvirt::read(text, &budget),
        Style::Qmp => qmp::read(text, &budget),
        Style::Iotest => iotest::read(text, &budget),
    };
    reading.too_much |= budget.is_overdrawn();
    reading.lines = text.lines().count() as u32;
    reading
}

/// The message that an object is, whichever way it went: QMP's keys tell.
fn message_of(line: u32, value: &Value) -> Option<Message> {
    let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let object = |key: &str| {
        let found = value.get(key).filter(|found| found.is_object());
        found.cloned().unwrap_or_else(|| serde_json::json!({}))
    };
    let said = if let Some(greeting) = value.get("QMP") {
        Said::Greeting(version_in(greeting.get("version")?))
    } else if let Some(execute) = text("execute").or_else(|| text("exec-oob")) {
        Said::Command {
            execute,
            arguments: object("arguments"),
        }
    } else if let Some(event) = text("event") {
        Said::Event {
            event,
            data: object("data"),
        }
    } else if value.get("return").is_some() || value.get("error").is_some_and(Value::is_object) {
        Said::Reply(value.clone())
    } else {
        return None;
    };
    Some(Message {
        line,
        said,
        id: value.get("id").cloned(),
    })
}

/// `7.2.22` of `{"qemu": {"major": 7, …}}`: a greeting's version, or what `query-version` returns.
fn version_in(version: &Value) -> Option<String> {
    let number = |key: &str| version.get("qemu")?.get(key)?.as_u64();
    let (major, minor, micro) = (number("major")?, number("minor")?, number("micro")?);
    Some(format!("{major}.{minor}.{micro}"))
}

/// What the order of a log's events says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// They stand where they were read from the socket.
    Exact,
    /// They stand where the client took them: each may have been read before. Only kinds of events that the log
    /// shows are looked for, and not each of those.
    Taken,
}

/// What came of one session of one monitor.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The monitor; empty if the log has only one.
    pub monitor: String,
    /// Which of its sessions, counted from 1, if there are several.
    pub session: Option<usize>,
    /// The first and the last line it has in the log.
    pub lines: (u32, u32),
    /// How many messages were checked.
    pub messages: usize,
    /// The version of QEMU, if the log says it.
    pub version: Option<String>,
    /// The dialects that were tried, each with what came of it, the best first; none if there was nothing to check.
    pub tried: Vec<Tried>,
    /// What was assumed because the log does not say it.
    pub assumed: Vec<String>,
    /// What was left out, and how often.
    pub left_out: BTreeMap<String, usize>,
    /// What the log could have told wrongly without being found out.
    pub not_checked: Vec<String>,
}

/// One dialect's verdict.
#[derive(Clone, Debug)]
pub struct Tried {
    /// The dialect.
    pub dialect: &'static Dialect,
    /// How the order of events was understood.
    pub order: Order,
    /// The line at which it would be rejected if events stood where they were read.
    pub late_from: Option<u32>,
    /// The verdict.
    pub verdict: Verdict,
    /// Why it may be so, if it is a rejection.
    pub causes: Vec<String>,
}

/// What is asked of a log.
pub struct Question<'q> {
    /// The file, for messages.
    pub file: &'q str,
    /// How it is written.
    pub style: Style,
    /// What was there before its first line, if somebody says so.
    pub given: Option<&'q Given>,
    /// The dialect, for sessions that do not say their version.
    pub dialect: Option<&'static Dialect>,
    /// How many worlds may be possible at once; see [`conform::WORLDS_MAX`](crate::conform::WORLDS_MAX).
    pub worlds_max: usize,
}

/// Checks each session of each monitor in a log that was read.
///
/// # Errors
/// More messages than are read; or one that cannot be understood: what is not modelled is left out, so this is a
/// mistake of ours.
pub fn check(reading: &Reading, question: &Question<'_>) -> Result<Vec<Checked>, RecordingError> {
    if reading.too_much {
        return Err(RecordingError {
            file: question.file.into(),
            line: 0,
            what: format!(
                "it has more than {MONITORS_MAX} monitors, or their messages more than {VALUES_MAX} values; {}",
                limits::LOG.advice
            ),
        });
    }
    let mut all = Vec::new();
    for transcript in &reading.monitors {
        let sessions = session::split(&transcript.messages);
        let several = sessions.len() > 1;
        let mut version = None;
        for (index, messages) in sessions.iter().enumerate() {
            version = session::version(messages).or(version);
            let number = several.then_some(index + 1);
            let mut checked = check_session(messages, version.as_deref(), reading.late, question)?;
            checked.session = number;
            if reading.monitors.len() > 1 {
                checked.monitor.clone_from(&transcript.monitor);
            }
            all.push(checked);
        }
    }
    Ok(all)
}

fn check_session(
    messages: &[Message],
    version: Option<&str>,
    late: bool,
    question: &Question<'_>,
) -> Result<Checked, RecordingError> {
    let converted = convert::convert(messages, question);
    let lines = messages.first().map_or(0, |first| first.line);
    let mut checked = Checked {
        monitor: String::new(),
        session: None,
        lines: (lines, messages.last().map_or(0, |last| last.line)),
        messages: converted.messages,
        version: version.map(str::to_owned),
        tried: Vec::new(),
        assumed: converted.assumed.clone(),
        left_out: converted.left_out.clone(),
        not_checked: converted.not_checked.clone(),
    };
    if converted.messages == 0 {
        return Ok(checked);
    }
    for dialect in dialects(version, question.dialect) {
        checked
            .tried
            .push(follow(&converted, dialect, late, question)?);
    }
    checked.tried.sort_by_key(|tried| match &tried.verdict {
        Verdict::Accepted { .. } => (0, 0),
        Verdict::TooManyWorlds { line, .. } => (1, u32::MAX - line),
        Verdict::Rejected(rejection) => (2, u32::MAX - rejection.line),
    });
    causes::explain(&mut checked, &converted, question)?;
    if let Some(line) = checked.tried.first().and_then(|best| best.late_from) {
        checked.not_checked.push(format!(
            "when each event was read, and which ones the log does not show: its events stand where the client took \
             them (by their order it would be rejected at line {line})"
        ));
    }
    Ok(checked)
}

/// The dialect of the version; of a version that is not known, and of none, the one that was named; else all.
fn dialects(version: Option<&str>, named: Option<&'static Dialect>) -> Vec<&'static Dialect> {
    let said = version.and_then(|version| version.parse().ok());
    match said.or(named) {
        Some(dialect) => vec![dialect],
        None => DIALECTS.to_vec(),
    }
}

/// Decides for one dialect: by the exact order, and where a log need not show that, by the order of taking.
fn follow(
    converted: &convert::Converted,
    dialect: &'static Dialect,
    late: bool,
    question: &Question<'_>,
) -> Result<Tried, RecordingError> {
    let verdict = |order| {
        let recording = converted.recording(question.file, dialect, order);
        conform_within(&recording, Exactness::Normal, question.worlds_max)
    };
    let mut tried = Tried {
        dialect,
        order: Order::Exact,
        late_from: None,
        verdict: verdict(Order::Exact)?,
        causes: Vec::new(),
    };
    if let Verdict::Rejected(rejection) = &tried.verdict
        && late
    {
        tried.order = Order::Taken;
        tried.late_from = Some(rejection.line);
        tried.verdict = verdict(Order::Taken)?;
    }
    Ok(tried)
}

impl convert::Converted {
    /// The recording, as one of that dialect.
    fn recording(&self, file: &str, dialect: &'static Dialect, order: Order) -> Recording {
        let mut lines = self.lines.clone();
        if order == Order::Taken {
            lines.insert(
                0,
                (0, serde_json::json!({"t": "taken", "events": self.events})),
            );
        }
        Recording {
            file: file.to_owned(),
            scenario: "a log".into(),
            version: dialect.name.into(),
            held_to: None,
            lines,
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Order::Exact => "in that order",
            Order::Taken => "events as the client took them",
        })
    }
}
