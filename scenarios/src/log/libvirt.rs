//! libvirt's debug log (`log_filters="1:qemu"`, or `1:qemu_monitor`).
//!
//! ```text
//! 2026-11-22 07:00:00.100+0000: 4242: info : qemuMonitorSend:864 : QEMU_MONITOR_SEND_MSG: mon=0x7f10 msg={"execute":…}
//!  fd=-1
//! 2026-11-22 07:00:00.101+0000: 4240: info : qemuMonitorIOWrite:366 : QEMU_MONITOR_IO_WRITE: mon=0x7f10 buf={…}
//!  len=71 ret=71 errno=0
//! 2026-11-22 07:00:00.105+0000: 4240: info : qemuMonitorJSONIOProcessLine:205 : QEMU_MONITOR_RECV_REPLY: mon=0x7f10 reply={…}
//! ```
//!
//! A command is queued (`SEND_MSG`) and then written (`IO_WRITE`) by the one thread that also reads, so whichever
//! line comes first stands before everything that was read after the command was sent. Whatever stands before the
//! marker (a date, a thread, a journal's prefix) is not looked at.

use serde_json::Value;

use super::{Message, Reading, Said, json, message_of};
use crate::limits::Budget;

/// The markers of messages, each with the name of the field that holds the message.
const MARKERS: [(&str, &str); 4] = [
    ("QEMU_MONITOR_SEND_MSG: ", " msg="),
    ("QEMU_MONITOR_IO_WRITE: ", " buf="),
    ("QEMU_MONITOR_RECV_REPLY: ", " reply="),
    ("QEMU_MONITOR_RECV_EVENT: ", " event="),
];

/// What else is said of a monitor: nothing that the messages above do not say again.
const KNOWN: [&str; 5] = [
    "QEMU_MONITOR_IO_PROCESS: ",
    "QEMU_MONITOR_IO_SEND_FD: ",
    "QEMU_MONITOR_NEW: ",
    "QEMU_MONITOR_CLOSE: ",
    "qemuMonitorJSONIOProcessLine:",
];

/// Reads a log of libvirt's.
pub fn read(text: &str, budget: &Budget) -> Reading {
    let mut reading = Reading::default();
    // The last command of each monitor: it is logged again when it is written.
    let mut sent: Vec<(String, Message)> = Vec::new();
    let mut greetings = Vec::new();
    for (index, text) in text.lines().enumerate() {
        let line = index as u32 + 1;
        if let Some(greeting) = greeting(line, text, budget) {
            greetings.push(greeting);
            continue;
        }
        let Some((monitor, message)) = message(line, text, budget) else {
            if !is_known(text) {
                reading.unknown(line, text);
            }
            continue;
        };
        let is_command = matches!(message.said, Said::Command { .. });
        if is_command
            && sent
                .iter()
                .any(|(other, last)| is_again(monitor, &message, other, last))
        {
            continue;
        }
        // Which monitor was greeted is not said; it is the next that speaks, and that is a new one.
        let is_new = !reading
            .monitors
            .iter()
            .any(|known| known.monitor == monitor);
        if is_new && let Some(greeting) = greetings.pop() {
            reading.heard(monitor, greeting);
        }
        greetings.clear();
        if is_command {
            sent.retain(|(other, _)| other != monitor);
            sent.push((monitor.to_owned(), message.clone()));
        }
        reading.heard(monitor, message);
    }
    reading
}

/// The same command of the same monitor, by its id if it has one.
fn is_again(monitor: &str, message: &Message, other: &str, last: &Message) -> bool {
    monitor == other && message.said == last.said && message.id == last.id
}

fn message<'t>(line: u32, text: &'t str, budget: &Budget) -> Option<(&'t str, Message)> {
    let (marker, field) = MARKERS
        .into_iter()
        .find(|(marker, _)| text.contains(marker))?;
    let (_, rest) = text.split_once(marker)?;
    let (monitor, rest) = rest.strip_prefix("mon=")?.split_once(field)?;
    let (value, _) = json::value_at(rest, budget)?;
    Some((monitor, message_of(line, &value)?))
}

/// `Line [{"QMP": …}]`: libvirt does not log the greeting in any other way.
fn greeting(line: u32, text: &str, budget: &Budget) -> Option<Message> {
    let (_, rest) = text.split_once("Line [{\"QMP\"")?;
    let start = text.len() - rest.len() - "{\"QMP\"".len();
    let (value, _): (Value, _) = json::value_at(&text[start..], budget)?;
    message_of(line, &value)
}

/// Nothing new: what goes with the messages, and the ends of commands, which stand on lines of their own.
fn is_known(text: &str) -> bool {
    let is_end = |word: &str| {
        let name = word.split('=').next();
        matches!(name, Some("fd" | "len" | "ret" | "errno")) && word.contains('=')
    };
    KNOWN.iter().any(|known| text.contains(known))
        || text.starts_with(' ') && text.split_whitespace().all(is_end)
}
