//! The process: jobs.md §7 (process exit), as stories under many seeds.

use crate::support::{Row, check};

fn story(lines: &str) -> String {
    format!(
        "disk d0 256k 0x41@0+256k\ndisk d1 256k 0x41@0+256k\ndisk t0 256k\ndisk t1 256k\nlaunch d0 d1\nnode t0\nnode t1\nadd n0/b\nmark\n{lines}"
    )
}

#[test]
fn quit_cancels_every_job_newest_first() {
    check(&[
        Row {
            spec: "jobs 7: without jobs",
            story: story("& quit"),
            always: &["^; > quit; SHUTDOWN; R; exit 0; $"],
            ..Row::default()
        },
        Row {
            spec: "jobs 7: two running jobs",
            story: story("backup j0 d0 t0 {sync: none}\nbackup j1 d1 t1 {sync: none}\nmark\n& quit"),
            always: &[
                "SHUTDOWN; ..; running j1; ..; aborting j1; ..; CANCELLED j1 0/262144; ..; concluded j1; ..; null j1; ..; \
                 running j0; ..; aborting j0; ..; CANCELLED j0 0/262144; ..; concluded j0; ..; null j0; ..; exit 0; $",
                "SHUTDOWN; ..; R; ..; exit 0; $",
            ],
            sometimes: &["R; ..; CANCELLED j1 *"],
            ..Row::default()
        },
        Row {
            spec: "jobs 7: two running jobs, drained once",
            dialect: "7.2",
            story: story("backup j0 d0 t0 {sync: none}\nbackup j1 d1 t1 {sync: none}\nmark\n& quit"),
            sometimes: &["SHUTDOWN; paused j0; paused j1; running j1; aborting j1; CANCELLED j1 0/262144; concluded j1; null j1; \
                 running j0; aborting j0; CANCELLED j0 0/262144; concluded j0; null j0; R; exit 0; $"],
            ..Row::default()
        },
        Row {
            spec: "jobs 7: two running jobs, drained twice",
            dialect: "10.0",
            story: story("backup j0 d0 t0 {sync: none}\nbackup j1 d1 t1 {sync: none}\nmark\n& quit"),
            sometimes: &["SHUTDOWN; paused j0; paused j1; running j0; running j1; paused j0; paused j1; \
                 running j1; aborting j1; ..; CANCELLED j1 0/262144; concluded j1; null j1; \
                 running j0; aborting j0; ..; CANCELLED j0 0/262144; concluded j0; null j0; R; exit 0; $"],
            ..Row::default()
        },
        Row {
            spec: "jobs 7: a paused one and a stopped one run before they abort",
            story: format!("faults d1 {{inject-error: [{{event: read_aio, once: true}}]}}\n{}", story(
                "backup j0 d0 t0 {sync: none}\nbackup j1 d1 t1 {sync: full, on-source-error: stop}\nuntil ERROR j1\nmark\njob-pause j0\n& quit")),
            always: &["SHUTDOWN; ..; running j1; ..; aborting j1; ..; CANCELLED j1 *; ..; running j0; ..; CANCELLED j0 *; concluded j0; null j0; ..; exit 0; $"],
            never: &["COMPLETED *"],
            ..Row::default()
        },
        Row {
            spec: "jobs 7: one that waits to be finalized is cancelled; one that waits to be dismissed says null",
            story: story("backup j0 d0 t0 {sync: full, auto-dismiss: false}\nuntil concluded j0\n\
                backup j1 d1 t1 {sync: full, auto-finalize: false}\nuntil PENDING j1\nmark\n& quit"),
            always: &["SHUTDOWN; ..; aborting j1; ..; CANCELLED j1 262144/262144; concluded j1; null j1; ..; null j0; ..; exit 0; $"],
            ..Row::default()
        },
        Row {
            spec: "jobs 7: a group of which one waits and one never ends",
            story: story("group backup j0 d0 t0 {sync: none}; backup j1 n1 t1 {sync: full}\nuntil waiting j1\nmark\n& quit"),
            always: &["SHUTDOWN; ..; aborting j1; ..; CANCELLED j1 262144/262144; concluded j1; null j1; ..; CANCELLED j0 0/262144; concluded j0; null j0; ..; exit 0; $"],
            ..Row::default()
        },
        Row {
            spec: "jobs 7: manual-dismiss jobs cancelled by the exit say null too",
            story: story("backup j0 d0 t0 {sync: none, auto-dismiss: false}\nmark\n& quit"),
            always: &["aborting j0; ..; CANCELLED j0 0/262144; concluded j0; ..; null j0; ..; exit 0; $"],
            ..Row::default()
        },
        Row {
            spec: "jobs 7: a job at any moment",
            story: story("backup j0 d0 t0 {sync: full, x-perf: {max-chunk: 65536, max-workers: 1}}\n& quit"),
            sometimes: &["CANCELLED j0 196608/262144; ..; exit 0; $", "CANCELLED j0 262144/262144; ..; exit 0; $", "COMPLETED j0 262144/262144; ..; exit 0; $"],
            always: &["null j0; ..; exit 0; $"],
            never: &["CANCELLED *; ..; COMPLETED *"],
            ..Row::default()
        },
        Row {
            spec: "jobs 7: in an iothread",
            story: "disk d0 256k 0x41@0+256k\ndisk t0 256k\nlaunch d0:iothread0\nnode t0\nbackup j0 d0 t0 {sync: none}\nmark\n& quit".into(),
            always: &["running j0; ..; aborting j0; ..; CANCELLED j0 0/262144; concluded j0; null j0; ..; exit 0; $"],
            ..Row::default()
        },
        Row {
            spec: "jobs 7: guests in flight end first, and the images are whole",
            story: format!("guest g0 d0: write -P1 0 64k, write -P2 64k 64k\n{}", story("copy d0 before\nbackup j0 d0 t0 {sync: full}\nstart g0\nshutdown\ncompare t0 before")),
            sometimes: &["exit 0; compare identical; g0 ok; $", "COMPLETED *"],
            always: &["exit 0; compare *"],
            never: &["g0 stuck"],
            ..Row::default()
        },
    ]);
}
