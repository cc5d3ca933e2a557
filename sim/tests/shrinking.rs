//! Shrinking, on systems whose shortest failing schedules and points of no return are known on
//! paper.

mod common;

use common::CombinationLock;
use proptest::prelude::*;
use sim::inevitable::{self, Inevitable, inevitable, last_way_out};
use sim::run::{End, Recorder, Runner};
use sim::schedule::Schedule;
use sim::shrink::{Budget, NotBroken, Shrunk, Size, shrink};
use sim::strategy::{Random, Replay};
use sim::toys::{Counter, Dining, TwoPhaseCommit, TwoPhaseState, TwoPhaseStep};
use sim::{Breach, Footprint, System};
use std::cell::Cell;

const fn naive(threads: u8) -> Counter {
    Counter {
        threads,
        compare_and_swap: false,
    }
}

/// Two-phase commit in which a resource manager forgets that it has prepared, and may abort by
/// itself until it has concluded.
///
/// On paper, for *n*: a breach needs *n* to prepare and to be known to have, a commit, one who
/// receives it and one who aborts: 2*n* + 3 steps. The one that commits acts before and after the
/// manager, the others only before: *n* + 2 blocks, *n* + 1 switches.
struct Forgetful(TwoPhaseCommit);

fn forgetful(resource_managers: u8) -> Forgetful {
    Forgetful(TwoPhaseCommit { resource_managers })
}

impl System for Forgetful {
    type State = TwoPhaseState;
    type Step = TwoPhaseStep;
    type Observation = <TwoPhaseCommit as System>::Observation;

    fn initial(&self) -> TwoPhaseState {
        self.0.initial()
    }

    fn enabled(&self, state: &TwoPhaseState, steps: &mut Vec<TwoPhaseStep>) {
        self.0.enabled(state, steps);
        let open = (0..self.0.resource_managers)
            .filter(|n| state.concluded[usize::from(*n)].is_none())
            .map(TwoPhaseStep::ChooseToAbort);
        steps.extend(open);
        steps.sort_unstable();
        steps.dedup();
    }

    fn apply(
        &self,
        state: &mut TwoPhaseState,
        step: TwoPhaseStep,
        seen: &mut Vec<Self::Observation>,
    ) -> Footprint {
        self.0.apply(state, step, seen);
        // Nothing commutes: the footprints of the original know nothing of the bug.
        Footprint {
            writes: 1,
            ..Footprint::NONE
        }
    }

    fn judge(&self, state: &TwoPhaseState, resting: bool) -> Result<(), Breach> {
        self.0.judge(state, resting)
    }

    fn fingerprint(&self, state: &TwoPhaseState) -> u128 {
        self.0.fingerprint(state)
    }

    fn actor(&self, step: TwoPhaseStep) -> usize {
        self.0.actor(step)
    }

    fn name(&self, state: &TwoPhaseState, step: TwoPhaseStep) -> String {
        self.0.name(state, step)
    }
}

/// More work than any test here needs.
const PLENTY: Budget = Budget {
    replays_max: 100_000,
    steps_max: 10_000,
    interrupted: &|| false,
};

fn schedule(text: &str) -> Schedule {
    Schedule::parse(text).unwrap()
}

fn names(schedule: &Schedule) -> Vec<&str> {
    schedule.names().collect()
}

/// What a run under `seed` did, and what it broke, if anything.
fn run<S: System>(system: &S, seed: u64) -> (Schedule, Option<Breach>) {
    let mut recorder = Recorder::new();
    let outcome = Runner::new(system).run(&mut Random::default(), seed, &mut recorder);
    let breach = match outcome.end {
        End::Breached(breach) => Some(breach),
        _ => None,
    };
    (recorder.schedule, breach)
}

/// The failing ones of the first runs.
fn failing<S: System>(system: &S, runs: u64) -> Vec<(Schedule, Breach)> {
    let found: Vec<_> = (0..runs)
        .filter_map(|seed| {
            let (schedule, breach) = run(system, seed);
            Some((schedule, breach?))
        })
        .collect();
    assert!(!found.is_empty(), "no run fails");
    found
}

fn shrunk<S: System>(system: &S, schedule: &Schedule, property: &str) -> Shrunk {
    shrink(
        system,
        schedule,
        &|breach| breach.property == property,
        &PLENTY,
    )
    .unwrap()
}

/// Every failing run shrinks to the size known on paper.
fn check_minimal<S: System>(system: &S, runs: u64, steps: usize, switches: usize) {
    for (schedule, breach) in failing(system, runs) {
        let shrunk = shrunk(system, &schedule, breach.property);
        assert!(shrunk.complete);
        assert_eq!(
            shrunk.after,
            Size { steps, switches },
            "{}",
            shrunk.schedule
        );
    }
}

#[test]
fn a_lost_update_needs_one_thread_that_sleeps_between_load_and_store() {
    check_minimal(&naive(2), 50, 4, 2);
    check_minimal(&naive(3), 50, 6, 3);
}

#[test]
fn a_deadlock_of_philosophers_is_one_fork_each() {
    for philosophers in 2..5 {
        let table = Dining {
            philosophers,
            left_handed_last: false,
        };
        let count = usize::from(philosophers);
        check_minimal(&table, 200, count, count - 1);
    }
}

#[test]
fn two_phase_commit_with_a_forgetful_manager_fails_in_2n_plus_3_steps() {
    check_minimal(&forgetful(2), 400, 7, 3);
    check_minimal(&forgetful(3), 400, 9, 4);
}

#[test]
fn what_the_shortest_schedule_looks_like() {
    let text = "# seed: 7
rm0 prepare
rm1 prepare
tm receive prepared rm1
tm receive prepared rm0
tm commit
rm1 choose to abort
rm0 receive decision
";
    let shrunk = shrunk(&forgetful(2), &schedule(text), "consistent");
    assert_eq!(
        shrunk.before,
        Size {
            steps: 7,
            switches: 4
        }
    );
    assert_eq!(
        shrunk.schedule.to_string(),
        "# seed: 7
rm0 prepare
rm1 prepare
rm1 choose to abort
tm receive prepared rm1
tm receive prepared rm0
tm commit
rm0 receive decision
"
    );
    assert_eq!(
        shrunk.breach.message,
        "resource manager 0 has committed, and 1 has aborted"
    );
}

#[test]
fn a_schedule_that_ends_before_the_run_rests_is_completed() {
    let shrunk = shrunk(
        &naive(2),
        &schedule("thread1 load\nthread0 load\n"),
        "no-lost-update",
    );
    assert_eq!(
        shrunk.after,
        Size {
            steps: 4,
            switches: 2
        }
    );
}

#[test]
fn steps_that_are_not_possible_are_skipped() {
    let text = "nobody\nthread0 load\nthread0 load\nthread1 load\nthread1 store\nthread0 store\n";
    let shrunk = shrunk(&naive(2), &schedule(text), "no-lost-update");
    assert_eq!(
        shrunk.before,
        Size {
            steps: 4,
            switches: 2
        }
    );
}

#[test]
fn a_schedule_that_keeps_the_promise_is_an_error() {
    let serial = schedule("thread0 load\nthread0 store\n");
    let result = shrink(&naive(2), &serial, &|_| true, &PLENTY);
    assert_eq!(result, Err(NotBroken));
    let lost = schedule("thread1 load\nthread0 load\n");
    let result = shrink(
        &naive(2),
        &lost,
        &|breach| breach.property == "another",
        &PLENTY,
    );
    assert_eq!(result, Err(NotBroken));
}

/// A promise is broken at 001, and another at rest.
#[test]
fn another_broken_promise_is_no_substitute() {
    let lock = CombinationLock {
        breaks_at: Some((3, 0b001)),
        ..CombinationLock::new(4)
    };
    let text = "turn to 1\nturn to 1\nturn to 1\nturn to 1\n";
    let shrunk = shrunk(&lock, &schedule(text), "stays-shut");
    assert_eq!(names(&shrunk.schedule).len(), 4);
    assert_eq!(shrunk.breach.property, "stays-shut");
}

#[test]
fn a_budget_ends_it_with_the_best_so_far() {
    let (long, breach) = failing(&forgetful(3), 400)
        .into_iter()
        .max_by_key(|(schedule, _)| schedule.steps().len())
        .unwrap();
    let is_same = |other: &Breach| other.property == breach.property;
    let mut sizes = Vec::new();
    for replays_max in [1, 2, 4, 8, 16, 1_000_000] {
        let budget = Budget {
            replays_max,
            ..PLENTY
        };
        let shrunk = shrink(&forgetful(3), &long, &is_same, &budget).unwrap();
        assert!(shrunk.replays <= replays_max);
        assert_eq!(shrunk.complete, replays_max == 1_000_000);
        sizes.push(shrunk.after);
    }
    assert!(sizes.is_sorted_by(|one, next| one >= next), "{sizes:?}");
    assert!(sizes.first() > sizes.last());

    let asked = Cell::new(0);
    let interrupted = || {
        asked.set(asked.get() + 1);
        asked.get() > 5
    };
    let budget = Budget {
        interrupted: &interrupted,
        ..PLENTY
    };
    let shrunk = shrink(&forgetful(3), &long, &is_same, &budget).unwrap();
    assert_eq!((shrunk.replays, shrunk.complete), (6, false));
}

/// The laws, for one run of one system.
fn check_laws<S: System>(system: &S, seed: u64) {
    let (original, Some(breach)) = run(system, seed) else {
        return;
    };
    let once = shrunk(system, &original, breach.property);
    assert_eq!(
        once,
        shrunk(system, &original, breach.property),
        "not deterministic"
    );
    assert!(once.after <= once.before);
    assert_eq!(once.after.steps, once.schedule.steps().len());
    assert_eq!(once.before.steps, original.steps().len());
    assert_eq!(once.breach.property, breach.property);
    let mut replay = Replay::new(once.schedule.clone());
    let outcome = Runner::new(system).run(&mut replay, 0, &mut ());
    assert_eq!(outcome.end, End::Breached(once.breach.clone()));
    assert_eq!(outcome.steps, once.after.steps as u64);
    assert_eq!(
        shrunk(system, &once.schedule, breach.property).after,
        once.after
    );
}

proptest! {
    #[test]
    fn what_is_shrunk_breaks_the_same_promise_strictly_and_is_never_longer(
        seed in any::<u64>(), size in 2_u8..5,
    ) {
        check_laws(&naive(size), seed);
        check_laws(&forgetful(size), seed);
        check_laws(&Dining { philosophers: size, left_handed_last: false }, seed);
    }
}

// ---- the point of no return

const UNLIMITED: inevitable::Budget = inevitable::Budget {
    states_max: 1_000_000,
    interrupted: &|| false,
};

fn check_inevitable<S: System>(system: &S, text: &str, expected: Inevitable) {
    let failing = schedule(text);
    let found = last_way_out(system, &failing, &UNLIMITED);
    let (lost, way_out) = found.expect("a schedule that breaks a promise");
    assert_eq!(lost, expected, "{text}");
    let Inevitable::Step(step) = expected else {
        assert_eq!(way_out, None, "{text}");
        return;
    };
    // The nearest way out parts at the step that decided, and rests with every promise kept.
    let way_out = way_out.expect("a way out");
    let pairs = failing.names().zip(way_out.names());
    let same = pairs.take_while(|(one, other)| one == other).count();
    assert_eq!(same, step - 1, "{way_out}");
    let outcome = Runner::new(system).run(&mut Replay::new(way_out), 0, &mut ());
    assert_eq!(outcome.end, End::Rested, "{text}");
}

#[test]
fn an_update_is_lost_when_both_have_loaded() {
    let text = "thread1 load\nthread0 load\nthread0 store\nthread1 store\n";
    check_inevitable(&naive(2), text, Inevitable::Step(2));
    // Somebody else's whole update in between changes nothing.
    let text =
        "thread0 load\nthread0 store\nthread1 load\nthread2 load\nthread1 store\nthread2 store\n";
    check_inevitable(&naive(3), text, Inevitable::Step(4));
}

#[test]
fn the_last_fork_makes_the_deadlock() {
    let table = Dining {
        philosophers: 3,
        left_handed_last: false,
    };
    let text = "philosopher2 takes fork2\nphilosopher0 takes fork0\nphilosopher1 takes fork1\n";
    check_inevitable(&table, text, Inevitable::Step(3));
}

/// Whoever has aborted by mistake may be told of the commit before anybody else has concluded, and
/// then commits after all. So only the step that breaks the promise settles it.
#[test]
fn a_way_out_that_nobody_expects_is_found() {
    let abort_first = "rm0 prepare\nrm1 prepare\nrm1 choose to abort\ntm receive prepared rm0
        tm receive prepared rm1\ntm commit\nrm0 receive decision\n";
    check_inevitable(&forgetful(2), abort_first, Inevitable::Step(7));
    let abort_last = "rm0 prepare\nrm1 prepare\ntm receive prepared rm0\ntm receive prepared rm1
        tm commit\nrm0 receive decision\nrm1 choose to abort\n";
    check_inevitable(&forgetful(2), abort_last, Inevitable::Step(7));
}

#[test]
fn what_is_broken_from_the_start_always_was() {
    let lock = CombinationLock {
        breaks_at: Some((0, 0)),
        ..CombinationLock::new(2)
    };
    check_inevitable(&lock, "", Inevitable::Always);
    let both = EveryWayFails;
    check_inevitable(&both, "left\n", Inevitable::Always);
}

/// One step, left or right; both are wrong.
struct EveryWayFails;

impl System for EveryWayFails {
    type State = bool;
    type Step = bool;
    type Observation = bool;

    fn initial(&self) -> bool {
        false
    }

    fn enabled(&self, done: &bool, steps: &mut Vec<bool>) {
        steps.clear();
        if !done {
            steps.extend([false, true]);
        }
    }

    fn apply(&self, done: &mut bool, _: bool, _: &mut Vec<bool>) -> Footprint {
        *done = true;
        Footprint::NONE
    }

    fn judge(&self, _: &bool, resting: bool) -> Result<(), Breach> {
        let message = "it came to an end".to_owned();
        if resting {
            return Err(Breach::new("endless", message));
        }
        Ok(())
    }

    fn fingerprint(&self, done: &bool) -> u128 {
        u128::from(*done)
    }

    fn name(&self, _: &bool, step: bool) -> String {
        if step { "right" } else { "left" }.to_owned()
    }
}

#[test]
fn a_spent_budget_says_what_is_known() {
    let text = schedule("thread1 load\nthread0 load\nthread0 store\nthread1 store\n");
    let with = |states_max| {
        let budget = inevitable::Budget {
            states_max,
            ..UNLIMITED
        };
        inevitable(&naive(2), &text, &budget)
    };
    // After three steps one state is left to see, after two steps two more and the end of the
    // other order, after one step the way out is a matter of four.
    assert_eq!(with(0), Ok(Inevitable::NotDecided(4)));
    assert_eq!(with(2), Ok(Inevitable::NotDecided(3)));
    assert_eq!(with(100), Ok(Inevitable::Step(2)));
    let budget = inevitable::Budget {
        interrupted: &|| true,
        ..UNLIMITED
    };
    assert_eq!(
        inevitable(&naive(2), &text, &budget),
        Ok(Inevitable::NotDecided(4))
    );
}

#[test]
fn a_schedule_that_does_not_fail_was_never_lost() {
    for text in [
        "",
        "thread0 load\n",
        "thread7 load\n",
        "thread0 load\nthread0 store\nthread1 load\nthread1 store\n",
    ] {
        let result = inevitable(&naive(2), &schedule(text), &UNLIMITED);
        assert_eq!(result, Err(NotBroken), "{text}");
    }
}

/// By its definition: a state is doomed when all runs from it fail, each tried by itself.
fn is_doomed<S: System>(system: &S, state: &S::State) -> bool {
    let mut enabled = Vec::new();
    system.enabled(state, &mut enabled);
    if system.judge(state, false).is_err() {
        return true;
    }
    if enabled.is_empty() {
        return system.judge(state, true).is_err();
    }
    enabled.iter().all(|step| {
        let mut next = state.clone();
        system.apply(&mut next, *step, &mut Vec::new());
        is_doomed(system, &next)
    })
}

fn check_definition<S: System>(system: &S, runs: u64) {
    for (schedule, _) in failing(system, runs) {
        let mut state = system.initial();
        let mut expected = is_doomed(system, &state).then_some(Inevitable::Always);
        for (index, name) in schedule.names().enumerate() {
            let mut enabled = Vec::new();
            system.enabled(&state, &mut enabled);
            let step = system.parse(&state, &enabled, name).unwrap();
            system.apply(&mut state, step, &mut Vec::new());
            if expected.is_none() && is_doomed(system, &state) {
                expected = Some(Inevitable::Step(index + 1));
            }
        }
        assert_eq!(
            inevitable(system, &schedule, &UNLIMITED).ok(),
            expected,
            "{schedule}"
        );
    }
}

#[test]
fn it_is_the_first_step_after_which_all_runs_fail() {
    check_definition(&naive(2), 40);
    check_definition(&naive(3), 40);
    check_definition(&forgetful(2), 100);
    let table = Dining {
        philosophers: 3,
        left_handed_last: false,
    };
    check_definition(&table, 60);
}
