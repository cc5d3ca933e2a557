//! The folder of failures: one replayable schedule for each kind of failure, tried first the next time.
//!
//! `SCENARIO-PROPERTY-HASH.schedule` is the schedule as it was found; what shrinking made of it stands beside it as
//! `….min.schedule`, with `….min.yaml` if the story was made smaller too. Together they are one failure; the folder
//! of that name has copies of them, and what else somebody needs who was not there. A failure stays when it does not
//! fail any more, until somebody says `--forget-fixed`: what was seen once is worth trying for ever.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use model::defect::Defect;
use model::dialect::Dialect;
use scenarios::scene::Scene;
use sim::Breach;
use sim::fuzz::signature;
use sim::hash::fingerprint_of;
use sim::run::{End, Outcome, Runner};
use sim::schedule::Schedule;
use sim::search::goes_round;
use sim::strategy::Replay;

use crate::defects;
use crate::stage::{self, Loaded, STEPS_MAX};

/// What schedules of failures end with.
const ENDING: &str = "schedule";
/// What stands before the ending of whatever was made smaller.
const SHORTENED: &str = "min";

/// What is put into the folder of a failure.
pub const IN_FOLDER: [&str; 8] = [
    "failure.schedule",
    "failure.min.schedule",
    "failure.min.yaml",
    "story.yaml",
    "recording.jsonl",
    "repro.sh",
    "issue.md",
    "report.html",
];

/// A schedule that broke a promise once, and its shorter form.
pub struct Known {
    /// Where it is, as it was found.
    pub file: PathBuf,
    schedule: Schedule,
    shortened: Option<(PathBuf, Schedule)>,
}

/// What came of a known failure.
pub struct Tried {
    /// Where it is kept.
    pub kept: PathBuf,
    /// The schedule that was followed: the shortest one that fails, or the one that was found.
    pub followed: PathBuf,
    /// What it does.
    pub state: State,
}

impl Tried {
    /// Whether it still fails.
    pub fn fails(&self) -> bool {
        matches!(self.state, State::Fails(_))
    }
}

/// What a known failure does today.
pub enum State {
    /// It fails.
    Fails(Outcome),
    /// It shows a known defect, and its story says so.
    Known(&'static Defect),
    /// It can be followed, and breaks nothing.
    Fixed,
    /// It cannot be followed any more: there is no such step now.
    Stale,
}

/// The known failures below `folder`, in the order of their names. A folder that is not there, or none, has none.
///
/// # Errors
/// What to print: a file that cannot be read, or is no schedule.
pub fn load(folder: Option<&Path>) -> Result<Vec<Known>, String> {
    let Some(folder) = folder.filter(|folder| folder.exists()) else {
        return Ok(Vec::new());
    };
    let files = stage::files_in(folder, ENDING)?;
    let found = files.iter().map(Path::new).filter(|file| {
        let raw = file.file_stem().map(Path::new);
        raw.and_then(Path::extension) != Some(SHORTENED.as_ref()) && !is_copy(file)
    });
    found.map(read).collect()
}

/// Whether it stands in the folder of a failure whose schedule is there, too.
fn is_copy(file: &Path) -> bool {
    file.parent()
        .is_some_and(|folder| kept_beside(folder).exists())
}

/// The folder with what somebody needs who was not there: it is called as the schedule, without its ending.
pub fn folder_of(kept: &Path) -> PathBuf {
    kept.with_extension("")
}

/// The schedule that a folder of a failure belongs to: what [`folder_of`] was given.
fn kept_beside(folder: &Path) -> PathBuf {
    let mut name = folder.as_os_str().to_owned();
    name.push(format!(".{ENDING}"));
    PathBuf::from(name)
}

fn read(file: &Path) -> Result<Known, String> {
    let shortened = shortened(file, ENDING);
    Ok(Known {
        schedule: stage::read_schedule(file)?,
        shortened: match shortened.exists() {
            true => Some((shortened.clone(), stage::read_schedule(&shortened)?)),
            false => None,
        },
        file: file.to_owned(),
    })
}

impl Known {
    /// Whether it is a failure of this scenario in this dialect.
    pub fn belongs_to(&self, loaded: &Loaded, dialect: &Dialect) -> bool {
        is_of(&self.schedule, loaded, dialect)
    }

    /// Follows the shorter schedule, and, if that does not fail, the one that was found.
    ///
    /// A shorter schedule of a smaller story is left out: that story is a copy of what this one was then.
    pub fn try_again(&self, loaded: &Loaded, dialect: &Dialect, scene: &Scene) -> Tried {
        let tried = |file: &Path, schedule: &Schedule| Tried {
            kept: self.file.clone(),
            followed: file.to_owned(),
            state: follow(loaded, scene, schedule),
        };
        self.shortened
            .iter()
            .filter(|(_, schedule)| is_of(schedule, loaded, dialect))
            .map(|(file, schedule)| tried(file, schedule))
            .find(Tried::fails)
            .unwrap_or_else(|| tried(&self.file, &self.schedule))
    }

    /// Removes it, with what was made of it.
    ///
    /// # Errors
    /// What to print.
    pub fn forget(&self) -> Result<(), String> {
        let folder = folder_of(&self.file);
        let mut files: Vec<PathBuf> = IN_FOLDER.iter().map(|name| folder.join(name)).collect();
        files.push(shortened(&self.file, ENDING));
        files.push(shortened(&self.file, "yaml"));
        files.push(self.file.clone());
        for file in files {
            match fs::remove_file(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(format!("{}: cannot be removed: {error}", file.display()));
                }
                _ => {}
            }
        }
        // What somebody else has put there stays, and the folder with it.
        let _ = fs::remove_dir(&folder);
        Ok(())
    }
}

fn is_of(schedule: &Schedule, loaded: &Loaded, dialect: &Dialect) -> bool {
    schedule.header("scenario") == Some(&loaded.name)
        && schedule.header("dialect") == Some(dialect.name)
}

fn follow(loaded: &Loaded, scene: &Scene, schedule: &Schedule) -> State {
    let mut runner = Runner::new(scene);
    runner.steps_max = STEPS_MAX;
    let mut outcome = runner.run(&mut Replay::new(schedule.clone()), 0, &mut ());
    if let (End::Stopped, Some(breach)) = (&outcome.end, goes_round(scene, schedule)) {
        outcome.end = End::Breached(breach);
    }
    if let Some(defect) = defects::expected_end(loaded, &outcome.end) {
        return State::Known(defect);
    }
    match outcome.end {
        End::Breached(_) => State::Fails(outcome),
        End::Rested | End::Stopped | End::StepLimit => State::Fixed,
        End::Diverged(_) => State::Stale,
    }
}

/// Where a failure is kept: the scenario, the property, and a hash of these, the dialect, and the message without its
/// numbers. So the same failure found again is the same file.
pub fn file_of(folder: &Path, loaded: &Loaded, dialect: &Dialect, breach: &Breach) -> PathBuf {
    let kind = signature(&End::Breached(breach.clone()));
    let hash = fingerprint_of(&(&loaded.name, dialect.name, kind)) as u32;
    let (story, property) = (&loaded.story.name, breach.property);
    folder.join(format!("{story}-{property}-{hash:08x}.{ENDING}"))
}

/// Where the shortened form of what stands in `raw` belongs: `NAME.min.ENDING`.
pub fn shortened(raw: &Path, ending: &str) -> PathBuf {
    raw.with_extension(format!("{SHORTENED}.{ending}"))
}

/// Writes a file whole or not at all: under another name, to the disk, then by its own name.
///
/// # Errors
/// What to print: a folder that cannot be made, a file that cannot be written.
pub fn write(path: &Path, text: &str) -> Result<(), String> {
    replace(path, text).map_err(|error| format!("{}: cannot be written: {error}", path.display()))
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(format!(".{}.tmp", std::process::id()));
    let mut file = File::create(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&unfinished, path)
}
