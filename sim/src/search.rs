//! Every interleaving: the search through all states that a system can reach.
//!
//! There is one loop. It takes states from the frontier, does in each every step that has to be
//! tried, and puts the states that were not visited before on the frontier; breadth first takes a
//! whole layer at a time, depth first the newest state. States are keys of eight bytes (`rows.rs`),
//! the visited ones lie in one set (`key_set.rs`), and what a step does is worked out by the rules
//! once and then remembered (`memo.rs`).
//!
//! Any number of workers find the same: a layer is a set, whoever expands its states, and of all
//! broken promises the one is shown that has the least depth and then the least schedule.

mod cycle;
mod harvest;
mod key_set;
mod memo;
mod path;
mod recipe;
mod rows;
pub mod shard;
mod sleep;
mod worker;

pub use cycle::{PROPERTY as EVERY_RUN_RESTS, goes_round};

use crate::Breach;
use crate::parts::Parts;
use harvest::{Finding, Harvest, Tally, gather, sort_segments};
use key_set::{SEGMENTS, Segment, segment_of};
use rows::{Overflow, Rows};
use rustc_hash::FxHashMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use worker::Worker;

/// How many states a worker expands before what it found is sorted in.
const CHUNK: usize = 1 << 19;

/// Layers smaller than this are expanded by one worker, as threads would cost more.
const LAYER_MIN: usize = 1024;

/// Which end of the frontier is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The oldest states, a layer at a time: the first broken promise is one of the least depth.
    #[default]
    Breadth,
    /// The newest state: less memory for the frontier, no notion of depth.
    Depth,
}

/// What is kept of a visited state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// All of it, packed: no two states are ever taken for one.
    #[default]
    Rows,
    /// The sum of stable 64-bit hashes of its parts: [`Report::omission_odds`] says how likely it
    /// is that a state was missed (hash compaction: Wolper and Leroy, *Reliable Hashing without
    /// Collision Detection*, 1993).
    Fingerprints,
}

/// How to search.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Which end of the frontier is taken.
    pub order: Order,
    /// What is kept of a visited state.
    pub keep: Keep,
    /// Whether steps are left out that need not be tried: see [`reduce`](crate::reduce) and
    /// [`Offer::alone`](crate::parts::Offer::alone).
    pub reduce: bool,
    /// Whether steps are left out whose other order was tried (`sleep.rs`). Breadth first, and with
    /// one worker; it changes no state, only how many steps lead to them.
    pub sleep_sets: bool,
    /// Whether states that differ only in which of some like things is which count as one: see
    /// [`Parts::alike`].
    pub symmetry: bool,
    /// Whether a run that need never rest is looked for when no promise is broken.
    pub cycles: bool,
    /// How many workers there are; it changes no result.
    pub jobs: NonZeroUsize,
    /// The search ends as inconclusive before it has visited more states than this and one layer.
    pub states_max: u64,
    /// No state deeper than this is expanded.
    pub depth_max: u64,
    /// The search ends as inconclusive when it holds more bytes than this, as it counts them.
    pub bytes_max: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            order: Order::Breadth,
            keep: Keep::Rows,
            reduce: true,
            sleep_sets: false,
            symmetry: true,
            cycles: true,
            jobs: NonZeroUsize::MIN,
            states_max: u64::MAX,
            depth_max: u64::MAX,
            bytes_max: u64::MAX,
        }
    }
}

/// What others may look at, and do, while a search goes on.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Control {
    /// How many states are visited so far.
    pub states: AtomicU64,
    /// How many steps led to them, and to states that were visited before.
    pub transitions: AtomicU64,
    /// How many states wait to be expanded.
    pub frontier: AtomicU64,
    /// The layer being expanded.
    pub depth: AtomicU64,
    /// Set it, and the search ends as inconclusive soon.
    pub interrupt: AtomicBool,
}

/// What came of a search.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report<T> {
    /// The answer.
    pub verdict: Verdict<T>,
    /// How many different states were visited.
    pub states: u64,
    /// How many steps were done, from all states together.
    pub transitions: u64,
    /// By layer: how many states are first reached with that many steps. Empty for
    /// [`Order::Depth`].
    pub layers: Vec<u64>,
    /// In how many of the states no step is possible.
    pub resting: u64,
    /// The sum, modulo 2¹²⁸, of the fingerprints of those: equal sets have equal sums.
    pub resting_digest: u128,
    /// Which of [`System::witnesses`](crate::System::witnesses) some step was.
    pub witnessed: u64,
    /// How often what an actor can do was remembered.
    pub memo_hits: u64,
    /// How often it was worked out by the rules.
    pub memo_misses: u64,
    /// How many different parts the states are made of.
    pub parts: u64,
    /// The most bytes held at the end of a layer, as the search counts them.
    pub bytes: u64,
    /// What is kept of visited states, of those bytes.
    pub visited_bytes: u64,
    /// How likely it is, at most, that some state was taken for another: 0 for [`Keep::Rows`].
    pub omission_odds: f64,
}

/// The answer of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<T> {
    /// All states were visited, and every promise holds in each.
    Verified,
    /// A promise is broken.
    Broken(Counterexample<T>),
    /// Nobody knows.
    Inconclusive(Limit),
}

/// A schedule that breaks a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counterexample<T> {
    /// The promise.
    pub breach: Breach,
    /// The steps from the initial state to where it is broken.
    pub steps: Vec<T>,
    /// Steps that can be done again and again from there, if that is what is wrong.
    pub cycle: Vec<T>,
    /// Whether no shorter schedule breaks any promise. It is then also the least of its length.
    pub shortest: bool,
}

/// What ended a search before everything was visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// [`Options::states_max`].
    States,
    /// [`Options::depth_max`].
    Depth,
    /// [`Options::bytes_max`].
    Bytes,
    /// [`Control::interrupt`].
    Interrupt,
    /// A process with a share of the search is gone: see [`shard`].
    Peer,
}

/// Visits every state of `system`, or as many as the options allow.
///
/// # Panics
///
/// When a rule of the system panics.
pub fn search<S: Parts>(system: &S, options: &Options, control: &Control) -> Report<S::Step> {
    let mut search = Search::new(system, *options);
    let is_symmetric = search.rows.is_symmetric();
    let end = search.run(control);
    let mut report = search.report();
    report.verdict = match end {
        End::Limit(limit) => Verdict::Inconclusive(limit),
        End::Covered if options.cycles && !system.uses_up() => {
            match cycle::find(&mut search, control) {
                // What a reduction leaves out might be just what ends a cycle.
                cycle::Found::Cyclic(_) if options.reduce || is_symmetric => {
                    let options = Options {
                        reduce: false,
                        symmetry: false,
                        ..*options
                    };
                    return self::search(system, &options, control);
                }
                cycle::Found::Cyclic(None) | cycle::Found::Acyclic => Verdict::Verified,
                cycle::Found::Cyclic(Some(counterexample)) => Verdict::Broken(counterexample),
                cycle::Found::Unknown => Verdict::Inconclusive(Limit::Interrupt),
            }
        }
        End::Covered => Verdict::Verified,
        End::Broken => Verdict::Broken(path::counterexample(search, control)),
    };
    report
}

/// Why the loop ended.
enum End {
    Covered,
    Limit(Limit),
    /// Promises are broken by steps of states of this depth, or in them.
    Broken,
}

/// A search that goes on.
struct Search<'s, S: Parts> {
    system: &'s S,
    options: Options,
    rows: Rows<S::Part>,
    workers: Vec<Worker<'s, S>>,
    visited: Vec<Segment>,
    /// States that were not expanded yet: in breadth-first order those of one layer.
    frontier: Vec<u64>,
    /// The states of the next layer, by the worker that sorted them in.
    next: Vec<Vec<u64>>,
    /// The states of all layers, if they are kept.
    kept_layers: Option<Vec<Vec<u64>>>,
    /// Depth first: from which state each was reached first.
    parents: FxHashMap<u64, u64>,
    /// By worker: what it found in the chunk before, kept for its room.
    harvests: Vec<Harvest<S>>,
    /// Keys were packed anew, so that those that harvests know mean nothing.
    repacked: bool,
    /// With sleep sets: what sleeps where.
    sleepers: sleep::Sleepers<S::Step>,
    layers: Vec<u64>,
    findings: Vec<Finding<S::Step>>,
    total: Tally,
    bytes: usize,
}

impl<'s, S: Parts> Search<'s, S> {
    fn new(system: &'s S, options: Options) -> Search<'s, S> {
        let rows = Rows::new(system, options.symmetry && options.keep == Keep::Rows);
        let jobs = match options.sleep_sets {
            true => 1,
            false => options.jobs.get(),
        };
        let workers = (0..jobs)
            .map(|_| Worker::new(system, &rows, &options))
            .collect();
        Search {
            system,
            options,
            rows,
            workers,
            visited: Segment::all(),
            frontier: Vec::new(),
            next: vec![Vec::new(); jobs],
            kept_layers: None,
            parents: FxHashMap::default(),
            harvests: Vec::new(),
            repacked: false,
            sleepers: FxHashMap::default(),
            layers: Vec::new(),
            findings: Vec::new(),
            total: Tally::default(),
            bytes: 0,
        }
    }

    fn run(&mut self, control: &Control) -> End {
        let initial = self.system.initial();
        if let Err(breach) = self.system.judge(&initial, false) {
            self.findings.push(Finding {
                key: 0,
                step: None,
                breach,
            });
            return End::Broken;
        }
        let key = loop {
            match self.workers[0].key_of(&self.rows, &initial) {
                Ok(key) => break key,
                Err(Overflow) => self.repack(),
            }
        };
        let kept = self.workers[0].kept(&self.rows, key);
        self.visited[segment_of(kept)].insert(kept);
        self.frontier.push(key);
        match self.options.order {
            Order::Breadth if self.options.sleep_sets => sleep::run(self, control),
            Order::Breadth => self.run_breadth(control),
            Order::Depth => self.run_depth(control),
        }
    }

    fn run_breadth(&mut self, control: &Control) -> End {
        loop {
            let depth = self.layers.len();
            self.layers.push(self.frontier.len() as u64);
            control.depth.store(depth as u64, Relaxed);
            if self.frontier.is_empty() {
                self.layers.pop();
                return End::Covered;
            }
            let too_deep = depth as u64 >= self.options.depth_max;
            if let Err(limit) = self.expand_layer(control) {
                return End::Limit(limit);
            }
            if !self.findings.is_empty() {
                return End::Broken;
            }
            let expanded: Vec<u64> = std::mem::take(&mut self.frontier);
            if let Some(layers) = &mut self.kept_layers {
                layers.push(expanded);
            }
            self.frontier = self.next.iter_mut().flat_map(std::mem::take).collect();
            if too_deep && !self.frontier.is_empty() {
                return End::Limit(Limit::Depth);
            }
            if let Some(limit) = self.passed(control) {
                return End::Limit(limit);
            }
        }
    }

    fn run_depth(&mut self, control: &Control) -> End {
        let mut harvest = Harvest::new();
        let mut since_check = 0_u32;
        while let Some(key) = self.frontier.pop() {
            let expanded = self.expand_here(vec![key], control, &mut harvest);
            self.sort_in(std::slice::from_mut(&mut harvest));
            if !self.findings.is_empty() {
                return End::Broken;
            }
            let new = self.next[0].iter().map(|key| (*key, expanded[0]));
            self.parents.extend(new);
            self.frontier.append(&mut self.next[0]);
            since_check += 1;
            if since_check == 1 << 12 {
                since_check = 0;
                if let Some(limit) = self.passed(control) {
                    return End::Limit(limit);
                }
            }
        }
        End::Covered
    }

    /// The limit that is passed, if one is.
    fn passed(&mut self, control: &Control) -> Option<Limit> {
        let states = self.states();
        control.states.store(states, Relaxed);
        control.transitions.store(self.total.transitions, Relaxed);
        control.frontier.store(self.frontier.len() as u64, Relaxed);
        self.bytes = self.bytes.max(self.bytes_now());
        if control.interrupt.load(Relaxed) {
            return Some(Limit::Interrupt);
        }
        if states > self.options.states_max {
            return Some(Limit::States);
        }
        (self.bytes as u64 > self.options.bytes_max).then_some(Limit::Bytes)
    }

    /// Expands the states of the frontier, in rounds of a chunk for each worker.
    fn expand_layer(&mut self, control: &Control) -> Result<(), Limit> {
        let jobs = if self.frontier.len() < LAYER_MIN {
            1
        } else {
            self.workers.len()
        };
        let mut harvests = std::mem::take(&mut self.harvests);
        harvests.resize_with(jobs.max(harvests.len()), Harvest::new);
        if std::mem::take(&mut self.repacked) {
            harvests.iter_mut().for_each(Harvest::forget);
        }
        let result = self.expand_rounds(&mut harvests[..jobs], control);
        self.harvests = harvests;
        result
    }

    fn expand_rounds(
        &mut self,
        harvests: &mut [Harvest<S>],
        control: &Control,
    ) -> Result<(), Limit> {
        let (jobs, mut done) = (harvests.len(), 0);
        while done < self.frontier.len() {
            let round = (self.frontier.len() - done).min(jobs * CHUNK);
            if jobs == 1 {
                let chunk = self.frontier[done..done + round].to_vec();
                self.expand_here(chunk, control, &mut harvests[0]);
            } else if self.expand_round(done, round, control, harvests).is_err() {
                harvests.iter_mut().for_each(Harvest::forget);
                self.repack();
                continue;
            }
            self.sort_in(harvests);
            done += round;
            if let Some(limit) = self.passed(control).filter(|limit| *limit != Limit::States) {
                return Err(limit);
            }
        }
        Ok(())
    }

    /// Expands states on this thread, and returns their keys, which may be packed anew.
    fn expand_here(
        &mut self,
        chunk: Vec<u64>,
        control: &Control,
        harvest: &mut Harvest<S>,
    ) -> Vec<u64> {
        let (worker, keep) = (&mut self.workers[0], self.options.keep);
        let (rows, stop) = (&self.rows, &control.interrupt);
        if gather(self.system, worker, rows, keep, &chunk, stop, harvest).is_ok() {
            return chunk;
        }
        harvest.forget();
        // The chunk is packed anew with everything else.
        let place = self.frontier.len();
        self.frontier.extend(chunk);
        self.repack();
        let chunk = self.frontier.split_off(place);
        self.expand_here(chunk, control, harvest)
    }

    /// Expands `round` states of the frontier, each worker a share.
    fn expand_round(
        &mut self,
        first: usize,
        round: usize,
        control: &Control,
        harvests: &mut [Harvest<S>],
    ) -> Result<(), Overflow> {
        let (system, rows, keep) = (self.system, &self.rows, self.options.keep);
        let stop = &control.interrupt;
        let share = round.div_ceil(harvests.len());
        let chunks = self.frontier[first..first + round].chunks(share);
        harvests.iter_mut().for_each(Harvest::clear);
        thread::scope(|scope| {
            let threads: Vec<_> = chunks
                .zip(&mut self.workers)
                .zip(harvests)
                .map(|((chunk, worker), harvest)| {
                    scope.spawn(move || gather(system, worker, rows, keep, chunk, stop, harvest))
                })
                .collect();
            let results: Vec<_> = threads.into_iter().map(joined).collect();
            results.into_iter().collect()
        })
    }

    /// Puts what was found where it belongs: new states into the next layer.
    fn sort_in(&mut self, harvests: &mut [Harvest<S>]) {
        for harvest in harvests.iter_mut() {
            self.total.add(harvest.tally);
            self.findings.append(&mut harvest.findings);
        }
        let harvests = &*harvests;
        let jobs = self.next.len();
        let found: usize = harvests.iter().flat_map(|h| &h.visited).map(Vec::len).sum();
        if jobs == 1 || found < LAYER_MIN {
            sort_segments(0, &mut self.visited, harvests, &mut self.next[0]);
            return;
        }
        let share = SEGMENTS.div_ceil(jobs);
        let shares = (0..).step_by(share).zip(self.visited.chunks_mut(share));
        thread::scope(|scope| {
            let threads: Vec<_> = shares
                .zip(&mut self.next)
                .map(|((first, segments), next)| {
                    scope.spawn(move || sort_segments(first, segments, harvests, next))
                })
                .collect();
            threads.into_iter().for_each(joined);
        });
    }

    /// Makes room in the keys for the numbers that came up.
    fn repack(&mut self) {
        self.repacked = true;
        let mut recode = self.rows.repack();
        let rows = &self.rows;
        let mut anew = |key: &mut u64| *key = rows.recode(&mut recode, *key);
        self.frontier.iter_mut().for_each(&mut anew);
        self.next.iter_mut().flatten().for_each(&mut anew);
        self.kept_layers
            .iter_mut()
            .flatten()
            .flatten()
            .for_each(&mut anew);
        self.findings
            .iter_mut()
            .for_each(|finding| anew(&mut finding.key));
        let parents = std::mem::take(&mut self.parents);
        self.parents = parents
            .into_iter()
            .map(|(mut key, mut parent)| {
                anew(&mut key);
                anew(&mut parent);
                (key, parent)
            })
            .collect();
        let sleepers = std::mem::take(&mut self.sleepers);
        self.sleepers = sleepers
            .into_iter()
            .map(|(mut key, steps)| {
                anew(&mut key);
                (key, steps)
            })
            .collect();
        if self.options.keep == Keep::Rows {
            let mut visited = Segment::all();
            for old in &mut self.visited {
                for mut key in std::mem::replace(old, Segment::new()).iter() {
                    anew(&mut key);
                    visited[segment_of(key)].insert(key);
                }
            }
            self.visited = visited;
        }
        for worker in &mut self.workers {
            worker.repacked(&self.rows);
        }
    }

    fn states(&self) -> u64 {
        self.visited
            .iter()
            .map(|segment| segment.len() as u64)
            .sum()
    }

    fn bytes_now(&self) -> usize {
        let visited: usize = self.visited.iter().map(Segment::bytes).sum();
        let frontier =
            self.frontier.capacity() + self.next.iter().map(Vec::capacity).sum::<usize>();
        let layers: usize = self.kept_layers.iter().flatten().map(Vec::capacity).sum();
        let memos: usize = self.workers.iter().map(|worker| worker.memo.bytes()).sum();
        visited + (frontier + layers) * size_of::<u64>() + memos + self.rows.bytes()
    }

    fn report(&self) -> Report<S::Step> {
        let states = self.states();
        let pairs = states as f64 * (states as f64 - 1.0) / 2.0;
        Report {
            verdict: Verdict::Verified,
            states,
            transitions: self.total.transitions,
            layers: self.layers.clone(),
            resting: self.total.resting,
            resting_digest: self.total.resting_digest,
            witnessed: self.total.witnessed,
            memo_hits: self.workers.iter().map(|worker| worker.hits).sum(),
            memo_misses: self.workers.iter().map(|worker| worker.misses).sum(),
            parts: self.rows.parts_met() as u64,
            bytes: self.bytes.max(self.bytes_now()) as u64,
            visited_bytes: self
                .visited
                .iter()
                .map(|segment| segment.bytes() as u64)
                .sum(),
            omission_odds: match self.options.keep {
                Keep::Rows => 0.0,
                Keep::Fingerprints => (pairs / 2_f64.powi(63)).min(1.0),
            },
        }
    }
}

fn joined<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread
        .join()
        .unwrap_or_else(|payload| std::panic::resume_unwind(payload))
}
