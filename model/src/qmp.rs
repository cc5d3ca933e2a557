//! QMP on the wire: a command's name and JSON arguments, understood once.
//!
//! What QEMU's schema would refuse becomes a [`Command::Refused`] with QEMU's words; what the model does not
//! know is an error of the story's author ([`Unmodelled`]), never a silent success.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::backup::{BackupRequest, BitmapMode, OnError, Sync};
use crate::error::{Errno, ErrorClass, QmpError};
use crate::fault::{self, Blkdebug, InjectError, IoType, SetState};
use crate::image::Format;
use crate::job::Verb;
use crate::monitor::{ByName, Command};
use crate::name::Name;
use crate::node::Access;
use crate::query::Query;
use crate::transaction::{Action, BitmapName};

/// A command or an option that QEMU knows and this model does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmodelled(pub String);

impl fmt::Display for Unmodelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not modelled", self.0)
    }
}

impl std::error::Error for Unmodelled {}

/// Why arguments were not understood.
enum Refusal {
    ByQemu(QmpError),
    ByUs(Unmodelled),
}

impl From<QmpError> for Refusal {
    fn from(error: QmpError) -> Refusal {
        Refusal::ByQemu(error)
    }
}

type Parsed<T> = Result<T, Refusal>;

fn unmodelled<T>(what: impl Into<String>) -> Parsed<T> {
    Err(Refusal::ByUs(Unmodelled(what.into())))
}

/// Understands a command.
///
/// # Errors
/// Only what the model does not know; what QEMU refuses is a command that fails.
pub fn parse(execute: &str, arguments: &Value) -> Result<Command, Unmodelled> {
    match command(execute, arguments) {
        Ok(command) => Ok(command),
        Err(Refusal::ByQemu(error)) => Ok(Command::Refused(error)),
        Err(Refusal::ByUs(unmodelled)) => Err(unmodelled),
    }
}

/// Commands QEMU knows that do nothing to what is modelled.
const NO_EFFECT: [&str; 3] = ["qmp_capabilities", "stop", "cont"];

fn command(execute: &str, arguments: &Value) -> Parsed<Command> {
    let mut args = Args::new(arguments)?;
    let command = match execute {
        "transaction" => transaction(&mut args)?,
        "drive-backup" | "blockdev-backup" => {
            let action = backup(execute == "drive-backup", &mut args)?;
            Command::Transaction {
                actions: Arc::new(vec![action]),
                grouped: false,
            }
        }
        "block-dirty-bitmap-add"
        | "block-dirty-bitmap-clear"
        | "block-dirty-bitmap-enable"
        | "block-dirty-bitmap-disable"
        | "block-dirty-bitmap-merge"
        | "block-dirty-bitmap-remove" => {
            Command::Bitmap(Arc::new(vec![bitmap_action(execute, &mut args)?]))
        }
        "job-cancel" | "job-pause" | "job-resume" | "job-complete" | "job-finalize"
        | "job-dismiss" => job(&execute["job-".len()..], false, &mut args)?,
        "block-job-cancel" | "block-job-pause" | "block-job-resume" | "block-job-complete"
        | "block-job-finalize" | "block-job-dismiss" => {
            job(&execute["block-job-".len()..], true, &mut args)?
        }
        "block-job-set-speed" => Command::SetSpeed {
            id: args.name("device")?,
            speed: args.int("speed")?,
        },
        "query-jobs" => Command::Query(Query::Jobs),
        "query-block-jobs" => Command::Query(Query::BlockJobs),
        "query-block" => Command::Query(Query::Block),
        "query-named-block-nodes" => {
            args.optional("flat")?;
            Command::Query(Query::NamedBlockNodes)
        }
        "blockdev-add" => blockdev_add(&mut args)?,
        "blockdev-del" => Command::BlockdevDel {
            node_name: args.name("node-name")?,
        },
        "block_resize" => Command::Resize {
            device: args.optional_name("device")?,
            node_name: args.optional_name("node-name")?,
            size: args.int("size")?,
        },
        "quit" => Command::Quit,
        _ if NO_EFFECT.contains(&execute) => {
            args.ignore_rest();
            Command::Nothing
        }
        _ if execute.is_empty() || execute.starts_with("no-such") => {
            return Err(Refusal::ByQemu(QmpError::new(
                ErrorClass::CommandNotFound,
                format!("The command {execute} has not been found"),
            )));
        }
        _ => return unmodelled(format!("the command {execute}")),
    };
    args.finish()?;
    Ok(command)
}

fn job(verb: &str, block_job: bool, args: &mut Args) -> Parsed<Command> {
    let verb = Verb::ALL.into_iter().find(|known| known.name() == verb);
    let verb = verb.expect("internal: the caller lists the verbs");
    let by_device = block_job && !matches!(verb, Verb::Finalize | Verb::Dismiss);
    let id = args.name(if by_device { "device" } else { "id" })?;
    let force = if block_job && verb == Verb::Cancel {
        args.flag("force", false)?
    } else {
        false
    };
    Ok(Command::Job {
        verb,
        id,
        by: ByName { block_job, force },
    })
}

fn transaction(args: &mut Args) -> Parsed<Command> {
    let actions = args.required("actions")?;
    let Value::Array(actions) = actions else {
        return Err(wrong_type("actions", "array"));
    };
    let mut parsed = Vec::new();
    for entry in &actions {
        let mut entry = Args::new(entry)?;
        let kind = entry.name("type")?;
        let data = entry.required("data")?;
        entry.finish()?;
        let mut data = Args::new(&data)?;
        parsed.push(action(&kind, &mut data)?);
        data.finish()?;
    }
    let grouped = match args.optional("properties")? {
        None => false,
        Some(properties) => {
            let mut properties = Args::new(&properties)?;
            let mode = properties
                .choice(
                    "completion-mode",
                    &[("individual", false), ("grouped", true)],
                )?
                .unwrap_or(false);
            properties.finish()?;
            mode
        }
    };
    Ok(Command::Transaction {
        actions: Arc::new(parsed),
        grouped,
    })
}

fn action(kind: &str, args: &mut Args) -> Parsed<Action> {
    match kind {
        "drive-backup" | "blockdev-backup" => backup(kind == "drive-backup", args),
        "abort" => Ok(Action::Abort),
        _ if kind.starts_with("block-dirty-bitmap-") => bitmap_action(kind, args),
        "blockdev-snapshot" | "blockdev-snapshot-sync" | "blockdev-snapshot-internal-sync" => {
            unmodelled(format!("the transaction action {kind}"))
        }
        _ => Err(invalid_value("type", kind)),
    }
}

fn bitmap_action(kind: &str, args: &mut Args) -> Parsed<Action> {
    let node = args.name("node")?;
    let target = kind == "block-dirty-bitmap-merge";
    let name = args.name(if target { "target" } else { "name" })?;
    let bitmap = BitmapName { node, name };
    Ok(match kind {
        "block-dirty-bitmap-add" => Action::BitmapAdd {
            bitmap,
            granularity: args.granularity()?,
            persistent: args.flag("persistent", false)?,
            disabled: args.flag("disabled", false)?,
        },
        "block-dirty-bitmap-clear" => Action::BitmapClear(bitmap),
        "block-dirty-bitmap-enable" => Action::BitmapEnable(bitmap),
        "block-dirty-bitmap-disable" => Action::BitmapDisable(bitmap),
        "block-dirty-bitmap-remove" => Action::BitmapRemove(bitmap),
        "block-dirty-bitmap-merge" => Action::BitmapMerge {
            target: bitmap,
            sources: merge_sources(args)?,
        },
        _ => return Err(invalid_value("type", kind)),
    })
}

/// A string is a bitmap of the target's node (its node is left empty), an object names both.
fn merge_sources(args: &mut Args) -> Parsed<Vec<BitmapName>> {
    let Value::Array(entries) = args.required("bitmaps")? else {
        return Err(wrong_type("bitmaps", "array"));
    };
    let mut sources = Vec::new();
    for entry in entries {
        sources.push(match entry {
            Value::String(name) => BitmapName {
                node: "".into(),
                name: name.into(),
            },
            entry => {
                let mut entry = Args::new(&entry)?;
                let source = BitmapName {
                    node: entry.name("node")?,
                    name: entry.name("name")?,
                };
                entry.finish()?;
                source
            }
        });
    }
    Ok(sources)
}

const ON_ERROR: [(&str, OnError); 5] = [
    ("report", OnError::Report),
    ("ignore", OnError::Ignore),
    ("stop", OnError::Stop),
    ("enospc", OnError::Enospc),
    ("auto", OnError::Auto),
];

const SYNC: [(&str, Sync); 5] = [
    ("full", Sync::Full),
    ("top", Sync::Top),
    ("none", Sync::None),
    ("incremental", Sync::Incremental),
    ("bitmap", Sync::Bitmap),
];

const BITMAP_MODE: [(&str, BitmapMode); 3] = [
    ("on-success", BitmapMode::OnSuccess),
    ("never", BitmapMode::Never),
    ("always", BitmapMode::Always),
];

fn backup(drive: bool, args: &mut Args) -> Parsed<Action> {
    let mut request = BackupRequest {
        drive,
        job_id: args.optional_name("job-id")?,
        device: args.name("device")?,
        target: args.name("target")?,
        format: None,
        existing: false,
        sync: match args.choice("sync", &SYNC)? {
            Some(sync) => sync,
            None => return Err(missing("sync")),
        },
        bitmap: args.optional_name("bitmap")?,
        bitmap_mode: args.choice("bitmap-mode", &BITMAP_MODE)?,
        speed: args.optional_int("speed")?.unwrap_or(0),
        compress: args.flag("compress", false)?,
        on_source_error: args
            .choice("on-source-error", &ON_ERROR)?
            .unwrap_or_default(),
        on_target_error: args
            .choice("on-target-error", &ON_ERROR)?
            .unwrap_or_default(),
        auto_finalize: args.flag("auto-finalize", true)?,
        auto_dismiss: args.flag("auto-dismiss", true)?,
        filter_node_name: args.optional_name("filter-node-name")?,
        workers_max: 64,
        chunk_max: 0,
        cluster_min: 0,
    };
    if drive {
        request.format = match args.optional_name("format")? {
            None => None,
            Some(format) => Some(format.parse::<Format>().map_err(|_| {
                Refusal::ByQemu(QmpError::generic(format!("Unknown file format '{format}'")))
            })?),
        };
        let modes = [("existing", true), ("absolute-paths", false)];
        request.existing = args.choice("mode", &modes)?.unwrap_or(false);
    }
    if let Some(perf) = args.optional("x-perf")? {
        let mut perf = Args::new(&perf)?;
        perf.optional("use-copy-range")?;
        request.workers_max = perf.optional_int("max-workers")?.unwrap_or(64);
        request.chunk_max = perf.optional_int("max-chunk")?.unwrap_or(0);
        request.cluster_min = perf.optional_int("min-cluster-size")?.unwrap_or(0).max(0) as u64;
        perf.finish()?;
    }
    Ok(Action::Backup(request))
}

/// `blockdev-add` of qcow2 or raw over a file, with or without a blkdebug layer between.
fn blockdev_add(args: &mut Args) -> Parsed<Command> {
    let driver = args.name("driver")?;
    if !matches!(&*driver, "qcow2" | "raw") {
        return unmodelled(format!("blockdev-add of driver {driver}"));
    }
    let node_name = args.name("node-name")?;
    let file = match args.required("file")? {
        file @ Value::Object(_) => file,
        other => return unmodelled(format!("blockdev-add with file {other}")),
    };
    let (file, blkdebug) = protocol(&file)?;
    let usual = [
        ("discard", Value::from("ignore")),
        ("detect-zeroes", Value::from("off")),
    ];
    for (option, usual) in usual {
        if let Some(other) = args.optional(option)?.filter(|value| *value != usual) {
            return unmodelled(format!("blockdev-add with {option}={other}"));
        }
    }
    for option in ["cache", "auto-read-only"] {
        args.optional(option)?;
    }
    let access = Access {
        read_only: args.flag("read-only", false)?,
        format: driver.parse().ok(),
        over: None,
    };
    Ok(Command::BlockdevAdd {
        node_name,
        file,
        blkdebug,
        access,
    })
}

fn protocol(file: &Value) -> Parsed<(Name, Option<Blkdebug>)> {
    let mut args = Args::new(file)?;
    let driver = args.name("driver")?;
    let found = match &*driver {
        "file" => (args.name("filename")?, None),
        "blkdebug" => {
            let image = args.required("image")?;
            let layer = blkdebug(&mut args)?;
            let (name, nested) = protocol(&image)?;
            if nested.is_some() {
                return unmodelled("a blkdebug layer on another");
            }
            (name, Some(layer))
        }
        other => return unmodelled(format!("the protocol driver {other}")),
    };
    args.optional("node-name")?;
    args.finish()?;
    Ok(found)
}

/// Understands the options of a blkdebug layer (`set-state`, `inject-error`), as `blockdev-add` has them.
///
/// # Errors
/// What QEMU would refuse, or what is not modelled.
pub fn parse_blkdebug(options: &Value) -> Result<Blkdebug, String> {
    let parsed = Args::new(options).and_then(|mut args| {
        let layer = blkdebug(&mut args)?;
        args.finish()?;
        Ok(layer)
    });
    parsed.map_err(|refusal| match refusal {
        Refusal::ByQemu(error) => error.desc.to_string(),
        Refusal::ByUs(unmodelled) => unmodelled.to_string(),
    })
}

fn blkdebug(args: &mut Args) -> Parsed<Blkdebug> {
    let mut set_state = Vec::new();
    for mut rule in args.optional_list("set-state")? {
        set_state.push(SetState {
            event: rule.event()?,
            state: rule.optional_int("state")?.unwrap_or(0) as u32,
            new_state: rule.int("new_state")? as u32,
        });
        rule.finish()?;
    }
    let mut inject_error = Vec::new();
    for mut rule in args.optional_list("inject-error")? {
        inject_error.push(InjectError {
            event: rule.event()?,
            state: rule.optional_int("state")?.unwrap_or(0) as u32,
            errno: Errno::from_number(rule.optional_int("errno")?.unwrap_or(5) as i32),
            at: rule
                .optional_int("sector")?
                .filter(|&s| s >= 0)
                .map(|s| s as u64 * 512),
            once: rule.flag("once", false)?,
            immediately: rule.flag("immediately", false)?,
            iotypes: rule.iotypes()?,
        });
        rule.finish()?;
    }
    Ok(Blkdebug::new(set_state, inject_error))
}

/// Arguments being taken one by one: what is left over at the end is unexpected.
struct Args {
    left: Map<String, Value>,
}

fn missing(key: &str) -> Refusal {
    Refusal::ByQemu(QmpError::generic(format!("Parameter '{key}' is missing")))
}

fn wrong_type(key: &str, expected: &str) -> Refusal {
    Refusal::ByQemu(QmpError::generic(format!(
        "Invalid parameter type for '{key}', expected: {expected}"
    )))
}

fn invalid_value(key: &str, value: &str) -> Refusal {
    Refusal::ByQemu(QmpError::generic(format!(
        "Parameter '{key}' does not accept value '{value}'"
    )))
}

impl Args {
    fn new(value: &Value) -> Parsed<Args> {
        match value {
            Value::Object(map) => Ok(Args { left: map.clone() }),
            Value::Null => Ok(Args { left: Map::new() }),
            _ => Err(wrong_type("arguments", "object")),
        }
    }

    fn finish(&self) -> Parsed<()> {
        match self.left.keys().next() {
            None => Ok(()),
            Some(key) => Err(Refusal::ByQemu(QmpError::generic(format!(
                "Parameter '{key}' is unexpected"
            )))),
        }
    }

    fn ignore_rest(&mut self) {
        self.left.clear();
    }

    fn optional(&mut self, key: &str) -> Parsed<Option<Value>> {
        Ok(self.left.shift_remove(key))
    }

    fn required(&mut self, key: &str) -> Parsed<Value> {
        self.left.shift_remove(key).ok_or_else(|| missing(key))
    }

    fn optional_name(&mut self, key: &str) -> Parsed<Option<Name>> {
        match self.optional(key)? {
            None => Ok(None),
            Some(Value::String(name)) => Ok(Some(name.into())),
            Some(_) => Err(wrong_type(key, "string")),
        }
    }

    fn name(&mut self, key: &str) -> Parsed<Name> {
        self.optional_name(key)?.ok_or_else(|| missing(key))
    }

    fn optional_int(&mut self, key: &str) -> Parsed<Option<i64>> {
        match self.optional(key)? {
            None => Ok(None),
            Some(value) => value
                .as_i64()
                .map(Some)
                .ok_or_else(|| wrong_type(key, "integer")),
        }
    }

    fn int(&mut self, key: &str) -> Parsed<i64> {
        self.optional_int(key)?.ok_or_else(|| missing(key))
    }

    fn flag(&mut self, key: &str, default: bool) -> Parsed<bool> {
        match self.optional(key)? {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(_) => Err(wrong_type(key, "boolean")),
        }
    }

    fn choice<T: Copy>(&mut self, key: &str, choices: &[(&str, T)]) -> Parsed<Option<T>> {
        let Some(name) = self.optional_name(key)? else {
            return Ok(None);
        };
        match choices.iter().find(|(choice, _)| *choice == &*name) {
            Some((_, value)) => Ok(Some(*value)),
            None => Err(invalid_value(key, &name)),
        }
    }

    fn granularity(&mut self) -> Parsed<Option<u64>> {
        match self.optional("granularity")? {
            None => Ok(None),
            Some(value) => match value.as_u64() {
                Some(granularity) if granularity <= u64::from(u32::MAX) => Ok(Some(granularity)),
                _ => Err(Refusal::ByQemu(QmpError::generic(
                    "Parameter 'granularity' expects uint32_t",
                ))),
            },
        }
    }

    fn optional_list(&mut self, key: &str) -> Parsed<Vec<Args>> {
        match self.optional(key)? {
            None => Ok(Vec::new()),
            Some(Value::Array(entries)) => entries.iter().map(Args::new).collect(),
            Some(_) => Err(wrong_type(key, "array")),
        }
    }

    fn event(&mut self) -> Parsed<u8> {
        let name = self.name("event")?;
        fault::event_number(&name).ok_or_else(|| invalid_value("event", &name))
    }

    /// Without a list, every I/O but a status query.
    fn iotypes(&mut self) -> Parsed<Vec<IoType>> {
        let named = match self.optional("iotype")? {
            None => {
                return Ok(IoType::ALL
                    .into_iter()
                    .filter(|&io| io != IoType::BlockStatus)
                    .collect());
            }
            Some(Value::String(name)) => vec![Value::String(name)],
            Some(Value::Array(names)) => names,
            Some(_) => return Err(wrong_type("iotype", "string")),
        };
        let parse = |name: &Value| {
            let name = name.as_str().unwrap_or_default();
            let found = IoType::ALL.into_iter().find(|io| io.name() == name);
            found.ok_or_else(|| invalid_value("iotype", name))
        };
        named.iter().map(parse).collect()
    }
}
