//! The same protocol in blockrace and in its peers, in one go: `cargo bench -p blockrace-sim --bench peers`.
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
use sim::search::{Control, Options, Verdict, search};
use sim::seed::run_seed;
use sim::stateless::{Limits, Stateless};
use sim::strategy::Random;
use sim::toys::GroupedBackup;
use std::env;
use std::num::NonZeroUsize;
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
        let asked = names.iter().any(|name| name == contest.name);
        if asked || names.is_empty() && contest.name != "large" {
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

/// The search through all states, exact, and what one state takes. `large` is for those who ask for
/// it: it takes minutes.
fn search_contests(peers: &Peers) -> Vec<Contest> {
    let mut contests = Vec::new();
    for (name, sizes, log2) in [
        ("search", "3,2,2,1,1,fixed", "log2=24"),
        ("large", "3,3,2,1,1,fixed", "log2=27"),
    ] {
        let searched = move |jobs, reduce| searched(sizes, jobs, reduce);
        let compiled = [sizes, log2, "slot=8", "pf=16", "t=1", "por=0"];
        let spin = [sizes, "", "-DNOREDUCE -DMEMLIM=18000", "-m100000 -w27"];
        let bfs = |jobs: &'static str| [sizes, "bfs", jobs, "packed"];
        let states = |search: Searched| search.states / search.seconds;
        contests.push(Contest {
            name,
            work: format!("all states {sizes}"),
            unit: "states/s",
            contestants: vec![
                ours("blockrace, 1 worker", move || states(searched(1, false))),
                ours("blockrace, 2 workers", move || states(searched(2, false))),
                peers.contestant(
                    "Stateright BFS, 1 worker",
                    "sr",
                    &bfs("1"),
                    "stateright",
                    "states_s",
                ),
                peers.contestant(
                    "Stateright BFS, 2 workers",
                    "sr",
                    &bfs("2"),
                    "stateright",
                    "states_s",
                ),
                peers.contestant(
                    "hand-compiled",
                    "compiled",
                    &compiled,
                    "compiled",
                    "states_s",
                ),
                peers.script("SPIN", "spin/spin.sh", &spin, "spin", "states_s"),
            ],
        });
        contests.push(Contest {
            name,
            work: format!("all states {sizes}"),
            unit: "bytes/state",
            contestants: vec![ours("blockrace, as it counts", move || {
                let search = searched(1, false);
                search.bytes / search.states
            })],
        });
        contests.push(Contest {
            name,
            work: format!("the verdict on {sizes}"),
            unit: "verdicts/s",
            contestants: vec![
                ours("blockrace, reduced", move || {
                    1.0 / searched(1, true).seconds
                }),
                ours("blockrace, not reduced", move || {
                    1.0 / searched(1, false).seconds
                }),
            ],
        });
    }
    contests
}

struct Searched {
    states: f64,
    bytes: f64,
    seconds: f64,
}

fn searched(sizes: &str, jobs: usize, reduce: bool) -> Searched {
    let toy: GroupedBackup = sizes.parse().expect("the sizes are those of a toy");
    let options = Options {
        reduce,
        jobs: NonZeroUsize::new(jobs).expect("somebody works"),
        ..Options::default()
    };
    let start = Instant::now();
    let report = search(&toy, &options, &Control::default());
    assert_eq!(report.verdict, Verdict::Verified, "{sizes}");
    Searched {
        states: report.states as f64,
        bytes: report.bytes as f64,
        seconds: start.elapsed().as_secs_f64(),
    }
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
    /// Where the programs are.
    programs: Option<PathBuf>,
    /// Where the peers' own folder is.
    folder: PathBuf,
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
            return Peers {
                programs: None,
                folder,
            };
        }
        let built = Command::new("cargo")
            .args(["build", "--release", "--manifest-path"])
            .arg(&manifest)
            .env("CARGO_TARGET_DIR", &target)
            .status();
        let built = built.is_ok_and(|status| status.success());
        Peers {
            programs: built.then(|| target.join("release")),
            folder,
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
        let programs = self.programs.as_ref();
        let program = programs.map(|programs| programs.join(program));
        Peers::measured(name, program, arguments, tool, key)
    }

    /// As [`Peers::contestant`], by a script in the peers' folder.
    fn script(
        &self,
        name: &str,
        script: &str,
        arguments: &[&str],
        tool: &'static str,
        key: &'static str,
    ) -> Contestant {
        Peers::measured(name, Some(self.folder.join(script)), arguments, tool, key)
    }

    fn measured(
        name: &str,
        program: Option<PathBuf>,
        arguments: &[&str],
        tool: &'static str,
        key: &'static str,
    ) -> Contestant {
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
