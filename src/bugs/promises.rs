//! `blockrace bugs --promises`: what each promise is good for. It is switched off, and the bugs that break it are
//! looked for again: a bug that nothing else shows needs the promise.

use std::io::{self, Write};

use model::mutation::Mutation;
use model::property::PROPERTIES;
use serde_json::{Value, json};
use sim::search::EVERY_RUN_RESTS;

use super::{EXPECTATION, Found, Looked, STATES_MAX, Session, asked, dialect, scene};
use crate::cli::BugsArgs;
use crate::exit::Exit;
use crate::output::{Case, Failure, Output};
use crate::terminal;

/// Prints what each promise is good for: of all, or of those that the named bugs break.
///
/// # Errors
/// As [`run`](super::run).
pub(super) fn run(args: &BugsArgs, session: &Session, output: &mut Output) -> Result<Exit, String> {
    let bugs = asked(args);
    let all = PROPERTIES.iter().filter(|row| row.kind.is_checked());
    let all = all.map(|row| row.id).chain([EVERY_RUN_RESTS]);
    let broken = |id: &&str| args.names.is_empty() || bugs.iter().any(|bug| bug.breaks == *id);
    let all: Vec<&str> = all.filter(broken).collect();
    let width = all.iter().map(|id| id.len()).max().unwrap_or(0);
    let mut rows = Vec::new();
    for id in &all {
        let row = row(session, id, &bugs)?;
        output.row(row.json())?;
        if output.is_human() {
            crate::written(row.print(&mut terminal::out(true), width))?;
        }
        output.case(row.case());
        let ended = row.is_ended();
        rows.push(row);
        if ended {
            break;
        }
    }
    if output.is_human() {
        let mut out = terminal::out(true);
        crate::written(print_summary(&mut out, &rows, all.len()))?;
    }
    let exits = rows.iter().map(|row| row.worth().exit());
    Ok(exits.fold(Exit::Clean, Exit::worse))
}

/// Looks for each bug that breaks a promise with that promise switched off.
fn row(session: &Session, id: &'static str, bugs: &[&'static Mutation]) -> Result<Row, String> {
    let mut blind = Vec::new();
    for bug in bugs.iter().filter(|bug| bug.breaks == id) {
        let scene = scene(bug, dialect(bug)?.without(id))?;
        let looked = session.search(&scene, bug.name, id != EVERY_RUN_RESTS);
        let ended = looked.found == Found::Ended;
        blind.push((*bug, looked));
        if ended {
            break;
        }
    }
    Ok(Row { id, blind })
}

/// A promise, and what is found of each bug that breaks it when nobody looks at it.
struct Row {
    id: &'static str,
    blind: Vec<(&'static Mutation, Looked)>,
}

/// What a promise is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Worth {
    /// Some bug goes unseen without it.
    Needed,
    /// Every bug that breaks it breaks another promise too, or there is no such bug.
    NotNeeded,
    /// A search was ended, or found too many states, before that was known.
    NotDecided,
}

impl Worth {
    fn of(found: impl Iterator<Item = Worth> + Clone) -> Worth {
        let has = |worth| found.clone().any(|other| other == worth);
        match () {
            () if has(Worth::Needed) => Worth::Needed,
            () if has(Worth::NotDecided) => Worth::NotDecided,
            () => Worth::NotNeeded,
        }
    }

    /// For one bug: what is found of it without the promise.
    fn for_bug(found: &Found) -> Worth {
        match found {
            Found::Nothing | Found::Breach(EXPECTATION, _) => Worth::Needed,
            Found::Breach(..) => Worth::NotNeeded,
            Found::TooMany | Found::Ended | Found::Panic(_) => Worth::NotDecided,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Worth::Needed => "needed",
            Worth::NotNeeded => "not needed",
            Worth::NotDecided => "inconclusive",
        }
    }

    fn exit(self) -> Exit {
        match self {
            Worth::Needed => Exit::Clean,
            Worth::NotNeeded => Exit::Violated,
            Worth::NotDecided => Exit::Inconclusive,
        }
    }
}

impl Row {
    fn worth(&self) -> Worth {
        let each = self.blind.iter();
        Worth::of(each.map(|(_, looked)| Worth::for_bug(&looked.found)))
    }

    fn is_ended(&self) -> bool {
        self.blind
            .iter()
            .any(|(_, looked)| looked.found == Found::Ended)
    }

    fn print(&self, out: &mut impl Write, width: usize) -> io::Result<()> {
        let mut label = self.id;
        for (worth, heading) in [
            (Worth::Needed, "needed by"),
            (Worth::NotDecided, "perhaps by"),
            (Worth::NotNeeded, "seen anyway"),
        ] {
            let of_worth = |(_, looked): &&(_, Looked)| Worth::for_bug(&looked.found) == worth;
            for (index, (bug, looked)) in self.blind.iter().filter(of_worth).enumerate() {
                let heading = if index == 0 { heading } else { "" };
                let found = words(&looked.found);
                writeln!(
                    out,
                    "{label:<width$}  {heading:<11}  {:<34} {found}",
                    bug.name
                )?;
                label = "";
            }
        }
        match self.worth() {
            Worth::NotNeeded => writeln!(out, "{label:<width$}  NEEDED BY NONE"),
            Worth::Needed | Worth::NotDecided => Ok(()),
        }
    }

    /// For documents.
    fn case(&self) -> Case {
        let worth = self.worth();
        let failures = match worth {
            Worth::NotNeeded => vec![Failure {
                rule: "needed-promise".to_owned(),
                message: format!("no planted bug needs the promise {}", self.id),
                again: "blockrace bugs --promises".to_owned(),
                ..Failure::default()
            }],
            Worth::Needed | Worth::NotDecided => Vec::new(),
        };
        Case {
            name: self.id.to_owned(),
            dialect: String::new(),
            file: String::new(),
            exit: worth.exit(),
            word: worth.word().to_owned(),
            note: String::new(),
            work: format!("{} bugs", self.blind.len()),
            seconds: self.blind.iter().map(|(_, looked)| looked.seconds).sum(),
            failures,
        }
    }

    fn json(&self) -> Value {
        let bug = |(bug, looked): &(&Mutation, Looked)| {
            let (broken, steps) = match looked.found {
                Found::Breach(property, steps) => (Some(property), Some(steps)),
                _ => (None, None),
            };
            json!({
                "mutation": bug.name,
                "promise": Worth::for_bug(&looked.found).word(),
                "broken": broken,
                "steps": steps,
                "states": looked.states,
                "measured": {"seconds": looked.seconds},
            })
        };
        json!({
            "promise": self.id,
            "verdict": self.worth().word(),
            "bugs": self.blind.iter().map(bug).collect::<Vec<_>>(),
        })
    }
}

/// What is found without the promise.
fn words(found: &Found) -> String {
    match found {
        Found::Nothing => "nothing is found".to_owned(),
        Found::Breach(EXPECTATION, steps) => {
            format!("only the story's own expectation, in {steps} steps")
        }
        Found::Breach(property, steps) => format!("{property} in {steps} steps"),
        Found::TooMany => format!("nothing is found in {STATES_MAX} states"),
        Found::Ended => "ended by --max-time or Ctrl-C".to_owned(),
        Found::Panic(message) => format!("a mistake of blockrace's own: {message}"),
    }
}

fn print_summary(out: &mut impl Write, rows: &[Row], asked: usize) -> io::Result<()> {
    writeln!(
        out,
        "  each bug is looked for again while nobody looks at the promise that it breaks; what is found then?"
    )?;
    let of = |worth| rows.iter().filter(move |row| row.worth() == worth);
    let mut line = format!("{} of {asked} promises needed", of(Worth::Needed).count());
    let names: Vec<&str> = of(Worth::NotNeeded).map(|row| row.id).collect();
    if !names.is_empty() {
        line += &format!("; {} needed by no bug: {}", names.len(), names.join(", "));
    }
    let undecided = of(Worth::NotDecided).count() + asked - rows.len();
    if undecided > 0 {
        line += &format!("; {undecided} not decided");
    }
    writeln!(out, "{line}")
}
