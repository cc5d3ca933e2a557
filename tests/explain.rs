//! `blockrace explain`, from outside.

mod common;

use common::{blockrace, snapshot, text};

/// A name of each kind, and the mistakes.
const PRINTED: &[(&str, i32, &str)] = &[
    ("promise", 0, "explain no-lost-dirty"),
    ("witness", 0, "explain empty-job-first"),
    ("status", 0, "explain waiting"),
    ("event", 0, "--explain BLOCK_JOB_ERROR"),
    ("error", 0, "explain DeviceNotActive"),
    ("defect", 0, "explain bug-A1"),
    ("mutation", 0, "explain two-aborters every-run-rests"),
    ("names", 0, "explain"),
    ("unknown", 2, "explain no-lost-drity"),
];

#[test]
fn a_name_of_each_kind_is_explained() {
    for (name, code, line) in PRINTED {
        let output = blockrace(&line.split(' ').collect::<Vec<_>>());
        let printed = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(output.status.code(), Some(*code), "{line}: {printed}");
        snapshot(
            &format!("explain.{name}"),
            &format!("blockrace {line}"),
            &printed,
        );
    }
}

#[test]
fn the_flag_is_the_command() {
    let flag = blockrace(&["--explain", "waiting"]);
    let command = blockrace(&["explain", "waiting"]);
    assert_eq!(text(&flag.stdout), text(&command.stdout));
}
