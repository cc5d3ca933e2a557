//! `blockrace completions` and `blockrace man`: what the command line's own description is enough for.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::cli::Cli;
use crate::exit::Exit;
use crate::failures;
use crate::terminal;

/// What it is called in a shell.
const NAME: &str = "blockrace";

/// Arguments of `completions`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bash        blockrace completions bash > ~/.local/share/bash-completion/completions/blockrace
  zsh         blockrace completions zsh > ~/.zfunc/_blockrace      # a folder of $fpath
  fish        blockrace completions fish > ~/.config/fish/completions/blockrace.fish
  PowerShell  blockrace completions powershell >> $PROFILE")]
pub struct CompletionsArgs {
    /// The shell
    pub shell: Shell,
}

/// Arguments of `man`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  blockrace man man1 && man -l man1/blockrace-check.1
  blockrace man ~/.local/share/man/man1 && man blockrace")]
pub struct ManArgs {
    /// Where to write them: blockrace.1 and one page for each command
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

/// Prints what a shell reads to complete our command lines.
///
/// # Errors
/// The output's.
pub fn completions(args: &CompletionsArgs) -> Result<Exit, String> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), NAME, &mut script);
    crate::written(std::io::stdout().write_all(&script))?;
    Ok(Exit::Clean)
}

/// Writes the man pages.
///
/// # Errors
/// What to print: a folder that cannot be made, a page that cannot be written.
pub fn man(args: &ManArgs) -> Result<Exit, String> {
    let mut command = Cli::command();
    command.build();
    let mut pages = Vec::new();
    collect(&command, NAME, &mut pages);
    for (name, page) in &pages {
        failures::write(&args.folder.join(format!("{name}.1")), page)?;
    }
    let folder = args.folder.display();
    let said = format!(
        "{} pages in {folder}: man -l {folder}/{NAME}.1",
        pages.len()
    );
    crate::written(writeln!(terminal::out(true), "{said}"))?;
    Ok(Exit::Clean)
}

/// The page of a command, and those of its own commands.
fn collect(command: &Command, name: &str, pages: &mut Vec<(String, String)>) {
    let mut page = Vec::new();
    Man::new(command.clone())
        .title(name.to_uppercase())
        .render(&mut page)
        .expect("internal: a page is written to memory");
    let page = String::from_utf8(page).expect("internal: help is text");
    pages.push((name.to_owned(), page));
    let own = command.get_subcommands();
    for own in own.filter(|own| !own.is_hide_set() && own.get_name() != "help") {
        collect(own, &format!("{name}-{}", own.get_name()), pages);
    }
}
