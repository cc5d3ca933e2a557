//! Checkpoints: how far a piece of work is, in a file, so that the next call can go on from there.
//!
//! `--checkpoint DIR` has a file for each piece of work (a story in a dialect, a range of random stories, …). It is written
//! when the piece begins, now and then, when it is ended early, and when it is done, each time whole or not at all
//! (`file.rs`). It says what it is bound to (`bound.rs`): with anything else it is refused, and not taken for what it is not.
//! `--resume` reads it.

mod bound;
mod file;
#[cfg(feature = "cluster")]
mod series;

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use self::bound::Bound;
pub use self::file::States;
#[cfg(feature = "cluster")]
pub use self::series::Series;
use crate::cli::duration;

/// Of the time that work takes, one in so many parts may go into its checkpoints.
const SHARE: u32 = 10;

/// Arguments of commands whose work can be gone on with later.
#[derive(Args, Clone, Debug)]
pub struct CheckpointArgs {
    /// Keep in this folder how far everything is: from time to time, when it is ended early, and when it is done
    #[arg(long = "checkpoint", value_name = "DIR")]
    folder: Option<PathBuf>,
    /// How often; seldomer if it takes more than a tenth of the time
    #[arg(long = "checkpoint-every", value_name = "TIME", value_parser = duration, default_value = "60s",
          requires = "folder")]
    every: Duration,
    /// Go on from what the folder has; what has no checkpoint there begins anew
    #[arg(long, requires = "folder")]
    resume: bool,
}

/// The folder of checkpoints of one call; nobody else writes there as long as this is.
pub struct Shelf {
    folder: PathBuf,
    every: Duration,
    resume: bool,
    _lock: File,
}

impl CheckpointArgs {
    /// The folder, if checkpoints are wanted.
    ///
    /// # Errors
    /// What to print: a folder that cannot be made, or in which somebody is at work.
    pub fn shelf(&self) -> Result<Option<Shelf>, String> {
        let Some(folder) = &self.folder else {
            return Ok(None);
        };
        Ok(Some(Shelf {
            _lock: lock(folder)?,
            folder: folder.clone(),
            every: self.every,
            resume: self.resume,
        }))
    }
}

/// Makes the folder ours until this process ends, in whichever way.
fn lock(folder: &Path) -> Result<File, String> {
    let place = folder.display();
    let path = folder.join("lock");
    let file = fs::create_dir_all(folder).and_then(|()| File::create(&path));
    let file = file.map_err(|error| {
        format!(
            "{place}: no checkpoint can be written there: {error}\n  --checkpoint names a folder"
        )
    })?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(format!(
            "{place}: another blockrace keeps its checkpoints there now\n  give each its own --checkpoint DIR"
        )),
        // A file system without locks: then nobody can ask.
        Err(TryLockError::Error(_)) | Ok(()) => Ok(file),
    }
}

impl Shelf {
    /// The place of one piece of work: `name` is its own in this folder, and `bound` what it is bound to.
    ///
    /// # Errors
    /// What to print: a checkpoint is there, and is not to be gone on with, or cannot be.
    pub fn slot(&self, command: &'static str, name: &str, bound: Bound) -> Result<Slot, String> {
        let path = self.folder.join(format!("{name}.checkpoint"));
        if path.exists() {
            if !self.resume {
                return Err(format!(
                    "{}: is there from an earlier call\n  --resume goes on from it; to begin anew, remove it or choose \
                     another --checkpoint DIR",
                    path.display()
                ));
            }
            file::Reader::open(&path)?.is_of(command, &bound)?;
        }
        Ok(Slot {
            head: file::Head::new(command, bound.clone()),
            shares: Shares {
                path: self.folder.join(name),
                bound,
                every: self.every,
                resume: self.resume,
            },
            path,
            timer: Timer::new(self.every),
            has_failed: AtomicBool::new(false),
        })
    }
}

/// Where the shares of a piece of work are kept, for those processes that do it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Shares {
    path: PathBuf,
    bound: Bound,
    every: Duration,
    resume: bool,
}

/// The place of one piece of work's checkpoint.
pub struct Slot {
    path: PathBuf,
    head: file::Head,
    shares: Shares,
    timer: Timer,
    has_failed: AtomicBool,
}

/// When it is time to write the next checkpoint.
struct Timer {
    every: Duration,
    /// When one was written last, and how long that took.
    last: Mutex<(Instant, Duration)>,
}

impl Timer {
    fn new(every: Duration) -> Timer {
        let last = Mutex::new((Instant::now(), Duration::ZERO));
        Timer { every, last }
    }

    fn last(&self) -> MutexGuard<'_, (Instant, Duration)> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes one.
    fn timed<T>(&self, write: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let written = write();
        *self.last() = (Instant::now(), started.elapsed());
        written
    }

    /// Sets `keep` if it is time.
    fn look(&self, keep: &AtomicBool) {
        let (written, cost) = *self.last();
        if written.elapsed() >= self.every.max(cost * SHARE) {
            keep.store(true, Relaxed);
        }
    }
}

/// In the midst of work that is not to be lost because a disk is full: that is said once.
fn say_once(has_said: &AtomicBool, message: &str) {
    if !has_said.swap(true, Relaxed) {
        eprintln!(
            "blockrace: {message}\n  the work goes on; what is there is the checkpoint before"
        );
    }
}

/// Why a checkpoint cannot be gone on with.
fn refuse(path: &Path, why: &str) -> String {
    let path = path.display();
    format!("{path}: cannot be gone on with: {why}\n  remove it to begin anew")
}

impl Slot {
    /// What is there, if something is.
    ///
    /// # Errors
    /// What to print: it cannot be read, is damaged, or is of something else.
    pub fn read<T: DeserializeOwned>(&self) -> Result<Option<T>, String> {
        Ok(self.read_with_states()?.map(|(body, _)| body))
    }

    /// As [`Slot::read`], with the states behind it.
    ///
    /// # Errors
    /// As there.
    pub fn read_with_states<T: DeserializeOwned>(&self) -> Result<Option<(T, States)>, String> {
        match self.path.exists() {
            true => file::Reader::open(&self.path)?.body().map(Some),
            false => Ok(None),
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// What to print: it cannot be written.
    pub fn write(&self, body: &impl Serialize) -> Result<(), String> {
        self.write_with_states(body, |_| Ok(()))
    }

    fn write_with_states(
        &self,
        body: &impl Serialize,
        states: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), String> {
        let written = self
            .timer
            .timed(|| file::write(&self.path, &self.head, body, states));
        written.map_err(|error| {
            format!(
                "{}: the checkpoint cannot be written: {error}",
                self.path.display()
            )
        })
    }

    /// As [`Slot::write`], in the midst of work that is not to be lost because a disk is full: that is said once.
    pub fn keep(&self, body: &impl Serialize) {
        self.keep_with_states(body, |_| Ok(()));
    }

    /// As [`Slot::keep`], with what `states` writes behind it.
    pub fn keep_with_states(
        &self,
        body: &impl Serialize,
        states: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) {
        if let Err(message) = self.write_with_states(body, states) {
            say_once(&self.has_failed, &message);
        }
    }

    /// Sets `keep` if it is time to write it again.
    pub fn look(&self, keep: &AtomicBool) {
        self.timer.look(keep);
    }

    /// Where the shares of this work are kept, if several processes do it.
    pub fn shares(&self) -> &Shares {
        &self.shares
    }

    /// Why it cannot be gone on with, as the engine says.
    pub fn stale(&self, why: sim::Stale) -> String {
        self.refuse(&why.to_string())
    }

    /// Why it cannot be gone on with.
    pub fn refuse(&self, why: &str) -> String {
        refuse(&self.path, why)
    }

    /// Says from where the work goes on.
    pub fn tell(&self, what: &str) {
        crate::progress::summary(&format!("goes on from {}: {what}", self.path.display()));
    }
}

/// Says how what was ended early is gone on with.
pub fn tell_of_resume(args: &CheckpointArgs) {
    if let Some(folder) = &args.folder {
        let folder = folder.display();
        crate::progress::summary(&format!(
            "not done: the same command with --resume goes on from {folder}"
        ));
    }
}

/// A file's name for a story in a dialect; `name` is what it was called by.
pub fn name_of(command: &str, story: &str, name: &str, dialect: &str) -> String {
    let hash = sim::hash::fingerprint_of(&(command, name, dialect)) as u32;
    format!("{command}-{story}-{dialect}-{hash:08x}")
}
