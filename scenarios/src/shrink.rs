//! Smaller stories that still fail: fewer drives, fewer items, fewer requests, weaker expectations, smaller images.
//!
//! Each candidate is a story of its own. It counts only if it loads and if the caller, who knows how to look for a
//! failing schedule, still finds one that breaks the same promise. The order is fixed and nothing is chosen by
//! chance, so the result is a function of the story and of the caller's answers.
//!
//! Items keep the numbers of the lines on which they stood in the original: so a caller can tell whether it is
//! still the same expectation that fails. Reading the text of the smaller story gives it lines of its own.

use std::collections::BTreeSet;

use serde_json::Value;
use sim::schedule::Schedule;

use crate::format::{Answer, Guests, HmpCommand, Img, Item, Request, Story, Verb};
use crate::load;
use crate::size::Size;

/// The cluster of qcow2, in which the size of a story's images is measured.
const CLUSTER: u64 = 64 << 10;

/// How much there is in a story.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Measure {
    /// Drives that a launch brings, and nodes that `blockdev-add` does.
    pub drives: usize,
    /// Clusters of 64 KiB of all images that are created.
    pub clusters: u64,
    /// Requests of guests, and of the human monitor in their place.
    pub requests: usize,
    /// Items of the script.
    pub items: usize,
}

impl Measure {
    /// Measures a story.
    pub fn of(story: &Story) -> Measure {
        let verbs = || story.script.iter().map(|item| &item.verb);
        let clusters = |verb: &Verb| match verb {
            Verb::Img(Img::Create { size, .. }) => size.bytes().div_ceil(CLUSTER),
            _ => 0,
        };
        Measure {
            drives: drives(story).len(),
            clusters: verbs().map(clusters).sum(),
            requests: story
                .guests
                .values()
                .map(|guest| guest.requests.len())
                .sum::<usize>()
                + verbs().filter(|verb| matches!(verb, Verb::Hmp(_))).count(),
            items: story.script.len(),
        }
    }
}

/// The smallest story found.
#[derive(Clone, Debug)]
pub struct Smaller {
    /// The story; its text is its `Display`.
    pub story: Story,
    /// A schedule that breaks the same promise in it.
    pub schedule: Schedule,
    /// How many candidates the caller was asked about.
    pub tried: u64,
    /// Whether nothing that is tried here would make it smaller; otherwise the caller had enough.
    pub complete: bool,
}

/// Looks for a smaller story. `still_breaks` answers with a schedule that breaks the same promise, if it finds one;
/// `enough` is asked before each candidate.
pub fn shrink(
    story: &Story,
    schedule: &Schedule,
    still_breaks: &mut dyn FnMut(&Story, &Schedule) -> Option<Schedule>,
    enough: &dyn Fn() -> bool,
) -> Smaller {
    let smallest = Smaller {
        story: story.clone(),
        schedule: schedule.clone(),
        tried: 0,
        complete: true,
    };
    let mut search = Search {
        smallest,
        still_breaks,
        enough,
    };
    while search.pass() {}
    search.smallest
}

struct Search<'a> {
    smallest: Smaller,
    still_breaks: &'a mut dyn FnMut(&Story, &Schedule) -> Option<Schedule>,
    enough: &'a dyn Fn() -> bool,
}

impl Search<'_> {
    /// Tries everything once, what takes away most first. Whether anything helped.
    fn pass(&mut self) -> bool {
        let mut helped = false;
        for drive in drives(&self.smallest.story) {
            helped |= self.try_out(&|story| without_drive(story, &drive));
        }
        let mut chunk = self.smallest.story.script.len().div_ceil(2);
        while chunk > 0 {
            helped |= self.drop_items(chunk);
            chunk /= 2;
        }
        helped |= self.drop_actions();
        helped |= self.drop_requests();
        for index in 0..self.smallest.story.script.len() {
            helped |= self.try_out(&|story| expect_nothing(&mut story.script.get_mut(index)?.verb));
        }
        while self.try_out(&halve) {
            helped = true;
        }
        helped && self.smallest.complete
    }

    /// The last ones first: what comes late is needed by least.
    fn drop_items(&mut self, chunk: usize) -> bool {
        let mut helped = false;
        let mut end = self.smallest.story.script.len();
        while end > 0 {
            let start = end.saturating_sub(chunk);
            helped |= self.try_out(&|story| {
                story.script.drain(start..end);
                Some(())
            });
            end = start;
        }
        helped
    }

    /// One action of a transaction at a time.
    fn drop_actions(&mut self) -> bool {
        let mut helped = false;
        for item in 0..self.smallest.story.script.len() {
            let count =
                |story: &Story| actions(&mut story.clone(), item).map_or(0, |list| list.len());
            for action in (0..count(&self.smallest.story)).rev() {
                helped |= self.try_out(&|story| {
                    let actions = actions(story, item)?;
                    (actions.len() > 1)
                        .then(|| actions.remove(action))
                        .map(|_| ())
                });
            }
        }
        helped
    }

    /// One request at a time; a guest without requests goes.
    fn drop_requests(&mut self) -> bool {
        let mut helped = false;
        let guests: Vec<(String, usize)> = (self.smallest.story.guests.iter())
            .map(|(name, guest)| (name.clone(), guest.requests.len()))
            .collect();
        for (name, count) in guests {
            helped |= self.try_out(&|story| without_guest(story, &name));
            for request in (0..count).rev() {
                helped |= self.try_out(&|story| {
                    let requests = &mut story.guests.get_mut(&name)?.requests;
                    (request < requests.len())
                        .then(|| requests.remove(request))
                        .map(|_| ())
                });
            }
        }
        helped
    }

    /// Changes a copy of the story, which is the smallest from now on if it loads and still fails. A change that
    /// does not apply is no candidate.
    fn try_out(&mut self, change: &dyn Fn(&mut Story) -> Option<()>) -> bool {
        let mut story = self.smallest.story.clone();
        if change(&mut story).is_none() || story == self.smallest.story {
            return false;
        }
        if load::parse(&story.name, &story.to_string()).is_err() {
            return false;
        }
        if !self.smallest.complete || (self.enough)() {
            self.smallest.complete = false;
            return false;
        }
        self.smallest.tried += 1;
        match (self.still_breaks)(&story, &self.smallest.schedule) {
            None => false,
            Some(schedule) => {
                (self.smallest.story, self.smallest.schedule) = (story, schedule);
                true
            }
        }
    }
}

/// The drives and the nodes that stories add: by id or node name, in the order of the script.
fn drives(story: &Story) -> Vec<String> {
    let mut drives = Vec::new();
    for item in &story.script {
        match &item.verb {
            Verb::Launch(launch) => {
                drives.extend(launch.drives.iter().map(|drive| drive.id.clone()))
            }
            Verb::Qmp(qmp) if qmp.execute == "blockdev-add" => {
                let name = qmp.arguments.get("node-name").and_then(Value::as_str);
                drives.extend(name.map(str::to_owned));
            }
            _ => {}
        }
    }
    drives
}

/// Takes away a drive and all that names it: items, actions, guests, faults. What a command calls by another name
/// (a job's, an image's) goes with the items in which that stands beside the drive's.
fn without_drive(story: &mut Story, drive: &str) -> Option<()> {
    let mut names = BTreeSet::from([drive.to_owned()]);
    for item in &mut story.script {
        if let Verb::Launch(launch) = &mut item.verb {
            for gone in launch.drives.iter().filter(|other| other.id == drive) {
                names.extend(gone.node.clone());
                names.insert(gone.file.to_string());
            }
            launch.drives.retain(|other| other.id != drive);
        }
    }
    for index in 0..story.script.len() {
        if let Some(actions) = actions(story, index) {
            actions.retain(|action| !mentions(action, &names));
        }
    }
    let guests: Vec<String> = (story.guests.iter())
        .filter(|(_, guest)| names.contains(&guest.drive))
        .map(|(name, _)| name.clone())
        .collect();
    for name in &guests {
        without_guest(story, name);
    }
    story.faults.remove(drive);
    story.script.retain(|item| !is_about(item, &names));
    Some(())
}

fn is_about(item: &Item, names: &BTreeSet<String>) -> bool {
    match &item.verb {
        Verb::Qmp(qmp) if qmp.execute == "transaction" => qmp
            .arguments
            .get("actions")
            .and_then(Value::as_array)
            .is_some_and(Vec::is_empty),
        Verb::Qmp(qmp) => qmp.arguments.values().any(|value| mentions(value, names)),
        Verb::Hmp(hmp) => names.contains(&hmp.drive),
        Verb::Wait(wait) => wait.matching.values().any(|value| mentions(value, names)),
        Verb::Img(Img::Create { img, .. } | Img::Write { img, .. } | Img::Read { img, .. }) => {
            names.contains(img.as_str())
        }
        _ => false,
    }
}

fn mentions(value: &Value, names: &BTreeSet<String>) -> bool {
    match value {
        Value::String(text) => names.contains(text),
        Value::Array(values) => values.iter().any(|value| mentions(value, names)),
        Value::Object(fields) => fields.values().any(|value| mentions(value, names)),
        _ => false,
    }
}

fn without_guest(story: &mut Story, name: &str) -> Option<()> {
    story.guests.remove(name)?;
    for item in &mut story.script {
        if let Verb::Guests(Guests::Start(names) | Guests::Join(names)) = &mut item.verb {
            names.retain(|other| other != name);
        }
    }
    let is_empty = |item: &Item| matches!(&item.verb, Verb::Guests(Guests::Start(names) | Guests::Join(names)) if names.is_empty());
    story.script.retain(|item| !is_empty(item));
    Some(())
}

/// The actions of a transaction.
fn actions(story: &mut Story, item: usize) -> Option<&mut Vec<Value>> {
    match &mut story.script.get_mut(item)?.verb {
        Verb::Qmp(qmp) if qmp.execute == "transaction" => {
            qmp.arguments.get_mut("actions")?.as_array_mut()
        }
        _ => None,
    }
}

/// Leaves out what is expected of success; that a command fails is part of what it does.
fn expect_nothing(verb: &mut Verb) -> Option<()> {
    match verb {
        Verb::Qmp(qmp) => {
            let [Answer::Return(reply)] = &mut qmp.answers[..] else {
                return None;
            };
            *reply = None;
        }
        Verb::Hmp(hmp) => hmp.output = None,
        Verb::Wait(wait) => {
            wait.data.clear();
            wait.absent.clear();
        }
        Verb::Bitmaps(bitmaps) => bitmaps.clear(),
        Verb::Img(Img::Compare { result, .. }) => *result = None,
        Verb::Img(Img::Bitmaps { result, .. }) => *result = None,
        _ => return None,
    }
    Some(())
}

/// Half the size of every image, and everything at half its place in it, in whole clusters.
fn halve(story: &mut Story) -> Option<()> {
    let mut halved = false;
    for item in &mut story.script {
        match &mut item.verb {
            Verb::Img(Img::Create { size, .. }) if size.bytes() >= 2 * CLUSTER => {
                *size = half(*size)?;
                halved = true;
            }
            Verb::Img(Img::Write { offset, .. } | Img::Read { offset, .. }) => {
                *offset = half(*offset)?
            }
            Verb::Hmp(hmp) => {
                if let HmpCommand::Request(request) = &mut hmp.command {
                    halve_request(request)?;
                    hmp.line = request.to_string();
                }
            }
            _ => {}
        }
    }
    let requests = story
        .guests
        .values_mut()
        .flat_map(|guest| &mut guest.requests);
    requests.map(halve_request).collect::<Option<()>>()?;
    halved.then_some(())
}

fn halve_request(request: &mut Request) -> Option<()> {
    match request {
        Request::Write { offset, .. }
        | Request::AioWrite { offset, .. }
        | Request::Read { offset, .. }
        | Request::Discard { offset, .. } => *offset = half(*offset)?,
        Request::Flush => {}
    }
    Some(())
}

/// Half of it, in whole clusters.
fn half(size: Size) -> Option<Size> {
    Size::of((size.bytes() / 2).next_multiple_of(CLUSTER))
}
