//! What a campaign prints: a row for each scenario and dialect, and what was found below it.

use std::io::{self, Write};
use std::path::PathBuf;

use model::defect::Defect;
use model::dialect::Dialect;
use serde_json::{Value, json};
use sim::fuzz::{Count, Failure, Finding, Nondeterminism, Report};
use sim::run::End;

use crate::cli::FuzzArgs;
use crate::counterexample::Exhibit;
use crate::defects;
use crate::exit::Exit;
use crate::failures::{State, Tried};
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
    /// Whether everything that the seeds broke is a known defect, and the story says so.
    pub fn knows_all(&self) -> bool {
        let findings = self.report.findings.iter();
        let known = findings.filter(|finding| self.expected(finding).is_some());
        let runs: u64 = known.map(|finding| finding.runs).sum();
        runs == self.report.failures
    }

    fn expected(&self, finding: &Finding) -> Option<&'static Defect> {
        defects::expected_end(self.loaded, &finding.first.outcome.end)
    }

    /// Whether it was ended before it was done, and that is not as it should be.
    pub fn is_cut_short(&self) -> bool {
        self.report.interrupted && (!self.out_of_time || self.must_finish)
    }

    /// The verdict, in one word.
    fn word(&self) -> &'static str {
        let report = &self.report;
        if report.nondeterminism.is_some() {
            "NONDETERMINISTIC"
        } else if !self.knows_all() || self.known.iter().any(Tried::fails) {
            "BREACH"
        } else if self.is_cut_short() {
            if self.out_of_time {
                "OUT OF TIME"
            } else {
                "INTERRUPTED"
            }
        } else if report.unrested > 0 {
            "UNKNOWN"
        } else if report.runs == 0 {
            "UNCHECKED"
        } else if report.failures > 0 {
            "known defect"
        } else {
            "clean"
        }
    }

    /// For people.
    pub fn print(&self, out: &mut impl Write, width: usize, args: &FuzzArgs) -> io::Result<()> {
        let Told {
            loaded,
            dialect,
            report,
            ..
        } = self;
        let numbers = format!(
            "  QEMU {dialect:<5} {:>9} runs {:>8} traces {:>8} ends {:>9} new",
            report.runs,
            counted(report.traces),
            counted(report.rests),
            chance(report),
        );
        let row = terminal::row(&loaded.name, width, &numbers, self.word());
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
            word: self.word().to_owned(),
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
    pub fn json(&self, args: &FuzzArgs) -> Value {
        let report = &self.report;
        json!({
            "scenario": self.loaded.name,
            "dialect": self.dialect.name,
            "strategy": args.strategy.to_string(),
            "root": args.root,
            "runs": report.runs,
            "steps": report.steps,
            "unrested": report.unrested,
            "interrupted": report.interrupted,
            "out_of_time": self.out_of_time,
            "digest": format!("{:032x}", report.digest),
            "traces": count_json(report.traces),
            "ends": count_json(report.rests),
            "chance_of_new_trace": report.chance_of_new_trace(),
            "failures": report.failures,
            "failure": report.first_failure.as_ref().map(failure_json),
            "findings": self.findings_json(),
            "known": self.known.iter().map(known_json).collect::<Vec<_>>(),
            "nondeterminism": report.nondeterminism.as_ref().map(nondeterminism_json),
        })
    }

    fn findings_json(&self) -> Vec<Value> {
        let one = |(number, finding): (usize, &Finding)| {
            let mut row = failure_json(&finding.first);
            row["signature"] = json!(finding.signature);
            row["runs"] = json!(finding.runs);
            row["kept"] = json!(self.kept.get(number));
            row["defect"] = json!(self.expected(finding).map(|defect| defect.name));
            row
        };
        self.report.findings.iter().enumerate().map(one).collect()
    }
}

fn message(end: &End) -> String {
    match end {
        End::Breached(breach) => breach.to_string(),
        end => format!("{end:?}"),
    }
}

/// A count, with a tilde where it is an estimate.
fn counted(count: Count) -> String {
    let tilde = if count.estimated { "~" } else { "" };
    format!("{tilde}{}", count.distinct)
}

/// How likely the next run shows something new. When no trace was seen only once, that is less than 3 in
/// as many runs, with a confidence of 95 %.
fn chance(report: &Report) -> String {
    match (report.traces.once, report.runs) {
        (_, 0) => "?".to_owned(),
        (0, runs) => format!("<{}", percent((3.0 / runs as f64).min(1.0))),
        _ => percent(report.chance_of_new_trace()),
    }
}

fn percent(share: f64) -> String {
    match share * 100.0 {
        percent if percent >= 10.0 => format!("{percent:.0} %"),
        percent if percent >= 0.1 => format!("{percent:.1} %"),
        percent => format!("{:.3} %", percent.max(0.001)),
    }
}

fn count_json(count: Count) -> Value {
    json!({"distinct": count.distinct, "once": count.once, "estimated": count.estimated})
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

fn failure_json(failure: &Failure) -> Value {
    let Failure { index, outcome, .. } = failure;
    json!({"seed": index, "steps": outcome.steps, "message": message(&outcome.end)})
}

fn known_json(tried: &Tried) -> Value {
    let (state, message) = match &tried.state {
        State::Fails(outcome) => ("fails", Some(message(&outcome.end))),
        State::Known(_) => ("known", None),
        State::Fixed => ("fixed", None),
        State::Stale => ("stale", None),
    };
    json!({"file": tried.followed, "state": state, "message": message})
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
            let report = Report {
                runs,
                traces,
                ..Report::default()
            };
            assert_eq!(chance(&report), expected);
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
