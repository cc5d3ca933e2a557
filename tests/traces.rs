//! What `blockrace traces` prints: every story with more than one trace that is small enough to read,
//! a table of all of them, and every format.

mod common;

use std::collections::BTreeSet;

use common::{blockrace, snapshot, snapshots, text};
use model::dialect::DIALECTS;
use scenarios::load::SHIPPED;
use serde_json::Value;

/// A story with more worlds than this is not waited for.
const WORLDS_MAX: &str = "20000";

/// A text with more lines than this is not read by anybody.
const LINES_MAX: usize = 150;

/// Every other thing that is printed: a name, the exit code, and the command line after `traces`.
const PRINTED: &[(&str, i32, &[&str])] = &[
    (
        "full",
        0,
        &[
            "test_sync_dirty_bitmap_missing",
            "--full",
            "--dialect",
            "7.2",
        ],
    ),
    ("dot", 0, &["test_incremental_failure", "--format", "dot"]),
    (
        "dot.full",
        0,
        &[
            "test_sync_dirty_bitmap_missing",
            "--format",
            "dot",
            "--full",
        ],
    ),
    (
        "mermaid",
        0,
        &["test_transaction_failure_race", "--format", "mermaid"],
    ),
    ("json", 0, &["tests/data/race.yaml", "--format", "json"]),
    ("breach", 1, &["tests/data/never-comes.yaml"]),
    (
        "breach.mermaid",
        1,
        &["tests/data/never-comes.yaml", "--format", "mermaid"],
    ),
    (
        "too-many-states",
        3,
        &["test_transaction_failure_race", "--max-states", "385"],
    ),
    (
        "error.no-time",
        2,
        &["test_transaction_failure_race", "--max-time", "0s"],
    ),
    (
        "error.no-states",
        2,
        &["test_incremental_simple", "--max-states", "0"],
    ),
    (
        "error.bad-time",
        2,
        &["test_incremental_simple", "--max-time", "soon"],
    ),
    (
        "error.bad-format",
        2,
        &["test_incremental_simple", "--format", "svg"],
    ),
    ("error.unknown-scenario", 2, &["test_incremental_simpel"]),
    ("help", 0, &["--help"]),
];

/// The command after `blockrace`.
fn command<'a>(rest: &[&'a str]) -> Vec<&'a str> {
    [&["traces"], rest].concat()
}

/// The row of a story in the table; and its text, if it is shown.
fn story(name: &str, dialect: &str) -> (String, Option<String>) {
    let limits = [name, "--dialect", dialect, "--max-states", WORLDS_MAX];
    let json = blockrace(&command(&[&limits[..], &["--format", "json"]].concat()));
    let found: Value = serde_json::from_str(&text(&json.stdout)).expect("JSON");
    let states = found["states"].as_array().expect("states");
    let ways = |state: &Value| {
        let ends = state["ends"]
            .as_array()
            .is_some_and(|ends| !ends.is_empty());
        state["next"].as_array().map_or(0, Vec::len) + usize::from(ends)
    };
    let choices = states.iter().filter(|state| ways(state) > 1).count();
    let printed = text(&blockrace(&command(&limits)).stdout);
    let lines = printed.lines().count();
    let shown = if found["complete"] != true {
        assert_eq!(json.status.code(), Some(3), "{name}");
        format!("left out: more than {WORLDS_MAX} worlds")
    } else if choices == 0 {
        "left out: there is no choice".to_owned()
    } else if lines > LINES_MAX {
        format!("left out: {lines} lines of text")
    } else {
        format!("traces.{name}.{dialect}")
    };
    let row = format!(
        "{name:<40} {dialect:<7} {:>8} {:>7} {:>7} {choices:>7} {:>7}  {shown}",
        found["traces"].as_str().expect("a number"),
        found["lengths"]["longest"].to_string(),
        states.len(),
        found["worlds"]["met"].to_string(),
    );
    let is_shown = shown.starts_with("traces.");
    (row, is_shown.then_some(printed))
}

#[test]
fn every_story_has_its_language() {
    let mut table = format!(
        "{:<40} {:<7} {:>8} {:>7} {:>7} {:>7} {:>7}  {}\n",
        "story", "dialect", "traces", "longest", "states", "choices", "worlds", "text"
    );
    let mut kept = BTreeSet::from(["table".to_owned()]);
    kept.extend(PRINTED.iter().map(|(name, ..)| (*name).to_owned()));
    for (name, _) in SHIPPED {
        let short = name.rsplit('/').next().unwrap_or(name);
        for dialect in DIALECTS {
            let (row, shown) = story(short, dialect.name);
            table += &format!("{row}\n");
            if let Some(shown) = shown {
                let name = format!("{short}.{}", dialect.name);
                let command = format!("blockrace traces {short} --dialect {dialect}");
                snapshot(&format!("traces.{name}"), &command, &shown);
                kept.insert(name);
            }
        }
    }
    snapshot(
        "traces.table",
        "the language of every shipped story",
        &table,
    );
    for entry in std::fs::read_dir(snapshots()).expect("the folder of snapshots") {
        let file = entry.expect("an entry").file_name();
        let file = file.to_string_lossy();
        let name = file
            .strip_prefix("traces.")
            .and_then(|name| name.strip_suffix(".snap"));
        assert!(
            name.is_none_or(|name| kept.contains(name)),
            "{file} belongs to no test"
        );
    }
}

#[test]
fn every_format_and_every_mistake() {
    for (name, code, args) in PRINTED {
        let args = command(args);
        let output = blockrace(&args);
        let printed = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(*code), "{name}: {printed}");
        snapshot(
            &format!("traces.{name}"),
            &format!("blockrace {}", args.join(" ")),
            &printed,
        );
    }
}

#[test]
fn time_that_is_over_is_inconclusive() {
    let output = blockrace(&["traces", "three-drives-three-threads", "--max-time", "50ms"]);
    assert_eq!(output.status.code(), Some(3));
    let printed = text(&output.stdout);
    assert!(printed.contains("UNKNOWN"), "{printed}");
}

/// A budget that is large enough changes nothing.
#[test]
fn the_answer_is_the_same_every_time() {
    let story = "test_transaction_failure";
    let first = blockrace(&["traces", story, "--format", "json"]);
    let again = [
        "traces",
        story,
        "--format",
        "json",
        "--max-time",
        "10m",
        "--max-states",
        "100000",
    ];
    assert_eq!(text(&first.stdout), text(&blockrace(&again).stdout));
}
