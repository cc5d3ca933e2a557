//! From a scenario file to a [`Story`], or to a message that shows what is wrong and where.
//!
//! Three stages, each a file: `raw` reads the YAML into the shape of the document, `convert` makes wrong
//! combinations of keys impossible, `check` judges the story as a whole (is QEMU running, does the name exist).
//! `error` is the message that a reader sees. The shipped scenarios are embedded here.

use std::path::Path;

use crate::format::{Story, did_you_mean};
use crate::limits::{self, SCENARIO};

mod check;
mod convert;
mod error;
mod point;
pub(crate) mod raw;

pub use error::{LoadError, Place};

/// A table of (name, text) from names: the file `scenarios/NAME.yaml`.
macro_rules! shipped {
    ($($name:literal,)+) => {
        &[$(($name, include_str!(concat!("../", $name, ".yaml")))),+]
    };
}

/// The scenarios that the binary carries with it: name and text. A new file is a new row.
pub const SHIPPED: &[(&str, &str)] = shipped![
    "bitmaps/a-disabled-one-in-a-backup",
    "bitmaps/cancelled-always-mode",
    "bitmaps/checkpoint-of-two-bitmaps",
    "bitmaps/clear-and-merge-roll-back",
    "bitmaps/clear-while-busy",
    "bitmaps/full-backup-resets-the-bitmap",
    "bitmaps/merge-from-a-busy-bitmap",
    "bitmaps/merge-from-other-nodes",
    "bitmaps/never-mode-keeps-all",
    "bitmaps/remove-while-busy",
    "bitmaps/several-on-one-node",
    "bitmaps/two-backups-that-share-nothing",
    "bugs/a-backup-that-is-refused",
    "bugs/a-drain-beside-a-failing-group",
    "bugs/a-drain-beside-a-paused-backup",
    "bugs/a-drain-beside-an-iothread",
    "bugs/a-guest-beside-a-sleeping-job",
    "bugs/a-negative-speed",
    "bugs/a-new-cluster-in-the-top-image",
    "bugs/a-read-fails",
    "bugs/a-refused-disable",
    "bugs/a-resize-beside-a-guest",
    "bugs/a-throttled-backup",
    "bugs/a-write-across-a-saved-cluster",
    "bugs/always-mode-and-a-failed-copy",
    "bugs/an-image-that-ends-within-a-cluster",
    "bugs/bitmap-added-under-a-write",
    "bugs/cancel-while-a-guest-saves",
    "bugs/cancelled-in-mode-always",
    "bugs/cancelled-twice",
    "bugs/cancelled-under-a-write",
    "bugs/cancelled-while-paused",
    "bugs/done-by-hand",
    "bugs/finalize-meets-the-end",
    "bugs/flags-of-a-bitmap",
    "bugs/grow-and-shrink",
    "bugs/larger-clusters-in-the-target",
    "bugs/merge-after-a-crash",
    "bugs/merge-from-a-held-bitmap",
    "bugs/merge-of-two",
    "bugs/one-of-two-copies-fails",
    "bugs/one-of-two-is-cancelled",
    "bugs/refused-backups",
    "bugs/the-end-waits-for-a-guest",
    "bugs/the-last-action-aborts",
    "bugs/the-only-copy-fails",
    "bugs/two-drives-in-one-transaction",
    "bugs/two-drives-nothing-to-copy",
    "bugs/two-end-together",
    "bugs/two-guests-save-one-cluster",
    "bugs/two-guests-save-one-cluster-and-one-fails",
    "bugs/two-reads-fail-at-once",
    "bugs/write-before-the-first-copy",
    "bugs/write-into-the-start",
    "bugs/write-that-fails",
    "copy-before-write/a-write-to-the-target-fails-once",
    "copy-before-write/after-the-copying-is-done",
    "copy-before-write/every-kind-of-request",
    "copy-before-write/several-at-once",
    "copy-before-write/the-guests-own-write-fails",
    "copy-before-write/the-source-cannot-be-read",
    "copy-before-write/the-target-is-full",
    "copy-before-write/through-two-filters",
    "defects/always-settles-too-early",
    "defects/bitmap-on-filter-vanishes",
    "defects/enable-rollback-crashes",
    "defects/enable-rollback-disables",
    "defects/freed-bitmap-crashes",
    "defects/gone-filter-crashes",
    "defects/grouped-abort-hangs",
    "defects/merge-of-nothing-crashes",
    "defects/unstarted-marks-all",
    "errors/arguments-of-backup-commands",
    "errors/arguments-of-bitmap-commands",
    "errors/arguments-of-job-commands",
    "errors/arguments-of-transaction",
    "errors/backup-creation",
    "errors/backup-modes-and-bitmaps",
    "errors/bitmaps-not-there-or-in-use",
    "errors/block-dirty-bitmap-add",
    "errors/block-dirty-bitmap-merge",
    "errors/drive-backup-targets",
    "errors/job-verbs-in-every-state",
    "errors/nodes-and-sizes",
    "errors/nodes-of-a-running-backup",
    "faults/always-mode-keeps-what-is-missing",
    "faults/cancel-after-an-error-stop",
    "faults/enospc-stops-until-there-is-room",
    "faults/ignored-errors-go-round-again",
    "faults/the-source-fails-once-anywhere",
    "faults/the-target-fails-once-anywhere",
    "faults/two-errors-one-resume",
    "finalize/a-cancel-at-every-status",
    "finalize/a-cancel-in-a-pending-group",
    "finalize/a-failure-in-a-manual-group",
    "finalize/a-finalize-races-the-last-member",
    "finalize/one-of-three-is-manual",
    "finalize/three-manual-jobs-are-kept",
    "finalize/two-groups-of-one",
    "finalize/verbs-while-concluded",
    "finalize/verbs-while-paused",
    "finalize/verbs-while-pending",
    "finalize/verbs-while-running",
    "finalize/verbs-while-waiting",
    "groups/an-empty-one-and-one-that-fails",
    "groups/cancel-a-pending-group",
    "groups/cancel-one-at-any-moment",
    "groups/finalize-by-the-other-member",
    "groups/individual-one-fails",
    "groups/last-action-fails",
    "groups/one-of-three-fails",
    "groups/one-of-two-fails",
    "groups/second-backup-is-refused",
    "groups/three-empty-backups",
    "groups/three-empty-backups-each-alone",
    "guests/one-instant-for-two-drives",
    "guests/parts-and-zeroes",
    "guests/sync-none-saves-what-is-overwritten",
    "guests/top-scan-and-a-new-cluster",
    "guests/two-guests-one-cluster",
    "guests/write-across-a-copied-cluster",
    "guests/write-into-the-tail",
    "guests/write-over-the-jobs-end",
    "iotest-124/test_growing_before_backup",
    "iotest-124/test_incremental_failure",
    "iotest-124/test_incremental_pause",
    "iotest-124/test_incremental_simple",
    "iotest-124/test_incremental_transaction",
    "iotest-124/test_large_granularity",
    "iotest-124/test_larger_cluster_target",
    "iotest-124/test_small_granularity",
    "iotest-124/test_sync_dirty_bitmap_bad_granularity",
    "iotest-124/test_sync_dirty_bitmap_missing",
    "iotest-124/test_sync_dirty_bitmap_not_found",
    "iotest-124/test_transaction_failure",
    "iotest-124/test_transaction_failure_race",
    "iothreads/a-target-follows-its-source",
    "iothreads/cancel-meets-the-end",
    "iothreads/checkpoint-beside-a-guest",
    "iothreads/group-across-two-iothreads",
    "iothreads/hand-over-beside-a-guest",
    "iothreads/old-data-cannot-be-saved",
    "iothreads/one-drive-in-one-out",
    "iothreads/pause-while-the-guest-copies",
    "iothreads/three-drives-three-threads",
    "iothreads/two-drives-in-one-thread",
    "loom/cancel-against-completion",
    "loom/empty-job-against-failure",
    "loom/finalize-against-cancel",
    "loom/guest-write-against-clear",
    "loom/guest-write-against-copy",
    "loom/pause-against-completion",
    "loom/resize-against-copy",
    "loom/two-failing-siblings",
    "loom/two-guests-mark-one-bitmap",
    "modes/bitmap-always",
    "modes/bitmap-never",
    "modes/bitmap-on-success",
    "modes/full-always",
    "modes/full-on-success",
    "modes/incremental-on-success",
    "modes/refused-combinations",
    "modes/top-always",
    "modes/top-on-success",
    "pauses/a-guest-beside-a-paused-backup",
    "pauses/a-pause-meets-an-error",
    "pauses/a-paused-member-holds-its-group",
    "pauses/other-commands-beside-a-paused-job",
    "pauses/stopped-by-an-error",
    "pauses/too-late-for-a-pause",
    "pauses/twice-and-once-too-often",
    "persistent/killed-and-inconsistent",
    "persistent/merged-and-closed-with-its-node",
    "persistent/quit-or-kill-during-a-backup",
    "persistent/removed-in-a-transaction-that-fails",
    "persistent/resized-and-copied",
    "persistent/stored-at-quit-and-loaded-again",
    "policies/an-error-that-stays",
    "policies/errors-in-a-group",
    "policies/many-errors-of-one-round",
    "policies/source-enospc-errors-again",
    "policies/source-enospc-errors-once",
    "policies/source-ignore-errors-again",
    "policies/source-ignore-errors-once",
    "policies/source-report-errors-again",
    "policies/source-report-errors-once",
    "policies/source-stop-errors-again",
    "policies/source-stop-errors-once",
    "races/another-backup-drains-this-one",
    "races/cancel-a-pending-backup",
    "races/cancel-a-sleeper-while-a-guest-writes",
    "races/cancel-at-any-moment",
    "races/dismiss-at-any-moment",
    "races/finalize-at-any-moment",
    "races/pause-and-resume-at-any-moment",
    "races/quit-with-a-backup-running",
    "races/resize-at-any-moment",
    "races/set-speed-wakes-a-sleeper",
    "races/soft-cancel-comes-too-late",
    "resize/beside-a-guest-in-an-iothread",
    "resize/bitmaps-follow",
    "resize/names-and-sizes",
    "resize/refused-as-long-as-the-job-lives",
    "resize/target-grows-with-its-disk",
    "shutdown/as-a-job-ends",
    "shutdown/with-a-group",
    "shutdown/with-a-paused-job",
    "shutdown/with-a-pending-job",
    "shutdown/with-a-persistent-bitmap",
    "shutdown/with-a-running-job",
    "shutdown/with-a-sleeping-job",
    "shutdown/with-several-jobs",
    "speed/a-cancel-of-a-sleeper",
    "speed/a-guest-beside-a-sleeper",
    "speed/a-limit-that-is-kept",
    "speed/a-pause-of-a-sleeper",
    "speed/a-sleeper-in-a-group",
    "speed/lifted-raised-and-lowered",
    "speed/what-events-and-queries-say",
    "targets/a-drive-as-target",
    "targets/backing-files",
    "targets/clusters-small-and-large",
    "targets/compressed",
    "targets/created-by-drive-backup",
    "targets/in-use-by-a-backup",
    "targets/names-of-jobs-and-filters",
    "targets/opened-by-drive-backup",
    "targets/pieces-and-workers",
    "targets/raw-images",
    "targets/read-only-source",
    "targets/refused",
    "targets/three-disks-three-kinds",
    "targets/three-layers",
    "transactions/abort-comes-first",
    "transactions/added-and-taken-back",
    "transactions/blockdev-backup-and-taken-back",
    "transactions/cleared-and-taken-back",
    "transactions/disabled-and-taken-back",
    "transactions/drive-backup-and-taken-back",
    "transactions/enabled-and-taken-back",
    "transactions/grouped-and-refused",
    "transactions/merged-into-and-taken-back",
    "transactions/removed-and-taken-back",
];

/// Understands the text of a scenario; `file` is only its name, for messages and for [`Story::name`].
pub fn parse(file: &str, text: &str) -> Result<Story, LoadError> {
    let trouble = |trouble: error::Trouble| trouble.shown_in(file, text);
    let raw = raw::read(text).map_err(trouble)?;
    let (story, places) = convert::story(name_of(file), raw).map_err(trouble)?;
    check::story(&story, &places).map_err(trouble)?;
    Ok(story)
}

/// The same for a text that may not even be text.
pub fn parse_bytes(file: &str, bytes: &[u8]) -> Result<Story, LoadError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => parse(file, text),
        Err(error) => {
            let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            Err(error::not_utf8(&good).shown_in(file, &good))
        }
    }
}

/// Loads a scenario by what a user calls it: a shipped name, with or without its folder, or a path.
///
/// A name goes before a path of the same spelling; `./NAME` is always a path.
pub fn open(scenario: &str) -> Result<Story, LoadError> {
    if let Some((name, text)) = find_shipped(scenario) {
        return parse(&format!("scenarios/{name}.yaml"), text);
    }
    match limits::read(Path::new(scenario), &SCENARIO) {
        Ok(bytes) => {
            SCENARIO
                .judge(&bytes)
                .map_err(|what| LoadError::without_place(scenario, what, None))?;
            parse_bytes(scenario, &bytes)
        }
        Err(error)
            if Path::new(scenario).components().count() > 1 || scenario.ends_with(".yaml") =>
        {
            Err(LoadError::without_place(
                scenario,
                format!("cannot be read: {error}"),
                shipped_like(scenario),
            ))
        }
        Err(_) => {
            let help = shipped_like(scenario)
                .or_else(|| Some("`blockrace list scenarios` has the shipped ones".into()));
            Err(LoadError::without_place(
                scenario,
                "is neither a shipped scenario nor a file".into(),
                help,
            ))
        }
    }
}

/// The text of a scenario, by what a user calls it; `None` if there is no such text.
pub fn text_of(scenario: &str) -> Option<String> {
    match find_shipped(scenario) {
        Some((_, text)) => Some((*text).to_owned()),
        None => std::fs::read_to_string(scenario).ok(),
    }
}

/// The shipped scenario of this name: its whole name, or the part after the folder.
fn find_shipped(scenario: &str) -> Option<&'static (&'static str, &'static str)> {
    SHIPPED
        .iter()
        .find(|(name, _)| *name == scenario || name_of(name) == scenario)
}

fn shipped_like(scenario: &str) -> Option<String> {
    let (whole, last): (Vec<&str>, Vec<&str>) = SHIPPED
        .iter()
        .map(|(name, _)| (*name, name_of(name)))
        .unzip();
    did_you_mean(scenario, &whole).or_else(|| did_you_mean(name_of(scenario), &last))
}

/// The last part of a path, without the ending.
fn name_of(file: &str) -> &str {
    let last = file.rsplit(['/', '\\']).next().unwrap_or(file);
    last.strip_suffix(".yaml")
        .or_else(|| last.strip_suffix(".yml"))
        .unwrap_or(last)
}
