//! Stories on real threads, each step under the locks that it names: whatever order comes, no promise is broken,
//! nothing is touched outside, and nobody is left asleep.

mod common;

use std::sync::Arc;

use scenarios::locks;
use sim::threads::{Options, Planted, run};

#[test]
fn every_story_keeps_its_promises_on_threads() {
    let mut failed = Vec::new();
    for stage in common::shipped() {
        let scene = Arc::new(stage.scene);
        for threads in [1, 4] {
            let options = Options {
                teams: locks::dealt(threads),
                planted: Planted::Nothing,
                coins: 1,
            };
            let run = run(&scene, &options).expect("there are threads");
            if let Some(breach) = run.breach {
                failed.push(format!(
                    "{} {} on {threads}: {breach}",
                    stage.story, stage.dialect
                ));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
