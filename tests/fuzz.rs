//! Campaigns from outside: failures that are kept and tried first, parts of the runs, budgets of time.

mod common;

use std::path::PathBuf;
use std::process::Output;

use common::{blockrace_in, project, snapshot, text};

/// A story that breaks its expectation under every seed, and one that does under some.
const NEVER: &str = "never-comes.yaml";
const RACY: &str = "racy.yaml";

/// A folder of its own for one test, with the stories in it.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let folder = format!("blockrace-fuzz-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        std::fs::create_dir_all(&folder).expect("a folder for the test");
        for story in [NEVER, RACY] {
            let from = project().join("tests/data").join(story);
            std::fs::copy(from, folder.join(story)).expect("a story");
        }
        Place(folder)
    }

    /// Runs the command line in this folder; it must end with `code`. What it printed is returned.
    fn run(&self, line: &str, code: i32) -> String {
        let Output {
            status,
            stdout,
            stderr,
        } = blockrace_in(&self.0, &line.split(' ').collect::<Vec<_>>());
        let (stdout, stderr) = (text(&stdout), text(&stderr));
        assert_eq!(status.code(), Some(code), "{line}\n{stdout}{stderr}");
        stdout
    }

    fn json(&self, line: &str, code: i32) -> Vec<serde_json::Value> {
        let printed = self.run(&format!("{line} --format json"), code);
        let row = |line: &str| serde_json::from_str(line).expect("a row of JSON");
        printed.lines().map(row).collect()
    }

    /// The failures kept, as they were found.
    fn kept(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.0.join("blockrace-failures")) else {
            return Vec::new();
        };
        let name = |entry: std::io::Result<std::fs::DirEntry>| {
            let name = entry.expect("an entry").file_name();
            format!("blockrace-failures/{}", name.to_string_lossy())
        };
        let mut names: Vec<String> = entries.map(name).collect();
        names.retain(|name| !name.contains(".min.") && self.0.join(name).is_file());
        names.sort();
        names
    }

    fn has(&self, file: &str) -> bool {
        self.0.join(file).exists()
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.0.join(file);
        let old = std::fs::read_to_string(&path).expect("the file");
        assert!(old.contains(from), "{file}: {old}");
        std::fs::write(&path, old.replace(from, to)).expect("the file");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The line behind `again`, without the name of the command.
fn again(printed: &str) -> &str {
    let line = printed.lines().find_map(|line| {
        let line = line.trim_start().strip_prefix("again")?;
        line.trim_start().strip_prefix("blockrace ")
    });
    line.expect("a line to paste")
}

#[test]
fn a_failure_is_kept_and_tried_first_until_it_is_forgotten() {
    let place = Place::new("kept");
    let fuzz = "fuzz never-comes.yaml --dialect 10.0 --seeds 0..10";
    let mut told = format!("first\n{}", place.run(fuzz, 1));
    let [file] = &place.kept()[..] else {
        panic!("{:?}", place.kept())
    };
    let kept = std::fs::read_to_string(place.0.join(file)).expect("the schedule");
    told += &format!("\nkept\n{kept}");
    let line = format!("replay {file}");
    assert!(place.run(&line, 1).contains("BREACH"));
    assert!(place.has(&file.replace(".schedule", ".min.schedule")));

    let printed = place.run(fuzz, 1);
    assert_eq!(again(&printed), line);
    told += &format!("\nagain\n{printed}");

    // Another dialect, another failure.
    place.run("fuzz never-comes.yaml --dialect 7.2 --seeds 0..10", 1);
    assert_eq!(place.kept().len(), 2);

    place.edit(NEVER, "BLOCK_JOB_CANCELLED", "BLOCK_JOB_COMPLETED");
    told += &format!("\nmended\n{}", place.run(fuzz, 0));
    assert_eq!(place.kept().len(), 2, "it is kept for ever");
    place.run(&format!("{fuzz} --no-failures"), 0);
    told += &format!(
        "\nforgotten\n{}",
        place.run(&format!("{fuzz} --forget-fixed"), 0)
    );
    assert_eq!(
        place.kept().len(),
        1,
        "the other dialect's was not asked for"
    );
    for ending in [".min.schedule", ".min.yaml"] {
        assert!(!place.has(&file.replace(".schedule", ending)), "{ending}");
    }
    told += &format!("\nafterwards\n{}", place.run(fuzz, 0));
    snapshot("fuzz.failures", fuzz, &told);
}

#[test]
fn a_schedule_that_cannot_be_followed_is_stale_and_not_fixed() {
    let place = Place::new("stale");
    let fuzz = "fuzz never-comes.yaml --dialect 10.0 --seeds 0..10";
    place.run(fuzz, 1);
    place.edit(
        &place.kept()[0],
        "monitor drive-backup",
        "monitor drive-mirror",
    );
    let rows = place.json(&format!("{fuzz} --keep-going"), 1);
    assert_eq!(rows[0]["known"][0]["state"], "stale");
    // The seeds find it again, and what is kept can be followed.
    let rows = place.json(fuzz, 1);
    assert_eq!(rows[0]["known"][0]["state"], "fails");
    assert_eq!(rows[0]["runs"], 0);

    std::fs::write(place.0.join(&place.kept()[0]), "\u{7f}ELF").expect("the file");
    place.run(fuzz, 2);
}

/// The two schedules of a failure are one failure, and either of them shows that it is still there.
#[test]
fn a_shorter_schedule_is_tried_too() {
    let place = Place::new("shorter");
    let line = "racy.yaml --dialect 10.0 --failures kept";
    place.run(&format!("fuzz {line} --shrink-time 0"), 1);
    let files = |ending: &str| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(place.0.join("kept")).expect("the folder");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        paths
            .filter(|path| path.is_file() && path.to_string_lossy().ends_with(ending))
            .collect()
    };
    let [found] = &files("")[..] else {
        panic!("{:?}: nothing was shortened", files(""))
    };
    let shorter = found.with_extension("min.schedule");
    std::fs::copy(found, &shorter).expect("the shorter schedule");
    let is_short =
        |printed: &str| printed.contains("replay kept/racy-") && printed.contains(".min.schedule");

    let known = |line: &str| place.json(&format!("fuzz {line}"), 1)[0]["known"].clone();
    assert_eq!(known(line).as_array().map(Vec::len), Some(1));
    assert!(is_short(&place.run(&format!("fuzz {line}"), 1)));
    assert!(is_short(
        &place.run(&format!("check {line} --shrink-time 0"), 1)
    ));

    // One that cannot be followed says nothing, while the other one fails.
    let stale = "# scenario: racy.yaml\n# dialect: 10.0\nclient dance\n";
    std::fs::write(&shorter, stale).expect("the shorter schedule");
    let file = known(line)[0]["file"].clone();
    assert_eq!(
        file,
        format!(
            "kept/{}",
            found.file_name().expect("a name").to_string_lossy()
        )
    );
    std::fs::copy(found, &shorter).expect("the shorter schedule");
    std::fs::write(found, stale).expect("the schedule");
    assert_eq!(known(line)[0]["state"], "fails");
    std::fs::remove_file(&shorter).expect("the shorter schedule");
    assert_eq!(known(&format!("{line} --keep-going"))[0]["state"], "stale");
}

#[test]
fn what_a_strategy_found_is_found_again_by_the_line_to_paste() {
    let place = Place::new("again");
    for strategy in ["random", "pct:2", "pct:3", "pos", "urw", "portfolio"] {
        let fuzz = format!(
            "fuzz racy.yaml --dialect 10.0 --root 3 --strategy {strategy} --failures {strategy}"
        );
        let printed = place.run(&fuzz, 1);
        let repeated = place.run(again(&printed), 1);
        assert!(repeated.contains("BREACH   expectation"), "{repeated}");
        assert_eq!(again(&repeated), again(&printed));
        let repeated = place.run(again(&place.run(&fuzz, 1)), 1);
        assert!(repeated.contains("BREACH   expectation"), "{repeated}");
    }
    // Somewhere between never and always: otherwise this shows little.
    let rows = place.json("fuzz racy.yaml --keep-going --no-failures", 1);
    let failures = rows[0]["failures"].as_u64().expect("a count");
    assert!((20..980).contains(&failures), "{failures}");
}

#[test]
fn keep_going_shows_one_failure_of_each_kind() {
    let place = Place::new("going");
    let fuzz = "fuzz racy.yaml --dialect 10.0 --seeds 0..200 --keep-going";
    snapshot("fuzz.keep-going", fuzz, &place.run(fuzz, 1));
    let rows = place.json(fuzz, 1);
    assert_eq!(rows[0]["runs"], 200);
    assert_eq!(rows[0]["known"][0]["state"], "fails");
    assert_eq!(rows[0]["findings"][0]["runs"], rows[0]["failures"]);
}

#[test]
fn parts_of_the_runs_are_the_whole() {
    let place = Place::new("parts");
    let fuzz = "fuzz racy.yaml --dialect 10.0 --seeds 100..400 --keep-going --no-failures";
    let number = |row: &serde_json::Value, key: &str| row[key].as_u64().expect("a number");
    let digest = |row: &serde_json::Value| {
        let hex = row["digest"].as_str().expect("a digest");
        u128::from_str_radix(hex, 16).expect("hexadecimal")
    };
    let whole = &place.json(fuzz, 1)[0];
    let parts: Vec<_> = (1..=7)
        .flat_map(|part| place.json(&format!("{fuzz} --partition slice:{part}/7"), 1))
        .collect();
    for key in ["runs", "steps", "failures"] {
        let sum: u64 = parts.iter().map(|row| number(row, key)).sum();
        assert_eq!(sum, number(whole, key), "{key}");
    }
    let sum = parts
        .iter()
        .fold(0_u128, |sum, row| sum.wrapping_add(digest(row)));
    assert_eq!(sum, digest(whole));
    place.run("fuzz racy.yaml --seeds 0..1 --partition slice:1/2", 4);
}

#[test]
fn a_budget_of_time_ends_a_campaign_clean() {
    let place = Place::new("time");
    let story = "test_sync_dirty_bitmap_missing";
    for row in place.json(&format!("fuzz {story} --max-time 500ms"), 0) {
        assert_eq!(
            (&row["interrupted"], &row["out_of_time"]),
            (&true.into(), &true.into())
        );
        assert!(row["runs"].as_u64() > Some(0), "{row}");
    }
    // Enough time for the seeds that were asked for.
    for row in place.json(&format!("fuzz {story} --max-time 10m --seeds 0..50"), 0) {
        assert_eq!(
            (&row["runs"], &row["out_of_time"]),
            (&50.into(), &false.into())
        );
    }
}

#[test]
fn doublecheck_changes_nothing_but_the_time() {
    let place = Place::new("twice");
    let fuzz = "fuzz racy.yaml --seeds 0..100 --keep-going --no-failures --strategy portfolio";
    assert_eq!(
        place.run(fuzz, 1),
        place.run(&format!("{fuzz} --doublecheck"), 1)
    );
}

/// The matrix of some hundred random stories, which is the same for any number of workers.
#[test]
fn random_stories_and_what_they_meet() {
    let place = Place::new("random");
    let line = "fuzz --random 0..300 --seeds 0..10";
    let printed = place.run(&format!("{line} --jobs 1"), 0);
    assert_eq!(place.run(&format!("{line} --jobs 3"), 0), printed);
    assert!(place.kept().is_empty());
    snapshot(
        "random",
        "What a campaign of random stories prints",
        &printed,
    );
    // Parts of it, together, are all of it.
    let runs = |rows: Vec<serde_json::Value>| rows[0]["runs"].as_u64().expect("a number");
    let part = |part: &str| runs(place.json(&format!("{line} --partition slice:{part}/2"), 0));
    assert_eq!(part("1") + part("2"), 300 * 10 * 2);
}

/// A bug is found by random stories; the first that finds it is kept as a file, with its schedule, and made smaller.
#[test]
fn what_a_random_story_breaks_is_kept() {
    let place = Place::new("random-bug");
    let line =
        "fuzz --random 0..2000 --seeds 0..5 --dialect 10.0 --mutation cancel-forgets-uncopied";
    let printed = place.run(&format!("{line} --shrink-time 5s"), 1);
    assert!(printed.contains("BREACH"), "{printed}");
    let kept = place.kept();
    let [schedule, story] = &kept[..] else {
        panic!("a schedule and a story are kept: {kept:?}");
    };
    assert!(
        schedule.ends_with(".schedule") && story.ends_with(".yaml"),
        "{kept:?}"
    );
    let again = place.run(&format!("replay {schedule}"), 1);
    assert!(again.contains("BREACH"), "{again}");
    // The story has a name of its own, by which it can be looked at.
    let name = story
        .trim_start_matches("blockrace-failures/")
        .trim_end_matches(".yaml");
    let told = place.run(&format!("run {}", name.replace('-', ":")), 0);
    assert!(told.contains("Random story"), "{told}");
}
