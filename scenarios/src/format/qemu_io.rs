//! qemu-io lines, as guests and the monitor send them: `write -P0x41 0 64k`, `flush`, `break write_aio A`.
//!
//! Understood are the commands that stories need, with the spelling of qemu-io; anything else is an error, so
//! that no option is silently without effect.

use std::fmt;
use std::str::FromStr;

use crate::format::mistake::{Mistake, did_you_mean};
use crate::format::{Fill, HmpCommand, Pattern, Request};
use crate::size::Size;

/// How each qemu-io command is written, for messages.
const USAGE: &[(&str, &str)] = &[
    ("write", "write [-P PATTERN | -z] OFFSET LENGTH"),
    ("aio_write", "aio_write [-P PATTERN | -z] OFFSET LENGTH"),
    ("read", "read [-P PATTERN] OFFSET LENGTH"),
    ("discard", "discard OFFSET LENGTH"),
    ("flush", "flush"),
    ("break", "break EVENT TAG"),
    ("resume", "resume TAG"),
    ("wait_break", "wait_break TAG"),
    ("remove_break", "remove_break TAG"),
];

/// How many rows of [`USAGE`] are requests, which guests may send as well.
const REQUESTS: usize = 5;

impl FromStr for Request {
    type Err = Mistake;

    fn from_str(text: &str) -> Result<Request, Mistake> {
        let line = Line::split(text, &USAGE[..REQUESTS])?;
        match line.command {
            "write" => line
                .range(line.write_options()?)
                .map(|(offset, len, fill)| Request::Write { offset, len, fill }),
            "aio_write" => line
                .range(line.write_options()?)
                .map(|(offset, len, fill)| Request::AioWrite { offset, len, fill }),
            "read" => line
                .range(line.read_options()?)
                .map(|(offset, len, pattern)| Request::Read {
                    offset,
                    len,
                    pattern,
                }),
            "discard" => line
                .range(line.no_options()?)
                .map(|(offset, len, ())| Request::Discard { offset, len }),
            "flush" => line.words::<0>().map(|[]| Request::Flush),
            _ => unreachable!("`Line::split` lets only known commands pass"),
        }
    }
}

/// The line by which qemu-io would send the request.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Request::Write { offset, len, fill } => write!(f, "write {fill} {offset} {len}"),
            Request::AioWrite { offset, len, fill } => write!(f, "aio_write {fill} {offset} {len}"),
            Request::Read {
                offset,
                len,
                pattern: None,
            } => write!(f, "read {offset} {len}"),
            Request::Read {
                offset,
                len,
                pattern: Some(pattern),
            } => write!(f, "read -P{pattern} {offset} {len}"),
            Request::Discard { offset, len } => write!(f, "discard {offset} {len}"),
            Request::Flush => f.write_str("flush"),
        }
    }
}

impl fmt::Display for Fill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fill::Pattern(pattern) => write!(f, "-P{pattern}"),
            Fill::Zeroes => f.write_str("-z"),
        }
    }
}

impl FromStr for HmpCommand {
    type Err = Mistake;

    fn from_str(text: &str) -> Result<HmpCommand, Mistake> {
        let line = Line::split(text, USAGE)?;
        match line.command {
            "break" => {
                let [event, tag] = line.words()?;
                Ok(HmpCommand::Break {
                    event: event.parse()?,
                    tag: tag.to_owned(),
                })
            }
            "resume" => line.words().map(|[tag]| HmpCommand::Resume {
                tag: tag.to_owned(),
            }),
            "wait_break" => line.words().map(|[tag]| HmpCommand::WaitBreak {
                tag: tag.to_owned(),
            }),
            "remove_break" => line.words().map(|[tag]| HmpCommand::RemoveBreak {
                tag: tag.to_owned(),
            }),
            _ => text.parse().map(HmpCommand::Request),
        }
    }
}

/// A qemu-io line, cut at its spaces.
struct Line<'a> {
    text: &'a str,
    command: &'static str,
    usage: &'static str,
    /// The values of the options, in order: `("-P", "0x41")`, `("-z", "")`.
    options: Vec<(&'a str, &'a str)>,
    rest: Vec<&'a str>,
}

impl<'a> Line<'a> {
    fn split(text: &'a str, known: &[(&'static str, &'static str)]) -> Result<Line<'a>, Mistake> {
        if text.contains(|c: char| c == '"' || c == '\\' || c.is_control()) {
            let help = "the line is passed on between quotes: it can hold no quote, backslash, tab or line break";
            return Err(Mistake::new(
                format!("`{}` is not a qemu-io line", text.escape_debug()),
                help,
            ));
        }
        let mut words = text.split_whitespace();
        let first = words.next().unwrap_or_default();
        let Some(&(command, usage)) = known.iter().find(|(name, _)| *name == first) else {
            return Err(unknown_command(first, known));
        };
        let (mut options, mut rest) = (Vec::new(), Vec::new());
        while let Some(word) = words.next() {
            match word.strip_prefix("-P") {
                Some("") => options.push(("-P", words.next().unwrap_or_default())),
                Some(value) => options.push(("-P", value)),
                None if word.starts_with('-') => options.push((word, "")),
                None => rest.push(word),
            }
        }
        Ok(Line {
            text,
            command,
            usage,
            options,
            rest,
        })
    }

    fn write_options(&self) -> Result<Fill, Mistake> {
        match self.options[..] {
            [] => Ok(Fill::Pattern(Pattern::QEMU_IO_DEFAULT)),
            [("-P", pattern)] => pattern.parse().map(Fill::Pattern),
            [("-z", _)] => Ok(Fill::Zeroes),
            _ => Err(self.misspelt()),
        }
    }

    fn read_options(&self) -> Result<Option<Pattern>, Mistake> {
        match self.options[..] {
            [] => Ok(None),
            [("-P", pattern)] => pattern.parse().map(Some),
            _ => Err(self.misspelt()),
        }
    }

    fn no_options(&self) -> Result<(), Mistake> {
        if self.options.is_empty() {
            Ok(())
        } else {
            Err(self.misspelt())
        }
    }

    /// The words of a command without options.
    fn words<const N: usize>(&self) -> Result<[&'a str; N], Mistake> {
        self.no_options()?;
        self.rest[..].try_into().map_err(|_| self.misspelt())
    }

    /// Offset and length, with the options read before.
    fn range<T>(&self, options: T) -> Result<(Size, Size, T), Mistake> {
        let [offset, len] = self.rest[..] else {
            return Err(self.misspelt());
        };
        let (offset, len): (Size, Size) = (offset.parse()?, len.parse()?);
        if Size::of(offset.bytes() + len.bytes()).is_none() {
            return Err(Mistake::new(
                format!("`{}` ends beyond 2^63 - 1 bytes", self.text),
                self.usage,
            ));
        }
        Ok((offset, len, options))
    }

    fn misspelt(&self) -> Mistake {
        Mistake::new(
            format!("`{}` is not a `{}` line", self.text, self.command),
            format!("write `{}`", self.usage),
        )
    }
}

fn unknown_command(word: &str, known: &[(&str, &str)]) -> Mistake {
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    let all = || format!("the commands are {}", names.join(", "));
    if word.is_empty() {
        return Mistake::new("a qemu-io line without a command", all());
    }
    if USAGE.iter().any(|(name, _)| *name == word) {
        return Mistake::new(
            format!("a guest cannot send `{word}`"),
            "breakpoints are the monitor's: use an `hmp` item",
        );
    }
    Mistake::new(
        format!("there is no qemu-io command `{word}`"),
        did_you_mean(word, &names).unwrap_or_else(all),
    )
}
