//! Stretches that lead a job to one status, and do something then: what chance alone would seldom meet.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::deed::{Action, Backup, By, Deed, Id, Into, Named, Recent, Speed, about};

/// A job is led somewhere, and one or two things are done to it, its drive or its bitmaps.
pub(super) fn moment() -> impl Strategy<Value = Vec<Deed>> {
    let place = select(vec![
        Place::Paused,
        Place::Resumed,
        Place::Stopped,
        Place::Waiting,
        Place::Waiting,
        Place::Pending,
        Place::Aborting,
        Place::Aborting,
        Place::Concluded,
    ]);
    (place, good(), good(), vec(about(), 1..=2)).prop_map(|(place, first, second, rest)| {
        let drive = first.source.drive;
        let mut deeds = place.lead(first, second);
        deeds.extend(rest.into_iter().map(|deed| deed.on(drive)));
        deeds
    })
}

/// Where a job is led.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// By its user, in the middle of its work.
    Paused,
    /// The same, and let go on: what the client read last is that it is paused.
    Resumed,
    /// By an error, if its drive has one to give.
    Stopped,
    /// It is done, and another of its group is not.
    Waiting,
    /// It is done, and the user is to finalize it.
    Pending,
    /// It was cancelled, alone or in a group.
    Aborting,
    /// It has ended, and the user may be to dismiss it.
    Concluded,
}

impl Place {
    /// The deeds that lead there: the job is the last one, or in a group the one before.
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
                    auto_finalize: Some(false),
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
            Place::Waiting => vec![group(first, second), until(1, "waiting")],
            Place::Pending => vec![
                Deed::Backup(Backup {
                    auto_finalize: Some(false),
                    ..first
                }),
                until(0, "pending"),
            ],
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
fn group(first: Backup, mut second: Backup) -> Deed {
    second.source.drive = first.source.drive + 1;
    Deed::Transaction {
        actions: vec![Action::Backup(first), Action::Backup(second)],
        grouped: Some(true),
    }
}

/// A backup that nothing is wrong with; of no end by itself in every fourth case.
fn good() -> impl Strategy<Value = Backup> {
    let sync = select(vec!["full", "full", "full", "none"]);
    let manual = || select(vec![None, None, Some(false)]);
    (any::<bool>(), 0..3_usize, sync, manual(), manual()).prop_map(
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
