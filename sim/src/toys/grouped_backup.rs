//! Grouped backup, abstracted: drives backed up together, guests that write meanwhile, one read that
//! may fail, one cancel.
//!
//! It is the protocol that SPIN, Stateright, TLC, loom and shuttle were measured on; engines are
//! compared with them on it. What each actor does is in `rules`, what is promised in `promises`, and
//! how a state is cut into columns in `columns`.

mod columns;
mod promises;
mod rules;
mod state;

pub use columns::GroupedPart;
pub use state::{
    CLUSTERS_MAX, Cluster, CopyAt, DRIVES_MAX, Data, Drive, GroupedState, GuestAt, Job, Monitor,
    Status,
};

use crate::hash::fingerprint_of;
use crate::{Breach, Footprint, System};
use std::fmt::{self, Display};
use std::str::FromStr;

/// `drives` drives are backed up as one group.
///
/// The monitor prepares one job for each drive and commits them together: every bitmap is frozen
/// and every snapshot taken in one step, and the jobs run. Later it may cancel drive 0. A job copies
/// every frozen cluster to its target, then waits for the others; when all have come that far, the
/// group lets them go. A job that fails or is cancelled aborts and cancels the others, and in the
/// end its frozen bits are dirty again. A guest's write to a cluster that is frozen and not copied
/// copies it first, and does not begin while the job has that cluster in flight.
///
/// In the beginning all clusters of the odd drives are dirty, and none of the even ones: so drive 0
/// has nothing to do, and its job concludes early. With `bug`, each prepare starts its own job at
/// once, and the group is whoever has started: that breaks *all-or-nothing*, and a job that starts after
/// another has failed waits for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupedBackup {
    /// How many drives there are; from 1 to [`DRIVES_MAX`].
    pub drives: u8,
    /// How many clusters each has; from 1 to [`CLUSTERS_MAX`].
    pub clusters: u8,
    /// How many writes each drive's guest does; at most 3.
    pub writes: u8,
    /// How many reads may fail, in all of a run; at most 1.
    pub errors: u8,
    /// Whether the monitor may cancel drive 0.
    pub cancel: bool,
    /// Whether each job starts when it is prepared.
    pub bug: bool,
    /// Whether a read that may fail does fail. Otherwise both are tried.
    pub forced: bool,
}

/// A step: somebody goes on. What that is follows from the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupedStep {
    /// The monitor prepares a job, commits, or cancels drive 0.
    Monitor,
    /// The job of a drive goes on.
    Job {
        /// Which drive's.
        drive: u8,
        /// Whether its read fails.
        fails: bool,
    },
    /// The guest of a drive copies a cluster that it will write, or writes it.
    Guest {
        /// Which drive's.
        drive: u8,
        /// Which of its clusters.
        cluster: u8,
    },
}

/// The job of a drive has concluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct JobConcluded {
    /// Which drive's.
    pub drive: u8,
    /// Whether the backup is good.
    pub success: bool,
}

impl System for GroupedBackup {
    type State = GroupedState;
    type Step = GroupedStep;
    type Observation = JobConcluded;

    fn initial(&self) -> GroupedState {
        self.assert_sizes();
        let mut state = GroupedState::new(self.errors);
        for drive in state.drives[..self.drives.into()]
            .iter_mut()
            .skip(1)
            .step_by(2)
        {
            for cluster in &mut drive.data.clusters[..self.clusters.into()] {
                cluster.dirty = true;
            }
        }
        state
    }

    fn enabled(&self, state: &GroupedState, steps: &mut Vec<GroupedStep>) {
        steps.clear();
        if self.monitor_can_go_on(state) {
            steps.push(GroupedStep::Monitor);
        }
        for drive in 0..self.drives {
            self.job_steps(state, drive, |step| steps.push(step));
        }
        for drive in 0..self.drives {
            self.guest_steps(state, drive, |step| steps.push(step));
        }
    }

    #[inline]
    fn apply(
        &self,
        state: &mut GroupedState,
        step: GroupedStep,
        seen: &mut Vec<JobConcluded>,
    ) -> Footprint {
        match step {
            GroupedStep::Monitor => self.monitor_goes_on(state),
            GroupedStep::Job { drive, fails } => self.job_goes_on(state, drive, fails, seen),
            GroupedStep::Guest { drive, cluster } => self.guest_goes_on(state, drive, cluster),
        }
    }

    #[inline]
    fn judge(&self, state: &GroupedState, resting: bool) -> Result<(), Breach> {
        if self.keeps_promises(state) && !(resting && self.is_stuck(state)) {
            return Ok(());
        }
        Err(self.broken_promise(state))
    }

    fn fingerprint(&self, state: &GroupedState) -> u128 {
        fingerprint_of(state)
    }

    fn name(&self, state: &GroupedState, step: GroupedStep) -> String {
        match step {
            GroupedStep::Monitor => self.name_of_monitor(state),
            GroupedStep::Job { drive, fails } => self.name_of_job(state, drive, fails),
            GroupedStep::Guest { drive, cluster } => self.name_of_guest(state, drive, cluster),
        }
    }

    fn actor(&self, step: GroupedStep) -> usize {
        match step {
            GroupedStep::Monitor => 0,
            GroupedStep::Job { drive, .. } => 1 + usize::from(drive),
            GroupedStep::Guest { drive, .. } => 1 + usize::from(self.drives + drive),
        }
    }

    fn actor_name(&self, _state: &GroupedState, actor: usize) -> String {
        let drives = self.drives.into();
        match actor {
            0 => "monitor".to_owned(),
            job if job <= drives => format!("drive{} job", job - 1),
            guest => format!("guest{}", guest - 1 - drives),
        }
    }
}

impl GroupedBackup {
    fn assert_sizes(&self) {
        assert!(
            self.sizes_fit(),
            "internal bug: the sizes of {self} do not fit into its states"
        );
    }

    fn sizes_fit(&self) -> bool {
        (1..=DRIVES_MAX).contains(&self.drives.into())
            && (1..=CLUSTERS_MAX).contains(&self.clusters.into())
            && self.writes <= 3
            && self.errors <= 1
    }
}

/// As the peers write it: `drives,clusters,writes,errors,cancel,fixed` (or `bug`), and `,forced`
/// for a read that fails whenever it can.
impl Display for GroupedBackup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GroupedBackup {
            drives,
            clusters,
            writes,
            errors,
            cancel,
            bug,
            forced,
        } = *self;
        let mode = if bug { "bug" } else { "fixed" };
        let cancel = u8::from(cancel);
        write!(f, "{drives},{clusters},{writes},{errors},{cancel},{mode}")?;
        f.write_str(if forced { ",forced" } else { "" })
    }
}

/// A text that is no [`GroupedBackup`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoGroupedBackup(String);

impl Display for NoGroupedBackup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is not drives 1-4, clusters 1-4, writes 0-3, errors 0-1, cancel 0-1, fixed or bug, \
             separated by commas, such as 3,2,2,1,1,fixed",
            self.0
        )
    }
}

impl std::error::Error for NoGroupedBackup {}

impl FromStr for GroupedBackup {
    type Err = NoGroupedBackup;

    fn from_str(text: &str) -> Result<GroupedBackup, NoGroupedBackup> {
        let refuse = || NoGroupedBackup(text.to_owned());
        let (sizes, forced) = match text.strip_suffix(",forced") {
            Some(sizes) => (sizes, true),
            None => (text, false),
        };
        let fields: Vec<&str> = sizes.split(',').collect();
        let [numbers @ .., mode] = fields.as_slice() else {
            return Err(refuse());
        };
        let numbers: Result<Vec<u8>, _> = numbers.iter().map(|number| number.parse()).collect();
        let Ok(&[drives, clusters, writes, errors, cancel @ (0 | 1)]) = numbers.as_deref() else {
            return Err(refuse());
        };
        let bug = match *mode {
            "fixed" => false,
            "bug" => true,
            _ => return Err(refuse()),
        };
        let cancel = cancel == 1;
        let toy = GroupedBackup {
            drives,
            clusters,
            writes,
            errors,
            cancel,
            bug,
            forced,
        };
        if toy.sizes_fit() {
            Ok(toy)
        } else {
            Err(refuse())
        }
    }
}
