//! What a seed means, for ever: a digest of many runs of every story of iotest 124 in every dialect.
//!
//! A seed is printed with every failure and lives on in reports and heads. When one of these digests changes, old
//! seeds mean something else: that may be wanted (the model has learned something), but never happens unnoticed.
//!
//! After a wanted change, accept the new values, both of them:
//! `INSTA_UPDATE=always cargo test -p scenarios --test golden` and the same with `--release`.

mod common;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use common::{Stage, iotest_124, on_two_threads};
use sim::fuzz::{Campaign, Control, Report, fuzz};
use sim::hash::fingerprint_of;
use sim::run::{Recorder, Runner};
use sim::seed::run_seed;
use sim::strategy::Random;

/// The root of the seeds, as of `blockrace fuzz`.
const ROOT: u64 = 0;

/// How many runs of each story; few where the model is slow, so that everybody runs this. Each number has its own
/// snapshot.
const RUNS: u64 = if cfg!(debug_assertions) { 200 } else { 10_000 };

/// More steps than any of these runs needs.
const STEPS_MAX: u64 = 100_000;

fn campaign(stage: &Stage, jobs: usize, runs: u64) -> Report {
    let campaign = Campaign {
        root: ROOT,
        runs: 0..runs,
        strategy: &|| Box::new(Random::default()),
        steps_max: STEPS_MAX,
        stop_at_failure: false,
        doublecheck: false,
        jobs: NonZeroUsize::new(jobs).expect("one or more"),
    };
    fuzz(&stage.scene, &campaign, &Control::default())
}

/// Of how many runs the steps themselves are part of the digest, by their names. (In many stories all schedules
/// look alike from outside, so the digest of a campaign would not notice that a seed means another one.)
const SCHEDULES: u64 = 50;

/// A digest of the names of all steps of the first runs.
fn schedules(stage: &Stage) -> u128 {
    let mut runner = Runner::new(&stage.scene);
    (0..SCHEDULES).fold(0, |digest, index| {
        let mut recorder = Recorder::new();
        runner.run(&mut Random::default(), run_seed(ROOT, index), &mut recorder);
        fingerprint_of(&(digest, recorder.schedule.to_string()))
    })
}

#[test]
fn seeds_mean_what_they_meant() {
    let stages = iotest_124();
    let schedules = on_two_threads(&stages, schedules);
    let mut text = format!(
        "{:40} {:>7} {:>6} {:>10}  {:32}  schedules of the first {SCHEDULES} runs\n",
        "story", "dialect", "runs", "steps", "outcomes"
    );
    for (stage, schedules) in stages.iter().zip(schedules) {
        let report = campaign(stage, 2, RUNS);
        let Stage { story, dialect, .. } = stage;
        assert_eq!(report.runs, RUNS, "{story} {dialect}");
        assert_eq!(
            report.unrested, 0,
            "{story} {dialect}: {STEPS_MAX} steps are not enough"
        );
        assert_eq!(
            report.failures, 0,
            "{story} {dialect}: {:?}",
            report.first_failure
        );
        text += &format!(
            "{story:40} {dialect:>7} {RUNS:>6} {:>10}  {:032x}  {schedules:032x}\n",
            report.steps, report.digest
        );
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.set_description("What seeds mean: the digest of many runs of every story");
    settings.bind(|| insta::assert_snapshot!(format!("golden.{RUNS}"), text));
}

/// One worker or five, all runs in one campaign: the same digest, steps and failure.
#[test]
fn the_number_of_workers_changes_nothing() {
    for stage in iotest_124().iter().step_by(5) {
        let alone = campaign(stage, 1, 70);
        assert_eq!(
            campaign(stage, 5, 70),
            alone,
            "{} {}",
            stage.story,
            stage.dialect
        );
    }
}
