//! What loom reaches is what the search reaches.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use sim::parts::{Offer, Parts};
use sim::threads::{Explored, Locking, Options, Planted, Run, explore};
use sim::toys::{GroupedBackup, TwoPhaseCommit};
use sim::{Breach, Footprint, System};

/// A lock for each column, and one under which things are seen; a step names what it will touch.
pub struct ByColumn<S>(pub S);

impl<S: System> System for ByColumn<S> {
    type State = S::State;
    type Step = S::Step;
    type Observation = S::Observation;

    fn initial(&self) -> S::State {
        self.0.initial()
    }

    fn enabled(&self, state: &S::State, steps: &mut Vec<S::Step>) {
        self.0.enabled(state, steps);
    }

    fn apply(
        &self,
        state: &mut S::State,
        step: S::Step,
        seen: &mut Vec<S::Observation>,
    ) -> Footprint {
        self.0.apply(state, step, seen)
    }

    fn judge(&self, state: &S::State, resting: bool) -> Result<(), Breach> {
        self.0.judge(state, resting)
    }

    fn fingerprint(&self, state: &S::State) -> u128 {
        self.0.fingerprint(state)
    }

    fn name(&self, state: &S::State, step: S::Step) -> String {
        self.0.name(state, step)
    }
}

impl<S: Parts> Parts for ByColumn<S> {
    type Part = S::Part;

    fn columns(&self) -> usize {
        self.0.columns()
    }

    fn part(&self, state: &S::State, column: usize) -> S::Part {
        self.0.part(state, column)
    }

    fn put_together(&self, parts: &[S::Part]) -> S::State {
        self.0.put_together(parts)
    }

    fn offers(&self) -> usize {
        self.0.offers()
    }

    fn offer(&self, state: &S::State, number: usize, offer: &mut Offer<S::Step>) {
        self.0.offer(state, number, offer);
    }

    fn depends(&self, step: S::Step, footprint: Footprint) -> u64 {
        self.0.depends(step, footprint)
    }

    fn changes(&self, step: S::Step, footprint: Footprint) -> u64 {
        self.0.changes(step, footprint)
    }
}

impl<S: Parts> Locking for ByColumn<S> {
    fn lock_count(&self) -> usize {
        self.0.columns() + 1
    }

    fn lock_name(&self, lock: usize) -> String {
        format!("lock{lock}")
    }

    fn lock_of(&self, column: usize) -> usize {
        column
    }

    fn lock_of_sight(&self) -> usize {
        self.0.columns()
    }

    fn locks(&self, state: &S::State, step: S::Step) -> u64 {
        let (mut state, mut seen) = (state.clone(), Vec::new());
        let footprint = self.0.apply(&mut state, step, &mut seen);
        let sight = u64::from(!seen.is_empty()) << self.lock_of_sight();
        self.touched(&state, step, footprint) | sight
    }
}

/// The ends and the traces that something reaches: fingerprints and what was seen, printed.
type Reached = (BTreeSet<u128>, BTreeSet<String>);

fn by_search<S: System>(system: &S) -> Reached {
    let mut reached = Reached::default();
    let mut open = vec![(system.initial(), Vec::new())];
    let mut visited = BTreeSet::new();
    let mut enabled = Vec::new();
    while let Some((state, seen)) = open.pop() {
        if !visited.insert((system.fingerprint(&state), format!("{seen:?}"))) {
            continue;
        }
        system.enabled(&state, &mut enabled);
        if enabled.is_empty() || system.judge(&state, false).is_err() {
            reached.0.insert(system.fingerprint(&state));
            reached.1.insert(format!("{seen:?}"));
            continue;
        }
        for step in &enabled {
            let (mut state, mut seen) = (state.clone(), seen.clone());
            system.apply(&mut state, *step, &mut seen);
            open.push((state, seen));
        }
    }
    reached
}

fn by_loom<S>(system: S, options: &Options) -> (Reached, u64)
where
    S: Locking + Send + Sync + 'static,
    S::State: Sync,
    S::Observation: Sync,
{
    let system = Arc::new(system);
    let reached = Arc::new(Mutex::new(Reached::default()));
    let on = {
        let (system, reached) = (Arc::clone(&system), Arc::clone(&reached));
        move |run: Run<S>| {
            assert_eq!(run.breach, None, "{:?}", run.steps);
            let mut reached = reached.lock().expect("nobody panics");
            reached.0.insert(system.fingerprint(&run.state));
            reached.1.insert(format!("{:?}", run.seen));
            true
        }
    };
    let (explored, runs) = explore(&system, &system.initial(), options, None, on);
    assert_eq!(explored, Explored::Complete);
    let reached = reached.lock().expect("nobody panics").clone();
    (reached, runs)
}

fn each_alone(offers: usize) -> Options {
    Options {
        teams: (0..offers).map(|offer| vec![offer]).collect(),
        planted: Planted::Nothing,
        coins: 64,
    }
}

#[test]
fn two_phase_commit_ends_as_the_search_says() {
    let toy = || {
        ByColumn(TwoPhaseCommit {
            resource_managers: 2,
        })
    };
    let (reached, runs) = by_loom(toy(), &each_alone(toy().offers()));
    assert_eq!(reached, by_search(&toy()));
    println!("{runs} executions, {} ends", reached.0.len());
}

#[test]
fn a_grouped_backup_ends_as_the_search_says() {
    let toy = || {
        ByColumn(GroupedBackup {
            drives: 1,
            clusters: 1,
            writes: 1,
            errors: 1,
            cancel: true,
            bug: false,
            forced: false,
        })
    };
    let (reached, runs) = by_loom(toy(), &each_alone(toy().offers()));
    assert_eq!(reached, by_search(&toy()));
    println!("{runs} executions, {} ends", reached.0.len());
}
