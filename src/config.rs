//! What a campaign of `blockrace ci` is to do, and who said so.
//!
//! A flag beats the environment, which beats `blockrace.toml`, which beats the default. [`KEYS`] has one row for each
//! thing that can be said; every value is text, as on a command line.

mod file;
mod print;

use std::num::NonZeroU64;
use std::path::PathBuf;

use clap::Args;
use sim::near;
use sim::strategy::Spec;

pub use self::file::File;
pub use self::print::{ConfigArgs, run};
use crate::cli;
use crate::output::{self, OutputArgs};

/// The profile that is taken if nobody names one.
const USUAL: &str = "pr";
/// The profiles that there are without a file.
const BUILT_IN: [&str; 2] = [USUAL, "nightly"];

/// What can be said on the command line about a campaign. Text is checked, and stays text.
#[derive(Args, Clone, Debug, Default)]
pub struct Flags {
    /// The profile to take [default: pr] [env: BLOCKRACE_PROFILE]
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// The file of profiles; if not given, the `blockrace.toml` of this folder, or of one above it up to that of the
    /// repository
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// In place of the profile's scenarios: names, files or folders
    #[arg(long, value_name = "SCENARIO")]
    scenarios: Vec<String>,
    /// In place of the profile's check.max-states [env: BLOCKRACE_MAX_STATES]
    #[arg(long, value_name = "N", value_parser = checked(count))]
    max_states: Option<String>,
    /// In place of the profile's times for each lane, such as 90 (seconds), 10m or 8h [env: BLOCKRACE_MAX_TIME]
    #[arg(long, value_name = "TIME", value_parser = checked(time))]
    max_time: Option<String>,
    /// In place of the profile's fuzz.seeds
    #[arg(long, value_name = "A..B", value_parser = checked(seeds))]
    seeds: Option<String>,
    /// In place of the profile's fuzz.root [env: BLOCKRACE_SEED]
    #[arg(long, value_name = "N", value_parser = checked(number))]
    root: Option<String>,
    /// In place of the profile's jobs: worker threads, which change no result [env: BLOCKRACE_JOBS]
    #[arg(long, value_name = "N", value_parser = checked(count))]
    jobs: Option<String>,
    /// In place of the profile's failures: where they are kept, and tried first the next time
    #[arg(long, value_name = "DIR")]
    failures: Option<String>,
    /// In place of the profile's formats and their folder
    #[command(flatten)]
    pub output: OutputArgs,
}

impl Flags {
    /// What was said about a key; nothing if it was not.
    fn of(&self, key: &str) -> Vec<String> {
        let one = |value: &Option<String>| value.iter().cloned().collect();
        match key {
            "scenarios" => self.scenarios.clone(),
            "jobs" => one(&self.jobs),
            "failures" => one(&self.failures),
            "check.max-states" => one(&self.max_states),
            "check.max-time" | "fuzz.max-time" => one(&self.max_time),
            "fuzz.seeds" => one(&self.seeds),
            "fuzz.root" => one(&self.root),
            "output.formats" => self
                .output
                .format
                .iter()
                .map(|format| format.name())
                .collect(),
            "output.folder" => {
                let paths = self.output.output.iter();
                paths.map(|path| path.display().to_string()).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Something that can be said.
struct Key {
    /// What it is called in the file, with its table.
    name: &'static str,
    /// The lane that it is for; empty if it is for all.
    lane: &'static str,
    /// Its flag and its variable, if it has them.
    flag: &'static str,
    variable: &'static str,
    /// What is taken if nobody says it, in the profiles `pr` (and all others) and `nightly`.
    usual: [&'static [&'static str]; 2],
    /// Whether it is written as it must be.
    check: fn(&str) -> Result<(), String>,
    /// Whether it is a path, which in a file is seen from there.
    is_path: bool,
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
const KEYS: &[Key] = &[
    Key { flag: "--scenarios", is_path: true, ..key("scenarios", "", any) },
    Key { flag: "--jobs", variable: "BLOCKRACE_JOBS", ..key("jobs", "", count) },
    Key { flag: "--failures", usual: [&["blockrace-failures"]; 2], is_path: true, ..key("failures", "", any) },
    Key { flag: "--max-states", variable: "BLOCKRACE_MAX_STATES", usual: [&["1000000"], &["20000000"]],
          ..key("check.max-states", "check", count) },
    Key { flag: "--max-time", variable: "BLOCKRACE_MAX_TIME", ..key("check.max-time", "check", time) },
    Key { flag: "--seeds", usual: [&["0..100"], &["0..2000"]], ..key("fuzz.seeds", "fuzz", seeds) },
    Key { flag: "--root", variable: "BLOCKRACE_SEED", usual: [&["0"]; 2], ..key("fuzz.root", "fuzz", number) },
    Key { usual: [&["random"], &["portfolio"]], ..key("fuzz.strategy", "fuzz", strategy) },
    Key { ..key("fuzz.random", "fuzz", seeds) },
    Key { flag: "--max-time", variable: "BLOCKRACE_MAX_TIME", ..key("fuzz.max-time", "fuzz", time) },
    Key { is_path: true, ..key("recordings", "recordings", any) },
    Key { ..key("canary", "canary", bug) },
    Key { is_path: true, ..key("snapshots", "snapshots", any) },
    Key { flag: "--format", ..key("output.formats", "", format) },
    Key { flag: "--output", usual: [&["blockrace-report/"]; 2], is_path: true, ..key("output.folder", "", any) },
];

/// Who said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// This flag.
    Flag(&'static str),
    /// This variable.
    Environment(&'static str),
    /// That line of the file.
    File(PathBuf, usize),
    /// Nobody.
    Default,
}

/// What is to be done about a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name.
    pub key: &'static str,
    /// What was said; nothing if there is no default either.
    pub values: Vec<String>,
    /// Who said it.
    pub from: From,
}

/// Everything that was said about a campaign.
#[derive(Debug)]
pub struct Settings {
    /// The profile.
    pub profile: Setting,
    /// The file it is from, if there is one.
    pub file: Option<PathBuf>,
    /// One for each of the keys that are for a lane of the campaign.
    pub all: Vec<Setting>,
    /// The lanes that are to be run, of those that a profile can choose.
    lanes: Vec<&'static str>,
}

impl Settings {
    /// From flags, the environment, the file, the defaults.
    ///
    /// # Errors
    /// What to print: a file, a variable or a profile that cannot be used.
    pub fn of(flags: &Flags) -> Result<Settings, String> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let file = match &flags.config {
            Some(path) => Some(File::read(path)?),
            None => File::find()?,
        };
        Settings::resolve(flags, &variable, file.as_ref())
    }

    fn resolve(
        flags: &Flags,
        variable: &dyn Fn(&str) -> Option<String>,
        file: Option<&File>,
    ) -> Result<Settings, String> {
        let profile = profile(flags, variable);
        let name = &profile.values[0];
        let said = match file {
            Some(file) => file.profile(name),
            None => None,
        };
        if said.is_none() && !BUILT_IN.contains(&&**name) {
            return Err(no_profile(&profile, file));
        }
        let lanes = match &said {
            Some(said) => said.lanes(),
            None => vec!["check", "fuzz"],
        };
        let mut all = Vec::new();
        for key in KEYS
            .iter()
            .filter(|key| key.lane.is_empty() || lanes.contains(&key.lane))
        {
            let from_file = said.as_ref().and_then(|said| said.setting(key.name));
            all.push(setting(key, name, flags, variable, from_file)?);
        }
        Ok(Settings {
            profile,
            file: file.map(|file| file.path.clone()),
            all,
            lanes,
        })
    }

    /// Whether the profile asks for a lane.
    pub fn has_lane(&self, lane: &str) -> bool {
        self.lanes.contains(&lane)
    }

    /// All that was said about a key.
    pub fn values(&self, key: &str) -> &[String] {
        let setting = self.all.iter().find(|setting| setting.key == key);
        setting.map_or(&[], |setting| &setting.values)
    }

    /// What was said about a key that has one value.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.values(key).first().map(|value| &**value)
    }
}

/// The profile's name.
fn profile(flags: &Flags, variable: &dyn Fn(&str) -> Option<String>) -> Setting {
    const VARIABLE: &str = "BLOCKRACE_PROFILE";
    let (value, from) = match (&flags.profile, variable(VARIABLE)) {
        (Some(name), _) => (name.clone(), From::Flag("--profile")),
        (None, Some(name)) => (name, From::Environment(VARIABLE)),
        (None, None) => (USUAL.to_owned(), From::Default),
    };
    Setting {
        key: "profile",
        values: vec![value],
        from,
    }
}

fn no_profile(profile: &Setting, file: Option<&File>) -> String {
    let name = &profile.values[0];
    let mut names = file.map(File::profiles).unwrap_or_default();
    names.extend(
        BUILT_IN
            .iter()
            .filter(|name| !names.contains(name))
            .copied()
            .collect::<Vec<_>>(),
    );
    let meant = match near::nearest(name, &names, 1).first() {
        Some(near) => format!("; did you mean {near}?"),
        None => String::new(),
    };
    let place = file.map_or_else(
        || "there is no blockrace.toml".to_owned(),
        |file| file.path.display().to_string(),
    );
    format!(
        "{place}: no profile is called {name}{meant}\n  there are: {}",
        names.join(", ")
    )
}

fn setting(
    key: &Key,
    profile: &str,
    flags: &Flags,
    variable: &dyn Fn(&str) -> Option<String>,
    from_file: Option<Setting>,
) -> Result<Setting, String> {
    let said = |values: Vec<String>, from: From| Setting {
        key: key.name,
        values,
        from,
    };
    let by_flag = flags.of(key.name);
    if !by_flag.is_empty() {
        return Ok(said(by_flag, From::Flag(key.flag)));
    }
    if let Some(value) = variable(key.variable).filter(|_| !key.variable.is_empty()) {
        (key.check)(&value).map_err(|why| format!("{}={value}: {why}", key.variable))?;
        return Ok(said(vec![value], From::Environment(key.variable)));
    }
    Ok(from_file.unwrap_or_else(|| {
        let usual = key.usual[usize::from(profile == "nightly")];
        said(
            usual.iter().map(|value| (*value).to_owned()).collect(),
            From::Default,
        )
    }))
}

/// For clap: text that was checked.
fn checked(
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

fn count(text: &str) -> Result<(), String> {
    let count: Result<NonZeroU64, _> = text.parse();
    count
        .map(|_| ())
        .map_err(|_| format!("`{text}` is no number from 1 on"))
}

fn number(text: &str) -> Result<(), String> {
    let number: Result<u64, _> = text.parse();
    number
        .map(|_| ())
        .map_err(|_| format!("`{text}` is no number from 0 on"))
}

fn time(text: &str) -> Result<(), String> {
    cli::duration(text).map(|_| ())
}

fn seeds(text: &str) -> Result<(), String> {
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

    const TEXT: &str = "[profile.pr]\nfuzz = { root = 3, seeds = \"0..5\" }\ncheck = {}\n";

    /// The root seed as it is said by the default, the file, a variable, a flag: each beats those before it.
    #[test]
    fn a_flag_beats_the_environment_beats_the_file_beats_the_default() {
        let file = File::parse(PathBuf::from("blockrace.toml"), TEXT).expect("a file");
        let root = |flag: Option<&str>, variable: Option<&str>, file: Option<&File>| {
            let flags = Flags {
                root: flag.map(str::to_owned),
                ..Flags::default()
            };
            let variable = |name: &str| {
                variable
                    .filter(|_| name == "BLOCKRACE_SEED")
                    .map(str::to_owned)
            };
            let settings = Settings::resolve(&flags, &variable, file).expect("settings");
            let of = settings
                .all
                .iter()
                .find(|setting| setting.key == "fuzz.root");
            let of = of.expect("a setting").clone();
            (of.values.join(" "), of.from)
        };
        let line = From::File(PathBuf::from("blockrace.toml"), 2);
        let variable = From::Environment("BLOCKRACE_SEED");
        assert_eq!(root(None, None, None), ("0".into(), From::Default));
        assert_eq!(root(None, None, Some(&file)), ("3".into(), line));
        assert_eq!(root(None, Some("5"), Some(&file)), ("5".into(), variable));
        assert_eq!(
            root(Some("7"), Some("5"), Some(&file)),
            ("7".into(), From::Flag("--root"))
        );
    }

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
