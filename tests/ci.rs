//! `ci` and `config`: lanes, budgets, who says what, every mistake in `blockrace.toml`, and the workflow to copy.

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use common::{project, snapshot, text};
use serde_json::Value;
use tempfile::TempDir;

/// A folder with stories and a `blockrace.toml`.
fn place(config: &str) -> TempDir {
    let place = tempfile::tempdir().expect("a folder");
    let stories = place.path().join("stories");
    std::fs::create_dir(&stories).expect("a folder");
    for (story, from) in [
        ("racy.yaml", "tests/data/racy.yaml"),
        (
            "good.yaml",
            "scenarios/groups/three-empty-backups-each-alone.yaml",
        ),
    ] {
        std::fs::copy(project().join(from), stories.join(story)).expect("a story");
    }
    std::fs::copy(
        project().join("tests/data/lost-null.jsonl"),
        place.path().join("lost.jsonl"),
    )
    .expect("a recording");
    std::fs::write(place.path().join("blockrace.toml"), config).expect("a file");
    place
}

/// Runs it with these variables; it must end with `code`. What it printed is returned, with errors behind it.
fn run(folder: &Path, line: &str, variables: &[(&str, &str)], code: i32) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_blockrace"))
        .args(line.split_whitespace())
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .env("COLUMNS", "100")
        .envs(variables.iter().copied())
        .output()
        .expect("the command was built with the tests");
    // How fast it was is no part of the result.
    let is_rate = |line: &&str| !line.contains(" in ") || !line.contains(" s");
    let said: String = text(&output.stderr)
        .lines()
        .filter(is_rate)
        .map(|line| format!("{line}\n"))
        .collect();
    let told = text(&output.stdout) + &said;
    assert_eq!(output.status.code(), Some(code), "{line}\n{told}");
    told
}

const ALL_LANES: &str = r#"
[profile.pr]
scenarios = ["stories/good.yaml", "test_sync_dirty_bitmap_missing"]
jobs = 1
canary = "start-in-prepare"
check = { max-states = 1_000 }
fuzz = { seeds = "0..5", random = "0..1" }
output = { formats = ["json"], folder = "report" }

[profile.broken]
scenarios = "stories/racy.yaml"
recordings = "lost.jsonl"
check = { max-states = 1_000 }

[profile.spent]
scenarios = "stories/good.yaml"
check = { max-states = 5 }

[profile.late]
scenarios = "stories/good.yaml"
fuzz = { seeds = "0..100_000_000", max-time = "100ms" }

[profile.unusable]
scenarios = "stories/gone.yaml"
recordings = "stories"
check = {}
"#;

/// The lanes' command lines, and the table.
fn table(told: &str) -> String {
    let start = told.find("lane   ").expect("a table");
    let (lanes, table) = told.split_at(start);
    let headings = lanes.lines().filter(|line| line.starts_with("== "));
    let headings: String = headings.map(|line| format!("{line}\n")).collect();
    headings + table
}

#[test]
fn lanes_are_run_in_order_and_the_worst_counts() {
    let place = place(ALL_LANES);
    let mut told = format!(
        "$ blockrace ci\n{}",
        table(&run(place.path(), "ci", &[], 0))
    );
    let rows = std::fs::read_to_string(place.path().join("report/blockrace.json")).expect("rows");
    let lanes = rows
        .lines()
        .map(|row| serde_json::from_str::<Value>(row).expect("JSON")["lane"].to_string());
    let lanes: Vec<String> = lanes.collect();
    told += &format!("\nrows of {}\n", lanes.join(" "));
    for (profile, code) in [("broken", 1), ("spent", 3), ("late", 3), ("unusable", 2)] {
        let line = format!("ci --profile {profile}");
        let printed = run(
            place.path(),
            &line,
            &[("BLOCKRACE_PROFILE", "unknown")],
            code,
        );
        told += &format!("\n$ blockrace {line}\n{}", table(&printed));
    }
    snapshot(
        "ci.lanes",
        "blockrace ci, all lanes; and with profiles that fail",
        &told,
    );
}

#[test]
fn each_value_says_where_it_comes_from() {
    let place = place(ALL_LANES);
    let variables = [
        ("BLOCKRACE_SEED", "4"),
        ("BLOCKRACE_MAX_TIME", "5m"),
        ("BLOCKRACE_JOBS", "2"),
    ];
    let line = "config --max-time 10m";
    let told = run(place.path(), line, &variables, 0);
    snapshot(
        "ci.config",
        &format!("BLOCKRACE_SEED=4 BLOCKRACE_MAX_TIME=5m BLOCKRACE_JOBS=2 blockrace {line}"),
        &told,
    );
    let json = run(place.path(), &format!("{line} --json"), &variables, 0);
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let value = |key: &str| &json["settings"][key]["value"];
    let source = |key: &str| {
        json["settings"][key]["from"]["source"]
            .as_str()
            .expect("a source")
            .to_owned()
    };
    assert_eq!(
        (value("fuzz.root"), &*source("fuzz.root")),
        (&Value::from("4"), "environment")
    );
    assert_eq!(
        (value("check.max-time"), &*source("check.max-time")),
        (&Value::from("10m"), "flag")
    );
    assert_eq!(
        (value("check.max-states"), &*source("check.max-states")),
        (&Value::from("1000"), "file")
    );
    assert_eq!(
        (value("fuzz.strategy"), &*source("fuzz.strategy")),
        (&Value::from("random"), "default")
    );
    // From below, paths are seen from there.
    let below = run(&place.path().join("stories"), "config", &[], 0);
    assert!(
        below.contains("../stories/good.yaml test_sync_dirty_bitmap_missing  ../blockrace.toml:3"),
        "{below}"
    );
}

/// What can be wrong with the file, and what can be wrong outside of it.
const BAD: &[(&str, &str)] = &[
    (
        "unknown key",
        "[profile.pr]\ncanari = \"start-in-prepare\"\n",
    ),
    (
        "unknown key in a table",
        "[profile.pr]\nfuzz = { seds = \"0..5\" }\n",
    ),
    ("unknown table", "[profiles.pr]\n"),
    ("no TOML", "[profile.pr\n"),
    ("twice", "[profile.pr]\njobs = 1\njobs = 2\n"),
    (
        "no number",
        "[profile.pr]\ncheck = { max-states = \"many\" }\n",
    ),
    ("zero", "[profile.pr]\njobs = 0\n"),
    (
        "another type",
        "[profile.pr]\ncheck = { max-states = true }\n",
    ),
    (
        "no time",
        "[profile.pr]\ncheck = { max-time = \"10 fortnights\" }\n",
    ),
    ("no range", "[profile.pr]\nfuzz = { seeds = \"9..1\" }\n"),
    (
        "no strategy",
        "[profile.pr]\nfuzz = { strategy = \"pct\" }\n",
    ),
    (
        "no bug",
        "[profile.pr]\ncanary = [\"lost-wakeup\", \"start-in-prepair\"]\n",
    ),
    ("empty", "[profile.pr]\nrecordings = []\n"),
    ("several", "[profile.pr]\nfailures = [\"a\", \"b\"]\n"),
    (
        "no format",
        "[profile.pr]\noutput = { formats = [\"xml\"] }\n",
    ),
];

#[test]
fn what_is_wrong_is_shown_where_it_is() {
    let mut told = String::new();
    for (what, config) in BAD {
        let place = place(config);
        told += &format!("-- {what}\n{}\n", run(place.path(), "ci", &[], 2));
    }
    let place = place(ALL_LANES);
    for (line, variables) in [
        ("ci --profile prr", &[][..]),
        ("config", &[("BLOCKRACE_PROFILE", "nightli")][..]),
        ("config", &[("BLOCKRACE_MAX_TIME", "soon")][..]),
        ("config --config gone.toml", &[][..]),
        ("config --seeds 5..1", &[][..]),
        ("ci --output report.xml --profile spent", &[][..]),
    ] {
        let said: Vec<String> = variables
            .iter()
            .map(|(name, value)| format!("{name}={value} "))
            .collect();
        told += &format!(
            "-- {}{line}\n{}\n",
            said.concat(),
            run(place.path(), line, variables, 2)
        );
    }
    snapshot(
        "ci.mistakes",
        "mistakes in blockrace.toml, in variables and in flags",
        &told,
    );
}

/// The blocks of code of one language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let blocks = page.split("```").skip(1).step_by(2);
    blocks
        .filter_map(|block| {
            block
                .strip_prefix(language)?
                .strip_prefix('\n')
                .map(str::to_owned)
        })
        .collect()
}

fn page(name: &str) -> String {
    std::fs::read_to_string(project().join("docs/ci").join(name)).expect("a page")
}

#[derive(serde::Deserialize)]
struct Workflow {
    jobs: BTreeMap<String, Job>,
}

#[derive(serde::Deserialize)]
struct Job {
    steps: Vec<Step>,
}

#[derive(serde::Deserialize)]
struct Step {
    #[serde(default)]
    run: String,
    #[serde(default)]
    uses: String,
    #[serde(default, rename = "if")]
    condition: String,
}

/// Every `blockrace` line of the workflow is run, with the stories of the test; failures are always kept.
#[test]
fn the_workflow_to_copy_works() {
    let workflow: Workflow =
        serde_saphyr::from_str(&page("github-workflow.yml")).expect("a workflow");
    let steps: Vec<&Step> = workflow.jobs.values().flat_map(|job| &job.steps).collect();
    let upload = steps
        .iter()
        .find(|step| step.uses.starts_with("actions/upload-artifact@"));
    assert_eq!(upload.expect("failures are kept").condition, "always()");
    let place = place(ALL_LANES);
    let lines = steps
        .iter()
        .flat_map(|step| step.run.lines())
        .filter_map(|line| line.strip_prefix("blockrace "));
    let mut count = 0;
    for line in lines {
        run(place.path(), line, &[("BLOCKRACE_PROFILE", "pr")], 0);
        count += 1;
    }
    assert!(count >= 2, "{count}");
    for file in [
        "summary.md",
        "blockrace.junit.xml",
        "blockrace.sarif",
        "blockrace.json",
    ] {
        assert!(
            place.path().join("blockrace-report").join(file).exists(),
            "{file}"
        );
    }
}

/// The profiles of the page are profiles, and its commands are commands.
#[test]
fn the_page_says_what_is_so() {
    let page = page("README.md");
    let [config] = &blocks(&page, "toml")[..] else {
        panic!("one file")
    };
    let place = place(config);
    for profile in ["pr", "nightly"] {
        run(place.path(), &format!("config --profile {profile}"), &[], 0);
    }
    let small = place.path().join("blockrace.toml");
    std::fs::write(small, ALL_LANES).expect("a file");
    for block in blocks(&page, "sh") {
        for line in block.lines() {
            let line = line.strip_prefix("blockrace ").expect("a command of ours");
            let line = line.replace("scenarios", "stories/good.yaml");
            run(place.path(), &line, &[], 0);
        }
    }
}

#[test]
fn no_snapshot_is_an_orphan() {
    common::no_orphans("ci.", &["lanes", "config", "mistakes"]);
}
