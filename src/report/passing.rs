//! A failing run beside the nearest one that keeps all promises, from the first difference on.

use crate::counterexample::{Film, Frame};
use crate::trace;

/// Two runs that begin alike.
pub struct Passing {
    /// How many first steps they have in common.
    pub same: usize,
    /// A row for each later step: that of the failing run, that of the passing one.
    pub rows: Vec<(Option<Told>, Option<Told>)>,
    /// How many steps the passing run has.
    pub steps: usize,
}

/// A step in short.
pub struct Told {
    /// Counted from 1.
    pub number: usize,
    /// Its whole name.
    pub step: String,
    /// What the client sent and read: who, and what.
    pub lines: Vec<(String, String)>,
}

impl Passing {
    /// The failing run beside the passing one.
    pub fn new(failing: &Film, passing: &Film) -> Passing {
        let (failing, passing) = (&failing.frames, &passing.frames);
        let pairs = failing.iter().zip(passing);
        let same = pairs
            .take_while(|(one, other)| one.step == other.step)
            .count();
        let told = |frames: &[Frame], index: usize| frames.get(index).map(|f| tell(index, f));
        let longest = failing.len().max(passing.len());
        Passing {
            same,
            rows: (same..longest)
                .map(|index| (told(failing, index), told(passing, index)))
                .collect(),
            steps: passing.len(),
        }
    }

    /// The passing run's step where the failing one first does something else.
    pub fn instead(&self) -> &str {
        match self.rows.first() {
            Some((_, Some(told))) => &told.step,
            _ => "nothing more",
        }
    }
}

fn tell(index: usize, frame: &Frame) -> Told {
    let lines = frame.lines.iter();
    Told {
        number: index + 1,
        step: frame.step.clone(),
        lines: lines
            .map(|line| (trace::speaker(line), trace::words(line).join("; ")))
            .collect(),
    }
}
