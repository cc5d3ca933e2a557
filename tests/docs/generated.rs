//! What is made from the code stands in a page between `<!-- made: NAME -->` and `<!-- end -->`.

use crate::common::project;
use crate::page::{self, Page};
use crate::{commands, scenario_format, tables};

/// One made part: the page it stands in, its name, and how it is made.
type Made = (&'static str, &'static str, fn() -> String);

const MADE: &[Made] = &[
    ("docs/reference/scenario.md", "keys", scenario_format::keys),
    ("docs/reference/command-line.md", "commands", commands::help),
    (
        "docs/reference/exit-codes.md",
        "exit-codes",
        commands::exit_codes,
    ),
    ("docs/reference/recording.md", "kinds", tables::line_kinds),
    ("docs/reference/promises.md", "promises", tables::promises),
    (
        "docs/reference/witnesses.md",
        "witnesses",
        tables::witnesses,
    ),
    ("docs/reference/planted-bugs.md", "bugs", tables::bugs),
    (
        "docs/reference/known-defects.md",
        "defects",
        tables::defects,
    ),
    (
        "docs/reference/strategies.md",
        "strategies",
        tables::strategies,
    ),
];

/// The page with that part made anew.
fn made_anew(page: &Page, name: &str, part: &str) -> String {
    let opening = format!("<!-- made: {name} -->\n");
    let (before, rest) = page
        .text
        .split_once(&opening)
        .unwrap_or_else(|| panic!("{}: no {opening}", page.path));
    let (_, after) = rest
        .split_once("<!-- end -->")
        .unwrap_or_else(|| panic!("{}: no <!-- end -->", page.path));
    format!("{before}{opening}\n{}\n\n<!-- end -->{after}", part.trim())
}

#[test]
fn what_is_made_from_the_code_is_what_the_code_says() {
    let mut stale = Vec::new();
    for (path, name, make) in MADE {
        let page = Page::at(path);
        let text = made_anew(&page, name, &make());
        if text == page.text {
            continue;
        }
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(project().join(path), text).expect("a page that can be written");
        } else {
            stale.push(*path);
        }
    }
    let hint = "UPDATE_DOCS=1 cargo test --test docs writes them anew";
    assert!(stale.is_empty(), "not as the code says: {stale:?}; {hint}");
}

#[test]
fn every_made_part_is_known() {
    let count = |page: Page| page.text.matches("<!-- made: ").count();
    let found: usize = page::all().into_iter().map(count).sum();
    assert_eq!(found, MADE.len());
}
