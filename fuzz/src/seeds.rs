//! Good files, from which inputs are made: what the repository has anyway.

use std::fs;
use std::path::{Path, PathBuf};

/// The files with that ending, or with any if it is empty, below a folder of the project, in the order of their names.
pub fn files(folder: &str, ending: &str) -> Vec<Vec<u8>> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    walk(&project.join(folder), &mut found);
    found.retain(|file| ending.is_empty() || file.extension().is_some_and(|found| found == ending));
    found.sort();
    let read = |file: &PathBuf| fs::read(file).expect("a file of the project can be read");
    found.iter().map(read).collect()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).expect("a folder of the project can be read");
    for entry in entries {
        let path = entry.expect("an entry of a folder").path();
        match path.is_dir() {
            true => walk(&path, found),
            false => found.push(path),
        }
    }
}

/// The first lines of each: most of what a reader can meet, at a small part of the time.
pub fn beginnings(files: Vec<Vec<u8>>, lines: usize) -> Vec<Vec<u8>> {
    let beginning = |file: Vec<u8>| {
        file.split_inclusive(|byte| *byte == b'\n')
            .take(lines)
            .flatten()
            .copied()
            .collect()
    };
    files.into_iter().map(beginning).collect()
}
