//! Checkpoints from outside: killed at any moment, gone on with, and the result is that of a call which nobody disturbed.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use common::{blockrace_in, project, snapshot, text};
use serde_json::Value;

/// The folder of checkpoints, as the tests call it.
const FOLDER: &str = "ck";
/// The QEMU that Debian's package installs.
const QEMU: &str = "qemu-system-x86_64";
/// No call of these tests takes longer than so many kills of it.
const CALLS_MAX: usize = 400;

/// A folder of its own for one test.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let folder = format!("blockrace-checkpoint-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        fs::create_dir_all(&folder).expect("a folder for the test");
        fs::copy(
            project().join("tests/data/racy.yaml"),
            folder.join("racy.yaml"),
        )
        .expect("a story");
        Place(folder)
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_blockrace"));
        command
            .args(line.split(' '))
            .current_dir(&self.0)
            .env("NO_COLOR", "1")
            .env("COLUMNS", "100")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs the command line; gives the exit code, and what it printed on both outputs.
    fn run(&self, line: &str) -> (Option<i32>, String) {
        let Output {
            status,
            stdout,
            stderr,
        } = blockrace_in(&self.0, &line.split(' ').collect::<Vec<_>>());
        (status.code(), text(&stdout) + &text(&stderr))
    }

    /// The names in a folder below it, without what is only half written.
    fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.0.join(folder)) else {
            return Vec::new();
        };
        let name = |entry: std::io::Result<fs::DirEntry>| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        };
        let mut names: Vec<String> = entries.map(name).collect();
        names.sort();
        names
    }

    /// The checkpoint, of which there is one.
    fn checkpoint(&self) -> PathBuf {
        let names = self.names(FOLDER);
        let mut names = names.iter().filter(|name| name.ends_with(".checkpoint"));
        let name = names.next().expect("a checkpoint");
        assert_eq!(names.next(), None);
        self.0.join(FOLDER).join(name)
    }

    /// When a checkpoint was written that nobody has finished, if there is one.
    fn unfinished(&self) -> Option<std::time::SystemTime> {
        let names = self.names(FOLDER);
        let name = names.iter().find(|name| name.ends_with(".tmp"))?;
        let file = fs::metadata(self.0.join(FOLDER).join(name));
        file.and_then(|file| file.modified()).ok()
    }

    /// Waits until something is written that was not there at `before`, but not for long.
    fn wait_for_a_write(&self, before: Option<std::time::SystemTime>) {
        let started = std::time::Instant::now();
        while started.elapsed() < Duration::from_millis(100) {
            if self.unfinished().is_some_and(|now| Some(now) != before) {
                return;
            }
            thread::sleep(Duration::from_micros(100));
        }
    }

    fn remove(&self, what: &str) {
        let _ = fs::remove_dir_all(self.0.join(what));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Numbers that are always the same, one after the other: SplitMix64.
struct Moments(u64);

impl Moments {
    /// Before `max`.
    fn next(&mut self, max: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        max.mul_f64(((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64)
    }
}

/// What a call says that is the same each time: the exit code, and the rows without what was measured.
fn result(output: &Output) -> (Option<i32>, Vec<Value>) {
    let rows = text(&output.stdout);
    let row = |line: &str| {
        let mut row: Value = serde_json::from_str(line).expect("a row of JSON");
        forget_measures(&mut row);
        if let Value::Object(fields) = &mut row
            && fields.contains_key("qemu")
        {
            // In which state a command meets a job is a matter of a real QEMU's own time.
            fields.retain(|name, _| !["coverage", "lines"].contains(&name.as_str()));
        }
        row
    };
    (output.status.code(), rows.lines().map(row).collect())
}

fn forget_measures(value: &mut Value) {
    if let Value::Object(fields) = value {
        fields.retain(|name, _| !["measured", "seconds"].contains(&name.as_str()));
        fields.values_mut().for_each(forget_measures);
    }
}

/// How many kills there were.
#[derive(Clone, Copy, Debug, Default)]
struct Kills {
    killed: usize,
    /// After how many there was a file of which only some was written.
    amid_writing: usize,
    /// How many calls came to their end, gone on with or not, and were compared.
    ends: usize,
}

/// Does the command line without a checkpoint, then with them, killed `kills` times at moments that are drawn, every
/// other time amid the next write if there is one soon, however often it has to be begun anew for that; each time the end is as if nobody had disturbed it.
fn survives_kills(test: &str, line: &str, kills: usize) -> Kills {
    let place = Place::new(test);
    let line = format!("{line} --format json --quiet");
    let wait = |child: Child| child.wait_with_output().expect("it was started");
    let started = std::time::Instant::now();
    let alone = wait(place.command(&line).spawn().expect("the command was built"));
    let takes = started.elapsed();
    let (expected, kept) = (result(&alone), place.names("blockrace-failures"));
    // For those that come they are no news.
    place.remove("blockrace-failures");
    assert!(!expected.1.is_empty(), "{}", text(&alone.stderr));
    let with = format!("{line} --checkpoint {FOLDER} --checkpoint-every 1ms --resume");
    let (mut moments, mut killed) = (Moments(1), 0);
    let (mut ends, mut amid_writing) = (0, 0);
    let mut unfinished = None;
    for _ in 0..CALLS_MAX {
        if killed == kills && ends > 0 {
            break;
        }
        if ends == 0 || killed < kills {
            let mut child = place.command(&with).spawn().expect("the command was built");
            if killed < kills {
                thread::sleep(moments.next(takes * 2 / 3));
                if killed % 2 == 1 {
                    place.wait_for_a_write(unfinished);
                }
                // One that has ended already cannot be killed; then it was not.
                let was_there = child.try_wait().expect("a child of ours").is_none();
                child.kill().expect("a child of ours");
                killed += usize::from(was_there);
                if was_there {
                    child.wait().expect("a child of ours");
                    let found = place.unfinished();
                    amid_writing += usize::from(found.is_some() && found != unfinished);
                    unfinished = found;
                    continue;
                }
            }
            let output = wait(child);
            assert_eq!(result(&output), expected, "{}", text(&output.stderr));
            assert_eq!(place.names("blockrace-failures"), kept);
            ends += 1;
            place.remove(FOLDER);
            place.remove("blockrace-failures");
        }
    }
    assert_eq!(killed, kills, "{test}: too few calls lived long enough");
    assert!(ends > 0, "{test}: no call came to its end");
    Kills {
        killed,
        amid_writing,
        ends,
    }
}

/// What is killed: the name of the test, and the command line.
const KILLED: [(&str, &str); 9] = [
    (
        "seeds",
        "fuzz racy.yaml --dialect 10.0 --seeds 0..1000 --keep-going --jobs 2 --shrink-time 0",
    ),
    (
        "stories",
        "fuzz --random 0..12 --seeds 0..10 --jobs 2 --no-failures",
    ),
    ("states", SEARCHED),
    (
        "broken",
        "check racy.yaml --dialect 10.0 --jobs 2 --shrink-time 0",
    ),
    (
        "depth",
        "check remove-while-busy --order depth --no-failures",
    ),
    (
        "bits",
        "check remove-while-busy --no-reduction --jobs 2 --bitstate 16 --no-failures",
    ),
    (
        "spilled",
        "check remove-while-busy --no-reduction --when-full spill --max-memory 40M --no-failures",
    ),
    (
        "asleep",
        "check remove-while-busy --no-reduction --sleep-sets --no-failures",
    ),
    (
        "traces",
        "check three-empty-backups-each-alone --dialect 10.0 --order stateless --no-failures",
    ),
];

/// Larger works, so that many kills fall amid them and amid the writing.
const KILLED_LONG: [(&str, &str); 12] = [
    (
        "seeds-long",
        "fuzz racy.yaml --dialect 10.0 --seeds 0..20000 --keep-going --jobs 2 --shrink-time 0",
    ),
    (
        "stories-long",
        "fuzz --random 0..60 --seeds 0..20 --jobs 2 --no-failures",
    ),
    (
        "bugs-long",
        "bugs start-in-prepare two-aborters finalize-after-the-end --roots 40",
    ),
    (
        "diff-long",
        "diff --seeds 0..6 --runs 5 --keep-going --no-failures",
    ),
    (
        "states-long",
        "check one-of-two-fails --dialect 10.0 --no-reduction --jobs 2 --no-failures",
    ),
    (
        "fingerprints-long",
        "check one-of-two-fails --dialect 10.0 --no-reduction --keep fingerprints --no-failures",
    ),
    (
        "depth-long",
        "check one-of-two-fails --dialect 10.0 --no-reduction --order depth --no-failures",
    ),
    (
        "bits-long",
        "check one-of-two-fails --dialect 10.0 --no-reduction --jobs 2 --bitstate 17 --no-failures",
    ),
    (
        "spilled-long",
        "check two-drives-in-one-thread --dialect 10.0 --no-reduction --when-full spill --max-memory 40M --no-failures",
    ),
    (
        "asleep-long",
        "check one-of-two-fails --dialect 10.0 --no-reduction --sleep-sets --no-failures",
    ),
    (
        "traces-long",
        "check three-empty-backups --dialect 10.0 --order stateless --max-states 400 --no-failures",
    ),
    (
        "broken-long",
        "check racy.yaml --dialect 10.0 --jobs 2 --shrink-time 0",
    ),
];

/// A search of some hundred states in 34 layers, each with a checkpoint behind it.
const SEARCHED: &str = "check remove-while-busy --no-reduction --jobs 2 --no-failures";

#[test]
fn a_kill_at_any_moment_changes_no_result() {
    for (test, line) in KILLED {
        survives_kills(test, line, 3);
    }
}

#[test]
#[ignore = "takes minutes: a hundred kills"]
fn a_hundred_kills_change_no_result() {
    let mut all = Kills::default();
    for (test, line) in KILLED_LONG {
        if line.starts_with("diff") && Command::new(QEMU).arg("--version").output().is_err() {
            eprintln!("skipped: {test} needs {QEMU}");
            continue;
        }
        let kills = survives_kills(test, line, 10);
        eprintln!("{test}: {kills:?}");
        all.killed += kills.killed;
        all.amid_writing += kills.amid_writing;
        all.ends += kills.ends;
    }
    eprintln!("all: {all:?}");
    assert!(all.killed >= 100);
}

/// SIGTERM ends it with what was covered, and says how to go on; no option that changes no result stands in the way.
#[cfg(unix)]
#[test]
fn a_call_that_was_ended_goes_on() {
    let place = Place::new("ended");
    let line = "fuzz racy.yaml --dialect 10.0 --seeds 0..100000000 --keep-going --no-failures";
    let kept = format!("{line} --checkpoint {FOLDER}");
    let child = place.command(&kept).spawn().expect("the command was built");
    thread::sleep(Duration::from_millis(700));
    let pid = child.id().to_string();
    let killed = Command::new("kill").args(["-TERM", &pid]).status();
    assert!(killed.expect("there is a `kill`").success());
    let output = child.wait_with_output().expect("it was started");
    assert!(
        text(&output.stderr).contains("the same command with --resume goes on from ck"),
        "{}",
        text(&output.stderr)
    );
    let (_, printed) = place.run(&format!(
        "{kept} --resume --max-time 1 --jobs 1 --format json"
    ));
    assert!(printed.contains("goes on from ck/fuzz-"), "{printed}");
}

/// A search that a limit ended goes on with another one.
#[test]
fn a_search_goes_on_with_another_limit() {
    let place = Place::new("limit");
    let json = |line: &str| {
        let line = format!("{line} --format json --quiet");
        result(&blockrace_in(
            &place.0,
            &line.split(' ').collect::<Vec<_>>(),
        ))
    };
    let alone = json(SEARCHED);
    let (code, _) = json(&format!("{SEARCHED} --checkpoint {FOLDER} --max-depth 12"));
    assert_eq!(code, Some(3));
    let (code, _) = json(&format!(
        "{SEARCHED} --checkpoint {FOLDER} --resume --max-states 100"
    ));
    assert_eq!(code, Some(3));
    let on = json(&format!("{SEARCHED} --checkpoint {FOLDER} --resume"));
    assert_eq!(on, alone);
    let done = json(&format!("{SEARCHED} --checkpoint {FOLDER} --resume"));
    assert_eq!(done, alone);
}

fn change(path: &Path, place: usize) {
    let mut bytes = fs::read(path).expect("a checkpoint");
    let place = bytes.len() - place;
    bytes[place] ^= 1;
    fs::write(path, bytes).expect("a checkpoint");
}

/// What cannot be gone on with is refused, with the reason.
#[test]
fn what_is_of_something_else_is_refused() {
    let place = Place::new("refused");
    let line = "fuzz racy.yaml --dialect 10.0 --seeds 0..50 --no-failures --shrink-time 0";
    let with = format!("{line} --checkpoint {FOLDER}");
    place.run(&with);
    let file = place.checkpoint();
    let name = file
        .file_name()
        .expect("a name")
        .to_string_lossy()
        .into_owned();
    let mut printed = String::new();
    let mut refused = |line: &str| {
        let (code, said) = place.run(line);
        assert_eq!(code, Some(2), "{line}\n{said}");
        printed += &format!("$ blockrace {line}\n{}\n", said.replace(&name, "FILE"));
    };
    refused(&with);
    refused(&format!("{with} --resume --strategy pct:3"));
    refused(&format!("{with} --resume --root 7"));
    let old = fs::read(&file).expect("a checkpoint");
    change(&file, 1);
    refused(&format!("{with} --resume"));
    fs::write(&file, &old[..old.len() / 2]).expect("a checkpoint");
    refused(&format!("{with} --resume"));
    fs::write(&file, "# scenario: racy\n").expect("a file");
    refused(&format!("{with} --resume"));
    fs::write(&file, &old).expect("a checkpoint");
    let story = place.0.join("racy.yaml");
    let told = fs::read_to_string(&story).expect("the story");
    fs::write(&story, told.replace("0x22", "0x33")).expect("the story");
    refused(&format!("{with} --resume"));
    refused("fuzz racy.yaml --resume");
    refused("check racy.yaml --checkpoint racy.yaml");
    let traces =
        "check racy.yaml --dialect 10.0 --order stateless --no-failures --checkpoint traces";
    place.run(&format!("{traces} --max-depth 5"));
    refused(&format!("{traces} --max-depth 6 --resume"));
    let bits = "check racy.yaml --dialect 10.0 --no-failures --checkpoint bits --bitstate";
    place.run(&format!("{bits} 20"));
    refused(&format!("{bits} 21 --resume"));
    snapshot(
        "checkpoint.refused",
        "what a checkpoint is not gone on with",
        &printed,
    );
}
