//! The visited states: a set of 64-bit keys in a little over eight bytes each.
//!
//! Open addressing over lines of eight keys, which is what a processor fetches at once, in segments
//! that grow one after the other, so that growing never needs the whole set twice. A key's home is
//! its hash scaled to the number of lines, so the lines are in the order of the hashes and a segment
//! grows by one pass over it.

/// How many segments there are. The top bits of a key's hash choose its segment.
pub(super) const SEGMENTS: usize = 1 << SEGMENT_BITS;

/// The logarithm of it.
pub(super) const SEGMENT_BITS: u32 = 9;

/// Keys are inserted in groups of so many: first the homes of all are looked at, which lets the
/// processor fetch them from memory side by side, then each is inserted.
const GROUP: usize = 32;

/// The first size of a segment, in lines.
const LINES_MIN: usize = 16;

/// No key may be larger, since 0 is how a free slot is marked and each key is kept plus one.
#[cfg(test)]
const KEY_MAX: u64 = u64::MAX - 1;

/// A spread of `key` over 64 bits: the finalizer of SplitMix64 (Steele, Lea and Flood, *Fast
/// Splittable Pseudorandom Number Generators*, 2014).
#[inline]
pub(super) fn hash_of(key: u64) -> u64 {
    let key = (key ^ (key >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let key = (key ^ (key >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    key ^ (key >> 31)
}

/// The segment in which `key` is kept.
#[inline]
pub(super) fn segment_of(key: u64) -> usize {
    (hash_of(key) >> (u64::BITS - SEGMENT_BITS)) as usize
}

/// A place below 2¹⁴ for `key`, which has little to do with its segment.
#[inline]
pub(super) fn place_of(key: u64) -> usize {
    (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 50) as usize
}

/// Eight slots, each a key plus one, or 0 if it is free. Free slots come after the others.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Line([u64; SLOTS]);

/// How many slots a line has.
const SLOTS: usize = 8;

/// What of a key was found in a line.
enum Found {
    /// The key.
    Key,
    /// Not the key, and this slot is free.
    Free(usize),
    /// Not the key, and every slot is taken.
    Full,
}

impl Line {
    #[inline]
    fn find(&self, wanted: u64) -> Found {
        // Without branches until all eight are compared.
        let is_there = self.0.iter().fold(false, |is, slot| is | (*slot == wanted));
        if is_there {
            return Found::Key;
        }
        let taken = self.0.iter().map(|slot| usize::from(*slot != 0)).sum();
        match taken {
            SLOTS => Found::Full,
            free => Found::Free(free),
        }
    }
}

/// Some of the keys: those of one segment.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    lines: Vec<Line>,
    /// How many lines are homes; those after them are for what did not fit further in front.
    homes: usize,
    len: usize,
}

/// Lines behind the last home. A key that finds no room in them makes the segment grow.
const OVERHANG: usize = 4;

impl Segment {
    pub fn new() -> Segment {
        Segment::with_homes(LINES_MIN)
    }

    /// All segments of an empty set. No two have the same size, so that they do not all grow at
    /// once and are, together, always about equally full.
    pub fn all() -> Vec<Segment> {
        (0..SEGMENTS)
            .map(|number| Segment::with_homes(LINES_MIN + number * LINES_MIN * 2 / 5 / SEGMENTS))
            .collect()
    }

    fn with_homes(homes: usize) -> Segment {
        Segment {
            lines: vec![Line([0; SLOTS]); homes + OVERHANG],
            homes,
            len: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn bytes(&self) -> usize {
        self.lines.capacity() * size_of::<Line>()
    }

    #[cfg(test)]
    pub fn contains(&self, key: u64) -> bool {
        let lines = &self.lines[self.home_of(key)..];
        for line in lines {
            match line.find(key + 1) {
                Found::Key => return true,
                Found::Free(_) => return false,
                Found::Full => {}
            }
        }
        false
    }

    /// Every key, in the order of the lines.
    pub fn iter(&self) -> impl Iterator<Item = u64> {
        let slots = self.lines.iter().flat_map(|line| &line.0);
        slots.filter(|slot| **slot != 0).map(|slot| slot - 1)
    }

    /// Inserts `keys`, in order, and hands out the indices of those that were not there.
    pub fn insert_all(&mut self, keys: &[u64], mut new: impl FnMut(usize)) {
        for (base, group) in (0..).step_by(GROUP).zip(keys.chunks(GROUP)) {
            // At most 85 % full, and never so that one group could fill it.
            if (self.len + group.len()) * 20 >= self.homes * SLOTS * 17 {
                self.grow();
            }
            let mut homes = [0_usize; GROUP];
            let mut met = 0;
            for (home, key) in homes.iter_mut().zip(group) {
                *home = self.home_of(*key);
            }
            for home in &homes[..group.len()] {
                met |= self.lines[*home].0[0];
            }
            // The next line too, where the first is full.
            for home in &homes[..group.len()] {
                let is_full = self.lines[*home].0[SLOTS - 1] != 0;
                met |= self.lines[*home + usize::from(is_full)].0[0];
            }
            // Keeps the reads above from being left out.
            std::hint::black_box(met);
            let before = self.homes;
            for (index, key) in group.iter().enumerate() {
                // One that has found no room has made the segment grow: then homes are elsewhere.
                let home = match self.homes == before {
                    true => homes[index],
                    false => self.home_of(*key),
                };
                if self.insert_from(*key, home) {
                    new(base + index);
                }
            }
        }
    }

    /// Inserts one key, and says whether it was not there.
    pub fn insert(&mut self, key: u64) -> bool {
        let mut is_new = false;
        self.insert_all(&[key], |_| is_new = true);
        is_new
    }

    #[inline]
    fn home_of(&self, key: u64) -> usize {
        let within = hash_of(key) << SEGMENT_BITS;
        ((u128::from(within) * self.homes as u128) >> 64) as usize
    }

    #[inline]
    fn insert_from(&mut self, key: u64, home: usize) -> bool {
        for line in &mut self.lines[home..] {
            match line.find(key + 1) {
                Found::Key => return false,
                Found::Free(slot) => {
                    line.0[slot] = key + 1;
                    self.len += 1;
                    return true;
                }
                Found::Full => {}
            }
        }
        self.grow();
        self.insert_from(key, self.home_of(key))
    }

    fn grow(&mut self) {
        let mut larger = Segment::with_homes(self.homes + self.homes * 2 / 5);
        for key in self.iter() {
            let home = larger.home_of(key);
            larger.insert_from(key, home);
        }
        *self = larger;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn it_holds_what_was_inserted_and_nothing_else() {
        let mut segments = Segment::all();
        let mut expected = BTreeSet::new();
        let mut key = 1_u64;
        for round in 0..20_000_u64 {
            key = key
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(round)
                % 9_973_000;
            assert_eq!(segments[segment_of(key)].insert(key), expected.insert(key));
        }
        let kept: BTreeSet<u64> = segments.iter().flat_map(Segment::iter).collect();
        assert_eq!(kept, expected);
        assert_eq!(
            segments.iter().map(Segment::len).sum::<usize>(),
            expected.len()
        );
        assert!(
            (0..1000).all(|key| segments[segment_of(key)].contains(key) == expected.contains(&key))
        );
    }

    #[test]
    fn the_least_and_the_greatest_key_have_room() {
        let mut segment = Segment::new();
        for key in [0, KEY_MAX] {
            assert!(segment.insert(key) && !segment.insert(key) && segment.contains(key));
        }
    }

    #[test]
    fn a_key_given_twice_at_once_is_new_once() {
        let (mut segment, mut new) = (Segment::new(), Vec::new());
        segment.insert_all(&[7, 7, 9, 7], |index| new.push(index));
        assert_eq!(new, [0, 2]);
    }

    /// A segment whose last lines are full grows amid a group, and then the homes of the rest are others.
    #[test]
    fn a_group_amid_which_a_segment_grows_is_found_again() {
        let mut key = 1_u64;
        for _ in 0..4_000 {
            let mut segment = Segment::new();
            let keys: Vec<u64> = std::iter::repeat_with(|| {
                key = key.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                key >> 1
            })
            .take(600)
            .collect();
            segment.insert_all(&keys, |_| {});
            segment.insert_all(&keys, |index| panic!("{} is there", keys[index]));
        }
    }

    #[test]
    fn indices_go_on_from_group_to_group() {
        let (mut segment, mut new) = (Segment::new(), Vec::new());
        let keys: Vec<u64> = (0..100).collect();
        segment.insert_all(&keys, |index| new.push(index));
        assert_eq!(new, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_large_segment_takes_little_more_than_eight_bytes_a_key() {
        let mut segment = Segment::new();
        let keys: Vec<u64> = (0..300_000).collect();
        segment.insert_all(&keys, |_| {});
        assert!(segment.bytes() < 14 * segment.len(), "{}", segment.bytes());
    }
}
