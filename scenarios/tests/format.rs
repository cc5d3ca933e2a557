//! The scenario format, seen from outside: the shipped stories, the messages, the schema.
//!
//! The stories are held against the recordings of real QEMU here, as text against text. What the model makes
//! of them is tested elsewhere.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use scenarios::format::{
    Answer, BitmapState, BitmapStatus, Fill, HmpCommand, Img, Item, Pattern, Request, Skip, Story,
    Verb, mismatch, mismatch_in,
};
use scenarios::load::{self, LoadError, SHIPPED};
use scenarios::recording::Recording;
use scenarios::schema;
use scenarios::size::Size;
use serde_json::{Map, Value, json};

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn shipped(name: &str) -> Story {
    load::open(name).unwrap_or_else(|error| panic!("{error}"))
}

fn size(text: &str) -> Size {
    text.parse().unwrap_or_else(|mistake| panic!("{mistake}"))
}

/// The files below a folder, in order, as paths.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("its entries too").path();
        if path.is_dir() {
            found.extend(files(&path))
        } else {
            found.push(path)
        }
    }
    found.sort();
    found
}

// ------------------------------------------------------------------------------------------------- shipped stories

#[test]
fn every_story_in_the_folder_is_shipped_as_it_is() {
    let on_disk: BTreeMap<String, String> = files(folder())
        .iter()
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .map(|path| {
            let name = path
                .strip_prefix(folder())
                .expect("below the folder")
                .with_extension("");
            let text = fs::read_to_string(path).expect("a story is a text");
            (name.to_str().expect("in UTF-8").replace('\\', "/"), text)
        })
        .collect();
    let embedded: BTreeMap<String, String> = SHIPPED
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    let (on_disk_names, embedded_names): (Vec<_>, Vec<_>) =
        (on_disk.keys().collect(), embedded.keys().collect());
    assert_eq!(
        on_disk_names, embedded_names,
        "a new story is a row of `SHIPPED` in scenarios/src/load.rs"
    );
    assert_eq!(on_disk, embedded);
    assert!(SHIPPED.is_sorted(), "keep the rows of `SHIPPED` in order");
}

#[test]
fn every_shipped_story_loads_under_both_its_names() {
    for (name, text) in SHIPPED {
        let story = shipped(name);
        let last = name.rsplit('/').next().expect("a name");
        assert_eq!(story, shipped(last));
        assert_eq!(story.name, last);
        for item in &story.script {
            let line = text
                .lines()
                .nth(item.line as usize - 1)
                .expect("the line exists");
            let start = format!("  - {}:", item.verb.name());
            assert!(
                line.starts_with(&start),
                "{name}:{}: expected {start}, found {line}",
                item.line
            );
        }
    }
}

// ------------------------------------------------------------------------------------------------- recordings

/// The recordings of one story by one QEMU: file name and lines, without the header.
fn recordings(qemu: &str, story: &str) -> Vec<(String, Vec<Value>)> {
    let file = format!("recordings/{qemu}/{story}.jsonl");
    let text = fs::read_to_string(folder().join(&file)).expect("a recording of the story");
    let found = Recording::parse_all(&file, &text).expect("recordings");
    let lines = |recording: Recording| recording.lines.into_iter().map(|(_, line)| line).collect();
    found
        .into_iter()
        .enumerate()
        .map(|(k, recording)| (format!("{qemu}/{story} {k}"), lines(recording)))
        .collect()
}

/// What an item does, as a recording would say it; nothing for what a recording says differently.
fn done(verb: &Verb) -> Option<Value> {
    let number = |size: &Size| json!(size.bytes());
    Some(match verb {
        Verb::Img(img) => match img {
            Img::Create {
                img,
                size,
                backing,
                opts,
            } => {
                let mut line =
                    json!({"t": "img", "cmd": "create", "img": img.as_str(), "size": number(size)});
                if let Some(backing) = backing {
                    line["backing"] = json!(backing.as_str());
                }
                if !opts.is_empty() {
                    line["opts"] = opts
                        .iter()
                        .map(|(key, value)| (key.clone(), json!(value.to_string())))
                        .collect();
                }
                line
            }
            Img::Write {
                img,
                pattern,
                offset,
                len,
            } => json!({
                "t": "img", "cmd": "write", "img": img.as_str(), "pattern": pattern.to_string(),
                "offset": number(offset), "len": number(len)
            }),
            Img::Rebase { img, backing } => {
                json!({"t": "img", "cmd": "rebase", "img": img.as_str(), "backing": backing.as_str()})
            }
            Img::Remove { img } => json!({"t": "img", "cmd": "remove", "img": img.as_str()}),
            Img::Compare { a, b, .. } => {
                json!({"t": "img", "cmd": "compare", "a": a.as_str(), "b": b.as_str()})
            }
            other => panic!("no seed story does {other:?}"),
        },
        Verb::Launch(launch) => {
            let drives: Vec<Value> = launch
                .drives
                .iter()
                .map(|drive| json!({"id": drive.id, "file": drive.file.as_str(), "node": drive.node}))
                .collect();
            json!({"t": "launch", "drives": drives, "args": launch.args})
        }
        Verb::Qmp(qmp) => json!({"t": "cmd", "execute": qmp.execute, "arguments": qmp.arguments}),
        Verb::Hmp(hmp) => {
            json!({"t": "hmp", "line": format!("qemu-io {} \"{}\"", hmp.drive, hmp.line)})
        }
        Verb::Shutdown => json!({"t": "cmd", "execute": "quit", "arguments": {}}),
        _ => return None,
    })
}

#[test]
fn stories_do_what_was_done_when_they_were_recorded() {
    for (name, _) in SHIPPED
        .iter()
        .filter(|(name, _)| name.starts_with("iotest-124/"))
    {
        let story = shipped(name);
        let told: Vec<Value> = story
            .script
            .iter()
            .filter_map(|item| done(&item.verb))
            .collect();
        let (file, lines) = recordings("7.2.22", &story.name).remove(0);
        let kinds = ["cmd", "img", "hmp", "launch"];
        let recorded: Vec<Value> = lines
            .into_iter()
            .filter(|line| kinds.iter().any(|kind| line["t"] == *kind))
            .map(without_outcome)
            .collect();
        for (told, recorded) in told.iter().zip(&recorded) {
            assert_eq!(told, recorded, "{file}");
        }
        assert_eq!(told.len(), recorded.len(), "{file}");
    }
}

/// A line of a recording without what came of it.
fn without_outcome(line: Value) -> Value {
    let Value::Object(line) = line else {
        panic!("a line is a mapping")
    };
    line.into_iter()
        .filter(|(key, _)| !["result", "output", "machine"].contains(&key.as_str()))
        .collect()
}

/// A recording being read as the story goes on, by the recorder's own rules (qemu-traces/README.md).
struct Tape {
    rest: VecDeque<Value>,
    /// Received and not yet taken.
    events: Vec<(String, Map<String, Value>)>,
}

impl Tape {
    /// Reads up to the next line that is no event, which must be of this kind.
    fn expect(&mut self, kind: &str) -> Value {
        loop {
            let line = self
                .rest
                .pop_front()
                .unwrap_or_else(|| panic!("the recording ends before a {kind} line"));
            if !self.receive(&line) {
                assert_eq!(line["t"], kind, "{line}");
                return line;
            }
        }
    }

    /// Puts an event to the others; says whether the line was one.
    fn receive(&mut self, line: &Value) -> bool {
        let (Some(event), Some(data)) = (line["event"].as_str(), line["data"].as_object()) else {
            return false;
        };
        self.events.push((event.to_owned(), data.clone()));
        true
    }

    fn take(
        &mut self,
        event: &str,
        matching: &Map<String, Value>,
        skip: Option<Skip>,
    ) -> Map<String, Value> {
        let fits = |(name, data): &(String, Map<String, Value>)| {
            name == event && mismatch_in(matching, data).is_none()
        };
        loop {
            if let Some(index) = self.events.iter().position(fits) {
                let later = self.events.split_off(index + 1);
                let (_, data) = self.events.pop().expect("the one that was found");
                match skip {
                    Some(Skip::All) => self.events.clear(),
                    Some(Skip::Same) => self.events.retain(|(name, _)| name != event),
                    None => {}
                }
                self.events.extend(later);
                return data;
            }
            let line = self
                .rest
                .pop_front()
                .unwrap_or_else(|| panic!("the recording ends before {event}"));
            assert!(self.receive(&line), "expected {event}, found {line}");
        }
    }

    /// Plays one item; says which expectation did not hold.
    fn play(&mut self, verb: &Verb) -> Result<(), String> {
        match verb {
            Verb::Img(img) => {
                let line = self.expect("img");
                let expected = match img {
                    Img::Compare { result: None, .. } => return Ok(()),
                    Img::Compare {
                        result: Some(result),
                        ..
                    } => result.name(),
                    _ => "ok",
                };
                same(&json!(expected), &line["result"])
            }
            Verb::Launch(_) => {
                self.expect("launch");
                Ok(())
            }
            Verb::Qmp(qmp) => {
                self.expect("cmd");
                let reply = self.expect("reply");
                let [answer] = &qmp.answers[..] else {
                    panic!("the seed stories leave no reply open")
                };
                match answer {
                    Answer::Any => Ok(()),
                    Answer::Return(expected) => {
                        let returned = reply.get("return").ok_or(format!("it failed: {reply}"))?;
                        expected
                            .as_ref()
                            .map_or(Ok(()), |expected| same(expected, returned))
                    }
                    Answer::Error(error) => {
                        same(&json!(error.class.name()), &reply["error"]["class"])?;
                        error
                            .desc
                            .as_ref()
                            .map_or(Ok(()), |desc| same(&json!(desc), &reply["error"]["desc"]))
                    }
                }
            }
            Verb::Hmp(hmp) => {
                let line = self.expect("hmp");
                hmp.output
                    .as_ref()
                    .map_or(Ok(()), |lines| same(&json!(lines), &line["output"]))
            }
            Verb::Wait(wait) => {
                let data = self.take(&wait.event, &wait.matching, wait.skip);
                if let Some(key) = wait.absent.iter().find(|key| data.contains_key(*key)) {
                    return Err(format!("`{key}` is there: {data:?}"));
                }
                mismatch_in(&wait.data, &data).map_or(Ok(()), Err)
            }
            Verb::Bitmaps(nodes) => {
                let line = self.expect("bitmaps");
                nodes.iter().try_for_each(|(node, bitmaps)| {
                    bitmaps
                        .iter()
                        .try_for_each(|(name, state)| bitmap(&line["nodes"][node], name, state))
                })
            }
            Verb::Pending(count) => {
                let line = self.expect("pending");
                let unread = std::mem::take(&mut self.events).len();
                assert_eq!(
                    json!(unread),
                    line["count"],
                    "this test and the recorder count alike"
                );
                same(&json!(count), &line["count"])
            }
            Verb::Shutdown => {
                for kind in ["cmd", "reply", "exit"] {
                    self.expect(kind);
                }
                Ok(())
            }
            other => panic!("no seed story does {other:?}"),
        }
    }
}

fn same(expected: &Value, found: &Value) -> Result<(), String> {
    mismatch(expected, found).map_or(Ok(()), Err)
}

fn bitmap(listed: &Value, name: &str, state: &BitmapState) -> Result<(), String> {
    let entry = listed
        .as_array()
        .and_then(|list| list.iter().find(|entry| entry["name"] == name));
    let entry = entry
        .and_then(Value::as_object)
        .ok_or(format!("no bitmap {name} in {listed}"))?;
    state.mismatch(entry).map_or(Ok(()), Err)
}

/// The first expectation of the story that the recording does not meet.
fn contradiction(story: &Story, lines: Vec<Value>) -> Option<String> {
    let mut tape = Tape {
        rest: lines.into(),
        events: Vec::new(),
    };
    for Item { line, verb } in &story.script {
        if let Err(what) = tape.play(verb) {
            return Some(format!("line {line}: {what}"));
        }
    }
    (!tape.rest.is_empty()).then(|| format!("the recording goes on: {}", tape.rest[0]))
}

#[test]
fn no_recording_contradicts_what_a_story_expects() {
    for (name, _) in SHIPPED
        .iter()
        .filter(|(name, _)| name.starts_with("iotest-124/"))
    {
        let story = shipped(name);
        for (file, lines) in ["7.2.22", "10.0.2"]
            .iter()
            .flat_map(|qemu| recordings(qemu, &story.name))
        {
            assert_eq!(contradiction(&story, lines), None, "{file}");
        }
    }
}

/// The test above can fail: each kind of expectation, made wrong, is contradicted.
#[test]
fn a_wrong_expectation_is_contradicted() {
    let cases = [
        (
            "test_incremental_pause",
            "len: 458752, offset: 458752",
            "len: 458752, offset: 458751",
        ),
        ("test_incremental_pause", "action: stop", "action: report"),
        ("test_incremental_pause", "status: frozen", "status: active"),
        (
            "test_incremental_pause",
            "status: active",
            "status: disabled",
        ),
        (
            "test_incremental_pause",
            "{count: 458752, granularity: 64k, busy: true",
            "{count: 448k, busy: false",
        ),
        ("test_incremental_pause", "count: 458752", "count: 458751"),
        (
            "test_incremental_pause",
            "result: identical",
            "result: different",
        ),
        (
            "test_incremental_failure",
            "data: {error: \"Input/output error\"}",
            "absent: [error]",
        ),
        (
            "test_growing_before_backup",
            "wrote 65536/65536",
            "wrote 65535/65536",
        ),
        ("test_growing_before_backup", "reply: []", "reply: [{}]"),
        ("test_transaction_failure", "pending: 0", "pending: 1"),
        (
            "test_sync_dirty_bitmap_missing",
            "class: GenericError",
            "class: DeviceNotFound",
        ),
        ("test_sync_dirty_bitmap_missing", "sync mode", "sync"),
        (
            "test_sync_dirty_bitmap_not_found",
            "    error: {class: GenericError, desc:",
            "    #",
        ),
    ];
    for (name, right, wrong) in cases {
        let (_, text) = SHIPPED
            .iter()
            .find(|(whole, _)| whole.ends_with(&format!("/{name}")))
            .expect("a story");
        assert!(text.contains(right), "{name} says no longer: {right}");
        let story = load::parse("wrong.yaml", &text.replacen(right, wrong, 1))
            .unwrap_or_else(|e| panic!("{e}"));
        let (_, lines) = recordings("7.2.22", name).remove(0);
        assert!(
            contradiction(&story, lines).is_some(),
            "{name}: nobody notices {wrong}"
        );
    }
}

// ------------------------------------------------------------------------------------------------- messages

/// What a user reads about each of these texts, one after the other.
fn messages(broken: &[&str]) -> String {
    let message = |text: &&str| match load::parse("broken.yaml", text) {
        Ok(story) => panic!("this loads: {text}\n{story:?}"),
        Err(error) => error.to_string(),
    };
    broken.iter().map(message).collect::<Vec<_>>().join("\n\n")
}

/// A story whose script is this, after a launch in line 3.
fn launched(script: &str) -> String {
    format!(
        "title: A test\nscript:\n  - launch: {{drives: [{{id: drive0, file: $DIR/a.qcow2, node: node0}}]}}\n{script}"
    )
}

fn messages_after_launch(scripts: &[&str]) -> String {
    let texts: Vec<String> = scripts.iter().map(|script| launched(script)).collect();
    messages(&texts.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn messages_about_yaml() {
    insta::assert_snapshot!(messages(&[
        "",
        "# nothing but a comment\n",
        "title: A test\n",
        "script: []\n",
        "title: A test\nscript: []\n",
        "title: A test\nscript:\n",
        "title: A test\nscript: {launch: {}}\n",
        "title: ''\nscript: [launch: {}]\n",
        "title: [A, test]\nscript: [launch: {}]\n",
        "title:\nscript: [launch: {}]\n",
        "title: A test: this one\nscript: [launch: {}]\n",
        "titel: A test\nscript: [launch: {}]\n",
        "title: A test\ncolour: red\nscript: [launch: {}]\n",
        "title: A test\nscript: [launch: {}]\ntitle: Another\n",
        "title: A test\nscript:\n\t- launch: {}\n",
        "title: A test\nscript:\n  - launch: {}\n\t- shutdown: {}\n",
        "title: A test\nscript: [launch: {}]\n---\ntitle: Another\n",
        "title: A test\nscript:\n  - launch: {drives: []\n  - shutdown: {}\n",
        "title: A test\nscript:\n  - *again\n",
        "title: A test\nabout: !secret me\nscript: [launch: {}]\n",
        "title: A test\nwitnesses: cancel-while-copying\nscript: [launch: {}]\n",
        "title: A test\nwitnesses: [cancel-while-copying, Job_Dies]\nscript: [launch: {}]\n",
        "title: A test\nwitnesses: [cancel-while-copying, cancel-while-copying]\nscript: [launch: {}]\n",
        "title: A test\nwitness: [cancel-while-copying]\nscript: [launch: {}]\n",
        "title: A test\ndefects: [bug-A1]\nscript: [launch: {}]\n",
        "title: A test\ndefects: [it-hangs, it-hangs]\nscript: [launch: {}]\n",
    ]), @r#"
        broken.yaml:1:1: the file is empty
         1 |
           | ^
        help: a story has at least `title` and `script`

        broken.yaml:2:1: the file is empty
         2 |
           | ^
        help: a story has at least `title` and `script`

        broken.yaml:1:1: `script` is missing
         1 | title: A test
           | ^
        help: a story has at least `title` and `script`

        broken.yaml:1:1: `title` is missing
         1 | script: []
           | ^
        help: a story has at least `title` and `script`

        broken.yaml:2:9: the script is empty
         2 | script: []
           |         ^
        help: a story in which nothing happens shows nothing

        broken.yaml:2:7: a list is expected here
         2 | script:
           |       ^
        help: write `[a, b]`, or one `- a` per line

        broken.yaml:2:9: a list is expected here
         2 | script: {launch: {}}
           |         ^
        help: write `[a, b]`, or one `- a` per line

        broken.yaml:1:8: the title is empty
         1 | title: ''
           |        ^
        help: one sentence: what the story shows

        broken.yaml:1:8: a text is expected here
         1 | title: [A, test]
           |        ^

        broken.yaml:1:6: a text is expected here
         1 | title:
           |      ^
        help: a bare `null` or `~` is YAML's nothing; the text is `"null"`

        broken.yaml:1:14: mapping values are not allowed in this context
         1 | title: A test: this one
           |              ^
        help: a text with `: ` in it stands in quotes

        broken.yaml:1:1: there is no key `titel` here
         1 | titel: A test
           | ^
        help: did you mean `title`? possible are `title`, `source`, `about`, `faults`, `guests`, `witnesses`, `defects`, `script`

        broken.yaml:2:1: there is no key `colour` here
         2 | colour: red
           | ^
        help: possible are `title`, `source`, `about`, `faults`, `guests`, `witnesses`, `defects`, `script`

        broken.yaml:3:1: `title` is there twice
         3 | title: Another
           | ^
        help: each key stands once in a mapping; a second step is a new item: `- ...`

        broken.yaml:3:2: tabs disallowed within this context (block indentation)
         3 | →- launch: {}
           |  ^
        help: YAML is indented by spaces, never by tabs

        broken.yaml:4:2: tabs disallowed within this context (block indentation)
         4 | →- shutdown: {}
           |  ^
        help: YAML is indented by spaces, never by tabs

        broken.yaml:4:1: a second document begins here
         4 | title: Another
           | ^
        help: one file is one story: leave the `---` out

        broken.yaml:4:3: "-" is only valid inside a block
         4 |   - shutdown: {}
           |   ^
        help: a `[` or `{` above is not closed, or the indentation is off

        broken.yaml:3:5: there is no anchor of this name above
         3 |   - *again
           |     ^
        help: put text that begins with `*` in quotes

        broken.yaml:2:16: unsupported tag `!secret`
         2 | about: !secret me
           |                ^

        broken.yaml:2:12: a list is expected here
         2 | witnesses: cancel-while-copying
           |            ^
        help: write `[a, b]`, or one `- a` per line

        broken.yaml:2:35: `Job_Dies` is not the id of a witness
         2 | witnesses: [cancel-while-copying, Job_Dies]
           |                                   ^
        help: an id is like `cancel-while-copying`: small letters and hyphens

        broken.yaml:2:35: the witness `cancel-while-copying` is named twice
         2 | witnesses: [cancel-while-copying, cancel-while-copying]
           |                                   ^
        help: once is enough

        broken.yaml:2:1: there is no key `witness` here
         2 | witness: [cancel-while-copying]
           | ^
        help: did you mean `witnesses`? possible are `title`, `source`, `about`, `faults`, `guests`, `witnesses`, `defects`, `script`

        broken.yaml:2:11: `bug-A1` is not the id of a defect
         2 | defects: [bug-A1]
           |           ^
        help: an id is like `grouped-abort-hangs`: small letters and hyphens

        broken.yaml:2:21: the defect `it-hangs` is named twice
         2 | defects: [it-hangs, it-hangs]
           |                     ^
        help: once is enough
        "#);
}

#[test]
fn messages_about_items() {
    insta::assert_snapshot!(messages_after_launch(&[
        "  - qpm: {execute: stop}\n",
        "  - frobnicate: {}\n",
        "  - {}\n",
        "  -\n",
        "  - shutdown\n",
        "  - shutdown:\n",
        "  - shutdown: {now: true}\n",
        "  - reply: {}\n",
        "  - qmp: {execute: stop}\n    wait: {event: STOP}\n",
        "  - qmp: {execute: stop}\n    data: {}\n",
        "  - forget: {}\n    reply: {}\n",
        "  - qmp: {execute: stop}\n    reply: {}\n    error: {class: GenericError}\n",
        "  - qmp: {execute: stop}\n    error: {class: GenericEror}\n",
        "  - qmp: {execute: stop}\n    error: {desc: No}\n",
        "  - qmp: {exec: stop}\n",
        "  - qmp: {execute: stop, arguments: [1]}\n",
        "  - qmp: {\"execute\": \"stop\", \"arguments\": {\"a\": 1, \"b\": 2, \"a\": 3}}\n",
        "  - qmp: {execute: stop}\n    qmp: {execute: cont}\n",
        "  - pending: none\n",
        "  - pending: -1\n",
        "  - sleep: {ms: 1s}\n",
        "  - wait: {event: STOP, skip: some}\n",
        "  - wait: {event: stop}\n",
        "  - wait: {match: {device: drive0}}\n",
        "  - wait: {event: JOB_STATUS_CHANGE, match: {status: null}}\n",
        "  - wait: {event: STOP}\n    data: {error: x}\n    absent: [error]\n",
        "  - bitmaps: {node0: {bitmap0: {count: 64MB}}}\n",
        "  - bitmaps: {node0: {bitmap0: {busy: yes}}}\n",
        "  - bitmaps: {node0: {bitmap0: {busy: ~}}}\n",
        "  - bitmaps: {node0: {bitmap0: {status: idle}}}\n",
        "  - guests: {stop: [guest0]}\n",
        "  - guests: {start: [], join: []}\n",
        "  - qmp: {execute: stop}\n    either: {reply: {}}\n",
        "  - qmp: {execute: stop}\n    either: [{reply: {}}]\n",
        "  - qmp: {execute: stop}\n    either: [{reply: {}}, {}]\n",
        "  - qmp: {execute: stop}\n    either: [{reply: {}}, {success: {}}]\n",
        "  - qmp: {execute: stop}\n    either: [{reply: {}}, {reply: [], error: {class: GenericError}}]\n",
        "  - qmp: {execute: stop}\n    reply: {}\n    either: [{reply: {}}, {error: {class: GenericError}}]\n",
        "  - qmp: {execute: stop}\n    any: {}\n    error: {class: GenericError}\n",
        "  - qmp: {execute: stop}\n    any: true\n",
        "  - wait: {event: STOP}\n    either: [{reply: {}}, {error: {class: GenericError}}]\n",
    ]), @r#"
        broken.yaml:4:5: a script item has no `qpm`
         4 |   - qpm: {execute: stop}
           |     ^
        help: did you mean `qmp`? an item is one verb and its expectations; the verbs are img, launch, qmp, hmp, wait, bitmaps, pending, forget, settle, sleep, guests, shutdown, kill

        broken.yaml:4:5: a script item has no `frobnicate`
         4 |   - frobnicate: {}
           |     ^
        help: an item is one verb and its expectations; the verbs are img, launch, qmp, hmp, wait, bitmaps, pending, forget, settle, sleep, guests, shutdown, kill

        broken.yaml:4:5: an item without a verb
         4 |   - {}
           |     ^
        help: an item is one verb and its expectations; the verbs are img, launch, qmp, hmp, wait, bitmaps, pending, forget, settle, sleep, guests, shutdown, kill

        broken.yaml:4:4: a mapping is expected here
         4 |   -
           |    ^
        help: write `key: value` pairs, or `{}` when there is nothing to say

        broken.yaml:4:5: a mapping is expected here
         4 |   - shutdown
           |     ^
        help: write `key: value` pairs, or `{}` when there is nothing to say

        broken.yaml:4:13: a mapping is expected here
         4 |   - shutdown:
           |             ^
        help: write `key: value` pairs, or `{}` when there is nothing to say

        broken.yaml:4:16: there is no key `now` here
         4 |   - shutdown: {now: true}
           |                ^
        help: nothing goes here: write `{}`

        broken.yaml:4:5: `reply` without a verb
         4 |   - reply: {}
           |     ^
        help: `reply` stands beside its verb, in the same item: qmp

        broken.yaml:5:5: `qmp` and `wait` in one item
         5 |     wait: {event: STOP}
           |     ^
        help: one verb per item: begin another item with `- wait: ...`

        broken.yaml:5:5: `data` does not go with `qmp`
         5 |     data: {}
           |     ^
        help: beside `qmp`, possible are `reply`, `error`, `either`, `any`

        broken.yaml:5:5: `reply` does not go with `forget`
         5 |     reply: {}
           |     ^
        help: `forget` has no expectations

        broken.yaml:6:5: `reply` and `error` at once
         6 |     error: {class: GenericError}
           |     ^
        help: a command either succeeds or fails; where the moment decides, write `either: [...]`

        broken.yaml:5:20: `GenericEror` is not possible here
         5 |     error: {class: GenericEror}
           |                    ^
        help: did you mean `GenericError`? possible are `GenericError`, `CommandNotFound`, `DeviceNotActive`, `DeviceNotFound`, `KVMMissingCap`

        broken.yaml:5:13: `class` is missing
         5 |     error: {desc: No}
           |             ^
        help: most errors are `{class: GenericError, desc: "..."}`

        broken.yaml:4:11: there is no key `exec` here
         4 |   - qmp: {exec: stop}
           |           ^
        help: possible are `execute`, `arguments`

        broken.yaml:4:37: a mapping is expected here
         4 |   - qmp: {execute: stop, arguments: [1]}
           |                                     ^
        help: write `key: value` pairs, or `{}` when there is nothing to say

        broken.yaml:4:60: `a` is there twice
         4 |   - qmp: {"execute": "stop", "arguments": {"a": 1, "b": 2, "a": 3}}
           |                                                            ^
        help: each key stands once in a mapping; a second step is a new item: `- ...`

        broken.yaml:5:5: `qmp` is there twice
         5 |     qmp: {execute: cont}
           |     ^
        help: each key stands once in a mapping; a second step is a new item: `- ...`

        broken.yaml:4:14: a whole number is expected here, not below zero
         4 |   - pending: none
           |              ^

        broken.yaml:4:14: a whole number is expected here, not below zero
         4 |   - pending: -1
           |              ^

        broken.yaml:4:17: a whole number is expected here, not below zero
         4 |   - sleep: {ms: 1s}
           |                 ^

        broken.yaml:4:31: `some` is not possible here
         4 |   - wait: {event: STOP, skip: some}
           |                               ^
        help: did you mean `same`? possible are `same`, `all`

        broken.yaml:4:19: `stop` is not the name of an event
         4 |   - wait: {event: stop}
           |                   ^
        help: QEMU's events are in capitals, like BLOCK_JOB_COMPLETED

        broken.yaml:4:12: `event` is missing
         4 |   - wait: {match: {device: drive0}}
           |            ^
        help: say for what: `wait: {event: BLOCK_JOB_COMPLETED, match: {device: drive0}}`

        broken.yaml:4:5: `status` is YAML's nothing here, which no event holds
         4 |   - wait: {event: JOB_STATUS_CHANGE, match: {status: null}}
           |     ^
        help: the text is `"null"`, in quotes

        broken.yaml:6:5: `error` is both expected and absent
         6 |     absent: [error]
           |     ^
        help: name it in `data` or in `absent`

        broken.yaml:4:40: `64MB` is not a size
         4 |   - bitmaps: {node0: {bitmap0: {count: 64MB}}}
           |                                        ^
        help: did you mean `64M`? The units are k, M, G and T, and they are binary

        broken.yaml:4:39: `true` or `false` is expected here
         4 |   - bitmaps: {node0: {bitmap0: {busy: yes}}}
           |                                       ^
        help: `yes`, `no`, `on` and `off` are texts

        broken.yaml:4:39: `true` or `false` is expected here
         4 |   - bitmaps: {node0: {bitmap0: {busy: ~}}}
           |                                       ^
        help: `yes`, `no`, `on` and `off` are texts

        broken.yaml:4:41: `idle` is not possible here
         4 |   - bitmaps: {node0: {bitmap0: {status: idle}}}
           |                                         ^
        help: possible are `active`, `frozen`, `locked`, `disabled`, `inconsistent`

        broken.yaml:4:14: `stop` is not possible here
         4 |   - guests: {stop: [guest0]}
           |              ^
        help: possible are `start`, `join`

        broken.yaml:4:25: a second key is not possible here
         4 |   - guests: {start: [], join: []}
           |                         ^
        help: make another item of it

        broken.yaml:5:13: a list is expected here
         5 |     either: {reply: {}}
           |             ^
        help: write `[a, b]`, or one `- a` per line

        broken.yaml:5:5: `either` with fewer than two ways to end
         5 |     either: [{reply: {}}]
           |     ^
        help: write `reply` or `error` beside the command

        broken.yaml:5:28: a key is missing here
         5 |     either: [{reply: {}}, {}]
           |                            ^

        broken.yaml:5:28: `success` is not possible here
         5 |     either: [{reply: {}}, {success: {}}]
           |                            ^
        help: possible are `reply`, `error`

        broken.yaml:5:39: a second key is not possible here
         5 |     either: [{reply: {}}, {reply: [], error: {class: GenericError}}]
           |                                       ^
        help: make another item of it

        broken.yaml:6:5: `either` beside `reply` or `error`
         6 |     either: [{reply: {}}, {error: {class: GenericError}}]
           |     ^
        help: write each way to end as an entry of `either`

        broken.yaml:5:5: `any` beside another way to end
         5 |     any: {}
           |     ^
        help: `any` says that nothing is expected: leave it out

        broken.yaml:5:10: a mapping is expected here
         5 |     any: true
           |          ^
        help: write `key: value` pairs, or `{}` when there is nothing to say

        broken.yaml:5:5: `either` does not go with `wait`
         5 |     either: [{reply: {}}, {error: {class: GenericError}}]
           |     ^
        help: beside `wait`, possible are `data`, `absent`
        "#);
}

#[test]
fn messages_about_values() {
    insta::assert_snapshot!(messages_after_launch(&[
        "  - img: {cmd: create, img: $DIR/b.qcow2}\n",
        "  - img: {cmd: create, img: $DIR/b.qcow2, size: 64MB}\n",
        "  - img: {cmd: create, img: $DIR/b.qcow2, size: 64m}\n",
        "  - img: {cmd: create, img: $DIR/b.qcow2, size: 1.5G}\n",
        "  - img: {cmd: create, img: $DIR/b.qcow2, size: -1}\n",
        "  - img: {cmd: create, img: $DIR/b.qcow2, size: 8388608T}\n",
        "  - img: {cmd: create, img: $DIR/b.qcow2, size: [1]}\n",
        "  - img: {cmd: create, img: $DIR/b.qcow2, size: ~}\n",
        "  - img: {cmd: create, img: /etc/passwd, size: 1M}\n",
        "  - img: {cmd: create, img: $DIR/../b.qcow2, size: 1M}\n",
        "  - img: {cmd: create, img: $DIR/b.qcow2, size: 1M, pattern: 0x41}\n",
        "  - img: {cmd: create, img: $DIR/b.qcow2, size: 1M, fill: 0x41}\n",
        "  - img: {cmd: create, img: $DIR/b.qcow2, size: 1M}\n    result: identical\n",
        "  - img: {cmd: compare, a: $DIR/a.qcow2, b: $DIR/b.qcow2}\n    result: ok\n",
        "  - img: {cmd: compare, a: $DIR/a.qcow2, b: $DIR/b.qcow2}\n    result: equal\n",
        "  - img: {cmd: wirte, img: $DIR/b.qcow2}\n",
        "  - img: {img: $DIR/b.qcow2}\n",
        "  - img: {cmd: write, img: $DIR/b.qcow2, pattern: 0x141, offset: 0, len: 512}\n",
        "  - img: {cmd: write, img: $DIR/b.qcow2, pattern: blue, offset: 0, len: 512}\n",
        "  - hmp: {drive: drive0, line: \"wrote -P0x41 0 64k\"}\n",
        "  - hmp: {drive: drive0, line: \"write -P0x41 0\"}\n",
        "  - hmp: {drive: drive0, line: \"write -P0x41 -z 0 64k\"}\n",
        "  - hmp: {drive: drive0, line: \"write -P 0 64k\"}\n",
        "  - hmp: {drive: drive0, line: \"write -u 0 64k\"}\n",
        "  - hmp: {drive: drive0, line: \"write -P0xgg 0 64k\"}\n",
        "  - hmp: {drive: drive0, line: \"write 0 64kb\"}\n",
        "  - hmp: {drive: drive0, line: \"write 8388607T 2T\"}\n",
        "  - hmp: {drive: drive0, line: \"write \\\"0\\\" 64k\"}\n",
        "  - hmp: {drive: drive0, line: \"\"}\n",
        "  - hmp: {drive: drive0, line: \"flush now\"}\n",
        "  - hmp: {drive: drive0, line: \"break write_oia A\"}\n",
        "  - hmp: {drive: drive0, line: \"break write_aio\"}\n",
    ]), @r#"
        broken.yaml:4:16: `size` is missing
         4 |   - img: {cmd: create, img: $DIR/b.qcow2}
           |                ^
        help: this command needs img, size

        broken.yaml:4:49: `64MB` is not a size
         4 |   - img: {cmd: create, img: $DIR/b.qcow2, size: 64MB}
           |                                                 ^
        help: did you mean `64M`? The units are k, M, G and T, and they are binary

        broken.yaml:4:49: `64m` is not a size
         4 |   - img: {cmd: create, img: $DIR/b.qcow2, size: 64m}
           |                                                 ^
        help: did you mean `64M`? The units are k, M, G and T, and they are binary

        broken.yaml:4:49: `1.5G` is not a size
         4 |   - img: {cmd: create, img: $DIR/b.qcow2, size: 1.5G}
           |                                                 ^
        help: write whole bytes, or a whole number with one of the binary units k, M, G, T: `512`, `64k`, `64M`

        broken.yaml:4:49: `-1` is not a size
         4 |   - img: {cmd: create, img: $DIR/b.qcow2, size: -1}
           |                                                 ^
        help: write whole bytes, or a whole number with one of the binary units k, M, G, T: `512`, `64k`, `64M`

        broken.yaml:4:49: `8388608T` is too large a size
         4 |   - img: {cmd: create, img: $DIR/b.qcow2, size: 8388608T}
           |                                                 ^
        help: at most 2^63 - 1 bytes, as in QEMU

        broken.yaml:4:43: a size is expected here, not a list
         4 |   - img: {cmd: create, img: $DIR/b.qcow2, size: [1]}
           |                                           ^

        broken.yaml:4:43: a size is expected here, not nothing
         4 |   - img: {cmd: create, img: $DIR/b.qcow2, size: ~}
           |                                           ^

        broken.yaml:4:29: `/etc/passwd` is not in the image folder
         4 |   - img: {cmd: create, img: /etc/passwd, size: 1M}
           |                             ^
        help: write `$DIR/NAME`: each run has its own folder, and a story touches no file outside it

        broken.yaml:4:29: `$DIR/../b.qcow2` is not in the image folder
         4 |   - img: {cmd: create, img: $DIR/../b.qcow2, size: 1M}
           |                             ^
        help: write `$DIR/NAME`: each run has its own folder, and a story touches no file outside it

        broken.yaml:4:62: `pattern` does not go with this command
         4 |   - img: {cmd: create, img: $DIR/b.qcow2, size: 1M, pattern: 0x41}
           |                                                              ^
        help: it takes img, size, backing, opts

        broken.yaml:4:53: there is no key `fill` here
         4 |   - img: {cmd: create, img: $DIR/b.qcow2, size: 1M, fill: 0x41}
           |                                                     ^
        help: possible are `cmd`, `img`, `size`, `backing`, `opts`, `pattern`, `offset`, `len`, `to`, `a`, `b`

        broken.yaml:5:5: no command but a comparison or `bitmaps` ends so
         5 |     result: identical
           |     ^
        help: leave `result` out, or write `result: ok`

        broken.yaml:5:5: a comparison does not end with `ok`
         5 |     result: ok
           |     ^
        help: possible are `identical` and `different`

        broken.yaml:5:13: a result is `ok`, `identical`, `different`, or a list of stored bitmaps
         5 |     result: equal
           |             ^

        broken.yaml:4:16: `wirte` is not possible here
         4 |   - img: {cmd: wirte, img: $DIR/b.qcow2}
           |                ^
        help: did you mean `write`? possible are `create`, `write`, `read`, `copy`, `rebase`, `compare`, `map`, `bitmaps`, `remove`

        broken.yaml:4:11: `cmd` is missing
         4 |   - img: {img: $DIR/b.qcow2}
           |           ^
        help: say what is done: `img: {cmd: create, img: $DIR/drive0.qcow2, size: 64M}`

        broken.yaml:4:51: `321` is not a pattern
         4 |   - img: {cmd: write, img: $DIR/b.qcow2, pattern: 0x141, offset: 0, len: 512}
           |                                                   ^
        help: a pattern is one byte: 0 to 255, or 0x00 to 0xff

        broken.yaml:4:51: `blue` is not a pattern
         4 |   - img: {cmd: write, img: $DIR/b.qcow2, pattern: blue, offset: 0, len: 512}
           |                                                   ^
        help: a pattern is one byte: 0 to 255, or 0x00 to 0xff

        broken.yaml:4:32: there is no qemu-io command `wrote`
         4 |   - hmp: {drive: drive0, line: "wrote -P0x41 0 64k"}
           |                                ^
        help: did you mean `write`?

        broken.yaml:4:32: `write -P0x41 0` is not a `write` line
         4 |   - hmp: {drive: drive0, line: "write -P0x41 0"}
           |                                ^
        help: write `write [-P PATTERN | -z] OFFSET LENGTH`

        broken.yaml:4:32: `write -P0x41 -z 0 64k` is not a `write` line
         4 |   - hmp: {drive: drive0, line: "write -P0x41 -z 0 64k"}
           |                                ^
        help: write `write [-P PATTERN | -z] OFFSET LENGTH`

        broken.yaml:4:32: `write -P 0 64k` is not a `write` line
         4 |   - hmp: {drive: drive0, line: "write -P 0 64k"}
           |                                ^
        help: write `write [-P PATTERN | -z] OFFSET LENGTH`

        broken.yaml:4:32: `write -u 0 64k` is not a `write` line
         4 |   - hmp: {drive: drive0, line: "write -u 0 64k"}
           |                                ^
        help: write `write [-P PATTERN | -z] OFFSET LENGTH`

        broken.yaml:4:32: `0xgg` is not a pattern
         4 |   - hmp: {drive: drive0, line: "write -P0xgg 0 64k"}
           |                                ^
        help: a pattern is one byte: 0 to 255, or 0x00 to 0xff

        broken.yaml:4:32: `64kb` is not a size
         4 |   - hmp: {drive: drive0, line: "write 0 64kb"}
           |                                ^
        help: did you mean `64k`? The units are k, M, G and T, and they are binary

        broken.yaml:4:32: `write 8388607T 2T` ends beyond 2^63 - 1 bytes
         4 |   - hmp: {drive: drive0, line: "write 8388607T 2T"}
           |                                ^
        help: write [-P PATTERN | -z] OFFSET LENGTH

        broken.yaml:4:32: `write \"0\" 64k` is not a qemu-io line
         4 |   - hmp: {drive: drive0, line: "write \"0\" 64k"}
           |                                ^
        help: the line is passed on between quotes: it can hold no quote, backslash, tab or line break

        broken.yaml:4:32: a qemu-io line without a command
         4 |   - hmp: {drive: drive0, line: ""}
           |                                ^
        help: the commands are write, aio_write, read, discard, flush, break, resume, wait_break, remove_break

        broken.yaml:4:32: `flush now` is not a `flush` line
         4 |   - hmp: {drive: drive0, line: "flush now"}
           |                                ^
        help: write `flush`

        broken.yaml:4:32: blkdebug has no event `write_oia`
         4 |   - hmp: {drive: drive0, line: "break write_oia A"}
           |                                ^
        help: did you mean `write_aio`? often used: read_aio, write_aio, flush_to_disk, cluster_alloc

        broken.yaml:4:32: `break write_aio` is not a `break` line
         4 |   - hmp: {drive: drive0, line: "break write_aio"}
           |                                ^
        help: write `break EVENT TAG`
        "#);
}

#[test]
fn messages_about_the_story() {
    let mut texts = vec![
        "title: A test\nscript:\n  - qmp: {execute: stop}\n".to_owned(),
        "title: A test\nscript:\n  - wait: {event: STOP}\n  - launch: {}\n".to_owned(),
        "title: A test\nscript:\n  - hmp: {drive: drive0, line: flush}\n".to_owned(),
    ];
    let scripts = [
        "  - launch: {}\n",
        "  - shutdown: {}\n  - bitmaps: {}\n",
        "  - hmp: {drive: drive1, line: flush}\n",
        "  - hmp: {drive: disk, line: flush}\n  - qmp: {execute: blockdev-add, arguments: {node-name: disk}}\n",
        "  - guests: {start: [guest0]}\n",
        "  - guests: {join: [guest0]}\nguests: {guest0: {drive: drive0, requests: [flush]}}\n",
        "  - guests: {start: [guest1]}\nguests: {guest0: {drive: drive0, requests: [flush]}}\n",
        "  - guests: {start: [guest0, guest0]}\nguests: {guest0: {drive: drive0, requests: [flush]}}\n",
        "  - guests: {start: [guest0]}\nguests: {guest0: {drive: drive9, requests: [flush]}}\n",
        "  - guests: {start: [guest0]}\nguests: {guest0: {drive: drive0, requests: [flush, \"break write_aio A\"]}}\n",
        "guests: {guest0: {drive: drive0, requests: [flush]}}\n",
        "faults: {drive1: {}}\n",
        "faults: {node0: {}}\n",
        "faults: {drive0: {set_state: []}}\n",
        "faults: {drive0: {set-state: [{event: flush_to_disc, new_state: 2}]}}\n",
        "faults: {drive0: {inject-error: [{event: read_aio, iotype: reads}]}}\n",
    ];
    texts.extend(scripts.map(launched));
    texts.push("title: A test\nscript:\n  - launch: {drives: [{id: a, file: $DIR/a}, {id: a, file: $DIR/b}]}\n".to_owned());
    insta::assert_snapshot!(messages(&texts.iter().map(String::as_str).collect::<Vec<_>>()), @r#"
        broken.yaml:3:5: `qmp` before any `launch`
         3 |   - qmp: {execute: stop}
           |     ^
        help: QEMU is started by `- launch: {drives: [...]}`

        broken.yaml:3:5: `wait` before any `launch`
         3 |   - wait: {event: STOP}
           |     ^
        help: QEMU is started by `- launch: {drives: [...]}`

        broken.yaml:3:5: `hmp` before any `launch`
         3 |   - hmp: {drive: drive0, line: flush}
           |     ^
        help: QEMU is started by `- launch: {drives: [...]}`

        broken.yaml:4:5: a second `launch`: QEMU has been running since line 3
         4 |   - launch: {}
           |     ^
        help: put `- shutdown: {}` before it

        broken.yaml:5:5: `bitmaps` after the end of QEMU in line 4
         5 |   - bitmaps: {}
           |     ^
        help: after it can come `img`, `sleep`, another `launch`, and what looks at the events that came: `wait`, `pending`, `forget`

        broken.yaml:4:5: there is no drive or node `drive1` at this point
         4 |   - hmp: {drive: drive1, line: flush}
           |     ^
        help: did you mean `drive0`? possible are `drive0`, `node0`

        broken.yaml:4:5: there is no drive or node `disk` at this point
         4 |   - hmp: {drive: disk, line: flush}
           |     ^
        help: possible are `drive0`, `node0`

        broken.yaml:4:5: there is no guest `guest0`
         4 |   - guests: {start: [guest0]}
           |     ^
        help: none is defined

        broken.yaml:4:5: the guest `guest0` is joined before it is started
         4 |   - guests: {join: [guest0]}
           |     ^
        help: put `- guests: {start: [guest0]}` before it

        broken.yaml:4:5: there is no guest `guest1`
         4 |   - guests: {start: [guest1]}
           |     ^
        help: did you mean `guest0`?

        broken.yaml:4:5: the guest `guest0` is started twice
         4 |   - guests: {start: [guest0, guest0]}
           |     ^
        help: a guest runs once: define another one with the same requests

        broken.yaml:4:5: the guest `guest0` writes to `drive9`, which is not there at this point
         4 |   - guests: {start: [guest0]}
           |     ^
        help: did you mean `drive0`? possible are `drive0`, `node0`

        broken.yaml:5:52: a guest cannot send `break`
         5 | guests: {guest0: {drive: drive0, requests: [flush, "break write_aio A"]}}
           |                                                    ^
        help: breakpoints are the monitor's: use an `hmp` item

        broken.yaml:4:10: the guest `guest0` is never started
         4 | guests: {guest0: {drive: drive0, requests: [flush]}}
           |          ^
        help: add `- guests: {start: [guest0]}` where it begins

        broken.yaml:4:10: no `launch` has a drive `drive1`
         4 | faults: {drive1: {}}
           |          ^
        help: did you mean `drive0`?

        broken.yaml:4:10: no `launch` has a drive `node0`
         4 | faults: {node0: {}}
           |          ^
        help: `faults` is for drives; a node of blockdev-add has its blkdebug layer in its own `file`

        broken.yaml:4:19: there is no key `set_state` here
         4 | faults: {drive0: {set_state: []}}
           |                   ^
        help: did you mean `set-state`? possible are `set-state`, `inject-error`

        broken.yaml:4:39: blkdebug has no event `flush_to_disc`
         4 | faults: {drive0: {set-state: [{event: flush_to_disc, new_state: 2}]}}
           |                                       ^
        help: did you mean `flush_to_disk`? often used: read_aio, write_aio, flush_to_disk, cluster_alloc

        broken.yaml:4:60: `reads` is not possible here
         4 | faults: {drive0: {inject-error: [{event: read_aio, iotype: reads}]}}
           |                                                            ^
        help: did you mean `read`? possible are `read`, `write`, `write-zeroes`, `discard`, `flush`, `block-status`

        broken.yaml:3:5: two drives are called `a`
         3 |   - launch: {drives: [{id: a, file: $DIR/a}, {id: a, file: $DIR/b}]}
           |     ^
        help: each drive needs its own id
        "#);
}

#[test]
fn messages_point_into_long_lines_and_strange_ones() {
    let padding = "x".repeat(200);
    let texts = [
        format!(
            "title: A test\nsource: {padding}\nscript: [{{launch: {{args: [\"{padding}\"]}}, wait: {{}}}}]\n"
        ),
        format!(
            "title: A test\nscript: [{{wait: {{event: STOP, skip: {}}}}}]\n",
            padding.repeat(10)
        ),
        "title: A test\nscript: [{wait: {event: \"\\e[31m\\nred\"}}]\n".to_owned(),
        "title: Größe → 世界\nabout: \u{1b}[31mred\nscript: []\n".to_owned(),
        "\u{feff}titel: A test\r\nscript: []\r\n".to_owned(),
    ];
    insta::assert_snapshot!(messages(&texts.iter().map(String::as_str).collect::<Vec<_>>()), @r#"
        broken.yaml:3:239: `event` is missing
         3 | …xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]}, wait: {}}]
           |                                                                                                              ^
        help: say for what: `wait: {event: BLOCK_JOB_COMPLETED, match: {device: drive0}}`

        broken.yaml:2:37: `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…
         2 | script: [{wait: {event: STOP, skip: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…
           |                                     ^
        help: possible are `same`, `all`

        broken.yaml:2:25: `�[31m�red` is not the name of an event
         2 | script: [{wait: {event: "\e[31m\nred"}}]
           |                         ^
        help: QEMU's events are in capitals, like BLOCK_JOB_COMPLETED

        broken.yaml:2:8: unexpected character: `\u{1b}'
         2 | about: �[31mred
           |        ^
        help: put the text in quotes

        broken.yaml:1:1: there is no key `titel` here
         1 | titel: A test
           | ^
        help: did you mean `title`? possible are `title`, `source`, `about`, `faults`, `guests`, `witnesses`, `defects`, `script`
        "#);
}

#[test]
fn messages_about_files() {
    let message = |name: &str| {
        load::open(name)
            .expect_err("there is no such scenario")
            .to_string()
    };
    let unreadable = load::parse_bytes("disk.qcow2", b"QFI\xfb\n\0\0\x03")
        .expect_err("an image is no scenario")
        .to_string();
    let all = [
        message("test_incremental_simpel"),
        message("iotest-124/test_incremental_pose"),
        message("nothing-like-it"),
        message("./nowhere.yaml"),
        unreadable,
    ];
    insta::assert_snapshot!(all.join("\n\n"), @r#"
        test_incremental_simpel: is neither a shipped scenario nor a file
        help: did you mean `test_incremental_simple`?

        iotest-124/test_incremental_pose: cannot be read: No such file or directory (os error 2)
        help: did you mean `iotest-124/test_incremental_pause`?

        nothing-like-it: is neither a shipped scenario nor a file
        help: `blockrace list scenarios` has the shipped ones

        ./nowhere.yaml: cannot be read: No such file or directory (os error 2)

        disk.qcow2:1:4: what follows is not UTF-8
         1 | QFI
           |    ^
        help: a scenario is a text file; is this an image or a recording?
        "#);
}

// ------------------------------------------------------------------------------------------------- the data

/// Every verb and every expectation once, as people may write them.
const EVERYTHING: &str = r#"
title: Everything at once
source: this test
about: |
  Nothing in particular.
faults:
  drive0:
    set-state: [{event: flush_to_disk, state: 1, new_state: 2}]
    inject-error:
      - {event: read_aio, state: 2, errno: 28, sector: 8, once: true, immediately: true, iotype: write-zeroes}
      - {event: none}
guests:
  guest0: {drive: drive0, requests: ["write -P0x11 0 64k", "aio_write -z 1M 64k", flush, "read 0 4k", "discard 0 64k"]}
witnesses: [cancel-while-copying, error-stop]
script:
  - img: {cmd: create, img: $DIR/a.qcow2, size: 64M, backing: $DIR/b.qcow2, opts: {cluster_size: 128k, format: raw, lazy_refcounts: true, refcount_bits: 1}}
    result: ok
  - img: {cmd: write, img: $DIR/a.qcow2, pattern: 0x41, offset: 1M, len: 32k}
  - img: {"cmd": "read", "img": "$DIR/a.qcow2", "pattern": "0x41", "offset": "0x100000", "len": 32768}
  - img: {cmd: copy, img: $DIR/a.qcow2, to: $DIR/c.qcow2}
  - img: {cmd: rebase, img: $DIR/a.qcow2, backing: $DIR/c.qcow2}
  - img: {cmd: compare, a: $DIR/a.qcow2, b: $DIR/b.qcow2}
    result: different
  - img: {cmd: map, img: $DIR/a.qcow2}
  - img: {cmd: bitmaps, img: $DIR/a.qcow2}
  - img: {cmd: remove, img: $DIR/a.qcow2}
  - launch: {drives: [{id: drive0, file: $DIR/a.qcow2, node: node0, if: virtio}], args: [-S]}
  - qmp: {"execute": "query-jobs", "arguments": {"z": 1, "a": [true, null, 1.5, "yes"]}}
    reply: [{"status": "null"}]
  - qmp: {execute: cont}
  - qmp: {execute: stop}
    error: {class: GenericError, desc: "No"}
  - qmp: {execute: job-cancel, arguments: {id: job0}}
    either: [{reply: {}}, {error: {class: GenericError, desc: Job not found}}]
  - guests: {start: [guest0]}
  - hmp: {drive: node0, line: "break write_aio A"}
    output: []
  - wait: {event: JOB_STATUS_CHANGE, match: {status: "null"}, skip: all, timeout: 8}
    data: {id: drive0}
    absent: [error]
  - bitmaps: {node0: {bitmap0: {count: 448k, granularity: 64k, recording: true, busy: false, persistent: false, inconsistent: false, status: active}}}
  - bitmaps: {}
  - pending: 3
  - forget: {}
  - settle: {ms: 500}
  - sleep: {ms: 100}
  - guests: {join: [guest0]}
  - shutdown: {}
defects: [grouped-abort-hangs]
"#;

#[test]
fn everything_a_story_can_say_is_understood() {
    let story =
        load::parse("folder/everything.yaml", EVERYTHING).unwrap_or_else(|error| panic!("{error}"));
    let Story {
        name,
        title,
        source,
        about,
        faults,
        guests,
        witnesses,
        defects,
        script,
    } = story;
    let mut parts = vec![
        format!("{name:?} {title:?} {source:?} {about:?}"),
        format!("{faults:?}"),
        format!("{guests:?}"),
        format!("{witnesses:?} {defects:?}"),
    ];
    parts.extend(
        script
            .iter()
            .map(|item| format!("{} {}: {:?}", item.line, item.verb.name(), item.verb)),
    );
    insta::assert_snapshot!(parts.join("\n"), @r#"
        "everything" "Everything at once" "this test" "Nothing in particular.\n"
        {"drive0": Faults { set_state: [SetState { event: FaultEvent("flush_to_disk"), state: 1, new_state: 2 }], inject_error: [InjectError { event: FaultEvent("read_aio"), state: 2, errno: 28, sector: Some(8), once: true, immediately: true, iotype: Some(WriteZeroes) }, InjectError { event: FaultEvent("none"), state: 0, errno: 5, sector: None, once: false, immediately: false, iotype: None }] }}
        {"guest0": Guest { drive: "drive0", requests: [Write { offset: Size(0), len: Size(65536), fill: Pattern(Pattern(17)) }, AioWrite { offset: Size(1048576), len: Size(65536), fill: Zeroes }, Flush, Read { offset: Size(0), len: Size(4096), pattern: None }, Discard { offset: Size(0), len: Size(65536) }] }}
        ["cancel-while-copying", "error-stop"] ["grouped-abort-hangs"]
        16 img: Img(Create { img: ImagePath("$DIR/a.qcow2"), size: Size(67108864), backing: Some(ImagePath("$DIR/b.qcow2")), opts: {"cluster_size": Text("128k"), "format": Text("raw"), "lazy_refcounts": Switch(true), "refcount_bits": Number(1)} })
        18 img: Img(Write { img: ImagePath("$DIR/a.qcow2"), pattern: Pattern(65), offset: Size(1048576), len: Size(32768) })
        19 img: Img(Read { img: ImagePath("$DIR/a.qcow2"), pattern: Pattern(65), offset: Size(1048576), len: Size(32768) })
        20 img: Img(Copy { img: ImagePath("$DIR/a.qcow2"), to: ImagePath("$DIR/c.qcow2") })
        21 img: Img(Rebase { img: ImagePath("$DIR/a.qcow2"), backing: ImagePath("$DIR/c.qcow2") })
        22 img: Img(Compare { a: ImagePath("$DIR/a.qcow2"), b: ImagePath("$DIR/b.qcow2"), result: Some(Different) })
        24 img: Img(Map { img: ImagePath("$DIR/a.qcow2") })
        25 img: Img(Bitmaps { img: ImagePath("$DIR/a.qcow2"), result: None })
        26 img: Img(Remove { img: ImagePath("$DIR/a.qcow2") })
        27 launch: Launch(Launch { drives: [Drive { id: "drive0", file: ImagePath("$DIR/a.qcow2"), node: Some("node0"), interface: Some("virtio") }], args: ["-S"] })
        28 qmp: Qmp(Qmp { execute: "query-jobs", arguments: {"z": Number(1), "a": Array [Bool(true), Null, Number(1.5), String("yes")]}, answers: [Return(Some(Array [Object {"status": String("null")}]))] })
        30 qmp: Qmp(Qmp { execute: "cont", arguments: {}, answers: [Return(None)] })
        31 qmp: Qmp(Qmp { execute: "stop", arguments: {}, answers: [Error(QmpError { class: GenericError, desc: Some("No") })] })
        33 qmp: Qmp(Qmp { execute: "job-cancel", arguments: {"id": String("job0")}, answers: [Return(Some(Object {})), Error(QmpError { class: GenericError, desc: Some("Job not found") })] })
        35 guests: Guests(Start(["guest0"]))
        36 hmp: Hmp(Hmp { drive: "node0", line: "break write_aio A", command: Break { event: FaultEvent("write_aio"), tag: "A" }, output: Some([]) })
        38 wait: Wait(Wait { event: "JOB_STATUS_CHANGE", matching: {"status": String("null")}, skip: Some(All), timeout: Some(8), data: {"id": String("drive0")}, absent: ["error"] })
        41 bitmaps: Bitmaps({"node0": {"bitmap0": BitmapState { count: Some(Size(458752)), granularity: Some(Size(65536)), recording: Some(true), busy: Some(false), persistent: Some(false), inconsistent: Some(false), status: Some(Active) }}})
        42 bitmaps: Bitmaps({})
        43 pending: Pending(3)
        44 forget: Forget
        45 settle: Settle { ms: 500, until: None }
        46 sleep: Sleep { ms: 100 }
        47 guests: Guests(Join(["guest0"]))
        48 shutdown: Shutdown
        "#);
}

#[test]
fn sizes_are_read_and_printed() {
    for (text, bytes, shortest) in [
        ("0", 0, "0"),
        ("512", 512, "512"),
        ("1k", 1 << 10, "1k"),
        ("1K", 1 << 10, "1k"),
        ("1024k", 1 << 20, "1M"),
        ("262144", 1 << 18, "256k"),
        ("16777216", 1 << 24, "16M"),
        ("126976", 124 << 10, "124k"),
        ("33521664", 33_521_664, "32736k"),
        ("1000000", 1_000_000, "1000000"),
        ("64M", 64 << 20, "64M"),
        ("1536M", 1536 << 20, "1536M"),
        ("3G", 3 << 30, "3G"),
        ("4T", 4 << 40, "4T"),
        ("0x10000", 1 << 16, "64k"),
        (
            "9223372036854775807",
            i64::MAX as u64,
            "9223372036854775807",
        ),
    ] {
        assert_eq!(size(text).bytes(), bytes, "{text}");
        assert_eq!(size(text).to_string(), shortest, "{text}");
    }
    for text in [
        "",
        " ",
        "k",
        "-1",
        "+1",
        "1.5M",
        "64m",
        "64MB",
        "64 M",
        "1kk",
        "0x",
        "0x1k",
        "0xg",
        "١",
        "9223372036854775808",
        "8388608T",
        "99999999999999999999",
    ] {
        assert!(text.parse::<Size>().is_err(), "{text} is no size");
    }
}

#[test]
fn qemu_io_lines_are_understood() {
    let write = |offset, len, fill| Request::Write {
        offset: size(offset),
        len: size(len),
        fill,
    };
    let tag = || "A".to_owned();
    for (line, command) in [
        (
            "write -P0x41 0 512",
            HmpCommand::Request(write("0", "512", Fill::Pattern(Pattern(0x41)))),
        ),
        (
            "write -P 65 0 512",
            HmpCommand::Request(write("0", "512", Fill::Pattern(Pattern(0x41)))),
        ),
        (
            "write 0 -P 65 512",
            HmpCommand::Request(write("0", "512", Fill::Pattern(Pattern(0x41)))),
        ),
        (
            "write 64M 64k",
            HmpCommand::Request(write("64M", "64k", Fill::Pattern(Pattern(0xcd)))),
        ),
        (
            "write -z 64M 64k",
            HmpCommand::Request(write("64M", "64k", Fill::Zeroes)),
        ),
        (
            "read 0 4k",
            HmpCommand::Request(Request::Read {
                offset: size("0"),
                len: size("4k"),
                pattern: None,
            }),
        ),
        ("flush", HmpCommand::Request(Request::Flush)),
        (
            "discard 0 64k",
            HmpCommand::Request(Request::Discard {
                offset: size("0"),
                len: size("64k"),
            }),
        ),
        ("resume A", HmpCommand::Resume { tag: tag() }),
        ("wait_break A", HmpCommand::WaitBreak { tag: tag() }),
        ("remove_break A", HmpCommand::RemoveBreak { tag: tag() }),
        (
            "break cow_write A",
            HmpCommand::Break {
                event: "cow_write".parse().expect("an event"),
                tag: tag(),
            },
        ),
    ] {
        assert_eq!(line.parse(), Ok(command), "{line}");
    }
}

#[test]
fn expectations_hold_of_more_than_they_say() {
    for (expected, found, missed) in [
        (json!({}), json!({"a": 1}), None),
        (
            json!({"a": {"b": 1}}),
            json!({"a": {"b": 1, "c": 2}, "d": 3}),
            None,
        ),
        (json!([]), json!([]), None),
        (json!([{}]), json!([{"a": 1}]), None),
        (
            json!({"a": 1}),
            json!({}),
            Some("`a`: expected 1, found nothing"),
        ),
        (
            json!({"a": [1, {"b": "x"}]}),
            json!({"a": [1, {"b": "y"}]}),
            Some(r#"`a/1/b`: expected "x", found "y""#),
        ),
        (json!([]), json!([{}]), Some("expected [], found [{}]")),
        (json!("1"), json!(1), Some(r#"expected "1", found 1"#)),
    ] {
        assert_eq!(
            mismatch(&expected, &found).as_deref(),
            missed,
            "{expected} of {found}"
        );
    }
}

#[test]
fn the_old_status_of_a_bitmap_is_judged_by_the_fields_that_replaced_it() {
    let listed = |busy: bool, recording: bool, more: Value| {
        let mut listed = json!({"count": 0, "busy": busy, "recording": recording});
        listed
            .as_object_mut()
            .expect("a mapping")
            .append(more.as_object().cloned().as_mut().expect("a mapping"));
        listed.as_object().cloned().expect("a mapping")
    };
    use BitmapStatus::{Active, Disabled, Frozen, Inconsistent, Locked};
    for (listed, holds) in [
        (listed(false, true, json!({})), vec![Active]),
        (listed(false, false, json!({})), vec![Disabled]),
        (listed(true, true, json!({})), vec![Frozen, Locked]),
        (
            listed(false, false, json!({"inconsistent": true})),
            vec![Inconsistent],
        ),
        // A release that still gives it is believed.
        (
            listed(true, true, json!({"status": "frozen"})),
            vec![Frozen],
        ),
    ] {
        for status in [Active, Frozen, Locked, Disabled, Inconsistent] {
            let state = BitmapState {
                status: Some(status),
                ..BitmapState::default()
            };
            assert_eq!(
                state.mismatch(&listed).is_none(),
                holds.contains(&status),
                "{status:?} of {listed:?}"
            );
        }
    }
}

// ------------------------------------------------------------------------------------------------- the schema

#[test]
fn the_schema_file_is_current() {
    let file = folder().join("schema.json");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(&file, schema::text()).expect("the schema can be written");
    }
    let on_disk = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        on_disk == schema::text(),
        "scenarios/schema.json is not what the types say; write it anew by\n    UPDATE_SCHEMA=1 cargo test -p scenarios --test format"
    );
}

#[test]
fn the_schema_accepts_every_story() {
    let schema = schema::schema();
    for (name, text) in SHIPPED.iter().chain(&[("everything", EVERYTHING)]) {
        let story: Value = serde_saphyr::from_str(text).expect("a story is YAML");
        assert_eq!(violation(&schema, &schema, &story), None, "{name}");
    }
}

/// What the loader refuses for its shape an editor shows at once.
#[test]
fn the_schema_refuses_what_the_loader_refuses() {
    let schema = schema::schema();
    for script in [
        "  - qpm: {execute: stop}\n",
        "  - {}\n",
        "  - reply: {}\n",
        "  - shutdown: {now: true}\n",
        "  - shutdown:\n",
        "  - qmp: {execute: stop}\n    wait: {event: STOP}\n",
        "  - qmp: {execute: stop}\n    data: {}\n",
        "  - qmp: {execute: stop}\n    error: {class: GenericEror}\n",
        "  - qmp: {}\n",
        "  - qmp: {execute: stop, arguments: [1]}\n",
        "  - pending: -1\n",
        "  - wait: {event: STOP, skip: some}\n",
        "  - wait: {}\n",
        "  - bitmaps: {node0: {bitmap0: {busy: maybe}}}\n",
        "  - bitmaps: {node0: {bitmap0: {busy: ~}}}\n",
        "  - guests: {stop: [guest0]}\n",
        "  - guests: {start: [], join: []}\n",
        "  - img: {cmd: create, img: $DIR/b.qcow2}\n",
        "  - img: {cmd: create, img: $DIR/b.qcow2, size: 1M, pattern: 0x41}\n",
        "  - img: {cmd: create, img: $DIR/b.qcow2, size: -1}\n",
        "  - img: {cmd: compare, a: $DIR/a.qcow2, b: $DIR/b.qcow2}\n    result: equal\n",
        "  - img: {cmd: wirte, img: $DIR/b.qcow2}\n",
        "faults: {drive0: {set-state: [{event: flush_to_disc, new_state: 2}]}}\n",
        "  - qmp: {execute: stop}\n    either: [{reply: {}}, {success: {}}]\n",
        "  - qmp: {execute: stop}\n    any: {}\n    error: {class: GenericError}\n",
        "  - qmp: {execute: stop}\n    any: true\n",
        "  - wait: {event: STOP}\n    either: [{reply: {}}, {error: {class: GenericError}}]\n",
        "witnesses: error-stop\n",
        "defects: grouped-abort-hangs\n",
        "colour: red\n",
    ] {
        let text = launched(script);
        assert!(
            load::parse("refused.yaml", &text).is_err(),
            "the loader takes {script}"
        );
        let story: Value = serde_saphyr::from_str(&text).expect("it is YAML");
        assert!(
            violation(&schema, &schema, &story).is_some(),
            "the schema takes {script}"
        );
    }
}

/// Says where a value breaks a schema, as far as our schema goes. Patterns of texts are left to the editors.
fn violation(root: &Value, schema: &Value, value: &Value) -> Option<String> {
    let Value::Object(keywords) = schema else {
        return (schema != &json!(true)).then(|| format!("{value} is forbidden"));
    };
    let list = |argument: &Value| argument.as_array().cloned().expect("a list of schemas");
    let holds = |schema: &Value| violation(root, schema, value).is_none();
    keywords.iter().find_map(|(keyword, argument)| {
        let broken = match keyword.as_str() {
            "$schema" | "title" | "description" | "definitions" | "default" | "format"
            | "pattern" => false,
            "$ref" => {
                let path = argument
                    .as_str()
                    .and_then(|path| path.strip_prefix('#'))
                    .expect("a place in this schema");
                return violation(
                    root,
                    root.pointer(path).expect("what is referred to"),
                    value,
                );
            }
            "allOf" => {
                return list(argument)
                    .iter()
                    .find_map(|schema| violation(root, schema, value));
            }
            "anyOf" => !list(argument).iter().any(holds),
            "oneOf" => list(argument).iter().filter(|schema| holds(schema)).count() != 1,
            "type" => !argument
                .as_array()
                .map_or(vec![argument], |types| types.iter().collect())
                .iter()
                .any(|ty| is_a(ty, value)),
            "enum" => !list(argument).contains(value),
            "const" => argument != value,
            "minimum" => value
                .as_f64()
                .is_some_and(|number| number < argument.as_f64().expect("a number")),
            "maximum" => value
                .as_f64()
                .is_some_and(|number| number > argument.as_f64().expect("a number")),
            "minItems" => value
                .as_array()
                .is_some_and(|items| items.len() < argument.as_u64().expect("a number") as usize),
            "maxProperties" => value
                .as_object()
                .is_some_and(|map| map.len() > argument.as_u64().expect("a number") as usize),
            "items" => {
                return value
                    .as_array()?
                    .iter()
                    .find_map(|item| violation(root, argument, item));
            }
            "required" => value.as_object().is_some_and(|map| {
                list(argument)
                    .iter()
                    .any(|key| !map.contains_key(key.as_str().expect("a key")))
            }),
            "properties" => {
                return value
                    .as_object()?
                    .iter()
                    .find_map(|(key, value)| violation(root, argument.get(key)?, value));
            }
            "additionalProperties" => {
                let known = keywords
                    .get("properties")
                    .and_then(Value::as_object)
                    .cloned()
                    .unwrap_or_default();
                let others = value
                    .as_object()?
                    .iter()
                    .filter(|(key, _)| !known.contains_key(*key));
                return others
                    .map(|(key, value)| {
                        violation(root, argument, value).map(|what| format!("{key}: {what}"))
                    })
                    .find_map(|it| it);
            }
            other => panic!("this test does not know the keyword {other}"),
        };
        broken.then(|| format!("{value} breaks {keyword}: {argument}"))
    })
}

fn is_a(ty: &Value, value: &Value) -> bool {
    match ty.as_str().expect("the name of a type") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        other => panic!("this test does not know the type {other}"),
    }
}

// ------------------------------------------------------------------------------------------------- any input

/// A message must be fit to be shown, whatever the file was.
fn is_readable(error: &LoadError) {
    let shown = error.to_string();
    let mut lines = shown.lines();
    assert!(
        lines
            .next()
            .is_some_and(|first| first.starts_with("any.yaml:")),
        "{shown}"
    );
    assert!(
        error
            .place
            .is_some_and(|place| place.line >= 1 && place.column >= 1),
        "{shown}"
    );
    let lines: Vec<&str> = lines.collect();
    assert!(lines.len() <= 3 && shown.chars().count() < 1200, "{shown}");
    assert!(
        !shown.contains(|c: char| c.is_control() && c != '\n'),
        "{shown:?}"
    );
}

fn load_any(bytes: &[u8]) {
    if let Err(error) = load::parse_bytes("any.yaml", bytes) {
        is_readable(&error);
    }
}

#[test]
fn garbage_is_refused_and_nothing_worse() {
    let deep = |open: &str, times: usize| open.repeat(times);
    let texts = [
        "\0".to_owned(),
        "\u{feff}".to_owned(),
        "\r\r\r".to_owned(),
        "\t".to_owned(),
        "---\n---\n".to_owned(),
        "%YAML 9.9\n".to_owned(),
        "&a [*a]".to_owned(),
        "{".to_owned(),
        "- - - - -".to_owned(),
        "? ? ? :".to_owned(),
        "!!binary aGk=".to_owned(),
        "<<: {}".to_owned(),
        "title: {<<: [1]}".to_owned(),
        "title: \"\\ud800\"".to_owned(),
        deep("[", 100_000),
        deep("{a: ", 100_000),
        deep("- ", 100_000),
        deep("&a ", 10_000),
        format!(
            "title: x\nscript: [{{qmp: {{execute: x, arguments: {{a: {}}}}}}}]",
            deep("[", 5_000)
        ),
        format!(
            "title: x\nscript:\n{}",
            "  - &a {forget: {}}\n  - *a\n".repeat(1000)
        ),
        "title: x\nabout: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b]\n"
            .to_owned(),
        format!("title: {}\n", "9".repeat(100_000)),
    ];
    for text in texts {
        load_any(text.as_bytes());
    }
    load_any(b"\xff\xfe\x00");
    load_any(b"title: \xc3\x28\nscript: []");
}

/// What is put into stories to break them.
const PIECES: &[&str] = &[
    "",
    " ",
    "\n",
    "\t",
    "-",
    ":",
    ": ",
    "#",
    "&a ",
    "*a",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    "|",
    ">",
    "!",
    "!!str ",
    "%",
    "@",
    "`",
    "~",
    "null",
    "0x",
    "-1",
    "1e999",
    ".nan",
    "<<: ",
    "? ",
    "---\n",
    "...\n",
    "\r",
    "\0",
    "é",
    "世",
    "\u{2028}",
    "\\",
    "\\u0000",
    "shutdown: {}",
    "launch: {}",
    "  - ",
    "$DIR/..",
    "99999999999999999999",
    "guests: {}",
    "data: {}",
    "cmd: ",
];

proptest! {
    /// Stories with pieces cut out and others put in: most are broken, in all stages of the loader.
    #[test]
    fn broken_stories_are_refused_and_nothing_worse(
        story in 0..SHIPPED.len() + 1,
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..40_usize, 0..PIECES.len()), 1..4),
    ) {
        let text = SHIPPED.get(story).map_or(EVERYTHING, |(_, text)| text);
        let mut letters: Vec<char> = text.chars().collect();
        for (start, len, piece) in cuts {
            let start = start.index(letters.len() + 1);
            let end = (start + len).min(letters.len());
            letters.splice(start..end, PIECES[piece].chars());
        }
        load_any(letters.into_iter().collect::<String>().as_bytes());
    }

    /// Stories with lines exchanged, doubled or left out: good YAML in senseless order.
    #[test]
    fn shuffled_stories_are_refused_and_nothing_worse(
        story in 0..SHIPPED.len() + 1,
        moves in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..3), 1..5),
    ) {
        let text = SHIPPED.get(story).map_or(EVERYTHING, |(_, text)| text);
        let mut lines: Vec<&str> = text.lines().collect();
        for (from, to, what) in moves {
            let line = lines[from.index(lines.len())];
            let to = to.index(lines.len());
            match what {
                0 => lines.insert(to, line),
                1 => lines[to] = line,
                _ => drop(lines.remove(to)),
            }
        }
        load_any(lines.join("\n").as_bytes());
    }

    #[test]
    fn random_bytes_are_refused_and_nothing_worse(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        load_any(&bytes);
    }

    #[test]
    fn sizes_survive_printing(bytes in 0..=Size::MAX.bytes(), unit in 0..5_u32) {
        let bytes = bytes >> (10 * unit) << (10 * unit);
        let size = Size::of(bytes).expect("QEMU can address it");
        prop_assert_eq!(size.to_string().parse(), Ok(size));
        prop_assert!(size.to_string().len() <= bytes.to_string().len());
    }

    #[test]
    fn requests_survive_printing(kind in 0..5, offset in 0..1_u64 << 40, len in 0..1_u64 << 30, byte: u8, zeroes: bool) {
        let (offset, len) = (Size::of(offset).expect("small"), Size::of(len).expect("small"));
        let fill = if zeroes { Fill::Zeroes } else { Fill::Pattern(Pattern(byte)) };
        let request = match kind {
            0 => Request::Write { offset, len, fill },
            1 => Request::AioWrite { offset, len, fill },
            2 => Request::Read { offset, len, pattern: (!zeroes).then_some(Pattern(byte)) },
            3 => Request::Discard { offset, len },
            _ => Request::Flush,
        };
        prop_assert_eq!(request.to_string().parse(), Ok(request.clone()));
        prop_assert_eq!(request.to_string().parse(), Ok(HmpCommand::Request(request)));
    }
}
