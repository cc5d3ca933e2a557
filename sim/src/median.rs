//! The median of a sample and an interval for it, without any assumption about how the values are distributed.
//!
//! The interval is the classic one of order statistics. Whatever the distribution, a value drawn from it lies below its
//! median with probability at most one half; so how many of *n* do is bounded by the binomial distribution B(n, ½), and
//! the median lies between the *r*-th smallest and the *r*-th largest value with probability at least
//! 1 − 2 P(B(n, ½) < r). The largest *r* is taken for which that is at least 95 %; for n = 200 it is 86, so the interval
//! goes from the 86th to the 115th value (Conover, *Practical Nonparametric Statistics*, 1999, section 3.2).
//!
//! Only order matters, so a sample may have values of which no more is known than that they are large.

use std::fmt::{self, Display};

/// How likely the median lies outside of its interval, at most.
const RISK: f64 = 0.05;

/// The median of a sample, and an interval that has the distribution's median with a probability of at least 95 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Median<T> {
    /// The middle value; of an even number of values the lower of the two in the middle, so it is always one that was
    /// seen.
    pub value: T,
    /// The least and the greatest value of the interval. Fewer than six values have none.
    pub interval: Option<(T, T)>,
}

impl<T: Copy + Ord> Median<T> {
    /// That of these values, in any order; nothing has none.
    #[must_use]
    pub fn of(values: &[T]) -> Option<Median<T>> {
        let mut values = values.to_vec();
        values.sort_unstable();
        let nth = |rank: usize| values[rank - 1];
        let count = values.len();
        (count > 0).then(|| Median {
            value: nth(count.div_ceil(2)),
            interval: ranks(count).map(|(low, high)| (nth(low), nth(high))),
        })
    }
}

/// As `3 (2..4)`, or as `3` if there is no interval.
impl<T: Display> Display for Median<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match &self.interval {
            Some((low, high)) => format!("{} ({low}..{high})", self.value),
            None => self.value.to_string(),
        };
        f.pad(&words)
    }
}

/// The ranks, counted from 1, of the two of `count` values that bound the interval; none if even the least and the
/// greatest are too near.
#[must_use]
pub fn ranks(count: usize) -> Option<(usize, usize)> {
    // The binomial coefficients as multiples of the middle one: only the four basic operations, whose results are the
    // same on every machine. Those that are too small for a number are too small to matter.
    let mut upwards = vec![1.0];
    for k in count.div_ceil(2) + 1..=count {
        let before: f64 = upwards[upwards.len() - 1];
        upwards.push(before * (count + 1 - k) as f64 / k as f64);
    }
    // The coefficients from 0 to the middle are the same as from the end to the middle.
    let lower = upwards.iter().rev();
    let half: f64 = upwards.iter().sum();
    let whole = if count.is_multiple_of(2) {
        2.0 * half - 1.0
    } else {
        2.0 * half
    };
    let mut tail = 0.0;
    let rank = lower
        .take_while(|coefficient| {
            tail += *coefficient;
            2.0 * tail <= RISK * whole
        })
        .count();
    (rank > 0).then_some((rank, count + 1 - rank))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The probability that at most `below` of `count` lie below the median, from Pascal's triangle.
    fn exact(count: usize, below: usize) -> f64 {
        let mut row = vec![1u128];
        for _ in 0..count {
            let shifted = row.iter().copied().chain([0]);
            row = [0]
                .into_iter()
                .chain(row.iter().copied())
                .zip(shifted)
                .map(|(one, other)| one + other)
                .collect();
        }
        row[..=below].iter().sum::<u128>() as f64 / row.iter().sum::<u128>() as f64
    }

    /// Tables of the sign test give these.
    #[test]
    fn the_ranks_are_those_of_the_tables() {
        for (count, expected) in [
            (0, None),
            (1, None),
            (5, None),
            (6, Some((1, 6))),
            (8, Some((1, 8))),
            (9, Some((2, 8))),
            (10, Some((2, 9))),
            (11, Some((2, 10))),
            (20, Some((6, 15))),
            (25, Some((8, 18))),
            (50, Some((18, 33))),
            (100, Some((40, 61))),
            (200, Some((86, 115))),
        ] {
            assert_eq!(ranks(count), expected, "{count}");
        }
    }

    #[test]
    fn the_ranks_are_the_nearest_that_are_safe() {
        for count in 6..=125 {
            let (low, high) = ranks(count).expect("enough values");
            assert_eq!(low + high, count + 1, "{count}");
            assert!(2.0 * exact(count, low - 1) <= RISK, "{count}: too near");
            assert!(2.0 * exact(count, low) > RISK, "{count}: too far");
        }
    }

    /// The coefficients of many values do not fit into a number; the ranks follow the normal distribution there.
    #[test]
    fn many_values_are_no_trouble() {
        let (low, high) = ranks(1_000_000).expect("enough values");
        assert_eq!((low, high), (499_020, 500_981));
    }

    #[test]
    fn the_median_is_a_value_that_was_seen() {
        assert_eq!(Median::<u8>::of(&[]), None);
        let of = |values: &[u8]| Median::of(values).expect("a value").to_string();
        assert_eq!(of(&[7]), "7");
        assert_eq!(of(&[9, 1]), "1");
        assert_eq!(of(&[9, 1, 5]), "5");
        assert_eq!(of(&[4, 3, 2, 9, 8, 1]), "3 (1..9)");
        let many: Vec<u8> = (1..=200).rev().collect();
        assert_eq!(of(&many), "100 (86..115)");
    }
}
