//! Stories of a few short lines, played under many seeds, and what was seen always, sometimes, never.
//!
//! | line | what it does |
//! |---|---|
//! | `disk d0 256k [cluster=128k] [format=raw] [backing=b] [0x41@0+64k ..]` | makes the image `$DIR/d0`, with writes |
//! | `faults d0 {set-state: [..], inject-error: [..]}` | a blkdebug layer for the `launch` or `node` of that disk |
//! | `launch d0 d1:iothread0` | starts QEMU: drive `d0` has the node `n0`; `d1` is in an iothread |
//! | `node t0` | `blockdev-add` of the disk `t0` |
//! | `guest g0 d0: write -P1 0 64k, flush` | a guest, for `start g0` and `join g0` |
//! | `backup j0 d0 t0 {sync: full}` | `blockdev-backup`; `drive-backup` is alike, with an image as its target |
//! | `add n0/b0 {..}`, `merge n0/b0 [b1]`, `clear`, `enable`, `disable`, `remove` | the bitmap commands |
//! | `group A; B`, `each A; B` | a transaction of such actions (and `abort`), grouped or individual |
//! | `job-cancel j0`, `block-job-pause j0`, `set-speed j0 1`, `resize d0 1M`, `quit` | what it says |
//! | `io d0 write 0 64k` | qemu-io by the human monitor |
//! | `bitmaps`, `until null j0`, `compare a b`, `copy a b`, `rebase a b` | what it says |
//! | `shutdown` | `quit`, and everything is read until the process is gone |
//! | `mark` | the trace counts from here |
//!
//! A command must succeed. `… ! text` must fail with that text (`Class: text` if the class is not GenericError);
//! `& …` is sent without waiting for its reply, and may end in any way. What happens after the last line is read
//! to the end. A trace is a list of texts: `created j0`, `R`, `E text`, `CANCELLED j0 0/65536`, …; see [`shown`].
//! A pattern is a list of them with `; ` between: `..` stands for any lines, `*` for any letters, `^` and `$` for
//! the ends of the trace; without the last two it may be anywhere.

use std::collections::BTreeMap;

use model::dialect::{DIALECTS, Dialect};
use model::event::{Event, Reply};
use model::file::ImageCommand;
use model::guest::Guest;
use model::image::{Fill, Format};
use model::world::{GuestIx, World};
use scenarios::format::{self, HmpCommand};
use scenarios::line::{Fixed, Line};
use scenarios::scene::{Moment, Scene, Step};
use scenarios::script::{self, Act, Expected, Kind, Script, Sent};
use scenarios::size::Size;
use serde_json::{Map, Value, json};
use sim::run::{End, Recorder, Runner, Watcher};
use sim::strategy::{Random, Strategy};
use sim::{Footprint, System};

/// How many seeds each row is played under, in each dialect.
pub const SEEDS: u64 = 200;

/// A play that goes on after so many steps never rests: its trace ends with `endless`.
const STEPS_MAX: u64 = 2_000;

/// One row of a test: a story, and what its traces are like.
#[derive(Default)]
pub struct Row {
    /// The section of the behaviour it stands for.
    pub spec: &'static str,
    /// `7.2`, `10.0`, or both if empty.
    pub dialect: &'static str,
    /// The story, as above.
    pub story: String,
    /// What every trace matches.
    pub always: &'static [&'static str],
    /// What at least one trace matches, in each dialect.
    pub sometimes: &'static [&'static str],
    /// What no trace matches.
    pub never: &'static [&'static str],
}

/// A row that says what is always so.
pub fn row(spec: &'static str, story: String, always: &'static [&'static str]) -> Row {
    Row {
        spec,
        story,
        always,
        ..Row::default()
    }
}

/// Plays each row under [`SEEDS`] seeds and holds its traces against its patterns.
pub fn check(rows: &[Row]) {
    let faults: Vec<String> = rows.iter().flat_map(check_row).collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

fn check_row(row: &Row) -> Vec<String> {
    assert!(
        !row.spec.is_empty(),
        "a row names the section it stands for"
    );
    assert!(
        row.never.is_empty() || !row.sometimes.is_empty() || !row.always.is_empty(),
        "a never needs a sometimes"
    );
    let wanted = |dialect: &&&Dialect| row.dialect.is_empty() || dialect.name == row.dialect;
    let mut faults = Vec::new();
    for dialect in DIALECTS.iter().filter(wanted) {
        let traces = play(&row.story, dialect, SEEDS);
        let mut complain = |what: &str, pattern: &str, seed: usize| {
            let trace = traces[seed].join("\n    ");
            faults.push(format!(
                "{} ({dialect}), {what}: {pattern}\n  seed {seed}:\n    {trace}",
                row.spec
            ));
        };
        if let Some(seed) = traces.iter().position(|trace| matches("PANIC *", trace)) {
            complain("an assertion is broken", "", seed);
        }
        for pattern in row.always {
            if let Some(seed) = traces.iter().position(|trace| !matches(pattern, trace)) {
                complain("not always", pattern, seed);
            }
        }
        for pattern in row.never {
            if let Some(seed) = traces.iter().position(|trace| matches(pattern, trace)) {
                complain("not never", pattern, seed);
            }
        }
        for pattern in row.sometimes {
            if !traces.iter().any(|trace| matches(pattern, trace)) {
                complain("not even once", pattern, 0);
            }
        }
    }
    faults
}

/// The traces of a story under seeds 0, 1, …. A known defect of the dialect ends none of them.
pub fn play(story: &str, dialect: &'static Dialect, seeds: u64) -> Vec<Vec<String>> {
    let scene = Scene::forgiving(Build::new(dialect).script(story));
    let mut runner = Runner::new(&scene);
    runner.steps_max = STEPS_MAX;
    let mut random = Random::default();
    (0..seeds)
        .map(|seed| play_one(&scene, &mut runner, &mut random, seed))
        .collect()
}

/// The witnesses that the runs of a story under seeds 0, 1, … have been: bit *n* is witness *n*.
pub fn witnessed(story: &str, dialect: &'static Dialect, seeds: u64) -> u64 {
    struct Seen(u64);
    impl Watcher<Scene> for Seen {
        fn after(&mut self, scene: &Scene, moment: &Moment, _: Step, _: Footprint, _: &[Line]) {
            self.0 |= scene.witnessed(moment);
        }
    }
    let scene = Scene::forgiving(Build::new(dialect).script(story));
    let mut runner = Runner::new(&scene);
    runner.steps_max = STEPS_MAX;
    let mut seen = Seen(0);
    for seed in 0..seeds {
        runner.run(&mut Random::default(), seed, &mut seen);
    }
    seen.0
}

fn play_one(
    scene: &Scene,
    runner: &mut Runner<Scene>,
    random: &mut dyn Strategy,
    seed: u64,
) -> Vec<String> {
    let mut recorder = Recorder::new();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        runner.run(random, seed, &mut recorder)
    }));
    let mut trace: Vec<String> = recorder.observations.iter().filter_map(shown).collect();
    let outcome = match caught {
        Ok(outcome) => outcome,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text
                .or(panic.downcast_ref::<&str>().copied())
                .unwrap_or("?");
            let steps: Vec<&str> = recorder.schedule.names().collect();
            trace.push(format!(
                "PANIC {text}, after the steps {}",
                steps.join(" | ")
            ));
            return trace;
        }
    };
    if let Some(mark) = trace.iter().rposition(|line| line == "mark") {
        trace.drain(..=mark);
    }
    match outcome.end {
        End::Breached(breach) if breach.message.contains("the process never ends") => {}
        End::Breached(breach) if breach.message.contains("QEMU died") => {}
        End::Breached(breach) if breach.message.contains("the reply to") => {
            trace.push("hang".into())
        }
        End::Breached(breach) if breach.message.contains(" ever comes") => {
            trace.push("no event".into())
        }
        End::Rested => {}
        End::StepLimit => {
            trace.push("endless".into());
            return trace;
        }
        end => panic!(
            "seed {seed}: {end:?} in {}\n{}",
            scene.script.name,
            trace.join("\n")
        ),
    }
    let world = &runner.state().world;
    for guest in world.guest_indices().skip(1) {
        let guest = world.guest(guest);
        trace.push(match guest.last {
            _ if !guest.is_idle() => format!("{} stuck", guest.name),
            None => format!("{} idle", guest.name),
            Some(Ok(())) => format!("{} ok", guest.name),
            Some(Err(errno)) => format!("{} {errno}", guest.name),
        });
    }
    for &job in &world.main().jobs {
        trace.push(format!(
            "left {} {}",
            world.job(job).id,
            world.job(job).status.name()
        ));
    }
    trace
}

// ---- what is seen

/// A line of a trace as a short text; none for what the client does.
pub fn shown(line: &Line) -> Option<String> {
    Some(match line {
        Line::Launch(_) => return None,
        Line::Img(command, result) if command["cmd"] == json!("compare") => {
            format!("compare {}", result.as_str().unwrap_or_default())
        }
        Line::Img(..) => return None,
        Line::Cmd(command) => format!("> {}", command["execute"].as_str()?),
        Line::Reply {
            reply: Reply::Done, ..
        } => "R".into(),
        Line::Reply {
            reply: Reply::Return(value),
            ..
        } => format!("R {value}"),
        Line::Reply {
            reply: Reply::Error(error),
            ..
        } => match error.class {
            model::error::ErrorClass::GenericError => format!("E {}", error.desc),
            class => format!("E {class}: {}", error.desc),
        },
        Line::Reply {
            reply: Reply::Printed(lines),
            ..
        } => format!("io {}", lines.join(" ")),
        Line::Hmp { output, .. } => format!("io {}", output.join(" ")),
        Line::Event(event) => event_shown(event),
        Line::Bitmaps(nodes) => bitmaps_shown(nodes),
        Line::Slept(_) => "mark".into(),
        Line::Exit(code) => format!("exit {code}"),
        other => other.to_string(),
    })
}

fn event_shown(event: &Event) -> String {
    match event {
        Event::JobStatusChange { id, status } => format!("{} {id}", status.name()),
        Event::BlockJobCompleted { end, error } => {
            let error = error
                .as_ref()
                .map_or(String::new(), |error| format!(" {error}"));
            format!("COMPLETED {} {}/{}{error}", end.device, end.offset, end.len)
        }
        Event::BlockJobCancelled { end } => {
            format!("CANCELLED {} {}/{}", end.device, end.offset, end.len)
        }
        Event::BlockJobError {
            device,
            operation,
            action,
        } => {
            format!("ERROR {device} {} {}", operation.name(), action.name())
        }
        Event::BlockJobPending { id } => format!("PENDING {id}"),
        Event::Shutdown => "SHUTDOWN".into(),
    }
}

/// `n0/b0=65536,busy`: count, and what is not as usual; internal bitmaps have the name `-`.
fn bitmaps_shown(nodes: &Value) -> String {
    let mut text = String::from("bitmaps");
    for (node, bitmaps) in nodes.as_object().into_iter().flatten() {
        for bitmap in bitmaps.as_array().into_iter().flatten() {
            let name = bitmap["name"].as_str().unwrap_or("-");
            text += &format!(" {node}/{name}={}", bitmap["count"]);
            for (key, usual) in [("busy", false), ("recording", true), ("persistent", false)] {
                if bitmap[key] != json!(usual) {
                    text += if key == "recording" {
                        ",disabled"
                    } else {
                        if key == "busy" {
                            ",busy"
                        } else {
                            ",persistent"
                        }
                    };
                }
            }
        }
    }
    text
}

/// Does the trace match the pattern?
pub fn matches(pattern: &str, trace: &[String]) -> bool {
    let mut items: Vec<&str> = pattern.split("; ").map(str::trim).collect();
    let from_begin = items[0] == "^";
    let to_end = items[items.len() - 1] == "$";
    if from_begin {
        items.remove(0);
    }
    if to_end {
        items.pop();
    }
    let starts = if from_begin { 0..=0 } else { 0..=trace.len() };
    starts
        .into_iter()
        .any(|start| items_match(&items, &trace[start..], to_end))
}

fn items_match(items: &[&str], trace: &[String], to_end: bool) -> bool {
    match items.split_first() {
        None => !to_end || trace.is_empty(),
        Some((&"..", rest)) => {
            (0..=trace.len()).any(|skip| items_match(rest, &trace[skip..], to_end))
        }
        Some((item, rest)) => {
            trace.first().is_some_and(|line| text_matches(item, line))
                && items_match(rest, &trace[1..], to_end)
        }
    }
}

fn text_matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => text.strip_prefix(head).is_some_and(|rest| {
            (0..=rest.len()).any(|at| rest.is_char_boundary(at) && text_matches(tail, &rest[at..]))
        }),
    }
}

// ---- from lines to a script

struct Build {
    world: World,
    acts: Vec<Act>,
    line: u32,
    faults: BTreeMap<String, Value>,
    formats: BTreeMap<String, &'static str>,
    guests: BTreeMap<String, GuestIx>,
}

impl Build {
    fn new(dialect: &'static Dialect) -> Build {
        Build {
            world: World::new(dialect),
            acts: Vec::new(),
            line: 0,
            faults: BTreeMap::new(),
            formats: BTreeMap::new(),
            guests: BTreeMap::new(),
        }
    }

    fn script(mut self, story: &str) -> Script {
        for (number, line) in story.lines().enumerate() {
            self.line = number as u32 + 1;
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') {
                self.item(line);
            }
        }
        self.act(Kind::ReadToExit);
        let empty = format::Story {
            name: story.into(),
            title: String::new(),
            source: String::new(),
            about: String::new(),
            faults: BTreeMap::new(),
            guests: BTreeMap::new(),
            witnesses: Vec::new(),
            defects: Vec::new(),
            script: Vec::new(),
        };
        let empty = Script::of_story(&empty, "story", self.world.dialect)
            .expect("nothing is wrong with nothing");
        Script {
            acts: self.acts,
            world: self.world,
            ..empty
        }
    }

    fn act(&mut self, kind: Kind) {
        self.acts.push(Act {
            line: self.line,
            kind,
        });
    }

    fn item(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "disk" => self.disk(rest),
            "faults" => {
                let (name, rules) = rest.split_once(' ').expect("a name and rules");
                self.faults.insert(name.into(), yaml(rules));
            }
            "launch" => self.launch(rest),
            "guest" => self.guest(rest),
            "start" | "join" => {
                let guests: Vec<_> = rest.split(' ').map(|name| self.guests[name]).collect();
                self.act(if word == "start" {
                    Kind::Start(guests)
                } else {
                    Kind::Join(guests)
                });
            }
            "io" => {
                let (drive, line) = rest.split_once(' ').expect("a drive and a request");
                let (line, expected) = line
                    .split_once(" = ")
                    .map_or((line, None), |(line, output)| {
                        (line, Some(vec![output.to_owned()]))
                    });
                let request: HmpCommand = HmpCommand::Request(line.parse().expect("a request"));
                let sent = script::hmp_sent(drive, line, &request).expect("a request");
                self.act(Kind::Ask {
                    sent,
                    expected: Expected::Output(expected),
                });
            }
            "bitmaps" => {
                let expected = Expected::Bitmaps(Default::default());
                self.act(Kind::Ask {
                    sent: script::bitmaps_sent(),
                    expected,
                });
            }
            "until" => self.until(rest),
            "mark" => {
                self.act(Kind::Forget);
                self.act(Kind::Sleep(0));
            }
            "compare" | "copy" | "rebase" => self.image_pair(word, rest),
            "shutdown" => {
                let sent = self.sent("quit");
                self.act(Kind::Send(sent));
                self.act(Kind::ReadToExit);
            }
            "&" => {
                let sent = self.sent(rest);
                self.act(Kind::Send(sent));
            }
            _ => {
                let (command, expected) = match line.split_once(" ! ") {
                    None => (line, Expected::Return(None)),
                    Some((command, error)) => (command, Expected::Error(refusal(error))),
                };
                let sent = self.sent(command);
                self.act(Kind::Ask { sent, expected });
            }
        }
    }

    fn disk(&mut self, rest: &str) {
        let mut words = rest.split(' ');
        let name = words.next().expect("a name");
        let file = path(name);
        let size = bytes(words.next().expect("a size"));
        let (mut cluster_size, mut backing, mut image_format, mut writes) =
            (None, None, Format::Qcow2, Vec::new());
        for word in words.filter(|word| !word.is_empty()) {
            match word
                .split_once(['=', '@'])
                .expect("KEY=VALUE or FILL@OFFSET+LENGTH")
            {
                ("cluster", size) => cluster_size = Some(bytes(size)),
                ("backing", name) => backing = Some(path(name).as_str().into()),
                ("format", name) => image_format = name.parse().expect("a format"),
                (fill, range) => {
                    let (offset, len) = range.split_once('+').expect("OFFSET+LENGTH");
                    let fill = Fill(fill.parse::<format::Pattern>().expect("a byte").0.into());
                    let (offset, len) = (bytes(offset), bytes(len));
                    writes.push(ImageCommand::Write {
                        name: file.as_str().into(),
                        offset,
                        len,
                        fill,
                    });
                }
            }
        }
        self.formats.insert(
            name.into(),
            if image_format == Format::Raw {
                "raw"
            } else {
                "qcow2"
            },
        );
        let name = file.as_str().into();
        let create = ImageCommand::Create {
            name,
            size: Some(size),
            format: image_format,
            cluster_size,
            backing,
        };
        for command in std::iter::once(create).chain(writes) {
            self.image(command, Some("ok"));
        }
    }

    fn image(&mut self, command: ImageCommand, expected: Option<&'static str>) {
        let shown = Fixed::new(script::shown_image_command(&command));
        self.act(Kind::Img {
            command: Some(command),
            shown,
            expected: expected.map(Value::from),
        });
    }

    fn image_pair(&mut self, word: &str, rest: &str) {
        let (a, b) = rest.split_once(' ').expect("two images");
        let (a, b): (model::name::Name, model::name::Name) =
            (path(a).as_str().into(), path(b).as_str().into());
        match word {
            "compare" => self.image(ImageCommand::Compare { a, b }, None),
            "copy" => self.image(ImageCommand::Copy { name: a, to: b }, Some("ok")),
            _ => self.image(
                ImageCommand::Rebase {
                    name: a,
                    backing: Some(b),
                },
                Some("ok"),
            ),
        }
    }

    fn launch(&mut self, rest: &str) {
        let (mut entries, mut args) = (Vec::new(), Vec::new());
        for drive in rest.split(' ').filter(|drive| !drive.is_empty()) {
            let (id, iothread) = drive.split_once(':').unwrap_or((drive, ""));
            if !iothread.is_empty() {
                args.push(format!("virtio-blk-pci,drive={id},iothread={iothread}"));
            }
            let mut entry = json!({"id": id, "node": format!("n{}", &id[1..]), "file": path(id)});
            if let Some(faults) = self.faults.get(id) {
                entry["blkdebug"] = faults.clone();
            }
            entries.push(entry);
        }
        let drives = entries
            .iter()
            .map(|entry| script::drive(entry, &args).expect("a drive"))
            .collect();
        self.act(Kind::Launch {
            drives,
            shown: Fixed::new(json!({"drives": entries})),
        });
    }

    fn guest(&mut self, rest: &str) {
        let (head, requests) = rest.split_once(": ").expect("NAME DRIVE: REQUESTS");
        let (name, drive) = head.split_once(' ').expect("NAME DRIVE");
        let requests: Vec<_> = requests
            .split(", ")
            .map(|line| {
                let request =
                    HmpCommand::Request(line.parse().unwrap_or_else(|_| panic!("request {line}")));
                let sent = script::hmp_sent(drive, line, &request).expect("a request");
                match sent.command {
                    model::monitor::Command::QemuIo { request, .. } => request,
                    _ => unreachable!("qemu-io"),
                }
            })
            .collect();
        let index = self
            .world
            .add_guest(Guest::new(name.into(), drive.into(), requests));
        self.guests.insert(name.into(), index);
    }

    fn until(&mut self, rest: &str) {
        let (event, job) = rest.split_once(' ').expect("EVENT JOB");
        let (event, matching) = match event {
            "COMPLETED" | "CANCELLED" | "ERROR" => {
                (format!("BLOCK_JOB_{event}"), json!({"device": job}))
            }
            "PENDING" => ("BLOCK_JOB_PENDING".to_owned(), json!({"id": job})),
            status => (
                "JOB_STATUS_CHANGE".to_owned(),
                json!({"status": status, "id": job}),
            ),
        };
        self.act(Kind::Wait(format::Wait {
            event,
            matching: object(matching),
            skip: None,
            timeout: None,
            data: Map::new(),
            absent: Vec::new(),
        }));
    }

    // ---- commands

    fn sent(&self, text: &str) -> Sent {
        let (execute, arguments) = self.command(text);
        script::qmp_sent(self.world.dialect, &execute, &arguments)
            .unwrap_or_else(|what| panic!("{text}: {what}"))
    }

    fn command(&self, text: &str) -> (String, Value) {
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        match word {
            "group" | "each" => {
                let actions: Vec<Value> = rest
                    .split("; ")
                    .map(str::trim)
                    .filter(|text| !text.is_empty())
                    .map(|text| {
                        let (kind, data) = self.command(text);
                        json!({"type": kind, "data": data})
                    })
                    .collect();
                let mode = if word == "group" {
                    "grouped"
                } else {
                    "individual"
                };
                let properties = json!({"completion-mode": mode});
                (
                    "transaction".into(),
                    json!({"actions": actions, "properties": properties}),
                )
            }
            "backup" | "drive-backup" => {
                let mut words = rest.splitn(4, ' ');
                let mut next = || words.next().expect("JOB SOURCE TARGET {OPTIONS}");
                let (job, device, target, options) = (next(), next(), next(), next());
                let mut data = object(yaml(options));
                if job != "-" {
                    data.insert("job-id".into(), json!(job));
                }
                data.insert("device".into(), json!(device));
                let drive = word == "drive-backup";
                data.insert(
                    "target".into(),
                    if drive {
                        json!(path(target))
                    } else {
                        json!(target)
                    },
                );
                (
                    if drive {
                        word.into()
                    } else {
                        "blockdev-backup".into()
                    },
                    Value::Object(data),
                )
            }
            "add" | "clear" | "enable" | "disable" | "remove" | "merge" => {
                let (bitmap, options) = rest.split_once(' ').unwrap_or((rest, "{}"));
                let (node, name) = bitmap.split_once('/').expect("NODE/BITMAP");
                let key = if word == "merge" { "target" } else { "name" };
                let mut data = object(json!({"node": node, key: name}));
                match yaml(options) {
                    Value::Object(options) => data.extend(options),
                    sources => {
                        data.insert("bitmaps".into(), sources);
                    }
                }
                (format!("block-dirty-bitmap-{word}"), Value::Object(data))
            }
            "node" => ("blockdev-add".into(), self.node(rest)),
            "resize" => {
                let (name, size) = rest.split_once(' ').expect("NAME SIZE");
                let key = if name.starts_with('d') {
                    "device"
                } else {
                    "node-name"
                };
                let size = size.parse::<i64>().unwrap_or_else(|_| bytes(size) as i64);
                ("block_resize".into(), json!({key: name, "size": size}))
            }
            "set-speed" => {
                let (job, speed) = rest.split_once(' ').expect("JOB SPEED");
                let speed: i64 = speed.parse().expect("a speed");
                (
                    "block-job-set-speed".into(),
                    json!({"device": job, "speed": speed}),
                )
            }
            _ if word.starts_with("job-") || word.starts_with("block-job-") => {
                let (id, options) = rest.split_once(' ').unwrap_or((rest, "{}"));
                let by_id = word.starts_with("job-")
                    || word.ends_with("finalize")
                    || word.ends_with("dismiss");
                let mut data = object(yaml(options));
                data.insert(if by_id { "id" } else { "device" }.into(), json!(id));
                (word.into(), Value::Object(data))
            }
            _ => (
                word.into(),
                if rest.is_empty() {
                    json!({})
                } else {
                    yaml(rest)
                },
            ),
        }
    }

    fn node(&self, name: &str) -> Value {
        let mut file = json!({"driver": "file", "filename": path(name)});
        if let Some(Value::Object(faults)) = self.faults.get(name) {
            let mut layer = object(json!({"driver": "blkdebug", "image": file}));
            layer.extend(faults.clone());
            file = Value::Object(layer);
        }
        json!({"node-name": name, "driver": self.formats.get(name).copied().unwrap_or("qcow2"), "file": file})
    }
}

fn refusal(text: &str) -> format::QmpError {
    let classes = [
        ("DeviceNotActive: ", format::ErrorClass::DeviceNotActive),
        ("DeviceNotFound: ", format::ErrorClass::DeviceNotFound),
        ("CommandNotFound: ", format::ErrorClass::CommandNotFound),
    ];
    let (class, desc) = classes
        .into_iter()
        .find_map(|(prefix, class)| Some((class, text.strip_prefix(prefix)?)))
        .unwrap_or((format::ErrorClass::GenericError, text));
    format::QmpError {
        class,
        desc: Some(desc.trim().into()),
    }
}

fn path(name: &str) -> String {
    format!("$DIR/{name}")
}

fn bytes(text: &str) -> u64 {
    text.parse::<Size>()
        .unwrap_or_else(|_| panic!("size {text}"))
        .bytes()
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("{other} is not a map"),
    }
}
