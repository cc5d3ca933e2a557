//! Hashes that mean the same on every machine: XXH3, fed in one fixed byte order.
//!
//! `std`'s default hasher is keyed at random and `Hasher`'s integers come in the machine's own byte
//! order. The hasher here takes every integer little-endian and `usize` as 64 bits, so that a
//! derived `Hash` gives the same value tomorrow and elsewhere.
//!
//! Not covered: `std` hands a *slice* of integers wider than a byte over as raw memory, so a
//! `Vec<u32>` hashes differently on a big-endian machine, and a `Vec<usize>` on a 32-bit one. What
//! derived `Hash` feeds is not promised by `std` either; `a_derived_hash_keeps_its_value` would
//! notice a change.

use std::hash::{Hash, Hasher};
use xxhash_rust::xxh3::{Xxh3Default, xxh3_128};

/// Size in bytes of the buffer in front of XXH3: most states and observations fit, and then one
/// call hashes them.
const BUFFER_SIZE: usize = 256;

/// A [`Hasher`] over XXH3 with 128 bits of result (XXH3 of xxHash 0.8 with the default secret and
/// seed 0).
///
/// It does not allocate.
#[derive(Clone)]
pub struct StableHasher {
    /// The bytes fed last, up to `buffered`; they have not yet been given to `long`.
    buffer: [u8; BUFFER_SIZE],
    /// Below or equal to `BUFFER_SIZE`.
    buffered: usize,
    /// Everything before `buffer`; `None` as long as it all fits into `buffer`.
    long: Option<Xxh3Default>,
}

impl StableHasher {
    /// A hasher that has been fed nothing.
    #[must_use]
    #[inline]
    pub fn new() -> StableHasher {
        StableHasher {
            buffer: [0; BUFFER_SIZE],
            buffered: 0,
            long: None,
        }
    }

    /// The 128-bit hash of the bytes fed so far. The hasher can be fed on.
    #[must_use]
    pub fn finish_128(&self) -> u128 {
        let rest = &self.buffer[..self.buffered];
        match &self.long {
            None => xxh3_128(rest),
            Some(long) => {
                let mut long = long.clone();
                long.update(rest);
                long.digest128()
            }
        }
    }

    /// Empties the buffer into XXH3's stream and adds `bytes` to it.
    #[cold]
    fn spill(&mut self, bytes: &[u8]) {
        let long = self.long.get_or_insert_default();
        long.update(&self.buffer[..self.buffered]);
        long.update(bytes);
        self.buffered = 0;
    }
}

impl Default for StableHasher {
    fn default() -> StableHasher {
        StableHasher::new()
    }
}

impl Hasher for StableHasher {
    /// The lower half of [`StableHasher::finish_128`].
    fn finish(&self) -> u64 {
        self.finish_128() as u64
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let end = self.buffered + bytes.len();
        match self.buffer.get_mut(self.buffered..end) {
            Some(free) => {
                free.copy_from_slice(bytes);
                self.buffered = end;
            }
            None => self.spill(bytes),
        }
    }

    #[inline]
    fn write_u16(&mut self, i: u16) {
        self.write(&i.to_le_bytes());
    }

    #[inline]
    fn write_u32(&mut self, i: u32) {
        self.write(&i.to_le_bytes());
    }

    #[inline]
    fn write_u64(&mut self, i: u64) {
        self.write(&i.to_le_bytes());
    }

    #[inline]
    fn write_u128(&mut self, i: u128) {
        self.write(&i.to_le_bytes());
    }

    #[inline]
    fn write_usize(&mut self, i: usize) {
        self.write_u64(i as u64);
    }

    // The signed ones go through the unsigned ones by default, but `isize`, as which a derived
    // `Hash` feeds the number of an enum's variant, would then be as wide as the machine says, and
    // extended without its sign.
    #[inline]
    fn write_isize(&mut self, i: isize) {
        self.write_u64(i as i64 as u64);
    }
}

/// The 128-bit hash of one value; what [`System::fingerprint`](crate::System::fingerprint) usually
/// returns.
#[must_use]
pub fn fingerprint_of<T: Hash + ?Sized>(value: &T) -> u128 {
    let mut hasher = StableHasher::new();
    value.hash(&mut hasher);
    hasher.finish_128()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hash of no bytes is a constant of XXH3 (`XXH3_128bits(NULL, 0)` of the reference
    /// implementation).
    #[test]
    fn nothing_hashes_as_the_reference_says() {
        assert_eq!(
            StableHasher::new().finish_128(),
            0x99aa06d3014798d86001c324468d497f
        );
    }

    #[test]
    fn how_the_bytes_are_cut_does_not_matter() {
        let bytes: Vec<u8> = (0..2000_u32).map(|i| (i * i / 8) as u8).collect();
        for size in [0, 1, 255, 256, 257, 511, 512, 513, 2000] {
            let expected = xxh3_128(&bytes[..size]);
            for piece in [1, 3, 8, 100, 256, 300] {
                let mut hasher = StableHasher::new();
                bytes[..size]
                    .chunks(piece)
                    .for_each(|chunk| hasher.write(chunk));
                assert_eq!(
                    hasher.finish_128(),
                    expected,
                    "{size} bytes in pieces of {piece}"
                );
            }
        }
    }

    #[test]
    fn integers_are_fed_little_endian_and_sizes_as_64_bits() {
        let mut hasher = StableHasher::new();
        hasher.write_u16(0x0102);
        hasher.write_i32(-2);
        hasher.write_usize(3);
        hasher.write_isize(-4);
        let mut bytes = vec![2, 1, 0xfe, 0xff, 0xff, 0xff, 3, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend_from_slice(&(-4_i64).to_le_bytes());
        assert_eq!(hasher.finish_128(), xxh3_128(&bytes));
    }

    #[derive(Hash)]
    enum Shape {
        Square { side: u16 },
        Named(String, Option<i8>, Vec<u8>),
    }

    #[test]
    fn a_derived_hash_keeps_its_value() {
        let check =
            |fingerprint: u128, parts: &[&[u8]]| assert_eq!(fingerprint, xxh3_128(&parts.concat()));
        let number = |n: u64| n.to_le_bytes();
        check(
            fingerprint_of(&Shape::Square { side: 7 }),
            &[&number(0), &[7, 0]],
        );
        check(
            fingerprint_of(&Shape::Named("circle".into(), Some(-1), vec![1, 2, 3])),
            &[
                &number(1),
                b"circle\xff",
                &number(1),
                &[0xff],
                &number(3),
                &[1, 2, 3],
            ],
        );
        check(
            fingerprint_of(&(1_u32, None::<u8>, "x")),
            &[&[1, 0, 0, 0], &number(0), b"x\xff"],
        );
    }
}
