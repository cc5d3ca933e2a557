//! `blockrace demo`: a race that QEMU once lost, found, made small and explained.
//!
//! The bug is one of the catalogue's: the one whose picture shows what a client sees of the race, a backup that ends
//! well beside one that failed. All of it is work that is counted in seeds and replays, so it prints the same everywhere.

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
use crate::terminal;

/// What is played.
const STORY: &str = include_str!("demo/two-disks.yaml");
/// What it is called.
const NAME: &str = "two-disks.yaml";
/// The bug that is planted.
const BUG: &str = "sibling-left-alone";
/// How many runs by chance are tried.
const RUNS: u64 = 100;
/// The widest line that is printed.
const WIDTH: usize = 80;

/// What the picture shows, in words. A test holds the two against each other.
const EXPLANATION: &str =
    "  One transaction backs up disks a and b: both, or neither. Disk a has nothing
  to copy, so its job is done at once, and is `waiting` for its sibling. Disk b
  cannot be read: its job fails, and QEMU must cancel a as well. With the bug it
  cancels only what still runs. So a goes on to `pending`, and COMPLETED without
  an error: the client keeps a backup of which half is missing. Had b been a
  moment earlier, a would have been cancelled, and a test that runs once would
  have seen nothing.
  QEMU lost this race until 2.8, for another reason: it started the job of a
  before b had joined the group. Its iotest 124 has guarded the race since.
";

const NEXT: &str = "  blockrace demo --story > race.yaml           the scenario, to read and change
  blockrace check race.yaml                    every interleaving of it
  blockrace check race.yaml --mutation start-in-prepare
                                               how QEMU itself lost the race
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
    let mut out = terminal::out(!args.story);
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
    let dialect = QEMU_10_0.with(bug);
    let scene = stage::scene(&loaded, dialect)?;
    let failures = failures(&scene)?;
    let longest = failures
        .iter()
        .rev()
        .max_by_key(|(schedule, _)| steps(schedule));
    let (schedule, breach) = longest.ok_or("no run finds the planted bug")?;
    crate::written(heading(&mut out, "2  A bug is planted"))?;
    crate::written(print_failures(&mut out, failures.len(), steps(schedule)))?;
    crate::written(heading(&mut out, "3  That run, made small"))?;
    print_small(&mut out, &loaded, (dialect, &scene), (schedule, breach))?;
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

/// The runs by chance that break a promise: how, and which promise.
fn failures(scene: &Scene) -> Result<Vec<(Schedule, Breach)>, String> {
    let spec: Spec = "random".parse().map_err(|error| format!("{error}"))?;
    let maker = spec.maker(scene, STEPS_MAX);
    let failure = |seed| {
        let mut recorder = Recorder::new();
        let mut runner = Runner::new(scene);
        runner.steps_max = STEPS_MAX;
        let outcome = runner.run(&mut *maker(), run_seed(0, seed), &mut recorder);
        match outcome.end {
            End::Breached(breach) => Some((recorder.schedule, breach)),
            _ => None,
        }
    };
    Ok((0..RUNS).filter_map(failure).collect())
}

fn steps(schedule: &Schedule) -> usize {
    schedule.names().count()
}

fn print_failures(out: &mut impl Write, broken: usize, longest: usize) -> io::Result<()> {
    writeln!(out, "  The bug: {BUG} (`blockrace list mutations`).")?;
    writeln!(
        out,
        "  Now chance chooses the steps: of {RUNS} runs, {broken} break a promise."
    )?;
    writeln!(out, "  The longest of them has {longest} steps.")
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
