//! GitHub's annotations: lines on the standard output that show beside the sources.

use super::case::{Case, Failure, Report, sentence};
use crate::exit::Exit;

/// One line for each failure, and for each case that was not decided.
pub fn annotations(report: &Report) -> String {
    report.not_clean().map(|(_, case)| of_case(case)).collect()
}

fn of_case(case: &Case) -> String {
    if case.failures.is_empty() {
        let level = if case.exit == Exit::Inconclusive {
            "warning"
        } else {
            "error"
        };
        return line(level, (&case.file, 1), &case.title(), &case.message());
    }
    case.failures
        .iter()
        .map(|failure| of_failure(case, failure))
        .collect()
}

fn of_failure(case: &Case, failure: &Failure) -> String {
    let place = failure.place().unwrap_or((&case.file, 1));
    let title = format!("{}: {}", case.title(), failure.rule);
    let mut message = failure.message.clone();
    if let Some(says) = sentence(&failure.rule) {
        message += &format!("\npromised: {says}");
    }
    if !failure.again.is_empty() {
        message += &format!("\nagain: {}", failure.again);
    }
    line("error", place, &title, &message)
}

fn line(level: &str, (file, line): (&str, u32), title: &str, message: &str) -> String {
    let (file, title) = (property(file), property(title));
    format!(
        "::{level} file={file},line={line},title={title}::{}\n",
        data(message)
    )
}

/// A message: a line of the log has no line breaks.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A property of an annotation, in which more signs mean something.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Begins a part of a job's log that can be folded.
pub fn group(title: &str) -> String {
    format!("::group::{}\n", data(title))
}

/// Ends it.
pub const END_GROUP: &str = "::endgroup::\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_that_mean_something_are_escaped() {
        let told = line("error", ("a,b.yaml", 3), "50 %: it", "one\ntwo: three");
        assert_eq!(
            told,
            "::error file=a%2Cb.yaml,line=3,title=50 %25%3A it::one%0Atwo: three\n"
        );
    }
}
