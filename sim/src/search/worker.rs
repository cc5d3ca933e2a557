//! One worker: what can be done in a state, by memory or by the rules, and which of it has to be
//! tried.

use super::memo::{Leaf, Memo, Shortcut, Transition, Update};
use super::recipe::{Made, Recipe};
use super::rows::{Local, Overflow, Rows};
use super::{Keep, Options};
use crate::hash::fingerprint_of;
use crate::parts::{Offer, Parts};
use crate::reduce::{Candidate, persistent_of};

/// What a worker is asked to do with each transition.
pub(super) trait Visit<T> {
    /// `transition` leads to the state with the key `successor`, of which `kept` is to be kept.
    fn visit(&mut self, transition: &Transition<T>, successor: u64, kept: u64);

    /// As `visit`, for one that breaks no promise and witnesses nothing; the key is what is kept.
    fn visit_plain(&mut self, successor: u64);

    /// Whether plain transitions may come without what is known of them.
    const PLAIN: bool;
}

/// Expands states.
pub(super) struct Worker<'s, S: Parts> {
    system: &'s S,
    reduce: bool,
    /// What is kept of states are fingerprints.
    fingerprints: bool,
    pub memo: Memo<S::Step>,
    local: Local<S::Part>,
    offers: usize,
    /// By offer: one for leaves that depend on few columns, and one for others.
    shortcuts: Vec<[Shortcut; 2]>,
    row: Vec<u32>,
    /// The state being expanded, once a rule has needed it.
    state: Option<S::State>,
    /// A row with like things in order.
    sorted: Vec<u32>,
    /// By column and number: what the part adds to a fingerprint.
    hashes: Vec<Vec<u128>>,
    /// The offers of the state being expanded that have steps.
    leaves: Vec<Leaf>,
    chosen: Vec<u32>,
    candidates: Vec<Candidate>,
    kept: Vec<usize>,
    offer: Offer<S::Step>,
    parts: Vec<S::Part>,
    updates: Vec<Update>,
    seen: Vec<S::Observation>,
    /// The parts that came up in the leaf that is being worked out, if that is to be noted.
    made: Vec<(Made, u32)>,
    /// Leaves that were remembered, and that were not.
    pub hits: u64,
    pub misses: u64,
}

impl<'s, S: Parts> Worker<'s, S> {
    pub fn new(system: &'s S, rows: &Rows<S::Part>, options: &Options) -> Worker<'s, S> {
        Worker {
            system,
            reduce: options.reduce,
            fingerprints: options.keep != Keep::Rows,
            memo: Memo::new(system.offers()),
            local: Local::new(rows),
            offers: system.offers(),
            shortcuts: (0..system.offers()).map(|_| no_shortcuts()).collect(),
            row: vec![0; rows.columns()],
            state: None,
            sorted: Vec::new(),
            hashes: vec![Vec::new(); rows.columns()],
            leaves: Vec::new(),
            chosen: Vec::new(),
            candidates: Vec::new(),
            kept: Vec::new(),
            offer: Offer::new(),
            parts: Vec::new(),
            updates: Vec::new(),
            seen: Vec::new(),
            made: Vec::new(),
            hits: 0,
            misses: 0,
        }
    }

    /// Lets go of all that can be worked out again.
    pub fn forget(&mut self, rows: &Rows<S::Part>) {
        self.memo = Memo::new(self.offers);
        self.local = Local::new(rows);
        self.shortcuts.fill_with(no_shortcuts);
        self.hashes.fill_with(Vec::new);
    }

    /// What that takes.
    pub fn bytes(&self) -> usize {
        let shortcuts = self.shortcuts.iter().flatten().map(Shortcut::bytes);
        let hashes = self.hashes.iter().map(Vec::capacity).sum::<usize>() * size_of::<u128>();
        self.memo.bytes() + self.local.bytes() + shortcuts.sum::<usize>() + hashes
    }

    /// Keys are packed anew.
    pub fn repacked(&mut self, rows: &Rows<S::Part>) {
        self.shortcuts.fill_with(no_shortcuts);
        if rows.is_flat() {
            self.memo
                .regrow(|updates| growth_of(rows, updates))
                .expect("internal bug: fields have room for all numbers given so far");
        }
    }

    /// The key of a state.
    pub fn key_of(&mut self, rows: &Rows<S::Part>, state: &S::State) -> Result<u64, Overflow> {
        for column in 0..rows.columns() {
            self.row[column] = rows.part_id(column, self.system.part(state, column));
        }
        rows.sort_alike(&mut self.row);
        rows.encode(&mut self.local, &self.row)
    }

    /// The state with this key.
    pub fn state_of(&mut self, rows: &Rows<S::Part>, key: u64) -> S::State {
        rows.decode(&mut self.local, key, &mut self.row);
        self.current(rows)
    }

    /// Whether there is a state with this key.
    pub fn knows(&mut self, rows: &Rows<S::Part>, key: u64) -> bool {
        rows.knows(&mut self.local, key)
    }

    /// The row of the state with this key.
    pub fn row_of(&mut self, rows: &Rows<S::Part>, key: u64) -> &[u32] {
        rows.decode(&mut self.local, key, &mut self.row);
        &self.row
    }

    /// The key of the state with this row, like things not yet in order.
    pub fn key_of_row(&mut self, rows: &Rows<S::Part>, row: &[u32]) -> Result<u64, Overflow> {
        self.row.copy_from_slice(row);
        rows.sort_alike(&mut self.row);
        rows.encode(&mut self.local, &self.row)
    }

    /// A hash of the state with this key that is the same in every search of the system, and for all states
    /// that count as one.
    pub fn route_of(&mut self, rows: &Rows<S::Part>, key: u64) -> u64 {
        rows.decode(&mut self.local, key, &mut self.row);
        let sum = (0..self.row.len()).fold(0_u128, |sum, column| {
            sum.wrapping_add(self.hash(rows, rows.numbers_of(column), self.row[column]))
        });
        (sum >> 32) as u64
    }

    /// Makes a part by its recipe, and returns its number; `None` if there is no such step.
    pub fn follow(&mut self, rows: &Rows<S::Part>, recipe: Recipe) -> Option<u32> {
        rows.parts_of(&mut self.local, &recipe.row, &mut self.parts);
        let part = recipe.made.part(self.system, &self.parts)?;
        let (id, is_new) = rows.part_entry(recipe.made.column.into(), part);
        if is_new {
            rows.note(recipe.row, [(recipe.made, id)]);
        }
        Some(id)
    }

    fn current(&mut self, rows: &Rows<S::Part>) -> S::State {
        rows.parts_of(&mut self.local, &self.row, &mut self.parts);
        self.system.put_together(&self.parts)
    }

    /// The fingerprint of the current row: the sum of those of its parts, modulo 2¹²⁸.
    fn fingerprint(&mut self, rows: &Rows<S::Part>) -> u128 {
        (0..self.row.len()).fold(0, |sum, column| {
            sum.wrapping_add(self.hash(rows, column, self.row[column]))
        })
    }

    /// What the part with this number in `column` adds to a fingerprint.
    pub fn hash(&mut self, rows: &Rows<S::Part>, column: usize, id: u32) -> u128 {
        let known = &mut self.hashes[column];
        while known.len() <= id as usize {
            let part = rows.part(&mut self.local, column, known.len() as u32);
            known.push(fingerprint_of(&(column, part)));
        }
        known[id as usize]
    }

    /// What is kept of the state whose row was encoded or decoded last, and which has this key.
    pub fn kept(&mut self, rows: &Rows<S::Part>, key: u64) -> u64 {
        if self.fingerprints {
            kept_of(self.fingerprint(rows))
        } else {
            key
        }
    }

    /// What is kept of the state with this key.
    pub fn kept_of_key(&mut self, rows: &Rows<S::Part>, key: u64) -> u64 {
        rows.decode(&mut self.local, key, &mut self.row);
        self.kept(rows, key)
    }

    /// Does all steps that have to be tried in the state `key`, and returns how many there are; none
    /// means that the state rests.
    pub fn expand<V: Visit<S::Step>>(
        &mut self,
        rows: &Rows<S::Part>,
        key: u64,
        visit: &mut V,
    ) -> Result<u64, Overflow> {
        let is_flat = rows.is_flat();
        let mut is_decoded = false;
        self.state = None;
        self.leaves.clear();
        let (was_full, remembered, mut misses) = (self.memo.is_full(), self.memo.len(), 0);
        let (mut notable, mut special) = (!V::PLAIN, false);
        for number in 0..self.offers {
            let [few, more] = &self.shortcuts[number];
            let leaf = match few.find(key).or_else(|| more.find(key)) {
                Some(leaf) => leaf,
                None => {
                    if !is_decoded {
                        rows.decode(&mut self.local, key, &mut self.row);
                        is_decoded = true;
                    }
                    match self.memo.find(number, &self.row) {
                        Some(leaf) => {
                            if is_flat {
                                self.shorten(rows, number, key, leaf);
                            }
                            leaf
                        }
                        None => {
                            misses += 1;
                            self.learn(rows, number, was_full)?
                        }
                    }
                }
            };
            if leaf.count != 0 {
                notable |= leaf.notable;
                special |= leaf.special || (self.reduce && leaf.alone);
                self.leaves.push(leaf);
            }
        }
        self.hits += self.offers as u64 - misses;
        self.misses += misses;
        let count = if !special && !notable && !self.fingerprints && is_flat {
            let mut count = 0;
            for leaf in &self.leaves {
                count += u32::from(leaf.count);
                let from = leaf.from as usize;
                for growth in &self.memo.growths[from..from + usize::from(leaf.count)] {
                    visit.visit_plain(key.wrapping_add(*growth));
                }
            }
            u64::from(count)
        } else {
            if !is_decoded && (self.fingerprints || !is_flat) {
                rows.decode(&mut self.local, key, &mut self.row);
            }
            self.choose();
            let fingerprint = if self.fingerprints {
                self.fingerprint(rows)
            } else {
                0
            };
            for index in 0..self.chosen.len() {
                let transition = self.chosen[index];
                let successor = self.successor(rows, key, transition)?;
                let kept = if self.fingerprints {
                    kept_of(self.fingerprint_after(rows, fingerprint, transition))
                } else {
                    successor
                };
                visit.visit(self.memo.transition(transition), successor, kept);
            }
            self.chosen.len() as u64
        };
        if was_full {
            self.memo.truncate(remembered);
        }
        Ok(count)
    }

    /// Remembers by which bits of its key a state's leaf is found.
    fn shorten(&mut self, rows: &Rows<S::Part>, number: usize, key: u64, leaf: Leaf) {
        let asked = self.memo.asked(number, &self.row);
        let bits_of = |columns| rows.bits_of(columns);
        let [few, more] = &mut self.shortcuts[number];
        if !few.insert(key, leaf, asked, bits_of) {
            more.insert(key, leaf, asked, bits_of);
        }
    }

    fn successor(
        &mut self,
        rows: &Rows<S::Part>,
        key: u64,
        transition: u32,
    ) -> Result<u64, Overflow> {
        if rows.is_flat() {
            return Ok(key.wrapping_add(self.memo.growths[transition as usize]));
        }
        if rows.is_symmetric() {
            self.sorted.clone_from(&self.row);
            for update in self.memo.updates(transition) {
                self.sorted[usize::from(update.column)] = update.to;
            }
            rows.sort_alike(&mut self.sorted);
            return rows.encode(&mut self.local, &self.sorted);
        }
        let updates = self.memo.updates(transition);
        let mut columns = 0;
        for update in updates {
            self.row[usize::from(update.column)] = update.to;
            columns |= 1 << update.column;
        }
        let successor = rows.encode_changed(&mut self.local, &self.row, columns);
        for update in updates {
            self.row[usize::from(update.column)] = update.from;
        }
        successor
    }

    /// What the fingerprint of the current row becomes.
    fn fingerprint_after(
        &mut self,
        rows: &Rows<S::Part>,
        fingerprint: u128,
        transition: u32,
    ) -> u128 {
        let mut sum = fingerprint;
        for index in 0..self.memo.updates(transition).len() {
            let Update { column, from, to } = self.memo.updates(transition)[index];
            let (from, to) = (
                self.hash(rows, column.into(), from),
                self.hash(rows, column.into(), to),
            );
            sum = sum.wrapping_sub(from).wrapping_add(to);
        }
        sum
    }

    /// Puts into `chosen` the transitions that have to be tried.
    fn choose(&mut self) {
        self.chosen.clear();
        let memo = &self.memo;
        let ours = |leaf: &Leaf| {
            leaf.transitions()
                .filter(|index| !memo.transition(*index).of_time)
        };
        let idle = self
            .leaves
            .iter()
            .all(|leaf| leaf.when_idle || ours(leaf).next().is_none());
        let possible = |leaf: &&Leaf| idle || !leaf.when_idle;
        let alone = |leaf: &&Leaf| self.reduce && leaf.alone;
        if let Some(leaf) = self.leaves.iter().filter(possible).find(alone) {
            self.chosen.extend(leaf.transitions());
            return;
        }
        let all = self.leaves.iter().filter(possible);
        self.chosen.extend(all.flat_map(|leaf| leaf.transitions()));
        let in_crew = |index: &&u32| memo.transition(**index).crew.is_some();
        if self.reduce && self.chosen.iter().filter(in_crew).count() > 1 {
            // The least step of a crew is kept, so that the choice does not depend on the memo.
            self.chosen
                .sort_unstable_by_key(|index| memo.transition(*index).step);
            self.candidates.clear();
            self.candidates.extend(self.chosen.iter().map(|index| {
                let Transition {
                    footprint, crew, ..
                } = memo.transition(*index);
                Candidate {
                    footprint: *footprint,
                    crew: *crew,
                }
            }));
            persistent_of(&self.candidates, &mut self.kept);
            let kept = self.kept.iter().map(|index| self.chosen[*index]);
            self.chosen = kept.collect();
        }
    }

    /// Works out by the rules what offer `number` is in the state of the current row, and remembers it
    /// unless it is to `forget`.
    #[cold]
    fn learn(
        &mut self,
        rows: &Rows<S::Part>,
        number: usize,
        forget: bool,
    ) -> Result<Leaf, Overflow> {
        let leaf = self.work_out(rows, number, forget);
        if !self.made.is_empty() {
            rows.note(&*self.row, self.made.drain(..));
        }
        leaf
    }

    fn work_out(
        &mut self,
        rows: &Rows<S::Part>,
        number: usize,
        forget: bool,
    ) -> Result<Leaf, Overflow> {
        let state = match self.state.take() {
            Some(state) => state,
            None => self.current(rows),
        };
        let mut offer = std::mem::take(&mut self.offer);
        self.system.offer(&state, number, &mut offer);
        let mut depends = offer.looked;
        let from = u32::try_from(self.memo.len()).expect("internal bug: the memo is bounded");
        let mut leaf = Leaf {
            alone: offer.alone,
            when_idle: offer.when_idle,
            special: offer.when_idle,
            ..Leaf::default()
        };
        for (index, offered) in (0..).zip(&offer.steps) {
            let mut after = state.clone();
            self.seen.clear();
            let footprint = self.system.apply(&mut after, offered.step, &mut self.seen);
            let transition = Transition {
                step: offered.step,
                footprint,
                crew: offered.crew,
                of_time: offered.of_time,
                witnessed: self.system.witnessed(&after),
                breach: self.system.judge(&after, false).err().map(Box::new),
            };
            leaf.notable |= transition.witnessed != 0 || transition.breach.is_some();
            leaf.special |= offered.crew.is_some() || offered.of_time;
            depends |= self.system.depends(offered.step, footprint);
            let changed = self.system.changes(offered.step, footprint);
            self.note_updates(rows, &after, changed, (number as u32, index));
            let growth = if rows.is_flat() {
                growth_of(rows, &self.updates)
            } else {
                Ok(0)
            };
            match growth {
                Ok(growth) => self.memo.push(transition, &self.updates, growth),
                Err(overflow) => {
                    self.memo.truncate(from as usize);
                    return Err(overflow);
                }
            }
        }
        self.offer = offer;
        self.state = Some(state);
        leaf.from = from;
        leaf.count = u16::try_from(self.memo.len() - from as usize)
            .expect("internal bug: an offer has fewer than 2¹⁶ steps");
        if !forget {
            self.memo.insert(number, &self.row, depends, leaf);
        }
        Ok(leaf)
    }

    /// Puts into `updates` those of the columns `changed` in which `after` is not what the current
    /// row is; `step` is the offer and the number in it of the step that led there.
    fn note_updates(
        &mut self,
        rows: &Rows<S::Part>,
        after: &S::State,
        mut changed: u64,
        (offer, index): (u32, u32),
    ) {
        self.updates.clear();
        while changed != 0 {
            let column = changed.trailing_zeros() as usize;
            changed &= changed - 1;
            let from = self.row[column];
            let (to, is_new) = rows.part_entry(column, self.system.part(after, column));
            if is_new {
                let made = Made {
                    offer,
                    index,
                    column: column as u8,
                };
                self.made.push((made, to));
            }
            if from != to {
                self.updates.push(Update {
                    column: column as u8,
                    from,
                    to,
                });
            }
        }
    }
}

fn no_shortcuts() -> [Shortcut; 2] {
    [Shortcut::new(3), Shortcut::new(6)]
}

/// The upper 63 bits of a fingerprint.
fn kept_of(fingerprint: u128) -> u64 {
    (fingerprint >> 65) as u64
}

fn growth_of<P>(rows: &Rows<P>, updates: &[Update]) -> Result<u64, Overflow>
where
    P: Clone + Eq + std::hash::Hash,
{
    updates.iter().try_fold(0_u64, |growth, update| {
        let more = rows.growth(update.column.into(), update.from, update.to)?;
        Ok(growth.wrapping_add(more))
    })
}
