//! Which events the model sends, with which data: what a story waits for must be among them.

use model::job::Status;
use serde_json::{Map, Value};

use super::{Cast, Wrong, unknown};
use crate::format::nearest_and_all;

/// What a field of an event's data can be.
#[derive(Clone, Copy)]
enum Kind {
    /// The name of a job.
    Job,
    /// Any text.
    Text,
    /// A number.
    Number,
    /// `true` or `false`.
    Flag,
    /// One of these words.
    Words(&'static [&'static str]),
}

const TYPE: (&str, Kind) = ("type", Kind::Words(&["backup"]));

const END: [(&str, Kind); 5] = [
    ("device", Kind::Job),
    ("len", Kind::Number),
    ("offset", Kind::Number),
    ("speed", Kind::Number),
    TYPE,
];

/// The events, and the fields of each.
const EVENTS: &[(&str, &[(&str, Kind)])] = &[
    (
        "JOB_STATUS_CHANGE",
        &[("id", Kind::Job), ("status", Kind::Words(&Status::NAMES))],
    ),
    (
        "BLOCK_JOB_COMPLETED",
        &[
            END[0],
            END[1],
            END[2],
            END[3],
            END[4],
            ("error", Kind::Text),
        ],
    ),
    ("BLOCK_JOB_CANCELLED", &END),
    (
        "BLOCK_JOB_ERROR",
        &[
            ("device", Kind::Job),
            ("operation", Kind::Words(&["read", "write"])),
            ("action", Kind::Words(&["ignore", "report", "stop"])),
        ],
    ),
    ("BLOCK_JOB_PENDING", &[("id", Kind::Job), TYPE]),
    ("SHUTDOWN", &[("guest", Kind::Flag), ("reason", Kind::Text)]),
];

fn fields(event: &str) -> &'static [(&'static str, Kind)] {
    let row = EVENTS.iter().find(|(name, _)| *name == event);
    row.map_or(&[], |(_, fields)| fields)
}

/// Is that an event that the model sends?
pub(super) fn event(path: &str, event: &str) -> Result<(), Wrong> {
    let names: Vec<&str> = EVENTS.iter().map(|(name, _)| *name).collect();
    match names.contains(&event) {
        true => Ok(()),
        false => Err(Wrong::value(
            format!("{path}.event"),
            format!("the event `{event}` never comes: the model does not send it"),
            nearest_and_all(event, &names, ""),
        )),
    }
}

/// Can the event's data hold that? With a cast, jobs must be in it.
pub(super) fn data(
    cast: Option<&Cast>,
    event: &str,
    path: &str,
    wanted: &Map<String, Value>,
) -> Result<(), Wrong> {
    for (key, value) in wanted {
        let path = format!("{path}.{key}");
        let Some((_, kind)) = fields(event).iter().find(|(name, _)| name == key) else {
            return Err(no_field(path, false, event, key));
        };
        field(cast, path, *kind, key, value)?;
    }
    Ok(())
}

/// Keys that must not be there have to be keys that could be.
pub(super) fn absent(event: &str, path: &str, keys: &[String]) -> Result<(), Wrong> {
    let strange = |(_, key): &(usize, &String)| !fields(event).iter().any(|(name, _)| name == key);
    match keys.iter().enumerate().find(strange) {
        None => Ok(()),
        Some((index, key)) => Err(no_field(format!("{path}[{index}]"), true, event, key)),
    }
}

fn no_field(path: String, is_value: bool, event: &str, key: &str) -> Wrong {
    let names: Vec<&str> = fields(event).iter().map(|(name, _)| *name).collect();
    Wrong {
        path,
        is_value,
        what: format!("{event} never has `{key}`"),
        help: nearest_and_all(key, &names, ""),
    }
}

fn field(
    cast: Option<&Cast>,
    path: String,
    kind: Kind,
    key: &str,
    value: &Value,
) -> Result<(), Wrong> {
    if let (Kind::Job, Value::String(job), Some(Cast { jobs, .. })) = (kind, value, cast)
        && !jobs.contains(job.as_str())
    {
        return Err(unknown(path, true, "job", job, jobs));
    }
    let wanted = match (kind, value) {
        (Kind::Words(words), Value::String(word)) if !words.contains(&word.as_str()) => {
            let what = format!("`{key}` is never `{word}`");
            return Err(Wrong::value(path, what, nearest_and_all(word, words, "")));
        }
        (Kind::Job | Kind::Text | Kind::Words(_), Value::String(_))
        | (Kind::Number, Value::Number(_))
        | (Kind::Flag, Value::Bool(_)) => return Ok(()),
        (Kind::Job | Kind::Text | Kind::Words(_), _) => "a text",
        (Kind::Number, _) => "a number",
        (Kind::Flag, _) => "`true` or `false`",
    };
    let help = match kind {
        Kind::Number => "bytes, without a unit: 65536, not 64k",
        _ => "words that YAML takes for something else stand in quotes",
    };
    Err(Wrong::value(
        path,
        format!("`{key}` is always {wanted}"),
        help,
    ))
}

#[cfg(test)]
mod tests {
    use model::event::{ErrorAction, Event, JobEnd, Operation};
    use model::job::Status;

    use super::*;

    /// One event of each kind, with all that it can hold.
    fn all() -> Vec<Event> {
        let end = || JobEnd {
            device: "a".into(),
            len: 1,
            offset: 1,
            speed: 0,
        };
        let id = || "a".into();
        vec![
            Event::JobStatusChange {
                id: id(),
                status: Status::Null,
            },
            Event::BlockJobCompleted {
                end: end(),
                error: Some("no".into()),
            },
            Event::BlockJobCancelled { end: end() },
            Event::BlockJobError {
                device: id(),
                operation: Operation::Read,
                action: ErrorAction::Stop,
            },
            Event::BlockJobPending { id: id() },
            Event::Shutdown,
        ]
    }

    #[test]
    fn the_table_is_what_the_model_sends() {
        let cast = Cast {
            drives: [].into(),
            nodes: [].into(),
            jobs: ["a"].into(),
            files: [].into(),
        };
        for (sent, (name, fields)) in all().iter().zip(EVENTS) {
            assert_eq!(sent.name(), *name);
            let Value::Object(sent_data) = sent.data() else {
                panic!("data is an object")
            };
            assert_eq!(sent_data.len(), fields.len(), "{name}");
            assert_eq!(data(Some(&cast), name, "", &sent_data), Ok(()));
        }
        assert_eq!(all().len(), EVENTS.len());
    }
}
