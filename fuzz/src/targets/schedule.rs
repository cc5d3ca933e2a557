//! A schedule: read, printed and read again, and followed, strictly and as well as can be.

use std::sync::LazyLock;

use model::dialect::DIALECTS;
use scenarios::load;
use scenarios::scene::Scene;
use scenarios::script::Script;
use sim::run::{Recorder, Runner};
use sim::schedule::Schedule;
use sim::strategy::{BestEffort, Random, Replay, Strategy};

use crate::{Target, extremes};

/// How many steps are followed.
const STEPS_MAX: u64 = 50;

/// Schedules.
pub const TARGET: Target = Target {
    name: "schedule",
    run,
    seeds: played,
    extremes: extremes::SCHEDULES,
    words: &[
        "client launch",
        "monitor reply",
        "main bh job-exit drive0",
        "drive0 job read 0+64k",
        "drive0 job write 0+64k",
        "guest0 write 1 begin",
        "guest0 write 1 lands",
        "# scenario:",
        "# dialect:",
    ],
};

/// The stories whose schedules are followed; a schedule chooses by its header, and else has the first one.
const STORIES: [&str; 4] = [
    "test_transaction_failure_race",
    "guest-write-against-copy",
    "two-drives-in-one-thread",
    "a-throttled-backup",
];

/// Each story in each dialect.
static SCENES: LazyLock<Vec<Scene>> = LazyLock::new(|| {
    let scenes = STORIES.iter().flat_map(|name| {
        let story = load::open(name).expect("a shipped story");
        DIALECTS.map(|dialect| {
            Scene::new(Script::of_story(&story, name, dialect).expect("a shipped story"))
        })
    });
    scenes.collect()
});

fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let schedule = match Schedule::parse(text) {
        Ok(schedule) => schedule,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let again = Schedule::parse(&schedule.to_string()).expect("a printed schedule is read");
    assert_eq!(again, schedule, "a printed schedule is the same schedule");
    let scene = scene_of(&schedule);
    follow(scene, &mut Replay::new(schedule.clone()));
    follow(scene, &mut BestEffort::new(schedule));
}

fn scene_of(schedule: &Schedule) -> &'static Scene {
    let header = |key, known: &[&str]| {
        let found = schedule.header(key);
        let place = known.iter().position(|known| Some(*known) == found);
        place.unwrap_or(0)
    };
    let dialects = DIALECTS.map(|dialect| dialect.name);
    &SCENES[header("scenario", &STORIES) * dialects.len() + header("dialect", &dialects)]
}

fn follow(scene: &Scene, strategy: &mut dyn Strategy) {
    let mut runner = Runner::new(scene);
    runner.steps_max = STEPS_MAX;
    runner.run(strategy, 0, &mut ());
}

/// What was done in a few runs of each scene.
fn played() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (index, scene) in SCENES.iter().enumerate() {
        for seed in 0..4 {
            let mut recorder = Recorder::new();
            let mut runner = Runner::new(scene);
            runner.steps_max = STEPS_MAX;
            runner.run(&mut Random::default(), seed, &mut recorder);
            let mut schedule = recorder.schedule;
            schedule.set_header("scenario", STORIES[index / DIALECTS.len()]);
            schedule.set_header("dialect", DIALECTS[index % DIALECTS.len()].name);
            seeds.push(schedule.to_string().into_bytes());
        }
    }
    seeds
}
