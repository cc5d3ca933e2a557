//! `blockrace replay` from outside: what it shows, what it makes of an edited schedule, and that what it writes can
//! be replayed.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{blockrace, project, snapshot, text};

const FOUND: &str = "tests/data/guest-is-first.schedule";

/// An empty folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("replay-{name}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// The found schedule with an edit, in a folder of its own.
fn edited(name: &str, edit: impl Fn(&str) -> String) -> PathBuf {
    let found = fs::read_to_string(project().join(FOUND)).expect("the schedule");
    let file = folder(name).join("edited.schedule");
    let text = edit(&found);
    assert_ne!(text, found, "the edit does nothing");
    fs::write(&file, text).expect("a file");
    file
}

/// What `replay` prints with these arguments, with the folder's name taken out, and its exit code.
fn replay(file: &Path, args: &[&str]) -> (String, Option<i32>) {
    let file_name = file.to_str().expect("a name");
    let output = blockrace(&[&["replay", file_name], args].concat());
    let printed = text(&output.stdout) + &text(&output.stderr);
    let folder = file.parent().expect("a folder").to_str().expect("a name");
    (
        printed.replace(&format!("{folder}/"), "DIR/"),
        output.status.code(),
    )
}

fn check(name: &str, file: &Path, args: &[&str], code: i32) -> String {
    let (printed, found) = replay(file, args);
    snapshot(
        name,
        &format!("blockrace replay {}", args.join(" ")),
        &printed,
    );
    assert_eq!(found, Some(code), "{printed}");
    printed
}

#[test]
fn a_failing_schedule_is_shown_as_it_is() {
    check("replay.as-found", Path::new(FOUND), &[], 1);
}

#[test]
fn a_failing_schedule_is_kept_and_made_smaller() {
    let file = edited("shrunk", |found| {
        found.replace("# dialect: 10.0", "# dialect: 10.0\n# found-by: fuzz")
    });
    check("replay.shrunk", &file, &["--shrink"], 1);
    let mut files: Vec<PathBuf> = fs::read_dir(file.parent().expect("a folder"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_file() && *path != file)
        .collect();
    files.sort();
    let ending = |ending: &str| {
        let found = files
            .iter()
            .find(|path| path.to_string_lossy().ends_with(ending));
        found
            .unwrap_or_else(|| panic!("no {ending} in {files:?}"))
            .clone()
    };
    assert_eq!(files.len(), 3, "{files:?}");
    let (smallest, story) = (ending(".min.schedule"), ending(".min.yaml"));
    let raw = files
        .iter()
        .find(|path| **path != smallest && **path != story)
        .expect("the raw one");
    let raw_text = fs::read_to_string(raw).expect("a file");
    let found = fs::read_to_string(project().join(FOUND)).expect("a file");
    let steps = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|line| !line.starts_with('#'))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(steps(&raw_text), steps(&found));
    assert!(raw_text.contains("# property: expectation\n"), "{raw_text}");
    assert!(raw_text.contains("# found-by: fuzz\n"), "{raw_text}");
    assert!(steps(&fs::read_to_string(&smallest).expect("a file")).len() < steps(&found).len());
    for file in [raw, &smallest] {
        let (printed, code) = replay(file, &["--strict"]);
        assert_eq!(code, Some(1), "{printed}");
        assert!(printed.contains("img compare: different"), "{printed}");
    }
    let output = blockrace(&["run", story.to_str().expect("a name")]);
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
}

#[test]
fn a_schedule_that_holds_is_shown_as_a_trace() {
    let file = folder("holds").join("held.schedule");
    let name = file.to_str().expect("a name");
    let args = [
        "run",
        "test_sync_dirty_bitmap_missing",
        "--dialect",
        "7.2",
        "--save-schedule",
        name,
    ];
    assert_eq!(blockrace(&args).status.code(), Some(0));
    let printed = check("replay.holds", &file, &[], 0);
    assert!(printed.contains("QEMU 7.2"), "the schedule's own dialect");
}

#[test]
fn a_renamed_step_stops_a_strict_replay_which_says_where() {
    let rename = |found: &str| found.replace("guest0 write 2 lands", "guest0 write 2 landed");
    let file = edited("strict", rename);
    check("replay.diverged", &file, &[], 6);
    let (printed, code) = replay(&file, &["--best-effort"]);
    assert_eq!(code, Some(1), "{printed}");
}

#[test]
fn renamed_added_and_removed_steps_are_told_one_by_one() {
    let edit = |found: &str| {
        found
            .replace("guest0 write 2 lands", "guest0 write 2 landed")
            .replace(
                "main io transaction\n",
                "main io transaction\nguest7 write 1 begin\n",
            )
            .replace("job0 job write 0+64k\n", "")
    };
    let file = edited("best-effort", edit);
    check("replay.best-effort", &file, &["--best-effort"], 1);
    assert_eq!(replay(&file, &[]).1, Some(6));
}

#[test]
fn a_schedule_that_ends_early_shows_nothing() {
    let cut = |found: &str| found.split_inclusive('\n').take(6).collect();
    let (printed, code) = replay(&edited("early", cut), &[]);
    assert!(
        printed.contains("STOPPED  the schedule ended after 4 steps"),
        "{printed}"
    );
    assert_eq!(code, Some(3));
}

#[test]
fn mistakes_are_said() {
    let check = |name: &str, from: &str, to: &str, message: &str| {
        let (printed, code) = replay(&edited(name, |found| found.replace(from, to)), &[]);
        assert_eq!(code, Some(2), "{printed}");
        assert!(printed.contains(message), "{printed}");
    };
    check(
        "no-scenario",
        "# scenario",
        "# story",
        "no `# scenario:` header",
    );
    check(
        "no-dialect",
        "# dialect: 10.0",
        "# dialect: 0.1",
        "no dialect '0.1'",
    );
    let (printed, code) = replay(Path::new("tests/data/none.schedule"), &[]);
    assert_eq!(code, Some(2), "{printed}");
    for args in [&["--strict", "--best-effort"][..], &["--shrink-time", "1s"]] {
        let (printed, code) = replay(Path::new(FOUND), args);
        assert_eq!(code, Some(2), "{printed}");
    }
}
