//! From messages to a recording: what is left out, what is put in, what is masked. Arguments are in `arguments`.
//!
//! - Commands, events and jobs of other parts of QEMU, or from before the first line, are left out and counted.
//! - What must have been there is put in before: images, the launch, bitmaps, a guest's writes before a backup that
//!   had something to copy.
//! - Without a header, what depends on contents is masked: it matches anything.

use std::collections::{BTreeMap, BTreeSet};

use model::dialect::QEMU_10_0;
use model::qmp;
use serde_json::{Map, Value, json};

use super::infer::{self, Asked, Facts, bitmaps_in, end_of, is_backup, job_of};
use super::{Message, Question, Said};

mod arguments;

use arguments::file_of;

/// The events that the model knows.
const EVENTS: [&str; 6] = [
    "JOB_STATUS_CHANGE",
    "BLOCK_JOB_COMPLETED",
    "BLOCK_JOB_CANCELLED",
    "BLOCK_JOB_ERROR",
    "BLOCK_JOB_PENDING",
    "SHUTDOWN",
];

/// Fields that depend on what images hold and guests write.
const OF_CONTENTS: [&str; 7] = [
    "len",
    "offset",
    "count",
    "busy",
    "current-progress",
    "total-progress",
    "io-status",
];

/// A session as a recording, but for its header.
#[derive(Clone, Debug, Default)]
pub struct Converted {
    /// The lines, each with its number in the log; 0 is what was put in.
    pub lines: Vec<(u32, Value)>,
    /// How many messages of the log are among them.
    pub messages: usize,
    /// The kinds of events that the log shows.
    pub events: BTreeSet<String>,
    /// What was assumed.
    pub assumed: Vec<String>,
    /// What was left out, and how often.
    pub left_out: BTreeMap<String, usize>,
    /// What cannot be found wrong.
    pub not_checked: Vec<String>,
}

/// Converts a session.
pub fn convert(messages: &[Message], question: &Question<'_>) -> Converted {
    let messages = with_qemu_io(messages, question);
    let pairs = Pairs::of(&messages);
    let asked = pairs.asked(&messages);
    let mut facts = infer::infer(&messages, &asked, question.given);
    if question.given.is_none() {
        facts.shrink(&asked);
    }
    let mut converter = Converter {
        facts: &facts,
        question,
        messages: &messages,
        asked: &asked,
        out: Converted {
            assumed: facts.assumed.clone(),
            ..Converted::default()
        },
        files: BTreeMap::new(),
        made: BTreeSet::new(),
        protocol: BTreeMap::new(),
        nodes: BTreeSet::new(),
        jobs: BTreeMap::new(),
        skipped: BTreeSet::new(),
        owed: None,
    };
    converter.beginning();
    for (at, message) in messages.iter().enumerate() {
        converter.message(at, message, pairs.question.get(&at).copied());
    }
    converter.end()
}

/// Lines for `qemu-io` become commands for the drive that they must mean.
fn with_qemu_io(messages: &[Message], question: &Question<'_>) -> Vec<Message> {
    let pairs = Pairs::of(messages);
    let asked = pairs.asked(messages);
    let drive = infer::infer(messages, &asked, question.given).main_drive;
    let translated = |message: &Message| match (&message.said, &drive) {
        (Said::QemuIo(line), Some(drive)) => Message {
            said: Said::Command {
                execute: "human-monitor-command".into(),
                arguments: json!({"command-line": format!("qemu-io {drive} \"{line}\"")}),
            },
            ..message.clone()
        },
        _ => message.clone(),
    };
    messages.iter().map(translated).collect()
}

/// Which reply answers which command, by their places among the messages.
#[derive(Default)]
struct Pairs {
    /// By the place of the reply, that of its command.
    question: BTreeMap<usize, usize>,
    /// By the place of the command, that of its reply.
    answer: BTreeMap<usize, usize>,
}

impl Pairs {
    /// A reply answers the command of the same id; without one, the last command, if that has no answer yet.
    fn of(messages: &[Message]) -> Pairs {
        let mut pairs = Pairs::default();
        let mut open: Vec<usize> = Vec::new();
        for (at, message) in messages.iter().enumerate() {
            match &message.said {
                Said::Command { .. } | Said::QemuIo(_) => open.push(at),
                Said::Reply(_) => {
                    let same = |index: &usize| messages[*index].id == message.id;
                    let found = match &message.id {
                        Some(_) if open.iter().any(|index| messages[*index].id.is_some()) => {
                            open.iter().rposition(same)
                        }
                        _ => open.len().checked_sub(1),
                    };
                    if let Some(found) = found {
                        let command = open[found];
                        // Those before it will not be answered any more.
                        open.drain(..=found);
                        pairs.question.insert(at, command);
                        pairs.answer.insert(command, at);
                    }
                }
                _ => {}
            }
        }
        pairs
    }

    fn asked<'m>(&self, messages: &'m [Message]) -> Vec<Asked<'m>> {
        let commands = messages.iter().enumerate();
        let commands = commands.filter_map(|(at, message)| match &message.said {
            Said::Command { execute, arguments } => Some((at, execute, arguments)),
            _ => None,
        });
        let reply_to = |at: usize| match &messages[*self.answer.get(&at)?].said {
            Said::Reply(reply) => Some(reply),
            _ => None,
        };
        commands
            .map(|(at, execute, arguments)| Asked {
                at,
                execute,
                arguments,
                reply: reply_to(at),
            })
            .collect()
    }
}

struct Converter<'c> {
    facts: &'c Facts,
    question: &'c Question<'c>,
    messages: &'c [Message],
    asked: &'c [Asked<'c>],
    out: Converted,
    /// By a path of the log's, the file in the image folder.
    files: BTreeMap<String, String>,
    /// The files that are there.
    made: BTreeSet<String>,
    /// By the name of a node that is only a file, its path.
    protocol: BTreeMap<String, String>,
    /// Nodes that commands of the log have added.
    nodes: BTreeSet<String>,
    /// Jobs that commands of the log have started, and how many of each id: a client may start the next before it
    /// reads that the last one is gone.
    jobs: BTreeMap<String, usize>,
    /// Commands that were left out, by their places.
    skipped: BTreeSet<usize>,
    /// The line of the last command, while it has no reply, and any reply there may be.
    owed: Option<(u32, Value)>,
}

impl Converter<'_> {
    fn put(&mut self, line: u32, value: Value) {
        self.out.lines.push((line, value));
    }

    fn leave_out(&mut self, what: impl Into<String>) {
        *self.out.left_out.entry(what.into()).or_default() += 1;
    }

    fn masks(&self) -> bool {
        self.question.given.is_none()
    }

    // ---- what was there before

    fn beginning(&mut self) {
        match self.question.given {
            Some(given) => {
                for line in &given.lines {
                    self.made.extend(line["img"].as_str().map(str::to_owned));
                    self.put(0, line.clone());
                }
            }
            None => self.inferred_drives(),
        }
        for bitmap in &self.facts.bitmaps {
            if self.is_drive(&bitmap.node) {
                self.add_bitmap(bitmap);
            }
        }
    }

    /// Is it there when QEMU starts?
    fn is_drive(&self, name: &str) -> bool {
        let given = self.question.given.map(|given| &given.drives);
        let mut given = given.into_iter().flatten();
        self.facts.drives.iter().any(|drive| drive.id == name)
            || given.any(|(id, node, _)| id == name || node.as_deref() == Some(name))
    }

    fn inferred_drives(&mut self) {
        let mut shown = Vec::new();
        for drive in &self.facts.drives {
            let file = format!("$DIR/{}.qcow2", drive.id.replace('/', "-"));
            self.make_image(&file, drive.size);
            let fill = json!({
                "t": "img", "cmd": "write", "img": file, "pattern": "0x11", "offset": 0,
                "len": drive.size, "result": "ok",
            });
            self.put(0, fill);
            let mut entry = json!({"id": drive.id, "file": file});
            if let Some(node) = &drive.node {
                entry["node"] = json!(node);
            }
            shown.push(entry);
        }
        self.put(0, json!({"t": "launch", "drives": shown, "args": []}));
    }

    fn make_image(&mut self, file: &str, size: u64) {
        if self.made.insert(file.to_owned()) {
            let line =
                json!({"t": "img", "cmd": "create", "img": file, "size": size, "result": "ok"});
            self.put(0, line);
        }
    }

    fn add_bitmap(&mut self, bitmap: &infer::Bitmap) {
        let mut arguments = json!({"node": bitmap.node, "name": bitmap.name});
        if let Some(granularity) = bitmap.shown["granularity"].as_u64() {
            arguments["granularity"] = json!(granularity);
        }
        if bitmap.shown["persistent"] == true {
            arguments["persistent"] = json!(true);
        }
        if bitmap.shown["recording"] == false {
            arguments["disabled"] = json!(true);
        }
        let command =
            json!({"t": "cmd", "execute": "block-dirty-bitmap-add", "arguments": arguments});
        self.put(0, command);
        self.put(0, json!({"t": "reply", "return": {}}));
    }

    // ---- what the log says

    fn message(&mut self, at: usize, message: &Message, question: Option<usize>) {
        let line = message.line;
        match &message.said {
            Said::Command { .. } => {
                let found = self.asked.iter().find(|asked| asked.at == at);
                let asked = found.expect("internal: each command is among those asked");
                self.lost_reply();
                self.command(line, asked);
            }
            Said::Reply(reply) => self.reply(line, reply, question),
            Said::Event { event, data } => self.event(line, event, data),
            Said::Bitmaps(nodes) => {
                let nodes = self.bitmaps(nodes);
                self.checked(line, json!({"t": "bitmaps", "nodes": nodes}));
            }
            Said::Greeting(_) | Said::Formatting(..) => {}
            Said::QemuIo(_) => self.leave_out("lines for qemu-io of which drive nobody knows"),
        }
    }

    fn checked(&mut self, line: u32, value: Value) {
        self.out.messages += 1;
        self.put(line, value);
    }

    /// The reply of the last command is not in the log: it came before the next command.
    fn lost_reply(&mut self) {
        if let Some((line, any_reply)) = self.owed.take() {
            self.out.assumed.push(format!(
                "the reply to the command in line {line} is lost; it came before the next"
            ));
            self.put(line, any_reply);
        }
    }

    fn command(&mut self, line: u32, asked: &Asked<'_>) {
        let arguments = self.rewritten(asked);
        if let Some(why) = self.reason_to_skip(asked, &arguments) {
            self.skipped.insert(asked.at);
            return self.leave_out(why);
        }
        if asked.succeeded() {
            self.prepare(asked, &arguments);
        }
        for (name, data) in asked.actions() {
            if let Some(job) = job_of(data).filter(|_| is_backup(name)) {
                *self.jobs.entry(job.to_owned()).or_default() += 1;
            }
        }
        let (command, any_reply) = match asked.execute {
            "human-monitor-command" => {
                let text = arguments["command-line"].as_str().unwrap_or_default();
                let printed = json!({"t": "hmp", "line": text, "output": "*"});
                (json!({"t": "sent", "line": text}), printed)
            }
            "query-named-block-nodes" if asked.succeeded() => (
                json!({"t": "sent", "bitmaps": true}),
                json!({"t": "bitmaps", "nodes": "*"}),
            ),
            execute => (
                json!({"t": "cmd", "execute": execute, "arguments": arguments}),
                json!({"t": "reply", "return": "*"}),
            ),
        };
        self.checked(line, command);
        if asked.reply.is_none() {
            self.owed = Some((line, any_reply));
        }
    }

    /// Why a command is none of the model's business, if it is none.
    fn reason_to_skip(&mut self, asked: &Asked<'_>, arguments: &Value) -> Option<String> {
        let text = |key: &str| {
            arguments
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let execute = asked.execute;
        if execute == "qmp_capabilities" {
            return Some("the command qmp_capabilities".into());
        }
        if execute == "human-monitor-command" {
            let line = infer::qemu_io(arguments).map(|(_, line)| line);
            let is_request =
                line.is_some_and(|line| line.parse::<crate::format::Request>().is_ok());
            return (!is_request || !asked.succeeded())
                .then(|| "commands of the human monitor other than qemu-io".into());
        }
        if execute == "blockdev-add"
            && text("driver") == "file"
            && let (Some(node), Some(path)) = (
                arguments["node-name"].as_str(),
                arguments["filename"].as_str(),
            )
        {
            self.protocol.insert(node.to_owned(), path.to_owned());
            return Some("blockdev-add of files under images".into());
        }
        if execute == "blockdev-del" && asked.succeeded() && !self.nodes.remove(text("node-name")) {
            return Some("blockdev-del of nodes that are not modelled".into());
        }
        let is_job_verb = execute.starts_with("job-") || execute.starts_with("block-job-");
        let job = if execute.starts_with("block-job-") && !text("device").is_empty() {
            "device"
        } else {
            "id"
        };
        if is_job_verb && !self.knows_job(text(job)) && !asked.not_found() {
            return Some("commands to jobs that the log did not see start".into());
        }
        // Which release it is does not matter: all of them know the same commands.
        qmp::parse(&QEMU_10_0, execute, arguments)
            .err()
            .map(|_| format!("the command {execute}"))
    }

    /// Puts in what a command needs that succeeded.
    fn prepare(&mut self, asked: &Asked<'_>, arguments: &Value) {
        if asked.execute == "blockdev-add" {
            let node = arguments["node-name"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            let file = file_of(&arguments["file"]);
            let size = self.size_behind(&node, asked.at);
            self.make_image(&file, size);
            self.nodes.insert(node);
        }
        let rewritten = Asked {
            arguments,
            ..*asked
        };
        for (name, data) in rewritten.actions() {
            let device = data["device"].as_str().unwrap_or_default();
            if name == "drive-backup" && data["mode"] == "existing" {
                let size = self.size_behind(device, asked.at);
                self.make_image(data["target"].as_str().unwrap_or_default(), size);
            }
            if is_backup(name) && data.get("bitmap").is_some() && self.masks() && !self.facts.writes
            {
                self.unseen_write(device, job_of(data).unwrap_or_default(), asked.at);
            }
        }
    }

    /// A backup by a bitmap that had something to copy: a guest wrote before, in no log.
    fn unseen_write(&mut self, device: &str, job: &str, at: usize) {
        let end = end_of(self.messages, at, job);
        if end.is_some_and(|end| end["len"] == 0) {
            return;
        }
        let size = self.size_behind(device, at);
        let drive = self.facts.canonical(device);
        let line = json!({"t": "guest", "drive": drive, "len": size});
        self.put(0, line);
    }

    /// The size of a node, or of the drive that is backed up to it later.
    fn size_behind(&self, node: &str, at: usize) -> u64 {
        let later = self.asked.iter().filter(|asked| asked.at > at);
        let source = later
            .flat_map(|asked| asked.actions())
            .find_map(|(name, data)| {
                let is_target = name == "blockdev-backup" && data["target"] == node;
                data["device"].as_str().filter(|_| is_target)
            });
        let name = source.unwrap_or(node);
        let resized = self
            .asked
            .iter()
            .filter(|asked| asked.at < at && asked.execute == "block_resize");
        let mut resized = resized.filter(|asked| {
            let of = [&asked.arguments["device"], &asked.arguments["node-name"]];
            asked.succeeded()
                && of
                    .iter()
                    .filter_map(|of| of.as_str())
                    .any(|of| self.is_same(of, name))
        });
        let resized = resized
            .next_back()
            .and_then(|asked| asked.arguments["size"].as_u64());
        let given = || {
            let given = self.question.given?;
            let named = |(id, node, _): &&(String, Option<String>, String)| {
                id == name || node.as_deref() == Some(name)
            };
            given.size_of(&given.drives.iter().find(named)?.2)
        };
        let inferred = || {
            let sizes = &self.facts.sizes;
            sizes
                .get(name)
                .or_else(|| sizes.get(self.facts.canonical(name)))
                .copied()
        };
        resized.or_else(given).or_else(inferred).unwrap_or(4 << 20)
    }

    fn is_same(&self, one: &str, other: &str) -> bool {
        self.facts.canonical(one) == self.facts.canonical(other)
    }

    // ---- replies and events

    fn reply(&mut self, line: u32, reply: &Value, question: Option<usize>) {
        let Some(at) = question else {
            return self.leave_out("replies to commands that are not in the log");
        };
        if self.skipped.contains(&at) {
            return;
        }
        let Said::Command { execute, arguments } = &self.messages[at].said else {
            return;
        };
        self.owed = None;
        let recorded = match (execute.as_str(), reply.get("return")) {
            (_, None) => json!({"t": "reply", "error": without_extras(&reply["error"])}),
            ("human-monitor-command", Some(printed)) => {
                let text = arguments["command-line"].as_str().unwrap_or_default();
                json!({"t": "hmp", "line": text, "output": printed_lines(printed)})
            }
            ("query-named-block-nodes", Some(_)) => {
                json!({"t": "bitmaps", "nodes": self.bitmaps(&bitmaps_in(reply))})
            }
            ("query-block", Some(_)) if self.masks() => json!({"t": "reply", "return": "*"}),
            ("query-jobs" | "query-block-jobs", Some(jobs)) => {
                json!({"t": "reply", "return": self.masked(&self.known_jobs(jobs))})
            }
            (_, Some(value)) => json!({"t": "reply", "return": self.masked(value)}),
        };
        self.checked(line, recorded);
        if execute == "blockdev-add" && reply.get("return").is_some() {
            let node = arguments["node-name"].as_str().unwrap_or_default();
            for bitmap in self
                .facts
                .bitmaps
                .iter()
                .filter(|bitmap| bitmap.node == node)
            {
                self.add_bitmap(bitmap);
            }
        }
    }

    fn event(&mut self, line: u32, event: &str, data: &Value) {
        if !EVENTS.contains(&event) {
            return self.leave_out(format!("the event {event}"));
        }
        if event == "SHUTDOWN" && data["reason"] != "host-qmp-quit" {
            return self.leave_out("a shutdown that no client asked for");
        }
        let job = data
            .get("id")
            .or_else(|| data.get("device"))
            .and_then(Value::as_str);
        if event != "SHUTDOWN" && !job.is_some_and(|job| self.knows_job(job)) {
            return self.leave_out("events of jobs that the log did not see start");
        }
        if event == "JOB_STATUS_CHANGE" && data["status"] == "null" {
            let left = self.jobs.get_mut(job.unwrap_or_default());
            left.into_iter().for_each(|left| *left -= 1);
        }
        self.out.events.insert(event.to_owned());
        let data = self.masked(data);
        self.checked(line, json!({"t": "event", "event": event, "data": data}));
    }

    /// Has the log seen a job of that id start, and not end?
    fn knows_job(&self, id: &str) -> bool {
        self.jobs.get(id).is_some_and(|left| *left > 0)
    }

    /// Of a list of jobs, those that the log saw start.
    fn known_jobs(&self, jobs: &Value) -> Value {
        let entries = jobs.as_array().into_iter().flatten();
        let is_known = |job: &&Value| {
            let id = job.get("id").or_else(|| job.get("device"));
            id.and_then(Value::as_str)
                .is_some_and(|id| self.knows_job(id))
        };
        entries.filter(is_known).cloned().collect()
    }

    /// The bitmaps of each node. Nodes whose names QEMU made up cannot be told apart.
    fn bitmaps(&self, nodes: &Value) -> Value {
        let is_made_up = |node: &String| node.starts_with('#');
        match nodes.as_object() {
            Some(nodes) if nodes.keys().any(is_made_up) => json!("*"),
            _ => self.masked(nodes),
        }
    }

    /// Without what depends on contents, if those are not known.
    fn masked(&self, value: &Value) -> Value {
        if !self.masks() {
            return value.clone();
        }
        match value {
            Value::Object(fields) => fields
                .iter()
                .map(|(key, value)| {
                    let is_flag = key == "busy" && fields.contains_key("granularity");
                    let hidden = OF_CONTENTS.contains(&key.as_str()) && !is_flag;
                    (
                        key.clone(),
                        if hidden {
                            json!("*")
                        } else {
                            self.masked(value)
                        },
                    )
                })
                .collect::<Map<_, _>>()
                .into(),
            Value::Array(entries) => entries.iter().map(|entry| self.masked(entry)).collect(),
            other => other.clone(),
        }
    }

    fn end(mut self) -> Converted {
        // What could have come in place of an event counts, whether or not the log shows its like.
        self.out
            .events
            .extend(EVENTS[1..5].iter().map(|event| (*event).to_owned()));
        if self.masks() {
            self.out.not_checked.push(
                "what depends on contents, which the log does not say (len, offset, count, progress); --given says them"
                    .into(),
            );
            if self
                .asked
                .iter()
                .any(|asked| asked.execute == "query-block")
            {
                self.out
                    .not_checked
                    .push("what query-block returned".into());
            }
        }
        self.out
    }
}

/// Class and text: what an error says about itself.
fn without_extras(error: &Value) -> Value {
    json!({"class": error["class"], "desc": error["desc"]})
}

/// What qemu-io printed, without its times. Tests see nothing of it.
fn printed_lines(printed: &Value) -> Value {
    let Some(text) = printed.as_str().filter(|text| !text.trim().is_empty()) else {
        return json!("*");
    };
    let lines = text.lines().map(str::trim_end);
    let is_time = |line: &&str| line.contains(" ops; ");
    lines
        .filter(|line| !line.is_empty() && !is_time(line))
        .collect::<Vec<_>>()
        .into()
}
