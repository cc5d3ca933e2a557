//! A search as far as it has got, to go on from later, in another process.
//!
//! Keys are numbers, and mean the same as long as the numbers do that they are made of: those of parts and of groups of
//! them. Groups are numbers themselves. Parts are kept as their recipes (`recipe.rs`), and made by the rules again. What is
//! remembered of offers (`memo.rs`) is left out: it comes back as it is needed.
//!
//! The order in which numbers were given is the workers' affair. It is kept, and changes no result.

mod disk;
mod sleepers;
mod words;

use self::sleepers::Asleep;
use self::words::{Input, List, Output};
use super::bits::Bits;
use super::harvest::Tally;
use super::key_set::Segment;
use super::memory::Spilled;
use super::recipe::Recipes;
use super::rows::{Ids, Rows};
use super::{Control, Keep, Options, Search};
use crate::Stale;
use crate::parts::Parts;
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};

/// All numbers of a search.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Numbers {
    pub recipes: Recipes,
    pub groups: Vec<Vec<Ids>>,
    pub packed: Packed,
}

/// How keys are made: see [`rows`](super::rows).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Packed {
    /// How many bits each field has.
    Fields(Vec<u32>),
    Halves([Vec<Ids>; 2]),
}

/// A search as far as it has got, but for its states, which are most of it: they come behind it, and pass by one by one
/// when they are written and read. See [`States`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Saved {
    numbers: Numbers,
    keep: Keep,
    states: u64,
    /// How many keys of visited states there are: on disk, some of them may be there twice.
    keys: u64,
    /// By segment, with bits instead of keys: how many states counted as new.
    bits: Vec<u64>,
    frontier: u64,
    next: u64,
    parents: u64,
    asleep: Option<Asleep>,
    layers: Vec<u64>,
    /// Whether the frontier is what is left of the last layer, and `next` what was found so far of the one after it.
    amid: bool,
    total: Tally,
    bytes: u64,
}

impl Saved {
    /// How many states were visited.
    #[must_use]
    pub fn states(&self) -> u64 {
        self.states
    }
}

/// A search as far as it has got, to be written down.
#[non_exhaustive]
pub struct SoFar<'a> {
    /// All but the states.
    pub saved: Saved,
    /// The states.
    pub states: States<'a>,
}

/// The states of a search, visited and waiting, wherever they are.
pub struct States<'a>(Vec<List<'a>>);

impl States<'_> {
    /// Writes them, for [`search_on`](super::search_on) to read.
    ///
    /// # Errors
    ///
    /// They cannot be written, or not be read where they are.
    pub fn write(&mut self, output: &mut dyn Write) -> io::Result<()> {
        let mut output = Output(output);
        self.0.iter_mut().try_for_each(|list| list(&mut output))
    }
}

impl<S: Parts> Search<'_, S> {
    /// As far as it has got; so many states of the frontier were expanded. Nothing if it stumbles over the disk.
    pub(super) fn so_far(&mut self, expanded: usize, amid: bool) -> Option<SoFar<'_>> {
        if let Err(error) = self.settle_to_keep() {
            self.fail(error);
            return None;
        }
        let (asleep, numbered) = match self.options.sleep_sets {
            true => Some(self.asleep()).unzip(),
            false => (None, None),
        };
        let on_disk = self.spilled.as_ref().map_or(0, Spilled::keys);
        let in_memory: usize = self.visited.iter().map(Segment::len).sum();
        let waits_next = self.spilled.as_ref().map_or(0, Spilled::waiting_next);
        let next: usize = self.next.iter().map(Vec::len).sum();
        let saved = Saved {
            numbers: self.rows.numbers(),
            keep: self.options.keep,
            states: self.states(),
            keys: on_disk + in_memory as u64,
            bits: self.bits.iter().map(|bits| bits.len() as u64).collect(),
            frontier: self.waiting() - expanded as u64,
            next: waits_next + next as u64,
            parents: self.parents.len() as u64,
            asleep,
            layers: self.layers.clone(),
            amid,
            total: self.total,
            bytes: self.bytes as u64,
        };
        let (visited, bits, next) = (&self.visited, &self.bits, &self.next);
        let (left, parents) = (&self.frontier[expanded..], &self.parents);
        let mut lists: Vec<List<'_>> = vec![
            Box::new(move |output| {
                let mut keys = visited.iter().flat_map(Segment::iter);
                keys.try_for_each(|key| output.push(key))
            }),
            Box::new(move |output| {
                let mut words = bits.iter().map(Bits::words);
                words.try_for_each(|words| output.push_all(words))
            }),
            Box::new(move |output| output.push_all(left)),
            Box::new(move |output| next.iter().try_for_each(|next| output.push_all(next))),
            Box::new(move |output| {
                let mut pairs = parents.iter();
                pairs.try_for_each(|(key, from)| output.push_all(&[*key, *from]))
            }),
        ];
        if let Some(numbered) = numbered {
            lists.push(sleepers::list(&self.sleepers, &self.only, numbered));
        }
        if let Some(spilled) = &mut self.spilled {
            let [visited, layer, next] = spilled.lists();
            // Each with those of its kind.
            lists.insert(4, next);
            lists.insert(3, layer);
            lists.insert(0, visited);
        }
        let states = States(lists);
        Some(SoFar { saved, states })
    }
}

/// The search that was kept, whose states are read from `states`.
pub(super) fn restore<'s, S: Parts>(
    system: &'s S,
    options: Options,
    control: &Control,
    saved: Saved,
    states: &mut dyn Read,
) -> Result<Search<'s, S>, Stale> {
    if saved.amid && saved.layers.is_empty() {
        return Err(Stale("it is amid no layer"));
    }
    let mut search = Search::new(system, options);
    if saved.keep != options.keep {
        return Err(Stale("something else of each state was kept"));
    }
    if saved.asleep.is_some() != search.options.sleep_sets {
        return Err(Stale("of sleep sets only one of the two knows"));
    }
    let parts = parts(system, &mut search.rows, &saved.numbers)?;
    search.rows.restore(saved.numbers, parts)?;
    for worker in &mut search.workers {
        worker.repacked(&search.rows);
    }
    search.use_store(control.store.as_ref());
    search.layers = saved.layers;
    search.amid = saved.amid;
    search.total = saved.total;
    search.bytes = saved.bytes as usize;
    let mut input = Input(states);
    search.take_visited(saved.keys, saved.states, &mut input)?;
    if let Keep::Bitstate(bits) = options.keep {
        let none = Stale("there is no room in memory for its bits");
        search.bits = Bits::all(bits, u64::MAX).ok_or(none)?;
        for (bits, count) in search.bits.iter_mut().zip(&saved.bits) {
            bits.fill(*count as usize, || input.next())
                .map_err(unreadable)?;
        }
    }
    search.take_waiting([saved.frontier, saved.next], &mut input)?;
    for _ in 0..saved.parents {
        let (key, from) = (input.next(), input.next());
        let (key, from) = (key.map_err(unreadable)?, from.map_err(unreadable)?);
        search.parents.insert(key, from);
    }
    if let Some(asleep) = &saved.asleep {
        search.restore_asleep(asleep, &mut input)?;
    }
    Ok(search)
}

/// Its file was whole a moment ago.
fn unreadable(_: io::Error) -> Stale {
    Stale("its states cannot be read")
}

/// All parts, by the column whose numbers they have, made again by the rules.
fn parts<S: Parts>(
    system: &S,
    rows: &mut Rows<S::Part>,
    numbers: &Numbers,
) -> Result<Vec<Vec<S::Part>>, Stale> {
    const OTHER: Stale = Stale("a part does not come up any more where it first did");
    let initial = system.initial();
    for column in 0..rows.columns() {
        rows.part_id(column, system.part(&initial, column));
    }
    let mut left: Vec<_> = numbers.recipes.all().collect();
    let mut known = Known {
        numbers_of: rows.all_numbers_of(),
        parts: rows
            .parts_now()
            .into_iter()
            .map(|parts| parts.into_iter().map(Some).collect())
            .collect(),
        count_max: rows.parts_met() + left.len(),
    };
    // A recipe may stand before those of the parts of its row.
    while !left.is_empty() {
        let before = left.len();
        let mut later = Vec::new();
        for (numbers, id, recipe) in left {
            let Some(row) = known.row(&recipe.row) else {
                later.push((numbers, id, recipe));
                continue;
            };
            let part = recipe.made.part(system, &row).ok_or(OTHER)?;
            known.enter(numbers, id, part).ok_or(OTHER)?;
        }
        if later.len() == before {
            return Err(OTHER);
        }
        left = later;
    }
    let columns = known.parts.into_iter();
    let columns: Option<Vec<Vec<_>>> = columns.map(|parts| parts.into_iter().collect()).collect();
    columns.ok_or(OTHER)
}

/// The parts made so far, by their numbers.
struct Known<'r, P> {
    numbers_of: &'r [usize],
    parts: Vec<Vec<Option<P>>>,
    /// How many parts there are, so that a number beyond is none of theirs.
    count_max: usize,
}

impl<P: Clone> Known<'_, P> {
    /// The parts of a row, if they were all made.
    fn row(&self, ids: &[u32]) -> Option<Vec<P>> {
        if ids.len() != self.numbers_of.len() {
            return None;
        }
        let part = |(id, column): (&u32, &usize)| self.parts[*column].get(*id as usize)?.clone();
        ids.iter().zip(self.numbers_of).map(part).collect()
    }

    /// Puts a part where its number says; `None` if there is no such place.
    fn enter(&mut self, numbers: usize, id: u32, part: P) -> Option<()> {
        let parts = self.parts.get_mut(numbers)?;
        let place = Some(id as usize).filter(|id| *id < self.count_max)?;
        if parts.len() <= place {
            parts.resize(place + 1, None);
        }
        parts[place] = Some(part);
        Some(())
    }
}
