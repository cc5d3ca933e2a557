//! What the grouped backup promises.

use super::{Cluster, Drive, GroupedBackup, GroupedState, GuestAt, Job, Status};
use crate::Breach;

/// What a job's status asks of each of its drive's clusters.
#[derive(Clone, Copy)]
struct Due {
    /// All that is frozen has been copied: when a job waits, and so when the group lets it go. It is
    /// asked of both, so that only a step of the job itself can break it.
    copied: bool,
    /// This backup is the last good one. If it is not, it is one before the start.
    succeeded: bool,
    /// Whether the cluster had changed at the start, since the last good backup.
    dirty_at_start: bool,
}

/// How a promise about a cluster is broken.
#[derive(Clone, Copy)]
enum Broken {
    PointInTime,
    AllCopied,
    NoDirtyBitLost,
}

impl Due {
    #[inline]
    fn of(drive: usize, job: Job) -> Due {
        Due {
            copied: matches!(job.status, Status::Waiting | Status::Pending),
            succeeded: job.status == Status::Concluded && job.is_good(),
            dirty_at_start: drive % 2 == 1,
        }
    }

    #[inline]
    fn broken(self, cluster: Cluster) -> Option<Broken> {
        if cluster
            .target
            .is_some_and(|version| version != cluster.snapshot)
        {
            return Some(Broken::PointInTime);
        }
        if self.copied && cluster.needs_copy() {
            return Some(Broken::AllCopied);
        }
        let changed = if self.succeeded {
            cluster.source != cluster.snapshot
        } else {
            cluster.source != 0 || self.dirty_at_start
        };
        (changed && !cluster.dirty && !cluster.frozen).then_some(Broken::NoDirtyBitLost)
    }
}

impl Broken {
    /// The promise, and what is wrong with the cluster.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Broken::PointInTime => ("point-in-time", "has a target that is not the snapshot"),
            Broken::AllCopied => (
                "all-copied",
                "is frozen and not copied, and the job has done its part",
            ),
            Broken::NoDirtyBitLost => (
                "no-dirty-bit-lost",
                "has changed since the last good backup and is clean",
            ),
        }
    }
}

impl GroupedBackup {
    /// Whether every promise holds but the one about rest. It is `broken_promise` without the
    /// words.
    #[inline]
    pub(super) fn keeps_promises(&self, state: &GroupedState) -> bool {
        let (mut succeeded, mut went_wrong) = (false, false);
        for (number, Drive { job, data }) in self.drives(state).iter().enumerate() {
            let due = Due::of(number, *job);
            succeeded |= due.succeeded;
            went_wrong |= !job.is_good();
            if self
                .clusters(data)
                .iter()
                .any(|cluster| due.broken(*cluster).is_some())
            {
                return false;
            }
        }
        !(succeeded && went_wrong)
    }

    /// The first promise that is broken in a state in which one is.
    #[cold]
    pub(super) fn broken_promise(&self, state: &GroupedState) -> Breach {
        for (number, Drive { job, data }) in self.drives(state).iter().enumerate() {
            let due = Due::of(number, *job);
            for (index, cluster) in self.clusters(data).iter().enumerate() {
                if let Some(broken) = due.broken(*cluster) {
                    let (property, what) = broken.words();
                    let message = format!("cluster {index} of drive {number} {what}");
                    return Breach::new(property, message);
                }
            }
        }
        let find = |is: &dyn Fn(&Drive) -> bool| self.drives(state).iter().position(is);
        let succeeded = find(&|d| d.job.status == Status::Concluded && d.job.is_good());
        let went_wrong = find(&|d| !d.job.is_good());
        if let (Some(one), Some(other)) = (succeeded, went_wrong) {
            let message =
                format!("the backup of drive {one} succeeded, that of drive {other} did not");
            return Breach::new("all-or-nothing", message);
        }
        let waiting = find(&|drive| self.is_unfinished(drive));
        let drive = waiting.expect("internal bug: no promise is broken");
        let message = format!("nothing can happen, and drive {drive} is not done");
        Breach::new("no-deadlock", message)
    }

    /// Whether, with no step enabled, something is left to do.
    pub(super) fn is_stuck(&self, state: &GroupedState) -> bool {
        self.drives(state)
            .iter()
            .any(|drive| self.is_unfinished(drive))
    }

    fn is_unfinished(&self, drive: &Drive) -> bool {
        drive.job.status != Status::Concluded
            || drive.data.guest != GuestAt::Idle
            || self.has_writes_left(&drive.data)
    }
}
