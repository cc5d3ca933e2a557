//! `blockrace list`: what there is, by name.

use std::io::{self, Write};

use model::defect::{DEFECTS, Defect};
use model::dialect::DIALECTS;
use model::mutation::{MUTATIONS, Mutation};
use model::property::{PROPERTIES, Property, WITNESSES};
use scenarios::load::SHIPPED;
use sim::strategy::STRATEGIES;

use crate::cli::{ListArgs, Listing};
use crate::exit::Exit;
use crate::stage;
use crate::terminal;

/// Shows the list.
///
/// # Errors
/// What to print: a shipped scenario that does not load, which would be our mistake.
pub fn run(args: &ListArgs) -> Result<Exit, String> {
    let rows = match args.what {
        Listing::Scenarios => scenarios()?,
        Listing::Strategies => STRATEGIES
            .iter()
            .map(|row| row_of(row.name, row.about))
            .collect(),
        Listing::Dialects => DIALECTS
            .iter()
            .map(|dialect| row_of(dialect.name, "QEMU's rules of that release"))
            .collect(),
        Listing::Properties => PROPERTIES.iter().map(property_row).collect(),
        Listing::Defects => DEFECTS.map(defect_row).to_vec(),
        Listing::Mutations => MUTATIONS.iter().map(mutation_row).collect(),
        Listing::Witnesses => WITNESSES
            .iter()
            .map(|(id, says)| row_of(id, says))
            .collect(),
    };
    crate::written(print(&mut terminal::out(true), &rows))?;
    Ok(Exit::Clean)
}

fn row_of(name: &str, about: &str) -> (String, String) {
    (name.to_owned(), about.to_owned())
}

/// A promise, where it comes from, who keeps it, and what is not checked of it.
fn property_row(row: &Property) -> (String, String) {
    let (spec, kind) = (row.spec.join(", "), row.kind.word());
    let mut about = format!("{}\n[{spec}; {kind}] {}", row.says, row.kept_by);
    if let Some(remark) = row.kind.remark() {
        let word = if row.kind.is_checked() {
            "except"
        } else {
            "because"
        };
        about = format!("{about}\n{word}: {remark}");
    }
    row_of(row.id, &about)
}

/// A known defect: where it is, what it breaks and in which story, how it is known, and how a repaired QEMU behaves.
fn defect_row(defect: &'static Defect) -> (String, String) {
    let has = |dialect: &&'static model::dialect::Dialect| dialect.has(defect);
    let lives: Vec<&str> = DIALECTS
        .into_iter()
        .filter(has)
        .map(|dialect| dialect.name)
        .collect();
    let about = format!(
        "{}\n[{}; QEMU {}] {}\nbreaks {} in {}; {}\nfixed: {}",
        defect.says,
        defect.id,
        lives.join(", "),
        defect.place,
        defect.breaks[0],
        defect.story,
        defect.evidence,
        defect.repaired
    );
    row_of(defect.name, &about)
}

/// A planted bug, what it breaks and where.
fn mutation_row(row: &Mutation) -> (String, String) {
    let (bug, breaks, story, dialect) = (row.bug, row.breaks, row.story, row.dialect);
    let about = format!(
        "{}\n[{bug}] {}\nbreaks {breaks} in {story} (QEMU {dialect})",
        row.what, row.reference
    );
    row_of(row.name, &about)
}

fn scenarios() -> Result<Vec<(String, String)>, String> {
    let row = |(name, _): &(&str, &str)| {
        let loaded = stage::load(name)?;
        Ok(((*name).to_owned(), loaded.story.title))
    };
    SHIPPED.iter().map(row).collect()
}

fn print(out: &mut impl Write, rows: &[(String, String)]) -> io::Result<()> {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, about) in rows {
        let mut lines = about.lines();
        writeln!(out, "{name:<width$}  {}", lines.next().unwrap_or(""))?;
        for line in lines {
            writeln!(out, "{:width$}  {line}", "")?;
        }
    }
    Ok(())
}
