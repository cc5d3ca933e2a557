//! What a seed means. None of these numbers may ever change: a seed in an old bug report would
//! point elsewhere.

use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sim::seed::{Randomness, run_seed, slice};
use std::collections::BTreeSet;

/// The first output of ChaCha8 for the all-zero key of 256 bits (test vector 1 of
/// draft-strombergson-chacha-test-vectors).
#[test]
fn the_cipher_is_chacha8() {
    let mut block = [0; 32];
    ChaCha8Rng::from_seed([0; 32]).fill_bytes(&mut block);
    let hex: String = block.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        hex,
        "3e00ef2f895f40d67f5bb8e81f09a5a12c840ec3ce9a7f3b181be188ef711a1e"
    );
}

/// The first outputs of the reference SplitMix64 seeded with 0.
#[test]
fn root_0_is_splitmix64() {
    assert_eq!(
        [0, 1, 2, 3].map(|index| run_seed(0, index)),
        [
            0xe220_a839_7b1d_cdaf,
            0x6e78_9e6a_a1b9_65f4,
            0x06c4_5d18_8009_454f,
            0xf88b_b8a8_724c_81ec
        ]
    );
}

#[test]
fn other_roots_have_other_seeds() {
    let mut seeds = BTreeSet::new();
    for root in [0, 1, 2, 42, 0x9e37_79b9_7f4a_7c15, u64::MAX] {
        seeds.extend((0..1000).map(|index| run_seed(root, index)));
        seeds.extend((0..1000).map(|back| run_seed(root, u64::MAX - back)));
    }
    assert_eq!(seeds.len(), 6 * 2000);
}

// The values from here on were worked out with a second implementation, in Python, from the words
// of `seed.rs` alone.

#[test]
fn run_seeds_keep_their_values() {
    let check = |root, index, seed: u64| {
        assert_eq!(run_seed(root, index), seed, "root {root}, run {index}")
    };
    check(1, 0, 0xbfef_8030_ddc2_d772);
    check(1, 1, 0x5f55_2ce4_82f2_aa47);
    check(42, 0, 0x989b_3f13_0a06_3869);
    check(u64::MAX, u64::MAX, 0x4bff_d802_ebfb_15e4);
}

#[test]
fn seeds_keep_their_streams() {
    let check = |seed: u64, below_100: [u32; 12]| {
        let mut randomness = Randomness::new(seed);
        assert_eq!(
            below_100.map(|_| randomness.below(100)),
            below_100,
            "seed {seed:#x}"
        );
    };
    check(0, [12, 19, 81, 65, 11, 20, 61, 97, 73, 11, 39, 32]);
    check(1, [92, 89, 35, 61, 36, 4, 47, 26, 71, 5, 6, 51]);
    check(
        0xe220_a839_7b1d_cdaf,
        [2, 4, 59, 19, 14, 76, 51, 49, 36, 85, 64, 56],
    );
}

/// With these bounds about half of all words have to be drawn again.
#[test]
fn draws_that_would_favour_some_numbers_are_drawn_again() {
    let mut randomness = Randomness::new(7);
    let expected = [1_897_287_309, 1_978_901_864, 845_167_475, 1_055_409_035];
    assert_eq!(expected.map(|_| randomness.below((1 << 31) + 1)), expected);
    let mut randomness = Randomness::new(7);
    let expected = [
        2_800_225_903_473_445_041,
        5_447_428_487_236_701_837,
        8_997_918_126_598_497_640,
        4_532_947_292_220_570_483,
    ];
    assert_eq!(
        expected.map(|_| randomness.below_u64((1 << 63) + 1)),
        expected
    );
}

#[test]
fn the_stream_goes_on_behind_the_buffer() {
    let mut randomness = Randomness::new(7);
    assert_eq!(
        (0..1000).map(|_| randomness.below(1 << 31)).last(),
        Some(625_336_068)
    );
}

#[test]
fn words_of_both_sizes_come_from_one_stream() {
    let mut randomness = Randomness::new(7);
    assert_eq!([0; 5].map(|_| randomness.below(10)), [9, 3, 2, 3, 8]);
    assert_eq!(
        [0; 2].map(|_| randomness.below_u64(1 << 40)),
        [1_013_197_754_519, 432_725_747_705]
    );
    assert_eq!(randomness.below(10), 4);
}

#[test]
fn below_one_draws_nothing() {
    let mut randomness = Randomness::new(7);
    assert_eq!(
        (
            randomness.below(1),
            randomness.below_u64(1),
            randomness.below(10)
        ),
        (0, 0, 9)
    );
}

#[test]
fn numbers_are_equally_likely() {
    let mut randomness = Randomness::new(3);
    let mut counts = [0_u32; 6];
    (0..60_000).for_each(|_| counts[randomness.below(6) as usize] += 1);
    // Ten thousand each, with a standard deviation of 91.
    assert!(
        counts.iter().all(|count| (9_500..10_500).contains(count)),
        "{counts:?}"
    );
}

#[test]
#[should_panic(expected = "a number below 0")]
fn there_is_no_number_below_0() {
    Randomness::new(0).below(0);
}

#[test]
fn a_slice_is_a_part_of_the_runs() {
    assert_eq!(slice(&(0..10), 1, 1), 0..10);
    let thirds = [1, 2, 3].map(|part| slice(&(5..15), part, 3));
    assert_eq!(thirds, [5..8, 8..11, 11..15]);
    // There may be more parts than runs, and as many runs as there can be.
    assert_eq!(slice(&(7..8), 1, 2), 7..7);
    assert_eq!(slice(&(0..u64::MAX), 2, 2).end, u64::MAX);
}

#[test]
#[should_panic(expected = "there is no part 0 of 3")]
fn slices_are_counted_from_one() {
    let _ = slice(&(0..10), 0, 3);
}

proptest! {
    /// No run is in two parts, none is in no part, and nobody gets much more than another.
    #[test]
    fn slices_are_disjoint_complete_and_fair(
        start in prop_oneof![0_u64..100, any::<u64>()],
        count in prop_oneof![0_u64..100, any::<u64>()],
        parts in 1_u64..50,
    ) {
        let runs = start..start.saturating_add(count);
        let mut next = runs.start;
        for part in 1..=parts {
            let slice = slice(&runs, part, parts);
            prop_assert_eq!(slice.start, next);
            let size = slice.end - slice.start;
            let fair = (runs.end - runs.start) / parts;
            prop_assert!(size == fair || size == fair + 1, "{} of {}", size, fair);
            next = slice.end;
        }
        prop_assert_eq!(next, runs.end);
    }

    /// However many parts there are, each begins where the one before it ends; the first and the last are at the ends.
    #[test]
    fn slices_follow_each_other(
        start in any::<u64>(),
        count in prop_oneof![0_u64..100, any::<u64>()],
        (part, parts) in any::<(u64, u64)>().prop_map(|(a, b)| {
            let parts = a.max(b).max(1);
            (a.min(b).clamp(1, parts), parts)
        }),
    ) {
        let runs = start..start.saturating_add(count);
        let mine = slice(&runs, part, parts);
        prop_assert!(mine.start <= mine.end);
        match part {
            1 => prop_assert_eq!(mine.start, runs.start),
            _ => prop_assert_eq!(mine.start, slice(&runs, part - 1, parts).end),
        }
        if part == parts {
            prop_assert_eq!(mine.end, runs.end);
        }
    }
}
