//! A trace for people: one line a message in fixed columns, who said what, bitmaps and images as short words.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use model::event::{Event, JobEnd, Reply};
use scenarios::line::Line;
use scenarios::size::Size;
use serde_json::Value;

/// What the words and signs mean.
pub const LEGEND: &str = concat!(
    "  > a command is sent   < its reply   created, running, …: JOB_STATUS_CHANGE   CAPITALS: BLOCK_JOB_*\n",
    "  COMPLETED 448k/448k: offset/len   bitmap0 448k active: its count, and the status of old releases",
);

/// Who a line is by: the client, QEMU, or a job.
pub fn speaker(line: &Line) -> String {
    match line {
        Line::Event(event) => match event.job() {
            Some(job) => job.to_string(),
            None => "qemu".into(),
        },
        Line::Reply { .. } | Line::Exit(_) => "qemu".into(),
        _ => "client".into(),
    }
}

/// What a line says, in short; more than one line for a transaction.
pub fn words(line: &Line) -> Vec<String> {
    match line {
        Line::Cmd(command) => command_words(command),
        Line::Reply { reply, .. } => vec![format!("< {}", reply_words(reply))],
        Line::Event(event) => vec![event_words(event)],
        Line::Hmp { line, output } => {
            let printed: Vec<&str> = output.iter().map(|line| &**line).collect();
            let printed = if printed.is_empty() {
                "done".into()
            } else {
                printed.join("; ")
            };
            vec![format!("{line}: {printed}")]
        }
        Line::Bitmaps(nodes) => vec![format!("bitmaps  {}", bitmap_words(nodes))],
        Line::Img(command, result) => vec![image_words(command, result)],
        Line::Launch(launch) => vec![launch_words(launch)],
        Line::Pending(count) => vec![format!("{count} events left over")],
        Line::Settled(ms) => vec![format!("nothing comes for {ms} ms")],
        Line::Slept(ms) => vec![format!("sleeps {ms} ms")],
        Line::Timeout(awaited) => vec![format!("gives up waiting for {}", &**awaited)],
        Line::Hang => vec!["gives up waiting for a reply".into()],
        Line::Exit(code) if *code < 0 => vec![format!("dies of signal {}", -code)],
        Line::Exit(code) => vec![format!("exits, code {code}")],
    }
}

/// Prints a trace, a line a message.
///
/// # Errors
/// The output's.
pub fn print(out: &mut impl Write, lines: &[Line]) -> io::Result<()> {
    let width = lines
        .iter()
        .map(|line| speaker(line).len())
        .max()
        .unwrap_or(0);
    for (index, line) in lines.iter().enumerate() {
        let who = speaker(line);
        for (row, words) in words(line).iter().enumerate() {
            let (number, who) = if row == 0 {
                (format!("{}", index + 1), &*who)
            } else {
                (String::new(), "")
            };
            let style = style(line);
            writeln!(out, "{number:>4}  {who:<width$}  {style}{words}{style:#}")?;
        }
    }
    Ok(())
}

/// Prints a trace with one column for each of those who speak.
///
/// # Errors
/// The output's.
pub fn print_columns(out: &mut impl Write, lines: &[Line]) -> io::Result<()> {
    let mut speakers: Vec<String> = Vec::new();
    for line in lines {
        let who = speaker(line);
        if !speakers.contains(&who) {
            speakers.push(who);
        }
    }
    let widths: Vec<usize> = speakers
        .iter()
        .map(|who| {
            let rows = lines
                .iter()
                .filter(|line| speaker(line) == *who)
                .flat_map(words);
            let longest = rows.map(|row| row.chars().count()).max().unwrap_or(0);
            longest.min(COLUMN_MAX).max(who.len())
        })
        .collect();
    let mut heading = String::from("      ");
    for (who, width) in speakers.iter().zip(&widths) {
        heading += &format!("{who:<width$}  ");
    }
    writeln!(out, "{}", heading.trim_end())?;
    for (index, line) in lines.iter().enumerate() {
        let who = speaker(line);
        let column = speakers.iter().position(|other| *other == who).unwrap_or(0);
        let indent: usize = widths[..column].iter().map(|width| width + 2).sum();
        for (row, words) in words(line).iter().enumerate() {
            let number = if row == 0 {
                format!("{}", index + 1)
            } else {
                String::new()
            };
            let style = style(line);
            writeln!(out, "{number:>4}  {:indent$}{style}{words}{style:#}", "")?;
        }
    }
    Ok(())
}

/// The widest a column gets before the next ones move to the right.
const COLUMN_MAX: usize = 56;

/// How good the news of a line is: `good`, `bad`, `odd`, `sent` of a command, or nothing.
pub fn tone(line: &Line) -> &'static str {
    match line {
        Line::Event(Event::BlockJobCompleted { error: None, .. }) => "good",
        Line::Event(Event::BlockJobCompleted { .. } | Event::BlockJobError { .. })
        | Line::Hang
        | Line::Timeout(_) => "bad",
        Line::Event(Event::BlockJobCancelled { .. }) => "odd",
        Line::Reply {
            reply: Reply::Error(_),
            ..
        } => "bad",
        Line::Exit(code) if *code != 0 => "bad",
        Line::Cmd(_) => "sent",
        _ => "",
    }
}

/// The colour of a line, by how good its news is.
pub fn style(line: &Line) -> Style {
    let colour = match tone(line) {
        "good" => AnsiColor::Green,
        "bad" => AnsiColor::Red,
        "odd" => AnsiColor::Yellow,
        "sent" => AnsiColor::Cyan,
        _ => return Style::new(),
    };
    Style::new().fg_color(Some(colour.into()))
}

// ---- short words

fn size(bytes: u64) -> String {
    Size::of(bytes).map_or_else(|| bytes.to_string(), |size| size.to_string())
}

fn event_words(event: &Event) -> String {
    let reached = |end: &JobEnd| {
        let speed = if end.speed > 0 {
            format!(" at {}/s", size(end.speed))
        } else {
            String::new()
        };
        format!("{}/{}{speed}", size(end.offset), size(end.len))
    };
    match event {
        Event::JobStatusChange { status, .. } => status.name().into(),
        Event::BlockJobCompleted { end, error: None } => format!("COMPLETED {}", reached(end)),
        Event::BlockJobCompleted {
            end,
            error: Some(error),
        } => {
            format!("COMPLETED {} error: {error}", reached(end))
        }
        Event::BlockJobCancelled { end } => format!("CANCELLED {}", reached(end)),
        Event::BlockJobError {
            operation, action, ..
        } => {
            format!("ERROR on {}: {}", operation.name(), action.name())
        }
        Event::BlockJobPending { .. } => "PENDING".into(),
        Event::Shutdown => "SHUTDOWN".into(),
    }
}

fn reply_words(reply: &Reply) -> String {
    match reply {
        Reply::Done => "ok".into(),
        Reply::Return(Value::Array(list)) if list.is_empty() => "none".into(),
        Reply::Return(value) => value.to_string(),
        Reply::Error(error) => format!("{error}"),
        Reply::Printed(lines) => lines.join("; "),
    }
}

fn command_words(command: &Value) -> Vec<String> {
    let name = command["execute"].as_str().unwrap_or("?");
    let arguments = &command["arguments"];
    if name != "transaction" {
        return vec![format!("> {}", one_command(name, arguments))];
    }
    let mode = arguments["properties"]["completion-mode"].as_str();
    let mode = mode.map_or_else(String::new, |mode| format!(" {mode}"));
    let mut rows = vec![format!("> transaction{mode}")];
    for action in arguments["actions"].as_array().into_iter().flatten() {
        let kind = action["type"].as_str().unwrap_or("?");
        rows.push(format!("    {}", one_command(kind, &action["data"])));
    }
    rows
}

fn one_command(name: &str, arguments: &Value) -> String {
    let mut words = name.to_owned();
    if let Value::Object(fields) = arguments {
        for (key, value) in fields {
            let value = if key == "file" {
                opened(value)
            } else {
                plain(value)
            };
            words += &format!(" {key}={value}");
        }
    }
    words.replace("$DIR/", "")
}

/// The file under a format node: its name, and the rules of a blkdebug layer between.
fn opened(file: &Value) -> String {
    match file["driver"].as_str() {
        Some("file") => plain(&file["filename"]),
        Some("blkdebug") => format!("{} ({})", opened(&file["image"]), rules(file)),
        _ => plain(file),
    }
}

/// What a blkdebug rule injects that does not say what.
const EIO: u64 = 5;

/// Rules of a blkdebug layer: `flush_to_disk: 1 to 2; read_aio in 2: errno 5 once`.
fn rules(layer: &Value) -> String {
    let text = |rule: &Value, key: &str| plain(&rule[key]);
    let set = layer["set-state"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|rule| {
            format!(
                "{}: {} to {}",
                text(rule, "event"),
                text(rule, "state"),
                text(rule, "new_state")
            )
        });
    let inject = layer["inject-error"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|rule| {
            let event = text(rule, "event");
            let state = rule["state"]
                .as_u64()
                .map_or_else(String::new, |state| format!(" in {state}"));
            let errno = rule["errno"].as_u64().unwrap_or(EIO);
            let once = if rule["once"] == true { " once" } else { "" };
            format!("{event}{state}: errno {errno}{once}")
        });
    set.chain(inject).collect::<Vec<_>>().join("; ")
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.as_u64().map_or_else(|| number.to_string(), size),
        Value::Array(items) => format!(
            "[{}]",
            items.iter().map(plain).collect::<Vec<_>>().join(" ")
        ),
        Value::Object(fields) => {
            let fields: Vec<_> = fields
                .iter()
                .map(|(key, value)| format!("{key}={}", plain(value)))
                .collect();
            format!("{{{}}}", fields.join(" "))
        }
        other => other.to_string(),
    }
}

fn bitmap_words(nodes: &Value) -> String {
    let Value::Object(nodes) = nodes else {
        return String::new();
    };
    if nodes.is_empty() {
        return "none".into();
    }
    let node_words = |(node, bitmaps): (&String, &Value)| {
        let bitmaps: Vec<String> = bitmaps
            .as_array()
            .into_iter()
            .flatten()
            .map(one_bitmap)
            .collect();
        format!("{node}: {}", bitmaps.join(", "))
    };
    nodes.iter().map(node_words).collect::<Vec<_>>().join(";  ")
}

fn one_bitmap(bitmap: &Value) -> String {
    let count = size(bitmap["count"].as_u64().unwrap_or_default());
    let flag = |key: &str| bitmap[key] == true;
    let Some(name) = bitmap["name"].as_str() else {
        return format!("({count})");
    };
    let status = match () {
        () if flag("inconsistent") => "inconsistent",
        () if flag("busy") => "frozen",
        () if flag("recording") => "active",
        () => "disabled",
    };
    format!("{name} {count} {status}")
}

fn image_words(command: &Value, result: &Value) -> String {
    let text = |key: &str| {
        command[key]
            .as_str()
            .unwrap_or_default()
            .replace("$DIR/", "")
    };
    let range = || {
        let number = |key: &str| size(command[key].as_u64().unwrap_or_default());
        format!("{}+{}", number("offset"), number("len"))
    };
    let words = match command["cmd"].as_str().unwrap_or_default() {
        "create" => {
            let mut words = format!("create {} {}", text("img"), plain(&command["size"]));
            if !command["backing"].is_null() {
                words += &format!(" on {}", text("backing"));
            }
            if let Value::Object(options) = &command["opts"] {
                for (key, value) in options {
                    words += &format!(" {key}={}", plain(value));
                }
            }
            words
        }
        "write" => format!("write {} {} {}", text("img"), range(), text("pattern")),
        "read" => format!("read {} {} {}", text("img"), range(), text("pattern")),
        "copy" => format!("copy {} to {}", text("img"), text("to")),
        "rebase" => format!("rebase {} on {}", text("img"), text("backing")),
        "compare" => format!("compare {} with {}", text("a"), text("b")),
        other => format!("{other} {}", text("img")),
    };
    match result {
        Value::String(word) if word == "ok" => format!("img {words}"),
        Value::Array(bitmaps) if bitmaps.is_empty() => format!("img {words}: none"),
        Value::Array(bitmaps) => {
            let bitmaps: Vec<String> = bitmaps.iter().map(stored_words).collect();
            format!("img {words}: {}", bitmaps.join(", "))
        }
        other => format!("img {words}: {}", plain(other)),
    }
}

/// A stored bitmap: its name, granularity and flags.
fn stored_words(bitmap: &Value) -> String {
    let flags = bitmap["flags"].as_array().into_iter().flatten();
    let flags: String = flags.map(|flag| format!(" {}", plain(flag))).collect();
    let granularity = size(bitmap["granularity"].as_u64().unwrap_or_default());
    format!("{} ({granularity}{flags})", plain(&bitmap["name"]))
}

fn launch_words(launch: &Value) -> String {
    let drives: Vec<String> = launch["drives"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|drive| {
            let text = |key: &str| drive[key].as_str().unwrap_or_default().replace("$DIR/", "");
            format!("{} on {}", text("id"), text("file"))
        })
        .collect();
    let drives = if drives.is_empty() {
        "no drives".into()
    } else {
        drives.join(", ")
    };
    format!("launches QEMU with {drives}")
}
