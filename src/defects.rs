//! What is known already: breaches that a defect of the QEMU played explains.
//!
//! A story may say which known defects it shows. What these break there is then no failure, and nothing is verified
//! either; anywhere else it is a failure like any other, with a word about the ways on.

use std::io::{self, Write};

use model::defect::Defect;
use model::dialect::Dialect;
use serde_json::{Value, json};
use sim::Breach;
use sim::run::End;

use crate::exit::Exit;
use crate::stage::Loaded;

/// The defect that explains a breach.
pub fn behind(breach: &Breach) -> Option<&'static Defect> {
    Defect::named(breach.known?)
}

/// The defect that explains a breach, if the story says that it shows it.
pub fn expected(loaded: &Loaded, breach: &Breach) -> Option<&'static Defect> {
    let defect = behind(breach)?;
    let mut named = loaded.story.defects.iter();
    named.any(|name| name == defect.name).then_some(defect)
}

/// As [`expected`], of the end of a run.
pub fn expected_end(loaded: &Loaded, end: &End) -> Option<&'static Defect> {
    match end {
        End::Breached(breach) => expected(loaded, breach),
        _ => None,
    }
}

/// What the end of a run of that story means for the command's.
pub fn exit_of(loaded: &Loaded, end: &End) -> Exit {
    match expected_end(loaded, end) {
        Some(_) => Exit::Clean,
        None => Exit::of_run(end),
    }
}

/// The defects that the story names, that QEMU has, and that were not shown; `shown` is the one that was.
pub fn unshown(
    loaded: &Loaded,
    dialect: &Dialect,
    shown: Option<&'static Defect>,
) -> Vec<&'static Defect> {
    let names = loaded.story.defects.iter();
    names
        .filter_map(|name| Defect::named(name))
        .filter(|defect| dialect.has(defect) && shown != Some(defect))
        .collect()
}

/// What to say below a counterexample that a known defect explains: a word and a line each.
pub fn footer(loaded: &Loaded, breach: &Breach) -> Vec<(&'static str, String)> {
    let Some(Defect { id, name, says, .. }) = behind(breach) else {
        return Vec::new();
    };
    let mut lines = vec![("known", format!("{id} {name}: {says}"))];
    if expected(loaded, breach).is_none() {
        let ways = format!(
            "--fixed plays a QEMU without it; `defects: [{name}]` in the story says that it shows it"
        );
        lines.push(("ways on", ways));
    }
    lines
}

/// A defect that a search has met where the story says so.
pub struct Shown {
    /// Which.
    pub defect: &'static Defect,
    /// The story.
    pub scenario: String,
    /// The release whose rules were played.
    pub dialect: &'static Dialect,
    /// The promise that it breaks.
    pub property: &'static str,
    /// How many steps the schedule has.
    pub steps: usize,
    /// Whether no schedule with fewer steps breaks a promise.
    pub shortest: bool,
}

impl Shown {
    /// For machines.
    pub fn json(&self) -> Value {
        let Defect { id, name, says, .. } = self.defect;
        json!({"id": id, "name": name, "says": says, "property": self.property, "steps": self.steps,
               "shortest": self.shortest})
    }
}

/// Prints what was met, by defect.
pub fn print(out: &mut impl Write, shown: &[Shown]) -> io::Result<()> {
    if shown.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "known defects of the releases played, which these stories show:"
    )?;
    let width = shown
        .iter()
        .map(|row| row.scenario.len())
        .max()
        .unwrap_or(0);
    for defect in model::defect::DEFECTS {
        let mut rows = shown.iter().filter(|row| row.defect == defect).peekable();
        if rows.peek().is_some() {
            writeln!(out, "  {} {}: {}", defect.id, defect.name, defect.says)?;
        }
        for row in rows {
            let Shown {
                scenario,
                property,
                steps,
                ..
            } = row;
            let dialect = row.dialect.name;
            let least = if row.shortest {
                ", the shortest way"
            } else {
                ""
            };
            writeln!(
                out,
                "    {scenario:<width$}  QEMU {dialect:<5}  breaks {property} after {steps} steps{least}"
            )?;
        }
    }
    Ok(())
}
