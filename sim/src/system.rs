//! The one trait: what a thing must be able to say so that its schedules can be tried.

use serde::{Deserialize, Serialize};
use std::fmt::{self, Debug, Display};
use std::hash::Hash;

/// Something that takes steps, one at a time, in an order that somebody else chooses.
///
/// A step is what the real thing does between two points where somebody else may run; it is
/// indivisible. The state, with what is enabled in it, is a function of the steps taken so far and
/// of nothing else.
pub trait System: Sync {
    /// A whole state.
    type State: Clone + Send;
    /// A step; a small value such as an enum of ids. What it is called is [`System::name`]'s
    /// business.
    type Step: Copy + Ord + Debug + Send + Sync;
    /// Something that the outside sees, such as a reply or an event. Two observations are the same
    /// thing seen exactly when they are equal.
    type Observation: Clone + Eq + Hash + Debug + Send;

    /// The state in which every run begins.
    fn initial(&self) -> Self::State;

    /// Puts the steps possible now into `steps`: ascending, without duplicates, a function of
    /// `state` alone.
    ///
    /// The implementation clears `steps` first, so that callers can keep one buffer.
    fn enabled(&self, state: &Self::State, steps: &mut Vec<Self::Step>);

    /// Does one enabled step, returns what it touched, and pushes onto `seen` what became visible,
    /// in order.
    ///
    /// The footprint covers all that the step read or changed, *and all that decided that it was
    /// enabled*; it may cover more, never less. [`reduce::audit`](crate::reduce::audit) finds some
    /// of the lies.
    fn apply(
        &self,
        state: &mut Self::State,
        step: Self::Step,
        seen: &mut Vec<Self::Observation>,
    ) -> Footprint;

    /// Asks whether the promises hold: in the initial state and after every step with `resting`
    /// false, and once more with `resting` true when no step is enabled.
    ///
    /// Whether a step has broken a promise, that nothing before it had, may depend only on what is
    /// in the footprint that [`System::apply`] returned for it: the promises that a step concerns
    /// are part of what the step reads. So a promise is broken in one order of independent steps
    /// exactly when it is in every one, and once is enough to ask about a step that does the same
    /// in a million states. (A promise that stays broken until the run rests needs no such care.)
    ///
    /// # Errors
    ///
    /// The first promise that is broken, if any is.
    fn judge(&self, state: &Self::State, resting: bool) -> Result<(), Breach>;

    /// A 128-bit fingerprint of the whole state, the same on every machine: two states count as one
    /// exactly when their fingerprints are equal.
    /// [`hash::fingerprint_of`](crate::hash::fingerprint_of) makes one.
    fn fingerprint(&self, state: &Self::State) -> u128;

    /// How many bytes a state takes, about, with what is on the heap behind it and shared with no
    /// other. Limits of memory count with it.
    fn bytes_of(&self, _state: &Self::State) -> usize {
        size_of::<Self::State>()
    }

    /// What `step` is called in a schedule: see
    /// [`schedule::is_step_name`](crate::schedule::is_step_name) for what can be a name. It is
    /// stable across edits of the scenario as far as can be, and no two steps that are enabled
    /// together have the same one. The state is there to give ids their names.
    fn name(&self, state: &Self::State, step: Self::Step) -> String;

    /// The one of the `enabled` steps that is called `name`, if there is one: [`System::name`]
    /// backwards.
    fn parse(&self, state: &Self::State, enabled: &[Self::Step], name: &str) -> Option<Self::Step> {
        enabled
            .iter()
            .copied()
            .find(|step| self.name(state, *step) == name)
    }

    /// Who takes the step: a thread, an event loop, a guest. What that is called is
    /// [`System::actor_name`]'s business.
    ///
    /// Schedules are shown with one column for each, and strategies that give priorities give them
    /// to actors. Two steps of one actor may be enabled together.
    fn actor(&self, _step: Self::Step) -> usize {
        0
    }

    /// What the actor with this number is called; `state` is one in which it has a step.
    fn actor_name(&self, _state: &Self::State, _actor: usize) -> String {
        "system".to_owned()
    }

    /// What the client of this system calls the interesting cases that a search should have met.
    /// At most 64.
    fn witnesses(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// Which of [`System::witnesses`] the step done last has been: bit *n* stands for witness *n*.
    ///
    /// It is asked right after [`System::apply`], of the state that led to. What it looked at is in
    /// the footprint that `apply` returned, so it is the same in every order of independent steps.
    fn witnessed(&self, _state: &Self::State) -> u64 {
        0
    }

    /// The crew in which `step` is one of several interchangeable workers, if it is in one.
    ///
    /// Sixty-four copies in flight are one crew; that turns 2⁶⁴ orders into one. What a system
    /// promises by naming a crew is written down, with the reason why it is enough, at
    /// [`reduce`](crate::reduce).
    fn crew(&self, _state: &Self::State, _step: Self::Step) -> Option<u32> {
        None
    }
}

/// The parts of a state that a step touched: three masks, bit *n* standing for part *n*.
///
/// A part is what the system likes it to be; best is what one lock or one context protects. One
/// part may appear in several masks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Footprint {
    /// Parts on whose contents the step depended.
    pub reads: u64,
    /// Parts that it changed in any way but by a commuting access.
    pub writes: u64,
    /// Parts that it changed, without looking, in a way that commutes with every other such change
    /// of the part: a counter to which all only add, a set of bits that all only set.
    pub adds: u64,
    /// Parts on which the step depended in a way that no step enabled beside it can change, such as
    /// which file a node has. They do not matter for [`Footprint::independent`]; they matter to
    /// whoever wants to know what the same step would do in another state.
    pub looks: u64,
}

impl Footprint {
    /// Nothing touched.
    pub const NONE: Footprint = Footprint {
        reads: 0,
        writes: 0,
        adds: 0,
        looks: 0,
    };

    /// Whether two steps with these footprints commute: neither writes what the other touches, and
    /// what one adds to the other at most adds to.
    ///
    /// This is the independence relation of Mazurkiewicz's traces (*Concurrent program schemes and
    /// their interpretations*, 1977), with commuting updates as in Godefroid's *Partial-Order
    /// Methods for the Verification of Concurrent Systems* (1996).
    #[must_use]
    pub fn independent(self, other: Footprint) -> bool {
        self.collides(other) == 0
    }

    /// The parts over which two steps with these footprints do not commute; none if they are
    /// [independent](Footprint::independent).
    #[must_use]
    pub fn collides(self, other: Footprint) -> u64 {
        self.writes & other.touched()
            | other.writes & self.touched()
            | self.adds & other.reads
            | other.adds & self.reads
    }

    /// Whether everything that is independent of this footprint is independent of `other` too.
    #[must_use]
    pub fn covers(self, other: Footprint) -> bool {
        // The three masks against which another step's writes, adds and reads are held in
        // `independent`.
        let collides = |f: Footprint| [f.touched(), f.reads | f.writes, f.writes | f.adds];
        collides(self)
            .into_iter()
            .zip(collides(other))
            .all(|(mine, its)| its & !mine == 0)
    }

    /// Every part that the step's effect is a function of.
    #[must_use]
    pub fn depends(self) -> u64 {
        self.touched() | self.looks
    }

    /// Every part touched in any way.
    fn touched(self) -> u64 {
        self.reads | self.writes | self.adds
    }
}

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Breach {
    /// Which one, by the name under which it is listed.
    pub property: &'static str,
    /// How it was broken: one sentence in the reader's terms.
    pub message: String,
    /// The name of the known defect that explains it, if the system knows of one.
    pub known: Option<&'static str>,
}

impl Breach {
    /// A breach that no known defect explains.
    #[must_use]
    pub fn new(property: &'static str, message: String) -> Breach {
        Breach {
            property,
            message,
            known: None,
        }
    }
}

impl Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.property, self.message)?;
        match self.known {
            Some(known) => write!(f, " (the known defect {known})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Breach {}

#[cfg(test)]
mod tests {
    use super::*;

    const PART: u64 = 1;
    const READS: Footprint = Footprint {
        reads: PART,
        ..Footprint::NONE
    };
    const WRITES: Footprint = Footprint {
        writes: PART,
        ..Footprint::NONE
    };
    const ADDS: Footprint = Footprint {
        adds: PART,
        ..Footprint::NONE
    };

    #[test]
    fn on_one_part_only_reads_with_reads_and_adds_with_adds_commute() {
        let check = |one: Footprint, other: Footprint, commute: bool| {
            assert_eq!(one.independent(other), commute, "{one:?} {other:?}");
            assert_eq!(other.independent(one), commute, "{other:?} {one:?}");
        };
        check(READS, READS, true);
        check(READS, WRITES, false);
        check(READS, ADDS, false);
        check(WRITES, WRITES, false);
        check(WRITES, ADDS, false);
        check(ADDS, ADDS, true);
        check(Footprint::NONE, WRITES, true);
    }

    #[test]
    fn different_parts_always_commute() {
        let elsewhere = Footprint {
            reads: 2,
            writes: 4,
            adds: 8,
            looks: 0,
        };
        for footprint in [READS, WRITES, ADDS] {
            assert!(footprint.independent(elsewhere));
        }
    }

    /// `covers` by its definition, over all footprints of two parts.
    #[test]
    fn covers_is_what_its_definition_says() {
        let all: Vec<Footprint> = (0..64_u64)
            .map(|bits| Footprint {
                reads: bits & 3,
                writes: bits >> 2 & 3,
                adds: bits >> 4,
                looks: 0,
            })
            .collect();
        for one in &all {
            for other in &all {
                let defined = all
                    .iter()
                    .all(|third| !third.independent(*one) || third.independent(*other));
                assert_eq!(one.covers(*other), defined, "{one:?} {other:?}");
            }
        }
    }
}
