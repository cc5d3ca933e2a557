//! `blockrace conform --log`: what it says of logs that others wrote, and of command lines that ask for too much.
//! The logs are of sessions with real QEMUs, written as libvirt, qmp-shell, QEMU's client and iotests write them;
//! some were damaged on purpose, as their names say.

mod common;

use common::{blockrace, snapshot, text};

/// A snapshot's name, the exit code, and the arguments after `conform --log tests/data/logs/…`.
const LOGS: &[(&str, i32, &str, &[&str])] = &[
    (
        "libvirt-7.2",
        0,
        "libvirt-7.2.log",
        &["--format", "libvirt"],
    ),
    (
        "libvirt-10.0",
        0,
        "libvirt-10.0.log",
        &["--format", "libvirt"],
    ),
    (
        "libvirt-no-version",
        0,
        "libvirt-no-version.log",
        &["--format", "libvirt"],
    ),
    (
        "libvirt-another-release",
        1,
        "libvirt-no-version.log",
        &["--format", "libvirt", "--dialect", "7.2"],
    ),
    (
        "libvirt-first-half-lost",
        0,
        "libvirt-first-half-lost.log",
        &["--format", "libvirt"],
    ),
    (
        "libvirt-wrong-order",
        1,
        "libvirt-wrong-order.log",
        &["--format", "libvirt"],
    ),
    (
        "libvirt-two-monitors",
        1,
        "libvirt-two-monitors.log",
        &["--format", "libvirt"],
    ),
    ("client-10.0", 0, "client-10.0.log", &["--format", "qmp"]),
    (
        "client-10.0-given",
        0,
        "client-10.0.log",
        &[
            "--format",
            "qmp",
            "--given",
            "tests/data/logs/incremental-failure.yaml",
        ],
    ),
    (
        "client-lost-event",
        1,
        "client-lost-event.log",
        &["--format", "qmp"],
    ),
    (
        "client-python-7.2",
        0,
        "client-python-7.2.log",
        &["--format", "qmp"],
    ),
    (
        "qmp-shell-7.2",
        0,
        "qmp-shell-7.2.log",
        &["--format", "qmp"],
    ),
    (
        "qmp-shell-wrong-event",
        1,
        "qmp-shell-wrong-event.log",
        &["--format", "qmp"],
    ),
    (
        "iotest-sync-bitmap",
        0,
        "iotest-sync-bitmap.out",
        &["--format", "iotest"],
    ),
    (
        "iotest-wrong-event",
        1,
        "iotest-wrong-event.out",
        &["--format", "iotest"],
    ),
    (
        "iotest-shell",
        0,
        "iotest-shell.out",
        &["--format", "iotest"],
    ),
    (
        "json",
        1,
        "libvirt-two-monitors.log",
        &["--format", "libvirt", "--json"],
    ),
    (
        "wrong-style",
        4,
        "iotest-shell.out",
        &["--format", "libvirt"],
    ),
    ("no-style", 2, "libvirt-7.2.log", &[]),
    (
        "no-header",
        2,
        "libvirt-7.2.log",
        &["--format", "libvirt", "--given", "test_incremental_simple"],
    ),
];

#[test]
fn logs_are_judged() {
    for (name, exit, file, args) in LOGS {
        let file = format!("tests/data/logs/{file}");
        let mut command = vec!["conform", "--log", &file];
        command.extend(*args);
        let output = blockrace(&command);
        let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(*exit), "{name}: {said}");
        snapshot(
            &format!("log.{name}"),
            &format!("blockrace {} (exit {exit})", command.join(" ")),
            &said,
        );
    }
}

/// A style of logs means nothing without a log.
#[test]
fn a_style_needs_a_log() {
    let output = blockrace(&["conform", "--format", "libvirt", "scenarios/recordings"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--log FILE"));
}

/// Every log of the folder is judged by a test above.
#[test]
fn no_log_is_forgotten() {
    for entry in std::fs::read_dir(common::project().join("tests/data/logs")).expect("a folder") {
        let name = entry.expect("an entry").file_name();
        let name = name.to_string_lossy();
        let is_used = LOGS.iter().any(|(_, _, file, _)| **file == *name);
        assert!(
            is_used || name.ends_with(".yaml"),
            "{name} belongs to no test"
        );
    }
}

#[test]
fn no_snapshot_is_an_orphan() {
    for entry in std::fs::read_dir(common::snapshots()).expect("the folder of snapshots") {
        let file = entry.expect("an entry").file_name();
        let file = file.to_string_lossy();
        let name = file
            .strip_prefix("log.")
            .and_then(|name| name.strip_suffix(".snap"));
        let is_known = |name: &str| LOGS.iter().any(|(known, ..)| *known == name);
        assert!(name.is_none_or(is_known), "{file} belongs to no test");
    }
}
