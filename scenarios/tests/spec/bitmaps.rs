//! Dirty bitmaps: bitmaps.md §2 to §9, as stories under many seeds.

use crate::support::{Row, check, row};

const ONE: &str = "
    disk d0 256k 0x41@0+256k
    disk t0 256k
    launch d0
    node t0
    mark
";

fn one(lines: &str) -> String {
    format!("{ONE}\n{lines}")
}

#[test]
fn granularity_has_a_default_and_limits() {
    const BAD: &str = "! Granularity must be power of 2 and at least 512";
    check(&[
        row("bitmaps 2: qcow2", one("add n0/b\nio d0 write 0 1\nbitmaps"), &["bitmaps n0/b=65536; $"]),
        row(
            "bitmaps 2: the cluster size, clamped",
            "disk d0 256k cluster=512\ndisk d1 256k cluster=2M\ndisk d2 256k format=raw\nlaunch d0 d1 d2\n\
             add n0/b\nadd n1/b\nadd n2/b\nio d0 write 0 1\nio d1 write 0 1\nio d2 write 0 1\nbitmaps".into(),
            &["bitmaps n0/b=4096 n1/b=65536 n2/b=65536; $"],
        ),
        row(
            "bitmaps 2: refused",
            one(&format!("add n0/b {{granularity: 0}} {BAD}\nadd n0/b {{granularity: 256}} {BAD}\nadd n0/b {{granularity: 1000}} {BAD}\n\
                add n0/b {{granularity: 4294967296}} ! Parameter 'granularity' expects uint32_t\nbitmaps")),
            &["bitmaps; $"],
        ),
        row(
            "bitmaps 1, 2: huge, and not clamped to the image",
            one("add n0/b {granularity: 2147483648}\nio d0 write 0 1\nbitmaps"),
            &["bitmaps n0/b=2147483648; $"],
        ),
        row(
            "bitmaps 1: the last granule counts whole",
            "disk d0 1000448\nlaunch d0\nadd n0/b\nio d0 write 1000000 1\nbitmaps".into(),
            &["bitmaps n0/b=65536; $"],
        ),
    ]);
}

#[test]
fn writes_are_recorded_when_they_end_well_or_not() {
    let faulty = |lines: &str| {
        format!(
            "faults d0 {{inject-error: [{{event: write_aio, once: true}}]}}\n{}",
            one(lines)
        )
    };
    check(&[
        row(
            "bitmaps 3: from granule to granule",
            one("add n0/b\nadd n0/f {granularity: 512}\nio d0 write 65535 2\nbitmaps"),
            &["bitmaps n0/f=1024 n0/b=131072; $"],
        ),
        row(
            "bitmaps 3: zeroes",
            one("add n0/b\nio d0 write -z 0 64k\nbitmaps"),
            &["bitmaps n0/b=65536; $"],
        ),
        row(
            "bitmaps 3: not: reads, flushes, discards that are ignored, nothing at all",
            one(
                "add n0/b\nio d0 read 0 64k\nio d0 flush\nio d0 discard 0 64k\nio d0 write 0 0\nbitmaps",
            ),
            &["bitmaps n0/b=0; $"],
        ),
        row(
            "bitmaps 3: a write that failed",
            faulty("add n0/b\nio d0 write 0 64k = write failed: Input/output error\nbitmaps"),
            &["bitmaps n0/b=65536; $"],
        ),
        row(
            "bitmaps 3: not when disabled",
            one("add n0/b {disabled: true}\nio d0 write 0 64k\nbitmaps"),
            &["bitmaps n0/b=0,disabled; $"],
        ),
        row(
            "bitmaps 6: enable and disable, twice",
            one(
                "add n0/b\ndisable n0/b\ndisable n0/b\nio d0 write 0 64k\nenable n0/b\nenable n0/b\nio d0 write 64k 64k\nbitmaps",
            ),
            &["bitmaps n0/b=65536; $"],
        ),
        Row {
            spec: "bitmaps 3, concurrency 6: a write in flight when the bitmap is added or cleared may be marked, all the same",
            story: format!(
                "guest g0 d0: write 0 64k\n{}",
                one("add n0/b\nstart g0\nclear n0/b\nadd n0/late\njoin g0\nbitmaps")
            ),
            sometimes: &[
                "bitmaps n0/late=0 n0/b=65536; ..; $",
                "bitmaps n0/late=0 n0/b=0; ..; $",
                "bitmaps n0/late=65536 n0/b=65536; ..; $",
            ],
            never: &["bitmaps n0/late=65536 n0/b=0; ..; $"],
            ..Row::default()
        },
    ]);
}

#[test]
fn a_successor_records_while_the_bitmap_stands_still() {
    // bitmaps 4, the example: 4 MiB, 1 MiB dirty, 128 KiB copied, then writes of 960K+128K and 0+4K.
    let example = |mode: &str, sync: &str, rest: &str| {
        format!(
            "disk d0 4M 0x41@0+4M\ndisk t0 4M\nlaunch d0\nnode t0\nadd n0/b\nio d0 write 0 1M\n\
             backup j0 d0 t0 {{sync: {sync}, bitmap: b{mode}, auto-finalize: false}}\nuntil PENDING j0\n\
             io d0 write 960k 128k\nio d0 write 0 4k\nmark\n{rest}"
        )
    };
    check(&[
        Row {
            spec: "bitmaps 4: during the job, 7.2 lists copy bitmap, successor, named",
            dialect: "7.2",
            story: example("", "incremental", "bitmaps"),
            always: &["bitmaps *n0/-=0,disabled n0/-=196608 n0/b=1048576,busy; left j0 pending; $"],
            ..Row::default()
        },
        Row {
            spec: "bitmaps 4: during the job, 10.0 keeps the copy bitmap with the filter",
            dialect: "10.0",
            story: example("", "incremental", "bitmaps"),
            always: &["bitmaps * n0/-=196608 n0/b=1048576,busy; left j0 pending; $"],
            never: &["bitmaps *n0/-=0,disabled n0/-=196608*"],
            ..Row::default()
        },
        row(
            "bitmaps 4: on-success, ok",
            example("", "incremental", "job-finalize j0\nbitmaps"),
            &["bitmaps n0/b=196608; $"],
        ),
        row(
            "bitmaps 4: never, ok",
            example(", bitmap-mode: never", "bitmap", "job-finalize j0\nbitmaps"),
            &["bitmaps n0/b=1114112; $"],
        ),
        row(
            "bitmaps 4: always, ok",
            example(
                ", bitmap-mode: always",
                "bitmap",
                "job-finalize j0\nbitmaps",
            ),
            &["bitmaps n0/b=196608; $"],
        ),
        row(
            "bitmaps 4: on-success, cancelled",
            example("", "incremental", "job-cancel j0\nbitmaps"),
            &["bitmaps n0/b=1114112; $"],
        ),
        row(
            "bitmaps 4: never, cancelled",
            example(", bitmap-mode: never", "bitmap", "job-cancel j0\nbitmaps"),
            &["bitmaps n0/b=1114112; $"],
        ),
        row(
            "bitmaps 4: a disabled bitmap: clear and still disabled after success",
            one(
                "add n0/b\nio d0 write 0 64k\ndisable n0/b\nbackup j0 d0 t0 {sync: incremental, bitmap: b, auto-finalize: false}\n\
                until PENDING j0\nio d0 write 64k 64k\njob-finalize j0\nbitmaps",
            ),
            &["bitmaps n0/b=0,disabled; $"],
        ),
        row(
            "bitmaps 4: persistence follows the name",
            one(
                "add n0/b {persistent: true}\nio d0 write 0 64k\nbackup j0 d0 t0 {sync: incremental, bitmap: b}\nuntil null j0\nbitmaps",
            ),
            &["bitmaps n0/b=0,persistent; $"],
        ),
    ]);
}

#[test]
fn always_mode_keeps_what_was_not_copied() {
    check(&[
        Row {
            spec: "bitmaps 4, backup 10: always, cancelled",
            story: "disk d0 4M 0x41@0+4M\ndisk t0 4M\nlaunch d0\nnode t0\nadd n0/b\nio d0 write 0 1M\n\
                backup j0 d0 t0 {sync: bitmap, bitmap: b, bitmap-mode: always, x-perf: {max-workers: 1, max-chunk: 65536}}\n\
                mark\njob-pause j0\nuntil paused j0\n\
                io d0 write 960k 128k\nio d0 write 0 4k\nmark\njob-cancel j0\nuntil null j0\nbitmaps".into(),
            // 13 of 14 granules that were left (the write at 960K had one copied), and the 3 written: 131072 copied by the job.
            sometimes: &["CANCELLED j0 196608/1048576; ..; bitmaps n0/b=1048576; $"],
            never: &["CANCELLED j0 196608/1048576; ..; bitmaps n0/b=1114112; $"],
            ..Row::default()
        },
    ]);
}

#[test]
fn commands_check_in_their_order() {
    const BUSY: &str = "! Bitmap 'b' is currently in use by another operation and cannot be used";
    check(&[
        row(
            "bitmaps 6: add",
            one("add none/ ! Bitmap name cannot be empty\n\
                add none/b {granularity: 1} ! Cannot find device='none' nor node-name='none'\nadd n0/b\n\
                add n0/b {granularity: 1} ! Granularity must be power of 2 and at least 512\n\
                add n0/b {persistent: true} ! Bitmap already exists: b\nadd n0/b ! Bitmap already exists: b\nbitmaps"),
            &["bitmaps n0/b=0; $"],
        ),
        row(
            "bitmaps 6: a name of 1024 bytes",
            one(&format!("add n0/{0} ! Bitmap name too long: {0}\nadd n0/{1}", "a".repeat(1024), "a".repeat(1023))),
            &["R; $"],
        ),
        row(
            "bitmaps 5, 6: not found",
            one(&["clear", "enable", "disable", "remove"]
                .map(|verb| format!("{verb} none/b ! Node 'none' not found\n{verb} n0/b ! Dirty bitmap 'b' not found\n"))
                .concat()),
            &["E Dirty bitmap 'b' not found; $"],
        ),
        row(
            "bitmaps 5, 6: busy",
            one(&format!(
                "add n0/b\nadd n0/c\nbackup j0 d0 t0 {{sync: incremental, bitmap: b, auto-finalize: false}}\nuntil PENDING j0\nmark\n{}\
                 merge n0/c [b] {BUSY}\nmerge n0/b [c] {BUSY}\nadd n0/b ! Bitmap already exists: b\n\
                 disk t1 256k\nnode t1\nbackup j1 n0 t1 {{sync: incremental, bitmap: b}} {BUSY}\njob-finalize j0\nbitmaps",
                ["clear", "enable", "disable", "remove"].map(|verb| format!("{verb} n0/b {BUSY}\n")).concat()
            )),
            &["bitmaps *n0/b=0 n0/c=0; $"],
        ),
        row(
            "bitmaps 6: a drive's name means its top node: the filter, during a backup",
            one("add n0/b\nbackup j0 d0 t0 {sync: none}\nmark\nclear d0/b ! Dirty bitmap 'b' not found\nclear n0/b\nadd d0/v\n\
                io d0 write 0 64k\njob-cancel j0\nuntil null j0\nclear d0/v ! Dirty bitmap 'v' not found\nbitmaps"),
            &["bitmaps n0/b=65536; $"],
        ),
        row(
            "bitmaps 6: a write whose old data cannot be saved reaches the filter and its bitmaps, but not the image; \
             what is copied is in the filter's own bitmap, below those of users",
            format!(
                "faults d0 {{set-state: [{{event: read_aio, state: 1, new_state: 2}}], \
                 inject-error: [{{event: read_aio, state: 2, once: true}}]}}\n{}",
                one("add n0/b\nbackup j0 d0 t0 {sync: none}\nadd d0/v\nio d0 write 0 64k\nmark\nio d0 write 64k 64k\nbitmaps")
            ),
            &["^; io write failed: *; bitmaps *v=131072 */-=262144,disabled */-=65536,disabled*n0/b=65536; left j0 running; $"],
        ),
    ]);
}

#[test]
fn merging_is_a_union_or_nothing() {
    check(&[
        row(
            "bitmaps 6: union; the sources stay",
            one("add n0/a\nio d0 write 0 64k\ndisable n0/a\nadd n0/b\nio d0 write 128k 64k\nadd n0/c\nmerge n0/c [a, b]\nbitmaps"),
            &["bitmaps n0/c=131072 n0/b=65536 n0/a=65536,disabled; $"],
        ),
        row(
            "bitmaps 6: coarse into fine",
            one("add n0/a\nio d0 write 0 1k\nadd n0/f {granularity: 512}\nmerge n0/f [a]\nbitmaps"),
            &["bitmaps n0/f=65536 n0/a=65536; $"],
        ),
        row(
            "bitmaps 6: fine into coarse",
            one("add n0/f {granularity: 512}\nio d0 write 0 1k\nadd n0/a\nmerge n0/a [f]\nbitmaps"),
            &["bitmaps n0/a=65536 n0/f=1024; $"],
        ),
        row("bitmaps 6: into itself", one("add n0/a\nio d0 write 0 1k\nmerge n0/a [a]\nbitmaps"), &["bitmaps n0/a=65536; $"]),
        row(
            "bitmaps 6: the k-th fails: nothing is merged",
            one("add n0/a\nio d0 write 0 1k\nadd n0/b\nmerge n0/b [a, none] ! Dirty bitmap 'none' not found\nbitmaps"),
            &["bitmaps n0/b=0 n0/a=65536; $"],
        ),
        row(
            "bitmaps 6: sizes",
            "disk d0 256k\ndisk d1 512k\nlaunch d0 d1\nadd n0/a\nadd n1/b\n\
             merge n0/a [{node: n1, name: b}] ! Bitmaps are of different sizes (destination size is 262144, source size is \
             524288) and can't be merged\nmerge n0/none [{node: none, name: b}] ! Dirty bitmap 'none' not found\n\
             merge n0/a [{node: none, name: b}] ! Node 'none' not found".into(),
            &["E Node 'none' not found; $"],
        ),
        row(
            "bitmaps 6: another node's",
            "disk d0 256k\ndisk d1 256k\nlaunch d0 d1\nadd n0/a\nadd n1/b\nio d1 write 64k 1\nmerge n0/a [{node: n1, name: b}]\nbitmaps".into(),
            &["bitmaps n0/a=65536 n1/b=65536; $"],
        ),
    ]);
}

#[test]
fn persistent_bitmaps_need_a_place() {
    check(&[
        row(
            "bitmaps 8: raw",
            "disk d0 256k format=raw\nlaunch d0\nadd n0/b {persistent: true} ! Can't store persistent bitmaps to d0: Operation not supported".into(),
            &["E*; $"],
        ),
        row(
            "bitmaps 8: too many bytes of bits",
            "disk d0 4T\nlaunch d0\nadd n0/b {persistent: true, granularity: 512} \
             ! Can't make bitmap 'b' persistent in 'd0': Too much space will be occupied by the bitmap. Use larger granularity\n\
             add n0/b {persistent: true}\nbitmaps".into(),
            &["bitmaps n0/b=0,persistent; $"],
        ),
        row(
            "bitmaps 8: a long name",
            one(&format!("add n0/{0} {{persistent: true}} ! Can't make bitmap '{0}' persistent in 'd0': Name length exceeds maximum (1023 characters)",
                "a".repeat(1024))),
            &["E*; $"],
        ),
    ]);
}

#[test]
fn resizing_takes_the_bitmaps_along() {
    const CONFLICT: &str = "Permission conflict on node 'n0': permissions 'resize' are both required by an unnamed block device \
        (uses node 'n0' as 'root' child) and unshared by node 'f' (uses node 'n0' as 'file' child).";
    check(&[
        row(
            "bitmaps 9: grow: no new dirt, and the new area is recorded",
            one(
                "add n0/b\nio d0 write 192k 64k\nresize d0 512k\nbitmaps\nio d0 write 448k 64k\nbitmaps",
            ),
            &["bitmaps n0/b=65536; io *; bitmaps n0/b=131072; $"],
        ),
        row(
            "bitmaps 9, bugs D1: what is past the old end is found by an incremental",
            one(
                "add n0/b\nresize n0 512k\nio d0 write 448k 64k\ndisk t1 512k\nnode t1\nbackup j0 d0 t1 {sync: incremental, bitmap: b}\nuntil null j0\nbitmaps",
            ),
            &["COMPLETED j0 65536/65536; ..; bitmaps n0/b=0; $"],
        ),
        row(
            "bitmaps 9: shrink: what lies past the end is forgotten, the last granule stays",
            one("add n0/b\nio d0 write 0 256k\nresize d0 98304\nbitmaps"),
            &["bitmaps n0/b=131072; $"],
        ),
        row(
            "bitmaps 9: the order of checks",
            one(
                "resize dx -1 ! Cannot find device='dx' nor node-name=''\nresize x -1 ! Cannot find device='' nor node-name='x'\n\
                resize d0 -1 ! Parameter 'size' expects a >0 size\nresize d0 1000 ! The new size must be a multiple of 512",
            ),
            &["E The new size must be a multiple of 512; $"],
        ),
        Row {
            spec: "bitmaps 9: during a backup, 7.2",
            dialect: "7.2",
            story: one(&format!(
                "backup j0 d0 t0 {{sync: none, filter-node-name: f}}\nmark\nresize d0 -1 ! Parameter 'size' expects a >0 size\n\
                resize d0 512k ! Device 'd0' is in use\nresize t0 512k ! Device '(null)' is in use\nresize f 512k ! Device '(null)' is in use\n\
                resize n0 512k ! {CONFLICT}"
            )),
            always: &["E Permission*; left j0 running; $"],
            ..Row::default()
        },
        Row {
            spec: "bitmaps 9: during a backup, 10.0",
            dialect: "10.0",
            story: one(&format!(
                "backup j0 d0 t0 {{sync: none, filter-node-name: f}}\nmark\n\
                resize d0 512k ! Node 'd0' is busy: block device is in use by block job: backup\n\
                resize t0 512k ! Node 't0' is busy: block device is in use by block job: backup\nresize n0 512k ! {CONFLICT}"
            )),
            always: &["paused j0; running j0; E Permission*; left j0 running; $"],
            ..Row::default()
        },
    ]);
}
