//! `blockrace replay`: follows a schedule, strictly or as well as can be, and shows what it breaks.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use model::dialect::Dialect;
use scenarios::scene::Scene;
use serde_json::{Value, json};
use sim::near;
use sim::run::{End, Outcome};
use sim::schedule::Schedule;
use sim::search::goes_round;
use sim::strategy::{BestEffort, Deviation, Divergence, Replay};

use crate::cli::ReplayArgs;
use crate::counterexample::{self, Exhibit, Film, Found, Options};
use crate::exit::Exit;
use crate::output::{Case, Failure, Output};
use crate::stage::{self, Loaded};
use crate::terminal;
use crate::trace;
use crate::watch::Watch;

/// How many near names are worth a question.
const NEAR_MAX: usize = 3;

/// Follows the schedule.
///
/// # Errors
/// What to print: a schedule or a scenario that cannot be used.
pub fn run(args: &ReplayArgs, output: &mut Output) -> Result<Exit, String> {
    let schedule = stage::read_schedule(&args.schedule)?;
    let (file, scenario) = (&args.schedule, args.scenario.as_deref());
    let loaded = stage::load(stage::scenario_of(&schedule, file, scenario)?)?;
    let dialect = stage::dialect_of(&schedule, file, &args.qemu)?;
    let scene = stage::scene(&loaded, dialect)?;
    let (film, mut outcome, deviations) = follow(&scene, &schedule, args.best_effort);
    if let (End::Stopped, Some(breach)) = (&outcome.end, goes_round(&scene, &film.schedule())) {
        outcome.end = End::Breached(breach);
    }
    let played = Played {
        args,
        loaded: &loaded,
        dialect,
        scene: &scene,
        film,
        outcome,
    };
    let exhibit = if output.is_human() {
        let mut out = terminal::out(true);
        crate::written(print_deviations(&mut out, &deviations))?;
        played.print(&mut out, &schedule)?
    } else {
        played.print(&mut io::sink(), &schedule)?
    };
    output.row(played.json(&deviations))?;
    output.case(played.case(exhibit));
    Ok(Exit::of_run(&played.outcome.end))
}

/// One line that replays the schedule again.
fn repeat(args: &ReplayArgs, dialect: &Dialect) -> String {
    let mut line = format!("blockrace replay {}", args.schedule.display());
    if let Some(scenario) = &args.scenario {
        line += &format!(" --scenario {scenario}");
    }
    if args.qemu.is_given() {
        line += &format!(" --dialect {dialect}");
    }
    if args.best_effort {
        line += " --best-effort";
    }
    line
}

fn follow(
    scene: &Scene,
    schedule: &Schedule,
    best_effort: bool,
) -> (Film, Outcome, Vec<Deviation>) {
    if best_effort {
        let mut strategy = BestEffort::new(schedule.clone());
        let (film, outcome) = counterexample::watch(scene, &mut strategy);
        (film, outcome, strategy.deviations())
    } else {
        let (film, outcome) = counterexample::watch(scene, &mut Replay::new(schedule.clone()));
        (film, outcome, Vec::new())
    }
}

/// A run, and how it came about.
struct Played<'a> {
    args: &'a ReplayArgs,
    loaded: &'a Loaded,
    dialect: &'static Dialect,
    scene: &'a Scene,
    film: Film,
    outcome: Outcome,
}

impl Played<'_> {
    fn print(&self, out: &mut impl Write, schedule: &Schedule) -> Result<Exhibit, String> {
        let End::Breached(breach) = &self.outcome.end else {
            crate::written(self.print_trace(out))?;
            return Ok(Exhibit::default());
        };
        // What was really done is what breaks the promise.
        let mut done = self.film.schedule();
        schedule
            .headers()
            .for_each(|(key, value)| done.set_header(key, value));
        let found = Found {
            loaded: self.loaded,
            dialect: self.dialect,
            scene: self.scene,
            schedule: &done,
            breach,
            found_by: "replay",
            again: repeat(self.args, self.dialect),
        };
        let beside = self.args.schedule.parent().unwrap_or(Path::new("."));
        let (kept, shrink_time) = match self.args.shrink {
            true => (Some(found.keep(beside)?), self.args.shrink_time),
            false => (None, Duration::ZERO),
        };
        let watch = Watch::new(None);
        let options = Options {
            shrink_time,
            interrupted: &|| watch.is_interrupted(),
        };
        counterexample::show(out, &found, kept.as_deref(), &options)
    }

    /// The verdict, in one word.
    fn word(&self) -> &'static str {
        match self.outcome.end {
            End::Breached(_) => "BREACH",
            End::Diverged(_) => "DIVERGED",
            End::Stopped => "STOPPED",
            End::StepLimit => "UNKNOWN",
            End::Rested => "HOLDS",
        }
    }

    /// For machines.
    fn json(&self, deviations: &[Deviation]) -> Value {
        let breach = match &self.outcome.end {
            End::Breached(breach) => {
                Some(json!({"property": breach.property, "message": breach.message}))
            }
            _ => None,
        };
        let diverged = match &self.outcome.end {
            End::Diverged(divergence) => Some(json!({
                "step": divergence.step,
                "wanted": divergence.wanted,
                "possible": divergence.possible,
            })),
            _ => None,
        };
        json!({
            "schedule": self.args.schedule,
            "scenario": self.loaded.name,
            "dialect": self.dialect.name,
            "verdict": self.word().to_lowercase(),
            "steps": self.outcome.steps,
            "broken": breach,
            "diverged": diverged,
            "deviations": deviations.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    }

    /// For documents.
    fn case(&self, exhibit: Exhibit) -> Case {
        let again = repeat(self.args, self.dialect);
        let failure = |rule: &str, message: String| Failure {
            rule: rule.to_owned(),
            message,
            kept: Some(self.args.schedule.clone()),
            again: again.clone(),
            picture: exhibit.picture.clone(),
            diagram: exhibit.diagram.clone(),
        };
        let failures = match &self.outcome.end {
            End::Breached(breach) => vec![failure(breach.property, breach.message.clone())],
            End::Diverged(divergence) => vec![failure("replay", divergence.to_string())],
            _ => Vec::new(),
        };
        Case {
            name: self.args.schedule.display().to_string(),
            dialect: self.dialect.name.to_owned(),
            file: self.loaded.file.clone(),
            exit: Exit::of_run(&self.outcome.end),
            word: self.word().to_owned(),
            note: String::new(),
            work: format!("{} steps", self.outcome.steps),
            seconds: 0.0,
            failures,
        }
    }

    fn print_trace(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "{}  (QEMU {})", self.loaded.name, self.dialect)?;
        writeln!(out, "  {}", self.loaded.story.title)?;
        writeln!(out)?;
        trace::print(out, &self.film.lines())?;
        writeln!(out)?;
        let steps = self.outcome.steps;
        match &self.outcome.end {
            End::Diverged(divergence) => print_divergence(out, &self.args.schedule, divergence),
            End::Stopped => {
                writeln!(
                    out,
                    "STOPPED  the schedule ended after {steps} steps, before the story did"
                )
            }
            End::StepLimit => writeln!(out, "UNKNOWN  not at rest after {steps} steps"),
            End::Rested | End::Breached(_) => {
                writeln!(
                    out,
                    "HOLDS    every promise kept, every expectation met; {steps} steps"
                )
            }
        }
    }
}

fn print_deviations(out: &mut impl Write, deviations: &[Deviation]) -> io::Result<()> {
    if deviations.is_empty() {
        return Ok(());
    }
    writeln!(out, "not as scheduled:")?;
    for deviation in deviations {
        writeln!(out, "  {deviation}")?;
    }
    writeln!(out)
}

fn print_divergence(out: &mut impl Write, file: &Path, divergence: &Divergence) -> io::Result<()> {
    writeln!(out, "DIVERGED {divergence}")?;
    let possible: Vec<&str> = divergence.possible.iter().map(String::as_str).collect();
    let near = near::nearest(&divergence.wanted, &possible, NEAR_MAX);
    if !near.is_empty() {
        writeln!(out, "did you mean:\n  {}", near.join("\n  "))?;
    }
    writeln!(
        out,
        "\nas far as it goes:\n  blockrace replay {} --best-effort",
        file.display()
    )
}
