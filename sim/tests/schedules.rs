//! A schedule is text that can be read back, and a run that can be had again; or it says where it
//! cannot.

mod common;

use proptest::prelude::*;
use sim::run::{End, Recorder, Runner};
use sim::schedule::{Schedule, is_step_name};
use sim::strategy::{Random, Replay};
use sim::toys::{Bystander, Counter, Crew, Dining, TwoPhaseCommit};
use sim::{Breach, System};
use std::fmt::Debug;

const NAIVE: Counter = Counter {
    threads: 2,
    compare_and_swap: false,
};

fn replay(text: &str) -> End {
    Runner::new(&NAIVE)
        .run(&mut Replay::new(Schedule::parse(text).unwrap()), 0, &mut ())
        .end
}

fn divergence(text: &str) -> String {
    let End::Diverged(divergence) = replay(text) else {
        panic!("nothing diverged")
    };
    divergence.to_string()
}

#[test]
fn a_schedule_is_followed_whatever_stands_around_the_steps() {
    let lost = "# system: counter\n\n  thread0 load\r\n# now both have loaded\nthread1 load\n\nthread0 store\nthread1 store";
    let message = "2 threads have incremented the counter to 1".to_owned();
    assert_eq!(
        replay(lost),
        End::Breached(Breach::new("no-lost-update", message))
    );
    assert_eq!(
        replay("thread1 load\nthread1 store\nthread0 load\nthread0 store\n"),
        End::Rested
    );
}

#[test]
fn a_schedule_that_ends_early_stops_the_run() {
    assert_eq!(replay("thread1 load\n"), End::Stopped);
    assert_eq!(replay(""), End::Stopped);
}

#[test]
fn a_schedule_that_cannot_be_followed_says_where_and_what_was_possible() {
    assert_eq!(
        divergence("# seed: 7\n\nthread0 load\nthread0 stores\n"),
        "at step 2 (line 4) wanted this:
  thread0 stores
possible were:
  thread1 load
  thread0 store"
    );
}

#[test]
fn a_schedule_with_lines_left_over_at_rest_says_so() {
    assert_eq!(
        divergence("thread0 load\nthread0 store\nthread1 load\nthread1 store\nthread1 store\n"),
        "at step 5 (line 5) wanted this:
  thread1 store
possible was nothing: the run had come to rest"
    );
}

#[test]
fn a_schedule_that_was_never_text_has_no_lines() {
    let mut schedule = Schedule::new();
    schedule.push("thread7 load".to_owned());
    let end = Runner::new(&NAIVE)
        .run(&mut Replay::new(schedule), 0, &mut ())
        .end;
    let End::Diverged(divergence) = end else {
        panic!("{end:?}")
    };
    assert!(
        divergence
            .to_string()
            .starts_with("at step 1 wanted this:\n  thread7 load\n"),
        "{divergence}"
    );
}

/// What one run recorded, another run follows, to the same outcome and the same observations.
fn check_round_trip<S: System<Observation: Debug>>(system: &S) {
    let mut runner = Runner::new(system);
    let mut random = Random::default();
    for seed in 0..200 {
        let mut recorded = Recorder::new();
        let outcome = runner.run(&mut random, seed, &mut recorded);
        let text = recorded.schedule.to_string();
        let mut replay = Replay::new(text.parse().unwrap());
        for _ in 0..2 {
            let mut replayed = Recorder::new();
            assert_eq!(runner.run(&mut replay, 0, &mut replayed), outcome, "{text}");
            assert_eq!(replayed.schedule, recorded.schedule);
            assert_eq!(replayed.observations, recorded.observations);
        }
    }
}

#[test]
fn what_was_recorded_can_be_replayed() {
    check_round_trip(&NAIVE);
    check_round_trip(&Counter {
        threads: 5,
        compare_and_swap: true,
    });
    check_round_trip(&Dining {
        philosophers: 4,
        left_handed_last: false,
    });
    check_round_trip(&TwoPhaseCommit {
        resource_managers: 4,
    });
    check_round_trip(&Crew {
        workers: 20,
        bystander: Bystander::Auditor,
    });
}

#[test]
fn headers_are_kept_and_other_comments_are_not() {
    let text = "# scenario: a: b\n# just a remark\n#seed:7\n# Not-A-Key: x\n# empty:\n\nstep one\n# late: 1\nstep two\n";
    let schedule = Schedule::parse(text).unwrap();
    assert_eq!(
        schedule.headers().collect::<Vec<_>>(),
        [("scenario", "a: b"), ("seed", "7")]
    );
    assert_eq!(
        schedule.to_string(),
        "# scenario: a: b\n# seed: 7\nstep one\nstep two\n"
    );
    let lines: Vec<_> = schedule.steps().iter().map(|step| step.line).collect();
    assert_eq!(lines, [Some(7), Some(9)]);
}

#[test]
fn a_header_can_be_set_anew() {
    let mut schedule = Schedule::parse("# seed: 7\n# scenario: x\nstep\n").unwrap();
    schedule.set_header("seed", "8");
    schedule.set_header("mutation", "none");
    assert_eq!(
        schedule.to_string(),
        "# seed: 8\n# scenario: x\n# mutation: none\nstep\n"
    );
}

#[test]
fn a_byte_order_mark_is_not_part_of_a_name() {
    let schedule = Schedule::parse("\u{feff}step one\n").unwrap();
    assert_eq!(schedule.names().collect::<Vec<_>>(), ["step one"]);
    assert!(Schedule::parse("\u{feff}\u{feff}step one\n").is_err());
}

#[test]
fn what_is_no_schedule_is_refused_with_its_line() {
    let check = |text: &str, message: &str| {
        assert_eq!(Schedule::parse(text).unwrap_err().to_string(), message)
    };
    check(
        "step\n\u{7f}ELF\n",
        "line 2: a character that nobody can see; a schedule is text with one step per line",
    );
    check(
        "# seed: 1\n# seed: 2\n",
        "line 2: the header `seed` is given twice",
    );
}

#[test]
fn a_name_of_a_step_is_one_line_that_can_be_read_back() {
    let check = |name: &str, fits: bool| assert_eq!(is_step_name(name), fits, "{name:?}");
    check("drive0 job copy 16M+256k", true);
    check("job on #block123", true);
    check("#block123 job", false);
    check("", false);
    check(" step", false);
    check("step\u{3000}", false);
    check("two\nlines", false);
    check("tab\tin it", false);
    check("\u{feff}step", false);
}

prop_compose! {
    fn any_schedule()(
        headers in prop::collection::btree_map("[a-z][a-z0-9-]{0,8}", r"[!-~]([ -~]{0,10}[!-~])?", 0..4),
        names in prop::collection::vec(prop_oneof![
            "[a-z0-9]{1,5}( [a-z0-9#:+]{1,5}){0,3}",
            any::<String>().prop_filter("a name", |name| is_step_name(name)),
        ], 0..20),
    ) -> Schedule {
        let mut schedule = Schedule::new();
        headers.iter().for_each(|(key, value)| schedule.set_header(key, value));
        names.into_iter().for_each(|name| schedule.push(name));
        schedule
    }
}

proptest! {
    #[test]
    fn a_schedule_that_is_printed_can_be_read_back(schedule in any_schedule()) {
        prop_assert_eq!(Schedule::parse(&schedule.to_string()), Ok(schedule));
    }

    #[test]
    fn any_text_is_read_or_refused_and_what_is_read_stays_what_it_is(text in "[ -~\n#:\t\u{0}\u{feff}é]{0,60}") {
        if let Ok(schedule) = Schedule::parse(&text) {
            prop_assert_eq!(Schedule::parse(&schedule.to_string()), Ok(schedule));
        }
    }
}
