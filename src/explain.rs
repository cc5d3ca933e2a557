//! `blockrace explain NAME`: what a name means, where in QEMU it comes from, which stories show it, what breaks it, and
//! what a client makes of it.
//!
//! The names are those that reports and QEMU print: promises, witnesses, defects, planted bugs, statuses, events and
//! classes of errors. What the model's tables say is taken from there; what clients are told is in `explain/`.

mod promises;
mod wire;
mod witnesses;

use std::io::{self, Write};

use anstyle::Style;
use clap::Args;
use model::defect::{DEFECTS, Defect};
use model::dialect::DIALECTS;
use model::mutation::{MUTATIONS, Mutation};
use model::property::{Kind, PROPERTIES, Property};
use scenarios::load::SHIPPED;
use sim::near;

use crate::exit::Exit;
use crate::stage;
use crate::terminal;

/// So many stories are named; of the others it is said how many they are.
const STORIES_SHOWN: usize = 6;
/// So many names are suggested for one that is not known.
const NEAR_MAX: usize = 3;

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A promise, witness, defect, mutation, job status, event or class of errors; all names if none is given
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

/// Explains the names.
///
/// # Errors
/// What to print: a name that is not known, a shipped scenario that does not load, which would be our mistake.
pub fn run(args: &ExplainArgs) -> Result<Exit, String> {
    let all = entries();
    let mut out = terminal::out(true);
    if args.names.is_empty() {
        crate::written(print_names(&mut out, &all))?;
        return Ok(Exit::Clean);
    }
    let mut chosen = Vec::new();
    for name in &args.names {
        let of_name: Vec<&Entry> = all.iter().filter(|entry| entry.is_called(name)).collect();
        if of_name.is_empty() {
            return Err(unknown(name, &all));
        }
        chosen.extend(of_name);
    }
    for (number, entry) in chosen.into_iter().enumerate() {
        if number > 0 {
            crate::written(writeln!(out))?;
        }
        let stories = entry.shown_by.stories()?;
        crate::written(entry.print(&mut out, &stories))?;
    }
    Ok(Exit::Clean)
}

/// Everything there is to say of a name.
struct Entry {
    name: &'static str,
    /// What kind of thing it is: `promise`, `event`.
    kind: &'static str,
    /// Another name for it: its number in the catalogue of bugs.
    number: Option<&'static str>,
    /// One sentence.
    says: String,
    /// A word and a line each.
    lines: Vec<(&'static str, String)>,
    shown_by: ShownBy,
}

/// How the stories are found that show it.
enum ShownBy {
    /// These are they.
    Named(Vec<&'static str>),
    /// Those that name it as a witness.
    Witness(&'static str),
    /// Those in whose text this stands.
    Text(Vec<String>),
}

impl ShownBy {
    fn stories(&self) -> Result<Vec<&'static str>, String> {
        let mut shown = Vec::new();
        for (name, text) in SHIPPED {
            let shows = match self {
                ShownBy::Named(names) => names.contains(name),
                ShownBy::Text(texts) => texts.iter().any(|wanted| text.contains(wanted.as_str())),
                // Most stories need not be parsed to know that they do not.
                ShownBy::Witness(id) if text.contains(id) => {
                    let witnesses = stage::load(name)?.story.witnesses;
                    witnesses.iter().any(|witness| witness == id)
                }
                ShownBy::Witness(_) => false,
            };
            if shows {
                shown.push(*name);
            }
        }
        Ok(shown)
    }
}

impl Entry {
    fn is_called(&self, name: &str) -> bool {
        let plain = |name: &str| name.to_ascii_lowercase().replace('_', "-");
        let names = [Some(self.name), self.number];
        names
            .into_iter()
            .flatten()
            .any(|own| plain(own) == plain(name))
    }

    fn print(&self, out: &mut impl Write, stories: &[&str]) -> io::Result<()> {
        let bold = Style::new().bold();
        let number = self
            .number
            .map_or_else(String::new, |number| format!(", {number}"));
        writeln!(out, "{bold}{}{bold:#}  ({}{number})", self.name, self.kind)?;
        writeln!(out, "  {}", self.says)?;
        writeln!(out)?;
        for (word, line) in &self.lines {
            writeln!(out, "{word:<9} {line}")?;
        }
        if stories.is_empty() {
            return Ok(());
        }
        let shown = &stories[..stories.len().min(STORIES_SHOWN)];
        let more = match stories.len() - shown.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        writeln!(out, "{:<9} {}{more}", "stories", shown.join(", "))
    }
}

/// Everything that can be explained, kind by kind.
fn entries() -> Vec<Entry> {
    let mut entries: Vec<Entry> = PROPERTIES.iter().map(of_property).collect();
    entries.extend(promises::OTHERS.iter().map(|other| Entry {
        name: other.name,
        kind: "promise",
        number: None,
        says: other.says.to_owned(),
        lines: promise_lines(other.name, other.kept_by, other.checked, other.client),
        shown_by: ShownBy::Named(mutants_of(other.name).map(|bug| bug.story).collect()),
    }));
    entries.extend(witnesses::entries());
    entries.extend(wire::entries());
    entries.extend(DEFECTS.iter().copied().map(of_defect));
    entries.extend(MUTATIONS.iter().map(of_mutation));
    entries
}

fn of_property(row: &'static Property) -> Entry {
    let checked = match row.kind {
        Kind::Step => "on the step that would break it".to_owned(),
        Kind::StepExcept(why) => format!("on the step that would break it, except: {why}"),
        Kind::Rest => "when nothing can happen any more".to_owned(),
        Kind::Structural(why) => format!("never, as nothing can break it: {why}"),
    };
    let client = promises::client(row.id).unwrap_or_default();
    let bugs = mutants_of(row.id).map(|bug| bug.story);
    let defects = defects_of(row.id).map(|defect| defect.story);
    Entry {
        name: row.id,
        kind: "promise",
        number: None,
        says: row.says.to_owned(),
        lines: promise_lines(row.id, row.kept_by, &checked, client),
        shown_by: ShownBy::Named(bugs.chain(defects).collect()),
    }
}

fn promise_lines(
    id: &str,
    kept_by: &str,
    checked: &str,
    client: &str,
) -> Vec<(&'static str, String)> {
    let mut lines = vec![
        ("QEMU", kept_by.to_owned()),
        ("checked", checked.to_owned()),
        ("client", client.to_owned()),
    ];
    let bugs: Vec<&str> = mutants_of(id).map(|bug| bug.name).collect();
    if let [first, ..] = bugs[..] {
        lines.push(("broken by", bugs.join(", ")));
        lines.push(("see", format!("blockrace check --mutation {first}")));
    }
    for Defect { id, name, .. } in defects_of(id) {
        lines.push(("defect", format!("{id} {name}")));
    }
    lines
}

/// The planted bugs that break a promise.
fn mutants_of(id: &str) -> impl Iterator<Item = &'static Mutation> {
    MUTATIONS.iter().filter(move |bug| bug.breaks == id)
}

/// The known defects that break a promise.
fn defects_of(id: &str) -> impl Iterator<Item = &'static Defect> {
    let defects = DEFECTS.into_iter();
    defects.filter(move |defect| defect.breaks.contains(&id))
}

fn of_defect(defect: &'static Defect) -> Entry {
    let has = |dialect: &&model::dialect::Dialect| dialect.has(defect);
    let releases = DIALECTS.into_iter().filter(has).map(|dialect| dialect.name);
    let releases: Vec<&str> = releases.collect();
    Entry {
        name: defect.name,
        kind: "known defect of QEMU",
        number: Some(defect.id),
        says: defect.says.to_owned(),
        lines: vec![
            ("QEMU", defect.place.to_owned()),
            ("releases", releases.join(", ")),
            ("breaks", defect.breaks.join(", ")),
            ("known", defect.evidence.to_owned()),
            ("client", wire::client_of_defect(defect).to_owned()),
            ("fixed", defect.repaired.to_owned()),
        ],
        shown_by: ShownBy::Named(vec![defect.story]),
    }
}

fn of_mutation(bug: &'static Mutation) -> Entry {
    let client = promises::client(bug.breaks);
    Entry {
        name: bug.name,
        kind: "planted bug",
        number: Some(bug.bug),
        says: bug.what.to_owned(),
        lines: vec![
            ("record", bug.reference.to_owned()),
            ("breaks", format!("{} (QEMU {})", bug.breaks, bug.dialect)),
            ("client", client.unwrap_or_default().to_owned()),
            ("see", format!("blockrace check --mutation {}", bug.name)),
        ],
        shown_by: ShownBy::Named(vec![bug.story]),
    }
}

/// What to print of a name that nothing has.
fn unknown(name: &str, all: &[Entry]) -> String {
    let mut names: Vec<&str> = all.iter().map(|entry| entry.name).collect();
    names.dedup();
    let near = near::nearest(name, &names, NEAR_MAX);
    let meant = match near.is_empty() {
        true => String::new(),
        false => format!("\n  did you mean {}?", near.join(", ")),
    };
    format!("nothing is called {name}{meant}\n  `blockrace explain` has all names")
}

/// All names, kind by kind.
fn print_names(out: &mut impl Write, all: &[Entry]) -> io::Result<()> {
    for kind in all.chunk_by(|one, other| one.kind == other.kind) {
        let names: Vec<&str> = kind.iter().map(|entry| entry.name).collect();
        writeln!(out, "{}:", kind[0].kind)?;
        for names in names.chunks(4) {
            writeln!(out, "  {}", names.join(", "))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::error::ErrorClass;
    use model::job::Status;
    use model::property::WITNESSES;

    /// Every name has its words, all of them, and nothing else has.
    #[test]
    fn every_name_is_explained_once() {
        let all = entries();
        let statuses = Status::ALL.map(Status::name);
        let errors = wire::ERRORS.map(|(class, _)| class.to_string());
        let names = PROPERTIES.iter().map(|row| row.id);
        let names = names
            .chain(WITNESSES.iter().map(|(id, _)| *id))
            .chain(statuses)
            .chain(wire::EVENTS.iter().map(|event| event.name))
            .chain(errors.iter().map(String::as_str))
            .chain(DEFECTS.iter().map(|defect| defect.name))
            .chain(MUTATIONS.iter().map(|bug| bug.name));
        for name in names {
            let found = all.iter().filter(|entry| entry.name == name).count();
            assert_eq!(found, 1, "{name}");
        }
        for entry in &all {
            let name = entry.name;
            assert!(
                entry.says.ends_with('.'),
                "{name}: a sentence: {}",
                entry.says
            );
            let says = |wanted: &str| entry.lines.iter().any(|(word, _)| *word == wanted);
            assert!(
                says("QEMU") || says("record"),
                "{name}: where it comes from"
            );
            assert!(says("client"), "{name}: what a client does");
            for (word, line) in &entry.lines {
                assert!(!line.is_empty(), "{name}: {word} is not said");
            }
        }
        for (id, _) in promises::CLIENTS {
            let known = PROPERTIES.iter().any(|row| row.id == *id);
            assert!(known, "no promise is called {id}");
        }
        for (id, ..) in witnesses::PLACES {
            let known = WITNESSES.iter().any(|(known, _)| known == id);
            assert!(known, "no witness is called {id}");
        }
        assert_eq!(wire::ERRORS[0].0, ErrorClass::GenericError);
    }

    #[test]
    fn names_are_found_however_they_are_written() {
        let all = entries();
        let found = |name: &str| {
            let mut entries = all.iter().filter(|entry| entry.is_called(name));
            entries.next().map(|entry| entry.name)
        };
        assert_eq!(found("job_status_change"), Some("JOB_STATUS_CHANGE"));
        assert_eq!(found("No-Lost-Dirty"), Some("no-lost-dirty"));
        assert_eq!(found("bug-a1"), Some("grouped-abort-hangs"));
        assert_eq!(found("no-such-name"), None);
    }
}
