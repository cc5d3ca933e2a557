//! `blockrace bugs`: plants every bug of the catalogue, and says how hard each is to find.
//!
//! By search: how many states until a promise is broken, and how short the schedule is that breaks it. By chance: how
//! many runs of a campaign under each strategy. Without the bug its story keeps every promise (`check` without
//! `--mutation` shows that), so whatever a run breaks, it has caught the bug; the search must find the very promise
//! that the bug's row names.

mod kept;
mod promises;
mod report;
pub mod row;

use std::io::Write;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use model::dialect::Dialect;
use model::mutation::{MUTATIONS, Mutation};
use scenarios::scene::{Scene, Step};
use serde_json::json;
use sim::median::Median;
use sim::search::{self, EVERY_RUN_RESTS, Limit, Options, Verdict, search};
use sim::trials::{self, Maker, Runs, Trial, Trials, trials};

use self::kept::Kept;
use self::report::{Row, Schedules, Table};
use crate::checkpoint;
use crate::cli::BugsArgs;
use crate::exit::Exit;
use crate::output::Output;
use crate::progress::{self, Figures, Progress, Summary};
use crate::stage;
use crate::terminal;
use crate::watch::{self, Watch};

/// No story has as many states without a bug; a bug may make them endless.
const STATES_MAX: u64 = 1_000_000;
/// A run with more steps is ended: many times what a story takes, though a bug may make it endless.
const STEPS_MAX: u64 = 100_000;

/// Prints the scoreboard, or what each promise is good for.
///
/// # Errors
/// What to print: a row of the catalogue whose story or dialect is not there, which would be our mistake.
pub fn run(args: &BugsArgs, output: &mut Output) -> Result<Exit, String> {
    let session = Session::new(args);
    if args.promises {
        return promises::run(args, &session, output);
    }
    if args.roots_of_part().is_empty() {
        eprintln!("blockrace: nothing to check: no root seed in that part");
        return Ok(Exit::NothingChecked);
    }
    let bugs = asked(args);
    let mut kept = Kept::begin(args)?;
    let started = Instant::now();
    let mut table = Table::new(args, &bugs);
    let print = |print: &dyn Fn(&mut dyn Write) -> std::io::Result<()>| {
        crate::written(print(&mut terminal::out(true)))
    };
    if output.is_human() {
        print(&|out| table.print_heading(out))?;
    }
    for bug in &bugs {
        let done = kept.as_ref().and_then(|kept| kept.row(bug));
        let row = match done {
            Some(row) => row,
            None => session.row(args, bug)?,
        };
        if let Some(kept) = &mut kept {
            kept.add(&row);
        }
        output.row(json!(table.row(&row)))?;
        if output.is_human() {
            print(&|out| table.print_row(out, &row))?;
        }
        output.case(row.case());
        let ended = row.exit() == Exit::Inconclusive;
        table.rows.push(row);
        if ended {
            break;
        }
    }
    if output.is_human() {
        print(&|out| table.print_summary(out))?;
    }
    let (runs, states) = (table.runs(), table.states());
    let seconds = started.elapsed().as_secs_f64();
    let memory = Summary::default().words();
    progress::summary(&format!(
        "{states} states and {runs} runs{memory} in {seconds:.1} s"
    ));
    if session.watch.is_over() {
        checkpoint::tell_of_resume(&args.checkpoint);
    }
    Ok(table.exit())
}

/// The bugs that were named, in the order of the catalogue; all if none was.
fn asked(args: &BugsArgs) -> Vec<&'static Mutation> {
    let is_asked = |bug: &&Mutation| {
        args.names.is_empty() || args.names.iter().any(|asked| asked.name == bug.name)
    };
    MUTATIONS.iter().filter(is_asked).collect()
}

/// What a story's own expectations are called where a promise is named.
const EXPECTATION: &str = "expectation";

/// What all bugs of one call have in common.
struct Session {
    jobs: NonZeroUsize,
    watch: Watch,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Found {
    /// This promise is broken, and by no schedule with fewer steps.
    Breach(&'static str, usize),
    /// No promise is.
    Nothing,
    /// None is within [`STATES_MAX`] states.
    TooMany,
    /// Time, or somebody's patience, was over.
    Ended,
    /// A mistake of blockrace's own: what the panic said.
    Panic(String),
}

/// What came of a search.
struct Looked {
    found: Found,
    /// How many states were visited.
    states: u64,
    /// How long it took.
    seconds: f64,
}

impl Session {
    fn new(args: &BugsArgs) -> Session {
        Session {
            jobs: watch::workers(args.jobs),
            watch: Watch::new(args.max_time),
        }
    }

    /// Everything about one bug.
    fn row(&self, args: &BugsArgs, bug: &'static Mutation) -> Result<Row, String> {
        let scene = scene(bug, dialect(bug)?)?;
        let looked = self.search(&scene, bug.name, true);
        let mut row = Row {
            bug,
            looked,
            schedules: None,
        };
        // A run that does not end shows nothing by itself.
        if !args.no_schedules && row.is_found() && bug.breaks != EVERY_RUN_RESTS {
            match survive(|| self.schedules(args, &scene, bug.name)) {
                Ok(schedules) => row.schedules = Some(schedules),
                Err(message) => row.looked.found = Found::Panic(message),
            }
        }
        Ok(row)
    }

    /// Looks at every interleaving, the shortest first; with `cycles`, also for one that need never end.
    fn search(&self, scene: &Scene, name: &str, cycles: bool) -> Looked {
        let options = Options {
            cycles,
            jobs: self.jobs,
            states_max: STATES_MAX,
            ..Options::default()
        };
        let control = search::Control::default();
        let started = Instant::now();
        let until = self.watch.share_of_time(1);
        let progress = Progress::new(name, None, until);
        let look = || progress.show(&progress::of_search(&control));
        let report = survive(|| {
            self.watch.over(until, &control.interrupt, look, || {
                search(scene, &options, &control)
            })
        });
        drop(progress);
        let (found, states) = match report {
            Ok(report) => (found(&report.verdict), report.states),
            Err(message) => (Found::Panic(message), control.states.load(Relaxed)),
        };
        Looked {
            found,
            states,
            seconds: started.elapsed().as_secs_f64(),
        }
    }

    /// How many runs each strategy needs.
    fn schedules(&self, args: &BugsArgs, scene: &Scene, name: &str) -> Schedules {
        let makers: Vec<_> = args
            .strategy
            .iter()
            .map(|spec| spec.maker(scene, STEPS_MAX))
            .collect();
        let makers: Vec<&Maker> = makers.iter().map(|maker| maker as &Maker).collect();
        let plan = Trials {
            strategies: &makers,
            roots: args.roots_of_part(),
            runs_max: args.max_schedules.get(),
            steps_max: STEPS_MAX,
            jobs: self.jobs,
        };
        let control = trials::Control::default();
        let campaigns = (plan.roots.end - plan.roots.start) * makers.len() as u64;
        let until = self.watch.share_of_time(1);
        let progress = Progress::new(name, Some(campaigns), until);
        let look = || progress.show(&Figures::done("campaigns", control.done.load(Relaxed)));
        let done = self.watch.over(until, &control.interrupt, look, || {
            trials(scene, &plan, &control)
        });
        drop(progress);
        match done {
            Some(done) => {
                let of_strategy = |trials| {
                    Schedule::of(trials).expect("internal bug: there is at least one root seed")
                };
                Schedules::Done(done.into_iter().map(of_strategy).collect())
            }
            None => Schedules::Ended,
        }
    }
}

fn found(verdict: &Verdict<Step>) -> Found {
    match verdict {
        Verdict::Verified => Found::Nothing,
        Verdict::Broken(found) => {
            let steps = found.steps.len() + found.cycle.len();
            Found::Breach(found.breach.property, steps)
        }
        Verdict::Inconclusive(Limit::Interrupt) => Found::Ended,
        Verdict::Inconclusive(_) => Found::TooMany,
    }
}

/// The dialect in which a bug shows, with the bug in it.
fn dialect(bug: &Mutation) -> Result<&'static Dialect, String> {
    Ok(bug.dialect.parse::<&Dialect>()?.with(bug))
}

/// The story in which a bug shows, on the stage of a dialect.
fn scene(bug: &Mutation, dialect: &'static Dialect) -> Result<Scene, String> {
    stage::scene(&stage::load(bug.story)?, dialect)
}

/// Does `work`, or says what the panic in it said: a mistake of ours with one bug is no reason not to try the others.
fn survive<R>(work: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(work))
        .map_err(|payload| crate::panic_message(&*payload).to_owned())
}

/// What came of all root seeds of one strategy.
struct Schedule {
    /// How many runs until the first that breaks a promise.
    median: Median<Runs>,
    /// How many root seeds were given up.
    given_up: usize,
    /// Which promises were broken first, and for how many of the root seeds.
    promises: Vec<(&'static str, usize)>,
    /// How many runs that were together.
    runs: u64,
    /// What came of each root seed.
    trials: Vec<Trial>,
}

impl Schedule {
    /// That of these root seeds; nothing without any.
    fn of(trials: Vec<Trial>) -> Option<Schedule> {
        let runs: Vec<Runs> = trials.iter().map(|trial| trial.runs).collect();
        let mut promises: Vec<(&str, usize)> = Vec::new();
        for property in trials.iter().filter_map(|trial| trial.property) {
            match promises.iter_mut().find(|(known, _)| *known == property) {
                Some((_, count)) => *count += 1,
                None => promises.push((property, 1)),
            }
        }
        promises.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), *name));
        Some(Schedule {
            median: Median::of(&runs)?,
            given_up: trials
                .iter()
                .filter(|trial| trial.property.is_none())
                .count(),
            promises,
            runs: runs
                .iter()
                .map(|runs| runs.done())
                .fold(0, u64::saturating_add),
            trials,
        })
    }

    /// Whether no root seed has found the bug.
    fn is_blind(&self) -> bool {
        self.promises.is_empty()
    }
}
