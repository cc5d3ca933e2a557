//! Values over ranges of numbers, kept as sorted runs: an image's contents, a bitmap's bits.
//!
//! The cost of everything follows the number of runs, never the length of what they lie in, so a
//! terabyte with four writes costs what a megabyte with four writes costs. Equal contents are
//! equal structs (touching runs of one value are always merged), so `==` and `Hash` compare what
//! is stored and not how it came about.

use std::hash::Hash;

/// A half-open range: bytes of an image, or granules of a bitmap.
pub type Range = std::ops::Range<u64>;

/// Which numbers have a value, and which value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Runs<T> {
    /// Ascending, disjoint, none empty; two that touch have different values.
    runs: Vec<Run<T>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Run<T> {
    start: u64,
    end: u64,
    value: T,
}

impl<T> Default for Runs<T> {
    fn default() -> Self {
        Runs { runs: Vec::new() }
    }
}

impl<T: Copy + Eq + Hash> Runs<T> {
    /// No number has a value. Does not allocate.
    pub fn new() -> Self {
        Runs::default()
    }

    /// One value over one range (which may be empty).
    pub fn of(range: Range, value: T) -> Self {
        let mut runs = Runs::new();
        runs.set(range, value);
        runs
    }

    /// Whether no number has a value.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The number of runs: what this costs.
    pub fn len(&self) -> usize {
        self.runs.len()
    }

    /// How many numbers have a value.
    pub fn total(&self) -> u64 {
        self.runs.iter().map(|run| run.end - run.start).sum()
    }

    /// Gives the whole range one value. An empty range changes nothing.
    pub fn set(&mut self, range: Range, value: T) {
        if range.start >= range.end {
            return;
        }
        // Chunks mostly come in ascending order: extending the end is the common case.
        match self.runs.last_mut() {
            Some(last) if last.end > range.start => self.replace(range, Some(value)),
            Some(last) if last.end == range.start && last.value == value => last.end = range.end,
            _ => self.runs.push(Run {
                start: range.start,
                end: range.end,
                value,
            }),
        }
    }

    /// Takes every value in the range away.
    pub fn clear(&mut self, range: Range) {
        if range.start < range.end {
            self.replace(range, None);
        }
    }

    /// Takes every value at `end` and after it away.
    pub fn truncate(&mut self, end: u64) {
        let kept = self.runs.partition_point(|run| run.start < end);
        self.runs.truncate(kept);
        if let Some(last) = self.runs.last_mut() {
            last.end = last.end.min(end);
        }
    }

    /// The value at one number.
    pub fn get(&self, at: u64) -> Option<T> {
        let run = self.runs.get(self.ends_after(at))?;
        (run.start <= at).then_some(run.value)
    }

    /// The value (or its absence) at `at`, and where it ends: at `limit` at the latest.
    pub fn extent(&self, at: u64, limit: u64) -> (Option<T>, u64) {
        assert!(at < limit, "internal bug: an extent of nothing");
        match self.runs.get(self.ends_after(at)) {
            Some(run) if run.start <= at => (Some(run.value), run.end.min(limit)),
            Some(run) => (None, run.start.min(limit)),
            None => (None, limit),
        }
    }

    /// The first run that ends after `at`, whole: it may begin before `at`.
    pub fn next_from(&self, at: u64) -> Option<(Range, T)> {
        let run = self.runs.get(self.ends_after(at))?;
        Some((run.start..run.end, run.value))
    }

    /// Every run, ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Range, T)> + ExactSizeIterator + Clone {
        self.runs.iter().map(|run| (run.start..run.end, run.value))
    }

    /// Pieces that tile the range exactly, gaps included (as `None`).
    pub fn over(&self, range: Range) -> Over<'_, T> {
        Over {
            runs: &self.runs[self.ends_after(range.start)..],
            at: range.start,
            end: range.end,
        }
    }

    /// The index of the first run that ends after `at`.
    fn ends_after(&self, at: u64) -> usize {
        self.runs.partition_point(|run| run.end <= at)
    }

    /// Puts `value` (or nothing) in the place of all that the range, which is not empty, holds.
    fn replace(&mut self, range: Range, value: Option<T>) {
        // Runs that only touch the range are looked at too: they may have to be merged with it.
        let first = self.runs.partition_point(|run| run.end < range.start);
        let after = first + self.runs[first..].partition_point(|run| run.start <= range.end);
        let mut pieces = Pieces {
            list: [None; 3],
            count: 0,
        };
        if let [left, ..] = self.runs[first..after]
            && left.start < range.start
        {
            if left.end >= range.end && value == Some(left.value) {
                return;
            }
            pieces.push(left.start, left.end.min(range.start), left.value);
        }
        if let Some(value) = value {
            pieces.push(range.start, range.end, value);
        }
        if let [.., right] = self.runs[first..after]
            && right.end > range.end
        {
            pieces.push(right.start.max(range.end), right.end, right.value);
        }
        self.splice(first, after, pieces);
    }

    /// `Vec::splice` for a few small elements, most often as many as there were.
    fn splice(&mut self, first: usize, after: usize, pieces: Pieces<T>) {
        let common = pieces.count.min(after - first);
        self.runs.drain(first + common..after);
        for (index, piece) in pieces.list.into_iter().flatten().enumerate() {
            if index < common {
                self.runs[first + index] = piece;
            } else {
                self.runs.insert(first + index, piece);
            }
        }
    }
}

/// Later pairs win where they overlap earlier ones.
impl<T: Copy + Eq + Hash> FromIterator<(Range, T)> for Runs<T> {
    fn from_iter<I: IntoIterator<Item = (Range, T)>>(pairs: I) -> Self {
        let mut runs = Runs::new();
        for (range, value) in pairs {
            runs.set(range, value);
        }
        runs
    }
}

/// What takes the place of some runs: a left remainder, the new run, a right remainder.
struct Pieces<T> {
    list: [Option<Run<T>>; 3],
    count: usize,
}

impl<T: Copy + Eq> Pieces<T> {
    /// Adds a run after the others, or to the last one if that touches it and has its value.
    fn push(&mut self, start: u64, end: u64, value: T) {
        if let Some(Some(last)) = self.list[..self.count].last_mut()
            && last.end == start
            && last.value == value
        {
            last.end = end;
        } else {
            self.list[self.count] = Some(Run { start, end, value });
            self.count += 1;
        }
    }
}

/// Iterates over the pieces of a range; see [`Runs::over`].
#[derive(Clone, Debug)]
pub struct Over<'a, T> {
    /// Those that end after `at`.
    runs: &'a [Run<T>],
    at: u64,
    end: u64,
}

impl<T: Copy> Iterator for Over<'_, T> {
    type Item = (Range, Option<T>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let start = self.at;
        let value = match self.runs {
            [run, rest @ ..] if run.start <= start => {
                self.at = run.end;
                self.runs = rest;
                Some(run.value)
            }
            [run, ..] => {
                self.at = run.start;
                None
            }
            [] => {
                self.at = self.end;
                None
            }
        };
        Some((start..self.at.min(self.end), value))
    }
}

/// A set of numbers: the dirty granules of a bitmap.
pub type Bits = Runs<()>;

impl Bits {
    /// Adds every number of `other`.
    ///
    /// QEMU: `hbitmap_merge` of two bitmaps of one granularity.
    pub fn union(&mut self, other: &Bits) {
        match other.runs[..] {
            [] => {}
            [run] => self.set(run.start..run.end, ()),
            _ if self.is_empty() => self.clone_from(other),
            _ => self.runs = merge(&self.runs, &other.runs),
        }
    }

    /// Takes every number of `other` away.
    pub fn subtract(&mut self, other: &Bits) {
        match other.runs[..] {
            [] => {}
            [run] => self.clear(run.start..run.end),
            _ => {
                let pieces = self.iter().flat_map(|(range, ())| other.over(range));
                let kept = pieces.filter(|(_, taken)| taken.is_none());
                *self = kept.map(|(range, _)| (range, ())).collect();
            }
        }
    }

    /// Whether any number of the range is in the set.
    pub fn intersects(&self, range: Range) -> bool {
        let next = self.runs.get(self.ends_after(range.start));
        range.start < range.end && next.is_some_and(|run| run.start < range.end)
    }

    /// Whether every number of the range is in the set; true of an empty range.
    pub fn covers(&self, range: Range) -> bool {
        range.start >= range.end || self.extent(range.start, range.end) == (Some(()), range.end)
    }
}

/// The union of two sorted lists of runs, in one pass over both.
fn merge(mut left: &[Run<()>], mut right: &[Run<()>]) -> Vec<Run<()>> {
    let mut merged: Vec<Run<()>> = Vec::with_capacity(left.len() + right.len());
    loop {
        let next = match (left, right) {
            ([], []) => return merged,
            ([run, rest @ ..], []) => {
                left = rest;
                run
            }
            ([run, rest @ ..], [other, ..]) if run.start <= other.start => {
                left = rest;
                run
            }
            (_, [run, rest @ ..]) => {
                right = rest;
                run
            }
        };
        match merged.last_mut() {
            Some(last) if next.start <= last.end => last.end = last.end.max(next.end),
            _ => merged.push(*next),
        }
    }
}
