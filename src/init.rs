//! `blockrace init`: the first files of somebody's own, each one to be read, run and changed.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::exit::Exit;
use crate::failures;
use crate::terminal;

/// What is written: where, the text, and what it is.
const FILES: [(&str, &str, &str); 3] = [
    (
        "scenarios/first-backup.yaml",
        include_str!("init/first-backup.yaml"),
        "a scenario to begin with",
    ),
    (
        "blockrace.toml",
        include_str!("init/blockrace.toml"),
        "what CI plays, and how long",
    ),
    (
        ".github/workflows/blockrace.yml",
        include_str!("../docs/ci/github-workflow.yml"),
        "the same on GitHub",
    ),
];

/// Arguments of `init`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  blockrace init && blockrace check scenarios
  blockrace init ../my-races
  blockrace demo                 first see what it is good for")]
pub struct InitArgs {
    /// The folder to write to; made if it is not there
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
}

/// Writes the files, or none of them if one is there.
///
/// # Errors
/// What to print: files that are there already, or cannot be written.
pub fn run(args: &InitArgs) -> Result<Exit, String> {
    refuse_to_overwrite(&args.folder)?;
    for (name, text, _) in FILES {
        failures::write(&args.folder.join(name), text)?;
    }
    crate::written(print(&mut terminal::out(true), &args.folder))?;
    Ok(Exit::Clean)
}

fn refuse_to_overwrite(folder: &Path) -> Result<(), String> {
    let there: Vec<String> = FILES
        .iter()
        .filter(|(name, ..)| folder.join(name).symlink_metadata().is_ok())
        .map(|(name, ..)| format!("  {}", shown(folder, name)))
        .collect();
    match there.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "nothing was written: this would overwrite\n{}\n  \
             move them away, or name another folder: `blockrace init DIR`",
            there.join("\n")
        )),
    }
}

fn print(out: &mut impl Write, folder: &Path) -> io::Result<()> {
    let paths = FILES.map(|(name, ..)| shown(folder, name));
    let width = paths.iter().map(String::len).max().unwrap_or(0);
    for (path, (_, _, what)) in paths.iter().zip(FILES) {
        writeln!(out, "wrote  {path:<width$}  {what}")?;
    }
    let scenarios = shown(folder, "scenarios");
    writeln!(out, "next   blockrace check {scenarios}")
}

/// A path in the folder, as one calls it from here.
fn shown(folder: &Path, name: &str) -> String {
    match folder == Path::new(".") {
        true => name.to_owned(),
        false => folder.join(name).display().to_string(),
    }
}
