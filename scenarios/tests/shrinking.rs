//! Stories can be written as files again, and made smaller as long as somebody says that they still fail.

use std::cell::Cell;

use scenarios::format::{Story, Verb};
use scenarios::load::{SHIPPED, parse};
use scenarios::shrink::{Measure, Smaller, shrink};
use sim::schedule::Schedule;

/// Everything that a story may say and the shipped ones do not.
const EVERYTHING: &str = r#"
title: "One of: each, and # more"
source: 'a "test"'
about: |
  Two lines,
  and a \ between.
faults:
  drive0:
    set-state: [{event: flush_to_disk, state: 1, new_state: 2}]
    inject-error: [{event: read_aio, state: 2, errno: 28, sector: 8, once: true, immediately: true, iotype: write-zeroes}]
guests:
  guest0:
    drive: drive0
    requests: [write -P0x11 0 64k, write -z 0 64k, aio_write -P1 64k 64k, read -P0x11 0 64k, read 0 1, discard 0 64k, flush]
  "no": {drive: node0, requests: [flush]}
script:
  - img: {cmd: create, img: $DIR/a.qcow2, size: 1M, opts: {cluster_size: 128k, format: raw, lazy_refcounts: true, refcount_bits: 1}}
  - img: {cmd: create, img: $DIR/b.qcow2, size: 1M, backing: $DIR/a.qcow2}
  - img: {cmd: write, img: $DIR/a.qcow2, pattern: 0x41, offset: 0, len: 512}
  - img: {cmd: read, img: $DIR/a.qcow2, pattern: 65, offset: 0, len: 512}
  - img: {cmd: copy, img: $DIR/a.qcow2, to: $DIR/c.qcow2}
  - img: {cmd: rebase, img: $DIR/b.qcow2, backing: $DIR/c.qcow2}
  - img: {cmd: compare, a: $DIR/a.qcow2, b: $DIR/b.qcow2}
    result: different
  - img: {cmd: compare, a: $DIR/a.qcow2, b: $DIR/b.qcow2}
  - img: {cmd: map, img: $DIR/a.qcow2}
  - img: {cmd: bitmaps, img: $DIR/a.qcow2}
  - img: {cmd: remove, img: $DIR/c.qcow2}
  - launch: {drives: [{id: drive0, file: $DIR/a.qcow2, node: node0, if: virtio}], args: ["-object", "iothread,id=i0"]}
  - guests: {start: [guest0, "no"]}
  - qmp: {execute: query-jobs, arguments: {}}
    reply: [{id: "12", status: "null", n: 1.5, on: true}]
  - qmp: {execute: job-cancel, arguments: {id: "0x10"}}
    error: {class: GenericError, desc: "Job not found: 'x'"}
  - hmp: {drive: drive0, line: "break write_aio A"}
    output: []
  - hmp: {drive: drive0, line: "write -P0xab 0 512"}
    output: ["wrote 512/512 bytes at offset 0"]
  - wait: {event: BLOCK_JOB_COMPLETED, match: {device: drive0}, skip: all, timeout: 5}
    data: {len: 4, status: "null"}
    absent: [error]
  - bitmaps: {drive0: {bitmap0: {count: 64k, granularity: 64k, recording: true, busy: false, persistent: true, inconsistent: false, status: active}}}
  - pending: 3
  - forget: {}
  - settle: {ms: 10}
  - sleep: {ms: 20}
  - guests: {join: [guest0, "no"]}
  - shutdown: {}
"#;

/// What the story says, whatever lines it stood on.
fn said(mut story: Story) -> Story {
    story.script.iter_mut().for_each(|item| item.line = 0);
    story
}

#[test]
fn a_story_that_is_written_is_read_back_as_the_same_story() {
    let shipped = SHIPPED.iter().map(|(name, text)| (*name, *text));
    for (name, text) in shipped.chain([("everything", EVERYTHING)]) {
        let story = parse(name, text).unwrap_or_else(|error| panic!("{error}"));
        let written = story.to_string();
        let again = parse(name, &written).unwrap_or_else(|error| panic!("{error}\n{written}"));
        assert_eq!(said(again.clone()), said(story), "{written}");
        assert_eq!(again.to_string(), written);
    }
}

fn race() -> Story {
    let (name, text) = SHIPPED
        .iter()
        .find(|(name, _)| name.ends_with("test_transaction_failure_race"))
        .expect("a shipped story");
    parse(name, text).expect("it loads")
}

/// Makes the race smaller as long as `keeps` holds of it.
fn smaller(story: &Story, keeps: &dyn Fn(&Story) -> bool, tried_max: u64) -> Smaller {
    let tried = Cell::new(0);
    let mut still_breaks = |story: &Story, schedule: &Schedule| {
        tried.set(tried.get() + 1);
        keeps(story).then(|| schedule.clone())
    };
    shrink(story, &Schedule::new(), &mut still_breaks, &|| {
        tried.get() >= tried_max
    })
}

fn has_transaction_of(story: &Story, count: usize) -> bool {
    story.script.iter().any(|item| match &item.verb {
        Verb::Qmp(qmp) if qmp.execute == "transaction" => qmp.arguments["actions"]
            .as_array()
            .is_some_and(|actions| actions.len() >= count),
        _ => false,
    })
}

#[test]
fn nothing_is_left_that_is_not_needed() {
    let story = race();
    let smallest = smaller(&story, &|story| has_transaction_of(story, 2), u64::MAX);
    assert!(smallest.complete);
    let measure = Measure::of(&smallest.story);
    // A drive goes only together with what names it, and the transaction names drive0.
    let expected = Measure {
        drives: 1,
        clusters: 0,
        requests: 0,
        items: 2,
    };
    assert_eq!(measure, expected, "{}", smallest.story);
    assert!(has_transaction_of(&smallest.story, 2));
    assert!(!has_transaction_of(&smallest.story, 3));
}

#[test]
fn a_drive_goes_with_all_that_names_it() {
    let story = race();
    let one_left = |story: &Story| Measure::of(story).drives == 1 && has_transaction_of(story, 1);
    let before = Measure::of(&story);
    assert_eq!(before.drives, 2);
    let smallest = smaller(
        &story,
        &|story| Measure::of(story).drives == 2 || one_left(story),
        u64::MAX,
    );
    assert!(one_left(&smallest.story), "{}", smallest.story);
    // drive0 stands first, so it is tried first.
    let names_drive0 = |item: &scenarios::format::Item| item.to_string().contains("drive0");
    assert!(
        !smallest.story.script.iter().any(names_drive0),
        "{}",
        smallest.story
    );
}

#[test]
fn images_shrink_to_a_cluster() {
    let needs = |story: &Story| {
        let created = |item: &scenarios::format::Item| item.to_string().contains("create");
        story.script.iter().filter(|item| created(item)).count() >= 2
    };
    let smallest = smaller(&race(), &needs, u64::MAX);
    assert_eq!(
        Measure::of(&smallest.story).clusters,
        2,
        "{}",
        smallest.story
    );
}

#[test]
fn who_has_enough_gets_the_smallest_so_far() {
    let story = race();
    let keeps = |story: &Story| has_transaction_of(story, 2);
    let none = smaller(&story, &keeps, 0);
    assert_eq!(
        (none.story, none.tried, none.complete),
        (story.clone(), 0, false)
    );
    let some = smaller(&story, &keeps, 3);
    assert_eq!((some.tried, some.complete), (3, false));
}

#[test]
fn every_candidate_loads_and_is_tried_in_the_same_order() {
    let story = race();
    let texts = || {
        let mut texts = Vec::new();
        let mut still_breaks = |story: &Story, schedule: &Schedule| {
            parse("candidate", &story.to_string()).expect("a candidate loads");
            texts.push(story.to_string());
            has_transaction_of(story, 1).then(|| schedule.clone())
        };
        shrink(&story, &Schedule::new(), &mut still_breaks, &|| false);
        texts
    };
    assert_eq!(texts(), texts());
}
