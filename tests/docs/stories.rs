//! The list of the shipped stories' folders, and how many there are.

use scenarios::load::SHIPPED;

use crate::page::Page;

#[test]
fn the_documents_know_all_stories() {
    let count = format!("There are {} stories", SHIPPED.len());
    assert!(
        Page::at("README.md").text.contains(&count),
        "README.md: {count}"
    );
    let text = Page::at("docs/reference/stories.md").text;
    for (name, _) in SHIPPED {
        let folder = name.split('/').next().unwrap_or_default();
        assert!(text.contains(&format!("| `{folder}/` |")), "{folder}");
    }
}
