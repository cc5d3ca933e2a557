//! What each strategy promises, held against paper on a toy whose interleavings can be counted.

use sim::fuzz::{Campaign, Control, Report, fuzz};
use sim::hash::fingerprint_of;
use sim::run::{Recorder, Runner};
use sim::seed::run_seed;
use sim::strategy::{Portfolio, Spec, Survey};
use sim::toys::{Bystander, Counter, Crew, Dining, TwoPhaseCommit};
use sim::{Breach, Footprint, System};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

/// Actors with a lane of steps each, which never wait for each other.
///
/// On paper there are (Σ lengths)! / Π lengths! interleavings, and each is a trace and a resting state.
struct Lanes {
    /// How many steps the actor of each lane does.
    lengths: &'static [usize],
    /// Whether any two steps race. Otherwise only those of one lane do.
    shared: bool,
    /// Whether an interleaving, as the lanes in order, is the mistake that is looked for.
    breaks: fn(&[u8]) -> bool,
}

impl System for Lanes {
    type State = Vec<u8>;
    type Step = u8;
    type Observation = u8;

    fn initial(&self) -> Vec<u8> {
        Vec::new()
    }

    fn enabled(&self, state: &Vec<u8>, steps: &mut Vec<u8>) {
        let done = |lane: u8| state.iter().filter(|other| **other == lane).count();
        steps.clear();
        let unfinished = |(lane, length): (u8, &usize)| (done(lane) < *length).then_some(lane);
        steps.extend((0..).zip(self.lengths).filter_map(unfinished));
    }

    fn apply(&self, state: &mut Vec<u8>, step: u8, seen: &mut Vec<u8>) -> Footprint {
        state.push(step);
        seen.push(step);
        Footprint {
            writes: if self.shared { 1 } else { 1 << step },
            ..Footprint::NONE
        }
    }

    fn judge(&self, state: &Vec<u8>, resting: bool) -> Result<(), Breach> {
        if resting && (self.breaks)(state) {
            let message = format!("{state:?}");
            return Err(Breach::new("order", message));
        }
        Ok(())
    }

    fn fingerprint(&self, state: &Vec<u8>) -> u128 {
        fingerprint_of(state)
    }

    fn name(&self, state: &Vec<u8>, step: u8) -> String {
        let done = state.iter().filter(|other| **other == step).count();
        format!("lane{step} step {done}")
    }

    fn actor(&self, step: u8) -> usize {
        usize::from(step)
    }
}

fn spec(name: &str) -> Spec {
    name.parse().unwrap()
}

fn report<S: System>(system: &S, spec: Spec, runs: u64, jobs: usize) -> Report {
    let campaign = Campaign {
        root: 0,
        runs: 0..runs,
        strategy: &spec.maker(system, 1000),
        steps_max: 1000,
        stop_at_failure: false,
        doublecheck: false,
        jobs: NonZeroUsize::new(jobs).unwrap(),
    };
    fuzz(system, &campaign, &Control::default())
}

#[test]
fn every_strategy_gives_one_result_for_any_number_of_workers() {
    fn check<S: System>(system: &S) {
        let mut digests = BTreeSet::new();
        for spec in Spec::all() {
            let alone = report(system, spec, 1000, 1);
            for jobs in [2, 3, 7] {
                assert_eq!(report(system, spec, 1000, jobs), alone, "{spec}");
            }
            digests.insert(alone.digest);
        }
        assert_eq!(digests.len(), Spec::all().count(), "two are the same");
    }
    check(&Counter {
        threads: 4,
        compare_and_swap: false,
    });
    check(&Dining {
        philosophers: 5,
        left_handed_last: false,
    });
    check(&TwoPhaseCommit {
        resource_managers: 4,
    });
    check(&Crew {
        workers: 9,
        bystander: Bystander::Auditor,
    });
}

/// Once the first five steps of lane 1 are done, lane 0 does its first; and its other one at the very end.
const ONE: fn(&[u8]) -> bool = |order| order.ends_with(&[0, 0]);
const TWO: fn(&[u8]) -> bool = |order| order.starts_with(&[1, 1, 1, 1, 1, 0]);
const THREE: fn(&[u8]) -> bool = |order| TWO(order) && order[6] == 1 && order.ends_with(&[0]);

/// Two actors and 22 steps: on paper a run of `pct:d` finds a bug of depth *d* with at least 1 / (2 · 22^(d − 1)).
/// For these three that is exact: the right one of two actors must begin, and each change has one place.
#[test]
fn pct_finds_bugs_as_often_as_its_paper_promises() {
    const RUNS: u64 = 30_000;
    let found = |strategy: &str, breaks| {
        let lanes = Lanes {
            lengths: &[2, 20],
            shared: true,
            breaks,
        };
        report(&lanes, spec(strategy), RUNS, 2).failures
    };
    let check = |strategy: &str, breaks, promised: u64, pinned: u64| {
        let count = found(strategy, breaks);
        let deviation = (promised as f64).sqrt();
        assert!(
            count as f64 > promised as f64 - 3.0 * deviation,
            "{strategy}: {count} of {promised}"
        );
        assert_eq!(count, pinned, "{strategy}");
    };
    check("pct:1", ONE, RUNS / 2, 14941);
    check("pct:2", TWO, RUNS / 44, 680);
    check("pct:3", THREE, RUNS / 968, 33);
    // What is too deep is not found, and a random walk finds none but the easy one.
    assert_eq!([found("pct:1", TWO), found("pct:2", THREE)], [0, 0]);
    assert_eq!([found("random", ONE), found("random", THREE)], [0, 0]);
}

/// How often each interleaving comes up, the most frequent first, and the chi-squared statistic of all against
/// the same frequency for each.
fn spread(lanes: &Lanes, strategy: &str, runs: u64, interleavings: usize) -> (Vec<u64>, f64) {
    let mut runner = Runner::new(lanes);
    let mut strategy = spec(strategy).maker(lanes, 1000)();
    let mut counts: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    for index in 0..runs {
        runner.run(strategy.as_mut(), run_seed(0, index), &mut ());
        *counts.entry(runner.state().clone()).or_default() += 1;
    }
    let mut counts: Vec<u64> = counts.into_values().collect();
    counts.resize(interleavings, 0);
    counts.sort_by_key(|count| std::cmp::Reverse(*count));
    let expected = runs as f64 / interleavings as f64;
    let term = |count: &u64| (*count as f64 - expected).powi(2) / expected;
    let chi_squared = counts.iter().map(term).sum();
    (counts, chi_squared)
}

/// 6! / (3! 2! 1!) = 60 interleavings. A statistic with 59 degrees of freedom is below 98.3 in 999 of 1000
/// cases if all are equally likely.
#[test]
fn urw_takes_every_interleaving_equally_often() {
    let lanes = Lanes {
        lengths: &[3, 2, 1],
        shared: true,
        breaks: |_| false,
    };
    let (counts, uniform) = spread(&lanes, "urw", 6000, 60);
    assert!(uniform < 98.3, "{uniform}: {counts:?}");
    assert_eq!((counts[0], counts[59]), (132, 79));
    let (counts, walk) = spread(&lanes, "random", 6000, 60);
    assert!(walk > 1000.0, "{walk}: {counts:?}");
    assert_eq!((counts[0], counts[59]), (485, 30));
}

/// One step beside ten of another lane. A random walk does it after *n* of them with a chance of 2⁻ⁿ⁻¹. With a
/// priority *p* that it keeps, it is ∫ (1 − p)ⁿ p dp, which is 1 / (n + 1)(n + 2), and 1 / 11 for *n* = 10.
#[test]
fn pos_delays_a_step_past_many_others() {
    let lanes = Lanes {
        lengths: &[1, 10],
        shared: false,
        breaks: |_| false,
    };
    const RUNS: u64 = 13_200;
    let (counts, sampled) = spread(&lanes, "pos", RUNS, 11);
    let mut paper: Vec<u64> = (0..10).map(|n| RUNS / ((n + 1) * (n + 2))).collect();
    paper.push(RUNS / 11);
    paper.sort_by_key(|count| std::cmp::Reverse(*count));
    for (count, paper) in counts.iter().zip(&paper) {
        assert!(
            count.abs_diff(*paper).pow(2) < 9 * paper,
            "{counts:?} {paper}"
        );
    }
    let (walks, walk) = spread(&lanes, "random", RUNS, 11);
    assert!(sampled < walk, "{sampled} {walk}");
    let rarest = |counts: &[u64]| (counts[9], counts[10]);
    assert_eq!((rarest(&counts), rarest(&walks)), ((133, 130), (12, 8)));
}

/// Where every step races with every other, all of them draw again at each point: a random walk.
#[test]
fn pos_draws_again_after_a_race() {
    let lanes = Lanes {
        lengths: &[1, 10],
        shared: true,
        breaks: |_| false,
    };
    let (counts, _) = spread(&lanes, "pos", 1 << 14, 11);
    for (n, count) in (0..5).zip(counts) {
        let paper = 1_u64 << (13 - n);
        assert!(count.abs_diff(paper).pow(2) < 9 * paper, "{count} {paper}");
    }
}

#[test]
fn a_portfolio_gives_each_run_to_one_of_its_members() {
    let counter = Counter {
        threads: 4,
        compare_and_swap: true,
    };
    let schedule = |strategy: &str, seed| {
        let mut recorder = Recorder::new();
        let mut strategy = spec(strategy).maker(&counter, 1000)();
        Runner::new(&counter).run(strategy.as_mut(), seed, &mut recorder);
        recorder.schedule
    };
    let mut runs = [0; Portfolio::MEMBERS.len()];
    for index in 0..1000 {
        runs[Portfolio::member(run_seed(0, index))] += 1;
    }
    assert!(
        runs.iter().all(|runs| (160..240).contains(runs)),
        "{runs:?}"
    );
    for index in 0..100 {
        let seed = run_seed(0, index);
        let member = Portfolio::MEMBERS[Portfolio::member(seed)];
        assert_eq!(
            schedule("portfolio", seed),
            schedule(member, seed),
            "{member}"
        );
    }
}

#[test]
fn a_survey_counts_steps() {
    let lanes = Lanes {
        lengths: &[3, 0, 5],
        shared: true,
        breaks: |_| false,
    };
    let expected = Survey {
        steps_max: 8,
        steps_of_actors: vec![3, 0, 5],
    };
    assert_eq!(Survey::of(&lanes, 1000), expected);
    assert_eq!(Survey::of(&lanes, 4).steps_max, 4);
}

/// A limit on the steps that is met at once leaves nothing to plan with, and the strategies run all the same.
#[test]
fn strategies_do_without_a_survey() {
    let lanes = Lanes {
        lengths: &[3, 3],
        shared: true,
        breaks: |_| false,
    };
    for spec in Spec::all() {
        let mut strategy = spec.maker(&lanes, 0)();
        let steps = Runner::new(&lanes).run(strategy.as_mut(), 1, &mut ()).steps;
        assert_eq!(steps, 6, "{spec}");
    }
}

#[test]
fn strategies_are_called_by_their_names() {
    for name in ["random", "pct:1", "pct:255", "pos", "urw", "portfolio"] {
        assert_eq!(spec(name).to_string(), name);
    }
    let check = |name: &str, message: &str| {
        assert_eq!(
            name.parse::<Spec>().unwrap_err().to_string(),
            message,
            "{name}"
        );
    };
    let depth = |text: &str| {
        format!("`{text}` is not the depth of a bug: a whole number from 1 to 255, as in pct:3")
    };
    for text in ["0", "x", "-1", "256", "", "3:4"] {
        check(&format!("pct:{text}"), &depth(text));
    }
    check("pct", "it needs the depth of a bug, as in pct:3");
    check("pos:3", "`pos` has no number");
    let known = "there are: random, pct:D, pos, urw, portfolio";
    for name in ["replay", "pot-luck", "", ":3"] {
        check(name, known);
    }
}

/// The workers of a crew strike their names off one list, and yet do not race; neither do they with the
/// ringer. So everybody keeps one priority, and the ringer is equally likely at each of six places.
#[test]
fn pos_knows_that_a_crew_does_not_race_with_itself() {
    let crew = Crew {
        workers: 5,
        bystander: Bystander::Ringer,
    };
    let mut runner = Runner::new(&crew);
    let mut pos = spec("pos").maker(&crew, 1000)();
    let mut places = [0_u32; 6];
    for index in 0..6000 {
        let mut recorder = Recorder::new();
        runner.run(pos.as_mut(), run_seed(0, index), &mut recorder);
        let mut names = recorder.schedule.names();
        let place = names.position(|name| name == "bystander stands").unwrap();
        places[place.min(5)] += 1;
    }
    // A thousand each, with a standard deviation of 29.
    assert!(
        places.iter().all(|count| count.abs_diff(1000) < 100),
        "{places:?}"
    );
}

/// A seed in an old report must not come to mean something else. Where a digest changes, that was wanted or
/// is a mistake.
#[test]
fn seeds_keep_their_meaning_under_every_strategy() {
    let counter = Counter {
        threads: 4,
        compare_and_swap: true,
    };
    let dining = Dining {
        philosophers: 5,
        left_handed_last: true,
    };
    let digests: Vec<String> = Spec::all()
        .map(|spec| {
            let [one, other] = [
                report(&counter, spec, 200, 2).digest,
                report(&dining, spec, 200, 2).digest,
            ];
            format!("{spec} {:016x} {:016x}", one as u64, other as u64)
        })
        .collect();
    assert_eq!(
        digests,
        [
            "random 6e82712ce90c3b85 c054758989ef28f3",
            "pct:3 34e782c955f99b6d 695f412ba5f84b3e",
            "pos 77a2b71e9aa4547e 2562a73aa08b247b",
            "urw c33a28216a135278 3ba828e99dfc30ed",
            "portfolio c83215efc82ba259 167c5f77dd3c7a25"
        ]
    );
}
