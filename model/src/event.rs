//! What QEMU says by itself: QMP events, with their data, and the process's end.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::error::QmpError;
use crate::job::Status;
use crate::name::Name;

/// Something that leaves QEMU and reaches its client, in the order in which it is written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Output {
    /// A QMP event.
    Event(Event),
    /// The reply to the oldest unanswered command.
    Reply(Reply),
    /// The process is gone: its exit code, or the negative number of the signal that killed it.
    Exit(i32),
}

/// The reply to one command.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Reply {
    /// `{"return": …}` of a QMP command.
    Return(Value),
    /// `{"return": {}}`, the most common reply, without the JSON.
    Done,
    /// `{"error": …}`.
    Error(QmpError),
    /// What the human monitor printed, one string a line.
    Printed(Vec<Arc<str>>),
}

/// Which half of a copy failed, in `BLOCK_JOB_ERROR`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// The source could not be read.
    Read,
    /// The target could not be written.
    Write,
}

/// What the job does about an error, in `BLOCK_JOB_ERROR`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorAction {
    /// The job fails.
    Report,
    /// The job tries again at once.
    Ignore,
    /// The job pauses until the user resumes it.
    Stop,
}

/// How far a job got, as its terminal events tell it. Bytes, and bytes per second.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JobEnd {
    /// The job's id.
    pub device: Name,
    /// Progress total, in bytes.
    pub len: u64,
    /// Progress current, in bytes.
    pub offset: u64,
    /// The speed limit in bytes per second; 0 is none.
    pub speed: u64,
}

/// A QMP event.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// `JOB_STATUS_CHANGE`: `job_state_transition`.
    JobStatusChange {
        /// The job's id.
        id: Name,
        /// Where it went.
        status: Status,
    },
    /// `BLOCK_JOB_COMPLETED`: `block_job_event_completed`.
    BlockJobCompleted {
        /// How far it got.
        end: JobEnd,
        /// The error's text, if the job failed.
        error: Option<Arc<str>>,
    },
    /// `BLOCK_JOB_CANCELLED`: `block_job_event_cancelled`.
    BlockJobCancelled {
        /// How far it got.
        end: JobEnd,
    },
    /// `BLOCK_JOB_ERROR`: `block_job_error_action`.
    BlockJobError {
        /// The job's id.
        device: Name,
        /// Which half of the copy failed.
        operation: Operation,
        /// What the job does about it.
        action: ErrorAction,
    },
    /// `BLOCK_JOB_PENDING`: `block_job_event_pending`, for jobs that are finalized by hand.
    BlockJobPending {
        /// The job's id.
        id: Name,
    },
    /// `SHUTDOWN`, after `quit`.
    Shutdown,
}

impl Event {
    /// The event's name on the wire.
    pub fn name(&self) -> &'static str {
        match self {
            Event::JobStatusChange { .. } => "JOB_STATUS_CHANGE",
            Event::BlockJobCompleted { .. } => "BLOCK_JOB_COMPLETED",
            Event::BlockJobCancelled { .. } => "BLOCK_JOB_CANCELLED",
            Event::BlockJobError { .. } => "BLOCK_JOB_ERROR",
            Event::BlockJobPending { .. } => "BLOCK_JOB_PENDING",
            Event::Shutdown => "SHUTDOWN",
        }
    }

    /// The job the event speaks of.
    pub fn job(&self) -> Option<&Name> {
        match self {
            Event::JobStatusChange { id, .. } | Event::BlockJobPending { id } => Some(id),
            Event::BlockJobCompleted { end, .. } | Event::BlockJobCancelled { end } => {
                Some(&end.device)
            }
            Event::BlockJobError { device, .. } => Some(device),
            Event::Shutdown => None,
        }
    }

    /// One field of the event's `data`, without the JSON; `None` if it has no such field.
    pub fn field(&self, key: &str) -> Option<Field<'_>> {
        let text = |text| Some(Field::Text(text));
        match (self, key) {
            (Event::JobStatusChange { id, .. } | Event::BlockJobPending { id }, "id") => text(id),
            (Event::JobStatusChange { status, .. }, "status") => text(status.name()),
            (Event::BlockJobPending { .. }, "type") => text("backup"),
            (Event::BlockJobCompleted { end, .. } | Event::BlockJobCancelled { end }, _)
                if key != "error" =>
            {
                end.field(key)
            }
            (Event::BlockJobCompleted { error, .. }, "error") => error.as_deref().map(Field::Text),
            (Event::BlockJobError { device, .. }, "device") => text(device),
            (Event::BlockJobError { operation, .. }, "operation") => text(operation.name()),
            (Event::BlockJobError { action, .. }, "action") => text(action.name()),
            (Event::Shutdown, "guest") => Some(Field::Flag(false)),
            (Event::Shutdown, "reason") => text("host-qmp-quit"),
            _ => None,
        }
    }

    /// The event's `data` on the wire.
    pub fn data(&self) -> Value {
        match self {
            Event::JobStatusChange { id, status } => {
                json!({"status": status.name(), "id": &**id})
            }
            Event::BlockJobCompleted { end, error } => {
                let mut data = end.data();
                if let Some(error) = error {
                    data.insert("error".into(), json!(&**error));
                }
                Value::Object(data)
            }
            Event::BlockJobCancelled { end } => Value::Object(end.data()),
            Event::BlockJobError {
                device,
                operation,
                action,
            } => {
                json!({"device": &**device, "operation": operation.name(), "action": action.name()})
            }
            Event::BlockJobPending { id } => json!({"type": "backup", "id": &**id}),
            Event::Shutdown => json!({"guest": false, "reason": "host-qmp-quit"}),
        }
    }
}

/// One field of an event's data: these are all the kinds there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field<'e> {
    /// A string.
    Text(&'e str),
    /// A number.
    Number(u64),
    /// A boolean.
    Flag(bool),
}

impl Field<'_> {
    /// Is it that JSON value?
    pub fn is(self, value: &Value) -> bool {
        match self {
            Field::Text(text) => value.as_str() == Some(text),
            Field::Number(number) => value.as_u64() == Some(number),
            Field::Flag(flag) => value.as_bool() == Some(flag),
        }
    }
}

impl JobEnd {
    fn field(&self, key: &str) -> Option<Field<'_>> {
        match key {
            "device" => Some(Field::Text(&self.device)),
            "len" => Some(Field::Number(self.len)),
            "offset" => Some(Field::Number(self.offset)),
            "speed" => Some(Field::Number(self.speed)),
            "type" => Some(Field::Text("backup")),
            _ => None,
        }
    }

    fn data(&self) -> Map<String, Value> {
        let Value::Object(map) = json!({
            "device": &*self.device,
            "len": self.len,
            "offset": self.offset,
            "speed": self.speed,
            "type": "backup",
        }) else {
            unreachable!("an object was just written");
        };
        map
    }
}

impl Operation {
    /// The word on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Operation::Read => "read",
            Operation::Write => "write",
        }
    }
}

impl ErrorAction {
    /// The word on the wire.
    pub fn name(self) -> &'static str {
        match self {
            ErrorAction::Report => "report",
            ErrorAction::Ignore => "ignore",
            ErrorAction::Stop => "stop",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every event with a field of each kind: what [`Event::field`] says is what [`Event::data`] says.
    #[test]
    fn fields_are_the_data() {
        let end = JobEnd {
            device: "drive0".into(),
            len: 3,
            offset: 2,
            speed: 1,
        };
        let events = [
            Event::JobStatusChange {
                id: "drive0".into(),
                status: Status::Paused,
            },
            Event::BlockJobCompleted {
                end: end.clone(),
                error: None,
            },
            Event::BlockJobCompleted {
                end: end.clone(),
                error: Some("Input/output error".into()),
            },
            Event::BlockJobCancelled { end },
            Event::BlockJobError {
                device: "drive0".into(),
                operation: Operation::Read,
                action: ErrorAction::Stop,
            },
            Event::BlockJobPending {
                id: "drive0".into(),
            },
            Event::Shutdown,
        ];
        let keys = [
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
            "none",
        ];
        for event in events {
            let data = event.data();
            for key in keys {
                let same = match (event.field(key), data.get(key)) {
                    (Some(field), Some(value)) => field.is(value),
                    (None, None) => true,
                    _ => false,
                };
                assert!(same, "{key} of {}", event.name());
            }
        }
    }
}
