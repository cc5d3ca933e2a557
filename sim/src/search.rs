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

mod bits;
mod cycle;
mod disk;
mod harvest;
mod key_set;
mod layers;
mod memo;
mod memory;
mod path;
mod recipe;
mod rows;
mod saved;
pub mod shard;
mod sleep;
mod worker;

pub use bits::{BITSTATE, Coverage};
pub use cycle::{PROPERTY as EVERY_RUN_RESTS, goes_round};
pub use disk::{Scratch, Store};
pub use saved::{Saved, SoFar, States};

use crate::parts::Parts;
use crate::{Breach, Stale, System};
use bits::Bits;
use harvest::{Finding, Harvest, Tally, Visited, gather, sort_segments};
use key_set::{SEGMENTS, Segment, segment_of};
use layers::Layers;
use memory::Spilled;
use rows::{Overflow, Rows};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use worker::Worker;

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Keep {
    /// All of it, packed: no two states are ever taken for one.
    #[default]
    Rows,
    /// The sum of stable 64-bit hashes of its parts: [`Report::omission_odds`] says how likely it
    /// is that a state was missed (hash compaction: Wolper and Leroy, *Reliable Hashing without
    /// Collision Detection*, 1993).
    Fingerprints,
    /// A few bits in an array of 2 to this power, one of [`BITSTATE`]: a state is missed whenever
    /// others have set all of its bits, so the search never says that a promise is kept, and
    /// [`Report::coverage`] says how much it has seen (supertrace: `bits.rs`).
    Bitstate(u32),
}

/// What is done when a search holds as many bytes as it may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// It ends as inconclusive.
    #[default]
    Stop,
    /// Visited states and those that wait go to [`Control::store`], and the search goes on with the
    /// same result. Breadth first, without sleep sets, and with [`Keep::Rows`]; any other search
    /// stops.
    Spill,
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
    /// one worker, and not with [`Keep::Bitstate`]; it changes no state, only how many steps lead to
    /// them.
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
    /// What the search may hold, in bytes, as it counts them. The process takes somewhat more: the
    /// program itself, and what the allocator keeps.
    pub bytes_max: u64,
    /// What is done when that is reached.
    pub when_full: WhenFull,
    /// With [`WhenFull::Spill`]: memory is full, too, when it has so many visited states. It changes
    /// no result; small systems can so be made to spill often.
    pub keys_max: usize,
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
            when_full: WhenFull::Stop,
            keys_max: usize::MAX,
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
    /// Where [`WhenFull::Spill`] puts things; without it such a search stops.
    pub store: Option<Arc<dyn Store>>,
    /// Set it, and what was searched so far is kept soon, if somebody keeps it: see [`search_on`].
    pub keep: AtomicBool,
}

/// Who keeps what was searched so far.
pub type Keeper<'k> = dyn FnMut(&mut SoFar<'_>) + Send + 'k;

/// What came of a search. Where it is written down its verdict is left out, and is [`Verdict::Verified`] where it is
/// read again: a counterexample is kept as a schedule, see [`Counterexample::again`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
#[non_exhaustive]
pub struct Report<T> {
    /// The answer.
    #[serde(skip, default = "verified")]
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
    /// Which of [`System::witnesses`] some step was.
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
    /// How likely it is, at most, that some state was taken for another: 0 for [`Keep::Rows`], 1 for
    /// [`Keep::Bitstate`], whose [`Report::coverage`] says more.
    pub omission_odds: f64,
    /// With [`Keep::Bitstate`]: how much was seen.
    pub coverage: Option<Coverage>,
    /// How often memory was emptied to disk.
    pub spills: u64,
    /// How many bytes of visited states were written there, all in all.
    pub spilled_bytes: u64,
    /// What went wrong with the disk, if [`Limit::Disk`] ended the search.
    pub disk_error: Option<String>,
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

fn verified<T>() -> Verdict<T> {
    Verdict::Verified
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Limit {
    /// [`Options::states_max`].
    States,
    /// [`Options::depth_max`].
    Depth,
    /// [`Options::bytes_max`].
    Bytes,
    /// [`Options::bytes_max`], when every state was visited and no promise is broken: whether a run
    /// need never rest is not known. That is never looked for on disk.
    BytesForCycles,
    /// [`Control::store`] is full, or broken.
    Disk,
    /// Nothing ended the search, but with [`Keep::Bitstate`] states are missed.
    Bitstate,
    /// [`Control::interrupt`].
    Interrupt,
    /// A process with a share of the search is gone: see [`shard`].
    Peer,
    /// Every state was visited and no promise is broken, but some state can be reached from itself; whether a run need
    /// never rest for that is found by a search in one place ([`search`]), not by shards.
    Cycle,
}

/// Visits every state of `system`, or as many as the options allow.
///
/// # Panics
///
/// When a rule of the system panics.
pub fn search<S: Parts>(system: &S, options: &Options, control: &Control) -> Report<S::Step> {
    conclude(Search::new(system, *options), control)
}

/// As [`search`], from where it was when `from` was kept, if that is given, with the states that are read from there;
/// and it is kept for the next time: whenever
/// [`Control::keep`] says so, when a limit ends it, and when all states are visited.
///
/// The report is that of a search which nobody disturbed, but for what was remembered and how many bytes that took. Of
/// the options, those that bound the search and the number of workers may be others than before. Looking for a cycle
/// and for a schedule comes after the visit to all states; each is begun anew.
///
/// # Errors
///
/// What was kept is of another system, or of other options; or there is no room for it.
///
/// # Panics
///
/// When a rule of the system panics.
pub fn search_on<'s, S: Parts>(
    system: &'s S,
    options: &Options,
    control: &Control,
    from: Option<(Saved, &mut dyn Read)>,
    keeper: &'s mut Keeper<'s>,
) -> Result<Report<S::Step>, Stale> {
    let mut search = match from {
        Some((saved, states)) => saved::restore(system, *options, control, saved, states)?,
        None => Search::new(system, *options),
    };
    search.rows.note_recipes();
    search.keeper = Some(keeper);
    Ok(conclude(search, control))
}

/// Visits the states, and says what that means.
fn conclude<S: Parts>(mut search: Search<'_, S>, control: &Control) -> Report<S::Step> {
    let (system, options) = (search.system, search.options);
    let is_symmetric = search.rows.is_symmetric();
    let end = search.run(control);
    let mut report = search.report();
    report.verdict = match end {
        End::Limit(limit) => Verdict::Inconclusive(limit),
        End::Covered if search.is_bitstate() => Verdict::Inconclusive(Limit::Bitstate),
        End::Covered if options.cycles && !system.uses_up() => {
            let found = cycle::find(&mut search, control);
            report.bytes = report.bytes.max(search.bytes as u64);
            match found {
                // What a reduction leaves out might be just what ends a cycle.
                cycle::Found::Cyclic(_) if options.reduce || is_symmetric => {
                    let options = Options {
                        reduce: false,
                        symmetry: false,
                        ..options
                    };
                    drop(search);
                    return self::search(system, &options, control);
                }
                cycle::Found::Cyclic(None) | cycle::Found::Acyclic => Verdict::Verified,
                cycle::Found::Cyclic(Some(counterexample)) => Verdict::Broken(counterexample),
                cycle::Found::Unknown(limit) => Verdict::Inconclusive(limit),
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
    /// Instead of them, if only bits are kept.
    bits: Vec<Bits>,
    /// What is on disk, if a disk may be used.
    spilled: Option<Spilled>,
    /// States that were not expanded yet: in breadth-first order those of one layer.
    frontier: Vec<u64>,
    /// The states of the next layer, by the worker that sorted them in.
    next: Vec<Vec<u64>>,
    /// The states of all layers, if they are kept.
    kept_layers: Option<Layers>,
    /// Depth first: from which state each was reached first.
    parents: FxHashMap<u64, u64>,
    /// By worker: what it found in the chunk before, kept for its room.
    harvests: Vec<Harvest<S>>,
    /// What they take.
    harvest_bytes: usize,
    /// By how many bytes each state of the last round has made the search grow.
    bytes_a_state: usize,
    /// Keys were packed anew, so that those that harvests know mean nothing.
    repacked: bool,
    /// How often they were.
    packings: u64,
    /// With sleep sets: what sleeps where.
    sleepers: sleep::Sleepers<S::Step>,
    /// With sleep sets, by place of the frontier: the only steps to be done; without it all that do not sleep.
    only: Vec<Option<Vec<S::Step>>>,
    layers: Vec<u64>,
    /// It goes on where the frontier is what is left of the last layer.
    amid: bool,
    findings: Vec<Finding<S::Step>>,
    total: Tally,
    bytes: usize,
    keeper: Option<&'s mut Keeper<'s>>,
}

impl<'s, S: Parts> Search<'s, S> {
    fn new(system: &'s S, options: Options) -> Search<'s, S> {
        let options = Options {
            // A step may only sleep where it was surely done.
            sleep_sets: options.sleep_sets && !matches!(options.keep, Keep::Bitstate(_)),
            ..options
        };
        // A step that sleeps is one of a certain thing, and not of one that is like it.
        let symmetry = options.symmetry && options.keep == Keep::Rows && !options.sleep_sets;
        let rows = Rows::new(system, symmetry);
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
            bits: Vec::new(),
            spilled: None,
            frontier: Vec::new(),
            next: vec![Vec::new(); jobs],
            kept_layers: None,
            parents: FxHashMap::default(),
            harvests: Vec::new(),
            harvest_bytes: 0,
            bytes_a_state: 0,
            repacked: false,
            packings: 0,
            sleepers: FxHashMap::default(),
            only: Vec::new(),
            layers: Vec::new(),
            amid: false,
            findings: Vec::new(),
            total: Tally::default(),
            bytes: 0,
            keeper: None,
        }
    }

    fn run(&mut self, control: &Control) -> End {
        if self.spilled.is_none() {
            self.use_store(control.store.as_ref());
        }
        if self.states() == 0
            && let Some(end) = self.begin()
        {
            return end;
        }
        match self.options.order {
            Order::Breadth if self.options.sleep_sets => sleep::run(self, control),
            Order::Breadth => self.run_breadth(control),
            Order::Depth => self.run_depth(control),
        }
    }

    /// Visits the initial state.
    fn begin(&mut self) -> Option<End> {
        let initial = self.system.initial();
        if let Err(breach) = self.system.judge(&initial, false) {
            self.findings.push(Finding {
                key: 0,
                step: None,
                breach,
            });
            return Some(End::Broken);
        }
        let key = loop {
            match self.workers[0].key_of(&self.rows, &initial) {
                Ok(key) => break key,
                Err(Overflow) => self.repack(),
            }
        };
        let kept = self.workers[0].kept(&self.rows, key);
        if let Keep::Bitstate(bits) = self.options.keep {
            match Bits::all(bits, self.options.bytes_max) {
                Some(all) => self.bits = all,
                None => return Some(End::Limit(Limit::Bytes)),
            }
            self.bits[segment_of(kept)].insert(kept);
        } else {
            self.visited[segment_of(kept)].insert(kept);
        }
        self.frontier.push(key);
        None
    }

    fn run_breadth(&mut self, control: &Control) -> End {
        let end = self.expand_layers(control);
        self.count_surely();
        end.unwrap_or_else(End::Limit)
    }

    fn expand_layers(&mut self, control: &Control) -> Result<End, Limit> {
        loop {
            if !std::mem::take(&mut self.amid) {
                if self.frontier.is_empty() {
                    self.keep(0, false);
                    return Ok(End::Covered);
                }
                self.layers.push(self.waiting());
            }
            let depth = self.layers.len() - 1;
            control.depth.store(depth as u64, Relaxed);
            // What of a layer is on disk comes in pieces.
            loop {
                self.expand_layer(control)?;
                let expanded: Vec<u64> = std::mem::take(&mut self.frontier);
                self.keep_layer(depth, expanded)?;
                if !self.next_piece()? {
                    break;
                }
            }
            if !self.findings.is_empty() {
                // The way back begins in this layer, so it is none of those on the way.
                if let Some(layers) = &mut self.kept_layers {
                    layers.truncate(depth);
                }
                return Ok(End::Broken);
            }
            self.begin_layer()?;
            let too_deep = depth as u64 >= self.options.depth_max && !self.frontier.is_empty();
            let deepest = too_deep.then_some(Limit::Depth);
            if let Some(limit) = deepest.or_else(|| self.passed(control)) {
                self.keep(0, false);
                return Err(limit);
            }
        }
    }

    /// Gives what was searched so far to whoever keeps it; so many states of the frontier were expanded. Not if a promise
    /// is broken: then there is nothing to go on with, and the layer's end is near.
    fn keep(&mut self, expanded: usize, amid: bool) {
        if let (Some(keeper), true) = (self.keeper.take(), self.findings.is_empty()) {
            if let Some(mut so_far) = self.so_far(expanded, amid) {
                keeper(&mut so_far);
            }
            self.keeper = Some(keeper);
        }
    }

    /// As [`Search::keep`], if it is time to.
    fn keep_if_due(&mut self, control: &Control, expanded: usize, amid: bool) {
        if self.keeper.is_some() && control.keep.swap(false, Relaxed) {
            self.keep(expanded, amid);
        }
    }

    fn run_depth(&mut self, control: &Control) -> End {
        let mut harvest = Harvest::new();
        let mut expanded_so_far = 0_u64;
        while let Some(key) = self.frontier.pop() {
            let expanded = self.expand_here(vec![key], control, &mut harvest);
            self.sort_in(std::slice::from_mut(&mut harvest));
            if !self.findings.is_empty() {
                return End::Broken;
            }
            let new = self.next[0].iter().map(|key| (*key, expanded[0]));
            self.parents.extend(new);
            self.frontier.append(&mut self.next[0]);
            if expanded_so_far.is_multiple_of(1 << 12) {
                if let Some(limit) = self.passed(control) {
                    self.keep(0, false);
                    return End::Limit(limit);
                }
                self.keep_if_due(control, 0, false);
            }
            expanded_so_far += 1;
        }
        self.keep(0, false);
        End::Covered
    }

    /// The limit that is passed, if one is.
    fn passed(&mut self, control: &Control) -> Option<Limit> {
        let states = self.states();
        control.states.store(states, Relaxed);
        control.transitions.store(self.total.transitions, Relaxed);
        control.frontier.store(self.waiting(), Relaxed);
        let too_large = self.make_room();
        if control.interrupt.load(Relaxed) {
            return Some(Limit::Interrupt);
        }
        too_large.or_else(|| (states > self.options.states_max).then_some(Limit::States))
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
            let (chunk, before) = (self.chunk(), self.bytes_now());
            let round = (self.frontier.len() - done).min(jobs * chunk);
            if jobs == 1 {
                let chunk = self.frontier[done..done + round].to_vec();
                self.expand_here(chunk, control, &mut harvests[0]);
            } else if self.expand_round(done, round, control, harvests).is_err() {
                harvests.iter_mut().for_each(Harvest::forget);
                self.repack();
                continue;
            }
            if self.is_bitstate() {
                leave_no_gap(round, harvests);
            }
            self.sort_in(harvests);
            self.bytes_a_state = self.bytes_now().saturating_sub(before).div_ceil(round);
            let limit = self.passed(control).filter(|limit| *limit != Limit::States);
            if let Some(limit) = limit {
                self.frontier = self.unexpanded(done, round, harvests);
                self.keep(0, true);
                return Err(limit);
            }
            done += round;
            self.keep_if_due(control, done, true);
        }
        Ok(())
    }

    /// What is left of the frontier after a round that may have been interrupted.
    fn unexpanded(&self, done: usize, round: usize, harvests: &[Harvest<S>]) -> Vec<u64> {
        let (of_round, after) = self.frontier[done..].split_at(round);
        let shares = of_round.chunks(round.div_ceil(harvests.len()));
        let left = shares
            .zip(harvests)
            .flat_map(|(share, harvest)| &share[harvest.expanded..]);
        left.chain(after).copied().collect()
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
        self.harvest_bytes = harvests.iter().map(Harvest::bytes).sum();
        match &mut self.bits[..] {
            [] => sort_all(&mut self.visited, harvests, &mut self.next),
            bits => sort_all(bits, harvests, &mut self.next),
        }
    }

    /// Makes room in the keys for the numbers that came up.
    fn repack(&mut self) {
        self.repacked = true;
        self.packings += 1;
        self.prepare_repack();
        let mut recode = self.rows.repack();
        let rows = &self.rows;
        let mut anew = |key: &mut u64| *key = rows.recode(&mut recode, *key);
        self.frontier.iter_mut().for_each(&mut anew);
        self.next.iter_mut().flatten().for_each(&mut anew);
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
        self.repack_disk(|search, key| search.rows.recode(&mut recode, key));
        for worker in &mut self.workers {
            worker.repacked(&self.rows);
        }
    }

    /// Keeps states of a layer that were expanded, if layers are kept.
    fn keep_layer(&mut self, depth: usize, expanded: Vec<u64>) -> Result<(), Limit> {
        let Some(layers) = &mut self.kept_layers else {
            return Ok(());
        };
        let kept = layers.add(depth, expanded);
        kept.map_err(|error| self.fail(error))
    }

    fn is_bitstate(&self) -> bool {
        matches!(self.options.keep, Keep::Bitstate(_))
    }

    fn report(&self) -> Report<S::Step> {
        let states = self.states();
        let spilled = self.spilled.as_ref();
        let error = spilled.and_then(|spilled| spilled.error.as_ref());
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
            visited_bytes: self.visited_bytes() as u64,
            omission_odds: match self.options.keep {
                Keep::Rows => 0.0,
                Keep::Fingerprints => (pairs / 2_f64.powi(63)).min(1.0),
                Keep::Bitstate(_) => 1.0,
            },
            coverage: self.is_bitstate().then(|| bits::coverage(&self.bits)),
            spills: spilled.map_or(0, |spilled| spilled.runs.emptied),
            spilled_bytes: spilled.map_or(0, |spilled| spilled.runs.written * 8),
            disk_error: error.map(ToString::to_string),
        }
    }
}

/// Drops what was found behind a share that was interrupted. With bits the order in which states are met decides which of
/// them are missed, and they must be met in the same one when the search goes on.
fn leave_no_gap<S: System>(round: usize, harvests: &mut [Harvest<S>]) {
    let share = round.div_ceil(harvests.len());
    let mut is_cut = false;
    for (harvest, first) in harvests.iter_mut().zip((0..round).step_by(share)) {
        if is_cut {
            harvest.forget();
        }
        is_cut |= harvest.expanded < share.min(round - first);
    }
}

/// Sorts what was found into all segments, and puts what is new into `next`.
fn sort_all<S: System, V: Visited>(
    segments: &mut [V],
    harvests: &[Harvest<S>],
    next: &mut [Vec<u64>],
) {
    let jobs = next.len();
    let found: usize = harvests.iter().flat_map(|h| &h.visited).map(Vec::len).sum();
    if jobs == 1 || found < LAYER_MIN {
        sort_segments(0, segments, harvests, &mut next[0]);
        return;
    }
    let share = SEGMENTS.div_ceil(jobs);
    let shares = (0..).step_by(share).zip(segments.chunks_mut(share));
    thread::scope(|scope| {
        let threads: Vec<_> = shares
            .zip(next)
            .map(|((first, segments), next)| {
                scope.spawn(move || sort_segments(first, segments, harvests, next))
            })
            .collect();
        threads.into_iter().for_each(joined);
    });
}

fn joined<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread
        .join()
        .unwrap_or_else(|payload| std::panic::resume_unwind(payload))
}
