//! A search in shares finds what the search in one place finds, however many shares there are, and in whatever order
//! frames come.

mod common;

use common::Ring;
use sim::parts::{Parts, Whole};
use sim::search::shard::{Place, Shard, refusal};
use sim::search::{Control, Keep, Limit, Options, Order, Report, Saved, Verdict, search};
use sim::toys::{Counter, Dining, GroupedBackup, TwoPhaseCommit};
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::Ordering::Relaxed;

/// Searches in `count` shares, all on this thread. `backwards`: the shards work in the other order, so frames come
/// in another one.
fn in_shares<S: Parts>(
    system: &S,
    options: &Options,
    count: usize,
    backwards: bool,
) -> Report<S::Step> {
    let shards = (0..count).map(|number| Shard::new(system, options, place(number, count)));
    together(shards.collect(), &Control::default(), backwards)
}

fn place(number: usize, count: usize) -> Place {
    Place {
        number,
        count: NonZeroUsize::new(count).unwrap(),
    }
}

/// Searches with these shards to the end.
fn together<S: Parts>(
    mut shards: Vec<Shard<'_, S>>,
    control: &Control,
    backwards: bool,
) -> Report<S::Step> {
    let count = shards.len();
    loop {
        let mut order: Vec<usize> = (0..count).collect();
        if backwards {
            order.reverse();
        }
        while let Some(number) = order.pop() {
            let mut frames = Vec::new();
            let is_more = shards[number].work(control, &mut |to, frame| frames.push((to, frame)));
            for (to, frame) in frames {
                assert_ne!(to, number, "nobody sends to itself");
                shards[to].take(number, &frame).unwrap();
            }
            if is_more {
                order.insert(0, number);
            }
        }
        let ends: Vec<_> = shards
            .iter_mut()
            .map(|shard| shard.turn(control).unwrap())
            .collect();
        let over: Vec<_> = ends.into_iter().flatten().collect();
        if let Some(report) = over.first() {
            assert_eq!(over.len(), count, "all end in the same round");
            assert!(
                over.iter()
                    .all(|other| format!("{other:?}") == format!("{report:?}"))
            );
            return report.clone();
        }
    }
}

fn assert_same<S: Parts>(system: &S, options: &Options) {
    let alone = search(system, options, &Control::default());
    for (count, backwards) in [(1, false), (2, false), (2, true), (3, true), (7, false)] {
        let shared = in_shares(system, options, count, backwards);
        let what = |report: &Report<S::Step>| {
            let counts = [report.states, report.transitions, report.resting];
            (
                counts,
                report.layers.clone(),
                report.witnessed,
                report.omission_odds.to_bits(),
                format!("{:?}", report.verdict),
            )
        };
        assert_eq!(what(&shared), what(&alone), "{count} shares");
        if system.alike().is_empty() || !options.symmetry {
            assert_eq!(shared.resting_digest, alone.resting_digest);
        }
    }
}

/// With and without reductions, symmetry and exact rows.
fn assert_same_in_all_ways<S: Parts>(system: &S) {
    for reduce in [false, true] {
        for keep in [Keep::Rows, Keep::Fingerprints] {
            let options = Options {
                reduce,
                keep,
                cycles: keep == Keep::Rows,
                ..Options::default()
            };
            assert_eq!(refusal(system, &options), None);
            assert_same(system, &options);
        }
    }
}

#[test]
fn a_protocol_has_the_same_states_in_shares() {
    assert_same_in_all_ways(&TwoPhaseCommit {
        resource_managers: 3,
    });
    assert_same_in_all_ways(&Whole(TwoPhaseCommit {
        resource_managers: 3,
    }));
}

#[test]
fn a_grouped_backup_has_the_same_states_and_the_same_counterexample_in_shares() {
    for sizes in ["2,1,1,1,1,fixed", "1,2,2,1,1,bug", "2,1,0,1,0,bug"] {
        let toy: GroupedBackup = sizes.parse().unwrap();
        assert_same_in_all_ways(&toy);
    }
}

/// Philosophers starve in a state of rest, a counter loses an increment in a step.
#[test]
fn what_is_broken_at_rest_and_in_a_step_is_broken_alike() {
    assert_same_in_all_ways(&Whole(Dining {
        philosophers: 4,
        left_handed_last: false,
    }));
    assert_same_in_all_ways(&Whole(Counter {
        threads: 3,
        compare_and_swap: false,
    }));
}

#[test]
fn limits_end_it_where_they_end_it_in_one_place() {
    let toy: GroupedBackup = "2,1,1,1,1,fixed".parse().unwrap();
    let free = Options {
        cycles: false,
        ..Options::default()
    };
    for depth_max in [0, 3, u64::MAX] {
        for states_max in [1, 40, u64::MAX] {
            let options = Options {
                depth_max,
                states_max,
                ..free
            };
            assert_same(&toy, &options);
        }
    }
    let interrupted = Options {
        bytes_max: 1,
        ..free
    };
    let report = in_shares(&toy, &interrupted, 2, false);
    assert_eq!(report.verdict, Verdict::Inconclusive(Limit::Bytes));
}

#[test]
fn what_needs_all_states_in_one_place_is_refused() {
    let toy = TwoPhaseCommit {
        resource_managers: 3,
    };
    let all = Options::default();
    let cycles = Options {
        keep: Keep::Fingerprints,
        ..all
    };
    let depth = Options {
        order: Order::Depth,
        ..all
    };
    let sleeping = Options {
        sleep_sets: true,
        ..all
    };
    let whole = Whole(toy);
    assert_eq!(refusal(&whole, &all), None);
    assert!(refusal(&whole, &cycles).is_some_and(|why| why.contains("never rest")));
    assert!(refusal(&whole, &depth).is_some());
    assert!(refusal(&whole, &sleeping).is_some());
}

/// Whether a state leads back to itself is known in shares; which run does is asked elsewhere.
#[test]
fn what_goes_round_is_noticed() {
    for leaves in [false, true] {
        for count in [1, 2, 5] {
            let ring = Whole(Ring { leaves });
            let report = in_shares(&ring, &Options::default(), count, false);
            assert_eq!(report.verdict, Verdict::Inconclusive(Limit::Cycle));
        }
    }
}

/// From each place where all shards are kept, the end is that of a search which nobody disturbed.
#[test]
fn shards_go_on_from_each_place_where_they_are_kept() {
    let two_phase = TwoPhaseCommit {
        resource_managers: 3,
    };
    let free = Options::default();
    goes_on(&two_phase, &free);
    let unlike = Options {
        symmetry: false,
        reduce: false,
        ..free
    };
    goes_on(&two_phase, &unlike);
    for sizes in ["2,1,1,1,1,fixed", "2,1,0,1,0,bug"] {
        let toy: GroupedBackup = sizes.parse().unwrap();
        goes_on(&toy, &free);
        // A limit ends it, in the midst of a layer or after one, and another goes on.
        for limited in [
            Options {
                depth_max: 3,
                ..free
            },
            Options {
                states_max: 9,
                ..free
            },
            Options {
                bytes_max: 1,
                ..free
            },
        ] {
            let kept = kept(&toy, &limited, 2);
            let last = kept.last_key_value().unwrap().0;
            assert_eq!(
                resumed(&toy, &free, &kept, *last),
                told(&search(&toy, &free, &Control::default()))
            );
        }
    }
}

/// What all shards kept, by number.
type Kept = BTreeMap<u64, Vec<(String, Vec<u8>)>>;

fn kept<S: Parts>(system: &S, options: &Options, count: usize) -> Kept {
    let control = Control::default();
    control.keep.store(true, Relaxed);
    let kept = std::cell::RefCell::new(Kept::new());
    let mut keepers: Vec<_> = (0..count)
        .map(|_| {
            |number: u64, so_far: &mut sim::search::SoFar<'_>| {
                let text = serde_json::to_string(&so_far.saved).unwrap();
                let mut states = Vec::new();
                so_far.states.write(&mut states).unwrap();
                let mut kept = kept.borrow_mut();
                kept.entry(number).or_default().push((text, states));
                control.keep.store(true, Relaxed);
            }
        })
        .collect();
    let shards = keepers.iter_mut().enumerate().map(|(number, keeper)| {
        let mut shard = Shard::new(system, options, place(number, count));
        shard.set_keeper(keeper);
        shard
    });
    together(shards.collect(), &control, false);
    kept.into_inner()
}

fn resumed<S: Parts>(system: &S, options: &Options, kept: &Kept, number: u64) -> Told {
    let of_all = &kept[&number];
    let shards = of_all.iter().enumerate().map(|(shard, (text, states))| {
        let saved: Saved = serde_json::from_str(text).unwrap();
        let place = place(shard, of_all.len());
        let kept = (saved, &mut &states[..] as &mut dyn std::io::Read);
        Shard::restore(system, options, place, number, kept).unwrap()
    });
    told(&together(shards.collect(), &Control::default(), true))
}

/// Counts, layers, verdict.
type Told = ([u64; 4], Vec<u64>, String);

/// What of a report is the same however often it was ended and gone on with.
fn told<T: std::fmt::Debug>(report: &Report<T>) -> Told {
    let counts = [
        report.states,
        report.transitions,
        report.resting,
        report.witnessed,
    ];
    (
        counts,
        report.layers.clone(),
        format!("{:?}", report.verdict),
    )
}

fn goes_on<S: Parts>(system: &S, options: &Options) {
    let alone = told(&search(system, options, &Control::default()));
    for count in [1, 3] {
        let kept = kept(system, options, count);
        assert!(kept.len() > 3, "kept {} times", kept.len());
        for (number, of_all) in &kept {
            assert_eq!(of_all.len(), count, "all keep it at once");
            assert_eq!(resumed(system, options, &kept, *number), alone);
        }
    }
}

/// Whatever comes, a shard says what is wrong with it, and does not panic.
#[test]
fn bad_frames_are_refused() {
    let toy: GroupedBackup = "2,1,0,1,0,fixed".parse().unwrap();
    let options = Options {
        cycles: false,
        ..Options::default()
    };
    let place = |number| Place {
        number,
        count: NonZeroUsize::new(2).unwrap(),
    };
    let frames: [&[u8]; 9] = [
        &[],
        &[0],
        &[2, 0],
        &[1],
        &[1, 1, 0, 0],
        &[1, 0, 200, 1],
        &[1, 0, 0, 0x80, 0x80],
        &[1, 0, 0, 1, 99],
        &[1, 0, 8, 0, 1, 2, 3, 4, 0, 0, 0],
    ];
    for frame in frames {
        let mut shard = Shard::new(&toy, &options, place(0));
        let error = shard.take(1, frame).unwrap_err().to_string();
        assert!(
            error.starts_with("a frame cannot be read: "),
            "{frame:?}: {error}"
        );
    }
    // One byte of a good frame is another.
    let (mut first, control) = (Shard::new(&toy, &options, place(0)), Control::default());
    let mut good = Vec::new();
    while first.work(&control, &mut |_, frame| good.push(frame)) {}
    let mut second = Shard::new(&toy, &options, place(1));
    while second.work(&control, &mut |_, frame| good.push(frame)) {}
    for frame in good {
        for at in 0..frame.len() {
            for change in [1, 0x80, 0xff] {
                let mut bad = frame.clone();
                bad[at] ^= change;
                let mut shard = Shard::new(&toy, &options, place(0));
                let _ = shard.take(1, &bad);
            }
        }
    }
}
