//! The names in a log's commands: of drives, of nodes, of files.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Asked, bitmaps_in};

/// The names that commands use, and those that they give.
#[derive(Default)]
pub struct Names {
    /// Used, in order, each once.
    pub used: Vec<String>,
    /// What is backed up or has bitmaps, in order, each once.
    pub sources: Vec<String>,
    /// Given to nodes by `blockdev-add` and to filters by a backup, before they were used.
    pub given: BTreeSet<String>,
    /// Given to files under images.
    pub protocol: BTreeSet<String>,
    /// Shown by queries as names of nodes.
    pub shown: BTreeSet<String>,
    /// By the target of a backup, what is backed up to it.
    pub source_of: BTreeMap<String, String>,
    /// The file of each node that was added.
    pub files: BTreeMap<String, String>,
}

impl Names {
    /// Notes what a command says.
    pub fn note(&mut self, asked: &Asked<'_>) {
        self.note_shown(asked);
        if asked.not_found() {
            return;
        }
        for (name, data) in asked.actions() {
            match name {
                "blockdev-add" => self.added(data),
                "drive-backup" | "blockdev-backup" => {
                    self.given.extend(text(data, "filter-node-name"));
                    self.source(text(data, "device"));
                    if name == "blockdev-backup" {
                        let target = text(data, "target");
                        self.source_of
                            .extend(target.clone().zip(text(data, "device")));
                        self.used(target);
                    }
                }
                "block_resize" => {
                    self.used(text(data, "node-name").or_else(|| text(data, "device")));
                }
                "human-monitor-command" => {
                    self.used(qemu_io(data).map(|(drive, _)| drive.to_owned()));
                }
                _ if name.starts_with("block-dirty-bitmap-") => {
                    self.source(text(data, "node"));
                    for source in data["bitmaps"].as_array().into_iter().flatten() {
                        self.source(text(source, "node"));
                    }
                }
                _ => {}
            }
        }
    }

    /// A node is added. One that the model does not know is as if it had been there.
    fn added(&mut self, data: &Value) {
        let image = matches!(data["driver"].as_str(), Some("qcow2" | "raw"));
        let file = file_in(data);
        let on_known = data["file"]
            .as_str()
            .is_some_and(|file| self.protocol.contains(file));
        if image && (file.is_some() || on_known) {
            self.files.extend(text(data, "node-name").zip(file));
            self.given.extend(text(data, "node-name"));
        } else if data["driver"] == "file" {
            self.protocol.extend(text(data, "node-name"));
        }
    }

    fn note_shown(&mut self, asked: &Asked<'_>) {
        if !matches!(asked.execute, "query-block" | "query-named-block-nodes") {
            return;
        }
        let reply = asked.reply.unwrap_or(&Value::Null);
        for entry in reply["return"].as_array().into_iter().flatten() {
            self.shown.extend(text(entry, "node-name"));
            self.shown.extend(text(&entry["inserted"], "node-name"));
        }
        if asked.execute == "query-named-block-nodes" {
            self.note_bitmaps(&bitmaps_in(reply));
        }
    }

    /// Nodes that are shown to have bitmaps with names were there.
    pub fn note_bitmaps(&mut self, nodes: &Value) {
        for (node, bitmaps) in nodes.as_object().into_iter().flatten() {
            self.shown.insert(node.clone());
            let mut bitmaps = bitmaps.as_array().into_iter().flatten();
            if bitmaps.any(|bitmap| bitmap["name"].is_string()) && !node.starts_with('#') {
                self.used(Some(node.clone()));
            }
        }
    }

    fn source(&mut self, name: Option<String>) {
        let new = name.clone().filter(|name| !self.sources.contains(name));
        self.sources.extend(new);
        self.used(name);
    }

    fn used(&mut self, name: Option<String>) {
        let new = name.filter(|name| !self.given.contains(name) && !self.used.contains(name));
        self.used.extend(new);
    }
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key)?.as_str().map(str::to_owned)
}

/// The file that a `blockdev-add` opens, however deep it stands.
fn file_in(data: &Value) -> Option<String> {
    let inner = data.get("file").or_else(|| data.get("image"));
    match data.get("filename") {
        Some(name) => name.as_str().map(str::to_owned),
        None => file_in(inner.filter(|inner| inner.is_object())?),
    }
}

/// The drive and the line of `qemu-io DRIVE "LINE"`.
pub fn qemu_io(arguments: &Value) -> Option<(&str, &str)> {
    let text = arguments.get("command-line")?.as_str()?;
    let (drive, line) = text.strip_prefix("qemu-io ")?.trim().split_once(' ')?;
    if drive.starts_with('-') {
        // A device by its path: what is behind it is not said.
        return None;
    }
    let line = line.trim();
    let quoted = line
        .strip_prefix('"')
        .and_then(|line| line.strip_suffix('"'));
    Some((drive, quoted.unwrap_or(line)))
}
