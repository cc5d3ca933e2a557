//! What a campaign prints: a row for each scenario and dialect, and what was found below it.

use std::io::{self, Write};
use std::path::PathBuf;

use model::defect::Defect;
use model::dialect::Dialect;
use serde_json::{Value, json};
use sim::fuzz::{Count, Failure, Finding, Nondeterminism, Report};
use sim::hash::fingerprint_of;
use sim::run::End;

use super::row::{EndedBy, FAILS, Failed, Found, Known, Row};
use super::sample::Seen;
use super::verdict::{Facts, Verdict};
use crate::cli::FuzzArgs;
use crate::counterexample::Exhibit;
use crate::defects;
use crate::exit::Exit;
use crate::failures::{State, Tried};
use crate::merge::part::{Campaign, covered};
use crate::output::{self, Case};
use crate::stage::{self, Loaded};
use crate::terminal;

/// What the last column but one of a row says.
pub const LEGEND: &str =
    "new: how likely the next seed shows a trace that none has shown (Good-Turing)";

/// Everything there is to say about one scenario in one dialect.
pub struct Told<'a> {
    /// The scenario.
    pub loaded: &'a Loaded,
    /// The dialect.
    pub dialect: &'static Dialect,
    /// What came of its known failures.
    pub known: Vec<Tried>,
    /// What came of the seeds.
    pub report: Report,
    /// Where each of the report's findings is kept, if it is.
    pub kept: Vec<Option<PathBuf>>,
    /// How long it took.
    pub seconds: f64,
    /// Whether the budget of time, and not a user, ended it.
    pub out_of_time: bool,
    /// Whether that is no way to end.
    pub must_finish: bool,
}

impl Told<'_> {
    /// Whether everything that the seeds broke is a known defect, and the story says so. A failure beyond the runs
    /// covered is in the findings and not in the count.
    fn knows_all(&self) -> bool {
        let findings = &self.report.findings;
        let runs: u64 = findings.iter().map(|finding| finding.runs).sum();
        let is_known = |finding: &Finding| self.expected(finding).is_some();
        findings.iter().all(is_known) && runs >= self.report.failures
    }

    fn expected(&self, finding: &Finding) -> Option<&'static Defect> {
        defects::expected_end(self.loaded, &finding.first.outcome.end)
    }

    /// Whether it was ended before it was done, and that is not as it should be.
    pub fn is_cut_short(&self) -> bool {
        self.report.interrupted && (!self.out_of_time || self.must_finish)
    }

    /// The verdict.
    pub fn verdict(&self) -> Verdict {
        let report = &self.report;
        Verdict::of(&Facts {
            differs: report.nondeterminism.is_some(),
            breaks: !self.knows_all() || self.known.iter().any(Tried::fails),
            lacks_parts: false,
            is_cut_short: self.is_cut_short(),
            out_of_time: self.out_of_time,
            unrested: report.unrested,
            runs: report.runs,
            failures: report.failures,
        })
    }

    /// For people.
    pub fn print(&self, out: &mut impl Write, width: usize, args: &FuzzArgs) -> io::Result<()> {
        let Told {
            loaded,
            dialect,
            report,
            ..
        } = self;
        let numbers = numbers(dialect.name, report.runs, (report.traces, report.rests));
        let row = terminal::row(&loaded.name, width, &numbers, self.verdict().word());
        writeln!(out, "{row}")?;
        for tried in &self.known {
            self.print_known(out, args, tried)?;
        }
        for (number, finding) in report.findings.iter().enumerate() {
            self.print_finding(out, args, finding)?;
            if let Some(Some(file)) = self.kept.get(number) {
                writeln!(out, "  kept    {}", file.display())?;
            }
        }
        let kinds: u64 = report.findings.iter().map(|finding| finding.runs).sum();
        if report.failures > kinds {
            writeln!(out, "  and {} more failures", report.failures - kinds)?;
        }
        match &report.nondeterminism {
            Some(found) => self.print_nondeterminism(out, args, found),
            None => Ok(()),
        }
    }

    fn print_known(&self, out: &mut impl Write, args: &FuzzArgs, tried: &Tried) -> io::Result<()> {
        let (kept, followed) = (tried.kept.display(), tried.followed.display());
        let forgotten = if args.forget_fixed { ", forgotten" } else { "" };
        match &tried.state {
            State::Fails(outcome) => {
                writeln!(out, "  BREACH  {}", message(&outcome.end))?;
                writeln!(out, "          after {} steps, as before", outcome.steps)?;
                writeln!(out, "  again   blockrace replay {followed}")
            }
            State::Known(defect) => writeln!(
                out,
                "  known   {kept}: shows {} {}{forgotten}",
                defect.id, defect.name
            ),
            State::Fixed => writeln!(out, "  fixed   {kept}{forgotten}"),
            State::Stale => writeln!(
                out,
                "  stale   {kept}: its steps are not possible any more{forgotten}"
            ),
        }
    }

    fn print_finding(
        &self,
        out: &mut impl Write,
        args: &FuzzArgs,
        finding: &Finding,
    ) -> io::Result<()> {
        let Failure { index, outcome, .. } = &finding.first;
        let word = match self.expected(finding) {
            Some(_) => "DEFECT",
            None => "BREACH",
        };
        writeln!(out, "  {word}  {}", message(&outcome.end))?;
        write!(
            out,
            "          after {} steps of seed {index}",
            outcome.steps
        )?;
        if finding.runs > 1 {
            write!(out, ", the first of {} runs that fail so", finding.runs)?;
        }
        writeln!(out)?;
        writeln!(out, "  again   {}", self.again(args, *index))
    }

    fn print_nondeterminism(
        &self,
        out: &mut impl Write,
        args: &FuzzArgs,
        found: &Nondeterminism,
    ) -> io::Result<()> {
        let Nondeterminism {
            index, difference, ..
        } = found;
        writeln!(
            out,
            "  NONDETERMINISTIC  seed {index} was not the same twice"
        )?;
        for line in difference.to_string().lines() {
            writeln!(out, "          {line}")?;
        }
        writeln!(out, "  again   {}", self.again(args, *index))
    }

    /// The line that repeats a run.
    pub fn again(&self, args: &FuzzArgs, index: u64) -> String {
        let (name, run) = (&self.loaded.name, (args.root, index));
        stage::line_to_paste(name, self.dialect, run, args.strategy)
    }

    /// For documents; `exhibits` are what was shown of new failures, each with the number of its run.
    pub fn case(&self, args: &FuzzArgs, exit: Exit, exhibits: &[(u64, Exhibit)]) -> Case {
        let report = &self.report;
        let asked = args.range();
        let note = match report.interrupted {
            true if self.out_of_time && asked.end == u64::MAX => {
                format!("--max-time ended it after {} runs", report.runs)
            }
            true if self.out_of_time => {
                let all = asked.end - asked.start;
                format!("--max-time ended it after {} of {all} runs", report.runs)
            }
            true => "ended by Ctrl-C".to_owned(),
            false => String::new(),
        };
        Case {
            name: self.loaded.name.clone(),
            dialect: self.dialect.name.to_owned(),
            file: self.loaded.file.clone(),
            exit,
            word: self.verdict().word().to_owned(),
            note,
            work: format!("{} runs, {} traces", report.runs, counted(report.traces)),
            seconds: self.seconds,
            failures: self.failures(args, exhibits),
        }
    }

    fn failures(&self, args: &FuzzArgs, exhibits: &[(u64, Exhibit)]) -> Vec<output::Failure> {
        let known = self.known.iter().filter_map(|tried| match &tried.state {
            State::Fails(outcome) => Some(output::Failure {
                kept: Some(tried.kept.clone()),
                again: format!("blockrace replay {}", tried.followed.display()),
                ..failed(&outcome.end)
            }),
            State::Known(_) | State::Fixed | State::Stale => None,
        });
        let findings = self.report.findings.iter().enumerate();
        let findings = findings.filter(|(_, finding)| self.expected(finding).is_none());
        let findings = findings.map(|(number, finding)| {
            let index = finding.first.index;
            let exhibit = exhibits.iter().find(|(of, _)| *of == index);
            let exhibit = exhibit.map(|(_, exhibit)| exhibit);
            let again = exhibit.map(|exhibit| exhibit.again.clone());
            output::Failure {
                kept: self.kept.get(number).cloned().flatten(),
                again: again
                    .filter(|again| !again.is_empty())
                    .unwrap_or_else(|| self.again(args, index)),
                picture: exhibit.map_or_else(String::new, |exhibit| exhibit.picture.clone()),
                diagram: exhibit.map_or_else(String::new, |exhibit| exhibit.diagram.clone()),
                ..failed(&finding.first.outcome.end)
            }
        });
        let differs = self
            .report
            .nondeterminism
            .iter()
            .map(|found| output::Failure {
                rule: "same-twice".to_owned(),
                message: format!("seed {} was not the same twice", found.index),
                again: self.again(args, found.index),
                ..output::Failure::default()
            });
        known.chain(findings).chain(differs).collect()
    }

    /// For machines.
    pub fn row(&self, args: &FuzzArgs) -> Row {
        let report = &self.report;
        Row {
            scenario: self.loaded.name.clone(),
            dialect: self.dialect.name.to_owned(),
            file: self.loaded.file.clone(),
            content: format!("{:032x}", fingerprint_of(&self.loaded.story.to_string())),
            strategy: args.strategy.to_string(),
            root: args.root,
            campaign: Campaign::new(&args.asked(), args.partition, args.keep_going),
            verdict: self.verdict().word().to_owned(),
            covered: covered(&args.range(), report.runs),
            ended_by: self.ended_by(args),
            runs: report.runs,
            steps: report.steps,
            unrested: report.unrested,
            interrupted: report.interrupted,
            out_of_time: self.out_of_time,
            digest: report.digest,
            traces: report.traces,
            ends: report.rests,
            chance_of_new_trace: report.chance_of_new_trace(),
            failures: report.failures,
            failure: report.first_failure.as_ref().map(failed_run),
            findings: self.found(),
            known: self.known.iter().map(known_row).collect(),
            nondeterminism: report.nondeterminism.as_ref().map(nondeterminism_json),
            seen: args.partition.map(|_| Seen {
                traces: report.trace_census.clone(),
                ends: report.rest_census.clone(),
            }),
        }
    }

    fn ended_by(&self, args: &FuzzArgs) -> Option<EndedBy> {
        let report = &self.report;
        if report.nondeterminism.is_some() {
            Some(EndedBy::Nondeterminism)
        } else if !args.keep_going && self.known.iter().any(Tried::fails) {
            Some(EndedBy::KnownFailure)
        } else if stops_at_failure(args, self.loaded) && report.failures > 0 {
            Some(EndedBy::Failure)
        } else if report.interrupted && self.out_of_time {
            Some(EndedBy::Time)
        } else {
            report.interrupted.then_some(EndedBy::Interrupt)
        }
    }

    fn found(&self) -> Vec<Found> {
        let one = |(number, finding): (usize, &Finding)| Found {
            first: failed_run(&finding.first),
            signature: finding.signature.clone(),
            runs: finding.runs,
            kept: self.kept.get(number).cloned().flatten(),
            defect: self.expected(finding).map(|defect| defect.name.to_owned()),
        };
        self.report.findings.iter().enumerate().map(one).collect()
    }
}

/// Whether the first failure of that story ends its campaign. What the story says that it shows hides no other failure.
pub fn stops_at_failure(args: &FuzzArgs, loaded: &Loaded) -> bool {
    !args.keep_going && loaded.story.defects.is_empty()
}

fn message(end: &End) -> String {
    match end {
        End::Breached(breach) => breach.to_string(),
        end => format!("{end:?}"),
    }
}

/// What a row says behind the name of its scenario.
pub fn numbers(dialect: &str, runs: u64, (traces, ends): (Count, Count)) -> String {
    let new = chance(traces, runs);
    let (traces, ends) = (counted(traces), counted(ends));
    format!("  QEMU {dialect} {runs:>9} runs {traces:>8} traces {ends:>8} ends {new:>9} new")
}

/// A count, with a tilde where it is an estimate.
pub fn counted(count: Count) -> String {
    let tilde = if count.estimated { "~" } else { "" };
    format!("{tilde}{}", count.distinct)
}

/// How likely the next run shows something new. When no trace was seen only once, that is less than 3 in
/// as many runs, with a confidence of 95 %.
fn chance(traces: Count, runs: u64) -> String {
    match (traces.once, runs) {
        (_, 0) => "?".to_owned(),
        (0, runs) => format!("<{}", percent((3.0 / runs as f64).min(1.0))),
        _ => percent(traces.chance_of_new(runs)),
    }
}

fn percent(share: f64) -> String {
    match share * 100.0 {
        percent if percent >= 10.0 => format!("{percent:.0} %"),
        percent if percent >= 0.1 => format!("{percent:.1} %"),
        percent => format!("{:.3} %", percent.max(0.001)),
    }
}

/// What the end of a run breaks.
fn failed(end: &End) -> output::Failure {
    let (rule, message) = match end {
        End::Breached(breach) => (breach.property, breach.message.clone()),
        _ => ("inconclusive", message(end)),
    };
    output::Failure {
        rule: rule.to_owned(),
        message,
        ..output::Failure::default()
    }
}

fn failed_run(failure: &Failure) -> Failed {
    let Failure { index, outcome, .. } = failure;
    Failed {
        seed: *index,
        steps: outcome.steps,
        message: message(&outcome.end),
    }
}

fn known_row(tried: &Tried) -> Known {
    let (state, message) = match &tried.state {
        State::Fails(outcome) => (FAILS, Some(message(&outcome.end))),
        State::Known(_) => ("known", None),
        State::Fixed => ("fixed", None),
        State::Stale => ("stale", None),
    };
    Known {
        file: tried.followed.clone(),
        state: state.to_owned(),
        message,
    }
}

fn nondeterminism_json(found: &Nondeterminism) -> Value {
    let difference = &found.difference;
    json!({
        "seed": found.index,
        "step": difference.step,
        "what": difference.what,
        "first": difference.first,
        "second": difference.second,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances_are_shown_with_the_digits_that_count() {
        let check = |once: u64, runs: u64, expected: &str| {
            let traces = Count {
                distinct: 9,
                once,
                estimated: false,
            };
            assert_eq!(chance(traces, runs), expected);
        };
        check(0, 0, "?");
        check(0, 1, "<100 %");
        check(0, 1000, "<0.3 %");
        check(0, 1 << 40, "<0.001 %");
        check(1, 3, "33 %");
        check(14, 1000, "1.4 %");
        check(5, 10_000, "0.050 %");
        check(7, 7, "100 %");
    }
}
