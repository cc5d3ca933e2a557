//! States that were handed to their owners lately, so that most are not handed over twice.

use super::super::key_set::hash_of;

/// So many are remembered.
const PLACES: usize = 1 << 18;

/// What no key is.
const NOTHING: u64 = u64::MAX;

/// The keys delivered last, each in the place that its hash gives it.
pub(super) struct Delivered {
    keys: Vec<u64>,
    /// The packing that they are of: see [`Search::packings`](super::super::Search).
    packing: u64,
}

impl Delivered {
    pub fn new() -> Delivered {
        Delivered {
            keys: vec![NOTHING; PLACES],
            packing: 0,
        }
    }

    /// Whether a key of this packing was not delivered lately; now it was.
    pub fn is_new(&mut self, key: u64, packing: u64) -> bool {
        if self.packing != packing {
            self.keys.fill(NOTHING);
            self.packing = packing;
        }
        // The upper bits decide who owns it, and where it is in the visited set.
        let place = &mut self.keys[hash_of(key) as usize % PLACES];
        let is_new = *place != key;
        *place = key;
        is_new
    }

    pub fn bytes(&self) -> usize {
        self.keys.capacity() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_new_once_and_again_when_it_means_something_else() {
        let mut delivered = Delivered::new();
        for packing in 0..2 {
            assert!(delivered.is_new(7, packing));
            assert!(!delivered.is_new(7, packing));
            assert!(delivered.is_new(0, packing));
        }
    }
}
