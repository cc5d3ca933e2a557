//! `blockrace ci`: the lanes of a profile, one after the other, and a table of what came of each.
//!
//! A lane is a command line, which is printed and can be pasted. It is run here as the command itself would run it:
//! what CI does and what a person does are the same.

use std::io::{self, Write};

use clap::{Args, Parser};

use crate::cli::{Cli, Command};
use crate::config::{Flags, Settings};
use crate::exit::Exit;
use crate::output::{self, Case, NOT_BEGUN, Output, OutputArgs, counts};
use crate::terminal;
use crate::{bugs, check, conform, fuzz, watch};

/// Arguments of `ci`.
#[derive(Args, Debug)]
pub struct CiArgs {
    /// What is to be done
    #[command(flatten)]
    flags: Flags,
}

/// Runs the lanes.
///
/// # Errors
/// What to print: a file, a variable or a profile that cannot be used; a document that cannot be written.
pub fn run(args: &CiArgs) -> Result<Exit, String> {
    let settings = Settings::of(&args.flags)?;
    let mut output = Output::new(&output_args(&settings, &args.flags.output)?, "ci")?;
    let mut told = Vec::new();
    for (name, words) in LANES.map(|(name, words)| (name, words(&settings))) {
        let result = match words {
            None => None,
            Some(_) if watch::is_interrupted() => Some(Lane::not_begun()),
            Some(words) => Some(lane(name, &words, &mut output)?),
        };
        told.push((name, result));
    }
    let exits = told
        .iter()
        .filter_map(|(_, lane)| lane.as_ref().map(|lane| lane.exit));
    let worst = match told.iter().any(|(_, lane)| lane.is_some()) {
        true => exits.fold(Exit::Clean, Exit::worse),
        false => Exit::NothingChecked,
    };
    if output.is_human() {
        crate::written(print(&mut terminal::out(true), &settings, &told, worst))?;
    }
    output.finish()?;
    Ok(worst)
}

/// Where documents go: into the profile's folder, unless the command line says otherwise.
fn output_args(settings: &Settings, flags: &OutputArgs) -> Result<OutputArgs, String> {
    let formats = settings
        .values("output.formats")
        .iter()
        .map(|name| output::Format::named(name));
    let format: Vec<output::Format> = formats.collect::<Result<_, _>>()?;
    let output = match format.is_empty() {
        // There is always a folder, and nobody need have a use for it.
        true => flags.output.clone(),
        false => settings
            .values("output.folder")
            .iter()
            .map(Into::into)
            .collect(),
    };
    Ok(OutputArgs {
        format,
        output,
        no_times: flags.no_times,
    })
}

/// The command line of a lane, without the command's own name; nothing if it is not asked for.
type Words = fn(&Settings) -> Option<Vec<String>>;

/// The lanes, in the order in which they are run: what is quick and what is sure comes first.
const LANES: [(&str, Words); 6] = [
    ("canary", canary),
    ("recordings", recordings),
    ("snapshots", snapshots),
    ("check", check_words),
    ("fuzz", fuzz_words),
    ("random", random),
];

fn canary(settings: &Settings) -> Option<Vec<String>> {
    settings.has_lane("canary").then(|| {
        let mut words = begin("bugs", settings.values("canary"));
        words.extend(["--no-schedules".to_owned(), "--no-times".to_owned()]);
        with_option(&mut words, "--jobs", settings.value("jobs"));
        words
    })
}

fn recordings(settings: &Settings) -> Option<Vec<String>> {
    let is_asked = settings.has_lane("recordings");
    is_asked.then(|| begin("conform", settings.values("recordings")))
}

fn snapshots(settings: &Settings) -> Option<Vec<String>> {
    settings.has_lane("snapshots").then(|| {
        let mut words = begin("snapshot", &["check".to_owned()]);
        words.extend(settings.values("scenarios").iter().cloned());
        with_option(&mut words, "--snapshots", settings.value("snapshots"));
        words
    })
}

fn check_words(settings: &Settings) -> Option<Vec<String>> {
    settings.has_lane("check").then(|| {
        let mut words = begin("check", settings.values("scenarios"));
        for (option, key) in [
            ("--max-states", "check.max-states"),
            ("--max-time", "check.max-time"),
        ] {
            with_option(&mut words, option, settings.value(key));
        }
        with_common(&mut words, settings);
        words
    })
}

fn fuzz_words(settings: &Settings) -> Option<Vec<String>> {
    settings.has_lane("fuzz").then(|| {
        let mut words = begin("fuzz", settings.values("scenarios"));
        with_option(&mut words, "--seeds", settings.value("fuzz.seeds"));
        with_campaign(&mut words, settings);
        words
    })
}

fn random(settings: &Settings) -> Option<Vec<String>> {
    let stories = settings.value("fuzz.random")?;
    let mut words = begin("fuzz", &[]);
    with_option(&mut words, "--random", Some(stories));
    with_campaign(&mut words, settings);
    Some(words)
}

fn begin(command: &str, names: &[String]) -> Vec<String> {
    let mut words = vec![command.to_owned()];
    words.extend(names.iter().cloned());
    words
}

fn with_option(words: &mut Vec<String>, option: &str, value: Option<&str>) {
    if let Some(value) = value {
        words.extend([option.to_owned(), value.to_owned()]);
    }
}

/// What says how a campaign of seeds goes.
fn with_campaign(words: &mut Vec<String>, settings: &Settings) {
    with_option(words, "--root", settings.value("fuzz.root"));
    with_option(words, "--strategy", settings.value("fuzz.strategy"));
    if let Some(time) = settings.value("fuzz.max-time") {
        with_option(words, "--max-time", Some(time));
        words.push("--must-finish".to_owned());
    }
    with_common(words, settings);
}

fn with_common(words: &mut Vec<String>, settings: &Settings) {
    with_option(words, "--jobs", settings.value("jobs"));
    with_option(words, "--failures", settings.value("failures"));
}

/// What came of a lane.
struct Lane {
    line: String,
    exit: Exit,
    /// How many cases, and how many of each verdict.
    cases: usize,
    counts: String,
}

impl Lane {
    fn not_begun() -> Lane {
        Lane {
            line: String::new(),
            exit: Exit::Inconclusive,
            cases: 0,
            counts: NOT_BEGUN.to_owned(),
        }
    }
}

/// Runs a lane. What is wrong with its input is told, and is its result: the other lanes are run all the same.
fn lane(name: &'static str, words: &[String], output: &mut Output) -> Result<Lane, String> {
    let line = line(words);
    heading(name, &line, output)?;
    output.begin_lane(name);
    let exit = dispatch(words, output).unwrap_or_else(|why| {
        eprintln!("blockrace: {why}");
        output.case(Case::unusable(name, &why));
        Exit::Usage
    });
    if exit == Exit::NothingChecked && output.cases().is_empty() {
        output.case(Case::nothing_checked(name));
    }
    let cases = output.cases();
    let told = Lane {
        exit,
        cases: cases.len(),
        counts: counts(cases),
        line,
    };
    ending(output)?;
    Ok(told)
}

fn dispatch(words: &[String], output: &mut Output) -> Result<Exit, String> {
    let words = std::iter::once("blockrace").chain(words.iter().map(|word| &**word));
    let cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
    match &cli.command {
        Command::Check(args) => check::run(args, output),
        Command::Fuzz(args) => fuzz::run(args, output),
        Command::Conform(args) => conform::judge(args, output),
        Command::Bugs(args) => bugs::run(args, output),
        other => crate::run(other),
    }
}

/// The command line as it can be pasted.
fn line(words: &[String]) -> String {
    let is_plain = |sign: char| sign.is_ascii_alphanumeric() || "-_./:,+=@".contains(sign);
    let quoted = words.iter().map(
        |word| match word.chars().all(is_plain) && !word.is_empty() {
            true => word.clone(),
            false => format!("'{}'", word.replace('\'', "'\\''")),
        },
    );
    format!("blockrace {}", quoted.collect::<Vec<_>>().join(" "))
}

fn heading(name: &str, line: &str, output: &Output) -> Result<(), String> {
    if !output.is_human() {
        return Ok(());
    }
    let mut out = terminal::out(true);
    crate::written(match output.is_for_github() {
        true => write!(out, "{}", output::group(&format!("{name}: {line}"))),
        false => writeln!(out, "== {name}: {line}"),
    })
}

fn ending(output: &Output) -> Result<(), String> {
    let mut out = terminal::out(true);
    crate::written(match (output.is_human(), output.is_for_github()) {
        (true, true) => write!(out, "{}", output::END_GROUP),
        (true, false) => writeln!(out),
        (false, _) => Ok(()),
    })
}

/// The verdict on a lane.
fn word(exit: Exit) -> &'static str {
    match exit {
        Exit::Clean => "holds",
        Exit::Violated => "VIOLATED",
        Exit::Usage => "BAD INPUT",
        Exit::Inconclusive => "INCONCLUSIVE",
        Exit::NothingChecked => "NOTHING CHECKED",
        Exit::Nondeterministic => "NONDETERMINISTIC",
        Exit::Diverged => "DIVERGED",
        Exit::Internal => "OUR MISTAKE",
    }
}

fn print(
    out: &mut impl Write,
    settings: &Settings,
    told: &[(&str, Option<Lane>)],
    worst: Exit,
) -> io::Result<()> {
    writeln!(out, "{:<11} {:<17} {:>5}  verdicts", "lane", "", "cases")?;
    for (name, lane) in told {
        match lane {
            Some(lane) => {
                let word = word(lane.exit);
                writeln!(
                    out,
                    "{name:<11} {word:<17} {:>5}  {}",
                    lane.cases, lane.counts
                )?;
            }
            None => writeln!(out, "{name:<11} not asked for")?,
        }
    }
    for lane in told.iter().filter_map(|(_, lane)| lane.as_ref()) {
        if lane.exit != Exit::Clean && !lane.line.is_empty() {
            writeln!(out, "again       {}", lane.line)?;
        }
    }
    let profile = &settings.profile.values[0];
    writeln!(out, "profile {profile}: {}", word(worst))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_can_be_pasted() {
        let words = ["check", "my story's.yaml", ""].map(str::to_owned);
        assert_eq!(line(&words), "blockrace check 'my story'\\''s.yaml' ''");
    }
}
