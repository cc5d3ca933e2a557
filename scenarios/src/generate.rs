//! Random stories: mostly meaningful, and each a function of one number.
//!
//! A story is planned by strategies of proptest, which are put together from smaller ones: who plays (`cast`) and
//! what is done (`deed`, `moment`). A plan is plain data, told (`tell`) as a [`Story`] that anybody could have written: it
//! runs in the simulator, in a search, and on a real QEMU. It states no expectation, for it is the model that knows
//! what is allowed; so a run of it can only break a promise, and a real QEMU can only contradict the model.
//!
//! Plans know nothing of what a command will do, so that every command meets every moment. The few things that are
//! avoided would only waste time: retries without an end, limits that make a backup last for minutes.

use proptest::option::weighted;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::format::Story;
use crate::load;

mod cast;
mod deed;
mod moment;
mod tell;

/// What a scenario is called that is the random story of a seed: `random:5`.
pub const PREFIX: &str = "random:";

/// The upper 24 bytes of the key of a story's random numbers; the lower eight are its seed.
const KEY_TAIL: &[u8; 24] = b"blockrace random stories";

/// The share of stories in which QEMU has to quit in the middle of something, without a look at the bitmaps.
const HASTY: f64 = 0.2;

/// The random story of a seed, the same on every machine. Its name is `random-SEED`.
///
/// # Panics
/// When what was told cannot be read, which would be our mistake.
pub fn generate(seed: u64) -> Story {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..].copy_from_slice(KEY_TAIL);
    let numbers = TestRng::from_seed(RngAlgorithm::ChaCha, &key);
    // Nothing in the configuration (some of which comes from the environment) has to do with values being drawn:
    // no strategy here rejects any.
    let mut runner = TestRunner::new_with_rng(Config::default(), numbers);
    let end = weighted(HASTY, moment::last_moment());
    let plan = (cast::cast(), deed::deeds(), end);
    let tree = plan.new_tree(&mut runner);
    let (cast, deeds, end) = tree.expect("internal: nothing is rejected").current();
    let story = tell::story(seed, &cast, &deeds, end.as_deref());
    // The lines on which its items stand are those of its text.
    load::parse(&story.name, &story.to_string())
        .unwrap_or_else(|error| panic!("internal: a random story cannot be read: {error}"))
}

/// The seed in the name of a scenario that is a random story: 5 in `random:5`.
pub fn seed_of(scenario: &str) -> Option<u64> {
    scenario.strip_prefix(PREFIX)?.parse().ok()
}
