//! The example of a system of one's own finds its planted mistake, and nothing without it.

#[allow(dead_code, reason = "an example has a main function")]
#[path = "../examples/own_system.rs"]
mod own_system;

#[test]
fn the_mistake_is_found_and_its_shortest_schedule_shown() {
    insta::assert_snapshot!(own_system::report().expect("text"), @r"
    the protocol: verified in 25 states
    with the mistake: flush-is-not-lost: writer0 was told that its data is safe, and one disk has it
    writer0 write
    mirror take 0
    writer0 flush
    replayed: the same
    ");
}
