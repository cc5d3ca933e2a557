//! The folder of failures: one replayable schedule for each kind of failure, tried first the next time.
//!
//! A file is written under another name and then renamed, so that whoever reads the folder finds whole
//! schedules. It is kept when its failure is gone, until somebody says `--forget-fixed`: a failure that was
//! seen once is worth trying for ever.

use std::fs;
use std::path::{Path, PathBuf};

use model::dialect::Dialect;
use scenarios::scene::Scene;
use sim::fuzz::{Finding, signature};
use sim::hash::fingerprint_of;
use sim::run::{End, Outcome, Recorder, Runner};
use sim::schedule::Schedule;
use sim::strategy::{Replay, Spec};

use crate::keeper;
use crate::stage::{self, Loaded, STEPS_MAX};

/// What schedules of failures end with.
const ENDING: &str = "schedule";

/// A schedule that broke a promise once.
pub struct Known {
    /// Where it is.
    pub file: PathBuf,
    schedule: Schedule,
}

/// What a known failure does today.
pub enum State {
    /// It fails.
    Fails(Outcome),
    /// It can be followed, and breaks nothing.
    Fixed,
    /// It cannot be followed any more: there is no such step now.
    Stale,
}

/// The known failures below `folder`, in the order of their names. A folder that is not there has none.
///
/// # Errors
/// What to print: a file that cannot be read, or is no schedule.
pub fn load(folder: &Path) -> Result<Vec<Known>, String> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let read = |file: String| {
        let file = PathBuf::from(file);
        let schedule = stage::read_schedule(&file)?;
        Ok(Known { file, schedule })
    };
    let files = stage::files_in(folder, ENDING)?;
    files.into_iter().map(read).collect()
}

impl Known {
    /// Whether it is a failure of this scenario in this dialect.
    pub fn belongs_to(&self, loaded: &Loaded, dialect: &Dialect) -> bool {
        self.schedule.header("scenario") == Some(&loaded.name)
            && self.schedule.header("dialect") == Some(dialect.name)
    }

    /// Follows the schedule.
    pub fn try_again(&self, scene: &Scene) -> State {
        let mut runner = Runner::new(scene);
        runner.steps_max = STEPS_MAX;
        let outcome = runner.run(&mut Replay::new(self.schedule.clone()), 0, &mut ());
        match outcome.end {
            End::Breached(_) => State::Fails(outcome),
            End::Rested | End::Stopped | End::StepLimit => State::Fixed,
            End::Diverged(_) => State::Stale,
        }
    }

    /// Removes the file.
    ///
    /// # Errors
    /// What to print.
    pub fn forget(&self) -> Result<(), String> {
        fs::remove_file(&self.file)
            .map_err(|error| format!("{}: cannot be removed: {error}", self.file.display()))
    }
}

/// The schedule of a finding's first failure, with headers that say what it is and where it came from.
pub fn record(
    scene: &Scene,
    loaded: &Loaded,
    dialect: &Dialect,
    strategy: Spec,
    root: u64,
    finding: &Finding,
) -> Schedule {
    let mut recorder = Recorder::new();
    let mut runner = Runner::new(scene);
    runner.steps_max = STEPS_MAX;
    let mut chooser = strategy.maker(scene, STEPS_MAX)();
    runner.run(chooser.as_mut(), finding.first.seed, &mut recorder);
    let mut schedule = recorder.schedule;
    let index = finding.first.index.to_string();
    let (strategy, root) = (strategy.to_string(), root.to_string());
    for (key, value) in [
        ("scenario", loaded.name.as_str()),
        ("dialect", dialect.name),
        ("strategy", strategy.as_str()),
        ("root", root.as_str()),
        ("seed", index.as_str()),
    ] {
        schedule.set_header(key, value);
    }
    if let End::Breached(breach) = &finding.first.outcome.end {
        schedule.set_header("property", breach.property);
    }
    schedule
}

/// Where the failure of a scenario in a dialect is kept: the scenario, the property, and a hash of the rest.
pub fn file_of(folder: &Path, loaded: &Loaded, dialect: &Dialect, end: &End) -> PathBuf {
    let property = match end {
        End::Breached(breach) => breach.property,
        _ => "diverged",
    };
    let hash = fingerprint_of(&(&loaded.name, dialect.name, signature(end))) as u32;
    let story = Path::new(&loaded.name).file_stem().unwrap_or_default();
    folder.join(format!(
        "{}-{property}-{hash:08x}.{ENDING}",
        story.to_string_lossy()
    ))
}

/// Writes a schedule, whole or not at all.
///
/// # Errors
/// What to print: a folder that cannot be made, a file that cannot be written.
pub fn save(file: &Path, schedule: &Schedule) -> Result<(), String> {
    keeper::write(file, &schedule.to_string())
}
