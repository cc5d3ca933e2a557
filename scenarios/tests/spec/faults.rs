//! Injected faults: faults.md §3 to §5, as stories under many seeds.

use crate::support::{Row, check, row};

fn story(rules: &str, lines: &str) -> String {
    format!(
        "faults d0 {{{rules}}}\ndisk d0 256k 0x41@0+256k\ndisk t0 256k\nlaunch d0\nnode t0\nadd n0/b\nmark\n{lines}"
    )
}

/// The second read fails, if there is one.
const SECOND_READ: &str = "set-state: [{event: read_aio, state: 1, new_state: 2}], inject-error: [{event: read_aio, state: 2, once: true}]";

/// As [`SECOND_READ`], but at once.
const SECOND_READ_AT_ONCE: &str = "set-state: [{event: read_aio, state: 1, new_state: 2}], \
     inject-error: [{event: read_aio, state: 2, once: true, immediately: true}]";

/// After those writes and zeroes over them, a backup to a target that cannot be written.
fn zeroed(writes: &str) -> String {
    format!(
        "faults t0 {{inject-error: [{{event: write_aio}}]}}\ndisk d0 256k\ndisk t0 256k cluster=128k\nlaunch d0\nnode t0\n{writes}\n\
         io d0 write -z 0 128k\nmark\nbackup j0 d0 t0 {{sync: full}}"
    )
}

const READ: &str = "io d0 read 0 64k\n";

#[test]
fn a_rule_is_armed_by_its_event_and_hits_an_io_after_it() {
    check(&[
        row(
            "faults 3.2: once, and gone",
            story("inject-error: [{event: read_aio, once: true}]", &READ.repeat(2)),
            &["^; io read failed: Input/output error; io read 65536/65536 bytes at offset 0; $"],
        ),
        row(
            "faults 3.2: for ever",
            story("inject-error: [{event: read_aio, errno: 28}]", &READ.repeat(2)),
            &["^; io read failed: No space left on device; io read failed: No space left on device; $"],
        ),
        row(
            "for ever and immediately: a job that does not ignore it fails before the reply",
            story("inject-error: [{event: read_aio, immediately: true}]", "io d0 write 0 64k\nmark\nbackup j0 d0 t0 {sync: full}"),
            &["running j0; ERROR j0 *; aborting j0; ..; R; $"],
        ),
        row(
            "faults 3.2: errno 0 is no error",
            story("inject-error: [{event: read_aio, errno: 0}]", READ),
            &["^; io read 65536/65536 bytes at offset 0; $"],
        ),
        row(
            "faults 3.2: armed by a read, it stays and hits a write",
            story("inject-error: [{event: read_aio, once: true, iotype: write}]", &format!("{READ}io d0 write 0 64k\nio d0 write 0 64k")),
            &["^; io read 65536/65536 bytes at offset 0; io write failed: Input/output error; io wrote *; $"],
        ),
        row(
            "faults 3.2: the sector must be touched",
            story("inject-error: [{event: read_aio, sector: 128}]", &format!("{READ}io d0 read 64k 512")),
            &["^; io read 65536/65536 bytes at offset 0; io read failed: Input/output error; $"],
        ),
        row(
            "a read of several kinds of clusters is announced for each part that is data",
            "faults d0 {inject-error: [{event: read_aio, once: true}]}\ndisk d0 256k 0x41@64k+64k\nlaunch d0\nmark\nio d0 read 0 256k".into(),
            &["^; io read failed: Input/output error; $"],
        ),
        row(
            "a read is announced for each run of neighbours in the file, which lie in the order of their writes",
            format!(
                "faults d0 {{{SECOND_READ}}}\nfaults d1 {{{SECOND_READ}}}\ndisk d0 256k\ndisk d1 256k\nlaunch d0 d1\nmark\n\
                 io d0 write 64k 64k\nio d0 write 0 64k\nio d1 write 0 64k\nio d1 write 64k 64k\nio d0 read 0 128k\nio d1 read 0 128k"
            ),
            &["^; io *; io *; io *; io *; io read failed: Input/output error; io read 131072/131072 *; $"],
        ),
        Row {
            spec: "an error that comes at once waits for what is read already",
            story: format!(
                "faults d0 {{{SECOND_READ_AT_ONCE}}}\ndisk d0 256k\ndisk t0 256k cluster=128k\nlaunch d0\nnode t0\n\
                 io d0 write 64k 64k\nio d0 write 0 64k\nmark\nbackup j0 d0 t0 {{sync: full}}"
            ),
            always: &["ERROR j0 read report; ..; COMPLETED j0 131072/262144 *"],
            sometimes: &["running j0; R; ERROR j0 read report"],
            ..Row::default()
        },
        row(
            "zeroes that were data keep their place: to write there allocates nothing",
            story("inject-error: [{event: cluster_alloc}]", "io d0 write -z 0 64k\nio d0 write 0 64k"),
            &["^; io wrote *; io wrote *; $"],
        ),
        row(
            "zeroes that were data and lie apart are copied as data, where the copy's clusters are larger",
            zeroed("io d0 write 64k 64k\nio d0 write 0 64k"),
            &["ERROR j0 write report; ..; COMPLETED j0 131072/262144 *"],
        ),
        row(
            "zeroes that were data and lie together are copied as zeroes",
            zeroed("io d0 write 0 64k\nio d0 write 64k 64k"),
            &["COMPLETED j0 262144/262144; *"],
        ),
        row(
            "zeroes into a cluster that holds nothing else are no write; into data they are",
            story("inject-error: [{event: write_aio}]", "io d0 write -z 0 64k\nio d0 write -z 4k 8k\nio d0 write -z 68k 4k"),
            &["^; io wrote 65536/65536 *; io wrote 8192/8192 *; io write failed: Input/output error; $"],
        ),
        row(
            "faults 3.1.2: the first armed by a later event empties the list",
            story("inject-error: [{event: read_aio, iotype: write}, {event: flush_to_os, iotype: discard}]", &format!("{READ}io d0 flush\nio d0 write 0 64k")),
            &["io wrote *; $"],
        ),
        row(
            "faults 3.1.3: states are compared with the state before the event; the first configured wins",
            story("set-state: [{event: read_aio, state: 1, new_state: 2}, {event: read_aio, state: 1, new_state: 9}], \
                inject-error: [{event: read_aio, state: 2, once: true}]", &READ.repeat(3)),
            &["^; io read 65536/65536 *; io read failed: *; io read 65536/65536 *; $"],
        ),
        row(
            "faults 5: the pseudo-event none arms from the beginning",
            story("inject-error: [{event: none, once: true}]", &READ.repeat(2)),
            &["^; io read failed: Input/output error; io read *"],
        ),
        row(
            "faults 4: a flush with nothing written reaches the host's cache only",
            story("inject-error: [{event: flush_to_disk, once: true, iotype: flush}]", "io d0 flush\nio d0 write 0 512\nio d0 flush\nio d0 flush"),
            &["^; io *; io wrote *; io flush failed: Input/output error; io *; $"],
        ),
        row(
            "faults 4: reads of nothing announce nothing",
            "faults d0 {inject-error: [{event: read_aio}]}\ndisk d0 256k 0x41@0+64k\nlaunch d0\nmark\nio d0 read 64k 64k\nio d0 read 0 0\nio d0 read 0 64k".into(),
            &["^; io read 65536/65536 *; io read 0/0 *; io read failed: *; $"],
        ),
        row(
            "faults 4: zeroes over whole clusters of a qcow2 are metadata; of a raw image they are written",
            "faults d0 {inject-error: [{event: none, iotype: write-zeroes}]}\nfaults d1 {inject-error: [{event: none, iotype: write-zeroes}]}\n\
             disk d0 256k 0x41@0+64k\ndisk d1 256k format=raw\nlaunch d0 d1\nmark\nio d0 write -z 0 64k\nio d1 write -z 0 64k".into(),
            &["^; io wrote *; io write failed: *; $"],
        ),
    ]);
}

#[test]
fn the_seeds_script_fails_one_read_after_an_effective_flush() {
    let seeds = |more: &str, inject_state: u32, lines: &str| {
        story(
            &format!(
                "set-state: [{{event: flush_to_disk, state: 1, new_state: 2}}{more}], \
                inject-error: [{{event: read_aio, errno: 5, state: {inject_state}, immediately: false, once: true}}]"
            ),
            lines,
        )
    };
    let backup = "backup j0 d0 t0 {sync: incremental, bitmap: b}\nuntil null j0\n";
    check(&[
        row(
            "faults 5: nothing fails before; one job fails after; a re-run succeeds; the bits are kept",
            seeds(
                "",
                2,
                &format!(
                    "io d0 flush\nbackup j9 d0 t0 {{sync: full}}\nuntil null j9\nio d0 write 0 64k\nio d0 write 128k 64k\nio d0 flush\n\
                {backup}bitmaps\n{backup}bitmaps"
                ),
            ),
            &[
                "COMPLETED j9 262144/262144",
                "ERROR j0 read report; ..; COMPLETED j0 65536/131072 Input/output error; concluded j0; null j0; ..; bitmaps n0/b=131072; \
                 ..; COMPLETED j0 131072/131072; concluded j0; null j0; ..; bitmaps n0/b=0; $",
            ],
        ),
        row(
            "faults 5: whoever reads first is hit: here a guest",
            seeds(
                "",
                2,
                &format!("io d0 write 0 64k\nio d0 flush\nio d0 read 0 512\n{backup}"),
            ),
            &[
                "io read failed: Input/output error; ..; COMPLETED j0 65536/65536; concluded j0; null j0",
            ],
        ),
        row(
            "faults 5: or a copy-before-write, which no policy sees",
            seeds(
                "",
                2,
                "io d0 write 0 64k\nio d0 flush\nbackup j0 d0 t0 {sync: none}\nio d0 write 64k 64k\nio d0 write 64k 64k",
            ),
            &["io write failed: Input/output error; io wrote *; left j0 running; $"],
        ),
        row(
            "faults 5, 257-style: the first read passes, the second fails",
            seeds(
                ", {event: read_aio, state: 2, new_state: 3}",
                3,
                &format!("io d0 write 0 64k\nio d0 write 128k 64k\nio d0 flush\n{backup}"),
            ),
            &["ERROR j0 read report; ..; COMPLETED j0 65536/131072 Input/output error"],
        ),
        row(
            "faults 5, 257-style: with one read there is none to fail",
            seeds(
                ", {event: read_aio, state: 2, new_state: 3}",
                3,
                &format!("io d0 write 0 64k\nio d0 flush\n{backup}bitmaps"),
            ),
            &["COMPLETED j0 65536/65536; concluded j0; null j0; ..; bitmaps n0/b=0; $"],
        ),
        Row {
            spec: "faults 3.2 step 3: a failure that comes a hop later lets the siblings go on; one that comes at once does not let them begin",
            story: story(
                "inject-error: [{event: read_aio, once: true, immediately: true}]",
                "backup j0 d0 t0 {sync: full, x-perf: {max-chunk: 65536}}",
            ),
            always: &["ERROR j0 read report; ..; COMPLETED j0 0/262144 Input/output error"],
            ..Row::default()
        },
        Row {
            spec: "faults 5: siblings usually complete",
            story: story(
                "inject-error: [{event: read_aio, once: true}]",
                "backup j0 d0 t0 {sync: full, x-perf: {max-chunk: 65536}}",
            ),
            always: &["ERROR j0 read report; ..; COMPLETED j0 196608/262144 Input/output error"],
            ..Row::default()
        },
    ]);
}
