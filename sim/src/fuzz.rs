//! A campaign: many seeds of one root, over one system, on any number of threads.
//!
//! The report is a function of the campaign alone. Workers take chunks of runs as they come free;
//! what they found is added up in the order of the runs, up to the run that ended the campaign, and
//! what a fast worker did beyond it is thrown away. So one worker and sixty-four report the same
//! failure, the same counts and the same digest.
//!
//! Memory is bounded: of each run a few numbers are added up, different traces and states are counted by a
//! [`Census`], and of failures with one [`signature`](signature()) only the first is kept.

mod census;
mod doublecheck;
mod saved;
mod signature;

pub use census::{Census, Count};
pub use doublecheck::{Difference, run_twice};
pub use saved::Saved;
pub use signature::signature;

use crate::hash::fingerprint_of;
use crate::run::{End, Outcome, Runner};
use crate::seed::run_seed;
use crate::strategy::Strategy;
use crate::{Stale, System};
use serde::{Deserialize, Serialize};
use std::any::Any;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard};
use std::thread;

/// How many runs a worker takes at a time. It bounds what is lost when a campaign is interrupted,
/// and changes no result.
const CHUNK_RUNS: u64 = 32;

/// How many [`Finding`]s are kept; failures of further kinds are only counted.
pub const KINDS_MAX: usize = 256;

/// Which runs to do, and how.
#[derive(Clone)]
pub struct Campaign<'a> {
    /// The root seed; run *i* has the seed [`run_seed`]`(root, i)`.
    pub root: u64,
    /// The indices of the runs.
    pub runs: Range<u64>,
    /// Makes the strategy that chooses the steps; called once by each worker.
    pub strategy: &'a (dyn Fn() -> Box<dyn Strategy> + Sync),
    /// The limit on the steps of one run.
    pub steps_max: u64,
    /// Whether the first failure, in the order of the runs, ends the campaign.
    pub stop_at_failure: bool,
    /// Whether each run is done twice and compared with itself: see [`run_twice`]. A difference ends the
    /// campaign.
    pub doublecheck: bool,
    /// How many threads do the runs. It changes no result.
    pub jobs: NonZeroUsize,
}

/// What others may look at, and do, while a campaign goes on.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Control {
    /// How many runs are done so far. It may be ahead of [`Report::runs`] by what is thrown away.
    pub runs_done: AtomicU64,
    /// Set it, and the campaign ends after the runs that are under way.
    pub interrupt: AtomicBool,
    /// Set it, and what is covered so far is kept soon, if somebody keeps it: see [`fuzz_on`].
    pub keep: AtomicBool,
}

/// Who keeps what is covered so far.
pub type Keeper<'k> = dyn Fn(&Saved) + Sync + 'k;

/// What came of a campaign; the default is one of no runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many runs are covered: as many from the first one on, without a gap. With
    /// [`stop_at_failure`](Campaign::stop_at_failure), the failing run is the last one of them.
    pub runs: u64,
    /// How many steps they did together.
    pub steps: u64,
    /// How many of them were ended before they rested, by the step limit or by their strategy.
    pub unrested: u64,
    /// How many of them failed.
    pub failures: u64,
    /// A hash of which run had which outcome, over the runs covered: the sum, modulo 2¹²⁸, of a
    /// hash of each.
    pub digest: u128,
    /// The failure with the least index. A campaign that was interrupted may know one beyond the
    /// runs covered, and reports it rather than lose it; it need not be the least then.
    pub first_failure: Option<Failure>,
    /// The kinds of failures, in the order in which they came up; at most 256 of them.
    pub findings: Vec<Finding>,
    /// How many different traces were shown.
    pub traces: Count,
    /// In how many different states runs came to rest.
    pub rests: Count,
    /// What [`traces`](Report::traces) counts: of parts of a campaign it can be added up.
    pub trace_census: Census,
    /// What [`rests`](Report::rests) counts.
    pub rest_census: Census,
    /// The run with the least index that was not the same twice, if any was; it is not covered.
    pub nondeterminism: Option<Nondeterminism>,
    /// Whether the campaign was interrupted before everything was covered.
    pub interrupted: bool,
}

impl Report {
    /// An estimate of how likely the next run shows a trace that no run has shown: see
    /// [`Count::chance_of_new`].
    #[must_use]
    pub fn chance_of_new_trace(&self) -> f64 {
        self.traces.chance_of_new(self.runs)
    }
}

/// A kind of failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What failures of this kind have in common: see [`signature`](signature()).
    pub signature: String,
    /// The one with the least index.
    pub first: Failure,
    /// How many runs failed like this.
    pub runs: u64,
}

/// A run that was not the same twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nondeterminism {
    /// The index of the run in its campaign.
    pub index: u64,
    /// The seed of the run.
    pub seed: u64,
    /// Where the two parted.
    pub difference: Box<Difference>,
}

/// A run that broke a promise or could not be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The index of the run in its campaign.
    pub index: u64,
    /// The seed of the run; with it, [`Runner::run`] does the same again.
    pub seed: u64,
    /// What came of it.
    pub outcome: Outcome,
}

/// Does the runs of a campaign.
///
/// # Panics
///
/// When a run panics. The message has its index and seed.
pub fn fuzz<S: System>(system: &S, campaign: &Campaign<'_>, control: &Control) -> Report {
    Desk::new(campaign, control, None, Ledger::default()).do_all(system)
}

/// As [`fuzz`], from where the campaign was when `from` was kept (its default is the beginning); and it is kept for the
/// next time: whenever [`Control::keep`] says so, at each new kind of failure, and at the end.
///
/// The report is that of a campaign which nobody disturbed. The end of the runs and the number of workers may be others
/// than before.
///
/// # Errors
///
/// What was kept is of another campaign or another system: a run that failed does not fail now, or in another way.
///
/// # Panics
///
/// As [`fuzz`].
pub fn fuzz_on<S: System>(
    system: &S,
    campaign: &Campaign<'_>,
    control: &Control,
    from: &Saved,
    keeper: &Keeper<'_>,
) -> Result<Report, Stale> {
    let ledger = from.ledger(system, campaign)?;
    control.runs_done.store(from.runs(), Relaxed);
    Ok(Desk::new(campaign, control, Some(keeper), ledger).do_all(system))
}

/// Where the workers get their chunks and leave what they found.
struct Desk<'a> {
    campaign: &'a Campaign<'a>,
    control: &'a Control,
    /// The number of the chunk that is taken next.
    chunk_next: AtomicU64,
    /// No run with a higher index matters any more.
    index_last: AtomicU64,
    /// A worker panicked: the others shall not go on for hours before that is seen.
    abandoned: AtomicBool,
    keeper: Option<&'a Keeper<'a>>,
    /// The first run that was not done before.
    first: u64,
    ledger: Mutex<Ledger>,
}

impl<'a> Desk<'a> {
    fn new(
        campaign: &'a Campaign<'a>,
        control: &'a Control,
        keeper: Option<&'a Keeper<'a>>,
        ledger: Ledger,
    ) -> Desk<'a> {
        Desk {
            campaign,
            control,
            keeper,
            first: campaign.runs.start.saturating_add(ledger.total.runs),
            chunk_next: AtomicU64::new(0),
            index_last: AtomicU64::new(u64::MAX),
            abandoned: AtomicBool::new(false),
            ledger: Mutex::new(ledger),
        }
    }

    /// Does the runs that were not done before.
    fn do_all<S: System>(self, system: &S) -> Report {
        let desk = &self;
        thread::scope(|scope| {
            let jobs = match desk.has_ended() {
                true => 0,
                false => desk.campaign.jobs.get(),
            };
            let workers: Vec<_> = (0..jobs)
                .map(|_| scope.spawn(move || desk.work(system)))
                .collect();
            for worker in workers {
                worker
                    .join()
                    .unwrap_or_else(|payload| resume_unwind(payload));
            }
        });
        self.keep(&self.locked());
        self.report()
    }

    /// Whether what was done before has ended the campaign.
    fn has_ended(&self) -> bool {
        self.campaign.stop_at_failure && self.locked().total.failures > 0
    }

    fn locked(&self) -> MutexGuard<'_, Ledger> {
        self.ledger
            .lock()
            .expect("internal bug: a worker panicked in the ledger")
    }

    /// Gives what is covered to whoever keeps it.
    fn keep(&self, ledger: &Ledger) {
        // What comes after a run that was not the same twice is worth nothing.
        if let (Some(keeper), None) = (self.keeper, &ledger.nondeterminism) {
            keeper(&Saved::of(ledger));
        }
    }

    /// What one worker does.
    fn work<S: System>(&self, system: &S) {
        let mut runner = Runner::new(system);
        runner.steps_max = self.campaign.steps_max;
        let mut strategy = (self.campaign.strategy)();
        while let Some((chunk, runs)) = self.take_chunk() {
            let mut tally = Tally::default();
            for index in runs {
                if self.is_over(index) {
                    tally.cut = true;
                    break;
                }
                let ends = self.run_and_enter(&mut runner, strategy.as_mut(), index, &mut tally);
                self.control.runs_done.fetch_add(1, Relaxed);
                if ends {
                    self.index_last.fetch_min(index, Relaxed);
                    tally.cut = true;
                    break;
                }
            }
            let mut ledger = self.locked();
            let kinds = ledger.findings.len();
            ledger.enter(chunk, tally);
            if self.control.keep.swap(false, Relaxed) || ledger.findings.len() > kinds {
                self.keep(&ledger);
            }
        }
    }

    /// The number and the runs of the next chunk, if one is worth doing.
    fn take_chunk(&self) -> Option<(u64, Range<u64>)> {
        let (start, end) = (self.first, self.campaign.runs.end);
        let chunk = self.chunk_next.fetch_add(1, Relaxed);
        let first = chunk
            .checked_mul(CHUNK_RUNS)
            .and_then(|offset| start.checked_add(offset))?;
        let runs = first..first.saturating_add(CHUNK_RUNS).min(end);
        (!runs.is_empty() && !self.is_over(first)).then_some((chunk, runs))
    }

    /// Whether run `index` need not be begun any more.
    fn is_over(&self, index: u64) -> bool {
        index > self.index_last.load(Relaxed)
            || self.control.interrupt.load(Relaxed)
            || self.abandoned.load(Relaxed)
    }

    /// Does one run, and says whether what came of it ends the campaign.
    fn run_and_enter<S: System>(
        &self,
        runner: &mut Runner<'_, S>,
        strategy: &mut dyn Strategy,
        index: u64,
        tally: &mut Tally,
    ) -> bool {
        let seed = run_seed(self.campaign.root, index);
        match self.run(runner, strategy, index, seed) {
            Ok((outcome, rest)) => {
                tally.enter(index, seed, outcome, rest) && self.campaign.stop_at_failure
            }
            Err(difference) => {
                tally.nondeterminism = Some(Nondeterminism {
                    index,
                    seed,
                    difference,
                });
                true
            }
        }
    }

    /// Does one run, with the fingerprint of the state in which it rested, if it did. Says which it was
    /// should it panic.
    fn run<S: System>(
        &self,
        runner: &mut Runner<'_, S>,
        strategy: &mut dyn Strategy,
        index: u64,
        seed: u64,
    ) -> Result<(Outcome, Option<u128>), Box<Difference>> {
        let run = AssertUnwindSafe(|| {
            let outcome = match self.campaign.doublecheck {
                true => run_twice(runner, strategy, seed)?,
                false => runner.run(strategy, seed, &mut ()),
            };
            let rested = outcome.end == End::Rested;
            let rest = rested.then(|| runner.system().fingerprint(runner.state()));
            Ok((outcome, rest))
        });
        catch_unwind(run).unwrap_or_else(|payload| {
            self.abandoned.store(true, Relaxed);
            panic!(
                "run {index} (seed {seed:#x}) panicked: {}",
                message_of(payload.as_ref())
            );
        })
    }

    fn report(self) -> Report {
        let Ledger {
            total,
            first_failure,
            findings,
            traces,
            rests,
            nondeterminism,
            ..
        } = self
            .ledger
            .into_inner()
            .expect("internal bug: a worker panicked in the ledger");
        let Range { start, end } = self.campaign.runs;
        let wanted = end.saturating_sub(start);
        let stopped =
            self.campaign.stop_at_failure && total.failures > 0 || nondeterminism.is_some();
        Report {
            runs: total.runs,
            steps: total.steps,
            unrested: total.unrested,
            failures: total.failures,
            digest: total.digest,
            findings: findings_in_order(findings, first_failure.as_ref()),
            first_failure,
            traces: traces.count(),
            rests: rests.count(),
            trace_census: traces,
            rest_census: rests,
            nondeterminism,
            interrupted: total.runs < wanted && !stopped,
        }
    }
}

/// The kinds of failures by the index of their first, with the first failure of all even if it lies beyond
/// the runs covered.
fn findings_in_order(
    mut findings: BTreeMap<String, Finding>,
    first_failure: Option<&Failure>,
) -> Vec<Finding> {
    if let Some(failure) = first_failure {
        enter_finding(&mut findings, failure.clone(), 0);
    }
    let mut findings: Vec<Finding> = findings.into_values().collect();
    findings.sort_by_key(|finding| finding.first.index);
    findings
}

/// Counts `failure` as `runs` runs of its kind.
fn enter_finding(findings: &mut BTreeMap<String, Finding>, failure: Failure, runs: u64) {
    let signature = signature(&failure.outcome.end).expect("internal bug: a failure is no failure");
    if let Some(finding) = findings.get_mut(&signature) {
        finding.runs += runs;
    } else if findings.len() < KINDS_MAX {
        let finding = Finding {
            signature: signature.clone(),
            first: failure,
            runs: runs.max(1),
        };
        findings.insert(signature, finding);
    }
}

/// What was found, added up in the order of the chunks.
#[derive(Default)]
struct Ledger {
    /// Everything of the chunks below `chunk_next`, up to the first that was cut.
    total: Totals,
    /// Whether a chunk was cut, so that those behind it do not count.
    cut: bool,
    findings: BTreeMap<String, Finding>,
    traces: Census,
    rests: Census,
    chunk_next: u64,
    /// Chunks that were done before one that comes before them.
    waiting: BTreeMap<u64, Tally>,
    /// The failure with the least index in any chunk so far.
    first_failure: Option<Failure>,
    /// The run with the least index in any chunk so far that was not the same twice.
    nondeterminism: Option<Nondeterminism>,
}

impl Ledger {
    fn enter(&mut self, chunk: u64, mut tally: Tally) {
        keep_least(
            &mut self.first_failure,
            tally.failures.first().cloned(),
            |failure| failure.index,
        );
        keep_least(
            &mut self.nondeterminism,
            tally.nondeterminism.take(),
            |run| run.index,
        );
        self.waiting.insert(chunk, tally);
        while let Some(tally) = self.waiting.remove(&self.chunk_next) {
            self.chunk_next += 1;
            if !self.cut {
                self.add(tally);
            }
        }
    }

    fn add(&mut self, tally: Tally) {
        self.total.add(&tally.totals);
        self.cut = tally.cut;
        for failure in tally.failures {
            enter_finding(&mut self.findings, failure, 1);
        }
        for (trace, rest) in tally.ends {
            self.traces.enter(trace);
            if let Some(rest) = rest {
                self.rests.enter(rest);
            }
        }
    }
}

/// Keeps the one of two with the lesser index.
fn keep_least<T>(least: &mut Option<T>, new: Option<T>, index: impl Fn(&T) -> u64) {
    if let Some(new) = new
        && least
            .as_ref()
            .is_none_or(|least| index(&new) < index(least))
    {
        *least = Some(new);
    }
}

/// What was found in some runs that follow each other.
#[derive(Default)]
struct Tally {
    totals: Totals,
    /// The failed runs, in order.
    failures: Vec<Failure>,
    /// For each run the hash of its trace and, if it rested, the fingerprint of the state it rested in.
    ends: Vec<(u128, Option<u128>)>,
    nondeterminism: Option<Nondeterminism>,
    /// The runs that follow were not done, or do not count.
    cut: bool,
}

/// What is only added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Totals {
    runs: u64,
    steps: u64,
    unrested: u64,
    failures: u64,
    digest: u128,
}

impl Tally {
    /// Enters the outcome of the next run, and says whether it is a failure.
    fn enter(&mut self, index: u64, seed: u64, outcome: Outcome, rest: Option<u128>) -> bool {
        let totals = &mut self.totals;
        totals.runs += 1;
        totals.steps += outcome.steps;
        totals.digest = totals
            .digest
            .wrapping_add(fingerprint_of(&(index, &outcome)));
        self.ends.push((outcome.trace, rest));
        match outcome.end {
            End::Rested => false,
            End::StepLimit | End::Stopped => {
                totals.unrested += 1;
                false
            }
            End::Breached(_) | End::Diverged(_) => {
                totals.failures += 1;
                self.failures.push(Failure {
                    index,
                    seed,
                    outcome,
                });
                true
            }
        }
    }
}

impl Totals {
    fn add(&mut self, other: &Totals) {
        self.runs += other.runs;
        self.steps += other.steps;
        self.unrested += other.unrested;
        self.failures += other.failures;
        self.digest = self.digest.wrapping_add(other.digest);
    }
}

/// What a panic said.
fn message_of(payload: &(dyn Any + Send)) -> &str {
    let owned = payload.downcast_ref::<String>().map(String::as_str);
    owned
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("(no message)")
}
