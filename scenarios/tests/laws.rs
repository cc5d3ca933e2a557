//! The laws of the bridge: what every state of every story must fulfil so that the engines may do what they do.
//!
//! Most valuable is the audit of what steps claim to commute with: reductions of searches rest on it, and nothing
//! but doing both orders shows that it is true.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use common::{Stage, on_two_threads, shipped, stage};
use model::dialect::DIALECTS;
use scenarios::scene::{Moment, Scene, Step};
use sim::reduce::audit;
use sim::run::{End, Recorder, Runner, Watcher};
use sim::schedule::is_step_name;
use sim::seed::{Randomness, run_seed};
use sim::strategy::Random;
use sim::{Footprint, System};

/// The root of all seeds here.
const ROOT: u64 = 124;

// ------------------------------------------------------------------------------------------------- the stories

/// What the client does while the job and the guests are at work.
const MIDDLES: &[(&str, &str)] = &[
    ("nothing", ""),
    ("query", r#"  - qmp: {"execute": "query-block-jobs"}"#),
    ("cancel", r#"  - qmp: {"execute": "job-cancel", "arguments": {"id": "job0"}}"#),
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
        let Crowd { sync, workers, chunk, .. } = self;
        let place = if self.iothread { "iothread" } else { "main-loop" };
        let faults = match self.faults {
            Faults::None => "",
            Faults::Source => "-source-fault",
            Faults::Target => "-target-fault",
        };
        format!("crowd-{sync}-{place}-{workers}x{chunk}{faults}-{}", self.middle.0)
    }

    fn text(&self) -> String {
        let Crowd { sync, workers, chunk, .. } = self;
        let args = if self.iothread {
            r#", args: ["-object", "iothread,id=io0", "-device", "virtio-blk-pci,drive=drive0,iothread=io0"]"#
        } else {
            ""
        };
        let bitmap = if *sync == "incremental" { r#", "bitmap": "bitmap0""# } else { "" };
        let policy = if self.faults == Faults::Source { r#", "on-source-error": "ignore""# } else { "" };
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
                    add(&Crowd { sync, iothread, faults: Faults::None, workers, chunk, middle });
                }
            }
            for faults in [Faults::Source, Faults::Target] {
                for (workers, chunk) in [(2, 65536), (64, 131_072)] {
                    for middle in [MIDDLES[0], MIDDLES[2], MIDDLES[3]] {
                        add(&Crowd { sync, iothread, faults, workers, chunk, middle });
                    }
                }
            }
        }
    }
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
        if enabled.len() > 1 && (enabled.len() <= 8 || self.states.is_multiple_of(self.audit_every)) {
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
        check(enabled.is_sorted_by(|one, next| one < next), "enabled steps ascend, none twice");
        let mut again = vec![Step::Client; 3];
        scene.enabled(moment, &mut again);
        check(again == enabled, "enabled steps are the same when asked twice, whatever the buffer held");
        let copy = moment.clone();
        scene.enabled(&copy, &mut again);
        check(again == enabled, "enabled steps of a copy are the same");
        let names: Vec<String> = enabled.iter().map(|step| scene.name(moment, *step)).collect();
        let distinct: BTreeSet<&String> = names.iter().collect();
        check(distinct.len() == names.len(), &format!("names are distinct: {names:?}"));
        for (step, name) in enabled.iter().zip(&names) {
            check(is_step_name(name), &format!("`{name}` can stand in a schedule"));
            let parsed = scene.parse(moment, enabled, name);
            check(parsed == Some(*step), &format!("`{name}` parses back"));
        }
        check(scene.parse(moment, enabled, "no such step").is_none(), "no other name parses");
    }

    fn count(&mut self, scene: &Scene, moment: &Moment, enabled: &[Step]) {
        let footprint = |step: &Step| scene.apply(&mut moment.clone(), *step, &mut Vec::new());
        let each: Vec<(Option<u32>, Footprint)> =
            enabled.iter().map(|step| (scene.crew(moment, *step), footprint(step))).collect();
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
            let run = || Runner::new(&stage.scene).run(&mut Random::default(), seed, &mut inspector);
            let outcome = catch_unwind(AssertUnwindSafe(run));
            let panic = outcome.err().map(|payload| {
                let said = payload.downcast_ref::<String>().map(String::as_str);
                format!("panic: {}", said.or(payload.downcast_ref::<&str>().copied()).unwrap_or("?"))
            });
            let place = format!("{} {} seed {seed:#x}", stage.story, stage.dialect);
            findings.states += inspector.states;
            findings.audits += inspector.audits;
            findings.pairs += inspector.pairs;
            findings.crew_pairs += inspector.crew_pairs;
            for broken in inspector.broken.into_iter().chain(panic) {
                findings.note(kind_of(&broken), 1, format!("{place}: {broken}"));
            }
        }
        findings
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
        assert!(self.broken.is_empty(), "{} laws are broken, see above", self.broken.len());
        assert!(self.pairs >= pairs_min, "only {} pairs were tried", self.pairs);
    }
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

fn all(stages: &[Stage], runs: u64, audit_every: u64) -> Findings {
    let mut findings = Findings::default();
    for found in on_two_threads(stages, |stage| Findings::of(stage, runs, audit_every)) {
        findings.add(found);
    }
    findings
}

/// Along random walks of every shipped story.
#[test]
fn shipped_stories_keep_the_laws() {
    all(&shipped(), 2, 97).assert_sound(1000);
}

/// Along random walks of stories with guests, faults and iothreads.
#[test]
fn crowds_keep_the_laws() {
    all(&crowds(), 3, 3).assert_sound(1000);
}
