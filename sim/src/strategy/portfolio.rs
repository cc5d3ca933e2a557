//! A portfolio: several strategies take the runs between them, since no one is best at everything.
//!
//! Which of them a run gets is a function of its seed alone, like everything else about it: the seed modulo
//! their number, and seeds are well mixed. That one then does what it would do by itself under that seed.

use super::{Choice, Choices, Divergence, Pct, Pos, Random, Strategy, Survey, Urw};
use std::num::NonZeroU8;

/// Hands each run to one of `random`, `pct:2`, `pct:3`, `pos` and `urw`.
pub struct Portfolio {
    members: Vec<Box<dyn Strategy>>,
    /// Whose run it is.
    current: usize,
}

impl Portfolio {
    /// The names of the members, in the order of the remainders that they take.
    pub const MEMBERS: [&'static str; 5] = ["random", "pct:2", "pct:3", "pos", "urw"];

    /// All members, made with one survey.
    #[must_use]
    pub fn new(survey: &Survey) -> Portfolio {
        const TWO: NonZeroU8 = NonZeroU8::new(2).unwrap();
        const THREE: NonZeroU8 = NonZeroU8::new(3).unwrap();
        let members: [Box<dyn Strategy>; Self::MEMBERS.len()] = [
            Box::new(Random::default()),
            Box::new(Pct::new(survey, TWO)),
            Box::new(Pct::new(survey, THREE)),
            Box::new(Pos::default()),
            Box::new(Urw::new(survey)),
        ];
        Portfolio {
            members: members.into(),
            current: 0,
        }
    }

    /// Which of [`Portfolio::MEMBERS`] takes the run with this seed.
    #[must_use]
    pub fn member(seed: u64) -> usize {
        (seed % Self::MEMBERS.len() as u64) as usize
    }
}

impl Strategy for Portfolio {
    fn begin(&mut self, seed: u64) {
        self.current = Portfolio::member(seed);
        self.members[self.current].begin(seed);
    }

    fn choose(&mut self, choices: &dyn Choices) -> Choice {
        self.members[self.current].choose(choices)
    }

    fn rested(&mut self) -> Option<Divergence> {
        self.members[self.current].rested()
    }
}
