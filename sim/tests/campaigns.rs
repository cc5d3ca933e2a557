//! A run is a function of its seed, and a campaign of its seeds, for any number of workers.

mod common;

use common::CombinationLock;
use sim::fuzz::{Campaign, Control, Failure, Report, fuzz};
use sim::run::{End, Outcome, Recorder, Runner, Watcher};
use sim::schedule::Schedule;
use sim::seed::run_seed;
use sim::strategy::{Choice, Choices, Divergence, Random, Replay, STRATEGIES, Spec, Strategy};
use sim::toys::{
    Bystander, Counter, CounterState, CounterStep, Crew, Dining, Stored, TwoPhaseCommit,
};
use sim::{Breach, Footprint, System};
use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

const LOCK: CombinationLock = CombinationLock::new(8);

fn random() -> Box<dyn Strategy> {
    Box::new(Random::default())
}

fn campaign(runs: std::ops::Range<u64>, jobs: usize) -> Campaign<'static> {
    Campaign {
        root: 1,
        runs,
        strategy: &random,
        steps_max: 1000,
        stop_at_failure: true,
        doublecheck: false,
        jobs: NonZeroUsize::new(jobs).unwrap(),
    }
}

fn report<S: System>(system: &S, campaign: &Campaign<'_>) -> Report {
    fuzz(system, campaign, &Control::default())
}

fn same_for_all_workers<S: System>(system: &S, campaign: &Campaign<'_>) -> Report {
    let alone = report(system, campaign);
    for jobs in [1, 2, 4, 7] {
        let jobs = NonZeroUsize::new(jobs).unwrap();
        assert_eq!(
            report(
                system,
                &Campaign {
                    jobs,
                    ..campaign.clone()
                }
            ),
            alone,
            "{jobs} workers"
        );
    }
    alone
}

#[test]
fn a_seed_means_the_same_twice() {
    fn check<S: System>(system: &S) {
        for spec in Spec::all() {
            let new = spec.maker(system, 1000);
            let mut runner = Runner::new(system);
            let (mut one, mut other) = (new(), new());
            let forth: Vec<Outcome> = (0..100)
                .map(|seed| runner.run(one.as_mut(), seed, &mut ()))
                .collect();
            let mut back: Vec<Outcome> = (0..100)
                .rev()
                .map(|seed| Runner::new(system).run(other.as_mut(), seed, &mut ()))
                .collect();
            back.reverse();
            assert_eq!(forth, back, "{spec}");
        }
    }
    check(&Counter {
        threads: 4,
        compare_and_swap: true,
    });
    check(&Dining {
        philosophers: 5,
        left_handed_last: false,
    });
    check(&TwoPhaseCommit {
        resource_managers: 5,
    });
    check(&Crew {
        workers: 9,
        bystander: Bystander::Auditor,
    });
}

#[test]
fn strategies_have_names_of_their_own() {
    let names: BTreeSet<&str> = STRATEGIES.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), STRATEGIES.len());
}

/// One loop, written out, says what the first failing run is.
#[test]
fn the_failure_reported_is_the_first_for_any_number_of_workers() {
    let mut runner = Runner::new(&LOCK);
    let mut fails = |index: &u64| {
        let end = runner
            .run(random().as_mut(), run_seed(1, *index), &mut ())
            .end;
        matches!(end, End::Breached(_))
    };
    let first = (0..100_000).find(&mut fails).unwrap();
    assert!(
        first > 100,
        "a first failure in the first chunks would show little: {first}"
    );

    let report = same_for_all_workers(&LOCK, &campaign(0..100_000, 3));
    let failure = report.first_failure.unwrap();
    assert_eq!((failure.index, failure.seed), (first, run_seed(1, first)));
    assert_eq!(
        (report.runs, report.failures, report.interrupted),
        (first + 1, 1, false)
    );
    assert_eq!(report.steps, (first + 1) * 8);

    // Behind the first there is a second, found by a campaign that begins there.
    let second = (first + 1..100_000).find(&mut fails).unwrap();
    let report = same_for_all_workers(&LOCK, &campaign(first + 1..100_000, 3));
    assert_eq!(
        report.first_failure.map(|failure| failure.index),
        Some(second)
    );
    assert_eq!(report.runs, second - first);
}

#[test]
fn a_campaign_that_goes_on_counts_all_failures() {
    let all = Campaign {
        stop_at_failure: false,
        ..campaign(0..20_000, 4)
    };
    let report = same_for_all_workers(&LOCK, &all);
    assert_eq!(
        (report.runs, report.steps, report.unrested),
        (20_000, 160_000, 0)
    );
    // On paper 20,000 / 256 = 78, with a standard deviation of 9.
    assert!((50..110).contains(&report.failures), "{}", report.failures);
}

/// Half of all random walks of the naive counter lose an update; and so deadlock two philosophers.
#[test]
fn random_walks_fail_as_often_as_on_paper() {
    let all = Campaign {
        stop_at_failure: false,
        ..campaign(0..10_000, 2)
    };
    let lost = same_for_all_workers(
        &Counter {
            threads: 2,
            compare_and_swap: false,
        },
        &all,
    );
    let starved = same_for_all_workers(
        &Dining {
            philosophers: 2,
            left_handed_last: false,
        },
        &all,
    );
    for report in [lost, starved] {
        assert!(
            (4_800..5_200).contains(&report.failures),
            "{}",
            report.failures
        );
    }
}

#[test]
fn without_the_bug_nothing_is_found() {
    let counter = Counter {
        threads: 4,
        compare_and_swap: true,
    };
    let dining = Dining {
        philosophers: 5,
        left_handed_last: true,
    };
    let commit = TwoPhaseCommit {
        resource_managers: 5,
    };
    for report in [
        same_for_all_workers(&counter, &campaign(0..3_000, 2)),
        same_for_all_workers(&dining, &campaign(0..3_000, 2)),
        same_for_all_workers(&commit, &campaign(0..3_000, 2)),
    ] {
        assert_eq!(
            (report.runs, report.failures, report.first_failure),
            (3_000, 0, None)
        );
    }
}

#[test]
fn the_failure_reported_happens_again() {
    let counter = Counter {
        threads: 3,
        compare_and_swap: false,
    };
    let Failure { seed, outcome, .. } = report(&counter, &campaign(0..1000, 2))
        .first_failure
        .unwrap();
    let mut recorder = Recorder::new();
    assert_eq!(
        Runner::new(&counter).run(random().as_mut(), seed, &mut recorder),
        outcome
    );
    let again = Runner::new(&counter).run(&mut Replay::new(recorder.schedule), 0, &mut ());
    assert_eq!(again, outcome);
}

#[test]
fn the_digest_tells_campaigns_apart() {
    let digest = |root, runs, digits| {
        let lock = CombinationLock::new(digits);
        report(
            &lock,
            &Campaign {
                root,
                ..campaign(runs, 2)
            },
        )
        .digest
    };
    let digests = [
        digest(1, 0..100, 20),
        digest(2, 0..100, 20),
        digest(1, 1..101, 20),
        digest(1, 0..100, 21),
    ];
    assert_eq!(BTreeSet::from(digests).len(), 4);
    assert_eq!(digest(1, 0..0, 20), 0);
    // Even if every run has the same outcome, it matters which runs they were.
    let dull = Crew {
        workers: 3,
        bystander: Bystander::Nobody,
    };
    let dull = |runs| report(&dull, &campaign(runs, 2)).digest;
    assert_ne!(dull(0..10), dull(1..11));
}

#[test]
fn the_digest_is_the_sum_of_its_parts() {
    let lock = CombinationLock::new(40);
    let whole = report(&lock, &campaign(0..1000, 2));
    let parts = [0..300, 300..301, 301..1000].map(|runs| report(&lock, &campaign(runs, 2)));
    assert_eq!(
        parts
            .iter()
            .fold(0_u128, |sum, part| sum.wrapping_add(part.digest)),
        whole.digest
    );
}

#[test]
fn the_step_limit_ends_runs_but_is_no_failure() {
    let limited = Campaign {
        steps_max: 5,
        ..campaign(0..100, 2)
    };
    let report = same_for_all_workers(&LOCK, &limited);
    assert_eq!(
        (report.runs, report.steps, report.unrested, report.failures),
        (100, 500, 100, 0)
    );
    // Exactly as many steps as there are is no limit.
    let enough = Campaign {
        steps_max: 8,
        ..campaign(0..100, 2)
    };
    assert_eq!(same_for_all_workers(&LOCK, &enough).unrested, 0);
}

/// Interrupts the campaign when its 150th run begins.
struct Impatient(Random, Arc<Control>);

impl Strategy for Impatient {
    fn begin(&mut self, seed: u64) {
        self.0.begin(seed);
        self.1
            .interrupt
            .fetch_or(self.1.runs_done.load(Relaxed) >= 149, Relaxed);
    }

    fn choose(&mut self, choices: &dyn Choices) -> Choice {
        self.0.choose(choices)
    }
}

#[test]
fn an_interrupted_campaign_says_what_it_covers() {
    let lock = CombinationLock::new(40);
    for jobs in [1, 4] {
        let control: Arc<Control> = Arc::default();
        let strategy =
            || -> Box<dyn Strategy> { Box::new(Impatient(Random::default(), control.clone())) };
        let interrupted = fuzz(
            &lock,
            &Campaign {
                strategy: &strategy,
                ..campaign(0..1_000_000, jobs)
            },
            &control,
        );
        assert!(interrupted.interrupted);
        assert!(
            interrupted.runs < 150 + 2 * jobs as u64,
            "{}",
            interrupted.runs
        );
        if jobs == 1 {
            assert_eq!(interrupted.runs, 150);
        }
        let covered = report(&lock, &campaign(0..interrupted.runs, 2));
        assert_eq!(
            Report {
                interrupted: false,
                ..interrupted
            },
            covered
        );
    }
}

/// Makes the worker that has the first run wait until others have done their part, so that what
/// depends on who is faster happens for certain.
struct Hesitant {
    random: Random,
    control: Arc<Control>,
    /// The run that waits, by its seed, and for how many runs done by anyone.
    waits: (u64, u64),
    /// Whether it then interrupts the campaign.
    interrupts: bool,
}

impl Strategy for Hesitant {
    fn begin(&mut self, seed: u64) {
        self.random.begin(seed);
        if seed == self.waits.0 {
            while self.control.runs_done.load(Relaxed) < self.waits.1 {
                thread::yield_now();
            }
            self.control.interrupt.fetch_or(self.interrupts, Relaxed);
        }
    }

    fn choose(&mut self, choices: &dyn Choices) -> Choice {
        self.random.choose(choices)
    }
}

/// Does a campaign of two workers in which run `waits.0` waits for `waits.1` runs to be done.
fn hesitantly<S: System>(
    system: &S,
    campaign: &Campaign<'_>,
    waits: (u64, u64),
    interrupts: bool,
) -> Report {
    let control: Arc<Control> = Arc::default();
    let waits = (run_seed(campaign.root, waits.0), waits.1);
    let strategy = || -> Box<dyn Strategy> {
        Box::new(Hesitant {
            random: Random::default(),
            control: control.clone(),
            waits,
            interrupts,
        })
    };
    fuzz(
        system,
        &Campaign {
            strategy: &strategy,
            ..campaign.clone()
        },
        &control,
    )
}

/// A chunk is 32 runs. The second worker finds a failure in the second chunk while the first is
/// held up in the first chunk, where there is one too.
#[test]
fn a_failure_found_late_counts_if_it_has_the_lesser_index() {
    let lock = CombinationLock::new(4);
    // A root does that has its first failure late in the first chunk, and another early in the
    // second one.
    let suits = |root: &u64| {
        let fails = |runs| {
            report(
                &lock,
                &Campaign {
                    root: *root,
                    ..campaign(runs, 1)
                },
            )
            .first_failure
        };
        let index = |failure: Option<Failure>| failure.map(|failure| failure.index);
        matches!(
            (index(fails(0..32)), index(fails(32..64))),
            (Some(10..), Some(..45))
        )
    };
    let root = (0..1000).find(suits).unwrap();
    let campaign = Campaign {
        root,
        ..campaign(0..10_000, 2)
    };
    let second = report(
        &lock,
        &Campaign {
            runs: 32..64,
            ..campaign.clone()
        },
    );
    let expected = report(&lock, &campaign);
    assert_eq!(
        hesitantly(&lock, &campaign, (0, second.runs), false),
        expected
    );
    assert_eq!(expected.failures, 1);
}

#[test]
fn an_interrupted_campaign_has_no_gaps() {
    let lock = CombinationLock::new(40);
    // Run 10 waits until 20 runs more than the ten before it are done, and then it is the last of
    // its chunk.
    let interrupted = hesitantly(&lock, &campaign(0..1_000_000, 2), (10, 30), true);
    assert_eq!((interrupted.runs, interrupted.interrupted), (11, true));
    assert_eq!(
        Report {
            interrupted: false,
            ..interrupted
        },
        report(&lock, &campaign(0..11, 1))
    );
}

#[test]
fn an_interrupted_campaign_does_not_lose_the_failure_that_it_found() {
    // Only run 40, in the second chunk, leads into this state.
    let mut runner = Runner::new(&LOCK_WIDE);
    runner.run(random().as_mut(), run_seed(1, 40), &mut ());
    let lock = CombinationLock {
        breaks_at: Some(*runner.state()),
        ..LOCK_WIDE
    };
    // 64 digits leave no other run that ends there; 9 runs of the second chunk end with the failing
    // one.
    let interrupted = hesitantly(&lock, &campaign(0..1_000_000, 2), (10, 19), true);
    assert_eq!(
        (
            interrupted.runs,
            interrupted.failures,
            interrupted.interrupted
        ),
        (11, 0, true)
    );
    assert_eq!(
        interrupted.first_failure.map(|failure| failure.index),
        Some(40)
    );
}

const LOCK_WIDE: CombinationLock = CombinationLock::new(64);

#[test]
fn a_promise_is_asked_for_after_every_step_and_before_the_first() {
    let steps_of = |digits, value| {
        let lock = CombinationLock {
            breaks_at: Some((digits, value)),
            ..CombinationLock::new(60)
        };
        let Outcome { end, steps, .. } = report(&lock, &campaign(0..10_000, 2))
            .first_failure
            .unwrap()
            .outcome;
        let message = format!("it broke at ({digits}, {value})");
        assert_eq!(end, End::Breached(Breach::new("stays-whole", message)));
        steps
    };
    assert_eq!(steps_of(0, 0), 0);
    assert_eq!(steps_of(3, 0b010), 3);
    assert_eq!(steps_of(8, 0b0101_0101), 8);
}

#[test]
fn a_campaign_may_end_at_the_last_seed() {
    let report = same_for_all_workers(&LOCK, &campaign(u64::MAX - 10..u64::MAX, 2));
    assert_eq!((report.runs, report.interrupted), (10, false));
}

#[test]
fn a_run_that_panics_says_which_it_was() {
    let solid = CombinationLock::new(64);
    let mut runner = Runner::new(&solid);
    let combination = |index| {
        runner.run(random().as_mut(), run_seed(1, index), &mut ());
        runner.state().1
    };
    let combinations: Vec<u64> = (0..200).map(combination).collect();
    let fragile = CombinationLock {
        digits: 64,
        panics_at: Some(combinations[123]),
        breaks_at: None,
    };
    let payload = catch_unwind(|| report(&fragile, &campaign(0..200, 2))).unwrap_err();
    let message = payload.downcast_ref::<String>().unwrap();
    assert_eq!(
        *message,
        format!(
            "run 123 (seed {:#x}) panicked: the lock fell to pieces",
            run_seed(1, 123)
        )
    );
}

/// Takes the last of what is possible, and holds what it is offered against what the watcher sees.
#[derive(Default)]
struct Curious {
    last: Option<(usize, Vec<String>)>,
}

impl Strategy for Curious {
    fn begin(&mut self, _seed: u64) {
        self.last = None;
    }

    fn choose(&mut self, choices: &dyn Choices) -> Choice {
        let names: Vec<String> = (0..choices.count())
            .map(|index| choices.name(index))
            .collect();
        for (index, name) in names.iter().enumerate() {
            assert_eq!(choices.index_of(name), Some(index));
            let before = self
                .last
                .as_ref()
                .and_then(|(_, before)| before.iter().position(|other| other == name));
            assert_eq!(choices.index_before(index), before);
            let worker = name.starts_with("worker");
            assert_eq!(choices.crew(index), worker.then_some(0));
            assert_eq!(choices.footprint(index).adds != 0, worker);
        }
        assert_eq!(choices.index_of("nobody"), None);
        let last = names.len() - 1;
        self.last = Some((last, names));
        Choice::Step(last)
    }

    fn rested(&mut self) -> Option<Divergence> {
        None
    }
}

#[test]
fn a_strategy_sees_what_is_possible() {
    let crew = Crew {
        workers: 3,
        bystander: Bystander::Ringer,
    };
    let mut recorder = Recorder::new();
    let outcome = Runner::new(&crew).run(&mut Curious::default(), 0, &mut recorder);
    assert_eq!((outcome.end, outcome.steps), (End::Rested, 5));
    let names: Vec<_> = recorder.schedule.names().collect();
    assert_eq!(
        names,
        [
            "bystander stands",
            "worker2 adds",
            "worker1 adds",
            "worker0 adds",
            "finisher finishes"
        ]
    );
    // A second run begins anew, wherever the first was ended.
    let mut runner = Runner::new(&crew);
    let mut curious = Curious::default();
    runner.steps_max = 2;
    assert_eq!(
        runner.run(&mut curious, 0, &mut ()),
        runner.run(&mut curious, 0, &mut ())
    );
    assert_eq!(runner.state().sum, 0b100);
}

#[test]
fn a_watcher_sees_states_before_and_after_each_step() {
    struct Witness(Vec<(u8, u8, Vec<Stored>)>, u8);
    impl Watcher<Counter> for Witness {
        fn before(&mut self, _: &Counter, state: &CounterState, _: CounterStep) {
            self.1 = state.value;
        }
        fn after(
            &mut self,
            _: &Counter,
            state: &CounterState,
            _: CounterStep,
            _: Footprint,
            seen: &[Stored],
        ) {
            self.0.push((self.1, state.value, seen.to_vec()));
        }
    }
    let counter = Counter {
        threads: 1,
        compare_and_swap: false,
    };
    let mut witness = Witness(Vec::new(), 9);
    let schedule = Schedule::parse("thread0 load\nthread0 store\n").unwrap();
    Runner::new(&counter).run(&mut Replay::new(schedule), 0, &mut witness);
    assert_eq!(
        witness.0,
        [
            (0, 0, vec![]),
            (
                0,
                1,
                vec![Stored {
                    thread: 0,
                    value: 1
                }]
            )
        ]
    );
}

/// The hash of a trace is that of what was seen, not of the steps that led to it.
#[test]
fn equal_traces_have_equal_hashes() {
    let crew = Crew {
        workers: 6,
        bystander: Bystander::Ringer,
    };
    let mut runner = Runner::new(&crew);
    let mut traces = BTreeSet::new();
    for seed in 0..200 {
        traces.insert(runner.run(random().as_mut(), seed, &mut ()).trace);
    }
    assert_eq!(
        traces.len(),
        2,
        "the bell rings before the end, or after it"
    );
}
