//! Keeps failing schedules on disk: raw before anybody works on them, so that nothing is lost when that work is
//! interrupted, and the shortest one found beside it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sim::hash::fingerprint_of;
use sim::schedule::Schedule;

/// A folder of failing schedules.
pub struct Keeper {
    folder: PathBuf,
}

impl Keeper {
    /// Keeps in this folder, which is made when there is something to keep.
    pub fn new(folder: impl Into<PathBuf>) -> Keeper {
        Keeper {
            folder: folder.into(),
        }
    }

    /// Writes a schedule as it was found: `SCENARIO-PROPERTY-HASH.schedule`, after its headers `scenario` and
    /// `property` and the names of its steps. A schedule found again has the same name.
    ///
    /// # Errors
    /// What to print.
    pub fn keep_raw(&self, schedule: &Schedule) -> Result<PathBuf, String> {
        let steps: Vec<&str> = schedule.names().collect();
        let hash = (fingerprint_of(&steps) >> 96) as u32;
        let header = |key: &str| schedule.header(key).map_or("unknown", last_part);
        let stem = format!("{}-{}", header("scenario"), header("property"));
        let path = self
            .folder
            .join(format!("{}-{hash:08x}.schedule", plain(&stem)));
        write(&path, &schedule.to_string())?;
        Ok(path)
    }
}

/// Where the shortened form of what stands in `raw` belongs: `NAME.min.ENDING`.
pub fn shortened(raw: &Path, ending: &str) -> PathBuf {
    raw.with_extension(format!("min.{ending}"))
}

/// Writes a file whole or not at all: under another name, to the disk, then by its own name.
///
/// # Errors
/// What to print.
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

/// The last part of a path, without the ending.
fn last_part(path: &str) -> &str {
    Path::new(path)
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or(path)
}

/// The same with nothing in it that a file's name should not have.
fn plain(name: &str) -> String {
    let sign = |c: char| {
        if c.is_ascii_alphanumeric() || "._-".contains(c) {
            c
        } else {
            '_'
        }
    };
    name.chars().map(sign).collect()
}
