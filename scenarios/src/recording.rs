//! Recordings of real QEMU: JSON Lines, one message a line, in the order in which they crossed the socket.
//!
//! A recording holds everything that was done and everything that came back, so it compiles to a script of its own:
//! do what was done, in that order, and read what came. What it does not hold is what the client waited for.

mod kinds;

use std::fmt;

use model::dialect::Dialect;
use model::file::ImageCommand;
use model::guest::{Guest, Request};
use model::image::Fill;
use model::name::Name;
use model::process::KILLED;
use model::world::{GuestIx, World};
use serde_json::{Map, Value};

use crate::format::{HmpCommand, Pattern};
use crate::limits::{self, Budget};
use crate::line::{Fixed, Line};
use crate::script::{self, Act, Kind, Script, Sent};
use crate::size::Size;

pub use kinds::{KINDS, LineKind};

/// A recording that was read, and understood as far as its form goes.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The file it came from, for messages.
    pub file: String,
    /// The scenario it says it is of.
    pub scenario: String,
    /// The version of the QEMU that was recorded.
    pub version: String,
    /// The dialect that it is held to, if the recording says so: its version may be one without a dialect.
    pub held_to: Option<String>,
    /// Its lines after the header, each with its number in the file, counted from 1.
    pub lines: Vec<(u32, Value)>,
}

/// A recording that cannot be used: the file, the line and the usual cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingError {
    /// The file.
    pub file: String,
    /// The line, counted from 1; 0 is the file as a whole.
    pub line: u32,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for RecordingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.what),
            line => write!(f, "{}:{line}: {}", self.file, self.what),
        }
    }
}

impl std::error::Error for RecordingError {}

/// Is there nothing to see at this line?
pub fn is_silent(line: &Value) -> bool {
    kinds::SILENT.iter().any(|kind| line["t"] == *kind)
}

impl Recording {
    /// Reads the recordings of a file: each begins with its header, and there is at least one.
    ///
    /// # Errors
    /// A line that is not JSON, has no kind, or a first line that is not a header.
    pub fn parse_all(file: &str, text: &str) -> Result<Vec<Recording>, RecordingError> {
        let error = |line: u32, what: String| RecordingError {
            file: file.into(),
            line,
            what,
        };
        let budget = Budget::default();
        let mut lines = Vec::new();
        for (index, text) in text.lines().enumerate() {
            let number = index as u32 + 1;
            if text.trim().is_empty() {
                continue;
            }
            let value = json_of(text, &budget).map_err(|cause| {
                let what = match budget.is_overdrawn() {
                    true => format!("{}; {}", budget.refusal(), limits::RECORDING.advice),
                    false => {
                        format!("this is not JSON ({cause}); a recording has one object a line")
                    }
                };
                error(number, what)
            })?;
            let kind = value.get("t").and_then(Value::as_str).unwrap_or_default();
            if !kinds::is_kind(kind) {
                let known = kinds::names();
                let what = format!("no kind of line `{kind}` in field t (there are: {known})");
                return Err(error(number, what));
            }
            lines.push((number, value));
        }
        if lines.is_empty() {
            return Err(error(0, "the recording is empty".into()));
        }
        let mut recordings: Vec<Recording> = Vec::new();
        for (number, line) in lines {
            if line["t"] == "header" {
                let begun = Recording::begin(file, &line).map_err(|what| error(number, what))?;
                recordings.push(begun);
            } else if let Some(recording) = recordings.last_mut() {
                recording.lines.push((number, line));
            } else {
                let what = "the first line is not a header; was the beginning cut off?";
                return Err(error(number, what.into()));
            }
        }
        Ok(recordings)
    }

    /// Reads a recording: the first of a file.
    ///
    /// # Errors
    /// See [`Recording::parse_all`].
    pub fn parse(file: &str, text: &str) -> Result<Recording, RecordingError> {
        Recording::parse_all(file, text).map(|mut all| all.swap_remove(0))
    }

    /// A recording that has only its header.
    fn begin(file: &str, header: &Value) -> Result<Recording, String> {
        let text = |key: &str| header.get(key).and_then(Value::as_str).map(str::to_owned);
        Ok(Recording {
            file: file.into(),
            scenario: text("scenario").unwrap_or_else(|| "?".into()),
            version: text("qemu").ok_or("the header does not say which qemu was recorded")?,
            held_to: text("dialect"),
            lines: Vec::new(),
        })
    }

    /// The dialect of the QEMU that was recorded.
    ///
    /// # Errors
    /// A version without a dialect.
    pub fn dialect(&self) -> Result<&'static Dialect, RecordingError> {
        let version = self.held_to.as_ref().unwrap_or(&self.version);
        version.parse().map_err(|what| RecordingError {
            file: self.file.clone(),
            line: 1,
            what,
        })
    }

    /// Leaves out adjacent `paused`, `running` of one running job: how many of these pairs drains cause is noise.
    /// Returns how many pairs were left out.
    pub fn collapse(&mut self) -> usize {
        let before = self.lines.len();
        let mut kept: Vec<(u32, Value)> = Vec::with_capacity(before);
        for line in self.lines.drain(..) {
            let paused = kept
                .last()
                .and_then(|(_, last)| status_of(last))
                .filter(|(_, now)| *now == "paused");
            let is_pair = paused.is_some_and(|(job, _)| {
                let told = kept[..kept.len() - 1]
                    .iter()
                    .rev()
                    .filter_map(|(_, line)| status_of(line));
                let was = told.into_iter().find(|(other, _)| *other == job);
                status_of(&line.1) == Some((job, "running")) && was == Some((job, "running"))
            });
            if is_pair {
                kept.pop();
            } else {
                kept.push(line);
            }
        }
        self.lines = kept;
        (before - self.lines.len()) / 2
    }

    /// The script that does what was done and reads what came.
    ///
    /// A command whose line was written only when its reply came may have been sent before any of the events right
    /// before that line. Taken is the last moment; for the one that follows line `early`, any moment.
    ///
    /// # Errors
    /// A line whose fields are missing or malformed, or a command that is not modelled.
    pub fn script(&self, collapse: bool, early: Option<u32>) -> Result<Script, RecordingError> {
        let mut compiling = Compiling {
            early,
            ..Compiling::new(World::new(self.dialect()?))
        };
        for (number, line) in &self.lines {
            compiling
                .line(*number, line)
                .map_err(|what| RecordingError {
                    file: self.file.clone(),
                    line: *number,
                    what,
                })?;
        }
        Ok(Script {
            name: self.scenario.clone(),
            file: self.file.clone(),
            acts: compiling.acts,
            world: compiling.world,
            collapse: collapse && compiling.taken.is_none(),
            offers: early.is_some(),
            kept: compiling.taken.unwrap_or_default(),
        })
    }

    /// Is there a choice when the command after that line was sent?
    pub fn has_early_command(&self, line: u32) -> bool {
        let after = self.lines.iter().filter(|(number, _)| *number >= line);
        let mut run = after.skip_while(|(_, value)| value["t"] == "event");
        run.next()
            .is_some_and(|(_, value)| value["t"] == "hmp" || value["t"] == "bitmaps")
            && self.lines.iter().any(|(number, value)| {
                *number + 1 >= line && *number <= line && value["t"] == "event"
            })
    }
}

/// The one value in a text.
fn json_of(text: &str, budget: &Budget) -> serde_json::Result<Value> {
    let mut input = serde_json::Deserializer::from_str(text);
    let value = limits::value(&mut input, budget)?;
    input.end()?;
    Ok(value)
}

/// The job and its status, of a line that tells one.
fn status_of(line: &Value) -> Option<(&str, &str)> {
    let data = line
        .get("data")
        .filter(|_| line["event"] == "JOB_STATUS_CHANGE")?;
    Some((data["id"].as_str()?, data["status"].as_str()?))
}

/// A script in the making.
struct Compiling {
    acts: Vec<Act>,
    world: World,
    /// See [`Recording::script`].
    early: Option<u32>,
    /// The act after the last line that is no event, and that line's number.
    quiet: (usize, u32),
    /// A command was sent whose line is written when its reply comes.
    sent: bool,
    /// Events of these kinds stand where the client took them.
    taken: Option<Vec<String>>,
    /// Guests of `guest` lines, by their drives.
    guests: Vec<(String, GuestIx)>,
}

impl Compiling {
    fn new(world: World) -> Compiling {
        Compiling {
            acts: Vec::new(),
            world,
            early: None,
            quiet: (0, 0),
            sent: false,
            taken: None,
            guests: Vec::new(),
        }
    }

    fn line(&mut self, number: u32, line: &Value) -> Result<(), String> {
        match line["t"].as_str().unwrap_or_default() {
            "taken" => self.taken = Some(strings(line, "events")),
            "guest" => self.guest(number, line)?,
            "sent" => {
                let sent = match line.get("line") {
                    Some(_) => hmp(line)?,
                    None => script::bitmaps_sent(),
                };
                self.push(number, Kind::Send(sent));
                self.sent = true;
            }
            _ => match act_of(self.world.dialect, line)? {
                Recorded::Act(Kind::Read) => self.read(number, line),
                Recorded::Act(kind) => self.push(number, kind),
                Recorded::Killed => {
                    self.push(number, Kind::Kill);
                    self.read(number, line);
                }
                Recorded::Reply(_) if self.sent => {
                    self.sent = false;
                    self.read(number, line);
                }
                Recorded::Reply(sent) => self.ask(number, line, sent),
            },
        }
        if line["t"] != "event" {
            self.quiet = (self.acts.len(), number);
        }
        Ok(())
    }

    fn push(&mut self, line: u32, kind: Kind) {
        self.acts.push(Act { line, kind });
    }

    /// One message is read; where events stand when they were taken, that one is found among others.
    fn read(&mut self, number: u32, line: &Value) {
        let kind = match (&self.taken, line["t"] == "event") {
            (None, _) => Kind::Read,
            (Some(_), false) => Kind::ReadReply,
            (Some(_), true) => Kind::Take(Fixed::new(line.clone())),
        };
        self.push(number, kind);
    }

    /// A command is sent whose line was written when its reply came.
    fn ask(&mut self, number: u32, line: &Value, sent: Sent) {
        let (quiet_since, quiet_line) = self.quiet;
        let any_moment = self
            .early
            .is_some_and(|early| quiet_line < early && early <= number);
        if any_moment {
            let offer = Act {
                line: number,
                kind: Kind::Offer(sent),
            };
            self.acts.insert(quiet_since, offer);
        } else {
            self.push(number, Kind::Send(sent));
        }
        self.read(number, line);
    }

    /// A guest writes something, and has done it.
    fn guest(&mut self, number: u32, line: &Value) -> Result<(), String> {
        let drive = line["drive"].as_str().ok_or("no field drive")?;
        let known = self
            .guests
            .iter()
            .find(|(of, _)| of == drive)
            .map(|(_, guest)| *guest);
        let guest = match known {
            Some(guest) => guest,
            None => {
                let len = bytes(line, "len")?;
                let fill = Fill(GUEST_FILL);
                let write = Request::Write {
                    offset: 0,
                    len,
                    fill,
                };
                let name = format!("guest of {drive}");
                let guest = Guest::new(name.as_str().into(), drive.into(), vec![write]);
                let guest = self.world.add_guest(guest);
                self.guests.push((drive.to_owned(), guest));
                guest
            }
        };
        self.push(number, Kind::Start(vec![guest]));
        self.push(number, Kind::Join(vec![guest]));
        Ok(())
    }
}

/// What unseen guests write.
const GUEST_FILL: u32 = 0x22;

fn strings(line: &Value, key: &str) -> Vec<String> {
    let entries = line[key].as_array().into_iter().flatten();
    entries
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

/// What a line compiles to.
enum Recorded {
    /// An act of its own.
    Act(Kind),
    /// The reply to a command that has no line of its own.
    Reply(Sent),
    /// The end of a QEMU that the client killed.
    Killed,
}

fn act_of(dialect: &Dialect, line: &Value) -> Result<Recorded, String> {
    let number = |key: &str| {
        line.get(key)
            .and_then(Value::as_u64)
            .ok_or_else(|| format!("field {key} is not a number"))
    };
    let kind = match line["t"].as_str().unwrap_or_default() {
        "launch" => launch(line)?,
        "cmd" => {
            let execute = line
                .get("execute")
                .and_then(Value::as_str)
                .ok_or("no field execute")?;
            let empty = Value::Object(Map::new());
            Kind::Send(script::qmp_sent(
                dialect,
                execute,
                line.get("arguments").unwrap_or(&empty),
            )?)
        }
        "reply" => {
            if line.get("return").is_none() && line.get("error").is_none() {
                return Err("a reply has a field return or error".into());
            }
            Kind::Read
        }
        "event" => {
            line.get("event")
                .and_then(Value::as_str)
                .ok_or("no field event")?;
            Kind::Read
        }
        // Nobody but the client sends that signal.
        "exit" if line["code"] == KILLED => return Ok(Recorded::Killed),
        "exit" => Kind::Read,
        "hmp" => return Ok(Recorded::Reply(hmp(line)?)),
        "bitmaps" => return Ok(Recorded::Reply(script::bitmaps_sent())),
        "img" => img(line)?,
        "pending" => Kind::Pending(None),
        "settled" => Kind::Settle {
            ms: number("ms")?,
            until: None,
        },
        "slept" => Kind::Sleep(number("ms")?),
        "timeout" => Kind::GiveUp(Line::Timeout(Fixed::new(without(line, &["t"])))),
        "hang" => Kind::GiveUp(Line::Hang),
        // Said by some recorders before the quit that follows.
        "shutdown" => Kind::Forget,
        other => return Err(format!("no kind of line {other}")),
    };
    Ok(Recorded::Act(kind))
}

fn without(line: &Value, keys: &[&str]) -> Value {
    match line {
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .filter(|(key, _)| !keys.contains(&key.as_str()))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
        ),
        other => other.clone(),
    }
}

fn launch(line: &Value) -> Result<Kind, String> {
    let args: Vec<String> = match line.get("args") {
        Some(Value::Array(args)) => args
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    };
    let Some(Value::Array(entries)) = line.get("drives") else {
        return Err("field drives is not a list".into());
    };
    let drives = entries
        .iter()
        .map(|entry| script::drive(entry, &args))
        .collect::<Result<_, _>>()?;
    Ok(Kind::Launch {
        drives,
        shown: Fixed::new(without(line, &["t"])),
    })
}

/// `qemu-io DRIVE "LINE"`
fn hmp(line: &Value) -> Result<Sent, String> {
    let text = line
        .get("line")
        .and_then(Value::as_str)
        .ok_or("no field line")?;
    let parsed = text
        .strip_prefix("qemu-io ")
        .and_then(|rest| rest.split_once(' '));
    let Some((drive, quoted)) = parsed else {
        return Err(format!(
            "the human monitor's command is not qemu-io: {text}"
        ));
    };
    let inner = quoted.trim().trim_matches('"');
    let command: HmpCommand = inner
        .parse()
        .map_err(|mistake: crate::format::Mistake| mistake.to_string())?;
    script::hmp_sent(drive, inner, &command)
}

/// A number of bytes, as a field has it.
fn bytes(line: &Value, key: &str) -> Result<u64, String> {
    let number = line.get(key).and_then(Value::as_u64).and_then(Size::of);
    number.map(Size::bytes).ok_or_else(|| {
        format!("field {key} is not a number of bytes (a whole one, at most 2^63 - 1)")
    })
}

fn img(line: &Value) -> Result<Kind, String> {
    let text = |key: &str| line.get(key).and_then(Value::as_str);
    let name = |key: &str| -> Result<Name, String> {
        text(key)
            .map(Name::from)
            .ok_or_else(|| format!("no field {key}"))
    };
    let number = |key: &str| bytes(line, key);
    let fill = || -> Result<Fill, String> {
        let pattern: Pattern = text("pattern")
            .unwrap_or_default()
            .parse()
            .map_err(|mistake: crate::format::Mistake| mistake.to_string())?;
        Ok(Fill(pattern.0.into()))
    };
    let command = match text("cmd").unwrap_or_default() {
        "create" => {
            let empty = Map::new();
            let options = line
                .get("opts")
                .and_then(Value::as_object)
                .unwrap_or(&empty);
            let size = line.get("size").map(|_| number("size")).transpose()?;
            Some(script::create(
                &name("img")?,
                size,
                text("backing").map(Name::from),
                options,
            )?)
        }
        "write" => Some(ImageCommand::Write {
            name: name("img")?,
            offset: number("offset")?,
            len: number("len")?,
            fill: fill()?,
        }),
        "read" => Some(ImageCommand::Read {
            name: name("img")?,
            offset: number("offset")?,
            len: number("len")?,
            fill: text("pattern").map(|_| fill()).transpose()?,
        }),
        "copy" => Some(ImageCommand::Copy {
            name: name("img")?,
            to: name("to")?,
        }),
        "rebase" => Some(ImageCommand::Rebase {
            name: name("img")?,
            backing: text("backing").map(Name::from),
        }),
        "compare" => Some(ImageCommand::Compare {
            a: name("a")?,
            b: name("b")?,
        }),
        "remove" => Some(ImageCommand::Remove { name: name("img")? }),
        "bitmaps" => Some(ImageCommand::Bitmaps { name: name("img")? }),
        "map" => None,
        other => return Err(format!("no image command {other}")),
    };
    Ok(Kind::Img {
        command,
        shown: Fixed::new(without(line, &["t", "result"])),
        expected: None,
    })
}
