//! The layers of a search that keeps them, for the way back: in memory, or in one file.

use super::disk::{BLOCK, Keys, Store};
use std::io;

/// The states of all layers so far.
pub(super) enum Layers {
    /// By layer.
    Memory(Vec<Vec<u64>>),
    /// One after the other, and by layer where it ends.
    Disk(Keys, Vec<u64>),
}

impl Layers {
    /// No layers; those to come stay in memory.
    pub fn in_memory() -> Layers {
        Layers::Memory(Vec::new())
    }

    /// No layers; those to come are put into a file if there is a store.
    pub fn new(store: Option<&dyn Store>) -> io::Result<Layers> {
        Ok(match store {
            None => Layers::in_memory(),
            Some(store) => Layers::Disk(Keys::new(store)?, Vec::new()),
        })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        match self {
            Layers::Memory(layers) => layers.len(),
            Layers::Disk(_, ends) => ends.len(),
        }
    }

    /// Adds some states of layer number `depth`, which is the last one or the one after it.
    pub fn add(&mut self, depth: usize, mut states: Vec<u64>) -> io::Result<()> {
        match self {
            Layers::Memory(layers) => match layers.get_mut(depth) {
                Some(layer) => layer.append(&mut states),
                None => layers.push(states),
            },
            Layers::Disk(keys, ends) => {
                keys.append(&states)?;
                ends.resize(depth, keys.len() - states.len() as u64);
                ends.push(keys.len());
            }
        }
        Ok(())
    }

    /// Forgets all but the first so many.
    pub fn truncate(&mut self, count: usize) {
        match self {
            Layers::Memory(layers) => layers.truncate(count),
            Layers::Disk(_, ends) => ends.truncate(count),
        }
    }

    /// Hands the states of a layer to `on`.
    pub fn read(&mut self, depth: usize, mut on: impl FnMut(u64)) -> io::Result<()> {
        match self {
            Layers::Memory(layers) => layers[depth].iter().copied().for_each(on),
            Layers::Disk(keys, ends) => {
                let (mut at, end) = (
                    depth.checked_sub(1).map_or(0, |last| ends[last]),
                    ends[depth],
                );
                let mut block = Vec::new();
                while at < end {
                    keys.read(at, BLOCK.min((end - at) as usize), &mut block)?;
                    at += block.len() as u64;
                    block.iter().copied().for_each(&mut on);
                }
            }
        }
        Ok(())
    }

    /// Makes each key another one.
    pub fn change(&mut self, mut to: impl FnMut(u64) -> u64) -> io::Result<()> {
        match self {
            Layers::Memory(layers) => {
                let keys = layers.iter_mut().flatten();
                keys.for_each(|key| *key = to(*key));
                Ok(())
            }
            Layers::Disk(keys, _) => keys.change(to),
        }
    }

    /// What they take in memory.
    pub fn bytes(&self) -> usize {
        match self {
            Layers::Memory(layers) => {
                layers.iter().map(Vec::capacity).sum::<usize>() * size_of::<u64>()
            }
            Layers::Disk(_, ends) => ends.capacity() * size_of::<u64>() + BLOCK * size_of::<u64>(),
        }
    }
}
