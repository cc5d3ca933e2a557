//! What a search does when memory is short: the same on disk as in memory, or less, and it says so.

use sim::parts::{Parts, Whole};
use sim::search::{
    Control, Keep, Limit, Options, Order, Report, Scratch, Store, Verdict, WhenFull, search,
};
use sim::toys::{Counter, Dining, GroupedBackup, TwoPhaseCommit};
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A disk in memory, with room for so many bytes.
#[derive(Debug)]
struct Disk {
    free: Arc<AtomicUsize>,
}

impl Disk {
    fn of(bytes: usize) -> Control {
        let free = Arc::new(AtomicUsize::new(bytes));
        let mut control = Control::default();
        control.store = Some(Arc::new(Disk { free }));
        control
    }

    fn large() -> Control {
        Disk::of(usize::MAX)
    }
}

impl Store for Disk {
    fn create(&self) -> io::Result<Box<dyn Scratch>> {
        Ok(Box::new(File {
            bytes: Cursor::default(),
            free: self.free.clone(),
        }))
    }
}

struct File {
    bytes: Cursor<Vec<u8>>,
    free: Arc<AtomicUsize>,
}

impl Write for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let less = |free: usize| free.checked_sub(bytes.len());
        match self.free.fetch_update(Relaxed, Relaxed, less) {
            Ok(_) => self.bytes.write(bytes),
            Err(_) => Err(io::Error::from(io::ErrorKind::StorageFull)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for File {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(bytes)
    }
}

impl Seek for File {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.bytes.seek(to)
    }
}

fn spilling(keys_max: usize) -> Options {
    Options {
        when_full: WhenFull::Spill,
        keys_max,
        ..Options::default()
    }
}

fn grouped(sizes: &str) -> GroupedBackup {
    sizes.parse().expect("sizes")
}

fn two_phase(resource_managers: u8) -> TwoPhaseCommit {
    TwoPhaseCommit { resource_managers }
}

/// All that a search says about its system.
fn told<T: Clone>(report: &Report<T>) -> (Verdict<T>, u64, u64, Vec<u64>, u64, u128, u64) {
    (
        report.verdict.clone(),
        report.states,
        report.transitions,
        report.layers.clone(),
        report.resting,
        report.resting_digest,
        report.witnessed,
    )
}

/// In memory and on disk, with memory for fewer and fewer states and with several workers: the same.
/// Returns how often memory was emptied at most.
fn same_on_disk<S: Parts>(system: &S, options: Options) -> u64 {
    let expected = search(system, &options, &Control::default());
    let mut spills = 0;
    // Many states in little memory would take long.
    let little = (expected.states as usize / 100).max(20);
    for (keys_max, jobs) in [(little, 1), (little * 3, 3)] {
        let options = Options {
            when_full: WhenFull::Spill,
            keys_max,
            jobs: NonZeroUsize::new(jobs).expect("not 0"),
            ..options
        };
        let report = search(system, &options, &Disk::large());
        assert_eq!(told(&report), told(&expected), "{keys_max} {jobs}");
        assert_eq!(report.disk_error, None);
        spills = spills.max(report.spills);
    }
    spills
}

#[test]
fn a_search_on_disk_finds_the_same_as_one_in_memory() {
    let full = Options {
        reduce: false,
        ..Options::default()
    };
    let unlike = Options {
        symmetry: false,
        ..full
    };
    assert!(same_on_disk(&grouped("2,2,1,1,1,fixed"), full) > 50);
    assert!(same_on_disk(&grouped("3,1,1,1,1,fixed"), full) > 50);
    assert!(same_on_disk(&grouped("2,2,2,1,1,fixed"), Options::default()) > 3);
    assert!(same_on_disk(&two_phase(5), unlike) > 50);
    assert!(same_on_disk(&Whole(two_phase(5)), unlike) > 50);
}

#[test]
fn the_counterexample_is_the_same_too() {
    assert!(same_on_disk(&grouped("2,1,1,1,1,bug"), Options::default()) > 0);
    let unreduced = Options {
        reduce: false,
        ..Options::default()
    };
    let counter = Whole(Counter {
        threads: 5,
        compare_and_swap: false,
    });
    assert!(same_on_disk(&counter, unreduced) > 3);
    let dining = Whole(Dining {
        philosophers: 7,
        left_handed_last: false,
    });
    assert!(same_on_disk(&dining, unreduced) > 3);
}

#[test]
fn without_a_disk_a_search_that_is_full_stops() {
    let toy = grouped("2,2,1,1,1,fixed");
    let too_little = Options {
        bytes_max: 100,
        ..spilling(usize::MAX)
    };
    let ended = |options: Options, control: &Control| search(&toy, &options, control).verdict;
    let full = Verdict::Inconclusive(Limit::Bytes);
    assert_eq!(ended(too_little, &Control::default()), full);
    // What cannot go to disk is too much already.
    assert_eq!(ended(too_little, &Disk::large()), full);
    // These must know at once what was visited.
    for options in [
        Options {
            order: Order::Depth,
            ..too_little
        },
        Options {
            sleep_sets: true,
            ..too_little
        },
        Options {
            keep: Keep::Fingerprints,
            ..too_little
        },
    ] {
        assert_eq!(ended(options, &Disk::large()), full, "{options:?}");
    }
}

#[test]
fn a_disk_that_is_full_ends_the_search_and_loses_nothing() {
    let toy = grouped("2,2,1,1,1,fixed");
    let whole = search(&toy, &Options::default(), &Control::default());
    let mut ends = Vec::new();
    for room in (0..40_000).step_by(1_111) {
        let report = search(&toy, &spilling(50), &Disk::of(room));
        if report.verdict == Verdict::Inconclusive(Limit::Disk) {
            let error = report.disk_error.expect("why");
            assert!(error.contains("space") || error.contains("full"), "{error}");
            assert!(report.states > 50 && report.states <= whole.states);
            ends.push(false);
        } else {
            assert_eq!(told(&report), told(&whole));
            ends.push(true);
        }
    }
    assert!(ends.contains(&false));
    // What is broken is shown, whatever room there is on the disk.
    let broken = grouped("2,1,1,1,1,bug");
    let expected = search(&broken, &Options::default(), &Control::default()).verdict;
    for room in (0..40_000).step_by(1_111) {
        let verdict = search(&broken, &spilling(50), &Disk::of(room)).verdict;
        match (&verdict, &expected) {
            (Verdict::Broken(found), Verdict::Broken(expected)) => {
                assert_eq!(found.breach.property, expected.breach.property);
                // A shorter one may need more room, and then this one does not say that it is.
                assert!(found.steps == expected.steps || !found.shortest);
            }
            _ => assert_eq!(verdict, Verdict::Inconclusive(Limit::Disk)),
        }
    }
}

/// What is counted is kept, on disk and without.
#[test]
fn what_a_search_holds_is_what_it_may_hold() {
    let toy = two_phase(7);
    let full = Options {
        reduce: false,
        symmetry: false,
        cycles: false,
        ..Options::default()
    };
    let free = search(&toy, &full, &Control::default());
    let limited = Options {
        // Less than the visited states alone take, though enough for what waits.
        bytes_max: 12 * free.states,
        ..full
    };
    let stopped = search(&toy, &limited, &Control::default());
    assert_eq!(stopped.verdict, Verdict::Inconclusive(Limit::Bytes));
    let spilled = search(
        &toy,
        &Options {
            when_full: WhenFull::Spill,
            ..limited
        },
        &Disk::large(),
    );
    assert_eq!(told(&spilled), told(&free));
    assert!(spilled.spills > 1, "{spilled:?}");
    for report in [stopped, spilled] {
        let most = limited.bytes_max + limited.bytes_max / 2;
        assert!(report.bytes <= most, "{} {most}", report.bytes);
    }
}

#[test]
fn bits_find_what_is_broken_and_never_say_that_nothing_is() {
    let bits = |bits| Options {
        keep: Keep::Bitstate(bits),
        reduce: false,
        ..Options::default()
    };
    let fixed = grouped("2,2,2,1,1,fixed");
    let enough = search(&fixed, &bits(24), &Control::default());
    assert_eq!(enough.verdict, Verdict::Inconclusive(Limit::Bitstate));
    let coverage = enough.coverage.expect("how much was seen");
    assert!(coverage.estimate > 0.999_99, "{coverage:?}");
    assert!(
        enough.states > 62_100 && enough.states <= 62_149,
        "{enough:?}"
    );
    let few = search(&fixed, &bits(16), &Control::default());
    let coverage = few.coverage.expect("how much was seen");
    assert!(coverage.estimate < 0.9, "{coverage:?}");
    assert!(few.states < 62_000, "{few:?}");
    // Any number of workers misses the same.
    for jobs in [2, 5] {
        let options = Options {
            jobs: NonZeroUsize::new(jobs).expect("not 0"),
            ..bits(16)
        };
        let report = search(&fixed, &options, &Control::default());
        assert_eq!(told(&report), told(&few), "{jobs}");
        assert_eq!(report.coverage, few.coverage, "{jobs}");
    }
    for order in [Order::Breadth, Order::Depth] {
        let options = Options { order, ..bits(20) };
        let Verdict::Broken(found) =
            search(&grouped("2,1,1,1,1,bug"), &options, &Control::default()).verdict
        else {
            panic!("the bug is missed")
        };
        assert_eq!(found.breach.property, "all-or-nothing");
        assert!(!found.shortest);
    }
}

/// When all states were visited but there is no room to look for cycles, that is what is not known.
#[test]
fn cycles_have_a_limit_of_their_own() {
    let options = Options {
        symmetry: false,
        ..spilling(20_000)
    };
    let toy = two_phase(7);
    let free = search(&toy, &options, &Disk::large());
    assert_eq!(free.verdict, Verdict::Verified);
    assert!(free.spills > 5);
    // On disk it takes less than the look for cycles does.
    let limited = Options {
        bytes_max: 12 * free.states,
        ..options
    };
    let report = search(&toy, &limited, &Disk::large());
    let unknown = Verdict::Inconclusive(Limit::BytesForCycles);
    assert_eq!(report.verdict, unknown, "{report:?}");
    assert_eq!(report.states, free.states);
}
