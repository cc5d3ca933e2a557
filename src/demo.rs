//! `blockrace demo`: a race that QEMU once lost, found, made small and explained.
//!
//! The bug is one of the catalogue's. Nobody looks at the promise that catches it where it begins, so that the picture
//! shows what a client saw of it: a backup that ends well beside one that failed. All of it is work that is counted in
//! seeds and replays, so it prints the same everywhere.

use std::io::{self, Write};
use std::time::Duration;

use anstream::adapter::strip_str;
use anstyle::Style;
use clap::Args;
use model::dialect::{Dialect, QEMU_10_0};
use model::mutation::Mutation;
use scenarios::load;
use scenarios::scene::Scene;
use sim::Breach;
use sim::run::{End, Recorder, Runner};
use sim::schedule::Schedule;
use sim::search::{Control, Options, Verdict, search};
use sim::seed::run_seed;
use sim::strategy::Spec;

use crate::counterexample::{self, Found};
use crate::exit::Exit;
use crate::stage::{self, Loaded, STEPS_MAX};

/// What is played.
const STORY: &str = include_str!("demo/two-disks.yaml");
/// What it is called.
const NAME: &str = "two-disks.yaml";
/// The bug that is planted.
const BUG: &str = "start-in-prepare";
/// A seed beyond these would be a mistake of ours.
const SEEDS_MAX: u64 = 1_000;
/// The widest line that is printed.
const WIDTH: usize = 80;

/// What the picture shows, in words. A test holds the two against each other.
const EXPLANATION: &str = "\
  One transaction backs up disks a and b: both as of one instant, or neither.
  Disk a has nothing to copy. With the bug, its job starts while the command is
  still being prepared, and is done before the job of b has joined the group.
  So it sees itself as the group's only member, and completes. Then b cannot be
  read, and fails: the client was told that a is backed up, and half of its set
  is missing. Whether that happens is a matter of microseconds. QEMU mended it
  in 2.8, by jobs that are created in prepare and started in commit.
";

const NEXT: &str = "\
  blockrace demo --story > race.yaml           the scenario: 30 lines of YAML
  blockrace check race.yaml                    every interleaving of it
  blockrace check race.yaml --mutation start-in-prepare
                                               the bug, caught where it begins
  blockrace list mutations                     the other bugs to plant
  blockrace init                               a scenario of your own
";

const HEADING: Style = Style::new().bold();

/// Arguments of `demo`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  blockrace demo
  blockrace demo --story > race.yaml && blockrace check race.yaml")]
pub struct DemoArgs {
    /// Print the scenario that is played, and nothing else
    #[arg(long)]
    story: bool,
}

/// Shows it.
///
/// # Errors
/// What to print: the output's.
pub fn run(args: &DemoArgs) -> Result<Exit, String> {
    let mut out = anstream::stdout().lock();
    if args.story {
        crate::written(out.write_all(STORY.as_bytes()))?;
        return Ok(Exit::Clean);
    }
    let story = load::parse(NAME, STORY).map_err(|error| error.to_string())?;
    let loaded = Loaded {
        name: NAME.to_owned(),
        file: NAME.to_owned(),
        story,
    };
    crate::written(heading(&mut out, "1  QEMU as it is"))?;
    crate::written(print_verified(
        &mut out,
        &stage::scene(&loaded, &QEMU_10_0)?,
    ))?;
    let bug = Mutation::called(BUG).ok_or("the catalogue has no such bug")?;
    let dialect = QEMU_10_0.with(bug).without(bug.breaks);
    let scene = stage::scene(&loaded, dialect)?;
    let (seed, schedule, breach) = first_failure(&scene).ok_or("no seed fails")?;
    crate::written(heading(&mut out, "2  QEMU as it was until 2.8"))?;
    crate::written(print_found(&mut out, seed, &schedule))?;
    crate::written(heading(&mut out, "3  Made small"))?;
    print_small(&mut out, &loaded, (dialect, &scene), (&schedule, &breach))?;
    crate::written(heading(&mut out, "4  What happens"))?;
    crate::written(out.write_all(EXPLANATION.as_bytes()))?;
    crate::written(heading(&mut out, "5  What next"))?;
    crate::written(out.write_all(NEXT.as_bytes()))?;
    Ok(Exit::Clean)
}

fn heading(out: &mut impl Write, words: &str) -> io::Result<()> {
    writeln!(out, "\n{HEADING}{words}{HEADING:#}\n")
}

/// Without the bug: every interleaving.
fn print_verified(out: &mut impl Write, scene: &Scene) -> io::Result<()> {
    let report = search(scene, &Options::default(), &Control::default());
    let verdict = match report.verdict {
        Verdict::Verified => "every promise is kept",
        Verdict::Broken(_) | Verdict::Inconclusive(_) => "a promise is BROKEN",
    };
    let states = report.states;
    writeln!(
        out,
        "  Two disks are backed up in one transaction; the second cannot be read."
    )?;
    writeln!(out, "  Every interleaving, {states} states: {verdict}.")
}

/// The first seed that breaks a promise, how, and which.
fn first_failure(scene: &Scene) -> Option<(u64, Schedule, Breach)> {
    let spec: Spec = "random".parse().ok()?;
    let maker = spec.maker(scene, STEPS_MAX);
    (0..SEEDS_MAX).find_map(|seed| {
        let mut recorder = Recorder::new();
        let mut runner = Runner::new(scene);
        runner.steps_max = STEPS_MAX;
        let outcome = runner.run(&mut *maker(), run_seed(0, seed), &mut recorder);
        match outcome.end {
            End::Breached(breach) => Some((seed, recorder.schedule, breach)),
            _ => None,
        }
    })
}

fn print_found(out: &mut impl Write, seed: u64, schedule: &Schedule) -> io::Result<()> {
    let steps = schedule.names().count();
    let runs = seed + 1;
    writeln!(
        out,
        "  The bug of then is planted: {BUG}. Steps are chosen by chance now."
    )?;
    writeln!(out, "  Run {runs} breaks a promise, after {steps} steps.")
}

fn print_small(
    out: &mut impl Write,
    loaded: &Loaded,
    (dialect, scene): (&'static Dialect, &Scene),
    (schedule, breach): (&Schedule, &Breach),
) -> Result<(), String> {
    let found = Found {
        loaded,
        dialect,
        scene,
        schedule,
        breach,
        found_by: "demo",
        again: "blockrace demo".to_owned(),
    };
    let options = counterexample::Options {
        shrink_time: Duration::from_secs(60),
        interrupted: &|| false,
    };
    let mut picture = Vec::new();
    counterexample::show(&mut picture, &found, None, &options)?;
    let picture = String::from_utf8_lossy(&picture);
    picture
        .lines()
        .try_for_each(|line| crate::written(print_folded(out, line)))
}

/// A line no wider than [`WIDTH`]; what goes on below it stands under its words.
fn print_folded(out: &mut impl Write, line: &str) -> io::Result<()> {
    let plain = strip_str(line).to_string();
    if plain.chars().count() <= WIDTH {
        return writeln!(out, "{line}");
    }
    let words = plain.trim_start();
    let margin = match plain.len() - words.len() {
        // A word of the margin, and a sentence behind it.
        0 => 9,
        margin => margin + 2,
    };
    let mut row = plain[..plain.len() - words.len()].to_owned();
    for word in words.split_inclusive(' ') {
        if row.chars().count() + word.trim_end().chars().count() > WIDTH {
            writeln!(out, "{}", row.trim_end())?;
            row = " ".repeat(margin);
        }
        row += word;
    }
    writeln!(out, "{}", row.trim_end())
}
