//! How many different things were seen, in bounded memory, whatever their order.

use crate::hash::fingerprint_of;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many different things are told apart exactly: 2²⁰.
const SAMPLE_MAX: usize = 1 << 20;

/// Counts different things: exactly up to a limit, and by a sample beyond it.
///
/// It keeps the things whose hash ends in `level` zero bits, and when there are more than the limit,
/// `level` goes up: adaptive sampling (Wegman; Flajolet, *On Adaptive Sampling*, 1990). What is kept is a
/// function of the set of things seen and not of their order, and of each thing kept it is known whether it
/// was seen again. The standard error of a count is 1.2 / √limit, which is 0.12 %.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Census {
    limit: usize,
    level: u32,
    /// For each hash kept, whether it was seen more than once.
    sample: BTreeMap<u64, bool>,
}

/// How many different things there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// How many.
    pub distinct: u64,
    /// How many of them were seen exactly once.
    pub once: u64,
    /// Whether both numbers were estimated from a sample, because there were too many to keep.
    pub estimated: bool,
}

impl Count {
    /// How likely the next one of `seen` such draws is something new: the share of draws that were seen
    /// exactly once (Good, *The Population Frequencies of Species and the Estimation of Population
    /// Parameters*, 1953, after Turing). Without any draw, 1.
    #[must_use]
    pub fn chance_of_new(&self, seen: u64) -> f64 {
        match seen {
            0 => 1.0,
            _ => self.once.min(seen) as f64 / seen as f64,
        }
    }
}

impl Census {
    /// One that keeps at most `limit` things.
    #[must_use]
    pub fn new(limit: usize) -> Census {
        Census {
            limit,
            level: 0,
            sample: BTreeMap::new(),
        }
    }

    /// Something was seen.
    pub fn enter(&mut self, thing: u128) {
        let hash = fingerprint_of(&thing) as u64;
        if !is_kept(hash, self.level) {
            return;
        }
        self.sample
            .entry(hash)
            .and_modify(|again| *again = true)
            .or_insert(false);
        self.fit();
    }

    /// Everything that another census has seen was seen here, too. What comes of censuses with one limit is what one
    /// census of it all would be, whatever was seen where.
    pub fn add(&mut self, other: &Census) {
        self.level = self.level.max(other.level);
        let level = self.level;
        self.sample.retain(|hash, _| is_kept(*hash, level));
        for (&hash, &again) in &other.sample {
            if is_kept(hash, level) {
                self.sample
                    .entry(hash)
                    .and_modify(|mine| *mine = true)
                    .or_insert(again);
            }
        }
        self.fit();
    }

    /// How many zero bits the hashes end in that are kept, and these, each with whether it was seen again:
    /// [`Census::of_sample`] makes the census of them.
    pub fn sample(&self) -> (u32, impl Iterator<Item = (u64, bool)>) {
        let pairs = self.sample.iter().map(|(hash, again)| (*hash, *again));
        (self.level, pairs)
    }

    /// The census with the usual limit that has this [`sample`](Census::sample); nothing if none can have it.
    pub fn of_sample(level: u32, pairs: impl IntoIterator<Item = (u64, bool)>) -> Option<Census> {
        let mut census = Census {
            level,
            ..Census::default()
        };
        for (hash, again) in pairs {
            let is_new = census.sample.insert(hash, again).is_none();
            if !is_new || !is_kept(hash, level) {
                return None;
            }
        }
        (level <= u64::BITS && census.sample.len() <= census.limit).then_some(census)
    }

    /// Keeps no more than the limit.
    fn fit(&mut self) {
        while self.sample.len() > self.limit && self.level < u64::BITS {
            self.level += 1;
            let level = self.level;
            self.sample.retain(|hash, _| is_kept(*hash, level));
        }
    }

    /// What is known so far.
    #[must_use]
    pub fn count(&self) -> Count {
        let scaled = |count: usize| (count as u64).saturating_mul(1 << self.level.min(63));
        Count {
            distinct: scaled(self.sample.len()),
            once: scaled(self.sample.values().filter(|again| !**again).count()),
            estimated: self.level > 0,
        }
    }
}

impl Default for Census {
    fn default() -> Census {
        Census::new(SAMPLE_MAX)
    }
}

fn is_kept(hash: u64, level: u32) -> bool {
    hash.trailing_zeros() >= level
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Thing *n* is seen *n* modulo 3 times more than once.
    fn seen(limit: usize, things: impl Iterator<Item = u64>) -> Census {
        let mut census = Census::new(limit);
        for thing in things {
            (0..=thing % 3).for_each(|_| census.enter(u128::from(thing)));
        }
        census
    }

    #[test]
    fn below_its_limit_a_census_is_exact() {
        let count = seen(3_000, 0..3_000).count();
        let expected = Count {
            distinct: 3_000,
            once: 1_000,
            estimated: false,
        };
        assert_eq!(count, expected);
        assert_eq!(Census::default().count(), Count::default());
    }

    #[test]
    fn beyond_it_memory_is_bounded_and_the_count_close() {
        let census = seen(1_000, 0..300_000);
        assert!(census.sample.len() <= 1_000);
        let Count {
            distinct,
            once,
            estimated,
        } = census.count();
        assert!(estimated);
        // Three standard errors: 3 × 1.2 / √1000 are 11 %; a third of them has a standard error of its own.
        assert!((266_000..334_000).contains(&distinct), "{distinct}");
        assert!((80_000..120_000).contains(&once), "{once}");
    }

    #[test]
    fn the_order_does_not_matter() {
        let forth = seen(100, 0..5_000);
        let back = seen(100, (0..5_000).rev());
        assert_eq!((forth.level, forth.sample), (back.level, back.sample));
    }

    #[test]
    fn censuses_of_parts_are_the_census_of_the_whole() {
        for limit in [10, 100, 100_000] {
            let whole = seen(limit, (0..3_000).chain(1_000..4_000));
            let parts = [0..1_500, 1_500..3_000, 1_000..1_001, 1_001..4_000, 0..0];
            let mut added = Census::new(limit);
            for part in parts.map(|part| seen(limit, part)) {
                added.add(&part);
            }
            assert_eq!(added, whole, "{limit}");
        }
    }

    #[test]
    fn a_census_can_be_made_of_its_sample() {
        let census = seen(1 << 20, 0..3_000);
        let (level, pairs) = census.sample();
        assert_eq!(Census::of_sample(level, pairs), Some(census.clone()));
        // Hashes that no census of that level keeps, or that stand there twice.
        assert_eq!(Census::of_sample(1, [(3, false)]), None);
        assert_eq!(Census::of_sample(0, [(3, false), (3, true)]), None);
        assert_eq!(Census::of_sample(65, []), None);
    }

    /// Draws from 100 equally likely things: after *n* draws the chance of a new one is, on average,
    /// (1 − 1/100)ⁿ.
    #[test]
    fn good_and_turing_know_how_much_is_missing() {
        let check = |draws: u64, expected: f64| {
            let campaigns = 400;
            let estimate = |root| {
                let mut randomness = crate::seed::Randomness::new(root);
                let mut census = Census::default();
                (0..draws).for_each(|_| census.enter(u128::from(randomness.below(100))));
                census.count().chance_of_new(draws)
            };
            let mean = (0..campaigns).map(estimate).sum::<f64>() / campaigns as f64;
            assert!((mean - expected).abs() < 0.02, "{draws} draws: {mean}");
        };
        check(1, 1.0);
        check(10, 0.904);
        check(100, 0.366);
        check(300, 0.049);
        assert_eq!(Count::default().chance_of_new(0), 1.0);
    }
}
