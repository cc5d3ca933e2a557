//! What lies under one lock.

use super::{Locking, ones};

/// The columns that one lock protects, and who looked at them.
pub(super) struct Shelf<S: Locking> {
    /// Column and part, ascending.
    pub(super) parts: Vec<(usize, S::Part)>,
    /// Columns of other locks, as whoever held this one last saw them: see
    /// [`Locking::shown_by`].
    pub(super) shown: Vec<(usize, S::Part)>,
    /// By team: the columns that it looked at when it last found nothing to do.
    pub(super) watched: Vec<u64>,
    /// What was seen, if this is the lock under which things are seen.
    pub(super) seen: Vec<S::Observation>,
}

impl<S: Locking> Shelf<S> {
    /// The columns of `mask`, as they are in `state`.
    pub(super) fn new(system: &S, state: &S::State, mask: u64, teams: usize) -> Shelf<S> {
        let part = |column| (column, system.part(state, column));
        let shown = ones(mask).fold(0, |shown, column| shown | system.shown_by(column));
        Shelf {
            parts: ones(mask).map(part).collect(),
            shown: ones(shown & !mask).map(part).collect(),
            watched: vec![0; teams],
            seen: Vec::new(),
        }
    }

    /// Puts back what a step changed that began with `before`, and returns the columns.
    pub(super) fn put_back(&mut self, system: &S, before: &[S::Part], state: &S::State) -> u64 {
        let mut changed = 0;
        for (column, part) in &mut self.parts {
            let now = system.part(state, *column);
            if before[*column] != now {
                *part = now;
                changed |= 1 << *column;
            }
        }
        for (column, part) in &mut self.shown {
            *part = system.part(state, *column);
        }
        changed
    }
}
