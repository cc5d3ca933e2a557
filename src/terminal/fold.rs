//! Long lines on a terminal: folded between words, and what goes on below stands where the words began. Long names
//! are shortened in the middle: both ends tell them apart.

use textwrap::core::display_width;
use textwrap::{Options, WordSplitter};

/// A label before the words is no longer than this, unless it is one word.
const LABEL_MAX: usize = 12;
/// What goes on below has at least so much room.
const ROOM_MIN: usize = 24;

/// The lines that a line becomes. What is to be pasted into a shell can still be.
pub fn fold(line: &str, width: usize) -> Vec<String> {
    if display_width(line) <= width {
        return vec![line.to_owned()];
    }
    let is_to_paste = line.trim_start().starts_with("again") && line.contains("blockrace ");
    let margin = margin(&plain(line), width);
    let (room, end) = match is_to_paste {
        true => (width - 2, " \\"),
        false => (width, ""),
    };
    let options = Options::new(room)
        .subsequent_indent(&margin)
        .word_splitter(WordSplitter::NoHyphenation)
        .break_words(!is_to_paste);
    let mut lines: Vec<String> = textwrap::wrap(line, options)
        .into_iter()
        .map(|line| line.into_owned())
        .collect();
    let last = lines.len().saturating_sub(1);
    lines[..last].iter_mut().for_each(|line| line.push_str(end));
    lines
}

/// What stands before the lines that go on: the branches of a tree, and room below the label.
fn margin(line: &str, width: usize) -> String {
    let drawn = |sign: char| match sign {
        '│' | '├' => Some('│'),
        '|' => Some('|'),
        ' ' | '└' | '─' | '`' | '-' => Some(' '),
        _ => None,
    };
    let tree: String = line.chars().map_while(drawn).collect();
    let rest: String = line.chars().skip(tree.chars().count()).collect();
    let label = rest.find("  ").map(|end| &rest[..end]);
    let is_label = |label: &&str| label.len() <= LABEL_MAX || !label.contains(' ');
    let below = label.filter(is_label).map_or(2, |label| {
        let words = rest[label.len()..].trim_start();
        display_width(&rest) - display_width(words)
    });
    let room = width.saturating_sub(display_width(&tree) + ROOM_MIN);
    let below = if below <= room { below } else { 2.min(room) };
    let tree = if display_width(&tree) + ROOM_MIN <= width {
        tree
    } else {
        String::new()
    };
    format!("{tree}{:below$}", "")
}

/// The line without its colours.
fn plain(line: &str) -> String {
    anstream::adapter::strip_str(line).to_string()
}

/// A name in so many columns, with an ellipsis in its middle if it is longer.
pub fn shorten(name: &str, width: usize, ellipsis: &str) -> String {
    let count = name.chars().count();
    if count <= width {
        return name.to_owned();
    }
    let kept = width.saturating_sub(ellipsis.chars().count());
    let (start, end) = (kept / 2, kept - kept / 2);
    let first: String = name.chars().take(start).collect();
    let last: String = name.chars().skip(count - end).collect();
    format!("{first}{ellipsis}{last}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, width: usize, expected: &[&str]) {
        let lines = fold(line, width);
        assert_eq!(lines, expected);
        let is_narrow = |line: &String| display_width(line) <= width;
        assert!(lines.iter().all(is_narrow), "{lines:?}");
    }

    #[test]
    fn what_goes_on_stands_where_the_words_began() {
        check("a short line", 12, &["a short line"]);
        check(
            "promised Every granule written since then is dirty in the bitmap.",
            50,
            &[
                "promised Every granule written since then is dirty",
                "  in the bitmap.",
            ],
        );
        check(
            "BREACH   no-lost-dirty: granule 3 was written and is not dirty",
            44,
            &[
                "BREACH   no-lost-dirty: granule 3 was",
                "         written and is not dirty",
            ],
        );
        check(
            "  │  ├─ if `main bh job-exit drive0 with a long name` comes first",
            46,
            &[
                "  │  ├─ if `main bh job-exit drive0 with a",
                "  │  │    long name` comes first",
            ],
        );
        check(
            "\u{1b}[31mBREACH\u{1b}[0m   granule 3 was written and is not dirty",
            40,
            &[
                "\u{1b}[31mBREACH\u{1b}[0m   granule 3 was written and is",
                "         not dirty",
            ],
        );
    }

    #[test]
    fn a_line_to_paste_can_still_be_pasted() {
        check(
            "again    blockrace check tests/data/a.yaml --dialect 10.0",
            44,
            &[
                "again    blockrace check tests/data/a.yaml \\",
                "         --dialect 10.0",
            ],
        );
    }

    #[test]
    fn both_ends_of_a_long_name_are_left() {
        assert_eq!(shorten("short", 5, "…"), "short");
        let name = "modes/incremental-success";
        assert_eq!(shorten(name, 11, "…"), "modes…ccess");
        assert_eq!(shorten(name, 11, "..."), "mode...cess");
        assert_eq!(shorten("ab", 1, "…"), "…");
    }
}
