//! The command line, as its own help says it.

use crate::common::{blockrace, text};
use crate::markdown::{cell, row};

fn printed(args: &[&str]) -> String {
    let output = blockrace(args);
    assert!(output.status.success(), "blockrace {}", args.join(" "));
    text(&output.stdout)
}

/// The lines of a section of a help text, until an empty one.
fn section<'a>(help: &'a str, heading: &str) -> Vec<&'a str> {
    let after = help.lines().skip_while(|line| *line != heading).skip(1);
    after.take_while(|line| !line.is_empty()).collect()
}

/// The names of the commands below one: `bugs`, or `snapshot check`.
fn commands(help: &str) -> Vec<String> {
    let names = section(help, "Commands:").into_iter().filter_map(|line| {
        let line = line.strip_prefix("  ")?;
        let begins = !line.starts_with(' ');
        begins.then(|| line.split([' ', ',']).next().unwrap_or_default().to_owned())
    });
    names.filter(|name| name != "help").collect()
}

/// The help of a command and of those below it.
fn add(made: &mut String, path: &[String]) {
    let mut args: Vec<&str> = path.iter().map(String::as_str).collect();
    args.push("--help");
    let help = printed(&args);
    let name = path.join(" ");
    let lines: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
    let name = format!("blockrace {name}");
    *made += &format!(
        "## {}\n\n```text\n{}\n```\n\n",
        name.trim(),
        lines.join("\n")
    );
    for command in commands(&help) {
        let mut path = path.to_vec();
        path.push(command);
        add(made, &path);
    }
}

/// Every command's help.
pub fn help() -> String {
    let mut made = String::new();
    add(&mut made, &[]);
    made
}

/// The table of exit codes.
pub fn exit_codes() -> String {
    let help = printed(&["--help"]);
    let mut made = row(&["code", "meaning"]) + &row(&["--:", "---"]);
    for line in section(&help, "Exit codes:") {
        let (code, meaning) = line
            .trim()
            .split_once("  ")
            .expect("a code and what it means");
        made += &row(&[code, &cell(meaning)]);
    }
    made
}
