//! `blockrace config`: each value that counts, and where it comes from.

use std::io::{self, Write};

use clap::Args;
use serde_json::{Map, Value, json};

use super::{Flags, Setting, Settings, Source};
use crate::exit::Exit;
use crate::terminal;

/// Arguments of `config`.
#[derive(Args, Debug)]
pub struct ConfigArgs {
    /// What `blockrace ci` would be given
    #[command(flatten)]
    flags: Flags,
    /// For machines: one JSON document
    #[arg(long)]
    json: bool,
}

/// Prints them.
///
/// # Errors
/// What to print: a file, a variable or a profile that cannot be used.
pub fn run(args: &ConfigArgs) -> Result<Exit, String> {
    let settings = Settings::of(&args.flags)?;
    let mut out = terminal::out(!args.json);
    crate::written(match args.json {
        true => writeln!(out, "{:#}", json(&settings)),
        false => print(&mut out, &settings),
    })?;
    Ok(Exit::Clean)
}

fn print(out: &mut impl Write, settings: &Settings) -> io::Result<()> {
    let all = || std::iter::once(&settings.profile).chain(&settings.all);
    let values = |setting: &Setting| match &setting.values[..] {
        [] => "-".to_owned(),
        values => values.join(" "),
    };
    let keys = all().map(|setting| setting.key.len()).max().unwrap_or(0);
    let width = all()
        .map(|setting| values(setting).len())
        .max()
        .unwrap_or(0);
    for setting in all() {
        let (key, from) = (setting.key, from(&setting.from));
        writeln!(out, "{key:<keys$}  {:<width$}  {from}", values(setting))?;
    }
    Ok(())
}

/// Who said it, in words.
fn from(from: &Source) -> String {
    match from {
        Source::Flag(flag) => (*flag).to_owned(),
        Source::Environment(variable) => (*variable).to_owned(),
        Source::File(path, line) => format!("{}:{line}", path.display()),
        Source::Default => "default".to_owned(),
    }
}

fn json(settings: &Settings) -> Value {
    let value = |setting: &Setting| match &setting.values[..] {
        [] => Value::Null,
        [one] => json!(one),
        many => json!(many),
    };
    let source = |setting: &Setting| match &setting.from {
        Source::Flag(flag) => json!({"source": "flag", "flag": flag}),
        Source::Environment(variable) => json!({"source": "environment", "variable": variable}),
        Source::File(path, line) => json!({"source": "file", "file": path, "line": line}),
        Source::Default => json!({"source": "default"}),
    };
    let one = |setting: &Setting| {
        let mut told = json!({"value": value(setting)});
        told["from"] = source(setting);
        told
    };
    let all: Map<String, Value> = settings
        .all
        .iter()
        .map(|setting| (setting.key.to_owned(), one(setting)))
        .collect();
    json!({"profile": one(&settings.profile), "file": settings.file, "settings": all})
}
