//! What is done, as plans: which command, with which arguments, and mostly about what is there.
//!
//! A plan names things by small numbers, or by how long ago they came; [`super::tell`] finds the names. So plans of
//! drives, bitmaps and jobs that are not there come up too, and are refused.

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;

use super::cast::{Area, area};
use super::moment::moment;

/// How many deeds and moments a story has at most, beside those that prepare it.
const DEEDS_MAX: usize = 12;

/// One thing that the client does.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    /// `drive-backup` or `blockdev-backup`.
    Backup(Backup),
    /// `transaction`.
    Transaction {
        /// Its actions, in order; never empty.
        actions: Vec<Action>,
        /// `completion-mode: grouped`; without it the property is left out.
        grouped: Option<bool>,
    },
    /// A bitmap command.
    Bitmap(Bitmap),
    /// A job's verb.
    Job {
        /// `pause`, `cancel`, …
        verb: &'static str,
        /// `block-job-…`, not `job-…`.
        block_job: bool,
        /// `force: true`, if the verb knows that.
        force: bool,
        /// Which job.
        job: Recent,
    },
    /// `block-job-set-speed`.
    SetSpeed {
        /// Which job.
        job: Recent,
        /// How fast.
        speed: Speed,
    },
    /// A qemu-io line in the guest's place.
    Guest(Wish),
    /// `block_resize`.
    Resize {
        /// Of what.
        node: Named,
        /// In eighths of the drive's size as it was at first; none is -1 byte.
        eighths: Option<u64>,
    },
    /// A query without arguments.
    Query(&'static str),
    /// The bitmaps of every node.
    Bitmaps,
    /// Everything happens that happens by itself.
    Settle,
    /// An event of a job, if it comes.
    Until {
        /// Which job.
        job: Recent,
        /// The event, and the status if it is about one.
        event: (&'static str, Option<&'static str>),
    },
}

/// A job by how many came after it, of those that were asked for: so 0 is the last one.
pub(super) type Recent = usize;

/// A drive's node, and how it is called.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named {
    /// The drive, modulo their number.
    pub drive: usize,
    /// By what.
    pub by: By,
}

/// How a node is called.
#[derive(Clone, Copy, Debug)]
pub(super) enum By {
    /// By its node name.
    Node,
    /// By its drive.
    Drive,
    /// By a name that nobody has.
    Nobody,
}

/// How fast a job may copy.
#[derive(Clone, Copy, Debug)]
pub(super) enum Speed {
    /// No limit is named.
    Unsaid,
    /// So many times its drive in a second.
    Times(u64),
    /// That many bytes a second: no limit, or no speed at all.
    Exactly(i64),
}

/// An action of a transaction.
#[derive(Clone, Debug)]
pub(super) enum Action {
    /// A backup.
    Backup(Backup),
    /// A bitmap command.
    Bitmap(Bitmap),
    /// `abort`
    Abort,
}

/// What a bitmap command does.
#[derive(Clone, Debug)]
pub(super) struct Bitmap {
    /// Of which node.
    pub node: Named,
    /// Which one.
    pub name: &'static str,
    /// What.
    pub what: BitmapDeed,
}

/// What is done to a bitmap.
#[derive(Clone, Debug)]
pub(super) enum BitmapDeed {
    /// It is added, with that granularity, recording or not.
    Add(Option<u64>, Option<bool>),
    /// These are merged into it; a node if it is not the bitmap's own.
    Merge(Vec<(Option<Named>, &'static str)>),
    /// `clear`, `enable`, `disable` or `remove`.
    Plain(&'static str),
}

/// What a guest asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    /// The drive, modulo their number.
    pub drive: usize,
    /// Where.
    pub area: Area,
    /// What.
    pub kind: WishKind,
}

/// The kinds of requests.
#[derive(Clone, Copy, Debug)]
pub(super) enum WishKind {
    Write,
    Zeroes,
    Discard,
    Read,
    Flush,
}

/// A backup.
#[derive(Clone, Debug)]
pub(super) struct Backup {
    /// `drive-backup`, not `blockdev-backup`.
    pub drive_backup: bool,
    /// Of what.
    pub source: Named,
    /// Into what.
    pub target: Into,
    /// How its job is called.
    pub id: Id,
    /// `sync`
    pub sync: &'static str,
    /// `bitmap`
    pub bitmap: Option<&'static str>,
    /// `bitmap-mode`
    pub bitmap_mode: Option<&'static str>,
    /// `speed`
    pub speed: Speed,
    /// `on-source-error`
    pub on_source_error: Option<&'static str>,
    /// `on-target-error`
    pub on_target_error: Option<&'static str>,
    /// `auto-finalize`
    pub auto_finalize: Option<bool>,
    /// `auto-dismiss`
    pub auto_dismiss: Option<bool>,
    /// `x-perf`: the largest chunk and the most workers.
    pub perf: Option<(i64, i64)>,
}

/// The target of a backup.
#[derive(Clone, Copy, Debug)]
pub(super) enum Into {
    /// The one that was made for its source.
    Own,
    /// That one, whatever it was made for.
    Other(usize),
    /// A new image for `drive-backup`; for `blockdev-backup` a node that is not there.
    New,
    /// The source itself.
    Source,
}

/// How a job is called.
#[derive(Clone, Copy, Debug)]
pub(super) enum Id {
    /// As no job before.
    Fresh,
    /// As an earlier one.
    Again(Recent),
    /// It is not said: as the drive.
    Unsaid,
}

/// A bitmap, a write to each drive perhaps, and then whatever comes.
pub(super) fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let some = prop_oneof![4 => deed().prop_map(|deed| vec![deed]), 1 => moment()];
    (vec(preparation(), 1..=4), start(), vec(some, 3..=DEEDS_MAX)).prop_map(
        |(preparations, start, rest)| {
            let all = preparations.into_iter().chain([start]);
            all.chain(rest.into_iter().flatten()).collect()
        },
    )
}

impl Deed {
    /// The same, done to that drive if it is done to one, or to that job.
    pub(super) fn on(mut self, drive: usize, of_drive: Recent) -> Deed {
        match &mut self {
            Deed::Backup(Backup { source: node, .. })
            | Deed::Bitmap(Bitmap { node, .. })
            | Deed::Resize { node, .. } => node.drive = drive,
            Deed::Guest(wish) => wish.drive = drive,
            Deed::Job { job, .. } | Deed::SetSpeed { job, .. } => *job = of_drive,
            Deed::Transaction { actions, .. } => {
                for action in actions {
                    if let Action::Bitmap(Bitmap { node, .. }) = action {
                        node.drive = drive;
                    }
                }
            }
            _ => {}
        }
        self
    }
}

/// What is done to a job at a certain moment, to its drive or to its bitmaps. (Boxed, as other large ones: a plan
/// within plans would be too large for the stack of a thread.)
pub(super) fn about() -> BoxedStrategy<Deed> {
    let any = prop_oneof![
        5 => backup().prop_map(Deed::Backup),
        2 => group(),
        3 => mixture(),
        12 => bitmap().prop_map(Deed::Bitmap),
        18 => verb(),
        3 => (recent(), speed()).prop_map(|(job, speed)| Deed::SetSpeed { job, speed }),
        5 => wish().prop_map(Deed::Guest),
        4 => resize(),
    ];
    any.boxed()
}

fn resize() -> impl Strategy<Value = Deed> {
    (named(0.5, 0.04), weighted(0.9, 1..=12_u64))
        .prop_map(|(node, eighths)| Deed::Resize { node, eighths })
}

fn preparation() -> impl Strategy<Value = Deed> {
    let add = (named(0.05, 0.0), weighted(0.25, granularity())).prop_map(|(node, granularity)| {
        Deed::Bitmap(Bitmap {
            node,
            name: "bitmap0",
            what: BitmapDeed::Add(granularity, None),
        })
    });
    prop_oneof![3 => add, 2 => wish().prop_map(Deed::Guest)]
}

fn start() -> impl Strategy<Value = Deed> {
    prop_oneof![3 => backup().prop_map(Deed::Backup), 2 => group()]
}

fn deed() -> BoxedStrategy<Deed> {
    let queries = vec!["query-block-jobs", "query-jobs"];
    let any = prop_oneof![
        12 => backup().prop_map(Deed::Backup),
        8 => group(),
        5 => mixture(),
        14 => bitmap().prop_map(Deed::Bitmap),
        24 => verb(),
        5 => (recent(), speed()).prop_map(|(job, speed)| Deed::SetSpeed { job, speed }),
        14 => wish().prop_map(Deed::Guest),
        5 => resize(),
        4 => select(queries).prop_map(Deed::Query),
        4 => Just(Deed::Bitmaps),
        6 => Just(Deed::Settle),
        24 => until(),
    ];
    any.boxed()
}

fn recent() -> impl Strategy<Value = Recent> {
    prop_oneof![7 => Just(0_usize), 3 => Just(1), 1 => Just(2), 1 => Just(3)]
}

/// A drive's node: called by the drive, or by no name, in that share of cases.
fn named(drive: f64, nobody: f64) -> impl Strategy<Value = Named> {
    let by = |share: f64, by| ((share * 1000.0) as u32, Just(by).boxed());
    let rest = 1.0 - drive - nobody;
    let shares = [
        by(rest, By::Node),
        by(drive, By::Drive),
        by(nobody, By::Nobody),
    ];
    let by = Union::new_weighted(shares.into_iter().filter(|(share, _)| *share > 0).collect());
    (0..3_usize, by).prop_map(|(drive, by)| Named { drive, by })
}

/// A job's verb.
pub(super) fn verb() -> impl Strategy<Value = Deed> {
    let verbs = vec![
        "pause", "pause", "resume", "resume", "cancel", "cancel", "cancel", "complete", "finalize",
        "finalize", "finalize", "dismiss", "dismiss", "dismiss",
    ];
    let force = prop::bool::weighted(0.4);
    (select(verbs), any::<bool>(), force, recent()).prop_map(|(verb, block_job, force, job)| {
        Deed::Job {
            verb,
            block_job,
            force,
            job,
        }
    })
}

fn speed() -> impl Strategy<Value = Speed> {
    prop_oneof![
        3 => Just(Speed::Exactly(0)),
        3 => (1..=4_u64).prop_map(Speed::Times),
        1 => Just(Speed::Exactly(-1)),
    ]
}

fn until() -> impl Strategy<Value = Deed> {
    let status = |status| ("JOB_STATUS_CHANGE", Some(status));
    let events = vec![
        status("running"),
        status("paused"),
        status("waiting"),
        status("waiting"),
        status("pending"),
        status("pending"),
        status("aborting"),
        status("aborting"),
        status("concluded"),
        status("concluded"),
        status("null"),
        ("BLOCK_JOB_COMPLETED", None),
        ("BLOCK_JOB_COMPLETED", None),
        ("BLOCK_JOB_CANCELLED", None),
        ("BLOCK_JOB_ERROR", None),
    ];
    (recent(), select(events)).prop_map(|(job, event)| Deed::Until { job, event })
}

fn wish() -> impl Strategy<Value = Wish> {
    let kind = prop_oneof![
        6 => Just(WishKind::Write),
        2 => Just(WishKind::Zeroes),
        1 => Just(WishKind::Discard),
        1 => Just(WishKind::Read),
        1 => Just(WishKind::Flush),
    ];
    (0..3_usize, area(), kind).prop_map(|(drive, area, kind)| Wish { drive, area, kind })
}

// ---- bitmaps

/// Good ones, and now and then one that is none.
fn granularity() -> impl Strategy<Value = u64> {
    let good = select(&[512_u64, 32 << 10, 64 << 10, 128 << 10, 1 << 20][..]);
    prop_oneof![9 => good, 1 => select(&[0_u64, 256, 1000, 1 << 32][..])]
}

fn name() -> impl Strategy<Value = &'static str> {
    prop_oneof![12 => Just("bitmap0"), 6 => Just("bitmap1"), 1 => Just("no-such-bitmap")]
}

fn bitmap() -> impl Strategy<Value = Bitmap> {
    let add = (weighted(0.4, granularity()), weighted(0.3, any::<bool>()))
        .prop_map(|(granularity, disabled)| BitmapDeed::Add(granularity, disabled));
    let source = (weighted(0.2, named(0.05, 0.02)), name());
    // A merge of nothing ends QEMU (a known defect), and the story with it.
    let sources = prop_oneof![40 => vec(source, 1..=2), 1 => Just(Vec::new())];
    let plain = select(&["clear", "clear", "enable", "disable", "remove"][..]);
    let what = prop_oneof![
        3 => add,
        2 => sources.prop_map(BitmapDeed::Merge),
        6 => plain.prop_map(BitmapDeed::Plain),
    ];
    (named(0.05, 0.02), name(), what).prop_map(|(node, name, what)| Bitmap { node, name, what })
}

// ---- backups

/// What is copied, and what becomes of a bitmap: in most cases a combination that QEMU takes.
fn sync() -> impl Strategy<Value = (&'static str, Option<&'static str>, Option<&'static str>)> {
    let mode = || select(vec!["on-success", "always", "never"]);
    let anything = (
        select(&["full", "top", "none", "incremental", "bitmap"][..]),
        weighted(0.5, name()),
        weighted(0.5, mode()),
    );
    prop_oneof![
        4 => Just(("full", None, None)),
        2 => Just(("top", None, None)),
        2 => Just(("none", None, None)),
        6 => name().prop_map(|name| ("incremental", Some(name), None)),
        5 => (name(), mode()).prop_map(|(name, mode)| ("bitmap", Some(name), Some(mode))),
        2 => (select(&["full", "top"][..]), name(), select(vec!["on-success", "always"]))
            .prop_map(|(sync, name, mode)| (sync, Some(name), Some(mode))),
        2 => anything,
    ]
}

fn backup() -> BoxedStrategy<Backup> {
    let target = prop_oneof![
        20 => Just(Into::Own),
        2 => (0..3_usize).prop_map(Into::Other),
        2 => Just(Into::New),
        1 => Just(Into::Source),
    ];
    let id = prop_oneof![
        8 => Just(Id::Fresh),
        1 => recent().prop_map(Id::Again),
        2 => Just(Id::Unsaid),
    ];
    let speed = prop_oneof![
        6 => Just(Speed::Unsaid),
        2 => (1..=4_u64).prop_map(Speed::Times),
    ];
    let policy = || {
        let policies = vec!["report", "stop", "stop", "ignore", "enospc"];
        weighted(0.35, select(policies))
    };
    let perf = prop_oneof![
        12 => Just((64 << 10, 1)),
        2 => Just((0, 4)),
        1 => Just((-1, 1)),
        1 => Just((0, 0)),
    ];
    (
        (any::<bool>(), named(0.8, 0.02), target, id),
        sync(),
        (speed, policy(), policy()),
        (
            weighted(0.35, prop::bool::weighted(0.1)),
            weighted(0.35, prop::bool::weighted(0.1)),
            weighted(0.4, perf),
        ),
    )
        .prop_map(|(who, (sync, bitmap, bitmap_mode), how, ends)| Backup {
            drive_backup: who.0,
            source: who.1,
            target: who.2,
            id: who.3,
            sync,
            bitmap,
            bitmap_mode,
            speed: how.0,
            on_source_error: how.1,
            on_target_error: how.2,
            auto_finalize: ends.0,
            auto_dismiss: ends.1,
            perf: ends.2,
        })
        .boxed()
}

/// A transaction of backups: of one drive after the other, and rarely with something bad at the end.
fn group() -> impl Strategy<Value = Deed> {
    let grouped = prop_oneof![4 => Just(Some(true)), 1 => Just(Some(false)), 2 => Just(None)];
    let last = prop_oneof![
        1 => Just(Action::Abort),
        1 => bitmap().prop_map(Action::Bitmap),
    ];
    (
        vec(backup(), 1..=3),
        weighted(0.05, last),
        grouped,
        0..3_usize,
    )
        .prop_map(|(backups, last, grouped, first)| {
            let on = |(index, mut backup): (usize, Backup)| {
                backup.source.drive = first + index;
                Action::Backup(backup)
            };
            let backups = backups.into_iter().enumerate().map(on);
            let actions = backups.chain(last).collect();
            Deed::Transaction { actions, grouped }
        })
}

/// A transaction of anything.
fn mixture() -> impl Strategy<Value = Deed> {
    let action = prop_oneof![
        6 => bitmap().prop_map(Action::Bitmap),
        3 => backup().prop_map(Action::Backup),
    ];
    let abort = weighted(0.08, Just(Action::Abort));
    (vec(action, 1..=4), abort, weighted(0.1, any::<bool>())).prop_map(
        |(mut actions, abort, grouped)| {
            actions.extend(abort);
            Deed::Transaction { actions, grouped }
        },
    )
}
