//! Stories as threads, in every order in which their locks can be taken: only with `--cfg loom`.

#[cfg(loom)]
mod loom {
    mod bugs;
    mod stage;
    mod stories;
}

/// The lane that runs this under loom says so in its environment; without the cfg it must not pass.
#[cfg(not(loom))]
#[test]
fn the_loom_lane_is_not_empty() {
    let lane = std::env::var("BLOCKRACE_LANE").unwrap_or_default();
    assert_ne!(lane, "loom", "this was built without --cfg loom");
}
