//! Planted bugs of the locks themselves: in every order of whole steps all is well, so no search can find them.

use sim::threads::Planted;

/// A planted bug of the locks.
#[derive(Clone, Copy, Debug)]
pub struct LockBug {
    /// Its name.
    pub name: &'static str,
    /// Its entry in the catalogue of QEMU's bugs.
    pub bug: &'static str,
    /// What is wrong.
    pub what: &'static str,
    /// Where it is on record.
    pub reference: &'static str,
    /// The switch.
    pub planted: Planted,
    /// The story in which it shows: a file without its ending.
    pub story: &'static str,
    /// How many jobs it has, each a thread beside the main one.
    pub jobs: usize,
    /// How many guests it has, each a thread too.
    pub guests: usize,
    /// The promise that is broken.
    pub breaks: &'static str,
}

/// The lock of the bitmaps of the first node, a mask.
const BITMAPS: u64 = 1 << model::lock::BITMAPS_FIRST;

/// All of them.
pub const LOCK_BUGS: &[LockBug] = &[
    LockBug {
        name: "bitmaps-lock-forgotten",
        bug: "bug-F4",
        what: "Bitmaps are read and written back without their lock: of two marks at once, one is lost.",
        reference: "bitmap commands without the node's lock, mended in QEMU 5.0",
        planted: Planted::Forgets(BITMAPS),
        story: "loom/two-guests-mark-one-bitmap",
        jobs: 0,
        guests: 2,
        breaks: "expectation",
    },
    LockBug {
        name: "wait-tested-outside",
        bug: "bug-C5",
        what: "Whoever finds nothing to do lets go of the lock before it says that it waits: the wake-up is lost.",
        reference: "a job that became idle in an iothread did not kick the drain that polled for it, mended in QEMU 3.1; \
                    with bug-E12, inferred",
        planted: Planted::TestsOutside,
        story: "loom/cancel-against-completion",
        jobs: 1,
        guests: 0,
        breaks: sim::threads::EVERY_WAIT_ENDS,
    },
    LockBug {
        name: "locks-in-two-orders",
        bug: "bug-B6",
        what: "One thread takes its locks in the opposite order: each waits for what the other has.",
        reference: "finalising a group with one member's context held, mended in QEMU 5.0",
        planted: Planted::Descending,
        story: "loom/guest-write-against-clear",
        jobs: 0,
        guests: 1,
        breaks: "deadlock",
    },
];
