//! What the README shows is what the command prints, and its example scenario holds.
//!
//! A `console` block begins with `$ blockrace …`; the rest is its output, where a line `...` stands for any lines.

mod common;

use common::{blockrace, project, text};
use scenarios::load::SHIPPED;

fn readme() -> String {
    std::fs::read_to_string(project().join("README.md")).expect("the README")
}

/// The fenced blocks of one language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let opening = format!("```{language}");
    let mut blocks = Vec::new();
    let mut open: Option<String> = None;
    for line in text.lines() {
        match &mut open {
            Some(_) if line == "```" => blocks.extend(open.take()),
            Some(block) => *block += &format!("{line}\n"),
            None if line == opening => open = Some(String::new()),
            None => {}
        }
    }
    blocks
}

/// Do the shown lines stand in the output, in order, with `...` for any number of lines?
fn shows(shown: &[&str], output: &[&str]) -> bool {
    match shown.split_first() {
        None => output.is_empty(),
        Some((&"...", rest)) => (0..=output.len()).any(|skip| shows(rest, &output[skip..])),
        Some((line, rest)) => {
            output
                .first()
                .is_some_and(|first| first.trim_end() == line.trim_end())
                && shows(rest, &output[1..])
        }
    }
}

#[test]
fn what_the_readme_shows_is_what_is_printed() {
    let mut checked = 0;
    for block in blocks(&readme(), "console") {
        let (command, shown) = block.split_once('\n').expect("a command and its output");
        let command = command
            .strip_prefix("$ blockrace ")
            .expect("`$ blockrace …`");
        let output = blockrace(&command.split(' ').collect::<Vec<_>>());
        let printed = text(&output.stdout);
        let printed: Vec<&str> = printed.lines().collect();
        let shown: Vec<&str> = shown.lines().collect();
        assert!(
            shows(&shown, &printed),
            "blockrace {command}\n{}",
            printed.join("\n")
        );
        checked += 1;
    }
    assert!(checked >= 5, "the README shows the command at work");
}

#[test]
fn the_readmes_scenario_holds_under_a_thousand_seeds() {
    let [scenario] = &blocks(&readme(), "yaml")[..] else {
        panic!("one scenario in the README")
    };
    let file = std::env::temp_dir().join(format!("blockrace-readme-{}.yaml", std::process::id()));
    std::fs::write(&file, scenario).expect("a temporary file");
    let path = file.to_string_lossy().into_owned();
    let output = blockrace(&["fuzz", &path, "--seeds", "0..1000", "--no-failures"]);
    // The promise can be broken: against the image after the guest's write, the backup differs.
    let wrong = scenario.replace("b: $DIR/before.qcow2", "b: $DIR/drive0.qcow2");
    assert_ne!(&wrong, scenario);
    std::fs::write(&file, wrong).expect("a temporary file");
    let broken = blockrace(&["fuzz", &path, "--seeds", "0..1000", "--no-failures"]);
    std::fs::remove_file(&file).expect("the temporary file");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert_eq!(broken.status.code(), Some(1), "{}", text(&broken.stdout));
}

/// Every folder of stories is in the README's table, and the number of stories is right.
#[test]
fn the_readme_knows_all_stories() {
    let readme = readme();
    let count = format!("There are {} stories", SHIPPED.len());
    assert!(readme.contains(&count), "{count}");
    for (name, _) in SHIPPED {
        let folder = name.split('/').next().unwrap_or_default();
        assert!(readme.contains(&format!("| `{folder}/` |")), "{folder}");
    }
}
