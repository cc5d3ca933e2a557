//! From a failing schedule to something a person understands: kept on disk, shortened, and shown.
//!
//! Order matters. The schedule is on disk as it was found before anything is made of it; then its steps and
//! context switches are reduced, then the story itself, then it is asked when it was lost. Whatever is cut short by
//! time or by Ctrl-C, there is a schedule to replay.

mod diagram;
mod film;
mod folder;
mod scale;
mod show;
mod smaller;
mod strips;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anstream::adapter::strip_str;
use model::dialect::Dialect;
use model::property::PROPERTIES;
use scenarios::scene::Scene;
use scenarios::shrink::Measure;
use sim::Breach;
use sim::inevitable::{self, Inevitable, inevitable};
use sim::run::{Outcome, Runner};
use sim::schedule::Schedule;
use sim::shrink::{self, Shrunk, Size, shrink};
use sim::strategy::{Replay, Strategy};

use crate::defects;
use crate::failures;
use crate::output::Output;
use crate::stage::{Loaded, STEPS_MAX};

use folder::Contents;
use smaller::Smaller;

pub use film::{Film, Frame};
pub use scale::Scale;
pub use show::deed_and_lines;
pub use strips::{Kind, Strip, Strips};

/// Replays after which shrinking ends even if there is time left.
const REPLAYS_MAX: u64 = 50_000;
/// States that may be explored to learn when a run was lost.
pub const STATES_MAX: usize = 20_000;

/// A schedule that breaks a promise, and where.
pub struct Found<'a> {
    /// The story.
    pub loaded: &'a Loaded,
    /// The release whose rules were played.
    pub dialect: &'static Dialect,
    /// The story on its stage.
    pub scene: &'a Scene,
    /// The schedule, as it was found.
    pub schedule: &'a Schedule,
    /// What it breaks.
    pub breach: &'a Breach,
    /// Who found it, such as `check` or `fuzz --seed 7`.
    pub found_by: &'a str,
    /// The command line that does the same again, in case the schedule is not kept.
    pub again: String,
}

/// What may be done with it.
pub struct Options<'a> {
    /// How long may be spent on each of shrinking the schedule, shrinking the story (if schedules are kept), and
    /// learning when it was lost; zero to leave all that out.
    pub shrink_time: Duration,
    /// Whether the user has had enough (Ctrl-C).
    pub interrupted: &'a dyn Fn() -> bool,
}

impl Found<'_> {
    /// Where its schedule is kept in a folder.
    pub fn file(&self, folder: &Path) -> PathBuf {
        failures::file_of(folder, self.loaded, self.dialect, self.breach)
    }

    /// Writes its schedule, as it was found, to a folder of failures, and returns the file.
    ///
    /// # Errors
    /// What to print: a file that cannot be written.
    pub fn keep(&self, folder: &Path) -> Result<PathBuf, String> {
        let file = self.file(folder);
        failures::write(&file, &self.headed().to_string())?;
        Ok(file)
    }

    /// The schedule, with what a reader of the file has to know.
    fn headed(&self) -> Schedule {
        let own = [
            ("scenario", &*self.loaded.name),
            ("dialect", self.dialect.name),
            ("property", self.breach.property),
            (
                "found-by",
                self.schedule.header("found-by").unwrap_or(self.found_by),
            ),
        ];
        let is_own = |key: &str| own.iter().any(|(own, _)| *own == key);
        let others = self.schedule.headers().filter(|(key, _)| !is_own(key));
        let mut raw = Schedule::new();
        for (key, value) in own.into_iter().chain(others) {
            raw.set_header(key, value);
        }
        self.schedule
            .names()
            .for_each(|name| raw.push(name.to_owned()));
        raw
    }
}

/// A counterexample as it was shown, for those who read it elsewhere.
#[derive(Default)]
pub struct Exhibit {
    /// What was printed, without colours.
    pub picture: String,
    /// The same as a diagram for Mermaid.
    pub diagram: String,
    /// The line to paste.
    pub again: String,
}

/// Shortens a failing schedule, writes what it made of it beside `kept`, the file with the schedule as it was found,
/// and into the folder of that failure, and prints what it shows. What is not kept is shortened too, but its story
/// stays as it is.
///
/// # Errors
/// What to print: a file that cannot be written, or a reader that is gone.
pub fn show(
    out: &mut impl Write,
    found: &Found,
    kept: Option<&Path>,
    options: &Options,
) -> Result<Exhibit, String> {
    let shortened = Counterexample::of(found, &found.headed(), options);
    let Some(kept) = kept else {
        return shortened.print(out, found, None);
    };
    let file = shortened.keep(kept)?;
    let Some(smaller) = Smaller::of(found, &shortened.schedule, kept, options)? else {
        let exhibit = shortened.print(out, found, Some(&file))?;
        return shortened.hand_over((found, found), exhibit, kept, options);
    };
    let shown = smaller.found(found);
    let mut smallest = Counterexample::of(&shown, &shown.headed(), options);
    smallest.comes_from(&shortened, smaller.measures);
    let file = smallest.keep(kept)?;
    let exhibit = smallest.print(out, &shown, Some(&file))?;
    smallest.hand_over((found, &shown), exhibit, kept, options)
}

/// As [`show`], set off from the row of a table that it belongs to. Who reads rows of JSON is shown nothing: what is
/// kept is made all the same.
///
/// # Errors
/// As [`show`].
pub fn show_below(
    out: &mut impl Write,
    found: &Found,
    kept: Option<&Path>,
    options: &Options,
    output: &Output,
) -> Result<Exhibit, String> {
    if output.is_human() {
        crate::written(writeln!(out))?;
        let exhibit = show(out, found, kept, options)?;
        crate::written(writeln!(out))?;
        Ok(exhibit)
    } else if kept.is_some() || output.shows_counterexamples() {
        show(&mut io::sink(), found, kept, options)
    } else {
        Ok(Exhibit::default())
    }
}

/// What a property promises, in one sentence.
pub fn sentence(property: &str) -> Option<String> {
    let row = PROPERTIES.iter().find(|row| row.id == property)?;
    Some(row.says.to_owned())
}

/// A counterexample, ready to be shown.
struct Counterexample {
    /// The schedule that is shown.
    schedule: Schedule,
    breach: Breach,
    film: Film,
    /// What shrinking did, if it was done.
    shrunk: Option<Shrunk>,
    inevitable: Option<Inevitable>,
    /// The measures of the story before and after it was made smaller.
    measures: Option<(Measure, Measure)>,
}

impl Counterexample {
    /// Shortens a failing schedule and asks when it was lost, as far as the options allow.
    fn of(found: &Found, raw: &Schedule, options: &Options) -> Counterexample {
        let wanted = !options.shrink_time.is_zero();
        let shrunk = wanted.then(|| shorten(found, raw, options)).flatten();
        let (schedule, breach) = match &shrunk {
            Some(shrunk) => (shrunk.schedule.clone(), shrunk.breach.clone()),
            None => (raw.clone(), found.breach.clone()),
        };
        let inevitable = wanted
            .then(|| lost(found.scene, &schedule, options))
            .flatten();
        let (film, _) = watch(found.scene, &mut Replay::new(schedule.clone()));
        Counterexample {
            schedule,
            breach,
            film,
            shrunk,
            inevitable,
            measures: None,
        }
    }

    /// This is what became of another counterexample when its story was made smaller.
    fn comes_from(&mut self, other: &Counterexample, measures: (Measure, Measure)) {
        self.measures = Some(measures);
        if let (Some(mine), Some(others)) = (&mut self.shrunk, &other.shrunk) {
            mine.before = others.before;
            mine.complete &= others.complete;
        }
    }

    /// Writes what was shortened beside `raw`, and returns the file to replay.
    fn keep(&self, raw: &Path) -> Result<PathBuf, String> {
        if !self.is_smaller() {
            return Ok(raw.to_owned());
        }
        let file = failures::shortened(raw, "schedule");
        failures::write(&file, &self.schedule.to_string())?;
        Ok(file)
    }

    /// Whether the schedule is another one than was found.
    fn is_smaller(&self) -> bool {
        let shrunk = self.shrunk.as_ref();
        shrunk.is_some_and(|shrunk| self.measures.is_some() || shrunk.after < shrunk.before)
    }

    /// Writes the folder of the failure.
    fn hand_over(
        &self,
        (raw, shown): (&Found, &Found),
        exhibit: Exhibit,
        kept: &Path,
        options: &Options,
    ) -> Result<Exhibit, String> {
        let contents = Contents {
            raw,
            shown,
            counterexample: self,
            exhibit: &exhibit,
            interrupted: options.interrupted,
        };
        contents.write(kept)?;
        Ok(exhibit)
    }

    /// Prints it; `file` is what can be replayed.
    fn print(
        &self,
        out: &mut impl Write,
        found: &Found,
        file: Option<&Path>,
    ) -> Result<Exhibit, String> {
        let mut footer = vec![("size", self.sizes())];
        if let Some((before, after)) = self.measures {
            footer.push(("story", story_sizes(before, after)));
        }
        if let Some(Inevitable::NotDecided(step)) = self.inevitable {
            let words = format!(
                "with step {step} at the latest; earlier was not decided within the budget"
            );
            footer.push(("lost", words));
        }
        footer.extend(defects::footer(found.loaded, &self.breach));
        let again = file.map(|file| format!("blockrace replay {}", file.display()));
        let again = again.unwrap_or_else(|| found.again.clone());
        footer.push(("again", again.clone()));
        let Loaded { name, story, .. } = found.loaded;
        let shown = show::Shown {
            scenario: (name, &story.title, found.dialect.name),
            breach: &self.breach,
            promise: sentence(self.breach.property),
            film: &self.film,
            inevitable: self.inevitable,
            footer: &footer,
        };
        let mut picture = Vec::new();
        crate::written(show::print(&mut picture, &shown))?;
        crate::written(out.write_all(&picture))?;
        let picture = String::from_utf8_lossy(&picture);
        Ok(Exhibit {
            picture: strip_str(&picture).to_string(),
            diagram: diagram::mermaid(&self.film, &self.breach, self.inevitable),
            again,
        })
    }

    fn sizes(&self) -> String {
        let words =
            |size: Size| format!("{} steps, {} context switches", size.steps, size.switches);
        match &self.shrunk {
            None => words(self.film.size()),
            Some(shrunk) if shrunk.after == shrunk.before => {
                format!(
                    "{}; nothing could be left out{}",
                    words(shrunk.after),
                    cut_short(shrunk)
                )
            }
            Some(shrunk) => {
                let (before, after) = (words(shrunk.before), words(shrunk.after));
                format!("{before}, shrunk to {after}{}", cut_short(shrunk))
            }
        }
    }
}

/// What became of the story's measures, where they are not what they were.
fn story_sizes(before: Measure, after: Measure) -> String {
    let rows = [
        ("drives", before.drives as u64, after.drives as u64),
        ("clusters", before.clusters, after.clusters),
        ("requests", before.requests as u64, after.requests as u64),
        ("items", before.items as u64, after.items as u64),
    ];
    let words: Vec<String> = rows
        .iter()
        .map(|(what, before, after)| match before == after {
            true => format!("{before} {what}"),
            false => format!("{before} {what} to {after}"),
        })
        .collect();
    words.join(", ")
}

fn cut_short(shrunk: &Shrunk) -> &'static str {
    if shrunk.complete { "" } else { " (cut short)" }
}

/// Plays a schedule, or what else chooses the steps, and keeps all there is to see.
pub fn watch(scene: &Scene, strategy: &mut dyn Strategy) -> (Film, Outcome) {
    let mut film = Film::default();
    let mut runner = Runner::new(scene);
    runner.steps_max = STEPS_MAX;
    let outcome = runner.run(strategy, 0, &mut film);
    (film, outcome)
}

/// Whether two breaches are the same promise. Of expectations each is a promise of its own: that line of the story,
/// disappointed in that way, whatever numbers came.
pub fn is_same(one: &Breach, other: &Breach) -> bool {
    let is_expectation = one.property == "expectation";
    one.property == other.property
        && (!is_expectation || without_numbers(&one.message) == without_numbers(&other.message))
}

/// A message with its numbers left out, but for the line of the story: `FILE:LINE: what`.
fn without_numbers(message: &str) -> (&str, String) {
    let (place, what) = message.split_once(": ").unwrap_or(("", message));
    (
        place,
        what.chars().filter(|c| !c.is_ascii_digit()).collect(),
    )
}

fn shorten(found: &Found, raw: &Schedule, options: &Options) -> Option<Shrunk> {
    let started = Instant::now();
    let budget = shrink::Budget {
        replays_max: REPLAYS_MAX,
        steps_max: STEPS_MAX as usize,
        interrupted: &|| started.elapsed() >= options.shrink_time || (options.interrupted)(),
    };
    shrink(
        found.scene,
        raw,
        &|breach| is_same(breach, found.breach),
        &budget,
    )
    .ok()
}

fn lost(scene: &Scene, schedule: &Schedule, options: &Options) -> Option<Inevitable> {
    let started = Instant::now();
    let budget = inevitable::Budget {
        states_max: STATES_MAX,
        interrupted: &|| started.elapsed() >= options.shrink_time || (options.interrupted)(),
    };
    inevitable(scene, schedule, &budget).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expectation_is_the_same_on_its_line_and_in_its_way() {
        let breach = |property, message: &str| Breach::new(property, message.to_owned());
        let check = |one: Breach, other: Breach, same: bool| {
            assert_eq!(is_same(&one, &other), same, "{one} / {other}");
        };
        let wanted = || breach("expectation", "a.yaml:7: count is 3, wanted 4");
        check(
            wanted(),
            breach("expectation", "a.yaml:7: count is 12, wanted 4"),
            true,
        );
        check(
            wanted(),
            breach("expectation", "a.yaml:8: count is 3, wanted 4"),
            false,
        );
        check(
            wanted(),
            breach("expectation", "a.yaml:7: no such node"),
            false,
        );
        check(
            breach("deadlock", "a waits for b"),
            breach("deadlock", "b waits for a"),
            true,
        );
        check(breach("deadlock", "a"), breach("expectation", "a"), false);
    }
}
