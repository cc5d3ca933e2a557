//! What machines read: JUnit, SARIF, JSON, GitHub's annotations and summaries, and the folder of a failure.

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{blockrace, blockrace_in, snapshot, text};
use serde_json::Value;
use tempfile::TempDir;

/// A story that keeps every promise, and one in which the planted bug shows.
const LINE: &str = "check three-empty-backups-each-alone two-guests-save-one-cluster --mutation lost-wakeup \
                    --dialect 10.0 --shrink-time 0 --no-times";

fn run_in(folder: &Path, line: &str, code: i32) -> String {
    let output = blockrace_in(folder, &line.split_whitespace().collect::<Vec<_>>());
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{line}\n{stdout}{stderr}");
    stdout
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn read(path: PathBuf) -> String {
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn each_format_goes_to_its_file_and_people_go_on_reading() {
    let place = folder();
    let formats = "--format junit --format sarif --format json --format github --output out/";
    let stdout = run_in(place.path(), &format!("{LINE} {formats}"), 1);
    let out = |name: &str| read(place.path().join("out").join(name));
    let told = |name: &str, content: &str| snapshot(&format!("output.{name}"), LINE, content);
    told("stdout", &stdout);
    let junit = out("blockrace.junit.xml");
    told("junit", &junit);
    let report = quick_junit::Report::deserialize_from_str(&junit).expect("JUnit's XML");
    assert_eq!((report.tests, report.failures, report.errors), (2, 1, 0));
    let mut sarif: Value = serde_json::from_str(&out("blockrace.sarif")).expect("JSON");
    judge_sarif(&sarif);
    keep_used_rules(&mut sarif);
    told("sarif", &format!("{sarif:#}"));
    told("json", &out("blockrace.json"));
    told("summary", &out("summary.md"));
}

/// What SARIF 2.1.0 requires of a log, its rules and its results, and GitHub of what it takes.
fn judge_sarif(log: &Value) {
    assert_eq!(log["version"], "2.1.0");
    assert!(
        log["$schema"]
            .as_str()
            .is_some_and(|uri| uri.ends_with("sarif-schema-2.1.0.json"))
    );
    let run = &log["runs"][0];
    assert_eq!(run["tool"]["driver"]["name"], "blockrace");
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    let ids: Vec<&str> = rules
        .iter()
        .filter_map(|rule| rule["id"].as_str())
        .collect();
    assert_eq!(
        ids.len(),
        ids.iter().collect::<BTreeSet<_>>().len(),
        "{ids:?}"
    );
    for rule in rules {
        let says = rule["shortDescription"]["text"]
            .as_str()
            .expect("a sentence");
        assert!(says.ends_with('.'), "{rule}");
    }
    for result in run["results"].as_array().expect("results") {
        let index = result["ruleIndex"].as_u64().expect("an index") as usize;
        assert_eq!(result["ruleId"], ids[index]);
        assert!(["error", "warning"].contains(&result["level"].as_str().expect("a level")));
        assert!(result["message"]["text"].is_string());
        assert!(result["partialFingerprints"]["blockraceFailure/v1"].is_string());
        for location in result["locations"].as_array().expect("locations") {
            let place = &location["physicalLocation"];
            let uri = place["artifactLocation"]["uri"].as_str().expect("a path");
            assert!(
                !uri.is_empty() && !uri.contains(' ') && !uri.starts_with('/'),
                "{uri}"
            );
            assert!(place["region"]["startLine"].as_u64() >= Some(1));
        }
    }
}

/// There is a rule for each promise; the snapshot shows those of which there are results, and not their numbers.
fn keep_used_rules(log: &mut Value) {
    let results = log["runs"][0]["results"].clone();
    let used: Vec<&Value> = results
        .as_array()
        .expect("results")
        .iter()
        .map(|result| &result["ruleId"])
        .collect();
    let rules = log["runs"][0]["tool"]["driver"]["rules"]
        .as_array_mut()
        .expect("rules");
    assert!(rules.len() > 40, "{}", rules.len());
    rules.retain(|rule| used.contains(&&rule["id"]));
    for result in log["runs"][0]["results"].as_array_mut().expect("results") {
        result["ruleIndex"].take();
    }
}

#[test]
fn one_format_goes_to_the_standard_output() {
    let printed = |format: &str| {
        text(
            &blockrace(
                &format!("{LINE} --no-failures --format {format}")
                    .split_whitespace()
                    .collect::<Vec<_>>(),
            )
            .stdout,
        )
    };
    assert!(quick_junit::Report::deserialize_from_str(&printed("junit")).is_ok());
    judge_sarif(&serde_json::from_str(&printed("sarif")).expect("JSON"));
    let rows: Vec<Value> = printed("json")
        .lines()
        .map(|row| serde_json::from_str(row).expect("JSON"))
        .collect();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["covered"].get("measured"), None, "--no-times");
}

/// The other commands hand over their cases, too.
#[test]
fn every_command_that_judges_writes_documents() {
    let cases = |line: &str| {
        let place = folder();
        let file = place.path().join("report.xml");
        let line = format!(
            "{line} --no-times --format junit --output {}",
            file.display()
        );
        let output = blockrace(&line.split_whitespace().collect::<Vec<_>>());
        assert!(
            output.status.code().is_some_and(|code| code < 2),
            "{}",
            text(&output.stderr)
        );
        let xml = read(file);
        assert!(
            quick_junit::Report::deserialize_from_str(&xml).is_ok(),
            "{xml}"
        );
        // Pictures and amounts of work have snapshots of their own.
        let heads = xml
            .lines()
            .filter(|line| line.contains("<test") || line.contains("<failure"));
        heads.map(|line| format!("{line}\n")).collect::<String>()
    };
    let mut told = String::new();
    for line in [
        "fuzz tests/data/racy.yaml test_incremental_failure --dialect 10.0 --seeds 0..20 --no-failures --shrink-time 0",
        "fuzz --random 0..2 --seeds 0..3 --no-failures",
        "bugs start-in-prepare --no-schedules",
        "bugs --promises start-in-prepare",
        "conform tests/data/lost-null.jsonl scenarios/recordings/10.0.2/test_transaction_failure_race.jsonl",
    ] {
        told += &format!("$ blockrace {line}\n{}\n", cases(line));
    }
    snapshot(
        "output.commands",
        "each command that judges, with --format junit",
        &told,
    );
}

#[test]
fn what_was_not_decided_is_no_success() {
    let line = "check three-empty-backups --dialect 10.0 --max-states 50 --no-failures --no-times --format";
    let printed = |format: &str| {
        text(
            &blockrace(
                &format!("{line} {format}")
                    .split_whitespace()
                    .collect::<Vec<_>>(),
            )
            .stdout,
        )
    };
    let junit = quick_junit::Report::deserialize_from_str(&printed("junit")).expect("JUnit's XML");
    assert_eq!((junit.tests, junit.failures, junit.errors), (1, 0, 1));
    let told = printed("github");
    assert!(told.contains("\n::warning file="), "{told}");
    let sarif: Value = serde_json::from_str(&printed("sarif")).expect("JSON");
    judge_sarif(&sarif);
    assert_eq!(sarif["runs"][0]["results"][0]["level"], "warning");
    assert_eq!(sarif["runs"][0]["results"][0]["ruleId"], "inconclusive");
}

#[test]
fn the_summary_is_added_to_that_of_the_job() {
    let place = folder();
    let file = place.path().join("summary.md");
    std::fs::write(&file, "before\n").expect("a file");
    let line = "check three-empty-backups-each-alone --dialect 10.0 --no-failures --format github";
    let status = Command::new(env!("CARGO_BIN_EXE_blockrace"))
        .args(line.split(' '))
        .env("GITHUB_STEP_SUMMARY", &file)
        .output()
        .expect("blockrace runs")
        .status;
    assert_eq!(status.code(), Some(0));
    let summary = read(file);
    assert!(
        summary.starts_with("before\n## blockrace\n")
            && summary.contains("| check | 1 | 1 verified |"),
        "{summary}"
    );
}

#[test]
fn formats_and_outputs_that_do_not_go_together_are_refused() {
    let mut told = String::new();
    for line in [
        "check --format junit --format sarif",
        "check --output report.xml",
        "check --format junit --format sarif --output a.xml",
        "check --format human --output a.txt",
        "check --format xml",
        "conform tests/data/lost-null.jsonl --format libvirt",
        "fuzz --must-finish",
    ] {
        let output = blockrace(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(2), "{line}");
        told += &format!("$ blockrace {line}\n{}\n", text(&output.stderr));
    }
    snapshot(
        "output.refused",
        "formats and outputs that do not go together",
        &told,
    );
}

/// The names of what is in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

#[test]
fn a_failure_has_a_folder_that_needs_nothing_else() {
    let place = folder();
    let line = "fuzz test_transaction_failure_race --mutation start-in-prepare --dialect 10.0 --seeds 0..20 \
                --shrink-time 5m";
    run_in(place.path(), line, 1);
    let kept = place.path().join("blockrace-failures");
    let [name, rest @ ..] = &names(&kept)[..] else {
        panic!("nothing is kept")
    };
    assert_eq!(
        rest,
        ["min.schedule", "min.yaml", "schedule"].map(|ending| format!("{name}.{ending}"))
    );
    let folder = kept.join(name);
    let copy = place.path().join("unpacked elsewhere");
    std::fs::rename(&folder, &copy).expect("it is moved");
    let mut told = names(&copy).join("\n");
    for file in ["repro.sh", "recording.jsonl", "issue.md"] {
        told += &format!("\n\n-- {file}\n{}", read(copy.join(file)));
    }
    snapshot("output.folder", line, &told);

    let again = Command::new(copy.join("repro.sh"))
        .env("BLOCKRACE", env!("CARGO_BIN_EXE_blockrace"))
        .output()
        .expect("it can be executed");
    assert_eq!(again.status.code(), Some(1), "{}", text(&again.stderr));
    assert!(text(&again.stdout).contains("BREACH   start-barrier"));
    assert_eq!(text(&again.stderr), "", "the version is the same");
    let recording = copy.join("recording.jsonl").display().to_string();
    let judged = blockrace(&["conform", &recording]);
    assert_eq!(judged.status.code(), Some(0), "{}", text(&judged.stdout));
}

/// What is in the folder is no second failure, and it goes when the failure goes.
#[test]
fn a_folder_beside_its_schedule_is_not_tried_again() {
    let place = folder();
    let story = place.path().join("never.yaml");
    let never = read(common::project().join("tests/data/never-comes.yaml"));
    std::fs::write(&story, &never).expect("a story");
    let line = "fuzz never.yaml --dialect 10.0 --seeds 0..5 --shrink-time 0";
    run_in(place.path(), line, 1);
    let known = |line: &str, code: i32| {
        let printed = run_in(place.path(), &format!("{line} --format json"), code);
        let row: Value = serde_json::from_str(&printed).expect("a row");
        row["known"].as_array().expect("known failures").len()
    };
    assert_eq!(known(line, 1), 1);
    std::fs::write(
        &story,
        never.replace("BLOCK_JOB_CANCELLED", "BLOCK_JOB_COMPLETED"),
    )
    .expect("a story");
    assert_eq!(known(&format!("{line} --forget-fixed"), 0), 1);
    assert_eq!(names(&place.path().join("blockrace-failures")), [""; 0]);
}

#[test]
fn no_snapshot_is_an_orphan() {
    common::no_orphans(
        "output.",
        &[
            "stdout", "junit", "sarif", "json", "summary", "commands", "refused", "folder",
        ],
    );
}
