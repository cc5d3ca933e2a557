//! The example of a system of one's own finds its planted mistake, and nothing without it.

#[allow(dead_code, reason = "an example has a main function")]
#[path = "../examples/own_system.rs"]
mod own_system;

#[test]
fn the_mistake_is_found_and_its_shortest_schedule_shown() {
    insta::assert_snapshot!(own_system::report().expect("text"), @"");
}
