//! Small stories as threads: how far they are played before, who runs on which thread, and what is reached.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use model::dialect::Dialect;
use scenarios::line::Line;
use scenarios::load;
use scenarios::locks::{self, Team};
use scenarios::scene::Scene;
use scenarios::script::Script;
use sim::System;
use sim::language::{self, Language};
use sim::search::{self, Control, Verdict, search};
use sim::threads::{Explored, Options, Planted, Run, explore};

/// A text of a story as a scene that begins where there is first a choice: up to there only one step was possible at
/// a time, so nothing is left out.
pub fn scene(name: &str, text: &str, dialect: &'static Dialect) -> Scene {
    let story = load::parse(name, text).unwrap_or_else(|error| panic!("{error}"));
    let script = Script::of_story(&story, name, dialect)
        .unwrap_or_else(|error| panic!("{name}:{}: {}", error.line, error.what));
    let scene = Scene::new(script);
    let mut moment = scene.initial();
    let mut enabled = Vec::new();
    loop {
        scene.enabled(&moment, &mut enabled);
        match *enabled {
            [only] if scene.judge(&moment, false).is_ok() => {
                scene.apply(&mut moment, only, &mut Vec::new());
            }
            _ => return scene.starting_at(moment),
        }
    }
}

/// Steps after which a run is cut off: a planted bug may make it endless.
const STEPS_MAX: usize = 150;

/// QEMU's main thread, the jobs of two drives, and all guests: at most four threads, as loom has no more.
pub fn teams(jobs: usize, guests: usize) -> Vec<Team> {
    let jobs = (0..jobs).map(locks::job);
    let guests = (0..guests).map(locks::guest);
    std::iter::once(locks::main_thread())
        .chain(jobs)
        .chain(guests)
        .collect()
}

/// Everybody on four threads.
pub fn everybody() -> Vec<Team> {
    let mut teams = vec![
        locks::main_thread(),
        locks::job(0),
        locks::job(1),
        Vec::new(),
    ];
    for guest in 0..4 {
        teams[3].extend(locks::guest(guest));
    }
    for job in [2, 3] {
        teams[2].extend(locks::job(job));
    }
    for context in 0..3 {
        teams[1 + context % 2].extend(locks::iothread(context, &[]));
    }
    teams
}

pub fn options(teams: Vec<Team>) -> Options {
    Options {
        teams,
        planted: Planted::Nothing,
        coins: 64,
        steps_max: STEPS_MAX,
    }
}

/// What is reached: the worlds at rest by their fingerprints, and the traces.
#[derive(Default)]
pub struct Reached {
    pub ends: BTreeSet<u128>,
    pub traces: BTreeMap<String, Vec<Line>>,
}

/// What loom reaches, and in how many executions.
pub fn by_loom(scene: &Arc<Scene>, options: &Options, bound: Option<usize>) -> (Reached, u64) {
    let reached = Arc::new(Mutex::new(Reached::default()));
    let on = {
        let (scene, reached) = (Arc::clone(scene), Arc::clone(&reached));
        move |run: Run<Scene>| {
            assert_eq!(run.breach, None, "{:?}", run.steps);
            assert!(!run.is_cut, "{:?}", run.steps);
            let mut reached = reached.lock().expect("nobody panics");
            reached.ends.insert(scene.fingerprint(&run.state));
            let text = run.seen.iter().map(|line| format!("{line}\n")).collect();
            reached.traces.insert(text, run.seen);
            true
        }
    };
    let (explored, executions) = explore(scene, &scene.initial(), options, bound, on);
    assert_eq!(explored, Explored::Complete);
    let reached = std::mem::take(&mut *reached.lock().expect("nobody panics"));
    (reached, executions)
}

/// What the search reaches: states, worlds at rest, the sum of their fingerprints; and the traces.
pub fn by_search(scene: &Scene) -> (u64, u64, u128, Language<'_, Scene>) {
    let options = search::Options {
        reduce: false,
        ..search::Options::default()
    };
    let report = search(scene, &options, &Control::default());
    assert_eq!(report.verdict, Verdict::Verified);
    let language = Language::explore(scene, language::Options::default(), &mut |_| true)
        .expect("traces come to an end");
    (
        report.states,
        report.resting,
        report.resting_digest,
        language,
    )
}

/// Is this one of the traces?
pub fn accepts(language: &Language<'_, Scene>, trace: &[Line]) -> bool {
    let mut states = vec![0];
    for line in trace {
        states = language
            .automaton
            .advance(&states, &mut |other| other == line);
    }
    let ends = |state: &usize| !language.automaton.states[*state].ends.is_empty();
    states.iter().any(ends)
}

/// What `wanted` says of a run in which that promise is broken: found by loom within so many executions or not, and
/// in how many.
pub fn finds(
    scene: &Arc<Scene>,
    options: &Options,
    bound: Option<usize>,
    executions_max: u64,
    wanted: &'static str,
) -> (bool, u64) {
    let found = Arc::new(Mutex::new((false, 0)));
    let note = Arc::clone(&found);
    let on = move |run: Run<Scene>| {
        let mut found = note.lock().expect("nobody panics");
        found.1 += 1;
        found.0 = run.breach.is_some_and(|breach| breach.property == wanted);
        !found.0 && found.1 < executions_max
    };
    let (explored, executions) = explore(scene, &scene.initial(), options, bound, on);
    let is_deadlock = matches!(explored, Explored::Deadlock(_)) && wanted == DEADLOCK;
    let found = found.lock().expect("nobody panics").0;
    (found || is_deadlock, executions)
}

/// What loom calls threads that wait for each other's locks.
pub const DEADLOCK: &str = "deadlock";
