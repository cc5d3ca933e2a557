//! What a page quotes from a file stands in that file.
//!
//! A block whose first line is a comment with a path (`// model/src/job.rs`, `# scenarios/races/NAME.yaml`) quotes that
//! file; a line `// ...` or `# ...` stands for what is left out.

use crate::common::project;
use crate::markdown::{Block, blocks};
use crate::page;

/// The file that a block quotes, and the pieces it quotes.
fn quoted(block: &Block) -> Option<(&str, Vec<String>)> {
    let sign = match &*block.language {
        "rust" => "//",
        "yaml" => "#",
        _ => return None,
    };
    let (first, rest) = block.text.split_once('\n')?;
    let path = first.strip_prefix(sign)?.trim();
    if !path.contains('/') || path.contains(' ') {
        return None;
    }
    let dots = format!("{sign} ...");
    let mut pieces = vec![String::new()];
    for line in rest.lines() {
        match pieces.last_mut() {
            Some(piece) if line.trim() != dots => *piece += &format!("{line}\n"),
            _ => pieces.push(String::new()),
        }
    }
    Some((path, pieces))
}

#[test]
fn what_is_quoted_stands_there() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for page in page::all() {
        for block in blocks(&page.text) {
            let Some((path, pieces)) = quoted(&block) else {
                continue;
            };
            count += 1;
            let text = std::fs::read_to_string(project().join(path)).unwrap_or_default();
            let is_missing = |piece: &&String| !text.contains(piece.trim_matches('\n'));
            for piece in pieces.iter().filter(is_missing) {
                wrong.push(format!(
                    "{}:{}: not in {path}:\n{piece}",
                    page.path, block.line
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 5, "the how-to guides quote the code");
}
