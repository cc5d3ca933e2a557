//! A snapshot as a file: three lines that say whose it is, an empty one, and the text.
//!
//! ```text
//! blockrace snapshot 1
//! scenario: scenarios/first-backup.yaml
//! dialect: 10.0
//!
//! …
//! ```

use std::fmt;
use std::io;
use std::path::Path;

use super::home::Owner;

/// What snapshots end with.
pub const ENDING: &str = "snap";

/// The first line, up to the version of the format.
const TITLE: &str = "blockrace snapshot ";
/// The version that is read and written.
const VERSION: &str = "1";

/// What a scenario prints in a dialect.
#[derive(Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Whose it is.
    pub whose: Owner,
    /// The dialect's name.
    pub dialect: String,
    /// What is printed.
    pub text: String,
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{TITLE}{VERSION}")?;
        match &self.whose {
            Owner::File(path) => writeln!(f, "scenario: {path}")?,
            Owner::Shipped(name) => writeln!(f, "shipped: {name}")?,
        }
        writeln!(f, "dialect: {}\n", self.dialect)?;
        f.write_str(&self.text)
    }
}

/// Reads a snapshot; `None` if there is no such file.
///
/// # Errors
/// What to print: a file that cannot be read, or is no snapshot of ours.
pub fn read(path: &Path) -> Result<Option<Snapshot>, String> {
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&text)
            .map(Some)
            .map_err(|wrong| format!("{}:{wrong}", path.display())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{}: cannot be read: {error}", path.display())),
    }
}

/// Understands a snapshot, or says in which line it does not, and why.
fn parse(text: &str) -> Result<Snapshot, String> {
    if text.contains('\r') {
        return Err(
            "1: has carriage returns at the ends of lines\n  usually git put them there: \
             `snapshots/** -text` in .gitattributes keeps files as they are"
                .to_owned(),
        );
    }
    let mut lines = text.splitn(5, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (first, owner, dialect, empty) = (line(), line(), line(), line());
    match first.strip_prefix(TITLE) {
        Some(VERSION) => {}
        Some(version) => {
            return Err(format!(
                "1: is of version `{version}` of the format; this blockrace knows {VERSION}"
            ));
        }
        None => return Err(foreign(first)),
    }
    let owner = match (
        owner.strip_prefix("scenario: "),
        owner.strip_prefix("shipped: "),
    ) {
        (Some(path), _) => Owner::File(path.to_owned()),
        (_, Some(name)) => Owner::Shipped(name.to_owned()),
        _ => return Err(edited(2, "`scenario: PATH` or `shipped: NAME`")),
    };
    let Some(dialect) = dialect.strip_prefix("dialect: ") else {
        return Err(edited(3, "`dialect: NAME`"));
    };
    if !empty.is_empty() {
        return Err(edited(4, "an empty line"));
    }
    Ok(Snapshot {
        whose: owner,
        dialect: dialect.to_owned(),
        text: lines.next().unwrap_or_default().to_owned(),
    })
}

fn foreign(first: &str) -> String {
    let likely = match first {
        "---" => "\n  it looks like one of insta's; `--snapshots DIR` names another folder",
        line if line.starts_with("<<<<<<<") => {
            "\n  a merge was not finished: remove the file, and accept the new one"
        }
        _ => "\n  remove it, or name another folder by `--snapshots DIR`",
    };
    format!("1: is no snapshot of blockrace: it does not begin with `{TITLE}{VERSION}`{likely}")
}

fn edited(line: u32, wanted: &str) -> String {
    format!(
        "{line}: {wanted} belongs here\n  usually it was edited by hand: remove it, and accept the new one"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for whose in [Owner::File("a/b.yaml".into()), Owner::Shipped("a/b".into())] {
            for text in ["", "one\n", "one\n\nthree\n", "no end"] {
                let snapshot = Snapshot {
                    whose: whose.clone(),
                    dialect: "10.0".into(),
                    text: text.into(),
                };
                assert_eq!(parse(&snapshot.to_string()), Ok(snapshot));
            }
        }
    }
}
