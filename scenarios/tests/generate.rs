//! Random stories: functions of their seeds, understood by everybody, and good enough to find bugs.

use std::path::PathBuf;

use model::dialect::{DIALECTS, Dialect};
use model::mutation::Mutation;
use scenarios::coverage::{COLUMNS, Follower, Matrix, Outcome, ROWS};
use scenarios::generate::{generate, seed_of};
use scenarios::line::Line;
use scenarios::load;
use scenarios::scene::Scene;
use scenarios::script::Script;
use serde_json::json;
use sim::run::{End, Recorder, Runner};
use sim::seed::run_seed;
use sim::strategy::Random;

/// How many stories are only read.
const READ: u64 = if cfg!(debug_assertions) {
    1_000
} else {
    10_000
};

/// How many stories are played.
const PLAYED: u64 = 150;

fn scene(seed: u64, dialect: &'static Dialect) -> Scene {
    let story = generate(seed);
    let script = Script::of_story(&story, &story.name, dialect);
    let script = script.unwrap_or_else(|error| panic!("random:{seed}: {}", error.what));
    Scene::new(script)
}

/// The end of one run of a story, and its lines.
fn play(scene: &Scene, run: u64) -> (End, Vec<Line>) {
    let mut recorder = Recorder::new();
    let mut runner = Runner::new(scene);
    runner.steps_max = 100_000;
    let outcome = runner.run(&mut Random::default(), run_seed(0, run), &mut recorder);
    (outcome.end, recorder.observations)
}

#[test]
fn a_story_is_a_function_of_its_seed_and_is_read_and_modelled() {
    for seed in 0..READ {
        let story = generate(seed);
        assert_eq!(story.name, format!("random-{seed}"));
        let read = load::parse(&story.name, &story.to_string()).expect("it was read before");
        assert_eq!(read, story, "random:{seed} is not what its text says");
        if seed % 50 == 0 {
            assert_eq!(
                generate(seed),
                story,
                "random:{seed} is not always the same"
            );
            assert_ne!(generate(seed + 1).script, story.script);
        }
        for dialect in DIALECTS {
            scene(seed, dialect);
        }
    }
}

#[test]
fn a_story_looks_like_this() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_description("What a seed of a random story means");
    settings.bind(|| insta::assert_snapshot!("random-7", generate(7).to_string()));
}

#[test]
fn the_name_of_a_random_story_has_its_seed() {
    assert_eq!(seed_of("random:17"), Some(17));
    for other in [
        "random",
        "random:",
        "random:-1",
        "random:x",
        "random-17",
        "test_incremental",
    ] {
        assert_eq!(seed_of(other), None, "{other}");
    }
}

/// Nothing is expected, so nothing but a promise can be broken; what is broken is known, and every run rests. What
/// the matrix counts is the same whether it is fed with lines or with what a recording has of them.
#[test]
fn stories_break_nothing_that_is_not_known() {
    let mut total = Matrix::default();
    for seed in 0..PLAYED {
        for dialect in DIALECTS {
            let scene = scene(seed, dialect);
            for run in 0..3 {
                let (end, lines) = play(&scene, run);
                let known = match &end {
                    End::Breached(breach) => breach.known.is_some(),
                    end => *end == End::Rested,
                };
                assert!(known, "random:{seed}, QEMU {dialect}, seed {run}: {end:?}");
                let matrix = Matrix::of_trace(&lines);
                let recorded: Vec<_> = lines.iter().map(Line::to_json).collect();
                assert_eq!(Matrix::of_recording(&recorded), matrix, "random:{seed}");
                total.add(&matrix);
            }
        }
    }
    assert!(total.surprises().is_empty(), "{total}");
    // Most of what can be reached is reached by these few already.
    assert!(total.gaps().len() < 100, "{total}");
}

/// A bug that no shipped story was written for by these: random ones find it.
#[test]
fn a_planted_bug_is_found() {
    let bug = Mutation::called("cancel-forgets-uncopied").expect("a planted bug");
    let planted = DIALECTS[1].with(bug);
    let finds = |seed: &u64| {
        let scene = scene(*seed, planted);
        (0..5).any(|run| match play(&scene, run).0 {
            End::Breached(breach) => breach.known.is_none(),
            _ => false,
        })
    };
    let found = (0..2_000).find(finds);
    println!("random:{found:?} finds {}", bug.name);
    assert!(found.is_some(), "{} is not found", bug.name);
}

// ---- the matrix by itself

fn cell(row: &str, column: &str) -> (usize, usize) {
    let place = |names: &[&str], name: &str| names.iter().position(|known| *known == name);
    (
        place(&ROWS, row).expect("a row"),
        place(&COLUMNS, column).expect("a column"),
    )
}

/// A client that reads a line at a time: what it knows when it sends is what counts.
#[test]
fn a_command_is_counted_where_the_client_knew_the_job_to_be() {
    let status = |id: &str, status: &str| json!({"t": "event", "event": "JOB_STATUS_CHANGE", "data": {"id": id, "status": status}});
    let command = |execute: &str, arguments: serde_json::Value| json!({"t": "cmd", "execute": execute, "arguments": arguments});
    let (accepted, refused) = (
        json!({"t": "reply", "return": {}}),
        json!({"t": "reply", "error": {"class": "GenericError", "desc": "no"}}),
    );
    let backup = json!({"job-id": "job0", "device": "drive0", "target": "t", "sync": "full"});
    let failed = json!(["write failed: Input/output error"]);
    let lines = [
        json!({"t": "launch", "drives": [{"id": "drive0", "node": "node0"}, {"id": "drive1"}]}),
        command("blockdev-backup", backup),
        status("job0", "created"),
        status("job0", "running"),
        accepted.clone(),
        // Its own drive by the node's name, another drive, and the job itself.
        command(
            "block-dirty-bitmap-clear",
            json!({"node": "node0", "name": "bitmap0"}),
        ),
        refused.clone(),
        command("block_resize", json!({"device": "drive1", "size": 0})),
        accepted.clone(),
        command("block-job-cancel", json!({"device": "job0"})),
        status("job0", "aborting"),
        accepted.clone(),
        json!({"t": "hmp", "line": "qemu-io drive0 \"write -P0x11 0 64k\"", "output": failed}),
        json!({"t": "hmp", "line": "qemu-io drive0 \"flush\"", "output": []}),
        command("job-cancel", json!({"id": "job0"})),
        refused,
        status("job0", "null"),
        command("quit", json!({})),
        accepted,
    ];
    let (mut matrix, mut follower) = (Matrix::default(), Follower::default());
    let mut wanted = Matrix::default();
    for (row, column, outcome) in [
        ("blockdev-backup", "none", Outcome::Accepted),
        ("bitmap clear", "running", Outcome::Refused),
        ("resize", "none", Outcome::Accepted),
        ("cancel", "running", Outcome::Accepted),
        ("guest write", "aborting", Outcome::Refused),
        ("force cancel", "aborting", Outcome::Refused),
        ("quit", "none", Outcome::Accepted),
    ] {
        wanted.count(cell(row, column), outcome);
    }
    lines
        .iter()
        .for_each(|line| follower.json(line, &mut matrix));
    assert_eq!(matrix.to_json(), wanted.to_json());
}
