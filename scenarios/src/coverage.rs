//! Which commands met jobs in which statuses, and how they ended: a matrix of counts.
//!
//! It is computed from what a client sends and reads, and from nothing else, so that runs of the model and
//! recordings of a real QEMU can be added up in one matrix. A job's status is what `JOB_STATUS_CHANGE` last said when
//! the command was sent; QEMU may be further by then, which is how a `finalize` of a running job can succeed. For a
//! guest's request, whose line is written when it is done, it is the status at that time.
//!
//! What cannot be reached is data too, with the reason ([`UNREACHABLE`]), so that a cell that is empty is either
//! explained or a gap.

use std::fmt;

use model::job::Status;
use serde_json::Value;

use crate::line::Line;

mod follow;
pub mod steps;
mod table;

pub use follow::Follower;
pub use table::{UNREACHABLE, Unreachable};

/// What is done, a row each.
pub const ROWS: [&str; 20] = [
    "drive-backup",
    "blockdev-backup",
    "transaction",
    "cancel",
    "force cancel",
    "pause",
    "resume",
    "complete",
    "finalize",
    "dismiss",
    "set-speed",
    "bitmap add",
    "bitmap clear",
    "bitmap enable",
    "bitmap disable",
    "bitmap merge",
    "bitmap remove",
    "resize",
    "guest write",
    "quit",
];

/// The status of the job that it is about, a column each; `none`: there is no such job. Of a command about drives it
/// is the job of one of them that was created last, of `quit` the last of all.
pub const COLUMNS: [&str; Status::ALL.len()] = {
    let mut columns = Status::NAMES;
    let mut index = columns.len() - 1;
    // It comes first, and a job that is `null` is none.
    while index > 0 {
        columns[index] = Status::NAMES[index - 1];
        index -= 1;
    }
    columns[0] = "none";
    columns
};

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The command succeeded.
    Accepted,
    /// It failed.
    Refused,
}

impl Outcome {
    /// Both.
    pub const ALL: [Outcome; 2] = [Outcome::Accepted, Outcome::Refused];

    /// The word for people.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Accepted => "accepted",
            Outcome::Refused => "refused",
        }
    }
}

/// A place in the matrix: indices of [`ROWS`] and [`COLUMNS`].
pub type Cell = (usize, usize);

/// How often each command ended so or so, by the status of the job that it met.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Matrix {
    counts: [[[u64; 2]; COLUMNS.len()]; ROWS.len()],
}

impl Matrix {
    /// The matrix of one run of the model: the lines of its trace.
    pub fn of_trace<'a>(lines: impl IntoIterator<Item = &'a Line>) -> Matrix {
        let (mut matrix, mut follower) = (Matrix::default(), Follower::default());
        for line in lines {
            follower.line(line, &mut matrix);
        }
        matrix
    }

    /// The matrix of one recording: its lines as JSON. Lines that it does not know count for nothing.
    pub fn of_recording<'a>(lines: impl IntoIterator<Item = &'a Value>) -> Matrix {
        let (mut matrix, mut follower) = (Matrix::default(), Follower::default());
        for line in lines {
            follower.json(line, &mut matrix);
        }
        matrix
    }

    /// One more.
    pub fn count(&mut self, (row, column): Cell, outcome: Outcome) {
        self.counts[row][column][outcome as usize] += 1;
    }

    /// How many there were.
    pub fn get(&self, (row, column): Cell, outcome: Outcome) -> u64 {
        self.counts[row][column][outcome as usize]
    }

    /// Adds another matrix to it. The order does not matter.
    pub fn add(&mut self, other: &Matrix) {
        let mine = self.counts.iter_mut().flatten().flatten();
        let others = other.counts.iter().flatten().flatten();
        mine.zip(others)
            .for_each(|(mine, other)| *mine = mine.saturating_add(*other));
    }

    /// What can be reached and was not.
    pub fn gaps(&self) -> Vec<(Cell, Outcome)> {
        let reachable =
            |&(cell, outcome): &(Cell, Outcome)| table::why_not(cell, outcome).is_none();
        let empty = |&(cell, outcome): &(Cell, Outcome)| self.get(cell, outcome) == 0;
        places().filter(reachable).filter(empty).collect()
    }

    /// What was reached although a reason says that it cannot be.
    pub fn surprises(&self) -> Vec<(Cell, Outcome)> {
        let unreachable =
            |&(cell, outcome): &(Cell, Outcome)| table::why_not(cell, outcome).is_some();
        let seen = |&(cell, outcome): &(Cell, Outcome)| self.get(cell, outcome) > 0;
        places().filter(unreachable).filter(seen).collect()
    }

    /// For machines: by row and column, how many were accepted and refused. Empty cells are left out.
    pub fn to_json(&self) -> Value {
        let mut rows = serde_json::Map::new();
        for (row, name) in ROWS.iter().enumerate() {
            let mut columns = serde_json::Map::new();
            for (column, status) in COLUMNS.iter().enumerate() {
                let [accepted, refused] = self.counts[row][column];
                if [accepted, refused] != [0, 0] {
                    let cell = serde_json::json!({"accepted": accepted, "refused": refused});
                    columns.insert((*status).to_owned(), cell);
                }
            }
            rows.insert((*name).to_owned(), Value::Object(columns));
        }
        Value::Object(rows)
    }

    /// The matrix that [`Matrix::to_json`] wrote.
    ///
    /// # Errors
    /// A row, a column or a count that no matrix has.
    pub fn of_json(json: &Value) -> Result<Matrix, String> {
        let mut matrix = Matrix::default();
        let object = |json: &Value, what: &str| {
            let object = json.as_object().cloned();
            object.ok_or_else(|| format!("{what} of the matrix is no object"))
        };
        for (name, columns) in object(json, "the whole")? {
            let row = place(&ROWS, &name)?;
            for (status, cell) in object(&columns, &name)? {
                let column = place(&COLUMNS, &status)?;
                for outcome in Outcome::ALL {
                    let count = cell[outcome.name()].as_u64();
                    matrix.counts[row][column][outcome as usize] = count.ok_or_else(|| {
                        format!("the matrix does not count what was {}", outcome.name())
                    })?;
                }
            }
        }
        Ok(matrix)
    }

    fn cell_text(&self, cell: Cell) -> String {
        let one = |outcome| match (self.get(cell, outcome), table::why_not(cell, outcome)) {
            (0, Some(_)) => "-".to_owned(),
            (count, _) => short(count),
        };
        match (one(Outcome::Accepted), one(Outcome::Refused)) {
            (accepted, refused) if accepted == "-" && refused == "-" => "-".to_owned(),
            (accepted, refused) => format!("{accepted}/{refused}"),
        }
    }
}

/// Where a name stands.
fn place(names: &[&str], name: &str) -> Result<usize, String> {
    let found = names.iter().position(|known| *known == name);
    found.ok_or_else(|| format!("the matrix has no {name}"))
}

/// Every place of the matrix with each outcome, row by row.
fn places() -> impl Iterator<Item = (Cell, Outcome)> {
    (0..ROWS.len()).flat_map(|row| {
        (0..COLUMNS.len())
            .flat_map(move |column| Outcome::ALL.map(|outcome| ((row, column), outcome)))
    })
}

/// What a place of the matrix is called: `finalize of a pending job accepted`.
pub fn place_name((row, column): Cell, outcome: Outcome) -> String {
    let (what, status, outcome) = (ROWS[row], COLUMNS[column], outcome.name());
    match status {
        "none" => format!("{what} without a job {outcome}"),
        _ => format!("{what}, job {status}, {outcome}"),
    }
}

/// A count in at most four letters.
fn short(count: u64) -> String {
    match count {
        0..10_000 => count.to_string(),
        10_000..1_000_000 => format!("{}k", count / 1_000),
        _ => format!("{}M", count / 1_000_000),
    }
}

/// A table of `accepted/refused`, with `-` for what cannot be, the reasons, and what is missing.
impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = (0..ROWS.len()).map(|row| {
            (0..COLUMNS.len())
                .map(|column| self.cell_text((row, column)))
                .collect::<Vec<_>>()
        });
        let rows: Vec<Vec<String>> = rows.collect();
        let width = |column: usize| {
            let cells = rows.iter().map(|row| row[column].len());
            cells.max().unwrap_or(0).max(COLUMNS[column].len())
        };
        write!(f, "{:15}", "job:")?;
        for (column, status) in COLUMNS.iter().enumerate() {
            write!(f, "  {status:>width$}", width = width(column))?;
        }
        writeln!(f)?;
        for (name, row) in ROWS.iter().zip(&rows) {
            write!(f, "{name:15}")?;
            for (column, cell) in row.iter().enumerate() {
                write!(f, "  {cell:>width$}", width = width(column))?;
            }
            writeln!(f)?;
        }
        writeln!(f, "accepted/refused; - cannot be:")?;
        for row in UNREACHABLE {
            writeln!(f, "  {row}")?;
        }
        let gaps = self.gaps();
        writeln!(f, "{} of {} not reached", gaps.len(), reachable())?;
        for (cell, outcome) in gaps {
            writeln!(f, "  {}", place_name(cell, outcome))?;
        }
        for (cell, outcome) in self.surprises() {
            writeln!(f, "cannot be, and was: {}", place_name(cell, outcome))?;
        }
        Ok(())
    }
}

/// How many places can be reached.
fn reachable() -> usize {
    places()
        .filter(|&(cell, outcome)| table::why_not(cell, outcome).is_none())
        .count()
}
