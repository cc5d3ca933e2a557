//! Logs of others: whatever the style, a log says the messages that were sent, and none is too damaged to be read.

use proptest::prelude::*;
use scenarios::conform::{Verdict, WORLDS_MAX};
use scenarios::log::{self, Message, Question, Said, Style};
use scenarios::recording::Recording;
use serde_json::{Value, json};

const STYLES: [Style; 3] = [Style::Libvirt, Style::Qmp, Style::Iotest];

// ---- writing logs as others do

/// A message as the object that crosses the socket.
fn object(message: &Message) -> Value {
    let mut object = match &message.said {
        Said::Greeting(version) => {
            let numbers = version.as_deref().unwrap_or("1.2.3").split('.');
            let numbers: Vec<u64> = numbers.map(|number| number.parse().unwrap()).collect();
            let qemu = json!({"major": numbers[0], "minor": numbers[1], "micro": numbers[2]});
            return json!({"QMP": {"version": {"qemu": qemu, "package": ""}, "capabilities": []}});
        }
        Said::Command { execute, arguments } => {
            json!({"execute": execute, "arguments": arguments})
        }
        Said::Reply(reply) => reply.clone(),
        Said::Event { event, data } => {
            let timestamp = json!({"seconds": 1, "microseconds": 2});
            json!({"timestamp": timestamp, "event": event, "data": data})
        }
        other => panic!("no object on the wire: {other:?}"),
    };
    if let Some(id) = &message.id {
        object["id"] = id.clone();
    }
    object
}

fn written(style: Style, messages: &[Message]) -> String {
    let mut text = String::new();
    for (index, message) in messages.iter().enumerate() {
        let object = object(message);
        text += &match style {
            Style::Libvirt => libvirt(index, message, &object),
            Style::Qmp if index % 3 == 0 => format!("(QEMU) {object}\n"),
            Style::Qmp => format!("DEBUG:qmp:--> {object:#}\n"),
            Style::Iotest if index % 2 == 0 => format!("{object:#}\n\n=== Next ===\n"),
            Style::Iotest => format!("{object}\n"),
        };
    }
    text
}

fn libvirt(index: usize, message: &Message, object: &Value) -> String {
    let at = format!("2026-11-22 07:00:00.{:03}+0000: 42: info : ", index % 1000);
    let mon = "mon=0x7f00";
    match &message.said {
        Said::Greeting(_) => format!("{at}qemuMonitorJSONIOProcessLine:1 : Line [{object}]\n"),
        Said::Command { .. } => format!(
            "{at}qemuMonitorSend:1 : QEMU_MONITOR_SEND_MSG: {mon} msg={object}\r\n fd=-1\n\
             {at}qemuMonitorIOWrite:1 : QEMU_MONITOR_IO_WRITE: {mon} buf={object}\r\n len=1 ret=1 errno=0\n"
        ),
        Said::Event { .. } => format!("{at}x:1 : QEMU_MONITOR_RECV_EVENT: {mon} event={object}\n"),
        _ => format!("{at}x:1 : QEMU_MONITOR_RECV_REPLY: {mon} reply={object}\n"),
    }
}

/// What of a message a log says: all but its line.
fn said(messages: &[Message]) -> Vec<(Said, Option<Value>)> {
    let said = messages.iter();
    said.map(|message| (message.said.clone(), message.id.clone()))
        .collect()
}

fn assert_same(style: Style, messages: &[Message]) {
    let text = written(style, messages);
    let reading = log::read(style, &text);
    let read: Vec<Message> = reading
        .monitors
        .iter()
        .flat_map(|monitor| monitor.messages.clone())
        .collect();
    assert_eq!(said(&read), said(messages), "{style:?}:\n{text}");
    let lines: Vec<u32> = read.iter().map(|message| message.line).collect();
    assert!(lines.is_sorted(), "{style:?}: {lines:?}");
    for message in &read {
        let line = text.lines().nth(message.line as usize - 1).unwrap();
        assert!(
            line.contains('{'),
            "{style:?}: line {} is {line}",
            message.line
        );
    }
}

// ---- recordings as logs

fn recordings() -> Vec<Recording> {
    let root = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("recordings");
    let mut paths = Vec::new();
    for version in ["7.2.22", "10.0.2"] {
        let entries = std::fs::read_dir(root.join(version)).unwrap();
        paths.extend(entries.map(|entry| entry.unwrap().path()));
    }
    // Those of iotest 124 have everything that a client of libvirt's kind does.
    paths.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("test_") && name.ends_with(".jsonl")
    });
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        Recording::parse(&path.to_string_lossy(), &text).unwrap()
    };
    paths.iter().map(read).collect()
}

/// The messages of a recording, as they crossed the socket.
fn messages(recording: &Recording) -> Vec<Message> {
    let mut messages = vec![(Said::Greeting(Some(recording.version.clone())), None)];
    let (mut number, command) = (0, |execute: &Value, arguments: &Value| Said::Command {
        execute: execute.as_str().unwrap().to_owned(),
        arguments: arguments.clone(),
    });
    for (_, line) in &recording.lines {
        let id = |number: u32| Some(json!(format!("libvirt-{number}")));
        match line["t"].as_str().unwrap() {
            "cmd" => {
                number += 1;
                messages.push((command(&line["execute"], &line["arguments"]), id(number)));
            }
            "reply" => {
                let mut reply = line.clone();
                reply.as_object_mut().unwrap().remove("t");
                let mut with_id = reply.clone();
                with_id["id"] = id(number).unwrap();
                messages.push((Said::Reply(with_id), id(number)));
            }
            "event" => {
                let event = line["event"].as_str().unwrap().to_owned();
                let data = line["data"].clone();
                messages.push((Said::Event { event, data }, None));
            }
            "hmp" => {
                number += 1;
                let arguments = json!({"command-line": line["line"]});
                messages.push((
                    command(&json!("human-monitor-command"), &arguments),
                    id(number),
                ));
                let lines: Vec<&str> = line["output"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .flat_map(Value::as_str)
                    .collect();
                let reply = json!({"return": lines.join("\r\n"), "id": id(number)});
                messages.push((Said::Reply(reply), id(number)));
            }
            _ => {}
        }
    }
    let message = |(said, id)| Message { line: 1, said, id };
    messages.into_iter().map(message).collect()
}

#[test]
fn recordings_are_the_same_messages_in_every_style() {
    let recordings = recordings();
    assert!(!recordings.is_empty());
    for recording in &recordings {
        for style in STYLES {
            assert_same(style, &messages(recording));
        }
    }
}

/// A client's log says nothing of the images, and yet the model allows it.
#[test]
fn recordings_are_accepted_as_logs_without_a_header() {
    let mut refused = Vec::new();
    let started = std::time::Instant::now();
    for recording in recordings() {
        for style in STYLES {
            let text = written(style, &messages(&recording));
            let reading = log::read(style, &text);
            let question = Question {
                file: &recording.file,
                style,
                given: None,
                dialect: None,
                worlds_max: WORLDS_MAX,
            };
            for checked in log::check(&reading, &question).unwrap() {
                let best = checked.tried.first();
                if !best.is_some_and(|best| matches!(best.verdict, Verdict::Accepted { .. })) {
                    refused.push(format!(
                        "{} {style:?}: {best:#?} {:#?}",
                        recording.file, checked.assumed
                    ));
                }
            }
        }
    }
    println!("{:?}", started.elapsed());
    assert!(
        refused.is_empty(),
        "{} refused: {}",
        refused.len(),
        refused.join("\n")
    );
}

// ---- any messages, any damage

fn json_data() -> impl Strategy<Value = Value> {
    let text = proptest::string::string_regex("[a-z'\"{}:\\\\ \n,\u{e9}-]{0,8}").unwrap();
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let key = "[a-z-]{1,6}";
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(key, inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

fn fields() -> impl Strategy<Value = Value> {
    proptest::collection::btree_map("[a-z-]{1,6}", json_data(), 0..4).prop_map(|map| json!(map))
}

fn any_messages() -> impl Strategy<Value = Vec<Message>> {
    let one = prop_oneof![
        ("[a-z-]{1,9}", fields())
            .prop_map(|(execute, arguments)| Said::Command { execute, arguments }),
        json_data().prop_map(|value| Said::Reply(json!({"return": value}))),
        ("[A-Z_]{1,9}", fields()).prop_map(|(event, data)| Said::Event { event, data }),
    ];
    proptest::collection::vec(one, 1..20).prop_map(|all| {
        let numbered = all.into_iter().enumerate().map(|(index, mut said)| {
            // An event has no id; a command and its reply have one.
            let id =
                (!matches!(said, Said::Event { .. })).then(|| json!(format!("libvirt-{index}")));
            if let (Said::Reply(reply), Some(id)) = (&mut said, &id) {
                reply["id"] = id.clone();
            }
            Message { line: 1, said, id }
        });
        numbered.collect()
    })
}

/// The logs of the data folder, with their styles.
fn logs() -> Vec<(Style, String)> {
    let root = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/data/logs");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let style = match name.split('-').next().unwrap() {
            "libvirt" => Style::Libvirt,
            "iotest" => Style::Iotest,
            "client" | "qmp" => Style::Qmp,
            _ => continue,
        };
        found.push((name, style, std::fs::read_to_string(&path).unwrap()));
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    let found: Vec<_> = found
        .into_iter()
        .map(|(_, style, text)| (style, text))
        .collect();
    assert!(!found.is_empty());
    found
}

const GARBAGE: [&str; 8] = [
    "{",
    "}]",
    "{\"return\": ",
    "x QEMU_MONITOR_SEND_MSG: mon=0x1 msg={\"execute\":\"query-jobs\"}",
    "QEMU_MONITOR_RECV_REPLY: mon= reply={}",
    "{\"return\": {}}",
    "{\"execute\": \"blockdev-backup\", \"arguments\": {\"device\": 7, \"bitmap\": [], \"sync\": \"full\"}}",
    "{'event': 'BLOCK_JOB_COMPLETED', 'data': {'device': XXX, 'len': None}}",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_messages_are_the_same_in_every_style(messages in any_messages()) {
        for style in STYLES {
            assert_same(style, &messages);
        }
    }

    /// Lines lost and lines put in: there is an answer, whatever it is.
    #[test]
    fn a_damaged_log_is_read_and_judged(
        which in any::<prop::sample::Index>(),
        lost in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
        put_in in proptest::collection::vec((any::<prop::sample::Index>(), 0..GARBAGE.len()), 0..5),
        as_another in proptest::option::weighted(0.1, 0..3_usize),
    ) {
        let logs = logs();
        let (style, text) = &logs[which.index(logs.len())];
        let mut lines: Vec<&str> = text.lines().collect();
        for at in lost {
            lines.remove(at.index(lines.len()));
        }
        for (at, garbage) in put_in {
            lines.insert(at.index(lines.len()), GARBAGE[garbage]);
        }
        let style = as_another.map_or(*style, |other| STYLES[other]);
        let reading = log::read(style, &lines.join("\n"));
        let question = Question { file: "damaged", style, given: None, dialect: None, worlds_max: WORLDS_MAX };
        log::check(&reading, &question).unwrap();
    }
}
