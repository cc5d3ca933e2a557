//! The scenario format, seen from outside: the shipped stories, the messages, the schema.
//!
//! The stories are held against the recordings of real QEMU here, as text against text. What the model makes
//! of them is tested elsewhere.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use scenarios::format::{
    Answer, BitmapState, BitmapStatus, Comparison, Fill, Guests, HmpCommand, Img, Item, Pattern, Request, Skip, Story,
    Verb, mismatch, mismatch_in,
};
use scenarios::load::{self, LoadError, SHIPPED};
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
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
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
            let name = path.strip_prefix(folder()).expect("below the folder").with_extension("");
            let text = fs::read_to_string(path).expect("a story is a text");
            (name.to_str().expect("in UTF-8").replace('\\', "/"), text)
        })
        .collect();
    let embedded: BTreeMap<String, String> =
        SHIPPED.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let (on_disk_names, embedded_names): (Vec<_>, Vec<_>) = (on_disk.keys().collect(), embedded.keys().collect());
    assert_eq!(on_disk_names, embedded_names, "a new story is a row of `SHIPPED` in scenarios/src/load.rs");
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
            let line = text.lines().nth(item.line as usize - 1).expect("the line exists");
            let start = format!("  - {}:", item.verb.name());
            assert!(line.starts_with(&start), "{name}:{}: expected {start}, found {line}", item.line);
        }
    }
}

// ------------------------------------------------------------------------------------------------- recordings

/// The recordings of one story by one QEMU: file name and lines, without the header.
fn recordings(qemu: &str, story: &str) -> Vec<(String, Vec<Value>)> {
    let folder = folder().join("recordings").join(qemu);
    let mut found = Vec::new();
    for k in 0.. {
        let path = folder.join(format!("{story}.{k}.jsonl"));
        let Ok(text) = fs::read_to_string(&path) else { break };
        let lines = text.lines().map(|line| serde_json::from_str(line).expect("a recording is JSON Lines"));
        found.push((format!("{qemu}/{story}.{k}"), lines.skip(1).collect()));
    }
    assert!(!found.is_empty(), "there is no recording of {story} by QEMU {qemu}");
    found
}

/// What an item does, as a recording would say it; nothing for what a recording says differently.
fn done(verb: &Verb) -> Option<Value> {
    let number = |size: &Size| json!(size.bytes());
    Some(match verb {
        Verb::Img(img) => match img {
            Img::Create { img, size, backing, opts } => {
                let mut line = json!({"t": "img", "cmd": "create", "img": img.as_str(), "size": number(size)});
                if let Some(backing) = backing {
                    line["backing"] = json!(backing.as_str());
                }
                if !opts.is_empty() {
                    line["opts"] = opts.iter().map(|(key, value)| (key.clone(), json!(value.to_string()))).collect();
                }
                line
            }
            Img::Write { img, pattern, offset, len } => json!({
                "t": "img", "cmd": "write", "img": img.as_str(), "pattern": pattern.to_string(),
                "offset": number(offset), "len": number(len)
            }),
            Img::Rebase { img, backing } => {
                json!({"t": "img", "cmd": "rebase", "img": img.as_str(), "backing": backing.as_str()})
            }
            Img::Remove { img } => json!({"t": "img", "cmd": "remove", "img": img.as_str()}),
            Img::Compare { a, b, .. } => json!({"t": "img", "cmd": "compare", "a": a.as_str(), "b": b.as_str()}),
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
        Verb::Hmp(hmp) => json!({"t": "hmp", "line": format!("qemu-io {} \"{}\"", hmp.drive, hmp.line)}),
        Verb::Shutdown => json!({"t": "cmd", "execute": "quit", "arguments": {}}),
        _ => return None,
    })
}

#[test]
fn stories_do_what_was_done_when_they_were_recorded() {
    for (name, _) in SHIPPED.iter().filter(|(name, _)| name.starts_with("iotest-124/")) {
        let story = shipped(name);
        let told: Vec<Value> = story.script.iter().filter_map(|item| done(&item.verb)).collect();
        let (file, lines) = recordings("7.2.22", &story.name).remove(0);
        let kinds = ["cmd", "img", "hmp", "launch"];
        let recorded: Vec<Value> =
            lines.into_iter().filter(|line| kinds.iter().any(|kind| line["t"] == *kind)).map(without_outcome).collect();
        for (told, recorded) in told.iter().zip(&recorded) {
            assert_eq!(told, recorded, "{file}");
        }
        assert_eq!(told.len(), recorded.len(), "{file}");
    }
}

/// A line of a recording without what came of it.
fn without_outcome(line: Value) -> Value {
    let Value::Object(line) = line else { panic!("a line is a mapping") };
    line.into_iter().filter(|(key, _)| !["result", "output", "machine"].contains(&key.as_str())).collect()
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
            let line = self.rest.pop_front().unwrap_or_else(|| panic!("the recording ends before a {kind} line"));
            if !self.receive(&line) {
                assert_eq!(line["t"], kind, "{line}");
                return line;
            }
        }
    }

    /// Puts an event to the others; says whether the line was one.
    fn receive(&mut self, line: &Value) -> bool {
        let (Some(event), Some(data)) = (line["event"].as_str(), line["data"].as_object()) else { return false };
        self.events.push((event.to_owned(), data.clone()));
        true
    }

    fn take(&mut self, event: &str, matching: &Map<String, Value>, skip: Option<Skip>) -> Map<String, Value> {
        let fits = |(name, data): &(String, Map<String, Value>)| name == event && mismatch_in(matching, data).is_none();
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
            let line = self.rest.pop_front().unwrap_or_else(|| panic!("the recording ends before {event}"));
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
                    Img::Compare { result: Some(result), .. } => result.name(),
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
                match &qmp.answer {
                    Answer::Return(expected) => {
                        let returned = reply.get("return").ok_or(format!("it failed: {reply}"))?;
                        expected.as_ref().map_or(Ok(()), |expected| same(expected, returned))
                    }
                    Answer::Error(error) => {
                        same(&json!(error.class.name()), &reply["error"]["class"])?;
                        error.desc.as_ref().map_or(Ok(()), |desc| same(&json!(desc), &reply["error"]["desc"]))
                    }
                }
            }
            Verb::Hmp(hmp) => {
                let line = self.expect("hmp");
                hmp.output.as_ref().map_or(Ok(()), |lines| same(&json!(lines), &line["output"]))
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
                    bitmaps.iter().try_for_each(|(name, state)| bitmap(&line["nodes"][node], name, state))
                })
            }
            Verb::Pending(count) => {
                let line = self.expect("pending");
                let unread = std::mem::take(&mut self.events).len();
                assert_eq!(json!(unread), line["count"], "this test and the recorder count alike");
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
    let entry = listed.as_array().and_then(|list| list.iter().find(|entry| entry["name"] == name));
    let entry = entry.and_then(Value::as_object).ok_or(format!("no bitmap {name} in {listed}"))?;
    state.mismatch(entry).map_or(Ok(()), Err)
}

/// The first expectation of the story that the recording does not meet.
fn contradiction(story: &Story, lines: Vec<Value>) -> Option<String> {
    let mut tape = Tape { rest: lines.into(), events: Vec::new() };
    for Item { line, verb } in &story.script {
        if let Err(what) = tape.play(verb) {
            return Some(format!("line {line}: {what}"));
        }
    }
    (!tape.rest.is_empty()).then(|| format!("the recording goes on: {}", tape.rest[0]))
}

#[test]
fn no_recording_contradicts_what_a_story_expects() {
    for (name, _) in SHIPPED.iter().filter(|(name, _)| name.starts_with("iotest-124/")) {
        let story = shipped(name);
        for (file, lines) in ["7.2.22", "10.0.2"].iter().flat_map(|qemu| recordings(qemu, &story.name)) {
            assert_eq!(contradiction(&story, lines), None, "{file}");
        }
    }
}

/// The test above can fail: each kind of expectation, made wrong, is contradicted.
#[test]
fn a_wrong_expectation_is_contradicted() {
    let cases = [
        ("test_incremental_pause", "len: 458752, offset: 458752", "len: 458752, offset: 458751"),
        ("test_incremental_pause", "action: stop", "action: report"),
        ("test_incremental_pause", "status: frozen", "status: active"),
        ("test_incremental_pause", "status: active", "status: disabled"),
        ("test_incremental_pause", "{count: 458752, granularity: 64k, busy: true", "{count: 448k, busy: false"),
        ("test_incremental_pause", "count: 458752", "count: 458751"),
        ("test_incremental_pause", "result: identical", "result: different"),
        ("test_incremental_failure", "data: {error: \"Input/output error\"}", "absent: [error]"),
        ("test_growing_before_backup", "wrote 65536/65536", "wrote 65535/65536"),
        ("test_growing_before_backup", "reply: []", "reply: [{}]"),
        ("test_transaction_failure", "pending: 0", "pending: 1"),
        ("test_sync_dirty_bitmap_missing", "class: GenericError", "class: DeviceNotFound"),
        ("test_sync_dirty_bitmap_missing", "sync mode", "sync"),
        ("test_sync_dirty_bitmap_not_found", "    error: {class: GenericError, desc:", "    #"),
    ];
    for (name, right, wrong) in cases {
        let (_, text) = SHIPPED.iter().find(|(whole, _)| whole.ends_with(&format!("/{name}"))).expect("a story");
        assert!(text.contains(right), "{name} says no longer: {right}");
        let story = load::parse("wrong.yaml", &text.replacen(right, wrong, 1)).unwrap_or_else(|e| panic!("{e}"));
        let (_, lines) = recordings("7.2.22", name).remove(0);
        assert!(contradiction(&story, lines).is_some(), "{name}: nobody notices {wrong}");
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
    format!("title: A test\nscript:\n  - launch: {{drives: [{{id: drive0, file: $DIR/a.qcow2, node: node0}}]}}\n{script}")
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
    ]), @"");
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
    ]), @"");
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
    ]), @"");
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
        "  - shutdown: {}\n  - pending: 0\n",
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
    insta::assert_snapshot!(messages(&texts.iter().map(String::as_str).collect::<Vec<_>>()), @"");
}
