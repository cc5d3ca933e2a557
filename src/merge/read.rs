//! Reading reports: JSON Lines, a row each, and all of one command.

use std::path::{Path, PathBuf};

use scenarios::limits::REPORT;
use serde_json::Value;

use super::part::Part;
use super::sum::Report;

/// Whose rows they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `fuzz`.
    Fuzz,
    /// `fuzz --random`.
    Random,
    /// `diff`.
    Diff,
    /// `bugs`.
    Bugs,
}

impl Kind {
    /// What only such a row has.
    const ALL: [(Kind, &str); 4] = [
        (Kind::Random, "random"),
        (Kind::Diff, "agreed"),
        (Kind::Bugs, "mutation"),
        (Kind::Fuzz, "chance_of_new_trace"),
    ];

    /// The kind of a row.
    fn of(row: &Value) -> Option<Kind> {
        let has = |(_, key): &&(Kind, &str)| row.get(key).is_some();
        Kind::ALL.iter().find(has).map(|(kind, _)| *kind)
    }
}

/// The files, with what stands in them.
///
/// # Errors
/// What to print: a file that cannot be read.
pub fn texts(files: &[PathBuf]) -> Result<Vec<(PathBuf, String)>, String> {
    let one = |file: &PathBuf| Ok((file.clone(), REPORT.read_text(file)?));
    files.iter().map(one).collect()
}

/// The kind of the rows, which is one; nothing if there is none.
///
/// # Errors
/// What to print: a line that is no row, or rows of several kinds.
pub fn kind(texts: &[(PathBuf, String)]) -> Result<Option<Kind>, String> {
    let mut found: Option<(Kind, &Path)> = None;
    for (file, text) in texts {
        for (number, line) in lines(text) {
            let place = format!("{}:{number}", file.display());
            let row = json(&place, line)?;
            let kind = Kind::of(&row).ok_or_else(|| {
                format!(
                    "{place}: this is no row of a campaign of seeds; merge reads what fuzz, fuzz --random, bugs and \
                     diff write with --format json"
                )
            })?;
            match found {
                Some((other, first)) if other != kind => {
                    let first = first.display();
                    return Err(format!(
                        "{place}: this row is of another command than those of {first}"
                    ));
                }
                _ => found = found.or(Some((kind, file))),
            }
        }
    }
    Ok(found.map(|(kind, _)| kind))
}

/// The reports.
///
/// # Errors
/// What to print: a row that lacks something, or has what it cannot have.
pub fn reports<R: Part>(texts: &[(PathBuf, String)]) -> Result<Vec<Report<R>>, String> {
    let mut reports = Vec::new();
    for (file, text) in texts {
        let mut rows = Vec::new();
        for (number, line) in lines(text) {
            let row: R = serde_json::from_str(line).map_err(|error| {
                let (file, command) = (file.display(), R::COMMAND);
                format!(
                    "{file}:{number}: this is no row that `{command}` of this version writes: {error}"
                )
            })?;
            in_range(&row).map_err(|what| format!("{}:{number}: {what}", file.display()))?;
            rows.push(row);
        }
        reports.push(Report {
            file: file.clone(),
            rows,
        });
    }
    Ok(reports)
}

/// Was it done within what was to be done?
fn in_range<R: Part>(row: &R) -> Result<(), String> {
    let campaign = row.campaign();
    let [start, end] = campaign.asked;
    if start > end {
        return Err(format!("the range {start}..{end} ends before it begins"));
    }
    let part = campaign.part();
    let mut next = part.start;
    for [start, end] in row.covered() {
        if *start < next || end < start || *end > part.end {
            return Err(format!(
                "{start}..{end} cannot be covered by the part {}..{}",
                part.start, part.end
            ));
        }
        next = *end;
    }
    Ok(())
}

fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate();
    lines
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(index, line)| (index + 1, line))
}

fn json(place: &str, line: &str) -> Result<Value, String> {
    serde_json::from_str(line).map_err(|error| {
        format!("{place}: this is no JSON: {error}; was the report written to its end?")
    })
}
