//! The summary of a CI job, in Markdown: verdicts, what is not as it should be, and the diagrams of counterexamples.

use std::fmt::Write;

use super::case::{Case, Failure, Report, counts, sentence};

/// So many counterexamples are shown as diagrams: more would be cut off by GitHub, which allows a megabyte.
const DIAGRAMS_MAX: usize = 10;
/// So many rows are shown of what is not clean.
const ROWS_MAX: usize = 100;

/// The whole summary.
pub fn markdown(report: &Report) -> String {
    let mut told = String::from("## blockrace\n\n| | cases | verdicts |\n|---|---:|---|\n");
    for (suite, cases) in report.suites() {
        let _ = writeln!(told, "| {suite} | {} | {} |", cases.len(), counts(cases));
    }
    let not_clean: Vec<(&str, &Case)> = report.not_clean().collect();
    if !not_clean.is_empty() {
        told += "\n| | case | verdict | |\n|---|---|---|---|\n";
        for (suite, case) in not_clean.iter().take(ROWS_MAX) {
            let (title, message) = (cell(&case.title()), cell(&case.message()));
            let _ = writeln!(told, "| {suite} | {title} | {} | {message} |", case.word);
        }
        if let Some(more @ 1..) = not_clean.len().checked_sub(ROWS_MAX) {
            let _ = writeln!(told, "\nand {more} more");
        }
    }
    let failures = not_clean
        .iter()
        .flat_map(|(_, case)| case.failures.iter().map(move |failure| (case, failure)));
    let shown = failures.filter(|(_, failure)| !failure.picture.is_empty());
    for (case, failure) in shown.take(DIAGRAMS_MAX) {
        told += &details(case, failure);
    }
    told
}

fn details(case: &Case, failure: &Failure) -> String {
    let mut told = format!(
        "\n### {}: {}\n\n{}\n\n",
        text(&case.title()),
        failure.rule,
        text(&failure.message)
    );
    if let Some(says) = sentence(&failure.rule) {
        let _ = writeln!(told, "Promised: {}\n", text(says));
    }
    let _ = writeln!(told, "```sh\n{}\n```\n", failure.again);
    let _ = writeln!(told, "{}", fenced("mermaid", &failure.diagram));
    told += "<details><summary>step by step</summary>\n\n";
    let _ = writeln!(told, "{}", fenced("text", &failure.picture));
    told + "</details>\n"
}

/// A block of code whose fence is longer than any in it.
pub fn fenced(language: &str, code: &str) -> String {
    let mut fence = "```".to_owned();
    while code.contains(&fence) {
        fence.push('`');
    }
    format!("{fence}{language}\n{}\n{fence}\n", code.trim_end())
}

/// Text in which nothing means something else.
pub fn text(text: &str) -> String {
    let mut told = String::new();
    for sign in text.chars() {
        match sign {
            '<' => told += "&lt;",
            '&' => told += "&amp;",
            '*' | '_' | '`' | '[' | '\\' | '|' | '#' => told.extend(['\\', sign]),
            '\r' | '\n' => told.push(' '),
            _ => told.push(sign),
        }
    }
    told
}

/// As [`text`]; long ones are cut, as a table is to be looked over.
fn cell(long: &str) -> String {
    const MAX: usize = 200;
    match long.char_indices().nth(MAX) {
        Some((end, _)) => text(&long[..end]) + "…",
        None => text(long),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_a_file_is_markdown() {
        assert_eq!(text("<b>|a_b|`x`\n"), "&lt;b>\\|a\\_b\\|\\`x\\` ");
        assert_eq!(fenced("text", "a\n```\nb"), "````text\na\n```\nb\n````\n");
        assert_eq!(cell(&"a".repeat(300)).chars().count(), 201);
    }
}
