//! Every recording of real QEMU is a trace of the model.

use std::path::PathBuf;

use scenarios::conform::{Exactness, Verdict, conform};
use scenarios::recording::Recording;

fn recordings() -> Vec<(String, String)> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("recordings");
    let mut found = Vec::new();
    for version in ["7.2.22", "10.0.2"] {
        for entry in std::fs::read_dir(root.join(version)).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{version}/{}", path.file_name().unwrap().to_string_lossy());
            found.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
    found.sort();
    found
}

/// Strictly are those of iotest 124, which were seen hundreds of times. Of the others, how many pauses a drain shows
/// is left out, as for everybody who asks without `--strict`.
#[test]
fn all_are_accepted() {
    let mut rejected = Vec::new();
    for (name, text) in recordings() {
        for recording in Recording::parse_all(&name, &text).unwrap() {
            let start = std::time::Instant::now();
            let file = name.rsplit('/').next().unwrap();
            let exactness = if file.starts_with("test_") || file.starts_with("transaction_") {
                Exactness::Strict
            } else {
                Exactness::Normal
            };
            let verdict = conform(&recording, exactness).unwrap();
            println!("{name} {:?}", start.elapsed());
            if !matches!(verdict, Verdict::Accepted { .. }) {
                rejected.push((name.clone(), verdict));
            }
        }
    }
    for (name, verdict) in &rejected {
        println!("{name}: {verdict:#?}");
    }
    assert!(rejected.is_empty(), "{} rejected", rejected.len());
}
