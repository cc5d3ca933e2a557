//! Rows on their way between two shards.
//!
//! A row is sent as what it differs in from the row before. Numbers of parts are those of the sender; before
//! a number is used for the first time its part is defined by its recipe. The parts of the initial state have
//! the same numbers everywhere, for every shard meets that state first.

use super::super::Search;
use super::super::recipe::{Made, Recipe};
use super::super::rows::Rows;
use super::frame::{Malformed, Reader, put};
use crate::parts::Parts;
use std::hash::Hash;

/// Frames are sent when they are longer than this.
const FRAME_MAX: usize = 1 << 16;

/// What a row is for a receiver who has not heard of a number.
const UNHEARD: u32 = u32::MAX;

/// What is on its way to one other shard.
pub(super) struct Outgoing {
    /// By the column whose numbers they are, and number: whether the receiver knows the part.
    told: Vec<Vec<bool>>,
    /// How many frames were made.
    count: u64,
    definitions: Vec<u8>,
    items: Vec<u8>,
    /// What the next row in `items`, and in `definitions`, is told by its difference from.
    last: Vec<u32>,
    last_defined: Vec<u32>,
}

impl Outgoing {
    pub fn new<P: Clone + Eq + Hash>(rows: &Rows<P>, initial: &[u32]) -> Outgoing {
        let first = rows.first_numbers(initial).into_iter();
        let told = first.map(|count| vec![true; count]);
        Outgoing {
            told: told.collect(),
            count: 0,
            definitions: Vec::new(),
            items: Vec::new(),
            last: initial.to_vec(),
            last_defined: initial.to_vec(),
        }
    }

    /// Adds numbers to the frame.
    pub fn add(&mut self, numbers: &[u64]) {
        numbers
            .iter()
            .for_each(|number| put(&mut self.items, *number));
    }

    /// Adds the row of a state.
    pub fn add_row<S: Parts>(&mut self, search: &mut Search<'_, S>, row: &[u32]) {
        for (column, id) in row.iter().enumerate() {
            if self.last[column] != *id {
                self.tell(search, search.rows.numbers_of(column), *id);
            }
        }
        put_row(&mut self.items, &mut self.last, row);
    }

    fn knows(&self, numbers: usize, id: u32) -> bool {
        self.told[numbers].get(id as usize) == Some(&true)
    }

    /// Defines a part, and first the parts of its recipe, unless the receiver knows them.
    fn tell<S: Parts>(&mut self, search: &mut Search<'_, S>, numbers: usize, id: u32) {
        let mut pending = vec![(numbers, id, false)];
        while let Some((numbers, id, is_ready)) = pending.pop() {
            if self.knows(numbers, id) {
                continue;
            }
            let recipe = search
                .rows
                .recipes()
                .and_then(|recipes| recipes.get(numbers, id).cloned());
            let recipe = recipe.expect("internal bug: a part came from nowhere");
            if is_ready {
                let check = search.workers[0].hash(&search.rows, numbers, id) as u32;
                self.define(numbers, id, &recipe, check);
                continue;
            }
            pending.push((numbers, id, true));
            for (column, id) in recipe.row.iter().enumerate() {
                pending.push((search.rows.numbers_of(column), *id, false));
            }
        }
    }

    fn define(&mut self, numbers: usize, id: u32, recipe: &Recipe, check: u32) {
        let bytes = &mut self.definitions;
        let head = [numbers as u32, id, check];
        let Made {
            offer,
            index,
            column,
        } = recipe.made;
        let step = [offer, index, column.into()];
        for number in head.into_iter().chain(step) {
            put(bytes, number.into());
        }
        put_row(bytes, &mut self.last_defined, &recipe.row);
        let told = &mut self.told[numbers];
        if told.len() <= id as usize {
            told.resize(id as usize + 1, false);
        }
        told[id as usize] = true;
    }

    /// Whether the frame is long enough to be sent.
    pub fn is_full(&self) -> bool {
        self.items.len() + self.definitions.len() > FRAME_MAX
    }

    /// The frame, unless nothing was added; the next one is begun.
    pub fn frame(&mut self, kind: u8, initial: &[u32]) -> Option<Vec<u8>> {
        if self.items.is_empty() {
            return None;
        }
        let mut frame = vec![kind];
        put(&mut frame, self.count);
        put(&mut frame, self.definitions.len() as u64);
        frame.append(&mut self.definitions);
        frame.append(&mut self.items);
        self.count += 1;
        self.last.copy_from_slice(initial);
        self.last_defined.copy_from_slice(initial);
        Some(frame)
    }

    /// Roughly how many bytes it takes.
    pub fn bytes(&self) -> usize {
        let told: usize = self.told.iter().map(Vec::capacity).sum();
        told + self.items.capacity() + self.definitions.capacity()
    }
}

/// Appends what `row` differs in from `last`, which it then is.
fn put_row(bytes: &mut Vec<u8>, last: &mut [u32], row: &[u32]) {
    let columns = row.iter().zip(&*last).enumerate();
    let changed = columns.filter(|(_, (new, old))| new != old);
    put(
        bytes,
        changed.fold(0, |mask, (column, _)| mask | 1 << column),
    );
    for (old, new) in last.iter_mut().zip(row) {
        if *old != *new {
            put(bytes, (*new).into());
            *old = *new;
        }
    }
}

/// What comes from one other shard.
pub(super) struct Incoming {
    /// By the column whose numbers they are, and the sender's number: our number.
    heard: Vec<Vec<u32>>,
    /// How many frames came.
    count: u64,
}

/// The rows of one frame, read one after the other.
pub(super) struct Body<'a> {
    pub reader: Reader<'a>,
    /// The row read last, in our numbers.
    pub row: Vec<u32>,
}

impl Incoming {
    pub fn new<P: Clone + Eq + Hash>(rows: &Rows<P>, initial: &[u32]) -> Incoming {
        let first = rows.first_numbers(initial).into_iter();
        let heard = first.map(|count| (0..count as u32).collect());
        Incoming {
            heard: heard.collect(),
            count: 0,
        }
    }

    /// Reads what is in front of the items of a frame.
    pub fn open<'a, S: Parts>(
        &mut self,
        search: &mut Search<'_, S>,
        initial: &[u32],
        mut reader: Reader<'a>,
    ) -> Result<Body<'a>, Malformed> {
        if reader.number()? != self.count {
            return Err(Malformed("frames came in another order"));
        }
        self.count += 1;
        let length = reader.below(reader.0.len() + 1)?;
        if length > reader.0.len() {
            return Err(Malformed("it ends too early"));
        }
        let (definitions, items) = reader.0.split_at(length);
        let mut body = Body {
            reader: Reader(definitions),
            row: initial.to_vec(),
        };
        while !body.reader.is_over() {
            self.learn(search, &mut body)?;
        }
        body.reader = Reader(items);
        body.row.copy_from_slice(initial);
        Ok(body)
    }

    /// Reads a row.
    pub fn row<P: Clone + Eq + Hash>(
        &self,
        rows: &Rows<P>,
        body: &mut Body<'_>,
    ) -> Result<(), Malformed> {
        let mut mask = body.reader.number()?;
        while mask != 0 {
            let column = mask.trailing_zeros() as usize;
            mask &= mask - 1;
            if column >= body.row.len() {
                return Err(Malformed("there is no such column"));
            }
            let theirs = body.reader.short()? as usize;
            let ours = self.heard[rows.numbers_of(column)].get(theirs);
            body.row[column] = *ours
                .filter(|ours| **ours != UNHEARD)
                .ok_or(Malformed("a part was never defined"))?;
        }
        Ok(())
    }

    /// Reads a definition, and makes the part.
    fn learn<S: Parts>(
        &mut self,
        search: &mut Search<'_, S>,
        body: &mut Body<'_>,
    ) -> Result<(), Malformed> {
        let reader = &mut body.reader;
        let columns = search.rows.columns();
        let (numbers, theirs, check) = (reader.below(columns)?, reader.short()?, reader.short()?);
        let (offer, index) = (reader.below(search.system.offers())?, reader.short()?);
        let column = reader.below(columns)?;
        self.row(&search.rows, body)?;
        let (rows, worker) = (&search.rows, &mut search.workers[0]);
        if rows.numbers_of(column) != numbers {
            return Err(Malformed("a part is of another column"));
        }
        let recipe = Recipe {
            row: body.row.as_slice().into(),
            made: Made {
                offer: offer as u32,
                index,
                column: column as u8,
            },
        };
        let ours = worker
            .follow(rows, recipe)
            .ok_or(Malformed("a part is defined by a step that is not there"))?;
        if worker.hash(rows, numbers, ours) as u32 != check {
            return Err(Malformed("a part is defined as what it is not"));
        }
        let heard = &mut self.heard[numbers];
        // Numbers are given in order, so a number is never far beyond those heard so far.
        if theirs as usize > heard.len() + (1 << 24) {
            return Err(Malformed("a number is too large"));
        }
        if heard.len() <= theirs as usize {
            heard.resize(theirs as usize + 1, UNHEARD);
        }
        heard[theirs as usize] = ours;
        Ok(())
    }

    /// Roughly how many bytes it takes.
    pub fn bytes(&self) -> usize {
        self.heard.iter().map(|heard| 4 * heard.capacity()).sum()
    }
}
