//! What QEMU's iotests print (`tests/qemu-iotests/*.out`).
//!
//! Python tests print the commands and replies that they choose to (`qmp_log`) and events when they took them, all
//! sorted by key, with masks (`TEST_DIR/PID-img`, `"SECS"`); shell tests print what they send, in single quotes and
//! over several lines, and all that comes (`TIMESTAMP`). Between them stands text for people.

use serde_json::Value;

use super::json::{Found, objects};
use super::{Message, Reading, Said, message_of};
use crate::format::HmpCommand;
use crate::limits::Budget;
use crate::size::Size;

/// How the output of a shell test begins: such a test shows all that comes, when it comes.
const SHELL_TEST: &str = "QA output created by";

/// No request is longer, in bytes.
const REQUEST_MAX: usize = 256;

/// Reads such an output.
pub fn read(text: &str, budget: &Budget) -> Reading {
    let mut reading = Reading {
        late: !text.contains(SHELL_TEST),
        ..Reading::default()
    };
    let starts_line = |before: &str| before.trim().is_empty();
    objects(text, budget, starts_line, |line, found| match found {
        Found::Object(value) => match message_of(line, &value).or_else(|| bitmaps(line, &value)) {
            Some(message) => reading.heard("", message),
            None => reading.unknown(line, &value.to_string()),
        },
        Found::Line(text) => match said_in(text) {
            Some(said) => {
                let id = None;
                reading.heard("", Message { line, said, id });
            }
            None => reading.unknown(line, text),
        },
    });
    reading
}

/// `{"bitmaps": {"drive0": [{…}]}}`
fn bitmaps(line: u32, value: &Value) -> Option<Message> {
    let nodes = value.get("bitmaps").filter(|nodes| nodes.is_object())?;
    Some(Message {
        line,
        said: Said::Bitmaps(nodes.clone()),
        id: None,
    })
}

/// A line that is no object and yet says something.
fn said_in(text: &str) -> Option<Said> {
    if let Some(rest) = text.strip_prefix("Formatting '") {
        let (path, options) = rest.split_once('\'')?;
        let size = options
            .split([' ', ','])
            .find_map(|option| option.strip_prefix("size="))?;
        let size: Size = size.parse().ok()?;
        return Some(Said::Formatting(path.to_owned(), size.bytes()));
    }
    let is_request =
        text.len() <= REQUEST_MAX && matches!(text.parse(), Ok(HmpCommand::Request(_)));
    is_request.then(|| Said::QemuIo(text.trim().to_owned()))
}
