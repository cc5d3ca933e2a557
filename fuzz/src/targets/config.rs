//! A `blockrace.toml`: read, and every key of every profile judged.

use std::path::Path;

use crate::{Target, extremes, seeds};

/// Profiles.
pub const TARGET: Target = Target {
    name: "config",
    run,
    seeds: kept,
    extremes: extremes::CONFIGS,
    words: WORDS,
};

fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    if let Err(error) = blockrace::profiles(Path::new("in.toml"), text) {
        assert!(error.starts_with("in.toml:"), "{error}");
    }
}

fn kept() -> Vec<Vec<u8>> {
    seeds::files("src/init", "toml")
}

const WORDS: &[&str] = &[
    "[profile.pr]",
    "[profile.nightly]",
    "[profile.\"a b\"]",
    "[profile.pr.check]",
    "[[profile]]",
    "scenarios",
    "jobs",
    "failures",
    "check",
    "fuzz",
    "recordings",
    "canary",
    "snapshots",
    "output",
    "max-states",
    "max-time",
    "seeds",
    "root",
    "strategy",
    "random",
    "formats",
    "folder",
    "\"start-in-prepare\"",
    "\"pct:3\"",
    "\"portfolio\"",
    "\"junit\"",
    "\"10m\"",
    "\"0..200\"",
    "0x7fffffffffffffff",
    "18446744073709551615",
    "-1",
    "1e400",
    "nan",
    "1_000",
    "true",
    "1979-05-27T07:32:00Z",
    "\"\"\"",
    "'''",
    "\"\\u0000\"",
    "{ a = 1 }",
    "[[[[[[",
];
