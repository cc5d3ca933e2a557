//! The toys have the numbers that their papers say, and what they claim to commute does.

mod common;

use common::{traces, visit};
use sim::reduce::audit;
use sim::toys::{Bystander, Counter, Crew, Dining, TwoPhaseCommit};
use sim::{Breach, System};

/// How many states there are, and which promises are broken in some of them.
fn check<S: System>(system: &S, states: usize, broken: &[&str]) {
    let mut enabled = Vec::new();
    let mut found = Vec::new();
    let visited = visit(system, false, &mut |state| {
        system.enabled(state, &mut enabled);
        if let Err(Breach { property, .. }) = system.judge(state, enabled.is_empty()) {
            found.push(property);
        }
    });
    found.sort_unstable();
    found.dedup();
    assert_eq!((visited, found.as_slice()), (states, broken));
}

#[test]
fn two_phase_commit_has_as_many_states_as_on_paper() {
    for n in 1..=5_u8 {
        let on_paper = 4_usize.pow(n.into()) + 2_usize.pow(n.into()) + 6_usize.pow(n.into());
        check(
            &TwoPhaseCommit {
                resource_managers: n,
            },
            on_paper,
            &[],
        );
    }
}

#[test]
fn two_phase_commit_has_as_many_states_as_stateright_finds() {
    check(
        &TwoPhaseCommit {
            resource_managers: 3,
        },
        288,
        &[],
    );
    check(
        &TwoPhaseCommit {
            resource_managers: 5,
        },
        8_832,
        &[],
    );
}

#[test]
fn two_philosophers_have_thirteen_states() {
    check(
        &Dining {
            philosophers: 2,
            left_handed_last: false,
        },
        13,
        &["no-deadlock"],
    );
}

#[test]
fn philosophers_deadlock_unless_one_is_left_handed() {
    for philosophers in 2..=5 {
        for left_handed_last in [false, true] {
            let mut deadlocks = 0;
            let system = Dining {
                philosophers,
                left_handed_last,
            };
            let mut enabled = Vec::new();
            visit(&system, false, &mut |state| {
                system.enabled(state, &mut enabled);
                deadlocks += usize::from(enabled.is_empty() && system.judge(state, true).is_err());
            });
            assert_eq!(deadlocks, usize::from(!left_handed_last), "{system:?}");
        }
    }
}

#[test]
fn a_deadlock_says_who_waits_for_whom() {
    let system = Dining {
        philosophers: 2,
        left_handed_last: false,
    };
    let mut state = system.initial();
    let mut enabled = Vec::new();
    for name in ["philosopher0 takes fork0", "philosopher1 takes fork1"] {
        system.enabled(&state, &mut enabled);
        let step = system.parse(&state, &enabled, name).unwrap();
        system.apply(&mut state, step, &mut Vec::new());
    }
    let breach = system.judge(&state, true).unwrap_err();
    assert_eq!(
        breach.to_string(),
        "no-deadlock: philosopher0 waits for fork1 of philosopher1, philosopher1 waits for fork0 of philosopher0"
    );
}

/// Two loads and two stores in six orders. The stores are seen, and with them which update was
/// lost.
#[test]
fn a_counter_loses_an_update_in_four_of_six_orders() {
    let naive = traces(&Counter {
        threads: 2,
        compare_and_swap: false,
    });
    let found: Vec<(String, u32)> = naive
        .into_iter()
        .map(|(trace, count)| (trace.join(", "), count))
        .collect();
    let stored = |thread: u8, value: u8| format!("Stored {{ thread: {thread}, value: {value} }}");
    let word = |first: String, second: String| format!("{first}, {second}");
    assert_eq!(
        found,
        [
            (word(stored(0, 1), stored(1, 1)), 2), // both loads, then the stores
            (word(stored(0, 1), stored(1, 2)), 1), // serial
            (word(stored(1, 1), stored(0, 1)), 2),
            (word(stored(1, 1), stored(0, 2)), 1),
        ]
    );
}

#[test]
fn compare_and_swap_loses_nothing() {
    for threads in 1..=4 {
        for compare_and_swap in [false, true] {
            let system = Counter {
                threads,
                compare_and_swap,
            };
            let mut enabled = Vec::new();
            let mut lost = false;
            visit(&system, false, &mut |state| {
                system.enabled(state, &mut enabled);
                lost |= enabled.is_empty() && system.judge(state, true).is_err();
            });
            assert_eq!(lost, !compare_and_swap && threads > 1, "{system:?}");
        }
    }
}

#[test]
fn a_crew_has_one_state_for_each_sum_and_one_more() {
    for workers in 1..=10_u8 {
        check(
            &Crew {
                workers,
                bystander: Bystander::Nobody,
            },
            (1 << workers) + 1,
            &[],
        );
    }
}

#[test]
fn the_reduction_leaves_one_order_of_a_crew() {
    for workers in [1_u8, 2, 10, 64] {
        let nobody = Crew {
            workers,
            bystander: Bystander::Nobody,
        };
        assert_eq!(visit(&nobody, true, &mut |_| ()), usize::from(workers) + 2);
        // The bell has rung or it has not.
        let ringer = Crew {
            workers,
            bystander: Bystander::Ringer,
        };
        assert_eq!(
            visit(&ringer, true, &mut |_| ()),
            2 * (usize::from(workers) + 2)
        );
    }
}

/// Any partial sum may be what the auditor reads, so all of them are visited, before the audit and
/// after it.
#[test]
fn the_reduction_spares_a_crew_that_is_watched() {
    for workers in [1, 2, 8] {
        let system = Crew {
            workers,
            bystander: Bystander::Auditor,
        };
        assert_eq!(visit(&system, true, &mut |_| ()), 2 * ((1 << workers) + 1));
    }
}

fn audit_everywhere<S: System>(system: &S) {
    visit(system, false, &mut |state| audit(system, state).unwrap());
}

#[test]
fn what_the_toys_claim_to_commute_does() {
    audit_everywhere(&TwoPhaseCommit {
        resource_managers: 4,
    });
    for left_handed_last in [false, true] {
        audit_everywhere(&Dining {
            philosophers: 4,
            left_handed_last,
        });
    }
    for compare_and_swap in [false, true] {
        audit_everywhere(&Counter {
            threads: 3,
            compare_and_swap,
        });
    }
    for bystander in [Bystander::Nobody, Bystander::Ringer, Bystander::Auditor] {
        audit_everywhere(&Crew {
            workers: 6,
            bystander,
        });
    }
}
