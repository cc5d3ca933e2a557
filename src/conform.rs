//! `blockrace conform`: is each recording of real QEMU a trace of the model?

mod live;
mod log;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use scenarios::conform::{Exactness, Rejection, Verdict, conform};
use scenarios::limits::RECORDING;
use scenarios::recording::Recording;
use serde_json::{Value, json};
use sim::membership::TooManyWorlds;

use crate::cli::ConformArgs;
use crate::exit::Exit;
use crate::output::{Case, Failure, Output};
use crate::stage;
use crate::terminal;

/// Checks the recordings.
///
/// # Errors
/// What to print: a recording that cannot be used.
pub fn run(args: &ConformArgs) -> Result<Exit, String> {
    match args.log.is_empty() {
        true => Output::of(&args.output()?, "conform", |output| judge(args, output)),
        false => log::run(args),
    }
}

/// Checks recordings, or what real QEMUs do.
///
/// # Errors
/// As [`run`].
pub fn judge(args: &ConformArgs, output: &mut Output) -> Result<Exit, String> {
    if args.is_live() {
        return live::run(args, output);
    }
    args.refuse_what_is_for_qemu()?;
    let files = files(&args.what)?;
    if files.is_empty() {
        eprintln!("blockrace: nothing to check: no recording (*.jsonl) there");
        return Ok(Exit::NothingChecked);
    }
    let exactness = if args.strict {
        Exactness::Strict
    } else {
        Exactness::Normal
    };
    let mut tally = Tally::default();
    for file in &files {
        let text = RECORDING.read_text(Path::new(file))?;
        let recordings = Recording::parse_all(file, &text).map_err(|error| error.to_string())?;
        for recording in &recordings {
            let started = Instant::now();
            let (verdict, strictly) = check(recording, exactness)?;
            let seconds = started.elapsed().as_secs_f64();
            tally.count(&verdict, strictly);
            output.row(json(recording, &verdict, strictly))?;
            if output.is_human() {
                let mut out = terminal::out(true);
                crate::written(print_human(&mut out, recording, &verdict, strictly))?;
            }
            output.case(case(recording, &verdict, seconds));
        }
    }
    if output.is_human() {
        crate::written(writeln!(
            terminal::out(true),
            "{} recordings: {} accepted ({} of them strictly), {} rejected, {} undecided",
            tally.accepted + tally.rejected + tally.undecided,
            tally.accepted,
            tally.strictly,
            tally.rejected,
            tally.undecided
        ))?;
    }
    Ok(match tally {
        Tally { rejected: 1.., .. } => Exit::Violated,
        Tally { undecided: 1.., .. } => Exit::Inconclusive,
        Tally { .. } => Exit::Clean,
    })
}

/// The verdict, and whether it is one of acceptance in every detail.
fn check(recording: &Recording, exactness: Exactness) -> Result<(Verdict, bool), String> {
    let verdict = |exactness| conform(recording, exactness).map_err(|error| error.to_string());
    let accepted = |verdict: &Verdict| matches!(verdict, Verdict::Accepted { .. });
    let found = verdict(exactness)?;
    let strictly = accepted(&found)
        && (exactness == Exactness::Strict || accepted(&verdict(Exactness::Strict)?));
    Ok((found, strictly))
}

#[derive(Default)]
struct Tally {
    accepted: usize,
    strictly: usize,
    rejected: usize,
    undecided: usize,
}

impl Tally {
    fn count(&mut self, verdict: &Verdict, strictly: bool) {
        match verdict {
            Verdict::Accepted { .. } => self.accepted += 1,
            Verdict::Rejected(_) => self.rejected += 1,
            Verdict::TooManyWorlds { .. } => self.undecided += 1,
        }
        self.strictly += usize::from(strictly);
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn files(recordings: &[PathBuf]) -> Result<Vec<String>, String> {
    let mut files = Vec::new();
    for path in recordings {
        if path.is_dir() {
            files.extend(stage::files_in(path, "jsonl")?);
        } else {
            files.push(text(path));
        }
    }
    Ok(files)
}

/// The file, and the line of the header if that is not its first.
fn place(recording: &Recording) -> String {
    match recording.lines.first() {
        Some((first, _)) if *first > 2 => format!("{}:{}", recording.file, first - 1),
        _ => recording.file.clone(),
    }
}

fn print_human(
    out: &mut impl Write,
    recording: &Recording,
    verdict: &Verdict,
    strictly: bool,
) -> io::Result<()> {
    let (file, lines) = (place(recording), recording.lines.len());
    match verdict {
        Verdict::Accepted { worlds_max } => {
            let how = if strictly { "strictly" } else { "normalised" };
            writeln!(
                out,
                "accepted  {file}  {lines} lines, {how}, at most {worlds_max} worlds at once"
            )
        }
        Verdict::Rejected(rejection) => {
            writeln!(out, "REJECTED  {}:{}", recording.file, rejection.line)?;
            print_rejection(out, rejection)
        }
        Verdict::TooManyWorlds { line, limit } => {
            writeln!(out, "UNDECIDED {}:{line}: {limit}", recording.file)
        }
    }
}

/// How many allowed continuations are shown.
const ALLOWED_SHOWN: usize = 6;

/// Prints what came where, and what could have come.
pub fn print_rejection(out: &mut impl Write, rejection: &Rejection) -> io::Result<()> {
    for line in &rejection.before {
        writeln!(out, "            {line}")?;
    }
    writeln!(out, "  recorded: {}", rejection.recorded)?;
    if rejection.allowed.is_empty() {
        return writeln!(out, "  allowed:  nothing: the model has come to rest");
    }
    for (index, line) in rejection.allowed.iter().take(ALLOWED_SHOWN).enumerate() {
        writeln!(
            out,
            "  {} {line}",
            if index == 0 { "allowed: " } else { "         " }
        )?;
    }
    let more = rejection.allowed.len().saturating_sub(ALLOWED_SHOWN);
    if more > 0 {
        writeln!(out, "            … and {more} more")?;
    }
    Ok(())
}

/// For documents.
fn case(recording: &Recording, verdict: &Verdict, seconds: f64) -> Case {
    let mut told = Case {
        name: place(recording),
        dialect: recording.version.clone(),
        file: recording.file.clone(),
        exit: Exit::Clean,
        word: "accepted".to_owned(),
        note: String::new(),
        work: format!("{} lines", recording.lines.len()),
        seconds,
        failures: Vec::new(),
    };
    match verdict {
        Verdict::Accepted { .. } => {}
        Verdict::Rejected(rejection) => {
            told.exit = Exit::Violated;
            told.word = "REJECTED".to_owned();
            let at = format!("{}:{}", recording.file, rejection.line);
            told.failures.push(Failure {
                again: format!("blockrace conform {}", recording.file),
                kept: Some(PathBuf::from(&recording.file)),
                ..rejected(&at, rejection)
            });
        }
        Verdict::TooManyWorlds { line, limit } => {
            told.exit = Exit::Inconclusive;
            told.word = "UNDECIDED".to_owned();
            told.note = format!("line {line}: {limit}");
        }
    }
    told
}

/// A rejection for documents; `place` is what its message begins with.
fn rejected(place: &str, rejection: &Rejection) -> Failure {
    let mut picture = Vec::new();
    // Writing to memory does not fail.
    let _ = print_rejection(&mut picture, rejection);
    Failure {
        rule: "recording".to_owned(),
        message: format!("{place}: the model does not allow {}", rejection.recorded),
        picture: String::from_utf8_lossy(&picture).into_owned(),
        ..Failure::default()
    }
}

/// A recording of which nobody knows, for machines.
fn undecided(line: u32, limit: TooManyWorlds) -> Value {
    match limit {
        TooManyWorlds::Count(worlds) => {
            json!({"verdict": "undecided", "line": line, "worlds": worlds})
        }
        TooManyWorlds::Bytes(bytes) => {
            json!({"verdict": "undecided", "line": line, "bytes": bytes})
        }
    }
}

/// For machines.
fn json(recording: &Recording, verdict: &Verdict, strictly: bool) -> Value {
    let verdict: Value = match verdict {
        Verdict::Accepted { worlds_max } => {
            json!({"verdict": "accepted", "strictly": strictly, "worlds": worlds_max})
        }
        Verdict::Rejected(rejection) => json!({
            "verdict": "rejected",
            "line": rejection.line,
            "recorded": rejection.recorded,
            "allowed": rejection.allowed,
        }),
        Verdict::TooManyWorlds { line, limit } => undecided(*line, *limit),
    };
    json!({
        "recording": recording.file,
        "scenario": recording.scenario,
        "qemu": recording.version,
        "lines": recording.lines.len(),
        "result": verdict,
    })
}
