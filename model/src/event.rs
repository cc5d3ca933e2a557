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

impl JobEnd {
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
