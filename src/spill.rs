//! Where a search that is full goes on: files in a folder, without names, so that they are gone when the process is,
//! whatever ends it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sim::search::{Scratch, Store};

/// The folder.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// That one, or the system's for temporary files.
    ///
    /// # Errors
    /// What to print: no file can be made there.
    pub fn new(path: Option<&Path>) -> Result<Folder, String> {
        let path = path.map_or_else(std::env::temp_dir, Path::to_owned);
        match tempfile::tempfile_in(&path) {
            Ok(_) => Ok(Folder { path }),
            Err(error) => Err(format!(
                "{}: no file can be made in it: {error}; --spill names a folder that is there, on a disk with room",
                path.display()
            )),
        }
    }

    /// For a search.
    pub fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.clone())
    }

    /// What went wrong there, in words.
    pub fn blame(&self, error: &str) -> String {
        format!("{}: {error}", self.path.display())
    }
}

impl Store for Folder {
    fn create(&self) -> io::Result<Box<dyn Scratch>> {
        Ok(Box::new(tempfile::tempfile_in(&self.path)?))
    }
}
