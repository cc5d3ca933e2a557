//! Laws of images and of the runs that they are made of, held against arrays of units.
//!
//! The reference is the slowest thing that could work: one element for every 64 bytes, each asked
//! for one at a time. What real `qemu-img` (10.0.2) printed stands beside it as examples.

use model::image::{
    Allocation, Cell, Comparison, Extent, Fill, Format, Image, Kind, compare, read, status,
};
use model::name::Name;
use model::runs::{Range, Runs};
use proptest::collection::vec;
use proptest::prelude::*;

// ---------------------------------------------------------------------------------------------
// Runs

/// Numbers below this are tried in the laws of runs.
const NUMBERS: u64 = 40;

/// Sets (with a value) and clears (without) of ranges, some of them empty.
fn edits() -> impl Strategy<Value = Vec<(Range, Option<u8>)>> {
    let range = (0..NUMBERS, 0..12u64).prop_map(|(at, len)| at..(at + len).min(NUMBERS));
    vec((range, prop::option::weighted(0.7, 0..3u8)), 0..12)
}

fn edited(edits: &[(Range, Option<u8>)]) -> Runs<u8> {
    let mut runs = Runs::new();
    for (range, value) in edits {
        match value {
            Some(value) => runs.set(range.clone(), *value),
            None => runs.clear(range.clone()),
        }
    }
    runs
}

fn edited_array(edits: &[(Range, Option<u8>)]) -> Vec<Option<u8>> {
    let mut array = vec![None; NUMBERS as usize];
    for (range, value) in edits {
        for at in range.clone() {
            array[at as usize] = *value;
        }
    }
    array
}

/// The runs of an array: what the struct must hold, no more and no less.
fn runs_of_array(array: &[Option<u8>]) -> Vec<(Range, u8)> {
    let mut runs: Vec<(Range, u8)> = Vec::new();
    for (at, value) in array.iter().enumerate() {
        let (at, Some(value)) = (at as u64, *value) else {
            continue;
        };
        match runs.last_mut() {
            Some((range, last)) if range.end == at && *last == value => range.end += 1,
            _ => runs.push((at..at + 1, value)),
        }
    }
    runs
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn runs_are_canonical(edits in edits()) {
        let runs = edited(&edits);
        let expected = runs_of_array(&edited_array(&edits));
        prop_assert_eq!(runs.iter().collect::<Vec<_>>(), expected.clone());
        prop_assert_eq!(runs.len(), expected.len());
        prop_assert_eq!(runs.is_empty(), expected.is_empty());
        // However they came about.
        prop_assert_eq!(runs, expected.into_iter().rev().collect::<Runs<u8>>());
    }

    #[test]
    fn runs_answer_as_an_array_does(edits in edits(), from in 0..NUMBERS, len in 1..NUMBERS) {
        let (runs, array) = (edited(&edits), edited_array(&edits));
        let value = |at: u64| array.get(at as usize).copied().flatten();
        let to = from + len;

        prop_assert_eq!(runs.total(), array.iter().flatten().count() as u64);
        prop_assert_eq!(runs.get(from), value(from));
        let end = (from..to).find(|at| value(*at) != value(from)).unwrap_or(to);
        prop_assert_eq!(runs.extent(from, to), (value(from), end));
        let expected = runs.iter().find(|(range, _)| range.end > from);
        prop_assert_eq!(runs.next_from(from), expected);

        let mut at = from;
        for (piece, tile) in runs.over(from..to) {
            prop_assert!(piece.start == at && piece.end > at, "{:?} after {}", piece, at);
            prop_assert_eq!((tile, piece.end), runs.extent(at, to), "tiles are whole");
            at = piece.end;
        }
        prop_assert_eq!(at, to);
        prop_assert_eq!(runs.over(from..from).count(), 0);
    }

    #[test]
    fn truncate_is_clear_to_the_end(edits in edits(), end in 0..NUMBERS + 2) {
        let (mut truncated, mut cleared) = (edited(&edits), edited(&edits));
        truncated.truncate(end);
        cleared.clear(end..u64::MAX);
        prop_assert_eq!(truncated, cleared);
    }
}

// ---------------------------------------------------------------------------------------------
// The reference: a chain of arrays

/// Bytes per element of the reference.
const UNIT: u64 = 64;
/// Units of the longest image.
const UNITS: usize = 44;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Content {
    Absent,
    Zero,
    Data,
}

/// One image, in units; see `Act` for what happens to it.
#[derive(Clone, Debug)]
struct Naive {
    raw: bool,
    /// Units per cluster.
    cluster: usize,
    length: usize,
    clusters: [Content; UNITS],
    fills: [u32; UNITS],
}

/// What a unit is in one layer of a chain.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Word {
    Data,
    Zero,
    Defers,
    Beyond,
}

impl Naive {
    fn new(raw: bool, cluster: usize, length: usize) -> Naive {
        Naive {
            raw,
            cluster: if raw { 1 } else { cluster },
            length,
            clusters: [Content::Absent; UNITS],
            fills: [0; UNITS],
        }
    }

    fn content(&self, unit: usize) -> Content {
        self.clusters[unit / self.cluster]
    }

    fn word(&self, unit: usize) -> Word {
        match self.content(unit) {
            _ if unit >= self.length => Word::Beyond,
            Content::Data => Word::Data,
            Content::Absent if !self.raw => Word::Defers,
            Content::Zero | Content::Absent => Word::Zero,
        }
    }

    /// The units of the cluster of this unit.
    fn cluster_of(&self, unit: usize) -> std::ops::Range<usize> {
        let start = unit / self.cluster * self.cluster;
        start..(start + self.cluster).min(self.length)
    }
}

/// What each layer says of a unit, down to the one that decides.
fn words(chain: &[Naive], unit: usize) -> Vec<Word> {
    let mut words = Vec::new();
    for layer in chain {
        words.push(layer.word(unit));
        if words.last() != Some(&Word::Defers) {
            break;
        }
    }
    words
}

fn naive_read(chain: &[Naive], unit: usize) -> u32 {
    let words = words(chain, unit);
    match words.last() {
        Some(Word::Data) => chain[words.len() - 1].fills[unit],
        _ => 0,
    }
}

fn naive_write(chain: &mut [Naive], unit: usize, fill: u32) {
    if chain[0].content(unit) != Content::Data {
        for other in chain[0].cluster_of(unit) {
            chain[0].fills[other] = naive_read(chain, other);
        }
        let cluster = unit / chain[0].cluster;
        chain[0].clusters[cluster] = Content::Data;
    }
    chain[0].fills[unit] = fill;
}

/// Something that happens to one image, in units.
#[derive(Clone, Debug)]
enum Act {
    /// Runs with a fill each, or gaps, from `at` on.
    Write {
        at: usize,
        runs: Vec<(usize, Option<u32>)>,
    },
    WriteZeroes {
        at: usize,
        len: usize,
    },
    Discard {
        at: usize,
        len: usize,
    },
    Resize {
        length: usize,
    },
}

/// The act as the reference does it.
fn naive_act(chain: &mut [Naive], act: &Act) {
    match act {
        Act::Write { at, runs } => {
            let mut unit = *at;
            for (len, fill) in runs {
                for _ in 0..*len {
                    if let Some(fill) = fill
                        && unit < chain[0].length
                    {
                        naive_write(chain, unit, *fill);
                    }
                    unit += 1;
                }
            }
        }
        Act::WriteZeroes { at, len } => {
            for (cluster, part) in naive_parts(&chain[0], *at, *len) {
                naive_write_zeroes(chain, cluster, part);
            }
        }
        Act::Discard { at, len } => {
            for (cluster, part) in naive_parts(&chain[0], *at, *len) {
                let kept = chain.len() == 1 && chain[0].content(cluster.start) == Content::Absent;
                if part == cluster && !kept {
                    let number = cluster.start / chain[0].cluster;
                    chain[0].clusters[number] = Content::Zero;
                }
            }
        }
        Act::Resize { length } => naive_resize(chain, *length),
    }
}

/// The clusters of a range, each with the part of it that is in the range.
fn naive_parts(
    image: &Naive,
    at: usize,
    len: usize,
) -> Vec<(std::ops::Range<usize>, std::ops::Range<usize>)> {
    let end = (at + len).min(image.length);
    let mut parts: Vec<(std::ops::Range<usize>, std::ops::Range<usize>)> = Vec::new();
    for unit in at..end {
        let cluster = image.cluster_of(unit);
        match parts.last_mut() {
            Some((last, part)) if *last == cluster => part.end = unit + 1,
            _ => parts.push((cluster, unit..unit + 1)),
        }
    }
    parts
}

fn naive_write_zeroes(
    chain: &mut [Naive],
    cluster: std::ops::Range<usize>,
    part: std::ops::Range<usize>,
) {
    let is_zero = |unit| words(chain, unit).last() != Some(&Word::Data);
    let mut rest = cluster.clone().filter(|unit| !part.contains(unit));
    // Nothing is left of a cluster that is zeroed wholly, so this holds of it too.
    let rest_is_zero = rest.all(|unit| match chain[0].content(unit) {
        Content::Data => false,
        Content::Zero => true,
        // A chain that ends without a word reads zeros.
        Content::Absent => is_zero(unit),
    });
    if rest_is_zero {
        let number = cluster.start / chain[0].cluster;
        chain[0].clusters[number] = Content::Zero;
    } else {
        for unit in part {
            naive_write(chain, unit, 0);
        }
    }
}

fn naive_resize(chain: &mut [Naive], length: usize) {
    let old = std::mem::replace(&mut chain[0].length, length);
    let cluster = chain[0].cluster;
    if length <= old {
        for number in length.div_ceil(cluster)..UNITS {
            chain[0].clusters[number] = Content::Absent;
        }
        return;
    }
    let backing_shows = chain.get(1).is_some_and(|backing| backing.length > old) && !chain[0].raw;
    for unit in old..length {
        if unit / cluster < old.div_ceil(cluster) {
            if backing_shows {
                naive_write(chain, unit, 0);
            }
            chain[0].fills[unit] = 0;
        } else if backing_shows {
            chain[0].clusters[unit / cluster] = Content::Zero;
        }
    }
}

/// A chain both ways, and the same acts done to both.
#[derive(Clone, Debug)]
struct Pair {
    naive: Vec<Naive>,
    real: Vec<Image>,
}

impl Pair {
    /// Images from (raw, units per cluster, units of length), top first.
    fn new(shapes: &[(bool, usize, usize)]) -> Pair {
        let mut pair = Pair {
            naive: Vec::new(),
            real: Vec::new(),
        };
        for (index, (raw, cluster, length)) in shapes.iter().copied().enumerate() {
            // Only the last of a chain can be raw.
            let raw = raw && index + 1 == shapes.len();
            let format = if raw { Format::Raw } else { Format::Qcow2 };
            let cluster_size = (!raw).then_some(cluster as u64 * UNIT);
            let mut image = Image::create(format, 0, cluster_size, None).expect("a good image");
            image.resize(&[], length as u64 * UNIT);
            pair.real.push(image);
            pair.naive.push(Naive::new(raw, cluster, length));
        }
        pair
    }

    fn act(&mut self, layer: usize, act: &Act) {
        naive_act(&mut self.naive[layer..], act);
        let [image, below @ ..] = &mut self.real[layer..] else {
            panic!("no layer {layer}")
        };
        let below: Vec<&Image> = below.iter().collect();
        let bytes = |image: &Image, at: usize, len: usize| {
            let end = ((at + len) as u64 * UNIT).min(image.length);
            (at as u64 * UNIT).min(end)..end
        };
        match act {
            Act::Write { at, runs } => {
                let contents = contents(image.length, *at, runs);
                image.write(&below, &contents);
            }
            Act::WriteZeroes { at, len } => image.write_zeroes(&below, bytes(image, *at, *len)),
            Act::Discard { at, len } => image.discard(&below, bytes(image, *at, *len)),
            Act::Resize { length } => image.resize(&below, *length as u64 * UNIT),
        }
    }

    fn chain(&self, layer: usize) -> Vec<&Image> {
        self.real[layer..].iter().collect()
    }
}

/// The runs of a write as bytes, cut at the image's end.
fn contents(length: u64, at: usize, runs: &[(usize, Option<u32>)]) -> Runs<Fill> {
    let mut contents = Runs::new();
    let mut unit = at as u64;
    for (len, fill) in runs {
        let end = unit + *len as u64;
        if let Some(fill) = fill {
            let range = (unit * UNIT).min(length)..(end * UNIT).min(length);
            contents.set(range, Fill(*fill));
        }
        unit = end;
    }
    contents
}

fn shapes(layers: usize) -> impl Strategy<Value = Vec<(bool, usize, usize)>> {
    let cluster = prop::sample::select(vec![8usize, 8, 16]);
    vec((any::<bool>(), cluster, 1..UNITS), layers)
}

fn act() -> impl Strategy<Value = Act> {
    let run = (1..10usize, prop::option::weighted(0.8, 0..4u32));
    prop_oneof![
        4 => (0..UNITS, vec(run, 1..4)).prop_map(|(at, runs)| Act::Write { at, runs }),
        2 => (0..UNITS, 1..24usize).prop_map(|(at, len)| Act::WriteZeroes { at, len }),
        1 => (0..UNITS, 1..24usize).prop_map(|(at, len)| Act::Discard { at, len }),
        2 => (0..UNITS).prop_map(|length| Act::Resize { length }),
    ]
}

/// A chain of up to three images after some acts on any of them.
fn pair() -> impl Strategy<Value = Pair> {
    (1..4usize).prop_flat_map(|layers| {
        (shapes(layers), vec((0..layers, act()), 0..10)).prop_map(|(shapes, acts)| {
            let mut pair = Pair::new(&shapes);
            for (layer, act) in &acts {
                pair.act(*layer, act);
            }
            pair
        })
    })
}

// ---------------------------------------------------------------------------------------------
// Laws of images

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn a_chain_reads_as_the_reference_does(pair in pair()) {
        for layer in 0..pair.real.len() {
            // Also past the end, where there are zeros.
            let expected: Runs<Fill> = (0..UNITS)
                .map(|unit| (unit, naive_read(&pair.naive[layer..], unit)))
                .map(|(unit, fill)| (unit as u64 * UNIT..(unit as u64 + 1) * UNIT, Fill(fill)))
                .collect();
            let end = UNITS as u64 * UNIT;
            prop_assert_eq!(read(&pair.chain(layer), 0..end), expected, "layer {}", layer);
        }
    }

    #[test]
    fn a_part_of_a_read_is_the_read_of_a_part(pair in pair(), at in 0..UNITS, len in 0..UNITS) {
        let range = at as u64 * UNIT..(at + len) as u64 * UNIT;
        let mut whole = read(&pair.chain(0), 0..range.end);
        whole.clear(0..range.start);
        prop_assert_eq!(read(&pair.chain(0), range), whole);
    }

    #[test]
    fn allocation_is_what_the_reference_says(pair in pair(), limit in 1..UNITS) {
        for (image, naive) in pair.real.iter().zip(&pair.naive) {
            let limit = limit.min(naive.length);
            for unit in 0..limit {
                let word = naive.word(unit);
                let end = (unit..limit).find(|other| naive.word(*other) != word).unwrap_or(limit);
                let expected = match word {
                    Word::Data => Allocation::Data,
                    Word::Zero => Allocation::Zero,
                    Word::Defers => Allocation::Unallocated,
                    Word::Beyond => unreachable!("units end with the image"),
                };
                let answer = image.allocation(unit as u64 * UNIT, limit as u64 * UNIT);
                prop_assert_eq!(answer, (expected, end as u64 * UNIT), "unit {}", unit);
            }
        }
    }

    #[test]
    fn status_ends_where_any_layer_that_was_asked_changes(pair in pair(), limit in 1..UNITS) {
        let limit = limit.min(pair.naive[0].length);
        for unit in 0..limit {
            let said = words(&pair.naive, unit);
            let end = (unit..limit).find(|other| words(&pair.naive, *other) != said);
            let data = said.last() == Some(&Word::Data);
            let expected = Extent {
                end: end.unwrap_or(limit) as u64 * UNIT,
                kind: if data { Kind::Data } else { Kind::Zero },
            };
            let answer = status(&pair.chain(0), unit as u64 * UNIT, limit as u64 * UNIT);
            prop_assert_eq!(answer, expected, "unit {}", unit);
        }
    }

    #[test]
    fn cells_keep_to_clusters_and_to_the_length(pair in pair()) {
        for image in &pair.real {
            let end = image.cells().iter().last().map_or(0, |(range, _)| range.end);
            prop_assert!(end <= image.length);
            let mut at = 0;
            while at < image.length {
                let end = (at + image.cluster_size).min(image.length);
                prop_assert_eq!(image.allocation(at, end).1, end, "one word for a cluster");
                at = end;
            }
            if image.format == Format::Raw {
                prop_assert!(image.cells().iter().all(|(_, cell)| cell != Cell::Zero));
            }
        }
    }

    #[test]
    fn a_write_changes_what_it_covers_and_nothing_else(
        pair in pair(),
        at in 0..UNITS,
        run in (1..20usize, 0..4u32),
    ) {
        let mut after = pair.clone();
        after.act(0, &Act::Write { at, runs: vec![(run.0, Some(run.1))] });
        let length = pair.real[0].length;
        let mut expected = read(&pair.chain(0), 0..length);
        for (range, fill) in contents(length, at, &[(run.0, Some(run.1))]).iter() {
            expected.set(range, fill);
        }
        prop_assert_eq!(read(&after.chain(0), 0..length), expected);
    }

    #[test]
    fn zeroes_read_as_zeros_and_nothing_else_changes(pair in pair(), at in 0..UNITS, len in 1..20usize) {
        let mut after = pair.clone();
        after.act(0, &Act::WriteZeroes { at, len });
        let length = pair.real[0].length;
        let mut expected = read(&pair.chain(0), 0..length);
        for (range, fill) in contents(length, at, &[(len, Some(0))]).iter() {
            expected.set(range, fill);
        }
        prop_assert_eq!(read(&after.chain(0), 0..length), expected);
    }

    #[test]
    fn a_resize_keeps_the_old_and_gains_zeros(pair in pair(), length in 0..UNITS) {
        let mut after = pair.clone();
        after.act(0, &Act::Resize { length });
        let (old, new) = (pair.real[0].length, after.real[0].length);
        prop_assert_eq!(new, length as u64 * UNIT);
        let mut expected = read(&pair.chain(0), 0..old.min(new));
        expected.set(old..new, Fill::ZERO);
        prop_assert_eq!(read(&after.chain(0), 0..new), expected);
    }

    #[test]
    fn compare_finds_the_first_sector_that_differs(
        a in pair(),
        other in prop::option::weighted(0.2, pair()),
        acts in vec(act(), 0..3),
    ) {
        // Mostly the same chain with a little done to its top, so that both results are common.
        let mut b = other.unwrap_or_else(|| a.clone());
        for act in &acts {
            b.act(0, act);
        }
        let sector = 512 / UNIT as usize;
        let differs = |unit: &usize| naive_read(&a.naive, *unit) != naive_read(&b.naive, *unit);
        let expected = match (0..UNITS).find(differs) {
            None => Comparison::Identical,
            Some(unit) => Comparison::Different { offset: (unit / sector * 512) as u64 },
        };
        prop_assert_eq!(compare(&a.chain(0), &b.chain(0)), expected);
        prop_assert_eq!(compare(&b.chain(0), &a.chain(0)), expected, "symmetric");
        prop_assert_eq!(compare(&a.chain(0), &a.chain(0)), Comparison::Identical, "reflexive");
    }

    /// What backups are for: the old full copy below the clusters that were written since is the
    /// drive, if whole clusters of the target were copied.
    #[test]
    fn an_increment_rebased_on_the_full_copy_is_the_drive(
        shape in shapes(1),
        before in vec(act(), 0..6),
        after in vec((0..UNITS, 1..10usize, 0..4u32), 0..6),
        target_cluster in prop::sample::select(vec![512u64, 1024, 2048]),
    ) {
        let mut drive = Pair::new(&shape);
        for act in &before {
            drive.act(0, act);
        }
        let length = drive.real[0].length;
        let empty = || Image::create(Format::Qcow2, length, Some(target_cluster), None);
        let (mut full, mut increment) = (empty().unwrap(), empty().unwrap());
        full.write(&[], &read(&drive.chain(0), 0..length));

        let mut written = Runs::new();
        for (at, len, fill) in after {
            let runs = vec![(len, Some(fill))];
            for (range, _) in contents(length, at, &runs).iter() {
                written.set(range, ());
            }
            drive.act(0, &Act::Write { at, runs });
        }
        for (range, ()) in written.iter() {
            let start = range.start / target_cluster * target_cluster;
            let end = range.end.next_multiple_of(target_cluster).min(length);
            increment.write(&[], &read(&drive.chain(0), start..end));
        }
        increment.rebase_unsafe(Some(Name::from("full")));
        prop_assert_eq!(increment.backing.as_deref(), Some("full"));
        prop_assert_eq!(compare(&[&increment, &full], &drive.chain(0)), Comparison::Identical);
    }

    #[test]
    fn equal_contents_are_equal_images(order in Just(vec![0u64, 1, 2, 3, 4]).prop_shuffle()) {
        let mut image = Image::create(Format::Qcow2, 64 << 20, None, None).unwrap();
        let mut sorted = image.clone();
        sorted.write(&[], &Runs::of(0..5 << 16, Fill(300)));
        for cluster in order {
            image.write(&[], &Runs::of(cluster << 16..(cluster + 1) << 16, Fill(300)));
        }
        prop_assert_eq!(image, sorted);
    }

    #[test]
    fn a_terabyte_costs_what_a_megabyte_costs(acts in vec(act(), 0..20)) {
        let mut sizes = [1u64 << 20, 1 << 40].map(|length| {
            Image::create(Format::Qcow2, length, Some(512), None).unwrap()
        });
        let backing = Image::create(Format::Qcow2, 1 << 40, None, None).unwrap();
        let below = [&backing];
        for image in &mut sizes {
            for act in &acts {
                match act {
                    Act::Write { at, runs } => {
                        let contents = contents(image.length, *at, runs);
                        image.write(&below, &contents);
                    }
                    Act::WriteZeroes { at, len } => {
                        image.write_zeroes(&below, *at as u64 * UNIT..(at + len) as u64 * UNIT);
                    }
                    Act::Discard { at, len } => {
                        image.discard(&below, *at as u64 * UNIT..(at + len) as u64 * UNIT);
                    }
                    // Far away, and back.
                    Act::Resize { .. } => {
                        let length = image.length;
                        image.resize(&below, length * 2);
                        image.resize(&below, length);
                    }
                }
            }
        }
        prop_assert_eq!(sizes[0].cells(), sizes[1].cells());
        // Each write has at most three runs of its own, two edges, and what it cuts in two.
        prop_assert!(sizes[1].cells().len() <= 6 * acts.len());
        let chain = [&sizes[1], below[0]];
        prop_assert!(read(&chain, 0..1 << 40).len() <= 6 * acts.len() + 1);
        prop_assert_eq!(compare(&chain, &[&sizes[0], below[0]]), Comparison::Identical);
    }
}

// ---------------------------------------------------------------------------------------------
// Examples

const K: u64 = 1024;
const M: u64 = 1024 * K;

fn qcow2(length: u64) -> Image {
    Image::create(Format::Qcow2, length, None, None).expect("a good image")
}

/// `length` bytes, all of them data.
fn full(length: u64, fill: u32) -> Image {
    let mut image = qcow2(length);
    image.write(&[], &Runs::of(0..length, Fill(fill)));
    image
}

/// The layers of a chain as `qemu-img map` has them: length in bytes, depth, what it is.
fn map(chain: &[&Image]) -> Vec<(u64, usize, Kind)> {
    let mut lines: Vec<(u64, usize, Kind)> = Vec::new();
    let mut at = 0;
    while at < chain[0].length {
        let Extent { end, kind } = status(chain, at, chain[0].length);
        let deferring = chain.iter().take_while(|image| {
            at < image.length && image.allocation(at, end).0 == Allocation::Unallocated
        });
        let depth = deferring.count();
        match lines.last_mut() {
            Some(last) if (last.1, last.2) == (depth, kind) => last.0 += end - at,
            _ => lines.push((end - at, depth, kind)),
        }
        at = end;
    }
    lines
}

#[test]
fn images_are_created_as_qemu_img_creates_them() {
    let create = |format, length, cluster| Image::create(format, length, cluster, None);
    let wrong = Err("Cluster size must be a power of two between 512 and 2048k".to_string());
    for (cluster, good) in [
        (512, true),
        (2 * M, true),
        (0, false),
        (1000, false),
        (256, false),
        (4 * M, false),
    ] {
        let image = create(Format::Qcow2, M, Some(cluster));
        match good {
            true => assert_eq!(image.unwrap().reported_cluster_size(), Some(cluster)),
            false => assert_eq!(image, wrong),
        }
    }
    assert_eq!(
        create(Format::Qcow2, M, None)
            .unwrap()
            .reported_cluster_size(),
        Some(65536)
    );
    assert_eq!(
        create(Format::Raw, M, None)
            .unwrap()
            .reported_cluster_size(),
        None
    );
    assert_eq!(
        create(Format::Qcow2, 1_000_001, None).unwrap().length,
        1_000_448
    );
    assert_eq!(
        create(Format::Raw, 1_000_001, None).unwrap().length,
        1_000_448
    );
    assert_eq!(
        create(Format::Raw, M, Some(65536)),
        Err("Invalid parameter 'cluster_size'".into())
    );
    assert_eq!(
        Image::create(Format::Raw, M, None, Some(Name::from("below"))),
        Err("Backing file not supported for file format 'raw'".into())
    );
    for format in [Format::Qcow2, Format::Raw] {
        assert_eq!(format.to_string().parse(), Ok(format));
    }
    assert_eq!(
        "vmdk".parse::<Format>(),
        Err("Unknown file format 'vmdk'".into())
    );
}

#[test]
fn discarded_clusters_read_zeros_as_qemu_img_map_says() {
    let mut alone = qcow2(M);
    alone.write(&[], &Runs::of(0..128 * K, Fill(1)));
    alone.discard(&[], 0..64 * K);
    alone.discard(&[], 256 * K..320 * K);
    let data = Cell::Data(Fill(1));
    let cells: Runs<Cell> = [(0..64 * K, Cell::Zero), (64 * K..128 * K, data)]
        .into_iter()
        .collect();
    assert_eq!(*alone.cells(), cells);

    let below = full(M, 2);
    let mut above = qcow2(M);
    above.write(&[&below], &Runs::of(0..128 * K, Fill(1)));
    above.discard(&[&below], 32 * K..96 * K);
    assert_eq!(
        map(&[&above, &below])[0],
        (128 * K, 0, Kind::Data),
        "no whole cluster"
    );
    above.discard(&[&below], 32 * K..128 * K);
    above.discard(&[&below], 256 * K..320 * K);
    assert_eq!(
        map(&[&above, &below]),
        [
            (64 * K, 0, Kind::Data),
            (64 * K, 0, Kind::Zero),
            (128 * K, 1, Kind::Data),
            (64 * K, 0, Kind::Zero),
            (704 * K, 1, Kind::Data),
        ]
    );

    let mut cut = qcow2(70 * K);
    cut.discard(&[&below], K..70 * K);
    assert_eq!(
        map(&[&cut, &below]),
        [(64 * K, 1, Kind::Data), (6 * K, 0, Kind::Zero)]
    );
}

#[test]
fn partial_zeroes_take_the_cluster_only_if_its_rest_is_zeros() {
    let mut alone = qcow2(M);
    alone.write_zeroes(&[], 0..512);
    alone.write(&[], &Runs::of(64 * K..128 * K, Fill(0)));
    alone.write_zeroes(&[], 64 * K..68 * K);
    alone.write(&[], &Runs::of(128 * K..132 * K, Fill(3)));
    alone.write_zeroes(&[], 128 * K..132 * K);
    alone.write_zeroes(&[], 192 * K..256 * K);
    alone.write(&[], &Runs::of(200 * K..201 * K, Fill(4)));
    alone.write_zeroes(&[], 256 * K..320 * K);
    alone.write_zeroes(&[], 260 * K..261 * K);
    assert_eq!(
        map(&[&alone]),
        [
            (64 * K, 0, Kind::Zero),
            (192 * K, 0, Kind::Data),
            (64 * K, 0, Kind::Zero),
            (704 * K, 1, Kind::Zero)
        ]
    );

    let below = full(M, 2);
    let mut above = qcow2(2 * M);
    above.write_zeroes(&[&below], 0..512);
    above.write_zeroes(&[&below], 1088 * K..1089 * K);
    let chain = [&above, &below];
    assert_eq!(above.allocation(0, M), (Allocation::Data, 64 * K));
    assert_eq!(
        above.allocation(1088 * K, 2 * M),
        (Allocation::Zero, 1152 * K)
    );
    assert_eq!(
        read(&chain, 0..1024),
        [(0..512, Fill(0)), (512..1024, Fill(2))]
            .into_iter()
            .collect()
    );

    let mut head_and_tail = qcow2(M);
    head_and_tail.write_zeroes(&[], 100 * K..200 * K);
    assert_eq!(
        *head_and_tail.cells(),
        Runs::of(64 * K..256 * K, Cell::Zero)
    );
}

#[test]
fn growing_hides_a_longer_backing_file_as_qemu_img_map_says() {
    use Kind::{Data, Zero};
    let below = full(M, 2);
    for (length, zeroes) in [(400 * K, 272 * K), (2 * M, 1920 * K)] {
        let mut top = qcow2(100 * K);
        top.resize(&[&below], length);
        let expected = [(64 * K, 1, Data), (64 * K, 0, Data), (zeroes, 0, Zero)];
        assert_eq!(map(&[&top, &below]), expected, "grown to {length}");
        assert_eq!(
            read(&[&top, &below], 100 * K..length),
            Runs::of(100 * K..length, Fill(0))
        );
    }
    let mut as_long = qcow2(M);
    as_long.resize(&[&below], 2 * M);
    assert!(as_long.cells().is_empty(), "nothing to hide");

    // Even where the last cluster was zero, and where the growth stays inside it.
    let short = full(80 * K, 1);
    let mut zero = qcow2(70 * K);
    zero.write_zeroes(&[&short], 64 * K..70 * K);
    zero.resize(&[&short], M);
    assert_eq!(
        map(&[&zero, &short]),
        [(64 * K, 1, Data), (64 * K, 0, Data), (896 * K, 0, Zero)]
    );
    let mut inside = qcow2(66 * K);
    inside.resize(&[&short], 68 * K);
    assert_eq!(
        map(&[&inside, &short]),
        [(64 * K, 1, Data), (4 * K, 0, Data)]
    );

    let mut alone = qcow2(300 * K);
    alone.write(&[], &Runs::of(0..256 * K, Fill(1)));
    alone.write_zeroes(&[], 256 * K..300 * K);
    alone.resize(&[], M);
    assert_eq!(
        map(&[&alone]),
        [(256 * K, 0, Data), (64 * K, 0, Zero), (704 * K, 1, Zero)]
    );
}

#[test]
fn a_short_backing_file_goes_on_with_zeros() {
    let below = full(100 * K, 7);
    let mut top = qcow2(256 * K);
    assert_eq!(
        map(&[&top, &below]),
        [(100 * K, 1, Kind::Data), (156 * K, 1, Kind::Zero)]
    );
    top.write(&[&below], &Runs::of(64 * K..65 * K, Fill(8)));
    let cells: Runs<Cell> = [
        (64 * K..65 * K, Cell::Data(Fill(8))),
        (65 * K..100 * K, Cell::Data(Fill(7))),
        (100 * K..128 * K, Cell::Data(Fill(0))),
    ]
    .into_iter()
    .collect();
    assert_eq!(*top.cells(), cells, "copy on write");
}

#[test]
fn compare_prints_what_qemu_img_prints() {
    let raw = |length| Image::create(Format::Raw, length, None, None).unwrap();
    let written = |mut image: Image, range: Range, fill| {
        image.write(&[], &Runs::of(range, Fill(fill)));
        image
    };
    let different = |offset| Comparison::Different { offset };
    let check = |a: &Image, b: &Image, expected| assert_eq!(compare(&[a], &[b]), expected);

    let (one, two) = (raw(M), raw(2 * M));
    check(&one, &two, Comparison::Identical);
    let tail = written(two, 1_060_000..1_060_003, 2);
    check(&one, &tail, different(1_059_840));
    let one = written(one, 6000..6003, 1);
    check(&one, &tail, different(5632));
    check(&one, &written(tail.clone(), 6000..6003, 2), different(5632));
    let same = written(tail, 6000..6003, 1);
    check(&one, &same, different(1_059_840));
    check(&one, &written(same, 7000..7003, 5), different(6656));

    let a = written(qcow2(M), 0..64 * K, 1);
    let b = written(qcow2(M), 0..5000, 1);
    check(&a, &b, different(4608));
    let b = written(written(b, 0..64 * K, 1), 100_001..100_006, 2);
    check(&a, &b, different(99840));
    check(&b, &a, different(99840));
}

/// QEMU before 2.6 copied less than a cluster of the target (bug-E3): the rest of that cluster
/// read zeros and hid the older backup.
#[test]
fn half_a_target_cluster_hides_the_older_backup() {
    let below = full(M, 9);
    let mut drive = full(M, 9);
    drive.write(&[], &Runs::of(0..512, Fill(300)));
    let mut increment = Image::create(Format::Qcow2, M, Some(128 * K), None).unwrap();
    increment.write(&[], &read(&[&drive], 0..64 * K));
    let hidden = Comparison::Different { offset: 64 * K };
    assert_eq!(compare(&[&increment, &below], &[&drive]), hidden);
    increment.write(&[], &read(&[&drive], 0..128 * K));
    assert_eq!(
        compare(&[&increment, &below], &[&drive]),
        Comparison::Identical
    );
}

#[test]
fn guest_writes_equal_only_themselves() {
    let [first, again, other] = [300, 300, 301].map(|fill| full(M, fill));
    assert_eq!(compare(&[&first], &[&again]), Comparison::Identical);
    assert_eq!(
        compare(&[&first], &[&other]),
        Comparison::Different { offset: 0 }
    );
    assert_eq!(compare(&[&full(M, 0)], &[&qcow2(M)]), Comparison::Identical);
}

#[test]
#[should_panic(expected = "internal bug")]
fn a_write_past_the_end_is_our_mistake() {
    qcow2(M).write(&[], &Runs::of(M - 512..M + 512, Fill(1)));
}
