//! The search, on systems whose states, layers and failures can be worked out on paper.

mod common;

use common::Ring;
use rustc_hash::FxHashSet;
use sim::parts::{Parts, Whole};
use sim::schedule::Schedule;
use sim::search::{Control, Keep, Limit, Options, Order, Report, Verdict, goes_round, search};
use sim::toys::{Bystander, Counter, Crew, Dining, GroupedBackup, TwoPhaseCommit};
use sim::{Breach, Footprint, System};
use std::num::NonZeroUsize;

fn check<S: Parts>(system: &S, options: Options) -> Report<S::Step> {
    search(system, &options, &Control::default())
}

fn full() -> Options {
    Options {
        reduce: false,
        ..Options::default()
    }
}

fn grouped(sizes: &str) -> GroupedBackup {
    sizes.parse().unwrap()
}

fn two_phase(resource_managers: u8) -> Whole<TwoPhaseCommit> {
    Whole(TwoPhaseCommit { resource_managers })
}

#[test]
fn two_phase_commit_has_as_many_states_as_on_paper() {
    for (resource_managers, states) in [(3, 288), (5, 8832)] {
        let report = check(&two_phase(resource_managers), full());
        assert_eq!(report.verdict, Verdict::Verified);
        assert_eq!(report.states, states);
        assert_eq!(report.layers.iter().sum::<u64>(), states);
        assert_eq!(report.omission_odds, 0.0);
    }
}

/// As many multisets instead of sequences: of 4, 2 and 6 kinds, of n each.
#[test]
fn like_resource_managers_need_not_be_told_apart() {
    for (resource_managers, all, orbits) in [(3, 288, 20 + 4 + 56), (5, 8832, 56 + 6 + 252)] {
        let toy = TwoPhaseCommit { resource_managers };
        let unreduced = Options {
            symmetry: false,
            ..full()
        };
        assert_eq!(check(&toy, unreduced).states, all);
        let jobs = NonZeroUsize::new(3).unwrap();
        for options in [full(), Options { jobs, ..full() }] {
            let report = check(&toy, options);
            assert_eq!((report.verdict, report.states), (Verdict::Verified, orbits));
        }
    }
}

/// The counts that all peers agree on, and every reduction finds the same ends and the same answer.
#[test]
fn grouped_backup_is_searched_as_the_peers_search_it() {
    for (sizes, states, transitions) in [
        ("1,2,2,1,1,fixed", 222, 339),
        ("2,1,0,1,0,fixed", 24, 32),
        ("2,1,1,1,1,fixed", 888, 1890),
        ("2,2,1,1,1,fixed", 5312, 12378),
        ("3,1,1,1,1,fixed", 14900, 44154),
        ("2,2,2,1,1,fixed", 62149, 173_327),
    ] {
        let toy = grouped(sizes);
        let unreduced = check(&toy, full());
        assert_eq!(unreduced.verdict, Verdict::Verified, "{sizes}");
        assert_eq!(
            (unreduced.states, unreduced.transitions),
            (states, transitions),
            "{sizes}"
        );
        for reduce in [false, true] {
            for sleep_sets in [false, true] {
                let options = Options {
                    reduce,
                    sleep_sets,
                    ..full()
                };
                let reduced = check(&toy, options);
                assert_eq!(reduced.verdict, Verdict::Verified, "{sizes} {options:?}");
                assert_eq!(
                    reduced.resting_digest, unreduced.resting_digest,
                    "{sizes} {options:?}"
                );
                assert!(reduced.transitions <= unreduced.transitions);
                if !reduce {
                    assert_eq!(reduced.states, states, "{sizes} {options:?}");
                }
                if sleep_sets && states > 30 {
                    assert!(
                        reduced.transitions < unreduced.transitions,
                        "{sizes} {options:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn every_way_of_searching_finds_the_bug_by_the_same_schedule() {
    let toy = grouped("2,1,0,1,0,bug");
    let shown = |options| match check(&toy, options).verdict {
        Verdict::Broken(found) => (found.breach.property, found.steps, found.shortest),
        other => panic!("{other:?}"),
    };
    let expected = shown(full());
    assert_eq!(
        (expected.0, expected.1.len(), expected.2),
        ("all-or-nothing", 6, true)
    );
    for order in [Order::Breadth, Order::Depth] {
        for (reduce, sleep_sets) in [(true, false), (true, true), (false, true)] {
            for keep in [Keep::Rows, Keep::Fingerprints] {
                let options = Options {
                    order,
                    reduce,
                    sleep_sets,
                    keep,
                    ..full()
                };
                assert_eq!(shown(options), expected, "{options:?}");
            }
        }
    }
}

/// Multinomial: of `threads` threads with `steps` independent steps each, the states are the
/// vectors of how far each is, and depth first finds as many as breadth first.
#[test]
fn independent_threads_have_a_grid_of_states() {
    for order in [Order::Breadth, Order::Depth] {
        let report = check(
            &Whole(Grid {
                threads: 3,
                steps: 4,
            }),
            Options { order, ..full() },
        );
        assert_eq!(report.verdict, Verdict::Verified);
        assert_eq!(report.states, 5 * 5 * 5);
        // Each thread goes on from 4 of its 5 places, wherever the others are.
        assert_eq!(report.transitions, 3 * 4 * 5 * 5);
        assert_eq!(report.resting, 1);
    }
}

#[test]
fn dining_philosophers_starve_after_each_has_taken_one_fork() {
    let dining = |left_handed_last| {
        Whole(Dining {
            philosophers: 4,
            left_handed_last,
        })
    };
    let report = check(&dining(false), full());
    let Verdict::Broken(found) = report.verdict else {
        panic!("{:?}", report.verdict)
    };
    assert_eq!(found.breach.property, "no-deadlock");
    assert!(found.shortest);
    let names: Vec<u8> = found.steps.iter().map(|step| step.0).collect();
    assert_eq!(names, [0, 1, 2, 3]);
    assert_eq!(check(&dining(true), full()).verdict, Verdict::Verified);
}

#[test]
fn the_counterexample_is_the_least_of_the_shortest() {
    let counter = Whole(Counter {
        threads: 3,
        compare_and_swap: false,
    });
    let report = check(&counter, full());
    let Verdict::Broken(found) = report.verdict else {
        panic!("{:?}", report.verdict)
    };
    let mut state = counter.initial();
    let names: Vec<String> = found
        .steps
        .iter()
        .map(|step| {
            let name = counter.name(&state, *step);
            counter.apply(&mut state, *step, &mut Vec::new());
            name
        })
        .collect();
    // Loads come before stores in the order of steps.
    let expected = [
        "thread0 load",
        "thread1 load",
        "thread2 load",
        "thread0 store",
        "thread1 store",
        "thread2 store",
    ];
    assert_eq!(names, expected);
}

#[test]
fn a_crew_is_searched_in_one_order() {
    let crew = Whole(Crew {
        workers: 12,
        bystander: Bystander::Ringer,
    });
    let unreduced = check(&crew, full());
    let reduced = check(&crew, Options::default());
    assert_eq!(unreduced.states, 2 * ((1 << 12) + 1));
    assert_eq!(reduced.states, 2 * (12 + 2));
    assert_eq!(reduced.resting_digest, unreduced.resting_digest);
    let auditor = Whole(Crew {
        workers: 6,
        bystander: Bystander::Auditor,
    });
    assert_eq!(
        check(&auditor, Options::default()).resting_digest,
        check(&auditor, full()).resting_digest
    );
}

#[test]
fn any_number_of_workers_any_order_and_fingerprints_find_the_same() {
    let one = check(&two_phase(5), full());
    for options in [
        Options {
            jobs: NonZeroUsize::new(2).unwrap(),
            ..full()
        },
        Options {
            jobs: NonZeroUsize::new(5).unwrap(),
            ..full()
        },
        Options {
            keep: Keep::Fingerprints,
            ..full()
        },
        Options {
            order: Order::Depth,
            ..full()
        },
    ] {
        let other = check(&two_phase(5), options);
        let what = |report: &Report<_>| {
            (
                report.states,
                report.transitions,
                report.resting,
                report.resting_digest,
            )
        };
        assert_eq!(what(&other), what(&one), "{options:?}");
    }
    let odds = check(
        &two_phase(5),
        Options {
            keep: Keep::Fingerprints,
            ..full()
        },
    )
    .omission_odds;
    assert!(odds > 0.0 && odds < 1e-11, "{odds}");
}

#[test]
fn limits_end_as_inconclusive() {
    let limited = |options| check(&two_phase(5), options).verdict;
    assert_eq!(
        limited(Options {
            states_max: 100,
            ..full()
        }),
        Verdict::Inconclusive(Limit::States)
    );
    assert_eq!(
        limited(Options {
            depth_max: 3,
            ..full()
        }),
        Verdict::Inconclusive(Limit::Depth)
    );
    assert_eq!(
        limited(Options {
            bytes_max: 100,
            ..full()
        }),
        Verdict::Inconclusive(Limit::Bytes)
    );
    // As deep as it is, which is no limit.
    let depth = check(&two_phase(5), full()).layers.len() as u64;
    assert_eq!(
        limited(Options {
            depth_max: depth - 1,
            ..full()
        }),
        Verdict::Verified
    );
    let control = Control::default();
    control
        .interrupt
        .store(true, std::sync::atomic::Ordering::Relaxed);
    let report = search(&two_phase(5), &full(), &control);
    assert_eq!(report.verdict, Verdict::Inconclusive(Limit::Interrupt));
}

#[test]
fn a_run_that_need_never_rest_is_found_if_it_is_fair() {
    let ring = Whole(Ring { leaves: false });
    let Verdict::Broken(found) = check(&ring, Options::default()).verdict else {
        panic!("a cycle was missed")
    };
    assert_eq!(found.breach.property, "every-run-rests");
    assert_eq!((found.steps.len(), found.cycle.len()), (2, 3));
    // Written down and followed again, it is the same.
    let schedule = |count: usize| {
        let mut schedule = Schedule::new();
        (0..count).for_each(|_| schedule.push("on".to_owned()));
        schedule
    };
    assert_eq!(goes_round(&ring, &schedule(5)), Some(found.breach));
    assert_eq!(goes_round(&ring, &schedule(4)), None);
    // Somebody else can end it, and would in the end.
    assert_eq!(
        check(&Whole(Ring { leaves: true }), Options::default()).verdict,
        Verdict::Verified
    );
}

/// `threads` threads with `steps` steps each that concern nobody else.
#[derive(Clone, Copy, Debug)]
struct Grid {
    threads: usize,
    steps: u8,
}

impl System for Grid {
    type State = Vec<u8>;
    type Step = usize;
    type Observation = ();

    fn initial(&self) -> Vec<u8> {
        vec![0; self.threads]
    }

    fn enabled(&self, state: &Vec<u8>, steps: &mut Vec<usize>) {
        steps.clear();
        steps.extend((0..self.threads).filter(|n| state[*n] < self.steps));
    }

    fn apply(&self, state: &mut Vec<u8>, step: usize, _: &mut Vec<()>) -> Footprint {
        state[step] += 1;
        Footprint {
            writes: 1 << step,
            ..Footprint::NONE
        }
    }

    fn judge(&self, _: &Vec<u8>, _: bool) -> Result<(), Breach> {
        Ok(())
    }

    fn fingerprint(&self, state: &Vec<u8>) -> u128 {
        sim::hash::fingerprint_of(state)
    }

    fn name(&self, _: &Vec<u8>, step: usize) -> String {
        format!("thread{step}")
    }
}

#[test]
fn resting_states_are_those_of_a_plain_search() {
    let system = TwoPhaseCommit {
        resource_managers: 3,
    };
    let (mut open, mut visited) = (vec![system.initial()], FxHashSet::default());
    let (mut resting, mut digest) = (0, 0_u128);
    let mut steps = Vec::new();
    while let Some(state) = open.pop() {
        if !visited.insert(state.clone()) {
            continue;
        }
        system.enabled(&state, &mut steps);
        if steps.is_empty() {
            resting += 1;
            digest = digest.wrapping_add(system.fingerprint(&state));
        }
        for step in &steps {
            let mut after = state.clone();
            system.apply(&mut after, *step, &mut Vec::new());
            open.push(after);
        }
    }
    let report = check(&Whole(system), full());
    assert_eq!((report.resting, report.resting_digest), (resting, digest));
}
