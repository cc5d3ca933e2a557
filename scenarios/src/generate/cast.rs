//! Who plays: drives with what they hold and how they fail, and the targets of their backups.

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;

use crate::format::{FaultEvent, Faults, InjectError, IoType, Pattern, SetState};
use crate::size::Size;

/// KiB.
const K: u64 = 1 << 10;

/// How many targets there are of each kind: images that `drive-backup` opens, and nodes.
pub(super) const TARGETS: usize = 3;

/// Everything that is there before the first command.
#[derive(Clone, Debug)]
pub(super) struct Cast {
    /// One to three.
    pub drives: Vec<Drive>,
    /// [`TARGETS`] nodes for `blockdev-backup`; those that nobody uses are not made.
    pub nodes: Vec<Target>,
    /// [`TARGETS`] images for `drive-backup` with `mode: existing`.
    pub files: Vec<Target>,
}

/// A drive.
#[derive(Clone, Debug)]
pub(super) struct Drive {
    /// Bytes, a multiple of a sector.
    pub size: u64,
    /// The cluster of its image, as an option of qemu-img.
    pub cluster: Option<&'static str>,
    /// The size of the image below it, in eighths of its own, and what is written there.
    pub below: Option<(u64, Area)>,
    /// What is written to it beforehand.
    pub writes: Vec<Area>,
    /// How it fails.
    pub faults: Option<Faults>,
    /// It has an iothread, if the story has iothreads.
    pub threaded: bool,
}

/// An image for a backup. The one with number *n* is made for drive *n*, modulo their number.
#[derive(Clone, Debug)]
pub(super) struct Target {
    /// Its cluster, as an option of qemu-img.
    pub cluster: Option<&'static str>,
    /// It is a cluster larger than the drive that it is for.
    pub larger: bool,
    /// How it fails; only nodes do.
    pub faults: Option<Faults>,
}

/// A part of an image whose size is not known yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    /// Where it begins, in 65536ths of the image.
    at: u16,
    /// Bytes; what lies beyond the end is cut off.
    len: u64,
    /// It begins at a multiple of this.
    align: u64,
    /// What a write writes.
    pub pattern: Pattern,
}

impl Area {
    /// Where it is in an image of that size, in bytes: offset and length, which is not 0.
    pub fn within(&self, size: u64) -> (Size, Size) {
        let at = (size * u64::from(self.at)) >> 16;
        let offset = at - at % self.align;
        let bytes = |bytes| Size::of(bytes).expect("internal: small images");
        (bytes(offset), bytes(self.len.min(size - offset)))
    }

    /// The cluster in which the part begins: a request that is one read or write of the file.
    pub fn cluster_within(&self, size: u64) -> (Size, Size) {
        let at = (size * u64::from(self.at)) >> 16;
        let offset = at - at % (64 * K);
        let bytes = |bytes| Size::of(bytes).expect("internal: small images");
        (bytes(offset), bytes((64 * K).min(size - offset)))
    }
}

/// A part that is written, read or discarded.
pub(super) fn area() -> impl Strategy<Value = Area> {
    let len = select(&[4 * K, 64 * K, 64 * K, 96 * K, 128 * K, 1024 * K][..]);
    let align = select(&[512, 4 * K, 64 * K, 64 * K, 64 * K][..]);
    (any::<u16>(), len, align, 1..=255_u8).prop_map(|(at, len, align, byte)| Area {
        at,
        len,
        align,
        pattern: Pattern(byte),
    })
}

/// The cast of a story.
pub(super) fn cast() -> impl Strategy<Value = Cast> {
    let number = prop_oneof![5 => Just(1_usize), 4 => Just(2), 1 => Just(3)];
    let threads = prop::bool::weighted(0.12);
    (
        vec(drive(), 3),
        number,
        threads,
        targets(true),
        targets(false),
    )
        .prop_map(|(mut drives, number, threads, nodes, files)| {
            drives.truncate(number);
            for drive in &mut drives {
                drive.threaded &= threads;
            }
            Cast {
                drives,
                nodes,
                files,
            }
        })
}

fn drive() -> impl Strategy<Value = Drive> {
    let clusters = prop_oneof![1 => Just(1_u64), 6 => 2..=5_u64, 2 => 6..=16_u64];
    // Every fifth ends within a cluster.
    let cut = prop_oneof![8 => Just(0), 1 => Just(64 * K - 512), 1 => Just(28 * K)];
    let cluster = weighted(0.15, select(&["16k", "128k"][..]));
    let below = weighted(
        0.25,
        (prop_oneof![4 => Just(8_u64), 1 => 2..=7_u64], area()),
    );
    (
        (clusters, cut, cluster),
        below,
        vec(area(), 0..=3),
        weighted(0.25, faults()),
        prop::bool::weighted(0.8),
    )
        .prop_map(
            |((clusters, cut, cluster), below, writes, faults, threaded)| Drive {
                size: clusters * 64 * K - cut,
                // Which read or write of several the rule meets is known where each request is one.
                cluster: cluster.filter(|_| faults.is_none()),
                below: below.filter(|_| faults.is_none()),
                writes,
                faults,
                threaded,
            },
        )
}

fn targets(nodes: bool) -> impl Strategy<Value = Vec<Target>> {
    let cluster = weighted(0.25, select(&["4k", "16k", "128k", "256k"][..]));
    let larger = prop::bool::weighted(0.04);
    let faults = weighted(0.25, faults());
    let target = (cluster, larger, faults).prop_map(move |(cluster, larger, faults)| Target {
        cluster,
        larger,
        faults: faults.filter(|_| nodes),
    });
    vec(target, TARGETS)
}

/// One rule: the first, second or third read or write fails, or every read from then on.
///
/// A rule hits the request that armed it. If it held for every write from then on, it would hit those of the image
/// format's own tables, which come when the format's caches are full: nobody knows beforehand. The sector of a rule would be one of the file below the image, which nobody knows beforehand.
fn faults() -> impl Strategy<Value = Faults> {
    let hit = select(
        &[
            ("read_aio", IoType::Read),
            ("read_aio", IoType::Read),
            ("write_aio", IoType::Write),
        ][..],
    );
    let errno = select(&[5_u32, 5, 28][..]);
    let (once, immediately) = (prop::bool::weighted(0.75), prop::bool::weighted(0.3));
    (hit, errno, 1..=3_u32, once, immediately).prop_map(
        |((event, iotype), errno, number, once, immediately)| {
            let event: FaultEvent = event.parse().expect("internal: blkdebug has that event");
            let counted = (1..number).map(|state| SetState {
                event,
                state,
                new_state: state + 1,
            });
            Faults {
                set_state: counted.collect(),
                inject_error: vec![InjectError {
                    event,
                    state: number,
                    errno,
                    sector: None,
                    once: once || iotype == IoType::Write,
                    immediately,
                    iotype: Some(iotype),
                }],
            }
        },
    )
}

/// Whether a request that is tried again may fail for ever.
pub(super) fn lasts(faults: Option<&Faults>) -> bool {
    faults.is_some_and(|faults| faults.inject_error.iter().any(|rule| !rule.once))
}
