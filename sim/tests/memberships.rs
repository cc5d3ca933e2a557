//! The words that a membership accepts are the traces of the system, with the reduction and without
//! it.

mod common;

use common::traces;
use proptest::prelude::*;
use sim::hash::fingerprint_of;
use sim::language::{Automaton, Language};
use sim::membership::{Advance, Membership, Options, TooManyWorlds};
use sim::reduce::audit;
use sim::run::{Recorder, Runner};
use sim::strategy::Random;
use sim::toys::{Ate, Bystander, Counter, Crew, CrewSight, Dining, Stored, TwoPhaseCommit};
use sim::{Breach, Footprint, System};
use std::collections::BTreeSet;

/// All words that are accepted and after which the system can rest, found by asking what is
/// expected.
fn language<S: System>(system: &S, reduce: bool) -> BTreeSet<Vec<String>> {
    let mut words = BTreeSet::new();
    let membership = Membership::with_options(
        system,
        Options {
            reduce,
            ..Options::default()
        },
    );
    speak(&membership, &mut Vec::new(), &mut words);
    words
}

fn speak<S: System>(
    membership: &Membership<'_, S>,
    word: &mut Vec<String>,
    words: &mut BTreeSet<Vec<String>>,
) {
    if membership.can_rest().unwrap() {
        words.insert(word.clone());
    }
    let Advance::Rejected { expected, .. } = membership.clone().advance(&mut |_| false) else {
        panic!("what is never accepted is rejected")
    };
    for observation in expected {
        let mut next = membership.clone();
        assert!(matches!(
            next.advance(&mut |seen| *seen == observation),
            Advance::Possible { .. }
        ));
        word.push(format!("{observation:?}"));
        speak(&next, word, words);
        word.pop();
    }
}

/// The reference does every schedule from its beginning to its end.
fn check_language<S: System>(system: &S) -> usize {
    let reference: BTreeSet<Vec<String>> = traces(system).into_keys().collect();
    assert_eq!(language(system, false), reference, "without reduction");
    assert_eq!(language(system, true), reference, "with reduction");
    reference.len()
}

/// Leads a new membership along a word and returns it with the result of the last observation.
fn advance<'s, S: System>(
    system: &'s S,
    word: &[S::Observation],
) -> (Membership<'s, S>, Advance<S::Observation>) {
    let mut membership = Membership::new(system);
    let mut last = Advance::Possible { worlds: 1 };
    for observation in word {
        assert!(
            matches!(last, Advance::Possible { .. }),
            "{last:?} before {observation:?}"
        );
        last = membership.advance(&mut |seen| seen == observation);
    }
    (membership, last)
}

#[test]
fn the_language_is_the_set_of_traces() {
    // The four words of `a_counter_loses_an_update_in_four_of_six_orders`, and the two serial ones.
    assert_eq!(
        check_language(&Counter {
            threads: 2,
            compare_and_swap: false
        }),
        4
    );
    assert_eq!(
        check_language(&Counter {
            threads: 2,
            compare_and_swap: true
        }),
        2
    );
    assert_eq!(
        check_language(&Counter {
            threads: 3,
            compare_and_swap: true
        }),
        6
    );
    // The empty word of the deadlock, and who eats first.
    assert_eq!(
        check_language(&Dining {
            philosophers: 2,
            left_handed_last: false
        }),
        3
    );
    assert_eq!(
        check_language(&Dining {
            philosophers: 2,
            left_handed_last: true
        }),
        2
    );
    check_language(&Dining {
        philosophers: 3,
        left_handed_last: true,
    });
    check_language(&TwoPhaseCommit {
        resource_managers: 2,
    });
}

#[test]
fn the_language_of_a_crew_is_as_large_as_on_paper() {
    let check =
        |workers, bystander, words| assert_eq!(check_language(&Crew { workers, bystander }), words);
    check(4, Bystander::Nobody, 1);
    check(4, Bystander::Ringer, 2);
    // The audit reads one of the 2⁴ sums before the end, or the total after it.
    check(4, Bystander::Auditor, 17);
}

#[test]
fn what_is_shown_in_one_step_is_seen_in_one_piece() {
    let crew = Crew {
        workers: 2,
        bystander: Bystander::Ringer,
    };
    let (membership, last) = advance(&crew, &[CrewSight::Sum(3)]);
    assert_eq!(last, Advance::Possible { worlds: 1 });
    assert_eq!(membership.worlds()[0].due, [CrewSight::Finished]);
    assert_eq!(membership.can_rest(), Ok(false), "something is due");
    let (_, last) = advance(&crew, &[CrewSight::Sum(3), CrewSight::Bell]);
    assert_eq!(
        last,
        Advance::Rejected {
            expected: vec![CrewSight::Finished],
            worlds: 1
        }
    );
    let (membership, last) = advance(
        &crew,
        &[CrewSight::Sum(3), CrewSight::Finished, CrewSight::Bell],
    );
    assert_eq!(
        (last, membership.can_rest()),
        (Advance::Possible { worlds: 1 }, Ok(true))
    );
}

#[test]
fn what_is_rejected_says_what_was_expected_and_changes_nothing() {
    let stored = |thread, value| Stored { thread, value };
    let counter = Counter {
        threads: 3,
        compare_and_swap: true,
    };
    let (mut membership, last) = advance(&counter, &[stored(1, 1), stored(2, 1)]);
    let expected = vec![stored(0, 2), stored(2, 2)];
    let Advance::Rejected {
        expected: found,
        worlds,
    } = last
    else {
        panic!("{last:?}")
    };
    assert_eq!(found, expected);
    assert_eq!(worlds, membership.worlds().len());
    assert_eq!(membership.can_rest(), Ok(false));
    assert!(matches!(
        membership.advance(&mut |seen| *seen == stored(2, 2)),
        Advance::Possible { .. }
    ));
    assert!(matches!(
        membership.advance(&mut |seen| *seen == stored(0, 3)),
        Advance::Possible { .. }
    ));
    assert_eq!(membership.can_rest(), Ok(true));
    assert_eq!(
        membership.advance(&mut |_| true),
        Advance::Rejected {
            expected: vec![],
            worlds: 1
        }
    );
}

#[test]
fn a_pattern_keeps_every_world_that_fits_it_and_is_asked_once_for_each_observation() {
    let counter = Counter {
        threads: 3,
        compare_and_swap: false,
    };
    let mut membership = Membership::new(&counter);
    let mut asked = Vec::new();
    let last = membership.advance(&mut |seen| {
        asked.push(*seen);
        seen.thread != 1
    });
    asked.sort_unstable_by_key(|seen| seen.thread);
    assert_eq!(asked, [0, 1, 2].map(|thread| Stored { thread, value: 1 }));
    // One of two has stored, and each of the others may have loaded before that.
    assert_eq!(last, Advance::Possible { worlds: 2 * 4 });
}

#[test]
fn a_resting_world_is_told_from_one_that_goes_on() {
    let dining = Dining {
        philosophers: 2,
        left_handed_last: false,
    };
    assert_eq!(
        Membership::new(&dining).can_rest(),
        Ok(true),
        "they may starve"
    );
    let polite = Dining {
        philosophers: 2,
        left_handed_last: true,
    };
    assert_eq!(Membership::new(&polite).can_rest(), Ok(false));
    let (membership, _) = advance(&polite, &[Ate(1), Ate(0)]);
    assert_eq!(membership.can_rest(), Ok(true));
}

#[test]
fn what_is_expected_comes_in_a_fixed_order() {
    let counter = Counter {
        threads: 9,
        compare_and_swap: true,
    };
    let expected = (0..9).map(|thread| Stored { thread, value: 1 }).collect();
    let mut membership = Membership::new(&counter);
    assert_eq!(
        membership.advance(&mut |_| false),
        Advance::Rejected {
            expected,
            worlds: 1
        }
    );
}

/// One step that shows a greeting and then one of two things, and leads into one state whichever it
/// is.
struct Greeting;

impl System for Greeting {
    type State = bool;
    type Step = &'static str;
    type Observation = &'static str;

    fn initial(&self) -> bool {
        false
    }

    fn enabled(&self, done: &bool, steps: &mut Vec<&'static str>) {
        steps.clear();
        if !done {
            steps.extend(["moon", "world"]);
        }
    }

    fn apply(
        &self,
        done: &mut bool,
        step: &'static str,
        seen: &mut Vec<&'static str>,
    ) -> Footprint {
        *done = true;
        seen.extend(["hello", step]);
        Footprint {
            writes: 1,
            ..Footprint::NONE
        }
    }

    fn judge(&self, _done: &bool, _resting: bool) -> Result<(), Breach> {
        Ok(())
    }

    fn fingerprint(&self, done: &bool) -> u128 {
        fingerprint_of(done)
    }

    fn name(&self, _done: &bool, step: &'static str) -> String {
        step.to_owned()
    }
}

#[test]
fn what_is_due_tells_worlds_apart() {
    assert_eq!(check_language(&Greeting), 2);
    let (mut membership, last) = advance(&Greeting, &["hello"]);
    assert_eq!(last, Advance::Possible { worlds: 2 });
    assert_eq!(
        membership.advance(&mut |_| true),
        Advance::Possible { worlds: 1 }
    );
}

/// The limit shows that the worlds between two observations are few: 64 workers in one order, with
/// the bell rung or not.
#[test]
fn sixty_four_workers_are_one_crew() {
    let crew = Crew {
        workers: 64,
        bystander: Bystander::Ringer,
    };
    for word in [
        [
            CrewSight::Bell,
            CrewSight::Sum(u64::MAX),
            CrewSight::Finished,
        ],
        [
            CrewSight::Sum(u64::MAX),
            CrewSight::Finished,
            CrewSight::Bell,
        ],
    ] {
        let mut membership = Membership::with_options(
            &crew,
            Options {
                worlds_max: 130,
                ..Options::default()
            },
        );
        for observation in word {
            let last = membership.advance(&mut |seen| *seen == observation);
            assert!(matches!(last, Advance::Possible { .. }), "{last:?}");
        }
        assert_eq!(membership.can_rest(), Ok(true));
    }
}

#[test]
fn too_many_worlds_are_an_answer_too() {
    let crew = Crew {
        workers: 64,
        bystander: Bystander::Auditor,
    };
    let mut membership = Membership::with_options(
        &crew,
        Options {
            worlds_max: 1000,
            ..Options::default()
        },
    );
    let too_many = TooManyWorlds::Count(1000);
    assert_eq!(
        membership.advance(&mut |_| true),
        Advance::TooManyWorlds(too_many)
    );
    assert_eq!(membership.can_rest(), Err(too_many));
    assert_eq!(membership.worlds().len(), 1);
    // Few worlds between two observations, but many right after one.
    let crew = Crew {
        workers: 7,
        bystander: Bystander::Auditor,
    };
    let mut membership = Membership::with_options(
        &crew,
        Options {
            worlds_max: 129,
            reduce: false,
            ..Options::default()
        },
    );
    assert!(matches!(
        membership.advance(&mut |_| true),
        Advance::Possible { worlds: 129 }
    ));
    let mut membership = Membership::with_options(
        &crew,
        Options {
            worlds_max: 128,
            reduce: false,
            ..Options::default()
        },
    );
    assert!(matches!(
        membership.advance(&mut |_| true),
        Advance::TooManyWorlds(_)
    ));
}

/// What is held is what counts, not what was visited: 2¹⁰ orders of a crew, of which few wait at once.
#[test]
fn too_much_memory_is_an_answer_too() {
    let crew = Crew {
        workers: 10,
        bystander: Bystander::Auditor,
    };
    let within = |bytes_max| {
        let options = Options {
            bytes_max,
            reduce: false,
            ..Options::default()
        };
        Membership::with_options(&crew, options).advance(&mut |_| true)
    };
    let too_many = TooManyWorlds::Bytes(20_000);
    assert_eq!(within(20_000), Advance::TooManyWorlds(too_many));
    assert_eq!(
        too_many.to_string(),
        "the worlds that are possible take more than 0 MiB"
    );
    assert!(matches!(within(1 << 20), Advance::Possible { .. }));
}

#[test]
fn what_a_run_shows_is_accepted() {
    fn check<S: System>(system: &S) {
        for seed in 0..50 {
            let mut recorder = Recorder::new();
            Runner::new(system).run(&mut Random::default(), seed, &mut recorder);
            let (membership, last) = advance(system, &recorder.observations);
            assert!(
                matches!(last, Advance::Possible { .. }),
                "seed {seed}: {last:?}"
            );
            assert_eq!(membership.can_rest(), Ok(true), "seed {seed}");
        }
    }
    check(&Counter {
        threads: 4,
        compare_and_swap: false,
    });
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
        workers: 40,
        bystander: Bystander::Ringer,
    });
    check(&Crew {
        workers: 8,
        bystander: Bystander::Auditor,
    });
}

/// A program over a few numbers: actors that each do one operation after the other, and crews of
/// workers that add. Each crew has a foreman among the actors' operations who waits until all its
/// workers are done.
///
/// The numbers are the parts of the footprints; actor *n* is part 8 + *n*, and what crew *n* has
/// done is part 32 + *n*.
#[derive(Clone, Debug)]
struct Program {
    actors: Vec<Vec<Operation>>,
    crews: Vec<Workforce>,
    /// For the tests of `audit`.
    lie: Lie,
}

/// What a program does that it claims not to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    None,
    /// A worker doubles the number before it adds.
    Doubles,
    /// A worker shows what it adds.
    Shows,
    /// Worker 0 does all the work of worker 1.
    Disables,
    /// A worker touches more when the number is not 0.
    Grows,
    /// A worker's second step touches more than its first.
    Widens,
    /// An actor that shows a number does not say that it reads it.
    Peeps,
    /// An actor that sets a number sends crew 0 home.
    Dismisses,
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    Show(usize),
    Set(usize, u8),
    Add(usize, u8),
    /// Waits until a number is at least so large.
    Await(usize, u8),
    /// Waits for a crew, and then shows that it is done.
    Foreman(usize),
}

/// Workers that all add to one number: each worker adds one amount after the other.
#[derive(Clone, Debug)]
struct Workforce {
    number: usize,
    workers: Vec<Vec<u8>>,
}

const NUMBERS: usize = 3;

#[derive(Clone, Hash)]
struct ProgramState {
    numbers: [u8; NUMBERS],
    /// By actor: the index of its next operation.
    actors: Vec<usize>,
    /// By crew and worker: the index of its next amount.
    crews: Vec<Vec<usize>>,
}

impl Program {
    fn is_done(&self, state: &ProgramState, crew: usize) -> bool {
        self.crews[crew]
            .workers
            .iter()
            .zip(&state.crews[crew])
            .all(|(worker, next)| *next == worker.len())
    }

    fn work(
        &self,
        state: &mut ProgramState,
        crew: usize,
        worker: usize,
        seen: &mut Vec<(usize, u8)>,
    ) -> Footprint {
        let Workforce { number, workers } = &self.crews[crew];
        let amount = workers[worker][state.crews[crew][worker]];
        let number_before = state.numbers[*number];
        let added = if self.lie == Lie::Doubles {
            number_before * 2 + amount
        } else {
            amount
        };
        state.numbers[*number] = number_before.wrapping_add(added);
        state.crews[crew][worker] += 1;
        if self.lie == Lie::Shows {
            seen.push((worker, amount));
        }
        if self.lie == Lie::Disables && worker == 0 {
            state.crews[crew][1] = workers[1].len();
        }
        let more = match self.lie {
            Lie::Grows => number_before > 0,
            Lie::Widens => state.crews[crew][worker] > 1,
            _ => false,
        };
        Footprint {
            reads: if more { 1 << 63 } else { 0 },
            writes: 1 << (32 + crew),
            adds: 1 << *number,
            ..Footprint::NONE
        }
    }
}

impl System for Program {
    type State = ProgramState;
    /// Crew and worker, or nothing and actor.
    type Step = (Option<usize>, usize);
    type Observation = (usize, u8);

    fn initial(&self) -> ProgramState {
        ProgramState {
            numbers: [0; NUMBERS],
            actors: vec![0; self.actors.len()],
            crews: self
                .crews
                .iter()
                .map(|crew| vec![0; crew.workers.len()])
                .collect(),
        }
    }

    fn enabled(&self, state: &ProgramState, steps: &mut Vec<Self::Step>) {
        steps.clear();
        for (actor, operations) in self.actors.iter().enumerate() {
            let possible = match operations.get(state.actors[actor]) {
                None => false,
                Some(Operation::Await(number, value)) => state.numbers[*number] >= *value,
                Some(Operation::Foreman(crew)) => self.is_done(state, *crew),
                Some(_) => true,
            };
            if possible {
                steps.push((None, actor));
            }
        }
        for (crew, workforce) in self.crews.iter().enumerate() {
            let left =
                |worker: &usize| state.crews[crew][*worker] < workforce.workers[*worker].len();
            steps.extend(
                (0..workforce.workers.len())
                    .filter(left)
                    .map(|worker| (Some(crew), worker)),
            );
        }
    }

    fn apply(
        &self,
        state: &mut ProgramState,
        step: Self::Step,
        seen: &mut Vec<(usize, u8)>,
    ) -> Footprint {
        let (crew, worker) = step;
        if let Some(crew) = crew {
            return self.work(state, crew, worker, seen);
        }
        let actor = worker;
        let operation = self.actors[actor][state.actors[actor]];
        state.actors[actor] += 1;
        let itself = 1 << (8 + actor);
        match operation {
            Operation::Show(number) => {
                seen.push((actor, state.numbers[number]));
                Footprint {
                    reads: if self.lie == Lie::Peeps {
                        0
                    } else {
                        1 << number
                    },
                    writes: itself,
                    ..Footprint::NONE
                }
            }
            Operation::Set(number, value) => {
                state.numbers[number] = value;
                if self.lie == Lie::Dismisses {
                    state.crews[0].iter_mut().for_each(|next| *next = 9);
                }
                Footprint {
                    reads: 0,
                    writes: 1 << number | itself,
                    ..Footprint::NONE
                }
            }
            Operation::Add(number, amount) => {
                state.numbers[number] = state.numbers[number].wrapping_add(amount);
                Footprint {
                    reads: 0,
                    writes: itself,
                    adds: 1 << number,
                    ..Footprint::NONE
                }
            }
            Operation::Await(number, _) => Footprint {
                reads: 1 << number,
                writes: itself,
                ..Footprint::NONE
            },
            Operation::Foreman(crew) => {
                seen.push((actor, 100));
                Footprint {
                    reads: 1 << (32 + crew),
                    writes: itself,
                    ..Footprint::NONE
                }
            }
        }
    }

    fn judge(&self, _state: &ProgramState, _resting: bool) -> Result<(), Breach> {
        Ok(())
    }

    fn fingerprint(&self, state: &ProgramState) -> u128 {
        fingerprint_of(state)
    }

    fn name(&self, _state: &ProgramState, (crew, who): Self::Step) -> String {
        crew.map_or_else(
            || format!("actor{who}"),
            |crew| format!("crew{crew} worker{who}"),
        )
    }

    fn crew(&self, _state: &ProgramState, (crew, _): Self::Step) -> Option<u32> {
        crew.map(|crew| crew as u32)
    }
}

prop_compose! {
    fn any_program()(
        crews in prop::collection::vec(
            (0..NUMBERS, prop::collection::vec(prop::collection::vec(1_u8..8, 1..=2), 1..=3)), 1..=2),
        actors in prop::collection::vec(
            prop::collection::vec((0_u8..5, 0..NUMBERS, 0_u8..8), 1..=2), 1..=2),
    ) -> Program {
        let crews: Vec<Workforce> =
            crews.into_iter().map(|(number, workers)| Workforce { number, workers }).collect();
        let operation = |(kind, number, value): (u8, usize, u8)| match kind {
            0 => Operation::Set(number, value),
            1 => Operation::Add(number, value),
            2 => Operation::Foreman(number % crews.len()),
            // A worker that is not the last of its crew must enable nobody.
            3 if crews.iter().all(|crew| crew.number != number) => Operation::Await(number, value),
            _ => Operation::Show(number),
        };
        let actors = actors.into_iter().map(|operations| operations.into_iter().map(operation).collect()).collect();
        Program { actors, crews, lie: Lie::None }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    /// The theorem of `reduce`, tried on programs for which its premises hold.
    #[test]
    fn the_reduction_changes_no_language(program in any_program()) {
        common::visit(&program, false, &mut |state| audit(&program, state).unwrap());
        prop_assert_eq!(language(&program, true), language(&program, false));
        prop_assert_eq!(automaton(&program, true), automaton(&program, false));
    }
}

/// The same language, all at once.
fn automaton<S: System>(system: &S, reduce: bool) -> Automaton<S::Observation> {
    let options = sim::language::Options {
        reduce,
        ..sim::language::Options::default()
    };
    let language = Language::explore(system, options, &mut |_| true);
    language.expect("a program ends").automaton
}

/// Of two workers each is the last when the other is done, and may then do more.
#[test]
fn an_audit_lets_the_last_of_a_crew_touch_more() {
    let crews = vec![Workforce {
        number: 0,
        workers: vec![vec![1], vec![2]],
    }];
    let program = Program {
        actors: vec![],
        crews,
        lie: Lie::Grows,
    };
    common::visit(&program, false, &mut |state| {
        audit(&program, state).unwrap()
    });
}

#[test]
fn an_audit_finds_a_false_claim() {
    let check = |lie, actor: &[Operation], workers: &[&[u8]], expected: &str| {
        let workers = workers.iter().map(|amounts| amounts.to_vec()).collect();
        let program = Program {
            actors: vec![actor.to_vec()],
            crews: vec![Workforce { number: 0, workers }],
            lie,
        };
        let mut found = None;
        common::visit(&program, false, &mut |state| {
            found = found.take().or(audit(&program, state).err());
        });
        assert_eq!(
            found.map(|breach| breach.to_string()).as_deref(),
            Some(expected),
            "{lie:?}"
        );
    };
    let pair: &[&[u8]] = &[&[1], &[2]];
    check(
        Lie::Doubles,
        &[],
        pair,
        "crew: `crew0 worker0` and `crew0 worker1` are said to commute, \
         but the two orders end in different states",
    );
    check(
        Lie::Doubles,
        &[Operation::Add(0, 1)],
        &[&[1]],
        "independence: `actor0` and `crew0 worker0` are said to commute, \
         but the two orders end in different states",
    );
    check(
        Lie::Peeps,
        &[Operation::Show(0)],
        &[&[1]],
        "independence: `actor0` and `crew0 worker0` are said to commute, \
         but the two orders show different things",
    );
    check(
        Lie::Dismisses,
        &[Operation::Set(1, 1)],
        &[&[1]],
        "independence: `actor0` and `crew0 worker0` are said to commute, but one disables the other",
    );
    check(
        Lie::Shows,
        &[],
        pair,
        "crew: `crew0 worker0` is not the last of its crew, as `crew0 worker1` is left, but it shows (0, 1)",
    );
    check(
        Lie::Disables,
        &[],
        pair,
        "crew: `crew0 worker0` is not the last of its crew, as `crew0 worker1` is left, \
         but it disables (Some(0), 1)",
    );
    check(
        Lie::Grows,
        &[],
        &[&[1], &[2], &[4]],
        "crew: `crew0 worker0` is not the last of its crew, as `crew0 worker1` is left, \
         but `crew0 worker1` touches more after it, or leaves the crew",
    );
    check(
        Lie::Widens,
        &[],
        &[&[1, 1], &[2]],
        "crew: `crew0 worker0` is not the last of its crew, as `crew0 worker1` is left, \
         but it enables `crew0 worker0`, which touches more than it does",
    );
    check(
        Lie::None,
        &[Operation::Await(0, 3)],
        &[&[1], &[2], &[4]],
        "crew: `crew0 worker2` is not the last of its crew, as `crew0 worker0` is left, \
         but it enables `actor0`, which is not in the crew",
    );
}
