//! A run as it is drawn: a row for each step, with its place in a lane, its messages, and what it changed.

use std::collections::BTreeMap;

use model::dialect::Dialect;
use model::world::World;
use scenarios::line::Line;
use scenarios::scene::Scene;
use serde_json::Value;
use sim::System;
use sim::causes::{self, Cause, Deed};
use sim::inevitable::{self, Inevitable, last_way_out};
use sim::run::{End, Outcome};
use sim::strategy::Replay;

use super::cells::{Draughtsman, Drawn, size};
use super::lanes::{Lanes, Wire};
use super::parts;
use super::passing::Passing;
use crate::counterexample::{self, Film, Frame, STATES_MAX, Scale, Strips};
use crate::defects;
use crate::stage::Loaded;
use crate::trace;

/// Of a longer run, only so many steps are drawn, the last ones.
const ROWS_MAX: usize = 2_000;

/// A run, and how it came about.
pub struct Played<'a> {
    /// The story.
    pub loaded: &'a Loaded,
    /// The release whose rules were played.
    pub dialect: &'static Dialect,
    /// The two together.
    pub scene: &'a Scene,
    /// What happened.
    pub film: Film,
    /// How it ended.
    pub outcome: Outcome,
    /// The command line that shows it again.
    pub again: String,
}

/// A run, ready to be drawn.
pub struct Play {
    /// How it ended: a word, its colour, and what there is to say.
    pub verdict: Verdict,
    /// Words and lines: the size, the known defect, what to paste.
    pub facts: Vec<(&'static str, String)>,
    /// Steps that are not drawn: those before the first row.
    pub left_out: usize,
    /// Where things stand.
    pub lanes: Lanes,
    /// A row a step.
    pub rows: Vec<Row>,
    /// What one sign of a strip stands for.
    pub unit: String,
    /// Whether a sign with an ellipsis stands for more.
    pub zoomed: bool,
    /// What the letters of contents mean: the letter, its colour, the contents.
    pub letters: Vec<(char, String)>,
    /// The nearest run that keeps all promises, and what there is to say of it.
    pub passing: Option<Passing>,
    /// Why there is no such run to show; empty if there is one, or if none is needed.
    pub no_passing: &'static str,
}

/// How a run ended.
pub struct Verdict {
    /// A word.
    pub word: &'static str,
    /// The name of its colour.
    pub class: &'static str,
    /// What there is to say: the broken promise first.
    pub lines: Vec<String>,
}

/// A step.
pub struct Row {
    /// Counted from 1.
    pub number: usize,
    /// Its whole name.
    pub step: String,
    /// Who did it.
    pub actor: String,
    /// What kind of actor that is: the name of a colour.
    pub class: &'static str,
    /// What was done, without who did it.
    pub deed: String,
    /// Whether nothing else could happen yet: the client makes images and launches QEMU.
    pub is_setup: bool,
    /// Whether somebody else did the step before.
    pub is_switch: bool,
    /// Where its block begins.
    pub x: usize,
    /// The lines behind it.
    pub wires: Vec<Wire>,
    /// What the client sent and read.
    pub messages: Vec<Message>,
    /// Jobs whose status is another one: id, before, after.
    pub statuses: Vec<(String, String, String)>,
    /// Strips that are not as they were.
    pub changes: Vec<Drawn>,
    /// Those that had to come before it: their numbers, and over what.
    pub after: Vec<(usize, String)>,
    /// What it changed, by name.
    pub wrote: String,
    /// What has to be said of it: a colour and words.
    pub marks: Vec<(&'static str, String)>,
}

impl Row {
    /// The numbers of those that had to come before it, as a list.
    pub fn causes(&self) -> String {
        let numbers: Vec<String> = self
            .after
            .iter()
            .map(|(from, _)| from.to_string())
            .collect();
        numbers.join(" ")
    }
}

/// What crossed the monitor's socket, or what else the client did.
pub struct Message {
    /// As in QEMU's documentation: `->` to QEMU, `<-` from it. Empty of what is no QMP.
    pub arrow: &'static str,
    /// QEMU's JSON, or words.
    pub text: String,
    /// The name of its colour.
    pub class: &'static str,
}

impl Play {
    /// Draws a run.
    pub fn of(played: &Played, interrupted: &dyn Fn() -> bool) -> Play {
        let (lost, way_out) = lost(played, interrupted);
        let passing = way_out.map(|way| {
            let (film, _) = counterexample::watch(played.scene, &mut Replay::new(way));
            Passing::new(&played.film, &film)
        });
        let no_passing = match (lost, &passing) {
            (Some(Inevitable::Always), _) => {
                "There is no schedule that keeps all promises: every run breaks one."
            }
            (Some(Inevitable::NotDecided(_)), None) => {
                "No schedule that keeps all promises was found within the budget."
            }
            _ => "",
        };
        let frames = &played.film.frames;
        let first = frames.len().saturating_sub(ROWS_MAX);
        let scale = Scale::zoomed(frames.iter().map(|frame| &frame.world));
        let mut strips = Strips::new(scale);
        let mut rows = rows(played, first, &mut strips);
        mark(&mut rows, played, lost, passing.as_ref());
        let mut rows = rows.split_off(first);
        let causes = causes_of(&frames[first..]);
        explain(&mut rows, played, first, &causes);
        let mut lanes = lay_out(&frames[first..], &causes);
        for (row, wires) in rows.iter_mut().zip(&mut lanes.rows) {
            row.wires = std::mem::take(wires);
            let lane = lanes.lanes.iter().find(|lane| lane.name == row.actor);
            row.x = lane.map_or(0, |lane| lane.x);
        }
        Play {
            verdict: verdict(played),
            facts: facts(played, lost),
            left_out: first,
            lanes,
            rows,
            unit: size(strips.scale().unit),
            zoomed: strips.scale().is_zoomed(),
            letters: strips.letters(),
            passing,
            no_passing,
        }
    }
}

/// When it was lost, and the nearest schedule that keeps all promises; of a run that breaks one.
fn lost(
    played: &Played,
    interrupted: &dyn Fn() -> bool,
) -> (Option<Inevitable>, Option<sim::schedule::Schedule>) {
    if !matches!(played.outcome.end, End::Breached(_)) {
        return (None, None);
    }
    let budget = inevitable::Budget {
        states_max: STATES_MAX,
        interrupted,
    };
    match last_way_out(played.scene, &played.film.schedule(), &budget) {
        Ok((lost, way_out)) => (Some(lost), way_out),
        Err(_) => (None, None),
    }
}

fn verdict(played: &Played) -> Verdict {
    let steps = played.outcome.steps;
    let said = |word, class, lines| Verdict { word, class, lines };
    match &played.outcome.end {
        End::Rested => {
            let words = "Every promise is kept, every expectation met.".to_owned();
            said("HOLDS", "good", vec![words])
        }
        End::Breached(breach) => {
            let mut lines = vec![breach.property.to_owned(), breach.message.clone()];
            let promise = counterexample::sentence(breach.property);
            lines.extend(promise.map(|promise| format!("Promised: {promise}")));
            match defects::expected(played.loaded, breach) {
                Some(_) => said("KNOWN DEFECT", "known", lines),
                None => said("BREACH", "bad", lines),
            }
        }
        End::StepLimit => {
            let words = format!("Not at rest after {steps} steps.");
            said("UNKNOWN", "unknown", vec![words])
        }
        End::Stopped => {
            let words = format!("The schedule ends after {steps} steps, before the story does.");
            said("STOPPED", "unknown", vec![words])
        }
        End::Diverged(divergence) => said("DIVERGED", "unknown", vec![divergence.to_string()]),
    }
}

fn facts(played: &Played, lost: Option<Inevitable>) -> Vec<(&'static str, String)> {
    let size = played.film.size();
    let switches = match size.switches {
        1 => "1 context switch".to_owned(),
        many => format!("{many} context switches"),
    };
    let mut facts = vec![("size", format!("{} steps, {switches}", size.steps))];
    if let Some(Inevitable::NotDecided(step)) = lost {
        let words =
            format!("with step {step} at the latest; earlier was not decided within the budget");
        facts.push(("lost", words));
    }
    if let End::Breached(breach) = &played.outcome.end {
        facts.extend(defects::footer(played.loaded, breach));
    }
    facts.push(("again", played.again.clone()));
    facts
}

// ---- rows

/// All rows; what is changed before the row at `first` is told by none of them.
fn rows(played: &Played, first: usize, strips: &mut Strips) -> Vec<Row> {
    let setup = played.film.setup();
    let mut draughtsman = Draughtsman::default();
    let mut statuses = BTreeMap::new();
    let mut actor_before = None;
    let mut rows = Vec::new();
    for (index, frame) in played.film.frames.iter().enumerate() {
        // What the setup's steps make is told once, behind the last of them.
        let changes = if index + 1 < setup.max(first) {
            Vec::new()
        } else {
            let after = strips.strips(&frame.world);
            draughtsman.changes(after, strips.scale())
        };
        let (deed, lines) = counterexample::deed_and_lines(frame, index < setup);
        rows.push(Row {
            number: index + 1,
            step: frame.step.clone(),
            actor: frame.actor_name.clone(),
            class: class(frame),
            deed: deed.replace("$DIR/", ""),
            is_setup: index < setup,
            is_switch: actor_before.replace(frame.actor) != Some(frame.actor),
            x: 0,
            wires: Vec::new(),
            messages: lines.iter().map(message).collect(),
            statuses: status_changes(&mut statuses, &frame.world),
            changes,
            after: Vec::new(),
            wrote: String::new(),
            marks: Vec::new(),
        });
    }
    rows
}

fn class(frame: &Frame) -> &'static str {
    let is_guest = || {
        let mut guests = frame.world.guest_indices();
        guests.any(|guest| *frame.world.guest(guest).name == *frame.actor_name)
    };
    match &*frame.actor_name {
        "client" => "client",
        "monitor" => "monitor",
        "main" => "main",
        name if name.ends_with(" job") => "job",
        _ if is_guest() => "guest",
        _ => "iothread",
    }
}

/// The jobs whose status is another one now: id, before, after.
fn status_changes(
    known: &mut BTreeMap<String, String>,
    world: &World,
) -> Vec<(String, String, String)> {
    let jobs = world.job_indices().map(|job| world.job(job));
    let now: BTreeMap<String, String> = jobs
        .map(|job| (job.id.to_string(), job.status.name().to_owned()))
        .collect();
    let mut changes = Vec::new();
    for id in known
        .keys()
        .chain(now.keys().filter(|id| !known.contains_key(*id)))
    {
        let status = |of: &BTreeMap<String, String>| of.get(id).cloned().unwrap_or("none".into());
        if known.get(id) != now.get(id) {
            changes.push((id.clone(), status(known), status(&now)));
        }
    }
    *known = now;
    changes
}

fn message(line: &Line) -> Message {
    let (arrow, text) = match line {
        Line::Cmd(_) => ("->", qmp(line)),
        Line::Reply { .. } | Line::Event(_) => ("<-", qmp(line)),
        _ => ("", trace::words(line).join("; ")),
    };
    let class = trace::tone(line);
    Message { arrow, text, class }
}

/// A line as QEMU has it: without what a recording says besides.
fn qmp(line: &Line) -> String {
    let mut json = line.to_json();
    if let Value::Object(fields) = &mut json {
        fields.shift_remove("t");
    }
    spaced(&json)
}

/// JSON in one line, with a space behind each colon and comma, where a line can be broken.
fn spaced(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let field = |(key, value): (&String, &Value)| {
                format!("{}: {}", Value::from(key.as_str()), spaced(value))
            };
            let fields: Vec<String> = fields.iter().map(field).collect();
            format!("{{{}}}", fields.join(", "))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(spaced).collect();
            format!("[{}]", items.join(", "))
        }
        other => other.to_string(),
    }
}

// ---- what is to be said of a step

fn mark(rows: &mut [Row], played: &Played, lost: Option<Inevitable>, passing: Option<&Passing>) {
    let last = rows.len();
    let mut say = |number: usize, class, words: String| {
        if let Some(row) = number.checked_sub(1).and_then(|index| rows.get_mut(index)) {
            row.marks.push((class, words));
        }
    };
    if lost == Some(Inevitable::Always) {
        say(
            1,
            "lost",
            "From the start, every continuation breaks the promise.".into(),
        );
    }
    if let Some(passing) = passing {
        let words = format!(
            "The nearest passing run does something else here: {}.",
            passing.instead()
        );
        say(passing.same + 1, "other", words);
    }
    if let Some(Inevitable::Step(step)) = lost {
        let words = match step == last {
            true => "The point of no return: before this step there was a way out.",
            false => "The point of no return: from here on, every continuation breaks the promise.",
        };
        say(step, "lost", words.into());
    }
    match &played.outcome.end {
        End::Breached(breach) => {
            say(
                last,
                "broken",
                format!("Broken: {}. {}", breach.property, breach.message),
            );
        }
        End::Diverged(divergence) => say(last, "other", divergence.to_string()),
        End::Rested | End::StepLimit | End::Stopped => {}
    }
}

fn causes_of(frames: &[Frame]) -> Vec<Cause> {
    let deeds: Vec<Deed> = frames
        .iter()
        .map(|frame| Deed {
            actor: frame.actor,
            footprint: frame.footprint,
        })
        .collect();
    causes::direct(&deeds)
}

/// Says of each step what it changed, and over what it had to come after others. The first row is that of the frame at
/// `first`.
fn explain(rows: &mut [Row], played: &Played, first: usize, causes: &[Cause]) {
    let initial = played.scene.initial().world;
    let frames = &played.film.frames;
    let named = |row: usize, parts: u64| {
        let index = first + row;
        let before = index.checked_sub(1).map(|index| &frames[index].world);
        parts::names(before.unwrap_or(&initial), &frames[index].world, parts).join(", ")
    };
    for (number, row) in rows.iter_mut().enumerate() {
        let touched = frames[first + number].footprint;
        row.wrote = named(number, touched.writes | touched.adds);
    }
    for cause in causes {
        let over = named(cause.to, cause.parts);
        rows[cause.to].after.push((first + cause.from + 1, over));
    }
}

/// The lanes of these frames, with the arrows between them.
fn lay_out(frames: &[Frame], causes: &[Cause]) -> Lanes {
    let mut actors: Vec<(usize, &str)> = frames
        .iter()
        .map(|frame| (frame.actor, frame.actor_name.as_str()))
        .collect();
    actors.sort_unstable();
    let mut names: Vec<String> = Vec::new();
    for (_, name) in actors {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    let lane = |frame: &Frame| names.iter().position(|name| *name == frame.actor_name);
    let steps: Vec<usize> = frames
        .iter()
        .map(|frame| lane(frame).unwrap_or(0))
        .collect();
    Lanes::new(&steps, &names, causes)
}
