//! SARIF 2.1.0: a rule for each promise, a result for each that is broken.

use std::path::Path;

use model::property::PROPERTIES;
use serde_json::{Value, json};
use sim::hash::fingerprint_of;

use super::case::{Case, Failure, OTHERS, Report};
use crate::exit::Exit;

/// The schema that the document keeps to.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// The whole document.
pub fn document(report: &Report) -> String {
    let rules = rules();
    let results: Vec<Value> = report
        .not_clean()
        .flat_map(|(suite, case)| results(suite, case, &rules))
        .collect();
    let document = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "blockrace",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|(id, says)| rule(id, says)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    format!("{document:#}\n")
}

/// The promises that are looked at, and what else can be wrong.
fn rules() -> Vec<(&'static str, &'static str)> {
    let promises = PROPERTIES.iter().filter(|row| row.kind.is_checked());
    promises
        .map(|row| (row.id, row.says))
        .chain(OTHERS)
        .collect()
}

fn rule(id: &str, says: &str) -> Value {
    json!({"id": id, "shortDescription": {"text": says}})
}

fn results(suite: &str, case: &Case, rules: &[(&str, &str)]) -> Vec<Value> {
    let undecided = Failure {
        rule: "inconclusive".into(),
        message: case.message(),
        ..Failure::default()
    };
    match &case.failures[..] {
        [] => vec![result(suite, case, &undecided, rules)],
        failures => failures
            .iter()
            .map(|failure| result(suite, case, failure, rules))
            .collect(),
    }
}

fn result(suite: &str, case: &Case, failure: &Failure, rules: &[(&str, &str)]) -> Value {
    let index = rules.iter().position(|(id, _)| *id == failure.rule);
    let (file, line) = failure.place().unwrap_or((&case.file, 1));
    // The same failure found again is the same alert, whatever numbers its message has.
    let words: String = failure
        .message
        .chars()
        .filter(|c| !c.is_ascii_digit())
        .collect();
    let fingerprint = fingerprint_of(&(&case.name, &case.dialect, &failure.rule, words)) as u64;
    let mut result = json!({
        "ruleId": failure.rule,
        "level": if case.exit == Exit::Inconclusive { "warning" } else { "error" },
        "message": {"text": format!("{}: {}", case.title(), failure.message)},
        "locations": locations(file, line),
        "partialFingerprints": {"blockraceFailure/v1": format!("{fingerprint:016x}")},
        "properties": {
            "suite": suite,
            "dialect": case.dialect,
            "work": case.work,
            "kept": failure.kept,
            "again": failure.again,
        },
    });
    if let Some(index) = index {
        result["ruleIndex"] = json!(index);
    }
    result
}

/// Where it is; not everything is about a file.
fn locations(file: &str, line: u32) -> Vec<Value> {
    let location = json!({"physicalLocation": {
        "artifactLocation": {"uri": uri(file)},
        "region": {"startLine": line},
    }});
    Vec::from_iter((!file.is_empty()).then_some(location))
}

/// A path as a reference: relative to the root of the sources, or with its scheme.
fn uri(file: &str) -> String {
    let mut uri = String::new();
    if Path::new(file).is_absolute() {
        uri += "file://";
    }
    for byte in file.trim_start_matches("./").bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => {
                uri.push(byte.into())
            }
            _ => uri += &format!("%{byte:02X}"),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_references() {
        assert_eq!(uri("scenarios/a-b.yaml"), "scenarios/a-b.yaml");
        assert_eq!(uri("./my story.yaml"), "my%20story.yaml");
        assert_eq!(uri("/tmp/a.yaml"), "file:///tmp/a.yaml");
        assert_eq!(uri("random:7"), "random%3A7");
    }
}
