//! Work that is kept and gone on with: from each place where it can be kept, the end is that of work which nobody disturbed.

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::Ordering::Relaxed;

use sim::fuzz::{self, Campaign, fuzz, fuzz_on};
use sim::parts::{Parts, Whole};
use sim::search::{self, Keep, Options, Order, Report, Saved, SoFar, Verdict, search, search_on};
use sim::strategy::{Random, Strategy};
use sim::toys::{Counter, Dining, GroupedBackup, TwoPhaseCommit};

/// What of a report does not depend on what was remembered.
fn told<T: Clone>(report: &Report<T>) -> (Verdict<T>, Vec<u64>, u64, u64, u64, u128, u64, u64) {
    (
        report.verdict.clone(),
        report.layers.clone(),
        report.states,
        report.transitions,
        report.resting,
        report.resting_digest,
        report.witnessed,
        report.parts,
    )
}

/// Keeps a search wherever it can be kept, and goes on from each place. Gives how many places there were.
fn goes_on<S: Parts>(system: &S, options: Options) -> usize {
    let alone = search(system, &options, &search::Control::default());
    let (control, mut kept) = (search::Control::default(), Vec::new());
    control.keep.store(true, Relaxed);
    let mut keeper = |so_far: &SoFar<'_>| {
        kept.push(serde_json::to_string(so_far).unwrap());
        control.keep.store(true, Relaxed);
    };
    let disturbed = search_on(system, &options, &control, None, &mut keeper).unwrap();
    assert_eq!(told(&disturbed), told(&alone));
    for text in &kept {
        let saved: Saved = serde_json::from_str(text).unwrap();
        let control = search::Control::default();
        // Whoever goes on may have another number of workers.
        let options = Options {
            jobs: NonZeroUsize::MIN,
            ..options
        };
        let on = search_on(system, &options, &control, Some(saved), &mut |_| {}).unwrap();
        assert_eq!(told(&on), told(&alone));
    }
    kept.len()
}

fn options() -> [Options; 5] {
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
        let alone = search(&counter, &options, &search::Control::default());
        assert!(matches!(alone.verdict, Verdict::Broken(_)));
        goes_on(&counter, options);
        goes_on(&dining, options);
    }
}

/// An interrupt in the midst of a layer loses nothing.
#[test]
fn an_interrupted_search_goes_on() {
    let toy = Whole(TwoPhaseCommit {
        resource_managers: 5,
    });
    let options = Options {
        reduce: false,
        ..Options::default()
    };
    let alone = search(&toy, &options, &search::Control::default());
    let (mut saved, mut rounds) = (None, 0);
    let report = loop {
        let (control, mut kept) = (search::Control::default(), None);
        control.interrupt.store(rounds < 9, Relaxed);
        let mut keeper = |so_far: &SoFar<'_>| kept = Some(serde_json::to_string(so_far).unwrap());
        let report = search_on(&toy, &options, &control, saved.take(), &mut keeper).unwrap();
        if report.verdict == Verdict::Verified {
            break report;
        }
        saved = kept.map(|text: String| serde_json::from_str(&text).unwrap());
        rounds += 1;
    };
    assert_eq!(rounds, 9);
    assert_eq!(told(&report), told(&alone));
}

/// What was kept of one system is not taken for what another one is.
#[test]
fn a_search_of_another_system_is_refused() {
    let mut kept = Vec::new();
    let control = search::Control::default();
    control.keep.store(true, Relaxed);
    let four = TwoPhaseCommit {
        resource_managers: 4,
    };
    let mut keeper = |so_far: &SoFar<'_>| kept.push(serde_json::to_string(so_far).unwrap());
    search_on(&four, &Options::default(), &control, None, &mut keeper).unwrap();
    let saved: Saved = serde_json::from_str(kept.last().unwrap()).unwrap();
    let three = TwoPhaseCommit {
        resource_managers: 3,
    };
    let control = search::Control::default();
    let refused = search_on(
        &three,
        &Options::default(),
        &control,
        Some(saved),
        &mut |_| {},
    );
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
