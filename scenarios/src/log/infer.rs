//! What a log does not say, found out from what it does: which drives there are, how large they are, which bitmaps
//! were there before its first line.
//!
//! Everything found is a sentence in [`Facts::assumed`], with the line that says it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Given, Message, Said};
use crate::size::Size;

mod names;

use names::Names;
pub use names::qemu_io;

/// Drives whose size nobody says are so large, in bytes; and where contents are not known, none is taken as larger:
/// what a job does to the tenth megabyte is what it did to the first.
const SIZE_USUAL: u64 = 4 << 20;

/// A drive that is there when QEMU starts.
#[derive(Clone, Debug)]
pub struct Drive {
    /// Its id: the first name that the log calls it by.
    pub id: String,
    /// The name of its node, if it has another.
    pub node: Option<String>,
    /// Its size in bytes.
    pub size: u64,
}

/// A bitmap that was there before.
#[derive(Clone, Debug, PartialEq)]
pub struct Bitmap {
    /// The name of the node, as the log has it.
    pub node: String,
    /// Its name.
    pub name: String,
    /// What a query showed of it, else null.
    pub shown: Value,
}

/// What was found out.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The drives, in the order in which they are first named.
    pub drives: Vec<Drive>,
    /// The bitmaps, likewise.
    pub bitmaps: Vec<Bitmap>,
    /// The sizes of nodes and drives before any resize, in bytes.
    pub sizes: BTreeMap<String, u64>,
    /// Other names of drives: of a node, the id.
    pub alias: BTreeMap<String, String>,
    /// The guest's writes are in the log.
    pub writes: bool,
    /// The drive that a line for `qemu-io` means if it names none.
    pub main_drive: Option<String>,
    /// What was found, in sentences.
    pub assumed: Vec<String>,
}

/// A command and what became of it, by its place among the messages.
pub struct Asked<'m> {
    /// Its place.
    pub at: usize,
    /// Its name.
    pub execute: &'m str,
    /// Its arguments.
    pub arguments: &'m Value,
    /// Its reply, if the log has it.
    pub reply: Option<&'m Value>,
}

impl Asked<'_> {
    /// It was done, as far as the log says.
    pub fn succeeded(&self) -> bool {
        self.reply.is_none_or(|reply| reply.get("return").is_some())
    }

    /// The reply says that there is no such thing.
    pub fn not_found(&self) -> bool {
        let desc = self.reply.and_then(|reply| reply["error"]["desc"].as_str());
        let words = ["find device", "find node", "not found", "Device '"];
        desc.is_some_and(|desc| words.iter().any(|word| desc.contains(word)))
    }

    /// The actions it is made of: those of a transaction, else itself.
    pub fn actions(&self) -> Vec<(&str, &Value)> {
        match self.arguments.get("actions").and_then(Value::as_array) {
            Some(actions) if self.execute == "transaction" => actions
                .iter()
                .map(|action| (action["type"].as_str().unwrap_or_default(), &action["data"]))
                .collect(),
            _ => vec![(self.execute, self.arguments)],
        }
    }
}

/// Is it the name of a command or an action that starts a backup?
pub fn is_backup(name: &str) -> bool {
    matches!(name, "drive-backup" | "blockdev-backup")
}

/// The job's id: by default the name of the drive.
pub fn job_of(backup: &Value) -> Option<&str> {
    let id = backup.get("job-id").or_else(|| backup.get("device"));
    id.and_then(Value::as_str)
}

/// Finds out what can be found.
pub fn infer(messages: &[Message], asked: &[Asked<'_>], given: Option<&Given>) -> Facts {
    let mut facts = Facts {
        writes: messages
            .iter()
            .any(|message| matches!(message.said, Said::QemuIo(_)))
            || asked.iter().any(|asked| qemu_io(asked.arguments).is_some()),
        ..Facts::default()
    };
    facts.find_aliases(asked);
    let mut names = Names::default();
    for asked in asked {
        names.note(asked);
    }
    for message in messages {
        if let Said::Bitmaps(nodes) = &message.said {
            names.note_bitmaps(nodes);
        }
    }
    let first_given = || Some(given?.drives.first()?.0.clone());
    facts.main_drive = names.sources.first().cloned().or_else(first_given);
    facts.find_sizes(messages, asked, &names);
    if given.is_none() {
        facts.find_drives(&names);
    }
    facts.find_bitmaps(messages, asked);
    facts
}

impl Facts {
    /// The id of the drive that a name means.
    pub fn canonical<'n>(&'n self, name: &'n str) -> &'n str {
        self.alias.get(name).map_or(name, String::as_str)
    }

    /// `query-block` says which node a drive has.
    fn find_aliases(&mut self, asked: &[Asked<'_>]) {
        for asked in asked.iter().filter(|asked| asked.execute == "query-block") {
            let entries = asked.reply.and_then(|reply| reply["return"].as_array());
            for entry in entries.into_iter().flatten() {
                let device = entry["device"].as_str().filter(|device| !device.is_empty());
                let node = entry["inserted"]["node-name"].as_str();
                let node = node.filter(|node| !node.starts_with('#'));
                if let (Some(device), Some(node)) = (device, node)
                    && device != node
                {
                    self.alias.insert(node.to_owned(), device.to_owned());
                }
            }
        }
    }

    fn find_sizes(&mut self, messages: &[Message], asked: &[Asked<'_>], names: &Names) {
        let resized = asked
            .iter()
            .position(|asked| asked.execute == "block_resize");
        let before = &asked[..resized.unwrap_or(asked.len())];
        let end = resized.map_or(messages.len(), |at| asked[at].at);
        for asked in before {
            self.sizes_in_reply(asked);
        }
        self.sizes_of_full_jobs(&messages[..end], before);
        for message in messages {
            if let Said::Formatting(path, size) = &message.said {
                let nodes = names.files.iter().filter(|(_, file)| *file == path);
                for (node, _) in nodes {
                    self.sizes.entry(node.clone()).or_insert(*size);
                }
            }
        }
        self.sizes_of_requests(messages, asked);
    }

    /// What queries say: `virtual-size`.
    fn sizes_in_reply(&mut self, asked: &Asked<'_>) {
        let entries = asked.reply.and_then(|reply| reply["return"].as_array());
        for entry in entries.into_iter().flatten() {
            let node = if asked.execute == "query-block" {
                &entry["inserted"]
            } else {
                entry
            };
            let size = node["image"]["virtual-size"].as_u64();
            for name in [&entry["device"], &node["node-name"]] {
                if let (Some(name), Some(size)) = (name.as_str(), size) {
                    self.sizes.entry(name.to_owned()).or_insert(size);
                }
            }
        }
    }

    /// A full backup that succeeds has copied all there is.
    fn sizes_of_full_jobs(&mut self, messages: &[Message], asked: &[Asked<'_>]) {
        for asked in asked {
            for (name, data) in asked.actions() {
                let device = data["device"]
                    .as_str()
                    .filter(|_| is_backup(name) && data["sync"] == "full");
                let Some((device, job)) = device.zip(job_of(data)) else {
                    continue;
                };
                let end = end_of(messages, asked.at, job);
                let end = end.filter(|end| end.get("error").is_none());
                let len = end.and_then(|end| end["len"].as_u64());
                if let Some(len) = len.filter(|len| *len > 0) {
                    self.sizes.entry(device.to_owned()).or_insert(len);
                }
            }
        }
    }

    /// What nobody says is at least as large as what is written to it.
    fn sizes_of_requests(&mut self, messages: &[Message], asked: &[Asked<'_>]) {
        let mut ends: BTreeMap<String, u64> = BTreeMap::new();
        let mut note = |drive: &str, line: &str| {
            let numbers = line.split_whitespace().rev().take(2);
            let numbers: Vec<u64> = numbers
                .filter_map(|word| word.parse().ok().map(|size: Size| size.bytes()))
                .collect();
            if let [len, offset] = numbers[..] {
                // One that is too large is refused, so it says nothing.
                let end = offset
                    .checked_add(len)
                    .and_then(|end| end.checked_next_multiple_of(SIZE_USUAL))
                    .and_then(Size::of);
                if let Some(end) = end {
                    let known = ends.entry(drive.to_owned()).or_default();
                    *known = end.bytes().max(*known);
                }
            }
        };
        for asked in asked {
            if let Some((drive, line)) = qemu_io(asked.arguments) {
                note(drive, line);
            }
        }
        for message in messages {
            if let (Said::QemuIo(line), Some(drive)) = (&message.said, &self.main_drive) {
                note(drive, line);
            }
        }
        for (drive, end) in ends {
            self.sizes.entry(drive).or_insert(end);
        }
    }

    /// Whoever is named and was not made in the log was there before.
    fn find_drives(&mut self, names: &Names) {
        for name in &names.used {
            let id = self.canonical(name).to_owned();
            if self.drives.iter().any(|drive| drive.id == id) {
                continue;
            }
            let node = self
                .alias
                .iter()
                .find(|(_, of)| **of == id)
                .map(|(node, _)| node.clone());
            let node = node.or_else(|| names.shown.get(&id).cloned());
            let said = [
                Some(name),
                node.as_ref(),
                names.source_of.get(name),
                Some(&id),
            ];
            let said = said
                .into_iter()
                .flatten()
                .filter_map(|name| self.sizes.get(name));
            let said = said.copied().next();
            let size = said.unwrap_or(SIZE_USUAL);
            self.assumed.push(match said {
                Some(_) => format!("drive {id} was there at the start, {size} bytes large"),
                None => format!("drive {id} was there at the start; nothing says how large it is"),
            });
            self.sizes.insert(id.clone(), size);
            self.drives.push(Drive { id, node, size });
        }
    }

    /// Where contents are not known, drives need be no larger than it takes to see every order of messages.
    pub fn shrink(&mut self, asked: &[Asked<'_>]) {
        if self.writes || asked.iter().any(|asked| asked.execute == "block_resize") {
            return;
        }
        let sizes = self.drives.iter_mut().map(|drive| &mut drive.size);
        let mut any = false;
        for size in sizes.chain(self.sizes.values_mut()) {
            any |= *size > SIZE_USUAL;
            *size = (*size).min(SIZE_USUAL);
        }
        if any {
            self.assumed.push(format!(
                "larger drives do nothing else than drives of {SIZE_USUAL} bytes, of which nobody knows what they hold"
            ));
        }
    }

    /// Bitmaps that are used, or shown, and were not made in the log.
    fn find_bitmaps(&mut self, messages: &[Message], asked: &[Asked<'_>]) {
        let mut there: BTreeSet<Key> = BTreeSet::new();
        let mut commands = asked.iter().peekable();
        for (at, message) in messages.iter().enumerate() {
            if let Said::Bitmaps(nodes) = &message.said {
                self.shown(&mut there, nodes);
            }
            let Some(asked) = commands.next_if(|asked| asked.at == at) else {
                continue;
            };
            if let Some(reply) = asked
                .reply
                .filter(|_| asked.execute == "query-named-block-nodes")
            {
                self.shown(&mut there, &bitmaps_in(reply));
            }
            if asked.succeeded() {
                for (name, data) in asked.actions() {
                    self.uses(&mut there, name, data);
                }
            }
        }
    }

    /// What a command or action that succeeded says of bitmaps.
    fn uses(&mut self, there: &mut BTreeSet<Key>, name: &str, data: &Value) {
        let key = |node: &Value, name: &Value| -> Option<Key> {
            Some((
                self.canonical(node.as_str()?).to_owned(),
                name.as_str()?.to_owned(),
            ))
        };
        let mut used = Vec::new();
        match name {
            "block-dirty-bitmap-add" => {
                there.extend(key(&data["node"], &data["name"]));
                return;
            }
            "block-dirty-bitmap-merge" => {
                used.push(key(&data["node"], &data["target"]));
                for source in data["bitmaps"].as_array().into_iter().flatten() {
                    used.push(match source {
                        Value::String(_) => key(&data["node"], source),
                        source => key(&source["node"], &source["name"]),
                    });
                }
            }
            _ if is_backup(name) => used.push(key(&data["device"], &data["bitmap"])),
            _ if name.starts_with("block-dirty-bitmap-") => {
                used.push(key(&data["node"], &data["name"]))
            }
            _ => {}
        }
        for key in used.into_iter().flatten() {
            if there.insert(key.clone()) {
                self.existed(&key, &Value::Null);
            }
            if name == "block-dirty-bitmap-remove" {
                there.remove(&key);
            }
        }
    }

    /// Bitmaps of every node, as a query shows them.
    fn shown(&mut self, there: &mut BTreeSet<Key>, nodes: &Value) {
        for (node, bitmaps) in nodes.as_object().into_iter().flatten() {
            for bitmap in bitmaps.as_array().into_iter().flatten() {
                let Some(name) = bitmap["name"].as_str() else {
                    continue;
                };
                let key = (self.canonical(node).to_owned(), name.to_owned());
                let is_new = there.insert(key.clone());
                if is_new
                    || self
                        .bitmaps
                        .iter()
                        .any(|known| (&known.node, &known.name) == (&key.0, &key.1))
                {
                    self.existed(&key, bitmap);
                }
            }
        }
    }

    fn existed(&mut self, (node, name): &Key, shown: &Value) {
        let known = self
            .bitmaps
            .iter_mut()
            .find(|known| (&known.node, &known.name) == (node, name));
        match known {
            Some(known) if known.shown.is_null() => known.shown = shown.clone(),
            Some(_) => {}
            None => {
                self.assumed.push(format!(
                    "bitmap {name} of {node} was there before, with unknown bits"
                ));
                let shown = shown.clone();
                let (node, name) = (node.clone(), name.clone());
                self.bitmaps.push(Bitmap { node, name, shown });
            }
        }
    }
}

/// The node and the name of a bitmap.
type Key = (String, String);

/// The bitmaps of every node that has any, by node name, of what `query-named-block-nodes` returned.
pub fn bitmaps_in(reply: &Value) -> Value {
    let mut nodes: BTreeMap<&str, &Value> = BTreeMap::new();
    for node in reply["return"].as_array().into_iter().flatten() {
        let bitmaps = node.get("dirty-bitmaps").or_else(|| Some(&node["bitmaps"]));
        let bitmaps =
            bitmaps.filter(|bitmaps| bitmaps.as_array().is_some_and(|list| !list.is_empty()));
        if let (Some(name), Some(bitmaps)) = (node["node-name"].as_str(), bitmaps) {
            nodes.insert(name, bitmaps);
        }
    }
    json!(nodes)
}

/// The data of the event that ends a job, of those after a place among the messages.
pub fn end_of<'m>(messages: &'m [Message], after: usize, job: &str) -> Option<&'m Value> {
    messages[after..]
        .iter()
        .find_map(|message| match &message.said {
            Said::Event { event, data } if is_end(event) && data["device"] == job => Some(data),
            _ => None,
        })
}

fn is_end(event: &str) -> bool {
    matches!(event, "BLOCK_JOB_COMPLETED" | "BLOCK_JOB_CANCELLED")
}
