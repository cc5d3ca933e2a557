//! Why a log may not be a trace of the model: a short list, each found by trying.

use serde_json::{Value, json};

use super::convert::Converted;
use super::{Checked, Question, Tried};
use crate::conform::{Exactness, Rejection, Verdict, conform_within};
use crate::recording::{Recording, RecordingError};

/// How many of the allowed lines are tried as the one that is missing.
const MISSING_TRIED: usize = 6;

/// How far a line may have been moved.
const MOVED_MAX: usize = 8;

/// Gives each rejection of the best verdict its likely causes.
pub fn explain(
    checked: &mut Checked,
    converted: &Converted,
    question: &Question<'_>,
) -> Result<(), RecordingError> {
    let Some(best) = checked.tried.first() else {
        return Ok(());
    };
    let Verdict::Rejected(rejection) = best.verdict.clone() else {
        return Ok(());
    };
    let mut causes = Vec::new();
    let trial = Trial {
        recording: converted.recording(question.file, best.dialect, best.order),
        rejection: &rejection,
        worlds_max: question.worlds_max,
    };
    causes.extend(trial.another_release(best)?);
    causes.extend(trial.moved()?);
    causes.extend(trial.missing()?);
    causes.extend(different_data(&rejection));
    if causes.is_empty() {
        causes.extend(someone_else(&rejection));
    }
    if question.given.is_none() && rejection.line > 0 && !checked.assumed.is_empty() {
        causes.push("what was assumed is not so: --given says what was there before".into());
    }
    if causes.is_empty() {
        causes.push(
            "QEMU did what the model does not do, or the log is not what crossed the socket".into(),
        );
    }
    if let Some(best) = checked.tried.first_mut() {
        best.causes = causes;
    }
    Ok(())
}

/// A rejected recording, to be tried with a change.
struct Trial<'t> {
    recording: Recording,
    rejection: &'t Rejection,
    /// See [`Question::worlds_max`].
    worlds_max: usize,
}

impl Trial<'_> {
    /// The place of the rejected line.
    fn at(&self) -> Option<usize> {
        let lines = &self.recording.lines;
        let (line, recorded) = (self.rejection.line, &self.rejection.recorded);
        lines
            .iter()
            .position(|(number, value)| *number == line && value == recorded)
    }

    /// Does the recording get beyond that line with these lines?
    fn gets_beyond(&self, line: u32, lines: Vec<(u32, Value)>) -> Result<bool, RecordingError> {
        let changed = Recording {
            lines,
            ..self.recording.clone()
        };
        Ok(
            match conform_within(&changed, Exactness::Normal, self.worlds_max)? {
                Verdict::Accepted { .. } => true,
                Verdict::Rejected(other) => other.line > line,
                Verdict::TooManyWorlds { line: other, .. } => other > line,
            },
        )
    }

    /// Another release can do it.
    fn another_release(&self, best: &Tried) -> Result<Option<String>, RecordingError> {
        for dialect in model::dialect::DIALECTS {
            if dialect.release() == best.dialect.release() {
                continue;
            }
            let changed = Recording {
                version: dialect.name.into(),
                ..self.recording.clone()
            };
            if matches!(
                conform_within(&changed, Exactness::Normal, self.worlds_max)?,
                Verdict::Accepted { .. }
            ) {
                return Ok(Some(format!(
                    "it was another release of QEMU: {dialect} can do it"
                )));
            }
        }
        Ok(None)
    }

    /// The line stands too early: some lines further on it would be allowed.
    fn moved(&self) -> Result<Option<String>, RecordingError> {
        let Some(at) = self
            .at()
            .filter(|at| self.recording.lines[*at].1["t"] == "event")
        else {
            return Ok(None);
        };
        for by in 1..=MOVED_MAX {
            let to = at + by;
            let Some((before, value)) = self.recording.lines.get(to) else {
                break;
            };
            let mut lines = self.recording.lines.clone();
            let moved = lines.remove(at);
            // With the number of its new place: it must be allowed there.
            lines.insert(to, (*before, moved.1));
            if self.gets_beyond(*before, lines)? {
                let what = brief(value);
                return Ok(Some(format!(
                    "wrong order: it comes only after line {before}, {what}"
                )));
            }
        }
        Ok(None)
    }

    /// One line is missing before it.
    fn missing(&self) -> Result<Option<String>, RecordingError> {
        let Some(at) = self.at() else {
            return Ok(None);
        };
        let events = self
            .rejection
            .allowed
            .iter()
            .filter(|line| line["t"] == "event");
        for event in events.take(MISSING_TRIED) {
            let mut lines = self.recording.lines.clone();
            lines.insert(at, (self.rejection.line, event.clone()));
            if self.gets_beyond(self.rejection.line, lines)? {
                let what = brief(event);
                return Ok(Some(format!(
                    "a line is lost before it, or never came: {what}"
                )));
            }
        }
        Ok(None)
    }
}

/// The same event or reply was possible with other data, or another event of the same job.
fn different_data(rejection: &Rejection) -> Option<String> {
    let recorded = &rejection.recorded;
    let of_job = |line: &&Value| line["t"] == recorded["t"] && is_same_job(line, recorded);
    let same_kind = |line: &&Value| of_job(line) && line["event"] == recorded["event"];
    let Some(other) = rejection.allowed.iter().find(same_kind) else {
        let other = rejection.allowed.iter().find(of_job)?;
        return Some(format!("another event in its place: {}", brief(other)));
    };
    if other["t"] == "reply" {
        return Some(format!("another reply: {}", brief(other)));
    }
    let fields = recorded["data"].as_object()?;
    let differs = fields
        .iter()
        .filter_map(|(key, value)| match other["data"].get(key) {
            _ if value == "*" => None,
            Some(other) if other == value => None,
            Some(other) => Some(format!("{key} is {value}, and can only be {other}")),
            None => Some(format!("{key} is {value}, and there can be none")),
        });
    let differs: Vec<String> = differs.collect();
    (!differs.is_empty()).then(|| format!("wrong data: {}", differs.join("; ")))
}

fn is_same_job(one: &Value, other: &Value) -> bool {
    let job = |line: &Value| {
        let data = &line["data"];
        data.get("id").or_else(|| data.get("device")).cloned()
    };
    job(one) == job(other)
}

/// Something was done that this client did not ask for.
fn someone_else(rejection: &Rejection) -> Option<String> {
    let recorded = &rejection.recorded;
    let status = recorded["data"]["status"].as_str().unwrap_or_default();
    let by_a_command = matches!(status, "paused" | "aborting" | "null" | "pending")
        || recorded["event"] == "BLOCK_JOB_CANCELLED"
        || recorded["error"].is_object();
    by_a_command.then(|| "another client gave a command, on another monitor".to_owned())
}

/// A line in a few words.
pub fn brief(line: &Value) -> String {
    let data = |key: &str| line["data"][key].as_str();
    match line["t"].as_str().unwrap_or_default() {
        "event" => {
            let event = line["event"].as_str().unwrap_or_default();
            let job = data("id").or(data("device")).unwrap_or_default();
            let status = data("status").map_or_else(String::new, |status| format!(" {status}"));
            format!("{event} {job}{status}")
        }
        "cmd" => format!(
            "the command {}",
            line["execute"].as_str().unwrap_or_default()
        ),
        "reply" => {
            let mut shown = line.clone();
            if let Some(fields) = shown.as_object_mut() {
                fields.remove("t");
            }
            format!("the reply {shown}")
        }
        other => format!("{other} {}", line.get("line").unwrap_or(&json!(""))),
    }
}
