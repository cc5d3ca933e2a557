//! A recording: read, compiled, and held against the model.

use scenarios::conform::{Exactness, conform_within};
use scenarios::recording::Recording;

use crate::{Target, extremes, seeds};

/// How many worlds may be possible at once: each line of an input is cheap to follow.
const WORLDS_MAX: usize = 20;
/// How many recordings of a file are followed, and how many lines of each.
const RECORDINGS_MAX: usize = 2;
const LINES_MAX: usize = 30;

/// Recordings.
pub const TARGET: Target = Target {
    name: "recording",
    run,
    seeds: kept,
    extremes: extremes::RECORDINGS,
    words: WORDS,
};

fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let recordings = match Recording::parse_all("in.jsonl", text) {
        Ok(recordings) => recordings,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    for mut recording in recordings.into_iter().take(RECORDINGS_MAX) {
        recording.lines.truncate(LINES_MAX);
        // One of the two is enough at a time; the inputs have both lengths.
        let exactness = match recording.lines.len() % 2 {
            0 => Exactness::Normal,
            _ => Exactness::Strict,
        };
        if let Err(error) = conform_within(&recording, exactness, WORLDS_MAX) {
            assert!(!error.to_string().is_empty());
        }
    }
}

fn kept() -> Vec<Vec<u8>> {
    let mut files = seeds::files("scenarios/recordings/7.2.22", "jsonl");
    files.extend(seeds::files("scenarios/recordings/10.0.2", "jsonl"));
    let mut seeds = seeds::beginnings(files, LINES_MAX);
    seeds.extend(seeds::files("tests/data", "jsonl"));
    seeds
}

/// The words of recordings, which logs have, too.
pub const WORDS: &[&str] = &[
    "header",
    "launch",
    "cmd",
    "reply",
    "event",
    "hmp",
    "bitmaps",
    "img",
    "pending",
    "settled",
    "slept",
    "timeout",
    "hang",
    "exit",
    "shutdown",
    "sent",
    "guest",
    "taken",
    "\"*\"",
    "-9",
    "create",
    "write",
    "read",
    "copy",
    "rebase",
    "compare",
    "remove",
    "cluster_size",
    "drives",
    "iothread",
    "JOB_STATUS_CHANGE",
    "BLOCK_JOB_COMPLETED",
    "BLOCK_JOB_CANCELLED",
    "BLOCK_JOB_ERROR",
    "SHUTDOWN",
    "paused",
    "running",
    "drive-backup",
    "blockdev-backup",
    "blockdev-add",
    "block_resize",
    "transaction",
    "query-block",
    "query-jobs",
    "block-dirty-bitmap-add",
    "block-dirty-bitmap-merge",
    "human-monitor-command",
    "qemu-io drive0 \\\"aio_write -P1 0 64k\\\"",
    "$NODE0",
    "#block1",
    "{\"t\":\"guest\",\"drive\":\"drive0\",\"len\":4096}",
    "{\"t\":\"taken\",\"events\":[\"JOB_STATUS_CHANGE\"]}",
    "{\"t\":\"exit\",\"code\":-9}",
];
