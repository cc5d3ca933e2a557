//! What each promise means for a client: what it may count on, and what it does when the promise is not kept.

/// A promise that is no row of the model's table.
pub struct Other {
    pub name: &'static str,
    pub says: &'static str,
    pub kept_by: &'static str,
    pub checked: &'static str,
    pub client: &'static str,
}

/// Promises that are asked by the search, and by the stories themselves.
pub const OTHERS: [Other; 2] = [
    Other {
        name: "every-run-rests",
        says: "No run goes on for ever: from everywhere there is an end, or a wait for a named action of the user.",
        kept_by: "loops make progress: the copy loop, nested event loops, retries of errors that are ignored",
        checked: "by the search, when no other promise is broken: no cycle of states without a way out",
        client: "Give every wait a limit; a QEMU that turns in a circle still answers queries.",
    },
    Other {
        name: "expectation",
        says: "What a story says that the client reads is what the client reads.",
        kept_by: "the story: its waits, replies, results and absences",
        checked: "when the client's script comes to the line that says so",
        client: "Look at the line that is named: the story may be too strict, or leave out an order that is allowed.",
    },
];

/// What a client makes of a promise.
pub fn client(id: &str) -> Option<&'static str> {
    let row = CLIENTS.iter().find(|(known, _)| *known == id);
    let other = || OTHERS.iter().find(|other| other.name == id);
    row.map(|(_, client)| *client)
        .or_else(|| other().map(|other| other.client))
}

/// By promise, in the order of the model's table.
#[rustfmt::skip]
pub const CLIENTS: &[(&str, &str)] = &[
    ("point-in-time", "Trust a target only after BLOCK_JOB_COMPLETED without an error; it is then the drive as it was at the start, whatever guests wrote since."),
    ("incremental-complete", "Keep the chain together: an incremental target is a backup only with the ones before it."),
    ("old-data-only", "Let guests write during the backup: their first write to a cluster waits until the old data is saved."),
    ("no-lost-dirty", "If you doubt it, take a full backup with a new bitmap, and do not go on with the old chain."),
    ("consumed-only-if-copied", "With bitmap-mode always, keep what a failed backup has written: its bitmap has forgotten it. Otherwise throw it away."),
    ("failure-keeps-bits", "After a failed or cancelled backup, start it again with the same bitmap."),
    ("grouped-atomicity", "Read the terminal events of all jobs of a group: either all succeed, or all targets are thrown away."),
    ("same-instant", "Put backups of several drives that belong together into one transaction; each command by itself has a moment of its own."),
    ("legal-transitions", "Keep the table of statuses, and report a change that is not in it: it is not an end of the job."),
    ("verb-table", "Be ready for a refused verb: the job may have moved on since it was looked at. Look again, then decide."),
    ("one-terminal-event", "Count a job as over at its one terminal event. A job that was never started has none: only aborting, concluded, null."),
    ("event-order", "Take the result from COMPLETED or CANCELLED, which come before concluded; nothing comes after null."),
    ("terminal-is-final", "From the terminal event on, use the nodes again: for another job, a resize, a removal."),
    ("no-run-after-return", "Nothing: where it is not kept, QEMU crashes or uses memory that it has freed."),
    ("pause-is-quiescent", "Wait for `paused`, not for the reply: only then has the job stopped copying. What guests' writes save is still written."),
    ("pause-balance", "Resume what a user or an error has paused; pauses of drained sections end by themselves."),
    ("cancel-is-final", "After a cancel that was accepted, wait for the end and for nothing else."),
    ("cancel-means-fail", "Throw the target of a cancelled job away, also if all was copied: its bitmap still marks everything."),
    ("error-text", "Ask whether COMPLETED has an `error`: without one the job has succeeded. Show its text, and decide nothing by it."),
    ("iostatus", "When io-status is failed or nospace, mend the storage, then resume the job."),
    ("job-ends", "If a job seems to hang, ask query-jobs: paused waits for a resume, pending for a finalize, concluded for a dismiss, waiting for its siblings."),
    ("dismiss-works", "With auto-dismiss off, read the result with query-jobs at concluded, then dismiss the job."),
    ("id-unique", "Use an id again only after null."),
    ("no-commit-before-all-done", "Take waiting for no success: the group may still fail, and the job with it."),
    ("group-list", "Expect one end of each job that a transaction has started, and the ends of a group together."),
    ("single-aborter", "Nothing: where it is not kept, jobs end twice, or a group never does."),
    ("pending-together", "Finalize one member: that finalizes all."),
    ("start-barrier", "After a refused transaction expect created, aborting, concluded, null of jobs that never ran."),
    ("busy-exclusion", "Wait for the terminal event before touching the bitmap of a job; what comes sooner is refused and changes nothing."),
    ("frozen-parent", "Take the count of a busy bitmap for what it was at the start; what is written since is in its successor, which has no name."),
    ("busy-ends", "Use the bitmap again from the terminal event on, whichever end it was."),
    ("count-exact", "Estimate by `count` how much the next backup copies: it is at most the drive."),
    ("size-follows-node", "Go on with the same bitmaps after a resize."),
    ("no-resize-while-busy", "Resize before the backup or after its end; in between it is refused."),
    ("merge-is-union", "Merge into a bitmap of your own when several are to be backed up at once: nothing is lost, at most more is copied."),
    ("recording-preserved", "Enable a disabled bitmap yourself if it is to record after its backup."),
    ("persistence-follows-name", "Nothing: a persistent bitmap is one before, during and after a job."),
    ("inconsistent-untouchable", "Remove an inconsistent bitmap, and take a full backup with a new one."),
    ("atomic-prepare", "When a transaction is refused, take it that nothing of it happened, mend it and send it again."),
    ("abort-safe", "Query bitmaps before a transaction changes them: refused actions are where rollbacks went wrong."),
    ("no-recopy", "Nothing: where it is not kept, the target mixes two moments, or work is done twice."),
    ("only-scope", "Give an incremental target its backing file: it has no cluster that the bitmap did not mark."),
    ("disjoint-tasks", "Nothing: where it is not kept, the target mixes two moments."),
    ("no-write-after-end", "From the terminal event on, close, move or read the target."),
    ("no-source-change", "Nothing: a backup reads its source and writes its target."),
    ("guest-write-completes", "Pause or slow down a job at any time: guests do not wait for that. They do wait for a slow target."),
    ("cbw-failure-visible", "Watch the room of the target: when old data cannot be saved, guests get I/O errors."),
    ("failed-copy-is-left", "Resume a job that an error has stopped: what failed is tried again."),
    ("progress-sane", "Compare offset and len in the terminal event: after success they are equal."),
    ("worker-bound", "Limit with max-workers how many requests a job has in flight."),
    ("throttle-only-background", "Set the speed at any time; it slows the job and never a guest, and a cancel does not wait for it."),
    ("no-deadlock", "Give every command a limit of time. Where one has no reply, none that follows will have: end the process."),
    ("one-reply", "Match replies with commands by their order, or by `id`; there is one of each."),
    ("effects-before-reply", "Query right after the reply: what the command does is done."),
    ("no-crash", "Take an end of the process without SHUTDOWN for a crash: persistent bitmaps are then inconsistent."),
];
