//! The QMP client: tolerant, because the QEMU at the other end may be of any release.
//!
//! Messages are values of JSON, not types of ours: an event or a field that nobody here has heard of is a message like
//! any other. QEMU: `docs/interop/qmp-spec`.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::process::Process;

/// A connection to a QEMU's monitor.
#[derive(Debug)]
pub struct Monitor {
    stream: UnixStream,
    /// Bytes that were received and are no whole message yet.
    received: Vec<u8>,
    /// The number of the last command: its reply has it, and no other.
    last: u64,
}

/// What came.
#[derive(Debug)]
pub enum Heard {
    /// An event, a reply, or a message of a kind that nobody knows.
    Message(Value),
    /// Nothing, for as long as was to be waited.
    Silence,
    /// The other end has closed the connection: the process ends.
    Gone,
}

/// How often somebody who waits looks whether it was told to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long a reply to the first command may take before it is asked again.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(2);
/// How long a QEMU may take to open its monitor.
const START_AT_MOST: Duration = Duration::from_secs(20);

impl Monitor {
    /// Connects to a QEMU that was just started, and says hello.
    ///
    /// # Errors
    /// What to print: QEMU has ended, or does not answer.
    pub fn connect(socket: &Path, process: &mut Process) -> Result<Monitor, String> {
        let until = Instant::now() + START_AT_MOST;
        let stream = loop {
            if let Ok(stream) = UnixStream::connect(socket) {
                break stream;
            }
            if let Some(code) = process.ended() {
                let why = process.complaints();
                return Err(format!("QEMU ended at its start (exit code {code}): {why}"));
            }
            if Instant::now() >= until {
                return Err("QEMU does not open its monitor".into());
            }
            thread::sleep(Duration::from_millis(1));
        };
        let mut monitor = Monitor {
            stream,
            received: Vec::new(),
            last: 0,
        };
        monitor.say_hello(until, process)?;
        Ok(monitor)
    }

    /// Waits for the greeting, and leaves the mode of negotiation. A busy QEMU may forget what it is told before it
    /// has noticed that somebody is there, and greet again: then it is told again.
    fn say_hello(&mut self, until: Instant, process: &mut Process) -> Result<(), String> {
        let mut heard = self.hear(START_AT_MOST, &|| false);
        while Instant::now() < until {
            match heard {
                Heard::Message(message) if self.is_reply(&message) => return Ok(()),
                Heard::Message(message) if message.get("QMP").is_none() => {}
                Heard::Message(_) | Heard::Silence => {
                    self.send(&json!({"execute": "qmp_capabilities"}));
                }
                Heard::Gone => {
                    let code = process.wait(START_AT_MOST);
                    let why = process.complaints();
                    return Err(format!("QEMU ended at its start (exit code {code}): {why}"));
                }
            }
            heard = self.hear(ASK_AGAIN_AFTER, &|| false);
        }
        Err("QEMU does not answer on its monitor".into())
    }

    /// Whether this is the reply to the last command.
    pub fn is_reply(&self, message: &Value) -> bool {
        message["id"] == self.last
            && (message.get("return").is_some() || message.get("error").is_some())
    }

    /// Sends a command. That the other end is gone shows when its reply is to be read.
    pub fn send(&mut self, command: &Value) {
        self.last += 1;
        let mut command = command.clone();
        command["id"] = json!(self.last);
        let _ = self.stream.write_all(format!("{command}\n").as_bytes());
    }

    /// Reads one message; waits for it so long at most, or until `stop`.
    pub fn hear(&mut self, at_most: Duration, stop: &dyn Fn() -> bool) -> Heard {
        let until = Instant::now() + at_most;
        loop {
            if let Some(message) = self.next_received() {
                return Heard::Message(message);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || stop() {
                return Heard::Silence;
            }
            let patience = left.min(LOOK_EVERY).max(Duration::from_millis(1));
            if self.stream.set_read_timeout(Some(patience)).is_err() {
                return Heard::Gone;
            }
            let mut bytes = [0; 1 << 14];
            match self.stream.read(&mut bytes) {
                Ok(0) => return Heard::Gone,
                Ok(count) => self.received.extend(&bytes[..count]),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                    _ => return Heard::Gone,
                },
            }
        }
    }

    /// The next whole line, as JSON. A line that is not JSON is a message that nobody knows.
    fn next_received(&mut self) -> Option<Value> {
        let end = self.received.iter().position(|byte| *byte == b'\n')?;
        let line: Vec<u8> = self.received.drain(..=end).collect();
        Some(serde_json::from_slice(&line).unwrap_or_else(|_| {
            let text = String::from_utf8_lossy(&line);
            json!({"unreadable": text.trim_end()})
        }))
    }
}
