//! Reports of the parts of a campaign, with a line `---` between two: read and added up.

use std::path::PathBuf;

use crate::{Target, extremes};

/// Reports.
pub const TARGET: Target = Target {
    name: "report",
    run,
    seeds: kept,
    extremes: extremes::REPORTS,
    words: WORDS,
};

fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let reports: Vec<(PathBuf, String)> = (1..)
        .zip(text.split("---\n"))
        .map(|(number, text)| {
            (
                PathBuf::from(format!("part-{number}.json")),
                text.to_owned(),
            )
        })
        .collect();
    for partial in [false, true] {
        if let Err(error) = blockrace::merged(&reports, partial) {
            assert!(error.starts_with("part-"), "{error}");
        }
    }
}

/// The corpus is all there is.
fn kept() -> Vec<Vec<u8>> {
    Vec::new()
}

const WORDS: &[&str] = &[
    "---\n",
    "\"campaign\":{",
    "\"version\":",
    "\"asked\":[0,18446744073709551615]",
    "\"partition\":\"slice:1/1\"",
    "\"partition\":\"slice:2/3\"",
    "\"partition\":\"slice:18446744073709551615/18446744073709551615\"",
    "\"partition\":null",
    "\"keep_going\":false",
    "\"covered\":[]",
    "\"covered\":[[0,1],[1,2]]",
    "\"covered\":[[18446744073709551615,18446744073709551615]]",
    "\"seen\":null",
    "\"once\":\"0000000000000000\"",
    "\"level\":64",
    "\"ended_by\":null",
    "\"findings\":[]",
    "\"runs\":18446744073709551615",
    "\"random\":",
    "\"agreed\":",
    "\"mutation\":",
    "\"chance_of_new_trace\":",
    "\"verdict\":\"inconclusive\"",
    "null",
    "[]",
    "{}",
];
