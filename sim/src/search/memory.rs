//! What a search holds, and what it does when that is too much.
//!
//! Everything is counted that grows with the states: the visited set, what waits, what was found and
//! is not sorted in yet, the numbers of the parts, and what workers remember. What is remembered is
//! let go first, as it can be worked out again. Then either the search ends, or the visited set and
//! what waits go to disk (`disk.rs`): from then on a state that is not in memory may still be one that
//! was visited, and is looked for there later, with all others of its layer in one pass (delayed
//! duplicate detection: Stern and Dill, *Using Magnetic Disk instead of Main Memory in the Murφ
//! Verifier*, 1998; Korf, *Best-First Frontier Search with Delayed Duplicate Detection*, 2004).

use super::disk::{Keys, Runs, Store};
use super::key_set::{Segment, segment_of};
use super::layers::Layers;
use super::{Keep, Limit, Options, Order, Search, WhenFull};
use crate::parts::Parts;
use std::io;
use std::sync::Arc;

/// How many states a worker expands, at most, before what it found is sorted in.
const CHUNK: usize = 1 << 19;

/// What expanding a state takes at the least, until it is known better.
const BYTES_A_STATE: u64 = 1 << 10;

/// What a search has on disk.
pub(super) struct Spilled {
    pub store: Arc<dyn Store>,
    /// The visited states that are no longer in memory, and some that are.
    pub runs: Runs,
    /// Once there are runs: how many states are known to have been visited. Those of
    /// [`Search::next`] are not among them: they may have been visited before.
    pub settled: u64,
    /// The states of the layer being expanded that wait on disk, and how many of them do no longer.
    pub layer: Option<(Keys, u64)>,
    /// States of the next layer that are known to be new.
    pub next: Option<Keys>,
    /// Why it does not work any more.
    pub error: Option<io::Error>,
}

impl Spilled {
    fn new(store: Arc<dyn Store>) -> Spilled {
        Spilled {
            runs: Runs::new(store.clone()),
            store,
            settled: 0,
            layer: None,
            next: None,
            error: None,
        }
    }

    /// How many states of the layer being expanded wait on disk.
    fn waiting(&self) -> u64 {
        let layer = self.layer.as_ref();
        layer.map_or(0, |(keys, read)| keys.len() - read)
    }

    /// Makes each key that waits another one.
    fn change(&mut self, mut to: impl FnMut(u64) -> u64) -> io::Result<()> {
        if let Some((keys, _)) = &mut self.layer {
            keys.change(&mut to)?;
        }
        match &mut self.next {
            Some(keys) => keys.change(to),
            None => Ok(()),
        }
    }
}

/// Whether these options let a search use a disk. Depth first, and with sleep sets, one must know at
/// once whether a state was visited; fingerprints and bits are no keys.
fn may_spill(options: &Options) -> bool {
    options.when_full == WhenFull::Spill
        && options.order == Order::Breadth
        && !options.sleep_sets
        && options.keep == Keep::Rows
}

impl<S: Parts> Search<'_, S> {
    /// How many states a worker expands before what it found is sorted in: as many as take a quarter of the room that
    /// is left, if they take as much as those of the last round.
    pub(super) fn chunk(&self) -> usize {
        let Options {
            bytes_max,
            keys_max,
            jobs,
            ..
        } = self.options;
        let room = bytes_max.saturating_sub(self.bytes_now() as u64) / 4;
        let bytes_a_state = BYTES_A_STATE.max(self.bytes_a_state as u64);
        let share = room / jobs.get() as u64 / bytes_a_state;
        let share = usize::try_from(share).unwrap_or(CHUNK);
        share.min(keys_max).clamp(16, CHUNK)
    }

    /// Uses a disk, if that is what is wanted.
    pub(super) fn use_store(&mut self, store: Option<&Arc<dyn Store>>) {
        self.spilled = match may_spill(&self.options) {
            true => store.cloned().map(Spilled::new),
            false => None,
        };
    }

    /// Where layers are kept: on disk, if one is used.
    pub(super) fn new_layers(&self) -> io::Result<Layers> {
        Layers::new(self.spilled.as_ref().map(|spilled| &*spilled.store))
    }

    /// How many states were visited, as far as that is known.
    pub(super) fn states(&self) -> u64 {
        match &self.spilled {
            Some(spilled) if !spilled.runs.is_empty() => {
                spilled.settled + self.next.iter().map(|next| next.len() as u64).sum::<u64>()
            }
            _ => self.states_in_memory(),
        }
    }

    fn states_in_memory(&self) -> u64 {
        let keys = self.visited.iter().map(|segment| segment.len() as u64);
        let bits = self.bits.iter().map(|bits| bits.len() as u64);
        keys.chain(bits).sum()
    }

    /// How many states wait to be expanded in this layer.
    pub(super) fn waiting(&self) -> u64 {
        let on_disk = self.spilled.as_ref().map_or(0, Spilled::waiting);
        self.frontier.len() as u64 + on_disk
    }

    pub(super) fn visited_bytes(&self) -> usize {
        let keys = self.visited.iter().map(Segment::bytes);
        keys.chain(self.bits.iter().map(|bits| bits.bytes())).sum()
    }

    fn cache_bytes(&self) -> usize {
        self.workers.iter().map(|worker| worker.bytes()).sum()
    }

    /// What is allocated.
    pub(super) fn bytes_now(&self) -> usize {
        // While the next layer grows it is copied, and once more at its end.
        let next = self.next.iter().map(Vec::capacity).sum::<usize>() * 3;
        let waits = (self.frontier.capacity() + next) * size_of::<u64>();
        let layers = self.kept_layers.as_ref().map_or(0, |layers| layers.bytes());
        let disk = self
            .spilled
            .as_ref()
            .map_or(0, |spilled| spilled.runs.bytes());
        // A table with an eighth of its places free, at the least; a control byte for each place.
        let entry = 2 * (2 * size_of::<u64>() + 1);
        let parents = self.parents.len() * entry;
        let sleepers = self.sleepers.values().map(Vec::capacity).sum::<usize>();
        let sleepers = sleepers * size_of::<S::Step>() + self.sleepers.len() * (entry + 16);
        self.visited_bytes()
            + waits
            + layers
            + disk
            + parents
            + sleepers
            + self.harvest_bytes
            + self.cache_bytes()
            + self.rows.bytes()
    }

    /// Whether it holds too much.
    pub(super) fn is_full(&self) -> bool {
        let keys: usize = match &self.spilled {
            Some(_) => self.visited.iter().map(Segment::len).sum(),
            None => 0,
        };
        self.bytes_now() as u64 > self.options.bytes_max || keys > self.options.keys_max
    }

    /// Makes room if there is too little; the limit that is passed if that cannot be.
    pub(super) fn make_room(&mut self) -> Option<Limit> {
        self.bytes = self.bytes.max(self.bytes_now());
        if let Some(Spilled { error: Some(_), .. }) = &self.spilled {
            return Some(Limit::Disk);
        }
        if !self.is_full() {
            return None;
        }
        // What is remembered is needed again at once, so letting go of little would gain nothing.
        if self.cache_bytes() as u64 > self.options.bytes_max / 8 {
            self.forget();
        }
        if self.spilled.is_some()
            && self.is_full()
            && let Err(error) = self.empty()
        {
            return Some(self.fail(error));
        }
        self.is_full().then_some(Limit::Bytes)
    }

    /// Whether there is room for so many bytes besides, after what is remembered was let go if need be.
    pub(super) fn has_room_for(&mut self, bytes: usize) -> bool {
        let bytes_max = self.options.bytes_max;
        self.bytes = self.bytes.max(self.bytes_now() + bytes);
        if self.bytes_now() as u64 + bytes as u64 > bytes_max
            && self.cache_bytes() as u64 > bytes_max / 8
        {
            self.forget();
        }
        self.bytes_now() as u64 + bytes as u64 <= bytes_max
    }

    fn forget(&mut self) {
        let rows = &self.rows;
        self.workers
            .iter_mut()
            .for_each(|worker| worker.forget(rows));
    }

    /// The disk does not work; says so for the report.
    pub(super) fn fail(&mut self, error: io::Error) -> Limit {
        if let Some(spilled) = &mut self.spilled {
            spilled.error.get_or_insert(error);
        }
        Limit::Disk
    }

    /// Puts the visited states, and what waits in the next layer, on disk.
    fn empty(&mut self) -> io::Result<()> {
        self.settle()?;
        let Some(spilled) = &mut self.spilled else {
            return Ok(());
        };
        spilled.runs.add(&self.visited)?;
        self.visited = Segment::all();
        Ok(())
    }

    /// Takes those states out of the next layer that were visited before, and puts the others on disk.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        self.take_out_known()?;
        let Some(spilled) = &mut self.spilled else {
            return Ok(());
        };
        for next in &mut self.next {
            if next.is_empty() {
                continue;
            }
            let keys = match &mut spilled.next {
                Some(keys) => keys,
                none => none.insert(Keys::new(&*spilled.store)?),
            };
            keys.append(next)?;
            spilled.settled += next.len() as u64;
            *next = Vec::new();
        }
        Ok(())
    }

    fn take_out_known(&mut self) -> io::Result<()> {
        let in_memory = self.states_in_memory();
        let Some(spilled) = &mut self.spilled else {
            return Ok(());
        };
        if spilled.runs.is_empty() {
            let unsettled: usize = self.next.iter().map(Vec::len).sum();
            spilled.settled = in_memory - unsettled as u64;
            return Ok(());
        }
        let mut next = self.next.iter_mut();
        next.try_for_each(|next| spilled.runs.take_out(next))
    }

    /// At the end: counts no state twice. If the disk does not say which were visited before, those
    /// count that surely were not.
    pub(super) fn count_surely(&mut self) {
        let known = match &self.spilled {
            Some(Spilled { error: None, .. }) => self.take_out_known(),
            Some(_) => Err(io::Error::from(io::ErrorKind::Other)),
            None => Ok(()),
        };
        if let Err(error) = known {
            self.fail(error);
            self.next.iter_mut().for_each(Vec::clear);
        }
    }

    /// Makes the next layer the one to be expanded, or what of it has room in memory.
    pub(super) fn begin_layer(&mut self) -> Result<(), Limit> {
        if let Err(error) = self.take_out_known() {
            return Err(self.fail(error));
        }
        let mut next: Vec<Vec<u64>> = self.next.iter_mut().map(std::mem::take).collect();
        self.frontier = match &mut next[..] {
            [one] => std::mem::take(one),
            several => {
                let mut frontier = Vec::new();
                frontier.reserve_exact(several.iter().map(Vec::len).sum());
                several.iter_mut().for_each(|next| frontier.append(next));
                frontier
            }
        };
        if self.is_bitstate() {
            // Which states are missed depends on the order in which they are met, and that must not
            // depend on who met them.
            let (worker, rows) = (&mut self.workers[0], &self.rows);
            self.frontier
                .sort_by_cached_key(|key| worker.kept_of_key(rows, *key));
        }
        if let Some(spilled) = &mut self.spilled {
            spilled.settled += self.frontier.len() as u64;
            spilled.layer = spilled.next.take().map(|keys| (keys, 0));
        }
        if self.frontier.is_empty() {
            self.next_piece()?;
        }
        Ok(())
    }

    /// Takes the next states of the layer from disk; says whether there are any.
    pub(super) fn next_piece(&mut self) -> Result<bool, Limit> {
        let share = self.options.bytes_max / 16 / size_of::<u64>() as u64;
        let share = usize::try_from(share).unwrap_or(CHUNK).max(1);
        let count = share.min(self.options.keys_max.max(1));
        let Some(Spilled {
            layer: Some((keys, read)),
            ..
        }) = &mut self.spilled
        else {
            return Ok(false);
        };
        if let Err(error) = keys.read(*read, count, &mut self.frontier) {
            return Err(self.fail(error));
        }
        *read += self.frontier.len() as u64;
        Ok(!self.frontier.is_empty())
    }

    /// Before keys are packed anew: nothing that waits is left to be looked for on disk.
    pub(super) fn prepare_repack(&mut self) {
        if let Some(spilled) = &self.spilled
            && !spilled.runs.is_empty()
            && let Err(error) = self.settle()
        {
            self.fail(error);
        }
    }

    /// Packs anew what is on disk, or ends the search with the next look at its limits.
    pub(super) fn repack_disk(&mut self, mut anew: impl FnMut(&Search<'_, S>, u64) -> u64) {
        if let Some(mut layers) = self.kept_layers.take() {
            let changed = layers.change(|key| anew(self, key));
            self.kept_layers = Some(layers);
            if let Err(error) = changed {
                self.fail(error);
            }
        }
        let Some(mut spilled) = self.spilled.take() else {
            return;
        };
        if spilled.error.is_none()
            && let Err(error) = self.change_all(&mut spilled, &mut anew)
        {
            spilled.error = Some(error);
        }
        self.spilled = Some(spilled);
    }

    fn change_all(
        &mut self,
        spilled: &mut Spilled,
        anew: &mut impl FnMut(&Search<'_, S>, u64) -> u64,
    ) -> io::Result<()> {
        spilled.change(|key| anew(&*self, key))?;
        let keys_max = usize::try_from(self.options.bytes_max / 32).unwrap_or(usize::MAX);
        let keys_max = keys_max.min(self.options.keys_max);
        let mut in_memory = self.states_in_memory() as usize;
        spilled.runs.drain(|runs, key| {
            let key = anew(&*self, key);
            in_memory += usize::from(self.visited[segment_of(key)].insert(key));
            if in_memory > keys_max {
                runs.add(&self.visited)?;
                self.visited = Segment::all();
                in_memory = 0;
            }
            Ok(())
        })
    }
}
