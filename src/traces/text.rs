//! Every order as text: one line a message, one indented branch for each way where traces part, and
//! what several branches have in common once, after them, under a letter.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::{Answer, Count, reason};
use crate::trace;

/// Of the lines that all traces begin with, so many are shown.
const COMMON_SHOWN: usize = 4;

/// What the signs of the branches mean.
const LEGEND: &str = "  ├─ if `step` …: the step that decides for this branch   → A: goes on at A   ■ the trace ends";

/// Prints the answer.
///
/// # Errors
/// The output's.
pub fn print(out: &mut impl Write, answer: &Answer) -> io::Result<()> {
    let dialect = answer.dialect;
    writeln!(out, "{}  (QEMU {dialect})", answer.loaded.name)?;
    writeln!(out, "  {}", answer.loaded.story.title)?;
    writeln!(out)?;
    // A point's letter is its place in the text, which is known only when it has been laid out.
    let mut nowhere = io::sink();
    let mut layout = Printer::new(&mut nowhere, answer);
    layout.start()?;
    let letters = layout.letters;
    let mut printer = Printer::new(out, answer);
    printer.letters = letters;
    printer.start()?;
    writeln!(out)?;
    writeln!(out, "{}", trace::LEGEND)?;
    writeln!(out, "{LEGEND}")?;
    print_verdict(out, answer)
}

fn print_verdict(out: &mut impl Write, answer: &Answer) -> io::Result<()> {
    let automaton = answer.automaton();
    let covered = answer.language.covered();
    let traces = counted(Count(automaton.trace_count()), "trace");
    let length = match automaton.trace_lengths() {
        None => String::new(),
        Some((shortest, longest)) if shortest == longest => {
            format!(" of {}", counted(longest, "line"))
        }
        Some((shortest, longest)) => format!(" of {shortest} to {longest} lines"),
    };
    let worlds = counted(covered.worlds, "world");
    if answer.language.is_complete() {
        writeln!(out, "ALL      {traces}{length}: there is no other order")?;
    } else {
        writeln!(
            out,
            "UNKNOWN  a budget ended it: at least {traces}{length}; {worlds} met, {} of them not tried",
            covered.open
        )?;
    }
    writeln!(
        out,
        "         minimal automaton: {}, {}, {}; from {worlds}",
        counted(automaton.states.len(), "state"),
        counted(automaton.transition_count(), "transition"),
        counted(answer.choices.len(), "choice"),
    )?;
    match automaton.trace_count_bad() {
        0 => Ok(()),
        bad => writeln!(out, "BREACH   {} of them can break a promise", Count(bad)),
    }
}

/// So many things.
fn counted(count: impl Display, thing: &str) -> String {
    let count = count.to_string();
    let plural = if count == "1" { "" } else { "s" };
    format!("{count} {thing}{plural}")
}

struct Printer<'p, W> {
    out: &'p mut W,
    answer: &'p Answer<'p>,
    /// The letters of the shared points that have been printed, here or when it was laid out.
    letters: BTreeMap<usize, String>,
    /// The width of the column of speakers.
    width: usize,
    /// What stands before every line, one piece for each branch that it is in.
    margin: Vec<&'static str>,
    /// Lines that are still to be left out.
    skipped: usize,
}

impl<'p, W: Write> Printer<'p, W> {
    fn new(out: &'p mut W, answer: &'p Answer<'p>) -> Printer<'p, W> {
        let lines = answer.automaton().observations.iter();
        let width = lines.map(|line| trace::speaker(line).len()).max();
        Printer {
            out,
            answer,
            letters: BTreeMap::new(),
            width: width.unwrap_or(0),
            margin: vec!["  "],
            skipped: 0,
        }
    }

    fn start(&mut self) -> io::Result<()> {
        let skeleton = &self.answer.skeleton;
        if !self.answer.full {
            self.skipped = match skeleton.first_choice() {
                Some(lines) if lines > COMMON_SHOWN + 1 => lines - COMMON_SHOWN,
                Some(_) => 0,
                None => usize::MAX,
            };
        }
        let found = if self.answer.language.is_complete() {
            ""
        } else {
            " that were found"
        };
        let common = match (self.skipped, self.answer.automaton().trace_lengths()) {
            (0, _) => return self.block(0),
            (_, None) => return self.say(&dim("no trace was found")),
            (usize::MAX, Some((lines, _))) => {
                format!("the same {} in all runs{found}", counted(lines, "line"))
            }
            (lines, _) => format!("{lines} lines that all traces{found} begin with"),
        };
        self.say(&dim(&format!("… {common} (--full shows them)")))?;
        self.block(0)
    }

    /// Prints a point and all that only it leads to, then what its ways have in common.
    fn block(&mut self, mut point: usize) -> io::Result<()> {
        loop {
            let at = &self.answer.skeleton.points[point];
            match &at.runs[..] {
                [run] if at.ends.is_empty() => {
                    self.lines(&run.lines)?;
                    if self.answer.skeleton.points[run.to].shared {
                        return self.refer(run.to);
                    }
                    point = run.to;
                    continue;
                }
                [] => self.ends(point)?,
                _ => self.ways(point)?,
            }
            let Some((last, others)) = at.joins.split_last() else {
                return Ok(());
            };
            for join in others {
                self.title(*join)?;
                self.block(*join)?;
            }
            self.title(*last)?;
            point = *last;
        }
    }

    /// One branch for each way.
    fn ways(&mut self, point: usize) -> io::Result<()> {
        let at = &self.answer.skeleton.points[point];
        let count = at.runs.len() + usize::from(!at.ends.is_empty());
        for way in 0..count {
            let last = way + 1 == count;
            let reason = reason(self.answer.way(at.state, way));
            let corner = if last { "└─" } else { "├─" };
            self.say(format!("{corner} {}", dim(&reason)).trim_end())?;
            self.margin.push(if last { "   " } else { "│  " });
            match at.runs.get(way) {
                None => self.ends(point)?,
                Some(run) => {
                    self.lines(&run.lines)?;
                    if self.answer.skeleton.points[run.to].shared {
                        self.refer(run.to)?;
                    } else {
                        self.block(run.to)?;
                    }
                }
            }
            self.margin.pop();
        }
        Ok(())
    }

    fn lines(&mut self, lines: &[usize]) -> io::Result<()> {
        let skipped = lines.len().min(self.skipped);
        self.skipped -= skipped;
        for line in &lines[skipped..] {
            let line = self.answer.line(*line);
            let (who, width, style) = (trace::speaker(line), self.width, trace::style(line));
            for (row, words) in trace::words(line).iter().enumerate() {
                let who = if row == 0 { &*who } else { "" };
                self.say(&format!("{who:<width$}  {style}{words}{style:#}"))?;
            }
        }
        Ok(())
    }

    fn ends(&mut self, point: usize) -> io::Result<()> {
        let bold = Style::new().bold();
        for end in &self.answer.skeleton.points[point].ends {
            self.say(&format!("{bold}■{bold:#} {end}"))?;
        }
        Ok(())
    }

    fn refer(&mut self, point: usize) -> io::Result<()> {
        let letter = self.letters.get(&point).cloned().unwrap_or_default();
        self.say(&format!("→ {letter}"))
    }

    fn title(&mut self, point: usize) -> io::Result<()> {
        let bold = Style::new().bold();
        let next = self.letters.len();
        let letter = self.letters.entry(point).or_insert_with(|| letter(next));
        let title = format!("{bold}{letter}:{bold:#}");
        self.say(&title)
    }

    fn say(&mut self, text: &str) -> io::Result<()> {
        let margin = self.margin.concat();
        writeln!(self.out, "{}", format!("{margin}{text}").trim_end())
    }
}

/// A to Z, AA, AB, …
fn letter(number: usize) -> String {
    let last = char::from(b'A' + (number % 26) as u8);
    match number / 26 {
        0 => last.to_string(),
        before => format!("{}{last}", letter(before - 1)),
    }
}

fn dim(text: &str) -> String {
    let style = Style::new().fg_color(Some(AnsiColor::BrightBlack.into()));
    if text.is_empty() {
        String::new()
    } else {
        format!("{style}{text}{style:#}")
    }
}
