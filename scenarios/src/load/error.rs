//! What a reader sees when a scenario cannot be loaded.
//!
//! The first line says where and what, then comes the line of the file with a caret, then what usually helps.
//! The YAML reader's own words are turned into words about scenarios here.

use std::fmt;

use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{DefaultMessageFormatter, Error as YamlError, Location, MessageFormatter};

use crate::format::nearest_and_all;
use crate::judge::Wrong;
use crate::limits::{DEPTH_MAX, NODES_MAX};
use crate::load::{point, raw};

/// Why a scenario could not be loaded. `Display` is what a user reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadError {
    /// The file, as it was named.
    pub file: String,
    /// Where in the file; nothing when there is no file to point into.
    pub place: Option<Place>,
    /// What is wrong, in one line.
    pub what: String,
    /// The line of the file that `place` points into.
    pub source_line: String,
    /// The usual cause, or what is allowed.
    pub help: Option<String>,
}

/// A place in a file, counted from 1; the column counts characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The character in the line.
    pub column: u32,
}

impl LoadError {
    pub(crate) fn without_place(file: &str, what: String, help: Option<String>) -> LoadError {
        LoadError {
            file: file.to_owned(),
            place: None,
            what,
            source_line: String::new(),
            help,
        }
    }

    /// What is wrong at a place of a text, and what usually helps.
    pub fn at(file: &str, text: &str, place: Place, what: &str, help: Option<&str>) -> LoadError {
        let (what, help) = (what.to_owned(), help.map(str::to_owned));
        Trouble { place, what, help }.shown_in(file, text)
    }

    /// What can never be in a story, shown in the text that it was read from.
    pub fn of_wrong(file: &str, text: Option<&str>, wrong: Wrong) -> LoadError {
        let Wrong {
            path,
            is_value,
            what,
            help,
        } = wrong;
        let place = text.and_then(|text| Some((text, point::place_of(text, &path, is_value)?)));
        match place {
            Some((text, place)) => Trouble::new(place, what, help).shown_in(file, text),
            None => LoadError::without_place(file, format!("{path}: {what}"), Some(help)),
        }
    }
}

impl std::error::Error for LoadError {}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            None => write!(f, "{}: {}", self.file, self.what)?,
            Some(place) => {
                writeln!(
                    f,
                    "{}:{}:{}: {}",
                    self.file, place.line, place.column, self.what
                )?;
                let (shown, caret) = excerpt(&self.source_line, place.column as usize);
                let number = place.line.to_string();
                writeln!(f, "{}", format!(" {number} | {shown}").trim_end())?;
                write!(f, " {:1$} | {2:>3$}", "", number.len(), "^", caret)?;
            }
        }
        match &self.help {
            Some(help) => write!(f, "\nhelp: {help}"),
            None => Ok(()),
        }
    }
}

/// The part of a line around a column, and the column within that part. Every character takes one cell.
fn excerpt(line: &str, column: usize) -> (String, usize) {
    const WIDTH: usize = 112;
    let printable = |c: char| match c {
        '\t' => '→',
        c if c.is_control() => '�',
        c => c,
    };
    let cells: Vec<char> = line.chars().map(printable).collect();
    let column = column.min(cells.len() + 1);
    if cells.len() <= WIDTH {
        return (cells.iter().collect(), column);
    }
    let start = column.saturating_sub(WIDTH / 2).min(cells.len() - WIDTH);
    let end = start + WIDTH;
    let (before, after) = (
        if start > 0 { "…" } else { "" },
        if end < cells.len() { "…" } else { "" },
    );
    let middle: String = cells[start..end].iter().collect();
    (
        format!("{before}{middle}{after}"),
        column - start + before.chars().count(),
    )
}

/// Something wrong at a place, before the file's name and its lines are put to it.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub place: Place,
    pub what: String,
    pub help: Option<String>,
}

impl Trouble {
    pub fn new(place: Place, what: impl Into<String>, help: impl Into<String>) -> Trouble {
        Trouble {
            place,
            what: what.into(),
            help: Some(help.into()),
        }
    }

    pub fn shown_in(self, file: &str, text: &str) -> LoadError {
        // YAML ends a line with any of CR LF, LF and CR.
        let ends = text.replace("\r\n", "\n").replace('\r', "\n");
        let line = ends
            .split('\n')
            .nth(self.place.line as usize - 1)
            .unwrap_or_default();
        LoadError {
            file: file.to_owned(),
            place: Some(self.place),
            what: one_line(&self.what, WHAT_MAX),
            source_line: line.trim_start_matches('\u{feff}').to_owned(),
            help: self.help.as_deref().map(|help| one_line(help, HELP_MAX)),
        }
    }
}

/// No message is longer, whatever the file says.
const WHAT_MAX: usize = 400;
/// The longest list of what is possible.
const HELP_MAX: usize = 1_000;

/// A text with parts of the file in it, safe to print: on one line, not endless, without a terminal's commands.
fn one_line(text: &str, length_max: usize) -> String {
    let printable = |c: char| if c.is_control() { '�' } else { c };
    let mut letters = text.chars().map(printable);
    let start: String = letters.by_ref().take(length_max).collect();
    if letters.next().is_some() {
        start + "…"
    } else {
        start
    }
}

impl Place {
    /// The place of what follows this text, which the file begins with.
    pub fn after(before: &str) -> Place {
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        let short = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Place {
            line: short(line),
            column: short(column),
        }
    }
}

impl From<Location> for Place {
    fn from(location: Location) -> Place {
        let from_one = |number: u64| u32::try_from(number).unwrap_or(u32::MAX).max(1);
        Place {
            line: from_one(location.line()),
            column: from_one(location.column()),
        }
    }
}

/// The trouble with bytes that begin with this good text and go on with something else.
pub(crate) fn not_utf8(good: &str) -> Trouble {
    Trouble::new(
        Place::after(good),
        "what follows is not UTF-8",
        "a scenario is a text file; is this an image or a recording?",
    )
}

/// The YAML reader's error in words about scenarios.
pub(crate) fn explain(error: &YamlError) -> Trouble {
    let error = error.without_snippet();
    let place = error
        .location()
        .map_or(Place { line: 1, column: 1 }, Place::from);
    let (what, help) = words_for(error);
    Trouble { place, what, help }
}

fn words_for(error: &YamlError) -> (String, Option<String>) {
    let with = |what: String, help: &str| (what, Some(help.to_owned()));
    match error {
        // A mistake in a size, a path or a qemu-io line brings its help along.
        YamlError::Message { msg, .. } => match msg.split_once('\n') {
            Some((what, help)) => (what.to_owned(), Some(help.to_owned())),
            None => (msg.clone(), None),
        },
        YamlError::SerdeUnknownField {
            field, expected, ..
        } => unknown_key(field, expected),
        YamlError::SerdeMissingField { field, .. } => {
            (format!("`{field}` is missing"), needed_for(field))
        }
        YamlError::SerdeUnknownVariant {
            variant, expected, ..
        } => {
            let help = nearest_and_all(variant, expected, "");
            (format!("`{variant}` is not possible here"), Some(help))
        }
        YamlError::SerdeInvalidType {
            unexpected,
            expected,
            ..
        } => (
            format!("{expected} is expected here, not {}", plain(unexpected)),
            None,
        ),
        YamlError::DuplicateMappingKey { key, .. } => {
            let what = match key {
                Some(key) => format!("`{key}` is there twice"),
                None => "the same key is there twice".to_owned(),
            };
            with(
                what,
                "each key stands once in a mapping; a second step is a new item: `- ...`",
            )
        }
        YamlError::MultipleDocuments { .. } => with(
            "a second document begins here".to_owned(),
            "one file is one story: leave the `---` out",
        ),
        YamlError::Eof { .. } => with(
            "the file is empty".to_owned(),
            "a story has at least `title` and `script`",
        ),
        YamlError::Unexpected {
            expected: "mapping start",
            ..
        } => with(
            "a mapping is expected here".to_owned(),
            "write `key: value` pairs, or `{}` when there is nothing to say",
        ),
        YamlError::Unexpected {
            expected: "sequence start",
            ..
        } => with(
            "a list is expected here".to_owned(),
            "write `[a, b]`, or one `- a` per line",
        ),
        YamlError::Unexpected {
            expected: "string scalar",
            ..
        } => ("a text is expected here".to_owned(), None),
        YamlError::NullIntoString { .. } => with(
            "a text is expected here".to_owned(),
            "a bare `null` or `~` is YAML's nothing; the text is `\"null\"`",
        ),
        YamlError::InvalidBooleanStrict { .. } => with(
            "`true` or `false` is expected here".to_owned(),
            "`yes`, `no`, `on` and `off` are texts",
        ),
        YamlError::InvalidScalar { .. } => (
            "a whole number is expected here, not below zero".to_owned(),
            None,
        ),
        YamlError::UnknownAnchor { .. } => with(
            "there is no anchor of this name above".to_owned(),
            "put text that begins with `*` in quotes",
        ),
        YamlError::ExpectedMappingEndAfterEnumVariantValue { .. } => with(
            "a second key is not possible here".to_owned(),
            "make another item of it",
        ),
        YamlError::ExpectedStringKeyForExternallyTaggedEnum { .. } => {
            ("a key is missing here".to_owned(), None)
        }
        YamlError::ExternalMessage { msg, .. } => syntax(msg),
        YamlError::AliasError { error, .. } => words_for(error),
        YamlError::Budget { breach, .. } => too_much(breach),
        other => (
            DefaultMessageFormatter.format_message(other).into_owned(),
            None,
        ),
    }
}

/// More than a scenario may hold, counting what aliases stand for.
fn too_much(breach: &BudgetBreach) -> (String, Option<String>) {
    let (what, help) = match breach {
        BudgetBreach::Depth { .. } => (
            format!("nested more than {DEPTH_MAX} deep"),
            "is a `[` or `{` never closed?",
        ),
        BudgetBreach::Documents { .. } => (
            "a second document begins here".to_owned(),
            "one file is one story: leave the `---` out",
        ),
        _ => (
            format!(
                "a scenario has at most {NODES_MAX} values, counting what each `*alias` stands for"
            ),
            "write it as several scenarios",
        ),
    };
    (what, Some(help.to_owned()))
}

/// The parser's own messages, with the usual cause of the common ones.
fn syntax(message: &str) -> (String, Option<String>) {
    const CAUSES: &[(&str, &str)] = &[
        ("tab", "YAML is indented by spaces, never by tabs"),
        (
            "mapping values are not allowed",
            "a text with `: ` in it stands in quotes",
        ),
        ("unclosed bracket", "a `[` or `{` is never closed"),
        (
            "only valid inside a block",
            "a `[` or `{` above is not closed, or the indentation is off",
        ),
        ("quoted scalar", "a quote above is not closed"),
        ("unexpected character", "put the text in quotes"),
    ];
    let cause = CAUSES.iter().find(|(part, _)| message.contains(part));
    (
        message.to_owned(),
        cause.map(|(_, help)| (*help).to_owned()),
    )
}

/// How the mapping looks that needs this key.
fn needed_for(field: &str) -> Option<String> {
    const NEEDS: &[(&str, &str)] = &[
        ("title", "a story has at least `title` and `script`"),
        ("script", "a story has at least `title` and `script`"),
        (
            "cmd",
            "say what is done: `img: {cmd: create, img: $DIR/drive0.qcow2, size: 64M}`",
        ),
        (
            "event",
            "say for what: `wait: {event: BLOCK_JOB_COMPLETED, match: {device: drive0}}`",
        ),
        (
            "execute",
            "paste the QMP command: `qmp: {\"execute\": \"query-jobs\", \"arguments\": {}}`",
        ),
        (
            "class",
            "most errors are `{class: GenericError, desc: \"...\"}`",
        ),
        ("ms", "say how long: `{ms: 500}`"),
    ];
    NEEDS
        .iter()
        .find(|(key, _)| *key == field)
        .map(|(_, help)| (*help).to_owned())
}

fn unknown_key(field: &str, expected: &[&'static str]) -> (String, Option<String>) {
    let what = match expected == raw::KEYS {
        true => format!("a script item has no `{field}`"),
        false => format!("there is no key `{field}` here"),
    };
    let help = match expected {
        [] => "nothing goes here: write `{}`".to_owned(),
        raw::KEYS => nearest_and_all(field, raw::KEYS, "")
            .replace(&one_of(raw::KEYS), &raw::verbs_in_words()),
        _ => nearest_and_all(field, expected, ""),
    };
    (what, Some(help))
}

/// "one of `a`, `b`".
pub(crate) fn one_of<T: fmt::Display>(words: &[T]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match &quoted[..] {
        [] => "nothing".to_owned(),
        [only] => format!("only {only} is possible"),
        _ => format!("possible are {}", quoted.join(", ")),
    }
}

/// serde's name for a kind of value, for people.
fn plain(unexpected: &str) -> &str {
    match unexpected {
        "map" => "a mapping",
        "sequence" => "a list",
        "unit value" | "Option value" => "nothing",
        other => other,
    }
}
