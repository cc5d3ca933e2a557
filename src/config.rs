//! What a campaign of `blockrace ci` is to do, and who said so.
//!
//! A flag beats the environment, which beats `blockrace.toml`, which beats the default. [`KEYS`] has one row for each
//! thing that can be said; every value is text, as on a command line.

mod file;
mod key;
mod print;

use std::path::PathBuf;

use clap::Args;
use sim::near;

pub use self::file::File;
use self::key::{KEYS, Key, checked, count, number, seeds, time};
pub use self::print::{ConfigArgs, run};
use crate::output::OutputArgs;

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

/// Who said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
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
    pub from: Source,
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
        (Some(name), _) => (name.clone(), Source::Flag("--profile")),
        (None, Some(name)) => (name, Source::Environment(VARIABLE)),
        (None, None) => (USUAL.to_owned(), Source::Default),
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
    let said = |values: Vec<String>, from: Source| Setting {
        key: key.name,
        values,
        from,
    };
    let by_flag = flags.of(key.name);
    if !by_flag.is_empty() {
        return Ok(said(by_flag, Source::Flag(key.flag)));
    }
    if let Some(value) = variable(key.variable).filter(|_| !key.variable.is_empty()) {
        (key.check)(&value).map_err(|why| format!("{}={value}: {why}", key.variable))?;
        return Ok(said(vec![value], Source::Environment(key.variable)));
    }
    Ok(from_file.unwrap_or_else(|| {
        let usual = key.usual[usize::from(profile == "nightly")];
        said(
            usual.iter().map(|value| (*value).to_owned()).collect(),
            Source::Default,
        )
    }))
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
        let line = Source::File(PathBuf::from("blockrace.toml"), 2);
        let variable = Source::Environment("BLOCKRACE_SEED");
        assert_eq!(root(None, None, None), ("0".into(), Source::Default));
        assert_eq!(root(None, None, Some(&file)), ("3".into(), line));
        assert_eq!(root(None, Some("5"), Some(&file)), ("5".into(), variable));
        assert_eq!(
            root(Some("7"), Some("5"), Some(&file)),
            ("7".into(), Source::Flag("--root"))
        );
    }
}
