//! What loom reaches in small stories is what the search reaches.
//!
//! `BLOCKRACE_STORY=word` looks only at the stories with that word in their names, `BLOCKRACE_BOUND=3` at all with that
//! bound (`none` without one); neither compares a snapshot.

use std::fmt::Write;
use std::sync::Arc;

use model::dialect::DIALECTS;

use super::stage::{accepts, by_loom, by_search, options, scene, teams};

/// Story, its text, how many jobs and guests it has, and the bound on preemptions if there is one.
struct Row(&'static str, &'static str, usize, usize, Option<usize>);

macro_rules! rows {
    ($($name:literal $jobs:literal $guests:literal $bound:expr;)+) => {
        &[$(Row($name, include_str!(concat!("../../loom/", $name, ".yaml")), $jobs, $guests, $bound)),+]
    };
}

/// Those with three threads, and those with an iothread, have too many orders to try all.
const ROWS: &[Row] = rows![
    "cancel-against-completion" 1 0 None;
    "empty-job-against-failure" 2 0 Some(2);
    "finalize-against-cancel" 1 0 None;
    "guest-write-against-clear" 0 1 Some(3);
    "guest-write-against-copy" 1 1 Some(2);
    "pause-against-completion" 1 0 None;
    "resize-against-copy" 1 0 None;
    "two-failing-siblings" 2 0 Some(2);
    "two-guests-mark-one-bitmap" 0 2 Some(2);
];

fn row(Row(name, text, jobs, guests, bound): &Row) -> String {
    let scene = Arc::new(scene(name, text, DIALECTS[1]));
    let (states, resting, digest, language) = by_search(&scene);
    let teams = teams(*jobs, *guests);
    let threads = teams.len();
    let start = std::time::Instant::now();
    let (reached, executions) = by_loom(&scene, &options(teams), *bound);
    eprintln!("{name}: {executions} executions in {:?}", start.elapsed());
    for (text, trace) in &reached.traces {
        assert!(accepts(&language, trace), "{name}: only loom has\n{text}");
    }
    let traces = language.automaton.trace_count();
    let sum = reached
        .ends
        .iter()
        .fold(0_u128, |sum, end| sum.wrapping_add(*end));
    let equal = (sum, reached.traces.len() as u128) == (digest, traces);
    let verdict = if equal { "equal" } else { "subset" };
    let bound = bound.map_or("none".into(), |bound| bound.to_string());
    let (ends, shown) = (reached.ends.len(), reached.traces.len());
    format!(
        "{name:<28} {threads:>7} {bound:>5} {executions:>10} {states:>6} {ends:>4} of {resting:<4} {shown:>4} of {traces:<4} {verdict}\n"
    )
}

#[test]
fn loom_reaches_what_the_search_reaches() {
    let asked = std::env::var("BLOCKRACE_STORY").unwrap_or_default();
    let bound = std::env::var("BLOCKRACE_BOUND")
        .ok()
        .map(|bound| bound.parse::<usize>().ok());
    let mut table = String::new();
    writeln!(
        table,
        "{:<28} {:>7} {:>5} {:>10} {:>6} {:>12} {:>12} sets",
        "story", "threads", "bound", "executions", "states", "at rest", "traces"
    )
    .expect("a string takes anything");
    for story in ROWS.iter().filter(|row| row.0.contains(&asked)) {
        let story = &Row(story.0, story.1, story.2, story.3, bound.unwrap_or(story.4));
        let row = row(story);
        print!("{row}");
        let promised = if story.4.is_none() { "equal" } else { "subset" };
        assert!(row.contains("equal") || row.contains(promised), "{row}");
        table += &row;
    }
    if asked.is_empty() && bound.is_none() {
        insta::assert_snapshot!("loom_stories", table);
    }
}
