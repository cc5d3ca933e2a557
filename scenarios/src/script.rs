//! A client's script, compiled: what it does in order, with everything a run needs worked out beforehand.
//!
//! A story compiles to a script that sends as soon as it can and checks what it expects; a recording compiles to
//! one that does what was recorded, in the order recorded ([`crate::recording`]).

use model::dialect::Dialect;
use model::fault::Blkdebug;
use model::file::ImageCommand;
use model::guest::{Guest, Request};
use model::image::{Fill, Format};
use model::monitor::Command;
use model::name::Name;
use model::process::Drive;
use model::qmp;
use model::query::Query;
use model::world::{GuestIx, World};
use serde_json::{Map, Value, json};

use crate::format::{self, Answer, BitmapState, Skip, Story, Verb};
use crate::line::Fixed;
use crate::size::Size;

/// One thing the client does. What waits for QEMU is passive: it happens as soon as it can. The others are steps.
#[derive(Debug)]
pub struct Act {
    /// The line of the story or recording it comes from, counted from 1.
    pub line: u32,
    /// What.
    pub kind: Kind,
}

/// What the client does.
#[derive(Debug)]
pub enum Kind {
    /// A command on an image file; `expected` is how it must end.
    Img {
        /// The command; what the model does not do (`map`) is none.
        command: Option<ImageCommand>,
        /// As a trace shows it.
        shown: Fixed,
        /// How it must end.
        expected: Option<Value>,
    },
    /// QEMU is started.
    Launch {
        /// Its drives.
        drives: Vec<Drive>,
        /// As a trace shows it.
        shown: Fixed,
    },
    /// A command is sent, and its reply awaited.
    Ask {
        /// What is sent.
        sent: Sent,
        /// What the reply must be.
        expected: Expected,
    },
    /// An event is awaited, and taken.
    Wait(format::Wait),
    /// So many events have been received and not been taken; they are forgotten. `None`: any number.
    Pending(Option<u64>),
    /// Events received so far are forgotten.
    Forget,
    /// QEMU is killed.
    Kill,
    /// Nothing comes any more for a while, or an event comes and is taken.
    Settle {
        /// The silence, in milliseconds.
        ms: u64,
        /// The event that ends it sooner.
        until: Option<format::Until>,
    },
    /// The client sleeps.
    Sleep(u64),
    /// Guests begin.
    Start(Vec<GuestIx>),
    /// Guests have finished.
    Join(Vec<GuestIx>),
    /// Everything is read until the process is gone.
    ReadToExit,

    // Only in recordings, where what was awaited is not known:
    /// A command is sent, and nothing is awaited.
    Send(Sent),
    /// A command may be sent now, or any time before it is due: its line was written when its reply came.
    Offer(Sent),
    /// One message is read.
    Read,
    /// Nothing came in time.
    GiveUp(crate::line::Line),

    // Only in logs that show events when the client took them:
    /// Messages are read until a reply; events among them are kept.
    ReadReply,
    /// That event is taken, from those kept or those that come.
    Take(Fixed),
}

/// A command on its way.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Its word in schedules.
    pub word: Name,
    /// The command.
    pub command: Command,
    /// How a trace shows it.
    pub shown: Shown,
}

/// How a trace shows a command and its reply.
#[derive(Clone, Debug)]
pub enum Shown {
    /// The command when it is sent, the reply when it comes.
    Cmd(Fixed),
    /// One line when the reply comes: the human monitor's.
    Hmp(Name),
    /// One line when the reply comes: the bitmaps.
    Bitmaps,
}

/// What a reply must be.
#[derive(Debug)]
pub enum Expected {
    /// Success, and what is returned must hold this.
    Return(Option<Value>),
    /// That error.
    Error(format::QmpError),
    /// These printed lines, if stated.
    Output(Option<Vec<String>>),
    /// These bitmaps.
    Bitmaps(format::Bitmaps),
    /// One of these.
    Either(Vec<Expected>),
    /// Anything.
    Any,
}

/// A compiled script: what the client does, and the world in which it begins.
#[derive(Debug)]
pub struct Script {
    /// The story's or recording's name.
    pub name: String,
    /// The file it came from, for messages.
    pub file: String,
    /// What the client does, in order.
    pub acts: Vec<Act>,
    /// The world before anything happens: an empty folder, and the guests.
    pub world: World,
    /// Adjacent `paused`, `running` of one job are left out of the trace: drains cause them, and how many is noise.
    pub collapse: bool,
    /// There is a [`Kind::Offer`] in it.
    pub offers: bool,
    /// The kinds of events that are kept for [`Kind::Take`]; others are not looked at.
    pub kept: Vec<String>,
}

/// Why a story cannot be played: its author's mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptError {
    /// The line of the story, counted from 1.
    pub line: u32,
    /// What is wrong.
    pub what: String,
}

impl Script {
    /// Compiles a story for a dialect.
    ///
    /// # Errors
    /// A command or an option that is not modelled, with its line.
    pub fn of_story(
        story: &Story,
        file: &str,
        dialect: &'static Dialect,
    ) -> Result<Script, ScriptError> {
        let mut world = World::new(dialect);
        let mut guests = Vec::new();
        for (name, guest) in &story.guests {
            let requests = guest.requests.iter().map(request).collect();
            let index = world.add_guest(Guest::new(
                name.as_str().into(),
                guest.drive.as_str().into(),
                requests,
            ));
            guests.push((name.as_str(), index));
        }
        let mut acts = Vec::new();
        for item in &story.script {
            let kinds =
                of_verb(story, dialect, &item.verb, &guests).map_err(|what| ScriptError {
                    line: item.line,
                    what,
                })?;
            acts.extend(kinds.into_iter().map(|kind| Act {
                line: item.line,
                kind,
            }));
        }
        let name = story.name.clone();
        Ok(Script {
            name,
            file: file.into(),
            acts,
            world,
            collapse: false,
            offers: false,
            kept: Vec::new(),
        })
    }
}

fn of_verb(
    story: &Story,
    dialect: &Dialect,
    verb: &Verb,
    guests: &[(&str, GuestIx)],
) -> Result<Vec<Kind>, String> {
    let index_of = |name: &String| {
        let found = guests.iter().find(|(guest, _)| guest == name);
        found
            .map(|(_, index)| *index)
            .ok_or_else(|| format!("there is no guest {name}"))
    };
    Ok(vec![match verb {
        Verb::Img(img) => image_act(img)?,
        Verb::Launch(launch) => launch_act(story, launch)?,
        Verb::Qmp(qmp) => Kind::Ask {
            sent: qmp_sent(dialect, &qmp.execute, &Value::Object(qmp.arguments.clone()))?,
            expected: match &qmp.answers[..] {
                [only] => expected(only),
                several => Expected::Either(several.iter().map(expected).collect()),
            },
        },
        Verb::Hmp(hmp) => Kind::Ask {
            sent: hmp_sent(&hmp.drive, &hmp.line, &hmp.command)?,
            expected: Expected::Output(hmp.output.clone()),
        },
        Verb::Wait(wait) => Kind::Wait(wait.clone()),
        Verb::Bitmaps(bitmaps) => Kind::Ask {
            sent: bitmaps_sent(),
            expected: Expected::Bitmaps(bitmaps.clone()),
        },
        Verb::Pending(count) => Kind::Pending(Some(*count)),
        Verb::Forget => Kind::Forget,
        Verb::Settle { ms, until } => Kind::Settle {
            ms: *ms,
            until: until.clone(),
        },
        Verb::Sleep { ms } => Kind::Sleep(*ms),
        Verb::Guests(format::Guests::Start(names)) => {
            Kind::Start(names.iter().map(index_of).collect::<Result<_, _>>()?)
        }
        Verb::Guests(format::Guests::Join(names)) => {
            Kind::Join(names.iter().map(index_of).collect::<Result<_, _>>()?)
        }
        Verb::Shutdown => {
            let sent = qmp_sent(dialect, "quit", &json!({}))?;
            return Ok(vec![Kind::Send(sent), Kind::ReadToExit]);
        }
        Verb::Kill => return Ok(vec![Kind::Kill, Kind::ReadToExit]),
    }])
}

fn expected(answer: &Answer) -> Expected {
    match answer {
        Answer::Return(value) => Expected::Return(value.clone()),
        Answer::Error(error) => Expected::Error(error.clone()),
        Answer::Any => Expected::Any,
    }
}

// ---- commands

/// A QMP command as it is sent to a release.
///
/// # Errors
/// What is not modelled.
pub fn qmp_sent(dialect: &Dialect, execute: &str, arguments: &Value) -> Result<Sent, String> {
    let command = qmp::parse(dialect, execute, arguments).map_err(|error| error.to_string())?;
    let shown = Shown::Cmd(Fixed::new(
        json!({"execute": execute, "arguments": arguments}),
    ));
    Ok(Sent {
        word: execute.into(),
        command,
        shown,
    })
}

/// A `qemu-io` line as the human monitor gets it.
///
/// # Errors
/// Breakpoints, which are not modelled.
pub fn hmp_sent(drive: &str, line: &str, command: &format::HmpCommand) -> Result<Sent, String> {
    let format::HmpCommand::Request(wanted) = command else {
        return Err("breakpoints of a blkdebug layer are not modelled".into());
    };
    let request = request(wanted);
    Ok(Sent {
        word: format!("qemu-io {drive} {}", request.word())
            .as_str()
            .into(),
        command: Command::QemuIo {
            drive: drive.into(),
            request,
        },
        shown: Shown::Hmp(hmp_line(drive, line)),
    })
}

fn hmp_line(drive: &str, line: &str) -> Name {
    format!("qemu-io {drive} \"{line}\"").as_str().into()
}

/// The question for every node's bitmaps.
pub fn bitmaps_sent() -> Sent {
    Sent {
        word: "query-named-block-nodes".into(),
        command: Command::Query(Query::Bitmaps),
        shown: Shown::Bitmaps,
    }
}

fn request(request: &format::Request) -> Request {
    let write = |offset: &Size, len: &Size, fill: &format::Fill| match fill {
        format::Fill::Pattern(pattern) => Request::Write {
            offset: offset.bytes(),
            len: len.bytes(),
            fill: Fill(pattern.0.into()),
        },
        format::Fill::Zeroes => Request::WriteZeroes {
            offset: offset.bytes(),
            len: len.bytes(),
        },
    };
    match request {
        format::Request::Write { offset, len, fill }
        | format::Request::AioWrite { offset, len, fill } => write(offset, len, fill),
        format::Request::Read { offset, len, .. } => Request::Read {
            offset: offset.bytes(),
            len: len.bytes(),
        },
        format::Request::Discard { offset, len } => Request::Discard {
            offset: offset.bytes(),
            len: len.bytes(),
        },
        format::Request::Flush => Request::Flush,
    }
}

// ---- images

fn image_act(img: &format::Img) -> Result<Kind, String> {
    let name = |path: &format::ImagePath| Name::from(path.as_str());
    let fill = |pattern: &format::Pattern| Fill(pattern.0.into());
    let mut expected = Some(json!("ok"));
    let command = match img {
        format::Img::Create {
            img,
            size,
            backing,
            opts,
        } => {
            let options: Map<String, Value> = opts
                .iter()
                .map(|(key, value)| (key.clone(), json!(value.to_string())))
                .collect();
            Some(create(
                img.as_str(),
                Some(size.bytes()),
                backing.as_ref().map(name),
                &options,
            )?)
        }
        format::Img::Write {
            img,
            pattern,
            offset,
            len,
        } => Some(ImageCommand::Write {
            name: name(img),
            offset: offset.bytes(),
            len: len.bytes(),
            fill: fill(pattern),
        }),
        format::Img::Read {
            img,
            pattern,
            offset,
            len,
        } => Some(ImageCommand::Read {
            name: name(img),
            offset: offset.bytes(),
            len: len.bytes(),
            fill: Some(fill(pattern)),
        }),
        format::Img::Copy { img, to } => Some(ImageCommand::Copy {
            name: name(img),
            to: name(to),
        }),
        format::Img::Rebase { img, backing } => Some(ImageCommand::Rebase {
            name: name(img),
            backing: Some(name(backing)),
        }),
        format::Img::Compare { a, b, result } => {
            expected = result.map(|result| json!(result.name()));
            Some(ImageCommand::Compare {
                a: name(a),
                b: name(b),
            })
        }
        format::Img::Remove { img } => Some(ImageCommand::Remove { name: name(img) }),
        format::Img::Map { .. } => return Err("img map is not modelled".into()),
        format::Img::Bitmaps { img, result } => {
            expected = result.as_deref().map(shown_stored_bitmaps);
            Some(ImageCommand::Bitmaps { name: name(img) })
        }
    };
    let mut shown = command.as_ref().map_or(Value::Null, shown_image_command);
    if let format::Img::Create { opts, .. } = img
        && !opts.is_empty()
    {
        shown["opts"] = json!(opts);
    }
    Ok(Kind::Img {
        command,
        shown: Fixed::new(shown),
        expected,
    })
}

/// A `create`, with the options of qemu-img as a map.
///
/// # Errors
/// An option that is not modelled, or is malformed.
pub fn create(
    name: &str,
    size: Option<u64>,
    backing: Option<Name>,
    options: &Map<String, Value>,
) -> Result<ImageCommand, String> {
    let (mut cluster_size, mut format) = (None, Format::Qcow2);
    for (key, value) in options {
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match key.as_str() {
            "cluster_size" => {
                let size: Size = text
                    .parse()
                    .map_err(|_| format!("bad cluster_size {text}"))?;
                cluster_size = Some(size.bytes());
            }
            "format" => format = text.parse().map_err(|_| format!("unknown format {text}"))?,
            // Options that change nothing a client sees here.
            "lazy_refcounts" | "refcount_bits" | "preallocation" => {}
            _ => return Err(format!("the image option {key} is not modelled")),
        }
    }
    Ok(ImageCommand::Create {
        name: name.into(),
        size,
        format,
        cluster_size,
        backing,
    })
}

/// Stored bitmaps as `qemu-img info --output=json` lists them, their flags in order.
fn shown_stored_bitmaps(bitmaps: &[format::StoredBitmap]) -> Value {
    let shown = bitmaps.iter().map(|bitmap| {
        let mut flags = bitmap.flags.clone();
        flags.sort();
        json!({"flags": flags, "name": bitmap.name, "granularity": bitmap.granularity.bytes()})
    });
    shown.collect()
}

/// An image command as a trace shows it.
pub fn shown_image_command(command: &ImageCommand) -> Value {
    let pattern = |fill: &Fill| format!("{:#04x}", fill.0);
    match command {
        ImageCommand::Create {
            name,
            size,
            cluster_size,
            backing,
            ..
        } => {
            let mut shown = json!({"cmd": "create", "img": &**name});
            if let Some(size) = size {
                shown["size"] = json!(size);
            }
            if let Some(cluster_size) = cluster_size {
                let size =
                    Size::of(*cluster_size).map_or_else(String::new, |size| size.to_string());
                shown["opts"] = json!({"cluster_size": size});
            }
            if let Some(backing) = backing {
                shown["backing"] = json!(&**backing);
            }
            shown
        }
        ImageCommand::Write {
            name,
            offset,
            len,
            fill,
        } => json!({
            "cmd": "write", "img": &**name, "pattern": pattern(fill), "offset": offset, "len": len,
        }),
        ImageCommand::Read {
            name,
            offset,
            len,
            fill,
        } => {
            let mut shown = json!({"cmd": "read", "img": &**name, "offset": offset, "len": len});
            if let Some(fill) = fill {
                shown["pattern"] = json!(pattern(fill));
            }
            shown
        }
        ImageCommand::Copy { name, to } => json!({"cmd": "copy", "img": &**name, "to": &**to}),
        ImageCommand::Rebase { name, backing } => {
            json!({"cmd": "rebase", "img": &**name, "backing": backing.as_deref()})
        }
        ImageCommand::Compare { a, b } => json!({"cmd": "compare", "a": &**a, "b": &**b}),
        ImageCommand::Bitmaps { name } => json!({"cmd": "bitmaps", "img": &**name}),
        ImageCommand::Remove { name } => json!({"cmd": "remove", "img": &**name}),
    }
}

// ---- launching

fn launch_act(story: &Story, launch: &format::Launch) -> Result<Kind, String> {
    let mut drives = Vec::new();
    let mut shown = Vec::new();
    for drive in &launch.drives {
        let faults = story.faults.get(&drive.id).map(shown_faults);
        let mut entry = json!({"id": drive.id, "file": drive.file.as_str()});
        if let Some(node) = &drive.node {
            entry["node"] = json!(node);
        }
        if let Some(interface) = &drive.interface {
            entry["if"] = json!(interface);
        }
        if let Some(faults) = &faults {
            entry["blkdebug"] = faults.clone();
        }
        drives.push(self::drive(&entry, &launch.args)?);
        shown.push(entry);
    }
    let shown = Fixed::new(json!({"drives": shown, "args": launch.args}));
    Ok(Kind::Launch { drives, shown })
}

/// A drive of a `launch` line, with the iothread its device gets from the arguments
/// (`-device virtio-blk-pci,drive=ID,iothread=NAME`).
///
/// # Errors
/// A field that is missing or malformed.
pub fn drive(entry: &Value, args: &[String]) -> Result<Drive, String> {
    let text = |key: &str| entry.get(key).and_then(Value::as_str);
    let id = text("id").ok_or("a drive without an id")?;
    let file = text("file").ok_or("a drive without a file")?;
    let blkdebug: Option<Blkdebug> = match entry.get("blkdebug") {
        None | Some(Value::Null) => None,
        Some(options) => Some(qmp::parse_blkdebug(options)?),
    };
    Ok(Drive {
        id: id.into(),
        node: text("node").map(Name::from),
        file: file.into(),
        blkdebug,
        iothread: args.iter().find_map(|arg| iothread_of(arg, id)),
        has_device: text("if").is_some_and(|interface| interface != "none")
            || args.iter().any(|arg| is_device_of(arg, id)),
    })
}

/// Is that the argument of `-device` for the drive (`virtio-blk-pci,drive=ID,…`)?
fn is_device_of(arg: &str, drive: &str) -> bool {
    arg.split(',')
        .skip(1)
        .any(|option| option.split_once('=') == Some(("drive", drive)))
}

fn iothread_of(arg: &str, drive: &str) -> Option<Name> {
    let mut options = arg
        .split(',')
        .skip(1)
        .filter_map(|option| option.split_once('='));
    let of_drive = options
        .clone()
        .any(|(key, value)| key == "drive" && value == drive);
    let found = options
        .find(|(key, _)| *key == "iothread")
        .filter(|_| of_drive)?;
    Some(found.1.into())
}

fn shown_faults(faults: &format::Faults) -> Value {
    let set_state: Vec<_> = faults
        .set_state
        .iter()
        .map(|rule| {
            json!({"event": rule.event.as_str(), "state": rule.state, "new_state": rule.new_state})
        })
        .collect();
    let inject_error: Vec<_> = faults.inject_error.iter().map(shown_injection).collect();
    json!({"set-state": set_state, "inject-error": inject_error})
}

fn shown_injection(rule: &format::InjectError) -> Value {
    let mut shown = json!({
        "event": rule.event.as_str(),
        "state": rule.state,
        "errno": rule.errno,
        "immediately": rule.immediately,
        "once": rule.once,
    });
    if let Some(sector) = rule.sector {
        shown["sector"] = json!(sector);
    }
    if let Some(iotype) = rule.iotype {
        let word = match iotype {
            format::IoType::Read => "read",
            format::IoType::Write => "write",
            format::IoType::WriteZeroes => "write-zeroes",
            format::IoType::Discard => "discard",
            format::IoType::Flush => "flush",
            format::IoType::BlockStatus => "block-status",
        };
        shown["iotype"] = json!(word);
    }
    shown
}

/// What of the bitmaps does not hold, in one sentence.
pub fn bitmaps_mismatch(
    expected: &format::Bitmaps,
    listed: &Value,
    status: impl Fn(&str, &str) -> Option<&'static str>,
) -> Option<String> {
    for (node, bitmaps) in expected {
        let entries = listed.get(node).and_then(Value::as_array);
        for (name, state) in bitmaps {
            let found = entries
                .into_iter()
                .flatten()
                .find(|entry| entry["name"] == json!(name));
            let Some(Value::Object(found)) = found else {
                return Some(format!("node {node} has no bitmap {name}"));
            };
            if let Some(what) = state_mismatch(state, found, status(node, name)) {
                return Some(format!("bitmap {name} of node {node}: {what}"));
            }
        }
    }
    None
}

fn state_mismatch(
    state: &BitmapState,
    listed: &Map<String, Value>,
    status: Option<&'static str>,
) -> Option<String> {
    let mut listed = listed.clone();
    if let Some(status) = status {
        listed.insert("status".into(), json!(status));
    }
    state.mismatch(&listed)
}

/// The events that a wait drops when it takes one, by what `skip` says.
pub fn skips(skip: Option<Skip>, awaited: &str, event: &str) -> bool {
    match skip {
        None => false,
        Some(Skip::Same) => awaited == event,
        Some(Skip::All) => true,
    }
}
