//! What a person sees: the command in a terminal of a given width, and what is then on its screen.
#![cfg(unix)]

mod common;

use std::io::Read;
use std::process::{Command, Output};

use common::{blockrace, project, snapshot, text};
use pty_process::{Size, blocking};

/// No test prints more lines than that.
const LINES: u16 = 400;

/// What was seen in a terminal.
struct Seen {
    /// All bytes, as they came.
    raw: String,
    /// What is on the screen in the end.
    screen: vt100::Parser,
    code: Option<i32>,
}

impl Seen {
    /// Runs the command line in a terminal with so many columns, and these variables besides a locale with UTF-8.
    fn of(columns: u16, variables: &[(&str, &str)], line: &str) -> Seen {
        let (mut terminal, end) = blocking::open().expect("a terminal");
        terminal.resize(Size::new(LINES, columns)).expect("a size");
        let mut command = blocking::Command::new(env!("CARGO_BIN_EXE_blockrace"))
            .args(line.split(' '))
            .current_dir(project())
            .env("TERM", "xterm-256color")
            .env("LANG", "C.UTF-8");
        for name in [
            "NO_COLOR",
            "CLICOLOR_FORCE",
            "COLUMNS",
            "LC_ALL",
            "LC_CTYPE",
            "CI",
        ] {
            command = command.env_remove(name);
        }
        for (name, value) in variables {
            command = command.env(name, value);
        }
        let mut child = command.spawn(end).expect("the command was built");
        let (mut raw, mut chunk) = (Vec::new(), [0; 4096]);
        // The end of the other side is an error, and means the end.
        while let Ok(count @ 1..) = terminal.read(&mut chunk) {
            raw.extend_from_slice(&chunk[..count]);
        }
        let mut screen = vt100::Parser::new(LINES, columns, 0);
        screen.process(&raw);
        Seen {
            raw: text(&raw),
            screen,
            code: child.wait().expect("it has ended").code(),
        }
    }

    fn contents(&self) -> String {
        self.screen.screen().contents()
    }

    /// The lines that did not fit, and went on below.
    fn wrapped(&self) -> Vec<String> {
        let screen = self.screen.screen();
        let rows = screen.rows(0, screen.size().1).zip(0..);
        rows.filter(|(_, number)| screen.row_wrapped(*number))
            .map(|(row, _)| row)
            .collect()
    }
}

fn is_summary(line: &str) -> bool {
    line.ends_with(" a second") || line.ends_with("runs/s")
}

/// How many states there are is not what these tests are about.
fn steady(contents: &str) -> String {
    let line = |line: &str| match line.contains(" states ") {
        true => line
            .split(' ')
            .map(|word| {
                if word.parse::<u64>().is_ok() {
                    "#"
                } else {
                    word
                }
            })
            .collect::<Vec<_>>()
            .join(" "),
        false => line.to_owned(),
    };
    contents.lines().map(line).collect::<Vec<_>>().join("\n")
}

const CHECK: &str = "check --no-failures --dialect 10.0 test_transaction_failure_race";
const BROKEN: &str = "check --no-failures --dialect 10.0 tests/data/too-early.yaml";

/// What is for machines is on one line however narrow the terminal is, or it could not be copied from there.
#[test]
fn json_is_not_folded() {
    let seen = Seen::of(40, &[], "config --json");
    let json: Result<serde_json::Value, _> = serde_json::from_str(&seen.raw);
    assert!(json.is_ok(), "{}", seen.raw);
}

#[test]
fn no_line_is_longer_than_the_terminal_is_wide() {
    for columns in [40, 80, 120] {
        for line in [
            CHECK,
            BROKEN,
            "fuzz --no-failures test_transaction_failure_race --seeds 0..20",
            "run test_transaction_failure_race",
            "traces test_transaction_failure_race",
            "explain no-lost-dirty JOB_STATUS_CHANGE",
            "list properties",
        ] {
            let seen = Seen::of(columns, &[], line);
            let wrapped = seen.wrapped();
            assert!(wrapped.is_empty(), "{columns}: {line}: {wrapped:#?}");
        }
    }
}

#[test]
fn a_narrow_terminal_still_says_everything() {
    for (columns, line) in [(80, CHECK), (100, CHECK), (60, BROKEN), (100, BROKEN)] {
        let seen = Seen::of(columns, &[("NO_COLOR", "1")], &format!("{line} -q"));
        let story = line
            .rsplit('/')
            .next()
            .and_then(|word| word.split(' ').next_back());
        let story = story.expect("a story").trim_end_matches(".yaml");
        snapshot(
            &format!("terminal.{story}.{columns}"),
            &format!("blockrace {line}, in a terminal with {columns} columns"),
            &steady(&seen.contents()),
        );
    }
}

#[test]
fn the_variable_columns_is_heeded() {
    let seen = Seen::of(200, &[("COLUMNS", "50")], BROKEN);
    let contents = seen.contents();
    let widest = contents.lines().map(|line| line.trim_end().chars().count());
    assert!(widest.max() <= Some(50), "{contents}");
}

#[test]
fn progress_is_shown_cleared_and_repeated() {
    let line = "fuzz --no-failures test_incremental_simple --dialect 10.0 --seeds 0..400";
    let seen = Seen::of(100, &[], line);
    assert!(seen.raw.contains("of 400 runs"), "{}", seen.raw);
    let contents = seen.contents();
    assert!(!contents.contains("of 400 runs"), "{contents}");
    assert!(contents.lines().any(is_summary), "{contents}");
    assert!(
        contents.starts_with("test_incremental_simple"),
        "{contents}"
    );

    let line = "check --no-failures test_transaction_failure_race --dialect 10.0";
    let seen = Seen::of(100, &[], line);
    assert!(seen.raw.contains(" states"), "{}", seen.raw);
    let contents = seen.contents();
    let summary = contents.lines().find(|line| is_summary(line));
    let summary = summary.expect("a summary");
    for word in [
        " states in ",
        "depth ",
        "queue ",
        "% met again",
        " a second",
    ] {
        assert!(summary.contains(word), "{word}: {summary}");
    }
}

#[test]
fn quiet_is_quiet() {
    let line = "fuzz --no-failures test_incremental_simple --dialect 10.0 --seeds 0..400 -q";
    let seen = Seen::of(120, &[], line);
    assert!(!seen.raw.contains("of 400 runs"), "{}", seen.raw);
    assert!(
        !seen.contents().lines().any(is_summary),
        "{}",
        seen.contents()
    );
    let output = blockrace(&[
        "check",
        "--no-failures",
        "test_incremental_simple",
        "--quiet",
    ]);
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn without_utf8_all_is_ascii() {
    let line = "traces test_transaction_failure_race";
    let seen = Seen::of(100, &[], line);
    assert!(seen.raw.contains("├─ if"), "{}", seen.raw);
    for variables in [
        &[("LANG", "C")][..],
        &[("LC_ALL", "C"), ("LANG", "C.UTF-8")],
    ] {
        let seen = Seen::of(100, variables, line);
        assert!(
            seen.raw.is_ascii() && seen.raw.contains("|- if"),
            "{}",
            seen.raw
        );
    }
    // A pipe has no locale: what it reads is the same everywhere, unless somebody asks.
    let printed = |args: &[&str]| {
        let output = common::blockrace(args);
        text(&output.stdout)
    };
    assert!(printed(&["traces", "test_transaction_failure_race"]).contains("├─ if"));
    let ascii = printed(&["traces", "test_transaction_failure_race", "--ascii"]);
    assert!(ascii.is_ascii() && ascii.contains("|- if"), "{ascii}");
}

#[test]
fn colours_are_for_terminals_unless_somebody_says_otherwise() {
    const COLOUR: &str = "\u{1b}[";
    let terminal = |variables: &[(&str, &str)], flags: &str| {
        let seen = Seen::of(
            120,
            variables,
            &format!("run test_transaction_failure -q{flags}"),
        );
        seen.raw.contains(COLOUR)
    };
    assert!(terminal(&[], ""));
    assert!(!terminal(&[], " --color never"));
    assert!(!terminal(&[("NO_COLOR", "1")], ""));
    assert!(terminal(&[("NO_COLOR", "1")], " --color always"));
    let pipe = |variable: Option<(&str, &str)>, flags: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_blockrace"));
        command
            .args(["run", "test_transaction_failure"])
            .args(flags);
        command
            .current_dir(project())
            .env_remove("NO_COLOR")
            .env_remove("CLICOLOR_FORCE");
        command.envs(variable);
        let Output { stdout, .. } = command.output().expect("the command was built");
        text(&stdout).contains(COLOUR)
    };
    assert!(!pipe(None, &[]));
    assert!(pipe(None, &["--color", "always"]));
    assert!(pipe(Some(("CLICOLOR_FORCE", "1")), &[]));
    assert!(!pipe(Some(("CLICOLOR_FORCE", "1")), &["--color", "never"]));
}

#[test]
fn a_command_to_paste_is_one_command() {
    let seen = Seen::of(50, &[], BROKEN);
    assert_eq!(seen.code, Some(1));
    let contents = seen.contents();
    let (_, again) = contents.split_once("again").expect("a line to paste");
    let again = again
        .split_once("1 BROKEN")
        .map_or(again, |(again, _)| again);
    let script = again.replace("\\\n", " ");
    let command = script.lines().next().unwrap_or_default();
    let words: Vec<&str> = command.split_whitespace().collect();
    assert!(again.contains("\\\n"), "{again}");
    assert_eq!(
        words.join(" "),
        "blockrace check tests/data/too-early.yaml --dialect 10.0"
    );
}
