//! Laws of dirty bitmaps and of the sets of granules inside them, held against arrays of bytes;
//! beside them the numbers that real QEMU was seen to report.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use model::bitmap::{Bitmap, BitmapInfo, Hold, Use, check_granularity, default_granularity};
use model::name::Name;
use model::runs::{Bits, Range};
use proptest::collection::vec;
use proptest::prelude::*;

// ---------------------------------------------------------------------------------------------
// Sets of granules

fn ranges(end: u64) -> impl Strategy<Value = Vec<Range>> {
    vec(
        (0..end, 0..=end / 4).prop_map(move |(at, len)| at..(at + len).min(end)),
        0..8,
    )
}

fn bits(ranges: &[Range]) -> Bits {
    ranges.iter().map(|range| (range.clone(), ())).collect()
}

fn set(ranges: &[Range]) -> BTreeSet<u64> {
    ranges.iter().flat_map(|range| range.clone()).collect()
}

fn bits_of(set: &BTreeSet<u64>) -> Bits {
    set.iter().map(|at| (*at..*at + 1, ())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn bits_are_a_set(a in ranges(60), b in ranges(60), from in 0..60u64, len in 0..20u64) {
        let (a_set, b_set) = (set(&a), set(&b));
        prop_assert_eq!(bits(&a), bits_of(&a_set));
        prop_assert_eq!(bits(&a).total(), a_set.len() as u64);

        let mut union = bits(&a);
        union.union(&bits(&b));
        prop_assert_eq!(union, bits_of(&a_set.union(&b_set).copied().collect()));
        let mut difference = bits(&a);
        difference.subtract(&bits(&b));
        prop_assert_eq!(difference, bits_of(&a_set.difference(&b_set).copied().collect()));

        let mut range = from..from + len;
        prop_assert_eq!(bits(&a).intersects(range.clone()), range.any(|at| a_set.contains(&at)));
        let mut range = from..from + len;
        prop_assert_eq!(bits(&a).covers(range.clone()), range.all(|at| a_set.contains(&at)));
    }
}

// ---------------------------------------------------------------------------------------------
// Laws of bitmaps

/// Bytes of the node in the laws; the last granule of most granularities goes past it.
const SIZE: u64 = 109;

fn granularity() -> impl Strategy<Value = u64> {
    (0..6u32).prop_map(|shift| 1 << shift)
}

fn named(granularity: u64, size: u64) -> Bitmap {
    Bitmap::new(Some(Name::from("bitmap0")), granularity, size)
}

/// A bitmap with these bytes written.
fn written(granularity: u64, writes: &[Range]) -> Bitmap {
    let mut bitmap = named(granularity, SIZE);
    for range in writes {
        bitmap.mark(range.clone());
    }
    bitmap
}

/// An idle bitmap of the size above, recording or not.
fn bitmap() -> impl Strategy<Value = Bitmap> {
    (granularity(), ranges(SIZE), any::<[bool; 2]>()).prop_map(|(granularity, writes, flags)| {
        let mut bitmap = written(granularity, &writes);
        [bitmap.disabled, bitmap.persistent] = flags;
        bitmap
    })
}

/// The dirty granules that these bytes (of this end) make.
fn granules(bytes: impl IntoIterator<Item = u64>, granularity: u64) -> BTreeSet<u64> {
    bytes.into_iter().map(|at| at / granularity).collect()
}

/// The bytes below the bitmap's size that are dirty.
fn dirty_bytes(bitmap: &Bitmap) -> BTreeSet<u64> {
    (0..bitmap.size())
        .filter(|at| bitmap.is_dirty(*at))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn a_write_dirties_the_granules_that_it_touches(g in granularity(), writes in ranges(SIZE)) {
        let bitmap = written(g, &writes);
        let dirty = granules(set(&writes), g);
        prop_assert_eq!(bitmap.dirty_bits(), &bits_of(&dirty));
        prop_assert_eq!(bitmap.count(), dirty.len() as u64 * g, "whole granules, not clamped");
        for at in 0..SIZE {
            prop_assert_eq!(bitmap.is_dirty(at), dirty.contains(&(at / g)));
        }
    }

    #[test]
    fn reset_takes_the_granules_away(bitmap in bitmap(), from in 0..SIZE, to in 0..=SIZE, past in any::<bool>()) {
        let g = bitmap.granularity;
        let start = from / g * g;
        // An end inside a granule is allowed at the bitmap's end alone; that granule's end is, too.
        let end = match (to / g * g).max(start) {
            end if end + g <= SIZE => end,
            _ if past => SIZE.next_multiple_of(g),
            _ => SIZE,
        };
        let mut after = bitmap.clone();
        after.reset(start..end);
        let kept = |at: &u64| !(start..end).contains(at);
        prop_assert_eq!(dirty_bytes(&after), dirty_bytes(&bitmap).into_iter().filter(kept).collect());
    }

    #[test]
    fn next_dirty_finds_the_first_dirty_bytes(
        bitmap in bitmap(),
        from in 0..SIZE + 9,
        limit in 0..SIZE + 99,
        longest in 1..40u64,
    ) {
        let dirty = |at: &u64| *at < SIZE && bitmap.is_dirty(*at);
        let expected = (from..limit).find(dirty).map(|start| {
            let end = (start..limit).find(|at| !dirty(at)).unwrap_or(limit);
            start..end.min(start + longest)
        });
        prop_assert_eq!(bitmap.next_dirty(from, limit, longest), expected);
    }

    #[test]
    fn next_dirty_enumerates_exactly_what_is_dirty(bitmap in bitmap(), longest in 1..40u64) {
        let mut found = BTreeSet::new();
        let mut at = 0;
        while let Some(area) = bitmap.next_dirty(at, u64::MAX, longest) {
            prop_assert!(area.start >= at && area.end > area.start);
            prop_assert!(area.end - area.start <= longest);
            at = area.end;
            found.extend(area);
        }
        prop_assert_eq!(found, dirty_bytes(&bitmap));
    }

    #[test]
    fn merge_is_union_and_widens_no_more_than_it_must(target in bitmap(), source in bitmap()) {
        let mut merged = target.clone();
        prop_assert_eq!(merged.merge(&source), Ok(()));
        let g = target.granularity;
        let added = granules(dirty_bytes(&source), g);
        let union = granules(dirty_bytes(&target), g).union(&added).copied().collect();
        prop_assert_eq!(merged.dirty_bits(), &bits_of(&union));
        prop_assert!(dirty_bytes(&merged).is_superset(&dirty_bytes(&source)));
        merged.restore(target.undo());
        prop_assert_eq!(merged, target, "only bits");
    }

    #[test]
    fn merging_a_bitmap_into_itself_changes_nothing(bitmap in bitmap()) {
        let mut merged = bitmap.clone();
        prop_assert_eq!(merged.merge(&bitmap), Ok(()));
        prop_assert_eq!(merged, bitmap);
    }

    #[test]
    fn sizes_that_differ_are_not_merged(bitmap in bitmap(), size in 0..200u64) {
        let mut target = named(1, size);
        let merged = target.merge(&bitmap);
        if size == SIZE {
            prop_assert_eq!(merged, Ok(()));
        } else {
            let text = format!(
                "GenericError: Bitmaps are of different sizes (destination size is {size}, source size is 109) and can't be merged"
            );
            prop_assert_eq!(merged.unwrap_err().to_string(), text);
            prop_assert_eq!(target, named(1, size));
        }
    }

    #[test]
    fn clear_then_restore_is_identity(bitmap in bitmap()) {
        let mut other = bitmap.clone();
        let undo = other.clear();
        prop_assert_eq!(other.count(), 0);
        prop_assert!(other.dirty_bits().is_empty());
        other.set(3..5);
        other.restore(undo);
        prop_assert_eq!(other, bitmap);
    }

    #[test]
    fn a_frozen_bitmap_stands_still(bitmap in bitmap(), writes in ranges(SIZE)) {
        let mut frozen = bitmap.clone();
        prop_assert_eq!(frozen.create_successor(), Ok(()));
        for range in &writes {
            frozen.mark(range.clone());
        }
        prop_assert_eq!(frozen.dirty_bits(), bitmap.dirty_bits());
        prop_assert!(frozen.busy() && frozen.disabled);
        prop_assert_eq!(frozen.recording(), bitmap.recording());
        prop_assert_eq!(frozen.status(), "frozen");

        let successor = frozen.successor().expect("it has one");
        prop_assert_eq!((&successor.name, successor.persistent), (&None, false));
        prop_assert_eq!(successor.disabled, bitmap.disabled);
        prop_assert!(!successor.busy());
        let heard = if bitmap.disabled { BTreeSet::new() } else { set(&writes) };
        let expected = granules(heard, bitmap.granularity);
        prop_assert_eq!(successor.dirty_bits(), &bits_of(&expected));
    }

    #[test]
    fn reclaim_forgets_nothing(bitmap in bitmap(), writes in ranges(SIZE)) {
        let mut frozen = bitmap.clone();
        frozen.create_successor().unwrap();
        // What the same writes do when nobody freezes anything.
        let mut never_frozen = bitmap;
        for range in &writes {
            frozen.mark(range.clone());
            never_frozen.mark(range.clone());
        }
        frozen.reclaim();
        prop_assert_eq!(frozen, never_frozen);
    }

    #[test]
    fn abdicate_keeps_only_what_came_since(bitmap in bitmap(), writes in ranges(SIZE)) {
        let mut frozen = bitmap.clone();
        frozen.create_successor().unwrap();
        // What the same writes do to the bitmap when it is cleared at that moment.
        let mut cleared = bitmap;
        cleared.clear();
        for range in &writes {
            frozen.mark(range.clone());
            cleared.mark(range.clone());
        }
        frozen.abdicate();
        // All of it: the name, persistence and whether it records, too.
        prop_assert_eq!(frozen, cleared);
    }

    #[test]
    fn a_disabled_bitmap_hears_nothing(bitmap in bitmap(), writes in ranges(SIZE)) {
        let mut deaf = bitmap.clone();
        deaf.disabled = true;
        for range in &writes {
            deaf.mark(range.clone());
        }
        prop_assert_eq!(deaf.dirty_bits(), bitmap.dirty_bits());
        prop_assert!(!deaf.recording());
    }

    #[test]
    fn resize_keeps_what_is_left_and_finds_what_is_new(
        bitmap in bitmap(),
        size in 0..3 * SIZE,
        writes in ranges(3 * SIZE),
    ) {
        let (g, mut resized) = (bitmap.granularity, bitmap.clone());
        resized.resize(size);
        prop_assert_eq!(resized.size(), size);
        let inside = |granule: &u64| granule * g < size;
        let mut dirty: BTreeSet<u64> = granules(dirty_bytes(&bitmap), g);
        dirty.retain(inside);
        prop_assert_eq!(resized.dirty_bits(), &bits_of(&dirty), "nothing new is dirty");

        resized.disabled = false;
        for range in &writes {
            let end = range.end.min(size);
            resized.mark(range.start.min(end)..end);
        }
        let wrote = set(&writes).into_iter().filter(|at| *at < size);
        dirty.extend(granules(wrote, g));
        prop_assert_eq!(resized.dirty_bits(), &bits_of(&dirty));
        let last = resized.dirty_bits().iter().last().map(|(range, ())| range.end);
        let mut found = None;
        let mut at = 0;
        while let Some(area) = resized.next_dirty(at, u64::MAX, u64::MAX) {
            at = area.end;
            found = Some(area.end.div_ceil(g));
        }
        prop_assert_eq!(found, last, "also past the old end");
    }

    #[test]
    fn a_terabyte_costs_what_a_megabyte_costs(writes in ranges(1 << 20)) {
        let [small, large] = [1 << 20, 1 << 40].map(|size| {
            let mut bitmap = named(65536, size);
            for range in &writes {
                bitmap.mark(range.clone());
            }
            bitmap
        });
        prop_assert_eq!(small.dirty_bits(), large.dirty_bits());
        prop_assert!(large.dirty_bits().len() <= writes.len());
    }
}

// ---------------------------------------------------------------------------------------------
// Examples

const K: u64 = 1024;
const M: u64 = 1024 * K;

#[test]
fn granularities_are_taken_or_refused() {
    for (cluster_size, expected) in [
        (None, 65536),
        (Some(512), 4096),
        (Some(4096), 4096),
        (Some(65536), 65536),
        (Some(2 * M), 65536),
    ] {
        assert_eq!(
            default_granularity(cluster_size),
            expected,
            "{cluster_size:?}"
        );
    }
    for granularity in [512, 4096, 65536, 1 << 31] {
        assert_eq!(check_granularity(granularity), Ok(()));
    }
    for granularity in [0, 1, 256, 511, 513, 65535, 3 << 16] {
        let error = check_granularity(granularity).unwrap_err().to_string();
        assert_eq!(
            error,
            "GenericError: Granularity must be power of 2 and at least 512"
        );
    }
}

/// The writes of the seeds: one granule, four, and one that crosses into a second.
#[test]
fn the_seeds_count_what_they_expect() {
    let writes = [(0, 512), (16 * M, 256 * K), (33_521_664, 65536)];
    for (granularity, count) in [(64 * K, 458_752), (128 * K, 655_360)] {
        let mut bitmap = named(granularity, 64 * M);
        for (at, len) in writes {
            bitmap.mark(at..at + len);
        }
        assert_eq!(bitmap.count(), count, "granularity {granularity}");
        bitmap.mark(7 * M..7 * M);
        assert_eq!(bitmap.count(), count, "a request of no bytes");

        // The copy bitmap of a target with clusters of 128 KiB.
        let mut copy = Bitmap::new(None, 128 * K, 64 * M);
        copy.merge(&bitmap).unwrap();
        assert_eq!(copy.count(), 655_360);
    }
}

#[test]
fn counts_are_not_clamped_to_the_image() {
    let mut last = named(64 * K, 1_000_448);
    last.mark(1_000_000..1_000_448);
    assert_eq!(last.count(), 65536);
    assert_eq!(
        last.next_dirty(0, u64::MAX, u64::MAX),
        Some(983_040..1_000_448)
    );
    let mut coarse = named(1 << 31, M);
    coarse.mark(0..1);
    assert_eq!(coarse.count(), 2_147_483_648);

    let mut from = named(64 * K, M);
    from.mark(64 * K..64 * K + 1);
    let mut into = named(512, M);
    into.merge(&from).unwrap();
    assert_eq!(into.count(), 65536);
    assert_eq!(into.dirty_bits(), &Bits::of(128..256, ()));
}

/// A backup of 4 MiB with 1 MiB dirty; two clusters were copied by the job when the guest wrote,
/// and one by the guest's write.
#[test]
fn the_successor_scheme_counts_as_observed() {
    let mut bitmap = named(64 * K, 4 * M);
    bitmap.mark(0..M);
    let mut copy = Bitmap::new(None, 64 * K, 4 * M);
    copy.merge(&bitmap).unwrap();
    bitmap.create_successor().unwrap();
    copy.reset(0..128 * K);
    copy.reset(960 * K..M);
    bitmap.mark(960 * K..1088 * K);
    bitmap.mark(0..4 * K);
    let info = BitmapInfo {
        name: Some(Name::from("bitmap0")),
        count: 1_048_576,
        granularity: 65536,
        recording: true,
        busy: true,
        persistent: false,
        inconsistent: false,
        status: "frozen",
    };
    assert_eq!(bitmap.info(), info);
    assert_eq!(bitmap.successor().map(Bitmap::count), Some(196_608));

    let mut reclaimed = bitmap.clone();
    reclaimed.reclaim();
    assert_eq!(reclaimed.count(), 1_114_112, "never, or not successful");
    bitmap.abdicate();
    assert_eq!(bitmap.count(), 196_608, "on-success, successful");
    let after = BitmapInfo {
        count: 196_608,
        busy: false,
        status: "active",
        ..info
    };
    assert_eq!(bitmap.info(), after);
    bitmap.merge(&copy).unwrap();
    assert_eq!(
        bitmap.count(),
        1_048_576,
        "always, cancelled: 13 not copied and 3 written"
    );
}

#[test]
fn a_disabled_bitmap_stays_disabled_through_a_backup() {
    let mut bitmap = named(64 * K, M);
    bitmap.mark(0..M);
    bitmap.disabled = true;
    bitmap.create_successor().unwrap();
    bitmap.mark(0..K);
    assert_eq!((bitmap.count(), bitmap.recording()), (M, false));
    let mut reclaimed = bitmap.clone();
    reclaimed.reclaim();
    assert_eq!(
        (reclaimed.count(), reclaimed.recording(), reclaimed.status()),
        (M, false, "disabled")
    );
    bitmap.abdicate();
    assert_eq!(
        (bitmap.count(), bitmap.recording(), bitmap.status()),
        (0, false, "disabled")
    );
}

#[test]
fn checks_complain_in_their_order() {
    const BUSY: &str = "is currently in use by another operation and cannot be used";
    const READONLY: &str = "is readonly and cannot be modified";
    const INCONSISTENT: &str = "is inconsistent and cannot be used";
    // What each use minds, in the order in which it says so.
    let minds: [(Use, &[&str]); 4] = [
        (Use::Default, &[BUSY, READONLY, INCONSISTENT]),
        (Use::AllowReadonly, &[BUSY, INCONSISTENT]),
        (Use::AllowInconsistent, &[BUSY, READONLY]),
        (Use::Hold, &[BUSY]),
    ];
    for flags in 0..8u8 {
        let mut bitmap = named(512, M);
        let has = |bit: u8| flags & 1 << bit != 0;
        bitmap.readonly = has(1);
        bitmap.inconsistent = has(2);
        if has(0) {
            bitmap.hold = Hold::Removing;
        }
        let wrong = [(BUSY, has(0)), (READONLY, has(1)), (INCONSISTENT, has(2))];
        for (intent, minded) in minds {
            let first = minded.iter().find(|text| wrong.contains(&(**text, true)));
            let expected = match first {
                None => Ok(()),
                Some(text) => Err(format!("GenericError: Bitmap 'bitmap0' {text}")),
            };
            let answer = bitmap.check(intent).map_err(|error| error.to_string());
            assert_eq!(answer, expected, "{intent:?} of {flags:03b}");
        }
    }

    let mut frozen = named(512, M);
    frozen.create_successor().unwrap();
    let before = frozen.clone();
    let refused = frozen.create_successor().unwrap_err();
    assert_eq!(*refused.desc, *format!("Bitmap 'bitmap0' {BUSY}"));
    assert_eq!(frozen, before);
}

#[test]
fn status_is_one_word_for_all_flags() {
    let frozen = || {
        let mut bitmap = named(512, M);
        bitmap.create_successor().unwrap();
        bitmap.hold
    };
    for (disabled, inconsistent, hold, status, recording) in [
        (false, false, Hold::Idle, "active", true),
        (true, false, Hold::Idle, "disabled", false),
        (false, false, Hold::Removing, "locked", true),
        (true, false, Hold::Removing, "locked", false),
        (true, false, frozen(), "frozen", true),
        (true, true, Hold::Idle, "inconsistent", false),
        (true, true, Hold::Removing, "inconsistent", false),
    ] {
        let mut bitmap = named(512, M);
        [bitmap.disabled, bitmap.inconsistent] = [disabled, inconsistent];
        bitmap.hold = hold;
        let info = bitmap.info();
        assert_eq!(
            (info.status, info.recording),
            (status, recording),
            "{bitmap:?}"
        );
        assert_eq!(info.busy, bitmap.hold != Hold::Idle);
        assert_eq!(info.inconsistent, inconsistent);
    }
}

#[test]
fn growing_finds_what_is_written_past_the_old_end() {
    let mut bitmap = named(64 * K, 64 * M);
    bitmap.mark(0..512);
    bitmap.resize(65 * M);
    assert_eq!(bitmap.count(), 65536);
    bitmap.mark(64 * M + K..64 * M + 2 * K);
    let past = 64 * M..64 * M + 64 * K;
    assert_eq!(bitmap.next_dirty(64 * K, u64::MAX, M), Some(past.clone()));
    bitmap.resize(64 * M + 1);
    assert_eq!(
        bitmap.next_dirty(64 * K, u64::MAX, M),
        Some(64 * M..64 * M + 1)
    );
    bitmap.resize(65 * M);
    assert_eq!(
        bitmap.next_dirty(64 * K, u64::MAX, M),
        Some(past),
        "the last granule kept its value"
    );
    bitmap.resize(64 * M);
    assert_eq!(bitmap.count(), 65536);
}

/// What QEMU asserts, we assert.
#[test]
fn our_mistakes_are_assertions() {
    type Mistake = fn(&mut Bitmap);
    let mistakes: [(&str, Mistake); 8] = [
        ("reset from inside a granule", |bitmap| {
            bitmap.reset(512..64 * K)
        }),
        ("reset into a granule", |bitmap| bitmap.reset(0..K)),
        ("set past the end", |bitmap| bitmap.set(0..2 * M)),
        ("reset past the end", |bitmap| bitmap.reset(0..2 * M)),
        ("abdicate without a successor", |bitmap| bitmap.abdicate()),
        ("reclaim without a successor", |bitmap| {
            bitmap.hold = Hold::Removing;
            bitmap.reclaim();
        }),
        ("a write into a readonly bitmap", |bitmap| {
            bitmap.readonly = true;
            bitmap.mark(0..1);
        }),
        ("an area of no bytes", |bitmap| {
            bitmap.next_dirty(0, M, 0);
        }),
    ];
    for (what, mistake) in mistakes {
        let mut bitmap = named(64 * K, M);
        let outcome = catch_unwind(AssertUnwindSafe(|| mistake(&mut bitmap)));
        let panic = outcome.expect_err(what);
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or_default();
        assert!(text.starts_with("internal bug: "), "{what}: {text}");
    }
}
