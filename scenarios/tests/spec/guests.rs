//! Guests beside a backup: backup.md §7 and concurrency.md §6, as stories under many seeds, in the main loop and in
//! an iothread.

use crate::support::{Row, check, play};

/// A full disk, a copy of it as it was, a target whose backing file is that copy, and guests.
fn story(thread: &str, faults: &str, guests: &str, lines: &str) -> String {
    format!(
        "{faults}\n{guests}\ndisk d0 256k 0x41@0+256k\ncopy d0 before\ndisk t0 256k backing=before\nlaunch d0{thread}\nnode t0\n\
         add n0/b\nmark\n{lines}"
    )
}

const BOTH: [&str; 2] = ["", ":iothread0"];

fn check_in_both(
    spec: &'static str,
    make: impl Fn(&str) -> String,
    always: &'static [&'static str],
    sometimes: &'static [&'static str],
    never: &'static [&'static str],
) {
    for thread in BOTH {
        check(&[Row {
            spec,
            story: make(thread),
            always,
            sometimes,
            never,
            ..Row::default()
        }]);
    }
}

#[test]
fn the_target_holds_what_was_there_at_the_start() {
    check_in_both(
        "backup 7, D1: full",
        |thread| {
            story(
                thread,
                "",
                "guest g0 d0: write -P1 0 64k, write -P2 64k 1k\nguest g1 d0: write -P3 192k 64k, write -z 32k 64k",
                "backup j0 d0 t0 {sync: full, x-perf: {max-chunk: 65536, max-workers: 2}}\nstart g0 g1\nuntil null j0\njoin g0 g1\nshutdown\n\
             compare t0 before\ncompare d0 before",
            )
        },
        &["COMPLETED j0 262144/262144; ..; compare identical; compare different; g0 ok; g1 ok; $"],
        &[],
        &[],
    );
    check_in_both(
        "backup 7, D1: an incremental of three clusters, and writes in it and beside it",
        |thread| {
            story(
                thread,
                "",
                "guest g0 d0: write -P1 0 128k\nguest g1 d0: write -P3 192k 64k, write -P4 0 1k",
                "io d0 write -P7 0 192k\nshutdown\ncopy d0 then\nlaunch d0\nnode t0\nadd n0/c\n\
             io d0 write -P7 0 192k\nbackup j0 d0 t0 {sync: incremental, bitmap: c}\nstart g0 g1\nuntil null j0\njoin g0 g1\n\
             bitmaps\nshutdown\ncompare t0 then\ncompare d0 then",
            )
        },
        &[
            "COMPLETED j0 196608/196608; ..; compare identical; compare different; g0 ok; g1 ok; $",
            "bitmaps n0/c=196608",
        ],
        &[],
        &[],
    );
    check_in_both(
        "backup 7: sync=none copies what is overwritten, once",
        |thread| {
            story(
                thread,
                "",
                "guest g0 d0: write -P1 0 1k, write -P2 0 64k\nguest g1 d0: write -P3 0 1k, write -P3 128k 1k",
                "backup j0 d0 t0 {sync: none}\nstart g0 g1\njoin g0 g1\njob-cancel j0\nuntil null j0\nshutdown\ncompare t0 before",
            )
        },
        &["CANCELLED j0 131072/262144; ..; compare identical; g0 ok; g1 ok; $"],
        &[],
        &[],
    );
    check_in_both(
        "backup 7: also when the job is cancelled meanwhile: what was saved is the old data",
        |thread| {
            story(
                thread,
                "",
                "guest g0 d0: write -P1 0 64k, write -P2 128k 64k",
                "backup j0 d0 t0 {sync: full, x-perf: {max-chunk: 65536, max-workers: 1}}\nstart g0\n& job-cancel j0\nuntil null j0\njoin g0\nshutdown\ncompare t0 before",
            )
        },
        &["compare identical; g0 ok; $"],
        &["CANCELLED j0 *"],
        &["CANCELLED *; ..; COMPLETED *"],
    );
}

#[test]
fn a_copy_that_fails_fails_the_guests_write_and_nothing_else() {
    const TARGET: &str = "faults t0 {inject-error: [{event: write_aio, once: true}]}";
    const SOURCE: &str = "faults d0 {inject-error: [{event: read_aio, once: true}]}";
    // A device, which the drive in an iothread has, reads its first sector before anything else happens.
    const SOURCE_OF_DEVICE: &str = "faults d0 {set-state: [{event: read_aio, state: 1, new_state: 2}], \
                                    inject-error: [{event: read_aio, state: 2, once: true}]}";
    for (spec, faults, of_device) in [
        ("backup 7, faults 7: target write", TARGET, TARGET),
        ("backup 7, faults 7: source read", SOURCE, SOURCE_OF_DEVICE),
    ] {
        check_in_both(
            spec,
            |thread| {
                story(
                    thread,
                    if thread.is_empty() { faults } else { of_device },
                    "",
                    "backup j0 d0 t0 {sync: none}\nio d0 write -P9 0 64k = write failed: Input/output error\nquery-block-jobs\nbitmaps\n\
                 io d0 write -P9 0 64k = wrote 65536/65536 bytes at offset 0\nbitmaps\njob-cancel j0\nuntil null j0\nshutdown\n\
                 compare t0 before\ncompare d0 before",
                )
            },
            &[
                "io write failed: Input/output error; ..; R *\"io-status\":\"ok\"*\"offset\":0,*",
                "bitmaps *n0/b=0; ..; bitmaps *n0/b=65536",
                "CANCELLED j0 65536/262144; ..; compare identical; compare different; $",
            ],
            &[],
            &["ERROR*"],
        );
    }
    check_in_both(
        "backup 4.4: and the job does not fail by it, nor the guest by the job's",
        |thread| {
            story(
                thread,
                TARGET,
                "guest g0 d0: write -P9 192k 64k",
                "backup j0 d0 t0 {sync: full, on-target-error: ignore, x-perf: {max-workers: 1, max-chunk: 65536}}\nstart g0\n\
             until null j0\njoin g0\nshutdown\ncompare t0 before",
            )
        },
        &["COMPLETED j0 262144/262144; ..; compare identical"],
        &[
            "g0 Input/output error; $",
            "ERROR j0 write ignore; ..; g0 ok; $",
        ],
        &["ERROR j0 *; ..; g0 Input/output error; $"],
    );
}

#[test]
fn who_waits_for_whom() {
    check_in_both(
        "backup 7: neither a pause nor a speed limit delays a guest",
        |thread| {
            story(
                thread,
                "",
                "guest g0 d0: write -P9 0 256k",
                "backup j0 d0 t0 {sync: full, speed: 1, x-perf: {max-chunk: 65536}}\n& job-pause j0\nstart g0\njoin g0",
            )
        },
        &["g0 ok"],
        &["g0 ok; left j0 paused; $"],
        &["g0 stuck"],
    );
    check_in_both(
        "concurrency 6, H6: a write inside the filter ends before the filter goes",
        |thread| {
            story(
                thread,
                "",
                "guest g0 d0: write -P9 0 64k, write -P9 64k 64k, write -P9 128k 64k",
                "backup j0 d0 t0 {sync: none}\nstart g0\njob-cancel j0\nuntil null j0\njoin g0\nbitmaps\nshutdown\ncompare t0 before",
            )
        },
        &["bitmaps n0/b=196608; ..; compare identical; g0 ok; $"],
        &[
            "CANCELLED j0 0/262144",
            "CANCELLED j0 65536/262144",
            "CANCELLED j0 196608/262144",
        ],
        &["CANCELLED j0 262144/262144"],
    );
    check(&[
        Row {
            spec: "backup 7: nobody but the filter writes the node below it",
            story: story(
                "",
                "",
                "",
                "backup j0 d0 t0 {sync: none, filter-node-name: f}\n\
                io n0 write 0 64k = Permission conflict on node 'n0': permissions 'write' are both required by an unnamed block \
                device (uses node 'n0' as 'root' child) and unshared by node 'f' (uses node 'n0' as 'file' child).\n\
                io n0 read 0 64k\nio d0 write 0 64k",
            ),
            always: &["io Permission conflict *; ..; io wrote *; left j0 running; $"],
            ..Row::default()
        },
        Row {
            spec: "backup 2.3: filters stack, and both targets hold the old data",
            story: format!(
                "disk t1 256k\n{}",
                story(
                    "",
                    "",
                    "guest g0 d0: write -P1 0 64k, write -P2 32k 64k",
                    "node t1\nbackup j0 n0 t0 {sync: full, x-perf: {max-chunk: 65536}}\nbackup j1 n0 t1 {sync: full, x-perf: {max-chunk: 65536}}\nstart g0\n\
                 until null j0\nuntil null j1\njoin g0\nshutdown\ncompare t0 before\ncompare t1 before"
                )
            ),
            always: &["compare identical; compare identical; g0 ok; $"],
            ..Row::default()
        },
    ]);
}

#[test]
fn an_incremental_chain_equals_the_disk() {
    check_in_both(
        "invariants D6, B1: a failed incremental, writes meanwhile, and the next",
        |thread| {
            story(
                thread,
                "faults t1 {inject-error: [{event: write_aio, once: true}]}",
                "guest g0 d0: write -P1 0 64k, write -P2 100k 1k\nguest g1 d0: write -P3 128k 128k",
                "disk t1 256k backing=before\nnode t1\nstart g0\nbackup j1 d0 t1 {sync: incremental, bitmap: b}\nstart g1\nuntil null j1\n\
             join g0 g1\nbackup j0 d0 t0 {sync: incremental, bitmap: b}\nuntil null j0\nbitmaps\nshutdown\ncompare t0 d0",
            )
        },
        &["COMPLETED j0 *; ..; compare identical; *; *; $"],
        &["COMPLETED j1 * Input/output error", "COMPLETED j1 0/0"],
        &["CANCELLED *"],
    );
}

/// The target (above a copy of the disk as it was) holds what was there at the start, whatever the number of workers,
/// the chunks, the clusters, the guests, the once-failing I/O: invariants D1, D2, D10, D11.
#[test]
fn no_mixture_of_workers_guests_and_faults_spoils_the_target() {
    let mut number = 0_usize;
    let mut ended = 0;
    for thread in BOTH {
        for workers in [1, 2, 64] {
            for (sync, cluster) in [
                ("sync: full", "64k"),
                ("sync: full", "128k"),
                ("sync: incremental, bitmap: b", "64k"),
                ("sync: bitmap, bitmap: b, bitmap-mode: always", "128k"),
                ("sync: top", "64k"),
            ] {
                for faults in [
                    "",
                    "faults d0 {inject-error: [{event: read_aio, once: true}]}",
                    "faults d0 {set-state: [{event: read_aio, state: 1, new_state: 2}], \
                     inject-error: [{event: read_aio, state: 2, once: true, immediately: true}]}",
                    "faults t0 {inject-error: [{event: write_aio, once: true}]}",
                    "faults t0 {set-state: [{event: write_aio, state: 1, new_state: 2}], \
                     inject-error: [{event: write_aio, state: 2, once: true, immediately: true}]}",
                ] {
                    number += 1;
                    let end = [
                        "until null j0",
                        "& job-pause j0\n& job-resume j0\nuntil null j0",
                        "& job-cancel j0\nuntil null j0",
                    ][number % 3];
                    let chunk = if cluster == "64k" { 65536 } else { 131_072 };
                    let story = format!(
                        "{faults}\nguest g0 d0: write -P1 0 64k, write -P2 100k 50k, write -P3 500k 1k\n\
                         guest g1 d0: write -P4 448k 64k, write -z 64k 64k, write -P5 0 512k\n\
                         disk d0 512k 0x41@0+512k\ncopy d0 before\ndisk t0 512k backing=before cluster={cluster}\nlaunch d0{thread}\n\
                         node t0\nadd n0/b\nio d0 write -P65 0 384k\nmark\n\
                         backup j0 d0 t0 {{{sync}, on-source-error: ignore, on-target-error: ignore, \
                         x-perf: {{max-workers: {workers}, max-chunk: {chunk}}}}}\nmark\nstart g0 g1\n{end}\njoin g0 g1\nshutdown\ncompare t0 before"
                    );
                    for dialect in model::dialect::DIALECTS {
                        for trace in play(&story, dialect, 12) {
                            let broken = trace.iter().any(|line| {
                                line == "compare different" || line.starts_with("PANIC")
                            });
                            assert!(!broken, "{dialect}\n{story}\n{}", trace.join("\n"));
                            ended +=
                                usize::from(trace.iter().any(|line| line == "compare identical"));
                        }
                    }
                }
            }
        }
    }
    assert!(
        ended > number * 12,
        "most of the stories come to their end, not only {ended}"
    );
}
