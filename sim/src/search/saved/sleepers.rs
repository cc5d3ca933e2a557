//! What sleeps where, in numbers.
//!
//! A step is the system's own, so each different one is kept once: as a state in which it sleeps, and its place among
//! the offers there. What else is kept are the numbers of these.

use super::words::{Input, List};
use super::{Search, Stale};
use crate::parts::{Offer, Parts};
use crate::search::sleep::Sleepers;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;

/// The different steps that sleep, and how many states they sleep in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Asleep {
    steps: Vec<Place>,
    states: u64,
}

/// Where a step is found.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Place {
    state: u64,
    offer: u32,
    index: u32,
}

/// The numbers of steps.
pub(super) type Numbered<T> = BTreeMap<T, u64>;

/// What is kept instead of the steps of a state that waits for all that do not sleep.
const ALL: u64 = u64::MAX;

impl<S: Parts> Search<'_, S> {
    /// Numbers the steps that sleep.
    pub(super) fn asleep(&mut self) -> (Asleep, Numbered<S::Step>) {
        let (mut steps, mut numbered) = (Vec::new(), Numbered::new());
        let only = self.frontier.iter().zip(&self.only);
        let only = only.filter_map(|(key, only)| Some((key, only.as_ref()?)));
        for (key, sleeping) in self.sleepers.iter().chain(only) {
            for step in sleeping {
                if numbered.contains_key(step) {
                    continue;
                }
                let state = self.workers[0].state_of(&self.rows, *key);
                // One that is not possible where it sleeps says nothing there.
                if let Some((offer, index)) = place_of(self.system, &state, *step) {
                    numbered.insert(*step, steps.len() as u64);
                    steps.push(Place {
                        state: *key,
                        offer,
                        index,
                    });
                }
            }
        }
        let states = self.sleepers.len() as u64;
        (Asleep { steps, states }, numbered)
    }

    /// Takes what sleeps where.
    pub(super) fn restore_asleep(
        &mut self,
        asleep: &Asleep,
        input: &mut Input<'_>,
    ) -> Result<(), Stale> {
        const OTHER: Stale = Stale("a step that slept is not possible any more where it did");
        let mut steps = Vec::new();
        for place in &asleep.steps {
            if !self.workers[0].knows(&self.rows, place.state) {
                return Err(OTHER);
            }
            let state = self.workers[0].state_of(&self.rows, place.state);
            steps.push(step_at(self.system, &state, place).ok_or(OTHER)?);
        }
        for _ in 0..asleep.states {
            let key = input.next().map_err(super::unreadable)?;
            let count = input.next().map_err(super::unreadable)?;
            let sleeping = some(&steps, count, input)?;
            if !sleeping.is_empty() {
                self.sleepers.insert(key, sleeping);
            }
        }
        for _ in 0..self.frontier.len() {
            self.only
                .push(match input.next().map_err(super::unreadable)? {
                    ALL => None,
                    count => Some(some(&steps, count, input)?),
                });
        }
        Ok(())
    }
}

/// What sleeps where, and what of the steps of those that wait is to be done.
pub(super) fn list<'a, T: Copy + Ord>(
    sleepers: &'a Sleepers<T>,
    only: &'a [Option<Vec<T>>],
    numbered: Numbered<T>,
) -> List<'a> {
    let numbers = move |steps: &[T]| -> Vec<u64> {
        let numbers = steps.iter().filter_map(|step| numbered.get(step));
        numbers.copied().collect()
    };
    Box::new(move |output| {
        for (key, steps) in sleepers {
            let numbers = numbers(steps);
            output.push_all(&[*key, numbers.len() as u64])?;
            output.push_all(&numbers)?;
        }
        for steps in only {
            let Some(steps) = steps else {
                output.push(ALL)?;
                continue;
            };
            let numbers = numbers(steps);
            output.push(numbers.len() as u64)?;
            output.push_all(&numbers)?;
        }
        io::Result::Ok(())
    })
}

/// So many steps, whose numbers come next.
fn some<T: Copy>(steps: &[T], count: u64, input: &mut Input<'_>) -> Result<Vec<T>, Stale> {
    let mut some = Vec::new();
    for _ in 0..count {
        let number = input.next().map_err(super::unreadable)?;
        let step = usize::try_from(number).ok().and_then(|n| steps.get(n));
        some.push(*step.ok_or(Stale("a step sleeps that there is not"))?);
    }
    Ok(some)
}

/// The offer in which a step is, and its place there.
fn place_of<S: Parts>(system: &S, state: &S::State, step: S::Step) -> Option<(u32, u32)> {
    let mut offer = Offer::new();
    (0..system.offers()).find_map(|number| {
        offer = Offer::new();
        system.offer(state, number, &mut offer);
        let index = offer
            .steps
            .iter()
            .position(|offered| offered.step == step)?;
        Some((number as u32, index as u32))
    })
}

fn step_at<S: Parts>(system: &S, state: &S::State, place: &Place) -> Option<S::Step> {
    if place.offer as usize >= system.offers() {
        return None;
    }
    let mut offer = Offer::new();
    system.offer(state, place.offer as usize, &mut offer);
    Some(offer.steps.get(place.index as usize)?.step)
}
