//! The reports of the parts of a campaign are the report of the whole.

#[path = "../common/mod.rs"]
mod common;
#[allow(dead_code)]
#[path = "../docs/markdown.rs"]
mod markdown;
mod recipes;

use std::path::PathBuf;
use std::process::{Command, Output};

use common::{blockrace_in, project, snapshot, text};
use serde_json::Value;

/// A story that breaks its expectation under some seeds, and one that does under each.
const STORIES: [&str; 2] = ["racy.yaml", "never-comes.yaml"];

/// A folder of its own for one test, with the stories in it.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().expect("a folder for the test");
        for story in STORIES {
            let from = project().join("tests/data").join(story);
            std::fs::copy(from, folder.path().join(story)).expect("a story");
        }
        Place(folder)
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path(file)).expect("a report")
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.path(file), text).expect("a report");
    }

    /// Runs the command line; gives the exit code and what it printed.
    fn run(&self, line: &str) -> (i32, String) {
        let Output {
            status,
            stdout,
            stderr,
        } = blockrace_in(self.0.path(), &line.split(' ').collect::<Vec<_>>());
        let code = status.code().expect("it ended by itself");
        (code, text(&stdout) + &text(&stderr))
    }

    /// Plays a campaign into a report.
    fn play(&self, line: &str, file: &str) -> i32 {
        let (code, printed) = self.run(&format!("{line} --format json --output {file} -q"));
        assert!([0, 1, 4].contains(&code), "{line}\n{printed}");
        code
    }

    /// Plays the parts of a campaign; gives their reports.
    fn parts(&self, line: &str, count: u64) -> Vec<String> {
        let part = |part: u64| {
            let file = format!("part-{part}.json");
            self.play(&format!("{line} --partition slice:{part}/{count}"), &file);
            file
        };
        (1..=count).map(part).collect()
    }

    /// For each number of parts, their reports together are that of the whole.
    fn check(&self, line: &str, counts: &[u64]) {
        let code = self.play(line, "whole.json");
        for &count in counts {
            let mut parts = self.parts(line, count);
            parts.rotate_left(1);
            let merge = format!("merge {}", parts.join(" "));
            let merged = self.run(&format!("{merge} --format json --output merged.json -q"));
            assert_eq!(merged.0, code, "{line}: {count} parts\n{}", merged.1);
            assert_eq!(
                self.read("merged.json"),
                self.read("whole.json"),
                "{line}: {count} parts"
            );
        }
    }

    /// Merging must end so; gives what is printed.
    fn merge(&self, rest: &str, code: i32) -> String {
        let (ended, printed) = self.run(&format!("merge -q {rest}"));
        assert_eq!(ended, code, "merge {rest}\n{printed}");
        printed
    }
}

/// The campaign of most tests.
const CAMPAIGN: &str =
    "fuzz racy.yaml --dialect 10.0 --seeds 100..140 --keep-going --no-failures --shrink-time 0";

#[test]
fn the_parts_are_the_whole() {
    let place = Place::new();
    place.check(CAMPAIGN, &[1, 2, 3, 7]);
    // More parts than seeds.
    place.check(
        "fuzz racy.yaml --seeds 5..8 --keep-going --no-failures",
        &[5],
    );
    // Several rows, both dialects, and what ends at the first failure.
    let line = "fuzz racy.yaml never-comes.yaml test_incremental_failure --seeds 0..30 --no-failures --shrink-time 0";
    place.check(line, &[1, 2, 5]);
    place.check(
        "fuzz test_incremental_failure --root 3 --strategy pct:2 --seeds 0..30",
        &[4],
    );
    // A known defect.
    place.check(
        "fuzz bitmap-on-filter-vanishes --seeds 0..30 --no-failures",
        &[3],
    );
}

#[test]
fn parts_of_random_stories_are_the_whole() {
    let place = Place::new();
    place.check("fuzz --random 0..3 --seeds 0..2", &[5]);
    place.check("fuzz --random 0..30 --seeds 0..4", &[1, 3]);
    let line = "fuzz --random 0..40 --seeds 0..3 --dialect 10.0 --mutation cancel-forgets-uncopied --no-failures --shrink-time 0";
    place.check(line, &[3]);
    place.check(&format!("{line} --keep-going"), &[3]);
}

/// Each part has some of the root seeds; the medians of all are those of the whole.
#[test]
fn parts_of_the_scoreboard_are_the_whole() {
    let place = Place::new();
    let bugs = "bugs start-in-prepare cancel-forgets-uncopied";
    let campaign = "--roots 7 --max-schedules 20 --strategy urw,random --no-times";
    place.check(&format!("{bugs} {campaign}"), &[3, 9]);
}

/// What a real QEMU did is not the same twice; what was played, and what the model alone did, is.
#[test]
fn parts_played_with_a_qemu_are_the_whole() {
    const QEMU: &str = "qemu-system-x86_64";
    if Command::new(QEMU).arg("--version").output().is_err() {
        return eprintln!("skipped: parts_played_with_a_qemu_are_the_whole needs {QEMU}");
    }
    let place = Place::new();
    let diff = |rest: &str, file: &str| {
        let line = "diff --seeds 0..4 --runs 2 --no-failures --keep-going --format json -q";
        let line = format!("{line} {rest}");
        let output = blockrace_in(place.0.path(), &line.trim().split(' ').collect::<Vec<_>>());
        place.write(file, &text(&output.stdout));
    };
    diff("", "whole.json");
    diff("--partition slice:1/2", "part-1.json");
    diff("--partition slice:2/2", "part-2.json");
    place.merge(
        "part-2.json part-1.json --format json --output merged.json",
        0,
    );
    let told = |file: &str| {
        let row: Value = serde_json::from_str(&place.read(file)).expect("a row");
        let same = [
            "qemu",
            "dialect",
            "seeds",
            "campaign",
            "runs_of_each",
            "covered",
            "stories",
            "agreed",
            "disagreed",
            "runs",
            "broken",
            "interrupted",
        ];
        same.map(|key| row[key].clone())
    };
    assert_eq!(told("merged.json"), told("whole.json"));
    let gap = place.merge("part-1.json", 2);
    assert!(gap.contains("no report has 2..4 of QEMU"), "{gap}");
}

/// A failure that is kept is tried first, by each part: then nobody plays a seed.
#[test]
fn kept_failures_are_merged() {
    let place = Place::new();
    let line = "fuzz racy.yaml --dialect 10.0 --seeds 0..40 --shrink-time 0";
    assert_eq!(place.play(line, "first.json"), 1);
    place.check(line, &[3]);
    place.check(&format!("{line} --keep-going"), &[3]);
}

#[test]
fn what_people_read() {
    let place = Place::new();
    place.parts(CAMPAIGN, 4);
    let mut told = format!(
        "all\n{}",
        place.merge("part-1.json part-2.json part-3.json part-4.json", 1)
    );
    told += &format!(
        "\nsome\n{}",
        place.merge("part-4.json part-2.json --partial", 1)
    );
    let line = "fuzz test_incremental_failure --dialect 10.0 --seeds 0..40";
    place.parts(line, 4);
    told += &format!(
        "\nclean\n{}",
        place.merge("part-4.json part-2.json part-1.json part-3.json", 0)
    );
    told += &format!(
        "\nsome, clean\n{}",
        place.merge("part-4.json part-2.json --partial", 3)
    );
    place.parts(&CAMPAIGN.replace(" --keep-going", ""), 2);
    told += &format!("\nbeyond\n{}", place.merge("part-1.json part-2.json", 1));
    place.parts("fuzz --random 0..20 --seeds 0..2", 2);
    let random = place.merge("part-1.json part-2.json", 0);
    let (first, matrix) = random.split_once("\njob:").expect("a matrix");
    let last = matrix.lines().last().unwrap_or_default();
    told += &format!("\nrandom\n{first}\n...\n{last}\n");
    snapshot("merge.told", "What merge says", &told);
}

/// Every report that does not fit, and what is said.
#[test]
fn what_does_not_fit_is_refused() {
    let place = Place::new();
    let mut told = String::new();
    let mut refuse = |what: &str, rest: &str| {
        told += &format!("{what}\n{}\n", place.merge(rest, 2));
    };
    place.parts(CAMPAIGN, 4);
    refuse("a gap", "part-1.json part-2.json part-4.json");
    refuse("no end", "part-1.json part-2.json part-3.json");
    refuse(
        "twice",
        "part-1.json part-2.json part-2.json part-3.json part-4.json",
    );
    place.play(&format!("{CAMPAIGN} --partition slice:2/3"), "third.json");
    refuse("another cut", "part-1.json part-2.json third.json");
    let other = |from: &str, to: &str| {
        let line = CAMPAIGN.replace(from, to);
        place.play(&format!("{line} --partition slice:2/4"), "other.json");
    };
    for (what, from, to) in [
        ("another root", "--seeds", "--root 7 --seeds"),
        ("another strategy", "--seeds", "--strategy pct:3 --seeds"),
        ("another dialect", "10.0", "7.2"),
        ("another scenario", "racy.yaml", "never-comes.yaml"),
        ("other seeds", "100..140", "100..150"),
        ("ends at a failure", " --keep-going", ""),
    ] {
        other(from, to);
        refuse(what, "part-1.json other.json");
    }
    let story = place.read("racy.yaml");
    let retold = story.replacen("title: ", "title: Once more, ", 1);
    place.write("racy.yaml", &retold);
    other("", "");
    refuse("another content", "part-1.json other.json");
    let part = place.read("part-2.json");
    place.write(
        "other.json",
        &part.replace(env!("BLOCKRACE_RULES"), "0123456789abcdef"),
    );
    refuse("other rules", "part-1.json other.json");
    place.write("other.json", &part[..part.len() / 2]);
    refuse("half a report", "part-1.json other.json");
    place.write("other.json", "{\"a\":1}\n");
    refuse("something else", "part-1.json other.json");
    place.write("other.json", &part.replace("\"once\":\"", "\"once\":\"0"));
    refuse("damaged hashes", "part-1.json other.json");
    place.write("other.json", &part.replace("slice:2/4", "slice:5/4"));
    refuse("a part that cannot be", "part-1.json other.json");
    place.write(
        "other.json",
        &part.replace("\"covered\":[[110,120]]", "\"covered\":[[110,130]]"),
    );
    refuse("more than its part", "part-1.json other.json");
    place.write("other.json", &format!("{part}{part}"));
    refuse("two rows of one thing", "part-1.json other.json");
    place.play(
        "fuzz --random 0..2 --seeds 0..1 --partition slice:1/2",
        "other.json",
    );
    refuse("another command", "part-1.json other.json");
    refuse("no file", "part-1.json none.json");
    snapshot("merge.refused", "What merge refuses", &told);
    place.write("other.json", "");
    assert!(place.merge("other.json", 4).contains("nothing to merge"));
}

#[test]
fn no_snapshot_is_an_orphan() {
    common::no_orphans("merge.", &["told", "refused"]);
}
