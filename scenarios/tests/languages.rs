//! Every recording of a shipped story is one of the traces that the story's automaton lists.

use std::collections::BTreeMap;
use std::path::PathBuf;

use model::dialect::{DIALECTS, Dialect};
use scenarios::conform::{Exactness, matches};
use scenarios::line::Line;
use scenarios::load::{self, SHIPPED};
use scenarios::recording::Recording;
use scenarios::scene::Scene;
use scenarios::script::Script;
use serde_json::Value;
use sim::language::{Automaton, Language, Options};

/// Stories with more worlds than this are left to `recordings`, which carries only those that a
/// recording leaves possible.
const WORLDS_MAX: usize = 20_000;

/// By scenario and dialect.
fn recordings() -> BTreeMap<(String, &'static str), Vec<Recording>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("recordings");
    let mut found: BTreeMap<_, Vec<Recording>> = BTreeMap::new();
    for version in std::fs::read_dir(root).unwrap() {
        for entry in std::fs::read_dir(version.unwrap().path()).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            for recording in Recording::parse_all(&path.to_string_lossy(), &text).unwrap() {
                let dialect = recording.dialect().unwrap().name;
                let story = (recording.scenario.clone(), dialect);
                found.entry(story).or_default().push(recording);
            }
        }
    }
    found
}

fn scene(name: &str, dialect: &'static Dialect) -> Scene {
    let story = load::open(name).unwrap();
    Scene::new(Script::of_story(&story, name, dialect).unwrap())
}

/// A recorded line without what a story does not tell: on which machine QEMU was started.
fn as_told(recorded: &Value) -> Value {
    let mut told = recorded.clone();
    if let ("launch", Some(launch)) = (kind(recorded), told.as_object_mut()) {
        launch.remove("machine");
    }
    told
}

fn kind(line: &Value) -> &str {
    line["t"].as_str().unwrap_or_default()
}

/// Follows a recording through the automaton.
fn accepts(automaton: &Automaton<Line>, recording: &Recording) -> Result<(), String> {
    let mut states = vec![0];
    for (number, recorded) in &recording.lines {
        if kind(recorded) == "shutdown" {
            continue;
        }
        let recorded = &as_told(recorded);
        let fits = &mut |line: &Line| matches(recorded, line, Exactness::Strict);
        states = automaton.advance(&states, fits);
        if states.is_empty() {
            return Err(format!("{}:{number}: {recorded}", recording.file));
        }
    }
    let ends = |state: &usize| !automaton.states[*state].ends.is_empty();
    if states.iter().any(ends) {
        Ok(())
    } else {
        Err(format!("{}: the traces go on", recording.file))
    }
}

#[test]
fn recordings_are_traces_of_their_stories() {
    let recordings = recordings();
    let (mut followed, mut rejected) = (0, Vec::new());
    for (name, _) in SHIPPED {
        let short = name.rsplit('/').next().unwrap();
        for dialect in DIALECTS {
            let Some(recordings) = recordings.get(&(short.to_owned(), dialect.name)) else {
                continue;
            };
            // The recordings that show every drain's pauses, and no guest: what guests sent is in no trace of a story.
            if !name.starts_with("iotest-124/") {
                continue;
            }
            let scene = scene(name, dialect);
            let options = Options {
                worlds_max: WORLDS_MAX,
                ..Options::default()
            };
            let language = Language::explore(&scene, options, &mut |_| true).unwrap();
            if !language.is_complete() {
                continue;
            }
            followed += recordings.len();
            let results = recordings
                .iter()
                .map(|recording| accepts(&language.automaton, recording));
            rejected.extend(results.filter_map(Result::err));
        }
    }
    assert!(rejected.is_empty(), "{rejected:#?}");
    assert!(followed >= 48, "only {followed} were followed");
}

/// Two small drives that are backed up as a group, each with two copies in flight.
const SMALL: &str = r#"
title: Two small drives, two copies each
about: Small enough to try every order of the copies.
script:
  - img: {cmd: create, img: $DIR/drive0.qcow2, size: 256k}
  - img: {cmd: create, img: $DIR/drive1.qcow2, size: 256k}
  - launch: {drives: [{id: drive0, file: $DIR/drive0.qcow2, node: node0},
                      {id: drive1, file: $DIR/drive1.qcow2, node: node1}]}
  - qmp: {"execute": "block-dirty-bitmap-add", "arguments": {"node": "drive0", "name": "bitmap0"}}
  - qmp: {"execute": "block-dirty-bitmap-add", "arguments": {"node": "drive1", "name": "bitmap0"}}
  - hmp: {drive: drive0, line: "write -P0x11 0 65536"}
  - hmp: {drive: drive0, line: "write -P0x12 131072 65536"}
  - hmp: {drive: drive1, line: "write -P0x13 0 65536"}
  - hmp: {drive: drive1, line: "write -P0x14 131072 65536"}
  - qmp: {"execute": "transaction",
          "arguments": {
            "actions": [
              {"type": "drive-backup",
               "data": {"job-id": "drive0", "device": "drive0", "target": "$DIR/target0.qcow2",
                        "sync": "incremental", "format": "qcow2", "bitmap": "bitmap0"}},
              {"type": "drive-backup",
               "data": {"job-id": "drive1", "device": "drive1", "target": "$DIR/target1.qcow2",
                        "sync": "incremental", "format": "qcow2", "bitmap": "bitmap0"}}],
            "properties": {"completion-mode": "grouped"}}}
  - wait: {event: BLOCK_JOB_COMPLETED, match: {device: drive0}}
  - wait: {event: BLOCK_JOB_COMPLETED, match: {device: drive1}}
"#;

#[test]
fn the_reduction_keeps_the_traces_of_a_story_and_leaves_out_worlds() {
    let story = load::parse("small", SMALL).unwrap_or_else(|error| panic!("{error}"));
    for dialect in DIALECTS {
        let scene = Scene::new(Script::of_story(&story, "small", dialect).unwrap());
        let explore = |reduce| {
            let options = Options {
                reduce,
                ..Options::default()
            };
            Language::explore(&scene, options, &mut |_| true).unwrap()
        };
        let (reduced, full) = (explore(true), explore(false));
        assert_eq!(reduced.automaton, full.automaton);
        assert!(reduced.covered().worlds < full.covered().worlds);
        assert!(full.automaton.trace_count() > 1);
    }
}
