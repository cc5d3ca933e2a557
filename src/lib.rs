//! The command `blockrace`: parses, calls, prints, exits.
//!
//! A library for its own binary, and for those who try its readers with bad input; what others build on are the
//! packages `blockrace-model`, `blockrace-sim` and `scenarios`.

mod bugs;
mod check;
mod checkpoint;
mod ci;
mod cli;
mod config;
mod conform;
mod counterexample;
mod defects;
mod demo;
mod diff;
mod exit;
mod explain;
mod failures;
mod fuzz;
mod init;
mod list;
mod live;
mod manual;
mod merge;
mod output;
mod partition;
mod pool;
mod progress;
mod replay;
mod report;
mod run;
mod snapshot;
mod spill;
mod spread;
mod stage;
mod stress;
mod terminal;
mod trace;
mod traces;
mod version;
mod watch;

use std::io;
use std::panic;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::exit::Exit;
use crate::output::Output;

/// The command, with the arguments of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    cli.terminal.settle();
    // A panic is a mistake of ours; its message is shown once, below, as an error.
    panic::set_hook(Box::new(|_| {}));
    let answer = panic::catch_unwind(|| run(&cli.command));
    match answer {
        Ok(Ok(exit)) => exit.into(),
        Ok(Err(message)) => {
            eprintln!("blockrace: {message}");
            Exit::Usage.into()
        }
        Err(payload) => {
            eprintln!(
                "blockrace: a mistake of blockrace's own: {}",
                panic_message(&*payload)
            );
            eprintln!("  please report it, with the command line");
            Exit::Internal.into()
        }
    }
}

/// Does what was asked for.
///
/// # Errors
/// What to print.
fn run(command: &Command) -> Result<Exit, String> {
    match command {
        Command::List(args) => list::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Run(args) => run::run(args),
        Command::Fuzz(args) => Output::of(&args.output, "fuzz", |output| fuzz::run(args, output)),
        Command::Check(args) => {
            Output::of(&args.output, "check", |output| check::run(args, output))
        }
        Command::Replay(args) => {
            Output::of(&args.output, "replay", |output| replay::run(args, output))
        }
        Command::Conform(args) => conform::run(args),
        Command::Diff(args) => diff::run(args),
        Command::Traces(args) => traces::run(args),
        Command::Bugs(args) => Output::of(&args.output, "bugs", |output| bugs::run(args, output)),
        Command::Merge(args) => merge::run(args),
        Command::Stress(args) => stress::run(args),
        Command::Report(args) => report::run(args),
        Command::Ci(args) => ci::run(args),
        Command::Config(args) => config::run(args),
        Command::Snapshot(args) => snapshot::run(args),
        Command::Init(args) => init::run(args),
        Command::Demo(args) => demo::run(args),
        Command::Completions(args) => manual::completions(args),
        Command::Man(args) => manual::man(args),
        #[cfg(feature = "cluster")]
        Command::Member => spread::member::run(),
    }
}

/// Reads the text of a `blockrace.toml`, and returns the names of its profiles.
///
/// # Errors
/// What to print: it is none; the file, the line and the usual cause.
pub fn profiles(file: &Path, text: &str) -> Result<Vec<String>, String> {
    let file = config::File::parse(file.to_owned(), text)?;
    let names = file.profiles().into_iter();
    Ok(names.map(str::to_owned).collect())
}

/// Adds up the reports of parts of a campaign, each a file and its text, and returns what `merge` says of them; `partial`
/// as its option.
///
/// # Errors
/// What to print: one that is none, or that does not fit the others.
pub fn merged(reports: &[(PathBuf, String)], partial: bool) -> Result<String, String> {
    merge::told(reports, partial)
}

/// Reads the text of a file of hosts, and returns the addresses; nothing is looked up.
///
/// # Errors
/// What to print: it is none; the file, the line and the usual cause.
pub fn hosts(file: &Path, text: &str) -> Result<Vec<String>, String> {
    let hosts = spread::hosts::parse(file, text)?.into_iter();
    Ok(hosts.map(|host| host.address.to_owned()).collect())
}

fn panic_message(payload: &(dyn std::any::Any + Send)) -> &str {
    payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}

/// A reader that goes away (`| head`) ends us quietly; any other failure to write is an error.
///
/// # Errors
/// What to print.
fn written(result: io::Result<()>) -> Result<(), String> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            std::process::exit(Exit::Clean as i32)
        }
        Err(error) => Err(format!("cannot write the output: {error}")),
        Ok(()) => Ok(()),
    }
}
