//! One world's successors: every enabled step done on a copy of it, without those that a crew leaves
//! to another. Membership and the language of traces go on from here.

use crate::reduce::persistent;
use crate::{Footprint, System};

/// The buffers for doing all steps of a world.
pub(crate) struct Expansion<S: System> {
    enabled: Vec<S::Step>,
    successors: Vec<Successor<S>>,
    footprints: Vec<Footprint>,
    /// Indices of the steps that have to be tried.
    kept: Vec<usize>,
}

/// Where a step leads.
pub(crate) struct Successor<S: System> {
    /// The step's position among the enabled ones.
    pub(crate) index: usize,
    /// The state after it.
    pub(crate) state: S::State,
    /// What it showed, in order.
    pub(crate) seen: Vec<S::Observation>,
}

impl<S: System> Expansion<S> {
    pub(crate) fn new() -> Expansion<S> {
        Expansion {
            enabled: Vec::new(),
            successors: Vec::new(),
            footprints: Vec::new(),
            kept: Vec::new(),
        }
    }

    /// Hands the successors of `state` to `on`, in the order of the steps, and says whether it has
    /// any. With `reduce`, interchangeable workers are taken in one order only: see
    /// [`reduce`](crate::reduce).
    pub(crate) fn expand(
        &mut self,
        system: &S,
        state: &S::State,
        reduce: bool,
        on: &mut dyn FnMut(Successor<S>),
    ) -> bool {
        system.enabled(state, &mut self.enabled);
        self.successors.clear();
        self.footprints.clear();
        for (index, step) in self.enabled.iter().enumerate() {
            let (mut state, mut seen) = (state.clone(), Vec::new());
            self.footprints
                .push(system.apply(&mut state, *step, &mut seen));
            self.successors.push(Successor { index, state, seen });
        }
        if reduce {
            persistent(
                system,
                state,
                &self.enabled,
                &self.footprints,
                &mut self.kept,
            );
        } else {
            self.kept.clear();
            self.kept.extend(0..self.enabled.len());
        }
        let mut kept = self.kept.iter().peekable();
        for successor in self.successors.drain(..) {
            if kept.next_if_eq(&&successor.index).is_some() {
                on(successor);
            } else {
                assert!(
                    successor.seen.is_empty(),
                    "`{}` shows something, but is not the last of its crew",
                    system.name(state, self.enabled[successor.index])
                );
            }
        }
        !self.enabled.is_empty()
    }
}
