//! `blockrace stress`: stories on real threads, whose orders the machine chooses.
//!
//! It is the one command whose result is not a function of its arguments. What it finds in minutes, `check` finds in
//! so many states: that is what it is for.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use scenarios::locks;
use sim::Breach;
use sim::threads::{self, Options, Planted};

use crate::cli::StressArgs;
use crate::exit::Exit;
use crate::stage::{self, STEPS_MAX, Staged};
use crate::terminal;
use crate::watch::Watch;

/// What came of one story.
struct Told {
    runs: u64,
    /// Runs that were cut off, as they did not end.
    cut: u64,
    took: Duration,
    breach: Option<Breach>,
}

/// Plays the scenarios.
///
/// # Errors
/// What to print: a scenario that cannot be used, or threads that cannot be had.
pub fn run(args: &StressArgs) -> Result<Exit, String> {
    let (stories, dialects) = stage::cast(&args.scenarios, &args.qemu)?;
    let stages = stage::stages(&stories, &dialects)?;
    if stages.is_empty() {
        eprintln!("blockrace: nothing to check: no scenario");
        return Ok(Exit::NothingChecked);
    }
    let (width, count) = (stage::width_of_names(&stages), stages.len());
    let watch = Watch::new(Some(args.time));
    let mut worst = Exit::Clean;
    for (number, staged) in stages.into_iter().enumerate() {
        let name = format!(
            "{:<width$}  {:<4}",
            staged.loaded.name,
            staged.dialect.to_string()
        );
        let until = watch.share_of_time(count - number);
        let told = play(staged, args, &watch, until)?;
        worst = worst.worse(exit_of(&told));
        crate::written(writeln!(terminal::out(true), "{name}  {}", text_of(&told)))?;
        if watch.is_interrupted() {
            worst = worst.worse(Exit::Inconclusive);
            break;
        }
    }
    let legend = "chance decided in which order the threads took their locks: another call may say otherwise";
    crate::written(writeln!(terminal::out(true), "{legend}"))?;
    Ok(worst)
}

fn play(
    staged: Staged<'_>,
    args: &StressArgs,
    watch: &Watch,
    until: Option<Instant>,
) -> Result<Told, String> {
    let scene = Arc::new(staged.scene);
    let options = Options {
        teams: locks::dealt(args.threads.get()),
        planted: Planted::Nothing,
        coins: 1,
        steps_max: usize::try_from(STEPS_MAX).unwrap_or(usize::MAX),
    };
    let started = Instant::now();
    let (mut runs, mut cut, mut breach) = (0, 0, None);
    let is_late = || until.is_some_and(|until| Instant::now() >= until);
    while breach.is_none() && !watch.is_interrupted() && (runs == 0 || !is_late()) {
        let run = threads::run(&scene, &options)
            .map_err(|error| format!("there are no threads to be had: {error}"))?;
        runs += 1;
        cut += u64::from(run.is_cut);
        breach = run.breach;
    }
    Ok(Told {
        runs,
        cut,
        took: started.elapsed(),
        breach,
    })
}

fn exit_of(told: &Told) -> Exit {
    match told.breach {
        Some(_) => Exit::Violated,
        None if told.runs == 0 || told.cut > 0 => Exit::Inconclusive,
        None => Exit::Clean,
    }
}

fn text_of(told: &Told) -> String {
    let seconds = told.took.as_secs_f64();
    let speed = told.runs as f64 / f64::max(seconds, 1e-9);
    match &told.breach {
        Some(breach) => format!(
            "VIOLATED in run {} after {seconds:.2} s: {breach}",
            told.runs
        ),
        None if told.cut > 0 => format!("{} of {} runs did not end", told.cut, told.runs),
        None => format!("clean in {} runs, {speed:.0} runs/s", told.runs),
    }
}
