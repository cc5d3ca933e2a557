//! What a campaign finds, beside its first failure: kinds of failures, how much is new, and itself at fault.

mod common;

use common::{CombinationLock, traces};
use sim::fuzz::{Campaign, Control, Report, fuzz};
use sim::hash::fingerprint_of;
use sim::strategy::{Random, Strategy};
use sim::toys::{Bystander, Counter, Crew, Dining};
use sim::{Breach, Footprint, System};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

fn random() -> Box<dyn Strategy> {
    Box::new(Random::default())
}

fn campaign(runs: u64) -> Campaign<'static> {
    Campaign {
        root: 1,
        runs: 0..runs,
        strategy: &random,
        steps_max: 1000,
        stop_at_failure: false,
        doublecheck: false,
        jobs: NonZeroUsize::new(2).unwrap(),
    }
}

fn report<S: System>(system: &S, campaign: &Campaign<'_>) -> Report {
    fuzz(system, campaign, &Control::default())
}

/// The naive counter of three threads ends with 1 or 2; both are failures that differ by a number only.
#[test]
fn failures_of_one_kind_are_one_finding() {
    let counter = Counter {
        threads: 3,
        compare_and_swap: false,
    };
    let report = report(&counter, &campaign(1000));
    let [finding] = &report.findings[..] else {
        panic!("{:?}", report.findings)
    };
    assert_eq!(
        finding.signature,
        "no-lost-update: # threads have incremented the counter to #"
    );
    assert_eq!(finding.runs, report.failures);
    assert_eq!(Some(&finding.first), report.first_failure.as_ref());
}

#[test]
fn failures_of_two_kinds_are_two_findings_in_the_order_of_the_runs() {
    let lock = CombinationLock {
        breaks_at: Some((3, 0b101)),
        ..CombinationLock::new(5)
    };
    let report = report(&lock, &campaign(1000));
    let [first, second] = &report.findings[..] else {
        panic!("{:?}", report.findings)
    };
    assert_eq!(first.signature, "stays-whole: it broke at (#, #)");
    assert_eq!(second.signature, "stays-shut: all # digits are #");
    assert!(first.first.index < second.first.index);
    assert_eq!(first.runs + second.runs, report.failures);
    // On paper one run in 8 and one in 32.
    assert!((90..160).contains(&first.runs), "{}", first.runs);
    assert!((14..50).contains(&second.runs), "{}", second.runs);
}

#[test]
fn a_campaign_that_saw_everything_says_so() {
    let counter = Counter {
        threads: 3,
        compare_and_swap: true,
    };
    let all = traces(&counter);
    let report = report(&counter, &campaign(2000));
    assert_eq!(report.traces.distinct, all.len() as u64);
    assert_eq!(report.chance_of_new_trace(), 0.0);
    // Whoever was last, all three have added one.
    assert_eq!(report.rests.distinct, 1);
    assert!(!report.traces.estimated);
}

/// Forty digits: no two of these runs are alike.
#[test]
fn a_campaign_that_saw_only_new_things_expects_more() {
    let report = report(&CombinationLock::new(40), &campaign(2000));
    assert_eq!((report.traces.distinct, report.traces.once), (2000, 2000));
    assert_eq!(report.rests.distinct, 2000);
    assert_eq!(report.chance_of_new_trace(), 1.0);
}

/// Eleven digits are 2048 traces: after as many runs the share of those not seen is 1 / e on average.
#[test]
fn a_campaign_half_way_knows_how_much_is_missing() {
    let lock = CombinationLock::new(11);
    let report = report(&lock, &campaign(2048));
    let missing = 1.0 - report.traces.distinct as f64 / 2048.0;
    assert!((missing - report.chance_of_new_trace()).abs() < 0.04);
    assert!((missing - 0.368).abs() < 0.04, "{missing}");
}

#[test]
fn only_runs_that_rest_have_a_resting_state() {
    let limited = Campaign {
        steps_max: 3,
        ..campaign(100)
    };
    let report = report(&CombinationLock::new(5), &limited);
    assert_eq!((report.traces.distinct, report.rests.distinct), (8, 0));
}

/// Half the steps of this one look alike from run to run; then it looks at a counter of its own.
struct Forgetful {
    /// What differs: what is shown, the state, the footprint, or what is possible.
    at_fault: Fault,
    calls: AtomicU64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    Shows,
    State,
    Touches,
    Offers,
    Judges,
    Nothing,
}

impl Forgetful {
    fn new(at_fault: Fault) -> Forgetful {
        Forgetful {
            at_fault,
            calls: AtomicU64::new(0),
        }
    }

    /// How often this was asked before, if that is the fault.
    fn calls(&self, fault: Fault, state: (u64, u64)) -> u64 {
        match self.at_fault == fault && state.0 == 4 {
            true => self.calls.fetch_add(1, Relaxed),
            false => 0,
        }
    }
}

impl System for Forgetful {
    /// How many steps were done, and what was remembered of them.
    type State = (u64, u64);
    type Step = u64;
    type Observation = u64;

    fn initial(&self) -> (u64, u64) {
        (0, 0)
    }

    fn enabled(&self, state: &(u64, u64), steps: &mut Vec<u64>) {
        steps.clear();
        if state.0 < 8 {
            steps.push(self.calls(Fault::Offers, *state));
        }
    }

    fn apply(&self, state: &mut (u64, u64), _step: u64, seen: &mut Vec<u64>) -> Footprint {
        seen.push(self.calls(Fault::Shows, *state));
        let touched = self.calls(Fault::Touches, *state);
        *state = (state.0 + 1, self.calls(Fault::State, *state));
        Footprint {
            writes: touched,
            ..Footprint::NONE
        }
    }

    fn judge(&self, state: &(u64, u64), resting: bool) -> Result<(), Breach> {
        if !resting && self.calls(Fault::Judges, *state) == 11 {
            let message = "now and then".to_owned();
            return Err(Breach::new("whim", message));
        }
        Ok(())
    }

    fn fingerprint(&self, state: &(u64, u64)) -> u128 {
        fingerprint_of(state)
    }

    fn name(&self, _state: &(u64, u64), step: u64) -> String {
        format!("step {step}")
    }
}

fn doublechecked(fault: Fault) -> Report {
    let twice = Campaign {
        doublecheck: true,
        jobs: NonZeroUsize::MIN,
        ..campaign(100)
    };
    report(&Forgetful::new(fault), &twice)
}

#[test]
fn doublecheck_catches_what_is_no_function_of_the_seed() {
    let check = |fault: Fault, expected: &str| {
        let report = doublechecked(fault);
        let found = report.nondeterminism.unwrap();
        assert_eq!(found.difference.to_string(), expected, "{fault:?}");
        assert!(!report.interrupted);
        found.index
    };
    check(
        Fault::Shows,
        "at step 5 what it shows differs\n  first   step 0: [0]\n  then    step 0: [1]",
    );
    check(
        Fault::Offers,
        "at step 5 the step itself differs\n  first   step 0\n  then    step 1",
    );
    let late = check(
        Fault::Judges,
        "at step 5 the end differs\n  first   Rested after 8 steps\n  then    Breached(Breach { property: \"whim\", message: \"now and then\", known: None }) after 4 steps",
    );
    // Calls 10 and 11 are the sixth run's.
    assert_eq!(late, 5);
    let state = doublechecked(Fault::State).nondeterminism.unwrap();
    assert_eq!(
        (state.index, state.difference.step, state.difference.what),
        (0, 5, "the state after it")
    );
    let touches = doublechecked(Fault::Touches).nondeterminism.unwrap();
    assert_eq!(touches.difference.what, "what it touches");
}

#[test]
fn doublecheck_is_silent_where_all_is_well_and_changes_no_result() {
    assert_eq!(doublechecked(Fault::Nothing).nondeterminism, None);
    fn check<S: System>(system: &S) {
        let twice = Campaign {
            doublecheck: true,
            ..campaign(500)
        };
        assert_eq!(report(system, &twice), report(system, &campaign(500)));
    }
    check(&Crew {
        workers: 9,
        bystander: Bystander::Auditor,
    });
    check(&Dining {
        philosophers: 4,
        left_handed_last: false,
    });
}
