//! `blockrace merge`: the reports of the parts of a campaign are one report, as if one process had played it all.
//!
//! A command's rows say which part of which campaign they are ([`part`]); [`sum`] adds them up, or says what does not
//! fit. What a row is, and how two are added, stands beside the command that writes it.

pub mod part;
mod read;
mod sum;

use clap::Args;
use serde_json::json;
use std::io::{self, Write};
use std::path::PathBuf;

use self::part::{Part, words};
use self::read::Kind;
use self::sum::{Report, Whole};
use crate::exit::Exit;
use crate::output::{Output, OutputArgs};
use crate::progress;
use crate::terminal;
use crate::{bugs, diff, fuzz};

/// Arguments of `merge`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct MergeArgs {
    /// What --format json wrote of each part, in any order
    #[arg(value_name = "REPORT", required = true)]
    reports: Vec<PathBuf>,
    /// Merge what there is although parts are missing: the result is inconclusive, exit code 3
    #[arg(long)]
    partial: bool,
    /// How and where to write the result
    #[command(flatten)]
    output: OutputArgs,
}

const EXAMPLES: &str = "\
Examples:
  blockrace fuzz --seeds 0..100000 --partition slice:1/4 --format json --output part-1.json
  blockrace merge part-*.json
  blockrace merge part-*.json --format json --output whole.json";

/// Merges the reports.
///
/// # Errors
/// What to print: a report that cannot be read, or that does not fit the others.
pub fn run(args: &MergeArgs) -> Result<Exit, String> {
    let texts = read::texts(&args.reports)?;
    match read::kind(&texts)? {
        None => {
            eprintln!("blockrace: nothing to merge: no report has a row");
            Ok(Exit::NothingChecked)
        }
        Some(Kind::Fuzz) => merge::<fuzz::row::Row>(args, read::reports(&texts)?),
        Some(Kind::Random) => merge::<fuzz::random::row::Row>(args, read::reports(&texts)?),
        Some(Kind::Bugs) => merge::<bugs::row::Row>(args, read::reports(&texts)?),
        Some(Kind::Diff) => merge::<diff::row::Row>(args, read::reports(&texts)?),
    }
}

/// Adds up reports, each a file's name and its text; gives what `merge` prints of them.
///
/// # Errors
/// What to print: a report that cannot be read, or that does not fit the others.
pub fn told(texts: &[(PathBuf, String)], partial: bool) -> Result<String, String> {
    fn of<R: Part>(texts: &[(PathBuf, String)], partial: bool) -> Result<String, String> {
        let wholes = sum::sum(read::reports::<R>(texts)?, partial)?;
        let mut told = Vec::new();
        print(&mut told, &wholes, texts.len()).map_err(|error| error.to_string())?;
        for whole in &wholes {
            told.extend(json!(whole.row).to_string().bytes());
        }
        String::from_utf8(told).map_err(|error| error.to_string())
    }
    match read::kind(texts)? {
        None => Ok(String::new()),
        Some(Kind::Fuzz) => of::<fuzz::row::Row>(texts, partial),
        Some(Kind::Random) => of::<fuzz::random::row::Row>(texts, partial),
        Some(Kind::Bugs) => of::<bugs::row::Row>(texts, partial),
        Some(Kind::Diff) => of::<diff::row::Row>(texts, partial),
    }
}

fn merge<R: Part>(args: &MergeArgs, reports: Vec<Report<R>>) -> Result<Exit, String> {
    let count = reports.len();
    let wholes = sum::sum(reports, args.partial)?;
    let exits = wholes.iter().map(|whole| whole.row.exit());
    let worst = exits.fold(Exit::Clean, Exit::worse);
    Output::of(&args.output, "merge", |output| {
        for whole in &wholes {
            output.row(json!(whole.row))?;
            output.case(whole.row.case());
        }
        if output.is_human() {
            crate::written(print(&mut terminal::out(true), &wholes, count))?;
        }
        let runs = wholes.iter().map(|whole| whole.row.runs());
        let runs = runs.fold(0, u64::saturating_add);
        progress::summary(&format!("{count} reports, {runs} runs"));
        Ok(worst)
    })
}

/// The rows, what is missing or does not count, and what is covered.
fn print<R: Part>(out: &mut impl Write, wholes: &[Whole<R>], count: usize) -> io::Result<()> {
    let names = wholes.iter().map(|whole| whole.row.case().name.len());
    let width = names.max().unwrap_or(0);
    for Whole {
        row,
        missing,
        beyond,
    } in wholes
    {
        for line in row.told(width) {
            writeln!(out, "{line}")?;
        }
        if !missing.is_empty() {
            let spans: Vec<String> = missing.iter().map(words).collect();
            writeln!(out, "  missing {}", spans.join(", "))?;
        }
        for (file, found) in beyond {
            let file = file.display();
            writeln!(
                out,
                "  beyond  {found}\n          in {file}, behind the failure that ends it; --keep-going counts it, too"
            )?;
        }
    }
    if let Some(whole) = wholes.first() {
        writeln!(out, "{}", coverage(whole, wholes, count))?;
    }
    Ok(())
}

/// Which seeds, of how many.
fn coverage<R: Part>(first: &Whole<R>, wholes: &[Whole<R>], count: usize) -> String {
    let asked = first.row.campaign().asked;
    let (all, seeds) = (
        asked[1] - asked[0],
        format!("{} {}", R::UNIT, words(&asked)),
    );
    let rows = wholes.len();
    let lacking = wholes.iter().filter(|whole| !whole.missing.is_empty());
    let ended = wholes.iter().filter(|whole| whole.row.covered() != [asked]);
    match (lacking.count(), ended.count()) {
        (0, 0) => format!("{seeds}: all {all} are covered, by {count} reports"),
        (0, ended) => format!(
            "{seeds}: all {all} are covered, by {count} reports, but for those behind the failure that ends {ended} \
             of {rows} rows"
        ),
        (lacking, _) => {
            let least = wholes.iter().map(Whole::covered).min().unwrap_or(0);
            format!(
                "{seeds}: {least} of {all} are covered, by {count} reports; {lacking} of {rows} rows lack some"
            )
        }
    }
}
