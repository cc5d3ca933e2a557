//! Jobs that end together: jobs.md §6, §10 and concurrency.md §5.1, as stories under many seeds.

mod support;

use support::{Row, check};

/// Two disks with something to copy, their targets, one clean bitmap each.
const TWO: &str = "
    disk d0 256k 0x41@0+128k
    disk d1 256k 0x42@0+128k
    disk t0 256k
    disk t1 256k
    launch d0 d1
    node t0
    node t1
    add n0/b0
    add n1/b0
";

/// The same with three, and nothing in them.
const THREE_EMPTY: &str = "
    disk d0 256k
    disk d1 256k
    disk d2 256k
    disk t0 256k
    disk t1 256k
    disk t2 256k
    launch d0 d1 d2
    node t0
    node t1
    node t2
    add n0/b0
    add n1/b0
    add n2/b0
    mark
";

const THREE_BACKUPS: &str = "backup j0 d0 t0 {sync: incremental, bitmap: b0}; \
     backup j1 d1 t1 {sync: incremental, bitmap: b0}; backup j2 d2 t2 {sync: incremental, bitmap: b0}";

fn three_empty(mode: &str) -> String {
    format!("{THREE_EMPTY}\n{mode} {THREE_BACKUPS}")
}

#[test]
fn three_empty_jobs_end_in_the_order_of_their_bottom_halves_and_nests() {
    const TERMINALS: &str = "COMPLETED j2 0/0; concluded j2; null j2; COMPLETED j1 0/0; concluded j1; null j1; \
         COMPLETED j0 0/0; concluded j0; null j0; R; $";
    let _ = TERMINALS;
    check(&[
        Row {
            spec: "concurrency 5.1, 7.2 grouped",
            dialect: "7.2",
            story: three_empty("group"),
            always: &["^; > transaction; created j0; created j1; created j2; \
                running j0; paused j0; running j1; paused j1; running j2; paused j2; \
                running j0; running j1; running j2; \
                waiting j2; waiting j1; waiting j0; pending j2; pending j1; pending j0; \
                COMPLETED j2 0/0; concluded j2; null j2; COMPLETED j1 0/0; concluded j1; null j1; \
                COMPLETED j0 0/0; concluded j0; null j0; R; $"],
            ..Row::default()
        },
        Row {
            spec: "concurrency 5.1, 7.2 individual",
            dialect: "7.2",
            story: three_empty("each"),
            always: &["..; running j2; waiting j2; pending j2; COMPLETED j2 0/0; concluded j2; null j2; \
                waiting j1; pending j1; COMPLETED j1 0/0; concluded j1; null j1; \
                waiting j0; pending j0; COMPLETED j0 0/0; concluded j0; null j0; R; $"],
            ..Row::default()
        },
        Row {
            spec: "concurrency 5.1, 10.0 grouped",
            dialect: "10.0",
            story: three_empty("group"),
            always: &["^; > transaction; created j0; created j1; created j2; \
                running j2; paused j2; running j1; paused j1; running j0; paused j0; \
                running j2; running j1; running j0; \
                waiting j0; waiting j1; waiting j2; pending j2; pending j1; pending j0; \
                COMPLETED j2 0/0; concluded j2; null j2; COMPLETED j1 0/0; concluded j1; null j1; \
                COMPLETED j0 0/0; concluded j0; null j0; R; $"],
            ..Row::default()
        },
        Row {
            spec: "concurrency 5.1, 10.0 individual",
            dialect: "10.0",
            story: three_empty("each"),
            always: &["..; running j0; waiting j0; pending j0; waiting j1; pending j1; waiting j2; pending j2; \
                COMPLETED j2 0/0; concluded j2; null j2; COMPLETED j1 0/0; concluded j1; null j1; \
                COMPLETED j0 0/0; concluded j0; null j0; R; $"],
            ..Row::default()
        },
    ]);
}
