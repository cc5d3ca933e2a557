//! What it costs to search in several processes: `cargo bench --features cluster --bench processes [-- WHAT CHECK IS GIVEN]`.
//!
//! First, on one thread and without a network, how much shards send each other; that is always the same. Then the command
//! itself: one process without shards, and 1, 2 and 4 processes with one worker each, in turn. `cost` is the processor
//! time of all processes against that of the first row in the same round, and `time` what one waits; `peak` is the
//! largest process, `B/state` all of them together.

#[path = "../tests/common/processes.rs"]
mod of_linux;

use std::num::NonZeroUsize;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use model::dialect::QEMU_10_0;
use of_linux::{children, peak_of};
use scenarios::load;
use scenarios::scene::Scene;
use scenarios::script::Script;
use serde_json::Value;
use sim::search::shard::{Place, Shard};
use sim::search::{Control, Options};

/// How often each row is measured; the median counts.
const ROUNDS: usize = 3;

/// What `check` is given: so many states that starting takes little of the time.
const GIVEN: [&str; 4] = [
    "benches/large.yaml",
    "--dialect=10.0",
    "--no-cycles",
    "--max-states=2000000",
];

/// Up to so many states it is counted what shards send each other in that story.
const STATES_MAX: u64 = 500_000;

fn main() {
    let given: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    print_sent();
    println!();
    print_cost(&match given.is_empty() {
        true => GIVEN.map(str::to_owned).to_vec(),
        false => given,
    });
}

fn print_sent() {
    let story = load::open(GIVEN[0]).expect("a story");
    let script = Script::of_story(&story, GIVEN[0], &QEMU_10_0).expect("it can be played");
    let scene = Scene::new(script);
    println!("| shards | states | steps | frames | B/state | B/step |");
    println!("|---:|---:|---:|---:|---:|---:|");
    for count in [1, 2, 4, 16] {
        let (states, steps, sent) = sent(&scene, count);
        let bytes: usize = sent.iter().sum();
        println!(
            "| {count} | {states} | {steps} | {} | {:.1} | {:.1} |",
            sent.len(),
            bytes as f64 / states as f64,
            bytes as f64 / steps as f64
        );
    }
}

/// States, steps, and the length of each frame.
fn sent(scene: &Scene, count: usize) -> (u64, u64, Vec<usize>) {
    let (control, mut lengths) = (Control::default(), Vec::new());
    let options = Options {
        cycles: false,
        states_max: STATES_MAX,
        ..Options::default()
    };
    let count = NonZeroUsize::new(count).expect("some");
    let mut shards: Vec<_> = (0..count.get())
        .map(|number| Shard::new(scene, &options, Place { number, count }))
        .collect();
    loop {
        for number in 0..shards.len() {
            let mut frames = Vec::new();
            while shards[number].work(&control, &mut |to, frame| frames.push((to, frame))) {}
            for (to, frame) in frames {
                lengths.push(frame.len());
                shards[to].take(number, &frame).expect("it was just made");
            }
        }
        let mut ends = shards.iter_mut().map(|shard| shard.turn(&control));
        let ended = ends.by_ref().last().expect("a shard").expect("a round");
        if let Some(report) = ended {
            return (report.states, report.transitions, lengths);
        }
    }
}

/// What one call cost.
struct Cost {
    states: u64,
    /// Of the processor, of all processes.
    processor: f64,
    seconds: f64,
    /// Bytes, by process.
    peaks: Vec<u64>,
}

fn print_cost(given: &[String]) {
    let rows = [None, Some(1), Some(2), Some(4)];
    let mut costs: Vec<Vec<Cost>> = rows.iter().map(|_| Vec::new()).collect();
    for _ in 0..ROUNDS {
        for (row, costs) in rows.iter().zip(&mut costs) {
            costs.push(measured(given, *row));
        }
    }
    println!("blockrace check {}", given.join(" "));
    println!("| processes | states | states/s | cost | time | peak MiB | B/state |");
    println!("|---|---:|---:|---:|---:|---:|---:|");
    for (row, of_row) in rows.iter().zip(&costs) {
        let against = |what: fn(&Cost) -> f64| {
            let pairs = of_row.iter().zip(&costs[0]);
            median(pairs.map(|(cost, alone)| what(cost) / what(alone)))
        };
        let Cost { states, peaks, .. } = &of_row[0];
        let largest = peaks.iter().max().expect("a process");
        let all: u64 = peaks.iter().sum();
        println!(
            "| {} | {states} | {:.0} | {:.2} | {:.2} | {:.0} | {:.0} |",
            row.map_or("1, no shards".to_owned(), |count: usize| count.to_string()),
            median(of_row.iter().map(|cost| cost.states as f64 / cost.seconds)),
            against(|cost| cost.processor),
            against(|cost| cost.seconds),
            *largest as f64 / f64::from(1 << 20),
            all as f64 / *states as f64,
        );
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn measured(given: &[String], processes: Option<usize>) -> Cost {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blockrace"));
    command.args(["check", "-q", "--no-failures", "--jobs=1", "--format=json"]);
    command.args(given);
    if let Some(count) = processes {
        command.arg(format!("--local-processes={count}"));
    }
    let (before, started) = (processor(), Instant::now());
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the command was built with this");
    let peaks = peaks(&mut child);
    let seconds = started.elapsed().as_secs_f64();
    let output = child.wait_with_output().expect("its output");
    let row: Value = serde_json::from_slice(&output.stdout).expect("a row");
    Cost {
        states: row["covered"]["states"].as_u64().expect("a count"),
        processor: processor() - before,
        seconds,
        peaks,
    }
}

/// The most memory that each process that searches has had.
fn peaks(child: &mut Child) -> Vec<u64> {
    let mut peaks = std::collections::BTreeMap::new();
    while child.try_wait().expect("a child").is_none() {
        let members = children(child.id());
        let searching = match members.is_empty() {
            true => vec![child.id()],
            false => members,
        };
        for process in searching {
            let peak = peak_of(process).unwrap_or(0);
            let most = peaks.entry(process).or_insert(0);
            *most = peak.max(*most);
        }
        thread::sleep(Duration::from_millis(5));
    }
    if peaks.len() > 1 {
        // Before there were members it was looked at itself.
        peaks.remove(&child.id());
    }
    peaks.into_values().collect()
}

/// The processor time of all children that have ended, and of theirs, in seconds.
fn processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let after_name = stat.rsplit_once(')').expect("a name").1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    // Of `proc_pid_stat(5)`: cutime and cstime, in hundredths of a second.
    let ticks: u64 = fields[13..15]
        .iter()
        .filter_map(|ticks| ticks.parse::<u64>().ok())
        .sum();
    ticks as f64 / 100.0
}
