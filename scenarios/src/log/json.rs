//! JSON as logs have it: one object on a line or over several, in Python's spelling, or with words in place of
//! numbers.
//!
//! Strict JSON is left to serde_json. What it refuses is read leniently: `'single quotes'`, `True`, `None`, a
//! comma too many, and a bare word (`TIMESTAMP`, `XXX`), which becomes `"*"`: a value that nobody knows.

use serde::de::IgnoredAny;
use serde_json::{Deserializer, Map, Number, Value};

use crate::limits::{self, Budget, DEPTH_MAX};

/// The object or list at the beginning of a text, and the number of bytes it takes.
pub fn value_at(text: &str, budget: &Budget) -> Option<(Value, usize)> {
    budget.kept_if(|| strict(text, budget)).or_else(|| {
        budget.kept_if(|| {
            let mut lenient = Lenient {
                text,
                at: 0,
                budget,
            };
            let value = lenient.value(0)?;
            Some((value, lenient.at))
        })
    })
}

fn strict(text: &str, budget: &Budget) -> Option<(Value, usize)> {
    let mut skipped = Deserializer::from_str(text).into_iter::<IgnoredAny>();
    skipped.next()?.ok()?;
    let len = skipped.byte_offset();
    let mut input = Deserializer::from_str(&text[..len]);
    Some((limits::value(&mut input, budget).ok()?, len))
}

/// A lenient reader: each method reads from where it is, or says that there is nothing it knows.
struct Lenient<'t> {
    text: &'t str,
    at: usize,
    budget: &'t Budget,
}

impl Lenient<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&mut self) -> Option<char> {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
        self.rest().chars().next()
    }

    fn takes(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > DEPTH_MAX || self.budget.take().is_err() {
            return None;
        }
        match self.peek()? {
            '{' => self.object(depth),
            '[' => self.list(depth),
            '"' | '\'' => self.string().map(Value::String),
            first if first == '-' || first.is_ascii_digit() => Some(self.number()),
            first if first.is_alphabetic() || first == '_' => self.word(),
            _ => None,
        }
    }

    fn object(&mut self, depth: usize) -> Option<Value> {
        let mut fields = Map::new();
        self.takes('{');
        while !self.takes('}') {
            let key = self.string()?;
            if !self.takes(':') {
                return None;
            }
            fields.insert(key, self.value(depth + 1)?);
            if !self.takes(',') && self.peek()? != '}' {
                return None;
            }
        }
        Some(Value::Object(fields))
    }

    fn list(&mut self, depth: usize) -> Option<Value> {
        let mut entries = Vec::new();
        self.takes('[');
        while !self.takes(']') {
            entries.push(self.value(depth + 1)?);
            if !self.takes(',') && self.peek()? != ']' {
                return None;
            }
        }
        Some(Value::Array(entries))
    }

    /// A string in quotes of either kind.
    fn string(&mut self) -> Option<String> {
        let quote = self.peek().filter(|c| matches!(c, '"' | '\''))?;
        self.at += 1;
        let mut text = String::new();
        let mut chars = self.rest().char_indices();
        while let Some((index, c)) = chars.next() {
            match c {
                _ if c == quote => {
                    self.at += index + 1;
                    return Some(text);
                }
                '\n' => return None,
                '\\' => text.push(match chars.next()?.1 {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    other => other,
                }),
                _ => text.push(c),
            }
        }
        None
    }

    fn number(&mut self) -> Value {
        let word = self.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.'));
        let number = word.parse().ok().map(|whole: i64| whole.into());
        let number = number.or_else(|| word.parse().ok().and_then(Number::from_f64));
        number.map_or_else(unknown, Value::Number)
    }

    fn word(&mut self) -> Option<Value> {
        let word = self.take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | ':'));
        Some(match word.as_str() {
            "true" | "True" => Value::Bool(true),
            "false" | "False" => Value::Bool(false),
            "null" | "None" => Value::Null,
            // Python 2 marks its strings.
            "u" if self.rest().starts_with(['"', '\'']) => Value::String(self.string()?),
            _ => unknown(),
        })
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let rest = self.rest();
        let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        let word = rest[..end].to_owned();
        self.at += end;
        word
    }
}

fn unknown() -> Value {
    Value::from("*")
}

/// Every object in a text that begins a line, but for what `prefix` accepts before it; each with the number of its
/// line, counted from 1. What stands between them is handed to `between`, line by line.
pub fn objects(
    text: &str,
    budget: &Budget,
    prefix: impl Fn(&str) -> bool,
    mut on: impl FnMut(u32, Found<'_>),
) {
    let (mut at, mut line) = (0, 1);
    while at < text.len() {
        let end = text[at..].find('\n').map_or(text.len(), |end| at + end);
        let whole = &text[at..end];
        let start = whole.find('{').filter(|&start| prefix(&whole[..start]));
        let found =
            start.and_then(|start| Some((at + start, value_at(&text[at + start..], budget)?)));
        match found {
            Some((start, (value, len))) => {
                on(line, Found::Object(value));
                line += newlines(&text[start..start + len]);
                at = start + len;
                let behind = text[at..].find('\n').map_or(text.len(), |end| at + end);
                if text[at..behind].trim().is_empty() {
                    at = behind + 1;
                    line += 1;
                }
            }
            None => {
                on(line, Found::Line(whole));
                at = end + 1;
                line += 1;
            }
        }
    }
}

/// What [`objects`] finds.
pub enum Found<'t> {
    /// An object.
    Object(Value),
    /// A line without one.
    Line(&'t str),
}

fn newlines(text: &str) -> u32 {
    text.bytes().filter(|byte| *byte == b'\n').count() as u32
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn python_and_masks_are_understood() {
        let text = "{'execute': 'x', \"n\": [1, -2, 0x3,], 't': True, 'u': u'v', 'w': None, 'at': TIMESTAMP} tail";
        let (value, len) = value_at(text, &Budget::default()).expect("an object");
        let expected = json!({
            "execute": "x", "n": [1, -2, "*"], "t": true, "u": "v", "w": null, "at": "*",
        });
        assert_eq!(value, expected);
        assert_eq!(&text[len..], " tail");
    }

    #[test]
    fn what_is_cut_off_is_no_object() {
        for text in [
            "{",
            "{'a",
            "{'a':",
            "{'a': [1",
            "{'a': 1",
            "{\"a\": \"b\n\"}",
        ] {
            assert_eq!(value_at(text, &Budget::default()), None, "{text}");
        }
        assert_eq!(value_at(&"[".repeat(100_000), &Budget::default()), None);
    }
}
