//! The folder of a failure: everything for somebody who was not there when it was found.
//!
//! It stands beside the schedule, under its name, and needs nothing outside of itself: it can be packed up by a CI
//! system, and be replayed where it is unpacked.

use std::io;
use std::path::{Path, PathBuf};

use scenarios::generate;
use scenarios::load::SHIPPED;
use serde_json::json;

use super::{Counterexample, Exhibit, Found};
use crate::failures;
use crate::output;
use crate::report;
use crate::stage::Loaded;
use crate::version::VERSION;

/// The story as it was made smaller.
const SMALLER_STORY: &str = "failure.min.yaml";

/// What is put into the folder.
pub struct Contents<'a> {
    /// What was found, as it was found.
    pub raw: &'a Found<'a>,
    /// The same in the story in which it is shown: the smaller one, if there is one.
    pub shown: &'a Found<'a>,
    /// What is shown.
    pub counterexample: &'a Counterexample,
    /// The same for readers.
    pub exhibit: &'a Exhibit,
    /// Whether the user has had enough (Ctrl-C).
    pub interrupted: &'a dyn Fn() -> bool,
}

impl Contents<'_> {
    /// Writes the folder of the failure whose schedule is kept in `kept`.
    ///
    /// # Errors
    /// What to print: a file that cannot be written.
    pub fn write(&self, kept: &Path) -> Result<(), String> {
        let folder = failures::folder_of(kept);
        for (name, text) in self.files()? {
            debug_assert!(
                failures::IN_FOLDER.contains(&name),
                "{name} would not be forgotten"
            );
            failures::write(&folder.join(name), &text)?;
        }
        make_executable(&folder.join("repro.sh"))
    }

    /// One row for each file: its name, and what is in it.
    fn files(&self) -> Result<Vec<(&'static str, String)>, String> {
        let mut files = vec![
            ("failure.schedule", self.raw.headed().to_string()),
            ("story.yaml", story(self.raw)?),
            ("recording.jsonl", self.recording()),
            ("repro.sh", self.repro()),
            ("issue.md", self.issue(kept_name(self.raw))),
            ("report.html", self.report()?),
        ];
        if self.counterexample.is_smaller() {
            files.push((
                "failure.min.schedule",
                self.counterexample.schedule.to_string(),
            ));
        }
        if self.counterexample.measures.is_some() {
            files.push((SMALLER_STORY, self.shown.loaded.story.to_string()));
        }
        Ok(files)
    }

    /// What the client did and read until the promise was broken, as `conform` reads it.
    fn recording(&self) -> String {
        let dialect = self.shown.dialect;
        let header = json!({
            "t": "header",
            "scenario": self.raw.loaded.name,
            "qemu": dialect.release(),
            "dialect": dialect.name,
        });
        let lines = self.counterexample.film.lines();
        let lines = lines.iter().map(|line| format!("{line}\n"));
        format!("{header}\n{}", lines.collect::<String>())
    }

    /// The line that shows it again, in the folder.
    fn command(&self) -> String {
        let schedule = match self.counterexample.is_smaller() {
            true => "failure.min.schedule",
            false => "failure.schedule",
        };
        let story = match self.counterexample.measures {
            Some(_) => SMALLER_STORY,
            None => "story.yaml",
        };
        let dialect = self.shown.dialect;
        format!("replay {schedule} --scenario {story} --dialect {dialect}")
    }

    /// The page to look at.
    fn report(&self) -> Result<String, String> {
        let Found {
            loaded,
            dialect,
            scene,
            ..
        } = self.shown;
        // It is called as it is called in the folder, wherever that is.
        let called = Loaded {
            name: match self.counterexample.measures {
                Some(_) => SMALLER_STORY.to_owned(),
                None => loaded.name.clone(),
            },
            file: loaded.file.clone(),
            story: loaded.story.clone(),
        };
        let again = format!("blockrace {}", self.command());
        let schedule = &self.counterexample.schedule;
        let played = (&called, *dialect, *scene);
        report::page_of_schedule(played, schedule, again, self.interrupted).map(|(page, _)| page)
    }

    fn repro(&self) -> String {
        let command = self.command();
        let promise = self.raw.breach.property;
        format!(
            "#!/bin/sh\n\
             # blockrace {VERSION} found that {promise} is broken; this shows it again, and ends with 1 as long as it is.\n\
             set -eu\n\
             cd \"$(dirname \"$0\")\"\n\
             blockrace=${{BLOCKRACE:-blockrace}}\n\
             found=$(\"$blockrace\" --version)\n\
             [ \"$found\" = \"blockrace {VERSION}\" ] || echo \"this is $found, and {VERSION} found it\" >&2\n\
             exec \"$blockrace\" {command}\n"
        )
    }

    fn issue(&self, name: String) -> String {
        let Found {
            loaded,
            dialect,
            breach,
            found_by,
            ..
        } = self.raw;
        let text = output::text;
        let mut told = format!(
            "# {} is broken: {} (QEMU {dialect})\n\n{}\n\n",
            breach.property,
            text(&loaded.name),
            text(&breach.message)
        );
        if let Some(says) = output::sentence(breach.property) {
            told += &format!("Promised: {}\n\n", text(says));
        }
        told += &format!(
            "The story: {}. Found by `blockrace {VERSION}`, `{found_by}`. In this folder, `sh repro.sh` shows it again:\n\n",
            text(&loaded.story.title)
        );
        told += &output::fenced("sh", &format!("blockrace {}", self.command()));
        told +=
            "\n`recording.jsonl` is what the client did and read, as `blockrace conform` reads it";
        told += match self.shown.loaded.story.guests.is_empty() {
            true => ".\n",
            false => "; what guests did is not on the socket, and so not in it.\n",
        };
        told += &format!("\n{}", output::fenced("mermaid", &self.exhibit.diagram));
        told += "\n<details><summary>step by step</summary>\n\n";
        told += &output::fenced("text", &self.exhibit.picture);
        told + &format!("\n</details>\n\n<!-- the same failure has the same name: {name} -->\n")
    }
}

/// The name under which it is kept: the same of the same failure.
fn kept_name(found: &Found) -> String {
    let file = found.file(Path::new(""));
    file.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// The story as its author wrote it.
fn story(found: &Found) -> Result<String, String> {
    let file = &found.loaded.file;
    if generate::seed_of(file).is_some() {
        return Ok(found.loaded.story.to_string());
    }
    let shipped = SHIPPED
        .iter()
        .find(|(name, _)| *file == format!("scenarios/{name}.yaml"));
    match shipped {
        Some((_, text)) => Ok((*text).to_owned()),
        None => std::fs::read_to_string(file)
            .map_err(|error| format!("{file}: cannot be read: {error}")),
    }
}

#[cfg(unix)]
fn make_executable(file: &PathBuf) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;
    let made = std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755));
    made.map_err(|error: io::Error| {
        format!("{}: cannot be made executable: {error}", file.display())
    })
}

#[cfg(not(unix))]
fn make_executable(_: &PathBuf) -> Result<(), String> {
    Ok(())
}
