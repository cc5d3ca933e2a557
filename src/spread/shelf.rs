//! Where a member keeps its shards, and from where they go on.

use sim::Stale;
use sim::search::{Control, Saved, SoFar};

use super::message::Job;
use crate::checkpoint::{Series, States};

/// The checkpoints of the shards of one process.
pub struct Shelf {
    /// The number of the first shard here.
    first: usize,
    /// By shard; none if nothing is kept.
    series: Vec<Series>,
    /// What they go on from.
    from: Option<u64>,
}

impl Shelf {
    /// Of a member, one of so many.
    ///
    /// # Errors
    /// What to print: a folder that cannot be used.
    pub fn open(job: &Job, processes: usize) -> Result<Shelf, String> {
        let jobs = job.jobs.get();
        let first = job.process * jobs;
        let series = match &job.shares {
            None => Vec::new(),
            Some(shares) => (first..first + jobs)
                .map(|number| shares.series(number, processes * jobs))
                .collect::<Result<_, _>>()?,
        };
        Ok(Shelf {
            first,
            series,
            from: None,
        })
    }

    /// The numbers with which all shards here are kept, ascending.
    ///
    /// # Errors
    /// What to print: the folder cannot be read.
    pub fn numbers(&self) -> Result<Vec<u64>, String> {
        let Some((first, others)) = self.series.split_first() else {
            return Ok(Vec::new());
        };
        let mut numbers = first.numbers()?;
        for other in others {
            let theirs = other.numbers()?;
            numbers.retain(|number| theirs.contains(number));
        }
        Ok(numbers)
    }

    /// All processes go on from this number, or begin anew. What was kept later is of no use to anybody: it is removed
    /// before anything is kept again.
    ///
    /// # Errors
    /// What to print: a file cannot be removed.
    pub fn go_on_from(mut self, number: Option<u64>) -> Result<Shelf, String> {
        self.from = number;
        self.series
            .iter()
            .try_for_each(|series| series.forget_after(number))?;
        Ok(self)
    }

    /// What a shard goes on from.
    ///
    /// # Errors
    /// What to print: it cannot be read, is damaged, or is of something else.
    pub fn kept(&self, shard: usize) -> Result<Option<(u64, Saved, States)>, String> {
        let (Some(number), Some(series)) = (self.from, self.series.get(shard - self.first)) else {
            return Ok(None);
        };
        let (saved, states) = series.read(number)?;
        Ok(Some((number, saved, states)))
    }

    /// Why a shard cannot be gone on with.
    pub fn refuse(&self, shard: usize, why: Stale) -> String {
        match self.series.get(shard - self.first) {
            Some(series) => series.refuse(&why.to_string()),
            None => why.to_string(),
        }
    }

    /// Whether shards are kept.
    pub fn keeps(&self) -> bool {
        !self.series.is_empty()
    }

    /// Keeps a shard.
    pub fn keep(&self, shard: usize, number: u64, so_far: &mut SoFar<'_>) {
        if let Some(series) = self.series.get(shard - self.first) {
            let SoFar { saved, states, .. } = so_far;
            series.keep(number, saved, |output| states.write(output));
        }
    }

    /// Has all shards of all processes kept if it is time to.
    pub fn look(&self, control: &Control) {
        if let Some(series) = self.series.first() {
            series.look(&control.keep);
        }
    }
}
