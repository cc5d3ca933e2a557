//! `blockrace conform --qemu`: the scenarios, played with real QEMUs, and what these said held against the model.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use scenarios::conform::{Exactness, Verdict, conform};
use scenarios::recording::Recording;
use scenarios::scene::Scene;
use scenarios::script::Script;
use serde_json::{Value, json};
use sim::language::{Language, Options};

use super::print_rejection;
use crate::cli::ConformArgs;
use crate::exit::Exit;
use crate::live::{self, Binary, Limits, Played, Tally};
use crate::output::{Case, Failure, Output};
use crate::pool;
use crate::progress::{self, Figures, Progress};
use crate::stage::{self, Loaded};
use crate::terminal;
use crate::watch::{self, Watch};

/// How many worlds the language of a story may have before its traces are not counted any more.
const WORLDS_MAX: usize = 20_000;

/// Plays the scenarios.
///
/// # Errors
/// What to print: a scenario or a QEMU that cannot be used, a file that cannot be written.
pub fn run(args: &ConformArgs, output: &mut Output) -> Result<Exit, String> {
    let names: Vec<String> = args.what.iter().map(|path| super::text(path)).collect();
    let stories = stage::load_all(&names)?;
    let what = format!("{} scenarios", stories.len());
    let Some(binaries) = live::binaries(&args.qemu, args.qemu_img.as_deref(), args.dialect, &what)?
    else {
        return Ok(Exit::NothingChecked);
    };
    if stories.is_empty() {
        eprintln!("blockrace: nothing to check: no scenario");
        return Ok(Exit::NothingChecked);
    }
    let (mut rows, mut scripts) = (Vec::new(), Vec::new());
    for loaded in &stories {
        for binary in &binaries {
            let script = script(loaded, binary)?;
            scripts.push(script);
            rows.push(Row {
                loaded,
                binary,
                told: Told::default(),
            });
        }
    }
    play(args, rows, &scripts, output)
}

fn script(loaded: &Loaded, binary: &Binary) -> Result<Script, String> {
    Script::of_story(&loaded.story, &loaded.file, binary.dialect)
        .map_err(|error| format!("{}:{}: {}", loaded.file, error.line, error.what))
}

/// One story with one QEMU.
struct Row<'a> {
    loaded: &'a Loaded,
    binary: &'a Binary,
    told: Told,
}

/// What came of it.
#[derive(Default)]
struct Told {
    runs: u64,
    /// Transcripts that the model allows.
    accepted: Tally,
    accepted_runs: u64,
    /// Transcripts that it does not allow, or that a story does not expect.
    rejected: Tally,
    rejected_runs: u64,
    undecided_runs: u64,
    /// What those who read the socket can have seen.
    orders: Tally,
    /// Of how many.
    allowed: Option<u128>,
    /// A known defect of this QEMU was seen.
    shown: bool,
    seconds: f64,
    /// What is wrong with each distinct one of the rejected transcripts.
    failures: Vec<Failure>,
}

/// One run.
struct Run {
    played: Played,
    recording: Recording,
    verdict: Verdict,
    seconds: f64,
    allowed: Option<u128>,
}

/// Plays everything, and prints a row when its last run is done.
fn play(
    args: &ConformArgs,
    mut rows: Vec<Row<'_>>,
    scripts: &[Script],
    output: &mut Output,
) -> Result<Exit, String> {
    let watch = Watch::new(None);
    let repeat = args.repeat.get();
    let count = rows.len() * repeat;
    let progress = Progress::new("QEMU", Some(count as u64), None);
    progress.show(&Figures::done("runs", 0));
    let started = Instant::now();
    let width = rows
        .iter()
        .map(|row| row.loaded.name.len())
        .max()
        .unwrap_or(0);
    let cast: Vec<(&Loaded, &Binary)> = rows.iter().map(|row| (row.loaded, row.binary)).collect();
    let (mut failed, mut worst) = (None, Exit::Clean);
    let mut sums = Sums::default();
    pool::in_order(
        watch::workers(args.jobs),
        count,
        |number| {
            let ((loaded, binary), script) = (cast[number / repeat], &scripts[number / repeat]);
            one_run(loaded, binary, script, number % repeat, &watch)
        },
        |number, run| {
            progress.show(&Figures::done("runs", number as u64 + 1));
            let row = &mut rows[number / repeat];
            let done = run.and_then(|run| {
                if watch.is_interrupted() {
                    return Ok(());
                }
                progress.aside(|| {
                    row.count(run, output.is_human())?;
                    if number % repeat + 1 == repeat {
                        worst = worst.worse(row.exit());
                        sums.add(&row.told);
                        output.row(row.json())?;
                        if output.is_human() {
                            row.print(width)?;
                        }
                        let kept = row.keep(args, output.is_human())?;
                        output.case(row.case(kept));
                    }
                    Ok(())
                })
            });
            failed = done.err();
            failed.is_none() && !watch.is_interrupted()
        },
    );
    drop(progress);
    if let Some(why) = failed {
        return Err(why);
    }
    if watch.is_interrupted() {
        worst = worst.worse(Exit::Inconclusive);
        eprintln!("blockrace: ended by Ctrl-C");
    }
    progress::summary_of("runs", sums.runs, started.elapsed());
    if output.is_human() {
        crate::written(sums.print(&mut terminal::out(true)))?;
    }
    Ok(worst)
}

fn one_run(
    loaded: &Loaded,
    binary: &Binary,
    script: &Script,
    number: usize,
    watch: &Watch,
) -> Result<Run, String> {
    let folder = live::folder()?;
    let started = Instant::now();
    let stop = || watch.is_interrupted();
    let played = live::play(
        binary,
        (&loaded.story, script),
        folder.path(),
        number as u64,
        (Limits::USUAL, &stop),
    )?;
    let seconds = started.elapsed().as_secs_f64();
    let recording = live::recording(&loaded.name, binary, &played.lines);
    let verdict = conform(&recording, Exactness::Normal)
        .map_err(|error| format!("{} ({}): {error}", loaded.name, binary.version))?;
    Ok(Run {
        played,
        recording,
        verdict,
        seconds,
        allowed: if number == 0 {
            traces(loaded, binary)
        } else {
            None
        },
    })
}

/// How many traces the model allows, if they can be counted within reason.
fn traces(loaded: &Loaded, binary: &Binary) -> Option<u128> {
    let scene = Scene::new(script(loaded, binary).ok()?);
    let options = Options {
        worlds_max: WORLDS_MAX,
        ..Options::default()
    };
    let language = Language::explore(&scene, options, &mut |_| true).ok()?;
    language
        .is_complete()
        .then(|| language.automaton.trace_count())
}

impl Row<'_> {
    fn count(&mut self, run: Run, is_human: bool) -> Result<(), String> {
        let told = &mut self.told;
        told.runs += 1;
        told.seconds += run.seconds;
        told.allowed = told.allowed.or(run.allowed);
        let lines = &run.played.lines;
        let visible: Vec<Value> = lines
            .iter()
            .enumerate()
            .filter(|(index, _)| !run.played.of_guests.contains(index))
            .map(|(_, line)| line.clone())
            .collect();
        told.orders.count(&visible);
        for unknown in &run.played.unknown {
            eprintln!(
                "blockrace: warning: {}: ignored a message that is not known here: {unknown}",
                self.loaded.name
            );
        }
        let unexpected = run.played.unexpected.as_ref();
        match (&run.verdict, unexpected) {
            (Verdict::Accepted { .. }, None) => {
                told.accepted_runs += 1;
                told.accepted.count(lines);
            }
            (Verdict::Accepted { .. }, Some(_)) if !self.loaded.story.defects.is_empty() => {
                told.shown = true;
                told.accepted_runs += 1;
                told.accepted.count(lines);
            }
            (Verdict::TooManyWorlds { .. }, None) => told.undecided_runs += 1,
            _ => {
                told.rejected_runs += 1;
                if told.rejected.count(lines) {
                    if is_human {
                        crate::written(self.explain(&run))?;
                    }
                    let failure = self.failure(&run);
                    self.told.failures.push(failure);
                }
            }
        }
        Ok(())
    }

    fn explain(&self, run: &Run) -> io::Result<()> {
        let mut out = terminal::out(true);
        writeln!(out, "{}  QEMU {}", self.loaded.name, self.binary.version)?;
        if let Verdict::Rejected(rejection) = &run.verdict {
            writeln!(
                out,
                "  REJECTED at line {} of {}",
                rejection.line,
                run.recording.lines.len() + 1
            )?;
            print_rejection(&mut out, rejection)?;
        }
        if let Some((line, what)) = &run.played.unexpected {
            writeln!(out, "  UNEXPECTED {}:{line}: {what}", self.loaded.file)?;
        }
        for line in run.played.complaints.lines() {
            writeln!(out, "  QEMU complains: {line}")?;
        }
        Ok(())
    }

    fn exit(&self) -> Exit {
        match (self.told.rejected_runs, self.told.undecided_runs) {
            (0, 0) => Exit::Clean,
            (0, _) => Exit::Inconclusive,
            _ => Exit::Violated,
        }
    }

    fn word(&self) -> &'static str {
        match self.exit() {
            Exit::Violated => "REJECTED",
            Exit::Inconclusive => "UNDECIDED",
            _ if self.told.shown => "accepted (known defect)",
            _ => "accepted",
        }
    }

    fn print(&self, width: usize) -> Result<(), String> {
        let (told, name, version) = (&self.told, &self.loaded.name, &self.binary.version);
        let numbers = format!(
            "  QEMU {version:8} {:4} runs {:4} of {:>5} orders {:4} accepted {:4} rejected {:6.1} s",
            told.runs,
            told.orders.distinct(),
            self.allowed(),
            told.accepted_runs,
            told.rejected_runs,
            told.seconds,
        );
        let row = terminal::row(name, width, &numbers, self.word());
        crate::written(writeln!(terminal::out(true), "{row}"))
    }

    /// How many orders the model allows.
    fn allowed(&self) -> String {
        let allowed = self.told.allowed;
        allowed.map_or_else(|| "many".into(), |count| count.to_string())
    }

    /// For machines.
    fn json(&self) -> Value {
        let told = &self.told;
        json!({
            "scenario": self.loaded.name,
            "qemu": self.binary.version,
            "dialect": self.binary.dialect.name,
            "runs": told.runs,
            "orders": told.orders.distinct(),
            "allowed": told.allowed.map(|count| count.to_string()),
            "accepted": told.accepted_runs,
            "rejected": told.rejected_runs,
            "undecided": told.undecided_runs,
            "verdict": self.word(),
        })
    }

    /// What is wrong with a run that was rejected, for documents.
    fn failure(&self, run: &Run) -> Failure {
        let name = &self.loaded.name;
        match (&run.verdict, &run.played.unexpected) {
            (Verdict::Rejected(rejection), _) => super::rejected(name, rejection),
            (_, unexpected) => {
                let (line, what) = unexpected.clone().unwrap_or_default();
                Failure {
                    rule: "expectation".to_owned(),
                    message: format!("{}:{line}: {what}", self.loaded.file),
                    ..Failure::default()
                }
            }
        }
    }

    /// For documents; `kept` is the file of the rejected recordings.
    fn case(&self, kept: Option<PathBuf>) -> Case {
        let (told, name) = (&self.told, &self.loaded.name);
        let again = match &kept {
            Some(file) => format!("blockrace conform {}", file.display()),
            None => format!(
                "blockrace conform --qemu {} {name}",
                self.binary.qemu.display()
            ),
        };
        let failures = told.failures.iter().map(|failure| Failure {
            kept: kept.clone(),
            again: again.clone(),
            ..failure.clone()
        });
        Case {
            name: name.clone(),
            dialect: self.binary.version.clone(),
            file: self.loaded.file.clone(),
            exit: self.exit(),
            word: self.word().to_owned(),
            note: match told.undecided_runs {
                0 => String::new(),
                count => format!("{count} runs: too many worlds are possible"),
            },
            work: format!(
                "{} runs, {} of {} orders",
                told.runs,
                told.orders.distinct(),
                self.allowed()
            ),
            seconds: told.seconds,
            failures: failures.collect(),
        }
    }

    /// Keeps what was recorded: what the model allows where that was asked for, and what it does not always.
    /// Returns where the latter are.
    fn keep(&self, args: &ConformArgs, is_human: bool) -> Result<Option<PathBuf>, String> {
        let name = &self.loaded.name;
        if let Some(folder) = &args.save
            && self.told.accepted.distinct() > 0
        {
            let text = self.told.accepted.file(name, self.binary);
            self.write(&folder.join(&self.binary.version), "jsonl", &text)?;
        }
        if let Some(folder) = args.failures()
            && self.told.rejected.distinct() > 0
        {
            let text = self.told.rejected.file(name, self.binary);
            let ending = format!("{}.rejected.jsonl", self.binary.version);
            let file = self.write(folder, &ending, &text)?;
            if is_human {
                let again = format!("again: blockrace conform {}", file.display());
                crate::written(writeln!(terminal::out(true), "  {again}"))?;
            }
            return Ok(Some(file));
        }
        Ok(None)
    }

    fn write(&self, folder: &Path, ending: &str, text: &str) -> Result<PathBuf, String> {
        let name = self.loaded.name.rsplit('/').next().unwrap_or_default();
        let stem = name.strip_suffix(".yaml").unwrap_or(name);
        let file = folder.join(format!("{stem}.{ending}"));
        let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&file, text));
        written.map_err(|error| format!("{}: cannot be written: {error}", file.display()))?;
        Ok(file)
    }
}

/// Everything together.
#[derive(Default)]
struct Sums {
    stories: u64,
    runs: u64,
    accepted: u64,
    rejected: u64,
    undecided: u64,
}

impl Sums {
    fn add(&mut self, told: &Told) {
        self.stories += 1;
        self.runs += told.runs;
        self.accepted += told.accepted_runs;
        self.rejected += told.rejected_runs;
        self.undecided += told.undecided_runs;
    }

    fn print(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(
            out,
            "{} rows, {} runs: {} accepted, {} rejected, {} undecided",
            self.stories, self.runs, self.accepted, self.rejected, self.undecided
        )
    }
}
