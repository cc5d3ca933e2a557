//! The pages there are: README.md, ARCHITECTURE.md, and all below docs/.

use std::path::Path;

use crate::common::project;

/// One page.
pub struct Page {
    /// Its path from the project's folder.
    pub path: String,
    /// What stands in it.
    pub text: String,
}

impl Page {
    /// The page at that path.
    pub fn at(path: &str) -> Page {
        let text = std::fs::read_to_string(project().join(path))
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        Page {
            path: path.to_owned(),
            text,
        }
    }
}

/// Every page, in the order of their paths.
pub fn all() -> Vec<Page> {
    let mut paths = vec!["ARCHITECTURE.md".to_owned(), "README.md".to_owned()];
    collect(&project().join("docs"), &mut paths);
    paths.sort();
    paths.iter().map(|path| Page::at(path)).collect()
}

fn collect(folder: &Path, paths: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder of pages") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|ending| ending == "md") {
            let below = path.strip_prefix(project()).expect("it is below");
            paths.push(below.to_string_lossy().into_owned());
        }
    }
}

/// Every page stands in the table of contents, once.
#[test]
fn the_table_of_contents_has_every_page_once() {
    let contents = Page::at("docs/SUMMARY.md").text;
    for page in all() {
        let Some(path) = page.path.strip_prefix("docs/") else {
            continue;
        };
        let wanted = usize::from(path != "SUMMARY.md");
        let found = contents.matches(&format!("]({path})")).count();
        assert_eq!(found, wanted, "docs/SUMMARY.md: {path}");
    }
}
