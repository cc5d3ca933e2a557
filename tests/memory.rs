//! `--max-memory` is kept by the process, whatever is done when it is full, and nothing is left behind.
#![cfg(target_os = "linux")]

mod common;
#[path = "common/processes.rs"]
mod processes;

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use common::{project, text};
use processes::peak_of;
use serde_json::Value;
use tempfile::TempDir;

/// A story with many states, and how many of them are enough.
const LARGE: &str = "check -q --no-failures --no-reduction --no-cycles --dialect 10.0 --format json --jobs 2 \
                     --max-states 20000 test_incremental_failure";

/// What a process has printed, its exit code, and the most bytes of memory that it had.
struct Ended {
    printed: String,
    code: Option<i32>,
    peak: u64,
}

impl Ended {
    fn row(&self) -> Value {
        serde_json::from_str(&self.printed).unwrap_or_else(|_| panic!("{}", self.printed))
    }
}

/// Runs it, and looks at its memory all the time.
fn measured(command: &mut Command) -> Ended {
    let mut child = command
        .current_dir(project())
        .env("NO_COLOR", "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the command was built with the tests");
    let mut output = child.stdout.take().expect("its output");
    let reader = thread::spawn(move || {
        let mut printed = String::new();
        output.read_to_string(&mut printed).expect("UTF-8");
        printed
    });
    let mut peak = 0;
    let status = loop {
        peak = peak.max(peak_of(child.id()).unwrap_or(0));
        match child.try_wait().expect("its end") {
            Some(status) => break status,
            None => thread::sleep(Duration::from_millis(2)),
        }
    };
    Ended {
        printed: reader.join().expect("its output"),
        code: status.code(),
        peak,
    }
}

fn blockrace(line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blockrace"));
    command.args(line.split_whitespace());
    command
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).expect("a folder").next().is_none()
}

/// What takes most here are parts of states, which cannot go to disk: both end, within the limit. That a search on disk
/// finds the same is shown by the tests of `sim` and `scenarios`.
#[test]
fn the_limit_is_kept_on_disk_and_without() {
    const LIMIT: u64 = 192 << 20;
    let folder = TempDir::new().expect("a folder");
    let place = folder.path().display();
    let free = measured(&mut blockrace(LARGE));
    assert!(free.peak > LIMIT, "{} is no test of it", free.peak);
    for when_full in ["", " --when-full spill --spill "] {
        let place = if when_full.is_empty() {
            String::new()
        } else {
            place.to_string()
        };
        let line = format!("{LARGE} --max-memory 192M{when_full}{place}");
        let limited = measured(&mut blockrace(&line));
        let row = limited.row();
        assert_eq!(limited.code, Some(3));
        assert_eq!(row["limit"], "--max-memory");
        let spills = row["covered"]["measured"]["spills"].as_u64();
        assert_eq!(spills > Some(0), !when_full.is_empty(), "{row}");
        assert!(limited.peak <= LIMIT, "{} {row}", limited.peak);
    }
    assert!(is_empty(folder.path()));
}

/// Files have no names, so even a process that is killed leaves none.
#[test]
fn nothing_is_left_after_ctrl_c_and_after_a_kill() {
    for signal in ["INT", "KILL"] {
        let folder = TempDir::new().expect("a folder");
        let place = folder.path().display();
        let line = format!("{LARGE} --max-memory 48M --when-full spill --spill {place}");
        let mut child = blockrace(&line)
            .current_dir(project())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the command was built with the tests");
        thread::sleep(Duration::from_millis(150));
        assert!(is_empty(folder.path()));
        let kill = format!("kill -{signal} {}", child.id());
        let sent = Command::new("sh").args(["-c", &kill]).status();
        assert!(sent.is_ok_and(|status| status.success()), "{kill}");
        child.wait().expect("its end");
        assert!(is_empty(folder.path()), "{signal}");
    }
}

/// No file may be longer than 4 KiB: as good as a disk that is full.
#[test]
fn a_full_disk_is_said_and_what_was_covered_is_told() {
    let folder = TempDir::new().expect("a folder");
    let place = folder.path().display().to_string();
    let line = LARGE.replace("--format json", "");
    let script = format!(
        "trap '' XFSZ; ulimit -f 8; exec {} {line} --max-memory 56M --when-full spill --spill {place}",
        env!("CARGO_BIN_EXE_blockrace")
    );
    let ended = measured(Command::new("sh").args(["-c", &script]));
    assert_eq!(ended.code, Some(3), "{}", ended.printed);
    let said = format!("ended by the disk: {place}: File too large");
    assert!(ended.printed.contains(&said), "{}", ended.printed);
    assert!(ended.printed.contains(" states "), "{}", ended.printed);
}

/// Wherever a result by bits is shown, it says that it is incomplete.
#[test]
fn a_search_by_bits_is_incomplete_in_every_format() {
    let line =
        "check -q --no-failures --no-times groups/three-empty-backups --bitstate 24 --format";
    for format in ["human", "json", "junit", "sarif", "github"] {
        let mut command = blockrace(&format!("{line} {format}"));
        let output = command
            .current_dir(project())
            .env_remove("GITHUB_STEP_SUMMARY")
            .output()
            .expect("the command was built with the tests");
        let printed = text(&output.stdout);
        assert_eq!(output.status.code(), Some(3), "{format}: {printed}");
        let says =
            |word: &str| assert!(printed.to_lowercase().contains(word), "{format}: {printed}");
        says("incomplete");
        says("coverage");
        assert!(!printed.contains("verified"), "{format}: {printed}");
    }
    let folder = TempDir::new().expect("a folder");
    let summary = folder.path().join("summary.md");
    let line = format!("{line} github --output {}", summary.display());
    let output = blockrace(&line).current_dir(project()).output();
    assert_eq!(output.expect("it runs").status.code(), Some(3));
    let summary = fs::read_to_string(summary).expect("a summary");
    assert!(
        summary.contains("1 INCOMPLETE") || summary.contains("INCOMPLETE"),
        "{summary}"
    );
    assert!(summary.contains("estimated coverage"), "{summary}");
}
