//! `blockrace snapshot`: what scenarios print is kept in files, and a difference is a failure until it is accepted.
//!
//! The semantics are insta's, for people without Rust: a difference, a scenario without a snapshot and a snapshot
//! without a scenario (an orphan) each fail `check`. What is kept is in `text`, the files are `file`'s, and which
//! snapshot belongs to which scenario is `home`'s.

mod file;
mod home;
mod text;

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anstyle::{AnsiColor, Style};
use clap::{Args, Subcommand};
use similar::{ChangeTag, TextDiff};

use self::file::Snapshot;
use self::home::Home;
use crate::cli::Qemu;
use crate::exit::Exit;
use crate::failures;
use crate::stage;
use crate::terminal;

/// Where scenarios are looked for if nothing is named.
const SCENARIOS: &str = "scenarios";

/// Arguments of `snapshot`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  blockrace snapshot accept                  the first time: keep what all of scenarios/ print
  blockrace snapshot check                   in CI: exit code 1 if anything is not as it was
  blockrace snapshot diff scenarios/a.yaml   what has changed in one
  git diff snapshots                         look before you commit what was accepted")]
pub struct SnapshotArgs {
    /// What to do with them
    #[command(subcommand)]
    pub deed: Deed,
}

/// What is done with snapshots.
#[derive(Debug, Subcommand)]
pub enum Deed {
    /// Fail if a scenario prints something else than its snapshot, or has none, or a snapshot has no scenario
    Check(Scope),
    /// Write what scenarios print now, and remove snapshots without a scenario
    Accept(Scope),
    /// Show what has changed, line by line; the exit code is that of `check`
    Diff(Scope),
}

/// Whose snapshots.
#[derive(Debug, Args)]
pub struct Scope {
    /// Scenario files, folders of them, or shipped ones [default: the folder `scenarios`]. Only snapshots of what is
    /// named are looked at
    #[arg(value_name = "FOLDER|SCENARIO")]
    scenarios: Vec<String>,
    /// Where the snapshots are
    #[arg(long, value_name = "DIR", default_value = "snapshots")]
    snapshots: PathBuf,
    /// Whose rules are played
    #[command(flatten)]
    qemu: Qemu,
}

/// A snapshot, and what became of it.
struct Row {
    /// Where it is, or would be.
    path: PathBuf,
    /// Whose it is: a scenario and a dialect, for people.
    whose: String,
    state: State,
}

enum State {
    /// It is what is printed.
    Same,
    /// It is not.
    Differs { kept: String, now: Snapshot },
    /// There is none yet.
    Missing { now: Snapshot },
    /// It belongs to nothing, and why.
    Orphan { why: String },
}

impl State {
    fn word(&self) -> &'static str {
        match self {
            State::Same => "same",
            State::Differs { .. } => "DIFFERS",
            State::Missing { .. } => "MISSING",
            State::Orphan { .. } => "ORPHAN",
        }
    }
}

/// Compares snapshots, and shows or accepts the differences.
///
/// # Errors
/// What to print: a scenario that cannot be used, a file that is no snapshot, one that cannot be written.
pub fn run(args: &SnapshotArgs) -> Result<Exit, String> {
    let (Deed::Check(scope) | Deed::Accept(scope) | Deed::Diff(scope)) = &args.deed;
    let rows = compare(scope)?;
    if rows.is_empty() {
        eprintln!("blockrace: nothing to compare: no scenario, no snapshot");
        return Ok(Exit::NothingChecked);
    }
    let mut out = terminal::out(true);
    match &args.deed {
        Deed::Check(_) => crate::written(print_table(&mut out, &rows))?,
        Deed::Diff(_) => crate::written(print_differences(&mut out, &rows))?,
        Deed::Accept(_) => return accept(&mut out, scope, &rows),
    }
    crate::written(print_summary(&mut out, scope, &rows))?;
    let is_same = |row: &Row| matches!(row.state, State::Same);
    Ok(match rows.iter().all(is_same) {
        true => Exit::Clean,
        false => Exit::Violated,
    })
}

// ---- comparing

fn compare(scope: &Scope) -> Result<Vec<Row>, String> {
    let home = Home::of(&scope.snapshots)?;
    let named = match scope.scenarios.is_empty() {
        true => vec![home.scenarios(SCENARIOS)?],
        false => scope.scenarios.clone(),
    };
    let mut played = BTreeSet::new();
    let mut rows = Vec::new();
    for mut loaded in stage::load_all(&named)? {
        let whose = home.owner(&loaded)?;
        // What is wrong with it is told while it is called as the user did.
        stage::stages(std::slice::from_ref(&loaded), &scope.qemu.all())?;
        (loaded.name, loaded.file) = (whose.to_string(), whose.to_string());
        for dialect in scope.qemu.all() {
            let path = home.file(&whose, dialect.name);
            if !played.insert(path.clone()) {
                continue;
            }
            let now = Snapshot {
                whose: whose.clone(),
                dialect: dialect.name.to_owned(),
                text: text::of(&loaded, dialect)?,
            };
            rows.push(row(path, now)?);
        }
    }
    rows.extend(orphans(scope, &home, &played)?);
    Ok(rows)
}

fn row(path: PathBuf, now: Snapshot) -> Result<Row, String> {
    let whose = format!("{}  QEMU {}", now.whose, now.dialect);
    let state = match file::read(&path)? {
        None => State::Missing { now },
        Some(kept) if kept.whose != now.whose || kept.dialect != now.dialect => {
            return Err(format!(
                "{}: says that it is of {}, QEMU {}, and stands where that of {whose} belongs\n  \
                 usually it was renamed or edited by hand; remove it, and accept the new one",
                path.display(),
                kept.whose,
                kept.dialect
            ));
        }
        Some(kept) if kept.text == now.text => State::Same,
        Some(kept) => State::Differs {
            kept: kept.text,
            now,
        },
    };
    Ok(Row { path, whose, state })
}

/// The snapshots of what is named that were not asked for: their scenario is gone, or they stand where none belongs.
fn orphans(scope: &Scope, home: &Home, played: &BTreeSet<PathBuf>) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    if !scope.snapshots.is_dir() {
        return Ok(rows);
    }
    for path in stage::files_in(&scope.snapshots, file::ENDING)? {
        let path = PathBuf::from(path);
        if played.contains(&path) {
            continue;
        }
        let Some(kept) = file::read(&path)? else {
            continue;
        };
        let is_named = scope.scenarios.is_empty()
            || (scope.scenarios.iter()).any(|named| home.is_of(&kept.whose, named));
        if let Some(why) = home.why_orphan(&path, &kept).filter(|_| is_named) {
            let whose = format!("{}  QEMU {}", kept.whose, kept.dialect);
            let state = State::Orphan { why };
            rows.push(Row { path, whose, state });
        }
    }
    Ok(rows)
}

// ---- accepting

fn accept(out: &mut impl Write, scope: &Scope, rows: &[Row]) -> Result<Exit, String> {
    let mut same = 0;
    for row in rows {
        let path = row.path.display();
        let said = match &row.state {
            State::Same => {
                same += 1;
                continue;
            }
            State::Differs { now, .. } => {
                failures::write(&row.path, &now.to_string())?;
                format!("changed  {path}")
            }
            State::Missing { now } => {
                failures::write(&row.path, &now.to_string())?;
                format!("new      {path}")
            }
            State::Orphan { why } => {
                remove(&row.path, &scope.snapshots)?;
                format!("removed  {path}: {why}")
            }
        };
        crate::written(writeln!(out, "{said}"))?;
    }
    let accepted = rows.len() - same;
    let said = format!("{accepted} accepted, {same} as they were");
    crate::written(writeln!(out, "{said}"))?;
    Ok(Exit::Clean)
}

/// Removes a file, and the folders below `top` that are empty then.
fn remove(path: &Path, top: &Path) -> Result<(), String> {
    fs::remove_file(path)
        .map_err(|error| format!("{}: cannot be removed: {error}", path.display()))?;
    let folders = path.ancestors().skip(1);
    // A folder that is not empty stays, and so do those above it.
    let _ = folders
        .take_while(|folder| *folder != top)
        .try_for_each(fs::remove_dir);
    Ok(())
}

// ---- printing

const GOOD: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Green)));
const BAD: Style = Style::new().fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)));
const DIM: Style = Style::new().dimmed();

fn print_table(out: &mut impl Write, rows: &[Row]) -> io::Result<()> {
    for row in rows {
        let style = match row.state {
            State::Same => GOOD,
            _ => BAD,
        };
        let word = row.state.word();
        writeln!(out, "{style}{word:<8}{style:#} {}", row.whose)?;
        if let State::Orphan { why } = &row.state {
            writeln!(out, "{:9}{}: {why}", "", row.path.display())?;
        }
    }
    Ok(())
}

fn print_differences(out: &mut impl Write, rows: &[Row]) -> io::Result<()> {
    for row in rows {
        let (kept, now) = match &row.state {
            State::Same => continue,
            State::Differs { kept, now } => (&**kept, &*now.text),
            State::Missing { now } => ("", &*now.text),
            State::Orphan { why } => {
                writeln!(out, "{BAD}ORPHAN{BAD:#}   {}: {why}\n", row.path.display())?;
                continue;
            }
        };
        let word = row.state.word();
        writeln!(out, "{BAD}{word:<8}{BAD:#} {}", row.whose)?;
        writeln!(out, "         {}", row.path.display())?;
        print_difference(out, kept, now)?;
        writeln!(out)?;
    }
    Ok(())
}

fn print_difference(out: &mut impl Write, kept: &str, now: &str) -> io::Result<()> {
    let diff = TextDiff::from_lines(kept, now);
    for hunk in diff.unified_diff().context_radius(3).iter_hunks() {
        writeln!(out, "{DIM}{}{DIM:#}", hunk.header())?;
        for change in hunk.iter_changes() {
            let style = match change.tag() {
                ChangeTag::Delete => BAD,
                ChangeTag::Insert => GOOD,
                ChangeTag::Equal => Style::new(),
            };
            let line = change.value().trim_end_matches('\n');
            writeln!(out, "{style}{}{line}{style:#}", change.tag())?;
        }
    }
    Ok(())
}

fn print_summary(out: &mut impl Write, scope: &Scope, rows: &[Row]) -> io::Result<()> {
    let count = |word: &str| rows.iter().filter(|row| row.state.word() == word).count();
    let words = [
        ("same", "same"),
        ("DIFFERS", "different"),
        ("MISSING", "missing"),
        ("ORPHAN", "orphaned"),
    ];
    let counts = words.map(|(word, said)| (count(word), said));
    let counts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, said)| format!("{count} {said}"))
        .collect();
    writeln!(out, "{}", counts.join(", "))?;
    if count("same") < rows.len() {
        let rest = scope.to_paste();
        writeln!(out, "see      blockrace snapshot diff{rest}")?;
        writeln!(out, "take     blockrace snapshot accept{rest}")?;
    }
    Ok(())
}

impl Scope {
    /// What was asked for, to be pasted behind another verb.
    fn to_paste(&self) -> String {
        let mut line: String = (self.scenarios.iter())
            .map(|named| format!(" {named}"))
            .collect();
        if self.snapshots != Path::new("snapshots") {
            line += &format!(" --snapshots {}", self.snapshots.display());
        }
        if let Some(dialect) = self.qemu.chosen() {
            line += &format!(" --dialect {dialect}");
        }
        line
    }
}
