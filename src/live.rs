//! Real QEMUs: found, started, played with, recorded.
//!
//! The player is a second client beside the model's ([`scenarios::client`]): it walks the same compiled script, but
//! what it talks to is a process. What it writes is a recording; whether the model allows that is asked by
//! [`scenarios::conform`], as of any other recording.

mod binary;
mod images;
mod monitor;
mod player;
mod process;
mod recorder;

pub use self::binary::{Binary, binaries};
pub use self::player::{Limits, Played, play};
pub use self::recorder::{Tally, recording};

use std::path::Path;

/// A temporary folder for the images, the socket and the output of one QEMU; gone with the value.
///
/// # Errors
/// What to print: no folder can be made.
pub fn folder() -> Result<tempfile::TempDir, String> {
    let made = tempfile::Builder::new().prefix("blockrace-").tempdir();
    made.map_err(|error| {
        let parent = std::env::temp_dir();
        format!(
            "no temporary folder in {}: {error}; TMPDIR may name another place",
            parent.display()
        )
    })
}

/// A path as text, for an argument.
fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
