//! The known defects of QEMU from outside: found in every release that has them, explained, and gone in a repaired one.

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use common::{blockrace, blockrace_in, project, snapshot, snapshots, text};
use model::defect::DEFECTS;
use model::dialect::DIALECTS;

/// What is printed: a name, the exit code, and the command line.
const PRINTED: &[(&str, i32, &str)] = &[
    ("list", 0, "list defects"),
    ("known", 0, "check --no-failures defects"),
    ("fixed", 0, "check --no-failures defects --fixed"),
    (
        "json",
        0,
        "check --no-failures merge-of-nothing-crashes --dialect 10.0 --format json",
    ),
    (
        "unknown",
        2,
        "check --no-failures tests/data/unknown-defect.yaml",
    ),
    (
        "unshown",
        1,
        "check --no-failures tests/data/unshown-defect.yaml",
    ),
    (
        "unshown-and-fixed",
        0,
        "check --no-failures tests/data/unshown-defect.yaml --fixed",
    ),
    (
        "fuzz",
        0,
        "fuzz --no-failures defects --seeds 0..20 --dialect 10.0",
    ),
    ("run", 0, "run enable-rollback-disables --dialect 7.2"),
    ("run-fixed", 0, "run enable-rollback-disables --fixed"),
    ("traces", 0, "traces grouped-abort-hangs"),
    ("traces-fixed", 0, "traces grouped-abort-hangs --fixed"),
];

fn run_in(folder: &Path, line: &str, code: i32) -> String {
    let output = blockrace_in(folder, &line.split(' ').collect::<Vec<_>>());
    // How fast it was is no part of the result.
    let said: String = text(&output.stderr)
        .lines()
        .filter(|line| !line.ends_with(" a second") && !line.ends_with(" runs/s"))
        .map(|line| format!("{line}\n"))
        .collect();
    let printed = text(&output.stdout) + &said;
    assert_eq!(output.status.code(), Some(code), "{line}: {printed}");
    printed
}

/// Without what it measured.
fn unmeasured(printed: &str) -> String {
    let Ok(mut row) = serde_json::from_str::<serde_json::Value>(printed) else {
        return printed.to_owned();
    };
    if let Some(covered) = row["covered"].as_object_mut() {
        covered.remove("measured");
    }
    format!("{row:#}")
}

#[test]
fn what_is_known_is_listed_and_never_verified() {
    for (name, code, line) in PRINTED {
        let printed = unmeasured(&run_in(project(), line, *code));
        snapshot(
            &format!("defects.{name}"),
            &format!("blockrace {line}"),
            &printed,
        );
    }
}

/// A folder of its own for one test.
fn folder(name: &str) -> PathBuf {
    let name = format!("blockrace-defects-{name}-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).expect("a folder for the test");
    folder
}

/// The story of a defect, as somebody tells it who does not know of the defect.
fn unsuspecting(name: &str) -> String {
    let file = project().join(format!("scenarios/defects/{name}.yaml"));
    let story = std::fs::read_to_string(file).expect("a story for each defect");
    let line = format!("defects: [{name}]\n");
    assert!(story.contains(&line), "{name} names its defect");
    story.replace(&line, "")
}

/// Each defect in each release that has it: the promise that it breaks first, the schedule, and the ways on.
#[test]
fn a_defect_that_the_story_does_not_name_is_a_failure() {
    let folder = folder("unnamed");
    for defect in DEFECTS {
        let name = defect.name;
        let file = format!("{name}.yaml");
        std::fs::write(folder.join(&file), unsuspecting(name)).expect("a story");
        let line = format!("check --no-failures {file}");
        let printed = run_in(&folder, &line, 1);
        let breach = format!("BREACH   {}\n", defect.breaks[0]);
        let releases = DIALECTS.iter().filter(|dialect| dialect.has(defect));
        assert_eq!(
            printed.matches(&breach).count(),
            releases.count(),
            "{name}: {printed}"
        );
        snapshot(
            &format!("defects.unnamed.{name}"),
            &format!("blockrace {line}"),
            &printed,
        );
        run_in(&folder, &format!("{line} --fixed"), 0);
    }
    std::fs::remove_dir_all(folder).expect("it goes");
}

/// A kept schedule says which QEMU it is of, and a repaired QEMU does not break the promise.
#[test]
fn a_kept_schedule_is_of_the_qemu_that_has_the_defect() {
    let folder = folder("kept");
    let name = "enable-rollback-disables";
    let file = format!("{name}.yaml");
    std::fs::write(folder.join(&file), unsuspecting(name)).expect("a story");
    let line = format!("check {file} --dialect 10.0");
    let printed = run_in(&folder, &line, 1);
    let again = printed
        .lines()
        .find_map(|line| line.strip_prefix("again    blockrace "));
    let again = again.expect("a line to paste");
    assert!(run_in(&folder, again, 1).contains("BREACH   abort-safe"));
    let repaired = run_in(&folder, &format!("{again} --fixed --best-effort"), 0);
    assert!(repaired.contains("(QEMU 10.0+fixed)"), "{repaired}");
    // Once the story names it, what was kept is no failure.
    let story = project().join("scenarios/defects").join(&file);
    std::fs::copy(story, folder.join(&file)).expect("the story");
    let printed = run_in(&folder, &line, 0);
    assert!(printed.contains("known defect"), "{printed}");
    std::fs::remove_dir_all(folder).expect("it goes");
}

#[test]
fn no_snapshot_is_an_orphan() {
    let printed = PRINTED.iter().map(|(name, ..)| (*name).to_owned());
    let unnamed = DEFECTS.map(|defect| format!("unnamed.{}", defect.name));
    let expected: BTreeSet<String> = printed.chain(unnamed).collect();
    for entry in std::fs::read_dir(snapshots()).expect("the folder of snapshots") {
        let file = entry.expect("an entry").file_name();
        let file = file.to_string_lossy();
        let name = file
            .strip_prefix("defects.")
            .and_then(|name| name.strip_suffix(".snap"));
        assert!(
            name.is_none_or(|name| expected.contains(name)),
            "{file} belongs to no test"
        );
    }
}

/// Recordings are of real QEMUs: there is nothing to repair.
#[test]
fn conform_knows_no_repaired_qemu() {
    let output = blockrace(&["conform", "--fixed", "scenarios/recordings"]);
    assert_eq!(output.status.code(), Some(2));
}
