//! The dining philosophers: hold one fork, wait for another, and starve together.

use crate::hash::fingerprint_of;
use crate::{Breach, Footprint, System};

/// `philosophers` sit around a table, with one fork between each two. Each takes the fork to their
/// left, then the one to their right, eats once, and puts both down. With `left_handed_last` the
/// last one begins with the right one.
///
/// Source: Dijkstra, *Hierarchical ordering of sequential processes*, 1971, in Hoare's telling.
///
/// On paper, for two: each is thinking, holds one fork, eats or is done; two cannot both eat, nor
/// can one eat while the other holds a fork, which leaves 16 − 3 = 13 states. A random walk
/// deadlocks exactly when its second step is the other one's first fork: in half of all runs. For
/// any number, a deadlock is the state in which each holds their first fork, and with a left-handed
/// one there is none.
#[derive(Clone, Copy, Debug)]
pub struct Dining {
    /// How many there are; from 2 to 32.
    pub philosophers: u8,
    /// Whether the last one takes the right fork first.
    pub left_handed_last: bool,
}

/// Who has come how far. Who holds which fork follows from that.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DiningState {
    philosophers: Vec<Phase>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Phase {
    Thinking,
    HasOne,
    HasBoth,
    Done,
}

/// The philosopher with this number goes on: takes the first fork, takes the second, or eats and
/// puts both down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DiningStep(pub u8);

/// The philosopher with this number has eaten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ate(pub u8);

impl Dining {
    /// The forks of a philosopher in the order in which they are taken. Fork *n* lies to the left
    /// of philosopher *n*.
    fn forks(&self, philosopher: u8) -> [u8; 2] {
        let (left, right) = (philosopher, (philosopher + 1) % self.philosophers);
        let left_handed = self.left_handed_last && philosopher + 1 == self.philosophers;
        if left_handed {
            [right, left]
        } else {
            [left, right]
        }
    }

    fn holder(&self, state: &DiningState, fork: u8) -> Option<u8> {
        (0..self.philosophers).find(|philosopher| {
            let held = match state.philosophers[usize::from(*philosopher)] {
                Phase::Thinking | Phase::Done => 0,
                Phase::HasOne => 1,
                Phase::HasBoth => 2,
            };
            self.forks(*philosopher)[..held].contains(&fork)
        })
    }

    /// The fork that a philosopher wants next.
    fn wanted(&self, state: &DiningState, philosopher: u8) -> Option<u8> {
        let [first, second] = self.forks(philosopher);
        match state.philosophers[usize::from(philosopher)] {
            Phase::Thinking => Some(first),
            Phase::HasOne => Some(second),
            Phase::HasBoth | Phase::Done => None,
        }
    }
}

impl System for Dining {
    type State = DiningState;
    type Step = DiningStep;
    type Observation = Ate;

    fn initial(&self) -> DiningState {
        assert!(
            (2..=32).contains(&self.philosophers),
            "internal bug: from 2 to 32 philosophers dine"
        );
        DiningState {
            philosophers: vec![Phase::Thinking; self.philosophers.into()],
        }
    }

    fn enabled(&self, state: &DiningState, steps: &mut Vec<DiningStep>) {
        steps.clear();
        steps.extend(
            (0..self.philosophers)
                .map(DiningStep)
                .filter(|DiningStep(n)| match self.wanted(state, *n) {
                    Some(fork) => self.holder(state, fork).is_none(),
                    None => state.philosophers[usize::from(*n)] == Phase::HasBoth,
                }),
        );
    }

    fn apply(&self, state: &mut DiningState, step: DiningStep, seen: &mut Vec<Ate>) -> Footprint {
        let DiningStep(n) = step;
        let [first, second] = self.forks(n).map(|fork| 1 << fork);
        let (next, forks) = match state.philosophers[usize::from(n)] {
            Phase::Thinking => (Phase::HasOne, first),
            Phase::HasOne => (Phase::HasBoth, second),
            Phase::HasBoth => {
                seen.push(Ate(n));
                (Phase::Done, first | second)
            }
            Phase::Done => panic!("internal bug: philosopher {n} has eaten already"),
        };
        state.philosophers[usize::from(n)] = next;
        Footprint {
            reads: 0,
            writes: forks | 1 << (32 + n),
            ..Footprint::NONE
        }
    }

    fn judge(&self, state: &DiningState, resting: bool) -> Result<(), Breach> {
        if !resting || state.philosophers.iter().all(|phase| *phase == Phase::Done) {
            return Ok(());
        }
        let waits: Vec<String> = (0..self.philosophers)
            .filter_map(|n| {
                let fork = self.wanted(state, n)?;
                let holder = self.holder(state, fork)?;
                Some(format!(
                    "philosopher{n} waits for fork{fork} of philosopher{holder}"
                ))
            })
            .collect();
        Err(Breach::new("no-deadlock", waits.join(", ")))
    }

    fn fingerprint(&self, state: &DiningState) -> u128 {
        fingerprint_of(state)
    }

    fn actor(&self, DiningStep(n): DiningStep) -> usize {
        n.into()
    }

    fn actor_name(&self, _state: &DiningState, actor: usize) -> String {
        format!("philosopher{actor}")
    }

    fn name(&self, state: &DiningState, DiningStep(n): DiningStep) -> String {
        match self.wanted(state, n) {
            Some(fork) => format!("philosopher{n} takes fork{fork}"),
            None => format!("philosopher{n} eats"),
        }
    }
}
