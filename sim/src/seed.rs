//! What a seed means, for ever: ChaCha8 under a key of our own making, and our own bounded
//! integers.
//!
//! Nothing here leaves a choice to a library: `rand_chacha` does the cipher, whose output is fixed
//! by test vectors, and the rest is a few lines below. `tests/seeds.rs` holds the first values, so
//! that a seed can never change its meaning unnoticed.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::ops::Range;

/// The upper 24 bytes of every key. It keeps our streams apart from those of anybody else who uses
/// a small seed.
const KEY_TAIL: &[u8; 24] = b"blockrace schedule seeds";

/// 2⁶⁴ divided by the golden ratio, made odd: the increment of SplitMix64.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The seed of run `index` of the campaign with the root seed `root`.
///
/// It is `mix(mix(root) + (index + 1) × GOLDEN)`, modulo 2⁶⁴, where `mix` is the finaliser of
/// SplitMix64. For one root, no two indices have the same seed, since every operation is a
/// bijection; for root 0, run *i* has output *i* of the reference SplitMix64 seeded with 0.
///
/// Source: Steele, Lea, Flood, *Fast Splittable Pseudorandom Number Generators*, 2014; the
/// constants are Vigna's (`splitmix64.c`).
#[must_use]
pub fn run_seed(root: u64, index: u64) -> u64 {
    mix(mix(root).wrapping_add(index.wrapping_add(1).wrapping_mul(GOLDEN)))
}

/// The finaliser of SplitMix64, a bijection of the 64-bit numbers that maps 0 to 0.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The random numbers of one run: a function of its seed.
///
/// The stream is ChaCha8 (Bernstein, *ChaCha, a variant of Salsa20*, 2008) with nonce 0, from block
/// 0 on, under the key whose first eight bytes are the seed, little-endian, and whose other 24 are
/// the ASCII text `blockrace schedule seeds`. It is taken in words of 32 bits, each little-endian;
/// a 64-bit number is two of them, the lower first.
#[derive(Clone, Debug)]
pub struct Randomness {
    /// It makes 64 words at a time; a draw is mostly a look into its buffer.
    words: ChaCha8Rng,
}

impl Randomness {
    /// The stream of `seed`, from its beginning.
    #[must_use]
    pub fn new(seed: u64) -> Randomness {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..].copy_from_slice(KEY_TAIL);
        Randomness {
            words: ChaCha8Rng::from_seed(key),
        }
    }

    /// A number below `bound`, all of them equally likely. For `bound` 1 nothing is drawn.
    ///
    /// Lemire, *Fast Random Integer Generation in an Interval*, 2019: multiply, keep the upper
    /// word, and draw again in the few cases that would make some numbers likelier.
    ///
    /// # Panics
    ///
    /// When `bound` is 0: there is no such number.
    #[inline]
    pub fn below(&mut self, bound: u32) -> u32 {
        assert!(bound > 0, "internal bug: a number below 0 was asked for");
        if bound == 1 {
            return 0;
        }
        loop {
            let product = u64::from(self.words.next_u32()) * u64::from(bound);
            let low = product as u32;
            // The remainder is only computed when it can matter; it is below `bound`.
            if low >= bound || low >= bound.wrapping_neg() % bound {
                return (product >> 32) as u32;
            }
        }
    }

    /// As [`Randomness::below`], for bounds that may need 64 bits. It draws other numbers than
    /// `below` does.
    ///
    /// # Panics
    ///
    /// When `bound` is 0.
    #[inline]
    pub fn below_u64(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "internal bug: a number below 0 was asked for");
        if bound == 1 {
            return 0;
        }
        loop {
            let product = u128::from(self.words.next_u64()) * u128::from(bound);
            let low = product as u64;
            if low >= bound || low >= bound.wrapping_neg() % bound {
                return (product >> 64) as u64;
            }
        }
    }

    /// Any 64-bit number, all of them equally likely.
    #[inline]
    pub fn word(&mut self) -> u64 {
        self.words.next_u64()
    }
}

/// Part `part` of `parts` of some runs, counted from 1: the parts follow each other without a gap, together
/// are `runs`, and their sizes differ by at most one.
///
/// # Panics
///
/// When there is no such part.
#[must_use]
pub fn slice(runs: &Range<u64>, part: u64, parts: u64) -> Range<u64> {
    assert!(
        (1..=parts).contains(&part),
        "internal bug: there is no part {part} of {parts}"
    );
    let count = u128::from(runs.end.saturating_sub(runs.start));
    // At most `count`, so it fits.
    let before = |part: u64| (count * u128::from(part) / u128::from(parts)) as u64;
    runs.start + before(part - 1)..runs.start + before(part)
}
