//! `qmp-shell -v`, and the debug logs of QEMU's Python client.
//!
//! The shell prints each command and each reply as an object, on one line or (`-p`) over several, behind its prompt
//! or not; events when the user asks for them with an empty line. The client logs `--> {…}` and `<-- {…}` (before
//! QEMU 6.2 `>>> {…}` and `<<< {…}`, as Python prints objects), behind whatever the logger puts first.
//! What an object is, its keys say; an arrow says only that its place is exact.

use super::json::{Found, objects};
use super::{Message, Reading, Said, message_of};
use crate::limits::Budget;

/// What the client puts before an object: it logs each where it crossed the socket, and the shell does not.
const ARROWS: [&str; 6] = ["-> {", "<- {", "--> {", "<-- {", ">>> {", "<<< {"];

/// Reads such a log.
pub fn read(text: &str, budget: &Budget) -> Reading {
    let mut reading = Reading {
        late: !ARROWS.iter().any(|arrow| text.contains(arrow)),
        ..Reading::default()
    };
    objects(
        text,
        budget,
        |_| true,
        |line, found| match found {
            Found::Object(value) => match message_of(line, &value) {
                Some(message) => reading.heard("", message),
                None => reading.unknown(line, &value.to_string()),
            },
            Found::Line(text) => match connected(text) {
                Some(version) => reading.heard("", greeting(line, version)),
                None if is_prompt(text) => {}
                None => reading.unknown(line, text),
            },
        },
    );
    reading
}

/// `Connected to QEMU 7.2.22`, by which the shell greets its user.
fn connected(text: &str) -> Option<String> {
    let (_, version) = text.split_once("Connected to QEMU ")?;
    let is_version = version.starts_with(|c: char| c.is_ascii_digit());
    is_version.then(|| version.trim().to_owned())
}

fn greeting(line: u32, version: String) -> Message {
    Message {
        line,
        said: Said::Greeting(Some(version)),
        id: None,
    }
}

/// What the user typed: it is printed again as an object.
fn is_prompt(text: &str) -> bool {
    text.starts_with("(QEMU)") || text.starts_with("Welcome to the QMP")
}
