//! Stories that nobody thought of: commands, guests and faults at random, in the order and at the moments that
//! seeds choose. QEMU's own assertions must hold (a broken one is a panic of the model), every command is
//! answered, every job's events come in their order, and at rest every job has ended or waits for its user.

use std::collections::BTreeMap;

use crate::support::{play, witnessed};
use model::dialect::{DIALECTS, Dialect};
use model::property::WITNESSES;

/// A small generator of its own (splitmix64), so that a story means the same for ever.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, count: usize) -> usize {
        (self.next() % count as u64) as usize
    }

    fn one<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    fn often(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

fn story(number: u64) -> String {
    let mut dice = Dice(number);
    let d = &mut dice;
    let mut lines = Vec::new();
    for disk in ["d0", "d1"] {
        let writes = d.one(&["", "0x41@0+64k", "0x41@0+256k", "0x41@64k+64k 0x42@192k+1k"]);
        lines.push(format!("disk {disk} 256k {writes}"));
    }
    for disk in ["t0", "t1", "t2"] {
        lines.push(format!(
            "disk {disk} 256k {}",
            d.one(&["", "", "cluster=128k", "format=raw"])
        ));
    }
    for disk in ["d0", "d1", "t0", "t1"] {
        if d.often(25) {
            let event = if disk.starts_with('d') {
                "read_aio"
            } else {
                "write_aio"
            };
            let (errno, once, immediately) = (
                d.one(&["5", "28"]),
                d.one(&["true", "true", "false"]),
                d.one(&["true", "false"]),
            );
            lines.push(format!(
                "faults {disk} {{inject-error: [{{event: {event}, errno: {errno}, once: {once}, immediately: {immediately}}}]}}"
            ));
        }
    }
    let threads = d.one(&[
        "d0 d1",
        "d0 d1",
        "d0:io0 d1",
        "d0:io0 d1:io0",
        "d0:io0 d1:io1",
    ]);
    lines.push(format!("launch {threads}"));
    lines.extend(
        [
            "node t0",
            "node t1",
            "node t2",
            "add n0/b0",
            "add n1/b0",
            "add n0/b1",
        ]
        .map(String::from),
    );
    for bitmap in ["n0", "n1"] {
        if d.often(60) {
            lines.push(format!(
                "io {bitmap} write -P7 {} 1k",
                d.one(&["0", "64k", "128k"])
            ));
        }
    }
    for guest in ["g0", "g1"] {
        if d.often(50) {
            let drive = d.one(&["d0", "d1"]);
            let requests: Vec<_> = (0..1 + d.below(3)).map(|_| request(d)).collect();
            lines.push(format!("guest {guest} {drive}: {}", requests.join(", ")));
            lines.push(format!("start {guest}"));
        }
    }
    lines.push("mark".into());
    for _ in 0..3 + d.below(10) {
        lines.push(format!("& {}", command(d)));
        if d.often(10) {
            lines.push(format!(
                "& {}",
                d.one(&[
                    "query-jobs",
                    "query-block-jobs",
                    "query-named-block-nodes",
                    "query-block"
                ])
            ));
        }
    }
    if d.often(40) {
        lines.push("& quit".into());
    }
    lines.join("\n")
}

fn request(d: &mut Dice) -> String {
    let (offset, length) = (
        d.one(&["0", "64k", "127k", "192k"]),
        d.one(&["1k", "64k", "0"]),
    );
    match d.below(8) {
        0 => "flush".into(),
        1 => format!("read {offset} {length}"),
        2 => format!("write -z {offset} {length}"),
        3 => format!("discard {offset} {length}"),
        _ => format!("write -P9 {offset} {length}"),
    }
}

fn command(d: &mut Dice) -> String {
    let job = d.one(&["j0", "j1", "j2"]);
    let family = d.one(&["job", "block-job"]);
    match d.below(20) {
        0..=2 => backup(d),
        3..=6 => {
            let actions: Vec<_> = (0..1 + d.below(3))
                .map(|_| if d.often(75) { backup(d) } else { bitmap(d) })
                .collect();
            format!("{} {}", d.one(&["group", "each"]), actions.join("; "))
        }
        7 => {
            let actions: Vec<_> = (0..1 + d.below(4)).map(|_| bitmap(d)).collect();
            format!("each {}", actions.join("; "))
        }
        8 => Some(bitmap(d))
            .filter(|action| action != "abort")
            .unwrap_or("each abort".into()),
        9 | 10 => format!("{family}-cancel {job}"),
        11 => format!("block-job-cancel {job} {{force: true}}"),
        12 | 13 => format!("{family}-pause {job}"),
        14 | 15 => format!("{family}-resume {job}"),
        16 => format!("{family}-finalize {job}"),
        17 => format!("{family}-dismiss {job}"),
        18 => format!("set-speed {job} {}", d.one(&["0", "1", "65536", "-1"])),
        _ => d
            .one(&[
                "resize d0 512k",
                "resize n0 128k",
                "resize n0 320k",
                "blockdev-del {node-name: t0}",
                "node t0",
                "resize t1 256k",
            ])
            .into(),
    }
}

fn backup(d: &mut Dice) -> String {
    let number = d.below(2);
    let job = d.one(&["j0", "j1", "j2", "j0", "j1", "-"]);
    let source = d.one(&["d", "n", "n"]);
    let drive = d.often(25);
    let target = if drive {
        d.one(&["a", "b", "t0"])
    } else {
        d.one(&["t0", "t1", "t2", "t0", "t1", "t2", "d0", "n1"])
    };
    let mut options = vec![d.one(&[
        "sync: full",
        "sync: top",
        "sync: none",
        "sync: incremental, bitmap: b0",
        "sync: incremental, bitmap: b0",
        "sync: bitmap, bitmap: b0, bitmap-mode: always",
        "sync: bitmap, bitmap: b0, bitmap-mode: never",
        "sync: full, bitmap: b0, bitmap-mode: always",
        "sync: top, bitmap: b0, bitmap-mode: on-success",
        "sync: incremental, bitmap: b1",
    ])];
    let extra = [
        "speed: 65536",
        "auto-finalize: false",
        "auto-dismiss: false",
        "on-source-error: stop",
        "on-target-error: stop",
        "on-target-error: enospc",
        "on-source-error: ignore",
        "x-perf: {max-workers: 1, max-chunk: 65536}",
        "x-perf: {max-workers: 2, max-chunk: 131072}",
        "filter-node-name: f0",
        "compress: true",
    ];
    let mut keys: Vec<&str> = Vec::new();
    for option in extra {
        let key = option.split(':').next().unwrap_or("");
        if d.often(20) && !keys.contains(&key) {
            keys.push(key);
            options.push(option);
        }
    }
    let verb = if drive { "drive-backup" } else { "backup" };
    format!(
        "{verb} {job} {source}{number} {target} {{{}}}",
        options.join(", ")
    )
}

fn bitmap(d: &mut Dice) -> String {
    let name = format!(
        "{}/{}",
        d.one(&["n0", "n0", "n1", "d0"]),
        d.one(&["b0", "b0", "b1", "x"])
    );
    match d.below(8) {
        0 => format!(
            "add {name} {}",
            d.one(&[
                "{}",
                "{disabled: true}",
                "{persistent: true}",
                "{granularity: 512}"
            ])
        ),
        1 => format!("clear {name}"),
        2 => format!("enable {name}"),
        3 => format!("disable {name}"),
        4 => format!("remove {name}"),
        5 => format!(
            "merge {name} {}",
            d.one(&["[b0]", "[b1]", "[b0, b1]", "[x]", "[{node: n1, name: b0}]"])
        ),
        6 => "abort".into(),
        _ => format!("clear {name}"),
    }
}

/// What must hold of every trace; `Err` is the sentence.
fn judge(story: &str, trace: &[String]) -> Result<(), String> {
    if let Some(panic) = trace.last().filter(|line| line.starts_with("PANIC")) {
        return Err(panic.split(", after").next().unwrap_or("").into());
    }
    let commands = story.lines().filter(|line| line.starts_with("& ")).count();
    let replies = trace.iter().filter(|line| is_reply(line)).count();
    let dead = trace
        .iter()
        .any(|line| line == "exit -11" || line == "exit -6");
    let hung = trace
        .iter()
        .any(|line| line.starts_with("left ") && line.ends_with(" created"));
    let ignores_for_ever =
        story.contains("ignore") && trace.last().is_some_and(|line| line == "endless");
    let quit = story.contains("& quit");
    if !dead && !hung && !ignores_for_ever && replies != commands {
        return Err(format!("{replies} replies to {commands} commands"));
    }
    if quit && !dead && !hung && !ignores_for_ever && !trace.iter().any(|line| line == "exit 0") {
        return Err("quit does not end the process".into());
    }
    let mut jobs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in trace {
        let mut words = line.split(' ');
        let (word, id) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        if word == "left" {
            let status = words.next().unwrap_or("");
            let lives = jobs
                .get(id)
                .and_then(|life| life.last())
                .copied()
                .unwrap_or("");
            if lives != status
                && lives != "PENDING"
                && lives != "COMPLETED"
                && !lives.starts_with("ERROR")
            {
                return Err(format!("{id} is left {status} after {lives}"));
            }
            let waits = [
                "paused",
                "running",
                "pending",
                "waiting",
                "concluded",
                "created",
            ]
            .contains(&status);
            if !waits {
                return Err(format!("{id} is left {status}"));
            }
            continue;
        }
        const WORDS: [&str; 12] = [
            "created",
            "running",
            "paused",
            "waiting",
            "pending",
            "aborting",
            "concluded",
            "null",
            "COMPLETED",
            "CANCELLED",
            "ERROR",
            "PENDING",
        ];
        let Some(word) = WORDS.iter().find(|known| **known == word) else {
            continue;
        };
        let life = jobs.entry(id).or_default();
        let before = life.last().copied().unwrap_or("null");
        let started = life.contains(&"running");
        let may = match *word {
            "created" => before == "null",
            "running" => before == "created" || before == "paused",
            "paused" => before == "running" || before == "ERROR",
            "ERROR" => before == "running" || before == "ERROR",
            "waiting" => before == "running" || before == "ERROR",
            "pending" => before == "waiting",
            "PENDING" => before == "pending",
            "aborting" => [
                "created", "running", "ERROR", "waiting", "pending", "PENDING",
            ]
            .contains(&before),
            "COMPLETED" => started && ["pending", "PENDING", "aborting"].contains(&before),
            "CANCELLED" => started && before == "aborting",
            "concluded" => {
                if started {
                    before == "COMPLETED" || before == "CANCELLED"
                } else {
                    before == "aborting"
                }
            }
            _ => before == "concluded" || before == "created",
        };
        if !may {
            return Err(format!("{id}: {word} after {before}"));
        }
        if *word == "created" {
            life.clear();
        }
        life.push(word);
    }
    Ok(())
}

fn is_reply(line: &str) -> bool {
    line == "R" || line.starts_with("R ") || line.starts_with("E ") || line.starts_with("io ")
}

/// `STORM_FROM` and `STORM_COUNT` choose other storms, for those who have time.
#[test]
fn no_storm_breaks_an_assertion_or_an_order() {
    let from: u64 = std::env::var("STORM_FROM")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let count: u64 = std::env::var("STORM_COUNT")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(300);
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    let mut faults: BTreeMap<String, String> = BTreeMap::new();
    for number in from..from + count {
        let story = story(number);
        // Where the known defects are repaired, nothing breaks a promise: that would be a panic.
        for dialect in DIALECTS.into_iter().chain(DIALECTS.map(Dialect::fixed)) {
            for trace in play(&story, dialect, 4) {
                if let Err(what) = judge(&story, &trace) {
                    let shown = format!(
                        "storm {number} ({dialect}): {what}\n{story}\n\n  {}\n",
                        trace.join("\n  ")
                    );
                    let kind: String = what
                        .chars()
                        .map(|c| if c.is_ascii_digit() { '#' } else { c })
                        .collect();
                    faults.entry(kind).or_insert(shown);
                    continue;
                }
                for line in &trace {
                    let word = line.split(' ').next().unwrap_or("");
                    *seen.entry(word.into()).or_default() += 1;
                }
            }
        }
    }
    for (kind, shown) in &faults {
        println!("==== {kind}\n{shown}");
    }
    assert!(faults.is_empty(), "{} kinds of faults", faults.len());
    for word in [
        "CANCELLED",
        "COMPLETED",
        "ERROR",
        "PENDING",
        "paused",
        "aborting",
        "exit",
    ] {
        assert!(seen.contains_key(word), "no storm ever shows {word}");
    }
}

/// A witness that nothing can reach would say nothing when it is missed.
#[test]
fn every_witness_comes_in_some_storm() {
    // What is stored and loaded again takes a second QEMU, which a storm has not: see `scenarios/persistent`.
    let of_a_second_qemu = [
        "bitmap-loaded",
        "inconsistent-loaded",
        "inconsistent-refused",
    ];
    let all = (0..WITNESSES.len())
        .filter(|bit| !of_a_second_qemu.contains(&WITNESSES[*bit].0))
        .fold(0, |all, bit| all | 1 << bit);
    let mut seen = 0;
    for number in 0..1500 {
        for dialect in DIALECTS {
            seen |= witnessed(&story(number), dialect, 2);
        }
        if seen & all == all {
            return;
        }
    }
    let missed: Vec<&str> = (0..WITNESSES.len())
        .filter(|bit| all & !seen & (1 << bit) != 0)
        .map(|bit| WITNESSES[bit].0)
        .collect();
    panic!("no storm has been: {}", missed.join(", "));
}
