//! The engines, compiled for scenes in this package, so that the programs and tests that use them need not compile them
//! again, each for itself. The compiler shares them where little is optimised; these functions are what makes it
//! compile them here, and nobody needs to call them.

use crate::scene::{Moment, Scene, Step};
use sim::Stale;
use sim::fuzz::{self, Campaign};
use sim::search::{self, Control, Keeper, Options, Saved};
use sim::stateless::{self, Keeping, Stateless};
use sim::trials::{self, Trial, Trials};
use std::io::Read;

/// See [`sim::search::search`].
pub fn search(scene: &Scene, options: &Options, control: &Control) -> search::Report<Step> {
    search::search(scene, options, control)
}

/// See [`sim::search::search_on`].
///
/// # Errors
/// What was kept is of another search.
pub fn search_on<'s>(
    scene: &'s Scene,
    options: &Options,
    control: &Control,
    from: Option<(Saved, &mut dyn Read)>,
    keeper: &'s mut Keeper<'s>,
) -> Result<search::Report<Step>, Stale> {
    search::search_on(scene, options, control, from, keeper)
}

/// See [`sim::fuzz::fuzz`].
pub fn fuzz(scene: &Scene, campaign: &Campaign<'_>, control: &fuzz::Control) -> fuzz::Report {
    fuzz::fuzz(scene, campaign, control)
}

/// See [`sim::trials::trials`].
pub fn trials(
    scene: &Scene,
    trials: &Trials<'_>,
    control: &trials::Control,
) -> Option<Vec<Vec<Trial>>> {
    trials::trials(scene, trials, control)
}

/// See [`Stateless::explore_on`].
///
/// # Errors
/// What was kept is of another exploration.
pub fn explore_on(
    exploration: Stateless<'_, Scene>,
    from: Option<&stateless::Saved>,
    keeping: Keeping<'_>,
    on_rest: &mut dyn FnMut(&Moment),
) -> Result<stateless::Report, Stale> {
    exploration.explore_on(from, keeping, on_rest)
}
