//! `blockrace list`: what there is, by name.

use std::io::{self, Write};

use model::dialect::DIALECTS;
use scenarios::load::SHIPPED;
use sim::strategy::STRATEGIES;

use crate::cli::{ListArgs, Listing};
use crate::exit::Exit;
use crate::stage;

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
    };
    crate::written(print(&mut anstream::stdout().lock(), &rows))?;
    Ok(Exit::Clean)
}

fn row_of(name: &str, about: &str) -> (String, String) {
    (name.to_owned(), about.to_owned())
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
        writeln!(out, "{name:<width$}  {about}")?;
    }
    Ok(())
}
