//! Which steps of a run had to come before which: the happens-before order, seen in its footprints.
//!
//! Two steps are ordered when they do not commute ([`Footprint::independent`]), or when one actor
//! did both. Everything else about the order of a run is chance. What is given are the direct
//! causes: of three steps of which each had to come before the next, nobody wants to be told that
//! the first had to come before the third.

use crate::Footprint;

/// A step that was done, as far as it matters here.
#[derive(Clone, Copy, Debug)]
pub struct Deed {
    /// Who did it.
    pub actor: usize,
    /// What it touched.
    pub footprint: Footprint,
}

/// A step that had to come before another one of another actor, with none between them that had to
/// come after the one and before the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cause {
    /// The position of the later one.
    pub to: usize,
    /// The position of the earlier one.
    pub from: usize,
    /// The parts over which they do not commute.
    pub parts: u64,
}

/// The direct causes of each step of a run, ascending. That each actor's own steps follow each other
/// is not said again.
#[must_use]
pub fn direct(run: &[Deed]) -> Vec<Cause> {
    let mut pasts: Vec<Past> = Vec::with_capacity(run.len());
    let mut causes = Vec::new();
    for (to, late) in run.iter().enumerate() {
        let mut past = Past::empty(to);
        let mut found = Vec::new();
        // The latest first: what it had to wait for is then no direct cause any more.
        for (from, early) in run[..to].iter().enumerate().rev() {
            let parts = early.footprint.collides(late.footprint);
            let same = early.actor == late.actor;
            if past.has(from) || (parts == 0 && !same) {
                continue;
            }
            past.add(from, &pasts[from]);
            if !same {
                found.push(Cause { to, from, parts });
            }
        }
        causes.extend(found.into_iter().rev());
        pasts.push(past);
    }
    causes
}

/// A set of earlier steps.
struct Past(Vec<u64>);

impl Past {
    fn empty(steps: usize) -> Past {
        Past(vec![0; steps.div_ceil(64)])
    }

    fn has(&self, step: usize) -> bool {
        self.0[step / 64] >> (step % 64) & 1 == 1
    }

    /// Adds a step and its own past.
    fn add(&mut self, step: usize, its: &Past) {
        self.0[step / 64] |= 1 << (step % 64);
        let mine = self.0.iter_mut();
        mine.zip(&its.0).for_each(|(mine, its)| *mine |= its);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deed(actor: usize, reads: u64, writes: u64) -> Deed {
        let footprint = Footprint {
            reads,
            writes,
            ..Footprint::NONE
        };
        Deed { actor, footprint }
    }

    fn pairs(run: &[Deed]) -> Vec<(usize, usize)> {
        let causes = direct(run);
        causes.iter().map(|cause| (cause.from, cause.to)).collect()
    }

    #[test]
    fn what_follows_from_others_is_not_said() {
        // Each writes what the next one reads, and the first what the last one reads.
        let chain = [deed(0, 0, 0b101), deed(1, 0b001, 0b010), deed(2, 0b110, 0)];
        assert_eq!(pairs(&chain), [(0, 1), (1, 2)]);
        assert_eq!(direct(&chain)[1].parts, 0b010);
    }

    #[test]
    fn steps_that_commute_are_no_causes() {
        let readers = [deed(0, 1, 0), deed(1, 1, 0), deed(2, 0, 1)];
        assert_eq!(pairs(&readers), [(0, 2), (1, 2)]);
        assert!(pairs(&[deed(0, 0, 1), deed(1, 0, 2)]).is_empty());
    }

    #[test]
    fn an_actors_own_order_carries_causes_on() {
        // Actor 0 writes twice; that the second reader waits for its first write goes without saying.
        let run = [
            deed(0, 0, 1),
            deed(0, 0, 2),
            deed(1, 3, 0),
            deed(1, 0, 0),
            deed(0, 1, 0),
        ];
        assert_eq!(pairs(&run), [(1, 2)]);
    }
}
