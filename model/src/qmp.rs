//! QMP on the wire: a command's name and JSON arguments, understood once.
//!
//! What QEMU's schema would refuse becomes a [`Command::Refused`] with QEMU's words; what the model does not
//! know is an error of the story's author ([`Unmodelled`]), never a silent success.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::backup::{BackupRequest, BitmapMode, OnError, Sync, TargetFormat};
use crate::dialect::Dialect;
use crate::error::{Errno, ErrorClass, QmpError};
use crate::fault::{self, Blkdebug, InjectError, IoType, SetState};
use crate::image::Format;
use crate::job::Verb;
use crate::monitor::{ByName, Command};
use crate::name::Name;
use crate::node::Access;
use crate::query::Query;
use crate::transaction::{Action, BitmapName};
pub use args::Diagnosis;
use args::{Args, Parsed, Refusal, invalid_value, missing, unmodelled, wrong_type};

mod args;
mod unexpected;

/// A command or an option that QEMU knows and this model does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmodelled(pub String);

impl fmt::Display for Unmodelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not modelled", self.0)
    }
}

impl std::error::Error for Unmodelled {}

/// Understands a command as a release does.
///
/// # Errors
/// Only what the model does not know; what QEMU refuses is a command that fails.
pub fn parse(dialect: &Dialect, execute: &str, arguments: &Value) -> Result<Command, Unmodelled> {
    match command(dialect, execute, arguments) {
        Ok(command) => Ok(command),
        Err(Refusal::ByQemu(found)) => Ok(Command::Refused(found.error)),
        Err(Refusal::ByUs(unmodelled)) => Err(unmodelled),
    }
}

/// Whether a release refuses the command whatever has happened before, and what its author may have meant.
///
/// # Errors
/// As [`parse`].
pub fn diagnose(
    dialect: &Dialect,
    execute: &str,
    arguments: &Value,
) -> Result<Option<Diagnosis>, Unmodelled> {
    match command(dialect, execute, arguments) {
        Ok(_) => Ok(None),
        Err(Refusal::ByQemu(found)) => Ok(Some(found)),
        Err(Refusal::ByUs(unmodelled)) => Err(unmodelled),
    }
}

/// Every command that is modelled.
#[rustfmt::skip]
pub const COMMANDS: &[&str] = &[
    "block-dirty-bitmap-add", "block-dirty-bitmap-clear", "block-dirty-bitmap-disable", "block-dirty-bitmap-enable",
    "block-dirty-bitmap-merge", "block-dirty-bitmap-remove", "block-job-cancel", "block-job-complete",
    "block-job-dismiss", "block-job-finalize", "block-job-pause", "block-job-resume", "block-job-set-speed",
    "block_resize", "blockdev-add", "blockdev-backup", "blockdev-del", "cont", "drive-backup", "job-cancel",
    "job-complete", "job-dismiss", "job-finalize", "job-pause", "job-resume", "qmp_capabilities", "query-block",
    "query-block-jobs", "query-jobs", "query-named-block-nodes", "quit", "stop", "transaction",
];

/// Commands QEMU knows that do nothing to what is modelled.
const NO_EFFECT: [&str; 3] = ["qmp_capabilities", "stop", "cont"];

fn command(dialect: &Dialect, execute: &str, arguments: &Value) -> Parsed<Command> {
    let mut args = Args::of_command(arguments)?;
    let command = match execute {
        "transaction" => transaction(dialect, &mut args)?,
        "drive-backup" | "blockdev-backup" => {
            let action = backup(dialect, execute == "drive-backup", &mut args)?;
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
            args.flag("flat", false)?;
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
        _ if NO_EFFECT.contains(&execute) => Command::Nothing,
        _ if execute.starts_with("no-such") => {
            return Err(QmpError::new(
                ErrorClass::CommandNotFound,
                format!("The command {execute} has not been found"),
            )
            .into());
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

fn transaction(dialect: &Dialect, args: &mut Args) -> Parsed<Command> {
    let mut parsed = Vec::new();
    for entry in args.list("actions")? {
        let mut entry = entry?;
        let kind = entry.one_of("type", &ACTIONS)?;
        let mut data = entry.object("data")?;
        parsed.push(action(dialect, kind, &mut data)?);
        data.finish()?;
        entry.finish()?;
    }
    let mut grouped = false;
    if let Some(mut properties) = args.optional_object("properties")? {
        let modes = [("individual", false), ("grouped", true)];
        grouped = properties
            .choice("completion-mode", &modes)?
            .unwrap_or(false);
        properties.finish()?;
    }
    Ok(Command::Transaction {
        actions: Arc::new(parsed),
        grouped,
    })
}

/// QEMU: `TransactionActionKind`.
const ACTIONS: [&str; 12] = [
    "abort",
    "block-dirty-bitmap-add",
    "block-dirty-bitmap-remove",
    "block-dirty-bitmap-clear",
    "block-dirty-bitmap-enable",
    "block-dirty-bitmap-disable",
    "block-dirty-bitmap-merge",
    "blockdev-backup",
    "blockdev-snapshot",
    "blockdev-snapshot-internal-sync",
    "blockdev-snapshot-sync",
    "drive-backup",
];

fn action(dialect: &Dialect, kind: &str, args: &mut Args) -> Parsed<Action> {
    match kind {
        "drive-backup" | "blockdev-backup" => backup(dialect, kind == "drive-backup", args),
        "abort" => Ok(Action::Abort),
        _ if kind.starts_with("blockdev-snapshot") => {
            unmodelled(format!("the transaction action {kind}"))
        }
        _ => bitmap_action(kind, args),
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
            sources: merge_sources(args, &bitmap.node)?,
            target: bitmap,
        },
        _ => unreachable!("the caller lists the actions"),
    })
}

/// QEMU: `BlockDirtyBitmapOrStr`. A string is a bitmap of the target's node, an object names both.
fn merge_sources(args: &mut Args, node: &Name) -> Parsed<Vec<BitmapName>> {
    let mut sources = Vec::new();
    for (path, entry) in args.entries("bitmaps")? {
        sources.push(match entry {
            Value::String(name) => BitmapName {
                node: node.clone(),
                name: name.into(),
            },
            Value::Object(_) => {
                let mut entry = Args::at(path, &entry)?;
                let source = BitmapName {
                    node: entry.name("node")?,
                    name: entry.name("name")?,
                };
                entry.finish()?;
                source
            }
            // An entry of a list has no name, and this message does not say where it is.
            _ => return Err(wrong_type("null", "BlockDirtyBitmapOrStr")),
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

/// The arguments are looked at in this order: `BackupCommon`, `DriveBackup`, `BlockdevBackup`.
fn backup(dialect: &Dialect, drive: bool, args: &mut Args) -> Parsed<Action> {
    let mut request = BackupRequest {
        drive,
        job_id: args.optional_name("job-id")?,
        device: args.name("device")?,
        sync: match args.choice("sync", &SYNC)? {
            Some(sync) => sync,
            None => return Err(missing(&args.full_name("sync"))),
        },
        speed: args.optional_int("speed")?.unwrap_or(0),
        bitmap: args.optional_name("bitmap")?,
        bitmap_mode: args.choice("bitmap-mode", &BITMAP_MODE)?,
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
        target: Name::from(""),
        format: None,
        existing: false,
    };
    if dialect.backup_discards_source && args.flag("discard-source", false)? {
        return unmodelled("discard-source");
    }
    if let Some(mut perf) = args.optional_object("x-perf")? {
        perf.flag("use-copy-range", false)?;
        request.workers_max = perf.optional_int("max-workers")?.unwrap_or(64);
        request.chunk_max = perf.optional_int("max-chunk")?.unwrap_or(0);
        if dialect.backup_has_min_cluster_size {
            request.cluster_min = perf.optional_uint("min-cluster-size")?.unwrap_or(0);
        }
        perf.finish()?;
    }
    request.target = args.name("target")?;
    if drive {
        if let Some(format) = args.optional_name("format")? {
            request.format = Some(target_format(format)?);
        }
        let modes = [("existing", true), ("absolute-paths", false)];
        request.existing = args.choice("mode", &modes)?.unwrap_or(false);
    }
    Ok(Action::Backup(request))
}

/// Whether QEMU has a format is only asked when the target is made or opened.
fn target_format(name: Name) -> Parsed<TargetFormat> {
    match name.parse::<Format>() {
        Ok(format) => Ok(TargetFormat::Known(format)),
        Err(_) if DRIVERS.contains(&&*name) => unmodelled(format!("the format {name}")),
        Err(_) => Ok(TargetFormat::Unknown(name)),
    }
}

/// What the releases call `BlockdevDriver`.
#[rustfmt::skip]
const DRIVERS: [&str; 46] = [
    "blkdebug", "blklogwrites", "blkreplay", "blkverify", "bochs", "cloop", "compress", "copy-before-write",
    "copy-on-read", "dmg", "file", "ftp", "ftps", "gluster", "host_cdrom", "host_device", "http", "https",
    "io_uring", "iscsi", "luks", "nbd", "nfs", "null-aio", "null-co", "nvme", "nvme-io_uring", "parallels",
    "preallocate", "qcow", "qcow2", "qed", "quorum", "raw", "rbd", "replication", "snapshot-access", "ssh",
    "throttle", "vdi", "vhdx", "virtio-blk-vfio-pci", "virtio-blk-vhost-vdpa", "vmdk", "vpc", "vvfat",
];

/// `blockdev-add` of qcow2 or raw over a file, with or without a blkdebug layer between. The arguments are looked at
/// in this order: `BlockdevOptions`, then what the driver adds.
fn blockdev_add(args: &mut Args) -> Parsed<Command> {
    let driver = args.one_of("driver", &DRIVERS)?;
    if !matches!(driver, "qcow2" | "raw") {
        return unmodelled(format!("blockdev-add of driver {driver}"));
    }
    let node_name = args.optional_name("node-name")?;
    let usual = [
        ("discard", Value::from("ignore")),
        ("detect-zeroes", Value::from("off")),
    ];
    for (option, usual) in usual {
        if let Some(other) = args.optional(option).filter(|value| *value != usual) {
            return unmodelled(format!("blockdev-add with {option}={other}"));
        }
    }
    for option in ["cache", "auto-read-only"] {
        args.optional(option);
    }
    let access = Access {
        read_only: args.flag("read-only", false)?,
        format: driver.parse().ok(),
        over: None,
    };
    let (file, blkdebug) = protocol(args, "file")?;
    Ok(Command::BlockdevAdd {
        node_name,
        file,
        blkdebug,
        access,
    })
}

/// QEMU: `BlockdevRef`. A reference to a node is not modelled.
fn protocol(above: &mut Args, key: &str) -> Parsed<(Name, Option<Blkdebug>)> {
    let path = above.full_name(key);
    let mut args = match above.required(key)? {
        Value::String(node) => return unmodelled(format!("a reference to the node {node}")),
        object @ Value::Object(_) => Args::at(path, &object)?,
        _ => return Err(wrong_type(&path, "BlockdevRef")),
    };
    let driver = args.one_of("driver", &DRIVERS)?;
    args.optional_name("node-name")?;
    let found = match driver {
        "file" => (args.name("filename")?, None),
        "blkdebug" => {
            let (name, nested) = protocol(&mut args, "image")?;
            if nested.is_some() {
                return unmodelled("a blkdebug layer on another");
            }
            (name, Some(blkdebug(&mut args)?))
        }
        other => return unmodelled(format!("the protocol driver {other}")),
    };
    args.finish()?;
    Ok(found)
}

/// Understands the options of a blkdebug layer (`set-state`, `inject-error`), as `blockdev-add` has them.
///
/// # Errors
/// What QEMU would refuse, or what is not modelled.
pub fn parse_blkdebug(options: &Value) -> Result<Blkdebug, String> {
    let parsed = Args::of_command(options).and_then(|mut args| {
        let layer = blkdebug(&mut args)?;
        args.finish()?;
        Ok(layer)
    });
    parsed.map_err(|refusal| match refusal {
        Refusal::ByQemu(found) => found.error.desc.to_string(),
        Refusal::ByUs(unmodelled) => unmodelled.to_string(),
    })
}

fn blkdebug(args: &mut Args) -> Parsed<Blkdebug> {
    let mut set_state = Vec::new();
    for mut rule in args.optional_list("set-state")? {
        set_state.push(SetState {
            event: event(&mut rule)?,
            state: rule.optional_int("state")?.unwrap_or(0) as u32,
            new_state: rule.int("new_state")? as u32,
        });
        rule.finish()?;
    }
    let mut inject_error = Vec::new();
    for mut rule in args.optional_list("inject-error")? {
        inject_error.push(InjectError {
            event: event(&mut rule)?,
            state: rule.optional_int("state")?.unwrap_or(0) as u32,
            errno: Errno::from_number(rule.optional_int("errno")?.unwrap_or(5) as i32),
            at: rule
                .optional_int("sector")?
                .filter(|&s| s >= 0)
                .map(|s| (s as u64).saturating_mul(512)),
            once: rule.flag("once", false)?,
            immediately: rule.flag("immediately", false)?,
            iotypes: iotypes(&mut rule)?,
        });
        rule.finish()?;
    }
    Ok(Blkdebug::new(set_state, inject_error))
}

fn event(args: &mut Args) -> Parsed<u8> {
    let name = args.name("event")?;
    fault::event_number(&name).ok_or_else(|| invalid_value(args, "event", &name, []))
}

/// Without a list, every I/O but a status query.
fn iotypes(args: &mut Args) -> Parsed<Vec<IoType>> {
    let named = match args.optional("iotype") {
        None => {
            return Ok(IoType::ALL
                .into_iter()
                .filter(|&io| io != IoType::BlockStatus)
                .collect());
        }
        Some(Value::String(name)) => vec![Value::String(name)],
        Some(Value::Array(names)) => names,
        Some(_) => return Err(wrong_type(&args.full_name("iotype"), "string")),
    };
    let parse = |name: &Value| {
        let name = name.as_str().unwrap_or_default();
        let found = IoType::ALL.into_iter().find(|io| io.name() == name);
        found.ok_or_else(|| {
            let known = IoType::ALL.into_iter().map(|io| io.name());
            invalid_value(args, "iotype", name, known)
        })
    };
    named.iter().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{COMMANDS, diagnose};
    use crate::dialect::QEMU_10_0;

    #[test]
    fn every_modelled_command_is_known() {
        assert!(COMMANDS.is_sorted());
        for command in COMMANDS {
            let found = diagnose(&QEMU_10_0, command, &json!({}));
            assert!(found.is_ok(), "{command}: {found:?}");
        }
        assert!(diagnose(&QEMU_10_0, "drive-mirror", &json!({})).is_err());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place_and_what_is_known() {
        let check = |command: &str, arguments, path: &str, word: &str, known: &str| {
            let found = diagnose(&QEMU_10_0, command, &arguments);
            let found = found.expect("modelled").expect("refused");
            assert_eq!((&*found.path, &*found.word), (path, word), "{found:?}");
            assert!(
                found.known.iter().any(|word| word == known) || known.is_empty(),
                "{found:?}"
            );
        };
        check("job-cancel", json!({"i": "a"}), "id", "", "");
        check("job-cancel", json!({"id": "a", "x": 1}), "x", "x", "id");
        check(
            "transaction",
            json!({"actions": [{"type": "drive-backup", "data": {"device": "a", "sync": "ful", "target": "b"}}]}),
            "actions[0].data.sync",
            "ful",
            "full",
        );
        check(
            "transaction",
            json!({"actions": [{"type": "x", "data": {}}]}),
            "actions[0].type",
            "x",
            "abort",
        );
    }
}
