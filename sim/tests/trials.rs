//! How many runs until one breaks a promise: held against campaigns, against paper, and against itself.

mod common;

use common::CombinationLock;
use sim::System;
use sim::fuzz::{Campaign, fuzz};
use sim::median::Median;
use sim::strategy::{Pos, Random, Strategy};
use sim::trials::{Control, Runs, Trial, Trials, trials};
use std::num::NonZeroUsize;

fn random() -> Box<dyn Strategy> {
    Box::new(Random::default())
}

fn pos() -> Box<dyn Strategy> {
    Box::new(Pos::default())
}

const ONE: Trials<'static> = Trials {
    strategies: &[&random],
    roots: 0..200,
    runs_max: 1000,
    steps_max: 100,
    jobs: NonZeroUsize::MIN,
};

fn done<S: System>(system: &S, plan: &Trials<'_>) -> Vec<Vec<Trial>> {
    trials(system, plan, &Control::default()).expect("nobody interrupts it")
}

fn median(trials: &[Trial]) -> String {
    let runs: Vec<Runs> = trials.iter().map(|trial| trial.runs).collect();
    Median::of(&runs).expect("a trial").to_string()
}

/// Each number is that of the run with which the campaign of that root ends, counted from 1.
#[test]
fn a_trial_is_a_campaign_up_to_its_first_failure() {
    let lock = CombinationLock::new(4);
    let [of_random] = &done(&lock, &ONE)[..] else {
        panic!("one strategy")
    };
    assert_eq!(of_random.len(), 200);
    for (root, trial) in (0..).zip(of_random) {
        let campaign = Campaign {
            root,
            runs: 0..1000,
            strategy: &random,
            steps_max: 100,
            stop_at_failure: true,
            doublecheck: false,
            jobs: NonZeroUsize::MIN,
        };
        let report = fuzz(&lock, &campaign, &Default::default());
        assert_eq!(trial.runs, Runs::Exactly(report.runs), "root {root}");
        assert_eq!(trial.property, Some("stays-shut"));
    }
}

/// A walk opens the lock of four digits once in 16 runs. So the median of the geometric distribution is 11.
#[test]
fn the_median_is_the_one_on_paper() {
    let [of_random] = &done(&CombinationLock::new(4), &ONE)[..] else {
        panic!("one strategy")
    };
    let runs: Vec<Runs> = of_random.iter().map(|trial| trial.runs).collect();
    let found = Median::of(&runs).expect("200 trials");
    let (low, high) = found.interval.expect("an interval");
    let paper = Runs::Exactly(11);
    assert!(low <= paper && paper <= high, "{found}");
}

#[test]
fn who_is_given_up_counts_as_more() {
    let lock = CombinationLock::new(4);
    let of = |runs_max| {
        let plan = Trials { runs_max, ..ONE };
        median(&done(&lock, &plan)[0])
    };
    let all = done(&lock, &ONE);
    let within = |limit| {
        all[0]
            .iter()
            .filter(|trial| trial.runs <= Runs::Exactly(limit))
            .count()
    };
    // Half of them, or the 115th, are beyond what is tried.
    assert!(
        within(4) < 86 && within(11) > 86 && within(11) < 115,
        "{} {}",
        within(4),
        within(11)
    );
    assert_eq!(of(4), ">4 (>4..>4)");
    assert!(of(11).ends_with("..>11)"), "{}", of(11));
    assert!(Runs::Exactly(u64::MAX) < Runs::MoreThan(1));
}

/// The breach that ends a campaign is the first, whichever promise that is.
#[test]
fn any_promise_ends_a_campaign_and_is_named() {
    let lock = CombinationLock {
        breaks_at: Some((2, 0)),
        ..CombinationLock::new(3)
    };
    let all = done(&lock, &ONE);
    let whole = |name| {
        all[0]
            .iter()
            .filter(|trial| trial.property == Some(name))
            .count()
    };
    assert!(whole("stays-whole") > 0 && whole("stays-shut") > 0);
    assert_eq!(whole("stays-whole") + whole("stays-shut"), 200);
}

#[test]
fn a_run_that_is_too_long_breaks_nothing() {
    let plan = Trials {
        steps_max: 3,
        runs_max: 100,
        ..ONE
    };
    let all = done(&CombinationLock::new(4), &plan);
    let given_up = |trial: &Trial| trial.runs == Runs::MoreThan(100) && trial.property.is_none();
    assert!(all[0].iter().all(given_up));
}

#[test]
fn the_number_of_workers_changes_nothing() {
    let lock = CombinationLock::new(5);
    let of = |jobs| {
        let plan = Trials {
            strategies: &[&random, &pos],
            jobs: NonZeroUsize::new(jobs).expect("some"),
            ..ONE
        };
        done(&lock, &plan)
    };
    let alone = of(1);
    assert_eq!(alone.len(), 2);
    assert_ne!(alone[0], alone[1], "the strategies differ");
    assert_eq!(
        alone[0],
        done(&lock, &ONE)[0],
        "and do not know of each other"
    );
    for jobs in [2, 3, 16] {
        assert_eq!(of(jobs), alone, "{jobs} workers");
    }
}

#[test]
fn an_interrupted_trial_has_no_result() {
    let control = Control::default();
    control
        .interrupt
        .store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(trials(&CombinationLock::new(4), &ONE, &control), None);
}
