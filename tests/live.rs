//! Real QEMUs from outside: found, missing, dead, hung, interrupted; nothing is left behind.
//!
//! Tests that need a QEMU say that they are skipped where there is none.

mod common;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use common::{project, snapshot, text};

/// The QEMU that Debian's package installs.
const QEMU: &str = "qemu-system-x86_64";

fn no_qemu(test: &str) -> bool {
    let missing = Command::new(QEMU).arg("--version").output().is_err();
    if missing {
        eprintln!("skipped: {test} needs {QEMU}");
    }
    missing
}

/// A folder of its own for one test, where blockrace makes its temporary ones.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let folder = std::env::temp_dir().join(format!("live-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for the test");
        Place(folder)
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_blockrace"));
        // How long it took is no part of the result.
        command
            .args(line.split(' '))
            .arg("--quiet")
            .current_dir(project())
            .env("NO_COLOR", "1")
            .env("TMPDIR", &self.0);
        command
    }

    /// Runs the command line; gives the exit code and what was printed on both outputs.
    fn run(&self, line: &str) -> (Option<i32>, String) {
        let Output {
            status,
            stdout,
            stderr,
        } = self.command(line).output().expect("the command was built");
        (status.code(), text(&stdout) + &text(&stderr))
    }

    /// No folder is left, and no process that works in one.
    fn is_clean(&self) {
        let left: Vec<_> = std::fs::read_dir(&self.0)
            .expect("the test's folder")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        assert!(left.is_empty(), "{left:?}");
        let name = self.0.to_string_lossy().into_owned();
        let processes = std::fs::read_dir("/proc").expect("processes");
        for process in processes.flatten() {
            let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).into_owned();
            assert!(!line.contains(&name), "{line}");
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn stub(name: &str) -> String {
    let file = Path::new("tests/data/qemus").join(name);
    file.to_string_lossy().into_owned()
}

/// Without what differs from run to run: seconds, and how many orders were seen.
fn steady(printed: &str) -> String {
    let mut lines = Vec::new();
    for line in printed.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_row = words.contains(&"runs") && words.contains(&"orders");
        let masked = words.iter().enumerate().map(|(at, word)| {
            let next = words.get(at + 1).copied().unwrap_or_default();
            let masks = next == "s" || next == "of";
            if masks { "#" } else { word }
        });
        lines.push(if is_row {
            masked.collect::<Vec<_>>().join(" ")
        } else {
            line.to_owned()
        });
    }
    lines.join("\n") + "\n"
}

#[test]
fn mistakes_and_dead_qemus() {
    let place = Place::new("mistakes");
    let calls = [
        (4, "/nowhere/qemu-system-x86_64 groups".to_owned()),
        (2, "/bin/true groups".to_owned()),
        (2, "./Cargo.toml groups".to_owned()),
        (
            1,
            format!("{} test_sync_dirty_bitmap_missing", stub("dies-at-start")),
        ),
        (2, format!("{} no-such-story", stub("dies-at-start"))),
    ];
    let mut told = String::new();
    for (code, line) in calls {
        let (ended, printed) = place.run(&format!("conform --no-failures --qemu {line}"));
        told += &format!("$ blockrace conform --qemu {line}\n{}", steady(&printed));
        assert_eq!(ended, Some(code), "{told}");
        told += &format!("exit code {code}\n\n");
        place.is_clean();
    }
    snapshot("live.mistakes", "blockrace conform --qemu", &told);
}

#[test]
fn a_real_qemu_is_accepted_and_held_to_its_own_rules() {
    if no_qemu("a_real_qemu_is_accepted_and_held_to_its_own_rules") {
        return;
    }
    let place = Place::new("accepted");
    let stories = "test_transaction_failure_race defects/enable-rollback-crashes";
    let (code, printed) = place.run(&format!("conform --repeat 3 --qemu {QEMU} {stories}"));
    assert_eq!(code, Some(0), "{printed}");
    assert!(
        printed.ends_with("6 runs: 6 accepted, 0 rejected, 0 undecided\n"),
        "{printed}"
    );
    assert!(printed.contains("accepted (known defect)"), "{printed}");
    // In other rules, the jobs of a transaction start in the other order.
    let other = if printed.contains("QEMU 7.2") {
        "10.0"
    } else {
        "7.2"
    };
    let line = format!("conform --no-failures --qemu {QEMU} --dialect {other} {stories}");
    let (code, printed) = place.run(&line);
    assert_eq!(code, Some(1), "{printed}");
    assert!(printed.contains("REJECTED at line"), "{printed}");
    place.is_clean();
}

#[test]
fn a_release_that_nobody_knows_is_held_to_the_nearest_rules() {
    if no_qemu("a_release_that_nobody_knows_is_held_to_the_nearest_rules") {
        return;
    }
    let place = Place::new("newer");
    let line = format!(
        "conform --no-failures --qemu {} --qemu-img qemu-img test_incremental_simple",
        stub("is-newer")
    );
    let (code, printed) = place.run(&line);
    assert_eq!(code, Some(0), "{printed}");
    let warning = "warning: QEMU 11.1.0 is not known here; it is held to the rules of 10.0";
    assert!(printed.contains(warning), "{printed}");
    place.is_clean();
}

#[test]
fn what_was_recorded_is_saved_and_can_be_checked_again() {
    if no_qemu("what_was_recorded_is_saved_and_can_be_checked_again") {
        return;
    }
    let place = Place::new("saved");
    let saved = Place::new("recordings");
    let folder = saved.0.to_string_lossy().into_owned();
    let stories = "bitmaps/clear-while-busy guests/two-guests-one-cluster";
    let (code, printed) = place.run(&format!(
        "conform --repeat 4 --qemu {QEMU} {stories} --save {folder}"
    ));
    assert_eq!(code, Some(0), "{printed}");
    let (code, printed) = place.run(&format!("conform {folder}"));
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains("clear-while-busy.jsonl"), "{printed}");
    place.is_clean();
}

#[test]
fn a_hang_is_recorded_and_ctrl_c_leaves_nothing_behind() {
    if no_qemu("a_hang_is_recorded_and_ctrl_c_leaves_nothing_behind") {
        return;
    }
    let place = Place::new("hang");
    let stories = "defects/merge-of-nothing-crashes defects/grouped-abort-hangs";
    let line = format!("conform --no-failures --repeat 50 --jobs 1 --qemu {QEMU} {stories}");
    let mut child = place
        .command(&line)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the command was built");
    let mut output = BufReader::new(child.stdout.take().expect("its output"));
    let mut first = String::new();
    output.read_line(&mut first).expect("a row");
    // It waits now for a reply that never comes.
    let kill = format!("kill -INT {}", child.id());
    let sent = Command::new("sh").args(["-c", &kill]).status();
    assert!(sent.is_ok_and(|status| status.success()), "{kill}");
    assert_eq!(child.wait().expect("its end").code(), Some(3), "{first}");
    place.is_clean();
}
