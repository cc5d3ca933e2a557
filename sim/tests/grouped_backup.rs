//! The grouped backup has the peers' numbers, and what it claims of itself is true in every state of
//! small sizes.

mod common;

use common::visit;
use sim::parts::{Offer, Parts};
use sim::reduce::audit;
use sim::toys::{GroupedBackup, GroupedPart, GroupedState, GroupedStep};
use sim::{Breach, Footprint, System};
use std::collections::{BTreeSet, HashMap, HashSet};

fn toy(sizes: &str) -> GroupedBackup {
    sizes.parse().unwrap()
}

/// How many states and transitions there are, and which promises are broken in some state.
fn count(toy: &GroupedBackup) -> (usize, usize, Vec<&'static str>) {
    let (mut transitions, mut broken, mut enabled) = (0, BTreeSet::new(), Vec::new());
    let states = visit(toy, false, &mut |state| {
        toy.enabled(state, &mut enabled);
        transitions += enabled.len();
        for resting in [false, enabled.is_empty()] {
            if let Err(Breach { property, .. }) = toy.judge(state, resting) {
                broken.insert(property);
            }
        }
    });
    (states, transitions, broken.into_iter().collect())
}

/// The numbers that bare Rust, SPIN, Stateright and TLC agree on.
#[test]
fn it_has_as_many_states_and_transitions_as_the_peers_find() {
    let check = |sizes: &str, states, transitions| {
        assert_eq!(count(&toy(sizes)), (states, transitions, vec![]), "{sizes}");
    };
    check("2,1,0,1,0,fixed", 24, 32);
    check("1,2,2,1,1,fixed", 222, 339);
    check("2,1,1,1,1,fixed", 888, 1_890);
    check("2,2,1,1,1,fixed", 5_312, 12_378);
    check("3,1,1,1,1,fixed", 14_900, 44_154);
    check("2,2,2,1,1,fixed", 62_149, 173_327);
    check("3,2,1,1,1,fixed", 161_885, 513_933);
}

/// Where drive 0 can fail too, the job of drive 1 may start after that, and waits for ever.
#[test]
fn the_bug_breaks_promises_that_are_kept_without_it() {
    let check = |sizes: &str, broken: &[&str]| {
        let mut toy = toy(sizes);
        assert_eq!(count(&toy).2, broken, "{sizes}");
        toy.bug = false;
        assert!(count(&toy).2.is_empty(), "{sizes}");
    };
    check("2,1,0,1,0,bug", &["all-or-nothing"]);
    check("2,1,1,1,0,bug", &["all-or-nothing", "no-deadlock"]);
    check("3,1,0,1,1,bug", &["all-or-nothing", "no-deadlock"]);
}

/// Without a read that fails and without a cancel, even the bug harms nobody.
#[test]
fn the_bug_needs_a_failure() {
    assert_eq!(count(&toy("2,2,1,0,0,bug")).2, Vec::<&str>::new());
}

#[test]
fn sizes_read_back_as_they_were_written() {
    for text in ["3,3,2,1,1,fixed", "1,1,0,0,0,bug", "2,1,0,1,0,fixed,forced"] {
        assert_eq!(toy(text).to_string(), text);
    }
    for text in [
        "",
        "fixed",
        "5,1,0,0,0,fixed",
        "2,1,0,1,2,fixed",
        "2,1,0,1,0,forced",
        "2,1,0,1,0",
        "2,0,0,1,0,bug",
    ] {
        let refused = text.parse::<GroupedBackup>().unwrap_err().to_string();
        assert!(
            refused.starts_with(&format!("{text:?} is not drives 1-4")),
            "{refused}"
        );
    }
}

/// Small, but everything happens in them.
const SMALL: &[&str] = &[
    "1,2,2,1,1,fixed",
    "2,1,1,1,1,fixed",
    "2,2,1,1,1,fixed",
    "2,2,1,1,1,fixed,forced",
    "2,1,1,1,1,bug",
    "3,1,1,1,1,fixed",
    "3,1,0,1,1,bug",
];

fn parts(toy: &GroupedBackup, state: &GroupedState) -> Vec<GroupedPart> {
    (0..toy.columns())
        .map(|column| toy.part(state, column))
        .collect()
}

#[test]
fn a_state_is_its_parts() {
    for sizes in SMALL {
        let toy = toy(sizes);
        visit(&toy, false, &mut |state| {
            assert_eq!(toy.put_together(&parts(&toy, state)), *state, "{sizes}");
        });
    }
}

#[test]
fn what_the_actors_offer_is_what_is_enabled() {
    for sizes in SMALL {
        let toy = toy(sizes);
        let (mut enabled, mut offer) = (Vec::new(), Offer::new());
        visit(&toy, false, &mut |state| {
            let mut offered = Vec::new();
            for actor in 0..toy.offers() {
                toy.offer(state, actor, &mut offer);
                assert!(
                    !offer.alone || !offer.steps.is_empty(),
                    "nobody alone does nothing"
                );
                assert!(
                    offer
                        .steps
                        .iter()
                        .all(|offered| toy.actor(offered.step) == actor)
                );
                offered.extend(offer.steps.iter().map(|offered| offered.step));
            }
            toy.enabled(state, &mut enabled);
            assert_eq!(offered, enabled, "{sizes}");
            let names: BTreeSet<String> =
                enabled.iter().map(|step| toy.name(state, *step)).collect();
            assert_eq!(names.len(), enabled.len(), "{sizes}: {names:?}");
        });
    }
}

#[test]
fn independent_steps_commute() {
    for sizes in SMALL {
        let toy = toy(sizes);
        visit(&toy, false, &mut |state| audit(&toy, state).unwrap());
    }
}

/// The parts in the columns of `mask`, by which something is looked up.
fn row(toy: &GroupedBackup, state: &GroupedState, mask: u64) -> Vec<GroupedPart> {
    (0..toy.columns())
        .filter(|column| mask >> column & 1 == 1)
        .map(|column| toy.part(state, column))
        .collect()
}

/// What a step does, and whether it breaks a promise, is a function of what it depends on; so a
/// table can remember it.
#[test]
fn what_a_step_does_is_a_function_of_the_columns_it_touches() {
    /// A step and the parts it depended on; the masks, the parts written, the promise broken.
    type Memo = HashMap<
        (GroupedStep, u64, Vec<GroupedPart>),
        (Footprint, Vec<GroupedPart>, Option<Breach>),
    >;
    for sizes in SMALL {
        let toy = toy(sizes);
        let (mut memo, mut enabled) = (Memo::new(), Vec::new());
        visit(&toy, false, &mut |state| {
            if toy.judge(state, false).is_err() {
                return;
            }
            toy.enabled(state, &mut enabled);
            for step in &enabled {
                let mut after = *state;
                let footprint = toy.apply(&mut after, *step, &mut Vec::new());
                for (column, (one, other)) in parts(&toy, state)
                    .iter()
                    .zip(parts(&toy, &after))
                    .enumerate()
                {
                    assert!(
                        *one == other || footprint.writes >> column & 1 == 1,
                        "{sizes}: {step:?} column {column}"
                    );
                }
                let key = (
                    *step,
                    footprint.depends(),
                    row(&toy, state, footprint.depends()),
                );
                let done = (
                    footprint,
                    row(&toy, &after, footprint.writes),
                    toy.judge(&after, false).err(),
                );
                assert_eq!(
                    *memo.entry(key).or_insert_with(|| done.clone()),
                    done,
                    "{sizes}: {step:?}"
                );
            }
        });
    }
}

#[test]
fn what_an_actor_offers_is_a_function_of_what_was_looked_at() {
    for sizes in SMALL {
        let toy = toy(sizes);
        let (mut memo, mut offer) = (HashMap::new(), Offer::new());
        visit(&toy, false, &mut |state| {
            for actor in 0..toy.offers() {
                toy.offer(state, actor, &mut offer);
                let key = (actor, offer.looked, row(&toy, state, offer.looked));
                let offered = (offer.steps.clone(), offer.alone);
                assert_eq!(
                    *memo.entry(key).or_insert_with(|| offered.clone()),
                    offered,
                    "{sizes}: {actor}"
                );
            }
        });
    }
}

/// Wherever an actor is said to be alone: whatever the others do, for as long as they like, its
/// steps stay what they were, and each commutes with each of theirs.
#[test]
fn an_actor_said_to_be_alone_is() {
    let mut claims = BTreeSet::new();
    for sizes in SMALL {
        let toy = toy(sizes);
        let mut offer = Offer::new();
        visit(&toy, false, &mut |state| {
            for actor in 0..toy.offers() {
                toy.offer(state, actor, &mut offer);
                if offer.alone {
                    claims.insert((actor, toy.name(state, offer.steps[0].step)));
                    let mine: Vec<GroupedStep> =
                        offer.steps.iter().map(|offered| offered.step).collect();
                    stays_alone(&toy, state, actor, &mine);
                }
            }
        });
    }
    // Of every kind of claim one was met.
    for name in [
        "monitor prepare drive1",
        "drive1 job write c0",
        "drive1 job read c0",
        "drive0 job conclude",
        "guest0 write c0",
    ] {
        assert!(
            claims.iter().any(|(_, claim)| claim == name),
            "{name}: {claims:?}"
        );
    }
}

fn stays_alone(toy: &GroupedBackup, state: &GroupedState, actor: usize, mine: &[GroupedStep]) {
    let (mut visited, mut open, mut enabled) = (HashSet::new(), vec![*state], Vec::new());
    while let Some(state) = open.pop() {
        if !visited.insert(state) {
            continue;
        }
        toy.enabled(&state, &mut enabled);
        let (still, others): (Vec<_>, Vec<_>) =
            enabled.iter().partition(|step| toy.actor(**step) == actor);
        assert_eq!(still, mine, "{toy}");
        for other in others {
            let done = after(toy, &state, &[other]);
            for step in mine {
                assert_eq!(
                    after(toy, &state, &[other, *step]),
                    after(toy, &state, &[*step, other]),
                    "{toy}: {} and {}",
                    toy.name(&state, other),
                    toy.name(&state, *step),
                );
            }
            open.push(done);
        }
    }
}

fn after(toy: &GroupedBackup, state: &GroupedState, steps: &[GroupedStep]) -> GroupedState {
    let mut state = *state;
    for step in steps {
        let mut enabled = Vec::new();
        toy.enabled(&state, &mut enabled);
        assert!(enabled.contains(step), "{step:?} is disabled");
        toy.apply(&mut state, *step, &mut Vec::new());
    }
    state
}
