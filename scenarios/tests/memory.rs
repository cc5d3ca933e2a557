//! Stories with memory for few states: on disk, a search finds the same.

mod common;

use std::io::{self, Cursor};
use std::sync::Arc;

use scenarios::scene::Step;
use sim::search::{Control, Options, Report, Scratch, Store, Verdict, WhenFull, search};

/// Files in memory.
#[derive(Debug)]
struct Disk;

impl Store for Disk {
    fn create(&self) -> io::Result<Box<dyn Scratch>> {
        Ok(Box::new(Cursor::new(Vec::new())))
    }
}

/// All that a search says of a story.
type Told = (Verdict<Step>, u64, u64, Vec<u64>, u64, u128, u64);

fn told(report: Report<Step>) -> Told {
    (
        report.verdict,
        report.states,
        report.transitions,
        report.layers,
        report.resting,
        report.resting_digest,
        report.witnessed,
    )
}

#[test]
fn stories_are_the_same_on_disk() {
    let stages = common::shipped();
    let some: Vec<_> = stages.iter().step_by(7).collect();
    let spills = common::on_two_threads(&some, |stage| {
        let options = Options {
            states_max: 3_000,
            cycles: false,
            ..Options::default()
        };
        let expected = search(&stage.scene, &options, &Control::default());
        let options = Options {
            when_full: WhenFull::Spill,
            keys_max: (expected.states as usize / 30).max(5),
            ..options
        };
        let mut control = Control::default();
        control.store = Some(Arc::new(Disk));
        let report = search(&stage.scene, &options, &control);
        let place = format!("{} {}", stage.story, stage.dialect);
        let spills = report.spills;
        assert_eq!(told(report), told(expected), "{place}");
        spills
    });
    let often = spills.iter().filter(|spills| **spills > 10).count();
    assert!(often > 10, "{spills:?}");
}
