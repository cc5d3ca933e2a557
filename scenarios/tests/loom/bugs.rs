//! Planted bugs, found by loom: those of the rules, which the search finds too, and those of the locks.

use std::fmt::Write;
use std::sync::Arc;

use model::dialect::{DIALECTS, Dialect};
use model::mutation::MUTATIONS;
use scenarios::load::SHIPPED;

use super::stage::{everybody, first_breach, options, scene};

/// Executions after which a bug is left to the search: its story is too large for loom.
const EXECUTIONS_MAX: u64 = 400;

#[test]
fn planted_bugs_are_found_by_loom_too() {
    let mut table = String::new();
    let mut found = 0;
    for bug in MUTATIONS {
        let Some((_, text)) = SHIPPED.iter().find(|(name, _)| *name == bug.story) else {
            continue;
        };
        let dialect: &'static Dialect = bug.dialect.parse().expect("a known dialect");
        let scene = Arc::new(scene(bug.story, text, dialect.with(bug)));
        let (breach, executions) = first_breach(&scene, &options(everybody()), Some(2), EXECUTIONS_MAX);
        println!("{:<32} {executions:>6} {:?}", bug.name, breach.as_ref().map(|b| b.property));
        if let Some(breach) = breach {
            assert_eq!(breach.property, bug.breaks, "{}: {breach}", bug.name);
            writeln!(table, "{:<32} {executions:>6} {}", bug.name, breach.property)
                .expect("a string takes anything");
            found += 1;
        }
    }
    assert!(found >= 10, "loom finds only {found}:\n{table}");
    insta::assert_snapshot!("loom_bugs", table);
    let _ = DIALECTS;
}
