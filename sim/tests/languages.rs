//! The automaton of a language accepts exactly the traces of the system, is minimal, and is the same
//! however it was found.

mod common;

use proptest::prelude::*;
use sim::hash::fingerprint_of;
use sim::language::{Automaton, Choice, Covered, End, Endless, Language, Options, State, Way};
use sim::toys::{Bystander, Counter, Crew, Dining, TwoPhaseCommit};
use sim::{Breach, Footprint, System};
use std::collections::{BTreeMap, BTreeSet};

/// Traces, each with the ways in which it can end.
type Traces = BTreeMap<Vec<String>, BTreeSet<End>>;

/// Every schedule from its beginning to its end, one after the other.
fn traces_by_hand<S: System>(system: &S) -> Traces {
    let mut traces = Traces::new();
    walk(system, &system.initial(), &mut Vec::new(), &mut traces);
    traces
}

fn walk<S: System>(
    system: &S,
    state: &S::State,
    seen: &mut Vec<S::Observation>,
    traces: &mut Traces,
) {
    let mut enabled = Vec::new();
    system.enabled(state, &mut enabled);
    let broken = system.judge(state, false).err();
    let end = match broken {
        None if !enabled.is_empty() => {
            for step in enabled {
                let (mut state, length) = (state.clone(), seen.len());
                system.apply(&mut state, step, seen);
                walk(system, &state, seen, traces);
                seen.truncate(length);
            }
            return;
        }
        None => system.judge(state, true).err(),
        breach => breach,
    };
    let trace = seen.iter().map(|seen| format!("{seen:?}")).collect();
    let end = end.map_or(End::Rests, End::Breached);
    traces.entry(trace).or_default().insert(end);
}

/// The traces that go on from a state of the automaton.
fn traces_from<O: std::fmt::Debug>(automaton: &Automaton<O>, state: usize) -> Traces {
    let State { ends, next } = &automaton.states[state];
    let mut traces = Traces::new();
    if !ends.is_empty() {
        traces.insert(Vec::new(), ends.iter().cloned().collect());
    }
    for (observation, to) in next {
        for (rest, ends) in traces_from(automaton, *to) {
            let mut trace = vec![format!("{:?}", automaton.observations[*observation])];
            trace.extend(rest);
            let twice = traces.insert(trace, ends);
            assert_eq!(twice, None, "the automaton is not deterministic");
        }
    }
    traces
}

fn language<S: System>(system: &S, reduce: bool) -> Language<'_, S>
where
    S::Observation: PartialEq,
{
    let options = Options {
        reduce,
        ..Options::default()
    };
    let language = Language::explore(system, options, &mut |_| true).unwrap();
    assert!(language.is_complete());
    language
}

/// Compares with the traces by hand, looks for two states that could be one, and returns the number
/// of traces and of states.
fn check<S: System>(system: &S) -> (usize, usize) {
    let reference = traces_by_hand(system);
    let Language { automaton, .. } = language(system, true);
    assert_eq!(traces_from(&automaton, 0), reference);
    assert_eq!(automaton.trace_count(), reference.len() as u128);
    let is_bad = |ends: &&BTreeSet<End>| ends.iter().any(|end| *end != End::Rests);
    let bad = reference.values().filter(is_bad).count();
    assert_eq!(automaton.trace_count_bad(), bad as u128);
    let lengths = || reference.keys().map(Vec::len);
    let both = lengths().min().zip(lengths().max());
    assert_eq!(automaton.trace_lengths(), both);
    let states: BTreeSet<Vec<_>> = (0..automaton.states.len())
        .map(|state| traces_from(&automaton, state).into_iter().collect())
        .collect();
    assert_eq!(states.len(), automaton.states.len(), "two states are one");
    assert!(!states.contains(&Vec::new()), "a state leads to no trace");
    assert_eq!(language(system, false).automaton, automaton);
    (reference.len(), automaton.states.len())
}

#[test]
fn toys_have_the_traces_on_paper() {
    let counter = |threads, compare_and_swap| Counter {
        threads,
        compare_and_swap,
    };
    // Who stores first, who stores then, and whether the second knew of the first: the start, one
    // state for each first, the good end, and the end at which an update is lost.
    assert_eq!(check(&counter(2, false)), (4, 5));
    assert_eq!(check(&counter(2, true)), (2, 4));
    // Who has stored is a set: 2³ of them.
    assert_eq!(check(&counter(3, true)), (6, 8));
    check(&counter(3, false));
    let dining = |philosophers, left_handed_last| Dining {
        philosophers,
        left_handed_last,
    };
    // All may starve, or one and then the other eats.
    assert_eq!(check(&dining(2, false)), (3, 4));
    assert_eq!(check(&dining(2, true)), (2, 4));
    check(&dining(3, true));
    check(&dining(3, false));
    check(&TwoPhaseCommit {
        resource_managers: 2,
    });
    let crew = |workers, bystander| Crew { workers, bystander };
    // The sum and the end, in one step; the bell before, or after them.
    assert_eq!(check(&crew(4, Bystander::Nobody)), (1, 3));
    assert_eq!(check(&crew(4, Bystander::Ringer)), (2, 6));
    // One of the 2⁴ partial sums, or the total after the end.
    assert_eq!(check(&crew(4, Bystander::Auditor)).0, 17);
}

/// 64 workers have 64! orders and one trace; one after the other they are 65 worlds, and the
/// finisher makes one more.
#[test]
fn sixty_four_workers_are_taken_in_one_order() {
    let crew = Crew {
        workers: 64,
        bystander: Bystander::Nobody,
    };
    let language = language(&crew, true);
    assert_eq!(language.automaton.trace_count(), 1);
    assert_eq!(language.covered().worlds, 66);
}

/// A system that is what somebody drew: places, and ways between them that show something.
#[derive(Clone, Debug)]
struct Maze {
    /// By place: what each way shows, and where it leads. Place 0 is the start.
    ways: Vec<Vec<(&'static str, usize)>>,
    /// By place: no promise, one that is broken there, or one that is broken if it rests there.
    judged: Vec<u8>,
}

impl Maze {
    fn new(ways: &[&[(&'static str, usize)]]) -> Maze {
        Maze {
            ways: ways.iter().map(|ways| ways.to_vec()).collect(),
            judged: vec![0; ways.len()],
        }
    }
}

impl System for Maze {
    type State = usize;
    type Step = usize;
    type Observation = char;

    fn initial(&self) -> usize {
        0
    }

    fn enabled(&self, place: &usize, steps: &mut Vec<usize>) {
        steps.clear();
        steps.extend(0..self.ways[*place].len());
    }

    fn apply(&self, place: &mut usize, step: usize, seen: &mut Vec<char>) -> Footprint {
        let (shows, to) = self.ways[*place][step];
        seen.extend(shows.chars());
        *place = to;
        Footprint {
            writes: 1,
            ..Footprint::NONE
        }
    }

    fn judge(&self, place: &usize, resting: bool) -> Result<(), Breach> {
        let property = match self.judged[*place] {
            1 => "not-here",
            2 if resting => "no-rest-here",
            _ => return Ok(()),
        };
        let message = "a wrong turn".to_owned();
        Err(Breach::new(property, message))
    }

    fn fingerprint(&self, place: &usize) -> u128 {
        fingerprint_of(place)
    }

    fn name(&self, place: &usize, step: usize) -> String {
        format!("way {step} from {place}")
    }
}

prop_compose! {
    /// Ways lead to higher places only, so every schedule ends.
    fn any_maze()(
        ways in prop::collection::vec(
            prop::collection::vec((prop::sample::select(vec!["", "", "a", "b", "ab", "ba", "aab"]), 1_usize..4), 0..=3),
            1..=7),
        judged in prop::collection::vec(prop::sample::select(vec![0_u8, 0, 0, 1, 2]), 7),
    ) -> Maze {
        let last = ways.len() - 1;
        let ways = ways.into_iter().enumerate().map(|(place, ways)| {
            let later = ways.into_iter().map(|(shows, by)| (shows, (place + by).min(last)));
            later.filter(|(_, to)| *to > place).collect()
        });
        Maze { ways: ways.collect(), judged }
    }
}

/// The same maze with its ways in another order, and another place's number for each but the first.
fn mirrored(maze: &Maze) -> Maze {
    let count = maze.ways.len();
    let other = |place: usize| (count - place) % count;
    let mut mirrored = Maze::new(&vec![&[][..]; count]);
    for (place, ways) in maze.ways.iter().enumerate() {
        let ways = ways.iter().rev().map(|(shows, to)| (*shows, other(*to)));
        mirrored.ways[other(place)] = ways.collect();
        mirrored.judged[other(place)] = maze.judged[place];
    }
    mirrored
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn a_maze_has_the_traces_of_its_paths(maze in any_maze()) {
        check(&maze);
    }

    #[test]
    fn how_a_maze_is_drawn_does_not_matter(maze in any_maze()) {
        let automaton = language(&maze, true).automaton;
        prop_assert_eq!(language(&mirrored(&maze), true).automaton, automaton);
    }

    /// What was found of a part is part of the whole.
    #[test]
    fn a_budget_leaves_true_traces(maze in any_maze(), worlds_max in 1_usize..7) {
        let whole = traces_by_hand(&maze);
        let options = Options { worlds_max, ..Options::default() };
        let part = Language::explore(&maze, options, &mut |_| true).unwrap();
        let found = traces_from(&part.automaton, 0);
        for (trace, ends) in &found {
            prop_assert!(ends.is_subset(&whole[trace]));
        }
        if part.is_complete() {
            prop_assert_eq!(found, whole);
        }
        let _ = part.choices();
    }

    /// At a choice every way has its reason, but for the end, which nothing shows.
    #[test]
    fn every_way_has_a_reason(maze in any_maze()) {
        let language = language(&maze, true);
        let states = language.automaton.states.iter();
        let parts: Vec<usize> = states.enumerate().filter(|(_, state)| state.way_count() > 1)
            .map(|(number, _)| number).collect();
        let choices = language.choices();
        prop_assert_eq!(choices.iter().map(|choice| choice.state).collect::<Vec<_>>(), parts);
        for Choice { state, ways } in choices {
            let state = &language.automaton.states[state];
            prop_assert_eq!(ways.len(), state.way_count());
            prop_assert!(ways[..state.next.len()].iter().all(|way| way.shown_by.is_some()));
            let deciders = ways.iter().filter(|way| way.decided_by.is_some()).count();
            prop_assert!(deciders != 1, "nobody races alone: {:?}", ways);
        }
    }
}

#[test]
fn silent_circles_are_left_by_all_their_ways() {
    let maze = Maze::new(&[
        &[("", 1)],
        &[("", 2), ("a", 3)],
        &[("", 0), ("", 2), ("b", 3)],
        &[],
    ]);
    let automaton = language(&maze, true).automaton;
    let traces: Vec<_> = traces_from(&automaton, 0).into_keys().collect();
    assert_eq!(traces, [["'a'"], ["'b'"]]);
    assert_eq!(automaton.states.len(), 2);
}

#[test]
fn a_silent_circle_without_a_way_out_spins() {
    let maze = Maze::new(&[&[("a", 1), ("b", 3)], &[("", 2)], &[("", 1)], &[]]);
    let automaton = language(&maze, true).automaton;
    let traces: Vec<_> = traces_from(&automaton, 0).into_iter().collect();
    let word = |word: &str| vec![format!("{:?}", word.chars().next().unwrap())];
    let expected = [
        (word("a"), BTreeSet::from([End::Spins])),
        (word("b"), BTreeSet::from([End::Rests])),
    ];
    assert_eq!(traces, expected);
    assert_eq!(automaton.trace_count_bad(), 1);
}

#[test]
fn what_is_seen_again_and_again_has_no_end() {
    let maze = Maze::new(&[&[("a", 1)], &[("", 2), ("", 3)], &[("bc", 1)], &[]]);
    let endless = Language::explore(&maze, Options::default(), &mut |_| true).err();
    let error = endless.unwrap();
    assert_eq!(error, Endless { observation: 'b' });
    assert_eq!(
        error.to_string(),
        "there is no end to the traces: 'b' can be seen again and again"
    );
}

/// 130 choices of two are 2¹³⁰ traces: more than are counted, in 131 states.
#[test]
fn the_number_of_traces_saturates() {
    let length = 130;
    let mut ways: Vec<Vec<_>> = (0..length)
        .map(|place| vec![("a", place + 1), ("b", place + 1)])
        .collect();
    let maze = |ways: &Vec<Vec<_>>| Maze {
        ways: ways.clone(),
        judged: vec![0; length + 1],
    };
    ways.push(Vec::new());
    let automaton = language(&maze(&ways), true).automaton;
    assert_eq!(automaton.trace_count(), u128::MAX);
    assert_eq!(automaton.states.len(), length + 1);
    ways.truncate(127);
    ways.push(Vec::new());
    assert_eq!(
        language(&maze(&ways), true).automaton.trace_count(),
        1 << 127
    );
}

#[test]
fn a_budget_says_what_it_left_open() {
    let counter = Counter {
        threads: 4,
        compare_and_swap: true,
    };
    let mut asked = 0;
    let language = Language::explore(&counter, Options::default(), &mut |covered| {
        asked += 1;
        assert!(covered.open < covered.worlds);
        asked < 20
    });
    let language = language.unwrap();
    assert!(!language.is_complete());
    let Covered { open, worlds, .. } = language.covered();
    assert!(0 < open && open < worlds);
    // Depth first: some trace is whole by then.
    assert!((1..24).contains(&language.automaton.trace_count()));
}

#[test]
fn a_choice_names_the_steps_that_race() {
    let way = |decided_by: Option<&str>, shown_by: Option<&str>| Way {
        decided_by: decided_by.map(str::to_owned),
        shown_by: shown_by.map(str::to_owned),
    };
    let check = |maze: &Maze, expected: &[(usize, Vec<Way>)]| {
        let choices = language(maze, true).choices();
        let choices: Vec<_> = choices
            .into_iter()
            .map(|choice| (choice.state, choice.ways))
            .collect();
        assert_eq!(choices, expected);
    };
    // Two steps that show different things.
    let decided = |name| way(Some(name), Some(name));
    let open = Maze::new(&[&[("b", 1), ("a", 1)], &[]]);
    check(
        &open,
        &[(0, vec![decided("way 1 from 0"), decided("way 0 from 0")])],
    );
    // It is decided before it is seen.
    let hidden = Maze::new(&[&[("", 1), ("b", 2)], &[("a", 2)], &[]]);
    let ways = vec![
        way(Some("way 0 from 0"), Some("way 0 from 1")),
        decided("way 1 from 0"),
    ];
    check(&hidden, &[(0, ways)]);
    // It was decided before the last thing that was seen.
    let earlier = Maze::new(&[&[("xa", 1), ("xb", 1)], &[]]);
    let ways = vec![
        way(None, Some("way 0 from 0")),
        way(None, Some("way 1 from 0")),
    ];
    check(&earlier, &[(1, ways)]);
    // One of the ways is the end.
    let end = Maze::new(&[&[("", 1), ("a", 1)], &[]]);
    let ways = vec![decided("way 1 from 0"), way(Some("way 0 from 0"), None)];
    check(&end, &[(0, ways)]);
}

#[test]
fn a_line_that_leaves_something_open_is_followed_along_all_its_ways() {
    let maze = Maze::new(&[&[("a", 1), ("b", 2)], &[("c", 3)], &[("d", 3)], &[]]);
    let automaton = language(&maze, true).automaton;
    let both = automaton.advance(&[0], &mut |_| true);
    assert_eq!(both.len(), 2);
    assert_eq!(automaton.advance(&both, &mut |seen| *seen == 'd').len(), 1);
    assert_eq!(automaton.advance(&both, &mut |seen| *seen == 'a'), []);
}
