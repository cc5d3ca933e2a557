//! The scoreboard: every planted bug is found as what it is, its counterexample can be read, and no promise is idle.

mod common;

use std::collections::BTreeSet;
use std::process::{Command, Output};
use std::sync::Mutex;
use std::thread;

use common::{blockrace, project, snapshot, snapshots, text};
use model::mutation::{MUTATIONS, Mutation};
use serde_json::Value;

/// A counterexample with more steps is not read by anybody.
const STEPS_MAX: u64 = 60;

/// What is printed: a name, the exit code, and the command line after `bugs`.
const PRINTED: &[(&str, i32, &str)] = &[
    ("scoreboard", 0, "--no-times"),
    ("promises", 0, "--promises"),
    ("help", 0, "--help"),
    ("error.unknown", 2, "start-in-prepair"),
    ("error.no-roots", 2, "--roots 0"),
    ("error.no-schedules", 2, "--max-schedules 0"),
    ("error.unknown-strategy", 2, "--strategy random,pct"),
    ("error.promises-and-roots", 2, "--promises --roots 3"),
    (
        "error.no-schedules-and-roots",
        2,
        "--no-schedules --roots 3",
    ),
];

/// The command line after `blockrace`.
fn bugs(rest: &str) -> Output {
    let rest = rest.split(' ').filter(|word| !word.is_empty());
    blockrace(&["bugs", "-q"].into_iter().chain(rest).collect::<Vec<_>>())
}

#[test]
fn the_scoreboard_and_every_mistake() {
    let mut wrong = Vec::new();
    for (name, code, rest) in PRINTED {
        let output = bugs(rest);
        let printed = text(&output.stdout) + &text(&output.stderr);
        if output.status.code() != Some(*code) {
            wrong.push(format!("{name}: {:?}, not {code}", output.status.code()));
        }
        snapshot(
            &format!("bugs.{name}"),
            &format!("blockrace bugs {rest}"),
            &printed,
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What `check` prints of each bug. Time does not limit how far it is shortened: the work is limited anyway.
fn counterexamples() -> Vec<(&'static Mutation, Output)> {
    let next = Mutex::new(MUTATIONS.iter());
    let take = || next.lock().expect("no thread panics as it takes").next();
    let work = || {
        let mut done = Vec::new();
        while let Some(bug) = take() {
            let line = [
                "check",
                "--no-failures",
                "--shrink-time",
                "10m",
                "--mutation",
            ];
            done.push((bug, blockrace(&[&line[..], &[bug.name]].concat())));
        }
        done
    };
    thread::scope(|scope| {
        let threads = [scope.spawn(work), scope.spawn(work)];
        let join = |thread: thread::ScopedJoinHandle<'_, _>| thread.join().expect("no panic");
        threads.into_iter().flat_map(join).collect()
    })
}

#[test]
fn every_bug_has_a_counterexample_that_can_be_read() {
    let mut wrong = Vec::new();
    for (bug, output) in counterexamples() {
        let (name, printed) = (bug.name, text(&output.stdout));
        if output.status.code() != Some(1) {
            wrong.push(format!(
                "{name} exits with {:?}: {}",
                output.status.code(),
                text(&output.stderr)
            ));
        }
        let breach = format!("BREACH   {}", bug.breaks);
        if !printed.lines().any(|line| line == breach) {
            wrong.push(format!("{name} is to break {}:\n{printed}", bug.breaks));
        }
        match steps(&printed) {
            Some(steps) if steps > STEPS_MAX => wrong.push(format!("{name} takes {steps} steps")),
            Some(_) => {}
            None => wrong.push(format!("{name} does not say how many steps it takes")),
        }
        if printed.contains("cut short") {
            wrong.push(format!("{name} is not shortened to the end"));
        }
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(snapshots().join("bugs"));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.set_description(format!("blockrace check --no-failures --mutation {name}"));
        settings.bind(|| insta::assert_snapshot!(name, printed));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The number of steps that is said last on the line of sizes: `16 steps, …, shrunk to 14 steps, …`.
fn steps(printed: &str) -> Option<u64> {
    let line = printed.lines().find(|line| line.starts_with("size "))?;
    let (before, _) = line.rsplit_once(" steps")?;
    before.rsplit(' ').next()?.parse().ok()
}

#[test]
fn no_snapshot_is_an_orphan() {
    let names = |folder: &std::path::Path| -> BTreeSet<String> {
        let entries = std::fs::read_dir(folder).expect("a folder of snapshots");
        let files = entries.map(|entry| entry.expect("an entry").file_name().into_string());
        let snap = |file: Result<String, _>| file.ok()?.strip_suffix(".snap").map(str::to_owned);
        files.filter_map(snap).collect()
    };
    let expected: BTreeSet<String> = MUTATIONS.iter().map(|bug| bug.name.to_owned()).collect();
    assert_eq!(names(&snapshots().join("bugs")), expected, "snapshots/bugs");
    let expected: BTreeSet<String> = PRINTED
        .iter()
        .map(|(name, ..)| format!("bugs.{name}"))
        .collect();
    let mut found = names(&snapshots());
    found.retain(|name| name.starts_with("bugs."));
    assert_eq!(found, expected);
}

/// Two bugs that are found early and one that is not found in every run.
const SOME: &str = "start-in-prepare bitmap-cleared-on-failure cancelled-job-pauses";

#[test]
fn the_number_of_workers_changes_nothing() {
    let printed = |jobs: u32| {
        let output = bugs(&format!("{SOME} --no-times --roots 40 --jobs {jobs}"));
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let alone = printed(1);
    assert!(alone.contains("3 of 3 bugs found"), "{alone}");
    for jobs in [2, 5] {
        assert_eq!(printed(jobs), alone, "--jobs {jobs}");
    }
}

#[test]
fn machines_read_rows_of_json() {
    let output = bugs(
        "cancelled-job-pauses --roots 40 --max-schedules 3 --strategy pct:2,urw --format json",
    );
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    let row: Value = serde_json::from_str(&printed).expect("one row of JSON");
    assert_eq!(row["verdict"], "found");
    assert_eq!(row["broken"], row["breaks"]);
    assert!(row["measured"]["seconds"].as_f64() > Some(0.0), "{row}");
    let strategies = row["schedules"].as_object().expect("the strategies");
    assert_eq!(strategies.keys().collect::<Vec<_>>(), ["pct:2", "urw"]);
    for (name, found) in strategies {
        let broken = found["broken"].as_object().expect("promises");
        let caught: u64 = broken.values().filter_map(Value::as_u64).sum();
        assert_eq!(
            caught + found["given_up"].as_u64().expect("a number"),
            40,
            "{name}"
        );
    }
    assert_eq!(row["schedules"]["pct:2"]["median"], Value::Null, "given up");
}

#[test]
fn time_that_is_over_is_inconclusive() {
    let output = bugs("--roots 1000000 --max-time 700ms");
    let printed = text(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{printed}");
    assert!(
        printed.contains("  ended by --max-time or Ctrl-C\n"),
        "{printed}"
    );
    assert!(printed.contains(" not tried"), "{printed}");
}

/// The script of the main lane: it passes with this command, and with none that sees nothing, ends well all the same,
/// or sees something else.
#[test]
fn the_canary_must_be_caught() {
    let script = project().join(".ci/canary");
    let passes = |words: &[&str]| {
        let output = Command::new(&script).args(words).output();
        output.expect("the script runs").status.success()
    };
    assert!(passes(&[env!("CARGO_BIN_EXE_blockrace")]));
    assert!(passes(&[
        "sh",
        "-c",
        "echo 'BREACH   start-barrier'; exit 1"
    ]));
    for blind in [
        "exit 0",
        "exit 1",
        "echo 'BREACH   start-barrier'; exit 0",
        "echo 'BREACH   no-lost-dirty'; exit 1",
        "echo 'BREACH   start-barrier'; exit 70",
    ] {
        assert!(!passes(&["sh", "-c", blind]), "{blind}");
    }
}
