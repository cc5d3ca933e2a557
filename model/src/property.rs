//! What the design promises, checked beside the rules; and the interesting cases that a search should have met.
//!
//! A promise is a row of [`PROPERTIES`]. The checks are observers: what they must remember (the source at the
//! group's start instant, what each bitmap owes, what was said of a job) is *ghost* state, kept in the part it
//! belongs to and changed only here, called from a few places after a rule has done its work. No rule reads a
//! ghost, so a planted bug in a rule cannot change what is expected of it. In a run without a bug a ghost is a
//! function of the rest of the world, as far as can be, so it makes no new states.
//!
//! Observers reach parts through the noting accessors, so whether a step breaks a promise depends on the step's
//! footprint only; where copy tasks only add, the observers only add.
//!
//! The first broken promise is kept in the world ([`World::broken`]). Promises about the end of all things are asked
//! of a world at rest ([`World::broken_at_rest`]).

pub(crate) mod bitmap;
pub(crate) mod data;
pub(crate) mod job;
mod rest;
mod table;
#[cfg(test)]
mod tests;
pub(crate) mod transaction;
mod witness;

use std::fmt;
use std::sync::Arc;

use crate::world::{Footprint, Part, World};

pub use table::PROPERTIES;
pub use witness::{WITNESSES, Witness};

/// One promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Property {
    /// Its name.
    pub id: &'static str,
    /// The invariants of the specification that it covers, such as `D1`.
    pub spec: &'static [&'static str],
    /// What is promised, in one plain sentence.
    pub says: &'static str,
    /// The QEMU function, lock or context that is meant to keep it.
    pub kept_by: &'static str,
    /// How it is checked.
    pub kind: Kind,
}

/// How a promise is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Beside the rules, on the step that would break it.
    Step,
    /// On the step that would break it, except where that is how it is meant: where.
    StepExcept(&'static str),
    /// In a world at rest; that every run comes to rest is for a search's check of cycles.
    Rest,
    /// Nothing that the rules can say breaks it: why.
    Structural(&'static str),
}

impl Kind {
    /// One word for lists.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Step | Kind::StepExcept(_) => "step",
            Kind::Rest => "rest",
            Kind::Structural(_) => "structural",
        }
    }

    /// The exception or the reason, if there is one.
    pub fn remark(self) -> Option<&'static str> {
        match self {
            Kind::Step | Kind::Rest => None,
            Kind::StepExcept(why) | Kind::Structural(why) => Some(why),
        }
    }

    /// Can a run break it?
    pub fn is_checked(self) -> bool {
        matches!(self, Kind::Step | Kind::StepExcept(_) | Kind::Rest)
    }
}

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Broken {
    /// The id of the [`Property`].
    pub property: &'static str,
    /// How it was broken: one sentence.
    pub message: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.property, self.message)
    }
}

impl Broken {
    fn new(property: &'static str, message: String) -> Broken {
        debug_assert!(
            PROPERTIES.iter().any(|row| row.id == property),
            "internal: no property is called {property}"
        );
        Broken { property, message }
    }
}

impl World {
    /// The first promise that was broken, if one was.
    pub fn broken(&self) -> Option<&Broken> {
        self.broken.as_deref()
    }

    /// A promise is broken; only the first is kept.
    pub(crate) fn breaks(&mut self, property: &'static str, message: String) {
        if self.broken.is_none()
            && let Some(broken) = self.breach_of(property, message)
        {
            self.note_write(Part::Outbox);
            self.broken = Some(Arc::new(broken));
        }
    }

    /// A promise that is broken, unless nobody looks: see [`Dialect::without`](crate::dialect::Dialect::without).
    pub(crate) fn breach_of(&self, property: &'static str, message: String) -> Option<Broken> {
        (self.dialect.unwatched != Some(property)).then(|| Broken::new(property, message))
    }

    /// The [`WITNESSES`] that the step done last has been: bit *n* stands for witness *n*.
    pub fn witnessed(&self) -> u64 {
        self.witnessed
    }

    /// An interesting case has come.
    pub(crate) fn witness(&mut self, witness: Witness) {
        self.witnessed |= 1 << witness as u32;
    }

    /// As [`World::witness`], if it has come.
    pub(crate) fn witness_if(&mut self, holds: bool, witness: Witness) {
        if holds {
            self.witness(witness);
        }
    }

    /// No step was done last.
    pub fn forget_witnessed(&mut self) {
        self.witnessed = 0;
    }
}

/// What must hold of every part by itself, asked of the parts that a step has written.
pub(crate) fn after_step(w: &mut World, touched: Footprint) {
    let written = |part: Part| touched.writes & part.bit() != 0;
    let mut found = None;
    // Which of them there are belongs to what was written.
    for node in 0..w.node_slots() {
        if written(Part::Node(node)) && w.nodes.get(node).is_some() {
            found = found.or_else(|| bitmap::broken_in(w, node));
        }
    }
    for job in 0..w.job_slots() {
        if written(Part::Job(job)) && w.jobs.get(job).is_some() {
            found = found.or_else(|| job::broken_in(w, job));
        }
    }
    if let Some(Broken { property, message }) = found {
        w.breaks(property, message);
    }
}

/// A reply is about to be written: that of the only command without one.
pub(crate) fn replies(w: &mut World) {
    let monitor = w.monitor_mut();
    monitor.replied += 1;
    let (replied, begun) = (monitor.replied, monitor.serial);
    if replied != begun {
        w.breaks(
            "one-reply",
            format!("reply {replied} is written after {begun} commands"),
        );
    }
}

/// Bytes as people write them: `64k+128k` is 128 KiB from 64 KiB on.
fn area(range: &std::ops::Range<u64>) -> String {
    let (start, len) = (range.start, range.end.saturating_sub(range.start));
    format!("{}+{}", crate::step::bytes(start), crate::step::bytes(len))
}
