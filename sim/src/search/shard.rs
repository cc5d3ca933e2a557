//! A search in shares: each shard owns the states whose hash says so, and what it finds of the others it sends
//! to their owners.
//!
//! A shard is no thread and no process. It works in *rounds*: it does its [`work`](Shard::work), frames of
//! others are [`taken`](Shard::take) as they come, and when every shard has done its work and every frame of
//! the round has been taken, all of them [`turn`](Shard::turn). Whoever carries the frames decides where
//! shards run; `blockrace-cluster` does it with timely dataflow, over threads and machines.
//!
//! It is the search of [`search`](super::search): a layer is a set, whoever owns its states. So the counts are
//! the same, and the verdict. The schedule is the same too: the layers up to a broken promise are made once more and
//! kept, and then the states from which it can be reached in time are marked backwards, and the least step into a
//! marked state is taken forwards, as in `path.rs`, with a question to a state's owner where that looks into a set.
//!
//! Whether there is any cycle is found by taking away states to which nothing leads any more (`round.rs`). Which run
//! goes round one is then a question for one place: see [`Limit::Cycle`]. Not known here: sleep sets and depth first, see
//! [`refusal`].
//!
//! All shards can be kept in the same round, each by itself, and gone on with: see [`Keeper`].

mod delivered;
mod frame;
mod link;
mod round;
mod vote;
mod way;

pub use frame::Malformed;
pub use way::Outline;

use super::harvest::Harvest;
use super::key_set::segment_of;
use super::layers::Layers;
use super::rows::Overflow;
use super::saved::{self, Saved, SoFar};
use super::{Control, Counterexample, Keep, Limit, Options, Order, Report, Search, Verdict};
use crate::Stale;
use crate::parts::Parts;
use delivered::Delivered;
use frame::Reader;
use link::{Incoming, Outgoing};
use round::Round;
use std::io::Read;
use std::num::NonZeroUsize;
use std::sync::atomic::Ordering::Relaxed;
use vote::Vote;
use way::Way;

/// What frames are like; whoever changes that changes this number.
pub const FORMAT: u32 = 2;

/// How many states are expanded in one piece of work.
const CHUNK: usize = 1 << 12;

/// How many more states than twice those of the first search the second may visit: as in `path.rs`.
const STATES_MORE: u64 = 5_000_000;

/// The kinds of frames.
mod kind {
    pub const STATES: u8 = 1;
    pub const VOTE: u8 = 2;
    pub const ASK: u8 = 3;
    pub const ANSWER: u8 = 4;
    pub const LEAD: u8 = 5;
    pub const SCHEDULE: u8 = 6;
    pub const EDGES: u8 = 7;
    pub const TAKEN: u8 = 8;
}

/// Why shards cannot search like that, if they cannot.
pub fn refusal<S: Parts>(system: &S, options: &Options) -> Option<&'static str> {
    let looks_for_cycles = options.cycles && !system.uses_up();
    if options.order != Order::Breadth {
        return Some("the newest state is one, so there is work for one");
    }
    if options.sleep_sets {
        return Some("what sleeps in a state depends on who came there before");
    }
    (looks_for_cycles && options.keep != Keep::Rows)
        .then_some("runs that need never rest are looked for in whole states, not in fingerprints")
}

/// Which shard of how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its number, from 0.
    pub number: usize,
    /// How many there are.
    pub count: NonZeroUsize,
}

/// Which search it is: a broken promise is found, and then the schedule that breaks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// As asked for.
    Asked,
    /// Without reductions: what it finds is as short as can be.
    Shortest,
    /// As asked for, without limits.
    Reduced,
}

/// What a round is about.
enum Phase<T> {
    /// The layer is expanded; so many of its states are.
    Expand(usize),
    /// What was counted is added up, and it is decided how to go on.
    Vote,
    /// The owners of successors are asked which are marked; so many states of the layer have asked.
    Ask(usize),
    /// They are answered.
    Answer,
    /// The schedule is taken from state to state.
    Lead,
    /// It is counted how many steps lead to each state; so many states have sent theirs.
    Edges(usize),
    /// States to which no step leads any more are taken away, with their steps.
    Take,
    /// It is added up how many were.
    Taken,
    /// Nothing is left to do.
    Over(Box<Report<T>>),
}

/// A report of which nothing is known yet but this, to be filled in by whoever was told of a search elsewhere.
pub fn report<T>(verdict: Verdict<T>) -> Report<T> {
    Report {
        verdict,
        states: 0,
        transitions: 0,
        layers: Vec::new(),
        resting: 0,
        resting_digest: 0,
        witnessed: 0,
        memo_hits: 0,
        memo_misses: 0,
        parts: 0,
        bytes: 0,
        visited_bytes: 0,
        omission_odds: 0.0,
        coverage: None,
        spills: 0,
        spilled_bytes: 0,
        disk_error: None,
    }
}

/// One share of a search.
pub struct Shard<'s, S: Parts> {
    system: &'s S,
    options: Options,
    place: Place,
    stage: Stage,
    phase: Phase<S::Step>,
    search: Search<'s, S>,
    /// The row of the initial state, the same in all shards.
    initial: Vec<u32>,
    outgoing: Vec<Outgoing>,
    incoming: Vec<Incoming>,
    delivered: Delivered,
    harvest: Harvest<S>,
    /// What ended the expansion of the layer before it was over.
    cut: Option<Limit>,
    /// What all have counted, as far as it is known, and how many have said it.
    sum: Vote,
    votes: usize,
    /// What the search that was asked for has found.
    asked: Option<Report<S::Step>>,
    way: Way,
    round: Round,
    row: Vec<u32>,
    /// What of the frontier was expanded when the layer ended.
    done: usize,
    /// How often it was kept.
    kept: u64,
    keeper: Option<&'s mut Keeper<'s>>,
}

/// Who keeps a shard: called with a number that is the same for all shards in the round in which they are kept, and
/// grows.
///
/// A search can be gone on with from what all its shards kept with one number.
pub type Keeper<'k> = dyn FnMut(u64, &mut SoFar<'_>) + 'k;

impl<'s, S: Parts> Shard<'s, S> {
    /// One that has done nothing. All of a search have the same options, of which `jobs` means nothing here and
    /// `bytes_max` is this shard's alone; [`refusal`] must have none.
    pub fn new(system: &'s S, options: &Options, place: Place) -> Shard<'s, S> {
        let options = Options {
            jobs: NonZeroUsize::MIN,
            ..*options
        };
        let mut shard = Shard {
            system,
            options,
            place,
            stage: Stage::Asked,
            phase: Phase::Expand(0),
            search: Search::new(system, options),
            initial: Vec::new(),
            outgoing: Vec::new(),
            incoming: Vec::new(),
            delivered: Delivered::new(),
            harvest: Harvest::new(),
            cut: None,
            sum: Vote::default(),
            votes: 0,
            asked: None,
            way: Way::default(),
            round: Round::default(),
            row: Vec::new(),
            done: 0,
            kept: 0,
            keeper: None,
        };
        match system.judge(&system.initial(), false) {
            Ok(()) => shard.begin(Stage::Asked),
            Err(breach) => {
                let mut report = shard.search.report();
                report.verdict = Verdict::Broken(Counterexample {
                    breach,
                    steps: Vec::new(),
                    cycle: Vec::new(),
                    shortest: true,
                });
                shard.phase = Phase::Over(Box::new(report));
            }
        }
        shard
    }

    /// One that goes on from where it was when `saved` was kept, with the number `kept`. All shards of the search go on
    /// from that number.
    ///
    /// # Errors
    ///
    /// What was kept is of another system, or of other options.
    pub fn restore(
        system: &'s S,
        options: &Options,
        place: Place,
        kept: u64,
        (saved, states): (Saved, &mut dyn Read),
    ) -> Result<Shard<'s, S>, Stale> {
        let mut shard = Shard::new(system, options, place);
        let control = Control::default();
        shard.search = saved::restore(system, shard.options, &control, saved, states)?;
        shard.kept = kept;
        shard.meet_others();
        Ok(shard)
    }

    /// Says who keeps it, whenever [`Control::keep`] was set somewhere, and when a limit ends it.
    pub fn set_keeper(&mut self, keeper: &'s mut Keeper<'s>) {
        self.keeper = Some(keeper);
    }

    /// Begins a search.
    fn begin(&mut self, stage: Stage) {
        let breadth = Options {
            symmetry: false,
            depth_max: u64::MAX,
            ..self.options
        };
        let options = match stage {
            Stage::Asked => self.options,
            Stage::Shortest => Options {
                reduce: false,
                states_max: (self.sum.states)
                    .saturating_mul(2)
                    .saturating_add(STATES_MORE),
                ..breadth
            },
            Stage::Reduced => Options {
                states_max: u64::MAX,
                bytes_max: u64::MAX,
                ..breadth
            },
        };
        let mut search = Search::new(self.system, options);
        search.kept_layers = (stage != Stage::Asked).then(Layers::in_memory);
        search.layers.push(1);
        self.search = search;
        (self.stage, self.phase) = (stage, Phase::Expand(0));
        let key = self.meet_others();
        if self.owner_of(key) == self.place.number {
            self.visit(key);
            self.search.frontier = std::mem::take(&mut self.search.next[0]);
        }
    }

    /// Nothing was sent yet, and nobody has voted. Returns the key of the initial state, which all have in common.
    fn meet_others(&mut self) -> u64 {
        let search = &mut self.search;
        let state = self.system.initial();
        let key = loop {
            match search.workers[0].key_of(&search.rows, &state) {
                Ok(key) => break key,
                Err(Overflow) => search.repack(),
            }
        };
        let initial = search.workers[0].row_of(&search.rows, key).to_vec();
        search.rows.note_recipes();
        let others = 0..self.place.count.get();
        let outgoing = others
            .clone()
            .map(|_| Outgoing::new(&search.rows, &initial));
        self.outgoing = outgoing.collect();
        let incoming = others.map(|_| Incoming::new(&search.rows, &initial));
        self.incoming = incoming.collect();
        self.delivered = Delivered::new();
        self.row.clone_from(&initial);
        self.initial = initial;
        self.harvest.forget();
        self.cut = None;
        (self.sum, self.votes) = (Vote::default(), 0);
        key
    }

    /// Does a bounded piece of the work of this round, hands out frames with the numbers of the shards that they are
    /// for, and says whether there is more to do.
    pub fn work(&mut self, control: &Control, post: &mut dyn FnMut(usize, Vec<u8>)) -> bool {
        let is_more = match self.phase {
            Phase::Expand(done) => self.expand(done, control, post),
            Phase::Vote => self.vote(control, post),
            Phase::Ask(done) => self.ask(done, post),
            Phase::Answer => self.answer(post),
            Phase::Lead => self.lead(post),
            Phase::Edges(done) => self.send_edges(done, control, post),
            Phase::Take => self.take_away(control, post),
            Phase::Taken => self.tell_taken(post),
            Phase::Over(_) => false,
        };
        if !is_more {
            let kind = match self.phase {
                Phase::Ask(_) => kind::ASK,
                Phase::Edges(_) | Phase::Take => kind::EDGES,
                _ => kind::STATES,
            };
            self.flush(kind, post);
        }
        is_more
    }

    /// Takes a frame that shard number `from` has sent in this round.
    ///
    /// # Errors
    ///
    /// It is none that a shard of this search sends now.
    pub fn take(&mut self, from: usize, frame: &[u8]) -> Result<(), Malformed> {
        let mut reader = Reader(frame);
        let of_phase = match (reader.byte()?, &self.phase) {
            (kind::STATES, Phase::Expand(_)) => Shard::take_states,
            (kind::VOTE, Phase::Vote) => Shard::take_vote,
            (kind::ASK, Phase::Ask(_)) => Shard::take_ask,
            (kind::ANSWER, Phase::Answer) => Shard::take_answer,
            (kind::LEAD, Phase::Lead) => Shard::take_lead,
            (kind::SCHEDULE, Phase::Lead) => Shard::take_schedule,
            (kind::EDGES, Phase::Edges(_)) => Shard::take_edges,
            (kind::EDGES, Phase::Take) => Shard::take_ends,
            (kind::TAKEN, Phase::Taken) => Shard::take_taken,
            _ => return Err(Malformed("it is of another round")),
        };
        if from >= self.incoming.len() {
            return Err(Malformed("there is no such shard"));
        }
        of_phase(self, from, reader)
    }

    /// Goes on to the next round, or ends the search. Every shard has done its work, and all frames are taken.
    ///
    /// # Errors
    ///
    /// Not all that must have come did.
    pub fn turn(&mut self, control: &Control) -> Result<Option<Report<S::Step>>, Malformed> {
        match &self.phase {
            Phase::Expand(done) => {
                self.done = *done;
                self.phase = Phase::Vote;
            }
            Phase::Vote => self.decide(control)?,
            Phase::Ask(_) => self.phase = Phase::Answer,
            Phase::Answer => self.mark(),
            Phase::Lead => self.arrive()?,
            Phase::Edges(_) => self.set_free(),
            Phase::Take => self.phase = Phase::Taken,
            Phase::Taken => self.take_more_or_end()?,
            Phase::Over(_) => {}
        }
        Ok(match &self.phase {
            Phase::Over(report) => Some(Report::clone(report)),
            _ => None,
        })
    }

    fn owner_of(&mut self, key: u64) -> usize {
        let route = self.search.workers[0].route_of(&self.search.rows, key);
        (route % self.place.count.get() as u64) as usize
    }

    /// A state of ours, whose row was encoded or decoded last, was met.
    fn visit(&mut self, key: u64) {
        let search = &mut self.search;
        let kept = search.workers[0].kept(&search.rows, key);
        if search.visited[segment_of(kept)].insert(kept) {
            search.next[0].push(key);
        }
    }

    fn expand(
        &mut self,
        done: usize,
        control: &Control,
        post: &mut dyn FnMut(usize, Vec<u8>),
    ) -> bool {
        if std::mem::take(&mut self.search.repacked) {
            self.harvest.forget();
        }
        self.look(control);
        let end = match self.cut {
            Some(_) => done,
            None => (done + CHUNK).min(self.search.frontier.len()),
        };
        if done < end {
            let chunk = self.search.frontier[done..end].to_vec();
            let free = Control::default();
            let harvest = &mut self.harvest;
            self.search.expand_here(chunk, &free, harvest);
            self.search.repacked = false;
            self.search.total.add(harvest.tally);
            self.search.findings.append(&mut harvest.findings);
            let mut keys: Vec<u64> = harvest.keys().collect();
            keys.sort_unstable();
            keys.dedup();
            for key in keys {
                self.deliver(key, post);
            }
        }
        self.phase = Phase::Expand(end);
        self.cut.is_none() && end < self.search.frontier.len()
    }

    /// Whether the search must end.
    fn look(&mut self, control: &Control) {
        self.search.bytes = self.search.bytes.max(self.bytes());
        if self.search.bytes as u64 > self.search.options.bytes_max {
            self.cut = Some(Limit::Bytes);
        }
        if control.interrupt.load(Relaxed) && self.stage != Stage::Reduced {
            self.cut = Some(Limit::Interrupt);
        }
    }

    fn bytes(&self) -> usize {
        let outgoing: usize = self.outgoing.iter().map(Outgoing::bytes).sum();
        let incoming: usize = self.incoming.iter().map(Incoming::bytes).sum();
        self.search.bytes_now() + outgoing + incoming + self.delivered.bytes()
    }

    /// A successor is met: here, or where it belongs.
    fn deliver(&mut self, key: u64, post: &mut dyn FnMut(usize, Vec<u8>)) {
        if !self.delivered.is_new(key, self.search.packings) {
            return;
        }
        let owner = self.owner_of(key);
        if owner == self.place.number {
            self.visit(key);
        } else {
            self.send_row(key, owner, kind::STATES, post);
        }
    }

    fn send_row(&mut self, key: u64, to: usize, kind: u8, post: &mut dyn FnMut(usize, Vec<u8>)) {
        let search = &mut self.search;
        let row = search.workers[0].row_of(&search.rows, key);
        self.row.copy_from_slice(row);
        self.outgoing[to].add_row(search, &self.row);
        if self.outgoing[to].is_full() {
            self.flush_one(to, kind, post);
        }
    }

    fn flush_one(&mut self, to: usize, kind: u8, post: &mut dyn FnMut(usize, Vec<u8>)) {
        if let Some(frame) = self.outgoing[to].frame(kind, &self.initial) {
            post(to, frame);
        }
    }

    fn flush(&mut self, kind: u8, post: &mut dyn FnMut(usize, Vec<u8>)) {
        for to in 0..self.outgoing.len() {
            self.flush_one(to, kind, post);
        }
    }

    fn take_states(&mut self, from: usize, reader: Reader<'_>) -> Result<(), Malformed> {
        self.take_rows(from, reader, |shard, key| {
            shard.visit(key);
            Ok(())
        })
    }

    /// Hands each state of a frame to `on`.
    fn take_rows(
        &mut self,
        from: usize,
        reader: Reader<'_>,
        on: fn(&mut Self, u64) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        let incoming = &mut self.incoming[from];
        let mut body = incoming.open(&mut self.search, &self.initial, reader)?;
        while !body.reader.is_over() {
            self.incoming[from].row(&self.search.rows, &mut body)?;
            let key = self.key_of(&body.row);
            on(self, key)?;
        }
        Ok(())
    }

    /// The key of a row, which is then the one encoded last.
    fn key_of(&mut self, row: &[u32]) -> u64 {
        loop {
            let search = &mut self.search;
            match search.workers[0].key_of_row(&search.rows, row) {
                Ok(key) => return key,
                Err(Overflow) => search.repack(),
            }
        }
    }

    /// Says what was counted here.
    fn vote(&mut self, control: &Control, post: &mut dyn FnMut(usize, Vec<u8>)) -> bool {
        self.look(control);
        let keep = self.keeper.is_some() && control.keep.load(Relaxed);
        let vote = Vote::of(&self.search, self.cut, keep);
        let frame = vote.frame(kind::VOTE);
        for to in (0..self.place.count.get()).filter(|to| *to != self.place.number) {
            post(to, frame.clone());
        }
        self.sum.add(&vote);
        self.votes += 1;
        false
    }

    fn take_vote(&mut self, _from: usize, mut reader: Reader<'_>) -> Result<(), Malformed> {
        self.sum.add(&Vote::read(&mut reader)?);
        self.votes += 1;
        Ok(())
    }

    /// All have voted: goes on to the next layer, or ends the search.
    fn decide(&mut self, control: &Control) -> Result<(), Malformed> {
        if self.votes != self.place.count.get() {
            return Err(Malformed("a vote is missing"));
        }
        let search = &mut self.search;
        let depth = search.layers.len() as u64 - 1;
        let (vote, options) = (&self.sum, &search.options);
        if self.stage == Stage::Asked {
            control.states.store(vote.states, Relaxed);
            control.transitions.store(vote.transitions, Relaxed);
            control.frontier.store(vote.next, Relaxed);
            control.depth.store(depth + 1, Relaxed);
        }
        if vote.findings > 0 {
            self.broken();
            return Ok(());
        }
        let limit = match vote.cut {
            _ if depth >= options.depth_max && vote.next > 0 => Some(Limit::Depth),
            Some(Limit::Interrupt) => Some(Limit::Interrupt),
            _ if vote.states > options.states_max => Some(Limit::States),
            cut => cut,
        };
        let (is_cut, keep) = (vote.cut.is_some(), vote.keep);
        match limit {
            Some(limit) => {
                self.end(Verdict::Inconclusive(limit));
                if is_cut {
                    self.keep(self.done);
                } else {
                    self.next_layer();
                    self.keep(0);
                }
            }
            None if vote.next == 0 => self.covered(),
            None => {
                self.next_layer();
                if keep {
                    control.keep.store(false, Relaxed);
                    self.keep(0);
                }
                self.phase = Phase::Expand(0);
                (self.sum, self.votes) = (Vote::default(), 0);
            }
        }
        Ok(())
    }

    /// The states found are those to be expanded.
    fn next_layer(&mut self) {
        let search = &mut self.search;
        let expanded = std::mem::take(&mut search.frontier);
        if let Some(Layers::Memory(layers)) = &mut search.kept_layers {
            layers.push(expanded);
        }
        search.frontier = std::mem::take(&mut search.next[0]);
        search.layers.push(self.sum.next);
    }

    /// Gives what was searched so far to whoever keeps it; so many states of the frontier were expanded. All do in the
    /// same round, for they have decided alike.
    fn keep(&mut self, expanded: usize) {
        if self.stage != Stage::Asked {
            return;
        }
        self.kept += 1;
        if let Some(keeper) = &mut self.keeper
            && let Some(mut so_far) = self.search.so_far(expanded, true)
        {
            keeper(self.kept, &mut so_far);
        }
    }

    /// All states were visited, and nothing is broken in any.
    fn covered(&mut self) {
        let looks_for_cycles = self.options.cycles && !self.system.uses_up();
        if self.stage == Stage::Asked && looks_for_cycles {
            self.begin_round();
        } else {
            self.end(Verdict::Verified);
        }
    }

    /// A promise is broken: finds out how, or goes on to a search that can.
    fn broken(&mut self) {
        match self.stage {
            Stage::Asked => {
                self.asked = Some(self.report());
                self.begin(Stage::Shortest);
            }
            Stage::Shortest | Stage::Reduced => self.set_out(),
        }
    }

    /// A search has ended without a broken promise.
    fn end(&mut self, verdict: Verdict<S::Step>) {
        match self.stage {
            Stage::Asked => {
                let mut report = self.report();
                report.verdict = verdict;
                self.phase = Phase::Over(Box::new(report));
            }
            Stage::Shortest => self.begin(Stage::Reduced),
            Stage::Reduced => {
                unreachable!("internal bug: the second search does not find what the first found")
            }
        }
    }

    /// What all have found together.
    fn report(&self) -> Report<S::Step> {
        self.sum.report(self.search.report())
    }
}
