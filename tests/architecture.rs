//! The design's rules that can be checked: who may know whom, and what the model must not have.

mod common;

use std::path::Path;

use common::project;

fn dependencies(manifest: &str) -> Vec<String> {
    let text = std::fs::read_to_string(project().join(manifest)).expect("a manifest");
    let after = text.split("[dependencies]").nth(1).expect("dependencies");
    let section = after.split("\n[").next().unwrap_or_default();
    let name = |line: &str| line.split_once('=').map(|(name, _)| name.trim().to_owned());
    section
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(name)
        .collect()
}

#[test]
fn dependencies_point_one_way() {
    assert_eq!(dependencies("model/Cargo.toml"), ["serde", "serde_json"]);
    let sim = dependencies("sim/Cargo.toml");
    assert!(
        !sim.iter()
            .any(|name| name == "model" || name == "scenarios"),
        "{sim:?}"
    );
    let scenarios = dependencies("scenarios/Cargo.toml");
    assert!(scenarios.contains(&"model".into()) && scenarios.contains(&"sim".into()));
    assert!(!scenarios.contains(&"blockrace".into()));
    let cluster = dependencies("cluster/Cargo.toml");
    for other in ["model", "scenarios", "blockrace"] {
        assert!(!cluster.contains(&other.into()), "{cluster:?}");
    }
    for package in ["model", "sim", "scenarios"] {
        let names = dependencies(&format!("{package}/Cargo.toml"));
        assert!(!names.contains(&"timely".into()), "{package}: {names:?}");
    }
}

fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source file");
            found.push((path.display().to_string(), text));
        }
    }
}

/// Lines of code that have one of the words.
fn having(folder: &str, words: &[&str]) -> Vec<String> {
    let mut files = Vec::new();
    sources(&project().join(folder), &mut files);
    assert!(!files.is_empty(), "no sources in {folder}");
    let mut lines = Vec::new();
    for (file, text) in files {
        for (index, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if words.iter().any(|word| code.contains(word)) {
                lines.push(format!("{file}:{}: {line}", index + 1));
            }
        }
    }
    lines
}

#[test]
fn the_model_has_no_clock_no_chance_no_threads_no_files_and_no_log() {
    let words = [
        "std::time",
        "std::thread",
        "std::fs",
        "std::env",
        "std::net",
        "std::process",
        "rand",
        "println!",
        "eprintln!",
        "tracing",
        "f32",
        "f64",
    ];
    let found = having("model/src", &words);
    let found: Vec<_> = found
        .into_iter()
        .filter(|line| !line.contains("operand"))
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_engines_have_no_clock_no_files_and_no_chance_but_a_seed() {
    let words = [
        "std::time",
        "Instant",
        "std::fs",
        "std::env",
        "std::net",
        "std::process",
        "println!",
    ];
    let found = having("sim/src", &words);
    assert!(found.is_empty(), "{}", found.join("\n"));
    let chance = having("sim/src", &["rand"]);
    let chance: Vec<_> = chance
        .into_iter()
        .filter(|line| line.contains("rand_chacha") && !line.contains("sim/src/seed.rs"))
        .collect();
    assert!(chance.is_empty(), "{}", chance.join("\n"));
}

/// The standard library's tables have an order of their own in every process. The search has tables of numbers, whose
/// hash is always the same; what goes through one folds it in a way that no order changes.
#[test]
fn no_order_of_a_hash_table_can_leak_into_a_result() {
    for folder in ["model/src", "sim/src", "scenarios/src", "src"] {
        let found = having(folder, &["HashMap", "HashSet"]);
        let is_of_search =
            |line: &String| line.contains("FxHash") && line.contains("/sim/src/search");
        let found: Vec<_> = found
            .into_iter()
            .filter(|line| !is_of_search(line))
            .collect();
        assert!(found.is_empty(), "{}", found.join("\n"));
    }
    assert!(
        !having("tests", &["HashMap"]).is_empty(),
        "the search for words finds words"
    );
}
