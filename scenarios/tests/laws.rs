//! The laws of the bridge: what every state of every story must fulfil so that the engines may do what they do.
//!
//! Most valuable is the audit of what steps claim to commute with: reductions of searches rest on it, and nothing
//! but doing both orders shows that it is true.

mod common;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};

use common::{Stage, on_two_threads, shipped, stage};
use model::dialect::DIALECTS;
use scenarios::line::Line;
use scenarios::scene::{Moment, Scene, Step};
use sim::hash::fingerprint_of;
use sim::reduce::audit;
use sim::run::{Outcome, Recorder, Runner, Watcher};
use sim::schedule::{Schedule, is_step_name};
use sim::seed::{Randomness, run_seed};
use sim::strategy::{Random, Replay, Strategy};
use sim::{Breach, Footprint, System};

/// The root of all seeds here.
const ROOT: u64 = 124;

// ------------------------------------------------------------------------------------------------- the stories

/// What the client does while the job and the guests are at work.
const MIDDLES: &[(&str, &str)] = &[
    ("nothing", ""),
    ("query", r#"  - qmp: {"execute": "query-block-jobs"}"#),
    (
        "cancel",
        r#"  - qmp: {"execute": "job-cancel", "arguments": {"id": "job0"}}"#,
    ),
    (
        "pause",
        r#"  - qmp: {"execute": "job-pause", "arguments": {"id": "job0"}}
  - qmp: {"execute": "query-block-jobs"}
  - qmp: {"execute": "job-resume", "arguments": {"id": "job0"}}"#,
    ),
    (
        "qemu-io",
        r#"  - hmp: {drive: drive0, line: "write -P0x77 320k 128k"}
  - bitmaps: {}"#,
    ),
    (
        "add",
        r#"  - qmp: {"execute": "block-dirty-bitmap-add", "arguments": {"node": "drive0", "name": "other"}}
  - qmp: {"execute": "block-dirty-bitmap-clear", "arguments": {"node": "drive0", "name": "other"}}
  - qmp: {"execute": "blockdev-add", "arguments": {"node-name": "spare", "driver": "qcow2",
          "file": {"driver": "file", "filename": "$DIR/spare.qcow2"}}}
  - qmp: {"execute": "blockdev-del", "arguments": {"node-name": "spare"}}"#,
    ),
    ("quit", "  - shutdown: {}"),
];

/// Where faults are.
#[derive(Clone, Copy, PartialEq)]
enum Faults {
    None,
    /// The source fails one read, and the job stops.
    Source,
    /// The target fails one write.
    Target,
}

/// A drive of one mebibyte, two guests that write to it, overlapping and not, and a backup of it meanwhile.
struct Crowd {
    sync: &'static str,
    iothread: bool,
    faults: Faults,
    /// `x-perf`: the most workers, and the most a task copies.
    workers: u32,
    chunk: u32,
    middle: (&'static str, &'static str),
}

impl Crowd {
    fn name(&self) -> String {
        let Crowd {
            sync,
            workers,
            chunk,
            ..
        } = self;
        let place = if self.iothread {
            "iothread"
        } else {
            "main-loop"
        };
        let faults = match self.faults {
            Faults::None => "",
            Faults::Source => "-source-fault",
            Faults::Target => "-target-fault",
        };
        format!(
            "crowd-{sync}-{place}-{workers}x{chunk}{faults}-{}",
            self.middle.0
        )
    }

    fn text(&self) -> String {
        let Crowd {
            sync,
            workers,
            chunk,
            ..
        } = self;
        let args = if self.iothread {
            r#", args: ["-object", "iothread,id=io0", "-device", "virtio-blk-pci,drive=drive0,iothread=io0"]"#
        } else {
            ""
        };
        let bitmap = if *sync == "incremental" {
            r#", "bitmap": "bitmap0""#
        } else {
            ""
        };
        let policy = if self.faults == Faults::Source {
            r#", "on-source-error": "ignore""#
        } else {
            ""
        };
        let source_faults = if self.faults == Faults::Source {
            "faults:
  drive0:
    inject-error: [{event: read_aio, errno: 5, once: true, immediately: false}]
"
        } else {
            ""
        };
        let target = match self.faults {
            Faults::Target => {
                r#"{"driver": "blkdebug", "image": {"driver": "file", "filename": "$DIR/target.qcow2"},
          "inject-error": [{"event": "write_aio", "errno": 5, "once": true, "immediately": false}]}"#
            }
            _ => r#"{"driver": "file", "filename": "$DIR/target.qcow2"}"#,
        };
        let (name, middle) = self.middle;
        let end = match name {
            "quit" => "",
            "cancel" => {
                "  - wait: {event: BLOCK_JOB_CANCELLED}
  - guests: {join: [one, two]}
  - shutdown: {}"
            }
            _ => {
                "  - wait: {event: BLOCK_JOB_COMPLETED}
  - guests: {join: [one, two]}
  - shutdown: {}"
            }
        };
        format!(
            r#"title: A crowd
{source_faults}guests:
  one: {{drive: drive0, requests: ["write -P0x11 0 192k", "write -P0x12 640k 64k", "flush"]}}
  two: {{drive: drive0, requests: ["write -P0x21 128k 128k", "write -z 896k 128k", "read 0 64k"]}}
script:
  - img: {{cmd: create, img: $DIR/drive0.qcow2, size: 1M}}
  - img: {{cmd: write, img: $DIR/drive0.qcow2, pattern: 0x41, offset: 0, len: 448k}}
  - img: {{cmd: write, img: $DIR/drive0.qcow2, pattern: 0x42, offset: 576k, len: 256k}}
  - img: {{cmd: create, img: $DIR/target.qcow2, size: 1M}}
  - img: {{cmd: create, img: $DIR/spare.qcow2, size: 1M}}
  - launch: {{drives: [{{id: drive0, file: $DIR/drive0.qcow2, node: node0}}]{args}}}
  - qmp: {{"execute": "block-dirty-bitmap-add", "arguments": {{"node": "drive0", "name": "bitmap0"}}}}
  - hmp: {{drive: drive0, line: "write -P0x55 64k 256k"}}
  - hmp: {{drive: drive0, line: "write -P0x56 640k 128k"}}
  - qmp: {{"execute": "blockdev-add", "arguments": {{"node-name": "target", "driver": "qcow2",
          "file": {target}}}}}
  - guests: {{start: [one, two]}}
  - qmp: {{"execute": "blockdev-backup", "arguments": {{"job-id": "job0", "device": "drive0", "target": "target",
          "sync": "{sync}"{bitmap}{policy}, "x-perf": {{"max-workers": {workers}, "max-chunk": {chunk}}}}}}}
{middle}
{end}
"#
        )
    }
}

/// Every combination that can show something of its own.
fn crowds() -> Vec<Stage> {
    let mut stages = Vec::new();
    let mut add = |crowd: &Crowd| {
        let (name, text) = (crowd.name(), crowd.text());
        stages.extend(DIALECTS.map(|dialect| stage(&name, &text, dialect)));
    };
    for sync in ["full", "incremental"] {
        for iothread in [false, true] {
            for &middle in MIDDLES {
                for (workers, chunk) in [(2, 65536), (64, 131_072)] {
                    add(&Crowd {
                        sync,
                        iothread,
                        faults: Faults::None,
                        workers,
                        chunk,
                        middle,
                    });
                }
            }
            for faults in [Faults::Source, Faults::Target] {
                for (workers, chunk) in [(2, 65536), (64, 131_072)] {
                    for middle in [MIDDLES[0], MIDDLES[2], MIDDLES[3]] {
                        add(&Crowd {
                            sync,
                            iothread,
                            faults,
                            workers,
                            chunk,
                            middle,
                        });
                    }
                }
            }
        }
    }
    stages
}

/// Two drives, each in a place of its own, a guest at each, and a group of two backups; nothing is shared but the
/// main loop.
fn pairs() -> Vec<Stage> {
    let places = [
        ("main-loop", ""),
        (
            "two-iothreads",
            r#""-device", "virtio-blk-pci,drive=drive0,iothread=io0",
                  "-device", "virtio-blk-pci,drive=drive1,iothread=io1""#,
        ),
        (
            "one-iothread",
            r#""-device", "virtio-blk-pci,drive=drive0,iothread=io0",
                  "-device", "virtio-blk-pci,drive=drive1,iothread=io0""#,
        ),
    ];
    let cancel = (
        "cancel",
        r#"  - qmp: {"execute": "job-cancel", "arguments": {"id": "job1"}}"#,
    );
    let middles = [MIDDLES[0], MIDDLES[1], cancel];
    let mut stages = Vec::new();
    for (place, args) in places {
        for mode in ["grouped", "individual"] {
            for (middle, commands) in middles {
                let end = if middle == "cancel" {
                    "BLOCK_JOB_CANCELLED"
                } else {
                    "BLOCK_JOB_COMPLETED"
                };
                let (join, too_late) = ("  - guests: {join: [one, two]}", "");
                let (before, after) = if mode == "grouped" {
                    (too_late, join)
                } else {
                    (join, too_late)
                };
                let text = format!(
                    r#"title: A pair
guests:
  one: {{drive: drive0, requests: ["write -P0x11 0 128k", "write -P0x12 192k 64k"]}}
  two: {{drive: drive1, requests: ["write -P0x21 64k 128k"]}}
script:
  - img: {{cmd: create, img: $DIR/base.qcow2, size: 256k}}
  - img: {{cmd: write, img: $DIR/base.qcow2, pattern: 0x40, offset: 0, len: 256k}}
  - img: {{cmd: create, img: $DIR/drive0.qcow2, size: 256k, backing: $DIR/base.qcow2}}
  - img: {{cmd: write, img: $DIR/drive0.qcow2, pattern: 0x41, offset: 64k, len: 128k}}
  - img: {{cmd: create, img: $DIR/drive1.qcow2, size: 256k}}
  - img: {{cmd: write, img: $DIR/drive1.qcow2, pattern: 0x42, offset: 0, len: 256k}}
  - img: {{cmd: create, img: $DIR/target1.qcow2, size: 256k, backing: $DIR/base.qcow2}}
  - launch: {{drives: [{{id: drive0, file: $DIR/drive0.qcow2}}, {{id: drive1, file: $DIR/drive1.qcow2}}],
             args: [{args}]}}
  - guests: {{start: [one, two]}}
  - qmp: {{"execute": "transaction", "arguments": {{"actions": [
          {{"type": "drive-backup", "data": {{"job-id": "job0", "device": "drive0", "target": "$DIR/target0.qcow2",
            "sync": "top", "format": "qcow2", "x-perf": {{"max-workers": 2, "max-chunk": 65536}}}}}},
          {{"type": "drive-backup", "data": {{"job-id": "job1", "device": "drive1", "target": "$DIR/target1.qcow2",
            "sync": "full", "mode": "existing", "x-perf": {{"max-chunk": 65536}}}}}}],
          "properties": {{"completion-mode": "{mode}"}}}}}}
{before}
{commands}
  - wait: {{event: {end}, match: {{device: job1}}}}
  - wait: {{event: JOB_STATUS_CHANGE, match: {{status: "null", id: job0}}}}
{after}
  - shutdown: {{}}
"#
                );
                let name = format!("pair-{place}-{mode}-{middle}");
                stages.extend(DIALECTS.map(|dialect| stage(&name, &text, dialect)));
            }
        }
    }
    stages
}

/// Small enough for every state to be looked at.
fn tiny() -> Vec<Stage> {
    let mut stages = Vec::new();
    for (place, args) in [
        ("main-loop", ""),
        (
            "iothread",
            r#""-device", "virtio-blk-pci,drive=drive0,iothread=io0""#,
        ),
    ] {
        for (middle, commands) in [MIDDLES[0], MIDDLES[2], MIDDLES[3]] {
            let text = format!(
                r#"title: A tiny world
guests:
  one: {{drive: drive0, requests: ["write -P0x11 0 64k"]}}
  two: {{drive: drive0, requests: ["write -P0x21 0 128k"]}}
script:
  - img: {{cmd: create, img: $DIR/drive0.qcow2, size: 192k}}
  - img: {{cmd: write, img: $DIR/drive0.qcow2, pattern: 0x41, offset: 0, len: 192k}}
  - img: {{cmd: create, img: $DIR/target.qcow2, size: 192k}}
  - launch: {{drives: [{{id: drive0, file: $DIR/drive0.qcow2}}], args: [{args}]}}
  - qmp: {{"execute": "blockdev-add", "arguments": {{"node-name": "target", "driver": "qcow2",
          "file": {{"driver": "file", "filename": "$DIR/target.qcow2"}}}}}}
  - guests: {{start: [one, two]}}
  - qmp: {{"execute": "blockdev-backup", "arguments": {{"job-id": "job0", "device": "drive0", "target": "target",
          "sync": "full", "x-perf": {{"max-workers": 2, "max-chunk": 65536}}}}}}
{commands}
  - guests: {{join: [one, two]}}
"#
            );
            let name = format!("tiny-{place}-{middle}");
            stages.extend(DIALECTS.map(|dialect| stage(&name, &text, dialect)));
        }
    }
    let text = r#"title: Two guests who share nothing but the client that waits for both
guests:
  one: {drive: drive0, requests: ["write -P0x11 0 64k"]}
  two: {drive: drive1, requests: ["write -P0x21 0 64k"]}
script:
  - img: {cmd: create, img: $DIR/drive0.qcow2, size: 64k}
  - img: {cmd: create, img: $DIR/drive1.qcow2, size: 64k}
  - launch: {drives: [{id: drive0, file: $DIR/drive0.qcow2}, {id: drive1, file: $DIR/drive1.qcow2}]}
  - guests: {start: [one, two]}
  - guests: {join: [one, two]}
  - qmp: {"execute": "query-block-jobs"}
"#;
    stages.extend(DIALECTS.map(|dialect| stage("tiny-join", text, dialect)));
    let text = r#"title: QEMU dies in a rollback while a guest of another drive is at work
guests:
  one: {drive: drive0, requests: ["write -P0x11 0 64k"]}
  two: {drive: drive1, requests: ["write -P0x21 0 64k", "write -P0x22 0 64k"]}
script:
  - img: {cmd: create, img: $DIR/drive0.qcow2, size: 64k}
  - img: {cmd: create, img: $DIR/drive1.qcow2, size: 64k}
  - launch: {drives: [{id: drive0, file: $DIR/drive0.qcow2}, {id: drive1, file: $DIR/drive1.qcow2}]}
  - guests: {start: [one, two]}
  - qmp: {"execute": "transaction", "arguments": {"actions": [
          {"type": "drive-backup", "data": {"job-id": "job0", "device": "drive0", "target": "$DIR/target0.qcow2",
            "sync": "full", "format": "qcow2"}},
          {"type": "block-dirty-bitmap-enable", "data": {"node": "nope", "name": "bitmap0"}}]}}
"#;
    stages.extend(DIALECTS.map(|dialect| stage("tiny-crash", text, dialect)));
    let text = r#"title: Bitmap actions, between which only the guest in the iothread may run
guests:
  one: {drive: drive0, requests: ["write -P0x11 0 64k"]}
  two: {drive: drive1, requests: ["write -P0x21 0 64k"]}
script:
  - img: {cmd: create, img: $DIR/drive0.qcow2, size: 64k}
  - img: {cmd: create, img: $DIR/drive1.qcow2, size: 64k}
  - launch: {drives: [{id: drive0, file: $DIR/drive0.qcow2}, {id: drive1, file: $DIR/drive1.qcow2}],
             args: ["-device", "virtio-blk-pci,drive=drive1,iothread=io0"]}
  - guests: {start: [one, two]}
  - qmp: {"execute": "transaction", "arguments": {"actions": [
          {"type": "block-dirty-bitmap-add", "data": {"node": "drive0", "name": "bitmap0"}},
          {"type": "block-dirty-bitmap-add", "data": {"node": "drive1", "name": "bitmap0"}},
          {"type": "block-dirty-bitmap-clear", "data": {"node": "drive1", "name": "bitmap0"}}]}}
  - guests: {join: [one, two]}
"#;
    stages.extend(DIALECTS.map(|dialect| stage("tiny-threads", text, dialect)));
    stages
}

// ------------------------------------------------------------------------------------------------- the laws

/// Looks at the states of a walk.
struct Inspector {
    /// Audits every so many states; states of more steps than a few are expensive.
    audit_every: u64,
    states: u64,
    audits: u64,
    /// Pairs of steps whose claim to commute was tried.
    pairs: u64,
    /// Pairs of one crew among them.
    crew_pairs: u64,
    broken: Vec<String>,
}

impl Inspector {
    fn new(audit_every: u64) -> Inspector {
        Inspector {
            audit_every,
            states: 0,
            audits: 0,
            pairs: 0,
            crew_pairs: 0,
            broken: Vec::new(),
        }
    }

    fn inspect(&mut self, scene: &Scene, moment: &Moment) {
        let mut enabled = Vec::new();
        scene.enabled(moment, &mut enabled);
        self.offers(scene, moment, &enabled);
        self.states += 1;
        if enabled.len() > 1 && (enabled.len() <= 8 || self.states.is_multiple_of(self.audit_every))
        {
            self.audits += 1;
            self.count(scene, moment, &enabled);
            if let Err(breach) = audit(scene, moment) {
                self.broken.push(breach.to_string());
            }
        }
    }

    /// What is offered is sorted, the same every time, and every name means one step.
    fn offers(&mut self, scene: &Scene, moment: &Moment, enabled: &[Step]) {
        let mut check = |holds: bool, law: &str| {
            if !holds {
                self.broken.push(format!("{law}: {enabled:?}"));
            }
        };
        check(
            enabled.is_sorted_by(|one, next| one < next),
            "enabled steps ascend, none twice",
        );
        let mut again = vec![Step::Client; 3];
        scene.enabled(moment, &mut again);
        check(
            again == enabled,
            "enabled steps are the same when asked twice, whatever the buffer held",
        );
        let copy = moment.clone();
        scene.enabled(&copy, &mut again);
        check(again == enabled, "enabled steps of a copy are the same");
        let names: Vec<String> = enabled
            .iter()
            .map(|step| scene.name(moment, *step))
            .collect();
        let distinct: BTreeSet<&String> = names.iter().collect();
        check(
            distinct.len() == names.len(),
            &format!("names are distinct: {names:?}"),
        );
        for (step, name) in enabled.iter().zip(&names) {
            check(
                is_step_name(name),
                &format!("`{name}` can stand in a schedule"),
            );
            let parsed = scene.parse(moment, enabled, name);
            check(parsed == Some(*step), &format!("`{name}` parses back"));
        }
        check(
            scene.parse(moment, enabled, "no such step").is_none(),
            "no other name parses",
        );
    }

    fn count(&mut self, scene: &Scene, moment: &Moment, enabled: &[Step]) {
        let footprint = |step: &Step| scene.apply(&mut moment.clone(), *step, &mut Vec::new());
        let each: Vec<(Option<u32>, Footprint)> = enabled
            .iter()
            .map(|step| (scene.crew(moment, *step), footprint(step)))
            .collect();
        for (index, (crew, one)) in each.iter().enumerate() {
            for (other_crew, other) in &each[index + 1..] {
                let crew = crew.is_some() && crew == other_crew;
                self.crew_pairs += u64::from(crew);
                self.pairs += u64::from(crew || one.independent(*other));
            }
        }
    }
}

impl Watcher<Scene> for Inspector {
    fn before(&mut self, scene: &Scene, moment: &Moment, _: Step) {
        self.inspect(scene, moment);
    }
}

/// What was found on some stages: what was broken, each once, with how often and where first; and how much was tried.
#[derive(Default)]
struct Findings {
    broken: BTreeMap<String, (u64, String)>,
    states: u64,
    audits: u64,
    pairs: u64,
    crew_pairs: u64,
}

impl Findings {
    fn of(stage: &Stage, runs: u64, audit_every: u64) -> Findings {
        let mut findings = Findings::default();
        for index in 0..runs {
            let seed = run_seed(ROOT, index);
            let mut inspector = Inspector::new(audit_every);
            let panic = panic_of(|| {
                Runner::new(&stage.scene).run(&mut Random::default(), seed, &mut inspector);
            });
            inspector.broken.extend(panic);
            findings.take(
                inspector,
                &format!("{} {} seed {seed:#x}", stage.story, stage.dialect),
            );
        }
        findings
    }

    fn take(&mut self, inspector: Inspector, place: &str) {
        self.states += inspector.states;
        self.audits += inspector.audits;
        self.pairs += inspector.pairs;
        self.crew_pairs += inspector.crew_pairs;
        for broken in inspector.broken {
            self.note(kind_of(&broken), 1, format!("{place}: {broken}"));
        }
    }

    fn note(&mut self, kind: String, times: u64, place: String) {
        self.broken.entry(kind).or_insert((0, place)).0 += times;
    }

    fn add(&mut self, other: Findings) {
        self.states += other.states;
        self.audits += other.audits;
        self.pairs += other.pairs;
        self.crew_pairs += other.crew_pairs;
        for (kind, (times, place)) in other.broken {
            self.note(kind, times, place);
        }
    }

    fn assert_sound(&self, pairs_min: u64) {
        println!(
            "{} states, {} audits, {} pairs of steps in both orders, {} of them of one crew",
            self.states, self.audits, self.pairs, self.crew_pairs
        );
        for (kind, (times, place)) in &self.broken {
            println!("{times} times: {kind}\n      first: {place}");
        }
        assert!(
            self.broken.is_empty(),
            "{} laws are broken, see above",
            self.broken.len()
        );
        assert!(
            self.pairs >= pairs_min,
            "only {} pairs were tried",
            self.pairs
        );
    }
}

/// What the work panicked with, if it did.
fn panic_of(work: impl FnOnce()) -> Option<String> {
    let payload = catch_unwind(AssertUnwindSafe(work)).err()?;
    let said = payload.downcast_ref::<String>().map(String::as_str);
    Some(format!(
        "panic: {}",
        said.or(payload.downcast_ref::<&str>().copied())
            .unwrap_or("?")
    ))
}

/// A message without its numbers, so that what is one finding is one line.
fn kind_of(message: &str) -> String {
    let mut kind = String::new();
    for letter in message.chars() {
        match letter {
            '0'..='9' | 'k' | 'M' if kind.ends_with('#') => {}
            '0'..='9' => kind.push('#'),
            _ => kind.push(letter),
        }
    }
    kind
}

/// Walks of every stage, each with its own part of the work done by two threads.
fn walks(stages: &[Stage], runs: u64, audit_every: u64) -> Findings {
    let mut findings = Findings::default();
    for found in on_two_threads(stages, |stage| Findings::of(stage, runs, audit_every)) {
        findings.add(found);
    }
    findings
}

/// Every state that can be reached from the beginning, each looked at once; at most so many.
fn everywhere(stage: &Stage, states_max: usize) -> Findings {
    let scene = &stage.scene;
    let mut findings = Findings::default();
    let mut inspector = Inspector::new(1);
    let mut open = VecDeque::from([scene.initial()]);
    let mut known = BTreeSet::from([scene.fingerprint(&open[0])]);
    let mut enabled = Vec::new();
    let panic = panic_of(|| {
        while let Some(moment) = open.pop_front() {
            inspector.inspect(scene, &moment);
            scene.enabled(&moment, &mut enabled);
            for &step in &enabled {
                let mut next = moment.clone();
                scene.apply(&mut next, step, &mut Vec::new());
                if known.len() < states_max && known.insert(scene.fingerprint(&next)) {
                    open.push_back(next);
                }
            }
        }
    });
    inspector.broken.extend(panic);
    let place = format!("{} {}", stage.story, stage.dialect);
    findings.take(inspector, &place);
    println!("{place}: {} states", known.len());
    findings
}

/// Along random walks of every shipped story.
#[test]
fn shipped_stories_keep_the_laws() {
    walks(&shipped(), 2, 97).assert_sound(10_000);
}

/// Along random walks of stories with guests, faults and iothreads.
#[test]
fn crowds_keep_the_laws() {
    walks(&crowds(), 3, 3).assert_sound(10_000);
}

/// Along random walks of stories with two drives.
#[test]
fn pairs_keep_the_laws() {
    walks(&pairs(), 10, 3).assert_sound(10_000);
}

/// In every state of small worlds, or in the first of them, in the order of their distance from the beginning.
#[test]
fn tiny_worlds_keep_the_laws_in_every_state() {
    let mut findings = Findings::default();
    for found in on_two_threads(&tiny(), |stage| everywhere(stage, 20_000)) {
        findings.add(found);
    }
    findings.assert_sound(10_000);
}

// ------------------------------------------------------------------------------------------------- determinism

/// What a run did and showed.
type Told = (String, Vec<Line>, Outcome);

fn told(scene: &Scene, strategy: &mut dyn Strategy, seed: u64) -> Told {
    let mut recorder = Recorder::new();
    let outcome = Runner::new(scene).run(strategy, seed, &mut recorder);
    (
        recorder.schedule.to_string(),
        recorder.observations,
        outcome,
    )
}

/// A seed gives the same steps and the same lines every time, and so does the schedule it gave, read from text.
#[test]
fn a_seed_tells_one_story() {
    let stages: Vec<Stage> = shipped()
        .into_iter()
        .chain(crowds())
        .chain(pairs())
        .collect();
    on_two_threads(&stages, |stage| {
        for index in 0..3 {
            let seed = run_seed(ROOT, index);
            let place = format!("{} {} seed {seed:#x}", stage.story, stage.dialect);
            let once = told(&stage.scene, &mut Random::default(), seed);
            let again = told(&stage.scene, &mut Random::default(), seed);
            assert!(once == again, "{place}: two runs differ");
            let schedule =
                Schedule::parse(&once.0).unwrap_or_else(|error| panic!("{place}: {error}"));
            let replayed = told(&stage.scene, &mut Replay::new(schedule), seed);
            assert_eq!(replayed.0, once.0, "{place}: replayed otherwise");
            assert!(replayed == once, "{place}: the replay shows something else");
        }
    });
}

/// A state and its copy go on alike, wherever the copy was made: nothing is shared that one of them could change.
#[test]
fn a_copy_lives_on_its_own() {
    let stages: Vec<Stage> = shipped()
        .into_iter()
        .chain(crowds())
        .chain(pairs())
        .collect();
    on_two_threads(&stages, |stage| {
        let scene = &stage.scene;
        let place = format!("{} {}", stage.story, stage.dialect);
        let mut randomness = Randomness::new(run_seed(ROOT, 0));
        let (mut one, mut enabled) = (scene.initial(), Vec::new());
        let mut copies: Vec<(Moment, Vec<(Step, u128)>)> = Vec::new();
        for number in 0.. {
            scene.enabled(&one, &mut enabled);
            if enabled.is_empty() {
                break;
            }
            if number % 40 == 0 {
                copies.push((one.clone(), Vec::new()));
            }
            let step = enabled[randomness.below(enabled.len() as u32) as usize];
            let mut seen = Vec::new();
            scene.apply(&mut one, step, &mut seen);
            let mark = fingerprint_of(&(scene.fingerprint(&one), seen));
            copies
                .iter_mut()
                .for_each(|(_, done)| done.push((step, mark)));
        }
        // The original has lived on; what happened to it must not have touched its copies.
        for (mut copy, done) in copies {
            for (step, mark) in done {
                scene.enabled(&copy, &mut enabled);
                assert!(
                    enabled.contains(&step),
                    "{place}: the copy cannot do {step:?}"
                );
                let mut seen = Vec::new();
                scene.apply(&mut copy, step, &mut seen);
                let here = fingerprint_of(&(scene.fingerprint(&copy), seen));
                assert!(
                    here == mark,
                    "{place}: the copy lives another life after {step:?}"
                );
            }
            assert!(copy == one, "{place}: the copy ends elsewhere");
        }
    });
}

/// The audit is not blind: a bridge that claims too little is found out.
#[test]
fn a_lie_is_found() {
    struct Liar(Scene);
    impl System for Liar {
        type State = Moment;
        type Step = Step;
        type Observation = Line;
        fn initial(&self) -> Moment {
            self.0.initial()
        }
        fn enabled(&self, moment: &Moment, steps: &mut Vec<Step>) {
            self.0.enabled(moment, steps);
        }
        fn apply(&self, moment: &mut Moment, step: Step, seen: &mut Vec<Line>) -> Footprint {
            // The node's part is left out: guests and tasks seem to have nothing to do with each other.
            let footprint = self.0.apply(moment, step, seen);
            Footprint {
                reads: 0,
                writes: footprint.writes & !(0xfff << 4),
                ..Footprint::NONE
            }
        }
        fn judge(&self, moment: &Moment, resting: bool) -> Result<(), Breach> {
            self.0.judge(moment, resting)
        }
        fn fingerprint(&self, moment: &Moment) -> u128 {
            self.0.fingerprint(moment)
        }
        fn name(&self, moment: &Moment, step: Step) -> String {
            self.0.name(moment, step)
        }
    }
    struct Auditor(u64);
    impl Watcher<Liar> for Auditor {
        fn before(&mut self, liar: &Liar, moment: &Moment, _: Step) {
            self.0 += u64::from(audit(liar, moment).is_err());
        }
    }
    let liar = Liar(crowds().swap_remove(0).scene);
    let mut auditor = Auditor(0);
    for index in 0..10 {
        Runner::new(&liar).run(&mut Random::default(), run_seed(ROOT, index), &mut auditor);
    }
    assert!(auditor.0 > 0, "the audit believed a lie");
}
