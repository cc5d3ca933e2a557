//! What is kept of a scenario in a dialect: the trace of one run, and, where that is small, every order of it.
//!
//! Both are what a command prints, after its own line. How small is small is counted in worlds and in traces, never in
//! time: the same scenario has the same snapshot on every machine.

use std::io::Write;

use anstream::StripStream;
use clap::Parser;
use model::dialect::Dialect;

use crate::cli::{Cli, Command};
use crate::exit::Exit;
use crate::run;
use crate::stage::Loaded;
use crate::traces;

/// With more worlds than these, the orders of a scenario are not kept.
const WORLDS_MAX: u32 = 2_000;
/// With more lines than these, neither.
const LINES_MAX: usize = 200;

/// The text of a scenario's snapshot.
///
/// # Errors
/// What to print: a scenario that cannot be played.
pub fn of(loaded: &Loaded, dialect: &Dialect) -> Result<String, String> {
    let one = format!("blockrace run --dialect {dialect} --seed 0");
    let Command::Run(args) = command(&one, &loaded.name)? else {
        unreachable!("that is the command `run`")
    };
    let mut text = format!("$ {one} {}\n", loaded.name);
    text += &printed(|out| run::play(out, &args, loaded).map(|_| ()))?;
    text += "\n";
    text += &orders(loaded, dialect)?;
    Ok(text)
}

fn orders(loaded: &Loaded, dialect: &Dialect) -> Result<String, String> {
    let all = format!("blockrace traces --dialect {dialect} --max-states {WORLDS_MAX}");
    let Command::Traces(args) = command(&all, &loaded.name)? else {
        unreachable!("that is the command `traces`")
    };
    let mut exit = Exit::Inconclusive;
    let orders = printed(|out| {
        exit = traces::print(out, &args, loaded)?;
        Ok(())
    });
    Ok(match orders {
        Ok(orders) if exit != Exit::Inconclusive && orders.lines().count() <= LINES_MAX => {
            format!("$ {all} {}\n{orders}", loaded.name)
        }
        // What has no end was said to have none.
        Ok(_) | Err(_) => "Its other orders are too many to be kept.\n".to_owned(),
    })
}

/// The command of that line, as the command line has it.
fn command(line: &str, scenario: &str) -> Result<Command, String> {
    let words = line.split(' ').chain(["--", scenario]);
    Cli::try_parse_from(words)
        .map(|cli| cli.command)
        .map_err(|error| format!("{scenario}: {error}"))
}

/// What is printed, without colours.
fn printed(
    print: impl FnOnce(&mut StripStream<&mut Vec<u8>>) -> Result<(), String>,
) -> Result<String, String> {
    let mut text = Vec::new();
    let mut out = StripStream::new(&mut text);
    print(&mut out)?;
    crate::written(out.flush())?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}
