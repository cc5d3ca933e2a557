//! The little Markdown that the tests must understand: fenced blocks, links, headings, tables.

/// A fenced block.
#[derive(Debug)]
pub struct Block {
    /// What stands behind the opening fence.
    pub language: String,
    /// The line of the opening fence, counted from 1.
    pub line: usize,
    /// What stands in it.
    pub text: String,
}

/// The fenced blocks, in order; a fence may be indented, as in a list.
pub fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (index, line) in text.lines().enumerate() {
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (Some(_), Some("")) => blocks.extend(open.take()),
            (Some(block), _) => block.text += &format!("{line}\n"),
            (None, Some(language)) => {
                open = Some(Block {
                    language: language.to_owned(),
                    line: index + 1,
                    text: String::new(),
                });
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a fence that is never closed: {open:?}");
    blocks
}

/// The lines outside of fenced blocks, each with its number.
pub fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut is_code = false;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            lines.push((index + 1, line));
        }
    }
    lines
}

/// Where the links of a line lead: `[words](target)`, but not in `code`.
pub fn links(line: &str) -> Vec<&str> {
    let outside_of_code = line.split('`').step_by(2);
    let mut targets = Vec::new();
    // A link's words may be code, so a target is looked for in what follows a piece of code, too.
    for piece in outside_of_code {
        let after = piece.split("](").skip(1);
        targets.extend(after.filter_map(|rest| rest.split_once(')').map(|(target, _)| target)));
    }
    targets
}

/// What a heading is called in a link: as GitHub and mdBook do it.
pub fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || [' ', '-', '_'].contains(c);
    let words: String = heading.trim().to_lowercase().chars().filter(kept).collect();
    words.replace(' ', "-")
}

/// The anchors of a page.
pub fn anchors(text: &str) -> Vec<String> {
    let headings = prose(text)
        .into_iter()
        .filter(|(_, line)| line.starts_with('#'));
    headings
        .map(|(_, line)| anchor(line.trim_start_matches('#')))
        .collect()
}

/// A cell of a table: one line, and no bar that would end it.
pub fn cell(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
        .replace('<', "&lt;")
}

/// A row of a table.
pub fn row(cells: &[&str]) -> String {
    let cells: Vec<String> = cells.iter().map(|text| text.trim().to_owned()).collect();
    format!("| {} |\n", cells.join(" | "))
}

#[test]
fn blocks_links_and_anchors_are_found() {
    let text =
        "# The first: `a-b`, c\n\n[one](a.md#x) `[no](b)` [`two`](../c.md)\n```yaml\n[x](y)\n```\n";
    let found = blocks(text);
    assert_eq!((found.len(), found[0].line), (1, 4));
    assert_eq!(found[0].text, "[x](y)\n");
    assert_eq!(anchors(text), ["the-first-a-b-c"]);
    let found: Vec<&str> = prose(text)
        .iter()
        .flat_map(|(_, line)| links(line))
        .collect();
    assert_eq!(found, ["a.md#x", "../c.md"]);
}
