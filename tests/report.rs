//! `blockrace report` from outside: what a reader finds in it, what a browser does with it, and every mistake.

#[path = "common/browser.rs"]
mod browser;
mod common;

use std::collections::BTreeSet;
use std::path::PathBuf;

use browser::{Browser, no_browser};
use common::{blockrace, blockrace_in, project, snapshot, snapshots, text};
use serde_json::json;
use tempfile::TempDir;

/// Reports whose text is printed: a name, and the command line after `report -o -`.
const PRINTED: &[(&str, &str)] = &[
    (
        "counterexample",
        "tests/data/too-early.yaml --dialect 10.0 --check",
    ),
    ("planted-bug", "--check --mutation start-in-prepare"),
    ("run", "tests/data/racy.yaml --dialect 10.0 --seed 2"),
];

/// The snapshots of the other tests here.
const OTHERS: &[&str] = &["mistakes", "help"];

fn html(line: &str) -> String {
    let words = line.split(' ').filter(|word| !word.is_empty());
    let args: Vec<&str> = ["report", "-o", "-"].into_iter().chain(words).collect();
    let output = blockrace(&args);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// What there is to read in a page: a line for each that has text, without its tags.
fn readable(html: &str) -> String {
    let mut kept = String::new();
    let mut rest = html;
    for tag in ["style", "script"] {
        assert_eq!(html.matches(&format!("<{tag}>")).count(), 1, "one {tag}");
    }
    while let Some((before, after)) = rest.split_once('<') {
        kept += before;
        let (tag, after) = after.split_once('>').expect("a whole tag");
        rest = match tag {
            "style" | "script" => {
                let end = format!("</{tag}>");
                after.split_once(&end).expect("its end").1
            }
            _ => after,
        };
        // The signs of a strip belong together; all else is apart.
        let is_sign = tag == "/i" || tag.starts_with("i ");
        kept += if is_sign { "" } else { " " };
    }
    kept += rest;
    let entities = [
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&#34;", "\""),
        ("&#39;", "'"),
    ];
    let others = [
        ("&#8217;", "’"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&#38;", "&"),
    ];
    for (entity, sign) in entities.into_iter().chain(others) {
        kept = kept.replace(entity, sign);
    }
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines = kept.lines().map(words).filter(|line| !line.is_empty());
    lines.map(|line| line + "\n").collect()
}

#[test]
fn all_that_is_to_be_known_can_be_read() {
    for (name, line) in PRINTED {
        let html = html(line);
        assert_eq!(html, self::html(line), "{name}: the same bytes");
        let described = format!("blockrace report {line}");
        snapshot(&format!("report.{name}"), &described, &readable(&html));
    }
}

#[test]
fn what_a_file_says_is_text() {
    let folder = TempDir::new().expect("a folder");
    let racy = std::fs::read_to_string(project().join("tests/data/racy.yaml")).expect("a story");
    let evil = "<script>alert(1)</script>";
    let story = racy.replace(
        "A guest's write may come before the backup or after it",
        evil,
    );
    let name = "<img src=x onerror=alert(2)>.yaml";
    std::fs::write(folder.path().join(name), story).expect("a story");
    for how in ["--check", "--seed=2"] {
        let output = blockrace_in(folder.path(), &["report", name, how, "--dialect=10.0"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert_eq!(text(&output.stdout), "blockrace-report.html\n");
        let page = folder.path().join("blockrace-report.html");
        let html = std::fs::read_to_string(page).expect("the report");
        assert!(!html.contains("<script>alert"), "{how}");
        assert!(!html.contains("<img"), "{how}");
        assert!(
            readable(&html).contains(evil) && readable(&html).contains(name),
            "{how}"
        );
    }
}

#[test]
fn every_mistake_is_said() {
    let folder = TempDir::new().expect("a folder");
    let schedule = folder.path().join("some.schedule");
    std::fs::write(
        &schedule,
        "# scenario: tests/data/racy.yaml\nno such step\n",
    )
    .expect("a file");
    let schedule = schedule.display().to_string();
    let calls = [
        (2, "report"),
        (2, "report --mutation start-in-prepare"),
        (2, "report no-such-story"),
        (2, "report no-such.schedule"),
        (2, "report races --check"),
        (2, "report SOME.schedule --check"),
        (2, "report SOME.schedule --seed 3"),
        (
            2,
            "report test_incremental_simple --scenario test_incremental_simple",
        ),
        (2, "report test_incremental_simple --check --seed 3"),
        (2, "report test_incremental_simple --max-states 7"),
        (
            2,
            "report test_sync_dirty_bitmap_missing -o Cargo.toml/all.html",
        ),
        (6, "report SOME.schedule -o OUT.html"),
    ];
    let out = folder.path().join("out.html").display().to_string();
    let mut told = String::new();
    for (code, line) in calls {
        let real = line
            .replace("SOME.schedule", &schedule)
            .replace("OUT.html", &out);
        let output = blockrace(&real.split(' ').collect::<Vec<_>>());
        let printed = text(&output.stdout) + &text(&output.stderr);
        let printed = printed
            .replace(&schedule, "SOME.schedule")
            .replace(&out, "OUT.html");
        told += &format!("$ blockrace {line}\n{printed}exit code {code}\n\n");
        assert_eq!(output.status.code(), Some(code), "{told}");
    }
    snapshot("report.mistakes", "blockrace report", &told);
    let help = text(&blockrace(&["report", "--help"]).stdout);
    snapshot("report.help", "blockrace report --help", &help);
}

/// A report in a file of its own.
fn written(line: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("report.html");
    std::fs::write(&file, html(line)).expect("the report");
    (folder, file)
}

/// The step that is chosen, and the address.
const CHOSEN: &str = "[document.querySelector('.row.current')?.id, location.hash]";

#[test]
fn a_browser_goes_through_it_by_keyboard() {
    if no_browser("a_browser_goes_through_it_by_keyboard") {
        return;
    }
    let (_folder, file) = written("tests/data/too-early.yaml --dialect 10.0 --check");
    let mut page = Browser::open(&file);
    let lanes = page.value("[...document.querySelectorAll('.heads .lane')].map(l => l.innerText)");
    assert_eq!(
        lanes,
        json!(["client", "monitor", "main", "drive0 job", "guest0"])
    );
    // Each key, and the step that is chosen then.
    let keys = [
        ("ArrowRight", 1),
        ("ArrowRight", 2),
        ("j", 3),
        ("ArrowLeft", 2),
        ("k", 1),
        ("k", 1),
        ("n", 5),
        ("n", 8),
        ("p", 5),
        ("End", 16),
        ("j", 16),
        ("Home", 1),
        ("n", 5),
        ("n", 8),
    ];
    for (key, step) in keys {
        page.press(key);
        let id = format!("step-{step}");
        assert_eq!(page.value(CHOSEN), json!([id, format!("#{id}")]), "{key}");
    }
    // Step 8 had to come after step 7, and the arrow between them is lit.
    assert_eq!(page.value("document.querySelector('.cause').id"), "step-7");
    assert_eq!(
        page.value("document.querySelectorAll('#step-8 .lit').length"),
        2
    );
    page.press("s");
    let state = page.value("document.getElementById('now').innerText.replace(/\\s+/g, ' ').trim()");
    assert_eq!(state, "before.qcow2 a d.qcow2 b t.qcow2 -");
    page.press("?");
    assert_eq!(page.value("document.getElementById('help').open"), true);
    page.press("?");
    assert_eq!(page.value("document.getElementById('help').open"), false);
    // A mouse, and an address that somebody was sent.
    page.value("document.querySelector('[data-go=on]').click()");
    assert_eq!(page.value(CHOSEN), json!(["step-9", "#step-9"]));
    page.value("document.querySelector('#step-12').click()");
    assert_eq!(page.value(CHOSEN), json!(["step-12", "#step-12"]));
    page.value("location.hash = '#step-14'");
    page.value("new Promise(done => setTimeout(done, 50))");
    assert_eq!(
        page.value("document.querySelectorAll('svg.picture rect').length > 3"),
        true
    );
    // Only the file itself was asked for, and nothing was complained about.
    let requests = page.requests();
    assert!(
        requests
            .iter()
            .all(|url| url.starts_with("file://") && url.contains("report.html")),
        "{requests:?}"
    );
    assert!(!requests.is_empty());
    assert_eq!(page.complaints(), Vec::<&serde_json::Value>::new());
}

#[test]
fn no_snapshot_is_an_orphan() {
    let mut expected: BTreeSet<&str> = PRINTED.iter().map(|(name, _)| *name).collect();
    expected.extend(OTHERS);
    for entry in std::fs::read_dir(snapshots()).expect("the folder of snapshots") {
        let file = entry.expect("an entry").file_name();
        let file = file.to_string_lossy();
        let name = file
            .strip_prefix("report.")
            .and_then(|name| name.strip_suffix(".snap"));
        assert!(
            name.is_none_or(|name| expected.contains(name)),
            "{file} belongs to no test"
        );
    }
}
