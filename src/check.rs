//! `blockrace check`: every interleaving of a scenario, and the shortest schedule that breaks a promise.

mod report;

use std::io::Write;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use model::dialect::Dialect;
use model::property::PROPERTIES;
use scenarios::scene::{Scene, Step};
use sim::System;
use sim::schedule::Schedule;
use sim::search::{Control, Counterexample, Keep, Options, Order, Verdict, search};
use sim::stateless::{Limits, Stateless};

use self::report::{Broken, Covered, Told};
use crate::cli::{CheckArgs, Format, KeepArg, OrderArg};
use crate::counterexample::{self, Found};
use crate::exit::Exit;
use crate::fuzz::failures::{self, Known, State};
use crate::stage::{self, Loaded};
use crate::watch::Watch;

/// Searches the scenarios.
///
/// # Errors
/// What to print: a scenario that cannot be used, options that do not go together, a counterexample that cannot be
/// kept.
pub fn run(args: &CheckArgs) -> Result<Exit, String> {
    refuse_contradictions(args)?;
    let stories = stage::load_all(&args.scenarios)?;
    let mut scenes: Vec<(&Loaded, &'static Dialect, Scene)> = Vec::new();
    for loaded in &stories {
        for dialect in stage::dialects(args.dialect) {
            scenes.push((loaded, dialect, stage::scene(loaded, dialect)?));
        }
    }
    if scenes.is_empty() {
        eprintln!("blockrace: nothing to check: no scenario");
        return Ok(Exit::NothingChecked);
    }
    let names = scenes.iter().map(|(loaded, ..)| loaded.name.len());
    let width = names.max().unwrap_or(0);
    let session = Session::new(args)?;
    let mut worst = Exit::Clean;
    let (mut states, started) = (0, Instant::now());
    for (number, (loaded, dialect, scene)) in scenes.iter().enumerate() {
        let until = session.watch.share_of_time(scenes.len() - number);
        let told = session.check(loaded, dialect, scene, until);
        states += told.covered.count();
        let mut out = anstream::stdout().lock();
        crate::written(match args.format {
            Format::Human => told.print(&mut out, width),
            Format::Json => told.print_json(&mut out),
        })?;
        session.show(&mut out, &told, scene)?;
        worst = worst.worse(told.exit());
        if session.watch.is_interrupted() {
            break;
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    eprintln!(
        "{states} {} in {seconds:.1} s: {:.0} a second",
        match args.order {
            OrderArg::Stateless => "traces",
            OrderArg::Breadth | OrderArg::Depth => "states",
        },
        states as f64 / f64::max(seconds, 1e-9)
    );
    Ok(worst)
}

/// Options that one way of searching would have to ignore are an error.
fn refuse_contradictions(args: &CheckArgs) -> Result<(), String> {
    let depth = args.order == OrderArg::Depth;
    let stateless = args.order == OrderArg::Stateless;
    let refused = [
        (
            depth && args.max_depth.is_some(),
            "--order depth and --max-depth: depth first, a state's depth is not the least",
        ),
        (
            depth && args.jobs.is_some_and(|jobs| jobs.get() > 1),
            "--order depth and --jobs: the newest state is one, so there is work for one",
        ),
        (
            stateless && args.keep == KeepArg::Fingerprints,
            "--order stateless and --keep: no state is kept",
        ),
        (
            stateless && args.no_reduction,
            "--order stateless and --no-reduction: without a visited set, every order of every step would be tried",
        ),
        (
            stateless && args.jobs.is_some_and(|jobs| jobs.get() > 1),
            "--order stateless and --jobs: each schedule follows from the one before",
        ),
        (
            stateless && args.max_memory.is_some(),
            "--order stateless and --max-memory: no state is kept",
        ),
    ];
    match refused.into_iter().find(|(is_so, _)| *is_so) {
        Some((_, why)) => Err(format!("these do not go together: {why}")),
        None => Ok(()),
    }
}

/// What all scenarios of one call have in common.
struct Session<'a> {
    args: &'a CheckArgs,
    options: Options,
    /// Failures of earlier calls.
    known: Vec<Known>,
    watch: Watch,
}

impl<'a> Session<'a> {
    fn new(args: &'a CheckArgs) -> Result<Session<'a>, String> {
        let jobs = args.jobs.or_else(|| thread::available_parallelism().ok());
        let jobs = jobs.unwrap_or(NonZeroUsize::MIN);
        let order = match args.order {
            OrderArg::Breadth | OrderArg::Stateless => Order::Breadth,
            OrderArg::Depth => Order::Depth,
        };
        let options = Options {
            order,
            keep: match args.keep {
                KeepArg::Rows => Keep::Rows,
                KeepArg::Fingerprints => Keep::Fingerprints,
            },
            reduce: !args.no_reduction,
            cycles: !args.no_cycles,
            jobs: if order == Order::Depth {
                NonZeroUsize::MIN
            } else {
                jobs
            },
            states_max: args.max_states.map_or(u64::MAX, u64::from),
            depth_max: args.max_depth.unwrap_or(u64::MAX),
            bytes_max: args.max_memory.unwrap_or(u64::MAX),
        };
        Ok(Session {
            args,
            options,
            known: match args.failures() {
                Some(folder) => failures::load(folder)?,
                None => Vec::new(),
            },
            watch: Watch::new(args.max_time),
        })
    }

    /// Tries the known failures again, then everything.
    fn check<'b>(
        &self,
        loaded: &'b Loaded,
        dialect: &'static Dialect,
        scene: &Scene,
        until: Option<Instant>,
    ) -> Told<'b> {
        let known = self
            .known
            .iter()
            .filter(|known| known.belongs_to(loaded, dialect));
        let known = known
            .filter(|known| matches!(known.try_again(scene), State::Fails(_)))
            .map(|known| known.file.clone())
            .collect();
        let started = Instant::now();
        let (covered, broken) = match self.args.order {
            OrderArg::Stateless => self.explore(loaded, dialect, scene, until),
            OrderArg::Breadth | OrderArg::Depth => self.search(loaded, dialect, scene, until),
        };
        Told {
            loaded,
            dialect,
            known,
            missed: missed(loaded, scene, &covered),
            covered,
            broken,
            seconds: started.elapsed().as_secs_f64(),
            fingerprints: self.args.keep == KeepArg::Fingerprints,
        }
    }

    /// One schedule for each class of equivalent ones.
    fn explore(
        &self,
        loaded: &Loaded,
        dialect: &Dialect,
        scene: &Scene,
        until: Option<Instant>,
    ) -> (Covered, Option<Broken>) {
        let interrupt = AtomicBool::new(false);
        let limits = Limits {
            executions_max: self.options.states_max,
            depth_max: usize::try_from(self.options.depth_max).unwrap_or(usize::MAX),
            stop_at_breach: true,
            interrupt: Some(&interrupt),
            ..Limits::NONE
        };
        let bar = bar();
        bar.set_message(format!(
            "{} {dialect}: one schedule for each trace",
            loaded.name
        ));
        let report = self.watch.over(
            until,
            &interrupt,
            || bar.tick(),
            || Stateless::of_parts(scene, limits).explore(&mut |_| {}),
        );
        bar.finish_and_clear();
        let broken = report.first_breach.clone().map(|found| Broken {
            breach: found.breach,
            schedule: found.schedule,
            shortest: false,
        });
        (Covered::Traces(report), broken)
    }

    fn search(
        &self,
        loaded: &Loaded,
        dialect: &Dialect,
        scene: &Scene,
        until: Option<Instant>,
    ) -> (Covered, Option<Broken>) {
        let control = Control::default();
        let bar = bar();
        let look = || {
            bar.set_message(format!(
                "{} {dialect}: depth {}, {} states, {} waiting",
                loaded.name,
                control.depth.load(Relaxed),
                control.states.load(Relaxed),
                control.frontier.load(Relaxed),
            ));
        };
        let report = self.watch.over(until, &control.interrupt, look, || {
            search(scene, &self.options, &control)
        });
        bar.finish_and_clear();
        let broken = match &report.verdict {
            Verdict::Broken(found) => Some(Broken {
                breach: found.breach.clone(),
                schedule: schedule_of(scene, found),
                shortest: found.shortest,
            }),
            Verdict::Verified | Verdict::Inconclusive(_) => None,
        };
        (Covered::States(report), broken)
    }

    /// Keeps a counterexample, and shows it to people.
    fn show(&self, out: &mut impl Write, told: &Told<'_>, scene: &Scene) -> Result<(), String> {
        let Some(broken) = &told.broken else {
            return Ok(());
        };
        let (scenario, dialect) = (&told.loaded.name, told.dialect);
        let again = format!("blockrace check {scenario} --dialect {dialect}");
        let found = Found {
            loaded: told.loaded,
            dialect,
            scene,
            schedule: &broken.schedule,
            breach: &broken.breach,
            found_by: "check",
            again,
        };
        let is_human = self.args.format == Format::Human;
        let options = counterexample::Options {
            folder: self.args.failures(),
            shrink_time: match found.breach.property {
                // The way into a cycle is no shorter for its end.
                sim::search::EVERY_RUN_RESTS => Duration::ZERO,
                _ => self.args.shrink_time,
            },
            interrupted: &|| self.watch.is_interrupted(),
            sentence: &sentence,
        };
        if is_human {
            counterexample::keep_and_show(out, &found, &options).map(|_| ())
        } else {
            counterexample::keep_and_show(&mut std::io::sink(), &found, &options).map(|_| ())
        }
    }
}

/// Shows how far a search is, on a terminal.
fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{msg} {elapsed}") {
        bar.set_style(style);
    }
    bar
}

/// What a property promises.
pub fn sentence(property: &str) -> Option<String> {
    let row = PROPERTIES.iter().find(|row| row.id == property)?;
    Some(row.says.to_owned())
}

/// The witnesses that the story must reach and the search has not met, if it has met everything.
fn missed(loaded: &Loaded, scene: &Scene, covered: &Covered) -> Vec<String> {
    if !covered.is_all() {
        return Vec::new();
    }
    let names = scene.witnesses();
    let is_met = |wanted: &&String| {
        let index = names.iter().position(|name| name == wanted);
        index.is_some_and(|index| covered.witnessed() >> index & 1 == 1)
    };
    let wanted = loaded.story.witnesses.iter();
    wanted.filter(|wanted| !is_met(wanted)).cloned().collect()
}

/// The steps by name.
fn schedule_of(scene: &Scene, found: &Counterexample<Step>) -> Schedule {
    let (mut schedule, mut moment) = (Schedule::new(), scene.initial());
    for step in found.steps.iter().chain(&found.cycle) {
        schedule.push(scene.name(&moment, *step));
        scene.apply(&mut moment, *step, &mut Vec::new());
    }
    schedule
}
