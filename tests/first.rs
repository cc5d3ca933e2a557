//! The first five minutes: the demonstration, a first scenario, what is said of a wrong one, snapshots of one's own
//! scenarios, completions and man pages.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use common::{blockrace, blockrace_in, project, snapshot, snapshots, text};
use tempfile::TempDir;

/// What these tests keep.
const KEPT: &[&str] = &[
    "bad-scenarios",
    "demo",
    "demo.help",
    "init",
    "init.help",
    "snapshot",
    "snapshot.help",
    "snapshot.mistakes",
];

/// What was printed in a folder, command by command, with exit codes.
struct Session {
    folder: TempDir,
    said: String,
}

impl Session {
    fn new() -> Session {
        let folder = TempDir::new().expect("a temporary folder");
        let said = String::new();
        Session { folder, said }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a command line, notes what it says, and returns its exit code.
    fn run(&mut self, line: &str) -> i32 {
        let words: Vec<&str> = line.split(' ').collect();
        let output = blockrace_in(self.folder.path(), &words);
        let code = output.status.code().expect("an exit code");
        // How fast it was is no part of the result.
        let stderr: String = text(&output.stderr)
            .lines()
            .filter(|line| !line.ends_with(" a second"))
            .map(|line| format!("{line}\n"))
            .collect();
        self.said += &format!(
            "$ blockrace {line}\n{}{stderr}[{code}]\n\n",
            text(&output.stdout)
        );
        code
    }

    fn change(&mut self, file: &str, from: &str, to: &str) {
        let path = self.path(file);
        let before = fs::read_to_string(&path).expect("a file to change");
        let after = before.replacen(from, to, 1);
        assert_ne!(before, after, "{file} has no {from}");
        fs::write(&path, after).expect("the changed file");
        self.said += &format!("({file}: `{}` becomes `{}`)\n\n", from.trim(), to.trim());
    }
}

#[test]
fn the_race_is_found_made_small_and_explained() {
    let output = blockrace(&["demo"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    for line in printed.lines() {
        assert!(line.chars().count() <= 80, "wider than 80: {line}");
    }
    // What the explanation says is what the picture shows.
    let (picture, words) = printed.split_once("What happens").expect("an explanation");
    for (shown, said) in [
        ("a COMPLETED 0/0", "COMPLETED without"),
        ("b COMPLETED", "fails"),
        ("> transaction grouped", "One transaction"),
    ] {
        assert!(
            picture.contains(shown) && words.contains(said),
            "{shown}: {printed}"
        );
    }
    snapshot("first.demo", "blockrace demo", &printed);
}

#[test]
fn what_the_demonstration_says_comes_next_works() {
    let mut session = Session::new();
    let story = blockrace(&["demo", "--story"]);
    fs::write(session.path("race.yaml"), &story.stdout).expect("the story");
    assert_eq!(session.run("check race.yaml"), 0, "{}", session.said);
    let planted = "check race.yaml --mutation start-in-prepare --no-failures";
    assert_eq!(session.run(planted), 1, "{}", session.said);
    assert!(
        session.said.contains("BREACH   start-barrier"),
        "{}",
        session.said
    );
    assert_eq!(session.run("list mutations"), 0, "{}", session.said);
    assert_eq!(session.run("init"), 0, "{}", session.said);
}

#[test]
fn the_first_scenario_is_verified_and_nothing_is_overwritten() {
    let mut session = Session::new();
    assert_eq!(session.run("init"), 0);
    assert_eq!(session.run("init"), 2);
    assert_eq!(session.run("init below/it"), 0);
    fs::remove_file(session.path("blockrace.toml")).expect("it was written");
    assert_eq!(session.run("init ."), 2);
    assert!(!session.path("blockrace.toml").exists(), "all or nothing");
    snapshot("first.init", "blockrace init", &session.said);
    assert_eq!(session.run("check scenarios"), 0, "{}", session.said);
    assert!(session.said.contains("2 verified"), "{}", session.said);
}

/// What CI will do, done here.
#[test]
fn the_first_profiles_hold() {
    let mut session = Session::new();
    session.run("init");
    for line in ["config", "config --profile nightly", "ci --seeds 0..20"] {
        let code = session.run(line);
        assert_eq!(code, 0, "{}", session.said);
    }
}

/// Its comment says what to try; then it is broken.
#[test]
fn the_first_scenario_breaks_as_its_comment_says() {
    let mut session = Session::new();
    session.run("init");
    let start = "  - guests: {start: [guest0]}\n";
    let file = "scenarios/first-backup.yaml";
    session.change(file, start, "");
    session.change(file, "  - qmp:", &format!("{start}  - qmp:"));
    assert_eq!(
        session.run("check scenarios --no-failures"),
        1,
        "{}",
        session.said
    );
    assert!(
        session.said.contains("img compare: different"),
        "{}",
        session.said
    );
}

#[test]
fn every_mistake_in_a_scenario_is_shown_where_it_is() {
    let folder = project().join("tests/data/bad");
    let entries = fs::read_dir(&folder).expect("the folder of bad scenarios");
    let names: BTreeSet<String> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    let mut messages = String::new();
    for name in &names {
        let file = format!("tests/data/bad/{name}");
        let output = blockrace(&["check", &file, "--no-failures", "--dialect", "10.0"]);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{name}: {message}");
        assert!(message.contains(&format!("{file}:")), "no place: {message}");
        assert!(
            message.contains('^') && message.contains("\nhelp: "),
            "{message}"
        );
        messages += &format!("{message}\n");
    }
    assert!(names.len() > 20, "{names:?}");
    snapshot("first.bad-scenarios", "tests/data/bad", &messages);
}

#[test]
fn snapshots_are_accepted_compared_and_shown() {
    let mut session = Session::new();
    session.run("init");
    session.said.clear();
    assert_eq!(session.run("snapshot check"), 1);
    assert_eq!(session.run("snapshot accept"), 0);
    assert_eq!(session.run("snapshot check"), 0);
    assert_eq!(session.run("snapshot diff"), 0);
    let story = "scenarios/first-backup.yaml";
    session.change(story, "  - guests: {join: [guest0]}\n", "");
    session.change(story, "len: 128k", "len: 64k");
    assert_eq!(session.run("snapshot check --dialect 10.0"), 1);
    assert_eq!(session.run("snapshot diff --dialect 10.0"), 1);
    assert_eq!(session.run("snapshot accept"), 0);
    let (from, to) = (session.path(story), session.path("scenarios/renamed.yaml"));
    fs::rename(from, to).expect("the story");
    session.said += "(the scenario is renamed)\n\n";
    assert_eq!(session.run("snapshot check"), 1);
    assert_eq!(session.run("snapshot accept"), 0);
    assert_eq!(session.run("snapshot check scenarios/renamed.yaml"), 0);
    snapshot("first.snapshot", "blockrace snapshot", &session.said);
}

/// A snapshot is the same from wherever it is looked at.
#[test]
fn a_snapshot_does_not_depend_on_the_working_folder() {
    let mut session = Session::new();
    session.run("init");
    session.run("snapshot accept");
    let whole = session.path("snapshots").display().to_string();
    let elsewhere = session.path("scenarios");
    let args = ["snapshot", "check", "../scenarios", "--snapshots", &whole];
    let output = blockrace_in(&elsewhere, &args);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
}

/// With a part of the scenarios, the snapshots of the others are left alone.
#[test]
fn orphans_are_looked_for_where_something_was_named() {
    let mut session = Session::new();
    session.run("init");
    let first = session.path("scenarios/first-backup.yaml");
    fs::create_dir(session.path("scenarios/more")).expect("a folder");
    fs::copy(&first, session.path("scenarios/more/second.yaml")).expect("a copy");
    session.run("snapshot accept");
    fs::remove_file(first).expect("the first one");
    assert_eq!(
        session.run("snapshot check scenarios/more"),
        0,
        "{}",
        session.said
    );
    assert_eq!(
        session.run("snapshot check scenarios"),
        1,
        "{}",
        session.said
    );
    assert_eq!(
        session.run("snapshot accept scenarios"),
        0,
        "{}",
        session.said
    );
    let kept = session.path("snapshots/scenarios");
    assert!(
        kept.join("more/second.10.0.snap").exists()
            && !kept.join("first-backup.10.0.snap").exists()
    );
}

#[test]
fn mistakes_about_snapshots() {
    let mut session = Session::new();
    assert_eq!(session.run("snapshot check"), 2);
    session.run("init");
    session.said.clear();
    session.run("snapshot accept --dialect 10.0");
    let kept = "snapshots/scenarios/first-backup.10.0.snap";
    let good = fs::read_to_string(session.path(kept)).expect("the snapshot");
    let wrong = [
        ("insta's", "---\nsource: tests/a.rs\n---\ntext\n".to_owned()),
        ("a merge", format!("<<<<<<< HEAD\n{good}")),
        (
            "another version",
            good.replacen("snapshot 1", "snapshot 2", 1),
        ),
        ("a key", good.replacen("scenario:", "scenarios:", 1)),
        ("no dialect", good.replacen("dialect: 10.0\n", "", 1)),
        (
            "another scenario",
            good.replacen("first-backup", "second-backup", 1),
        ),
        ("carriage returns", good.replace('\n', "\r\n")),
    ];
    for (what, content) in wrong {
        fs::write(session.path(kept), content).expect("a wrong snapshot");
        session.said += &format!("({what})\n");
        assert_eq!(
            session.run("snapshot check --dialect 10.0"),
            2,
            "{}",
            session.said
        );
    }
    fs::write(session.path(kept), good).expect("the good one");
    session.run("snapshot check random:7");
    session.run("snapshot check ../elsewhere.yaml");
    snapshot(
        "first.snapshot.mistakes",
        "blockrace snapshot",
        &session.said,
    );
}

#[test]
fn shells_can_complete_what_is_typed() {
    for (shell, sign) in [
        ("bash", "complete -F _blockrace"),
        ("zsh", "#compdef blockrace"),
        ("fish", "complete -c blockrace"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "edit:completion:arg-completer[blockrace]"),
    ] {
        let output = blockrace(&["completions", shell]);
        let script = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0));
        assert!(script.contains(sign), "{shell}: {script}");
        assert!(
            script.contains("snapshot") && script.contains("max-states"),
            "{shell}"
        );
    }
}

#[test]
fn there_is_a_man_page_for_every_command() {
    let mut session = Session::new();
    assert_eq!(session.run("man pages"), 0);
    let pages = files(&session.path("pages"));
    for page in ["blockrace", "blockrace-check", "blockrace-snapshot-accept"] {
        assert!(pages.contains(&format!("{page}.1")), "{page}: {pages:?}");
    }
    let counted = format!("{} pages in pages", pages.len());
    assert!(session.said.contains(&counted), "{}", session.said);
    let check = fs::read_to_string(session.path("pages/blockrace-check.1")).expect("a page");
    assert!(
        check.contains("max\\-states") && check.contains(".SH SYNOPSIS"),
        "{check}"
    );
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    names
        .map(|name| name.to_string_lossy().into_owned())
        .collect()
}

#[test]
fn help_ends_with_examples() {
    for command in ["snapshot", "init", "demo", "completions", "man"] {
        let output = blockrace(&[command, "--help"]);
        let help = text(&output.stdout);
        assert!(help.contains("Examples:\n"), "{help}");
        let name = format!("{command}.help");
        if KEPT.contains(&&*name) {
            snapshot(
                &format!("first.{name}"),
                &format!("blockrace {command} --help"),
                &help,
            );
        }
    }
}

#[test]
fn no_snapshot_is_an_orphan() {
    for file in files(&snapshots()) {
        let name = file
            .strip_prefix("first.")
            .and_then(|name| name.strip_suffix(".snap"));
        assert!(
            name.is_none_or(|name| KEPT.contains(&name)),
            "{file} belongs to no test"
        );
    }
}
