//! The backup job: backup.md §2 to §10, as stories under many seeds.

use crate::support::{Row, check, row};

const ONE: &str = "
    disk d0 256k 0x41@0+256k
    disk t0 256k
    launch d0
    node t0
    add n0/b
    mark
";

fn one(lines: &str) -> String {
    format!("{ONE}\n{lines}")
}

#[test]
fn parameters_are_checked_in_their_order() {
    // Each line has the mistakes of all the lines below it too, as far as they go together.
    let refused = |rows: &[(&str, &str)]| -> String {
        rows.iter()
            .map(|(command, error)| format!("{command} ! {error}\n"))
            .collect()
    };
    check(&[
        row(
            "backup 2.1, blockdev-backup: source, then target, then what is common",
            one(&refused(&[
                ("backup j0 dx tx {sync: incremental}", "Cannot find device='dx' nor node-name='dx'"),
                ("backup j0 d0 tx {sync: incremental}", "Cannot find device='tx' nor node-name='tx'"),
                ("backup j0 d0 t0 {sync: incremental}", "must provide a valid bitmap name for 'incremental' sync mode"),
                ("backup j0 d0 t0 {sync: bitmap, bitmap-mode: never}", "must provide a valid bitmap name for 'bitmap' sync mode"),
            ])),
            &["^; > blockdev-backup; E *; > blockdev-backup; E *; > blockdev-backup; E *; > blockdev-backup; E *; $"],
        ),
        row(
            "backup 2.2",
            one(&refused(&[
                ("backup j0 d0 t0 {sync: incremental, bitmap: x, bitmap-mode: never}",
                    "Bitmap sync mode must be 'on-success' when using sync mode 'incremental'"),
                ("backup j0 d0 t0 {sync: incremental, bitmap: x}", "Bitmap 'x' could not be found"),
                ("backup j0 d0 t0 {sync: bitmap, bitmap: x}", "Bitmap 'x' could not be found"),
                ("backup j0 d0 t0 {sync: none, bitmap: b}", "Bitmap sync mode must be given when providing a bitmap"),
                ("backup j0 d0 t0 {sync: bitmap, bitmap: b}", "Bitmap sync mode must be given when providing a bitmap"),
                ("backup j0 d0 t0 {sync: none, bitmap: b, bitmap-mode: never}", "sync mode 'none' does not produce meaningful bitmap outputs"),
                ("backup j0 d0 t0 {sync: full, bitmap: b, bitmap-mode: never}",
                    "Bitmap sync mode 'never' has no meaningful effect when combined with sync mode 'full'"),
                ("backup j0 d0 t0 {sync: top, bitmap: b, bitmap-mode: never}",
                    "Bitmap sync mode 'never' has no meaningful effect when combined with sync mode 'top'"),
                ("backup j0 d0 t0 {sync: full, bitmap-mode: never}", "Cannot specify bitmap sync mode without a bitmap"),
            ])) .as_str().to_owned() + "bitmaps",
            &["bitmaps n0/b=0; $"],
        ),
        row(
            "backup 2.2 #5: busy comes before the modes",
            one("backup j0 n0 t0 {sync: incremental, bitmap: b, auto-finalize: false}\nuntil PENDING j0\nmark\n\
                backup j1 n0 t0 {sync: none, bitmap: b, bitmap-mode: never} \
                ! Bitmap 'b' is currently in use by another operation and cannot be used"),
            &["E Bitmap 'b' is currently*; left j0 pending; $"],
        ),
        row(
            "backup 2.3: before the bitmap is frozen",
            format!("disk r0 128k format=raw\n{}", one(&("node r0\nmark\n".to_owned() + &refused(&[
                ("backup 1 n0 n0 {sync: full, speed: -1}", "Source and target cannot be the same"),
                ("backup 1 n0 d0 {sync: full}", "Source and target cannot be the same"),
                ("backup 1 d0 r0 {sync: full, x-perf: {max-workers: 0, max-chunk: -1}}", "max-workers must be between 1 and 2147483647"),
                ("backup 1 d0 r0 {sync: full, x-perf: {max-workers: 2147483648}}", "max-workers must be between 1 and 2147483647"),
                ("backup 1 d0 r0 {sync: full, x-perf: {max-chunk: -1}}", "max-chunk must be zero (which means no limit) or positive"),
                ("backup 1 d0 r0 {sync: full, x-perf: {max-chunk: 4096}}", "Source and target image have different sizes"),
                ("backup 1 d0 t0 {sync: full, x-perf: {max-chunk: 4096}}", "Required max-chunk (4096) is less than backup cluster size (65536)"),
                ("backup 1 d0 t0 {sync: full, speed: -1}", "Invalid job ID '1'"),
            ])))),
            &["^; > blockdev-backup; E *"],
        ),
        row(
            "backup 2.3 #3: compression comes before the rest, and names the drive",
            "disk d0 256k\ndisk d1 128k format=raw\nlaunch d0 d1\n\
             backup 1 d0 d1 {sync: full, compress: true, x-perf: {max-workers: 0}} ! Compression is not supported for this drive d1".into(),
            &["E Compression*; $"],
        ),
        row(
            "backup 2.3 #10 to #15: what comes after the freeze gives the bitmap back",
            format!("disk r0 128k format=raw\n{}", one(&("node r0\n".to_owned() + &refused(&[
                ("backup 1 d0 r0 {sync: incremental, bitmap: b}", "Source and target image have different sizes"),
                ("backup 1 d0 t0 {sync: incremental, bitmap: b, filter-node-name: t0}", "Could not create node: Duplicate nodes with node-name='t0'"),
                ("backup 1 d0 t0 {sync: incremental, bitmap: b, x-perf: {max-chunk: 4096}}",
                    "Required max-chunk (4096) is less than backup cluster size (65536)"),
                ("backup 1 d0 t0 {sync: incremental, bitmap: b}", "Invalid job ID '1'"),
                ("backup j0 d0 t0 {sync: incremental, bitmap: b, speed: -1}", "Parameter 'speed' expects a non-negative value"),
            ]) + "mark\nbitmaps\nquery-jobs"))),
            &["^; bitmaps n0/b=0; *; R []; $"],
        ),
        row(
            "backup 2.3 #4, #5: a job's filter and target are blocked; another backup of the node is not",
            format!("disk d1 256k\ndisk t1 256k\n{}", one(&("node d1\nnode t1\nbackup j0 d0 t0 {sync: none, filter-node-name: f}\nmark\n".to_owned()
                + &refused(&[
                    ("backup j1 d0 t1 {sync: full}", "Node 'd0' is busy: block device is in use by block job: backup"),
                    ("backup j1 f t1 {sync: full}", "Node 'd0' is busy: block device is in use by block job: backup"),
                    ("backup j1 t0 t1 {sync: full}", "Node 't0' is busy: block device is in use by block job: backup"),
                    ("backup j1 d1 t0 {sync: full}", "Node 't0' is busy: block device is in use by block job: backup"),
                    ("backup j1 d1 f {sync: full}", "Node 'd0' is busy: block device is in use by block job: backup"),
                    ("backup j1 d1 n0 {sync: full, filter-node-name: g}", "Could not create node: Permission conflict on node 'n0': permissions 'write' are both \
                        required by node 'g' (uses node 'n0' as 'target' child) and unshared by node 'f' (uses node 'n0' as 'file' child)."),
                ]) + "backup j1 n0 t1 {sync: full}\nuntil null j1"))),
            &["COMPLETED j1 262144/262144; concluded j1; null j1; ..; left j0 running; $"],
        ),
        row(
            "backup 2.1, drive-backup: the image made stays when a later step fails",
            one("drive-backup j0 dx a {sync: full} ! Cannot find device='dx' nor node-name='dx'\n\
                drive-backup j0 d0 a {sync: incremental, mode: existing} ! Could not open '$DIR/a': No such file or directory\n\
                drive-backup j0 d0 a {sync: incremental} ! must provide a valid bitmap name for 'incremental' sync mode\n\
                drive-backup j0 d0 a {sync: full, format: vhs} ! Unknown file format 'vhs'\n\
                drive-backup j0 d0 t0 {sync: full, mode: existing} ! Failed to get \"write\" lock\n\
                drive-backup j0 d0 t0 {sync: full} ! Failed to get \"write\" lock\n\
                drive-backup j0 d0 d0 {sync: full} ! Failed to get \"write\" lock\n\
                drive-backup j0 d0 a {sync: full, mode: existing}\nuntil null j0"),
            &["COMPLETED j0 262144/262144; concluded j0; null j0"],
        ),
        row(
            "backup 2.1 #4, drive-backup: a blocked source before everything about the target",
            one("backup j0 d0 t0 {sync: none, filter-node-name: f}\nmark\n\
                drive-backup j1 d0 a {sync: incremental, mode: existing} ! Node 'd0' is busy: block device is in use by block job: backup"),
            &["E Node 'd0'*; left j0 running; $"],
        ),
    ]);
}

#[test]
fn clusters_are_the_targets_if_those_are_larger() {
    let story = |target: &str, dirty: &str| {
        format!(
            "disk d0 512k 0x41@0+512k\ndisk t0 512k {target}\nlaunch d0\nnode t0\nadd n0/b\nadd n0/f {{granularity: 512}}\n{dirty}\n\
            backup j0 d0 t0 {{sync: incremental, bitmap: f}}"
        )
    };
    check(&[
        row("backup 3: 64k at least", story("cluster=4k", "io d0 write 1k 1k"), &["COMPLETED j0 65536/65536"]),
        row("backup 3: raw", story("format=raw", "io d0 write 1k 1k\nio d0 write 70k 1k"), &["COMPLETED j0 131072/131072"]),
        row(
            "backup 3: widened to the target's clusters",
            story("cluster=128k", "io d0 write 1k 1k\nio d0 write 192k 64k\nio d0 write 256k 1k\nio d0 write 300k 1k"),
            &["COMPLETED j0 393216/393216"],
        ),
        row(
            "backup 3: a coarse bitmap marks all its clusters",
            "disk d0 512k 0x41@0+512k\ndisk t0 512k\nlaunch d0\nnode t0\nadd n0/c {granularity: 262144}\nio d0 write 0 1\n\
             backup j0 d0 t0 {sync: incremental, bitmap: c}".into(),
            &["COMPLETED j0 262144/262144"],
        ),
        row(
            "backup 8: the length may exceed the image",
            "disk d0 262656 0x41@0+262656\ndisk t0 262656\nlaunch d0\nnode t0\nbackup j0 d0 t0 {sync: full}\nuntil null j0\nshutdown\ncompare d0 t0".into(),
            &["COMPLETED j0 327680/327680; ..; compare identical; $"],
        ),
        row(
            "backup 2.3 #13: max-chunk is held against the larger cluster",
            "disk d0 512k\ndisk t0 512k cluster=128k\nlaunch d0\nnode t0\n\
             backup j0 d0 t0 {sync: full, x-perf: {max-chunk: 65536}} ! Required max-chunk (65536) is less than backup cluster size (131072)".into(),
            &["E Required*; $"],
        ),
        row(
            "backup 3: top: only what the top image has, and the total shrinks to it",
            "disk base 256k 0x41@0+256k\ndisk d0 256k backing=base 0x42@64k+64k\ndisk t0 256k backing=base\nlaunch d0\nnode t0\n\
             backup j0 d0 t0 {sync: top}\nuntil null j0\nshutdown\ncompare d0 t0".into(),
            &["COMPLETED j0 65536/65536; ..; compare identical; $"],
        ),
        row(
            "backup 3: top: where the image below ends does not matter",
            "disk base 114k 0x41@0+96k\ndisk d0 228k backing=base 0x42@156k+72k\ndisk t0 228k\nlaunch d0\nnode t0\n\
             backup j0 d0 t0 {sync: top}\nuntil null j0".into(),
            &["COMPLETED j0 131072/131072"],
        ),
        row(
            "backup 2.1 #5: drive-backup of an image without backing: top is full",
            "disk d0 256k 0x42@64k+64k\nlaunch d0\ndrive-backup j0 d0 a {sync: top}\nuntil null j0\nshutdown\ncompare d0 a".into(),
            &["COMPLETED j0 262144/262144; ..; compare identical; $"],
        ),
        row(
            "backup 3: blockdev-backup is not changed so",
            "disk d0 256k 0x42@64k+64k\ndisk t0 256k\nlaunch d0\nnode t0\nbackup j0 d0 t0 {sync: top}\nuntil null j0".into(),
            &["COMPLETED j0 65536/65536"],
        ),
        row(
            "backup 2.1 #10: sync=none: the image made is backed by the source",
            "disk d0 256k 0x41@0+256k\ncopy d0 before\nlaunch d0\ndrive-backup j0 d0 a {sync: none}\nio d0 write -P9 0 1k\n\
             job-cancel j0\nuntil null j0\nshutdown\ncompare a before\ncompare d0 before".into(),
            &["CANCELLED j0 65536/262144; ..; compare identical; compare different; $"],
        ),
    ]);
}

#[test]
fn the_policy_decides_about_an_error() {
    let read = |policy: &str, errno: u32| {
        format!(
            "faults d0 {{inject-error: [{{event: read_aio, once: true, errno: {errno}}}]}}\n{}",
            one(&format!(
                "backup j0 d0 t0 {{sync: full, on-source-error: {policy}, on-target-error: ignore}}"
            ))
        )
    };
    let write = |policy: &str, errno: u32| {
        format!(
            "faults t0 {{inject-error: [{{event: write_aio, once: true, errno: {errno}}}]}}\n{}",
            one(&format!(
                "backup j0 d0 t0 {{sync: full, on-target-error: {policy}, on-source-error: ignore}}"
            ))
        )
    };
    let rows: &[(&'static str, &str, u32, &str, &str)] = &[
        (
            "backup 6: report",
            "report",
            5,
            "report",
            "Input/output error",
        ),
        (
            "backup 6: report, ENOSPC",
            "report",
            28,
            "report",
            "No space left on device",
        ),
        ("backup 6: ignore", "ignore", 5, "ignore", ""),
        ("backup 6: stop", "stop", 5, "stop", ""),
        ("backup 6: stop, ENOSPC", "stop", 28, "stop", ""),
        (
            "backup 6: enospc, EIO",
            "enospc",
            5,
            "report",
            "Input/output error",
        ),
        ("backup 6: enospc, ENOSPC", "enospc", 28, "stop", ""),
        (
            "backup 6: auto, EIO",
            "auto",
            5,
            "report",
            "Input/output error",
        ),
        ("backup 6: auto, ENOSPC", "auto", 28, "stop", ""),
    ];
    for &(spec, policy, errno, action, text) in rows {
        for (half, story) in [
            ("read", read(policy, errno)),
            ("write", write(policy, errno)),
        ] {
            let error = format!("ERROR j0 {half} {action}");
            let end = match action {
                "report" => format!(
                    "{error}; ..; aborting j0; COMPLETED j0 0/262144 {text}; concluded j0; null j0"
                ),
                "ignore" => format!(
                    "{error}; ..; waiting j0; pending j0; COMPLETED j0 262144/262144; concluded j0; null j0"
                ),
                _ => format!("{error}; paused j0; ..; left j0 paused; $"),
            };
            let always: &'static [&'static str] = vec![&*end.leak()].leak();
            check(&[Row {
                spec,
                story,
                always,
                never: &["ERROR*; ..; ERROR*"],
                ..Row::default()
            }]);
        }
    }
}

#[test]
fn guests_raise_the_progress_and_speed_limits_it() {
    let progress = |story: &str, rest: &str| one(&format!("{story}\nmark\n{rest}"));
    check(&[
        row(
            "backup 8: sync=none: writes in scope, each cluster once",
            progress(
                "backup j0 d0 t0 {sync: none}",
                "io d0 write 0 1k\nio d0 write 1k 1k\nio d0 write 60k 8k\nquery-jobs\njob-cancel j0",
            ),
            &[
                "R *\"current-progress\":131072,*\"total-progress\":262144,*; ..; CANCELLED j0 131072/262144",
            ],
        ),
        row(
            "backup 8: even while the job is paused",
            progress(
                "backup j0 d0 t0 {sync: none}",
                "io d0 write 0 128k\njob-pause j0\nuntil paused j0\nio d0 write 128k 64k\nquery-jobs",
            ),
            &["R *\"current-progress\":196608,*; left j0 paused; $"],
        ),
        row(
            "backup 8: not out of scope",
            progress(
                "io d0 write 0 64k\nbackup j0 d0 t0 {sync: incremental, bitmap: b, auto-finalize: false}\nuntil PENDING j0",
                "io d0 write 128k 64k\nquery-jobs",
            ),
            &["R *\"current-progress\":65536,*\"total-progress\":65536,*; left j0 pending; $"],
        ),
        row(
            "backup 9: the first chunk goes at once, and is not split",
            progress("backup j0 d0 t0 {sync: full, speed: 1}", "until null j0"),
            &["COMPLETED j0 262144/262144"],
        ),
        Row {
            spec: "backup 9: with max-chunk it goes in steps; set-speed wakes the sleeper",
            story: progress(
                "backup j0 d0 t0 {sync: full, speed: 1, x-perf: {max-chunk: 65536}}",
                "& set-speed j0 0\nuntil null j0",
            ),
            sometimes: &[
                "R; waiting j0; pending j0; COMPLETED j0 262144/262144; concluded j0; null j0; $",
            ],
            always: &["COMPLETED j0 262144/262144; concluded j0; null j0"],
            ..Row::default()
        },
    ]);
}

#[test]
fn the_sync_bitmap_ends_by_how_the_job_ends() {
    // Two granules are dirty, the job copies one area and then fails, or copies all; one more is written meanwhile.
    let story = |sync: &str, mode: &str, end: &str| {
        let mode = if mode.is_empty() {
            String::new()
        } else {
            format!(", bitmap-mode: {mode}")
        };
        let (faults, options, rest) = match end {
            "success" => (
                "",
                "auto-finalize: false",
                "until PENDING j0\nio d0 write 128k 64k\njob-finalize j0",
            ),
            "cancel" => (
                "",
                "auto-finalize: false",
                "until PENDING j0\nio d0 write 128k 64k\njob-cancel j0",
            ),
            _ => (
                "faults d0 {set-state: [{event: read_aio, state: 1, new_state: 2}], \
                 inject-error: [{event: read_aio, state: 2, once: true}]}\n",
                "x-perf: {max-workers: 1, max-chunk: 65536}",
                "until null j0",
            ),
        };
        format!(
            "{faults}{}",
            one(&format!(
                "io d0 write 0 128k\nbackup j0 d0 t0 {{sync: {sync}, bitmap: b{mode}, {options}}}\n{rest}\nbitmaps"
            ))
        )
    };
    // What is written meanwhile is 64k more where the job ends with all copied.
    let rows: &[(&str, &str, &str, u64)] = &[
        ("incremental", "", "success", 65536),
        ("incremental", "", "cancel", 196608),
        ("incremental", "", "failure", 131072),
        ("bitmap", "on-success", "success", 65536),
        ("bitmap", "on-success", "cancel", 196608),
        ("bitmap", "on-success", "failure", 131072),
        ("bitmap", "never", "success", 196608),
        ("bitmap", "never", "cancel", 196608),
        ("bitmap", "never", "failure", 131072),
        ("bitmap", "always", "success", 65536),
        ("bitmap", "always", "cancel", 65536),
        ("bitmap", "always", "failure", 65536),
        ("full", "on-success", "success", 65536),
        ("full", "on-success", "cancel", 196608),
        ("full", "on-success", "failure", 131072),
        ("full", "always", "success", 65536),
        ("full", "always", "cancel", 65536),
        ("full", "always", "failure", 196608),
        ("top", "on-success", "success", 65536),
        ("top", "on-success", "failure", 131072),
        ("top", "always", "success", 65536),
        ("top", "always", "cancel", 65536),
        ("top", "always", "failure", 196608),
    ];
    for &(sync, mode, end, count) in rows {
        let expected: &'static str = format!("bitmaps n0/b={count}; $").leak();
        let always: &'static [&'static str] = vec![expected].leak();
        let spec: &'static str = format!("backup 10: {sync} {mode} {end}").leak();
        check(&[Row {
            spec,
            story: story(sync, mode, end),
            always,
            ..Row::default()
        }]);
    }
}
