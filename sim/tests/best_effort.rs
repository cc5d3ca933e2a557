//! A schedule that is older than its system is followed as well as can be, and each deviation is
//! said.

use proptest::prelude::*;
use sim::run::{End, Recorder, Runner};
use sim::schedule::Schedule;
use sim::strategy::{BestEffort, Random, Replay};
use sim::toys::{Counter, Dining, TwoPhaseCommit};
use sim::{Breach, System};

const NAIVE: Counter = Counter {
    threads: 2,
    compare_and_swap: false,
};

/// Follows the text in the naive counter of two threads; returns what was done, and what of it
/// deviates.
fn follow(text: &str) -> (Vec<String>, Vec<String>, End) {
    let mut strategy = BestEffort::new(Schedule::parse(text).unwrap());
    let mut recorder = Recorder::new();
    let outcome = Runner::new(&NAIVE).run(&mut strategy, 0, &mut recorder);
    let done = recorder.schedule.names().map(str::to_owned).collect();
    let deviations = strategy
        .deviations()
        .iter()
        .map(ToString::to_string)
        .collect();
    (done, deviations, outcome.end)
}

fn check(text: &str, done: &[&str], deviations: &[&str]) {
    let (did, said, _) = follow(text);
    assert_eq!(did, done);
    assert_eq!(said, deviations);
}

const LOST: [&str; 4] = [
    "thread1 load",
    "thread0 load",
    "thread0 store",
    "thread1 store",
];

#[test]
fn a_schedule_that_fits_is_followed_without_a_word() {
    check(&LOST.join("\n"), &LOST, &[]);
    let (.., end) = follow(&LOST.join("\n"));
    let message = "2 threads have incremented the counter to 1".to_owned();
    let property = "no-lost-update";
    assert_eq!(end, End::Breached(Breach::new(property, message)));
}

#[test]
fn a_renamed_step_is_found_by_its_name() {
    check(
        "thread1 load\nthread0 loads\nthread0 store\nthread1 store\n",
        &LOST,
        &["step 2: `thread0 load` instead of `thread0 loads` of line 2"],
    );
}

/// `thread0 load` is not what `thread0 loads` was: the schedule has it for itself.
#[test]
fn a_step_that_the_schedule_has_is_no_new_name_of_another() {
    check(
        "thread1 load\nthread0 loads\nthread0 load\nthread0 store\nthread1 store\n",
        &LOST,
        &["left out: `thread0 loads` of line 2, never possible"],
    );
}

#[test]
fn a_step_that_is_gone_is_left_out() {
    check(
        "thread1 load\nthread2 load\nthread0 load\nthread0 store\nthread2 store\nthread1 store\n",
        &LOST,
        &[
            "left out: `thread2 load` of line 2, never possible",
            "left out: `thread2 store` of line 5, never possible",
        ],
    );
}

#[test]
fn a_new_step_is_taken_when_nothing_scheduled_is_possible() {
    check(
        "thread1 load\nthread0 store\nthread1 store\n",
        &[
            "thread1 load",
            "thread1 store",
            "thread0 load",
            "thread0 store",
        ],
        &[
            "step 3: `thread0 load`, not scheduled",
            "step 4: `thread0 store` of line 2, later than scheduled",
        ],
    );
}

#[test]
fn when_the_schedule_is_used_up_the_run_goes_on_to_its_end() {
    check(
        "",
        &[
            "thread0 load",
            "thread1 load",
            "thread0 store",
            "thread1 store",
        ],
        &["step 1: `thread0 load`, `thread1 load`, `thread0 store` and 1 more, not scheduled"],
    );
}

#[test]
fn a_schedule_that_was_never_text_is_counted_in_steps() {
    let mut schedule = Schedule::new();
    schedule.push("nobody".to_owned());
    let mut strategy = BestEffort::new(schedule);
    Runner::new(&NAIVE).run(&mut strategy, 0, &mut ());
    assert_eq!(
        strategy.deviations().last().unwrap().to_string(),
        "left out: `nobody`, step 1 of the schedule, never possible"
    );
}

/// A whole run is followed exactly; with lines taken out, put in and exchanged it still ends.
fn check_laws<S: System>(system: &S, seed: u64, edits: &[(usize, usize)]) {
    let mut runner = Runner::new(system);
    let mut recorder = Recorder::new();
    let outcome = runner.run(&mut Random::default(), seed, &mut recorder);
    let mut best = BestEffort::new(recorder.schedule.clone());
    assert_eq!(runner.run(&mut best, 0, &mut ()), outcome);
    assert_eq!(best.deviations(), []);

    let mut names: Vec<&str> = recorder.schedule.names().collect();
    for (from, to) in edits {
        let (from, to) = (from % names.len(), to % names.len());
        match (from + to) % 3 {
            0 => names.swap(from, to),
            1 => names[from] = "nobody does it",
            _ => names.insert(to, names[from]),
        }
    }
    let mut best = BestEffort::new(names.join("\n").parse().unwrap());
    let mut did = Recorder::new();
    let edited = runner.run(&mut best, 0, &mut did);
    assert!(matches!(edited.end, End::Rested | End::Breached(_)));
    if best.deviations().is_empty() {
        assert!(did.schedule.names().eq(names.iter().copied()));
    }
    // What it did is itself a schedule.
    assert_eq!(
        runner.run(&mut Replay::new(did.schedule), 0, &mut ()),
        edited
    );
}

proptest! {
    #[test]
    fn an_edited_schedule_is_followed_to_an_end(
        seed in any::<u64>(), edits in prop::collection::vec((any::<usize>(), any::<usize>()), 0..4),
    ) {
        let edits: Vec<_> = edits.into_iter().map(|(a, b)| (a % 1000, b % 1000)).collect();
        check_laws(&NAIVE, seed, &edits);
        check_laws(&Dining { philosophers: 3, left_handed_last: false }, seed, &edits);
        check_laws(&TwoPhaseCommit { resource_managers: 3 }, seed, &edits);
    }
}
