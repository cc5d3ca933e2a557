//! `blockrace fuzz`: many seeds, every expectation checked on each.

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use model::dialect::Dialect;
use scenarios::scene::Scene;
use serde_json::json;
use sim::fuzz::{Campaign, Control, Failure, Report, fuzz};
use sim::run::End;

use crate::cli::{Format, FuzzArgs};
use crate::exit::Exit;
use crate::stage::{self, Loaded, STEPS_MAX};

/// Plays the scenarios.
///
/// # Errors
/// What to print: a scenario that cannot be used.
pub fn run(args: &FuzzArgs) -> Result<Exit, String> {
    let stories = stage::load_all(&args.scenarios)?;
    let mut scenes: Vec<(&Loaded, &'static Dialect, Scene)> = Vec::new();
    for loaded in &stories {
        for dialect in stage::dialects(args.dialect) {
            scenes.push((loaded, dialect, stage::scene(loaded, dialect)?));
        }
    }
    if scenes.is_empty() || args.seeds.is_empty() {
        eprintln!("blockrace: nothing to check: no scenario, or no seed in the range");
        return Ok(Exit::NothingChecked);
    }
    let jobs = args
        .jobs
        .or_else(|| thread::available_parallelism().ok())
        .unwrap_or(NonZeroUsize::MIN);
    let control = Arc::new(Control::default());
    let interrupted = Arc::clone(&control);
    // A second handler, or none, changes nothing but that Ctrl-C ends the process at once.
    let _ = ctrlc::set_handler(move || interrupted.interrupt.store(true, Relaxed));

    let width = scenes
        .iter()
        .map(|(loaded, ..)| loaded.name.len())
        .max()
        .unwrap_or(0);
    let mut worst = Exit::Clean;
    let (mut runs, mut seconds) = (0, 0.0);
    for (loaded, dialect, scene) in &scenes {
        let campaign = Campaign {
            root: args.root,
            runs: args.seeds.clone(),
            strategy: &|| stage::new_strategy(&args.strategy),
            steps_max: STEPS_MAX,
            stop_at_failure: true,
            jobs,
        };
        let started = Instant::now();
        control.runs_done.store(0, Relaxed);
        let report = with_progress(loaded, dialect, args, &control, || {
            fuzz(scene, &campaign, &control)
        });
        runs += report.runs;
        seconds += started.elapsed().as_secs_f64();
        let mut out = anstream::stdout().lock();
        crate::written(match args.format {
            Format::Human => print_human(&mut out, width, loaded, dialect, args, &report),
            Format::Json => print_json(&mut out, loaded, dialect, &report),
        })?;
        worst = worst.max(exit_of(&report));
        if report.interrupted {
            break;
        }
    }
    eprintln!(
        "{runs} runs in {seconds:.1} s: {:.0} runs/s",
        runs as f64 / f64::max(seconds, 1e-9)
    );
    Ok(worst)
}

fn exit_of(report: &Report) -> Exit {
    match &report.first_failure {
        Some(failure) => Exit::of_run(&failure.outcome.end),
        None if report.interrupted || report.unrested > 0 => Exit::Inconclusive,
        None if report.runs == 0 => Exit::NothingChecked,
        None => Exit::Clean,
    }
}

/// Runs the campaign while a bar (on a terminal) shows how far it is.
fn with_progress(
    loaded: &Loaded,
    dialect: &Dialect,
    args: &FuzzArgs,
    control: &Control,
    campaign: impl FnOnce() -> Report + Send,
) -> Report {
    let runs = args.seeds.end - args.seeds.start;
    let bar = ProgressBar::with_draw_target(Some(runs), ProgressDrawTarget::stderr());
    if let Ok(style) =
        ProgressStyle::with_template("{msg} [{bar:30}] {human_pos}/{human_len} {per_sec} {eta}")
    {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_message(format!("{} {dialect}", loaded.name));
    thread::scope(|scope| {
        let worker = scope.spawn(campaign);
        while !worker.is_finished() {
            bar.set_position(control.runs_done.load(Relaxed).min(runs));
            thread::sleep(Duration::from_millis(20));
        }
        bar.finish_and_clear();
        worker
            .join()
            .unwrap_or_else(|payload| std::panic::resume_unwind(payload))
    })
}

fn print_human(
    out: &mut impl Write,
    width: usize,
    loaded: &Loaded,
    dialect: &Dialect,
    args: &FuzzArgs,
    report: &Report,
) -> io::Result<()> {
    let (name, runs, steps) = (&loaded.name, report.runs, report.steps);
    let word = match (&report.first_failure, report.interrupted) {
        (Some(_), _) => "BREACH",
        (None, true) => "INTERRUPTED",
        (None, false) if report.unrested > 0 => "UNKNOWN",
        (None, false) => "clean",
    };
    writeln!(
        out,
        "{name:<width$}  QEMU {dialect:<5} {runs:>9} runs  {steps:>12} steps  {word}"
    )?;
    if let Some(failure) = &report.first_failure {
        print_failure(out, loaded, dialect, args, failure)?;
    }
    Ok(())
}

fn print_failure(
    out: &mut impl Write,
    loaded: &Loaded,
    dialect: &Dialect,
    args: &FuzzArgs,
    failure: &Failure,
) -> io::Result<()> {
    match &failure.outcome.end {
        End::Breached(breach) => writeln!(out, "  BREACH  {breach}")?,
        end => writeln!(out, "  {end:?}")?,
    }
    let root = if args.root == 0 {
        String::new()
    } else {
        format!(" --root {}", args.root)
    };
    let (steps, index) = (failure.outcome.steps, failure.index);
    writeln!(out, "          after {steps} steps of seed {index}")?;
    writeln!(
        out,
        "  again   blockrace run {} --dialect {dialect} --seed {index}{root}",
        loaded.name
    )
}

fn print_json(
    out: &mut impl Write,
    loaded: &Loaded,
    dialect: &Dialect,
    report: &Report,
) -> io::Result<()> {
    let failure = report.first_failure.as_ref().map(|failure| {
        let message = match &failure.outcome.end {
            End::Breached(breach) => breach.to_string(),
            end => format!("{end:?}"),
        };
        json!({"seed": failure.index, "steps": failure.outcome.steps, "message": message})
    });
    let row = json!({
        "scenario": loaded.name,
        "dialect": dialect.name,
        "runs": report.runs,
        "steps": report.steps,
        "unrested": report.unrested,
        "interrupted": report.interrupted,
        "digest": format!("{:032x}", report.digest),
        "failure": failure,
    });
    writeln!(out, "{row}")
}
