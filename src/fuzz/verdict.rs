//! What the numbers of a campaign mean: one word, and the exit code that goes with it.

use crate::exit::Exit;

/// The verdict on one scenario in one dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A run was not the same twice.
    Nondeterministic,
    /// A promise is broken, and no story says so.
    Breach,
    /// Parts are missing.
    Incomplete,
    /// Its time was over, and it had to finish.
    OutOfTime,
    /// Somebody pressed Ctrl-C.
    Interrupted,
    /// A run did not come to rest.
    Unknown,
    /// There was no run.
    Unchecked,
    /// What is broken is what the story says.
    KnownDefect,
    /// Nothing is broken.
    Clean,
}

/// What it depends on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts {
    /// A run was not the same twice.
    pub differs: bool,
    /// A failure, of a seed or kept, is none that the story names.
    pub breaks: bool,
    /// Reports of parts are missing, or were ended early.
    pub lacks_parts: bool,
    /// It was ended early, and that is not as it should be.
    pub is_cut_short: bool,
    /// It was time that ended it.
    pub out_of_time: bool,
    /// How many runs did not come to rest.
    pub unrested: u64,
    /// How many runs there were.
    pub runs: u64,
    /// How many of them failed.
    pub failures: u64,
}

impl Verdict {
    /// What the facts mean: the worst news first.
    pub fn of(facts: &Facts) -> Verdict {
        match *facts {
            Facts { differs: true, .. } => Verdict::Nondeterministic,
            Facts { breaks: true, .. } => Verdict::Breach,
            Facts {
                lacks_parts: true, ..
            } => Verdict::Incomplete,
            Facts {
                is_cut_short: true,
                out_of_time: true,
                ..
            } => Verdict::OutOfTime,
            Facts {
                is_cut_short: true, ..
            } => Verdict::Interrupted,
            Facts { unrested: 1.., .. } => Verdict::Unknown,
            Facts { runs: 0, .. } => Verdict::Unchecked,
            Facts { failures: 1.., .. } => Verdict::KnownDefect,
            _ => Verdict::Clean,
        }
    }

    /// In one word.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Nondeterministic => "NONDETERMINISTIC",
            Verdict::Breach => "BREACH",
            Verdict::Incomplete => "INCOMPLETE",
            Verdict::OutOfTime => "OUT OF TIME",
            Verdict::Interrupted => "INTERRUPTED",
            Verdict::Unknown => "UNKNOWN",
            Verdict::Unchecked => "UNCHECKED",
            Verdict::KnownDefect => "known defect",
            Verdict::Clean => "clean",
        }
    }

    /// What it means for the command's end.
    pub fn exit(self) -> Exit {
        match self {
            Verdict::Nondeterministic => Exit::Nondeterministic,
            Verdict::Breach => Exit::Violated,
            Verdict::Incomplete | Verdict::OutOfTime | Verdict::Interrupted | Verdict::Unknown => {
                Exit::Inconclusive
            }
            Verdict::Unchecked => Exit::NothingChecked,
            Verdict::KnownDefect | Verdict::Clean => Exit::Clean,
        }
    }
}
