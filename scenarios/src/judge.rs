//! What a story says that can never be: names that nothing has, events that never come, commands that QEMU refuses
//! whatever the moment. Each would be a broken expectation in every run; here it is the author's mistake, with its place.
//!
//! Asked of stories that somebody wrote, before they are played. What depends on the moment is left to the search, and
//! a command whose end the story leaves open, or expects to fail, may name what is not there.

use std::collections::BTreeSet;

use model::defect::DEFECTS;
use model::dialect::Dialect;
use model::property::WITNESSES;
use serde_json::{Map, Value};

use crate::format::{
    Hmp, HmpCommand, ImagePath, Img, Launch, Story, Until, Verb, Wait, nearest_and_all,
};

mod events;
mod qmp;

/// Something that can never be, and where the story says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The path of the key: `script[3].qmp.arguments.device`.
    pub path: String,
    /// The value of that key is wrong, not the key.
    pub is_value: bool,
    /// What is wrong, in one line.
    pub what: String,
    /// What is possible.
    pub help: String,
}

impl Wrong {
    fn key(path: impl Into<String>, what: impl Into<String>, help: impl Into<String>) -> Wrong {
        Wrong {
            path: path.into(),
            is_value: false,
            what: what.into(),
            help: help.into(),
        }
    }

    fn value(path: impl Into<String>, what: impl Into<String>, help: impl Into<String>) -> Wrong {
        Wrong {
            is_value: true,
            ..Wrong::key(path, what, help)
        }
    }
}

/// Looks for the first thing in a story that can never be, in a release.
///
/// # Errors
/// What it is.
pub fn story(story: &Story, dialect: &Dialect) -> Result<(), Wrong> {
    let witnesses = WITNESSES.iter().map(|(id, _)| *id);
    ids("witnesses", "witness", &story.witnesses, witnesses)?;
    let defects = DEFECTS.iter().map(|defect| defect.name);
    ids("defects", "defect", &story.defects, defects)?;
    let cast = Cast::of(story);
    for (index, item) in story.script.iter().enumerate() {
        let path = format!("script[{index}].{}", item.verb.name());
        verb(&cast, dialect, &path, &item.verb)?;
    }
    Ok(())
}

fn ids<'a>(
    list: &str,
    one: &str,
    ids: &[String],
    known: impl Iterator<Item = &'a str>,
) -> Result<(), Wrong> {
    let known: Vec<&str> = known.collect();
    let unknown = |(_, id): &(usize, &String)| !known.contains(&id.as_str());
    match ids.iter().enumerate().find(unknown) {
        None => Ok(()),
        Some((index, id)) => Err(Wrong::value(
            format!("{list}[{index}]"),
            format!("there is no {one} `{id}`"),
            nearest_and_all(id, &known, &format!("`blockrace list {list}` has them all")),
        )),
    }
}

/// Everything that the story gives a name, wherever: what has a name at no time is missed at every time.
struct Cast<'a> {
    /// Drives.
    drives: BTreeSet<&'a str>,
    /// Drives and nodes.
    nodes: BTreeSet<&'a str>,
    /// Jobs.
    jobs: BTreeSet<&'a str>,
    /// Image files.
    files: BTreeSet<&'a str>,
}

impl<'a> Cast<'a> {
    fn of(story: &'a Story) -> Cast<'a> {
        let mut cast = Cast {
            drives: BTreeSet::new(),
            nodes: BTreeSet::new(),
            jobs: BTreeSet::new(),
            files: BTreeSet::new(),
        };
        for item in &story.script {
            match &item.verb {
                Verb::Img(Img::Create { img: made, .. } | Img::Copy { to: made, .. }) => {
                    cast.files.insert(made.as_str());
                }
                Verb::Launch(launch) => cast.launch(launch),
                Verb::Qmp(qmp) => cast.command(&qmp.execute, &qmp.arguments),
                _ => {}
            }
        }
        cast
    }

    fn launch(&mut self, launch: &'a Launch) {
        for drive in &launch.drives {
            self.drives.insert(&drive.id);
            self.nodes.insert(&drive.id);
            self.nodes.extend(drive.node.as_deref());
        }
    }

    fn command(&mut self, name: &str, arguments: &'a Map<String, Value>) {
        match name {
            "transaction" => {
                let actions = arguments.get("actions").and_then(Value::as_array);
                for action in actions.into_iter().flatten() {
                    let kind = action["type"].as_str().unwrap_or_default();
                    if let Some(data) = action["data"].as_object() {
                        self.command(kind, data);
                    }
                }
            }
            "drive-backup" | "blockdev-backup" => {
                let named = |key: &str| arguments.get(key).and_then(Value::as_str);
                match named("job-id") {
                    Some(id) => self.jobs.extend([id]),
                    // It is called as the drive is, and the device may be the drive's node.
                    None => self
                        .jobs
                        .extend(self.drives.iter().copied().chain(named("device"))),
                }
            }
            _ => {}
        }
        self.given(arguments);
    }

    /// Whatever is called a node name, and whatever is a file, however deep it stands.
    fn given(&mut self, map: &'a Map<String, Value>) {
        for (key, value) in map {
            match value {
                Value::String(name) if key.ends_with("node-name") => {
                    self.nodes.insert(name);
                }
                Value::String(name) if name.starts_with("$DIR/") => {
                    self.files.insert(name);
                }
                Value::Object(inner) => self.given(inner),
                Value::Array(items) => {
                    items
                        .iter()
                        .filter_map(Value::as_object)
                        .for_each(|inner| self.given(inner));
                }
                _ => {}
            }
        }
    }

    /// QEMU makes up names of nodes (`#block123`; `$NODE0` in recordings) that nobody knows beforehand.
    fn has_node(&self, name: &str) -> bool {
        self.nodes.contains(name) || name.starts_with(['#', '$'])
    }
}

fn verb(cast: &Cast, dialect: &Dialect, path: &str, verb: &Verb) -> Result<(), Wrong> {
    match verb {
        Verb::Img(img) => image(cast, path, img),
        Verb::Launch(launch) => drives(cast, path, launch),
        Verb::Qmp(qmp) => qmp::command(cast, dialect, path, qmp),
        Verb::Hmp(hmp) => hmp_line(path, hmp),
        Verb::Wait(wait) => awaited(cast, path, wait),
        Verb::Settle {
            until: Some(until), ..
        } => {
            let Until { event, matching } = until;
            let path = format!("{path}.until");
            events::event(&path, event)?;
            // That it does not come is no failure: it may be of a job that there is not.
            events::data(None, event, &format!("{path}.match"), matching)
        }
        Verb::Bitmaps(nodes) => match nodes.keys().find(|node| !cast.has_node(node)) {
            Some(node) => Err(unknown(
                format!("{path}.{node}"),
                false,
                "drive or node",
                node,
                &cast.nodes,
            )),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

fn awaited(cast: &Cast, path: &str, wait: &Wait) -> Result<(), Wrong> {
    events::event(path, &wait.event)?;
    events::data(
        Some(cast),
        &wait.event,
        &format!("{path}.match"),
        &wait.matching,
    )?;
    let item = path.trim_end_matches(".wait");
    events::data(Some(cast), &wait.event, &format!("{item}.data"), &wait.data)?;
    events::absent(&wait.event, &format!("{item}.absent"), &wait.absent)
}

/// Options of images that the model knows, or that change nothing a client sees.
const IMAGE_OPTIONS: [&str; 5] = [
    "cluster_size",
    "format",
    "lazy_refcounts",
    "preallocation",
    "refcount_bits",
];

fn image(cast: &Cast, path: &str, img: &Img) -> Result<(), Wrong> {
    if let Img::Create { opts, .. } = img
        && let Some(key) = opts
            .keys()
            .find(|key| !IMAGE_OPTIONS.contains(&key.as_str()))
    {
        let what = format!("the image option `{key}` is not modelled");
        let help = nearest_and_all(key, &IMAGE_OPTIONS, "");
        return Err(Wrong::key(format!("{path}.opts.{key}"), what, help));
    }
    let read: &[(&str, &ImagePath)] = match img {
        Img::Map { .. } => {
            let help = "`compare`, `read` and `bitmaps` look into an image";
            return Err(Wrong::value(
                format!("{path}.cmd"),
                "`map` is not modelled",
                help,
            ));
        }
        Img::Create {
            backing: Some(backing),
            ..
        } => &[("backing", backing)],
        Img::Create { backing: None, .. } => &[],
        Img::Write { img, .. }
        | Img::Read { img, .. }
        | Img::Copy { img, .. }
        | Img::Bitmaps { img, .. }
        | Img::Remove { img } => &[("img", img)],
        Img::Rebase { img, backing } => &[("img", img), ("backing", backing)],
        Img::Compare { a, b, .. } => &[("a", a), ("b", b)],
    };
    let mut read = read.iter();
    match read.find(|(_, file)| !cast.files.contains(file.as_str())) {
        None => Ok(()),
        Some((key, file)) => Err(unknown(
            format!("{path}.{key}"),
            true,
            "image",
            file.as_str(),
            &cast.files,
        )),
    }
}

fn drives(cast: &Cast, path: &str, launch: &Launch) -> Result<(), Wrong> {
    let mut drives = launch.drives.iter().enumerate();
    match drives.find(|(_, drive)| !cast.files.contains(drive.file.as_str())) {
        None => Ok(()),
        Some((index, drive)) => {
            let path = format!("{path}.drives[{index}].file");
            Err(unknown(
                path,
                true,
                "image",
                drive.file.as_str(),
                &cast.files,
            ))
        }
    }
}

fn hmp_line(path: &str, hmp: &Hmp) -> Result<(), Wrong> {
    match hmp.command {
        HmpCommand::Request(_) => Ok(()),
        _ => Err(Wrong::value(
            format!("{path}.line"),
            "breakpoints of a blkdebug layer are not modelled",
            "a search stops everybody at every place anyway; possible are write, aio_write, read, discard and flush",
        )),
    }
}

/// A name that nothing in the story has.
fn unknown(path: String, is_value: bool, of: &str, name: &str, known: &BTreeSet<&str>) -> Wrong {
    let known: Vec<&str> = known.iter().copied().collect();
    let help = match known.is_empty() {
        true => format!("this story has no {of} at all"),
        false => nearest_and_all(name, &known, ""),
    };
    Wrong {
        path,
        is_value,
        what: format!("nothing in this story makes the {of} `{name}`"),
        help,
    }
}

#[cfg(test)]
mod tests {
    use model::dialect::DIALECTS;

    use super::story;
    use crate::generate::generate;
    use crate::load::{SHIPPED, open};

    /// What holds in some interleaving is never called wrong. (What is wrong is in `tests/data/bad`.)
    #[test]
    fn no_shipped_and_no_random_story_is_refused() {
        for dialect in DIALECTS {
            for (name, _) in SHIPPED {
                let shipped = open(name).unwrap_or_else(|error| panic!("{error}"));
                assert_eq!(story(&shipped, dialect), Ok(()), "{name} {dialect}");
            }
            for seed in 0..200 {
                assert_eq!(story(&generate(seed), dialect), Ok(()), "random:{seed}");
            }
        }
    }
}
