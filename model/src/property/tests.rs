//! Every promise can be broken: a world is tampered with behind the rules' back, and exactly that promise is found
//! broken first.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{PROPERTIES, WITNESSES, after_step, bitmap, data, job, transaction};
use crate::bitmap::{Bitmap, Hold};
use crate::block_copy::{Call, CallState, Caller};
use crate::dialect::QEMU_10_0;
use crate::event::{Event, JobEnd, Operation, Reply};
use crate::file::ImageCommand;
use crate::guest::{Guest, Stage};
use crate::image::{Fill, Format};
use crate::job::{IoStatus, Status, Verb};
use crate::main_loop::{self, Frame};
use crate::node::Listed;
use crate::process::Drive;
use crate::qmp;
use crate::runs::Runs;
use crate::step::Step;
use crate::transaction::{Action, BitmapName, Prepared};
use crate::world::{Footprint, JobIx, NodeIx, World};

/// The drive's node.
const SOURCE: NodeIx = 0;
/// The target's node.
const TARGET: NodeIx = 1;
/// The job.
const JOB: JobIx = 0;

/// Where the world is when it is tampered with.
#[derive(Clone, Copy, Debug, PartialEq)]
enum At {
    /// Before the job.
    Idle,
    /// One of five clusters is copied, the next is being read, the third waits for its worker.
    Copying,
    /// As before, in mode always, and cancelled; the run function has returned.
    Cancelled(&'static str),
    /// All is copied; the run function has returned.
    Returned,
    /// The job is concluded, and its user has not dismissed it.
    Concluded,
}

fn create(w: &mut World, name: &str) {
    let command = ImageCommand::Create {
        name: name.into(),
        size: Some(512 << 10),
        format: Format::Qcow2,
        cluster_size: None,
        backing: None,
    };
    w.qemu_img(&command).expect("the image is created");
}

fn step(w: &mut World) -> bool {
    let mut steps = Vec::new();
    w.enabled(&mut steps);
    let Some(&step) = steps.first() else {
        return false;
    };
    w.apply(step);
    w.take_output(|_| {});
    true
}

fn until(w: &mut World, there: impl Fn(&World) -> bool) {
    while !there(w) {
        assert!(step(w), "the world rests before it is there");
    }
}

fn send(w: &mut World, execute: &str, arguments: &Value) {
    let Ok(command) = qmp::parse(w.dialect, execute, arguments) else {
        panic!("{execute} is a command");
    };
    w.submit(execute.into(), command);
}

fn command(w: &mut World, execute: &str, arguments: &Value) {
    let begun = w.monitor().serial;
    send(w, execute, arguments);
    until(w, |w| {
        w.monitor().serial > begun && !w.monitor().handling && w.monitor().reply.is_none()
    });
}

/// A drive of eight clusters with a bitmap that marks the first five, and an empty target.
fn idle() -> World {
    let mut w = World::new(&QEMU_10_0);
    create(&mut w, "d0");
    create(&mut w, "t0");
    w.launch(&[Drive {
        id: "d0".into(),
        node: Some("n0".into()),
        file: "d0".into(),
        blkdebug: None,
        iothread: None,
        has_device: false,
    }])
    .expect("the drive is opened");
    let file = json!({"driver": "file", "filename": "t0"});
    let node = json!({"node-name": "t0", "driver": "qcow2", "file": file});
    command(&mut w, "blockdev-add", &node);
    command(
        &mut w,
        "block-dirty-bitmap-add",
        &json!({"node": "n0", "name": "b0"}),
    );
    let request = crate::guest::Request::Write {
        offset: 0,
        len: 320 << 10,
        fill: Fill(7),
    };
    let guest = w.add_guest(Guest::new("guest".into(), "d0".into(), vec![request]));
    w.start_guest(guest);
    until(&mut w, |w| w.guest(guest).is_finished());
    w
}

fn world(at: At) -> World {
    let mut w = idle();
    let mode = match at {
        At::Idle => return w,
        At::Cancelled(mode) => mode,
        _ => "on-success",
    };
    send(
        &mut w,
        "blockdev-backup",
        &json!({"job-id": "j", "device": "n0", "target": "t0", "sync": "bitmap", "bitmap": "b0",
            "bitmap-mode": mode, "auto-dismiss": false, "x-perf": {"max-workers": 1, "max-chunk": 65536}}),
    );
    let reading = |w: &World| {
        let tasks = w.job_indices().next().map(|job| &w.copy(job).tasks);
        tasks.is_some_and(|tasks| tasks.first().is_some_and(|task| task.start == 64 << 10))
    };
    until(&mut w, reading);
    match at {
        At::Idle | At::Copying => {}
        At::Cancelled(_) => {
            command_of(&mut w, "job-cancel");
            until(&mut w, |w| w.job(JOB).deferred);
        }
        At::Returned => until(&mut w, |w| w.job(JOB).deferred),
        At::Concluded => until(&mut w, |w| w.job(JOB).status == Status::Concluded),
    }
    assert_eq!(w.broken(), None, "nothing is broken before: {at:?}");
    w
}

/// Begins a command about the job, without waiting for its reply.
fn command_of(w: &mut World, execute: &str) {
    let begun = w.monitor().serial;
    send(w, execute, &json!({"id": "j"}));
    until(w, |w| w.monitor().serial > begun);
}

/// Looks at every part, as after a step that wrote all of them.
fn look(w: &mut World) {
    let writes = u64::MAX;
    after_step(
        w,
        Footprint {
            writes,
            ..Footprint::default()
        },
    );
}

/// The first broken promise, once the world has come to rest.
fn found(mut w: World) -> Option<&'static str> {
    look(&mut w);
    while w.broken().is_none() && step(&mut w) {}
    w.broken_at_rest().map(|broken| broken.property)
}

// ---- ways to tamper

fn scribble(w: &mut World, node: NodeIx, range: std::ops::Range<u64>) {
    let chain = w.node(node).chain().to_vec();
    w.write_file(&chain, &Runs::of(range, Fill(99)));
}

fn b0(w: &mut World) -> &mut Bitmap {
    w.node_mut(SOURCE).bitmap_mut("b0").expect("it is there")
}

fn successor(w: &mut World) -> &mut Bitmap {
    match &mut b0(w).hold {
        Hold::Frozen { successor } => successor,
        _ => panic!("it is frozen"),
    }
}

fn completed(error: Option<&str>) -> Event {
    let end = JobEnd {
        device: "j".into(),
        len: 0,
        offset: 0,
        speed: 0,
    };
    let error = error.map(Arc::from);
    Event::BlockJobCompleted { end, error }
}

fn says_as(w: &mut World, said: Option<Status>, event: Event) {
    w.job_mut(JOB).ghost.said = said;
    w.emit(JOB, event);
}

fn status(status: Status) -> Event {
    let id = "j".into();
    Event::JobStatusChange { id, status }
}

fn on_b0() -> BitmapName {
    BitmapName {
        node: "n0".into(),
        name: "b0".into(),
    }
}

fn merge_without_merging(w: &mut World) {
    let empty = Bitmap::new(Some("b1".into()), 65536, 512 << 10);
    w.node_mut(SOURCE).listed.push(Listed::Bitmap(empty));
    let target = BitmapName {
        node: "n0".into(),
        name: "b1".into(),
    };
    let undo = Box::new(b0(w).undo());
    let action = Action::BitmapMerge {
        target,
        sources: vec![on_b0()],
    };
    let prepared = Prepared::Merged(SOURCE, "b1".into(), undo);
    bitmap::prepared(w, &action, &prepared, true, bitmap::Asked::default());
}

fn sleeping_guest(w: &mut World) {
    let call = Call {
        caller: Caller::Guest(1),
        range: (0, 65536),
        state: CallState::Sleeping { woken: false },
        cursor: 0,
        copied: false,
        running: 0,
        cancelled: false,
        failed: None,
        begun_in: None,
        waited: false,
        chained: false,
    };
    w.copy_mut(JOB).calls.push(call);
    data::call_waits(w, JOB, Caller::Guest(1));
}

fn twin(w: &mut World) {
    let (job, copy) = (w.job(JOB).clone(), w.copy(JOB).clone());
    let twin = w.add_job(job, copy);
    w.job_mut(twin).ghost.said = None;
    let group = w.job(twin).group;
    w.group_mut(group).members.insert(0, twin);
    w.main_mut().jobs.insert(0, twin);
    crate::job::announce(w, twin);
}

fn unsaved_write(w: &mut World) {
    stuck_guest(w);
    data::write_goes_on(w, 1, JOB);
}

fn stuck_guest(w: &mut World) {
    let (node, below) = (SOURCE, Vec::new());
    w.guest_mut(1).stage = Stage::Saving { node, below };
}

fn bits_beyond_the_end(w: &mut World) {
    let mut larger = Bitmap::new(None, 65536, 1 << 20);
    larger.set(0..1 << 20);
    let undo = larger.undo();
    b0(w).restore(undo);
}

type Tamper = fn(&mut World);

/// A promise, where the world is, and what is done to it.
#[rustfmt::skip]
const CASES: &[(&str, At, Tamper)] = &[
    ("point-in-time", At::Returned, |w| scribble(w, TARGET, 0..65536)),
    ("incremental-complete", At::Returned, |w| scribble(w, TARGET, 320 << 10..512 << 10)),
    ("old-data-only", At::Copying, |w| scribble(w, SOURCE, 64 << 10..65 << 10)),
    ("no-lost-dirty", At::Idle, |w| { b0(w).clear(); }),
    ("consumed-only-if-copied", At::Cancelled("always"), |w| { w.copy_mut(JOB).dirty.clear(); }),
    ("failure-keeps-bits", At::Cancelled("on-success"), |w| {
        // In the step that settles the bitmap: no look in between.
        b0(w).clear();
        let settling = bitmap::settles(w, JOB);
        w.reclaim_bitmap(SOURCE, &"b0".into());
        w.job_mut(JOB).force_cancel = true;
        bitmap::settled(w, JOB, settling);
    }),
    ("grouped-atomicity", At::Returned, |w| successor(w).set(0..65536)),
    ("same-instant", At::Copying, |w| { scribble(w, SOURCE, 0..512); data::starts(w, JOB); }),
    ("legal-transitions", At::Copying, |w| crate::job::set_status(w, JOB, Status::Concluded)),
    ("verb-table", At::Copying, |w| {
        let asked = job::asks(w, JOB, Verb::Dismiss);
        job::asked(w, JOB, &asked, true);
    }),
    ("one-terminal-event", At::Concluded, |w| w.emit(JOB, completed(None))),
    ("event-order", At::Copying, |w| w.emit(JOB, completed(None))),
    ("terminal-is-final", At::Returned, |w| says_as(w, Some(Status::Pending), completed(None))),
    ("no-run-after-return", At::Returned, |w| crate::backup::run(w, JOB)),
    ("pause-is-quiescent", At::Copying, |w| crate::job::set_status(w, JOB, Status::Paused)),
    ("pause-balance", At::Copying, |w| w.job_mut(JOB).user_paused = true),
    ("cancel-is-final", At::Cancelled("never"), |w| { look(w); w.job_mut(JOB).force_cancel = false; }),
    ("cancel-means-fail", At::Copying, |w| {
        w.job_mut(JOB).force_cancel = true;
        job::decided(w, JOB);
    }),
    ("error-text", At::Concluded, |w| {
        w.job_mut(JOB).ghost.ended = false;
        says_as(w, Some(Status::Pending), completed(Some("Input/output error")));
    }),
    ("iostatus", At::Copying, |w| w.job_mut(JOB).iostatus = IoStatus::Failed),
    ("job-ends", At::Copying, |w| { until(w, |w| w.monitor().reply.is_none()); w.copy_mut(JOB).tasks.clear(); }),
    ("dismiss-works", At::Concluded, |w| crate::job::forget(w, JOB)),
    ("id-unique", At::Copying, twin),
    ("no-commit-before-all-done", At::Copying, |w| job::decided(w, JOB)),
    ("group-list", At::Copying, |w| {
        let group = w.job(JOB).group;
        w.group_mut(group).members.clear();
        says_as(w, None, status(Status::Created));
    }),
    ("single-aborter", At::Copying, |w| {
        let group = w.job(JOB).group;
        main_loop::push(w, Frame::AbortGroup { group });
        job::aborts(w, JOB);
    }),
    ("pending-together", At::Copying, |w| {
        let id = "j".into();
        says_as(w, Some(Status::Pending), Event::BlockJobPending { id });
    }),
    ("start-barrier", At::Copying, |w| { w.copy_mut(JOB).ghost.instant = None; data::starts(w, JOB); }),
    ("busy-exclusion", At::Copying, |w| {
        let action = Action::BitmapClear(on_b0());
        let asked = bitmap::asks(w, &action);
        bitmap::prepared(w, &action, &Prepared::Nothing, true, asked);
    }),
    ("inconsistent-untouchable", At::Idle, |w| {
        b0(w).inconsistent = true;
        let action = Action::BitmapClear(on_b0());
        let asked = bitmap::asks(w, &action);
        bitmap::prepared(w, &action, &Prepared::Nothing, true, asked);
    }),
    ("frozen-parent", At::Copying, |w| { b0(w).clear(); }),
    ("busy-ends", At::Returned, |w| { let settling = bitmap::settles(w, JOB); bitmap::settled(w, JOB, settling); }),
    ("count-exact", At::Idle, bits_beyond_the_end),
    ("size-follows-node", At::Idle, |w| {
        let short = Bitmap::new(None, 65536, 65536);
        w.node_mut(SOURCE).listed.push(Listed::Bitmap(short));
        bitmap::resized(w, SOURCE);
    }),
    ("no-resize-while-busy", At::Copying, |w| bitmap::resizes(w, SOURCE)),
    ("merge-is-union", At::Idle, merge_without_merging),
    ("recording-preserved", At::Returned, |w| successor(w).disabled = true),
    ("persistence-follows-name", At::Returned, |w| b0(w).persistent = true),
    ("atomic-prepare", At::Idle, |w| {
        let before = transaction::before(w);
        let bitmap = Bitmap::new(Some("b1".into()), 65536, 512 << 10);
        w.node_mut(SOURCE).listed.push(Listed::Bitmap(bitmap));
        transaction::over(w, &[], Some(&before), true);
    }),
    ("abort-safe", At::Idle, |w| {
        let before = transaction::before_undoing(w, &Prepared::Added);
        b0(w).disabled = true;
        transaction::undone(w, &Action::BitmapEnable(on_b0()), before.as_deref());
    }),
    ("no-recopy", At::Copying, |w| data::claimed(w, JOB, Caller::Guest(1), 0..65536)),
    ("only-scope", At::Copying, |w| data::claimed(w, JOB, Caller::Guest(1), 320 << 10..512 << 10)),
    ("disjoint-tasks", At::Copying, |w| data::claimed(w, JOB, Caller::Guest(1), 64 << 10..128 << 10)),
    ("no-write-after-end", At::Copying, |w| data::is_over(w, JOB)),
    ("guest-write-completes", At::Idle, stuck_guest),
    ("cbw-failure-visible", At::Copying, unsaved_write),
    ("failed-copy-is-left", At::Copying, |w| data::task_ended(w, JOB, 0..65536, Some(Operation::Write))),
    ("progress-sane", At::Returned, |w| w.copy_mut(JOB).copied -= 65536),
    ("worker-bound", At::Copying, |w| w.copy_mut(JOB).workers_max = 0),
    ("throttle-only-background", At::Copying, sleeping_guest),
    ("no-deadlock", At::Idle, |w| { w.drain_begin(1 << SOURCE); }),
    ("one-reply", At::Idle, |w| w.say_reply(Reply::Done)),
    ("no-crash", At::Copying, |w| { crate::process::dies(w, "somebody pulled the plug"); }),
];

#[test]
fn each_promise_can_be_broken() {
    let failures: Vec<String> = CASES.iter().filter_map(failure).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Why a case does not show what it should.
fn failure((property, at, tamper): &(&str, At, Tamper)) -> Option<String> {
    if let Some(other) = found(world(*at)) {
        return Some(format!("{other} is broken by nothing, at {at:?}"));
    }
    let mut w = world(*at);
    tamper(&mut w);
    let found = found(w);
    (found != Some(*property)).then(|| format!("{property}, at {at:?}: found {found:?}"))
}

#[test]
fn each_promise_that_is_checked_has_a_case() {
    let checked: BTreeSet<&str> = PROPERTIES
        .iter()
        .filter(|row| row.kind.is_checked())
        .map(|row| row.id)
        .collect();
    let tried: BTreeSet<&str> = CASES.iter().map(|(property, ..)| *property).collect();
    assert_eq!(checked, tried);
}

/// The invariants of the specification, by the letters of its tables and how many each has.
#[test]
fn each_invariant_of_the_specification_is_in_one_row() {
    let tables = [
        ("J", 19),
        ("G", 8),
        ("B", 13),
        ("T", 4),
        ("D", 14),
        ("M", 3),
    ];
    let numbered = |(letter, count): (&str, u32)| {
        (1..=count)
            .map(|number| format!("{letter}{number}"))
            .collect::<Vec<_>>()
    };
    let mut wanted: Vec<String> = tables.into_iter().flat_map(numbered).collect();
    let rows = PROPERTIES.iter().flat_map(|row| row.spec.iter());
    let mut listed: Vec<String> = rows.map(|id| (*id).to_owned()).collect();
    wanted.sort();
    listed.sort();
    assert_eq!(listed, wanted);
}

#[test]
fn names_are_unique_and_fit() {
    let ids: BTreeSet<&str> = PROPERTIES.iter().map(|row| row.id).collect();
    assert_eq!(ids.len(), PROPERTIES.len());
    let ids: BTreeSet<&str> = WITNESSES.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids.len(), WITNESSES.len());
    assert!(WITNESSES.len() <= 64, "a witness is a bit of 64");
    for says in PROPERTIES
        .iter()
        .map(|row| row.says)
        .chain(WITNESSES.iter().map(|row| row.1))
    {
        assert!(says.ends_with('.'), "a sentence: {says}");
    }
}

/// Only the first broken promise is kept, and what was broken is part of the state.
#[test]
fn the_first_broken_promise_is_kept() {
    let mut w = idle();
    let whole = w.clone();
    w.breaks("point-in-time", "first".into());
    w.breaks("no-lost-dirty", "second".into());
    assert_eq!(
        w.broken().map(ToString::to_string),
        Some("point-in-time: first".into())
    );
    assert!(w != whole);
}

/// A witness speaks of the step done last, and is no part of the state.
#[test]
fn a_witness_is_of_the_last_step() {
    let mut w = world(At::Copying);
    let before = w.clone();
    w.witness(super::Witness::Rollback);
    assert!(w == before);
    let bit = 1 << super::Witness::Rollback as u32;
    assert_eq!(w.witnessed() & bit, bit);
    w.apply(Step::Task(JOB, 64 << 10));
    assert_eq!(w.witnessed() & bit, 0);
}

/// At rest, the sentence says who waits for whom.
#[test]
fn a_deadlock_names_who_waits_for_whom() {
    let mut w = world(At::Copying);
    until(&mut w, |w| {
        w.monitor().reply.is_none() && !w.monitor().handling
    });
    w.copy_mut(JOB).tasks.clear();
    send(&mut w, "quit", &json!({}));
    while step(&mut w) {}
    let broken = w.broken_at_rest().expect("it hangs");
    let says = "no-deadlock: the shutdown waits for silence on n0, t0, #block0, where is job j (running), which waits \
                for a free worker of job j for 128k+64k";
    assert_eq!(broken.to_string(), says);
}

#[test]
fn a_stuck_request_is_named() {
    let mut w = idle();
    stuck_guest(&mut w);
    let says = "guest-write-completes: nothing can happen any more but a write of guest, which waits for old data that \
                nobody copies";
    assert_eq!(
        w.broken_at_rest().map(|broken| broken.to_string()),
        Some(says.into())
    );
}
