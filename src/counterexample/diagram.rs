//! A counterexample as a sequence diagram for Mermaid, which GitHub draws where Markdown is shown.

use scenarios::line::Line;
use sim::Breach;
use sim::inevitable::Inevitable;

use super::film::{Film, Frame};
use crate::trace;

/// A diagram with more lines than this is not looked at, and takes long to draw.
const LINES_MAX: usize = 60;
/// Of a longer one, so many lines are shown of the beginning; the rest is of the end, where it breaks.
const HEAD: usize = 8;
/// No text is longer: it would make its column as wide.
const TEXT_MAX: usize = 100;

/// Draws it.
pub fn mermaid(film: &Film, breach: &Breach, inevitable: Option<Inevitable>) -> String {
    let actors = actors(&film.frames);
    let mut lines = vec!["sequenceDiagram".to_owned()];
    lines.push("    participant client".into());
    lines.push("    participant qmp as QMP".into());
    for (number, actor) in actors.iter().enumerate() {
        lines.push(format!("    participant a{number} as {}", escaped(actor)));
    }
    let last = match actors.len() {
        0 => "qmp".to_owned(),
        count => format!("a{}", count - 1),
    };
    let end = over(
        &last,
        &format!("BREACH {}: {}", breach.property, breach.message),
    );
    let body = body(film, &actors, inevitable, &last);
    let room = LINES_MAX - lines.len().min(LINES_MAX - HEAD - 2) - 1;
    lines.extend(shortened(body, room, &last));
    lines.push(end);
    lines.join("\n")
}

/// Everybody but the client, in the order of their numbers.
fn actors(frames: &[Frame]) -> Vec<String> {
    let mut actors: Vec<(usize, &str)> = frames
        .iter()
        .map(|frame| (frame.actor, &*frame.actor_name))
        .collect();
    actors.sort_unstable();
    let mut names: Vec<String> = Vec::new();
    for (_, name) in actors {
        if name != "client" && !names.iter().any(|other| other == name) {
            names.push(name.to_owned());
        }
    }
    names
}

fn body(film: &Film, actors: &[String], inevitable: Option<Inevitable>, last: &str) -> Vec<String> {
    let setup = film.setup();
    let mut lines = vec![note(
        "client",
        &format!("{setup} steps: images are made, QEMU is launched"),
    )];
    let begun = film
        .frames
        .iter()
        .take(setup)
        .flat_map(|frame| &frame.lines);
    lines.extend(
        begun
            .filter(|line| matches!(line, Line::Cmd(_)))
            .map(message),
    );
    if inevitable == Some(Inevitable::Always) {
        lines.push(over(
            last,
            "from the start, every continuation breaks the promise",
        ));
    }
    for (index, frame) in film.frames.iter().enumerate().skip(setup) {
        let actor = actors.iter().position(|name| *name == frame.actor_name);
        let who = actor.map_or_else(|| "client".to_owned(), |number| format!("a{number}"));
        lines.push(note(&who, &format!("{} {}", index + 1, frame.deed())));
        lines.extend(frame.lines.iter().map(message));
        if inevitable == Some(Inevitable::Step(index + 1)) {
            lines.push(over(
                last,
                "from here on, every continuation breaks the promise",
            ));
        }
    }
    lines
}

fn message(line: &Line) -> String {
    let words = trace::words(line).join("; ");
    let words = words.trim_start_matches(['<', '>', ' ']);
    match line {
        Line::Cmd(_) => format!("    client->>qmp: {}", escaped(words)),
        Line::Event(_) => {
            let who = trace::speaker(line);
            format!("    qmp-->>client: {}", escaped(&format!("{who} {words}")))
        }
        Line::Reply { .. } | Line::Exit(_) => format!("    qmp-->>client: {}", escaped(words)),
        _ => note("client", words),
    }
}

fn note(who: &str, text: &str) -> String {
    format!("    Note over {who}: {}", escaped(text))
}

/// A note over everybody.
fn over(last: &str, text: &str) -> String {
    note(&format!("client,{last}"), text)
}

/// At most `room` lines: those of the beginning and those of the end.
fn shortened(mut lines: Vec<String>, room: usize, last: &str) -> Vec<String> {
    if lines.len() <= room {
        return lines;
    }
    let tail = lines.split_off(lines.len() - (room - HEAD - 1));
    let left_out = lines.len() - HEAD;
    lines.truncate(HEAD);
    lines.push(over(last, &format!("{left_out} lines are left out here")));
    lines.extend(tail);
    lines
}

/// Text in which no sign means something to Mermaid.
fn escaped(text: &str) -> String {
    let mut told = String::new();
    for (number, sign) in text.chars().enumerate() {
        if number == TEXT_MAX {
            told.push('…');
            break;
        }
        match sign {
            '#' => told += "#35;",
            ';' => told += "#59;",
            '<' => told += "#lt;",
            '>' => told += "#gt;",
            '&' => told += "#amp;",
            '\r' | '\n' => told.push(' '),
            _ => told.push(sign),
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_diagrams_keep_their_end() {
        let lines: Vec<String> = (0..100).map(|number| number.to_string()).collect();
        let short = shortened(lines.clone(), 20, "a1");
        assert_eq!(short.len(), 20);
        assert_eq!((&*short[0], &*short[19]), ("0", "99"));
        assert_eq!(
            short[8],
            "    Note over client,a1: 81 lines are left out here"
        );
        assert_eq!(shortened(lines.clone(), 100, "a1"), lines);
    }

    #[test]
    fn no_sign_means_something() {
        assert_eq!(escaped("a;b#<c>\n"), "a#59;b#35;#lt;c#gt; ");
        assert_eq!(escaped(&"x".repeat(200)).chars().count(), TEXT_MAX + 1);
    }
}
