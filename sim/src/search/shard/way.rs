//! From a broken promise back to the schedule that breaks it, with the layers in many places.
//!
//! Layer by layer backwards, each shard asks the owners of its states' successors which of them are marked, and
//! marks a state with its least step into a marked one. Then the schedule goes from owner to owner, forwards.

use super::super::harvest::Finding;
use super::super::layers::Layers;
use super::super::path::successors;
use super::super::{Counterexample, Verdict};
use super::frame::{Malformed, Reader, put};
use super::{Phase, Shard, Stage, kind};
use crate::System;
use crate::parts::Parts;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

/// How many states ask in one piece of work.
const CHUNK: usize = 1 << 10;

/// The way, as far as it is known.
#[derive(Default)]
pub(super) struct Way {
    layers: Vec<Vec<u64>>,
    /// From the last layer to the first: the marked states, each with the number of its least step among those that
    /// have to be tried, ascending.
    marks: Vec<FxHashMap<u64, u32>>,
    /// The marks of the layer that asks, so far.
    marking: FxHashMap<u64, u32>,
    /// By shard: its questions that are answered with yes.
    answers: Vec<Vec<u64>>,
    /// The schedule is here: the places of its steps among all enabled ones, and where it has led.
    schedule: Option<(Vec<u64>, u64)>,
    /// The whole of it, and whether it ends at rest.
    found: Option<(Vec<u64>, bool)>,
}

impl Way {
    /// The number of the layer that asks.
    fn asking(&self) -> usize {
        self.layers.len() - self.marks.len()
    }

    fn mark(&mut self, key: u64, number: u32) {
        let least = self.marking.entry(key).or_insert(number);
        *least = number.min(*least);
    }

    fn is_marked(&self, key: u64) -> bool {
        self.marks
            .last()
            .is_some_and(|marks| marks.contains_key(&key))
    }
}

impl<S: Parts> Shard<'_, S> {
    /// The layers are there, and so is what was found in the last one.
    pub(super) fn set_out(&mut self) {
        let findings = &mut self.search.findings;
        // Resting where a promise is broken is one step less than a step that breaks one.
        if self.sum.findings_at_rest > 0 {
            findings.retain(|finding| finding.step.is_none());
        }
        let layers = match self.search.kept_layers.take() {
            Some(Layers::Memory(layers)) => layers,
            _ => Vec::new(),
        };
        self.way = Way {
            layers,
            marks: vec![findings.iter().map(|finding| (finding.key, 0)).collect()],
            answers: vec![Vec::new(); self.place.count.get()],
            ..Way::default()
        };
        self.ask_or_lead();
    }

    fn ask_or_lead(&mut self) {
        if self.way.marks.len() <= self.way.layers.len() {
            self.phase = Phase::Ask(0);
            return;
        }
        // The initial state is its owner's first layer, or all there is.
        let first = self.way.layers.first().unwrap_or(&self.search.frontier);
        self.way.schedule = first.first().map(|key| (Vec::new(), *key));
        self.phase = Phase::Lead;
    }

    /// The steps that have to be tried in a state, ascending, and where they lead.
    fn steps_of(&mut self, key: u64) -> Vec<(S::Step, u64)> {
        let search = &mut self.search;
        let mut steps = successors(&mut search.workers[0], &search.rows, key);
        steps.sort_unstable_by_key(|(step, _)| *step);
        steps
    }

    pub(super) fn ask(&mut self, done: usize, post: &mut dyn FnMut(usize, Vec<u8>)) -> bool {
        let layer = self.way.asking();
        let end = (done + CHUNK).min(self.way.layers[layer].len());
        for index in done..end {
            let key = self.way.layers[layer][index];
            for (number, (_, successor)) in (0..).zip(self.steps_of(key)) {
                let owner = self.owner_of(successor);
                if owner != self.place.number {
                    self.outgoing[owner].add(&[index as u64, u64::from(number)]);
                    self.send_row(successor, owner, kind::ASK, post);
                } else if self.way.is_marked(successor) {
                    self.way.mark(key, number);
                }
            }
        }
        self.phase = Phase::Ask(end);
        end < self.way.layers[layer].len()
    }

    pub(super) fn take_ask(&mut self, from: usize, reader: Reader<'_>) -> Result<(), Malformed> {
        let incoming = &mut self.incoming[from];
        let mut body = incoming.open(&mut self.search, &self.initial, reader)?;
        while !body.reader.is_over() {
            let question = [body.reader.number()?, body.reader.number()?];
            self.incoming[from].row(&self.search.rows, &mut body)?;
            let key = self.key_of(&body.row);
            if self.way.is_marked(key) {
                self.way.answers[from].extend(question);
            }
        }
        Ok(())
    }

    pub(super) fn answer(&mut self, post: &mut dyn FnMut(usize, Vec<u8>)) -> bool {
        for (to, answers) in self.way.answers.iter_mut().enumerate() {
            if !answers.is_empty() {
                let mut frame = vec![kind::ANSWER];
                answers.drain(..).for_each(|number| put(&mut frame, number));
                post(to, frame);
            }
        }
        false
    }

    pub(super) fn take_answer(
        &mut self,
        _from: usize,
        mut reader: Reader<'_>,
    ) -> Result<(), Malformed> {
        let layer = self.way.asking();
        while !reader.is_over() {
            let index = reader.below(self.way.layers[layer].len())?;
            let number = reader.short()?;
            self.way.mark(self.way.layers[layer][index], number);
        }
        Ok(())
    }

    /// All questions of a layer are answered.
    pub(super) fn mark(&mut self) {
        let marking = std::mem::take(&mut self.way.marking);
        self.way.marks.push(marking);
        self.ask_or_lead();
    }

    /// Takes the schedule as far as it stays here.
    pub(super) fn lead(&mut self, post: &mut dyn FnMut(usize, Vec<u8>)) -> bool {
        while let Some((mut schedule, key)) = self.way.schedule.take() {
            let ahead = self.way.layers.len() - schedule.len();
            if ahead == 0 {
                self.last_step(schedule, key, post);
                return false;
            }
            let number = self.way.marks[ahead].get(&key).copied();
            let number = number.expect("internal bug: the schedule leads elsewhere");
            let (step, successor) = self.steps_of(key)[number as usize];
            schedule.push(self.place_of(key, step));
            let owner = self.owner_of(successor);
            if owner == self.place.number {
                self.way.schedule = Some((schedule, successor));
                continue;
            }
            self.outgoing[owner].add(&[schedule.len() as u64]);
            self.outgoing[owner].add(&schedule);
            self.send_row(successor, owner, kind::LEAD, post);
            self.flush_one(owner, kind::LEAD, post);
        }
        false
    }

    pub(super) fn take_lead(&mut self, from: usize, reader: Reader<'_>) -> Result<(), Malformed> {
        let incoming = &mut self.incoming[from];
        let mut body = incoming.open(&mut self.search, &self.initial, reader)?;
        let length = body.reader.below(self.way.layers.len() + 1)?;
        let schedule: Result<Vec<u64>, _> = (0..length).map(|_| body.reader.number()).collect();
        self.incoming[from].row(&self.search.rows, &mut body)?;
        self.way.schedule = Some((schedule?, self.key_of(&body.row)));
        Ok(())
    }

    /// The place of a step among all that are enabled in the state `key`.
    fn place_of(&mut self, key: u64, step: S::Step) -> u64 {
        let search = &mut self.search;
        let state = search.workers[0].state_of(&search.rows, key);
        let mut enabled = Vec::new();
        self.system.enabled(&state, &mut enabled);
        let place = enabled.iter().position(|other| *other == step);
        place.expect("internal bug: a step that is not enabled") as u64
    }

    /// The schedule has led to where a promise is broken: says so to all.
    fn last_step(
        &mut self,
        mut schedule: Vec<u64>,
        key: u64,
        post: &mut dyn FnMut(usize, Vec<u8>),
    ) {
        let here = |finding: &&Finding<S::Step>| finding.key == key;
        let findings = self.search.findings.iter().filter(here);
        let step = findings.map(|finding| finding.step).min();
        let step = step.expect("internal bug: the schedule leads elsewhere");
        schedule.extend(step.map(|step| self.place_of(key, step)));
        let mut frame = vec![kind::SCHEDULE];
        put(&mut frame, step.is_none().into());
        schedule.iter().for_each(|place| put(&mut frame, *place));
        for to in (0..self.place.count.get()).filter(|to| *to != self.place.number) {
            post(to, frame.clone());
        }
        self.way.found = Some((schedule, step.is_none()));
    }

    pub(super) fn take_schedule(
        &mut self,
        _from: usize,
        mut reader: Reader<'_>,
    ) -> Result<(), Malformed> {
        let at_rest = reader.number()? != 0;
        let mut schedule = Vec::new();
        while !reader.is_over() {
            schedule.push(reader.number()?);
        }
        self.way.found = Some((schedule, at_rest));
        Ok(())
    }

    /// Ends the search if the schedule is known.
    pub(super) fn arrive(&mut self) -> Result<(), Malformed> {
        let Some((places, at_rest)) = self.way.found.take() else {
            return Ok(());
        };
        let outline = Outline {
            places,
            at_rest,
            shortest: self.stage == Stage::Shortest,
        };
        let found = outline.fill(self.system);
        let mut report = self.asked.take().ok_or(Malformed("nothing was found"))?;
        report.verdict = Verdict::Broken(found.ok_or(Malformed("the schedule breaks no promise"))?);
        self.phase = Phase::Over(Box::new(report));
        Ok(())
    }
}

/// A counterexample as numbers, which any process can send to any other that has the same system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outline {
    /// For each step, its place among all that were enabled.
    pub places: Vec<u64>,
    /// Whether the promise is broken because nothing more happens.
    pub at_rest: bool,
    /// See [`Counterexample::shortest`].
    pub shortest: bool,
}

impl Outline {
    /// The outline of a counterexample without a cycle.
    pub fn of<S: System>(system: &S, found: &Counterexample<S::Step>) -> Outline {
        let (mut state, mut enabled, mut places) = (system.initial(), Vec::new(), Vec::new());
        for step in &found.steps {
            system.enabled(&state, &mut enabled);
            let place = enabled.iter().position(|other| other == step);
            places.push(place.expect("internal bug: a step that is not enabled") as u64);
            system.apply(&mut state, *step, &mut Vec::new());
        }
        Outline {
            places,
            at_rest: system.judge(&state, false).is_ok(),
            shortest: found.shortest,
        }
    }

    /// The counterexample; `None` if it is none of this system.
    pub fn fill<S: System>(&self, system: &S) -> Option<Counterexample<S::Step>> {
        let (mut state, mut enabled, mut steps) = (system.initial(), Vec::new(), Vec::new());
        for place in &self.places {
            system.enabled(&state, &mut enabled);
            let step = *enabled.get(usize::try_from(*place).ok()?)?;
            system.apply(&mut state, step, &mut Vec::new());
            steps.push(step);
        }
        Some(Counterexample {
            breach: system.judge(&state, self.at_rest).err()?,
            steps,
            cycle: Vec::new(),
            shortest: self.shortest,
        })
    }
}
