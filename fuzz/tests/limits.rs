//! Files that are too large, too deep, or no text: one clear error that names the file, the line and the usual cause.

use std::fs;
use std::path::{Path, PathBuf};

use model::dialect::DIALECTS;
use scenarios::limits::{LOG, RECORDING, SCHEDULE};
use scenarios::load;
use scenarios::log::{self, Question, Style};
use scenarios::recording::Recording;
use scenarios::scene::Scene;
use scenarios::script::Script;
use sim::run::{End, Runner};
use sim::strategy::Random;

/// A file of this test's own.
fn file(name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("limits");
    fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join(name);
    fs::write(&file, content).expect("a file");
    file
}

/// The first line of what is said of a file, by its name alone.
fn refusal(file: &Path) -> String {
    let name = file.to_str().expect("a name");
    let ending = file.extension().and_then(|ending| ending.to_str());
    let error = match ending {
        Some("yaml") => load::open(name)
            .map(drop)
            .map_err(|error| error.to_string()),
        Some("schedule") => SCHEDULE.read_text(file).map(drop),
        Some("jsonl") => RECORDING.read_text(file).and_then(|text| {
            let read = Recording::parse_all(name, &text).and_then(|all| all[0].script(true, None));
            read.map(drop).map_err(|error| error.to_string())
        }),
        _ => LOG.read(file).and_then(|bytes| {
            let question = Question {
                file: name,
                style: Style::Qmp,
                given: None,
                dialect: None,
                worlds_max: 10,
            };
            let reading = log::read(Style::Qmp, &String::from_utf8_lossy(&bytes));
            let checked = log::check(&reading, &question);
            checked.map(drop).map_err(|error| error.to_string())
        }),
    };
    let error = error.expect_err("it is too much");
    let folder = format!("{}/", file.parent().expect("a folder").display());
    error.lines().next().expect("a line").replace(&folder, "")
}

fn check(name: &str, content: impl AsRef<[u8]>, expected: &str) {
    assert_eq!(refusal(&file(name, content)), expected);
}

/// As [`check`], where the library that reads decides about the rest of the line.
fn check_parts(name: &str, content: impl AsRef<[u8]>, begin: &str, part: &str) {
    let error = refusal(&file(name, content));
    assert!(error.starts_with(begin) && error.contains(part), "{error}");
}

/// A list of so many zeroes.
fn zeroes(count: usize) -> String {
    format!("[{}]", vec!["0"; count].join(","))
}

fn nested(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
}

#[test]
fn scenarios() {
    let script = |script: &str| format!("title: t\nscript:\n{script}");
    let argument = |value: &str| {
        script(&format!(
            "  - qmp: {{execute: x, arguments: {{a: {value}}}}}\n"
        ))
    };
    let guests =
        |guests: &str| format!("title: t\nguests:\n{guests}script:\n  - sleep: {{ms: 1}}\n");
    check(
        "large.yaml",
        vec![b' '; (4 << 20) + 1],
        "large.yaml: a scenario has at most 4 MiB; is this an image, a recording or a log?",
    );
    check_parts(
        "deep.yaml",
        argument(&nested(100)),
        "deep.yaml:3:",
        "nested more than 64 deep",
    );
    const MANY: &str =
        "a scenario has at most 100000 values, counting what each `*alias` stands for";
    check_parts(
        "many-values.yaml",
        argument(&zeroes(100_000)),
        "many-values.yaml:3:",
        MANY,
    );
    let mut laughs = "&a0 [x, x, x]".to_owned();
    for at in 1..8 {
        let below = vec![format!("*a{}", at - 1); 9].join(", ");
        laughs += &format!(", b{at}: &a{at} [{below}]");
    }
    check_parts("laughs.yaml", argument(&laughs), "laughs.yaml:3:", MANY);
    check(
        "many-items.yaml",
        script(&"  - sleep: {ms: 1}\n".repeat(10_001)),
        "many-items.yaml:10003:5: a script has at most 10000 items",
    );
    let many: String = (0..65)
        .map(|at| format!("  g{at}: {{drive: d, requests: []}}\n"))
        .collect();
    check(
        "many-guests.yaml",
        guests(&many),
        "many-guests.yaml:67:3: a story has at most 64 guests",
    );
    let busy = format!(
        "  g: {{drive: d, requests: [{}]}}\n",
        "\"flush\", ".repeat(1_001)
    );
    check(
        "busy-guest.yaml",
        guests(&busy),
        "busy-guest.yaml:3:3: a guest sends at most 1000 requests",
    );
}

#[test]
fn schedules() {
    check(
        "large.schedule",
        vec![b'\n'; (8 << 20) + 1],
        "large.schedule: a schedule has at most 8 MiB; is this an image, a recording or a log?",
    );
    check(
        "long.schedule",
        "a\n".repeat(100_001),
        "long.schedule: a schedule has at most 100000 lines; is this an image, a recording or a log?",
    );
    check(
        "no-text.schedule",
        b"# scenario: x\n\xff\n",
        "no-text.schedule:2: this is not UTF-8; a schedule is a text file",
    );
}

#[test]
fn recordings() {
    let after_header = |lines: &str| format!("{{\"t\":\"header\",\"qemu\":\"10.0.2\"}}\n{lines}\n");
    check(
        "large.jsonl",
        vec![b'\n'; (8 << 20) + 1],
        "large.jsonl: a recording has at most 8 MiB; one file for each story: cut it where a header begins",
    );
    check_parts(
        "deep.jsonl",
        after_header(&nested(100)),
        "deep.jsonl:2: this is not JSON (it is nested more than 64 deep",
        "a recording has one object a line",
    );
    check(
        "many.jsonl",
        after_header(&format!(
            "{{\"t\":\"reply\",\"return\":{}}}",
            zeroes(100_000)
        )),
        "many.jsonl:2: there are more than 100000 values in this file; one file for each story: \
         cut it where a header begins",
    );
    let far = u64::MAX;
    check(
        "far.jsonl",
        after_header(&format!(
            "{{\"t\":\"img\",\"cmd\":\"write\",\"img\":\"a\",\"offset\":{far},\"len\":1,\"pattern\":\"1\"}}"
        )),
        "far.jsonl:2: field offset is not a number of bytes (a whole one, at most 2^63 - 1)",
    );
}

#[test]
fn logs() {
    const ADVICE: &str =
        "cut out the part in question, or what the monitor says (of libvirt: `grep QEMU_MONITOR`)";
    check(
        "large.log",
        vec![b'\n'; (16 << 20) + 1],
        &format!("large.log: a log has at most 16 MiB; {ADVICE}"),
    );
    check(
        "many.log",
        format!("{{\"return\": {}}}\n", zeroes(100_000)),
        &format!(
            "many.log: it has more than 1000 monitors, or their messages more than 100000 values; {ADVICE}"
        ),
    );
}

/// A drive more than the model can have is a QEMU that does not start, and says why.
#[test]
fn more_nodes_than_are_modelled_are_refused() {
    let mut text = "title: t\nscript:\n".to_owned();
    let drives: Vec<String> = (0..65)
        .map(|at| {
            text += &format!("  - img: {{cmd: create, img: $DIR/{at}, size: 1M}}\n");
            format!("{{id: d{at}, file: $DIR/{at}}}")
        })
        .collect();
    text += &format!("  - launch: {{drives: [{}]}}\n", drives.join(", "));
    let story = load::parse("many-drives.yaml", &text).expect("a story");
    let script = Script::of_story(&story, "many-drives.yaml", DIALECTS[0]).expect("a script");
    let scene = Scene::new(script);
    let outcome = Runner::new(&scene).run(&mut Random::default(), 0, &mut ());
    let End::Breached(breach) = outcome.end else {
        panic!("it starts: {:?}", outcome.end);
    };
    assert_eq!(
        breach.message,
        "many-drives.yaml:68: QEMU does not start: blockrace does not model more than 64 nodes at once"
    );
}
