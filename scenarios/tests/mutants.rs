//! A conformance checker that accepts everything is worth nothing: recordings of real QEMU, each with one thing
//! changed, must be rejected, unless real QEMU may do that too.
//!
//! Every mutant that is accepted needs a reason, decided by code: a row of [`REASONS`]. The sample is the same every
//! time; nothing here is random.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use common::on_two_threads;
use scenarios::conform::{Exactness, Verdict, conform};
use scenarios::recording::Recording;
use serde_json::{Value, json};

/// How many mutants of one kind are tried, taken evenly from all there are.
const SAMPLE_MAX: usize = 46;

/// How long one recording may take, on a processor of its own.
const TIME_MAX: Duration = Duration::from_secs(1);

// ------------------------------------------------------------------------------------------------- mutations

/// A change of a recording: so many lines from `at` on are replaced.
#[derive(Clone, Debug)]
struct Edit {
    at: usize,
    remove: usize,
    insert: Vec<Value>,
}

/// What a kind of mutation can do at a line: none, one or several edits.
type Mutate = fn(&[Value], usize) -> Vec<Edit>;

/// Every kind of mutation. A new kind is a new row.
const KINDS: &[(&str, Mutate)] = &[
    ("drop an event", |lines, at| {
        when(is_event(&lines[at]), remove(at, 1))
    }),
    ("duplicate an event", |lines, at| {
        when(is_event(&lines[at]), repeat(lines, at))
    }),
    ("swap two events", |lines, at| {
        when(both(lines, at, is_event, is_event), swap(lines, at))
    }),
    ("swap an event and a reply", |lines, at| {
        let one_each = both(lines, at, is_event, is_reply) || both(lines, at, is_reply, is_event);
        when(one_each, swap(lines, at))
    }),
    ("move an event over three", |lines, at| {
        let movable = lines.len() > at + 3 && lines[at..=at + 3].iter().all(is_event);
        let mut insert = if movable {
            lines[at..=at + 3].to_vec()
        } else {
            Vec::new()
        };
        if movable {
            insert.rotate_left(1);
        }
        when(
            movable,
            vec![Edit {
                at,
                remove: 4,
                insert,
            }],
        )
    }),
    ("drop a reply", |lines, at| {
        when(is_reply(&lines[at]), remove(at, 1))
    }),
    ("duplicate a reply", |lines, at| {
        when(is_reply(&lines[at]), repeat(lines, at))
    }),
    ("a reply becomes an error", |lines, at| {
        let error =
            json!({"t": "reply", "error": {"class": "GenericError", "desc": "Input/output error"}});
        when(lines[at].get("return").is_some(), replace(at, error))
    }),
    ("an error becomes a reply", |lines, at| {
        when(
            lines[at].get("error").is_some(),
            replace(at, json!({"t": "reply", "return": {}})),
        )
    }),
    ("a query returns something else", |lines, at| {
        let empty = lines[at]["return"] == json!([]);
        let jobs = json!([{"type": "backup", "device": "drive0"}]);
        when(empty, replace(at, json!({"t": "reply", "return": jobs})))
    }),
    ("another error class", |lines, at| {
        set(lines, at, "/error/class", &json!("DeviceNotActive"))
    }),
    ("another error text", |lines, at| {
        set(lines, at, "/error/desc", &json!("Job not found"))
    }),
    ("another status", |lines, at| {
        let all = [
            "created",
            "running",
            "paused",
            "waiting",
            "pending",
            "aborting",
            "concluded",
            "null",
        ];
        all.iter()
            .flat_map(|status| set(lines, at, "/data/status", &json!(status)))
            .collect()
    }),
    ("another job in a status", |lines, at| {
        other_job(lines, at, "/data/id")
    }),
    ("another job in a block job event", |lines, at| {
        other_job(lines, at, "/data/device")
    }),
    ("another offset", |lines, at| {
        shift(lines, at, "/data/offset", &[-65536, 65536, -1, -524_288])
    }),
    ("another len", |lines, at| {
        shift(lines, at, "/data/len", &[-65536, 65536, -1])
    }),
    ("another speed", |lines, at| {
        shift(lines, at, "/data/speed", &[65536])
    }),
    ("a job event of another name", |lines, at| {
        let names = [
            "BLOCK_JOB_COMPLETED",
            "BLOCK_JOB_CANCELLED",
            "BLOCK_JOB_ERROR",
            "BLOCK_JOB_READY",
        ];
        let block_job = lines[at]["event"]
            .as_str()
            .is_some_and(|name| name.starts_with("BLOCK_JOB"));
        let edits = names
            .iter()
            .flat_map(|name| set(lines, at, "/event", &json!(name)));
        when(block_job, edits.collect())
    }),
    ("an error appears", |lines, at| {
        let mut line = lines[at].clone();
        let ends = line["event"] == "BLOCK_JOB_COMPLETED" && line["data"].get("error").is_none();
        if ends {
            line["data"]["error"] = json!("Input/output error");
        }
        when(ends, replace(at, line))
    }),
    ("an error vanishes", |lines, at| {
        let mut line = lines[at].clone();
        let error = line["data"]
            .as_object_mut()
            .and_then(|data| data.remove("error"));
        when(error.is_some(), replace(at, line))
    }),
    ("another text of a failed job", |lines, at| {
        set(lines, at, "/data/error", &json!("No space left on device"))
    }),
    ("another action", |lines, at| {
        ["report", "ignore", "stop"]
            .iter()
            .flat_map(|word| set(lines, at, "/data/action", &json!(word)))
            .collect()
    }),
    ("another operation", |lines, at| {
        ["read", "write"]
            .iter()
            .flat_map(|word| set(lines, at, "/data/operation", &json!(word)))
            .collect()
    }),
    ("another count of a bitmap", |lines, at| {
        each_bitmap(lines, at, |path| {
            shift(lines, at, &format!("{path}/count"), &[65536, -65536])
        })
    }),
    ("another granularity", |lines, at| {
        each_bitmap(lines, at, |path| {
            shift(lines, at, &format!("{path}/granularity"), &[65536])
        })
    }),
    ("another flag of a bitmap", |lines, at| {
        each_bitmap(lines, at, |path| {
            let flags = ["recording", "busy", "persistent"];
            flags
                .iter()
                .flat_map(|flag| flip(lines, at, &format!("{path}/{flag}")))
                .collect()
        })
    }),
    ("another name of a bitmap", |lines, at| {
        each_bitmap(lines, at, |path| {
            set(lines, at, &format!("{path}/name"), &json!("bitmap9"))
        })
    }),
    ("a bitmap less", |lines, at| {
        each_bitmap(lines, at, |path| {
            let mut line = lines[at].clone();
            let (list, index) = path.rsplit_once('/').expect("a path of two parts");
            let list = line
                .pointer_mut(list)
                .and_then(Value::as_array_mut)
                .expect("a list");
            list.remove(index.parse().expect("an index"));
            replace(at, line)
        })
    }),
    ("more events left", |lines, at| {
        when(
            lines[at]["t"] == "pending",
            shift(lines, at, "/count", &[1, 2, 40]),
        )
    }),
    ("another output", |lines, at| {
        match lines[at]["output"].as_array() {
            Some(printed) if printed.is_empty() => set(
                lines,
                at,
                "/output",
                &json!(["flush failed: Input/output error"]),
            ),
            Some(_) => set(
                lines,
                at,
                "/output",
                &json!(["write failed: Input/output error"]),
            ),
            None => Vec::new(),
        }
    }),
    ("another exit", |lines, at| {
        when(
            lines[at]["t"] == "exit",
            shift(lines, at, "/code", &[1, -11, -6]),
        )
    }),
    ("another comparison", |lines, at| {
        let word = if lines[at]["result"] == "identical" {
            "different"
        } else {
            "identical"
        };
        when(
            lines[at]["cmd"] == "compare",
            set(lines, at, "/result", &json!(word)),
        )
    }),
    ("an image command fails", |lines, at| {
        when(
            lines[at]["t"] == "img",
            set(lines, at, "/result", &json!("No such file or directory")),
        )
    }),
    ("another shutdown", |lines, at| {
        let reason = set(lines, at, "/data/reason", &json!("guest-shutdown"));
        reason
            .into_iter()
            .chain(flip(lines, at, "/data/guest"))
            .collect()
    }),
    ("a pair less", |lines, at| {
        when(is_pair(lines, at), remove(at, 2))
    }),
    ("a pair more", |lines, at| {
        let job = &lines[at]["data"]["id"];
        let pair = ["paused", "running"].map(|status| status_line(job, status));
        when(
            is_event(&lines[at]) && job.is_string(),
            vec![Edit {
                at: at + 1,
                remove: 0,
                insert: pair.to_vec(),
            }],
        )
    }),
];

fn is_event(line: &Value) -> bool {
    line["t"] == "event"
}

fn is_reply(line: &Value) -> bool {
    line["t"] == "reply"
}

fn status_line(job: &Value, status: &str) -> Value {
    json!({"t": "event", "event": "JOB_STATUS_CHANGE", "data": {"status": status, "id": job}})
}

/// Are this line and the next `paused`, `running` of one job?
fn is_pair(lines: &[Value], at: usize) -> bool {
    let job = &lines[at]["data"]["id"];
    lines[at] == status_line(job, "paused")
        && lines.get(at + 1) == Some(&status_line(job, "running"))
}

fn both(lines: &[Value], at: usize, first: fn(&Value) -> bool, second: fn(&Value) -> bool) -> bool {
    first(&lines[at]) && lines.get(at + 1).is_some_and(second)
}

fn when(possible: bool, edits: Vec<Edit>) -> Vec<Edit> {
    if possible { edits } else { Vec::new() }
}

fn remove(at: usize, count: usize) -> Vec<Edit> {
    vec![Edit {
        at,
        remove: count,
        insert: Vec::new(),
    }]
}

fn repeat(lines: &[Value], at: usize) -> Vec<Edit> {
    vec![Edit {
        at,
        remove: 0,
        insert: vec![lines[at].clone()],
    }]
}

fn swap(lines: &[Value], at: usize) -> Vec<Edit> {
    match lines.get(at + 1) {
        Some(next) => vec![Edit {
            at,
            remove: 2,
            insert: vec![next.clone(), lines[at].clone()],
        }],
        None => Vec::new(),
    }
}

fn replace(at: usize, line: Value) -> Vec<Edit> {
    vec![Edit {
        at,
        remove: 1,
        insert: vec![line],
    }]
}

/// Another value of a field that is there and does not match anything already.
fn set(lines: &[Value], at: usize, path: &str, value: &Value) -> Vec<Edit> {
    let mut line = lines[at].clone();
    match line.pointer_mut(path) {
        Some(field) if *field != json!("*") && field != value => {
            *field = value.clone();
            replace(at, line)
        }
        _ => Vec::new(),
    }
}

fn flip(lines: &[Value], at: usize, path: &str) -> Vec<Edit> {
    match lines[at].pointer(path).and_then(Value::as_bool) {
        Some(flag) => set(lines, at, path, &json!(!flag)),
        None => Vec::new(),
    }
}

/// A number, a little more or less; never below 0, but for exit codes.
fn shift(lines: &[Value], at: usize, path: &str, by: &[i64]) -> Vec<Edit> {
    let Some(number) = lines[at].pointer(path).and_then(Value::as_i64) else {
        return Vec::new();
    };
    let least = if path == "/code" { i64::MIN } else { 0 };
    let others = by
        .iter()
        .map(|by| number + by)
        .filter(|other| *other >= least);
    others
        .flat_map(|other| set(lines, at, path, &json!(other)))
        .collect()
}

fn other_job(lines: &[Value], at: usize, path: &str) -> Vec<Edit> {
    let jobs = ["drive0", "drive1"];
    when(
        is_event(&lines[at]),
        jobs.iter()
            .flat_map(|job| set(lines, at, path, &json!(job)))
            .collect(),
    )
}

/// Edits for each bitmap that has a name.
fn each_bitmap(lines: &[Value], at: usize, edits: impl Fn(&str) -> Vec<Edit>) -> Vec<Edit> {
    let nodes = lines[at].get("nodes").and_then(Value::as_object);
    let mut found = Vec::new();
    for (node, bitmaps) in nodes.into_iter().flatten() {
        let bitmaps = bitmaps.as_array().into_iter().flatten().enumerate();
        for (index, _) in bitmaps.filter(|(_, bitmap)| bitmap.get("name").is_some()) {
            found.extend(edits(&format!("/nodes/{node}/{index}")));
        }
    }
    found
}

// ------------------------------------------------------------------------------------------------- the corpus

fn recordings() -> Vec<Recording> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("recordings");
    let mut files = BTreeSet::new();
    for folder in std::fs::read_dir(&root).expect("the recordings are there") {
        let folder = folder.expect("its entries too").path();
        for entry in std::fs::read_dir(folder).expect("one folder for each release") {
            let file = entry.expect("its entries too").path();
            // Those of iotest 124 are the longest, and show each kind of line.
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with("test_") || name.starts_with("transaction_") {
                files.insert(file.clone());
            }
        }
    }
    let read = |path: PathBuf| {
        let name = path
            .strip_prefix(&root)
            .expect("below the root")
            .display()
            .to_string();
        let text = std::fs::read_to_string(&path).expect("a recording is text");
        Recording::parse_all(&name, &text).unwrap_or_else(|error| panic!("{error}"))
    };
    files.into_iter().flat_map(read).collect()
}

fn lines_of(recording: &Recording) -> Vec<Value> {
    recording
        .lines
        .iter()
        .map(|(_, line)| line.clone())
        .collect()
}

/// The recording with other lines, numbered as in a file.
fn with_lines(recording: &Recording, lines: Vec<Value>) -> Recording {
    let lines = lines
        .into_iter()
        .enumerate()
        .map(|(index, line)| (index as u32 + 2, line))
        .collect();
    Recording {
        lines,
        ..recording.clone()
    }
}

fn collapsed(recording: &Recording) -> Vec<Value> {
    let mut recording = recording.clone();
    recording.collapse();
    lines_of(&recording)
}

/// One change of one recording.
struct Mutant {
    recording: usize,
    kind: &'static str,
    edit: Edit,
}

/// A sample of all mutants of a kind, spread evenly over all recordings.
fn mutants(recordings: &[Recording]) -> Vec<Mutant> {
    let lines: Vec<Vec<Value>> = recordings.iter().map(lines_of).collect();
    let mut sample = Vec::new();
    for (kind, mutate) in KINDS {
        let mut all = Vec::new();
        for (recording, lines) in lines.iter().enumerate() {
            for at in 0..lines.len() {
                all.extend(mutate(lines, at).into_iter().map(|edit| Mutant {
                    recording,
                    kind,
                    edit,
                }));
            }
        }
        let count = all.len();
        let taken: BTreeSet<usize> = (0..SAMPLE_MAX)
            .map(|part| part * count / SAMPLE_MAX)
            .collect();
        let chosen = all
            .into_iter()
            .enumerate()
            .filter(|(index, _)| taken.contains(index));
        sample.extend(chosen.map(|(_, mutant)| mutant));
    }
    sample
}

// ------------------------------------------------------------------------------------------------- reasons

/// An accepted mutant, as a reason looks at it.
struct Accepted<'a> {
    kind: &'static str,
    edit: &'a Edit,
    original: &'a Recording,
    mutant: &'a Recording,
    recordings: &'a [Recording],
}

/// A name, why it is right that such a mutant is accepted, and whether this is such a one.
type Reason = (&'static str, &'static str, fn(&Accepted<'_>) -> bool);

/// Why a mutant may be accepted. The first that fits counts.
const REASONS: &[Reason] = &[
    ("equal", "the mutant is the original", |it| {
        it.mutant.lines == it.original.lines
    }),
    (
        "pair-is-noise",
        "how many pauses drains cause is left out (concurrency §8)",
        |it| collapsed(it.mutant) == collapsed(it.original),
    ),
    (
        "also-recorded",
        "real QEMU was seen to do just this",
        |it| {
            let mutant = collapsed(it.mutant);
            it.recordings.iter().any(|other| {
                (&other.scenario, &other.version) == (&it.original.scenario, &it.original.version)
                    && collapsed(other) == mutant
            })
        },
    ),
    (
        "reply-position",
        "a reply falls before or after an error or the end of a job's work (concurrency §5, README of the recordings)",
        |it| {
            let around = |line: &Value| {
                line["event"] == "BLOCK_JOB_ERROR" || line["data"]["status"] == "waiting"
            };
            it.kind == "swap an event and a reply" && it.edit.insert.iter().any(around)
        },
    ),
    (
        "waiting-order",
        "two jobs of a group finish their work in either order (README of the recordings: about half each)",
        |it| {
            let waits = |line: &Value| line["data"]["status"] == "waiting";
            it.kind == "swap two events" && it.edit.insert.iter().all(waits)
        },
    ),
    (
        "pending-is-the-client's",
        "what the client had waited for is not recorded: any number up to that of the events read since the last count",
        |it| {
            let lines = lines_of(it.original);
            let counts = |line: &&Value| line["t"] == "pending";
            let since = lines[..it.edit.at]
                .iter()
                .rev()
                .take_while(|line| !counts(line));
            let most = since.filter(|line| is_event(line)).count() as u64;
            let count = it
                .edit
                .insert
                .first()
                .and_then(|line| line["count"].as_u64());
            it.kind == "more events left" && count.is_some_and(|count| count <= most)
        },
    ),
];

// ------------------------------------------------------------------------------------------------- the test

/// What came of the mutants of one kind.
#[derive(Default)]
struct Row {
    made: usize,
    rejected: usize,
    accepted: BTreeMap<&'static str, usize>,
}

/// How long this thread has been on a processor, so that a busy machine fails no test; elsewhere than on Linux, the
/// time since `start`.
fn time_used(start: Instant) -> Duration {
    let said = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let used = said
        .as_deref()
        .and_then(|said| said.split(' ').next()?.parse().ok());
    used.map_or_else(|| start.elapsed(), Duration::from_nanos)
}

/// Why the mutant is rejected, or `None` if it is accepted.
fn rejection(mutant: &Recording) -> Option<String> {
    match conform(mutant, Exactness::Normal) {
        Ok(Verdict::Accepted { .. }) => None,
        Ok(Verdict::Rejected(rejection)) => Some(format!("line {}", rejection.line)),
        Ok(verdict) => panic!("{}: {verdict:?}", mutant.file),
        Err(error) => Some(error.to_string()),
    }
}

#[test]
fn what_qemu_did_is_accepted_and_soon() {
    let recordings = recordings();
    let times = on_two_threads(&recordings, |recording| {
        let start = Instant::now();
        let before = time_used(start);
        let rejected = rejection(recording);
        let time = time_used(start).saturating_sub(before);
        assert_eq!(rejected, None, "{} is rejected", recording.file);
        (time, recording.file.clone())
    });
    let slowest = times.iter().max().expect("there are recordings");
    println!("slowest: {slowest:?}");
    assert!(slowest.0 < TIME_MAX, "{slowest:?}");
}

#[test]
fn what_qemu_did_not_do_is_rejected() {
    let recordings = recordings();
    let mutants = mutants(&recordings);
    let results = on_two_threads(&mutants, |mutant| {
        let original = &recordings[mutant.recording];
        let mut lines = lines_of(original);
        let Edit { at, remove, insert } = mutant.edit.clone();
        lines.splice(at..at + remove, insert);
        let recording = with_lines(original, lines);
        let start = Instant::now();
        let before = time_used(start);
        let rejected = rejection(&recording);
        (rejected, time_used(start).saturating_sub(before), recording)
    });
    let mut table: BTreeMap<&str, Row> = BTreeMap::new();
    let mut unexplained = 0;
    for (mutant, (rejected, _, recording)) in mutants.iter().zip(&results) {
        let row = table.entry(mutant.kind).or_default();
        row.made += 1;
        if rejected.is_some() {
            row.rejected += 1;
            continue;
        }
        let original = &recordings[mutant.recording];
        let Mutant { kind, edit, .. } = mutant;
        let accepted = Accepted {
            kind,
            edit,
            original,
            mutant: recording,
            recordings: &recordings,
        };
        match REASONS.iter().find(|(_, _, fits)| fits(&accepted)) {
            Some((reason, _, _)) => *row.accepted.entry(reason).or_default() += 1,
            None => {
                unexplained += 1;
                print_unexplained(&accepted);
            }
        }
    }
    println!("{}", table_text(&table));
    let by_time = mutants
        .iter()
        .zip(&results)
        .map(|(mutant, (rejected, time, recording))| {
            (
                *time,
                format!(
                    "{}:{}: {}: {rejected:?}",
                    recording.file,
                    mutant.edit.at + 2,
                    mutant.kind
                ),
            )
        });
    let mut by_time: Vec<(Duration, String)> = by_time.collect();
    by_time.sort();
    println!("slowest: {:?}", by_time.last());
    let sum = |count: fn(&Row) -> usize| table.values().map(count).sum::<usize>();
    let rejected = sum(|row| row.rejected);
    // What normalising undoes is no change at all.
    let changed = sum(|row| row.made - row.accepted.get("pair-is-noise").unwrap_or(&0));
    assert_eq!(
        unexplained, 0,
        "mutants were accepted that real QEMU cannot have done, see above"
    );
    assert!(mutants.len() >= 1500, "only {} mutants", mutants.len());
    assert!(
        rejected * 100 >= changed * 95,
        "only {rejected} of {changed} are rejected"
    );
}

fn print_unexplained(it: &Accepted<'_>) {
    let lines = lines_of(it.original);
    println!("{}:{}: {}", it.original.file, it.edit.at + 2, it.kind);
    for line in &lines[it.edit.at.saturating_sub(3)..it.edit.at] {
        println!("      {line}");
    }
    for line in &lines[it.edit.at..it.edit.at + it.edit.remove] {
        println!("    - {line}");
    }
    for line in &it.edit.insert {
        println!("    + {line}");
    }
    for line in lines.iter().skip(it.edit.at + it.edit.remove).take(3) {
        println!("      {line}");
    }
}

fn table_text(table: &BTreeMap<&str, Row>) -> String {
    let mut text = format!(
        "{:36} {:>5} {:>9}  accepted because\n",
        "mutation", "made", "rejected"
    );
    let mut total = Row::default();
    for (kind, _) in KINDS {
        let Some(row) = table.get(kind) else {
            text += &format!("{kind:36} {:>5}\n", "none");
            continue;
        };
        let reasons: Vec<String> = row
            .accepted
            .iter()
            .map(|(reason, count)| format!("{reason} {count}"))
            .collect();
        text += &format!(
            "{kind:36} {:>5} {:>9}  {}\n",
            row.made,
            row.rejected,
            reasons.join(", ")
        );
        total.made += row.made;
        total.rejected += row.rejected;
    }
    text + &format!("{:36} {:>5} {:>9}\n", "all", total.made, total.rejected)
}
