//! One replay of a candidate: as much of it as is possible, and then on to the end.

use crate::{Breach, System};
use std::sync::Arc;

/// A step of a candidate, or one that was done.
#[derive(Clone, Debug)]
pub(super) struct Done {
    pub name: Arc<str>,
    /// Who did it; of no meaning before it is done.
    pub actor: usize,
}

impl Done {
    /// A step that has only a name so far.
    pub fn wanted(name: &str) -> Done {
        Done {
            name: name.into(),
            actor: 0,
        }
    }
}

/// What candidates are replayed in.
pub(super) struct Attempt<'s, S: System> {
    system: &'s S,
    initial: S::State,
    enabled: Vec<S::Step>,
    seen: Vec<S::Observation>,
}

impl<'s, S: System> Attempt<'s, S> {
    pub fn new(system: &'s S) -> Attempt<'s, S> {
        Attempt {
            system,
            initial: system.initial(),
            enabled: Vec::new(),
            seen: Vec::new(),
        }
    }

    /// Does those of the wanted steps that are possible when their turn comes, and then the least
    /// possible step each time, until a promise is broken. Returns what was done, if that was the
    /// right promise and took at most `steps_max` steps.
    pub fn follow(
        &mut self,
        wanted: &[Done],
        steps_max: usize,
        is_same: &dyn Fn(&Breach) -> bool,
    ) -> Option<(Vec<Done>, Breach)> {
        let mut state = self.initial.clone();
        let mut wanted = wanted.iter();
        let mut done = Vec::new();
        let breach = loop {
            if let Err(breach) = self.system.judge(&state, false) {
                break breach;
            }
            self.system.enabled(&state, &mut self.enabled);
            if self.enabled.is_empty() {
                break self.system.judge(&state, true).err()?;
            }
            if done.len() == steps_max {
                return None;
            }
            let (name, step) = self.next(&state, &mut wanted);
            done.push(Done {
                name,
                actor: self.system.actor(step),
            });
            self.seen.clear();
            self.system.apply(&mut state, step, &mut self.seen);
        };
        is_same(&breach).then_some((done, breach))
    }

    /// The first of the wanted steps that is possible, or the least one that is.
    fn next<'w>(
        &self,
        state: &S::State,
        wanted: &mut impl Iterator<Item = &'w Done>,
    ) -> (Arc<str>, S::Step) {
        wanted
            .find_map(|want| {
                let step = self.system.parse(state, &self.enabled, &want.name)?;
                Some((want.name.clone(), step))
            })
            .unwrap_or_else(|| {
                let least = self.enabled[0];
                (self.system.name(state, least).into(), least)
            })
    }
}
