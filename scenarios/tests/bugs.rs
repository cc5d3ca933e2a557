//! Every planted bug is found, and as what it is; its story is verified without it.
//!
//! `BLOCKRACE_BUG=word cargo test -p scenarios --test bugs -- --nocapture` looks only at the bugs with that word in
//! their names. What is found of a bug when nobody looks at the promise that it breaks is `blockrace bugs --promises`.

mod common;

use common::{Stage, on_two_threads, stage};
use model::dialect::Dialect;
use model::mutation::{self, MUTATIONS, Mutation};
use scenarios::load::SHIPPED;
use sim::search::{Control, EVERY_RUN_RESTS, Options, Verdict, search};

/// More states than any of these has without a bug; a bug may make them endless.
const STATES_MAX: u64 = 100_000;

/// The promise that a search finds broken first, or what else comes of it.
fn look(stage: &Stage) -> String {
    let options = Options {
        states_max: STATES_MAX,
        ..Options::default()
    };
    match search(&stage.scene, &options, &Control::default()).verdict {
        Verdict::Verified => "verified".to_owned(),
        Verdict::Inconclusive(limit) => format!("inconclusive: {limit:?}"),
        Verdict::Broken(found) => found.breach.property.to_owned(),
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

#[test]
fn the_model_calls_it_as_the_search_does() {
    assert_eq!(mutation::EVERY_RUN_RESTS, EVERY_RUN_RESTS);
}

#[test]
fn every_bug_is_found_as_what_it_is() {
    let word = std::env::var("BLOCKRACE_BUG").unwrap_or_default();
    let asked = MUTATIONS.iter().filter(|bug| bug.name.contains(&word));
    let bugs: Vec<&Mutation> = asked.collect();
    let rows = on_two_threads(&bugs, |&bug| {
        let (clean, planted) = (dialect(bug), dialect(bug).with(bug));
        (bug, look(&staged(bug, clean)), look(&staged(bug, planted)))
    });
    let mut wrong = Vec::new();
    for (bug, clean, found) in rows {
        println!("{:<40} {found}", bug.name);
        if clean != "verified" {
            let Mutation { name, story, .. } = bug;
            wrong.push(format!("{name}: without it, {story} is {clean}"));
        }
        if found != bug.breaks {
            wrong.push(format!("{} is to break {}: {found}", bug.name, bug.breaks));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
