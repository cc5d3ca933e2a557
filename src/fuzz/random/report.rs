//! What a campaign of random stories prints.

use std::io::{self, Write};
use std::ops::Range;

use model::defect::Defect;
use serde_json::{Value, json};

use super::{Finding, Place, Tally};
use crate::cli::FuzzArgs;

/// For people: a row for all stories, the known defects that were met, and the failures.
pub fn print(
    out: &mut impl Write,
    args: &FuzzArgs,
    stories: &Range<u64>,
    total: &Tally,
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
        word(total)
    )?;
    for (name, met) in &total.defects {
        let id = Defect::named(name).map_or("", |defect| defect.id);
        let (stories, runs) = (met.stories, met.runs);
        writeln!(
            out,
            "  DEFECT  {id} {name} in {stories} stories, {runs} runs"
        )?;
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
fn word(total: &Tally) -> &'static str {
    if total.nondeterminism.is_some() {
        "NONDETERMINISTIC"
    } else if !total.findings.is_empty() {
        "BREACH"
    } else if total.unrested > 0 {
        "UNKNOWN"
    } else {
        "clean"
    }
}

/// For machines: all of it in one line.
pub fn print_json(
    out: &mut impl Write,
    args: &FuzzArgs,
    stories: &Range<u64>,
    total: &Tally,
) -> io::Result<()> {
    let defect = |(name, met): (&&str, &super::Met)| json!({"defect": name, "stories": met.stories, "runs": met.runs});
    let dialects: Vec<&str> = args.qemu.all().iter().map(|dialect| dialect.name).collect();
    let nondeterminism = total.nondeterminism.as_ref().map(|(place, difference)| {
        json!({"scenario": format!("random:{}", place.story), "dialect": place.dialect.name,
               "seed": place.run, "step": difference.step, "what": difference.what})
    });
    let row = json!({
        "random": [stories.start, stories.end],
        "dialects": dialects,
        "strategy": args.strategy.to_string(),
        "root": args.root,
        "stories": total.stories,
        "runs": total.runs,
        "steps": total.steps,
        "unrested": total.unrested,
        "digest": format!("{:032x}", total.digest),
        "defects": total.defects.iter().map(defect).collect::<Vec<_>>(),
        "findings": total.findings.values().map(finding_json).collect::<Vec<_>>(),
        "nondeterminism": nondeterminism,
        "coverage": total.matrix.to_json(),
    });
    writeln!(out, "{row}")
}

fn finding_json(finding: &Finding) -> Value {
    let Place {
        story,
        dialect,
        run,
    } = finding.first;
    json!({"scenario": format!("random:{story}"), "dialect": dialect.name, "seed": run,
           "message": finding.breach.to_string(), "runs": finding.runs})
}
