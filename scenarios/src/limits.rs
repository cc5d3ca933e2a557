//! How much a file may hold. Whatever is in a file, reading it takes no more than some tens of MiB, and no more depth
//! of the stack than it has.
//!
//! | file | bytes | what is in it |
//! |---|---|---|
//! | scenario | [`SCENARIO`] | [`NODES_MAX`], [`ITEMS_MAX`], [`GUESTS_MAX`], [`REQUESTS_MAX`] |
//! | schedule | [`SCHEDULE`] | its lines |
//! | recording | [`RECORDING`] | [`VALUES_MAX`] |
//! | log | [`LOG`] | [`VALUES_MAX`], [`MONITORS_MAX`] |
//! | `blockrace.toml` | [`CONFIG`] | |
//! | report of a part | [`REPORT`] | |
//! | hosts of a search | [`HOSTS`] | [`PROCESSES_MAX`] |
//!
//! YAML and JSON may be nested [`DEPTH_MAX`] deep. All of these are far beyond what real files have: the largest
//! shipped scenario has 32 KiB, the largest recording 160 KiB.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

mod json;

pub use json::{Budget, value};

/// How large a file of one kind may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// What such a file is called, with its article.
    pub what: &'static str,
    /// How many bytes it may have.
    pub bytes_max: u64,
    /// How many lines.
    pub lines_max: usize,
    /// What to do about one that is larger.
    pub advice: &'static str,
}

/// Scenarios.
pub const SCENARIO: Limits = Limits {
    what: "a scenario",
    bytes_max: 4 << 20,
    lines_max: usize::MAX,
    advice: "is this an image, a recording or a log?",
};

/// Schedules: a line is a step, and takes some hundreds of bytes when it is followed.
pub const SCHEDULE: Limits = Limits {
    what: "a schedule",
    bytes_max: 8 << 20,
    lines_max: 100_000,
    advice: "is this an image, a recording or a log?",
};

/// Recordings.
pub const RECORDING: Limits = Limits {
    what: "a recording",
    bytes_max: 8 << 20,
    lines_max: usize::MAX,
    advice: "one file for each story: cut it where a header begins",
};

/// Logs.
pub const LOG: Limits = Limits {
    what: "a log",
    bytes_max: 16 << 20,
    lines_max: usize::MAX,
    advice: "cut out the part in question, or what the monitor says (of libvirt: `grep QEMU_MONITOR`)",
};

/// Profiles, `blockrace.toml`.
pub const CONFIG: Limits = Limits {
    what: "a file of profiles",
    bytes_max: 256 << 10,
    lines_max: usize::MAX,
    advice: "profiles are short: is this another file?",
};

/// Reports of the parts of a campaign: each row may have the hashes of as many traces as are counted exactly.
pub const REPORT: Limits = Limits {
    what: "a report",
    bytes_max: 256 << 20,
    lines_max: 100_000,
    advice: "give each scenario a campaign of its own",
};

/// Where the processes of a search listen.
pub const HOSTS: Limits = Limits {
    what: "a file of hosts",
    bytes_max: 64 << 10,
    lines_max: 10_000,
    advice: "it has a line for each process: is this another file?",
};

/// How many processes may search together.
pub const PROCESSES_MAX: usize = 256;

/// How deep mappings and lists may be nested.
pub const DEPTH_MAX: usize = 64;

/// How many scalars, lists and mappings a scenario may have.
pub const NODES_MAX: usize = 100_000;

/// How many items a script may have.
pub const ITEMS_MAX: usize = 10_000;

/// How many guests a story may have.
pub const GUESTS_MAX: usize = 64;

/// How many requests a guest may send.
pub const REQUESTS_MAX: usize = 1_000;

/// How many JSON values (numbers, texts, lists, objects, …) the messages of a recording or a log may have together.
pub const VALUES_MAX: usize = 100_000;

/// How many monitors a log may have.
pub const MONITORS_MAX: usize = 1_000;

impl Limits {
    /// Reads a file that is no larger.
    ///
    /// # Errors
    /// What to print: it cannot be read, or is too large.
    pub fn read(&self, file: &Path) -> Result<Vec<u8>, String> {
        let shown = file.display();
        let bytes =
            read(file, self).map_err(|error| format!("{shown}: cannot be read: {error}"))?;
        self.judge(&bytes)
            .map_err(|what| format!("{shown}: {what}"))?;
        Ok(bytes)
    }

    /// As [`Limits::read`], of a file that is text.
    ///
    /// # Errors
    /// What to print: see [`Limits::read`]; or the line that is not UTF-8.
    pub fn read_text(&self, file: &Path) -> Result<String, String> {
        String::from_utf8(self.read(file)?).map_err(|error| {
            let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = newlines(good) + 1;
            let (file, what) = (file.display(), self.what);
            format!("{file}:{line}: this is not UTF-8; {what} is a text file")
        })
    }

    /// Is it small enough?
    ///
    /// # Errors
    /// What is too large.
    pub fn judge(&self, bytes: &[u8]) -> Result<(), String> {
        let Limits {
            what,
            bytes_max,
            lines_max,
            advice,
        } = self;
        if bytes.len() as u64 > *bytes_max {
            let size = bytes_max >> 20;
            return Err(format!("{what} has at most {size} MiB; {advice}"));
        }
        if newlines(bytes) > *lines_max {
            return Err(format!("{what} has at most {lines_max} lines; {advice}"));
        }
        Ok(())
    }
}

/// Reads a file up to one byte more than it may have, which [`Limits::judge`] then finds.
///
/// # Errors
/// It cannot be read.
pub fn read(file: &Path, limits: &Limits) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // The file is not asked for its size: a pipe or a device has none.
    File::open(file)?
        .take(limits.bytes_max + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn newlines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}
