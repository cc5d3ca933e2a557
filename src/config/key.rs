//! What can be said about a campaign: one row for each key.

use std::num::NonZeroU64;

use sim::strategy::Spec;

use crate::cli;
use crate::output;

/// Something that can be said.
pub struct Key {
    /// What it is called in the file, with its table.
    pub name: &'static str,
    /// The lane that it is for; empty if it is for all.
    pub lane: &'static str,
    /// Its flag, if it has one.
    pub flag: &'static str,
    /// Its variable, if it has one.
    pub variable: &'static str,
    /// What is taken if nobody says it, in the profiles `pr` (and all others) and `nightly`.
    pub usual: [&'static [&'static str]; 2],
    /// Whether it is written as it must be.
    pub check: fn(&str) -> Result<(), String>,
    /// Whether it is a path, which in a file is seen from there.
    pub is_path: bool,
}

const fn key(name: &'static str, lane: &'static str, check: fn(&str) -> Result<(), String>) -> Key {
    Key {
        name,
        lane,
        flag: "",
        variable: "",
        usual: [&[], &[]],
        check,
        is_path: false,
    }
}

/// Everything that can be said, in the order in which it is listed.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    Key { flag: "--scenarios", is_path: true, ..key("scenarios", "", any) },
    Key { flag: "--jobs", variable: "BLOCKRACE_JOBS", ..key("jobs", "", count) },
    Key { flag: "--failures", usual: [&["blockrace-failures"]; 2], is_path: true, ..key("failures", "", any) },
    Key { flag: "--max-states", variable: "BLOCKRACE_MAX_STATES", usual: [&["1000000"], &["20000000"]],
          ..key("check.max-states", "check", count) },
    Key { flag: "--max-time", variable: "BLOCKRACE_MAX_TIME", ..key("check.max-time", "check", time) },
    Key { flag: "--seeds", usual: [&["0..100"], &["0..2000"]], ..key("fuzz.seeds", "fuzz", seeds) },
    Key { flag: "--root", variable: "BLOCKRACE_SEED", usual: [&["0"]; 2], ..key("fuzz.root", "fuzz", number) },
    Key { usual: [&["random"], &["portfolio"]], ..key("fuzz.strategy", "fuzz", strategy) },
    key("fuzz.random", "fuzz", seeds),
    Key { flag: "--max-time", variable: "BLOCKRACE_MAX_TIME", ..key("fuzz.max-time", "fuzz", time) },
    Key { is_path: true, ..key("recordings", "recordings", any) },
    key("canary", "canary", bug),
    Key { is_path: true, ..key("snapshots", "snapshots", any) },
    Key { flag: "--format", ..key("output.formats", "", format) },
    Key { flag: "--output", usual: [&["blockrace-report/"]; 2], is_path: true, ..key("output.folder", "", any) },
];

/// For clap: text that was checked.
pub fn checked(
    check: fn(&str) -> Result<(), String>,
) -> impl Fn(&str) -> Result<String, String> + Clone + Send + Sync + 'static {
    move |text| check(text).map(|()| text.to_owned())
}

fn any(text: &str) -> Result<(), String> {
    match text {
        "" => Err("this is empty".into()),
        _ => Ok(()),
    }
}

/// A number from 1 on.
///
/// # Errors
/// What is wrong with it.
pub fn count(text: &str) -> Result<(), String> {
    let count: Result<NonZeroU64, _> = text.parse();
    count
        .map(|_| ())
        .map_err(|_| format!("`{text}` is no number from 1 on"))
}

/// A number from 0 on.
///
/// # Errors
/// What is wrong with it.
pub fn number(text: &str) -> Result<(), String> {
    let number: Result<u64, _> = text.parse();
    number
        .map(|_| ())
        .map_err(|_| format!("`{text}` is no number from 0 on"))
}

/// A time.
///
/// # Errors
/// What is wrong with it.
pub fn time(text: &str) -> Result<(), String> {
    cli::duration(text).map(|_| ())
}

/// A range of runs or of random stories.
///
/// # Errors
/// What is wrong with it.
pub fn seeds(text: &str) -> Result<(), String> {
    cli::seeds(text).map(|_| ())
}

fn strategy(text: &str) -> Result<(), String> {
    let spec: Result<Spec, _> = text.parse();
    spec.map(|_| ()).map_err(|error| error.to_string())
}

fn bug(text: &str) -> Result<(), String> {
    match cli::mutation(text) {
        Ok(_) => Ok(()),
        Err(ways) => Err(format!("no planted bug is called {text}: {ways}")),
    }
}

fn format(text: &str) -> Result<(), String> {
    output::Format::named(text).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every default can be said in a file, too.
    #[test]
    fn defaults_are_written_as_they_must_be() {
        for key in KEYS {
            for value in key.usual.iter().copied().flatten() {
                assert_eq!((key.check)(value), Ok(()), "{}", key.name);
            }
        }
    }
}
