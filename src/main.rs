//! The command `blockrace`: parses, calls, prints, exits.

mod bugs;
mod check;
mod cli;
mod conform;
mod counterexample;
mod defects;
mod diff;
mod exit;
mod failures;
mod fuzz;
mod list;
mod live;
mod pool;
mod progress;
mod replay;
mod report;
mod run;
mod stage;
mod stress;
mod trace;
mod traces;
mod watch;

use std::io;
use std::panic;
use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::exit::Exit;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // A panic is a mistake of ours; its message is shown once, below, as an error.
    panic::set_hook(Box::new(|_| {}));
    let answer = panic::catch_unwind(|| match &cli.command {
        Command::List(args) => list::run(args),
        Command::Run(args) => run::run(args),
        Command::Fuzz(args) => fuzz::run(args),
        Command::Check(args) => check::run(args),
        Command::Replay(args) => replay::run(args),
        Command::Conform(args) => conform::run(args),
        Command::Diff(args) => diff::run(args),
        Command::Traces(args) => traces::run(args),
        Command::Bugs(args) => bugs::run(args),
        Command::Stress(args) => stress::run(args),
        Command::Report(args) => report::run(args),
    });
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
pub fn written(result: io::Result<()>) -> Result<(), String> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
            std::process::exit(Exit::Clean as i32)
        }
        Err(error) => Err(format!("cannot write the output: {error}")),
        Ok(()) => Ok(()),
    }
}
