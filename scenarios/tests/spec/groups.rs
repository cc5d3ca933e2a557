//! Jobs that end together: jobs.md §6, §10 and concurrency.md §5.1, as stories under many seeds.

use crate::support::{Row, check};

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
    mark
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
            always: &[
                "..; running j2; waiting j2; pending j2; COMPLETED j2 0/0; concluded j2; null j2; \
                waiting j1; pending j1; COMPLETED j1 0/0; concluded j1; null j1; \
                waiting j0; pending j0; COMPLETED j0 0/0; concluded j0; null j0; R; $",
            ],
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
            always: &[
                "..; running j0; waiting j0; pending j0; waiting j1; pending j1; waiting j2; pending j2; \
                COMPLETED j2 0/0; concluded j2; null j2; COMPLETED j1 0/0; concluded j1; null j1; \
                COMPLETED j0 0/0; concluded j0; null j0; R; $",
            ],
            ..Row::default()
        },
    ]);
}

fn two(lines: &str) -> String {
    format!("{TWO}\n{lines}")
}

/// The first read of d0 (or of d1) fails, once.
fn two_with_fault(disk: &str, lines: &str) -> String {
    format!("faults {disk} {{inject-error: [{{event: read_aio, once: true}}]}}\n{TWO}\n{lines}")
}

#[test]
fn a_group_of_two_ends_well_together() {
    check(&[
        Row {
            spec: "jobs 10d, 7.2",
            dialect: "7.2",
            story: two("group backup j0 d0 t0 {sync: full}; backup j1 d1 t1 {sync: full}"),
            always: &[
                "^; > transaction; created j0; created j1; running j0; paused j0; running j1; paused j1; running j0; running j1",
                "pending j1; pending j0; COMPLETED j1 262144/262144; concluded j1; null j1; \
                 COMPLETED j0 262144/262144; concluded j0; null j0; $",
                "R; ..; COMPLETED j0 262144/262144",
            ],
            sometimes: &["waiting j0; ..; waiting j1", "waiting j1; ..; waiting j0"],
            never: &["COMPLETED j1*; ..; waiting j0"],
        },
        Row {
            spec: "jobs 10d, 10.0: started in reverse, ended alike",
            dialect: "10.0",
            story: two("group backup j0 d0 t0 {sync: full}; backup j1 d1 t1 {sync: full}"),
            always: &[
                "^; > transaction; created j0; created j1; running j1; paused j1; running j0; paused j0; running j1; running j0",
                "pending j1; pending j0; COMPLETED j1 262144/262144; concluded j1; null j1; \
                 COMPLETED j0 262144/262144; concluded j0; null j0; $",
            ],
            sometimes: &["waiting j0; ..; waiting j1", "waiting j1; ..; waiting j0"],
            ..Row::default()
        },
        Row {
            spec: "transactions 7, individual: each by itself",
            story: two("each backup j0 d0 t0 {sync: full}; backup j1 d1 t1 {sync: full}"),
            always: &[
                "COMPLETED j0 262144/262144; concluded j0; null j0",
                "COMPLETED j1 262144/262144; concluded j1; null j1",
            ],
            ..Row::default()
        },
        // In 10.0 one is hardly ever so far ahead: each change of the graph by one lets the other go on.
        Row {
            spec: "transactions 7, individual: one may be over before the other has copied all",
            dialect: "7.2",
            story: two("each backup j0 d0 t0 {sync: full}; backup j1 d1 t1 {sync: full}"),
            sometimes: &["null j0; ..; waiting j1", "null j1; ..; waiting j0"],
            ..Row::default()
        },
    ]);
}

#[test]
fn an_empty_sibling_of_a_failing_job_is_cancelled() {
    check(&[
        Row {
            spec: "jobs 10e: j0 empty, j1 fails on read",
            story: two_with_fault(
                "d1",
                "add n0/e\n\
                group backup j0 d0 t0 {sync: incremental, bitmap: e}; backup j1 d1 t1 {sync: full}\n\
                until null j0\nbitmaps",
            ),
            always: &[
                "waiting j0; ..; aborting j1; COMPLETED j1 */262144 Input/output error; concluded j1; null j1; \
                 aborting j0; CANCELLED j0 0/0; concluded j0; null j0",
                "ERROR j1 read report; ..; aborting j1",
                "bitmaps n0/e=0 n0/b0=0 n1/b0=0; $",
            ],
            never: &["ERROR*; ..; ERROR*", "pending *"],
            ..Row::default()
        },
        Row {
            spec: "jobs 10e, the roles swapped",
            story: two_with_fault(
                "d0",
                "group backup j0 d0 t0 {sync: full}; backup j1 d1 t1 {sync: incremental, bitmap: b0}",
            ),
            always: &[
                "waiting j1; ..; aborting j0; aborting j1; CANCELLED j1 0/0; concluded j1; null j1; \
                 COMPLETED j0 */262144 Input/output error; concluded j0; null j0; .. ; $",
                "ERROR j0 read report; ..; aborting j0",
            ],
            sometimes: &["R; ..; ERROR j0 read report"],
            ..Row::default()
        },
        Row {
            spec: "jobs 10e: a sibling that is not empty runs or waits when the other fails",
            story: two_with_fault(
                "d1",
                "group drive-backup j0 d0 a {sync: full}; drive-backup j1 d1 b {sync: full}",
            ),
            always: &[
                "aborting j1; ..; COMPLETED j1 * Input/output error; concluded j1; null j1; ..; CANCELLED j0 *; concluded j0; null j0",
            ],
            sometimes: &[
                "waiting j0; ..; aborting j1; COMPLETED j1 *; concluded j1; null j1; aborting j0; CANCELLED j0 262144/262144",
                "aborting j1; aborting j0; COMPLETED j1 *",
                "null j1; aborting j0; CANCELLED j0 */262144",
            ],
            never: &[
                "aborting j1; ..; waiting j0",
                "aborting j0; ..; aborting j1",
                "COMPLETED j0 *",
            ],
            ..Row::default()
        },
    ]);
}

#[test]
fn every_sibling_is_cancelled_from_whatever_status_it_is_in() {
    let none = |job: u32| format!("backup j{job} d{job} t{job} {{sync: none}}");
    let three = "
        disk d0 256k 0x41@0+256k
        disk d1 256k 0x41@0+256k
        disk d2 256k 0x41@0+256k
        disk t0 256k
        disk t1 256k
        disk t2 256k
        launch d0 d1 d2
        node t0
        node t1
        node t2
        mark";
    check(&[
        Row {
            spec: "jobs 6.3: cancel of one of three idle jobs, 7.2: each goes in its own turn",
            dialect: "7.2",
            story: format!(
                "{three}\ngroup {}; {}; {}\njob-cancel j0",
                none(0),
                none(1),
                none(2)
            ),
            always: &[
                "aborting j0; aborting j2; CANCELLED j2 0/262144; concluded j2; null j2; \
                aborting j1; CANCELLED j1 0/262144; concluded j1; null j1; CANCELLED j0 0/262144; concluded j0; null j0",
            ],
            ..Row::default()
        },
        Row {
            spec: "jobs 6.3: 10.0 drains all, so the siblings' ends run inside",
            dialect: "10.0",
            story: format!(
                "{three}\ngroup {}; {}; {}\njob-cancel j0",
                none(0),
                none(1),
                none(2)
            ),
            always: &[
                "aborting j0; aborting j2; aborting j1; CANCELLED j2 0/262144; concluded j2; null j2; \
                CANCELLED j1 0/262144; concluded j1; null j1; CANCELLED j0 0/262144; concluded j0; null j0",
            ],
            ..Row::default()
        },
        Row {
            spec: "jobs 6.4: a user-paused sibling runs on before it aborts",
            story: two(
                "group backup j0 d0 t0 {sync: none}; backup j1 d1 t1 {sync: none}\nmark\n\
                job-pause j0\nuntil paused j0\njob-cancel j1",
            ),
            always: &[
                "paused j0; ..; aborting j1; ..; CANCELLED j1 *; ..; CANCELLED j0 *; concluded j0; null j0",
                "> job-cancel; ..; running j0; ..; aborting j0; ..; CANCELLED j0 *",
            ],
            ..Row::default()
        },
        Row {
            spec: "jobs 6.3: cancel in a pending group: the newest first, nobody before its turn",
            story: two(
                "group backup j0 d0 t0 {sync: full, auto-finalize: false}; backup j1 d1 t1 {sync: full}\n\
                until PENDING j0\njob-cancel j0",
            ),
            always: &[
                "> job-cancel; aborting j1; CANCELLED j1 262144/262144; concluded j1; null j1; \
                aborting j0; CANCELLED j0 262144/262144; concluded j0; null j0; R; $",
            ],
            ..Row::default()
        },
        Row {
            spec: "jobs 6.4: cancel of a waiting job, the other idle",
            story: two(
                "group backup j0 d0 t0 {sync: incremental, bitmap: b0}; backup j1 d1 t1 {sync: none}\n\
                until waiting j0\njob-cancel j0",
            ),
            always: &[
                "> job-cancel; aborting j1; CANCELLED j1 0/262144; concluded j1; null j1; \
                aborting j0; CANCELLED j0 0/0; concluded j0; null j0; R; $",
            ],
            ..Row::default()
        },
        Row {
            spec: "jobs 6.4: both fail by themselves: one says so, the other was cancelled meanwhile",
            story: format!(
                "faults d0 {{inject-error: [{{event: read_aio, once: true}}]}}\n{}\nuntil concluded j0\nquery-jobs",
                two_with_fault(
                    "d1",
                    "group backup j0 d0 t0 {sync: full, auto-dismiss: false}; \
                    backup j1 d1 t1 {sync: full, auto-dismiss: false}"
                )
            ),
            sometimes: &[
                "ERROR j0 read report; ..; ERROR j1 read report; ..; COMPLETED j1 * Input/output error; ..; CANCELLED j0 *",
                "ERROR j1 read report; ..; CANCELLED j1 *; ..; COMPLETED j0 * Input/output error",
                "R *Input/output error*Input/output error*",
                "R *Input/output error*Operation canceled*",
            ],
            never: &["COMPLETED *; ..; COMPLETED *"],
            ..Row::default()
        },
    ]);
}

#[test]
fn a_grouped_rollback_of_two_jobs_never_replies() {
    check(&[
        Row {
            spec: "bugs A1, transactions 6, 7.2",
            dialect: "7.2",
            story: two("group backup j0 d0 t0 {sync: full}; backup j1 d1 t1 {sync: full}; abort"),
            always: &[
                "^; > transaction; created j0; created j1; aborting j1; concluded j1; null j1; hang; left j0 created; $",
            ],
            ..Row::default()
        },
        Row {
            spec: "bugs A1: any failing action, both releases",
            story: two(
                "group backup j0 d0 t0 {sync: full}; backup j1 d1 t1 {sync: full}; \
                backup j2 d0 t0 {sync: incremental, bitmap: none}",
            ),
            always: &[
                "^; > transaction; created j0; created j1; aborting j1; concluded j1; null j1; hang; left j0 created; $",
            ],
            ..Row::default()
        },
        Row {
            spec: "bugs A1: one job prepared is rolled back",
            dialect: "7.2",
            story: two(
                "group backup j0 d0 t0 {sync: full}; abort ! Transaction aborted using Abort action",
            ),
            always: &[
                "^; > transaction; created j0; aborting j0; concluded j0; null j0; E Transaction aborted using Abort action; $",
            ],
            ..Row::default()
        },
        Row {
            spec: "bugs A1: individual mode is fine",
            story: two(
                "each backup j0 d0 t0 {sync: full}; backup j1 d1 t1 {sync: full}; abort \
                ! Transaction aborted using Abort action",
            ),
            always: &[
                "^; > transaction; created j0; created j1; aborting j1; concluded j1; null j1; \
                aborting j0; concluded j0; null j0; E Transaction aborted using Abort action; $",
            ],
            ..Row::default()
        },
    ]);
}

#[test]
fn a_manual_member_holds_all_and_one_finalize_ends_all() {
    let story = |rest: &str| {
        two(&format!(
            "group backup j0 d0 t0 {{sync: full, auto-finalize: false}}; backup j1 d1 t1 {{sync: full}}\nuntil PENDING j0\n{rest}"
        ))
    };
    check(&[
        Row {
            spec: "jobs 10f: only the manual member announces",
            story: story(""),
            always: &[
                "pending j1; pending j0; PENDING j0",
                "left j1 pending; left j0 pending; $",
            ],
            never: &["PENDING j1", "COMPLETED *"],
            ..Row::default()
        },
        Row {
            spec: "jobs 10f: finalize the manual one",
            story: story("job-finalize j0"),
            always: &[
                "> job-finalize; COMPLETED j1 262144/262144; concluded j1; null j1; \
                COMPLETED j0 262144/262144; concluded j0; null j0; R; $",
            ],
            ..Row::default()
        },
        Row {
            spec: "jobs 10f: finalize the other one",
            story: story("block-job-finalize j1"),
            always: &[
                "> block-job-finalize; COMPLETED j1 262144/262144; concluded j1; null j1; \
                COMPLETED j0 262144/262144; concluded j0; null j0; R; $",
            ],
            ..Row::default()
        },
        Row {
            spec: "jobs 10g: manual-dismiss members lack null",
            story: two(
                "group backup j0 d0 t0 {sync: full, auto-finalize: false, auto-dismiss: false}; \
                backup j1 d1 t1 {sync: full, auto-dismiss: false}\nuntil PENDING j0\njob-finalize j0\n\
                job-dismiss j0\nblock-job-dismiss j1",
            ),
            always: &[
                "> job-finalize; COMPLETED j1 262144/262144; concluded j1; COMPLETED j0 262144/262144; concluded j0; R; \
                > job-dismiss; null j0; R; > block-job-dismiss; null j1; R; $",
            ],
            ..Row::default()
        },
        Row {
            spec: "jobs 8: auto-finalize does not matter to a group that fails",
            story: two_with_fault(
                "d1",
                "group backup j0 d0 t0 {sync: full, auto-finalize: false}; \
                backup j1 d1 t1 {sync: full, auto-finalize: false, auto-dismiss: false}",
            ),
            always: &[
                "COMPLETED j1 * Input/output error; concluded j1; ..; CANCELLED j0 *; concluded j0; null j0; ..; left j1 concluded; $",
            ],
            never: &["pending *", "PENDING *", "null j1"],
            ..Row::default()
        },
    ]);
}
