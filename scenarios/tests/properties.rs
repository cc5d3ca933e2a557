//! The promises of the model, kept by every shipped story under many seeds, and heard when one is broken.

mod common;

use common::{on_two_threads, shipped};
use model::property::WITNESSES;
use scenarios::scene::{Moment, Scene, Step};
use sim::run::{Runner, Watcher};
use sim::seed::run_seed;
use sim::strategy::Random;
use sim::{Footprint, System};

/// Runs of each story; few where the model is slow.
const RUNS: u64 = if cfg!(debug_assertions) { 100 } else { 2000 };

/// The witnesses of all steps of some runs.
struct Seen(u64);

impl Watcher<Scene> for Seen {
    fn after(
        &mut self,
        scene: &Scene,
        moment: &Moment,
        _: Step,
        _: Footprint,
        _: &[scenarios::line::Line],
    ) {
        self.0 |= scene.witnessed(moment);
    }
}

#[test]
fn no_shipped_story_breaks_a_promise() {
    let stages = shipped();
    let broken = on_two_threads(&stages, |stage| {
        let mut runner = Runner::new(&stage.scene);
        for index in 0..RUNS {
            runner.run(&mut Random::default(), run_seed(0, index), &mut ());
            if let Some(broken) = runner.state().world.broken() {
                return Some(format!(
                    "{} ({}), seed {index}: {broken}",
                    stage.story, stage.dialect
                ));
            }
        }
        None
    });
    let broken: Vec<String> = broken.into_iter().flatten().collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// What the stories of iotest 124 reach under a few seeds: one that stops reaching what it is about is noticed.
#[test]
fn the_stories_of_iotest_124_reach_their_interesting_cases() {
    let mut stages = shipped();
    stages.retain(|stage| stage.story.starts_with("test_"));
    let rows = on_two_threads(&stages, |stage| {
        let mut runner = Runner::new(&stage.scene);
        let mut seen = Seen(0);
        for index in 0..50 {
            runner.run(&mut Random::default(), run_seed(0, index), &mut seen);
        }
        let ids: Vec<&str> = (0..WITNESSES.len())
            .filter(|bit| seen.0 & (1 << bit) != 0)
            .map(|bit| WITNESSES[bit].0)
            .collect();
        format!("{} ({}): {}", stage.story, stage.dialect, ids.join(" "))
    });
    insta::assert_snapshot!(rows.join("\n"));
}

/// A scene passes on what the model knows: the names in the model's order.
#[test]
fn a_scene_has_the_models_witnesses() {
    let scene = &shipped()[0].scene;
    let ids: Vec<&str> = WITNESSES.iter().map(|(id, _)| *id).collect();
    assert_eq!(scene.witnesses(), ids);
}
