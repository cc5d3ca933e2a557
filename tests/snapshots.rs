//! What a user reads is a snapshot: the trace of every scenario in each dialect, and every error.

mod common;

use std::collections::BTreeSet;

use common::{blockrace, snapshot, snapshots, text};
use model::dialect::DIALECTS;
use scenarios::load::SHIPPED;

/// The traces: one snapshot a scenario and dialect.
fn traces() -> Vec<(String, Vec<String>)> {
    let mut traces = Vec::new();
    for (name, _) in SHIPPED {
        let short = name.rsplit('/').next().unwrap_or(name);
        for dialect in DIALECTS {
            let args = ["run", short, "--dialect", dialect.name, "--seed", "0"];
            let args = args.map(str::to_owned).to_vec();
            traces.push((format!("{short}.{}", dialect.name), args));
        }
    }
    traces
}

/// What else is printed: a name, and the command line.
const PRINTED: &[(&str, &[&str])] = &[
    ("list.scenarios", &["list"]),
    ("list.strategies", &["list", "strategies"]),
    ("list.dialects", &["list", "dialects"]),
    ("list.properties", &["list", "properties"]),
    ("list.witnesses", &["list", "witnesses"]),
    ("fuzz.help", &["fuzz", "--help"]),
    ("stress.help", &["stress", "--help"]),
    (
        "fuzz.human",
        &[
            "fuzz",
            "test_transaction_failure",
            "--seeds",
            "0..20",
            "--no-failures",
        ],
    ),
    (
        "run.full",
        &["run", "test_sync_dirty_bitmap_missing", "--full"],
    ),
    (
        "run.columns",
        &[
            "run",
            "test_transaction_failure_race",
            "--columns",
            "--seed",
            "1",
        ],
    ),
    (
        "run.json",
        &[
            "run",
            "test_sync_dirty_bitmap_bad_granularity",
            "--format",
            "json",
        ],
    ),
    (
        "fuzz.json",
        &[
            "fuzz",
            "test_incremental_failure",
            "--seeds",
            "0..20",
            "--no-failures",
            "--format",
            "json",
        ],
    ),
    (
        "conform.accepted",
        &[
            "conform",
            "scenarios/recordings/7.2.22/test_incremental_failure.jsonl",
        ],
    ),
    (
        "conform.json",
        &[
            "conform",
            "scenarios/recordings/10.0.2/test_incremental_pause.jsonl",
            "--format",
            "json",
        ],
    ),
    (
        "conform.rejected",
        &["conform", "tests/data/lost-null.jsonl"],
    ),
];

/// Every mistake a user can make: a name, the exit code, and the command line.
const ERRORS: &[(&str, i32, &[&str])] = &[
    ("error.no-command", 2, &[]),
    ("error.unknown-command", 2, &["rnu"]),
    (
        "error.unknown-flag",
        2,
        &["run", "test_incremental_simple", "--sead", "3"],
    ),
    (
        "error.unknown-dialect",
        2,
        &["run", "test_incremental_simple", "--dialect", "6.1"],
    ),
    (
        "error.unknown-strategy",
        2,
        &["fuzz", "--strategy", "pot-luck"],
    ),
    (
        "error.unknown-scenario",
        2,
        &["run", "test_incremental_simpel"],
    ),
    ("error.no-such-file", 2, &["run", "tests/data/none.yaml"]),
    ("error.bad-seeds", 2, &["fuzz", "--seeds", "9..3"]),
    ("error.no-number", 2, &["fuzz", "--seeds", "many"]),
    ("error.no-depth", 2, &["fuzz", "--strategy", "pct:0"]),
    ("error.no-part", 2, &["fuzz", "--partition", "slice:4/3"]),
    ("error.no-slice", 2, &["fuzz", "--partition", "1/3"]),
    ("error.no-time", 2, &["fuzz", "--max-time", "soon"]),
    (
        "error.no-failures",
        2,
        &["fuzz", "--no-failures", "--forget-fixed"],
    ),
    (
        "error.no-seeds",
        4,
        &["fuzz", "test_incremental_simple", "--seeds", "5..5"],
    ),
    (
        "error.no-recordings",
        4,
        &["conform", "tests/data/empty-folder"],
    ),
    ("error.bad-yaml", 2, &["run", "tests/data/bad-yaml.yaml"]),
    (
        "error.unknown-key",
        2,
        &["run", "tests/data/unknown-key.yaml"],
    ),
    (
        "error.duplicate-key",
        2,
        &["run", "tests/data/duplicate-key.yaml"],
    ),
    (
        "error.unknown-drive",
        2,
        &["run", "tests/data/unknown-drive.yaml"],
    ),
    (
        "error.unmodelled",
        2,
        &["run", "tests/data/unmodelled.yaml"],
    ),
    (
        "error.bad-granularity",
        1,
        &["run", "tests/data/bad-granularity.yaml"],
    ),
    (
        "error.never-comes",
        1,
        &[
            "fuzz",
            "tests/data/never-comes.yaml",
            "--dialect",
            "7.2",
            "--seeds",
            "0..10",
            "--no-failures",
        ],
    ),
    (
        "error.recording-not-json",
        2,
        &["conform", "tests/data/not-json.jsonl"],
    ),
    (
        "error.recording-no-header",
        2,
        &["conform", "tests/data/no-header.jsonl"],
    ),
    (
        "error.recording-unknown-line",
        2,
        &["conform", "tests/data/unknown-line.jsonl"],
    ),
    (
        "error.recording-unknown-version",
        2,
        &["conform", "tests/data/unknown-version.jsonl"],
    ),
    (
        "error.schedule-diverged",
        6,
        &[
            "run",
            "test_incremental_simple",
            "--schedule",
            "tests/data/diverges.schedule",
        ],
    ),
    (
        "error.schedule-empty-step",
        2,
        &[
            "run",
            "test_incremental_simple",
            "--schedule",
            "tests/data/none.schedule",
        ],
    ),
];

/// The snapshots that other test files keep.
const ELSEWHERE: &[&str] = &[
    "golden.200",
    "golden.10000",
    "live.mistakes",
    "random",
    "random-7",
    "fuzz.failures",
    "fuzz.keep-going",
    "replay.as-found",
    "replay.best-effort",
    "replay.diverged",
    "replay.holds",
    "replay.shrunk",
];

#[test]
fn every_story_prints_its_trace() {
    for (name, args) in traces() {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let output = blockrace(&args);
        assert_eq!(text(&output.stderr), "", "{name}");
        assert_eq!(output.status.code(), Some(0), "{name}");
        snapshot(
            &name,
            &format!("blockrace {}", args.join(" ")),
            &text(&output.stdout),
        );
    }
}

#[test]
fn what_else_is_printed() {
    for (name, args) in PRINTED {
        let output = blockrace(args);
        snapshot(
            name,
            &format!("blockrace {}", args.join(" ")),
            &text(&output.stdout),
        );
    }
}

#[test]
fn every_mistake_gets_one_clear_error_and_its_exit_code() {
    std::fs::create_dir_all(common::project().join("tests/data/empty-folder")).expect("a folder");
    for (name, code, args) in ERRORS {
        let output = blockrace(args);
        // How fast a campaign was is no part of its result.
        let said: String = text(&output.stderr)
            .lines()
            .filter(|line| !line.ends_with("runs/s"))
            .map(|line| format!("{line}\n"))
            .collect();
        let printed = format!("{}{said}", text(&output.stdout));
        assert_eq!(output.status.code(), Some(*code), "{name}: {printed}");
        assert!(!printed.contains("panicked"), "{name}: {printed}");
        snapshot(name, &format!("blockrace {}", args.join(" ")), &printed);
    }
}

#[test]
fn a_saved_schedule_is_the_run_again() {
    let file = std::env::temp_dir().join(format!("blockrace-{}.schedule", std::process::id()));
    let path = file.to_string_lossy().into_owned();
    let story = "test_transaction_failure";
    let first = blockrace(&[
        "run",
        story,
        "--seed",
        "7",
        "--save-schedule",
        &path,
        "--format",
        "json",
    ]);
    let again = blockrace(&["run", story, "--schedule", &path, "--format", "json"]);
    std::fs::remove_file(&file).expect("the schedule was written");
    assert_eq!(text(&first.stdout), text(&again.stdout));
    let other = blockrace(&["run", story, "--seed", "8", "--format", "json"]);
    assert_ne!(
        text(&first.stdout),
        text(&other.stdout),
        "another seed is another run"
    );
}

/// How the snapshots begin that other tests look after: `tests/check.rs` those of `check.`.
const OTHERS: [&str; 14] = [
    "bugs.",
    "check.",
    "checkpoint.",
    "ci.",
    "cluster.",
    "defects.",
    "explain.",
    "first.",
    "log.",
    "merge.",
    "output.",
    "report.",
    "terminal.",
    "traces.",
];

#[test]
fn no_snapshot_is_an_orphan() {
    let mut expected: BTreeSet<String> = traces().into_iter().map(|(name, _)| name).collect();
    expected.extend(PRINTED.iter().map(|(name, _)| (*name).to_owned()));
    expected.extend(ERRORS.iter().map(|(name, ..)| (*name).to_owned()));
    expected.extend(ELSEWHERE.iter().map(|name| (*name).to_owned()));
    for entry in std::fs::read_dir(snapshots()).expect("the folder of snapshots") {
        let name = entry
            .expect("an entry")
            .file_name()
            .to_string_lossy()
            .into_owned();
        let is_others = |name: &str| OTHERS.iter().any(|test| name.starts_with(test));
        if let Some(name) = name.strip_suffix(".snap")
            && !is_others(name)
        {
            assert!(
                expected.contains(name),
                "snapshots/{name}.snap belongs to no test"
            );
        }
    }
}
