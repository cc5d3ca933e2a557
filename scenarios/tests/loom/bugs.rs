//! Planted bugs, found by loom: those of the rules, which the search finds too, and those of the locks, which only
//! threads can have.

use std::fmt::Write;
use std::sync::Arc;

use model::dialect::{DIALECTS, Dialect};
use model::mutation::MUTATIONS;
use scenarios::load::SHIPPED;
use scenarios::locks::LOCK_BUGS;
use sim::System;
use sim::threads::{Options, Planted};

use super::stage::{everybody, finds, options, scene, teams};

/// Executions after which a bug is left to the search: its story is too large for loom.
const EXECUTIONS_MAX: u64 = 300;

/// A row for each bug that is found, with the execution in which it was. Many stories were made small enough to show
/// their bug in every order; where it shows before two steps are possible together, loom has nothing to try.
#[test]
fn planted_bugs_are_found_by_loom_too() {
    let (mut table, mut found) = (String::new(), 0);
    for bug in MUTATIONS {
        let Some((_, text)) = SHIPPED.iter().find(|(name, _)| *name == bug.story) else {
            continue;
        };
        let dialect: &'static Dialect = bug.dialect.parse().expect("a known dialect");
        let scene = Arc::new(self::scene(bug.story, text, dialect.with(bug)));
        if scene.judge(&scene.initial(), false).is_err() {
            writeln!(table, "{:<36} before there is a choice", bug.name)
                .expect("a string takes anything");
            continue;
        }
        let everybody = options(everybody());
        let (is_found, executions) = finds(&scene, &everybody, Some(2), EXECUTIONS_MAX, bug.breaks);
        if is_found {
            let without = Arc::new(self::scene(bug.story, text, dialect));
            let (is_there_anyway, _) = finds(&without, &everybody, Some(2), 20, bug.breaks);
            assert!(!is_there_anyway, "{} is found without it", bug.name);
            writeln!(table, "{:<36} {executions:>6} {}", bug.name, bug.breaks)
                .expect("a string takes anything");
            found += 1;
        }
        println!("{} {is_found} {executions}", bug.name);
    }
    assert!(found >= 10, "loom finds only {found}:\n{table}");
    insta::assert_snapshot!("loom_bugs", table);
}

/// Found with the bug, silent without it within as many executions.
#[test]
fn bugs_of_the_locks_are_found_by_loom() {
    let mut table = String::new();
    for bug in LOCK_BUGS {
        let text = std::fs::read_to_string(format!("{}.yaml", bug.story)).expect("a small story");
        let scene = Arc::new(scene(bug.story, &text, DIALECTS[1]));
        let look = |planted, executions_max| {
            let options = Options {
                planted,
                ..options(teams(bug.jobs, bug.guests))
            };
            finds(&scene, &options, Some(3), executions_max, bug.breaks)
        };
        let (is_found, executions) = look(bug.planted, 20_000);
        assert!(
            is_found,
            "{} is not found in {executions} executions",
            bug.name
        );
        let (is_there_anyway, _) = look(Planted::Nothing, executions.max(100));
        assert!(!is_there_anyway, "{} is found without it", bug.name);
        writeln!(table, "{:<36} {executions:>6} {}", bug.name, bug.breaks)
            .expect("a string takes anything");
    }
    insta::assert_snapshot!("loom_lock_bugs", table);
}
