//! What must hold of a story as a whole: QEMU runs where it is needed, and every name means something.
//!
//! The script is followed once from top to bottom. Names of drives and nodes are collected generously (whatever
//! a command calls a `node-name`), because a story may want to see QEMU refuse a command.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::format::{Guests, Hmp, Img, Launch, Story, Verb, nearest_and_all};
use crate::load::convert::Places;
use crate::load::error::{Place, Trouble};

/// Follows the script and judges each item.
pub(crate) fn story(story: &Story, places: &Places) -> Result<(), Trouble> {
    if story.script.is_empty() {
        return Err(Trouble::new(
            places.script,
            "the script is empty",
            "a story in which nothing happens shows nothing",
        ));
    }
    let mut walk = Walk {
        story,
        qemu: Qemu::NotLaunched,
        drives: BTreeSet::new(),
        names: BTreeSet::new(),
        raw: BTreeSet::new(),
        guests: BTreeMap::new(),
    };
    for (item, place) in story.script.iter().zip(&places.items) {
        walk.item(*place, item.line, &item.verb)?;
    }
    for name in story.faults.keys() {
        walk.fault(places.faults[name], name)?;
    }
    if let Some(name) = story
        .guests
        .keys()
        .find(|name| !walk.guests.contains_key(name.as_str()))
    {
        let help = format!("add `- guests: {{start: [{name}]}}` where it begins");
        return Err(Trouble::new(
            places.guests[name],
            format!("the guest `{name}` is never started"),
            help,
        ));
    }
    Ok(())
}

/// Whether there is a QEMU to talk to.
enum Qemu {
    NotLaunched,
    Running { since: u32 },
    ShutDown { since: u32 },
}

/// Whether a started guest is still at work, as far as the script knows.
#[derive(PartialEq)]
enum AtWork {
    Started,
    Joined,
}

/// What is known at one point of the script.
struct Walk<'a> {
    story: &'a Story,
    qemu: Qemu,
    /// The ids of the drives that a launch has brought.
    drives: BTreeSet<&'a str>,
    /// Those, and every node name that a launch or a command has given.
    names: BTreeSet<&'a str>,
    /// The images, and the drives, in whose file the guest's bytes stand where the guest has them.
    raw: BTreeSet<&'a str>,
    guests: BTreeMap<&'a str, AtWork>,
}

impl<'a> Walk<'a> {
    fn item(&mut self, place: Place, line: u32, verb: &'a Verb) -> Result<(), Trouble> {
        let of_the_past = matches!(self.qemu, Qemu::ShutDown { .. }) && reads_what_came(verb);
        if !matches!(verb, Verb::Img(_) | Verb::Sleep { .. } | Verb::Launch(_)) && !of_the_past {
            self.running(place, verb.name())?;
        }
        match verb {
            Verb::Img(img) => {
                self.image(img);
                Ok(())
            }
            Verb::Launch(launch) => self.launch(place, line, launch),
            Verb::Shutdown | Verb::Kill => {
                self.qemu = Qemu::ShutDown { since: line };
                Ok(())
            }
            Verb::Qmp(qmp) => {
                self.names_in(&qmp.arguments);
                Ok(())
            }
            Verb::Hmp(Hmp { drive, .. }) => self.drive(place, drive, || {
                format!("there is no drive or node `{drive}` at this point")
            }),
            Verb::Guests(Guests::Start(names)) => {
                names.iter().try_for_each(|name| self.start(place, name))
            }
            Verb::Guests(Guests::Join(names)) => {
                names.iter().try_for_each(|name| self.join(place, name))
            }
            _ => Ok(()),
        }
    }

    fn image(&mut self, img: &'a Img) {
        match img {
            Img::Create { img, opts, .. } => {
                let format = opts.get("format").map(ToString::to_string);
                if format.is_some_and(|format| format == "raw") {
                    self.raw.insert(img.as_str());
                }
            }
            Img::Copy { img, to } if self.raw.contains(img.as_str()) => {
                self.raw.insert(to.as_str());
            }
            _ => {}
        }
    }

    fn running(&self, place: Place, verb: &str) -> Result<(), Trouble> {
        let (what, help) = match self.qemu {
            Qemu::Running { .. } => return Ok(()),
            Qemu::NotLaunched => (
                "before any `launch`".to_owned(),
                "QEMU is started by `- launch: {drives: [...]}`",
            ),
            Qemu::ShutDown { since } => (
                format!("after the end of QEMU in line {since}"),
                "after it can come `img`, `sleep`, another `launch`, and what looks at the events that came: `wait`, \
                 `pending`, `forget`",
            ),
        };
        Err(Trouble::new(place, format!("`{verb}` {what}"), help))
    }

    fn launch(&mut self, place: Place, line: u32, launch: &'a Launch) -> Result<(), Trouble> {
        if let Qemu::Running { since } = self.qemu {
            let what = format!("a second `launch`: QEMU has been running since line {since}");
            return Err(Trouble::new(place, what, "put `- shutdown: {}` before it"));
        }
        self.qemu = Qemu::Running { since: line };
        let mut ids = BTreeSet::new();
        for drive in &launch.drives {
            if !ids.insert(drive.id.as_str()) {
                let what = format!("two drives are called `{}`", drive.id);
                return Err(Trouble::new(place, what, "each drive needs its own id"));
            }
            self.drives.insert(&drive.id);
            if self.raw.contains(drive.file.as_str()) {
                self.raw.insert(&drive.id);
            }
            self.names.insert(&drive.id);
            self.names.extend(drive.node.as_deref());
        }
        Ok(())
    }

    /// Learns the node names that a command gives, however deep they stand.
    fn names_in(&mut self, arguments: &'a Map<String, Value>) {
        let mut rest: Vec<&Map<String, Value>> = vec![arguments];
        while let Some(map) = rest.pop() {
            for (key, value) in map {
                match value {
                    Value::String(name) if key.ends_with("node-name") => {
                        self.names.insert(name);
                    }
                    Value::Object(inner) => rest.push(inner),
                    Value::Array(items) => rest.extend(items.iter().filter_map(Value::as_object)),
                    _ => {}
                }
            }
        }
    }

    /// QEMU's generated names (`#block123`, `$NODE0` in recordings) are not known beforehand.
    fn drive(
        &self,
        place: Place,
        name: &str,
        what: impl FnOnce() -> String,
    ) -> Result<(), Trouble> {
        if self.names.contains(name) || name.starts_with(['#', '$']) {
            return Ok(());
        }
        Err(unknown(place, &what(), name, &self.names))
    }

    fn start(&mut self, place: Place, name: &'a str) -> Result<(), Trouble> {
        let Some(guest) = self.story.guests.get(name) else {
            return Err(self.no_such_guest(place, name));
        };
        if self.guests.insert(name, AtWork::Started).is_some() {
            let help = "a guest runs once: define another one with the same requests";
            return Err(Trouble::new(
                place,
                format!("the guest `{name}` is started twice"),
                help,
            ));
        }
        let what = || {
            format!(
                "the guest `{name}` writes to `{}`, which is not there at this point",
                guest.drive
            )
        };
        self.drive(place, &guest.drive, what)
    }

    fn join(&mut self, place: Place, name: &'a str) -> Result<(), Trouble> {
        match self.guests.insert(name, AtWork::Joined) {
            Some(AtWork::Started) => Ok(()),
            Some(AtWork::Joined) => Err(Trouble::new(
                place,
                format!("the guest `{name}` is joined twice"),
                "it has ended already",
            )),
            None if self.story.guests.contains_key(name) => {
                let help = format!("put `- guests: {{start: [{name}]}}` before it");
                Err(Trouble::new(
                    place,
                    format!("the guest `{name}` is joined before it is started"),
                    help,
                ))
            }
            None => Err(self.no_such_guest(place, name)),
        }
    }

    fn no_such_guest(&self, place: Place, name: &str) -> Trouble {
        let guests = self.story.guests.keys().map(String::as_str).collect();
        unknown(place, &format!("there is no guest `{name}`"), name, &guests)
    }

    /// A rule's `sector` is one of the file below the image format, and the model does not know where in a file of
    /// qcow2 a cluster lies.
    fn sectors(&self, place: Place, name: &str) -> Result<(), Trouble> {
        let rules = &self.story.faults[name].inject_error;
        if self.raw.contains(name) || rules.iter().all(|rule| rule.sector.is_none()) {
            return Ok(());
        }
        Err(Trouble::new(
            place,
            format!("a rule for `{name}` names a sector, and the image is not raw"),
            "sectors are counted in the file, where qcow2 puts clusters anywhere: create the image with \
             `opts: {format: raw}`",
        ))
    }

    fn fault(&self, place: Place, name: &str) -> Result<(), Trouble> {
        if self.drives.contains(name) {
            return self.sectors(place, name);
        }
        let what = format!("no `launch` has a drive `{name}`");
        if self.names.contains(name) {
            let help = "`faults` is for drives; a node of blockdev-add has its blkdebug layer in its own `file`";
            return Err(Trouble::new(place, what, help));
        }
        Err(unknown(place, &what, name, &self.drives))
    }
}

/// Does the verb only look through events that have come? A shutdown reads everything to the end, and leaves it there.
fn reads_what_came(verb: &Verb) -> bool {
    matches!(verb, Verb::Wait(_) | Verb::Pending(_) | Verb::Forget)
}

/// The trouble with a name that nobody has given.
fn unknown(place: Place, what: &str, name: &str, known: &BTreeSet<&str>) -> Trouble {
    let known: Vec<&str> = known.iter().copied().collect();
    let help = nearest_and_all(name, &known, "none is defined");
    Trouble::new(place, what, help)
}
