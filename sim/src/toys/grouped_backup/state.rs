//! What a state of the grouped backup is made of: small plain values, and no rule.

/// How many drives a state has room for.
pub const DRIVES_MAX: usize = 4;
/// How many clusters a drive has room for.
pub const CLUSTERS_MAX: usize = 4;

/// A whole state. Drives and clusters beyond the toy's sizes stay as they were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GroupedState {
    /// How far the monitor has come.
    pub monitor: Monitor,
    /// How many reads may still fail.
    pub errors_left: u8,
    /// By drive.
    pub drives: [Drive; DRIVES_MAX],
}

/// What the monitor does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Monitor {
    /// It prepares the job of the drive with this number.
    Prepares(u8),
    /// It commits the transaction.
    Commits,
    /// It may cancel drive 0.
    MayCancel,
    /// Nothing.
    Done,
}

/// A drive: its job as the others see it, and what only its own job and guest see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Drive {
    /// The job as the group sees it.
    pub job: Job,
    /// The clusters, and who is doing what to them.
    pub data: Data,
}

/// A job as the group sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Job {
    /// How far it has come.
    pub status: Status,
    /// Whether somebody wants it to end early.
    pub cancelled: bool,
    /// Whether one of its reads has failed.
    pub failed: bool,
}

impl Job {
    /// Whether nothing has gone wrong.
    #[must_use]
    #[inline]
    pub fn is_good(self) -> bool {
        !self.cancelled && !self.failed
    }

    /// Whether a cancel reaches it.
    #[must_use]
    #[inline]
    pub fn can_be_cancelled(self) -> bool {
        matches!(self.status, Status::Running | Status::Waiting)
    }
}

/// The status of a job, as QEMU's `JobStatus` has it, with `Null` called `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// There is no job yet.
    None,
    /// It waits for the transaction to commit.
    Created,
    /// It copies.
    Running,
    /// It has copied all, and waits for the others.
    Waiting,
    /// The group has let it go.
    Pending,
    /// It ends without success.
    Aborting,
    /// It has ended.
    Concluded,
}

/// What only the job and the guest of a drive see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Data {
    /// By number.
    pub clusters: [Cluster; CLUSTERS_MAX],
    /// What the running job does next.
    pub copy: CopyAt,
    /// What the guest does next.
    pub guest: GuestAt,
}

/// One cluster of a drive. A version is the number of writes before it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cluster {
    /// The version on the drive.
    pub source: u8,
    /// The version when the job started.
    pub snapshot: u8,
    /// The version on the target, if it has been copied.
    pub target: Option<u8>,
    /// Whether the active bitmap has it.
    pub dirty: bool,
    /// Whether the job's bitmap has it.
    pub frozen: bool,
}

impl Cluster {
    /// Whether the backup still lacks it.
    #[must_use]
    #[inline]
    pub fn needs_copy(self) -> bool {
        self.frozen && self.target.is_none()
    }
}

/// What a running job does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CopyAt {
    /// It looks for a cluster to copy.
    Pick,
    /// It reads this cluster, which is in flight.
    Read {
        /// Its number.
        cluster: u8,
    },
    /// It writes to the target what it read of this cluster, which is in flight.
    Write {
        /// Its number.
        cluster: u8,
        /// What was read.
        version: u8,
    },
}

impl CopyAt {
    /// The cluster in flight.
    #[must_use]
    #[inline]
    pub fn in_flight(self) -> Option<u8> {
        match self {
            CopyAt::Pick => None,
            CopyAt::Read { cluster } | CopyAt::Write { cluster, .. } => Some(cluster),
        }
    }
}

/// What a guest does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GuestAt {
    /// It begins a write, if it has any left.
    Idle,
    /// It has copied this cluster, and writes it.
    Copied {
        /// Its number.
        cluster: u8,
    },
}

impl GroupedState {
    /// Nothing prepared, everything clean.
    pub(super) fn new(errors_left: u8) -> GroupedState {
        let cluster = Cluster {
            source: 0,
            snapshot: 0,
            target: None,
            dirty: false,
            frozen: false,
        };
        let drive = Drive {
            job: Job {
                status: Status::None,
                cancelled: false,
                failed: false,
            },
            data: Data {
                clusters: [cluster; CLUSTERS_MAX],
                copy: CopyAt::Pick,
                guest: GuestAt::Idle,
            },
        };
        GroupedState {
            monitor: Monitor::Prepares(0),
            errors_left,
            drives: [drive; DRIVES_MAX],
        }
    }
}
