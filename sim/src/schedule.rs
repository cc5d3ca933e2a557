//! A schedule is text: one named step per line, to be read, edited, compared, shortened and
//! replayed.
//!
//! ```text
//! # scenario: abort-after-guest-write
//! # seed: 0x2a
//!
//! monitor transaction
//! # the guest is faster than the job
//! guest0 write 2 begin
//! drive0 job copy 16M+256k
//! ```
//!
//! Blank lines and lines that begin with `#` do nothing. Comments of the form `# key: value` before
//! the first step are *headers* and are kept: they say what the schedule belongs to. There is no
//! comment behind a step, since `#` may be part of a name (QEMU's `#block123`).

use std::fmt::{self, Display};
use std::str::FromStr;

const BYTE_ORDER_MARK: char = '\u{feff}';

/// The steps of a run by name, in order, and what the file says about itself.
///
/// Two schedules are equal when headers and names are; on which lines they stood does not matter.
#[derive(Clone, Debug, Default)]
pub struct Schedule {
    headers: Vec<(String, String)>,
    steps: Vec<ScheduledStep>,
}

/// One line that names a step.
#[derive(Clone, Debug)]
pub struct ScheduledStep {
    /// What [`System::name`](crate::System::name) says.
    pub name: String,
    /// The line of the text it was read from, counted from 1.
    pub line: Option<usize>,
}

/// A text that is no schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub message: String,
}

/// Whether `name` can stand on a line of a schedule: one line, not empty, no `#` in front, no blank
/// at either end, and no control character or byte order mark anywhere.
#[must_use]
pub fn is_step_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('#')
        && name.trim() == name
        && !name.contains(is_invisible)
}

impl Schedule {
    /// A schedule with no step in it.
    #[must_use]
    pub fn new() -> Schedule {
        Schedule::default()
    }

    /// Reads the text of a schedule.
    ///
    /// # Errors
    ///
    /// A control character or a second byte order mark (the file is probably not a schedule at
    /// all), or a header given twice.
    pub fn parse(text: &str) -> Result<Schedule, ScheduleError> {
        let mut schedule = Schedule::new();
        // Some editors put a byte order mark in front; it would be an invisible part of the first
        // name.
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            let line = line.trim();
            if line.contains(is_invisible) {
                let message =
                    "a character that nobody can see; a schedule is text with one step per line"
                        .to_owned();
                return Err(ScheduleError {
                    line: number,
                    message,
                });
            }
            match line.strip_prefix('#') {
                None if line.is_empty() => {}
                None => schedule.steps.push(ScheduledStep {
                    name: line.to_owned(),
                    line: Some(number),
                }),
                Some(comment) if schedule.steps.is_empty() => {
                    schedule
                        .read_header(comment)
                        .map_err(|message| ScheduleError {
                            line: number,
                            message,
                        })?;
                }
                Some(_) => {}
            }
        }
        Ok(schedule)
    }

    /// Keeps `comment` if it is a header.
    fn read_header(&mut self, comment: &str) -> Result<(), String> {
        let Some((key, value)) = comment.split_once(':') else {
            return Ok(());
        };
        let (key, value) = (key.trim(), value.trim());
        if !is_header_key(key) || value.is_empty() {
            return Ok(());
        }
        if self.header(key).is_some() {
            return Err(format!("the header `{key}` is given twice"));
        }
        self.headers.push((key.to_owned(), value.to_owned()));
        Ok(())
    }

    /// The value of the header `key`.
    #[must_use]
    pub fn header(&self, key: &str) -> Option<&str> {
        self.headers()
            .find(|(found, _)| *found == key)
            .map(|(_, value)| value)
    }

    /// All headers as (key, value), in the order of the text.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Sets a header, in its old place if it was there.
    ///
    /// # Panics
    ///
    /// When `key` is not made of lower-case letters, digits and hyphens, beginning with a letter,
    /// or when `value` could not be read back: it must be one line, not empty and without blanks at
    /// its ends.
    pub fn set_header(&mut self, key: &str, value: &str) {
        assert!(
            is_header_key(key),
            "internal bug: `{key}` cannot be the key of a header"
        );
        let readable = !value.is_empty() && value.trim() == value && !value.contains(is_invisible);
        assert!(
            readable,
            "internal bug: {value:?} cannot be the value of the header `{key}`"
        );
        match self.headers.iter_mut().find(|(found, _)| found == key) {
            Some((_, old)) => value.clone_into(old),
            None => self.headers.push((key.to_owned(), value.to_owned())),
        }
    }

    /// The steps, in order.
    #[must_use]
    pub fn steps(&self) -> &[ScheduledStep] {
        &self.steps
    }

    /// The names of the steps, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().map(|step| step.name.as_str())
    }

    /// Adds a step at the end.
    ///
    /// # Panics
    ///
    /// When `name` is not one: see [`is_step_name`].
    pub fn push(&mut self, name: String) {
        assert!(
            is_step_name(&name),
            "internal bug: {name:?} cannot be the name of a step"
        );
        self.steps.push(ScheduledStep { name, line: None });
    }
}

/// Whether a character may not stand in a schedule, because nobody would see it there.
fn is_invisible(c: char) -> bool {
    c.is_control() || c == BYTE_ORDER_MARK
}

fn is_header_key(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_lowercase())
        && key
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Schedule) -> bool {
        self.headers == other.headers && self.names().eq(other.names())
    }
}

impl Eq for Schedule {}

/// A schedule without headers.
///
/// # Panics
///
/// As [`Schedule::push`].
impl FromIterator<String> for Schedule {
    fn from_iter<I: IntoIterator<Item = String>>(names: I) -> Schedule {
        let mut schedule = Schedule::new();
        names.into_iter().for_each(|name| schedule.push(name));
        schedule
    }
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Schedule, ScheduleError> {
        Schedule::parse(text)
    }
}

/// Headers first, then the steps, a line each; [`Schedule::parse`] gives an equal schedule back.
impl Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, value) in self.headers() {
            writeln!(f, "# {key}: {value}")?;
        }
        for name in self.names() {
            writeln!(f, "{name}")?;
        }
        Ok(())
    }
}

impl Display for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for ScheduleError {}
