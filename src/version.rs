//! Which blockrace this is: reports, checkpoints and processes of one search must be of the same one.

/// The version of the package, and a hash of the sources of its rules (`build.rs`): what a seed, a state and a step are.
pub const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (rules ",
    env!("BLOCKRACE_RULES"),
    ")"
);
