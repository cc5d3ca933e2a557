//! The search, on stories: what the scene says of its columns and offers is true.

mod common;

use std::collections::HashSet;

use scenarios::scene::{Held, Scene, Step};
use sim::System;
use sim::parts::{Offer, Parts};
use sim::search::{Control, Limit, Options, Report, Verdict, search};

/// All offers together are what is enabled, and a moment put together from its parts is the same.
fn hold_to_its_word(scene: &Scene, moment: &<Scene as System>::State) {
    let mut offer = Offer::new();
    let (mut now, mut when_idle, mut busy) = (Vec::new(), Vec::new(), false);
    for number in 0..scene.offers() {
        scene.offer(moment, number, &mut offer);
        let steps = offer.steps.iter().map(|offered| offered.step);
        if offer.when_idle {
            when_idle.extend(steps);
        } else {
            now.extend(steps);
            busy |= offer.steps.iter().any(|offered| !offered.of_time);
        }
        for offered in &offer.steps {
            assert_eq!(offered.crew, scene.crew(moment, offered.step));
        }
    }
    if !busy {
        now.append(&mut when_idle);
    }
    now.sort();
    let mut enabled: Vec<Step> = Vec::new();
    scene.enabled(moment, &mut enabled);
    assert_eq!(now, enabled);
    let parts: Vec<Held> = (0..scene.columns())
        .map(|column| scene.part(moment, column))
        .collect();
    assert!(scene.put_together(&parts) == *moment);
}

struct Inspector;

impl sim::run::Watcher<Scene> for Inspector {
    fn before(&mut self, scene: &Scene, moment: &<Scene as System>::State, _: Step) {
        hold_to_its_word(scene, moment);
    }
}

#[test]
fn offers_and_columns_make_the_whole_moment() {
    for stage in common::shipped() {
        let mut runner = sim::run::Runner::new(&stage.scene);
        for seed in 0..2 {
            let mut random = sim::strategy::Random::default();
            runner.run(&mut random, seed, &mut Inspector);
        }
    }
}

/// States after which a story is too large for this test.
const STATES_MAX: u64 = if cfg!(debug_assertions) {
    8_000
} else {
    200_000
};

fn checked(scene: &Scene, options: Options) -> Report<Step> {
    let options = Options {
        states_max: STATES_MAX,
        ..options
    };
    search(scene, &options, &Control::default())
}

/// Each story by every reduction and by none: the same verdict, the same ends, the same witnesses.
#[test]
fn reductions_change_no_answer() {
    let stages = common::shipped();
    let compared = common::on_two_threads(&stages, |stage| {
        let options = |reduce, sleep_sets| Options {
            reduce,
            sleep_sets,
            ..Options::default()
        };
        let full = checked(&stage.scene, options(false, false));
        if full.verdict != Verdict::Verified {
            assert_eq!(
                full.verdict,
                Verdict::Inconclusive(Limit::States),
                "{}",
                stage.story
            );
            return 0;
        }
        for (reduce, sleep_sets) in [(true, false), (false, true), (true, true)] {
            let reduced = checked(&stage.scene, options(reduce, sleep_sets));
            let answer = |report: &Report<Step>| {
                let verdict = report.verdict.clone();
                (
                    verdict,
                    report.resting,
                    report.resting_digest,
                    report.witnessed,
                )
            };
            let place = format!("{} {} {reduce} {sleep_sets}", stage.story, stage.dialect);
            assert_eq!(answer(&reduced), answer(&full), "{place}");
            assert!(reduced.transitions <= full.transitions, "{place}");
        }
        1
    });
    let compared: u32 = compared.into_iter().sum();
    assert!(compared > 60, "only {compared} stories are small enough");
}

/// A search that remembers nothing, keeps whole moments and knows neither offers nor columns visits the same graph.
#[test]
fn a_plain_search_sees_the_same() {
    let stages = common::shipped();
    let compared = common::on_two_threads(&stages, |stage| {
        let options = Options {
            reduce: false,
            cycles: false,
            ..Options::default()
        };
        let report = checked(&stage.scene, options);
        if report.verdict != Verdict::Verified || report.states > STATES_MAX / 4 {
            return 0;
        }
        let (states, steps, resting) = plain(&stage.scene);
        let place = format!("{} {}", stage.story, stage.dialect);
        assert_eq!(
            (report.states, report.transitions, report.resting),
            (states, steps, resting),
            "{place}"
        );
        1
    });
    let compared: u32 = compared.into_iter().sum();
    assert!(compared > 30, "only {compared} stories are small enough");
}

/// States, steps and ends.
fn plain(scene: &Scene) -> (u64, u64, u64) {
    let (mut visited, mut open, mut enabled) = (HashSet::new(), vec![scene.initial()], Vec::new());
    visited.insert(scene.fingerprint(&open[0]));
    let (mut steps, mut resting) = (0, 0);
    while let Some(moment) = open.pop() {
        scene.enabled(&moment, &mut enabled);
        resting += u64::from(enabled.is_empty());
        for step in &enabled {
            steps += 1;
            let mut after = moment.clone();
            scene.apply(&mut after, *step, &mut Vec::new());
            if visited.insert(scene.fingerprint(&after)) {
                open.push(after);
            }
        }
    }
    (visited.len() as u64, steps, resting)
}
