//! Is a recording a trace of the model? The set of possible worlds is carried along its lines.
//!
//! Everything the client did and everything it read is a line, and every line must be one the model's client could
//! have had next. See [`sim::membership`] for how that is decided.

use std::collections::BTreeSet;

use model::event::Reply;
use model::query::{self, Query};
use model::world::World;
use serde_json::{Map, Value};
use sim::membership::{Advance, Membership, Options, TooManyWorlds};

use crate::line::Line;
use crate::recording::{self, Recording, RecordingError};
use crate::scene::Scene;

/// How exact a recording is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exactness {
    /// Named bitmaps must match; adjacent `paused`, `running` of one job are left out on both sides.
    Normal,
    /// Unnamed (internal) bitmaps must match too, and nothing is left out.
    Strict,
}

/// What came of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The model can do that.
    Accepted {
        /// The most worlds that were possible at once.
        worlds_max: usize,
    },
    /// It cannot.
    Rejected(Box<Rejection>),
    /// Nobody knows: more worlds than the limit were possible, or they took more memory.
    TooManyWorlds {
        /// The line at which that was.
        line: u32,
        /// The limit.
        limit: TooManyWorlds,
    },
}

/// Where a recording left the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The line, counted from 1.
    pub line: u32,
    /// What was recorded there.
    pub recorded: Value,
    /// What the model could have shown there.
    pub allowed: Vec<Value>,
    /// The lines that matched right before, newest last.
    pub before: Vec<Value>,
    /// Worlds that were possible before it.
    pub worlds: usize,
    /// What those were like, as far as a client can ask, each once.
    pub states: Vec<String>,
}

/// How many worlds may be possible at once before a recording is given up.
pub const WORLDS_MAX: usize = 20_000;

/// How many lines before a rejected one are shown.
const CONTEXT_LINES: usize = 5;

/// Decides whether the model allows a recording.
///
/// # Errors
/// A recording that is malformed or has a command that is not modelled.
pub fn conform(recording: &Recording, exactness: Exactness) -> Result<Verdict, RecordingError> {
    conform_within(recording, exactness, WORLDS_MAX)
}

/// As [`conform`], with another bound than [`WORLDS_MAX`].
///
/// # Errors
/// See [`conform`].
pub fn conform_within(
    recording: &Recording,
    exactness: Exactness,
    worlds_max: usize,
) -> Result<Verdict, RecordingError> {
    let mut recording = recording.clone();
    if exactness == Exactness::Normal {
        recording.collapse();
    }
    let verdict = follow(&recording, exactness, worlds_max, None)?;
    if let Verdict::Rejected(rejection) = &verdict
        && recording.has_early_command(rejection.line)
        && let again @ Verdict::Accepted { .. } =
            follow(&recording, exactness, worlds_max, Some(rejection.line))?
    {
        return Ok(again);
    }
    Ok(verdict)
}

/// Carries the possible worlds along the lines. `early`: see [`Recording::script`].
fn follow(
    recording: &Recording,
    exactness: Exactness,
    worlds_max: usize,
    early: Option<u32>,
) -> Result<Verdict, RecordingError> {
    let scene = Scene::new(recording.script(exactness == Exactness::Normal, early)?);
    let options = Options {
        worlds_max,
        ..Options::default()
    };
    let mut membership = Membership::with_options(&scene, options);
    let mut worlds_max = 1;
    for (index, (number, recorded)) in recording.lines.iter().enumerate() {
        if recording::is_silent(recorded) {
            continue;
        }
        match membership.advance(&mut |line| matches(recorded, line, exactness)) {
            Advance::Possible { worlds } => worlds_max = worlds_max.max(worlds),
            Advance::Rejected { expected, worlds } => {
                let before = &recording.lines[index.saturating_sub(CONTEXT_LINES)..index];
                return Ok(Verdict::Rejected(Box::new(Rejection {
                    line: *number,
                    recorded: recorded.clone(),
                    allowed: nearest_first(recorded, &expected),
                    before: before.iter().map(|(_, line)| line.clone()).collect(),
                    worlds,
                    states: states(&membership),
                })));
            }
            Advance::TooManyWorlds(limit) => {
                return Ok(Verdict::TooManyWorlds {
                    line: *number,
                    limit,
                });
            }
        }
    }
    Ok(Verdict::Accepted { worlds_max })
}

/// The worlds that are possible, in words: the jobs' statuses, and the bitmaps that have names.
fn states(membership: &Membership<'_, Scene>) -> Vec<String> {
    let states = membership.worlds().iter();
    let states: BTreeSet<String> = states.map(|world| state_of(&world.state.world)).collect();
    states.into_iter().collect()
}

fn state_of(world: &World) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let jobs = query::answer(world, Query::Jobs);
    let jobs = jobs.as_array().into_iter().flatten();
    let mut words: Vec<String> = jobs
        .map(|job| format!("job {} {}", text(&job["id"]), text(&job["status"])))
        .collect();
    let nodes = query::answer(world, Query::Bitmaps);
    for (node, bitmaps) in nodes.as_object().into_iter().flatten() {
        let named = bitmaps.as_array().into_iter().flatten();
        for bitmap in named.filter(|bitmap| bitmap.get("name").is_some()) {
            let busy = if bitmap["busy"] == true {
                ", in use"
            } else {
                ""
            };
            let count = &bitmap["count"];
            words.push(format!(
                "bitmap {} of {node} with {count} bytes{busy}",
                text(&bitmap["name"])
            ));
        }
    }
    match words.is_empty() {
        true => "no jobs, no bitmaps".into(),
        false => words.join("; "),
    }
}

/// The ends of a process by SIGABRT and by SIGSEGV.
const CRASHES: [i64; 2] = [-6, -11];

/// Does a line of the model match a recorded one?
pub fn matches(recorded: &Value, line: &Line, exactness: Exactness) -> bool {
    let shown = line.to_json();
    match line {
        Line::Bitmaps(_) if exactness == Exactness::Normal => {
            same_nodes(&named_only(recorded), &named_only(&shown))
        }
        Line::Bitmaps(_) => same_nodes(recorded, &shown),
        Line::Reply {
            reply: Reply::Return(_),
            whole: false,
        } => covers(recorded, &shown),
        // What the client had waited for is not recorded, so neither is which events were left: at most those read.
        Line::Pending(most) => {
            recorded["t"] == "pending"
                && (recorded["count"] == "*"
                    || recorded["count"]
                        .as_u64()
                        .is_some_and(|count| count <= *most))
        }
        Line::Img(_, result) if result == "*" => recorded["t"] == "img",
        // A use of freed memory ends as chance will have it: a failed assertion, or a bad access.
        Line::Exit(code) if CRASHES.contains(&i64::from(*code)) => {
            recorded["t"] == "exit"
                && recorded["code"]
                    .as_i64()
                    .is_some_and(|code| CRASHES.contains(&code))
        }
        Line::Exit(code) if *code < 0 => recorded["t"] == "exit" && recorded["code"] == *code,
        _ => same(recorded, &shown),
    }
}

/// Equal, but a recorded `"*"` matches anything.
fn same(recorded: &Value, shown: &Value) -> bool {
    match (recorded, shown) {
        (Value::String(any), _) if any == "*" => true,
        (Value::Object(recorded), Value::Object(shown)) => {
            recorded.len() == shown.len()
                && recorded
                    .iter()
                    .all(|(key, value)| shown.get(key).is_some_and(|other| same(value, other)))
        }
        (Value::Array(recorded), Value::Array(shown)) => {
            recorded.len() == shown.len()
                && recorded
                    .iter()
                    .zip(shown)
                    .all(|(value, other)| same(value, other))
        }
        (Value::String(recorded), Value::String(shown)) => same_text(recorded, shown),
        _ => recorded == shown,
    }
}

/// The same bitmaps on the same nodes; nodes with made-up names are those that have the same bitmaps: in which order a
/// client has met these names depends on more than on this line.
fn same_nodes(recorded: &Value, shown: &Value) -> bool {
    let (Some(nodes), Some(others)) = (recorded["nodes"].as_object(), shown["nodes"].as_object())
    else {
        return same(recorded, shown);
    };
    let made_up = |name: &&String| name.starts_with(MADE_UP_RECORDED);
    let mut left: Vec<&Value> = others
        .iter()
        .filter(|(name, _)| made_up(name))
        .map(|(_, bitmaps)| bitmaps)
        .collect();
    nodes.len() == others.len()
        && nodes.iter().all(|(name, bitmaps)| {
            if !made_up(&name) {
                return others.get(name).is_some_and(|other| same(bitmaps, other));
            }
            let found = left.iter().position(|other| same(bitmaps, other));
            found.map(|at| left.swap_remove(at)).is_some()
        })
}

/// Equal, but any name that a recorder found made up (`$NODE0`) stands for any that the model made up (`#block1`):
/// which numbers they have depends on how often a QEMU has made one up before.
fn same_text(recorded: &str, shown: &str) -> bool {
    if !recorded.contains(MADE_UP_RECORDED) || !shown.contains(MADE_UP) {
        return recorded == shown;
    }
    let between = |text: &str, made_up: &str| -> Vec<String> {
        let mut parts = text.split(made_up);
        let first = parts.next().unwrap_or_default().to_owned();
        let rest = parts.map(|part| {
            part.trim_start_matches(|c: char| c.is_ascii_digit())
                .to_owned()
        });
        std::iter::once(first).chain(rest).collect()
    };
    between(recorded, MADE_UP_RECORDED) == between(shown, MADE_UP)
}

/// How a made-up node name begins in QEMU, and in the model.
const MADE_UP: &str = "#block";
/// How it begins in a recording.
const MADE_UP_RECORDED: &str = "$NODE";

/// Everything the model shows is recorded so; the recording may have more.
fn covers(recorded: &Value, shown: &Value) -> bool {
    match (recorded, shown) {
        (Value::String(any), _) if any == "*" => true,
        (Value::Object(recorded), Value::Object(shown)) => shown
            .iter()
            .all(|(key, value)| recorded.get(key).is_some_and(|other| covers(other, value))),
        (Value::Array(recorded), Value::Array(shown)) => {
            recorded.len() == shown.len()
                && recorded
                    .iter()
                    .zip(shown)
                    .all(|(value, other)| covers(value, other))
        }
        (Value::String(recorded), Value::String(shown)) => same_text(recorded, shown),
        _ => recorded == shown,
    }
}

/// A line of bitmaps without those that have no name, and without nodes that then have none.
fn named_only(line: &Value) -> Value {
    let Some(nodes) = line.get("nodes").and_then(Value::as_object) else {
        return line.clone();
    };
    let mut kept = Map::new();
    for (node, bitmaps) in nodes {
        let named: Vec<Value> = bitmaps
            .as_array()
            .into_iter()
            .flatten()
            .filter(|bitmap| bitmap.get("name").is_some())
            .cloned()
            .collect();
        if !named.is_empty() {
            kept.insert(node.clone(), Value::Array(named));
        }
    }
    let mut line = line.clone();
    line["nodes"] = Value::Object(kept);
    line
}

/// What was allowed, the most like the recorded line first: the same kind, then the same event, then most fields.
fn nearest_first(recorded: &Value, allowed: &[Line]) -> Vec<Value> {
    let mut allowed: Vec<(usize, Value)> = allowed
        .iter()
        .map(Line::to_json)
        .map(|line| (likeness(recorded, &line), line))
        .collect();
    allowed.sort_by_key(|(likeness, line)| (std::cmp::Reverse(*likeness), line.to_string()));
    allowed.into_iter().map(|(_, line)| line).collect()
}

fn likeness(recorded: &Value, line: &Value) -> usize {
    match (recorded, line) {
        (Value::Object(one), Value::Object(other)) => one
            .iter()
            .filter_map(|(key, value)| other.get(key).map(|found| likeness(value, found)))
            .sum(),
        _ => usize::from(same(recorded, line)),
    }
}
