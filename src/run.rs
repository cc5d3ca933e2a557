//! `blockrace run`: one scenario, one schedule, its trace.

use std::io::{self, Write};
use std::path::Path;

use scenarios::line::Line;
use scenarios::scene::{Moment, Scene, Step};
use serde_json::json;
use sim::run::{End, Outcome, Runner, Watcher};
use sim::schedule::Schedule;
use sim::seed::run_seed;
use sim::strategy::{Replay, Strategy};
use sim::{Footprint, System};

use crate::cli::{Format, RunArgs};
use crate::defects;
use crate::exit::Exit;
use crate::stage::{self, Loaded, STEPS_MAX};
use crate::terminal;
use crate::trace;

/// What was seen in a run: the lines, and between them the steps.
#[derive(Default)]
struct Seen {
    schedule: Schedule,
    rows: Vec<Row>,
}

enum Row {
    Step(String),
    Line(Line),
}

impl Watcher<Scene> for Seen {
    fn before(&mut self, scene: &Scene, moment: &Moment, step: Step) {
        let name = scene.name(moment, step);
        self.schedule.push(name.clone());
        self.rows.push(Row::Step(name));
    }

    fn after(&mut self, _: &Scene, _: &Moment, _: Step, _: Footprint, seen: &[Line]) {
        self.rows.extend(seen.iter().cloned().map(Row::Line));
    }
}

impl Seen {
    fn lines(&self) -> Vec<Line> {
        let line = |row: &Row| match row {
            Row::Line(line) => Some(line.clone()),
            Row::Step(_) => None,
        };
        self.rows.iter().filter_map(line).collect()
    }
}

/// Plays the scenario.
///
/// # Errors
/// What to print: a scenario or a schedule that cannot be used.
pub fn run(args: &RunArgs) -> Result<Exit, String> {
    let loaded = stage::load(&args.scenario)?;
    let mut out = terminal::out(args.format == Format::Human);
    let end = play(&mut out, args, &loaded)?;
    Ok(defects::exit_of(&loaded, &end))
}

/// Plays a story that was loaded, and prints its trace.
///
/// # Errors
/// As [`run`].
pub fn play(out: &mut impl Write, args: &RunArgs, loaded: &Loaded) -> Result<End, String> {
    let scene = stage::scene(loaded, args.qemu.one())?;
    let mut strategy: Box<dyn Strategy> = match &args.schedule {
        Some(file) => Box::new(Replay::new(stage::read_schedule(file)?)),
        None => args.strategy.maker(&scene, STEPS_MAX)(),
    };
    let mut seen = Seen::default();
    let mut runner = Runner::new(&scene);
    runner.steps_max = STEPS_MAX;
    let outcome = runner.run(&mut *strategy, run_seed(args.root, args.seed), &mut seen);
    if let Some(file) = &args.save_schedule {
        save_schedule(file, &mut seen.schedule, args)?;
    }
    crate::written(match args.format {
        Format::Json => print_json(out, &seen, &outcome),
        Format::Human => print_human(out, args, loaded, &seen, &outcome),
    })?;
    Ok(outcome.end)
}

fn save_schedule(file: &Path, schedule: &mut Schedule, args: &RunArgs) -> Result<(), String> {
    schedule.set_header("scenario", &args.scenario);
    schedule.set_header("dialect", args.qemu.one().name);
    std::fs::write(file, schedule.to_string())
        .map_err(|error| format!("{}: cannot be written: {error}", file.display()))
}

/// One line that repeats the run.
fn repeat(args: &RunArgs) -> String {
    let (scenario, dialect) = (&args.scenario, args.qemu.one());
    match &args.schedule {
        Some(file) => {
            let file = file.display();
            format!("blockrace run {scenario} --dialect {dialect} --schedule {file}")
        }
        None => stage::line_to_paste(scenario, dialect, (args.root, args.seed), args.strategy),
    }
}

fn print_human(
    out: &mut impl Write,
    args: &RunArgs,
    loaded: &Loaded,
    seen: &Seen,
    outcome: &Outcome,
) -> io::Result<()> {
    writeln!(out, "{}  (QEMU {})", loaded.name, args.qemu.one())?;
    writeln!(out, "  {}", loaded.story.title)?;
    writeln!(out)?;
    let lines = seen.lines();
    if args.full {
        for row in &seen.rows {
            match row {
                Row::Step(name) => writeln!(out, "· {name}")?,
                Row::Line(line) => writeln!(out, "    {line}")?,
            }
        }
    } else if args.columns {
        trace::print_columns(out, &lines)?;
    } else {
        trace::print(out, &lines)?;
    }
    writeln!(out)?;
    if !args.full {
        writeln!(out, "{}", trace::LEGEND)?;
    }
    writeln!(out, "{}", verdict(outcome, lines.len()))?;
    if let End::Breached(breach) = &outcome.end {
        for (word, line) in defects::footer(loaded, breach) {
            writeln!(out, "{word:<8} {line}")?;
        }
    }
    writeln!(out, "again    {}", repeat(args))
}

/// How the run ended, in words.
fn verdict(outcome: &Outcome, messages: usize) -> String {
    let steps = outcome.steps;
    match &outcome.end {
        End::Rested => format!("HOLDS    every expectation met; {steps} steps, {messages} lines"),
        End::Breached(breach) => {
            format!("BREACH   {breach}\n         after {steps} steps, {messages} lines")
        }
        End::StepLimit => format!("UNKNOWN  not at rest after {steps} steps"),
        End::Stopped => {
            format!("STOPPED  the schedule ended after {steps} steps, before the story did")
        }
        End::Diverged(divergence) => format!("DIVERGED {divergence}"),
    }
}

fn print_json(out: &mut impl Write, seen: &Seen, outcome: &Outcome) -> io::Result<()> {
    for line in seen.lines() {
        writeln!(out, "{line}")?;
    }
    let end = match &outcome.end {
        End::Rested => json!({"end": "holds"}),
        End::Breached(breach) => {
            json!({"end": "breach", "property": breach.property, "message": breach.message})
        }
        End::StepLimit => json!({"end": "step-limit"}),
        End::Stopped => json!({"end": "stopped"}),
        End::Diverged(divergence) => {
            json!({"end": "diverged", "step": divergence.step, "wanted": divergence.wanted,
                   "possible": divergence.possible})
        }
    };
    let trace = format!("{:032x}", outcome.trace);
    writeln!(
        out,
        "{}",
        json!({"t": "outcome", "steps": outcome.steps, "trace": trace, "outcome": end})
    )
}
