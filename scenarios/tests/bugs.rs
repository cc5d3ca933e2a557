//! Every planted bug is found, and as what it is; its story is verified without it.
//!
//! `BLOCKRACE_BUG=word cargo test -p scenarios --test bugs -- --nocapture` looks only at the bugs with that word in
//! their names, and also prints what is found of each if nobody looks at the promise that it breaks (which is what
//! `blockrace bugs --promises` is about).

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};

use common::{Stage, on_two_threads, stage};
use model::dialect::Dialect;
use model::mutation::{self, MUTATIONS, Mutation};
use scenarios::load::SHIPPED;
use sim::search::{Control, EVERY_RUN_RESTS, Options, Verdict, search};

/// More states than any of these has without a bug; a bug may make them endless.
const STATES_MAX: u64 = 20_000;

/// What a search found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    /// This promise was broken, in so many steps.
    Breach(&'static str, usize),
    Nothing,
    Limit,
    /// One of our own assertions failed: beyond a breach at which nobody looked, anything may be.
    Panic,
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Found::Breach(property, steps) => write!(f, "{property} in {steps} steps"),
            Found::Nothing => write!(f, "nothing"),
            Found::Limit => write!(f, "nothing in {STATES_MAX} states"),
            Found::Panic => write!(f, "an assertion of ours that fails"),
        }
    }
}

/// What a search finds that does not look at a promise. The scene was told not to; cycles are the search's own.
fn look(scene: &Stage, unwatched: Option<&str>) -> Found {
    let options = Options {
        states_max: STATES_MAX,
        cycles: unwatched != Some(EVERY_RUN_RESTS),
        ..Options::default()
    };
    let search = || search(&scene.scene, &options, &Control::default()).verdict;
    match catch_unwind(AssertUnwindSafe(search)) {
        Err(_) => Found::Panic,
        Ok(Verdict::Verified) => Found::Nothing,
        Ok(Verdict::Inconclusive(_)) => Found::Limit,
        Ok(Verdict::Broken(found)) => Found::Breach(found.breach.property, found.steps.len()),
    }
}

fn staged(mutation: &Mutation, dialect: &'static Dialect) -> Stage {
    let (name, text) = SHIPPED
        .iter()
        .find(|(name, _)| *name == mutation.story)
        .unwrap_or_else(|| panic!("{}: no story {}", mutation.name, mutation.story));
    stage(name, text, dialect)
}

fn dialect(mutation: &Mutation) -> &'static Dialect {
    mutation.dialect.parse().expect("a known dialect")
}

/// The bugs asked for.
fn asked() -> Vec<&'static Mutation> {
    let word = std::env::var("BLOCKRACE_BUG").unwrap_or_default();
    let asked = MUTATIONS.iter().filter(|bug| bug.name.contains(&word));
    asked.collect()
}

#[test]
fn the_model_calls_it_as_the_search_does() {
    assert_eq!(mutation::EVERY_RUN_RESTS, EVERY_RUN_RESTS);
}

/// A row for each bug: what is found with it, and what if nobody looks at the promise that it breaks.
#[test]
fn every_bug_is_found_as_what_it_is() {
    let bugs = asked();
    let rows = on_two_threads(&bugs, |&bug| {
        let planted = dialect(bug).with(bug);
        let clean = look(&staged(bug, dialect(bug)), None);
        let found = look(&staged(bug, planted), None);
        let blind = look(&staged(bug, planted.without(bug.breaks)), Some(bug.breaks));
        (bug, clean, found, blind)
    });
    let mut table = String::new();
    let mut wrong = Vec::new();
    for (bug, clean, found, blind) in rows {
        table += &format!("{:<40} {found}; if nobody looks: {blind}\n", bug.name);
        if clean != Found::Nothing {
            wrong.push(format!(
                "{}: without it, {} has {clean}",
                bug.name, bug.story
            ));
        }
        if !matches!(found, Found::Breach(property, _) if property == bug.breaks) {
            wrong.push(format!("{} is to break {}: {found}", bug.name, bug.breaks));
        }
    }
    println!("{table}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
