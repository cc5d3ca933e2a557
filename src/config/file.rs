//! `blockrace.toml`: profiles, and an error with line and caret for what cannot be one.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use scenarios::limits::CONFIG;
use scenarios::load::{LoadError, Place};
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use sim::near;
use toml::Spanned;

use super::key::{KEYS, Key};
use super::{Setting, Source};

/// What the file is called.
const NAME: &str = "blockrace.toml";

/// A file that was read.
#[derive(Debug)]
pub struct File {
    /// Where it is.
    pub path: PathBuf,
    text: String,
    document: Document,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    profile: BTreeMap<String, Profile>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Profile {
    scenarios: Said,
    jobs: Said,
    failures: Said,
    check: Option<Check>,
    fuzz: Option<Fuzz>,
    recordings: Said,
    canary: Said,
    snapshots: Said,
    #[serde(default)]
    output: Output,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Check {
    max_states: Said,
    max_time: Said,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Fuzz {
    seeds: Said,
    root: Said,
    strategy: Said,
    random: Said,
    max_time: Said,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Output {
    formats: Said,
    folder: Said,
}

/// Something that was said, or was not, and where.
type Said = Option<Spanned<Words>>;

/// One value, or several: text, or a number, which is taken as it is written.
#[derive(Debug)]
struct Words(Vec<String>);

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Words, D::Error> {
        deserializer.deserialize_any(WordsVisitor)
    }
}

struct WordsVisitor;

impl<'de> Visitor<'de> for WordsVisitor {
    type Value = Words;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a number, or a list of these")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Words, E> {
        Ok(Words(vec![text.to_owned()]))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Words, E> {
        Ok(Words(vec![number.to_string()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Words, A::Error> {
        let mut words = Vec::new();
        while let Some(Words(more)) = list.next_element()? {
            words.extend(more);
        }
        Ok(Words(words))
    }
}

impl File {
    /// The file of this folder, or of one above it, up to the one of the repository.
    ///
    /// # Errors
    /// What to print: it is there and cannot be used.
    pub fn find() -> Result<Option<File>, String> {
        let here = std::env::current_dir()
            .map_err(|error| format!("there is no current folder: {error}"))?;
        let mut seen_from_here = PathBuf::new();
        for folder in here.ancestors() {
            if folder.join(NAME).is_file() {
                return File::read(&seen_from_here.join(NAME)).map(Some);
            }
            if folder.join(".git").exists() {
                break;
            }
            seen_from_here.push("..");
        }
        Ok(None)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// What to print: it cannot be read, or is no file of profiles.
    pub fn read(path: &Path) -> Result<File, String> {
        File::parse(path.to_owned(), &CONFIG.read_text(path)?)
    }

    /// Reads a text.
    ///
    /// # Errors
    /// What to print: it is no file of profiles.
    pub fn parse(path: PathBuf, text: &str) -> Result<File, String> {
        let document: Document = toml::from_str(text).map_err(|error| {
            let span = error.span().unwrap_or(0..0);
            let (what, help) = in_our_words(error.message());
            shown(&path, text, span.start, &what, help.as_deref())
        })?;
        let file = File {
            path,
            text: text.to_owned(),
            document,
        };
        for profile in file.document.profile.values() {
            for key in KEYS {
                file.check(key, profile)?;
            }
        }
        Ok(file)
    }

    fn check(&self, key: &Key, profile: &Profile) -> Result<(), String> {
        let Some(said) = profile.said(key.name) else {
            return Ok(());
        };
        let wrong = |why: String| shown(&self.path, &self.text, said.span().start, &why, None);
        let words = &said.get_ref().0;
        if words.is_empty() && key.name == key.lane {
            return Err(wrong(format!(
                "{} is empty; leave the key out if you do not want it",
                key.name
            )));
        }
        if words.len() > 1 && !MANY.contains(&key.name) {
            return Err(wrong(format!("{} has one value", key.name)));
        }
        words
            .iter()
            .try_for_each(|word| (key.check)(word).map_err(wrong))
    }

    /// The names of its profiles.
    pub fn profiles(&self) -> Vec<&str> {
        self.document.profile.keys().map(|name| &**name).collect()
    }

    /// What it says of a profile.
    pub fn profile(&self, name: &str) -> Option<OfProfile<'_>> {
        let profile = self.document.profile.get(name)?;
        Some(OfProfile {
            file: self,
            profile,
        })
    }
}

/// The keys that can have several values.
const MANY: [&str; 4] = ["scenarios", "recordings", "canary", "output.formats"];

/// What a file says of one profile.
pub struct OfProfile<'a> {
    file: &'a File,
    profile: &'a Profile,
}

impl OfProfile<'_> {
    /// The lanes that are to be run: those of which it says something.
    pub fn lanes(&self) -> Vec<&'static str> {
        let profile = self.profile;
        let lanes = [
            ("check", profile.check.is_some()),
            ("fuzz", profile.fuzz.is_some()),
            ("recordings", profile.recordings.is_some()),
            ("canary", profile.canary.is_some()),
            ("snapshots", profile.snapshots.is_some()),
        ];
        lanes
            .into_iter()
            .filter(|(_, is_asked)| *is_asked)
            .map(|(lane, _)| lane)
            .collect()
    }

    /// What it says about a key.
    pub fn setting(&self, name: &str) -> Option<Setting> {
        let key = KEYS.iter().find(|key| key.name == name)?;
        let said = self.profile.said(name)?;
        let base = self.file.path.parent().unwrap_or(Path::new(""));
        let values = said.get_ref().0.iter().map(|word| match name {
            "output.folder" => format!("{}/", seen_from(base, word).trim_end_matches('/')),
            // The name of a shipped scenario is no path.
            "scenarios" if !base.join(word).exists() => word.clone(),
            _ if key.is_path => seen_from(base, word),
            _ => word.clone(),
        });
        Some(Setting {
            key: key.name,
            values: values.collect(),
            from: Source::File(
                self.file.path.clone(),
                place_of(&self.file.text, said.span().start).line as usize,
            ),
        })
    }
}

impl Profile {
    fn said(&self, key: &str) -> Option<&Spanned<Words>> {
        let (check, fuzz) = (self.check.as_ref(), self.fuzz.as_ref());
        match key {
            "scenarios" => self.scenarios.as_ref(),
            "jobs" => self.jobs.as_ref(),
            "failures" => self.failures.as_ref(),
            "check.max-states" => check?.max_states.as_ref(),
            "check.max-time" => check?.max_time.as_ref(),
            "fuzz.seeds" => fuzz?.seeds.as_ref(),
            "fuzz.root" => fuzz?.root.as_ref(),
            "fuzz.strategy" => fuzz?.strategy.as_ref(),
            "fuzz.random" => fuzz?.random.as_ref(),
            "fuzz.max-time" => fuzz?.max_time.as_ref(),
            "recordings" => self.recordings.as_ref(),
            "canary" => self.canary.as_ref(),
            "snapshots" => self.snapshots.as_ref(),
            "output.formats" => self.output.formats.as_ref(),
            "output.folder" => self.output.folder.as_ref(),
            _ => None,
        }
    }
}

/// A path of a file in `base`, as it is seen from here.
fn seen_from(base: &Path, path: &str) -> String {
    match base.as_os_str().is_empty() {
        true => path.to_owned(),
        false => base.join(path).display().to_string(),
    }
}

/// What is said of a field that is not known, and the nearest one that is.
fn in_our_words(message: &str) -> (String, Option<String>) {
    let Some(rest) = message.strip_prefix("unknown field `") else {
        return (message.to_owned(), None);
    };
    let mut quoted = rest.split('`');
    let unknown = quoted.next().unwrap_or_default();
    let known: Vec<&str> = quoted.skip(1).step_by(2).collect();
    let near = near::nearest(unknown, &known, 1);
    let what = format!(
        "no key is called `{unknown}` here; there are: {}",
        known.join(", ")
    );
    (
        what,
        near.first().map(|near| format!("did you mean `{near}`?")),
    )
}

/// The place of the byte with that number, or of the letter it is a part of.
fn place_of(text: &str, byte: usize) -> Place {
    Place::after(&text[..text.floor_char_boundary(byte)])
}

/// A message with its place, the line, and a caret below what is wrong.
fn shown(path: &Path, text: &str, byte: usize, what: &str, help: Option<&str>) -> String {
    let file = path.display().to_string();
    LoadError::at(&file, text, place_of(text, byte), what, help).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_can_be_said() {
        let text = "[profile.all]\n\
                    scenarios = [\"a\", \"b\"]\njobs = 2\nfailures = \"f\"\n\
                    check = { max-states = 1_000, max-time = \"10m\" }\n\
                    fuzz = { seeds = \"0..5\", root = 1, strategy = \"pct:3\", random = \"0..9\", max-time = 90 }\n\
                    recordings = \"r\"\ncanary = \"start-in-prepare\"\nsnapshots = \"s\"\n\
                    output = { formats = [\"junit\", \"github\"], folder = \"out/\" }\n";
        let file = File::parse(PathBuf::from("x/blockrace.toml"), text).expect("a file");
        let of = file.profile("all").expect("the profile");
        for key in KEYS {
            let setting = of.setting(key.name);
            assert!(
                setting.is_some_and(|setting| !setting.values.is_empty()),
                "{}",
                key.name
            );
        }
        let setting = of.setting("check.max-states").expect("it is said");
        assert_eq!(setting.values, ["1000"]);
        assert_eq!(
            setting.from,
            Source::File(PathBuf::from("x/blockrace.toml"), 5)
        );
        assert_eq!(
            of.setting("recordings").expect("it is said").values,
            ["x/r"]
        );
        assert_eq!(
            of.setting("output.folder").expect("it is said").values,
            ["x/out/"]
        );
        assert_eq!(of.lanes().len(), 5);
    }
}
