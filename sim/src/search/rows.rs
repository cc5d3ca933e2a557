//! States as rows of numbers, and rows as 64-bit keys.
//!
//! Neighbouring columns form a *group*; what a group holds is interned like a part, unless the
//! group is one column, whose numbers serve as they are. A key is the numbers of the groups side by
//! side, in fields that are as wide as needed. When a number outgrows its field, all keys are made
//! anew with wider ones; when the fields no longer fit, the groups are interned once more, in two
//! halves, whose numbers are the key. So a key is exact: two states have one key only if they are
//! equal.

use super::recipe::{Made, Recipe, Recipes};
use super::saved::{Numbers, Packed};
use crate::Stale;
use crate::parts::Parts;
use rustc_hash::FxHashMap;
use std::hash::Hash;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

/// How many groups there are at most.
const GROUPS_MAX: usize = 8;

/// How many bits of a key the fields may take together.
const KEY_BITS: u32 = 63;

/// Things and their numbers, from 0 in the order in which they were first met.
pub(super) struct Interner<T> {
    inner: RwLock<Interned<T>>,
}

struct Interned<T> {
    ids: FxHashMap<T, u32>,
    items: Vec<T>,
}

impl<T: Clone + Eq + Hash> Interner<T> {
    fn new() -> Interner<T> {
        Interner {
            inner: RwLock::new(Interned {
                ids: FxHashMap::default(),
                items: Vec::new(),
            }),
        }
    }

    /// Those that have the numbers 0, 1, 2 and so on; `None` if two of them are equal.
    fn of(items: Vec<T>) -> Option<Interner<T>> {
        let numbered = items.iter().cloned().zip(0..);
        let ids: FxHashMap<T, u32> = numbered.collect();
        (ids.len() == items.len()).then(|| Interner {
            inner: RwLock::new(Interned { ids, items }),
        })
    }

    /// All of them, in the order of their numbers.
    fn items(&self) -> Vec<T> {
        let mut items = Vec::new();
        self.sync(&mut items);
        items
    }

    /// The number of `item`, which it gets if it has none.
    pub fn id_of(&self, item: T) -> u32 {
        self.enter(item).0
    }

    /// The number of `item`, and whether it had none before.
    fn enter(&self, item: T) -> (u32, bool) {
        const POISONED: &str = "internal bug: a worker panicked while it interned";
        if let Some(id) = self.inner.read().expect(POISONED).ids.get(&item) {
            return (*id, false);
        }
        let mut inner = self.inner.write().expect(POISONED);
        if let Some(id) = inner.ids.get(&item) {
            return (*id, false);
        }
        let id = u32::try_from(inner.items.len())
            .expect("internal bug: 2³² different parts of one column");
        inner.items.push(item.clone());
        inner.ids.insert(item, id);
        (id, true)
    }

    /// Appends to `known` what it lacks.
    fn sync(&self, known: &mut Vec<T>) {
        let inner = self
            .inner
            .read()
            .expect("internal bug: a worker panicked while it interned");
        known.extend_from_slice(&inner.items[known.len()..]);
    }

    pub fn len(&self) -> usize {
        self.inner.read().map_or(0, |inner| inner.items.len())
    }
}

/// Where the number of a group stands in a key.
#[derive(Clone, Copy, Debug)]
struct Field {
    shift: u32,
    bits: u32,
}

/// How the numbers of the groups make a key.
enum Packing {
    /// Side by side.
    Fields(Vec<Field>),
    /// Interned in two halves, the first in the lower 32 bits.
    Halves([Interner<Ids>; 2]),
}

/// Some numbers that are interned together.
pub(super) type Ids = Box<[u32]>;

/// What all workers share: the numbers of parts and of groups, and how a key is packed.
pub(super) struct Rows<P> {
    parts: Vec<Interner<P>>,
    /// By column: whose numbers it uses, its own or those of a column of a like thing.
    numbers_of: Vec<usize>,
    /// By column: see [`Parts::bytes_of_part`].
    bytes_of: Vec<usize>,
    /// See [`Parts::alike`].
    alike: Vec<Vec<Vec<usize>>>,
    groups: Vec<Range<usize>>,
    /// By group; not used for a group of one column.
    interned: Vec<Interner<Ids>>,
    packing: Packing,
    /// How each part came to be, if somebody wants to know.
    recipes: Option<Mutex<Recipes>>,
}

/// A row does not fit into a key as keys are packed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overflow;

/// The fields for groups that have had so many numbers, at least as wide as before; `None` if they
/// would not fit.
fn fields_for(counts: &[usize], before: &[Field]) -> Option<Vec<Field>> {
    let mut shift = 0;
    let mut fields = Vec::new();
    for (index, count) in counts.iter().enumerate() {
        // One number for each, and room for half as many more.
        let wanted = (count + count / 2).max(1) as u64;
        let before = before.get(index).map_or(0, |field| field.bits);
        let bits = (u64::BITS - wanted.leading_zeros()).max(before);
        fields.push(Field { shift, bits });
        shift += bits;
    }
    (shift <= KEY_BITS).then_some(fields)
}

/// What is between the groups of the first half and those of the second.
fn middle(groups: usize) -> usize {
    groups.div_ceil(2)
}

impl<P: Clone + Eq + Hash> Rows<P> {
    pub fn new<S: Parts<Part = P>>(system: &S, symmetry: bool) -> Rows<P> {
        let columns = system.columns();
        let alike = match symmetry {
            true => system.alike(),
            false => Vec::new(),
        };
        let mut numbers_of: Vec<usize> = (0..columns).collect();
        for things in &alike {
            for thing in things {
                for (column, first) in thing.iter().zip(&things[0]) {
                    numbers_of[*column] = *first;
                }
            }
        }
        assert!(
            (1..=64).contains(&columns),
            "internal bug: from 1 to 64 columns"
        );
        let per_group = columns.div_ceil(GROUPS_MAX);
        let groups: Vec<Range<usize>> = (0..columns)
            .step_by(per_group)
            .map(|first| first..(first + per_group).min(columns))
            .collect();
        let fields = fields_for(&vec![1; groups.len()], &[]);
        Rows {
            parts: (0..columns).map(|_| Interner::new()).collect(),
            numbers_of,
            bytes_of: (0..columns)
                .map(|column| system.bytes_of_part(column))
                .collect(),
            alike,
            interned: groups.iter().map(|_| Interner::new()).collect(),
            groups,
            packing: Packing::Fields(fields.expect("internal bug: one bit for each group")),
            recipes: None,
        }
    }

    pub fn columns(&self) -> usize {
        self.parts.len()
    }

    /// The column whose numbers `column` uses: its own, or that of a like thing.
    pub fn numbers_of(&self, column: usize) -> usize {
        self.numbers_of[column]
    }

    /// The same, of all columns.
    pub fn all_numbers_of(&self) -> &[usize] {
        &self.numbers_of
    }

    /// By column, if it uses its own numbers: how many the parts of the initial state have, whose row that is. They are
    /// the first in every search of the system.
    pub fn first_numbers(&self, initial: &[u32]) -> Vec<usize> {
        let mut counts = vec![0; self.columns()];
        for (column, id) in initial.iter().enumerate() {
            let count = &mut counts[self.numbers_of[column]];
            *count = (*count).max(*id as usize + 1);
        }
        counts
    }

    pub fn part_id(&self, column: usize, part: P) -> u32 {
        self.parts[self.numbers_of[column]].id_of(part)
    }

    /// The number of a part, and whether it is to be noted how the part came to be.
    pub fn part_entry(&self, column: usize, part: P) -> (u32, bool) {
        let (id, is_new) = self.parts[self.numbers_of[column]].enter(part);
        (id, is_new && self.recipes.is_some())
    }

    /// From now on it is noted how parts come to be.
    pub fn note_recipes(&mut self) {
        let columns = self.columns();
        self.recipes
            .get_or_insert_with(|| Mutex::new(Recipes::new(columns)));
    }

    /// Notes how parts came to be in the state of `row`, each with its number.
    pub fn note(&self, row: impl Into<Arc<[u32]>>, parts: impl IntoIterator<Item = (Made, u32)>) {
        let Some(mut recipes) = self.recipes() else {
            return;
        };
        let row = row.into();
        for (made, id) in parts {
            let numbers = self.numbers_of(made.column.into());
            let row = Arc::clone(&row);
            recipes.enter(numbers, id, Recipe { row, made });
        }
    }

    /// How parts came to be, if that is noted.
    pub fn recipes(&self) -> Option<MutexGuard<'_, Recipes>> {
        let recipes = self.recipes.as_ref()?.lock();
        Some(recipes.expect("internal bug: a worker panicked while it noted parts"))
    }

    /// All numbers given so far, by what they can be made from again.
    pub fn numbers(&self) -> Numbers {
        let recipes = self.recipes();
        Numbers {
            recipes: recipes
                .map_or_else(|| Recipes::new(self.columns()), |recipes| recipes.clone()),
            groups: self.interned.iter().map(Interner::items).collect(),
            packed: match &self.packing {
                Packing::Fields(fields) => {
                    Packed::Fields(fields.iter().map(|field| field.bits).collect())
                }
                Packing::Halves(halves) => Packed::Halves(halves.each_ref().map(Interner::items)),
            },
        }
    }

    /// Gives all numbers again. `parts` are those of each column that has numbers of its own.
    pub fn restore(&mut self, numbers: Numbers, parts: Vec<Vec<P>>) -> Result<(), Stale> {
        let counts: Vec<usize> = parts.iter().map(Vec::len).collect();
        let interners: Option<Vec<_>> = parts.into_iter().map(Interner::of).collect();
        self.parts = interners.ok_or(Stale("two parts are the same one now"))?;
        let Numbers {
            recipes,
            groups,
            packed,
        } = numbers;
        if groups.len() != self.groups.len() {
            return Err(Stale("a state has more or fewer columns now"));
        }
        let mut interned = Vec::new();
        for (items, range) in groups.into_iter().zip(&self.groups) {
            let known =
                |(id, column): (&u32, usize)| (*id as usize) < counts[self.numbers_of[column]];
            let is_right =
                |ids: &Ids| ids.len() == range.len() && ids.iter().zip(range.clone()).all(known);
            if !items.iter().all(is_right) {
                return Err(Stale("a group has a part that there is not"));
            }
            interned.push(Interner::of(items).ok_or(Stale("two groups are the same one"))?);
        }
        self.interned = interned;
        self.packing = self.packing_of(packed)?;
        self.recipes = Some(Mutex::new(recipes));
        Ok(())
    }

    fn packing_of(&self, packed: Packed) -> Result<Packing, Stale> {
        match packed {
            Packed::Fields(widths) => {
                let sum = widths
                    .iter()
                    .try_fold(0_u32, |sum, bits| sum.checked_add(*bits));
                let fits = sum.is_some_and(|sum| sum <= KEY_BITS);
                if widths.len() != self.groups.len() || !fits || widths.contains(&0) {
                    return Err(Stale("keys have other fields"));
                }
                let mut shift = 0;
                let field = |bits: u32| {
                    let field = Field { shift, bits };
                    shift += bits;
                    field
                };
                Ok(Packing::Fields(widths.into_iter().map(field).collect()))
            }
            Packed::Halves(halves) => {
                let middle = middle(self.groups.len());
                let sizes = [middle, self.groups.len() - middle];
                let is_right = halves
                    .iter()
                    .zip(sizes)
                    .all(|(items, size)| items.iter().all(|ids| ids.len() == size));
                let [low, high] = halves.map(Interner::of);
                match (low, high) {
                    (Some(low), Some(high)) if is_right => Ok(Packing::Halves([low, high])),
                    _ => Err(Stale("keys have other halves")),
                }
            }
        }
    }

    /// Whether there is a state with this key: each number in it was given.
    pub fn knows(&self, local: &mut Local<P>, key: u64) -> bool {
        if let Packing::Halves([low, high]) = &self.packing {
            let ids = [key as u32 as usize, (key >> 32) as usize];
            if ids[0] >= low.len() || ids[1] >= high.len() {
                return false;
            }
        }
        self.unpack(local, key);
        let ids = self.groups.iter().enumerate().zip(local.ids);
        ids.into_iter().all(|((group, range), id)| {
            let count = match range.len() {
                1 => self.parts[self.numbers_of[range.start]].len(),
                _ => self.interned[group].len(),
            };
            (id as usize) < count
        })
    }

    /// The parts met so far, by the column whose numbers they have.
    pub fn parts_now(&self) -> Vec<Vec<P>> {
        self.parts.iter().map(Interner::items).collect()
    }

    /// Whether the key of a state is the sum of what its columns are, so that what a step adds to
    /// it depends on nothing but the columns that the step changes.
    pub fn is_flat(&self) -> bool {
        matches!(self.packing, Packing::Fields(_))
            && self.groups.len() == self.parts.len()
            && !self.is_symmetric()
    }

    /// Whether there are like things.
    pub fn is_symmetric(&self) -> bool {
        !self.alike.is_empty()
    }

    /// Puts like things in order, so that of all rows that differ only in which is which one is
    /// left.
    pub fn sort_alike(&self, row: &mut [u32]) {
        for things in &self.alike {
            let ids = |thing: &Vec<usize>| thing.iter().map(|column| row[*column]).collect();
            let mut held: Vec<Vec<u32>> = things.iter().map(ids).collect();
            held.sort_unstable();
            for (thing, ids) in things.iter().zip(held) {
                for (column, id) in thing.iter().zip(ids) {
                    row[*column] = id;
                }
            }
        }
    }

    /// What a key grows by, modulo 2⁶⁴, when `column` changes from one number to another. Only if
    /// [`Rows::is_flat`].
    pub fn growth(&self, column: usize, from: u32, to: u32) -> Result<u64, Overflow> {
        let Packing::Fields(fields) = &self.packing else {
            panic!("internal bug: keys are not sums");
        };
        let Field { shift, bits } = fields[column];
        if u64::from(to) >> bits != 0 {
            return Err(Overflow);
        }
        Ok(u64::from(to).wrapping_sub(u64::from(from)) << shift)
    }

    /// Which bits of a key are these columns, a mask. Only if [`Rows::is_flat`].
    pub fn bits_of(&self, columns: u64) -> u64 {
        let Packing::Fields(fields) = &self.packing else {
            panic!("internal bug: keys are not sums");
        };
        let chosen = (0..fields.len()).filter(|column| columns >> column & 1 == 1);
        chosen.fold(0, |bits, column| {
            let field = fields[column];
            bits | ((1 << field.bits) - 1) << field.shift
        })
    }

    /// The parts of a row.
    pub fn parts_of(&self, local: &mut Local<P>, row: &[u32], parts: &mut Vec<P>) {
        parts.clear();
        for (column, id) in row.iter().enumerate() {
            parts.push(self.part(local, column, *id));
        }
    }

    /// One part.
    pub fn part(&self, local: &mut Local<P>, column: usize, id: u32) -> P {
        let column = self.numbers_of[column];
        let known = &mut local.parts[column];
        if known.len() <= id as usize {
            self.parts[column].sync(known);
        }
        known[id as usize].clone()
    }

    /// The key of a row.
    pub fn encode(&self, local: &mut Local<P>, row: &[u32]) -> Result<u64, Overflow> {
        local.ids = [0; GROUPS_MAX];
        self.encode_changed(local, row, u64::MAX)
    }

    /// The key of `row`, which differs from the row decoded last at most in `columns`, a mask.
    pub fn encode_changed(
        &self,
        local: &mut Local<P>,
        row: &[u32],
        columns: u64,
    ) -> Result<u64, Overflow> {
        let mut ids = local.ids;
        for (group, range) in self.groups.iter().enumerate() {
            let mask = (u64::MAX >> (64 - range.len())) << range.start;
            if columns & mask != 0 {
                ids[group] = match range.len() {
                    1 => row[range.start],
                    _ => local.groups[group].id_of(&row[range.clone()], &self.interned[group]),
                };
            }
        }
        self.pack(&mut local.halves, &ids[..self.groups.len()])
    }

    /// The row of a key.
    #[inline]
    pub fn decode(&self, local: &mut Local<P>, key: u64, row: &mut [u32]) {
        if let (true, Packing::Fields(fields)) = (self.is_flat(), &self.packing) {
            return unpack_fields(fields, key, row);
        }
        self.unpack(local, key);
        for (group, range) in self.groups.iter().enumerate() {
            let id = local.ids[group];
            if range.len() == 1 {
                row[range.start] = id;
            } else {
                let ids = local.groups[group].item(id, &self.interned[group]);
                row[range.clone()].copy_from_slice(ids);
            }
        }
    }

    fn pack(&self, known: &mut [Known; 2], ids: &[u32]) -> Result<u64, Overflow> {
        match &self.packing {
            Packing::Fields(fields) => fields.iter().zip(ids).try_fold(0, |key, (field, id)| {
                let id = u64::from(*id);
                if id >> field.bits != 0 {
                    return Err(Overflow);
                }
                Ok(key | id << field.shift)
            }),
            Packing::Halves([first, second]) => {
                let (low, high) = ids.split_at(middle(ids.len()));
                let (low, high) = (known[0].id_of(low, first), known[1].id_of(high, second));
                assert!(
                    high >> 31 == 0,
                    "internal bug: 2³¹ different halves of a state"
                );
                Ok(u64::from(low) | u64::from(high) << 32)
            }
        }
    }

    /// Puts the numbers of the groups into `local`.
    #[inline]
    fn unpack(&self, local: &mut Local<P>, key: u64) {
        match &self.packing {
            Packing::Fields(fields) => unpack_fields(fields, key, &mut local.ids),
            Packing::Halves(halves) => {
                let middle = middle(self.groups.len());
                let ids = [key as u32, (key >> 32) as u32];
                let (low, high) = local.ids[..self.groups.len()].split_at_mut(middle);
                low.copy_from_slice(local.halves[0].item(ids[0], &halves[0]));
                high.copy_from_slice(local.halves[1].item(ids[1], &halves[1]));
            }
        }
    }

    /// Packs keys so that all numbers given so far fit, and returns what makes an old key a new
    /// one.
    pub fn repack(&mut self) -> Recode {
        let Packing::Fields(before) = &self.packing else {
            panic!("internal bug: halves are as wide as can be");
        };
        let before = before.clone();
        let counts: Vec<usize> = self
            .groups
            .iter()
            .zip(&self.interned)
            .map(|(range, interned)| match range.len() {
                1 => self.parts[self.numbers_of[range.start]].len(),
                _ => interned.len(),
            })
            .collect();
        self.packing = match fields_for(&counts, &before) {
            Some(fields) => Packing::Fields(fields),
            None => Packing::Halves([Interner::new(), Interner::new()]),
        };
        Recode {
            before,
            halves: Default::default(),
        }
    }

    /// The new key of what had the key `old`.
    pub fn recode(&self, recode: &mut Recode, old: u64) -> u64 {
        let mut ids = [0; GROUPS_MAX];
        unpack_fields(&recode.before, old, &mut ids);
        self.pack(&mut recode.halves, &ids[..self.groups.len()])
            .expect("internal bug: fields never become narrower")
    }

    /// Roughly how many bytes the numbers and the parts take.
    pub fn bytes(&self) -> usize {
        let of = |interner: &Interner<Ids>, ids: usize| interner.len() * bytes_of_ids(ids);
        let groups = self.groups.iter().zip(&self.interned);
        let groups: usize = groups
            .map(|(range, interned)| of(interned, range.len()))
            .sum();
        let halves = match &self.packing {
            Packing::Fields(_) => 0,
            Packing::Halves(halves) => halves.iter().map(|half| of(half, GROUPS_MAX / 2)).sum(),
        };
        let recipes = self.recipes().map_or(0, |recipes| recipes.bytes());
        let parts = self.parts.iter().zip(&self.bytes_of);
        let parts =
            parts.map(|(parts, heap)| parts.len() * (bytes_of_entry(size_of::<P>()) + heap));
        groups + halves + recipes + parts.sum::<usize>()
    }

    /// How many different parts have been met.
    pub fn parts_met(&self) -> usize {
        self.parts.iter().map(Interner::len).sum()
    }
}

/// What a thing of this size takes in a table from it to its number and in the list of all: both may
/// have room for as many again, and the table has a byte more for each.
fn bytes_of_entry(size: usize) -> usize {
    2 * (size + (size + size_of::<u32>() + 1).next_multiple_of(8))
}

/// The same of so many numbers interned together, with two copies of them on the heap.
fn bytes_of_ids(count: usize) -> usize {
    bytes_of_entry(size_of::<Ids>()) + 2 * (count * size_of::<u32>()).next_multiple_of(16)
}

#[inline]
fn unpack_fields(fields: &[Field], key: u64, ids: &mut [u32]) {
    for (Field { shift, bits }, id) in fields.iter().zip(ids) {
        *id = (key >> shift & ((1 << bits) - 1)) as u32;
    }
}

/// Makes old keys new ones: see [`Rows::recode`].
pub(super) struct Recode {
    before: Vec<Field>,
    halves: [Known; 2],
}

/// What one worker knows of the shared numbers, so that it need not ask.
pub(super) struct Local<P> {
    parts: Vec<Vec<P>>,
    groups: Vec<Known>,
    halves: [Known; 2],
    /// The numbers of the groups of the key decoded last.
    ids: [u32; GROUPS_MAX],
}

impl<P: Clone + Eq + Hash> Local<P> {
    pub fn new(rows: &Rows<P>) -> Local<P> {
        Local {
            parts: (0..rows.parts.len()).map(|_| Vec::new()).collect(),
            groups: rows.groups.iter().map(|_| Known::default()).collect(),
            halves: Default::default(),
            ids: [0; GROUPS_MAX],
        }
    }

    /// Roughly what it takes.
    pub fn bytes(&self) -> usize {
        let parts = self.parts.iter().map(Vec::capacity).sum::<usize>() * size_of::<P>();
        let known = self.groups.iter().chain(&self.halves).map(Known::bytes);
        parts + known.sum::<usize>()
    }
}

/// What one worker knows of one interner of numbers.
#[derive(Default)]
struct Known {
    ids: FxHashMap<Ids, u32>,
    items: Vec<Ids>,
}

impl Known {
    fn bytes(&self) -> usize {
        let count = self
            .items
            .first()
            .or(self.ids.keys().next())
            .map_or(0, |ids| ids.len());
        self.ids.len().max(self.items.len()) * bytes_of_ids(count)
    }

    #[inline]
    fn id_of(&mut self, ids: &[u32], interner: &Interner<Ids>) -> u32 {
        if let Some(id) = self.ids.get(ids) {
            return *id;
        }
        let ids: Ids = ids.into();
        let id = interner.id_of(ids.clone());
        self.ids.insert(ids, id);
        id
    }

    #[inline]
    fn item(&mut self, id: u32, interner: &Interner<Ids>) -> &[u32] {
        if self.items.len() <= id as usize {
            interner.sync(&mut self.items);
        }
        &self.items[id as usize]
    }
}
