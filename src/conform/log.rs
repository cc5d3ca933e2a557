//! `blockrace conform --log`: is what somebody else's log shows a trace of the model?

use std::io::{self, Write};
use std::path::Path;

use scenarios::conform::{Rejection, Verdict, WORLDS_MAX};
use scenarios::limits::LOG;
use scenarios::load;
use scenarios::log::{self, Checked, Given, Question, Reading, Tried};
use serde_json::{Value, json};

use super::print_rejection;
use crate::cli::{ConformArgs, Format};
use crate::exit::Exit;
use crate::terminal;

/// How many possible states are shown.
const STATES_SHOWN: usize = 4;

/// Checks the logs.
///
/// # Errors
/// What to print: a file that cannot be read, or a header that is none.
pub fn run(args: &ConformArgs) -> Result<Exit, String> {
    let (style, format) = (args.style()?, args.format_of_log());
    let given = args.given.as_deref().map(given).transpose()?;
    let mut exit = Exit::NothingChecked;
    let mut any = false;
    for file in &args.log {
        let file = super::text(file);
        let bytes = LOG.read(Path::new(&file))?;
        let reading = log::read(style, &String::from_utf8_lossy(&bytes));
        let question = Question {
            file: &file,
            style,
            given: given.as_ref(),
            dialect: args.dialect,
            worlds_max: WORLDS_MAX,
        };
        let checked = log::check(&reading, &question).map_err(|error| error.to_string())?;
        for session in &checked {
            if let Some(rejection) = header_fails(session).filter(|_| given.is_some()) {
                return Err(format!(
                    "what --given says cannot be done: {}; the model can do {}",
                    rejection.recorded,
                    rejection.allowed.first().unwrap_or(&Value::Null)
                ));
            }
        }
        let ends = checked.iter().filter_map(exit_of);
        for end in ends {
            exit = if any { exit.worse(end) } else { end };
            any = true;
        }
        let mut out = terminal::out(format == Format::Human);
        crate::written(match format {
            Format::Human => print_human(&mut out, &file, &reading, &checked),
            Format::Json => print_json(&mut out, &file, &reading, &checked),
        })?;
    }
    Ok(exit)
}

fn given(scenario: &str) -> Result<Given, String> {
    let story = load::open(scenario).map_err(|error| error.to_string())?;
    Given::of_story(&story, scenario)
}

/// The rejection of a line that stands before the log.
fn header_fails(checked: &Checked) -> Option<&Rejection> {
    match &checked.tried.first()?.verdict {
        Verdict::Rejected(rejection) if rejection.line == 0 => Some(rejection),
        _ => None,
    }
}

fn exit_of(checked: &Checked) -> Option<Exit> {
    Some(match checked.tried.first()?.verdict {
        Verdict::Accepted { .. } => Exit::Clean,
        Verdict::Rejected(_) => Exit::Violated,
        Verdict::TooManyWorlds { .. } => Exit::Inconclusive,
    })
}

fn print_human(
    out: &mut impl Write,
    file: &str,
    reading: &Reading,
    checked: &[Checked],
) -> io::Result<()> {
    writeln!(out, "{file}: {} lines{}", reading.lines, unknown(reading))?;
    if checked.is_empty() {
        return writeln!(
            out,
            "nothing to check: no message of a monitor's is in it; is it written as --format says?"
        );
    }
    for session in checked {
        print_session(out, file, session)?;
    }
    Ok(())
}

fn unknown(reading: &Reading) -> String {
    let Some((line, text)) = &reading.first_unknown else {
        return String::new();
    };
    let mut shown: String = text.chars().take(60).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!(
        ", {} of them not understood (the first is line {line}: {shown})",
        reading.unknown
    )
}

fn print_session(out: &mut impl Write, file: &str, checked: &Checked) -> io::Result<()> {
    let what = title(checked);
    match checked.tried.first() {
        None => writeln!(out, "empty     {what}: nothing in it that is modelled")?,
        Some(best) => {
            let how = format!("as {} ({}), {}", best.dialect, version(checked), best.order);
            match &best.verdict {
                Verdict::Accepted { worlds_max } => writeln!(
                    out,
                    "accepted  {what}, {how}, at most {worlds_max} worlds at once"
                )?,
                Verdict::Rejected(rejection) => {
                    writeln!(out, "REJECTED  {file}:{}", rejection.line)?;
                    writeln!(out, "  {what}, {how}")?;
                    print_rejection(out, rejection)?;
                    print_states(out, rejection)?;
                    list(out, "likely", &best.causes)?;
                }
                Verdict::TooManyWorlds { line, limit } => {
                    writeln!(out, "UNDECIDED {file}:{line}: {what}, {how}: {limit}")?;
                }
            }
        }
    }
    for tried in checked.tried.iter().skip(1) {
        writeln!(out, "  as {}: {}", tried.dialect, in_short(tried))?;
    }
    list(out, "assumed", &checked.assumed)?;
    let left_out = checked.left_out.iter();
    let left_out: Vec<String> = left_out
        .map(|(what, count)| format!("{count} × {what}"))
        .collect();
    list(out, "left out", &left_out)?;
    list(out, "not checked", &checked.not_checked)
}

fn title(checked: &Checked) -> String {
    let (first, last) = checked.lines;
    let monitor = match checked.monitor.as_str() {
        "" => String::new(),
        monitor => format!("monitor {monitor}, "),
    };
    let session = checked
        .session
        .map_or_else(String::new, |number| format!("session {number}, "));
    format!(
        "{monitor}{session}lines {first} to {last}, {} messages",
        checked.messages
    )
}

fn version(checked: &Checked) -> String {
    match &checked.version {
        Some(version) => format!("it says {version}"),
        None => "it does not say its version".into(),
    }
}

fn in_short(tried: &Tried) -> String {
    match &tried.verdict {
        Verdict::Accepted { .. } => "accepted, too".into(),
        Verdict::Rejected(rejection) => format!("rejected at line {}", rejection.line),
        Verdict::TooManyWorlds { line, .. } => format!("undecided at line {line}"),
    }
}

fn print_states(out: &mut impl Write, rejection: &Rejection) -> io::Result<()> {
    let mut states: Vec<String> = rejection
        .states
        .iter()
        .take(STATES_SHOWN)
        .cloned()
        .collect();
    let more = rejection.states.len().saturating_sub(STATES_SHOWN);
    if more > 0 {
        states.push(format!("… and {more} more"));
    }
    list(out, "state", &states)
}

/// Sentences under one another, behind a word.
fn list(out: &mut impl Write, word: &str, lines: &[String]) -> io::Result<()> {
    for (index, line) in lines.iter().enumerate() {
        let word = if index == 0 {
            format!("{word}:")
        } else {
            String::new()
        };
        writeln!(out, "  {word:<12} {line}")?;
    }
    Ok(())
}

fn print_json(
    out: &mut impl Write,
    file: &str,
    reading: &Reading,
    checked: &[Checked],
) -> io::Result<()> {
    for session in checked {
        let tried: Vec<Value> = session.tried.iter().map(tried_json).collect();
        let row = json!({
            "log": file,
            "monitor": session.monitor,
            "session": session.session.unwrap_or(1),
            "lines": [session.lines.0, session.lines.1],
            "unknown_lines": reading.unknown,
            "messages": session.messages,
            "qemu": session.version,
            "results": tried,
            "assumed": session.assumed,
            "left_out": session.left_out,
            "not_checked": session.not_checked,
        });
        writeln!(out, "{row}")?;
    }
    Ok(())
}

fn tried_json(tried: &Tried) -> Value {
    let mut result = match &tried.verdict {
        Verdict::Accepted { worlds_max } => json!({"verdict": "accepted", "worlds": worlds_max}),
        Verdict::Rejected(rejection) => json!({
            "verdict": "rejected",
            "line": rejection.line,
            "recorded": rejection.recorded,
            "allowed": rejection.allowed,
            "states": rejection.states,
            "causes": tried.causes,
        }),
        Verdict::TooManyWorlds { line, limit } => super::undecided(*line, *limit),
    };
    result["dialect"] = json!(tried.dialect.name);
    result["order"] = json!(tried.order.to_string());
    result
}
