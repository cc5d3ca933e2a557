//! Files that are too large, too deep, or no text: one clear error, exit code 2, and never a panic.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{blockrace, snapshot, text};

/// A file of this test's own.
fn file(name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("limits");
    fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join(name);
    fs::write(&file, content).expect("a file");
    file
}

/// What is printed about a file, by its name alone.
fn refusal(command: &[&str], file: &Path) -> String {
    let name = file.to_str().expect("a name");
    let output = blockrace(&[command, &[name]].concat());
    let printed = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{printed}");
    let folder = file.parent().expect("a folder").to_str().expect("a name");
    let found = printed.replace(&format!("{folder}/"), "");
    format!(
        "$ blockrace {} {}\n{found}\n",
        command.join(" "),
        file.file_name().expect("a name").display()
    )
}

/// A story with this script.
fn story(script: &str) -> String {
    format!("title: too much\nscript:\n{script}")
}

/// A story with these guests.
fn guests(guests: &str) -> String {
    format!("title: too much\nguests:\n{guests}script:\n  - sleep: {{ms: 1}}\n")
}

const HEADER: &str = "{\"t\":\"header\",\"qemu\":\"10.0.2\"}\n";

#[test]
fn what_is_too_much_is_refused_with_what_to_do() {
    const CHECK: &[&str] = &["check", "--no-failures"];
    const REPLAY: &[&str] = &["replay"];
    const CONFORM: &[&str] = &["conform"];
    const LOG: &[&str] = &["conform", "--format", "qmp", "--log"];
    let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
    let requests = |count| "\"flush\", ".repeat(count);
    let values = format!("[{}0]", "0,".repeat(100_000));
    let laughs = "a0: &a0 [x, x, x]\na1: &a1 [*a0, *a0, *a0, *a0, *a0, *a0, *a0, *a0, *a0]\n"
        .to_owned()
        + &(2..8)
            .map(|at| {
                format!(
                    "a{at}: &a{at} [{}]\n",
                    vec![format!("*a{}", at - 1); 9].join(", ")
                )
            })
            .collect::<String>();
    let reply = |value: &str| {
        story(&format!(
            "  - qmp: {{execute: x, arguments: {{a: {value}}}}}\n"
        ))
    };
    let rows: Vec<(&[&str], PathBuf)> = vec![
        (CHECK, file("large.yaml", vec![b' '; (4 << 20) + 1])),
        (CHECK, file("deep.yaml", reply(&nested(100)))),
        (CHECK, file("laughs.yaml", laughs)),
        (
            CHECK,
            file(
                "many-items.yaml",
                story(&"  - sleep: {ms: 1}\n".repeat(10_001)),
            ),
        ),
        (
            CHECK,
            file(
                "many-guests.yaml",
                guests(
                    &(0..65)
                        .map(|at| format!("  g{at}: {{drive: d, requests: []}}\n"))
                        .collect::<String>(),
                ),
            ),
        ),
        (
            CHECK,
            file(
                "busy-guest.yaml",
                guests(&format!(
                    "  g: {{drive: d, requests: [{}]}}\n",
                    requests(1_001)
                )),
            ),
        ),
        (CHECK, file("no-text.yaml", b"title: x\nscript: \xff\n")),
        (REPLAY, file("large.schedule", vec![b'\n'; (16 << 20) + 1])),
        (REPLAY, file("long.schedule", "a\n".repeat(250_001))),
        (REPLAY, file("no-text.schedule", b"# scenario: x\n\xff\n")),
        (CONFORM, file("large.jsonl", vec![b'\n'; (8 << 20) + 1])),
        (
            CONFORM,
            file("deep.jsonl", format!("{HEADER}{}\n", nested(100))),
        ),
        (
            CONFORM,
            file(
                "many.jsonl",
                format!("{HEADER}{{\"t\":\"reply\",\"return\":{values}}}\n"),
            ),
        ),
        (
            CONFORM,
            file("no-text.jsonl", b"{\"t\":\"header\"}\n\n\xff\n"),
        ),
        (
            CONFORM,
            file(
                "far.jsonl",
                format!(
                    "{HEADER}{{\"t\":\"img\",\"cmd\":\"write\",\"img\":\"a\",\"offset\":18446744073709551615,\"len\":1,\"pattern\":\"1\"}}\n"
                ),
            ),
        ),
        (LOG, file("large.log", vec![b'\n'; (16 << 20) + 1])),
        (LOG, file("many.log", format!("{{\"return\": {values}}}\n"))),
    ];
    let printed: String = rows
        .iter()
        .map(|(command, file)| refusal(command, file))
        .collect();
    snapshot("error.limits", "files that are too much", &printed);
}

/// A drive more than the model can have is a QEMU that does not start, not a panic.
#[test]
fn more_nodes_than_are_modelled_are_refused() {
    let mut script = String::new();
    let drives: Vec<String> = (0..65)
        .map(|at| {
            script += &format!("  - img: {{cmd: create, img: $DIR/{at}, size: 1M}}\n");
            format!("{{id: d{at}, file: $DIR/{at}}}")
        })
        .collect();
    script += &format!("  - launch: {{drives: [{}]}}\n", drives.join(", "));
    let file = file("many-drives.yaml", story(&script));
    let output = blockrace(&["run", file.to_str().expect("a name")]);
    let printed = text(&output.stdout);
    assert!(
        printed.contains("blockrace does not model more than 64 nodes at once"),
        "{printed}"
    );
    assert_eq!(output.status.code(), Some(1), "{printed}");
}
