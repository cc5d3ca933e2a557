//! Every target survives its corpus and a thousand changed inputs, in little memory.

use std::process::{Command, Output};
use std::thread;

use fuzz::{TARGETS, Target};

/// How many changed inputs each target is given.
const COUNT: &str = "1000";

/// How much memory a target may take beyond what it has at its beginning, in MiB.
const MEMORY_MAX: u64 = 64;

#[test]
fn every_target_survives_in_little_memory() {
    let run = |target: &'static Target| {
        thread::spawn(|| {
            Command::new(env!("CARGO_BIN_EXE_survive"))
                .args([target.name, COUNT])
                .output()
                .expect("it was built with the tests")
        })
    };
    let running: Vec<_> = TARGETS.iter().map(run).collect();
    for (target, running) in TARGETS.iter().zip(running) {
        judge(target.name, &running.join().expect("a process was run"));
    }
}

fn judge(name: &str, output: &Output) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} is broken:\n{errors}");
    let printed = String::from_utf8_lossy(&output.stdout);
    let grown = printed
        .split_once("memory +")
        .and_then(|(_, rest)| rest.split_once(" MiB"));
    let grown = grown.expect("it says how much memory it took").0;
    // There is no such number where there is no `/proc`.
    if let Ok(grown) = grown.parse::<u64>() {
        assert!(grown <= MEMORY_MAX, "{printed}");
    }
}

/// The libFuzzer binaries and the folders of the corpus are those of the table.
#[test]
fn every_target_has_its_binary_and_its_corpus() {
    let manifest = include_str!("../Cargo.toml");
    for target in TARGETS {
        let binary = format!("path = \"fuzz_targets/{}.rs\"", target.name);
        assert!(manifest.contains(&binary), "no binary for {}", target.name);
        assert!(!target.kept().is_empty(), "no inputs for {}", target.name);
    }
}
