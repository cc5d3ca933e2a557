//! Stretches that lead a job to one status, and do something then: what chance alone would seldom meet.

use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;

use super::deed::{
    Action, Backup, Bitmap, BitmapDeed, By, Deed, Id, Into, Named, Recent, Speed, about, verb,
};

/// A job is led somewhere, and one or two things are done to it, its drive or its bitmaps, of which there are two in
/// some cases.
pub(super) fn moment() -> BoxedStrategy<Vec<Deed>> {
    let bitmaps = prop::bool::weighted(0.3);
    let rest = (
        prop_oneof![1 => verb(), 2 => about()],
        weighted(0.5, about()),
    );
    (bitmaps, place(), good(), good(), rest)
        .prop_map(|(bitmaps, place, first, second, (deed, another))| {
            let (drive, job) = (first.source.drive, place.job());
            let mut deeds = Vec::new();
            if bitmaps {
                deeds.extend(["bitmap0", "bitmap1"].map(|name| add(name, drive)));
            }
            deeds.extend(place.lead(first, second));
            let rest = [deed].into_iter().chain(another);
            deeds.extend(rest.map(|deed| deed.on(drive, job)));
            deeds
        })
        .boxed()
}

/// A job is led somewhere, and nothing more is done: the story ends there.
pub(super) fn last_moment() -> impl Strategy<Value = Vec<Deed>> {
    let place = prop_oneof![2 => Just(Place::Aborting), 1 => Just(Place::Cancelled), 3 => place()];
    (place, good(), good()).prop_map(|(place, first, second)| place.lead(first, second))
}

fn place() -> impl Strategy<Value = Place> {
    select(vec![
        Place::Paused,
        Place::Resumed,
        Place::Drained,
        Place::Stopped,
        Place::Waiting,
        Place::Waiting,
        Place::Pending,
        Place::Passed("waiting"),
        Place::Passed("pending"),
        Place::Aborting,
        Place::Aborting,
        Place::Aborting,
        Place::Cancelled,
        Place::Concluded,
    ])
}

/// Where a job is led.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// By its user, in the middle of its work.
    Paused,
    /// The same, and let go on: what the client read last is that it is paused.
    Resumed,
    /// By what another job's end drains; it goes on at once, and the client has not read that.
    Drained,
    /// By an error, if its drive has one to give.
    Stopped,
    /// It is done, and another of its group is not.
    Waiting,
    /// It is done, and the user is to finalize it.
    Pending,
    /// The client has read that it is waiting or pending, and not what came after that.
    Passed(&'static str),
    /// It was cancelled, alone or in a group.
    Aborting,
    /// The same, and the client has not waited for anything since.
    Cancelled,
    /// It has ended, and the user may be to dismiss it.
    Concluded,
}

impl Place {
    /// Which job it is that is led there.
    fn job(self) -> Recent {
        match self {
            Place::Drained | Place::Waiting => 1,
            _ => 0,
        }
    }

    /// The deeds that lead there: the job is the last one, or of two the one before.
    fn lead(self, first: Backup, second: Backup) -> Vec<Deed> {
        let slow = Backup {
            speed: Speed::Times(2),
            perf: Some((64 << 10, 1)),
            ..first.clone()
        };
        let job = |verb| Deed::Job {
            verb,
            block_job: false,
            force: false,
            job: 0,
        };
        match self {
            Place::Paused => vec![Deed::Backup(slow), job("pause"), until(0, "paused")],
            Place::Resumed => vec![
                Deed::Backup(Backup {
                    auto_finalize: second.auto_finalize,
                    ..slow
                }),
                job("pause"),
                until(0, "paused"),
                job("resume"),
            ],
            Place::Stopped => vec![
                Deed::Backup(Backup {
                    on_source_error: Some("stop"),
                    on_target_error: Some("stop"),
                    ..first
                }),
                until(0, "paused"),
            ],
            Place::Drained => {
                let other = on_next_drive(&first, second);
                vec![Deed::Backup(slow), Deed::Backup(other), until(1, "paused")]
            }
            Place::Waiting => vec![group(first, second), until(1, "waiting")],
            Place::Pending => vec![
                Deed::Backup(Backup {
                    auto_finalize: Some(false),
                    ..first
                }),
                until(0, "pending"),
            ],
            Place::Passed(status) => vec![Deed::Backup(first), until(0, status)],
            Place::Aborting if second.sync == "none" => vec![
                group(second, first),
                Deed::Job {
                    verb: "cancel",
                    block_job: true,
                    force: false,
                    job: 1,
                },
                until(1, "aborting"),
            ],
            Place::Aborting => vec![Deed::Backup(first), job("cancel"), until(0, "aborting")],
            Place::Cancelled => vec![Deed::Backup(slow), job("cancel")],
            Place::Concluded => vec![
                Deed::Backup(Backup {
                    auto_dismiss: second.auto_dismiss,
                    ..first
                }),
                until(0, "concluded"),
            ],
        }
    }
}

fn until(job: Recent, status: &'static str) -> Deed {
    let event = ("JOB_STATUS_CHANGE", Some(status));
    Deed::Until { job, event }
}

/// Both in one group, of two drives.
fn group(first: Backup, second: Backup) -> Deed {
    let second = on_next_drive(&first, second);
    Deed::Transaction {
        actions: vec![Action::Backup(first), Action::Backup(second)],
        grouped: Some(true),
    }
}

fn on_next_drive(first: &Backup, mut second: Backup) -> Backup {
    second.source.drive = first.source.drive + 1;
    second
}

fn add(name: &'static str, drive: usize) -> Deed {
    let by = By::Node;
    Deed::Bitmap(Bitmap {
        node: Named { drive, by },
        name,
        what: BitmapDeed::Add(None, None),
    })
}

/// A backup that nothing is wrong with; of no end by itself in every fourth case.
fn good() -> impl Strategy<Value = Backup> {
    let sync = select(vec!["full", "full", "full", "none"]);
    let finalize = select(vec![None, None, Some(false)]);
    let dismiss = select(vec![None, Some(false)]);
    (any::<bool>(), 0..3_usize, sync, finalize, dismiss).prop_map(
        |(drive_backup, drive, sync, auto_finalize, auto_dismiss)| Backup {
            drive_backup,
            source: Named {
                drive,
                by: By::Drive,
            },
            target: Into::Own,
            id: Id::Fresh,
            sync,
            bitmap: None,
            bitmap_mode: None,
            speed: Speed::Unsaid,
            on_source_error: None,
            on_target_error: None,
            auto_finalize,
            auto_dismiss,
            perf: None,
        },
    )
}
