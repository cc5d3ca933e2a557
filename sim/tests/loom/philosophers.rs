//! What loom finds in the locking itself: on philosophers who need two forks at once.

use std::sync::{Arc, Mutex};

use sim::hash::fingerprint_of;
use sim::parts::{Offer, Offered, Parts};
use sim::threads::{EVERY_WAIT_ENDS, Explored, HELD_LOCKS, Locking, Options, Planted, explore};
use sim::{Breach, Footprint, System};

/// Philosophers around a table, who each eat once, in one step, with the fork to their left and the
/// one to their right. Column and lock *n* are fork *n*: how often it was used, and by whom last.
///
/// With `in_turn` each waits until the fork to their left was used, but for the first.
///
/// With `greedy` they name only the fork to their left.
#[derive(Clone, Copy, Default)]
struct Table {
    philosophers: u8,
    in_turn: bool,
    greedy: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Forks(Vec<Fork>);

/// How often it was used, and whether the philosopher to its right has eaten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Fork {
    used: u8,
    fed: bool,
}

impl Table {
    fn forks(&self, philosopher: u8) -> [usize; 2] {
        let next = (philosopher + 1) % self.philosophers;
        [philosopher.into(), next.into()]
    }
}

impl System for Table {
    type State = Forks;
    type Step = u8;
    type Observation = u8;

    fn initial(&self) -> Forks {
        Forks(vec![Fork::default(); self.philosophers.into()])
    }

    fn enabled(&self, state: &Forks, steps: &mut Vec<u8>) {
        steps.clear();
        let mut offer = Offer::new();
        for number in 0..self.offers() {
            self.offer(state, number, &mut offer);
            steps.extend(offer.steps.iter().map(|offered| offered.step));
        }
    }

    fn apply(&self, state: &mut Forks, step: u8, _seen: &mut Vec<u8>) -> Footprint {
        let [left, right] = self.forks(step);
        state.0[left].used += 1;
        state.0[left].fed = true;
        state.0[right].used += 1;
        Footprint {
            writes: 1 << left | 1 << right,
            ..Footprint::NONE
        }
    }

    fn judge(&self, state: &Forks, resting: bool) -> Result<(), Breach> {
        let meals: u8 = state.0.iter().map(|fork| fork.used).sum();
        if !resting || meals == 2 * self.philosophers {
            return Ok(());
        }
        Err(Breach::new(
            "no-lost-meal",
            format!("{meals} uses of forks were counted"),
        ))
    }

    fn fingerprint(&self, state: &Forks) -> u128 {
        fingerprint_of(state)
    }

    fn name(&self, _state: &Forks, step: u8) -> String {
        format!("philosopher{step} eats")
    }
}

impl Parts for Table {
    type Part = Fork;

    fn columns(&self) -> usize {
        self.philosophers.into()
    }

    fn part(&self, state: &Forks, column: usize) -> Fork {
        state.0[column]
    }

    fn put_together(&self, parts: &[Fork]) -> Forks {
        Forks(parts.to_vec())
    }

    fn offers(&self) -> usize {
        self.philosophers.into()
    }

    fn offer(&self, state: &Forks, number: usize, offer: &mut Offer<u8>) {
        offer.clear();
        offer.looked = 1 << number;
        let fork = state.0[number];
        if !fork.fed && (!self.in_turn || number == 0 || fork.used > 0) {
            offer.steps.push(Offered::new(number as u8));
        }
    }
}

impl Locking for Table {
    fn lock_count(&self) -> usize {
        self.columns()
    }

    fn lock_name(&self, lock: usize) -> String {
        format!("fork{lock}")
    }

    fn lock_of(&self, column: usize) -> usize {
        column
    }

    fn lock_of_sight(&self) -> usize {
        0
    }

    fn locks(&self, _state: &Forks, step: u8) -> u64 {
        let [left, right] = self.forks(step);
        if self.greedy {
            1 << left
        } else {
            1 << left | 1 << right
        }
    }
}

/// What loom finds: how it ended, the first broken promise, and after how many runs.
fn found(table: Table, planted: Planted) -> (Explored, Option<&'static str>, u64) {
    let options = Options {
        teams: (0..table.offers()).map(|offer| vec![offer]).collect(),
        planted,
        coins: 0,
        steps_max: 100_000,
    };
    let first = Arc::new(Mutex::new(None));
    let note = Arc::clone(&first);
    let (explored, runs) = explore(
        &Arc::new(table),
        &table.initial(),
        &options,
        None,
        move |run| {
            *note.lock().expect("nobody panics") =
                run.breach.as_ref().map(|breach| breach.property);
            run.breach.is_none()
        },
    );
    let first = *first.lock().expect("nobody panics");
    (explored, first, runs)
}

const TABLE: Table = Table {
    philosophers: 3,
    in_turn: false,
    greedy: false,
};

/// Forks are taken in their order, so nobody starves; and no meal is lost.
#[test]
fn everybody_eats() {
    for in_turn in [false, true] {
        let (explored, first, runs) = found(Table { in_turn, ..TABLE }, Planted::Nothing);
        assert_eq!((explored, first), (Explored::Complete, None));
        println!("{runs} executions");
    }
}

#[test]
fn locks_in_two_orders_deadlock() {
    let table = Table {
        philosophers: 2,
        ..TABLE
    };
    let (explored, _, _) = found(table, Planted::Descending);
    assert!(matches!(explored, Explored::Deadlock(_)), "{explored:?}");
}

#[test]
fn a_lock_that_is_not_named_is_missed() {
    let (explored, first, runs) = found(
        Table {
            greedy: true,
            ..TABLE
        },
        Planted::Nothing,
    );
    assert_eq!(
        (explored, first, runs),
        (Explored::Stopped, Some(HELD_LOCKS), 1)
    );
}

/// Not in every order: it takes loom to find one.
#[test]
fn a_lock_that_is_forgotten_loses_a_meal() {
    let (explored, first, runs) = found(TABLE, Planted::Forgets(0b111));
    assert_eq!((explored, first), (Explored::Stopped, Some("no-lost-meal")));
    assert!(runs > 1);
}

#[test]
fn a_test_outside_the_lock_loses_a_wakeup() {
    let table = Table {
        in_turn: true,
        ..TABLE
    };
    let (explored, first, runs) = found(table, Planted::TestsOutside);
    assert_eq!(
        (explored, first),
        (Explored::Stopped, Some(EVERY_WAIT_ENDS))
    );
    assert!(runs > 1);
}
