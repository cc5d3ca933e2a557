//! What no run can reach, and why.

use std::fmt;

use super::{COLUMNS, Cell, Outcome, ROWS};

/// Some cells of the matrix that cannot be reached.
#[derive(Debug)]
pub struct Unreachable {
    /// The rows; all if empty.
    pub rows: &'static [&'static str],
    /// The columns; all if empty.
    pub columns: &'static [&'static str],
    /// The outcome; both if none.
    pub outcome: Option<Outcome>,
    /// Why, in one sentence.
    pub why: &'static str,
}

/// A job's verbs.
const VERBS: &[&str] = &[
    "cancel",
    "force cancel",
    "pause",
    "resume",
    "complete",
    "finalize",
    "dismiss",
    "set-speed",
];

/// Everything that cannot be reached.
pub const UNREACHABLE: &[Unreachable] = &[
    Unreachable {
        rows: &[],
        columns: &["created"],
        outcome: None,
        why: "A backup starts within the command that creates it, and the next command comes after that.",
    },
    Unreachable {
        rows: &[],
        columns: &["ready", "standby"],
        outcome: None,
        why: "Only jobs that follow their source, such as mirror, become ready.",
    },
    Unreachable {
        rows: VERBS,
        columns: &["none"],
        outcome: Some(Outcome::Accepted),
        why: "A verb needs a job.",
    },
    Unreachable {
        rows: &["complete"],
        columns: &[],
        outcome: Some(Outcome::Accepted),
        why: "Only a job that is ready can be completed.",
    },
    Unreachable {
        rows: &["cancel", "force cancel", "finalize"],
        columns: &["aborting", "concluded"],
        outcome: Some(Outcome::Accepted),
        why: "The job has ended, or will end as failed whatever comes.",
    },
    Unreachable {
        rows: &["pause", "resume", "set-speed"],
        columns: &["waiting", "pending", "aborting", "concluded"],
        outcome: Some(Outcome::Accepted),
        why: "There is nothing left to pause or to slow down once the work is over.",
    },
    Unreachable {
        rows: &["guest write"],
        columns: &["aborting"],
        outcome: None,
        why: "A job that aborts has ended before the main thread leaves the handler in which it began to, and a \
              request's line is written when its command is done.",
    },
    Unreachable {
        rows: &["quit"],
        columns: &[],
        outcome: Some(Outcome::Refused),
        why: "Nothing refuses to quit.",
    },
];

impl Unreachable {
    fn holds(&self, (row, column): Cell, outcome: Outcome) -> bool {
        let among = |names: &[&str], name| names.is_empty() || names.contains(&name);
        among(self.rows, ROWS[row])
            && among(self.columns, COLUMNS[column])
            && self.outcome.is_none_or(|mine| mine == outcome)
    }
}

/// Why that cannot be reached; nothing if it can.
pub(super) fn why_not(cell: Cell, outcome: Outcome) -> Option<&'static Unreachable> {
    UNREACHABLE.iter().find(|row| row.holds(cell, outcome))
}

/// `cancel, pause when waiting, pending accepted: Why.`
impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = |names: &[&str], all: &str| match names {
            [] => all.to_owned(),
            VERBS => "a verb".to_owned(),
            names => names.join(", "),
        };
        let rows = words(self.rows, "anything");
        let columns = words(self.columns, "at any time");
        write!(f, "{rows}; {columns}")?;
        if let Some(outcome) = self.outcome {
            write!(f, "; {}", outcome.name())?;
        }
        write!(f, ": {}", self.why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_of_rows_and_columns() {
        for row in UNREACHABLE {
            assert!(row.rows.iter().all(|name| ROWS.contains(name)), "{row}");
            assert!(
                row.columns.iter().all(|name| COLUMNS.contains(name)),
                "{row}"
            );
            assert!(row.why.ends_with('.'), "a sentence: {}", row.why);
        }
    }
}
