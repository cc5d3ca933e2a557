//! The search, on stories: what the scene says of its columns and offers is true.

mod common;

use scenarios::scene::{Held, Scene, Step};
use sim::System;
use sim::parts::{Offer, Parts};

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
