//! What is kept of a search that has put states on disk, and how it gets there again: no list is ever in memory whole.

use super::words::{Input, List};
use super::{Search, Stale, unreadable};
use crate::parts::Parts;
use crate::search::disk::{BLOCK, Keys};
use crate::search::key_set::{Segment, segment_of};
use crate::search::memory::Spilled;
use std::io;

/// A store that has no room.
fn no_room(_: io::Error) -> Stale {
    Stale("there is no room on disk for its states")
}

impl Spilled {
    /// How many keys are in the runs.
    pub(super) fn keys(&self) -> u64 {
        self.runs.len()
    }

    /// How many states of the next layer wait here.
    pub(super) fn waiting_next(&self) -> u64 {
        self.next.as_ref().map_or(0, Keys::len)
    }

    /// The visited states, those of the layer being expanded that wait, and those of the next one.
    pub(super) fn lists(&mut self) -> [List<'_>; 3] {
        let (runs, layer, next) = (&mut self.runs, &mut self.layer, &mut self.next);
        [
            Box::new(|output| runs.each(|key| output.push(key))),
            Box::new(|output| match layer {
                Some((keys, read)) => keys.each(*read, |key| output.push(key)),
                None => Ok(()),
            }),
            Box::new(|output| match next {
                Some(keys) => keys.each(0, |key| output.push(key)),
                None => Ok(()),
            }),
        ]
    }
}

impl<S: Parts> Search<'_, S> {
    /// Before it is kept: of all states on disk is known whether they were visited before.
    pub(super) fn settle_to_keep(&mut self) -> io::Result<()> {
        match &self.spilled {
            Some(Spilled { error: Some(_), .. }) => Err(io::ErrorKind::Other.into()),
            Some(spilled) if !spilled.runs.is_empty() => self.settle(),
            Some(_) | None => Ok(()),
        }
    }

    /// Takes the keys of visited states, and puts them on disk whenever memory is full.
    pub(super) fn take_visited(
        &mut self,
        keys: u64,
        states: u64,
        input: &mut Input<'_>,
    ) -> Result<(), Stale> {
        let pause = BLOCK.min(self.options.keys_max).max(1) as u64;
        for number in 1..=keys {
            let key = input.next().map_err(unreadable)?;
            self.visited[segment_of(key)].insert(key);
            let is_time = number.is_multiple_of(pause) && self.spilled.is_some();
            if is_time
                && self.is_full()
                && let Some(spilled) = &mut self.spilled
            {
                spilled.runs.add(&self.visited).map_err(no_room)?;
                spilled.settled = states;
                self.visited = Segment::all();
            }
        }
        Ok(())
    }

    /// Takes the states that wait in this layer and in the next one.
    pub(super) fn take_waiting(
        &mut self,
        [layer, next]: [u64; 2],
        input: &mut Input<'_>,
    ) -> Result<(), Stale> {
        if self.spilled.is_none() {
            self.frontier = self.some(layer, input)?;
            self.next[0] = self.some(next, input)?;
            return Ok(());
        }
        let layer = self.some_on_disk(layer, input)?;
        let next = self.some_on_disk(next, input)?;
        if let Some(spilled) = &mut self.spilled {
            spilled.layer = layer.map(|keys| (keys, 0));
            spilled.next = next;
        }
        let begun = self.next_piece();
        begun
            .map(|_| ())
            .map_err(|_| unreadable(io::ErrorKind::Other.into()))
    }

    fn some(&mut self, count: u64, input: &mut Input<'_>) -> Result<Vec<u64>, Stale> {
        let mut keys = Vec::new();
        for _ in 0..count {
            let key = input.next().map_err(unreadable)?;
            if !self.workers[0].knows(&self.rows, key) {
                return Err(Stale("a state has a part that there is not"));
            }
            keys.push(key);
        }
        Ok(keys)
    }

    fn some_on_disk(&mut self, count: u64, input: &mut Input<'_>) -> Result<Option<Keys>, Stale> {
        let store = self.spilled.as_ref().map(|spilled| spilled.store.clone());
        let Some(store) = store.filter(|_| count > 0) else {
            return Ok(None);
        };
        let mut keys = Keys::new(&*store).map_err(no_room)?;
        while keys.len() < count {
            let block = self.some((count - keys.len()).min(BLOCK as u64), input)?;
            keys.append(&block).map_err(no_room)?;
        }
        Ok(Some(keys))
    }
}
