//! A QEMU on this machine: the program, the image tools that belong to it, and which rules it is held to.

use std::path::{Path, PathBuf};
use std::process::Command;

use model::dialect::Dialect;

/// What is played with if nobody names a QEMU.
const USUAL_QEMU: &str = "qemu-system-x86_64";

/// The QEMUs to play with: those that are asked for, or else the one on the path, each held to its own rules or to those
/// of `dialect`. None if one is not there: that is no
/// mistake, and it is said that `what` was skipped.
///
/// # Errors
/// What to print: see [`Binary::find`].
pub fn binaries(
    asked: &[PathBuf],
    img: Option<&Path>,
    dialect: Option<&'static Dialect>,
    what: &str,
) -> Result<Option<Vec<Binary>>, String> {
    let usual = [PathBuf::from(USUAL_QEMU)];
    let mut binaries = Vec::new();
    for qemu in if asked.is_empty() { &usual } else { asked } {
        if !is_there(qemu) {
            eprintln!(
                "blockrace: skipped: {what} need a QEMU binary: there is no {}\n  \
                 on Debian: apt-get install qemu-system-x86 qemu-utils",
                qemu.display()
            );
            return Ok(None);
        }
        let mut binary = Binary::find(qemu, img)?;
        if let Some(dialect) = dialect {
            (binary.dialect, binary.is_guess) = (dialect, true);
        } else if binary.is_guess {
            eprintln!(
                "blockrace: warning: QEMU {} is not known here; it is held to the rules of {}",
                binary.version, binary.dialect
            );
        }
        binaries.push(binary);
    }
    Ok(Some(binaries))
}

/// Is there such a file, or such a program on the path?
fn is_there(program: &Path) -> bool {
    if program.components().count() > 1 {
        return program.exists();
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join(program).is_file())
}

/// A QEMU that can be played with.
#[derive(Clone, Debug)]
pub struct Binary {
    /// The emulator.
    pub qemu: PathBuf,
    /// `qemu-img` of the same release.
    pub img: PathBuf,
    /// `qemu-io` of the same release.
    pub io: PathBuf,
    /// Where its firmware lies, if that is beside it: a QEMU that was unpacked and not installed does not find it.
    pub firmware: Option<PathBuf>,
    /// Its version, such as `7.2.22`.
    pub version: String,
    /// The rules that it is held to.
    pub dialect: &'static Dialect,
    /// Nobody knows that these are the rules of this version: they are the nearest, or somebody wants them.
    pub is_guess: bool,
}

impl Binary {
    /// Asks a program for its version, and finds the image tools beside it or, failing that, on the path.
    ///
    /// # Errors
    /// What to print: there is no such program, or it is no QEMU, or the image tools are missing.
    pub fn find(qemu: &Path, img: Option<&Path>) -> Result<Binary, String> {
        let version = version(qemu)?;
        let (dialect, is_guess) = Dialect::nearest(&version)?;
        let img = img.map_or_else(|| beside(qemu, "qemu-img"), Path::to_path_buf);
        let io = beside(&img, "qemu-io");
        for tool in [&img, &io] {
            answer(tool, "--version").map_err(|why| {
                format!("{why}\n  qemu-img and qemu-io belong to a QEMU (Debian: qemu-utils); --qemu-img says where")
            })?;
        }
        let share = qemu.parent().map(|bin| bin.join("../share/qemu"));
        Ok(Binary {
            qemu: qemu.to_path_buf(),
            img,
            io,
            firmware: share.filter(|share| share.is_dir()),
            version,
            dialect,
            is_guess,
        })
    }
}

/// The tool of that name in the folder of another, if it is there; else whatever the path has.
fn beside(other: &Path, name: &str) -> PathBuf {
    let near = other.parent().map(|folder| folder.join(name));
    near.filter(|near| near.is_file())
        .unwrap_or_else(|| name.into())
}

/// `QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)`: the fourth word.
fn version(qemu: &Path) -> Result<String, String> {
    let printed = answer(qemu, "--version")?;
    let mut words = printed.split_whitespace();
    let version = words
        .find(|word| *word == "version")
        .and_then(|_| words.next());
    match version {
        Some(version) if printed.starts_with("QEMU emulator") => Ok(version.to_owned()),
        _ => Err(format!(
            "{}: this is not a QEMU system emulator: --version printed {:?}",
            qemu.display(),
            printed.lines().next().unwrap_or_default()
        )),
    }
}

/// What a program prints when it is called with one argument.
fn answer(program: &Path, argument: &str) -> Result<String, String> {
    let output = Command::new(program)
        .arg(argument)
        .output()
        .map_err(|error| format!("{}: cannot be run: {error}", program.display()))?;
    if !output.status.success() {
        return Err(format!(
            "{} {argument}: {}\n{}",
            program.display(),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim_end()
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
