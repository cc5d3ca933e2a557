//! Follows one client through its lines: which command is on its way, and what the client knows of jobs.

use std::collections::BTreeMap;

use model::event::{Event, Reply};
use serde_json::Value;

use super::{COLUMNS, Cell, Matrix, Outcome, ROWS};
use crate::line::Line;

/// What a client knows at one point of its lines.
#[derive(Clone, Debug, Default)]
pub struct Follower {
    /// The drive of each node that the launch named.
    drives: BTreeMap<String, String>,
    /// Of which drive the jobs are that were asked for, by id.
    sources: BTreeMap<String, String>,
    /// Jobs that are there: id and status, those created last at the end.
    jobs: Vec<(String, String)>,
    /// The command on its way.
    asked: Option<Cell>,
}

impl Follower {
    /// The next line of a trace of the model.
    pub fn line(&mut self, line: &Line, matrix: &mut Matrix) {
        match line {
            Line::Launch(launch) => self.launched(launch),
            Line::Cmd(command) => self.sent(command),
            Line::Reply { reply, .. } => {
                self.replied(!matches!(reply, Reply::Error(_)), matrix);
            }
            Line::Event(Event::JobStatusChange { id, status }) => self.changed(id, status.name()),
            Line::Hmp { line, output } => {
                self.requested(line, output.iter().map(|line| &**line), matrix);
            }
            _ => {}
        }
    }

    /// The next line of a recording.
    pub fn json(&mut self, line: &Value, matrix: &mut Matrix) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match line["t"].as_str().unwrap_or_default() {
            "launch" => self.launched(line),
            "cmd" => self.sent(line),
            "reply" => self.replied(line.get("error").is_none(), matrix),
            "event" if line["event"] == "JOB_STATUS_CHANGE" => {
                let data = &line["data"];
                self.changed(&text(&data["id"]), &text(&data["status"]));
            }
            "hmp" => {
                let output = line["output"].as_array().into_iter().flatten();
                self.requested(
                    &text(&line["line"]),
                    output.filter_map(Value::as_str),
                    matrix,
                );
            }
            _ => {}
        }
    }

    /// QEMU starts: there are no jobs.
    fn launched(&mut self, launch: &Value) {
        *self = Follower::default();
        for drive in launch["drives"].as_array().into_iter().flatten() {
            if let (Some(id), Some(node)) = (drive["id"].as_str(), drive["node"].as_str()) {
                self.drives.insert(node.to_owned(), id.to_owned());
            }
        }
    }

    /// A command is sent.
    fn sent(&mut self, command: &Value) {
        let execute = command["execute"].as_str().unwrap_or_default();
        let arguments = &command["arguments"];
        self.asked = self.cell_of(execute, arguments);
        let actions = actions(execute, arguments).into_iter();
        for (_, data) in actions.filter(|(kind, _)| kind.ends_with("-backup")) {
            let (id, device) = (&data["job-id"], &data["device"]);
            if let (Some(id), Some(device)) = (id.as_str().or(device.as_str()), device.as_str()) {
                self.sources.insert(id.to_owned(), self.drive_of(device));
            }
        }
    }

    fn replied(&mut self, accepted: bool, matrix: &mut Matrix) {
        if let Some(cell) = self.asked.take() {
            matrix.count(cell, outcome(accepted));
        }
    }

    /// A job's status is told.
    fn changed(&mut self, id: &str, status: &str) {
        if status == "created" || status == "null" {
            self.jobs.retain(|(job, _)| job != id);
        }
        match self.jobs.iter_mut().find(|(job, _)| job == id) {
            Some((_, known)) => status.clone_into(known),
            None if status == "null" => {}
            None => self.jobs.push((id.to_owned(), status.to_owned())),
        }
    }

    /// A guest's request is done: `qemu-io DRIVE "write …"`.
    fn requested<'a>(
        &mut self,
        line: &str,
        mut output: impl Iterator<Item = &'a str>,
        matrix: &mut Matrix,
    ) {
        let mut words = line.split_whitespace().skip(1);
        let drive = self.drive_of(words.next().unwrap_or_default());
        if words.next() == Some("\"write") {
            let failed = output.any(|line| line.contains("failed") || line.starts_with("Error"));
            let column = self.of_drives(&[drive]);
            matrix.count((row("guest write"), column), outcome(!failed));
        }
    }

    // ---- where a command belongs

    fn cell_of(&self, execute: &str, arguments: &Value) -> Option<Cell> {
        if let Some(row) = verb_row(execute, arguments) {
            let id = arguments["id"].as_str().or(arguments["device"].as_str());
            return Some((row, self.of_job(id.unwrap_or_default())));
        }
        let bitmap = execute.strip_prefix("block-dirty-bitmap-");
        let name = match (execute, bitmap) {
            (_, Some(what)) => format!("bitmap {what}"),
            ("block_resize", _) => "resize".into(),
            _ => execute.into(),
        };
        let row = ROWS.iter().position(|known| *known == name)?;
        if name == "quit" {
            return Some((row, self.of_last(|_| true)));
        }
        let named = actions(execute, arguments)
            .into_iter()
            .map(|(_, data)| data);
        let about = named.filter_map(|data| {
            let keys = ["device", "node", "node-name"];
            keys.iter().find_map(|key| data[*key].as_str())
        });
        let drives: Vec<String> = about.map(|name| self.drive_of(name)).collect();
        Some((row, self.of_drives(&drives)))
    }

    /// A drive, by its own name or its node's.
    fn drive_of(&self, name: &str) -> String {
        let drive = self.drives.get(name).map_or(name, String::as_str);
        drive.to_owned()
    }

    fn of_job(&self, id: &str) -> usize {
        self.of_last(|job| job == id)
    }

    fn of_drives(&self, drives: &[String]) -> usize {
        self.of_last(|job| {
            let source = self.sources.get(job);
            source.is_some_and(|source| drives.contains(source))
        })
    }

    /// The column of the last such job.
    fn of_last(&self, such: impl Fn(&str) -> bool) -> usize {
        let found = self.jobs.iter().rev().find(|(job, _)| such(job));
        let status = found.map_or("none", |(_, status)| status);
        COLUMNS
            .iter()
            .position(|known| *known == status)
            .unwrap_or(0)
    }
}

fn outcome(accepted: bool) -> Outcome {
    match accepted {
        true => Outcome::Accepted,
        false => Outcome::Refused,
    }
}

fn row(name: &str) -> usize {
    let row = ROWS.iter().position(|known| *known == name);
    row.expect("internal: there is such a row")
}

/// The row of a job's verb: `job-cancel` is always forced.
fn verb_row(execute: &str, arguments: &Value) -> Option<usize> {
    let (verb, block_job) = match execute.strip_prefix("block-job-") {
        Some(verb) => (verb, true),
        None => (execute.strip_prefix("job-")?, false),
    };
    let name = match verb {
        "cancel" if !block_job || arguments["force"] == true => "force cancel",
        verb => verb,
    };
    ROWS.iter().position(|known| *known == name)
}

/// The actions of a command, with their types: those of a transaction, or the command itself.
fn actions<'a>(execute: &'a str, arguments: &'a Value) -> Vec<(&'a str, &'a Value)> {
    if execute != "transaction" {
        return vec![(execute, arguments)];
    }
    let entries = arguments["actions"].as_array().into_iter().flatten();
    entries
        .map(|entry| (entry["type"].as_str().unwrap_or_default(), &entry["data"]))
        .collect()
}
