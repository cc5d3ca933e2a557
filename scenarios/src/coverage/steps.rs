//! Which kinds of steps met jobs in which statuses: a matrix over all the worlds that were visited.

use std::collections::BTreeMap;

use model::block_copy::{Caller, Phase};
use model::job::Status;
use model::step::Step as WorldStep;
use model::world::{JobIx, World};

use crate::scene::{Moment, Step};

/// The column of a step beside which there is no job.
pub const NO_JOB: &str = "no job";

/// How often each kind of step was met, by the status of a job.
///
/// A step of a job counts for its own job's status. Any other step counts once for each status that some job has just
/// then, or for [`NO_JOB`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepMatrix {
    /// By kind, then by position in [`StepMatrix::columns`].
    rows: BTreeMap<String, Vec<u64>>,
}

impl StepMatrix {
    /// The columns: [`NO_JOB`], then the statuses in QEMU's order, but for those that no backup has between two steps.
    pub fn columns() -> Vec<&'static str> {
        let unmet = [Status::Ready, Status::Standby, Status::Null];
        let met = Status::ALL
            .into_iter()
            .filter(|status| !unmet.contains(status));
        [NO_JOB].into_iter().chain(met.map(Status::name)).collect()
    }

    /// The rows: kinds of steps that were met, each with its counts.
    pub fn rows(&self) -> impl Iterator<Item = (&str, &[u64])> {
        self.rows
            .iter()
            .map(|(kind, counts)| (kind.as_str(), counts.as_slice()))
    }

    /// Counts a step that is about to be done.
    pub fn count(&mut self, moment: &Moment, step: Step) {
        let (kind, job) = kind(&moment.world, step);
        let columns = StepMatrix::columns();
        let row = self
            .rows
            .entry(kind)
            .or_insert_with(|| vec![0; columns.len()]);
        for status in statuses(&moment.world, job) {
            if let Some(column) = columns.iter().position(|column| *column == status) {
                row[column] += 1;
            }
        }
    }
}

/// The statuses that a step counts for, each once.
fn statuses(world: &World, job: Option<JobIx>) -> Vec<&'static str> {
    let status = |job: JobIx| world.job(job).status.name();
    let mut met: Vec<&str> = match job {
        Some(job) => vec![status(job)],
        None => world.job_indices().map(status).collect(),
    };
    met.sort_unstable();
    met.dedup();
    if met.is_empty() {
        met.push(NO_JOB);
    }
    met
}

/// What kind of step that is, and whose, if it is a job's.
fn kind(world: &World, step: Step) -> (String, Option<JobIx>) {
    let Step::World(step) = step else {
        return ("client".to_owned(), None);
    };
    let of_job = |kind: &str, job| (kind.to_owned(), Some(job));
    match step {
        WorldStep::Scan(job) => of_job("job scan", job),
        WorldStep::Timer(job) => of_job("job timer", job),
        WorldStep::Task(job, start) => of_job(task_kind(world, job, start), job),
        WorldStep::Enter(_) => ("iothread enter".to_owned(), None),
        WorldStep::Guest(guest) => {
            let (name, called) = (&world.guest(guest).name, world.step_name(step));
            let words = called.strip_prefix(&**name).unwrap_or(&called).split(' ');
            let words = words.filter(|word| !word.bytes().all(|byte| byte.is_ascii_digit()));
            let words: Vec<&str> = words.collect();
            (format!("guest {}", words.join(" ")), None)
        }
        // These are called after what they do, and after a job only at their end.
        _ => (without_job(world, world.step_name(step)), None),
    }
}

fn task_kind(world: &World, job: JobIx, start: u64) -> &'static str {
    let task = world
        .copy(job)
        .tasks
        .iter()
        .find(|task| task.start == start);
    match task.map(|task| (&task.phase, &task.caller)) {
        Some((Phase::Locating, Caller::Job)) => "job status",
        Some((Phase::Reading, Caller::Job)) => "job read",
        Some((Phase::Writing(_), Caller::Job)) => "job write",
        Some((Phase::Zeroing, Caller::Job)) => "job zero",
        Some((Phase::Locating, Caller::Guest(_))) => "cbw status",
        Some((Phase::Reading, Caller::Guest(_))) => "cbw read",
        Some((Phase::Writing(_), Caller::Guest(_))) => "cbw write",
        Some((Phase::Zeroing, Caller::Guest(_))) => "cbw zero",
        None => "job task",
    }
}

/// The name of a step without the job that it ends with.
fn without_job(world: &World, name: String) -> String {
    let mut jobs = world.job_indices().map(|job| &world.job(job).id);
    let shorter = jobs.find_map(|id| name.strip_suffix(&**id)?.strip_suffix(' '));
    shorter.map_or_else(|| name.clone(), str::to_owned)
}
