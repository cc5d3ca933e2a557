//! States as rows of parts: what a search needs to store millions of them in a few bytes each, and to
//! remember what a step did.
//!
//! A state is cut into columns; what a column holds is a part. Different parts of one column get
//! numbers in the order in which they are first met (they are *interned*), so a state is a row of
//! small numbers: the state compression of SPIN's COLLAPSE (Holzmann, *State Compression in SPIN*,
//! 1997) and of LTSmin's tree table (Laarman, van de Pol and Weber, *Parallel Recursive State
//! Compression for Free*, 2011).
//!
//! Bit *n* of a [`Footprint`] stands for column *n* (several columns may share a
//! bit only if they are one column here), so what a step did can be remembered as a function of the
//! numbers in the columns it depended on: LTSmin's transition caching (Blom, van de Pol and Weber,
//! *Bridging the Gap between Enumerative and Symbolic Model Checkers*, 2009).

use crate::{Breach, Footprint, System};
use std::fmt::Debug;
use std::hash::Hash;

/// A system whose states are rows of parts.
pub trait Parts: System {
    /// What one column holds. Two parts of one column are the same part exactly when they are
    /// equal. Cheap to clone, so best behind an `Arc` unless it is small.
    type Part: Clone + Eq + Hash + Debug + Send + Sync;

    /// How many columns there are, at most 64; bit *n* of the masks in a footprint is column *n*.
    fn columns(&self) -> usize;

    /// What `column` of `state` holds.
    fn part(&self, state: &Self::State, column: usize) -> Self::Part;

    /// The state with these parts, one for each column.
    fn put_together(&self, parts: &[Self::Part]) -> Self::State;

    /// About how many bytes on the heap a part of `column` takes that no other part has.
    fn bytes_of_part(&self, _column: usize) -> usize {
        0
    }

    /// Into how many offers the steps of a state are cut: best one for each actor.
    fn offers(&self) -> usize;

    /// Things that are alike: sets of things, each thing a list of columns. Exchanging two things of
    /// one set, column by column, in any state that can be reached leads to a state that can be
    /// reached too, from which the same goes on with the two exchanged; and no promise tells them
    /// apart. Empty is always right.
    ///
    /// Of states that differ only by such exchanges a search visits one (Clarke, Enders, Filkorn and
    /// Jha, *Exploiting Symmetry in Temporal Logic Model Checking*, 1996; Ip and Dill, *Better
    /// Verification through Symmetry*, 1996).
    fn alike(&self) -> Vec<Vec<Vec<usize>>> {
        Vec::new()
    }

    /// Whether every step uses something up that never comes back, so that no state is ever met
    /// again in a run. A claim; `false` is always right, and makes a search look for cycles.
    fn uses_up(&self) -> bool {
        false
    }

    /// The columns that decide what `step` does, as a mask, when `footprint` is what it returned.
    fn depends(&self, _step: Self::Step, footprint: Footprint) -> u64 {
        footprint.depends()
    }

    /// The columns that `step` may have changed, as a mask, when `footprint` is what it returned.
    fn changes(&self, _step: Self::Step, footprint: Footprint) -> u64 {
        footprint.writes | footprint.adds
    }

    /// Puts the steps of offer `number` in `state` into `offer`, ascending, and says what they were
    /// found by. All offers together are what [`System::enabled`] lists, not always in its order.
    ///
    /// The implementation clears `offer` first.
    fn offer(&self, state: &Self::State, number: usize, offer: &mut Offer<Self::Step>);
}

/// A step of an [`Offer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offered<T> {
    /// The step.
    pub step: T,
    /// Its crew: see [`System::crew`].
    pub crew: Option<u32>,
    /// It is time that makes the step happen: whoever waits for everything else to be over does not
    /// wait for it.
    pub of_time: bool,
}

impl<T> Offered<T> {
    /// A step with neither crew nor clock.
    pub fn new(step: T) -> Offered<T> {
        Offered {
            step,
            crew: None,
            of_time: false,
        }
    }
}

/// Some of the steps possible in a state, best those of one actor.
#[derive(Clone, Debug)]
pub struct Offer<T> {
    /// Its steps.
    pub steps: Vec<Offered<T>>,
    /// Whether the steps are possible only when no other offer has any but those of time.
    pub when_idle: bool,
    /// The columns whose contents decided that these are its steps, what their crews are, and
    /// whether it is `alone`. Best few of them.
    pub looked: u64,
    /// Whether every step of this offer commutes with all that the others can do before one of its
    /// steps is done, whatever they do, and none of them can add a step to it or take one away: the
    /// offer is a persistent set by itself (Godefroid, 1996).
    ///
    /// It is a claim, used by searches that reduce; `false` is always right. A search in whose graph
    /// there is a cycle does not use it.
    pub alone: bool,
}

impl<T> Offer<T> {
    /// Nothing offered, nothing looked at.
    #[must_use]
    pub fn new() -> Offer<T> {
        Offer {
            steps: Vec::new(),
            when_idle: false,
            looked: 0,
            alone: false,
        }
    }

    /// Nothing offered, nothing looked at.
    pub fn clear(&mut self) {
        self.steps.clear();
        self.when_idle = false;
        self.looked = 0;
        self.alone = false;
    }
}

impl<T> Default for Offer<T> {
    fn default() -> Offer<T> {
        Offer::new()
    }
}

/// Any system as one of parts: one column, which is the whole state, and one offer.
///
/// It makes small systems searchable without a word about how they could be cut.
#[derive(Clone, Copy, Debug)]
pub struct Whole<S>(pub S);

impl<S: System> System for Whole<S> {
    type State = S::State;
    type Step = S::Step;
    type Observation = S::Observation;

    fn initial(&self) -> S::State {
        self.0.initial()
    }

    fn enabled(&self, state: &S::State, steps: &mut Vec<S::Step>) {
        self.0.enabled(state, steps);
    }

    fn apply(
        &self,
        state: &mut S::State,
        step: S::Step,
        seen: &mut Vec<S::Observation>,
    ) -> Footprint {
        self.0.apply(state, step, seen)
    }

    fn judge(&self, state: &S::State, resting: bool) -> Result<(), Breach> {
        self.0.judge(state, resting)
    }

    fn fingerprint(&self, state: &S::State) -> u128 {
        self.0.fingerprint(state)
    }

    fn name(&self, state: &S::State, step: S::Step) -> String {
        self.0.name(state, step)
    }

    fn parse(&self, state: &S::State, enabled: &[S::Step], name: &str) -> Option<S::Step> {
        self.0.parse(state, enabled, name)
    }

    fn actor(&self, step: S::Step) -> usize {
        self.0.actor(step)
    }

    fn actor_name(&self, state: &S::State, actor: usize) -> String {
        self.0.actor_name(state, actor)
    }

    fn witnesses(&self) -> Vec<&'static str> {
        self.0.witnesses()
    }

    fn witnessed(&self, state: &S::State) -> u64 {
        self.0.witnessed(state)
    }

    fn crew(&self, state: &S::State, step: S::Step) -> Option<u32> {
        self.0.crew(state, step)
    }
}

impl<S> Parts for Whole<S>
where
    S: System,
    S::State: Eq + Hash + Debug + Sync,
{
    type Part = S::State;

    fn columns(&self) -> usize {
        1
    }

    fn part(&self, state: &S::State, _column: usize) -> S::State {
        state.clone()
    }

    fn put_together(&self, parts: &[S::State]) -> S::State {
        parts[0].clone()
    }

    fn offers(&self) -> usize {
        1
    }

    fn depends(&self, _step: S::Step, _footprint: Footprint) -> u64 {
        1
    }

    fn changes(&self, _step: S::Step, _footprint: Footprint) -> u64 {
        1
    }

    fn offer(&self, state: &S::State, _number: usize, offer: &mut Offer<S::Step>) {
        offer.clear();
        let mut steps = Vec::new();
        self.0.enabled(state, &mut steps);
        offer.looked = 1;
        offer.steps.extend(steps.into_iter().map(|step| Offered {
            crew: self.0.crew(state, step),
            ..Offered::new(step)
        }));
    }
}
