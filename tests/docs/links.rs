//! Links lead somewhere: to a file of the project, and to a heading that is there.

use std::path::{Component, Path, PathBuf};

use crate::common::project;
use crate::markdown::{anchors, links, prose};
use crate::page::{self, Page};

/// Without `.` and `..`.
fn simple(path: &Path) -> PathBuf {
    let mut simple = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                simple.pop();
            }
            Component::CurDir => {}
            other => simple.push(other),
        }
    }
    simple
}

/// What is wrong with a link of that page, if anything is.
fn wrong(page: &Page, target: &str) -> Option<String> {
    if target.starts_with("https://") {
        return None;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = match file {
        "" => PathBuf::from(&page.path),
        file => simple(&Path::new(&page.path).with_file_name("").join(file)),
    };
    if !project().join(&path).exists() {
        return Some(format!("there is no {}", path.display()));
    }
    let is_page = path.extension().is_some_and(|ending| ending == "md");
    if anchor.is_empty() || !is_page {
        return None;
    }
    let anchors = anchors(&Page::at(&path.to_string_lossy()).text);
    let is_there = anchors.iter().any(|known| known == anchor);
    (!is_there).then(|| format!("{} has no heading for #{anchor}", path.display()))
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    let mut count = 0;
    for page in page::all() {
        for (line, text) in prose(&page.text) {
            for target in links(text) {
                count += 1;
                if let Some(what) = wrong(&page, target) {
                    broken.push(format!("{}:{line}: {what}", page.path));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(count > 100, "the documents link to each other");
}
