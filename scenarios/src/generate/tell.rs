//! A plan, told as a story: names for the numbers, images for the targets, and an end.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::cast::{self, Cast, Target, lasts};
use super::deed::{
    Action, Backup, Bitmap, BitmapDeed, By, Deed, Id, Into, Named, Recent, Speed, Wish, WishKind,
};
use crate::format::{
    Answer, Bitmaps, Drive, Fill, Hmp, HmpCommand, ImagePath, Img, ImgOpt, Item, Launch, Qmp,
    Request, Story, Until, Verb,
};
use crate::size::Size;

/// How long a silence says that nothing comes any more.
const SETTLE_MS: u64 = 150;

/// Tells the story. With an end of its own, QEMU has to quit right after that; else once the bitmaps were looked at.
pub(super) fn story(seed: u64, cast: &Cast, deeds: &[Deed], end: Option<&[Deed]>) -> Story {
    let mut teller = Teller {
        cast,
        jobs: Vec::new(),
        used: BTreeSet::new(),
        script: Vec::new(),
    };
    let end = end.unwrap_or(&[Deed::Bitmaps]);
    deeds.iter().chain(end).for_each(|deed| teller.deed(deed));
    let (done, used) = (teller.script, teller.used);
    let mut script = opening(cast, &used);
    script.extend(done);
    script.extend(ending(cast, &used));
    let faults = cast.drives.iter().enumerate();
    Story {
        name: format!("random-{seed}"),
        title: format!("Random story {seed}"),
        source: String::new(),
        about: "Made by a machine. It expects nothing, and what QEMU does has to be right.".into(),
        faults: faults
            .filter_map(|(index, drive)| Some((drive_id(index), drive.faults.clone()?)))
            .collect(),
        guests: BTreeMap::new(),
        witnesses: Vec::new(),
        defects: Vec::new(),
        script: script
            .into_iter()
            .map(|verb| Item { line: 0, verb })
            .collect(),
    }
}

// ---- names

/// A target that some command uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Used {
    Node(usize),
    File(usize),
}

fn drive_id(drive: usize) -> String {
    format!("drive{drive}")
}

fn node_of(drive: usize) -> String {
    format!("node{drive}")
}

fn file(name: &str) -> ImagePath {
    let path = format!("$DIR/{name}.qcow2");
    path.parse().expect("internal: it is in the folder")
}

impl Used {
    fn file(self) -> ImagePath {
        match self {
            Used::Node(index) => file(&format!("target{index}")),
            Used::File(index) => file(&format!("file{index}")),
        }
    }

    fn target(self, cast: &Cast) -> &Target {
        match self {
            Used::Node(index) => &cast.nodes[index],
            Used::File(index) => &cast.files[index],
        }
    }

    /// The drive that it is made for.
    fn drive(self, cast: &Cast) -> usize {
        let (Used::Node(index) | Used::File(index)) = self;
        index % cast.drives.len()
    }
}

fn size(bytes: u64) -> Size {
    Size::of(bytes).expect("internal: small images")
}

fn command(execute: &str, arguments: Value) -> Verb {
    let Value::Object(arguments) = arguments else {
        unreachable!("internal: arguments are an object");
    };
    Verb::Qmp(Qmp {
        execute: execute.into(),
        arguments,
        answers: vec![Answer::Any],
    })
}

// ---- before and after

/// The images, the launch, and the nodes of targets.
fn opening(cast: &Cast, used: &BTreeSet<Used>) -> Vec<Verb> {
    let mut images = Vec::new();
    let mut create = |img, bytes, backing, cluster: Option<&str>| {
        let option = |cluster: &str| ("cluster_size".to_owned(), ImgOpt::Text(cluster.to_owned()));
        images.push(Img::Create {
            img,
            size: size(bytes),
            backing,
            opts: cluster.into_iter().map(option).collect(),
        });
    };
    let mut writes = Vec::new();
    let mut write = |img: ImagePath, area: &super::cast::Area, bytes| {
        let (offset, len) = area.within(bytes);
        let pattern = area.pattern;
        writes.push(Img::Write {
            img,
            pattern,
            offset,
            len,
        });
    };
    for (index, drive) in cast.drives.iter().enumerate() {
        let image = file(&drive_id(index));
        let below = drive.below.map(|(eighths, area)| {
            let (below, bytes) = (file(&format!("base{index}")), part(drive.size, eighths));
            create(below.clone(), bytes, None, None);
            write(below.clone(), &area, bytes);
            below
        });
        create(image.clone(), drive.size, below, drive.cluster);
        for area in &drive.writes {
            write(image.clone(), area, drive.size);
        }
    }
    for target in used {
        let plan = target.target(cast);
        let bytes = cast.drives[target.drive(cast)].size + if plan.larger { 64 << 10 } else { 0 };
        create(target.file(), bytes, None, plan.cluster);
    }
    let mut script: Vec<Verb> = images.into_iter().chain(writes).map(Verb::Img).collect();
    script.push(Verb::Launch(launch(cast)));
    for target in used {
        if let Used::Node(index) = target {
            script.push(add_node(*index, target.target(cast)));
        }
    }
    script
}

/// So many eighths of it, in whole sectors, and at least one.
fn part(bytes: u64, eighths: u64) -> u64 {
    (bytes * eighths / 8 / 512).max(1) * 512
}

/// A drive's new size, in whole clusters: a part of one would keep its old bytes, for a growth to bring back.
fn resized(drive: &cast::Drive, eighths: u64) -> u64 {
    let cluster = match drive.cluster {
        Some("16k") => 16 << 10,
        Some("128k") => 128 << 10,
        _ => 64 << 10,
    };
    let bytes = part(drive.size, eighths);
    (bytes - bytes % cluster).max(cluster)
}

fn launch(cast: &Cast) -> Launch {
    let mut args = Vec::new();
    for (index, drive) in cast.drives.iter().enumerate() {
        if drive.threaded {
            let (thread, id) = (format!("iothread{index}"), drive_id(index));
            let device = format!("virtio-blk-pci,drive={id},iothread={thread}");
            let object = format!("iothread,id={thread}");
            args.extend(["-object".into(), object, "-device".into(), device]);
        }
    }
    let drives = (0..cast.drives.len()).map(|index| Drive {
        id: drive_id(index),
        file: file(&drive_id(index)),
        node: Some(node_of(index)),
        interface: None,
    });
    Launch {
        drives: drives.collect(),
        args,
    }
}

fn add_node(index: usize, target: &Target) -> Verb {
    let image = json!({"driver": "file", "filename": Used::Node(index).file().as_str()});
    let below = match &target.faults {
        None => image,
        Some(faults) => {
            let mut layer = json!({"driver": "blkdebug", "image": image});
            let rules = serde_json::to_value(faults).expect("internal: rules are plain data");
            // QEMU takes an empty list for an option that it does not know.
            for key in ["set-state", "inject-error"] {
                if rules[key] != json!([]) {
                    layer[key] = rules[key].clone();
                }
            }
            layer
        }
    };
    let node = format!("target{index}");
    command(
        "blockdev-add",
        json!({"node-name": node, "driver": "qcow2", "file": below}),
    )
}

/// QEMU quits, and every target is held against the drive that it was made for.
fn ending(cast: &Cast, used: &BTreeSet<Used>) -> Vec<Verb> {
    let compare = |target: &Used| {
        Verb::Img(Img::Compare {
            a: target.file(),
            b: file(&drive_id(target.drive(cast))),
            result: None,
        })
    };
    let comparisons = used.iter().map(compare);
    [Verb::Shutdown].into_iter().chain(comparisons).collect()
}

// ---- deeds

/// Tells one deed after the other.
struct Teller<'a> {
    cast: &'a Cast,
    /// The ids of the jobs that were asked for, oldest first.
    jobs: Vec<String>,
    used: BTreeSet<Used>,
    script: Vec<Verb>,
}

impl Teller<'_> {
    fn deed(&mut self, deed: &Deed) {
        let verb = match deed {
            Deed::Backup(backup) => {
                let name = backup_name(backup);
                command(name, self.backup(backup))
            }
            Deed::Transaction { actions, grouped } => self.transaction(actions, *grouped),
            Deed::Bitmap(bitmap) => command(&bitmap_name(bitmap), self.bitmap(bitmap)),
            Deed::Job {
                verb,
                block_job,
                force,
                job,
            } => self.job(verb, *block_job, *force, *job),
            Deed::SetSpeed { job, speed } => command(
                "block-job-set-speed",
                json!({"device": self.recent(*job), "speed": self.speed(0, *speed)}),
            ),
            Deed::Guest(wish) => self.guest(wish),
            Deed::Resize { node, eighths } => self.resize(node, *eighths),
            Deed::Query(name) => command(name, json!({})),
            Deed::Bitmaps => Verb::Bitmaps(Bitmaps::new()),
            Deed::Settle => Verb::Settle {
                ms: SETTLE_MS,
                until: None,
            },
            Deed::Until { job, event } => self.until(*job, *event),
        };
        self.script.push(verb);
    }

    fn drive(&self, number: usize) -> usize {
        number % self.cast.drives.len()
    }

    fn name(&self, named: &Named) -> String {
        let drive = self.drive(named.drive);
        match named.by {
            By::Node => node_of(drive),
            By::Drive => drive_id(drive),
            By::Nobody => "nobody".into(),
        }
    }

    /// The id of a job that was asked for; if none was, of one that may yet be.
    fn recent(&self, back: Recent) -> String {
        match self.jobs.len() {
            0 => "job0".into(),
            count => self.jobs[count - 1 - back % count].clone(),
        }
    }

    fn id(&mut self, id: Id, drive: usize) -> Option<String> {
        let said = match id {
            Id::Fresh => Some(format!("job{}", self.jobs.len())),
            Id::Again(back) => Some(self.recent(back)),
            Id::Unsaid => None,
        };
        self.jobs
            .push(said.clone().unwrap_or_else(|| drive_id(drive)));
        said
    }

    fn speed(&self, drive: usize, speed: Speed) -> i64 {
        match speed {
            Speed::Unsaid => 0,
            Speed::Exactly(speed) => speed,
            Speed::Times(times) => (self.cast.drives[drive].size * times) as i64,
        }
    }

    fn job(&self, verb: &str, block_job: bool, force: bool, job: Recent) -> Verb {
        let by_device = block_job && !matches!(verb, "finalize" | "dismiss");
        let key = if by_device { "device" } else { "id" };
        let mut arguments = json!({key: self.recent(job)});
        if force && block_job && verb == "cancel" {
            arguments["force"] = json!(true);
        }
        let family = if block_job { "block-job" } else { "job" };
        command(&format!("{family}-{verb}"), arguments)
    }

    fn until(&self, job: Recent, (event, status): (&str, Option<&str>)) -> Verb {
        let id = self.recent(job);
        let matching = match status {
            Some(status) => json!({"id": id, "status": status}),
            None => json!({"device": id}),
        };
        let Value::Object(matching) = matching else {
            unreachable!("internal: it was written as an object");
        };
        let event = event.into();
        Verb::Settle {
            ms: SETTLE_MS,
            until: Some(Until { event, matching }),
        }
    }

    fn guest(&self, wish: &Wish) -> Verb {
        let drive = self.drive(wish.drive);
        let cast::Drive { size, faults, .. } = &self.cast.drives[drive];
        let (offset, len) = match faults {
            None => wish.area.within(*size),
            Some(_) => wish.area.cluster_within(*size),
        };
        let write = |fill| Request::Write { offset, len, fill };
        let request = match wish.kind {
            WishKind::Write => write(Fill::Pattern(wish.area.pattern)),
            WishKind::Zeroes => write(Fill::Zeroes),
            WishKind::Discard => Request::Discard { offset, len },
            WishKind::Read => Request::Read {
                offset,
                len,
                pattern: None,
            },
            WishKind::Flush => Request::Flush,
        };
        Verb::Hmp(Hmp {
            drive: drive_id(drive),
            line: request.to_string(),
            command: HmpCommand::Request(request),
            output: None,
        })
    }

    fn resize(&self, node: &Named, eighths: Option<u64>) -> Verb {
        let drive = &self.cast.drives[self.drive(node.drive)];
        // A rule would hit what the image format writes about itself.
        let eighths = eighths.filter(|_| drive.faults.is_none());
        let bytes = eighths.map_or(-1, |eighths| resized(drive, eighths) as i64);
        let key = match node.by {
            By::Drive => "device",
            By::Node | By::Nobody => "node-name",
        };
        command("block_resize", json!({key: self.name(node), "size": bytes}))
    }

    // ---- bitmaps

    fn bitmap(&self, bitmap: &Bitmap) -> Value {
        let node = self.name(&bitmap.node);
        match &bitmap.what {
            BitmapDeed::Plain(_) => json!({"node": node, "name": bitmap.name}),
            BitmapDeed::Add(granularity, disabled) => {
                let mut arguments = json!({"node": node, "name": bitmap.name});
                if let Some(granularity) = granularity {
                    arguments["granularity"] = json!(granularity);
                }
                if let Some(disabled) = disabled {
                    arguments["disabled"] = json!(disabled);
                }
                arguments
            }
            BitmapDeed::Merge(sources) => {
                let source = |(node, name): &(Option<Named>, &str)| match node {
                    None => json!(name),
                    Some(node) => json!({"node": self.name(node), "name": name}),
                };
                let sources: Vec<Value> = sources.iter().map(source).collect();
                json!({"node": node, "target": bitmap.name, "bitmaps": sources})
            }
        }
    }

    // ---- backups

    fn transaction(&mut self, actions: &[Action], grouped: Option<bool>) -> Verb {
        let mut told = Vec::new();
        let mut sources = BTreeSet::new();
        for action in actions {
            // Two backups of one drive are refused: once in a while that is enough.
            if let Action::Backup(Backup { source, target, .. }) = action
                && !sources.insert(self.drive(source.drive))
                && matches!(target, Into::Own)
            {
                continue;
            }
            told.push(match action {
                Action::Backup(backup) => {
                    json!({"type": backup_name(backup), "data": self.backup(backup)})
                }
                Action::Bitmap(bitmap) => {
                    json!({"type": bitmap_name(bitmap), "data": self.bitmap(bitmap)})
                }
                Action::Abort => json!({"type": "abort", "data": {}}),
            });
        }
        let mut arguments = json!({"actions": told});
        if let Some(grouped) = grouped {
            let mode = if grouped { "grouped" } else { "individual" };
            arguments["properties"] = json!({"completion-mode": mode});
        }
        command("transaction", arguments)
    }

    /// The arguments of a backup, in the order of QEMU's documentation.
    fn backup(&mut self, backup: &Backup) -> Value {
        let drive = self.drive(backup.source.drive);
        let mut told = Map::new();
        let mut say = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                told.insert(key.into(), value);
            }
        };
        say("job-id", self.id(backup.id, drive).map(Value::from));
        say("device", Some(self.name(&backup.source).into()));
        let (target, existing) = self.target(backup, drive);
        say("target", Some(target.into()));
        if backup.drive_backup {
            say("format", Some("qcow2".into()));
            say("mode", existing.then(|| "existing".into()));
        }
        say("sync", Some(backup.sync.into()));
        say("bitmap", backup.bitmap.map(Value::from));
        say("bitmap-mode", backup.bitmap_mode.map(Value::from));
        let speed = match backup.speed {
            Speed::Unsaid => None,
            speed => Some(self.speed(drive, speed).into()),
        };
        say("speed", speed);
        let policy = |policy: &'static str| match policy {
            // It would be tried again for ever.
            "ignore" if self.fails_for_ever() => "stop".into(),
            policy => policy.into(),
        };
        say("on-source-error", backup.on_source_error.map(policy));
        say("on-target-error", backup.on_target_error.map(policy));
        say("auto-finalize", backup.auto_finalize.map(Value::from));
        say("auto-dismiss", backup.auto_dismiss.map(Value::from));
        say("x-perf", Some(self.pieces(backup, drive)));
        Value::Object(told)
    }

    /// A chunk is one cluster of the copy. How many of several QEMU would take together depends on where they lie in
    /// the file, which the model does not know.
    fn pieces(&self, backup: &Backup, drive: usize) -> Value {
        let number = match backup.target {
            Into::Own => drive,
            Into::Other(number) => number,
            Into::New | Into::Source => usize::MAX,
        };
        let targets = if backup.drive_backup {
            &self.cast.files
        } else {
            &self.cast.nodes
        };
        let of_target = targets.get(number).and_then(|target| target.cluster);
        let cluster = match of_target {
            Some("128k") => 128 << 10,
            Some("256k") => 256 << 10,
            _ => 64_i64 << 10,
        };
        match backup.perf {
            None => json!({"max-chunk": cluster, "max-workers": 1}),
            Some((chunk, workers)) => {
                let chunk = if chunk == 0 {
                    cluster
                } else {
                    chunk.min(cluster)
                };
                json!({"max-chunk": chunk, "max-workers": workers})
            }
        }
    }

    /// The target's name, and whether it is an image that is there.
    fn target(&mut self, backup: &Backup, drive: usize) -> (String, bool) {
        let number = match backup.target {
            Into::Own => drive,
            Into::Other(number) => number,
            Into::New if backup.drive_backup => {
                let new = format!("new{}", self.jobs.len());
                return (file(&new).to_string(), false);
            }
            Into::New => return ("nobody".into(), true),
            Into::Source if backup.drive_backup => {
                return (file(&drive_id(drive)).to_string(), true);
            }
            Into::Source => return (node_of(drive), true),
        };
        let used = match backup.drive_backup {
            true => Used::File(number),
            false => Used::Node(number),
        };
        self.used.insert(used);
        let name = match used {
            Used::Node(number) => format!("target{number}"),
            Used::File(_) => used.file().to_string(),
        };
        (name, true)
    }

    /// Whether something here fails whenever it is tried.
    fn fails_for_ever(&self) -> bool {
        let drives = self.cast.drives.iter().map(|drive| drive.faults.as_ref());
        let nodes = self.cast.nodes.iter().map(|node| node.faults.as_ref());
        drives.chain(nodes).any(lasts)
    }
}

fn backup_name(backup: &Backup) -> &'static str {
    match backup.drive_backup {
        true => "drive-backup",
        false => "blockdev-backup",
    }
}

fn bitmap_name(bitmap: &Bitmap) -> String {
    let verb = match &bitmap.what {
        BitmapDeed::Add(..) => "add",
        BitmapDeed::Merge(_) => "merge",
        BitmapDeed::Plain(verb) => verb,
    };
    format!("block-dirty-bitmap-{verb}")
}
