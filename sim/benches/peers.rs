//! The same protocol in blockrace and in its peers, in one go: `cargo bench -p sim --bench peers`.
//!
//! Arguments: how many rounds (3 if not said), then names of contests (all if none): for instance
//! `-- 5 walk`. In each round, the contestants of a contest run one after the other; printed are the
//! medians, and the medians of the ratios within a round, so that a machine that is busy for a while
//! is busy for all.
//!
//! The peers are in the folder `BLOCKRACE_PEERS`, or in `../shared/peers` beside the repository; they
//! are built in `PEERS_TARGET` (`peers-target` in the temporary directory if not said). Those
//! that are missing or fail are listed as skipped.

use sim::run::{End, Runner};
use sim::seed::run_seed;
use sim::stateless::{Limits, Stateless};
use sim::strategy::Random;
use sim::toys::GroupedBackup;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a random walk goes on in one round.
const WALK_SECONDS: u64 = 2;

/// Several who do the same work, measured in the same unit.
struct Contest {
    name: &'static str,
    work: String,
    unit: &'static str,
    /// The first one is ours.
    contestants: Vec<Contestant>,
}

struct Contestant {
    name: String,
    measure: Box<dyn Fn() -> Option<f64>>,
}

/// A contestant that is this crate.
fn ours(name: &str, measure: impl Fn() -> f64 + 'static) -> Contestant {
    Contestant {
        name: name.to_owned(),
        measure: Box::new(move || Some(measure())),
    }
}

fn main() {
    // Cargo adds `--bench`.
    let arguments: Vec<String> = env::args()
        .skip(1)
        .filter(|a| !a.starts_with("--"))
        .collect();
    let (rounds, names) = match arguments.split_first() {
        Some((first, names)) if first.parse::<usize>().is_ok_and(|rounds| rounds > 0) => {
            (first.parse().unwrap_or(1), names)
        }
        _ => (3, arguments.as_slice()),
    };
    let peers = Peers::build();
    let mut contests = walk_contests(&peers);
    contests.extend(stateless_contests(&peers));
    contests.extend(search_contests(&peers));
    println!("| contest | work | unit | who | median | ours / theirs |");
    println!("|---|---|---|---|---|---|");
    for contest in &contests {
        if names.is_empty() || names.iter().any(|name| name == contest.name) {
            contest.hold(rounds);
        }
    }
}

/// The random walk, with every promise asked for after every step.
fn walk_contests(peers: &Peers) -> Vec<Contest> {
    let contest = |sizes: &'static str, others: Vec<Contestant>| {
        let mut contestants = vec![ours("blockrace run loop", move || walk(sizes))];
        let seconds = WALK_SECONDS.to_string();
        let bare = ["walk", sizes, &seconds];
        contestants.push(peers.contestant("bare loop", "stateless", &bare, "check=1", "steps_s"));
        contestants.extend(others);
        Contest {
            name: "walk",
            work: format!("random walk {sizes}"),
            unit: "steps/s",
            contestants,
        }
    };
    let race = "2,1,0,1,0,fixed";
    let shuttle = ["shuttle", "lean", race, "random", "200000"];
    let shuttle = peers.contestant("shuttle", "threads", &shuttle, "shuttle", "steps_s");
    vec![
        contest("3,2,2,1,1,fixed", vec![]),
        contest(race, vec![shuttle]),
    ]
}

/// Steps per second.
fn walk(sizes: &str) -> f64 {
    let toy: GroupedBackup = sizes.parse().expect("the sizes are those of a toy");
    let (mut runner, mut strategy) = (Runner::new(&toy), Random::default());
    let (start, mut steps, mut index) = (Instant::now(), 0, 0);
    while start.elapsed() < Duration::from_secs(WALK_SECONDS) {
        for _ in 0..1024 {
            let outcome = runner.run(&mut strategy, run_seed(0, index), &mut ());
            assert_eq!(outcome.end, End::Rested, "seed {index} of {sizes}");
            steps += outcome.steps;
            index += 1;
        }
    }
    steps as f64 / start.elapsed().as_secs_f64()
}

/// How many executions a stateless search needs, and how fast it does them.
fn stateless_contests(peers: &Peers) -> Vec<Contest> {
    let mut contests = Vec::new();
    for sizes in ["2,1,0,1,0,fixed", "3,1,0,1,0,fixed"] {
        for (unit, key) in [("executions", "execs"), ("executions/s", "execs_s")] {
            let dpor = ["count", sizes, "forced"];
            let loom = ["loom", "lean", sizes];
            let contestants = vec![
                ours("blockrace stateless", move || stateless(sizes, unit)),
                peers.contestant("bare source-DPOR", "stateless", &dpor, "source-dpor", key),
                peers.contestant("loom lean", "threads", &loom, "loom", key),
            ];
            let work = format!("all traces {sizes},forced");
            contests.push(Contest {
                name: "stateless",
                work,
                unit,
                contestants,
            });
        }
    }
    contests
}

/// Executions, in total or per second.
fn stateless(sizes: &str, unit: &str) -> f64 {
    let toy: GroupedBackup = format!("{sizes},forced")
        .parse()
        .expect("the sizes are those of a toy");
    let (start, mut executions, mut explorations) = (Instant::now(), 0, 0);
    while explorations == 0 || start.elapsed() < Duration::from_millis(200) {
        let report = Stateless::of_parts(&toy, Limits::NONE).explore(&mut |_| ());
        assert_eq!((report.blocked, report.first_breach), (0, None));
        executions += report.executions;
        explorations += 1;
    }
    match unit {
        "executions" => executions as f64 / f64::from(explorations),
        _ => executions as f64 / start.elapsed().as_secs_f64(),
    }
}

/// The search through all states: contests of `blockrace`'s stateful search with `bare`,
/// `compiled`, `sr` (Stateright) and SPIN belong here.
fn search_contests(_peers: &Peers) -> Vec<Contest> {
    Vec::new()
}

impl Contest {
    /// Measures everybody in every round, and prints a row of the table for each.
    fn hold(&self, rounds: usize) {
        let mut measures: Vec<Vec<Option<f64>>> = vec![Vec::new(); self.contestants.len()];
        for _ in 0..rounds {
            for (contestant, measures) in self.contestants.iter().zip(&mut measures) {
                measures.push((contestant.measure)());
            }
        }
        let first = measures[0].clone();
        for (contestant, measures) in self.contestants.iter().zip(measures) {
            let pairs = first.iter().zip(&measures);
            let ratios = pairs
                .filter_map(|(ours, theirs)| Some((*ours)? / (*theirs)?))
                .collect();
            let median_of = median(measures.into_iter().flatten().collect());
            let cells = match (median_of, median(ratios)) {
                (Some(measure), Some(ratio)) => format!("{measure:.0} | {ratio:.3}"),
                _ => "skipped | ".to_owned(),
            };
            let Contest {
                name, work, unit, ..
            } = self;
            println!(
                "| {name} | {work} | {unit} | {} | {cells} |",
                contestant.name
            );
        }
    }
}

/// The middle one, or the upper of the two middle ones.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// Where the peers' programs are, if they are anywhere.
struct Peers {
    programs: Option<PathBuf>,
}

impl Peers {
    fn build() -> Peers {
        let folder = env::var_os("BLOCKRACE_PEERS").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/peers"),
            PathBuf::from,
        );
        let target = env::var_os("PEERS_TARGET")
            .map_or_else(|| env::temp_dir().join("peers-target"), PathBuf::from);
        let manifest = folder.join("rust/Cargo.toml");
        if !manifest.exists() {
            eprintln!("no peers at {}: they are skipped", folder.display());
            return Peers { programs: None };
        }
        let built = Command::new("cargo")
            .args(["build", "--release", "--manifest-path"])
            .arg(&manifest)
            .env("CARGO_TARGET_DIR", &target)
            .status();
        let built = built.is_ok_and(|status| status.success());
        Peers {
            programs: built.then(|| target.join("release")),
        }
    }

    /// A contestant that is a program of the peers. What it measures is in its first line that
    /// begins with `RESULT` and speaks of `tool`, behind `key=`.
    fn contestant(
        &self,
        name: &str,
        program: &str,
        arguments: &[&str],
        tool: &'static str,
        key: &'static str,
    ) -> Contestant {
        let program = self
            .programs
            .as_ref()
            .map(|programs| programs.join(program));
        let arguments: Vec<String> = arguments.iter().map(|&argument| argument.into()).collect();
        let measure = move || {
            let run = Command::new(program.as_ref()?)
                .args(&arguments)
                .stderr(Stdio::null())
                .output();
            result(&String::from_utf8_lossy(&run.ok()?.stdout), tool, key)
        };
        Contestant {
            name: name.to_owned(),
            measure: Box::new(measure),
        }
    }
}

/// The number behind `key=` in the first result that speaks of `tool`.
fn result(output: &str, tool: &str, key: &str) -> Option<f64> {
    let line = output
        .lines()
        .find(|line| line.starts_with("RESULT") && line.contains(tool))?;
    let value = line
        .split(' ')
        .find_map(|field| field.strip_prefix(key)?.strip_prefix('='))?;
    value.parse().ok()
}
