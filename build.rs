//! The version of the rules: a hash of the sources of the model, the engines and the client. `src/version.rs` has it.

use std::fs;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::Xxh3Default;

/// What decides what a seed, a state and a step are.
const RULES: [&str; 3] = ["model/src", "sim/src", "scenarios/src"];

fn main() {
    let mut hash = Xxh3Default::new();
    for folder in RULES {
        println!("cargo::rerun-if-changed={folder}");
        let mut files = Vec::new();
        sources(Path::new(folder), &mut files);
        files.sort();
        for file in files {
            let text = fs::read(&file).expect("a source file can be read");
            // The name, and where the text ends: moving a line to the next file is a change.
            hash.update(format!("{} {}\n", file.display(), text.len()).as_bytes());
            hash.update(&text);
        }
    }
    println!("cargo::rustc-env=BLOCKRACE_RULES={:016x}", hash.digest());
}

fn sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry of it").path();
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
}
