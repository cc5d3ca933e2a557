//! What a recording says: the lines of one run, with the names that change from run to run made symbolic.

use std::collections::BTreeMap;

use scenarios::recording::Recording;
use serde_json::{Map, Value, json};

use super::binary::Binary;

/// Takes down the lines of one run.
#[derive(Debug)]
pub struct Recorder {
    /// The folder of images, `$DIR` in a recording.
    folder: String,
    /// Names that QEMU made up for nodes, in the order in which they were first seen: `$NODE0`, `$NODE1`, …
    made_up: Vec<String>,
    lines: Vec<Value>,
}

/// How QEMU begins a name that it makes up for a node.
const MADE_UP: &str = "#block";

impl Recorder {
    /// Nothing yet; the images are in that folder.
    pub fn new(folder: String) -> Recorder {
        Recorder {
            folder,
            made_up: Vec::new(),
            lines: Vec::new(),
        }
    }

    /// Takes a line down. `fields` are what stands beside its kind.
    pub fn take(&mut self, kind: &str, fields: Value) -> &Value {
        let mut line = Map::new();
        line.insert("t".into(), json!(kind));
        if let Value::Object(fields) = fields {
            line.extend(fields);
        }
        let line = self.symbolic(Value::Object(line));
        self.lines.push(line);
        &self.lines[self.lines.len() - 1]
    }

    /// All lines.
    pub fn into_lines(self) -> Vec<Value> {
        self.lines
    }

    /// The same value with symbolic names.
    pub fn symbolic(&mut self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.symbolic_text(text)),
            Value::Array(items) => items.into_iter().map(|item| self.symbolic(item)).collect(),
            Value::Object(fields) => {
                let fields = fields.into_iter();
                fields
                    .map(|(key, value)| (self.symbolic_text(key), self.symbolic(value)))
                    .collect()
            }
            other => other,
        }
    }

    fn symbolic_text(&mut self, text: String) -> String {
        let mut text = text.replace(&self.folder, "$DIR");
        while let Some(start) = text.find(MADE_UP) {
            let digits = text[start + MADE_UP.len()..]
                .bytes()
                .take_while(u8::is_ascii_digit);
            let name = text[start..start + MADE_UP.len() + digits.count()].to_owned();
            let known = self.made_up.iter().position(|other| *other == name);
            let number = known.unwrap_or_else(|| {
                self.made_up.push(name.clone());
                self.made_up.len() - 1
            });
            text = text.replacen(&name, &format!("$NODE{number}"), 1);
        }
        text
    }
}

/// The transcripts of one story on one QEMU: each distinct one once, with how often it was seen.
#[derive(Debug, Default)]
pub struct Tally {
    seen: BTreeMap<String, (usize, u64)>,
}

impl Tally {
    /// Counts a transcript; says whether it is a new one. They are numbered as they come.
    pub fn count(&mut self, lines: &[Value]) -> bool {
        let mut text = String::new();
        for line in lines {
            text += &line.to_string();
            text.push('\n');
        }
        let next = self.seen.len();
        let entry = self.seen.entry(text).or_insert((next, 0));
        entry.1 += 1;
        entry.1 == 1
    }

    /// How many are distinct.
    pub fn distinct(&self) -> usize {
        self.seen.len()
    }

    /// The file that holds them: the one seen most often first, each after its header.
    pub fn file(&self, scenario: &str, binary: &Binary) -> String {
        let mut all: Vec<(&String, usize, u64)> = self
            .seen
            .iter()
            .map(|(text, (number, seen))| (text, *number, *seen))
            .collect();
        all.sort_by_key(|(_, number, seen)| (std::cmp::Reverse(*seen), *number));
        let runs: u64 = all.iter().map(|(_, _, seen)| seen).sum();
        let mut file = String::new();
        for (k, (text, _, seen)) in all.into_iter().enumerate() {
            let mut header = header(scenario, binary);
            header["k"] = json!(k);
            header["distinct"] = json!(self.distinct());
            header["seen"] = json!(seen);
            header["runs"] = json!(runs);
            file += &format!("{header}\n{text}");
        }
        file
    }
}

/// The first line of a recording.
fn header(scenario: &str, binary: &Binary) -> Value {
    let mut header = json!({"t": "header", "scenario": scenario, "qemu": binary.version});
    if binary.is_guess {
        header["dialect"] = json!(binary.dialect.name);
    }
    header
}

/// A recording that was just made. Its header is its first line, so the others are counted from 2.
pub fn recording(scenario: &str, binary: &Binary, lines: &[Value]) -> Recording {
    let numbered = lines
        .iter()
        .zip(2..)
        .map(|(line, number)| (number, line.clone()));
    Recording {
        file: scenario.into(),
        scenario: scenario.into(),
        version: binary.version.clone(),
        held_to: binary.is_guess.then(|| binary.dialect.name.to_owned()),
        lines: numbered.collect(),
    }
}
