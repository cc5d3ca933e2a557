//! Plays a story with a real QEMU, and records what it says.
//!
//! The rule of reading is the one of the model's client: the socket is read when a reply or an event is needed, and at
//! no other time. Guests are played by qemu-io lines of the human monitor, at moments that the number of the run
//! decides: they are in the recording as what they are.

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use model::error::{ErrorClass, QmpError};
use model::event::Reply;
use scenarios::client::unexpected;
use scenarios::format::{self, Story};
use scenarios::line::Line;
use scenarios::script::{Act, Expected, Kind, Script, Sent, Shown, skips};
use serde_json::{Map, Value, json};
use sim::seed::Randomness;

use super::binary::Binary;
use super::images::Images;
use super::monitor::{Heard, Monitor};
use super::process::{Machine, Process};
use super::recorder::Recorder;

/// How long a QEMU may be silent.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Before a reply: then it hangs.
    pub reply: Duration,
    /// Before an awaited event: then it does not come. A story's `wait` may have a limit of its own.
    pub event: Duration,
    /// Before the process ends, after `quit`: then it is killed.
    pub exit: Duration,
}

impl Limits {
    /// What the shipped recordings were made with.
    pub const USUAL: Limits = Limits {
        reply: Duration::from_secs(10),
        event: Duration::from_secs(8),
        exit: Duration::from_secs(10),
    };
}

/// What came of a run.
#[derive(Debug)]
pub struct Played {
    /// The recording, without its header.
    pub lines: Vec<Value>,
    /// Which of these lines are requests of guests: nobody who reads the socket sees them.
    pub of_guests: BTreeSet<usize>,
    /// The first expectation of the story that was not met: its line, and a sentence.
    pub unexpected: Option<(u32, String)>,
    /// Messages that no release known here sends; they are not in the recording.
    pub unknown: BTreeSet<String>,
    /// What QEMU wrote on its standard error output.
    pub complaints: String,
}

/// Plays a story once. `run` decides when guests send what they send.
///
/// # Errors
/// What to print: a tool is missing, a folder cannot be written to. What QEMU does is never an error here.
pub fn play(
    binary: &Binary,
    (story, script): (&Story, &Script),
    folder: &Path,
    run: u64,
    (limits, stop): (Limits, &dyn Fn() -> bool),
) -> Result<Played, String> {
    let mut player = Player {
        binary,
        story,
        folder,
        images: Images::new(binary, folder),
        recorder: Recorder::new(super::text(folder)),
        qemu: None,
        received: Vec::new(),
        killed: false,
        guests: Vec::new(),
        rng: Randomness::new(run),
        played: Played {
            lines: Vec::new(),
            of_guests: BTreeSet::new(),
            unexpected: None,
            unknown: BTreeSet::new(),
            complaints: String::new(),
        },
        limits,
        stop,
        lines: 0,
    };
    for act in &script.acts {
        let between = player.guests_go_on(act)?;
        if between == Flow::End || player.act(act)? == Flow::End {
            break;
        }
    }
    player.finish()
}

/// Whether the story goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    End,
}

struct Player<'a> {
    binary: &'a Binary,
    story: &'a Story,
    folder: &'a Path,
    images: Images<'a>,
    recorder: Recorder,
    qemu: Option<(Process, Monitor)>,
    /// Events that were read and that no wait has taken.
    received: Vec<Value>,
    /// The script has killed QEMU.
    killed: bool,
    /// Guests at work: the name, the drive, and the requests that are left.
    guests: Vec<(String, String, VecDeque<format::Request>)>,
    rng: Randomness,
    played: Played,
    limits: Limits,
    stop: &'a dyn Fn() -> bool,
    /// How many lines were taken down.
    lines: usize,
}

/// At most so many requests of guests between two acts of the script.
const REQUESTS_AT_ONCE: u32 = 2;
/// How often silence is waited for anew because QEMU is not at rest: a machine with other work lets it wait for a
/// processor.
const BUSY_AT_MOST: u32 = 40;

/// The releases known here send these events; the others are of no interest to a backup.
const EVENTS: [&str; 8] = [
    "JOB_STATUS_CHANGE",
    "BLOCK_JOB_COMPLETED",
    "BLOCK_JOB_CANCELLED",
    "BLOCK_JOB_ERROR",
    "BLOCK_JOB_READY",
    "BLOCK_JOB_PENDING",
    "BLOCK_IO_ERROR",
    "SHUTDOWN",
];

/// The fields of those events.
const FIELDS: [&str; 16] = [
    "id",
    "status",
    "device",
    "len",
    "offset",
    "speed",
    "type",
    "error",
    "operation",
    "action",
    "guest",
    "reason",
    "nospace",
    "node-name",
    "qom-path",
    "limit",
];

impl Player<'_> {
    fn act(&mut self, act: &Act) -> Result<Flow, String> {
        if (self.stop)() {
            return Ok(Flow::End);
        }
        Ok(match &act.kind {
            Kind::Img {
                shown, expected, ..
            } => self.image(act, shown, expected.as_ref())?,
            Kind::Launch { shown, .. } => self.launch(act, shown)?,
            Kind::Ask { sent, expected } => self.ask(act, sent, Some(expected)),
            Kind::Send(sent) => self.send(act, sent),
            Kind::Wait(wait) => self.wait(act, wait),
            Kind::Pending(expected) => self.pending(act, *expected),
            Kind::Forget => {
                self.received.clear();
                Flow::On
            }
            Kind::Settle { ms, until } => self.settle(*ms, until.as_ref()),
            Kind::Sleep(ms) => {
                thread::sleep(Duration::from_millis(*ms));
                self.take("slept", json!({"ms": ms}));
                Flow::On
            }
            Kind::Start(_) => {
                self.guests_begin(act.line);
                Flow::On
            }
            // What is left was sent before this act.
            Kind::Join(_) => Flow::On,
            Kind::Kill => self.kill(),
            Kind::ReadToExit => self.read_to_exit(),
            Kind::Offer(_) | Kind::Read | Kind::GiveUp(_) | Kind::ReadReply | Kind::Take(_) => {
                return Err("internal: a recording cannot be played".into());
            }
        })
    }

    fn take(&mut self, kind: &str, fields: Value) -> &Value {
        self.lines += 1;
        self.recorder.take(kind, fields)
    }

    fn fail(&mut self, act: &Act, what: impl Into<String>) -> Flow {
        self.played
            .unexpected
            .get_or_insert((act.line, what.into()));
        Flow::End
    }

    /// Ends QEMU if the story did not, and puts everything together.
    fn finish(mut self) -> Result<Played, String> {
        if self.qemu.is_some() && !(self.stop)() && self.played.unexpected.is_none() {
            self.take("cmd", json!({"execute": "quit", "arguments": {}}));
            if let Some((_, monitor)) = &mut self.qemu {
                monitor.send(&json!({"execute": "quit"}));
            }
            self.read_to_exit();
        }
        if let Some((process, _)) = &self.qemu {
            self.played.complaints += &process.complaints();
        }
        self.played.lines = self.recorder.into_lines();
        Ok(self.played)
    }

    // ---- images and launching

    fn image(
        &mut self,
        act: &Act,
        shown: &Value,
        expected: Option<&Value>,
    ) -> Result<Flow, String> {
        let result = self.images.run(shown)?;
        let mut line = shown.clone();
        line["result"] = result.clone();
        self.take("img", line);
        Ok(match expected {
            Some(expected) if result != *expected => {
                let word = shown["cmd"].as_str().unwrap_or_default();
                self.fail(act, format!("img {word}: {result}"))
            }
            _ => Flow::On,
        })
    }

    fn launch(&mut self, act: &Act, shown: &Value) -> Result<Flow, String> {
        let drives = shown["drives"].as_array().into_iter().flatten();
        let mut arguments = Vec::new();
        for drive in drives.clone() {
            arguments.extend(["-drive".into(), self.drive_argument(drive)]);
        }
        let further = shown["args"].as_array().into_iter().flatten();
        arguments.extend(
            further
                .filter_map(Value::as_str)
                .map(|text| self.in_folder(text)),
        );
        let has_device = arguments.iter().any(|argument| argument == "-device");
        let machine = if has_device || drives.clone().any(|drive| drive.get("if").is_some()) {
            Machine::Pc
        } else {
            Machine::None
        };
        let socket = self.folder.join("qmp");
        let _ = std::fs::remove_file(&socket);
        let mut process = Process::start(self.binary, self.folder, &socket, machine, &arguments)?;
        Ok(match Monitor::connect(&socket, &mut process) {
            Ok(monitor) => {
                let mut line = shown.clone();
                line["machine"] = json!(machine.name());
                self.take("launch", line);
                self.qemu = Some((process, monitor));
                Flow::On
            }
            Err(why) => {
                self.played.complaints += &process.complaints();
                let why = self.recorder.symbolic(json!(why));
                self.fail(
                    act,
                    format!("QEMU does not start: {}", why.as_str().unwrap_or_default()),
                )
            }
        })
    }

    /// `if=none,id=…,…`: the image format's node over the file, with the layer of faults between if there is one.
    fn drive_argument(&self, drive: &Value) -> String {
        let text = |key: &str| drive[key].as_str();
        let image = text("file").unwrap_or_default();
        let file = self.images.path(image).replace(',', ",,");
        let mut options = vec![
            format!("if={}", text("if").unwrap_or("none")),
            format!("id={}", text("id").unwrap_or_default()),
            format!("driver={}", self.images.format(image)),
        ];
        options.extend(text("node").map(|node| format!("node-name={node}")));
        match drive.get("blkdebug") {
            None => options.push(format!("file.driver=file,file.filename={file}")),
            Some(rules) => {
                options.push("file.driver=blkdebug".into());
                options.push(format!("file.image.driver=file,file.image.filename={file}"));
                flatten("file", rules, &mut options);
            }
        }
        options.join(",")
    }

    /// `$DIR` becomes the folder.
    fn in_folder(&self, text: &str) -> String {
        text.replace("$DIR", &super::text(self.folder))
    }

    fn in_folder_all(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => json!(self.in_folder(text)),
            Value::Array(items) => items.iter().map(|item| self.in_folder_all(item)).collect(),
            Value::Object(fields) => fields
                .iter()
                .map(|(key, value)| (key.clone(), self.in_folder_all(value)))
                .collect(),
            other => other.clone(),
        }
    }

    // ---- asking

    fn ask(&mut self, act: &Act, sent: &Sent, expected: Option<&Expected>) -> Flow {
        let Some(reply) = self.reply(sent) else {
            return self.no_answer(act, &sent.word);
        };
        let line = match &sent.shown {
            Shown::Cmd(_) => self.take("reply", reply).clone(),
            Shown::Hmp(line) => {
                let output = self.printed(&reply);
                self.take("hmp", json!({"line": &**line, "output": output}))
                    .clone()
            }
            Shown::Bitmaps => {
                let nodes = bitmaps_of(&reply);
                self.take("bitmaps", json!({"nodes": nodes})).clone()
            }
        };
        let differs = expected.and_then(|expected| {
            unexpected(expected, &as_line(&line), &|node, name| {
                status_of(&line["nodes"][node], name)
            })
        });
        match differs {
            Some(what) => self.fail(act, format!("{}: {what}", sent.word)),
            None => Flow::On,
        }
    }

    /// A command whose reply nobody waits for.
    fn send(&mut self, act: &Act, sent: &Sent) -> Flow {
        if self.write(sent) {
            Flow::On
        } else {
            self.no_answer(act, &sent.word)
        }
    }

    fn write(&mut self, sent: &Sent) -> bool {
        let command = match &sent.shown {
            Shown::Cmd(shown) => {
                self.take("cmd", (**shown).clone());
                self.note_target_formats(shown);
                self.in_folder_all(shown)
            }
            Shown::Hmp(line) => human(line),
            Shown::Bitmaps => json!({"execute": "query-named-block-nodes"}),
        };
        let Some((process, monitor)) = &mut self.qemu else {
            return false;
        };
        process.take_printed();
        monitor.send(&command);
        true
    }

    /// `drive-backup` makes its target in a format that later commands on the file must know.
    fn note_target_formats(&mut self, command: &Value) {
        match command {
            Value::Object(fields) => {
                let text = |key: &str| fields.get(key).and_then(Value::as_str);
                if let (Some(target), Some(format)) = (text("target"), text("format")) {
                    self.images.set_format(target, format);
                }
                fields
                    .values()
                    .for_each(|value| self.note_target_formats(value));
            }
            Value::Array(items) => items.iter().for_each(|item| self.note_target_formats(item)),
            _ => {}
        }
    }

    /// Sends a command and reads up to its reply; nothing if there is none.
    fn reply(&mut self, sent: &Sent) -> Option<Value> {
        if !self.write(sent) {
            return None;
        }
        let until = Instant::now() + self.limits.reply;
        loop {
            match self.hear(until.saturating_duration_since(Instant::now())) {
                Heard::Message(message) if self.is_reply(&message) => {
                    return Some(without_id(message));
                }
                Heard::Message(event) => self.event(event),
                Heard::Silence => {
                    if !(self.stop)() {
                        self.take("hang", json!({}));
                    }
                    return None;
                }
                Heard::Gone => {
                    self.exited();
                    return None;
                }
            }
        }
    }

    fn no_answer(&mut self, act: &Act, word: &str) -> Flow {
        match &self.qemu {
            None => self.fail(act, format!("{word}: QEMU is not running")),
            Some(_) => self.fail(act, format!("{word}: QEMU hangs: no reply")),
        }
    }

    /// What a qemu-io line printed, without the line about time.
    fn printed(&mut self, reply: &Value) -> Vec<String> {
        let answered = reply["return"].as_str().unwrap_or_default().to_owned();
        let mut lines = match &mut self.qemu {
            Some((process, _)) => process.take_printed(),
            None => Vec::new(),
        };
        lines.extend(answered.lines().map(str::to_owned));
        lines.retain(|line| !line.contains(" ops; ") && !line.starts_with("Formatting '"));
        lines
    }

    // ---- reading

    fn hear(&mut self, at_most: Duration) -> Heard {
        match &mut self.qemu {
            Some((_, monitor)) => monitor.hear(at_most, self.stop),
            None => Heard::Gone,
        }
    }

    fn is_reply(&self, message: &Value) -> bool {
        let monitor = self.qemu.as_ref().map(|(_, monitor)| monitor);
        monitor.is_some_and(|monitor| monitor.is_reply(message))
    }

    /// Takes an event down; one that nobody knows is noted and left out.
    fn event(&mut self, mut message: Value) {
        let Some(name) = message["event"].as_str().map(str::to_owned) else {
            self.played.unknown.insert(message.to_string());
            return;
        };
        if !EVENTS.contains(&&*name) {
            self.played.unknown.insert(name);
            return;
        }
        let mut data = message["data"].take();
        if data.is_null() {
            data = json!({});
        }
        if self.binary.is_guess
            && let Value::Object(fields) = &mut data
        {
            let unknown: Vec<String> = fields
                .keys()
                .filter(|key| !FIELDS.contains(&key.as_str()))
                .cloned()
                .collect();
            for key in unknown {
                fields.remove(&key);
                self.played.unknown.insert(format!("{name}.{key}"));
            }
        }
        let line = self
            .take("event", json!({"event": name, "data": data}))
            .clone();
        self.received.push(line);
    }

    /// The connection is closed: the process ends.
    fn exited(&mut self) -> Option<i32> {
        let (mut process, _) = self.qemu.take()?;
        let code = process.wait(self.limits.exit);
        self.played.complaints += &process.complaints();
        self.take("exit", json!({"code": code}));
        Some(code)
    }

    fn wait(&mut self, act: &Act, wait: &format::Wait) -> Flow {
        let limit = wait.timeout.map_or(self.limits.event, Duration::from_secs);
        let until = Instant::now() + limit;
        loop {
            let mut received = self.received.iter();
            let awaited = received.position(|event| fits(event, &wait.event, &wait.matching));
            if let Some(at) = awaited {
                return self.take_event(act, wait, at);
            }
            match self.hear(until.saturating_duration_since(Instant::now())) {
                Heard::Message(message) => self.event(message),
                Heard::Silence => {
                    if !(self.stop)() {
                        let matching = Value::Object(wait.matching.clone());
                        self.take("timeout", json!({"event": wait.event, "match": matching}));
                    }
                    return self.fail(act, format!("the event {} does not come", wait.event));
                }
                Heard::Gone => {
                    let code = self.exited().unwrap_or_default();
                    let what = format!("QEMU died (exit {code}) instead of {}", wait.event);
                    return self.fail(act, what);
                }
            }
        }
    }

    fn take_event(&mut self, act: &Act, wait: &format::Wait, at: usize) -> Flow {
        let event = self.received.remove(at);
        let mut index = 0;
        self.received.retain(|other| {
            index += 1;
            index > at
                || !skips(
                    wait.skip,
                    &wait.event,
                    other["event"].as_str().unwrap_or_default(),
                )
        });
        let empty = Map::new();
        let data = event["data"].as_object().unwrap_or(&empty);
        if let Some(key) = wait.absent.iter().find(|key| data.contains_key(*key)) {
            let what = format!("{}: it has the key {key}: {}", wait.event, event["data"]);
            return self.fail(act, what);
        }
        match format::mismatch_in(&wait.data, data) {
            Some(differs) => self.fail(act, format!("{}: {differs}", wait.event)),
            None => Flow::On,
        }
    }

    fn pending(&mut self, act: &Act, expected: Option<u64>) -> Flow {
        let count = self.received.len() as u64;
        self.take("pending", json!({"count": count}));
        let names: Vec<String> = self
            .received
            .drain(..)
            .map(|event| event["event"].to_string())
            .collect();
        if expected.is_some_and(|expected| expected != count) {
            let what = format!(
                "{count} events that nobody waited for: {}",
                names.join(", ")
            );
            return self.fail(act, what);
        }
        Flow::On
    }

    fn settle(&mut self, ms: u64, until: Option<&format::Until>) -> Flow {
        let mut patience = BUSY_AT_MOST;
        loop {
            let awaited = until.and_then(|until| {
                let mut received = self.received.iter();
                received.position(|event| fits(event, &until.event, &until.matching))
            });
            if let Some(at) = awaited {
                self.received.remove(at);
                return Flow::On;
            }
            match self.hear(Duration::from_millis(ms)) {
                Heard::Message(message) => self.event(message),
                Heard::Silence if patience > 0 && self.is_busy() => patience -= 1,
                Heard::Silence => {
                    self.take("settled", json!({"ms": ms}));
                    return Flow::On;
                }
                Heard::Gone => {
                    self.exited();
                    return Flow::End;
                }
            }
        }
    }

    fn is_busy(&self) -> bool {
        let qemu = self.qemu.as_ref();
        qemu.is_some_and(|(process, _)| process.is_busy())
    }

    /// Kills QEMU; what it had sent before can still be read. Its guests go with it.
    fn kill(&mut self) -> Flow {
        self.guests.clear();
        self.killed = true;
        if let Some((process, _)) = &mut self.qemu {
            process.kill();
        }
        Flow::On
    }

    fn read_to_exit(&mut self) -> Flow {
        let until = Instant::now() + self.limits.exit;
        loop {
            match self.hear(until.saturating_duration_since(Instant::now())) {
                Heard::Message(message) if self.is_reply(&message) => {
                    self.take("reply", without_id(message));
                }
                Heard::Message(message) => self.event(message),
                Heard::Silence => {
                    if !(self.stop)() {
                        self.take("hang", json!({}));
                    }
                    return Flow::End;
                }
                Heard::Gone => {
                    let killed = std::mem::take(&mut self.killed);
                    return match self.exited() {
                        Some(0) => Flow::On,
                        Some(_) if killed => Flow::On,
                        _ => Flow::End,
                    };
                }
            }
        }
    }

    // ---- guests

    fn guests_begin(&mut self, line: u32) {
        let item = self.story.script.iter().find(|item| item.line == line);
        let Some(format::Verb::Guests(format::Guests::Start(names))) = item.map(|item| &item.verb)
        else {
            return;
        };
        for name in names {
            if let Some(guest) = self.story.guests.get(name) {
                let requests = guest.requests.iter().cloned().collect();
                self.guests
                    .push((name.clone(), guest.drive.clone(), requests));
            }
        }
    }

    /// Guests send some of what they have to send: all of it if the script waits for them, or if QEMU is to end.
    fn guests_go_on(&mut self, act: &Act) -> Result<Flow, String> {
        let all = matches!(act.kind, Kind::Join(_) | Kind::Send(_));
        let mut count = if all {
            u64::MAX
        } else {
            u64::from(self.rng.below(REQUESTS_AT_ONCE + 1))
        };
        while count > 0 && self.qemu.is_some() {
            self.guests.retain(|(_, _, requests)| !requests.is_empty());
            if self.guests.is_empty() {
                break;
            }
            let chosen = self.rng.below_u64(self.guests.len() as u64) as usize;
            let (_, drive, requests) = &mut self.guests[chosen];
            let Some(request) = requests.pop_front() else {
                break;
            };
            let line = request.to_string();
            let sent =
                scenarios::script::hmp_sent(drive, &line, &format::HmpCommand::Request(request))?;
            let before = self.lines;
            if self.ask(act, &sent, None) == Flow::End {
                return Ok(Flow::End);
            }
            debug_assert!(self.lines > before);
            self.played.of_guests.insert(self.lines - 1);
            count -= 1;
        }
        Ok(Flow::On)
    }
}

/// `file.inject-error.0.event=…` and so on, as QEMU's command line wants a tree of options.
fn flatten(path: &str, value: &Value, options: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                flatten(&format!("{path}.{key}"), value, options);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                flatten(&format!("{path}.{index}"), value, options);
            }
        }
        Value::Bool(on) => options.push(format!("{path}={}", if *on { "on" } else { "off" })),
        Value::String(text) => options.push(format!("{path}={text}")),
        other => options.push(format!("{path}={other}")),
    }
}

/// A line for the human monitor. An asynchronous write is told to be quiet: nobody knows when it would speak.
fn human(line: &str) -> Value {
    let line = line.replacen("\"aio_write ", "\"aio_write -q ", 1);
    json!({"execute": "human-monitor-command", "arguments": {"command-line": line}})
}

fn without_id(mut message: Value) -> Value {
    if let Value::Object(fields) = &mut message {
        fields.shift_remove("id");
    }
    message
}

fn fits(event: &Value, name: &str, matching: &Map<String, Value>) -> bool {
    let empty = Map::new();
    let data = event["data"].as_object().unwrap_or(&empty);
    event["event"] == *name && format::mismatch_in(matching, data).is_none()
}

/// The dirty bitmaps of every node that has some, in the order in which QEMU lists the nodes.
fn bitmaps_of(reply: &Value) -> Value {
    let nodes = reply["return"].as_array().into_iter().flatten();
    let mut listed = Map::new();
    for node in nodes {
        let bitmaps = node["dirty-bitmaps"].as_array();
        if let (Some(name), Some(bitmaps)) = (node["node-name"].as_str(), bitmaps)
            && !bitmaps.is_empty()
        {
            listed.insert(name.into(), bitmaps.iter().cloned().collect());
        }
    }
    Value::Object(listed)
}

/// The one word of before QEMU 6.0 for a bitmap that is listed: what its flags leave of it.
fn status_of(listed: &Value, name: &str) -> Option<&'static str> {
    let mut entries = listed.as_array()?.iter();
    let found = entries.find(|entry| entry["name"] == name)?;
    let is = |key: &str| found[key] == json!(true);
    Some(match (is("inconsistent"), is("busy"), is("recording")) {
        (true, _, _) => "inconsistent",
        (_, true, _) => "frozen",
        (_, _, true) => "active",
        _ => "disabled",
    })
}

/// A recorded line as the model's client would have it, to be held against an expectation.
fn as_line(line: &Value) -> Line {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match text(&line["t"]).as_str() {
        "bitmaps" => Line::Bitmaps(line["nodes"].clone()),
        "hmp" => Line::Hmp {
            line: text(&line["line"]).as_str().into(),
            output: line["output"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|line| text(line).into())
                .collect(),
        },
        _ => Line::Reply {
            reply: match line.get("error") {
                Some(error) => Reply::Error(QmpError::new(
                    class_of(&text(&error["class"])),
                    text(&error["desc"]),
                )),
                None => Reply::Return(line["return"].clone()),
            },
            whole: true,
        },
    }
}

fn class_of(name: &str) -> ErrorClass {
    let known = [
        ErrorClass::CommandNotFound,
        ErrorClass::DeviceNotActive,
        ErrorClass::DeviceNotFound,
    ];
    let mut known = known.into_iter();
    known
        .find(|class| class.to_string() == name)
        .unwrap_or(ErrorClass::GenericError)
}
