//! JUnit's XML. A broken promise is a `failure`; what was not decided is an `error`, as it is no success.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};

use super::case::{Case, Failure, Report, sentence};
use crate::exit::Exit;

/// The whole document.
///
/// # Errors
/// What to print: it cannot be written as XML.
pub fn document(report: &Report) -> Result<String, String> {
    let mut document = Document::new("blockrace");
    for (suite, cases) in report.suites() {
        let mut told = TestSuite::new(format!("blockrace {suite}"));
        for case in cases {
            told.add_test_case(test_case(suite, case, report.times));
        }
        document.add_test_suite(told);
    }
    document
        .to_string()
        .map_err(|error| format!("internal: no JUnit report can be made of it: {error}"))
}

fn test_case(suite: &str, case: &Case, times: bool) -> TestCase {
    let mut told = TestCase::new(case.title(), status(case));
    told.set_classname(format!("blockrace.{suite}"));
    if times {
        told.set_time(Duration::from_secs_f64(case.seconds.max(0.0)));
    }
    let mut out = format!("{}: {}", case.word, case.work);
    if !case.note.is_empty() {
        out += &format!("\n{}", case.note);
    }
    told.set_system_out(out);
    told
}

fn status(case: &Case) -> TestCaseStatus {
    let kind = match case.exit {
        Exit::Clean => return TestCaseStatus::success(),
        Exit::Violated => NonSuccessKind::Failure,
        _ => NonSuccessKind::Error,
    };
    let mut status = TestCaseStatus::non_success(kind);
    let rule = case.failures.first().map(|failure| &*failure.rule);
    status.set_type(rule.unwrap_or("inconclusive"));
    status.set_message(case.message());
    let told: Vec<String> = case.failures.iter().map(description).collect();
    if !told.is_empty() {
        status.set_description(told.join("\n\n"));
    }
    status
}

fn description(failure: &Failure) -> String {
    let mut lines = vec![format!("{}: {}", failure.rule, failure.message)];
    lines.extend(sentence(&failure.rule).map(|says| format!("promised: {says}")));
    if let Some(kept) = &failure.kept {
        lines.push(format!("kept: {}", kept.display()));
    }
    if !failure.again.is_empty() {
        lines.push(format!("again: {}", failure.again));
    }
    if !failure.picture.is_empty() {
        lines.push(format!("\n{}", failure.picture.trim_end()));
    }
    lines.join("\n")
}
