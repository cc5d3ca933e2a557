//! Small systems with numbers that can be worked out on paper, to try the engines on.
//!
//! The papers are in the documentation of each; `tests/toys.rs` compares.

mod counter;
mod crew;
mod dining;
mod grouped_backup;
mod two_phase_commit;

pub use counter::{Counter, CounterState, CounterStep, Stored};
pub use crew::{Bystander, Crew, CrewSight, CrewState, CrewStep};
pub use dining::{Ate, Dining, DiningState, DiningStep};
pub use grouped_backup::{
    CLUSTERS_MAX, Cluster, CopyAt, DRIVES_MAX, Data, Drive, GroupedBackup, GroupedPart,
    GroupedState, GroupedStep, GuestAt, Job, JobConcluded, Monitor, NoGroupedBackup, Status,
};
pub use two_phase_commit::{
    Decision, TwoPhaseCommit, TwoPhasePart, TwoPhaseSight, TwoPhaseState, TwoPhaseStep,
};
