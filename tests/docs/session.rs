//! What a page shows is what a reader sees who types it.
//!
//! A `console` block holds commands behind `$ ` and below each what it prints; a line `...` stands for any lines. A
//! block whose first line is `# NAME` with an ending is a file of that name: it is saved before what follows is typed.
//! A page is read in an empty folder, beside which the project's `scenarios` and `tests` can be reached.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::common::{project, text};
use crate::markdown::{Block, blocks};
use crate::page::{self, Page};

/// What `console` blocks say that is typed, with what is printed below.
fn commands(block: &str) -> Vec<(&str, Vec<&str>)> {
    let mut commands: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command, Vec::new())),
            (None, Some((_, shown))) => shown.push(line),
            (None, None) => panic!("a console block begins with `$ `, not with `{line}`"),
        }
    }
    commands
}

/// Do the shown lines stand in the output, in order, with `...` for any number of lines?
fn shows(shown: &[&str], printed: &[&str]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((&"...", [])) => true,
        Some((&"...", rest)) => (0..printed.len()).any(|skip| shows(rest, &printed[skip..])),
        Some((line, rest)) => {
            let first = printed.first();
            first.is_some_and(|first| first.trim_end() == line.trim_end())
                && shows(rest, &printed[1..])
        }
    }
}

/// The file that a block is: its name.
fn file_of(block: &Block) -> Option<&str> {
    let name = block.text.lines().next()?.strip_prefix("# ")?;
    let is_name = name.contains('.') && !name.contains([' ', '/']);
    (is_name && ["yaml", "toml"].contains(&&*block.language)).then_some(name)
}

/// Types a command in a folder, and returns what it prints.
fn typed(folder: &Path, command: &str) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_blockrace"));
    let programs = program.parent().expect("a folder of programs").display();
    let path = std::env::var("PATH").unwrap_or_default();
    let output = Command::new("sh")
        .args(["-c", command])
        .current_dir(folder)
        .env("PATH", format!("{programs}:{path}"))
        .env("NO_COLOR", "1")
        .env("COLUMNS", "100")
        .env("LC_ALL", "C.UTF-8")
        .output()
        .expect("a shell");
    text(&output.stdout)
}

/// Does what a page says; how many commands were typed, and what was printed otherwise than shown.
fn read(page: &Page) -> (usize, Vec<String>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for beside in ["scenarios", "tests"] {
        symlink(project().join(beside), folder.path().join(beside)).expect("a link");
    }
    let (mut count, mut wrong) = (0, Vec::new());
    for block in blocks(&page.text) {
        if let Some(name) = file_of(&block) {
            std::fs::write(folder.path().join(name), &block.text).expect("a file");
        }
        if block.language != "console" {
            continue;
        }
        for (command, shown) in commands(&block.text) {
            let printed = typed(folder.path(), command);
            let lines: Vec<&str> = printed.lines().collect();
            count += 1;
            if !shows(&shown, &lines) {
                let (path, line) = (&page.path, block.line);
                wrong.push(format!("{path}:{line}: $ {command}\n{printed}"));
            }
        }
    }
    (count, wrong)
}

/// As [`read`], the pages whose paths begin so.
fn read_all(beginning: &str, commands_min: usize) {
    let pages = page::all();
    let pages = pages.iter().filter(|page| page.path.starts_with(beginning));
    let (mut count, mut wrong) = (0, Vec::new());
    for page in pages {
        let (typed, otherwise) = read(page);
        count += typed;
        wrong.extend(otherwise);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= commands_min, "{beginning}: only {count} commands");
}

#[test]
fn what_the_readme_shows_is_printed() {
    read_all("README.md", 2);
}

#[test]
fn what_the_tutorial_shows_is_printed() {
    read_all("docs/tutorial/", 10);
}

#[test]
fn what_the_how_to_guides_show_is_printed() {
    read_all("docs/how-to/", 5);
}

#[test]
fn what_the_reference_and_the_explanations_show_is_printed() {
    read_all("docs/reference/", 3);
    read_all("docs/explanation/", 1);
}

/// A page outside of these folders would not be read.
#[test]
fn every_page_with_commands_is_read() {
    let folders = ["tutorial", "how-to", "reference", "explanation"];
    for page in page::all() {
        let is_read = page.path == "README.md"
            || folders
                .iter()
                .any(|folder| page.path.starts_with(&format!("docs/{folder}/")));
        let has_commands = blocks(&page.text)
            .iter()
            .any(|block| block.language == "console");
        assert!(is_read || !has_commands, "{}", page.path);
    }
}

/// The tutorial's scenario holds under a thousand seeds, and its expectation can be broken.
#[test]
fn the_tutorials_scenario_holds_under_a_thousand_seeds() {
    let page = Page::at("docs/tutorial/first-scenario.md");
    let blocks = blocks(&page.text);
    let files: Vec<&Block> = blocks
        .iter()
        .filter(|block| file_of(block).is_some())
        .collect();
    let scenario = &files.last().expect("a scenario in the tutorial").text;
    // Against the image after the guest's write, the backup differs.
    let wrong = scenario.replace("b: $DIR/before.qcow2", "b: $DIR/drive0.qcow2");
    assert_ne!(&wrong, scenario);
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (text, code) in [(scenario, "0"), (&wrong, "1")] {
        std::fs::write(folder.path().join("it.yaml"), text).expect("a file");
        let command = "blockrace fuzz it.yaml --seeds 0..1000 --no-failures >&2; echo $?";
        assert_eq!(typed(folder.path(), command).trim(), code);
    }
}

#[test]
fn dots_stand_for_any_lines_and_nothing_else_does() {
    assert!(shows(&["a", "...", "d"], &["a", "b", "c", "d"]));
    assert!(shows(&["a", "...", "d"], &["a", "d "]));
    assert!(!shows(&["a", "d"], &["a", "b", "d"]));
    assert!(!shows(&["a", "..."], &["b"]));
    assert!(shows(&["..."], &[]));
}
