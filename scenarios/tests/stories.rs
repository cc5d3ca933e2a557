//! The small stories, for exhaustive search: that they are what they are meant to be, and hold.
//!
//! All their interleavings are tried by `blockrace check`; here a few hundred seeds say early that one is broken.

mod common;

use std::num::NonZeroUsize;

use common::{Stage, on_two_threads, stage, where_it_holds};
use model::dialect::DIALECTS;
use scenarios::format::{Img, Story, Verb};
use scenarios::load::{self, SHIPPED};
use sim::fuzz::{Campaign, Control, Report, fuzz};
use sim::strategy::Random;

/// The seeds' own stories have 64 MiB drives and are told with recordings.
const SEEDS: &str = "iotest-124/";

/// No drive of a small story is larger: thirteen clusters.
const BYTES_MAX: u64 = 832 << 10;

/// More steps than any run of a small story needs.
const STEPS_MAX: u64 = 2_000;

fn small() -> impl Iterator<Item = (&'static str, &'static str)> {
    SHIPPED
        .iter()
        .copied()
        .filter(|(name, _)| !name.starts_with(SEEDS))
}

fn story((name, text): (&str, &str)) -> Story {
    load::parse(name, text).unwrap_or_else(|error| panic!("{error}"))
}

fn play(stage: &Stage, runs: u64) -> Report {
    let campaign = Campaign {
        root: 0,
        runs: 0..runs,
        strategy: &|| Box::new(Random::default()),
        steps_max: STEPS_MAX,
        doublecheck: false,
        stop_at_failure: true,
        jobs: NonZeroUsize::MIN,
    };
    fuzz(&stage.scene, &campaign, &Control::default())
}

#[test]
fn small_stories_are_small_and_say_what_they_are_about() {
    // What loom is to try must be smaller still: its stories end where it gets boring.
    for entry in small().filter(|(name, _)| !name.starts_with("loom/")) {
        let (name, story) = (entry.0, story(entry));
        for (what, text) in [("source", &story.source), ("about", &story.about)] {
            assert!(!text.trim().is_empty(), "{name} has no {what}");
        }
        let shows = !story.witnesses.is_empty() || !story.defects.is_empty();
        assert!(shows, "{name} names no witness");
        let quits = |verb: &Verb| matches!(verb, Verb::Shutdown | Verb::Kill);
        let last = story.script.iter().rposition(|item| quits(&item.verb));
        let last = last.unwrap_or_else(|| panic!("{name} has no shutdown"));
        for (index, item) in story.script.iter().enumerate() {
            let looks_back = matches!(
                item.verb,
                Verb::Img(_) | Verb::Wait(_) | Verb::Pending(_) | Verb::Forget
            );
            assert!(
                index <= last || looks_back,
                "{name}: more at the end than images and what came"
            );
            if let Verb::Img(Img::Create { size, .. }) = &item.verb {
                assert!(size.bytes() <= BYTES_MAX, "{name}: an image of {size}");
            }
        }
    }
}

#[test]
fn small_stories_hold_under_some_seeds() {
    let stages: Vec<Stage> = small()
        .flat_map(|(name, text)| {
            DIALECTS.map(|dialect| stage(name, text, where_it_holds(name, dialect)))
        })
        .collect();
    let reports = on_two_threads(&stages, |stage| play(stage, 200));
    for (Stage { story, dialect, .. }, report) in stages.iter().zip(reports) {
        assert_eq!(report.unrested, 0, "{story} {dialect} goes on for ever");
        assert_eq!(
            report.failures, 0,
            "{story} {dialect}: {:?}",
            report.first_failure
        );
    }
}

/// Each comparison is reached, whatever the seed, and can fail: the other result is a breach in every run.
#[test]
fn every_comparison_of_a_small_story_counts() {
    const RIGHT: &str = "result: identical";
    let mut wrong = Vec::new();
    for (name, text) in small() {
        for (at, _) in text.match_indices(RIGHT) {
            let (before, after) = (&text[..at], &text[at + RIGHT.len()..]);
            let text = format!("{before}result: different{after}");
            let fresh = |dialect| stage(name, &text, where_it_holds(name, dialect));
            wrong.extend(DIALECTS.map(fresh));
        }
    }
    assert!(!wrong.is_empty(), "small stories compare images");
    let reports = on_two_threads(&wrong, |stage| play(stage, 1));
    for (Stage { story, dialect, .. }, report) in wrong.iter().zip(reports) {
        assert_eq!(report.failures, 1, "{story} {dialect}: nobody compares");
    }
}
