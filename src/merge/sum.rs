//! Adding up: which rows belong together, whether they are all there, and what they are together.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::part::{Part, Span, joined, words};

/// What to do about what is missing.
const HINT: &str = "--partial merges what there is, and is inconclusive";

/// A report: its file, and its rows.
pub struct Report<R> {
    /// Where it was read.
    pub file: PathBuf,
    /// Its rows, each with its line.
    pub rows: Vec<R>,
}

/// One row of the whole.
pub struct Whole<R> {
    /// What all parts are together.
    pub row: R,
    /// What no part has done.
    pub missing: Vec<Span>,
    /// What was found behind the failure that ended the campaign, each with its file: it does not count.
    pub beyond: Vec<(PathBuf, String)>,
}

impl<R: Part> Whole<R> {
    /// How many seeds are covered.
    pub fn covered(&self) -> u64 {
        let spans = self.row.covered().iter();
        spans.map(|[start, end]| end - start).sum()
    }
}

/// Adds up the reports. Those of empty parts have no rows, and say nothing.
///
/// # Errors
/// What to print: reports that are not of one campaign, that overlap, or that leave something out, unless `partial`.
pub fn sum<R: Part>(reports: Vec<Report<R>>, partial: bool) -> Result<Vec<Whole<R>>, String> {
    let mut reports: Vec<Report<R>> = reports
        .into_iter()
        .filter(|report| !report.rows.is_empty())
        .collect();
    same_names(&reports, partial)?;
    // In the order of their seeds, whatever the order of the files is.
    reports.sort_by_key(|report| {
        let first = report.rows.first().map(|row| row.campaign().part());
        first.map(|part| (part.start, part.end))
    });
    let most = reports.iter().map(|report| report.rows.len()).max();
    let mut columns: Vec<Vec<(PathBuf, R)>> = Vec::new();
    columns.resize_with(most.unwrap_or(0), Vec::new);
    for Report { file, rows } in reports {
        for (column, row) in columns.iter_mut().zip(rows) {
            column.push((file.clone(), row));
        }
    }
    columns
        .into_iter()
        .filter_map(|column| whole(column, partial).transpose())
        .collect()
}

/// All reports have rows of the same things, in one order; if they may be partial, the last may be missing.
fn same_names<R: Part>(reports: &[Report<R>], partial: bool) -> Result<(), String> {
    let names = |report: &Report<R>| report.rows.iter().map(R::name).collect::<Vec<_>>();
    let Some(longest) = reports.iter().rev().max_by_key(|report| report.rows.len()) else {
        return Ok(());
    };
    let wanted = names(longest);
    let mut seen = BTreeSet::new();
    if let Some(twice) = wanted.iter().find(|name| !seen.insert(*name)) {
        let file = longest.file.display();
        return Err(format!(
            "{file}: two rows are of {twice}; a report of a part has one of each"
        ));
    }
    for report in reports {
        let (file, other) = (report.file.display(), longest.file.display());
        let has = names(report);
        if let Some((has, wants)) = has.iter().zip(&wanted).find(|(has, wants)| has != wants) {
            return Err(format!(
                "{file}: has {has} where {other} has {wants}: these are not parts of one campaign"
            ));
        }
        if let (Some(lacks), false) = (wanted.get(has.len()), partial) {
            return Err(format!(
                "{file}: has no row of {lacks}, which {other} has; was it ended early?\n  {HINT}"
            ));
        }
    }
    Ok(())
}

/// The row of the whole; nothing without parts.
fn whole<R: Part>(parts: Vec<(PathBuf, R)>, partial: bool) -> Result<Option<Whole<R>>, String> {
    let mut parts = parts.into_iter();
    let Some((first, mut row)) = parts.next() else {
        return Ok(None);
    };
    let parts: Vec<(PathBuf, R)> = parts.collect();
    for (file, part) in &parts {
        same_terms((&first, &row), (file, part))?;
    }
    no_overlap(&first, &row, &parts)?;
    let mut counted = vec![(first.clone(), row.campaign().part(), row.covered().to_vec())];
    let mut beyond = Vec::new();
    for (file, part) in parts {
        if row.ends() {
            beyond.extend(part.found().map(|found| (file, found)));
            continue;
        }
        row.add(&part)
            .map_err(|what| format!("{}: {}: {what}", file.display(), part.name()))?;
        counted.push((file, part.campaign().part(), part.covered().to_vec()));
    }
    let missing = missing(&row, &counted);
    if let (Some(span), false) = (missing.first(), partial) {
        return Err(lacks(&row, span, &counted));
    }
    row.campaign_mut().partition = None;
    let covered = counted.into_iter().flat_map(|(_, _, covered)| covered);
    row.conclude(joined(covered), missing.is_empty());
    Ok(Some(Whole {
        row,
        missing,
        beyond,
    }))
}

fn same_terms<R: Part>((first, row): (&Path, &R), (file, part): (&Path, &R)) -> Result<(), String> {
    let all = |row: &R| [row.campaign().terms(), row.terms()].concat();
    for ((what, mine), (_, others)) in all(part).into_iter().zip(all(row)) {
        if mine != others {
            let (file, first, name) = (file.display(), first.display(), row.name());
            return Err(format!(
                "{file}: {name}: another {what}: {mine}, and {first} has {others}: these are not parts of one campaign"
            ));
        }
    }
    Ok(())
}

fn no_overlap<R: Part>(first: &Path, row: &R, parts: &[(PathBuf, R)]) -> Result<(), String> {
    let (mut before, mut range) = (first, row.campaign().part());
    for (file, part) in parts {
        let next = part.campaign().part();
        if !next.is_empty() && next.start < range.end {
            let both = words(&[next.start, next.end.min(range.end)]);
            let (file, before) = (file.display(), before.display());
            return Err(format!(
                "{file}: {before} has the {} {both}, too: each may be added once",
                R::UNIT
            ));
        }
        if next.end > range.end {
            (before, range) = (file, next);
        }
    }
    Ok(())
}

/// What was asked for and not done, up to what ended the campaign.
fn missing<R: Part>(row: &R, counted: &[(PathBuf, Range<u64>, Vec<Span>)]) -> Vec<Span> {
    let [mut next, mut end] = row.campaign().asked;
    let covered = counted.iter().flat_map(|(_, _, covered)| covered);
    if row.ends()
        && let Some((_, part, covered)) = counted.last()
    {
        end = covered.last().map_or(part.start, |span| span[1]);
    }
    let mut missing = Vec::new();
    for [start, behind] in covered.copied() {
        if next < start {
            missing.push([next, start]);
        }
        next = behind;
    }
    if next < end {
        missing.push([next, end]);
    }
    missing
}

/// What to print about the first thing that is missing.
fn lacks<R: Part>(row: &R, span: &Span, counted: &[(PathBuf, Range<u64>, Vec<Span>)]) -> String {
    let (name, unit, seeds) = (row.name(), R::UNIT, words(span));
    let should = counted.iter().find(|(_, part, _)| part.contains(&span[0]));
    match (should, counted.first()) {
        (Some((file, _, _)), _) => {
            let file = file.display();
            format!("{file}: {name}: ended before the {unit} {seeds}\n  {HINT}")
        }
        (None, Some((file, _, _))) => {
            let (file, all) = (file.display(), words(&row.campaign().asked));
            format!(
                "{file}: is a part of the {unit} {all}, and no report has {seeds} of {name}\n  {HINT}"
            )
        }
        (None, None) => format!("no report has {seeds} of {name}\n  {HINT}"),
    }
}
