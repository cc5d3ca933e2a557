//! The rules of the grouped backup: what the monitor, the jobs and the guests do, what each step
//! touches.

use super::columns::{BUDGET, MONITOR};
use super::{
    Cluster, CopyAt, Data, Drive, GroupedBackup, GroupedState, GroupedStep, GuestAt, JobConcluded,
    Monitor, Status,
};
use crate::Footprint;

impl GroupedBackup {
    /// The drives that there are.
    #[inline]
    pub(super) fn drives<'a>(&self, state: &'a GroupedState) -> &'a [Drive] {
        &state.drives[..self.drives.into()]
    }

    /// The clusters that there are.
    #[inline]
    pub(super) fn clusters<'a>(&self, data: &'a Data) -> &'a [Cluster] {
        &data.clusters[..self.clusters.into()]
    }

    // ---- the monitor ----

    #[inline]
    pub(super) fn monitor_can_go_on(&self, state: &GroupedState) -> bool {
        match state.monitor {
            Monitor::Prepares(_) | Monitor::Commits => true,
            Monitor::MayCancel => {
                let job = state.drives[0].job;
                job.can_be_cancelled() && !job.cancelled
            }
            Monitor::Done => false,
        }
    }

    pub(super) fn monitor_goes_on(&self, state: &mut GroupedState) -> Footprint {
        let mut footprint = Footprint {
            writes: MONITOR,
            ..Footprint::NONE
        };
        match state.monitor {
            Monitor::Prepares(drive) => {
                footprint.writes |= self.prepare(state, drive);
                state.monitor = match drive + 1 {
                    next if next < self.drives => Monitor::Prepares(next),
                    _ => Monitor::Commits,
                };
            }
            Monitor::Commits => {
                if !self.bug {
                    for drive in 0..self.drives {
                        footprint.writes |= self.start(state, drive);
                    }
                }
                state.monitor = if self.cancel {
                    Monitor::MayCancel
                } else {
                    Monitor::Done
                };
            }
            Monitor::MayCancel => {
                state.drives[0].job.cancelled = true;
                state.monitor = Monitor::Done;
                // All-or-nothing speaks of every drive as soon as one is cancelled.
                footprint.reads |= self.all_jobs();
                footprint.writes |= self.job_column(0);
            }
            Monitor::Done => panic!("internal bug: the monitor is done"),
        }
        footprint
    }

    /// Makes the job of `drive`; returns what that wrote.
    fn prepare(&self, state: &mut GroupedState, drive: u8) -> u64 {
        if self.bug {
            return self.start(state, drive);
        }
        state.drives[usize::from(drive)].job.status = Status::Created;
        self.job_column(drive)
    }

    /// Freezes the bitmap of `drive`, takes its snapshot and starts its job; returns what that
    /// wrote.
    fn start(&self, state: &mut GroupedState, drive: u8) -> u64 {
        let Drive { job, data } = &mut state.drives[usize::from(drive)];
        for cluster in &mut data.clusters {
            cluster.frozen = cluster.dirty;
            cluster.dirty = false;
            cluster.snapshot = cluster.source;
        }
        job.status = Status::Running;
        self.job_column(drive) | self.data_column(drive)
    }

    // ---- a job ----

    /// The steps that the job of `drive` may do, ascending.
    #[inline]
    pub(super) fn job_steps(
        &self,
        state: &GroupedState,
        drive: u8,
        mut offer: impl FnMut(GroupedStep),
    ) {
        let Drive { job, data } = &state.drives[usize::from(drive)];
        let (succeeds, fails) = match job.status {
            Status::None | Status::Created | Status::Concluded => (false, false),
            Status::Waiting => (job.cancelled, false),
            Status::Pending | Status::Aborting => (true, false),
            Status::Running => match data.copy {
                CopyAt::Read { .. } => {
                    let may_fail = state.errors_left > 0;
                    (!(may_fail && self.forced), may_fail)
                }
                CopyAt::Pick | CopyAt::Write { .. } => (true, false),
            },
        };
        if succeeds {
            offer(GroupedStep::Job {
                drive,
                fails: false,
            });
        }
        if fails {
            offer(GroupedStep::Job { drive, fails: true });
        }
    }

    #[inline]
    pub(super) fn job_goes_on(
        &self,
        state: &mut GroupedState,
        drive: u8,
        fails: bool,
        seen: &mut Vec<JobConcluded>,
    ) -> Footprint {
        let Drive { job, data } = &mut state.drives[usize::from(drive)];
        match job.status {
            Status::Running => match data.copy {
                CopyAt::Pick if job.cancelled => {
                    let mut footprint = self.abort(state, drive);
                    footprint.reads |= self.data_column(drive);
                    footprint
                }
                CopyAt::Pick => self.pick(state, drive),
                CopyAt::Read { .. } if fails => self.read_fails(state, drive),
                CopyAt::Read { cluster } => self.read(data, drive, cluster),
                CopyAt::Write { cluster, version } => {
                    data.clusters[usize::from(cluster)].target = Some(version);
                    data.copy = CopyAt::Pick;
                    self.own_data(drive)
                }
            },
            Status::Waiting => self.abort(state, drive),
            Status::Pending | Status::Aborting => self.conclude(state, drive, seen),
            Status::None | Status::Created | Status::Concluded => {
                panic!("internal bug: the job of drive {drive} has no step")
            }
        }
    }

    /// A step that changes the drive's data. That its job runs is something that only a step of the
    /// same job can change.
    #[inline]
    fn own_data(&self, drive: u8) -> Footprint {
        Footprint {
            writes: self.data_column(drive),
            looks: self.job_column(drive),
            ..Footprint::NONE
        }
    }

    /// Takes the next cluster to copy, or waits for the group if there is none.
    fn pick(&self, state: &mut GroupedState, drive: u8) -> Footprint {
        let data = &mut state.drives[usize::from(drive)].data;
        match (0..)
            .zip(self.clusters(data))
            .find(|(_, cluster)| cluster.needs_copy())
        {
            Some((cluster, _)) => {
                data.copy = CopyAt::Read { cluster };
                Footprint {
                    reads: self.job_column(drive),
                    writes: self.data_column(drive),
                    ..Footprint::NONE
                }
            }
            None => self.wait(state, drive),
        }
    }

    /// Waits for the group. If all have come that far, and none has failed, the group lets every
    /// job go.
    fn wait(&self, state: &mut GroupedState, drive: u8) -> Footprint {
        let mut writes = self.job_column(drive);
        state.drives[usize::from(drive)].job.status = Status::Waiting;
        let is_complete = |status| {
            matches!(
                status,
                Status::Waiting | Status::Pending | Status::Concluded
            )
        };
        let all = self.drives(state).iter().all(|Drive { job, .. }| {
            job.status == Status::None || is_complete(job.status) && job.is_good()
        });
        if all {
            for other in 0..self.drives {
                let job = &mut state.drives[usize::from(other)].job;
                if job.status == Status::Waiting {
                    job.status = Status::Pending;
                    writes |= self.job_column(other);
                }
            }
        }
        Footprint {
            reads: self.all_jobs() | self.data_column(drive),
            writes,
            ..Footprint::NONE
        }
    }

    #[inline]
    fn read(&self, data: &mut Data, drive: u8, cluster: u8) -> Footprint {
        let version = data.clusters[usize::from(cluster)].source;
        data.copy = CopyAt::Write { cluster, version };
        let mut footprint = self.own_data(drive);
        if self.forced {
            // It succeeds because no error is left.
            footprint.reads |= BUDGET;
        }
        footprint
    }

    fn read_fails(&self, state: &mut GroupedState, drive: u8) -> Footprint {
        let Drive { job, data } = &mut state.drives[usize::from(drive)];
        data.copy = CopyAt::Pick;
        job.failed = true;
        state.errors_left -= 1;
        let mut footprint = self.abort(state, drive);
        footprint.writes |= BUDGET | self.data_column(drive);
        footprint
    }

    /// Aborts the job, and cancels all others that a cancel reaches.
    fn abort(&self, state: &mut GroupedState, drive: u8) -> Footprint {
        let mut writes = self.job_column(drive);
        state.drives[usize::from(drive)].job.status = Status::Aborting;
        for other in 0..self.drives {
            let job = &mut state.drives[usize::from(other)].job;
            if job.can_be_cancelled() && !job.cancelled {
                job.cancelled = true;
                writes |= self.job_column(other);
            }
        }
        Footprint {
            reads: self.all_jobs(),
            writes,
            ..Footprint::NONE
        }
    }

    /// Drops the frozen bits after a success; after a failure they are dirty again.
    fn conclude(
        &self,
        state: &mut GroupedState,
        drive: u8,
        seen: &mut Vec<JobConcluded>,
    ) -> Footprint {
        let Drive { job, data } = &mut state.drives[usize::from(drive)];
        let success = job.status == Status::Pending;
        for cluster in &mut data.clusters {
            cluster.dirty |= cluster.frozen && !success;
            cluster.frozen = false;
        }
        job.status = Status::Concluded;
        seen.push(JobConcluded { drive, success });
        Footprint {
            writes: self.job_column(drive) | self.data_column(drive),
            // After a success, all-or-nothing asks whether another job failed or was cancelled.
            // Every step that makes one fail or cancels it reads all jobs, so it does not commute
            // with this one anyway, and two successes do commute.
            looks: if success { self.all_jobs() } else { 0 },
            ..Footprint::NONE
        }
    }

    // ---- a guest ----

    /// The steps that the guest of `drive` may do, ascending: any cluster, but for the one that the
    /// job has in flight.
    #[inline]
    pub(super) fn guest_steps(
        &self,
        state: &GroupedState,
        drive: u8,
        mut offer: impl FnMut(GroupedStep),
    ) {
        let Drive { job, data } = &state.drives[usize::from(drive)];
        if let GuestAt::Copied { cluster } = data.guest {
            return offer(GroupedStep::Guest { drive, cluster });
        }
        if !self.has_writes_left(data) {
            return;
        }
        let in_flight = match job.status {
            Status::Running => data.copy.in_flight(),
            _ => None,
        };
        for cluster in 0..self.clusters {
            let blocked =
                in_flight == Some(cluster) && data.clusters[usize::from(cluster)].needs_copy();
            if !blocked {
                offer(GroupedStep::Guest { drive, cluster });
            }
        }
    }

    /// Copies the cluster first if the running job still needs it, and writes it otherwise.
    ///
    /// Whether the job runs is something that only a step of the same job can change, which touches
    /// the drive's data too.
    #[inline]
    pub(super) fn guest_goes_on(
        &self,
        state: &mut GroupedState,
        drive: u8,
        number: u8,
    ) -> Footprint {
        let Drive { job, data } = &mut state.drives[usize::from(drive)];
        let cluster = &mut data.clusters[usize::from(number)];
        if self.copies_first(job.status, *cluster) {
            cluster.target = Some(cluster.source);
            data.guest = GuestAt::Copied { cluster: number };
        } else {
            cluster.source += 1;
            cluster.dirty = true;
            data.guest = GuestAt::Idle;
        }
        self.own_data(drive)
    }

    /// Copy-before-write: what the guest of a running job's drive does about such a cluster.
    #[inline]
    pub(super) fn copies_first(&self, status: Status, cluster: Cluster) -> bool {
        status == Status::Running && cluster.needs_copy()
    }

    /// How often a cluster was written is its version.
    #[inline]
    pub(super) fn has_writes_left(&self, data: &Data) -> bool {
        let done: u8 = self
            .clusters(data)
            .iter()
            .map(|cluster| cluster.source)
            .sum();
        done < self.writes
    }

    // ---- names ----

    pub(super) fn name_of_monitor(&self, state: &GroupedState) -> String {
        match state.monitor {
            Monitor::Prepares(drive) => format!("monitor prepare drive{drive}"),
            Monitor::Commits => "monitor commit".to_owned(),
            Monitor::MayCancel => "monitor cancel drive0".to_owned(),
            Monitor::Done => panic!("internal bug: the monitor is done"),
        }
    }

    pub(super) fn name_of_job(&self, state: &GroupedState, drive: u8, fails: bool) -> String {
        let Drive { job, data } = &state.drives[usize::from(drive)];
        let what = match (job.status, data.copy) {
            (Status::Running, CopyAt::Pick) if !job.cancelled => {
                let next = self
                    .clusters(data)
                    .iter()
                    .position(|cluster| cluster.needs_copy());
                next.map_or("wait".to_owned(), |cluster| format!("pick c{cluster}"))
            }
            (Status::Running, CopyAt::Read { cluster }) => {
                let outcome = if fails { " fails" } else { "" };
                format!("read c{cluster}{outcome}")
            }
            (Status::Running, CopyAt::Write { cluster, .. }) => format!("write c{cluster}"),
            (Status::Running | Status::Waiting, _) => "abort".to_owned(),
            _ => "conclude".to_owned(),
        };
        format!("drive{drive} job {what}")
    }

    pub(super) fn name_of_guest(&self, state: &GroupedState, drive: u8, number: u8) -> String {
        let Drive { job, data } = &state.drives[usize::from(drive)];
        let copies = self.copies_first(job.status, data.clusters[usize::from(number)]);
        let what = if copies { "copy" } else { "write" };
        format!("guest{drive} {what} c{number}")
    }
}
