//! What crosses the socket: statuses of jobs, events and classes of errors.

use model::defect::Defect;
use model::error::ErrorClass;
use model::job::{Status, Verb};

use super::{Entry, ShownBy};

/// A word on the wire.
pub struct Word {
    pub name: &'static str,
    says: &'static str,
    place: &'static str,
    client: &'static str,
}

const fn word(
    name: &'static str,
    says: &'static str,
    place: &'static str,
    client: &'static str,
) -> Word {
    Word {
        name,
        says,
        place,
        client,
    }
}

/// Statuses, events, classes of errors.
pub fn entries() -> Vec<Entry> {
    let statuses = Status::ALL.into_iter().zip(&STATUSES);
    let statuses = statuses.map(|(status, word)| {
        let text = [
            format!("status: {}", word.name),
            format!("status: \"{}\"", word.name),
            format!("\"status\": \"{}\"", word.name),
        ];
        let mut entry = word.entry("job status", text.into());
        entry.lines.splice(1..1, ways(status));
        entry
    });
    let events = EVENTS.iter();
    let events = events.map(|word| word.entry("event", vec![format!("event: {}", word.name)]));
    let errors = ERRORS.iter().map(|(class, word)| {
        let text = vec![format!("class: {class}"), format!("\"class\": \"{class}\"")];
        word.entry("class of errors", text)
    });
    statuses.chain(events).chain(errors).collect()
}

impl Word {
    fn entry(&self, kind: &'static str, text: Vec<String>) -> Entry {
        Entry {
            name: self.name,
            kind,
            number: None,
            says: self.says.to_owned(),
            lines: vec![
                ("QEMU", self.place.to_owned()),
                ("client", self.client.to_owned()),
            ],
            shown_by: ShownBy::Text(text),
        }
    }
}

/// Where a status leads, where it comes from, and which verbs it takes.
fn ways(status: Status) -> Vec<(&'static str, String)> {
    let names = |statuses: Vec<Status>| {
        let names: Vec<&str> = statuses.into_iter().map(Status::name).collect();
        if names.is_empty() {
            "-".to_owned()
        } else {
            names.join(", ")
        }
    };
    let all = || Status::ALL.into_iter();
    let before = all().filter(|other| *other != status && other.may_become(status));
    let after = all().filter(|other| *other != status && status.may_become(*other));
    let verbs = Verb::ALL.into_iter();
    let verbs = verbs.filter(|verb| verb.allowed_in(status)).map(Verb::name);
    let verbs: Vec<&str> = verbs.collect();
    vec![
        ("from", names(before.collect())),
        ("to", names(after.collect())),
        (
            "verbs",
            if verbs.is_empty() {
                "-".to_owned()
            } else {
                verbs.join(", ")
            },
        ),
    ]
}

/// In the order of [`Status::ALL`].
#[rustfmt::skip]
const STATUSES: [Word; 10] = [
    word("created", "The job exists and has not begun.",
        "job_create", "Wait: jobs of a transaction are created before any of them is started, and a refused one ends from here."),
    word("running", "The job is at work, or asleep inside its work.",
        "job_start, job_pause_point", "Expect it more than once: every pause ends with it, those of drained sections too."),
    word("paused", "The job stands in a pause point: its user, an error or a drained section has paused it.",
        "job_pause_point", "Ask query-block-jobs for io-status before resuming; a pause that nobody asked for ends by itself."),
    word("ready", "The job has caught up and can be completed; a backup never is.",
        "job_transition_to_ready", "Nothing: it is for mirror and active commit."),
    word("standby", "The job is paused while ready; a backup never is.",
        "job_pause_point", "Nothing: it is for mirror and active commit."),
    word("waiting", "The job is done and well, and siblings of its group are not yet done.",
        "job_completed_txn_success", "Do not take it for success: a sibling that fails cancels this job as well."),
    word("pending", "All jobs of the group are done and well, and the last step is to come.",
        "job_completed_txn_success, job_transition_to_pending", "With auto-finalize off, finalize one member; without, expect the terminal event at once."),
    word("aborting", "The job has failed or was cancelled, and is being ended.",
        "job_completed_txn_abort, job_finalize_single", "Wait for the terminal event; no verb is accepted any more."),
    word("concluded", "The last step is done, and the result can be queried.",
        "job_conclude", "With auto-dismiss off, read query-jobs and dismiss the job; its bitmap and nodes are free already."),
    word("null", "The job is gone; the word is only ever seen in an event.",
        "job_do_dismiss", "Use the id again from now on; nothing more comes of this job."),
];

/// The events that the model writes.
#[rustfmt::skip]
pub const EVENTS: [Word; 6] = [
    word("JOB_STATUS_CHANGE", "A job has another status.",
        "job_state_transition; data: id, status", "Follow each job by its id. Pairs of paused and running may come at any time: other commands drain."),
    word("BLOCK_JOB_COMPLETED", "A job that was started has ended, well or, with an `error`, not.",
        "block_job_event_completed, from job_finalize_single; data: type, device, len, offset, speed, and error if it failed",
        "Look for `error`. Bitmap and nodes have their final state already; concluded comes after it."),
    word("BLOCK_JOB_CANCELLED", "A job that was started has ended because it, or a sibling in its group, was cancelled or failed.",
        "block_job_event_cancelled, from job_finalize_single; data: type, device, len, offset, speed",
        "Throw the target away, also if offset is len. It never has an `error`: the reason is in the sibling's COMPLETED."),
    word("BLOCK_JOB_ERROR", "A job has met an I/O error, and says what it does about it.",
        "block_job_error_action, in the job's context; data: device, operation (read, write), action (report, ignore, stop)",
        "Act on `stop` only: mend and resume, or cancel. After `report` the terminal event has the error; `ignore` tries again."),
    word("BLOCK_JOB_PENDING", "A job that is finalized by hand waits for that.",
        "block_job_event_pending; data: type, id", "Finalize one member of the group, or cancel it. The field is called `id`, not `device`."),
    word("SHUTDOWN", "QEMU is about to end.",
        "qemu_system_shutdown, after quit; data: guest, reason", "Read on until the socket is closed: jobs may still have something to say."),
];

/// The classes of errors.
#[rustfmt::skip]
pub const ERRORS: [(ErrorClass, Word); 5] = [
    (ErrorClass::GenericError, word("GenericError", "A command was refused, for a reason that only its text says.",
        "error_setg", "Show the text, and decide by a query: texts differ between releases.")),
    (ErrorClass::CommandNotFound, word("CommandNotFound", "There is no such command, or it is not allowed now.",
        "qmp_dispatch", "Ask query-commands once, after qmp_capabilities.")),
    (ErrorClass::DeviceNotActive, word("DeviceNotActive", "There is no job of that id, or none any more.",
        "find_block_job_locked", "Take it for a job that has ended meanwhile, and look at its terminal event.")),
    (ErrorClass::DeviceNotFound, word("DeviceNotFound", "There is no drive or node of that name.",
        "bdrv_lookup_bs and the like", "Check the name: of a drive, of a node, or of its frontend.")),
    (ErrorClass::KVMMissingCap, word("KVMMissingCap", "The host's KVM lacks something; no block command says so.",
        "error_set", "Nothing: it has nothing to do with backups.")),
];

/// How a client gets along with a known defect.
pub fn client_of_defect(defect: &Defect) -> &'static str {
    match defect.name {
        "grouped-abort-hangs" => {
            "In a grouped transaction put what may be refused before the backups, and check their arguments beforehand."
        }
        "enable-rollback-crashes" => "Query the bitmaps first; enable only what is there.",
        "enable-rollback-disables" => {
            "After a refused transaction look at `recording` of every bitmap that it was to enable."
        }
        "merge-of-nothing-crashes" => "Leave a merge of no bitmaps out.",
        "bitmap-on-filter-vanishes" => {
            "Add bitmaps by node name during a backup, not by the drive's."
        }
        "gone-filter-crashes" => {
            "Start the second backup of a drive by node name, and not in the same transaction."
        }
        "always-settles-too-early" => {
            "After a cancelled or failed backup with bitmap-mode always, take a full one next."
        }
        "unstarted-marks-all" => {
            "Expect a full-sized backup after a refused transaction with bitmap-mode always."
        }
        "freed-bitmap-crashes" => {
            "Change a bitmap in a transaction of its own, not in that of a backup with bitmap-mode always."
        }
        _ => "",
    }
}
