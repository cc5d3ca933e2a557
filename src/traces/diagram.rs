//! Every order as a picture: Graphviz's dot, and Mermaid for where Markdown is shown.
//!
//! A picture has one node for each point where traces start, part, meet, or end, and one arrow for
//! the lines between two of them. Long arrows are shortened, unless everything is asked for.

use std::io::{self, Write};

use super::skeleton::{Point, Run};
use super::{Answer, reason};
use crate::trace;

/// An arrow with more lines than this shows its first and its last ones.
const LINES_MAX: usize = 8;

/// Of a shortened arrow, so many lines are shown at each end.
const LINES_SHOWN: usize = 3;

/// Prints it for `dot`.
///
/// # Errors
/// The output's.
pub fn print_dot(out: &mut impl Write, answer: &Answer) -> io::Result<()> {
    let quoted = |lines: &[String]| {
        let escape = |line: &String| line.replace('\\', "\\\\").replace('"', "\\\"") + "\\l";
        lines.iter().map(escape).collect::<String>()
    };
    writeln!(out, "digraph traces {{")?;
    writeln!(out, "  label=\"{}\"; labelloc=t;", quoted(&[title(answer)]))?;
    writeln!(
        out,
        "  node [shape=circle, label=\"\", width=0.15]; edge [fontname=monospace];"
    )?;
    for (number, point) in answer.skeleton.points.iter().enumerate() {
        let ends = ends(point);
        if ends.is_empty() {
            writeln!(out, "  n{number};")?;
        } else {
            let ends = quoted(&ends);
            writeln!(
                out,
                "  n{number} [shape=box, peripheries=2, label=\"{ends}\"];"
            )?;
        }
        for (way, run) in point.runs.iter().enumerate() {
            let label = quoted(&label(answer, point, way, run));
            writeln!(out, "  n{number} -> n{} [label=\"{label}\"];", run.to)?;
        }
    }
    writeln!(out, "}}")
}

/// Prints it for Mermaid, a flow chart from the top down.
///
/// # Errors
/// The output's.
pub fn print_mermaid(out: &mut impl Write, answer: &Answer) -> io::Result<()> {
    let quoted = |lines: &[String]| {
        let escape = |line: &String| {
            // Mermaid's own entities: a number sign would begin one, a quote ends the text.
            let mut escaped = String::new();
            for sign in line.chars() {
                match sign {
                    '"' => escaped += "#quot;",
                    '#' => escaped += "#35;",
                    '`' => escaped += "#96;",
                    '<' => escaped += "#lt;",
                    '>' => escaped += "#gt;",
                    '&' => escaped += "#amp;",
                    _ => escaped.push(sign),
                }
            }
            escaped
        };
        lines.iter().map(escape).collect::<Vec<_>>().join("<br>")
    };
    writeln!(out, "---\ntitle: \"{}\"\n---", title(answer))?;
    writeln!(out, "flowchart TD")?;
    for (number, point) in answer.skeleton.points.iter().enumerate() {
        let ends = ends(point);
        if ends.is_empty() {
            writeln!(out, "  n{number}(( ))")?;
        } else {
            writeln!(out, "  n{number}[[\"{}\"]]", quoted(&ends))?;
        }
        for (way, run) in point.runs.iter().enumerate() {
            let label = quoted(&label(answer, point, way, run));
            writeln!(out, "  n{number} -->|\"{label}\"| n{}", run.to)?;
        }
    }
    Ok(())
}

fn title(answer: &Answer) -> String {
    let unknown = if answer.language.is_complete() {
        ""
    } else {
        ", not all of it"
    };
    format!("{} (QEMU {}){unknown}", answer.loaded.name, answer.dialect)
}

/// How traces may end at a point.
pub fn ends(point: &Point) -> Vec<String> {
    point.ends.iter().map(ToString::to_string).collect()
}

/// What an arrow says: why it is possible, then its lines.
fn label(answer: &Answer, point: &Point, way: usize, run: &Run) -> Vec<String> {
    let reason = reason(answer.way(point.state, way));
    let mut label = Vec::from_iter((!reason.is_empty()).then_some(reason));
    label.extend(lines(answer, run));
    label
}

/// The lines of an arrow; of a long one only the first and the last, unless all are asked for.
pub fn lines(answer: &Answer, run: &Run) -> Vec<String> {
    let mut label = Vec::new();
    let say = |line: &usize| {
        let line = answer.line(*line);
        format!(
            "{}  {}",
            trace::speaker(line),
            trace::words(line).join("; ")
        )
    };
    let count = run.lines.len();
    if count <= LINES_MAX || answer.full {
        label.extend(run.lines.iter().map(say));
    } else {
        label.extend(run.lines[..LINES_SHOWN].iter().map(say));
        label.push(format!("… {} lines", count - 2 * LINES_SHOWN));
        label.extend(run.lines[count - LINES_SHOWN..].iter().map(say));
    }
    label
}
