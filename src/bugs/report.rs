//! The scoreboard as it is printed: a row for each bug, for people and for machines.

use std::io::{self, Write};

use model::mutation::Mutation;
use serde_json::{Map, Value, json};
use sim::median::Median;
use sim::trials::Runs;

use super::row::{self, Tried};
use super::{Found, Looked, STATES_MAX, Schedule};
use crate::cli::BugsArgs;
use crate::exit::Exit;
use crate::merge::part::Campaign;
use crate::output::{Case, Failure};

/// What came of one bug.
pub(super) struct Row {
    pub bug: &'static Mutation,
    pub looked: Looked,
    /// What schedules show, if that was asked.
    pub schedules: Option<Schedules>,
}

/// What came of the campaigns.
pub(super) enum Schedules {
    /// For each strategy.
    Done(Vec<Schedule>),
    /// Time, or somebody's patience, was over.
    Ended,
}

impl Row {
    /// Whether the search found the promise broken that the bug is to break.
    pub fn is_found(&self) -> bool {
        matches!(self.looked.found, Found::Breach(property, _) if property == self.bug.breaks)
    }

    /// What it means for the command's end.
    pub fn exit(&self) -> Exit {
        match (&self.looked.found, &self.schedules) {
            (Found::Ended, _) | (_, Some(Schedules::Ended)) => Exit::Inconclusive,
            (Found::Panic(_), _) => Exit::Internal,
            _ if self.is_found() => Exit::Clean,
            _ => Exit::Violated,
        }
    }

    fn word(&self) -> &'static str {
        match (&self.looked.found, self.exit()) {
            (_, Exit::Inconclusive) => "inconclusive",
            (_, Exit::Clean) => "found",
            (Found::Panic(_), _) => "panic",
            (Found::Breach(..), _) => "another promise",
            _ => "not found",
        }
    }

    /// For documents.
    pub fn case(&self) -> Case {
        let Mutation {
            name,
            dialect,
            story,
            ..
        } = self.bug;
        let complaint = self.complaint().unwrap_or_default();
        let failures = match self.exit() {
            Exit::Clean | Exit::Inconclusive => Vec::new(),
            _ => vec![Failure {
                rule: "planted-bug".to_owned(),
                message: complaint.clone(),
                again: format!("blockrace bugs {name}"),
                ..Failure::default()
            }],
        };
        Case {
            name: (*name).to_owned(),
            dialect: (*dialect).to_owned(),
            file: format!("scenarios/{story}.yaml"),
            exit: self.exit(),
            word: self.word().to_owned(),
            note: complaint,
            work: match self.looked.found {
                Found::Breach(property, steps) => {
                    format!(
                        "{property} in {steps} steps, after {} states",
                        self.looked.states
                    )
                }
                _ => format!("{} states", self.looked.states),
            },
            seconds: self.looked.seconds,
            failures,
        }
    }

    /// What is not as it should be.
    fn complaint(&self) -> Option<String> {
        let Mutation {
            breaks,
            story,
            dialect,
            ..
        } = self.bug;
        let place = format!("{story} (QEMU {dialect})");
        match &self.looked.found {
            _ if self.exit() == Exit::Inconclusive => {
                Some("ended by --max-time or Ctrl-C".to_owned())
            }
            Found::Breach(property, _) if property != breaks => Some(format!(
                "ANOTHER PROMISE  {place} is to break {breaks}, and breaks {property} first"
            )),
            Found::Nothing => Some(format!(
                "NOT FOUND  {place} keeps every promise, and is to break {breaks}"
            )),
            Found::TooMany => Some(format!(
                "NOT FOUND  {place} keeps every promise in {STATES_MAX} states, and is to break {breaks}"
            )),
            Found::Panic(message) => Some(format!(
                "PANIC  {place}: a mistake of blockrace's own: {message}"
            )),
            Found::Breach(..) | Found::Ended => None,
        }
    }
}

/// All rows, and how wide they are.
pub(super) struct Table<'a> {
    args: &'a BugsArgs,
    /// The names of the strategies; none if there are no schedules.
    strategies: Vec<String>,
    /// How many bugs were asked for.
    asked: usize,
    name_width: usize,
    bug_width: usize,
    promise_width: usize,
    /// The rows so far.
    pub rows: Vec<Row>,
}

impl Table<'_> {
    pub fn new<'a>(args: &'a BugsArgs, bugs: &[&Mutation]) -> Table<'a> {
        let widest = |of: fn(&Mutation) -> usize| bugs.iter().map(|bug| of(bug)).max().unwrap_or(0);
        Table {
            args,
            strategies: match args.no_schedules {
                true => Vec::new(),
                false => args.strategy.iter().map(|spec| spec.to_string()).collect(),
            },
            asked: bugs.len(),
            name_width: widest(|bug| bug.name.len()).max("planted bug".len()),
            bug_width: widest(|bug| bug.bug.len()),
            promise_width: widest(|bug| bug.breaks.len()).max("promise".len()),
            rows: Vec::new(),
        }
    }

    /// What each column is called.
    pub fn print_heading(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut line = self.beginning("planted bug", "as", "promise", "states", "steps");
        for strategy in &self.strategies {
            line += &format!("  {strategy:<width$}", width = self.cell_width());
        }
        if !self.args.output.no_times {
            line += "      time";
        }
        writeln!(out, "{}", line.trim_end())
    }

    /// The row of a bug, and what is not as it should be.
    pub fn print_row(&self, out: &mut dyn Write, row: &Row) -> io::Result<()> {
        let Looked {
            found,
            states,
            seconds,
        } = &row.looked;
        let (promise, steps) = match found {
            Found::Breach(property, steps) => (*property, steps.to_string()),
            _ => ("-", "-".to_owned()),
        };
        let Mutation { name, bug, .. } = row.bug;
        let mut line = self.beginning(name, bug, promise, &states.to_string(), &steps);
        for number in 0..self.strategies.len() {
            let cell = match &row.schedules {
                Some(Schedules::Done(done)) => words(&done[number].median),
                Some(Schedules::Ended) | None => "-".to_owned(),
            };
            line += &format!("  {cell:<width$}", width = self.cell_width());
        }
        if !self.args.output.no_times {
            line += &format!("  {seconds:>6.2} s");
        }
        writeln!(out, "{}", line.trim_end())?;
        match row.complaint() {
            Some(complaint) => writeln!(out, "  {complaint}"),
            None => Ok(()),
        }
    }

    fn beginning(&self, name: &str, bug: &str, promise: &str, states: &str, steps: &str) -> String {
        let (names, entries, promises) = (self.name_width, self.bug_width, self.promise_width);
        format!("{name:<names$}  {bug:<entries$}  {promise:<promises$} {states:>7} {steps:>5}")
    }

    /// Room for `>1000 (>1000..>1000)`, if there may be so many.
    fn cell_width(&self) -> usize {
        3 * (self.args.max_schedules.to_string().len() + 1) + " (..)".len()
    }

    /// What the columns are, and what came of it all.
    pub fn print_summary(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(
            out,
            "  states: visited until a promise is broken; steps: of the shortest schedule that breaks it{}",
            match self.args.output.no_times {
                true => "",
                false => "; time: of that search",
            }
        )?;
        if let [first, ..] = &self.strategies[..] {
            let (roots, most) = (self.args.roots, self.args.max_schedules);
            writeln!(
                out,
                "  {first} and so on: runs of a campaign up to the first that breaks a promise, whichever it is: the \
                 median\n  of {roots} root seeds, and in brackets its 95 % interval; >{most}: given up; -: not \
                 asked, as no run\n  can show that it need never end, or as the search was wrong"
            )?;
        }
        writeln!(
            out,
            "  what a bug does: blockrace list mutations; its counterexample: blockrace check --mutation NAME"
        )?;
        let found = self.rows.iter().filter(|row| row.is_found()).count();
        let mut line = format!("{found} of {} bugs found as what they are", self.asked);
        if self.rows.len() < self.asked {
            line += &format!("; {} not tried", self.asked - self.rows.len());
        }
        for (number, strategy) in self.strategies.iter().enumerate() {
            let blind = self.done().filter(|done| done[number].is_blind()).count();
            line += &format!(
                "; {} {strategy} {blind}",
                if number == 0 { "never found by" } else { "by" }
            );
        }
        writeln!(out, "{line}")
    }

    /// What schedules have shown, of each bug for which that is known.
    fn done(&self) -> impl Iterator<Item = &[Schedule]> {
        self.rows.iter().filter_map(|row| match &row.schedules {
            Some(Schedules::Done(done)) => Some(&done[..]),
            Some(Schedules::Ended) | None => None,
        })
    }

    /// The same for machines, with what was measured.
    pub fn row(&self, row: &Row) -> row::Row {
        let (broken, steps) = match row.looked.found {
            Found::Breach(property, steps) => (Some(property.to_owned()), Some(steps)),
            _ => (None, None),
        };
        let done = match &row.schedules {
            Some(Schedules::Done(done)) => Some(self.strategies.iter().zip(done)),
            Some(Schedules::Ended) | None => None,
        };
        let roots = self.args.roots_of_part();
        let covered = match row.exit() {
            Exit::Inconclusive => Vec::new(),
            _ => vec![[roots.start, roots.end]],
        };
        let bug = row.bug;
        row::Row {
            mutation: bug.name.to_owned(),
            bug: bug.bug.to_owned(),
            scenario: bug.story.to_owned(),
            dialect: bug.dialect.to_owned(),
            campaign: Campaign::new(&(0..self.args.roots.get()), self.args.partition, true),
            verdict: row.word().to_owned(),
            breaks: bug.breaks.to_owned(),
            broken,
            covered,
            states: row.looked.states,
            steps,
            roots: self.args.roots.get(),
            max_schedules: self.args.max_schedules.get(),
            schedules: done.clone().map(|done| {
                let schedules = done.map(|(name, done)| (name.clone(), schedule(done)));
                schedules.collect()
            }),
            measured: json!({"seconds": row.looked.seconds}),
            seen: self
                .args
                .partition
                .and(done)
                .map(|done| done.map(|(_, done)| Tried::of(done)).collect()),
        }
    }

    /// How many runs there were.
    pub fn runs(&self) -> u64 {
        self.done().flatten().map(|done| done.runs).sum()
    }

    /// How many states were visited.
    pub fn states(&self) -> u64 {
        self.rows.iter().map(|row| row.looked.states).sum()
    }

    /// What it means for the command's end.
    pub fn exit(&self) -> Exit {
        self.rows
            .iter()
            .map(Row::exit)
            .fold(Exit::Clean, Exit::worse)
    }
}

/// A median as short as it can be: nothing is known of one that lies beyond what was tried, and its interval with it.
fn words(median: &Median<Runs>) -> String {
    match median.interval {
        Some((low @ Runs::MoreThan(_), _)) => low.to_string(),
        _ => median.to_string(),
    }
}

/// A campaign for machines; what is more than was tried is null.
pub(super) fn schedule(done: &Schedule) -> Value {
    let number = |runs: Runs| match runs {
        Runs::Exactly(runs) => Some(runs),
        Runs::MoreThan(_) => None,
    };
    let interval = done.median.interval;
    let interval = interval.map(|(low, high)| [number(low), number(high)]);
    let promises: Map<String, Value> = done
        .promises
        .iter()
        .map(|(name, count)| ((*name).to_owned(), json!(count)))
        .collect();
    json!({
        "median": number(done.median.value),
        "interval": interval,
        "given_up": done.given_up,
        "broken": promises,
        "runs": done.runs,
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use model::mutation::MUTATIONS;
    use sim::trials::Trial;

    use super::*;
    use crate::cli::{Cli, Command};

    fn row(found: Found, schedules: Option<Schedules>) -> Row {
        Row {
            bug: &MUTATIONS[0],
            looked: Looked {
                found,
                states: 7,
                seconds: 0.5,
            },
            schedules,
        }
    }

    fn printed(line: &str, rows: Vec<Row>) -> (Exit, String) {
        let cli = Cli::parse_from(["blockrace", "bugs"].into_iter().chain(line.split(' ')));
        let Command::Bugs(args) = cli.command else {
            panic!("it is `bugs`")
        };
        let mut table = Table::new(&args, &[&MUTATIONS[0], &MUTATIONS[0]]);
        let mut out = Vec::new();
        for row in &rows {
            table.print_row(&mut out, row).expect("memory");
        }
        table.rows = rows;
        table.print_summary(&mut out).expect("memory");
        (table.exit(), String::from_utf8(out).expect("text"))
    }

    /// Says what it must, and ends as it must.
    fn check(found: Found, schedules: Option<Schedules>, exit: Exit, words: &str) {
        let (ended, printed) = printed("--no-times", vec![row(found, schedules)]);
        assert_eq!(ended, exit, "{printed}");
        assert!(printed.contains(words), "{words}:\n{printed}");
    }

    #[test]
    fn what_is_not_as_it_should_be_fails() {
        let promise = MUTATIONS[0].breaks;
        let found = || Found::Breach(promise, 9);
        check(
            found(),
            None,
            Exit::Clean,
            "1 of 2 bugs found as what they are; 1 not tried",
        );
        check(Found::Nothing, None, Exit::Violated, "  NOT FOUND  ");
        check(
            Found::TooMany,
            None,
            Exit::Violated,
            "keeps every promise in 1000000 states",
        );
        let panic = Found::Panic("oh".to_owned());
        check(panic, None, Exit::Internal, "blockrace's own: oh");
        let other = || Found::Breach("expectation", 9);
        check(
            other(),
            None,
            Exit::Violated,
            "and breaks expectation first",
        );
        check(other(), None, Exit::Violated, "0 of 2 bugs found");
        check(
            Found::Ended,
            None,
            Exit::Inconclusive,
            "  ended by --max-time or Ctrl-C",
        );
        check(
            found(),
            Some(Schedules::Ended),
            Exit::Inconclusive,
            "  ended by --max-time",
        );
    }

    /// A failure is worse news than an end before everything was done.
    #[test]
    fn the_worst_row_decides() {
        let rows = vec![row(Found::Nothing, None), row(Found::Ended, None)];
        let (exit, printed) = printed("--no-times", rows);
        assert_eq!(exit, Exit::Violated);
        assert!(
            printed.contains("0 of 2 bugs found as what they are;"),
            "{printed}"
        );
    }

    fn schedule(runs: &[Runs]) -> Schedule {
        let trial = |runs: &Runs| Trial {
            runs: *runs,
            property: matches!(runs, Runs::Exactly(_)).then_some("promise"),
        };
        Schedule::of(runs.iter().map(trial).collect()).expect("some runs")
    }

    #[test]
    fn cells_are_as_short_as_they_can_be() {
        let (one, two, more) = (Runs::Exactly(1), Runs::Exactly(2), Runs::MoreThan(3));
        let cell = |runs: &[Runs]| words(&schedule(runs).median);
        assert_eq!(cell(&[one, two, one, two, one]), "1");
        assert_eq!(cell(&[one, two, two, two, one, two]), "2 (1..2)");
        assert_eq!(cell(&[one, two, two, more, two, more]), "2 (1..>3)");
        assert_eq!(cell(&[one, more, more, more, more, more]), ">3 (1..>3)");
        assert_eq!(cell(&[more; 6]), ">3");
    }

    #[test]
    fn the_summary_says_who_never_finds() {
        let runs = |some: &[Runs]| schedule(some);
        let (blind, sees) = ([Runs::MoreThan(3); 6], [Runs::Exactly(2); 6]);
        let done = Schedules::Done(vec![runs(&blind), runs(&sees)]);
        let found = Found::Breach(MUTATIONS[0].breaks, 9);
        let line = "--no-times --strategy random,urw --max-schedules 3";
        let (_, printed) = printed(line, vec![row(found, Some(done))]);
        assert!(
            printed.ends_with("; never found by random 1; by urw 0\n"),
            "{printed}"
        );
        assert!(
            printed.contains(" >3 ") && printed.contains(" 2 (2..2)\n"),
            "{printed}"
        );
    }
}
