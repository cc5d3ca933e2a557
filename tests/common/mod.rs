//! Running the command from outside, as a user does. Each test file uses what it needs of this.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The folder of the project.
pub fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs `blockrace` in the project's folder, without a terminal and without colours.
pub fn blockrace(args: &[&str]) -> Output {
    blockrace_in(project(), args)
}

/// As [`blockrace`], in another folder.
pub fn blockrace_in(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_blockrace"))
        .args(args)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .env("COLUMNS", "100")
        .output()
        .expect("the command was built with the tests")
}

/// What it printed, as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("blockrace prints UTF-8")
}

/// Where snapshots are.
pub fn snapshots() -> PathBuf {
    project().join("snapshots")
}

/// Compares with a snapshot below `snapshots/`.
pub fn snapshot(name: &str, described: &str, content: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(snapshots());
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_description(described);
    // It is another one after each change of a rule.
    let content = content.replace(env!("BLOCKRACE_RULES"), "[RULES]");
    settings.bind(|| insta::assert_snapshot!(name, content));
}

/// Every snapshot whose name begins so is one of these.
pub fn no_orphans(prefix: &str, expected: &[&str]) {
    for entry in std::fs::read_dir(snapshots()).expect("the folder of snapshots") {
        let file = entry.expect("an entry").file_name();
        let file = file.to_string_lossy();
        let name = file
            .strip_prefix(prefix)
            .and_then(|name| name.strip_suffix(".snap"));
        assert!(
            name.is_none_or(|name| expected.contains(&name)),
            "{file} belongs to no test"
        );
    }
}
