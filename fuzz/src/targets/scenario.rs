//! A scenario: read, put on its stage in each dialect, and played.

use model::dialect::DIALECTS;
use scenarios::format::Story;
use scenarios::load;
use scenarios::scene::Scene;
use scenarios::script::Script;
use sim::run::Runner;
use sim::strategy::Random;

use crate::{Target, extremes, seeds};

/// How many steps of it are played in each dialect.
const STEPS_MAX: u64 = 150;

/// Scenarios.
pub const TARGET: Target = Target {
    name: "scenario",
    run,
    seeds: shipped,
    extremes: extremes::SCENARIOS,
    words: WORDS,
};

fn run(input: &[u8]) {
    let story = match load::parse_bytes("in.yaml", input) {
        Ok(story) => story,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    print_and_read(&story);
    for dialect in DIALECTS {
        if let Ok(script) = Script::of_story(&story, "in.yaml", dialect) {
            let scene = Scene::new(script);
            let mut runner = Runner::new(&scene);
            runner.steps_max = STEPS_MAX;
            runner.run(&mut Random::default(), 0, &mut ());
        }
    }
}

/// What is printed of a story is read as the same one; on which lines its items stood is lost.
fn print_and_read(story: &Story) {
    let printed = story.to_string();
    let mut again = match load::parse("in.yaml", &printed) {
        Ok(again) => again,
        // A key of YAML has at most 1024 characters where it stands before its colon.
        Err(_) if printed.lines().any(|line| line.len() > 1024) => return,
        Err(error) => panic!("a printed story is not read: {error}"),
    };
    for (item, original) in again.script.iter_mut().zip(&story.script) {
        item.line = original.line;
    }
    assert_eq!(again, *story, "a printed story is the same story");
}

fn shipped() -> Vec<Vec<u8>> {
    let shipped = load::SHIPPED.iter();
    let mut seeds: Vec<Vec<u8>> = shipped.map(|(_, text)| text.as_bytes().to_vec()).collect();
    seeds.extend(seeds::files("tests/data", "yaml"));
    seeds
}

const WORDS: &[&str] = &[
    "title",
    "faults",
    "guests",
    "witnesses",
    "defects",
    "script",
    "img",
    "launch",
    "qmp",
    "hmp",
    "wait",
    "bitmaps",
    "pending",
    "forget",
    "settle",
    "sleep",
    "shutdown",
    "kill",
    "result",
    "reply",
    "error",
    "either",
    "any",
    "output",
    "data",
    "absent",
    "create",
    "write",
    "read",
    "copy",
    "rebase",
    "compare",
    "remove",
    "backing",
    "opts",
    "cluster_size",
    "raw",
    "qcow2",
    "iothread",
    "top",
    "full",
    "none",
    "incremental",
    "bitmap",
    "always",
    "never",
    "on-success",
    "drive-backup",
    "blockdev-backup",
    "blockdev-add",
    "block_resize",
    "transaction",
    "block-dirty-bitmap-add",
    "block-dirty-bitmap-merge",
    "block-job-set-speed",
    "granularity",
    "persistent",
    "speed",
    "compress",
    "max-chunk",
    "max-workers",
    "min-cluster-size",
    "aio_write",
    "discard",
    "flush",
    "start",
    "join",
    "- guests: {start: [guest0]}",
    "- bitmaps: {}",
    "- settle: {ms: 1}",
    "- kill: {}",
];
