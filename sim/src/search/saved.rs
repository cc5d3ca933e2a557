//! A search as far as it has got, to go on from later, in another process.
//!
//! Keys are numbers, and mean the same as long as the numbers do that they are made of: those of parts and of groups of
//! them. Groups are numbers themselves. Parts are kept as their recipes (`recipe.rs`), and made by the rules again. What is
//! remembered of offers (`memo.rs`) is left out: it comes back as it is needed.
//!
//! The order in which numbers were given is the workers' affair. It is kept, and changes no result.

use super::harvest::Tally;
use super::key_set::{Segment, segment_of};
use super::recipe::Recipes;
use super::rows::{Ids, Rows};
use super::{Options, Search};
use crate::Stale;
use crate::parts::Parts;
use serde::ser::{SerializeSeq, Serializer};
use serde::{Deserialize, Serialize};

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

/// A search as far as it has got: what [`SoFar`] was written as.
#[derive(Clone, Debug, Deserialize)]
pub struct Saved {
    numbers: Numbers,
    visited: Vec<u64>,
    frontier: Vec<u64>,
    next: Vec<u64>,
    parents: Vec<(u64, u64)>,
    layers: Vec<u64>,
    amid: bool,
    total: Tally,
    bytes: u64,
}

impl Saved {
    /// How many states were visited.
    #[must_use]
    pub fn states(&self) -> u64 {
        self.visited.len() as u64
    }
}

/// A search as far as it has got, to be written down. It is read as a [`Saved`].
#[derive(Serialize)]
pub struct SoFar<'a> {
    numbers: Numbers,
    visited: Visited<'a>,
    frontier: Vec<u64>,
    next: Vec<u64>,
    parents: Vec<(u64, u64)>,
    layers: &'a [u64],
    /// Whether `frontier` is what is left of the last layer, and `next` what was found so far of the one after it.
    amid: bool,
    total: Tally,
    bytes: u64,
}

/// The visited keys, without a copy of them: they are most of a search.
struct Visited<'a>(&'a [Segment]);

impl Serialize for Visited<'_> {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        let count = self.0.iter().map(Segment::len).sum();
        let mut list = output.serialize_seq(Some(count))?;
        for key in self.0.iter().flat_map(Segment::iter) {
            list.serialize_element(&key)?;
        }
        list.end()
    }
}

impl<S: Parts> Search<'_, S> {
    /// As far as it has got. Of the frontier, `frontier` is left to be expanded.
    pub(super) fn so_far(&self, frontier: Vec<u64>, amid: bool) -> SoFar<'_> {
        SoFar {
            numbers: self.rows.numbers(),
            visited: Visited(&self.visited),
            frontier,
            next: self.next.iter().flatten().copied().collect(),
            parents: self
                .parents
                .iter()
                .map(|(key, from)| (*key, *from))
                .collect(),
            layers: &self.layers,
            amid,
            total: self.total,
            bytes: self.bytes as u64,
        }
    }
}

/// The search that was kept.
pub(super) fn restore<'s, S: Parts>(
    system: &'s S,
    options: Options,
    saved: Saved,
) -> Result<Search<'s, S>, Stale> {
    let mut search = Search::new(system, options);
    let parts = parts(system, &mut search.rows, &saved.numbers)?;
    search.rows.restore(saved.numbers, parts)?;
    let mut keys = saved.frontier.iter().chain(&saved.next);
    if !keys.all(|key| search.workers[0].knows(&search.rows, *key)) {
        return Err(Stale("a state has a part that there is not"));
    }
    if saved.amid && saved.layers.is_empty() {
        return Err(Stale("it is amid no layer"));
    }
    for worker in &mut search.workers {
        worker.repacked(&search.rows);
    }
    for key in saved.visited {
        search.visited[segment_of(key)].insert(key);
    }
    search.frontier = saved.frontier;
    search.next[0] = saved.next;
    search.parents = saved.parents.into_iter().collect();
    search.layers = saved.layers;
    search.amid = saved.amid;
    search.total = saved.total;
    search.bytes = saved.bytes as usize;
    Ok(search)
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
