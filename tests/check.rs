//! What `blockrace check` prints: the verdict on every shipped story, counterexamples, budgets, and every mistake.

mod common;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use common::{blockrace, project, snapshot, snapshots, text};
use serde_json::Value;

/// The story that takes longest without states; nobody waits for its end.
const LONG: [&str; 2] = ["test_transaction_failure_race", "--order=stateless"];

/// What is printed: a name, the exit code, and the command line after `check --no-failures`.
const PRINTED: &[(&str, i32, &str)] = &[
    ("all", 0, ""),
    ("broken", 1, "tests/data/racy.yaml --dialect 10.0"),
    (
        "not-shrunk",
        1,
        "tests/data/racy.yaml --dialect 10.0 --shrink-time 0",
    ),
    ("unreached", 1, "tests/data/unreached.yaml"),
    (
        "fingerprints",
        0,
        "groups/three-empty-backups --keep fingerprints",
    ),
    ("depth-first", 0, "groups/three-empty-backups --order depth"),
    (
        "no-reduction",
        3,
        "test_incremental_failure --no-reduction --no-cycles --max-states 1000",
    ),
    (
        "stateless",
        0,
        "three-empty-backups-each-alone --order stateless",
    ),
    (
        "stateless.broken",
        1,
        "tests/data/racy.yaml --dialect 10.0 --order stateless",
    ),
    ("max-states", 3, "three-empty-backups --max-states 50"),
    (
        "max-states.stateless",
        3,
        "three-empty-backups --max-states 50 --order stateless",
    ),
    ("max-depth", 3, "three-empty-backups --max-depth 5"),
    (
        "max-depth.stateless",
        3,
        "three-empty-backups --max-depth 5 --order stateless",
    ),
    ("max-memory", 3, "three-empty-backups --max-memory 1"),
    (
        "spill",
        0,
        "groups/three-empty-backups --max-memory 1G --when-full spill",
    ),
    ("bitstate", 3, "groups/three-empty-backups --bitstate 24"),
    (
        "bitstate.broken",
        1,
        "tests/data/racy.yaml --dialect 10.0 --bitstate 24 --shrink-time 0",
    ),
    (
        "error.bitstate-and-keep",
        2,
        "--bitstate 24 --keep fingerprints",
    ),
    (
        "error.bitstate-and-max-memory",
        2,
        "--bitstate 40 --max-memory 1G",
    ),
    ("error.bitstate-too-few", 2, "--bitstate 3"),
    (
        "error.bitstate-and-sleep-sets",
        2,
        "--bitstate 24 --sleep-sets",
    ),
    (
        "error.stateless-and-bitstate",
        2,
        "--order stateless --bitstate 24",
    ),
    (
        "error.spill-and-depth",
        2,
        "--order depth --max-memory 1G --when-full spill",
    ),
    (
        "error.spill-and-sleep-sets",
        2,
        "--sleep-sets --max-memory 1G --when-full spill",
    ),
    (
        "error.spill-and-keep",
        2,
        "--keep fingerprints --max-memory 1G --when-full spill",
    ),
    ("error.when-full-of-what", 2, "--when-full spill"),
    ("error.spill-without", 2, "--max-memory 1G --spill here"),
    (
        "error.spill-nowhere",
        2,
        "--max-memory 1G --when-full spill --spill no/such/folder",
    ),
    ("error.no-states", 2, "--max-states 0"),
    ("error.no-time", 2, "--max-time 0"),
    ("error.bad-memory", 2, "--max-memory 1x"),
    ("error.bad-order", 2, "--order best"),
    (
        "error.depth-and-max-depth",
        2,
        "--order depth --max-depth 3",
    ),
    ("error.depth-and-jobs", 2, "--order depth --jobs 2"),
    (
        "error.stateless-and-fingerprints",
        2,
        "--order stateless --keep fingerprints",
    ),
    (
        "error.stateless-and-no-reduction",
        2,
        "--order stateless --no-reduction",
    ),
    ("error.stateless-and-jobs", 2, "--order stateless --jobs 2"),
    (
        "error.stateless-and-max-memory",
        2,
        "--order stateless --max-memory 1G",
    ),
    ("error.failures", 2, "--failures here"),
    ("error.unknown-scenario", 2, "three-empty-backup"),
    (
        "error.unknown-witness",
        2,
        "tests/data/unknown-witness.yaml",
    ),
    ("error.no-scenario", 4, "tests/data/empty-folder"),
    ("help", 0, "--help"),
];

/// The snapshots of the other tests here.
const OTHERS: &[&str] = &["json"];

/// The command line after `blockrace`; how fast it is is no part of the result.
fn command(rest: &str) -> Vec<&str> {
    let rest = rest.split(' ').filter(|word| !word.is_empty());
    ["check", "-q", "--no-failures"]
        .into_iter()
        .chain(rest)
        .collect()
}

#[test]
fn verdicts_counterexamples_budgets_and_mistakes() {
    std::fs::create_dir_all(project().join("tests/data/empty-folder")).expect("a folder");
    for (name, code, rest) in PRINTED {
        let output = blockrace(&command(rest));
        let printed = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(*code), "{name}: {printed}");
        assert!(
            !printed.contains("mistake of blockrace"),
            "{name}: {printed}"
        );
        snapshot(
            &format!("check.{name}"),
            &format!("blockrace check {rest}"),
            &printed,
        );
    }
}

#[test]
fn machines_read_rows_of_json() {
    let stories = "three-empty-backups-each-alone tests/data/racy.yaml tests/data/unreached.yaml";
    let line = format!("{stories} --dialect 10.0 --format json");
    let output = blockrace(&command(&line));
    assert_eq!(output.status.code(), Some(1));
    let mut rows: Vec<Value> = text(&output.stdout)
        .lines()
        .map(|row| serde_json::from_str(row).expect("a row of JSON"))
        .collect();
    for row in &mut rows {
        let covered = row["covered"].as_object_mut().expect("what was covered");
        let measured = covered.remove("measured").expect("what was measured");
        assert!(measured["seconds"].as_f64() > Some(0.0), "{measured}");
    }
    let rows = serde_json::to_string_pretty(&rows).expect("JSON");
    snapshot("check.json", &format!("blockrace check {line}"), &rows);
}

#[test]
fn the_number_of_workers_changes_nothing() {
    let same = |line: &str| {
        let printed = |jobs: &str| {
            let output = blockrace(&command(&format!("{line} --jobs {jobs}")));
            (output.status.code(), text(&output.stdout))
        };
        let alone = printed("1");
        assert!(alone.1.contains(" states "), "{}", alone.1);
        for jobs in ["2", "5"] {
            assert_eq!(printed(jobs), alone, "{line} --jobs {jobs}");
        }
    };
    same("groups iothreads/hand-over-beside-a-guest");
    same("iothreads/group-across-two-iothreads --max-states 5000");
    same("tests/data/racy.yaml tests/data/never-comes.yaml tests/data/guest-is-first.yaml");
}

/// Whether it said that it was ended before everything was covered, and what was.
fn says_what_was_covered(printed: &str) {
    assert!(
        printed.contains(" traces ") && printed.contains(" INCONCLUSIVE"),
        "{printed}"
    );
    assert!(
        printed.contains("ended by --max-time or Ctrl-C: nothing was broken so far"),
        "{printed}"
    );
}

#[test]
fn time_that_is_over_is_inconclusive() {
    let output = blockrace(&command(&format!("{} --max-time 300ms", LONG.join(" "))));
    assert_eq!(output.status.code(), Some(3));
    says_what_was_covered(&text(&output.stdout));
}

#[test]
fn ctrl_c_is_inconclusive() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_blockrace"))
        .args([
            "check",
            "--no-failures",
            "--dialect=10.0",
            "test_sync_dirty_bitmap_missing",
        ])
        .args(LONG)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the command was built with the tests");
    let mut output = BufReader::new(child.stdout.take().expect("its output"));
    // When the first story is done, it is at work on the second, or about to be.
    let mut first = String::new();
    output.read_line(&mut first).expect("a row");
    assert!(first.ends_with("verified\n"), "{first}");
    let kill = format!("kill -INT {}", child.id());
    let sent = Command::new("sh").args(["-c", &kill]).status();
    assert!(sent.is_ok_and(|status| status.success()), "{kill}");
    let mut rest = String::new();
    output.read_to_string(&mut rest).expect("the rest");
    assert_eq!(child.wait().expect("its end").code(), Some(3), "{rest}");
    if !rest.contains("1 verified, 1 NOT BEGUN") {
        says_what_was_covered(&rest);
    }
}

#[test]
fn no_snapshot_is_an_orphan() {
    let mut expected: BTreeSet<&str> = PRINTED.iter().map(|(name, ..)| *name).collect();
    expected.extend(OTHERS);
    for entry in std::fs::read_dir(snapshots()).expect("the folder of snapshots") {
        let file = entry.expect("an entry").file_name();
        let file = file.to_string_lossy();
        let name = file
            .strip_prefix("check.")
            .and_then(|name| name.strip_suffix(".snap"));
        assert!(
            name.is_none_or(|name| expected.contains(name)),
            "{file} belongs to no test"
        );
    }
}
