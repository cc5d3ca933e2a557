//! The client: reads QEMU's messages when it needs one, sends the next command as soon as it may.
//!
//! What it does is a function of the messages and of its script, so it adds no choice of its own; only the commands
//! on image files, starting QEMU, and a few moves that recordings leave open are steps.
//! The rule of reading is iotests' `event_wait` (ARCHITECTURE.md, "Recordings").

use std::collections::VecDeque;

use model::event::{Event, Output, Reply};
use model::job::Status;
use model::monitor::Command;
use model::name::Name;
use model::query::{self, Query};
use model::world::World;
use serde_json::{Map, Value, json};

use crate::conform::{self, Exactness};
use crate::format;
use crate::line::{Fixed, Line};
use crate::script::{Act, Expected, Kind, Script, Sent, Shown, bitmaps_mismatch, skips};

/// The client's state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Client {
    /// The act it is at.
    at: usize,
    /// The command of that act was sent.
    sent: bool,
    /// The act whose offered command was sent before it was due, in a recording.
    offered: Option<usize>,
    /// Messages on the socket that it has not read.
    unread: VecDeque<Output>,
    /// Events it has read and no wait has taken.
    received: Vec<Event>,
    /// Names QEMU made up for nodes, in the order in which they were first shown.
    made_up: Vec<Name>,
    /// The first expectation that was not met: the line of the story, and a sentence.
    failed: Option<(u32, String)>,
}

/// A message that was read.
enum Heard {
    Event,
    Reply,
    Exit(i32),
}

impl Client {
    /// What it has on the heap, about.
    pub(crate) fn bytes(&self) -> usize {
        let (unread, received) = (self.unread.capacity(), self.received.capacity());
        unread * size_of::<Output>()
            + received * size_of::<Event>()
            + self.made_up.capacity() * size_of::<Name>()
    }

    /// The line and the sentence of the first expectation that was not met.
    pub fn failure(&self) -> Option<(u32, &str)> {
        self.failed
            .as_ref()
            .map(|(line, what)| (*line, what.as_str()))
    }

    /// It has done everything in its script.
    pub fn is_done(&self, script: &Script) -> bool {
        self.at == script.acts.len()
    }

    /// The act it is at.
    pub fn act<'s>(&self, script: &'s Script) -> Option<&'s Act> {
        script.acts.get(self.at)
    }

    /// Messages came.
    pub fn hear(&mut self, world: &mut World) {
        world.take_output(|message| self.unread.push_back(message));
    }

    /// Does all that needs no step: reads what it needs, sends what is due. `seen` gets the lines of the trace.
    /// Says whether it did anything.
    pub fn proceed(&mut self, script: &Script, world: &mut World, seen: &mut Vec<Line>) -> bool {
        let mut moved = false;
        while self.failed.is_none()
            && let Some(act) = script.acts.get(self.at)
            && self.passive(script, act, world, seen)
        {
            moved = true;
        }
        moved || self.failed.is_some()
    }

    /// Does the act if it is passive and possible; `true` when the client may go on.
    fn passive(
        &mut self,
        script: &Script,
        act: &Act,
        world: &mut World,
        seen: &mut Vec<Line>,
    ) -> bool {
        match &act.kind {
            Kind::Img { .. } | Kind::Launch { .. } | Kind::Kill | Kind::GiveUp(_) => false,
            Kind::Ask { sent, expected } => self.ask(script, act, sent, expected, world, seen),
            Kind::Send(sent) => {
                self.send(sent, world, seen);
                self.done()
            }
            // Whether it is sent now or later is a choice: see `offers`.
            Kind::Offer(_) => self.done(),
            Kind::Wait(wait) => self.wait(script, act, wait, seen),
            // Everything that comes is read; that nothing comes any more is a step.
            Kind::Settle { until, .. } => {
                if let Some(until) = until
                    && self.take(&until.event, &until.matching).is_some()
                {
                    return self.done();
                }
                self.read(script, seen).is_some()
            }
            Kind::Read => self.read(script, seen).is_some() && self.done(),
            Kind::ReadReply => self.read_reply(script, seen),
            Kind::Take(event) => self.take_shown(script, event, seen),
            Kind::Pending(expected) => self.pending(act, *expected, seen),
            Kind::Forget => {
                self.received.clear();
                self.done()
            }
            Kind::Sleep(ms) => {
                seen.push(Line::Slept(*ms));
                self.done()
            }
            Kind::Start(guests) => {
                for &guest in guests {
                    world.start_guest(guest);
                }
                self.done()
            }
            Kind::Join(guests) => {
                guests.iter().all(|&guest| world.guest(guest).is_finished()) && self.done()
            }
            Kind::ReadToExit => match self.read(script, seen) {
                Some(Heard::Exit(_)) => self.done(),
                heard => heard.is_some(),
            },
        }
    }

    fn done(&mut self) -> bool {
        self.at += 1;
        self.sent = false;
        true
    }

    fn fail(&mut self, act: &Act, what: impl Into<String>) -> bool {
        self.failed.get_or_insert((act.line, what.into()));
        false
    }

    // ---- sending and reading

    fn send(&mut self, sent: &Sent, world: &mut World, seen: &mut Vec<Line>) {
        if let Shown::Cmd(shown) = &sent.shown {
            seen.push(Line::Cmd(shown.clone()));
        }
        world.submit(sent.word.clone(), sent.command.clone());
    }

    /// Reads one message, if there is one that may be read; its line is the last of `seen`.
    fn read(&mut self, script: &Script, seen: &mut Vec<Line>) -> Option<Heard> {
        if script.collapse {
            self.collapse();
            if self.holds_back() {
                return None;
            }
        }
        let (line, heard) = match self.unread.pop_front()? {
            Output::Event(event) => {
                self.received.push(event.clone());
                (Line::Event(event), Heard::Event)
            }
            Output::Exit(code) => (Line::Exit(code), Heard::Exit(code)),
            Output::Reply(reply) => (self.reply_line(script, reply), Heard::Reply),
        };
        seen.push(line);
        Some(heard)
    }

    /// Reads up to a reply (or the end); only that is seen.
    fn read_reply(&mut self, script: &Script, seen: &mut Vec<Line>) -> bool {
        if self.keep_event(script) {
            return true;
        }
        self.read(script, seen).is_some() && self.done()
    }

    /// Takes an event that was kept, or reads on.
    fn take_shown(&mut self, script: &Script, wanted: &Fixed, seen: &mut Vec<Line>) -> bool {
        let is_wanted = |event: &Event| {
            conform::matches(wanted, &Line::Event(event.clone()), Exactness::Normal)
        };
        if let Some(at) = self.received.iter().position(is_wanted) {
            seen.push(Line::Event(self.received.remove(at)));
            return self.done();
        }
        self.keep_event(script)
    }

    /// Reads an event without showing it. It is kept if its kind is ever asked for.
    fn keep_event(&mut self, script: &Script) -> bool {
        let Some(Output::Event(_)) = self.unread.front() else {
            return false;
        };
        let Some(Output::Event(event)) = self.unread.pop_front() else {
            return false;
        };
        if script.kept.iter().any(|kind| kind == event.name()) {
            self.received.push(event);
        }
        true
    }

    /// What there is in the place of an event that never comes: one of its kind or of its job, else the first that
    /// was kept.
    fn instead_of(&self, wanted: &Value) -> Line {
        let data = &wanted["data"];
        let job = data
            .get("id")
            .or_else(|| data.get("device"))
            .and_then(Value::as_str);
        let of_job = |event: &&Event| event.job().map(|job| &**job) == job;
        let of_kind = |event: &&Event| wanted["event"] == event.name();
        let kept = || self.received.iter();
        let found = kept().filter(of_job).find(of_kind);
        let found = found
            .or_else(|| kept().rev().find(of_job))
            .or_else(|| kept().next());
        match found {
            Some(event) => Line::Event(event.clone()),
            None => Line::Timeout(Fixed::new(json!({"event": wanted["event"]}))),
        }
    }

    /// A reply, as its command's line shows it.
    fn reply_line(&mut self, script: &Script, reply: Reply) -> Line {
        let asked = match script.acts.get(self.at).map(|act| &act.kind) {
            Some(Kind::Ask { sent, .. } | Kind::Offer(sent)) => Some(sent),
            Some(Kind::Read | Kind::ReadReply) => self.recorded_question(script),
            _ => None,
        };
        match (asked.map(|sent| (&sent.shown, &sent.command)), reply) {
            (Some((Shown::Hmp(line), _)), Reply::Printed(output)) => Line::Hmp {
                line: line.clone(),
                output,
            },
            (Some((Shown::Bitmaps, _)), Reply::Return(nodes)) => {
                Line::Bitmaps(self.with_made_up_names(nodes))
            }
            (Some((_, Command::Query(Query::Block | Query::NamedBlockNodes))), reply) => {
                Line::Reply {
                    reply,
                    whole: false,
                }
            }
            (_, reply) => Line::Reply { reply, whole: true },
        }
    }

    /// The last command of a recording that was sent before the act the client is at.
    fn recorded_question<'s>(&self, script: &'s Script) -> Option<&'s Sent> {
        script.acts[..self.at]
            .iter()
            .rev()
            .find_map(|act| match &act.kind {
                Kind::Send(sent) | Kind::Offer(sent) => Some(sent),
                _ => None,
            })
    }

    /// Names that QEMU made up become `$NODE0`, `$NODE1`, … in the order in which they are shown.
    fn with_made_up_names(&mut self, nodes: Value) -> Value {
        let Value::Object(nodes) = nodes else {
            return nodes;
        };
        let mut renamed = Map::new();
        for (name, bitmaps) in nodes {
            if !name.starts_with("#block") {
                renamed.insert(name, bitmaps);
                continue;
            }
            let known = self.made_up.iter().position(|other| **other == *name);
            let at = known.unwrap_or_else(|| {
                self.made_up.push(name.as_str().into());
                self.made_up.len() - 1
            });
            renamed.insert(format!("$NODE{at}"), bitmaps);
        }
        Value::Object(renamed)
    }

    // ---- what drains add

    /// `paused`, `running` of one job, one right after the other, are left out; also if other such pairs are between
    /// them, for a drained section may hold several jobs.
    fn collapse(&mut self) {
        let is_pair = |unread: &VecDeque<Output>, at: usize| {
            let (Output::Event(first), Output::Event(second)) = (&unread[at], &unread[at + 1])
            else {
                return false;
            };
            let paused = status_of(first, Status::Paused);
            paused.is_some() && paused == status_of(second, Status::Running)
        };
        let pair = |unread: &VecDeque<Output>| {
            (0..unread.len().saturating_sub(1)).find(|at| is_pair(unread, *at))
        };
        while let Some(at) = pair(&self.unread) {
            self.unread.drain(at..at + 2);
        }
    }

    /// A `paused` after which nothing but others came may be the first half of such a pair: whether it is read is a
    /// choice.
    fn holds_back(&self) -> bool {
        let is_paused = |output: &Output| matches!(output, Output::Event(event) if status_of(event, Status::Paused).is_some());
        !self.unread.is_empty() && self.unread.iter().all(is_paused)
    }

    // ---- asking and waiting

    fn ask(
        &mut self,
        script: &Script,
        act: &Act,
        sent: &Sent,
        expected: &Expected,
        world: &mut World,
        seen: &mut Vec<Line>,
    ) -> bool {
        if !self.sent {
            self.send(sent, world, seen);
            self.sent = true;
        }
        match self.read(script, seen) {
            None => false,
            Some(Heard::Event) => true,
            Some(Heard::Exit(code)) => {
                self.fail(act, format!("QEMU died (exit {code}) instead of a reply"))
            }
            Some(Heard::Reply) => {
                let line = seen.last().expect("internal: the reply was just read");
                match unexpected(expected, line, &|node, name| {
                    query::bitmap_status(world, node, name)
                }) {
                    Some(what) => self.fail(act, format!("{}: {what}", sent.word)),
                    None => self.done(),
                }
            }
        }
    }

    fn wait(
        &mut self,
        script: &Script,
        act: &Act,
        wait: &format::Wait,
        seen: &mut Vec<Line>,
    ) -> bool {
        if let Some((at, event)) = self.take(&wait.event, &wait.matching) {
            let mut index = 0;
            self.received.retain(|other| {
                index += 1;
                index > at || !skips(wait.skip, &wait.event, other.name())
            });
            return match unexpected_event(wait, &event) {
                Some(what) => self.fail(act, format!("{}: {what}", wait.event)),
                None => self.done(),
            };
        }
        match self.read(script, seen) {
            None => false,
            Some(Heard::Exit(code)) => self.fail(
                act,
                format!("QEMU died (exit {code}) instead of {}", wait.event),
            ),
            Some(_) => true,
        }
    }

    /// Takes the oldest event of that name with that data, with its place among those received.
    fn take(&mut self, name: &str, matching: &Map<String, Value>) -> Option<(usize, Event)> {
        let fits = |event: &Event| event.name() == name && holds(matching, event);
        let at = self.received.iter().position(fits)?;
        Some((at, self.received.remove(at)))
    }

    fn pending(&mut self, act: &Act, expected: Option<u64>, seen: &mut Vec<Line>) -> bool {
        let count = self.received.len() as u64;
        seen.push(Line::Pending(count));
        if expected.is_some_and(|expected| expected != count) {
            let names: Vec<_> = self.received.iter().map(Event::name).collect();
            let what = format!(
                "{count} events that nobody waited for: {}",
                names.join(", ")
            );
            return self.fail(act, what);
        }
        self.received.clear();
        self.done()
    }

    // ---- steps

    /// Is there a step that only the client can do? `idle`: nothing but time can make anything else happen.
    pub fn has_step(&self, script: &Script, idle: impl Fn() -> bool) -> bool {
        if self.failed.is_some() {
            return false;
        }
        if script.collapse && self.wants_to_read(script) && self.holds_back() {
            return true;
        }
        if self.offers(script).is_some() {
            return true;
        }
        match self.act(script).map(|act| &act.kind) {
            Some(Kind::Img { .. } | Kind::Launch { .. } | Kind::Kill) => true,
            Some(Kind::Settle { .. } | Kind::GiveUp(_) | Kind::Take(_)) => {
                self.unread.is_empty() && idle()
            }
            _ => false,
        }
    }

    /// Whether its step, if it has one, is possible only when nothing but time can make anything else happen.
    pub fn waits_for_idleness(&self, script: &Script) -> bool {
        self.failed.is_none()
            && !(script.collapse && self.wants_to_read(script) && self.holds_back())
            && self.offers(script).is_none()
            && matches!(
                self.act(script).map(|act| &act.kind),
                Some(Kind::Settle { .. } | Kind::GiveUp(_) | Kind::Take(_))
            )
    }

    /// It waits for guests.
    pub fn joins(&self, script: &Script) -> bool {
        matches!(self.act(script).map(|act| &act.kind), Some(Kind::Join(_)))
    }

    fn wants_to_read(&self, script: &Script) -> bool {
        matches!(
            self.act(script).map(|act| &act.kind),
            Some(Kind::Read | Kind::ReadToExit | Kind::Wait(_) | Kind::Ask { .. })
        )
    }

    /// A command of a recording that is offered and was not sent yet.
    fn offers<'s>(&self, script: &'s Script) -> Option<(usize, &'s Sent)> {
        if !script.offers {
            return None;
        }
        let (index, act) = script.acts[..self.at]
            .iter()
            .enumerate()
            .rev()
            .find(|(_, act)| matches!(act.kind, Kind::Offer(_) | Kind::Send(_)))?;
        match &act.kind {
            Kind::Offer(sent) if self.offered != Some(index) => Some((index, sent)),
            _ => None,
        }
    }

    /// Does the client's step.
    pub fn step(&mut self, script: &Script, world: &mut World, seen: &mut Vec<Line>) {
        if let Some((index, sent)) = self.offers(script) {
            self.offered = Some(index);
            return self.send(sent, world, seen);
        }
        if script.collapse && self.wants_to_read(script) && self.holds_back() {
            if let Some(Output::Event(event)) = self.unread.pop_front() {
                self.received.push(event.clone());
                seen.push(Line::Event(event));
            }
            if matches!(self.act(script).map(|act| &act.kind), Some(Kind::Read)) {
                self.done();
            }
            return;
        }
        let act = self.act(script).expect("internal: the client has a step");
        match &act.kind {
            Kind::Img {
                command,
                shown,
                expected,
            } => {
                let result = match command {
                    Some(command) => world.qemu_img(command),
                    None => Ok("*".into()),
                };
                let result = result.unwrap_or_else(Value::from);
                seen.push(Line::Img(shown.clone(), result.clone()));
                if expected
                    .as_ref()
                    .is_some_and(|expected| *expected != result)
                {
                    let word = command.as_ref().map_or("img", |command| command.word());
                    let result = result.as_str().map_or(result.to_string(), str::to_owned);
                    self.fail(act, format!("img {word}: {result}"));
                    return;
                }
            }
            Kind::Launch { drives, shown } => {
                seen.push(Line::Launch(shown.clone()));
                if let Err(error) = world.launch(drives) {
                    self.fail(act, format!("QEMU does not start: {}", error.desc));
                    return;
                }
            }
            Kind::Kill => {
                world.kill();
                self.hear(world);
            }
            Kind::Settle { ms, .. } => seen.push(Line::Settled(*ms)),
            Kind::GiveUp(line) => seen.push(line.clone()),
            Kind::Take(wanted) => seen.push(self.instead_of(wanted)),
            _ => unreachable!("internal: not a step of the client's"),
        }
        self.done();
    }

    /// The name of the client's step.
    pub fn step_name(&self, script: &Script) -> String {
        if let Some((_, sent)) = self.offers(script) {
            return format!("client sends {}", sent.word);
        }
        match self.act(script).map(|act| &act.kind) {
            Some(Kind::Img {
                command: Some(command),
                ..
            }) => {
                format!("client img {} {}", command.word(), command.file())
            }
            Some(Kind::Img { .. }) => "client img".into(),
            Some(Kind::Launch { .. }) => "client launch".into(),
            Some(Kind::Kill) => "client kill".into(),
            Some(Kind::Settle { .. }) => "client settles".into(),
            Some(Kind::GiveUp(_) | Kind::Take(_)) => "client gives up".into(),
            _ => "client reads".into(),
        }
    }

    /// What the client waits for, in one sentence.
    pub fn waits_for(&self, script: &Script) -> Option<(u32, String)> {
        let act = self.act(script)?;
        let what = match &act.kind {
            Kind::Ask { sent, .. } => format!("the reply to {} never comes", sent.word),
            Kind::Wait(wait) if wait.matching.is_empty() => {
                format!("the event {} never comes", wait.event)
            }
            Kind::Wait(wait) => {
                let matching = Value::Object(wait.matching.clone());
                format!("no event {} with {matching} ever comes", wait.event)
            }
            Kind::Join(_) => "the guests never finish".into(),
            Kind::ReadToExit => "the process never ends".into(),
            _ => "the story does not go on".into(),
        };
        Some((act.line, what))
    }
}

fn status_of(event: &Event, wanted: Status) -> Option<&Name> {
    match event {
        Event::JobStatusChange { id, status } if *status == wanted => Some(id),
        _ => None,
    }
}

/// Has the event's data these values? (All its fields are plain values.)
fn holds(expected: &Map<String, Value>, event: &Event) -> bool {
    expected
        .iter()
        .all(|(key, value)| event.field(key).is_some_and(|field| field.is(value)))
}

fn unexpected_event(wait: &format::Wait, event: &Event) -> Option<String> {
    if let Some(key) = wait.absent.iter().find(|key| event.field(key).is_some()) {
        return Some(format!("it has the key {key}: {}", event.data()));
    }
    if holds(&wait.data, event) {
        return None;
    }
    let data = event.data();
    let differs = data
        .as_object()
        .and_then(|data| format::mismatch_in(&wait.data, data));
    Some(differs.unwrap_or_else(|| format!("its data is {data}")))
}

/// What of an answer is not as expected, in one sentence. `status` gives a bitmap's one word of before QEMU 6.0.
pub fn unexpected(
    expected: &Expected,
    line: &Line,
    status: &dyn Fn(&str, &str) -> Option<&'static str>,
) -> Option<String> {
    match (expected, line) {
        (Expected::Either(ways), line) => {
            let differs: Option<Vec<String>> = ways
                .iter()
                .map(|way| unexpected(way, line, status))
                .collect();
            differs.map(|differs| differs.join("; or "))
        }
        (Expected::Any, Line::Reply { .. }) => None,
        (
            Expected::Return(None),
            Line::Reply {
                reply: Reply::Done | Reply::Return(_),
                ..
            },
        )
        | (Expected::Output(None), Line::Hmp { .. }) => None,
        (
            Expected::Return(Some(expected)),
            Line::Reply {
                reply: Reply::Return(value),
                ..
            },
        ) => format::mismatch(expected, value),
        (
            Expected::Return(Some(expected)),
            Line::Reply {
                reply: Reply::Done, ..
            },
        ) => format::mismatch(expected, &Value::Object(Map::new())),
        (
            Expected::Error(expected),
            Line::Reply {
                reply: Reply::Error(error),
                ..
            },
        ) => {
            let same = expected.class.name() == error.class.to_string()
                && expected
                    .desc
                    .as_deref()
                    .is_none_or(|desc| *desc == *error.desc);
            (!same).then(|| format!("another error came: {error}"))
        }
        (
            _,
            Line::Reply {
                reply: Reply::Error(error),
                ..
            },
        ) => Some(format!("it failed: {error}")),
        (Expected::Error(_), _) => Some("it was to fail and did not".into()),
        (Expected::Output(Some(expected)), Line::Hmp { output, .. }) => {
            let same = expected
                .iter()
                .map(String::as_str)
                .eq(output.iter().map(|line| &**line));
            (!same).then(|| format!("it printed {output:?}"))
        }
        (Expected::Bitmaps(expected), Line::Bitmaps(listed)) => {
            bitmaps_mismatch(expected, listed, status)
        }
        (_, line) => Some(format!("an answer of another kind came: {line}")),
    }
}
