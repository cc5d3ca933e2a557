//! A story as the text of a scenario file: what [`crate::load::parse`] reads back as the same story.
//!
//! Blocks down to the script's items, and JSON from there on, which is YAML too: so an item is a line, as in the
//! shipped scenarios, and no text needs quotes of another kind.

use std::fmt::{self, Display};

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::format::{Answer, Guest, Img, Item, Story, Verb, Wait};

/// The scenario file. What it loses is comments, and on which lines things stood. A key of more than a thousand
/// characters cannot be read back: YAML has none.
impl Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "title: {}", json!(self.title))?;
        for (key, text) in [("source", &self.source), ("about", &self.about)] {
            if !text.is_empty() {
                writeln!(f, "{key}: {}", json!(text))?;
            }
        }
        if !self.faults.is_empty() {
            writeln!(f, "faults:")?;
            for (drive, faults) in &self.faults {
                writeln!(f, "  {}: {}", json!(drive), value(faults))?;
            }
        }
        if !self.guests.is_empty() {
            writeln!(f, "guests:")?;
            for (name, Guest { drive, requests }) in &self.guests {
                let guest = json!({"drive": drive, "requests": value(requests)});
                writeln!(f, "  {}: {guest}", json!(name))?;
            }
        }
        if !self.witnesses.is_empty() {
            writeln!(f, "witnesses: {}", json!(self.witnesses))?;
        }
        if !self.defects.is_empty() {
            writeln!(f, "defects: {}", json!(self.defects))?;
        }
        writeln!(f, "script:")?;
        self.script.iter().try_for_each(|item| write!(f, "{item}"))
    }
}

/// The item's lines in a scenario file: the verb's, and one for each expectation.
impl Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, expectations) = entries(&self.verb);
        writeln!(f, "  - {}: {what}", self.verb.name())?;
        for (key, expected) in expectations {
            writeln!(f, "    {key}: {expected}")?;
        }
        Ok(())
    }
}

fn value(of: impl Serialize) -> Value {
    serde_json::to_value(of).expect("internal bug: a story is plain data")
}

/// The value of the verb, and what stands beside it.
fn entries(verb: &Verb) -> (Value, Vec<(&'static str, Value)>) {
    match verb {
        Verb::Img(img) => img_entries(img),
        Verb::Launch(launch) => (value(launch), vec![]),
        Verb::Qmp(qmp) => {
            let expected = match &qmp.answers[..] {
                [Answer::Return(None)] => vec![],
                [Answer::Return(Some(reply))] => vec![("reply", reply.clone())],
                [Answer::Error(error)] => vec![("error", value(error))],
                [Answer::Any] => vec![("any", json!({}))],
                several => vec![("either", several.iter().map(outcome).collect())],
            };
            (
                json!({"execute": qmp.execute, "arguments": qmp.arguments}),
                expected,
            )
        }
        Verb::Hmp(hmp) => {
            let expected = hmp.output.iter().map(|lines| ("output", value(lines)));
            (
                json!({"drive": hmp.drive, "line": hmp.line}),
                expected.collect(),
            )
        }
        Verb::Wait(wait) => wait_entries(wait),
        Verb::Bitmaps(bitmaps) => (value(bitmaps), vec![]),
        Verb::Pending(count) => (json!(count), vec![]),
        Verb::Forget | Verb::Shutdown | Verb::Kill => (json!({}), vec![]),
        Verb::Settle { ms, until: None } | Verb::Sleep { ms } => (json!({"ms": ms}), vec![]),
        Verb::Settle { ms, until } => (json!({"ms": ms, "until": value(until)}), vec![]),
        Verb::Guests(guests) => (value(guests), vec![]),
    }
}

/// One of several ways in which a command may end.
fn outcome(answer: &Answer) -> Value {
    match answer {
        Answer::Return(reply) => json!({"reply": reply.clone().unwrap_or_else(|| json!({}))}),
        Answer::Error(error) => json!({"error": value(error)}),
        Answer::Any => unreachable!("internal bug: `any` is not one of several answers"),
    }
}

fn wait_entries(wait: &Wait) -> (Value, Vec<(&'static str, Value)>) {
    let mut what = Map::new();
    what.insert("event".into(), json!(wait.event));
    if !wait.matching.is_empty() {
        what.insert("match".into(), json!(wait.matching));
    }
    if let Some(skip) = wait.skip {
        what.insert("skip".into(), value(skip));
    }
    if let Some(seconds) = wait.timeout {
        what.insert("timeout".into(), json!(seconds));
    }
    let mut expected = Vec::new();
    if !wait.data.is_empty() {
        expected.push(("data", json!(wait.data)));
    }
    if !wait.absent.is_empty() {
        expected.push(("absent", json!(wait.absent)));
    }
    (Value::Object(what), expected)
}

fn img_entries(img: &Img) -> (Value, Vec<(&'static str, Value)>) {
    let mut expected = Vec::new();
    let what = match img {
        Img::Create {
            img,
            size,
            backing,
            opts,
        } => {
            let mut what = json!({"cmd": "create", "img": value(img), "size": value(size)});
            if let Some(backing) = backing {
                what["backing"] = value(backing);
            }
            if !opts.is_empty() {
                what["opts"] = value(opts);
            }
            what
        }
        Img::Write {
            img,
            pattern,
            offset,
            len,
        } => json!({"cmd": "write", "img": value(img),
            "pattern": value(pattern), "offset": value(offset), "len": value(len)}),
        Img::Read {
            img,
            pattern,
            offset,
            len,
        } => json!({"cmd": "read", "img": value(img),
            "pattern": value(pattern), "offset": value(offset), "len": value(len)}),
        Img::Copy { img, to } => json!({"cmd": "copy", "img": value(img), "to": value(to)}),
        Img::Rebase { img, backing } => {
            json!({"cmd": "rebase", "img": value(img), "backing": value(backing)})
        }
        Img::Compare { a, b, result } => {
            expected.extend(result.map(|result| ("result", json!(result.name()))));
            json!({"cmd": "compare", "a": value(a), "b": value(b)})
        }
        Img::Map { img } => json!({"cmd": "map", "img": value(img)}),
        Img::Bitmaps { img, result } => {
            expected.extend(result.iter().map(|result| ("result", value(result))));
            json!({"cmd": "bitmaps", "img": value(img)})
        }
        Img::Remove { img } => json!({"cmd": "remove", "img": value(img)}),
    };
    (what, expected)
}
