//! How a state of the grouped backup is cut: the monitor, how many errors are left, and for each
//! drive the job as the group sees it, and the data that only its own job and guest see.
//!
//! Column 0 is the monitor, 1 the errors left, 2 + *d* the job of drive *d*, and after these its
//! data. A step that concerns the group touches the jobs, all others only one drive.

use super::{
    Cluster, CopyAt, Data, Drive, GroupedBackup, GroupedState, GroupedStep, GuestAt, Job, Monitor,
    Status,
};
use crate::parts::{Offer, Offered, Parts};

/// The column of the monitor, as a mask.
pub(super) const MONITOR: u64 = 1 << 0;
/// The column of the errors left, as a mask.
pub(super) const BUDGET: u64 = 1 << 1;
/// The column of the first drive's job.
const JOBS_FIRST: usize = 2;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GroupedPart {
    /// How far the monitor has come.
    Monitor(Monitor),
    /// How many reads may still fail.
    ErrorsLeft(u8),
    /// A job as the group sees it.
    Job(Job),
    /// What only the job and the guest of a drive see.
    Data(Data),
}

impl GroupedBackup {
    #[inline]
    pub(super) fn job_column(&self, drive: u8) -> u64 {
        1 << (JOBS_FIRST + usize::from(drive))
    }

    #[inline]
    pub(super) fn all_jobs(&self) -> u64 {
        ((1 << self.drives) - 1) << JOBS_FIRST
    }

    #[inline]
    pub(super) fn data_column(&self, drive: u8) -> u64 {
        1 << (JOBS_FIRST + usize::from(self.drives + drive))
    }

    fn offer_of_monitor(&self, state: &GroupedState, offer: &mut Offer<GroupedStep>) {
        offer.looked = MONITOR;
        if state.monitor == Monitor::MayCancel {
            offer.looked |= self.job_column(0);
        }
        if self.monitor_can_go_on(state) {
            offer.steps.push(Offered::new(GroupedStep::Monitor));
        }
        // Before anything runs, a job is nothing to the guests, who alone are there.
        offer.alone = matches!(state.monitor, Monitor::Prepares(_)) && !self.bug;
    }

    fn offer_of_job(&self, state: &GroupedState, drive: u8, offer: &mut Offer<GroupedStep>) {
        let Drive { job, data } = &state.drives[usize::from(drive)];
        offer.looked = self.job_column(drive);
        if job.status == Status::Running {
            offer.looked |= self.data_column(drive);
            if matches!(data.copy, CopyAt::Read { .. }) {
                offer.looked |= BUDGET;
            }
        }
        self.job_steps(state, drive, |step| offer.steps.push(Offered::new(step)));
        offer.alone = match (job.status, data.copy) {
            // The guest is kept away from the cluster in flight.
            (Status::Running, CopyAt::Write { .. }) => true,
            (Status::Running, CopyAt::Read { .. }) => state.errors_left == 0,
            // Of good jobs, the group lets all go or none; but with the bug, that this one has
            // succeeded may be what breaks a promise.
            (Status::Pending, _) => !self.bug,
            (Status::Aborting, _) => true,
            _ => false,
        };
    }

    fn offer_of_guest(&self, state: &GroupedState, drive: u8, offer: &mut Offer<GroupedStep>) {
        let Drive { job, data } = &state.drives[usize::from(drive)];
        offer.looked = self.data_column(drive) | self.job_column(drive);
        self.guest_steps(state, drive, |step| offer.steps.push(Offered::new(step)));
        let is_over = |cluster: &Cluster| !self.copies_first(job.status, *cluster);
        // After the snapshot, where nothing is to be copied first any more, a write changes only
        // what nobody else looks at.
        let free = !matches!(job.status, Status::None | Status::Created)
            && (data.guest != GuestAt::Idle || self.clusters(data).iter().all(is_over));
        offer.alone = free && !offer.steps.is_empty();
    }
}

impl Parts for GroupedBackup {
    type Part = GroupedPart;

    fn columns(&self) -> usize {
        JOBS_FIRST + 2 * usize::from(self.drives)
    }

    fn part(&self, state: &GroupedState, column: usize) -> GroupedPart {
        let drives = usize::from(self.drives);
        match column.checked_sub(JOBS_FIRST) {
            None if column == 0 => GroupedPart::Monitor(state.monitor),
            None => GroupedPart::ErrorsLeft(state.errors_left),
            Some(drive) if drive < drives => GroupedPart::Job(state.drives[drive].job),
            Some(column) => GroupedPart::Data(state.drives[column - drives].data),
        }
    }

    fn put_together(&self, parts: &[GroupedPart]) -> GroupedState {
        let drives = usize::from(self.drives);
        let mut state = GroupedState::new(0);
        for (column, part) in parts.iter().enumerate() {
            match *part {
                GroupedPart::Monitor(monitor) => state.monitor = monitor,
                GroupedPart::ErrorsLeft(errors_left) => state.errors_left = errors_left,
                GroupedPart::Job(job) => state.drives[column - JOBS_FIRST].job = job,
                GroupedPart::Data(data) => state.drives[column - JOBS_FIRST - drives].data = data,
            }
        }
        state
    }

    /// Every step prepares, commits, cancels, copies, writes or concludes something once.
    fn uses_up(&self) -> bool {
        true
    }

    fn offers(&self) -> usize {
        1 + 2 * usize::from(self.drives)
    }

    fn offer(&self, state: &GroupedState, number: usize, offer: &mut Offer<GroupedStep>) {
        offer.clear();
        let drives = usize::from(self.drives);
        let drive = |index: usize| u8::try_from(index).expect("internal bug: there are few drives");
        match number.checked_sub(1) {
            None => self.offer_of_monitor(state, offer),
            Some(index) if index < drives => self.offer_of_job(state, drive(index), offer),
            Some(index) => self.offer_of_guest(state, drive(index - drives), offer),
        }
    }
}
