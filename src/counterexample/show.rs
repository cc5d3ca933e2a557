//! A counterexample as it is printed: the broken promise, the steps in a column for each actor, what they changed,
//! where it was lost, and the line to paste.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use scenarios::line::Line;
use sim::Breach;
use sim::inevitable::Inevitable;

use super::film::{Film, Frame};
use super::scale::Scale;
use super::strips::{Picture, Strips};
use crate::terminal::terminal;
use crate::trace;

/// What is shown.
pub struct Shown<'a> {
    /// The scenario's name and title, and the release whose rules were played.
    pub scenario: (&'a str, &'a str, &'a str),
    /// What was broken.
    pub breach: &'a Breach,
    /// What was promised: one sentence, if the property has one.
    pub promise: Option<String>,
    /// The run that breaks it.
    pub film: &'a Film,
    /// When it was lost, if that was asked.
    pub inevitable: Option<Inevitable>,
    /// What to say below: a word and a line each.
    pub footer: &'a [(&'static str, String)],
}

/// Before the first column: the number of the step.
const MARGIN: usize = 6;
/// What the client sent and read comes first.
const WIRE: usize = 5;
/// No column is narrower.
const COLUMN_MIN: usize = 9;
const LOST: Style = Style::new()
    .fg_color(Some(anstyle::Color::Ansi(AnsiColor::Red)))
    .bold();

/// Prints it.
///
/// # Errors
/// The output's.
pub fn print(out: &mut impl Write, shown: &Shown) -> io::Result<()> {
    let (name, title, dialect) = shown.scenario;
    writeln!(out, "{LOST}BREACH{LOST:#}   {}", shown.breach.property)?;
    writeln!(out, "         {}", shown.breach.message)?;
    if let Some(promise) = &shown.promise {
        writeln!(out, "promised {promise}")?;
    }
    writeln!(out, "in       {name}  (QEMU {dialect}): {title}")?;
    writeln!(out)?;
    let legend = print_steps(out, shown)?;
    writeln!(out)?;
    writeln!(out, "  = what the step changed; {legend}")?;
    for (word, line) in shown.footer {
        writeln!(out, "{word:<8} {line}")?;
    }
    Ok(())
}

/// Prints the steps; returns what the signs mean.
fn print_steps(out: &mut impl Write, shown: &Shown) -> io::Result<String> {
    let frames = &shown.film.frames;
    let setup = shown.film.setup();
    let columns = Columns::of(frames, setup, terminal().out.width);
    let mut strips = Strips::new(Scale::even(frames.iter().map(|frame| &frame.world)));
    let mut before = Picture::new();
    writeln!(out, "{}", columns.heading())?;
    if shown.inevitable == Some(Inevitable::Always) {
        print_lost(out, "from the start, every continuation breaks the promise")?;
    }
    for (index, frame) in frames.iter().enumerate() {
        let before_deed = columns.before(&frame.actor_name);
        let column = before_deed.chars().count();
        let (deed, lines) = deed_and_lines(frame, index < setup);
        writeln!(out, "{:>5} {before_deed}{deed}", index + 1)?;
        // What the setup's steps make is told once, behind the last of them.
        if index + 1 >= setup {
            let after = strips.picture(&frame.world);
            let changed = changes(&before, &after);
            if !changed.is_empty() {
                writeln!(out, "{:MARGIN$}{:column$}= {}", "", "", changed.join(" | "))?;
            }
            before = after;
        }
        print_wire(out, lines)?;
        if shown.inevitable == Some(Inevitable::Step(index + 1)) {
            let words = if index + 1 == frames.len() {
                "this step decides it: before it there was a way out"
            } else {
                "from here on, every continuation breaks the promise"
            };
            print_lost(out, words)?;
        }
    }
    Ok(strips.legend())
}

fn print_lost(out: &mut impl Write, words: &str) -> io::Result<()> {
    writeln!(out, "{LOST}{:>5} {words}{LOST:#}", "!!!")
}

/// What a step is called, and the lines that go below it. A step of the setup is called by its line, if it has one:
/// that says all, and the step's name only a part.
pub fn deed_and_lines(frame: &Frame, is_setup: bool) -> (String, &[Line]) {
    let words = frame.lines.first().map(trace::words);
    match words.as_deref() {
        Some([words]) if is_setup => (words.clone(), &frame.lines[1..]),
        _ => (frame.deed().to_owned(), &frame.lines),
    }
}

fn print_wire(out: &mut impl Write, lines: &[Line]) -> io::Result<()> {
    for line in lines {
        let style = trace::style(line);
        let who = trace::speaker(line);
        for (row, words) in trace::words(line).iter().enumerate() {
            // A command is the client's, a reply names itself; of an event it matters whose it is.
            let who = match (row, &*who) {
                (0, who) if !["client", "qemu"].contains(&who) => format!("{who} "),
                _ => String::new(),
            };
            writeln!(out, "{:MARGIN$}{style}{who}{words}{style:#}", "")?;
        }
    }
    Ok(())
}

/// What is not as it was before: new strips, other strips, and those that are gone.
fn changes(before: &Picture, after: &Picture) -> Vec<String> {
    let of = |picture: &Picture, label: &str| {
        let found = picture.iter().find(|(other, _)| other == label);
        found.map(|(_, strip)| strip.clone())
    };
    let mut changes: Vec<String> = after
        .iter()
        .filter(|(label, strip)| of(before, label).as_ref() != Some(strip))
        .map(|(label, strip)| format!("{label} {strip}").trim_end().to_owned())
        .collect();
    let gone = before
        .iter()
        .filter(|(label, _)| of(after, label).is_none());
    changes.extend(gone.map(|(label, _)| format!("{label} gone")));
    changes
}

/// Where each actor's steps begin.
enum Columns {
    /// A column for each actor: its name, and where it begins.
    Beside(Vec<(String, usize)>),
    /// One column for the names of all, as wide as this: where there is no room for more.
    Listed(usize),
}

impl Columns {
    /// In the order of the actors' numbers; `setup` is how many of the steps belong to the setup.
    fn of(frames: &[Frame], setup: usize, width: Option<usize>) -> Columns {
        let mut actors: Vec<(usize, &str)> = frames
            .iter()
            .map(|frame| (frame.actor, frame.actor_name.as_str()))
            .collect();
        actors.sort_unstable();
        actors.dedup();
        let mut at = WIRE;
        let mut columns: Vec<(String, usize)> = Vec::new();
        for (_, name) in actors {
            if columns.iter().any(|(other, _)| other == name) {
                continue;
            }
            columns.push((name.to_owned(), at));
            at += name.chars().count().max(COLUMN_MIN) + 2;
        }
        let beside = Columns::Beside(columns);
        let deeds = frames.iter().enumerate().map(|(index, frame)| {
            let (deed, _) = deed_and_lines(frame, index < setup);
            beside.before(&frame.actor_name).chars().count() + deed.chars().count()
        });
        let widest = MARGIN + deeds.max().unwrap_or(0).max(at);
        match width {
            Some(width) if width < widest => {
                let names = frames.iter().map(|frame| frame.actor_name.chars().count());
                Columns::Listed(names.max().unwrap_or(0).max("actor".len()))
            }
            _ => beside,
        }
    }

    /// What stands between the number of a step of an actor and what it does.
    fn before(&self, name: &str) -> String {
        match self {
            Columns::Beside(columns) => {
                let found = columns.iter().find(|(other, _)| other == name);
                let at = found.map_or(WIRE, |(_, at)| *at);
                format!("{:at$}", "")
            }
            Columns::Listed(width) => format!("{name:<width$}  "),
        }
    }

    fn heading(&self) -> String {
        match self {
            Columns::Beside(columns) => {
                let mut heading = format!("{:>5} {:<WIRE$}", "step", "QMP");
                for (name, at) in columns {
                    let width = MARGIN + at;
                    heading = format!("{heading:<width$}{name}");
                }
                heading
            }
            Columns::Listed(width) => format!("{:>5} {:<width$}  what it does", "step", "actor"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_changed_is_told() {
        let picture = |entries: &[(&str, &str)]| -> Picture {
            let owned = |(label, strip): &(&str, &str)| ((*label).to_owned(), (*strip).to_owned());
            entries.iter().map(owned).collect()
        };
        let before = picture(&[("a", ".."), ("b", "--"), ("c", "#")]);
        let after = picture(&[("a", ".#"), ("b", "--"), ("d", "")]);
        assert_eq!(changes(&before, &after), ["a .#", "d", "c gone"]);
        assert!(changes(&after, &after).is_empty());
    }
}
