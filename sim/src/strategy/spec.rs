//! A strategy by its name on the command line, such as `pct:3`.

use super::{Constructor, STRATEGIES, Strategy, StrategyRow, Survey};
use crate::System;
use std::fmt::{self, Display};
use std::num::NonZeroU8;
use std::str::FromStr;

/// A strategy that seeds drive, with its parameter.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    row: &'static StrategyRow,
    kind: Kind,
}

/// How it is made: [`Constructor`] without what cannot serve a campaign.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Seeded(fn() -> Box<dyn Strategy>),
    Surveyed(fn(&Survey) -> Box<dyn Strategy>),
    Deep(fn(&Survey, NonZeroU8) -> Box<dyn Strategy>, NonZeroU8),
}

/// A name that is not one of a strategy; says what could be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecError(String);

impl Spec {
    /// Every strategy that seeds drive; with depth 3 where it has one.
    pub fn all() -> impl Iterator<Item = Spec> {
        const DEPTH: NonZeroU8 = NonZeroU8::new(3).unwrap();
        STRATEGIES.iter().filter_map(|row| Spec::of(row, DEPTH))
    }

    fn of(row: &'static StrategyRow, depth: NonZeroU8) -> Option<Spec> {
        let kind = match row.new {
            Constructor::Seeded(new) => Kind::Seeded(new),
            Constructor::Surveyed(new) => Kind::Surveyed(new),
            Constructor::Deep(new) => Kind::Deep(new, depth),
            Constructor::Following(_) => return None,
        };
        Some(Spec { row, kind })
    }

    /// What makes the strategy for runs of `system`. Where it needs a [`Survey`], that is done here, once.
    pub fn maker<S: System>(
        self,
        system: &S,
        steps_max: u64,
    ) -> impl Fn() -> Box<dyn Strategy> + Sync + use<S> {
        let survey = match self.kind {
            Kind::Seeded(_) => Survey::default(),
            Kind::Surveyed(_) | Kind::Deep(..) => Survey::of(system, steps_max),
        };
        move || match self.kind {
            Kind::Seeded(new) => new(),
            Kind::Surveyed(new) => new(&survey),
            Kind::Deep(new, depth) => new(&survey, depth),
        }
    }
}

/// The part of a row's name before the colon.
fn stem(row: &StrategyRow) -> &'static str {
    row.name.split(':').next().unwrap_or(row.name)
}

impl FromStr for Spec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Spec, SpecError> {
        let (name, depth) = match text.split_once(':') {
            Some((name, depth)) => (name, Some(depth)),
            None => (text, None),
        };
        let refused = |why: String| Err(SpecError(why));
        let Some(spec) = Spec::all().find(|spec| stem(spec.row) == name) else {
            let known: Vec<_> = Spec::all().map(|spec| spec.row.name).collect();
            return refused(format!("there are: {}", known.join(", ")));
        };
        match (spec.kind, depth) {
            (Kind::Deep(new, _), Some(depth)) => match depth.parse() {
                Ok(depth) => Ok(Spec {
                    kind: Kind::Deep(new, depth),
                    ..spec
                }),
                Err(_) => refused(format!(
                    "`{depth}` is not the depth of a bug: a whole number from 1 to 255, as in {name}:3"
                )),
            },
            (Kind::Deep(..), None) => {
                refused(format!("it needs the depth of a bug, as in {name}:3"))
            }
            (_, Some(_)) => refused(format!("`{name}` has no number")),
            (_, None) => Ok(spec),
        }
    }
}

/// As it is written on the command line.
impl Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Deep(_, depth) => write!(f, "{}:{depth}", stem(self.row)),
            Kind::Seeded(_) | Kind::Surveyed(_) => f.write_str(self.row.name),
        }
    }
}

impl Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SpecError {}
