//! The visited states as bits: supertrace.
//!
//! Of a state a few bits are set, at places that follow from its fingerprint; a state all of whose
//! bits are set counts as visited, though it may be another one's doing (Holzmann, *An Analysis of
//! Bitstate Hashing*, 1998; a Bloom filter). So states are missed, and the search is never more than
//! an incomplete one, but a state takes a few bits, and the array never grows. The places are those
//! of double hashing (Dillinger and Manolios, *Bloom Filters in Probabilistic Verification*, 2004).

use super::key_set::{SEGMENT_BITS, SEGMENTS, hash_of};
use serde::{Deserialize, Serialize};
use std::io;

/// How many bits are set for each state.
pub(super) const HASHES: u32 = 3;

/// The least and the greatest logarithm of the number of bits.
pub const BITSTATE: std::ops::RangeInclusive<u32> = 16..=40;

/// The share of one segment.
pub(super) struct Bits {
    words: Vec<u64>,
    len: usize,
}

impl Bits {
    /// All segments of 2^`bits` bits; `None` if that is more than `bytes_max`, or than there is.
    pub fn all(bits: u32, bytes_max: u64) -> Option<Vec<Bits>> {
        let bits = bits.clamp(*BITSTATE.start(), *BITSTATE.end());
        if 1 << bits > bytes_max.saturating_mul(8) {
            return None;
        }
        let count = 1 << (bits - SEGMENT_BITS - u64::BITS.trailing_zeros());
        let segment = |_| {
            let mut words = Vec::new();
            words.try_reserve_exact(count).ok()?;
            words.resize(count, 0);
            Some(Bits { words, len: 0 })
        };
        (0..SEGMENTS).map(segment).collect()
    }

    /// How many states counted as new.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }

    /// All bits.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// Makes them what they were when so many states counted as new.
    pub fn fill(
        &mut self,
        len: usize,
        mut next: impl FnMut() -> io::Result<u64>,
    ) -> io::Result<()> {
        self.len = len;
        for word in &mut self.words {
            *word = next()?;
        }
        Ok(())
    }

    /// How many bits are set.
    fn set(&self) -> u64 {
        self.words
            .iter()
            .map(|word| u64::from(word.count_ones()))
            .sum()
    }

    /// Inserts `keys`, in order, and hands out the indices of those that count as new.
    pub fn insert_all(&mut self, keys: &[u64], mut new: impl FnMut(usize)) {
        for (index, key) in keys.iter().enumerate() {
            if self.insert(*key) {
                new(index);
            }
        }
    }

    /// Inserts one key, and says whether it counts as new.
    pub fn insert(&mut self, key: u64) -> bool {
        let mask = self.words.len() as u64 * u64::from(u64::BITS) - 1;
        let hash = hash_of(key);
        // Odd, so that the places differ; the top bits of the other chose the segment.
        let step = hash_of(hash ^ 0x9e37_79b9_7f4a_7c15) | 1;
        let mut is_new = false;
        for number in 0..u64::from(HASHES) {
            let place = hash.wrapping_add(step.wrapping_mul(number)) & mask;
            let (word, bit) = ((place / 64) as usize, 1 << (place % 64));
            is_new |= self.words[word] & bit == 0;
            self.words[word] |= bit;
        }
        self.len += usize::from(is_new);
        is_new
    }
}

/// How good a search by bits was.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Coverage {
    /// The logarithm of the number of bits.
    pub bits: u32,
    /// How many bits are set for each state.
    pub hashes: u32,
    /// Which part of the bits is set.
    pub fill: f64,
    /// Which part of the states that were met was, at least, not taken for others, as one expects
    /// from the fill at the end. States that only a missed one leads to are not in this account.
    pub estimate: f64,
}

/// How good the search was that has left these bits.
pub(super) fn coverage(segments: &[Bits]) -> Coverage {
    let all: usize = segments.iter().map(|bits| bits.words.len()).sum();
    let all = all as u64 * u64::from(u64::BITS);
    let set: u64 = segments.iter().map(Bits::set).sum();
    let fill = set as f64 / all.max(1) as f64;
    Coverage {
        bits: all.max(1).ilog2(),
        hashes: HASHES,
        fill,
        estimate: 1.0 - fill.powi(HASHES as i32),
    }
}

#[cfg(test)]
mod tests {
    use super::super::key_set::segment_of;
    use super::*;

    /// As many keys are missed as the fill says, all in all: the sum of fill³ over the way.
    #[test]
    fn few_are_missed_as_long_as_few_bits_are_set() {
        let mut segments = Bits::all(16, u64::MAX).expect("8 KiB");
        let mut missed = 0;
        let mut expected = 0.0;
        for key in 0..8_000_u64 {
            if key % 500 == 0 {
                expected += 500.0 * coverage(&segments).fill.powi(3);
            }
            missed += u32::from(!segments[segment_of(key)].insert(key));
        }
        let coverage = coverage(&segments);
        // 1 - e^(-3·8000/65536)
        assert!((coverage.fill - 0.307).abs() < 0.01, "{coverage:?}");
        assert!((coverage.estimate - 0.971).abs() < 0.005, "{coverage:?}");
        let missed = f64::from(missed);
        assert!(
            missed > expected / 2.0 && missed < expected * 2.0,
            "{missed} {expected}"
        );
        let len: usize = segments.iter().map(Bits::len).sum();
        assert_eq!(len as f64, 8_000.0 - missed);
        assert_eq!(coverage.bits, 16);
    }

    #[test]
    fn what_is_there_is_not_new() {
        let mut segments = Bits::all(20, 1 << 17).expect("128 KiB");
        let mut new = Vec::new();
        segments[7].insert_all(&[5, 6, 5], |index| new.push(index));
        assert_eq!(new, [0, 1]);
        assert_eq!(segments.iter().map(Bits::bytes).sum::<usize>(), 1 << 17);
    }
}
