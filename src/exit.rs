//! How blockrace ends: one code for each answer, so that "nothing found" and "nothing checked" are different.

use std::process::ExitCode;

use sim::run::End;

/// The answer a command ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// A run was not the same twice, so no result can be trusted.
    Nondeterministic = 5,
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

    /// The answer of two together: a broken promise is worse news than one that was not decided, and a
    /// mistake of ours is the worst.
    pub fn worse(self, other: Exit) -> Exit {
        let weight = |exit| match exit {
            Exit::Clean => 0,
            Exit::NothingChecked => 1,
            Exit::Inconclusive => 2,
            Exit::Violated => 3,
            Exit::Diverged => 4,
            Exit::Usage => 5,
            Exit::Nondeterministic => 6,
            Exit::Internal => 7,
        };
        if weight(other) > weight(self) {
            other
        } else {
            self
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
  3  inconclusive: a budget, Ctrl-C or a lost process ended it, or states are missed
  4  nothing was checked
  5  a run was not the same twice (--doublecheck): a mistake of blockrace's own
  6  a schedule could not be followed
 70  a mistake of blockrace's own";
