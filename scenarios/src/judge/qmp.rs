//! Commands that can only fail: unknown ones, wrong arguments, names that nothing has.

use model::dialect::Dialect;
use model::qmp::{self, COMMANDS, Diagnosis};
use serde_json::{Map, Value};

use super::{Cast, Wrong, unknown};
use crate::format::{Answer, Qmp, did_you_mean, nearest_and_all};

/// Can the command end as the story says?
pub(super) fn command(cast: &Cast, dialect: &Dialect, path: &str, qmp: &Qmp) -> Result<(), Wrong> {
    let arguments = Value::Object(qmp.arguments.clone());
    match qmp::diagnose(dialect, &qmp.execute, &arguments) {
        Err(unmodelled) => return Err(not_modelled(path, &qmp.execute, &unmodelled.to_string())),
        Ok(Some(diagnosis)) => refused(dialect, path, qmp, &diagnosis)?,
        Ok(None) => {}
    }
    let must_succeed = |answer: &Answer| matches!(answer, Answer::Return(_));
    match qmp.answers.iter().all(must_succeed) {
        true => names(
            cast,
            &format!("{path}.arguments"),
            &qmp.execute,
            &qmp.arguments,
        ),
        false => Ok(()),
    }
}

fn not_modelled(path: &str, command: &str, what: &str) -> Wrong {
    if COMMANDS.contains(&command) {
        let help =
            "QEMU may know it: `blockrace conform --qemu BIN` plays the story with a QEMU of yours";
        return Wrong::value(format!("{path}.execute"), what, help);
    }
    let what = format!("the command `{command}` is not modelled");
    Wrong::value(
        format!("{path}.execute"),
        what,
        nearest_and_all(command, COMMANDS, ""),
    )
}

/// QEMU refuses the command at any moment: that must be one of the answers.
fn refused(dialect: &Dialect, path: &str, qmp: &Qmp, found: &Diagnosis) -> Result<(), Wrong> {
    let class = found.error.class.to_string();
    let fits = |answer: &Answer| match answer {
        Answer::Any => true,
        Answer::Return(_) => false,
        Answer::Error(wanted) => {
            wanted.class.name() == class
                && wanted
                    .desc
                    .as_deref()
                    .is_none_or(|desc| desc == &*found.error.desc)
        }
    };
    if qmp.answers.iter().any(fits) {
        return Ok(());
    }
    if let [Answer::Error(wanted)] = &qmp.answers[..] {
        let key = if wanted.class.name() == class {
            "desc"
        } else {
            "class"
        };
        let item = path.trim_end_matches(".qmp");
        return Err(Wrong::value(
            format!("{item}.error.{key}"),
            format!("QEMU {dialect} refuses this command with another error"),
            format!("it says {class}: {}", found.error.desc),
        ));
    }
    let what = format!("QEMU {dialect} refuses this: {}", found.error.desc);
    let arguments = format!("{path}.arguments");
    if let Some((at, near)) = misspelt(&arguments, found, &qmp.arguments) {
        return Err(Wrong::key(at, what, near));
    }
    let known: Vec<&str> = found.known.iter().map(String::as_str).collect();
    let help = match &*known {
        [] => format!(
            "if that is what the story shows: `error: {{class: {class}}}` beside the command"
        ),
        known => nearest_and_all(&found.word, known, ""),
    };
    Err(Wrong {
        path: match found.path.is_empty() {
            true => format!("{path}.execute"),
            false => format!("{arguments}.{}", found.path),
        },
        is_value: found.is_value,
        what,
        help,
    })
}

/// Where an argument of the command's own stands that is nearly the one that is missing, and what was meant.
fn misspelt(
    path: &str,
    found: &Diagnosis,
    arguments: &Map<String, Value>,
) -> Option<(String, String)> {
    let missing = &found.path;
    if found.is_value || !found.word.is_empty() || arguments.contains_key(missing) {
        return None;
    }
    let mut names = arguments.keys();
    let name = names.find(|name| did_you_mean(name, &[missing]).is_some())?;
    let meant = format!("did you mean `{missing}`? There is no argument `{name}`");
    Some((format!("{path}.{name}"), meant))
}

/// The arguments that must name something, so that the command can succeed.
fn names(
    cast: &Cast,
    path: &str,
    command: &str,
    arguments: &Map<String, Value>,
) -> Result<(), Wrong> {
    let named = |key: &str| arguments.get(key).and_then(Value::as_str);
    let node = |key: &str| match named(key).filter(|name| !cast.has_node(name)) {
        Some(name) => Err(unknown(
            format!("{path}.{key}"),
            true,
            "drive or node",
            name,
            &cast.nodes,
        )),
        None => Ok(()),
    };
    let job = |key: &str| match named(key).filter(|name| !cast.jobs.contains(name)) {
        Some(name) => Err(unknown(
            format!("{path}.{key}"),
            true,
            "job",
            name,
            &cast.jobs,
        )),
        None => Ok(()),
    };
    match command {
        "transaction" => {
            let actions = arguments.get("actions").and_then(Value::as_array);
            for (index, action) in actions.into_iter().flatten().enumerate() {
                let kind = action["type"].as_str().unwrap_or_default();
                if let Some(data) = action["data"].as_object() {
                    names(cast, &format!("{path}.actions[{index}].data"), kind, data)?;
                }
            }
            Ok(())
        }
        "drive-backup" => node("device"),
        "blockdev-backup" => node("device").and_then(|()| node("target")),
        _ if command.starts_with("block-dirty-bitmap-") => node("node"),
        // With both, the node is looked for first, and the device not at all.
        "block_resize" if !arguments.contains_key("node-name") => node("device"),
        _ if command.starts_with("job-") => job("id"),
        "block-job-finalize" | "block-job-dismiss" => job("id"),
        _ if command.starts_with("block-job-") => job("device"),
        _ => Ok(()),
    }
}
