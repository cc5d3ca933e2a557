//! The terminal: whether it has colours and more than ASCII, how wide it is, and whether its reader wants to know how
//! far the work is.
//!
//! It changes how things look and never what is said. Off a terminal nothing is folded, shortened or left out, so
//! that a pipe reads the same everywhere.

mod fold;
mod out;
mod row;
mod signs;

use std::borrow::Cow;
use std::env;
use std::io::{IsTerminal, stderr, stdout};
use std::os::fd::AsFd;
use std::sync::OnceLock;

use clap::Args;

pub use out::out;
pub use row::row;

/// Nothing is made narrower than this.
const WIDTH_MIN: usize = 40;

/// How it is to look.
#[derive(Debug, Args)]
#[command(next_help_heading = "Terminal")]
pub struct TerminalArgs {
    /// Whether there are colours; `auto` also heeds NO_COLOR and CLICOLOR_FORCE
    #[command(flatten)]
    color: colorchoice_clap::Color,
    /// Draw with the signs of ASCII only, as where the locale is not UTF-8
    #[arg(long, global = true)]
    ascii: bool,
    /// Show neither how far the work is nor how long it took
    #[arg(long, short, global = true)]
    quiet: bool,
}

/// What is known of the terminal; by default both outputs are pipes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terminal {
    /// The standard output: what a command says.
    pub out: Side,
    /// The standard error output: how far it is.
    pub progress: Side,
    /// Neither progress nor a summary.
    pub is_quiet: bool,
}

/// One of the two outputs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Side {
    /// Its columns, if it is a terminal.
    pub width: Option<usize>,
    /// Only the signs of ASCII.
    pub is_ascii: bool,
}

static TERMINAL: OnceLock<Terminal> = OnceLock::new();

impl TerminalArgs {
    /// Looks at the terminal, once and for all.
    pub fn settle(&self) {
        self.color.write_global();
        let is_narrow = !is_utf8(|name| env::var(name).ok());
        let side = |width: Option<usize>| Side {
            width,
            is_ascii: self.ascii || width.is_some() && is_narrow,
        };
        let terminal = Terminal {
            out: side(width_of(&stdout())),
            progress: side(width_of(&stderr())),
            is_quiet: self.quiet,
        };
        // Whoever was first has said the same.
        let _ = TERMINAL.set(terminal);
    }
}

impl Side {
    /// A name in so many columns: see [`fold::shorten`].
    pub fn shorten(self, name: &str, columns: usize) -> String {
        let ellipsis = if self.is_ascii { "..." } else { "…" };
        fold::shorten(name, columns, ellipsis)
    }

    /// The lines that a line becomes: see [`fold::fold`].
    pub fn fold(self, line: &str) -> Vec<String> {
        let line = match self.is_ascii {
            true => Cow::Owned(signs::ascii(line)),
            false => Cow::Borrowed(line),
        };
        match self.width {
            Some(width) => fold::fold(&line, width),
            None => vec![line.into_owned()],
        }
    }
}

/// The terminal that [`TerminalArgs::settle`] has looked at; a pipe if it has not.
pub fn terminal() -> Terminal {
    TERMINAL.get().copied().unwrap_or_default()
}

/// How many columns it has, if it is a terminal: what COLUMNS says, or else what it says itself.
fn width_of(stream: &(impl IsTerminal + AsFd)) -> Option<usize> {
    const USUAL: usize = 80;
    if !stream.is_terminal() {
        return None;
    }
    let said = env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    let asked = || terminal_size::terminal_size_of(stream).map(|(width, _)| usize::from(width.0));
    let width = said.filter(|width| *width > 0).or_else(asked);
    Some(width.unwrap_or(USUAL).max(WIDTH_MIN))
}

/// Whether the locale's signs are those of Unicode: what the first says of those that say something, as in POSIX.
fn is_utf8(variable: impl Fn(&str) -> Option<String>) -> bool {
    let names = ["LC_ALL", "LC_CTYPE", "LANG"];
    let said = names.into_iter().filter_map(variable);
    let mut said = said.filter(|value| !value.is_empty());
    said.next().is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_says_something_decides() {
        let check = |variables: &[(&str, &str)], expected| {
            let value = |name: &str| {
                let found = variables.iter().find(|(other, _)| *other == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(is_utf8(value), expected, "{variables:?}");
        };
        check(&[], false);
        check(&[("LANG", "de_DE.UTF-8")], true);
        check(&[("LANG", "C.utf8"), ("LC_ALL", "")], true);
        check(&[("LANG", "en_US.UTF-8"), ("LC_ALL", "C")], false);
        check(&[("LANG", "C"), ("LC_CTYPE", "C.UTF-8")], true);
        check(&[("LANG", "de_DE.ISO-8859-1")], false);
    }
}
