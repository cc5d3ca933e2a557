//! Work that is kept and gone on with: from each place where it can be kept, the end is that of work which nobody disturbed.

use std::io::{self, Cursor};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use sim::fuzz::{self, Campaign, fuzz, fuzz_on};
use sim::parts::{Parts, Whole};
use sim::search::{
    self, Coverage, Keep, Options, Order, Report, Saved, Scratch, SoFar, Store, Verdict, WhenFull,
    search, search_on,
};
use sim::stateless::{self, Keeping, Limits, Stateless};
use sim::strategy::{Random, Strategy};
use sim::toys::{Counter, Dining, GroupedBackup, TwoPhaseCommit};

type Told<T> = (Verdict<T>, Vec<u64>, [u64; 4], u128, u64, Option<Coverage>);

/// What of a report does not depend on what was remembered.
fn told<T: Clone>(report: &Report<T>) -> Told<T> {
    (
        report.verdict.clone(),
        report.layers.clone(),
        [
            report.states,
            report.transitions,
            report.resting,
            report.witnessed,
        ],
        report.resting_digest,
        report.parts,
        report.coverage,
    )
}

/// Files in memory.
#[derive(Debug)]
struct Memory;

impl Store for Memory {
    fn create(&self) -> io::Result<Box<dyn Scratch>> {
        Ok(Box::new(Cursor::new(Vec::new())))
    }
}

fn control() -> search::Control {
    let mut control = search::Control::default();
    control.store = Some(Arc::new(Memory));
    control
}

/// What was written down of a search.
#[derive(Clone)]
struct Written(String, Vec<u8>);

impl Written {
    fn of(so_far: &mut SoFar<'_>) -> Written {
        let mut states = Vec::new();
        so_far.states.write(&mut states).expect("memory has room");
        Written(serde_json::to_string(&so_far.saved).unwrap(), states)
    }

    /// Goes on from there, and keeps it again.
    fn go_on<S: Parts>(
        &self,
        system: &S,
        options: &Options,
        control: &search::Control,
        keeper: &mut search::Keeper<'_>,
    ) -> Result<Report<S::Step>, sim::Stale> {
        let saved: Saved = serde_json::from_str(&self.0).unwrap();
        let mut keeper = |so_far: &mut SoFar<'_>| keeper(so_far);
        let mut states = &self.1[..];
        let report = search_on(
            system,
            options,
            control,
            Some((saved, &mut states)),
            &mut keeper,
        );
        assert!(report.is_err() || states.is_empty(), "all is read");
        report
    }
}

/// Keeps a search wherever it can be kept, and goes on from each place. Gives how many places there were.
fn goes_on<S: Parts>(system: &S, options: Options) -> usize {
    let alone = search(system, &options, &control());
    let (control, mut kept) = (control(), Vec::new());
    control.keep.store(true, Relaxed);
    let mut keeper = |so_far: &mut SoFar<'_>| {
        kept.push(Written::of(so_far));
        control.keep.store(true, Relaxed);
    };
    let disturbed = search_on(system, &options, &control, None, &mut keeper).unwrap();
    assert_eq!(told(&disturbed), told(&alone));
    // Whoever goes on may have another number of workers, and room for so many states.
    let rooms = [
        (options.when_full, options.keys_max),
        (WhenFull::Stop, usize::MAX),
        (WhenFull::Spill, 30),
    ];
    for (number, written) in kept.iter().enumerate() {
        let rooms = &rooms[..if number % 7 == 3 { 3 } else { 1 }];
        for (when_full, keys_max) in rooms.iter().copied() {
            let options = Options {
                jobs: NonZeroUsize::MIN,
                when_full,
                keys_max,
                ..options
            };
            let control = self::control();
            let on = written.go_on(system, &options, &control, &mut |_| {});
            assert_eq!(told(&on.unwrap()), told(&alone));
        }
    }
    kept.len()
}

fn options() -> [Options; 9] {
    let all = Options::default();
    let jobs = NonZeroUsize::new(3).unwrap();
    [
        all,
        Options { jobs, ..all },
        Options {
            reduce: false,
            symmetry: false,
            ..all
        },
        Options {
            keep: Keep::Fingerprints,
            reduce: false,
            ..all
        },
        Options {
            order: Order::Depth,
            ..all
        },
        Options {
            keep: Keep::Bitstate(16),
            jobs,
            reduce: false,
            ..all
        },
        Options {
            when_full: WhenFull::Spill,
            keys_max: 40,
            ..all
        },
        Options {
            when_full: WhenFull::Spill,
            keys_max: 100,
            jobs,
            reduce: false,
            symmetry: false,
            ..all
        },
        Options {
            sleep_sets: true,
            reduce: false,
            symmetry: false,
            ..all
        },
    ]
}

#[test]
fn a_search_goes_on_from_each_place() {
    let grouped: GroupedBackup = "2,1,1,1,1,fixed".parse().unwrap();
    let toy = TwoPhaseCommit {
        resource_managers: 4,
    };
    let mut places = 0;
    for options in options() {
        places += goes_on(&toy, options);
        places += goes_on(&Whole(toy), options);
        places += goes_on(&grouped, options);
    }
    assert!(places > 100, "{places}");
}

/// A promise that is broken is broken by the same schedule.
#[test]
fn a_breach_is_found_after_a_break() {
    let counter = Whole(Counter {
        threads: 3,
        compare_and_swap: false,
    });
    let dining = Whole(Dining {
        philosophers: 4,
        left_handed_last: false,
    });
    for options in options() {
        let alone = search(&counter, &options, &control());
        assert!(matches!(alone.verdict, Verdict::Broken(_)));
        goes_on(&counter, options);
        goes_on(&dining, options);
    }
}

/// Interrupts in the midst of layers lose nothing, and with bits the same states are missed.
#[test]
fn an_interrupted_search_goes_on() {
    let toy = TwoPhaseCommit {
        resource_managers: 7,
    };
    let jobs = NonZeroUsize::new(3).unwrap();
    for (keep, when_full) in [
        (Keep::Rows, WhenFull::Stop),
        (Keep::Rows, WhenFull::Spill),
        (Keep::Bitstate(19), WhenFull::Stop),
    ] {
        let options = Options {
            keep,
            when_full,
            keys_max: 50_000,
            reduce: false,
            symmetry: false,
            jobs,
            ..Options::default()
        };
        let alone = search(&toy, &options, &control());
        let (mut written, mut rounds) = (None::<Written>, 0);
        let report = loop {
            let (control, mut kept) = (control(), None);
            // First to the large layers, then amid them.
            control.interrupt.store((1..6).contains(&rounds), Relaxed);
            let options = Options {
                depth_max: if rounds == 0 { 10 } else { u64::MAX },
                ..options
            };
            let mut keeper = |so_far: &mut SoFar<'_>| kept = Some(Written::of(so_far));
            let report = match &written {
                Some(written) => written.go_on(&toy, &options, &control, &mut keeper),
                None => search_on(&toy, &options, &control, None, &mut keeper),
            };
            if rounds == 6 {
                break report.unwrap();
            }
            written = kept;
            rounds += 1;
        };
        assert_eq!(told(&report), told(&alone));
        assert!(report.layers.iter().any(|layer| *layer > 3 << 12));
    }
}

/// What was kept of one system is not taken for what another one is.
#[test]
fn a_search_of_another_system_is_refused() {
    let mut kept = Vec::new();
    let control = control();
    control.keep.store(true, Relaxed);
    let four = TwoPhaseCommit {
        resource_managers: 4,
    };
    let mut keeper = |so_far: &mut SoFar<'_>| kept.push(Written::of(so_far));
    let options = Options::default();
    search_on(&four, &options, &control, None, &mut keeper).unwrap();
    let written = kept.last().unwrap();
    let three = TwoPhaseCommit {
        resource_managers: 3,
    };
    let refused = |system: &TwoPhaseCommit, options: &Options| {
        let refused = written.go_on(system, options, &control, &mut |_| {});
        refused.unwrap_err().to_string()
    };
    refused(&three, &options);
    let bits = Options {
        keep: Keep::Bitstate(16),
        ..options
    };
    assert!(refused(&four, &bits).contains("something else of each state"));
    let sleep = Options {
        sleep_sets: true,
        ..options
    };
    assert!(refused(&four, &sleep).contains("sleep sets"));
    let cut = Written(written.0.clone(), written.1[8..].to_vec());
    let refused = cut.go_on(&four, &options, &control, &mut |_| {});
    assert!(refused.is_err(), "not all states are there");
}

/// Explores with a checkpoint after each step, and goes on from some of them; then with a break in each execution.
fn exploration_goes_on<S: Parts>(system: &S, limits: Limits<'_>) -> usize {
    let alone = Stateless::of_parts(system, limits).explore(&mut |_| ());
    let (due, mut kept, mut places) = (AtomicBool::new(true), Vec::new(), 0);
    let mut keeper = |saved: &stateless::Saved| {
        if places % 60 == 0 {
            kept.push(serde_json::to_string(saved).unwrap());
        }
        places += 1;
        due.store(true, Relaxed);
    };
    let keeping = Keeping {
        due: &due,
        keeper: &mut keeper,
    };
    let disturbed = Stateless::of_parts(system, limits).explore_on(None, keeping, &mut |_| ());
    assert_eq!(disturbed.as_ref(), Ok(&alone));
    for text in &kept {
        let saved = serde_json::from_str(text).unwrap();
        let keeping = Keeping {
            due: &AtomicBool::new(false),
            keeper: &mut |_| (),
        };
        let exploration = Stateless::of_parts(system, limits);
        let on = exploration.explore_on(Some(&saved), keeping, &mut |_| ());
        assert_eq!(on.as_ref(), Ok(&alone));
    }
    let (mut saved, mut breaks) = (None::<stateless::Saved>, 0);
    let on = loop {
        let (interrupt, mut kept) = (AtomicBool::new(false), None);
        let limits = Limits {
            interrupt: Some(&interrupt),
            ..limits
        };
        let keeping = Keeping {
            due: &AtomicBool::new(false),
            keeper: &mut |saved| kept = Some(saved.clone()),
        };
        let exploration = Stateless::of_parts(system, limits);
        // Before races are looked at.
        let mut stop = |_: &_| interrupt.store(true, Relaxed);
        let report = exploration.explore_on(saved.as_ref(), keeping, &mut stop);
        let report = report.unwrap();
        if report.end != stateless::End::Interrupted {
            break report;
        }
        saved = kept;
        breaks += 1;
    };
    assert_eq!(on, alone);
    kept.len() + breaks
}

#[test]
fn an_exploration_goes_on_from_each_place() {
    let all = Limits::NONE;
    let first = Limits {
        stop_at_breach: true,
        ..all
    };
    let cut = Limits {
        depth_max: 9,
        ..all
    };
    let counter = Counter {
        threads: 3,
        compare_and_swap: false,
    };
    let dining = Dining {
        philosophers: 4,
        left_handed_last: false,
    };
    let grouped: GroupedBackup = "2,1,1,1,1,fixed".parse().unwrap();
    let mut places = 0;
    for limits in [all, first, cut] {
        places += exploration_goes_on(&Whole(counter), limits);
        places += exploration_goes_on(&Whole(dining), limits);
        places += exploration_goes_on(&grouped, limits);
    }
    assert!(places > 100, "{places}");
}

/// What was kept of one system is not followed in another one.
#[test]
fn an_exploration_of_another_system_is_refused() {
    let dining = |philosophers| {
        Whole(Dining {
            philosophers,
            left_handed_last: true,
        })
    };
    let mut kept = None;
    let keeping = Keeping {
        due: &AtomicBool::new(false),
        keeper: &mut |saved| kept = Some(saved.clone()),
    };
    let limits = Limits {
        executions_max: 5,
        ..Limits::NONE
    };
    let (four, two) = (dining(4), dining(2));
    let report = Stateless::of_parts(&four, limits).explore_on(None, keeping, &mut |_| ());
    assert_eq!(report.unwrap().executions, 5);
    let keeping = Keeping {
        due: &AtomicBool::new(false),
        keeper: &mut |_| (),
    };
    let exploration = Stateless::of_parts(&two, Limits::NONE);
    let refused = exploration.explore_on(kept.as_ref(), keeping, &mut |_| ());
    assert!(refused.is_err());
}

/// A campaign goes on from each place, whoever does how much of it.
#[test]
fn a_campaign_goes_on_from_each_place() {
    let counter = Counter {
        threads: 2,
        compare_and_swap: false,
    };
    let strategy = || Box::new(Random::default()) as Box<dyn Strategy>;
    for (stop_at_failure, jobs) in [(false, 1), (false, 3), (true, 2)] {
        let campaign = Campaign {
            root: 7,
            runs: 10..700,
            strategy: &strategy,
            steps_max: 1000,
            stop_at_failure,
            doublecheck: false,
            jobs: NonZeroUsize::new(jobs).unwrap(),
        };
        let alone = fuzz(&counter, &campaign, &fuzz::Control::default());
        let (control, kept) = (fuzz::Control::default(), Mutex::new(Vec::new()));
        control.keep.store(true, Relaxed);
        let keeper = |saved: &fuzz::Saved| {
            kept.lock().unwrap().push(saved.clone());
            control.keep.store(true, Relaxed);
        };
        let from = fuzz::Saved::default();
        let disturbed = fuzz_on(&counter, &campaign, &control, &from, &keeper);
        assert_eq!(disturbed.as_ref(), Ok(&alone));
        let kept = kept.into_inner().unwrap();
        assert!(!kept.is_empty());
        for saved in &kept {
            let control = fuzz::Control::default();
            let on = fuzz_on(&counter, &campaign, &control, saved, &|_| {});
            assert_eq!(on.as_ref(), Ok(&alone), "from run {}", saved.runs());
        }
        // Nothing is lost then, so what was kept is of another system.
        let other = Counter {
            compare_and_swap: true,
            ..counter
        };
        let control = fuzz::Control::default();
        let last = kept.last().unwrap();
        assert!(fuzz_on(&other, &campaign, &control, last, &|_| {}).is_err());
    }
}
