//! What a campaign of random stories prints.

use std::io::{self, Write};
use std::ops::Range;
use std::path::PathBuf;

use model::defect::Defect;
use serde_json::json;

use super::row::{Found, Met, Row};
use super::{Finding, Place, Tally};
use crate::cli::FuzzArgs;
use crate::counterexample::Exhibit;
use crate::exit::Exit;
use crate::fuzz::row::EndedBy;
use crate::merge::part::{Campaign, covered};
use crate::output::{Case, Failure};
use crate::watch;

/// For people: a row for all stories, the known defects that were met, and the failures.
pub fn print(
    out: &mut impl Write,
    args: &FuzzArgs,
    stories: &Range<u64>,
    total: &Tally,
    exit: Exit,
) -> io::Result<()> {
    let dialects: Vec<&str> = args.qemu.all().iter().map(|dialect| dialect.name).collect();
    let runs = args.runs_of_each();
    writeln!(
        out,
        "random:{}..{}  {} stories, {} runs of each in QEMU {}: {} runs, {} steps  {}",
        stories.start,
        stories.end,
        total.stories,
        runs.end - runs.start,
        dialects.join(" and "),
        total.runs,
        total.steps,
        word(total, exit)
    )?;
    for (name, met) in &total.defects {
        writeln!(out, "{}", defect_line(name, met.stories, met.runs))?;
    }
    for finding in total.findings.values() {
        print_finding(out, args, finding)?;
    }
    if let Some((place, difference)) = &total.nondeterminism {
        writeln!(
            out,
            "  NONDETERMINISTIC  {} was not the same twice",
            name_of(place)
        )?;
        for line in difference.to_string().lines() {
            writeln!(out, "          {line}")?;
        }
    }
    Ok(())
}

/// How often a known defect was met.
pub fn defect_line(name: &str, stories: u64, runs: u64) -> String {
    let id = Defect::named(name).map_or("", |defect| defect.id);
    format!("  DEFECT  {id} {name} in {stories} stories, {runs} runs")
}

fn print_finding(out: &mut impl Write, args: &FuzzArgs, finding: &Finding) -> io::Result<()> {
    let Finding {
        first,
        breach,
        runs,
    } = finding;
    writeln!(out, "  BREACH  {breach}")?;
    write!(out, "          in {}", name_of(first))?;
    if *runs > 1 {
        write!(out, ", the first of {runs} runs that fail so")?;
    }
    let scenario = format!("random:{}", first.story);
    writeln!(out, "\n  again   {}", first.again(args, &scenario))
}

/// Where a run is, in words.
fn name_of(place: &Place) -> String {
    let Place {
        story,
        dialect,
        run,
    } = place;
    format!("random:{story}, QEMU {dialect}, seed {run}")
}

/// The verdict, in one word.
fn word(total: &Tally, exit: Exit) -> &'static str {
    if total.nondeterminism.is_some() {
        "NONDETERMINISTIC"
    } else if !total.findings.is_empty() {
        "BREACH"
    } else if total.unrested > 0 {
        "UNKNOWN"
    } else if exit == Exit::Inconclusive {
        "ENDED EARLY"
    } else {
        "clean"
    }
}

/// For documents: all stories are one case; `exhibits` are what was kept and shown of the findings.
pub fn case(
    args: &FuzzArgs,
    (stories, total): (&Range<u64>, &Tally),
    exit: Exit,
    exhibits: &[(Option<PathBuf>, Exhibit)],
) -> Case {
    let (asked, name) = (
        stories.end - stories.start,
        format!("random:{}..{}", stories.start, stories.end),
    );
    let failure = |(finding, (kept, exhibit)): (&Finding, &(Option<PathBuf>, Exhibit))| Failure {
        rule: finding.breach.property.to_owned(),
        message: format!("{}: {}", name_of(&finding.first), finding.breach.message),
        kept: kept.clone(),
        again: match &*exhibit.again {
            "" => finding
                .first
                .again(args, &format!("random:{}", finding.first.story)),
            shown => shown.to_owned(),
        },
        picture: exhibit.picture.clone(),
        diagram: exhibit.diagram.clone(),
    };
    let differs = total.nondeterminism.iter().map(|(place, _)| Failure {
        rule: "same-twice".to_owned(),
        message: format!("{} was not the same twice", name_of(place)),
        again: place.again(args, &format!("random:{}", place.story)),
        ..Failure::default()
    });
    Case {
        file: name.clone(),
        name,
        dialect: String::new(),
        exit,
        word: word(total, exit).to_owned(),
        note: match total.stories < asked {
            true => format!("{} of {asked} stories were played", total.stories),
            false => String::new(),
        },
        work: format!(
            "{} stories, {} runs, {} steps",
            total.stories, total.runs, total.steps
        ),
        seconds: 0.0,
        failures: total
            .findings
            .values()
            .zip(exhibits)
            .map(failure)
            .chain(differs)
            .collect(),
    }
}

/// For machines: all of it in one line; `all` are the stories of the whole campaign.
pub fn row(
    args: &FuzzArgs,
    (all, stories): (&Range<u64>, &Range<u64>),
    total: &Tally,
    exit: Exit,
) -> Row {
    let defect = |(name, met): (&&str, &super::Met)| Met {
        defect: (*name).to_owned(),
        stories: met.stories,
        runs: met.runs,
    };
    let dialects = args.qemu.all().into_iter();
    let nondeterminism = total.nondeterminism.as_ref().map(|(place, difference)| {
        json!({"scenario": format!("random:{}", place.story), "dialect": place.dialect.name,
               "seed": place.run, "step": difference.step, "what": difference.what})
    });
    let seeds = args.runs_of_each();
    Row {
        random: [stories.start, stories.end],
        dialects: dialects.map(|dialect| dialect.name.to_owned()).collect(),
        strategy: args.strategy.to_string(),
        root: args.root,
        seeds: [seeds.start, seeds.end],
        campaign: Campaign::new(all, args.partition, args.keep_going),
        verdict: word(total, exit).to_owned(),
        covered: covered(stories, total.stories),
        ended_by: ended_by(args, stories, total),
        stories: total.stories,
        runs: total.runs,
        steps: total.steps,
        unrested: total.unrested,
        digest: total.digest,
        defects: total.defects.iter().map(defect).collect(),
        findings: total.findings.iter().map(found).collect(),
        nondeterminism,
        coverage: total.matrix.clone(),
    }
}

fn ended_by(args: &FuzzArgs, stories: &Range<u64>, total: &Tally) -> Option<EndedBy> {
    match (total.ends() && !args.keep_going, &total.nondeterminism) {
        (true, Some(_)) => Some(EndedBy::Nondeterminism),
        (true, None) => Some(EndedBy::Failure),
        (false, _) if total.stories == stories.end - stories.start => None,
        (false, _) if watch::is_interrupted() => Some(EndedBy::Interrupt),
        (false, _) => Some(EndedBy::Time),
    }
}

fn found((signature, finding): (&String, &Finding)) -> Found {
    let Place {
        story,
        dialect,
        run,
    } = finding.first;
    Found {
        scenario: format!("random:{story}"),
        dialect: dialect.name.to_owned(),
        seed: run,
        message: finding.breach.to_string(),
        signature: signature.clone(),
        runs: finding.runs,
    }
}
