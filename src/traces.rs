//! `blockrace traces`: every order in which a client can read a scenario's messages.

pub mod diagram;
pub mod skeleton;
mod text;

use std::fmt;
use std::io::{self, Write};

use model::dialect::Dialect;
use scenarios::line::Line;
use scenarios::scene::Scene;
use serde_json::{Value, json};
use sim::language::{Automaton, Choice, End, Language, Options, Way};

use crate::cli::{TracesArgs, TracesFormat};
use crate::defects;
use crate::exit::Exit;
use crate::stage::{self, Loaded};
use crate::terminal;
use crate::traces::skeleton::Skeleton;
use crate::watch::Watch;

/// Everything that is printed.
pub struct Answer<'a> {
    /// The release whose rules were played.
    pub dialect: &'static Dialect,
    /// Whether long stretches without a choice are shown whole.
    pub full: bool,
    /// The story.
    pub loaded: &'a Loaded,
    /// All its traces.
    pub language: &'a Language<'a, Scene>,
    /// Where they part, meet, and end.
    pub skeleton: Skeleton,
    /// What decides where they part.
    pub choices: Vec<Choice>,
}

/// Finds and prints the traces.
///
/// # Errors
/// What to print: a scenario that cannot be used, or one whose traces have no end.
pub fn run(args: &TracesArgs) -> Result<Exit, String> {
    let mut out = terminal::out(args.format == TracesFormat::Text);
    print(&mut out, args, &stage::load(&args.scenario)?)
}

/// As [`run`], of a story that was loaded.
///
/// # Errors
/// As [`run`].
pub fn print(out: &mut impl Write, args: &TracesArgs, loaded: &Loaded) -> Result<Exit, String> {
    let scene = stage::scene(loaded, args.qemu.one())?;
    let language = explore(args, &scene)?;
    let answer = Answer::new(loaded, args.qemu.one(), &language, args.full);
    crate::written(match args.format {
        TracesFormat::Text => text::print(out, &answer),
        TracesFormat::Dot => diagram::print_dot(out, &answer),
        TracesFormat::Mermaid => diagram::print_mermaid(out, &answer),
        TracesFormat::Json => print_json(out, &answer),
    })?;
    Ok(answer.exit())
}

fn explore<'s>(args: &TracesArgs, scene: &'s Scene) -> Result<Language<'s, Scene>, String> {
    let watch = Watch::new(args.max_time);
    let options = Options {
        worlds_max: args.max_states.map_or(usize::MAX, usize::from),
        ..Options::default()
    };
    Language::explore(scene, options, &mut |_| !watch.is_over()).map_err(|endless| {
        let line = endless.observation;
        format!("there is no end to the traces: this can be seen again and again: {line}")
    })
}

impl<'a> Answer<'a> {
    /// What there is to print about a language.
    pub fn new(
        loaded: &'a Loaded,
        dialect: &'static Dialect,
        language: &'a Language<'a, Scene>,
        full: bool,
    ) -> Answer<'a> {
        Answer {
            dialect,
            full,
            loaded,
            skeleton: Skeleton::new(&language.automaton),
            choices: language.choices(),
            language,
        }
    }
}

impl Answer<'_> {
    fn automaton(&self) -> &Automaton<Line> {
        &self.language.automaton
    }

    /// The line with this number.
    fn line(&self, observation: usize) -> &Line {
        &self.automaton().observations[observation]
    }

    /// Why the way with this number goes on from this state; `None` if it is the only one.
    pub fn way(&self, state: usize, way: usize) -> Option<&Way> {
        let choice = self
            .choices
            .binary_search_by_key(&state, |choice| choice.state);
        choice.ok().map(|choice| &self.choices[choice].ways[way])
    }

    /// Whether every promise that some trace breaks is broken by a known defect, and the story says so.
    fn knows_all(&self) -> bool {
        let mut ends = self.automaton().states.iter().flat_map(|state| &state.ends);
        ends.all(|end| match end {
            End::Breached(breach) => defects::expected(self.loaded, breach).is_some(),
            _ => true,
        })
    }

    fn exit(&self) -> Exit {
        if self.automaton().trace_count_bad() > 0 && !self.knows_all() {
            Exit::Violated
        } else if self.language.is_complete() {
            Exit::Clean
        } else {
            Exit::Inconclusive
        }
    }
}

/// A number of traces. The largest that is known is not exact.
pub struct Count(pub u128);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            u128::MAX => f.write_str("> 3.4e38"),
            count => write!(f, "{count}"),
        }
    }
}

/// Why a way is possible, in words; empty if there is only one.
pub fn reason(way: Option<&Way>) -> String {
    let Some(way) = way else {
        return String::new();
    };
    match (&way.decided_by, &way.shown_by) {
        (Some(first), Some(shows)) if first == shows => format!("if `{first}` comes first"),
        (Some(first), Some(shows)) => format!("if `{first}` comes first, then `{shows}`"),
        (Some(first), None) => format!("if `{first}` comes first"),
        (None, Some(shows)) => format!("by `{shows}`, decided before"),
        (None, None) => String::new(),
    }
}

fn print_json(out: &mut impl Write, answer: &Answer) -> io::Result<()> {
    let automaton = answer.automaton();
    let covered = answer.language.covered();
    let states: Vec<Value> = (0..automaton.states.len())
        .map(|state| state_json(answer, state))
        .collect();
    let lines: Vec<Value> = automaton.observations.iter().map(Line::to_json).collect();
    let (shortest, longest) = automaton.trace_lengths().unzip();
    // Numbers of traces are text: they may be larger than what readers of JSON take for a number.
    let document = json!({
        "scenario": answer.loaded.name,
        "dialect": answer.dialect.name,
        "complete": answer.language.is_complete(),
        "lengths": {"shortest": shortest, "longest": longest},
        "traces": Count(automaton.trace_count()).to_string(),
        "traces_bad": Count(automaton.trace_count_bad()).to_string(),
        "worlds": {"met": covered.worlds, "open": covered.open, "steps": covered.steps},
        "lines": lines,
        "states": states,
    });
    writeln!(out, "{document:#}")
}

fn state_json(answer: &Answer, number: usize) -> Value {
    let state = &answer.automaton().states[number];
    let ends: Vec<String> = state.ends.iter().map(ToString::to_string).collect();
    let mut next = Vec::new();
    for (way, (line, to)) in state.next.iter().enumerate() {
        let mut transition = json!({"line": line, "to": to});
        if let Some(way) = answer.way(number, way) {
            transition["decided_by"] = json!(way.decided_by);
            transition["shown_by"] = json!(way.shown_by);
        }
        next.push(transition);
    }
    json!({"ends": ends, "next": next})
}
