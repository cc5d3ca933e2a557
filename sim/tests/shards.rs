//! A search in shares finds what the search in one place finds, however many shares there are, and in whatever order
//! frames come.

use sim::parts::{Parts, Whole};
use sim::search::shard::{Place, Shard, refusal};
use sim::search::{Control, Keep, Limit, Options, Order, Report, Verdict, search};
use sim::toys::{Counter, Dining, GroupedBackup, TwoPhaseCommit};
use std::num::NonZeroUsize;

/// Searches in `count` shares, all on this thread. `backwards`: the shards work in the other order, so frames come
/// in another one.
fn in_shares<S: Parts>(
    system: &S,
    options: &Options,
    count: usize,
    backwards: bool,
) -> Report<S::Step> {
    let control = Control::default();
    let place = |number| Place {
        number,
        count: NonZeroUsize::new(count).unwrap(),
    };
    let mut shards: Vec<_> = (0..count)
        .map(|number| Shard::new(system, options, place(number)))
        .collect();
    loop {
        let mut order: Vec<usize> = (0..count).collect();
        if backwards {
            order.reverse();
        }
        while let Some(number) = order.pop() {
            let mut frames = Vec::new();
            let is_more = shards[number].work(&control, &mut |to, frame| frames.push((to, frame)));
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
            .map(|shard| shard.turn(&control).unwrap())
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
                cycles: false,
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
    let cycles = Options::default();
    let depth = Options {
        order: Order::Depth,
        cycles: false,
        ..cycles
    };
    let sleeping = Options {
        sleep_sets: true,
        cycles: false,
        ..cycles
    };
    let whole = Whole(toy);
    assert!(refusal(&whole, &cycles).is_some_and(|why| why.contains("never rest")));
    assert!(refusal(&whole, &depth).is_some());
    assert!(refusal(&whole, &sleeping).is_some());
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
