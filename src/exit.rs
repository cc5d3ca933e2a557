//! How blockrace ends: one code for each answer, so that "nothing found" and "nothing checked" are different.

use std::process::ExitCode;

use sim::run::End;

/// The answer a command ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Everything that was asked for holds.
    Clean = 0,
    /// A promise was broken, or a recording is not a trace of the model.
    Violated = 1,
    /// The command line, a scenario, a schedule or a recording is not usable.
    Usage = 2,
    /// It was ended before everything was covered: a budget, or Ctrl-C.
    Inconclusive = 3,
    /// There was nothing to check.
    NothingChecked = 4,
    /// A schedule could not be followed.
    Diverged = 6,
    /// A mistake of blockrace's own.
    Internal = 70,
}

impl Exit {
    /// What the end of a run means for the command's.
    pub fn of_run(end: &End) -> Exit {
        match end {
            End::Rested => Exit::Clean,
            End::Breached(_) => Exit::Violated,
            End::StepLimit | End::Stopped => Exit::Inconclusive,
            End::Diverged(_) => Exit::Diverged,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// What `--help` says about exit codes.
pub const HELP: &str = "\
Exit codes:
  0  everything asked for holds
  1  violated: a broken promise, or a recording the model does not allow
  2  usage or bad input
  3  inconclusive: a budget or Ctrl-C ended it
  4  nothing was checked
  6  a schedule could not be followed
 70  a mistake of blockrace's own";
