//! The stateless search sees every trace once: compared with the peers' numbers, with paper, and with
//! brute force.

mod common;

use proptest::prelude::*;
use sim::hash::fingerprint_of;
use sim::parts::Parts;
use sim::schedule::Schedule;
use sim::stateless::{End, Limits, Report, Stateless};
use sim::strategy::Replay;
use sim::toys::{Counter, Dining, GroupedBackup, TwoPhaseCommit};
use sim::{Breach, Footprint, System, run};
use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

fn toy(sizes: &str) -> GroupedBackup {
    sizes.parse().unwrap()
}

/// The report, and the fingerprints of the states of rest.
fn explore<S: System>(system: &S) -> (Report, BTreeSet<u128>) {
    explored(system, Stateless::new(system, Limits::NONE))
}

fn explored<S: System>(system: &S, exploration: Stateless<'_, S>) -> (Report, BTreeSet<u128>) {
    let mut resting = BTreeSet::new();
    let report = exploration.explore(&mut |state| {
        resting.insert(system.fingerprint(state));
    });
    assert_eq!((report.end, report.blocked), (End::Exhausted, 0));
    (report, resting)
}

/// A step with its actor and what it touched.
type Done<S> = (<S as System>::Step, usize, Footprint);

/// All traces, each as its least schedule, and the fingerprints of the states of rest; from all
/// schedules.
struct BruteForce<'s, S: System> {
    system: &'s S,
    word: Vec<Done<S>>,
    traces: BTreeSet<Vec<S::Step>>,
    resting: BTreeSet<u128>,
}

impl<'s, S: System> BruteForce<'s, S> {
    fn of(system: &'s S) -> BruteForce<'s, S> {
        let (word, traces, resting) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        let mut brute = BruteForce {
            system,
            word,
            traces,
            resting,
        };
        brute.visit(&system.initial());
        brute
    }

    fn visit(&mut self, state: &S::State) {
        let mut enabled = Vec::new();
        self.system.enabled(state, &mut enabled);
        if enabled.is_empty() {
            self.resting.insert(self.system.fingerprint(state));
            let trace = self.least_schedule();
            self.traces.insert(trace);
        }
        for step in enabled {
            let mut state = state.clone();
            let footprint = self.system.apply(&mut state, step, &mut Vec::new());
            self.word.push((step, self.system.actor(step), footprint));
            self.visit(&state);
            self.word.pop();
        }
    }

    /// Of the steps that nothing left before them depends on, always the least.
    fn least_schedule(&self) -> Vec<S::Step> {
        let dependent =
            |one: &Done<S>, other: &Done<S>| one.1 == other.1 || !one.2.independent(other.2);
        let (mut rest, mut least) = (self.word.clone(), Vec::new());
        while !rest.is_empty() {
            let free = |index: &usize| {
                !rest[..*index]
                    .iter()
                    .any(|before| dependent(before, &rest[*index]))
            };
            let first = (0..rest.len())
                .filter(free)
                .min_by_key(|index| rest[*index].0)
                .unwrap();
            least.push(rest.remove(first).0);
        }
        least
    }
}

/// Every trace once, and the same states of rest. Returns how many traces there are.
fn compare<S: System>(system: &S) -> u64 {
    let brute = BruteForce::of(system);
    let (report, resting) = explore(system);
    assert_eq!(report.executions, brute.traces.len() as u64);
    assert_eq!(resting, brute.resting);
    report.executions
}

fn compare_parts<S: Parts>(system: &S) -> u64 {
    let executions = compare(system);
    let (report, _) = explored(system, Stateless::of_parts(system, Limits::NONE));
    assert_eq!(report.executions, executions);
    executions
}

/// The race that loom explores in 138 to 288,780 executions, and, with three drives, in 501,895.
#[test]
fn the_empty_job_race_has_as_many_executions_as_traces() {
    let check = |sizes: &str, traces| {
        assert_eq!(compare_parts(&toy(sizes)), traces, "{sizes}");
    };
    check("2,1,0,1,0,fixed,forced", 4);
    check("2,1,0,1,0,fixed", 6);
    check("2,1,0,1,0,bug,forced", 6);
    check("2,1,0,1,0,bug", 10);
    check("3,1,0,1,0,fixed,forced", 60);
    check("3,1,0,1,0,fixed", 66);
    check("3,2,0,1,0,fixed,forced", 60);
    check("3,2,0,1,0,fixed", 126);
}

#[test]
fn guests_and_a_cancel_are_no_different() {
    for sizes in [
        "2,1,0,1,1,fixed",
        "1,1,1,1,1,fixed",
        "1,2,1,1,1,fixed",
        "2,1,0,1,1,bug",
        "3,1,0,0,1,fixed",
    ] {
        assert!(compare_parts(&toy(sizes)) > 1, "{sizes}");
    }
}

#[test]
fn toys_are_explored_as_by_brute_force() {
    for threads in 1..=3 {
        for compare_and_swap in [false, true] {
            compare(&Counter {
                threads,
                compare_and_swap,
            });
        }
    }
    for philosophers in 2..=4 {
        for left_handed_last in [false, true] {
            compare(&Dining {
                philosophers,
                left_handed_last,
            });
        }
    }
    for resource_managers in 1..=2 {
        compare(&TwoPhaseCommit { resource_managers });
    }
}

/// Threads that write variables once each, seen by nobody.
#[derive(Debug)]
struct Writers {
    threads: u8,
    /// Whether all write the same variable, rather than each its own.
    same: bool,
}

impl System for Writers {
    type State = Vec<u8>;
    type Step = u8;
    type Observation = ();

    fn initial(&self) -> Vec<u8> {
        Vec::new()
    }

    fn enabled(&self, written: &Vec<u8>, steps: &mut Vec<u8>) {
        steps.clear();
        steps.extend((0..self.threads).filter(|thread| !written.contains(thread)));
    }

    fn apply(&self, written: &mut Vec<u8>, step: u8, _seen: &mut Vec<()>) -> Footprint {
        written.push(step);
        if !self.same {
            written.sort_unstable();
        }
        let variable = if self.same { 0 } else { step };
        Footprint {
            writes: 1 << variable,
            ..Footprint::NONE
        }
    }

    fn judge(&self, _written: &Vec<u8>, _resting: bool) -> Result<(), Breach> {
        Ok(())
    }

    fn fingerprint(&self, written: &Vec<u8>) -> u128 {
        fingerprint_of(written)
    }

    fn name(&self, _written: &Vec<u8>, step: u8) -> String {
        format!("thread{step} writes")
    }

    fn actor(&self, step: u8) -> usize {
        step.into()
    }
}

#[test]
fn who_shares_nothing_has_one_trace() {
    let system = Writers {
        threads: 20,
        same: false,
    };
    let looked = |_: &Writers, _: &Vec<u8>, thread: usize| 1_u64 << thread;
    let (report, _) = explored(
        &system,
        Stateless::with_looked(&system, Limits::NONE, looked),
    );
    assert_eq!((report.executions, report.steps, report.depth), (1, 20, 20));
}

#[test]
fn writers_of_one_variable_come_in_every_order() {
    let mut factorial = 1;
    for threads in 1..=7 {
        factorial *= u64::from(threads);
        let (report, resting) = explore(&Writers {
            threads,
            same: true,
        });
        assert_eq!(
            (report.executions, resting.len() as u64),
            (factorial, factorial)
        );
    }
}

#[test]
fn the_first_broken_promise_comes_with_its_schedule() {
    let toy = toy("2,1,0,1,0,bug");
    let limits = Limits {
        stop_at_breach: true,
        ..Limits::NONE
    };
    let report = Stateless::of_parts(&toy, limits).explore(&mut |_| ());
    assert_eq!(report.end, End::Breached);
    let found = report.first_breach.unwrap();
    insta::assert_snapshot!(format!("{}\n{}", found.breach, found.schedule));

    let mut replay = Replay::new(Schedule::parse(&found.schedule.to_string()).unwrap());
    let outcome = run::Runner::new(&toy).run(&mut replay, 0, &mut ());
    assert_eq!(outcome.end, run::End::Breached(found.breach.clone()));

    let all = Stateless::of_parts(&toy, Limits::NONE).explore(&mut |_| ());
    assert_eq!((all.end, all.first_breach), (End::Exhausted, Some(found)));
}

#[test]
fn a_promise_about_rest_is_found_broken() {
    let system = Dining {
        philosophers: 3,
        left_handed_last: false,
    };
    let (report, _) = explore(&system);
    let found = report.first_breach.unwrap();
    assert_eq!(
        (found.breach.property, found.schedule.names().count()),
        ("no-deadlock", 3)
    );
    let (report, _) = explore(&Dining {
        philosophers: 3,
        left_handed_last: true,
    });
    assert_eq!(report.first_breach, None);
}

#[test]
fn budgets_end_an_exploration_and_say_so() {
    let toy = toy("3,1,0,1,0,fixed");
    let check = |limits: Limits<'_>, end| {
        let report = Stateless::of_parts(&toy, limits).explore(&mut |_| ());
        assert_eq!(report.end, end);
        report
    };
    assert_eq!(
        check(
            Limits {
                executions_max: 5,
                ..Limits::NONE
            },
            End::ExecutionsMax
        )
        .executions,
        5
    );
    assert_eq!(
        check(
            Limits {
                steps_max: 17,
                ..Limits::NONE
            },
            End::StepsMax
        )
        .steps,
        17
    );
    let interrupt = AtomicBool::new(true);
    assert_eq!(
        check(
            Limits {
                interrupt: Some(&interrupt),
                ..Limits::NONE
            },
            End::Interrupted
        )
        .steps,
        0
    );
    let cut = check(
        Limits {
            depth_max: 6,
            ..Limits::NONE
        },
        End::DepthMax,
    );
    assert_eq!((cut.executions, cut.depth), (0, 6));
    assert!(cut.cut > 1);
    check(
        Limits {
            depth_max: 14,
            ..Limits::NONE
        },
        End::Exhausted,
    );
}

#[test]
fn an_exploration_is_the_same_twice() {
    let toy = toy("3,1,0,1,0,bug");
    assert_eq!(explore(&toy), explore(&toy));
}

/// As by brute force, whether or not it is known by which variables an actor's steps are found.
fn compare_generated(system: &Generated) {
    let executions = compare(system);
    let looked = |system: &Generated, state: &GeneratedState, actor: usize| {
        let lines = system.actors.get(actor).into_iter();
        let line = lines
            .flat_map(|lines| lines.get(state.actors[actor].0))
            .flatten();
        line.flat_map(|alternative| &alternative.unless)
            .fold(0, |looked, (variable, _)| looked | 1 << variable)
    };
    let exploration = Stateless::with_looked(system, Limits::NONE, looked);
    assert_eq!(explored(system, exploration).0.executions, executions);
}

/// A generated system: actors with a few lines each; a line has alternatives, each with guards and
/// something that it does to one of three variables.
#[derive(Clone, Debug)]
struct Generated {
    actors: Vec<Vec<Vec<Alternative>>>,
}

#[derive(Clone, Debug)]
struct Alternative {
    /// Variables, and the value that each must not have.
    unless: Vec<(usize, u8)>,
    deed: Deed,
}

#[derive(Clone, Copy, Debug)]
enum Deed {
    Write(usize, u8),
    Add(usize),
    /// The actor remembers what it saw.
    Read(usize),
    Nothing,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct GeneratedState {
    variables: [u8; 3],
    /// By actor: how many lines it has done, and all it remembers.
    actors: Vec<(usize, Vec<u8>)>,
}

impl System for Generated {
    type State = GeneratedState;
    /// The actor, and which of its alternatives.
    type Step = (usize, usize);
    type Observation = ();

    fn initial(&self) -> GeneratedState {
        GeneratedState {
            variables: [0; 3],
            actors: vec![(0, Vec::new()); self.actors.len()],
        }
    }

    fn enabled(&self, state: &GeneratedState, steps: &mut Vec<(usize, usize)>) {
        steps.clear();
        for (actor, lines) in self.actors.iter().enumerate() {
            for (index, alternative) in lines
                .get(state.actors[actor].0)
                .into_iter()
                .flatten()
                .enumerate()
            {
                if alternative
                    .unless
                    .iter()
                    .all(|(variable, value)| state.variables[*variable] != *value)
                {
                    steps.push((actor, index));
                }
            }
        }
    }

    fn apply(
        &self,
        state: &mut GeneratedState,
        (actor, index): (usize, usize),
        _seen: &mut Vec<()>,
    ) -> Footprint {
        let (line, memory) = &mut state.actors[actor];
        let Alternative { unless, deed } = &self.actors[actor][*line][index];
        *line += 1;
        memory.push(index.try_into().unwrap());
        let mut footprint = Footprint::NONE;
        for (variable, _) in unless {
            footprint.reads |= 1 << variable;
        }
        match *deed {
            Deed::Write(variable, value) => {
                state.variables[variable] = value;
                footprint.writes |= 1 << variable;
            }
            Deed::Add(variable) => {
                state.variables[variable] += 1;
                footprint.adds |= 1 << variable;
            }
            Deed::Read(variable) => {
                memory.push(state.variables[variable]);
                footprint.reads |= 1 << variable;
            }
            Deed::Nothing => {}
        }
        footprint
    }

    fn judge(&self, _state: &GeneratedState, _resting: bool) -> Result<(), Breach> {
        Ok(())
    }

    fn fingerprint(&self, state: &GeneratedState) -> u128 {
        fingerprint_of(state)
    }

    fn name(&self, _state: &GeneratedState, (actor, index): (usize, usize)) -> String {
        format!("actor{actor} does {index}")
    }

    fn actor(&self, (actor, _): (usize, usize)) -> usize {
        actor
    }
}

fn generated(guards_max: usize, alternatives_max: usize) -> impl Strategy<Value = Generated> {
    let deed = prop_oneof![
        (0..3_usize, 0..3_u8).prop_map(|(variable, value)| Deed::Write(variable, value)),
        (0..3_usize).prop_map(Deed::Add),
        (0..3_usize).prop_map(Deed::Read),
        Just(Deed::Nothing),
    ];
    let guards = prop::collection::vec((0..3_usize, 0..3_u8), 0..=guards_max);
    let alternative = (guards, deed).prop_map(|(unless, deed)| Alternative { unless, deed });
    let line = prop::collection::vec(alternative, 1..=alternatives_max);
    let lines = prop::collection::vec(line, 0..=3);
    prop::collection::vec(lines, 1..=4)
        .prop_filter("few schedules", |actors| {
            let lines: usize = actors.iter().map(Vec::len).sum();
            let alternatives: usize = actors.iter().flatten().map(Vec::len).product();
            lines <= 7 && alternatives <= 16
        })
        .prop_map(|actors| Generated { actors })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn generated_systems_without_guards_are_explored_as_by_brute_force(system in generated(0, 2)) {
        compare_generated(&system);
    }

    #[test]
    fn generated_systems_with_one_guard_are_explored_as_by_brute_force(system in generated(1, 2)) {
        compare_generated(&system);
    }

    #[test]
    fn generated_systems_with_two_guards_are_explored_as_by_brute_force(system in generated(2, 2)) {
        compare_generated(&system);
    }
}
