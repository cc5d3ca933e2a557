//! The job machine: jobs.md §1, §5, §7 to §10, as tables and as stories under many seeds.

use crate::support::{Row, check, row};
use model::job::{Status, Verb};

/// One disk with something to copy, its target, a clean bitmap.
const ONE: &str = "
    disk d0 256k 0x41@0+256k
    disk t0 256k
    launch d0
    node t0
    add n0/b0
    mark
";

fn one(lines: &str) -> String {
    format!("{ONE}\n{lines}")
}

/// Its reads fail: once, or as the rule says.
fn one_with_fault(rule: &str, lines: &str) -> String {
    format!("faults d0 {{inject-error: [{{event: read_aio, {rule}}}]}}\n{ONE}\n{lines}")
}

// ---- §1 tables

#[test]
fn a_status_changes_only_along_the_table() {
    // jobs 1: rows C R P Y S W D X E N, and where each may go.
    let letter =
        |letter: char| Status::ALL["CRPYSWDXEN".find(letter).expect("a letter of the table")];
    for (from, to) in [
        ("C", "RXN"),
        ("R", "PYWX"),
        ("P", "R"),
        ("Y", "SWX"),
        ("S", "Y"),
        ("W", "DX"),
        ("D", "XE"),
        ("X", "XE"),
        ("E", "N"),
        ("N", ""),
    ] {
        let from = letter(from.chars().next().expect("one letter"));
        for next in Status::ALL {
            let allowed = to.chars().any(|to| letter(to) == next);
            assert_eq!(
                from.may_become(next),
                allowed,
                "{} to {}",
                from.name(),
                next.name()
            );
        }
    }
}

#[test]
fn a_verb_is_accepted_only_along_the_table() {
    // jobs 1: verb by status.
    let rows = [
        (
            "cancel",
            "created running paused ready standby waiting pending",
        ),
        ("pause", "created running paused ready standby"),
        ("resume", "created running paused ready standby"),
        ("set-speed", "created running paused ready standby"),
        ("complete", "ready standby"),
        ("finalize", "pending"),
        ("dismiss", "concluded"),
    ];
    assert_eq!(rows.len(), Verb::ALL.len());
    for (verb, statuses) in rows {
        let verb = Verb::ALL
            .into_iter()
            .find(|known| known.name() == verb)
            .expect("a verb");
        for status in Status::ALL {
            let allowed = statuses.split(' ').any(|name| name == status.name());
            assert_eq!(
                verb.allowed_in(status),
                allowed,
                "{} in {}",
                verb.name(),
                status.name()
            );
        }
    }
}

#[test]
fn a_verb_is_refused_with_the_status_and_its_name() {
    let refusals = |state: &str, verbs: &str| -> String {
        let line = |verb: &str| {
            let command = if verb == "set-speed" {
                "set-speed j0 1".to_owned()
            } else {
                format!("job-{verb} j0")
            };
            format!("{command} ! Job 'j0' in state '{state}' cannot accept command verb '{verb}'\n")
        };
        verbs.split(' ').map(line).collect()
    };
    check(&[
        Row {
            spec: "jobs 1: running",
            story: one(&format!(
                "backup j0 d0 t0 {{sync: none}}\n{}",
                refusals("running", "complete finalize dismiss")
            )),
            always: &["left j0 running; $"],
            ..Row::default()
        },
        Row {
            spec: "jobs 1: paused",
            story: one(&format!(
                "backup j0 d0 t0 {{sync: none}}\njob-pause j0\nuntil paused j0\n{}",
                refusals("paused", "complete finalize dismiss")
            )),
            always: &["left j0 paused; $"],
            ..Row::default()
        },
        Row {
            spec: "jobs 1: waiting",
            story: format!(
                "disk d1 256k\ndisk t1 256k\n{}",
                one(&format!(
                    "node t1\ngroup backup j1 d0 t1 {{sync: none}}; backup j0 n0 t0 {{sync: incremental, bitmap: b0}}\n\
                 until waiting j0\n{}job-resume j0 ! Can't resume a job that was not paused",
                    refusals("waiting", "pause set-speed complete finalize dismiss")
                ))
            ),
            always: &["left j0 waiting; left j1 running; $"],
            ..Row::default()
        },
        Row {
            spec: "jobs 1: pending",
            story: one(&format!(
                "backup j0 d0 t0 {{sync: full, auto-finalize: false}}\nuntil PENDING j0\n{}\
                 job-resume j0 ! Can't resume a job that was not paused",
                refusals("pending", "pause set-speed complete dismiss")
            )),
            always: &["left j0 pending; $"],
            ..Row::default()
        },
        Row {
            spec: "jobs 1: concluded",
            story: one(&format!(
                "backup j0 d0 t0 {{sync: full, auto-dismiss: false}}\nuntil concluded j0\n{}\
                 job-resume j0 ! Can't resume a job that was not paused\njob-dismiss j0\njob-dismiss j0 ! Job not found",
                refusals("concluded", "cancel pause set-speed complete finalize")
            )),
            always: &["null j0; R; > job-dismiss; E Job not found; $"],
            ..Row::default()
        },
    ]);
}

// ---- §5 pause and resume

#[test]
fn users_pause_and_resume() {
    check(&[
        Row {
            spec: "jobs 5: pause, pause again, resume, resume again",
            story: one(
                "backup j0 d0 t0 {sync: none}\nmark\njob-pause j0\njob-pause j0 ! Job is already paused\n\
                block-job-pause j0 ! Job is already paused\njob-resume j0\n\
                job-resume j0 ! Can't resume a job that was not paused",
            ),
            always: &[
                "^; > job-pause; paused j0; R; > job-pause; E Job is already paused; > block-job-pause; \
                E Job is already paused; > job-resume; running j0; R; > job-resume; \
                E Can't resume a job that was not paused; left j0 running; $",
            ],
            ..Row::default()
        },
        Row {
            spec: "jobs 5: a job with copies in flight pauses when they have ended, and copies the rest later",
            story: one(
                "backup j0 d0 t0 {sync: full, x-perf: {max-workers: 1, max-chunk: 65536}}\nmark\n& job-pause j0\n\
                until paused j0\njob-resume j0",
            ),
            sometimes: &[
                "> job-pause; R; paused j0; > job-resume; running j0; ..; COMPLETED j0 262144/262144; concluded j0; null j0",
            ],
            never: &["paused j0; waiting j0", "CANCELLED *"],
            ..Row::default()
        },
        Row {
            spec: "jobs 5: two reasons, one paused: a drain within a user's pause shows nothing",
            story: format!(
                "disk d1 256k\ndisk t1 256k\n{}",
                one("add n0/x\n\
                node t1\nbackup j0 d0 t0 {sync: none}\nmark\njob-pause j0\nuntil paused j0\n\
                each clear n0/x; clear n0/b0\nbackup j1 n0 t1 {sync: incremental, bitmap: x}\nuntil null j1\njob-resume j0")
            ),
            always: &[
                "^; > job-pause; paused j0; ..; null j1; ..; > job-resume; running j0; R; left j0 running; $",
            ],
            never: &["running j0; ..; null j1"],
            ..Row::default()
        },
        Row {
            spec: "jobs 5: without a user's pause a transaction's drain shows",
            story: one("backup j0 d0 t0 {sync: none}\nmark\neach clear n0/b0"),
            always: &["^; > transaction; paused j0; running j0; R; left j0 running; $"],
            ..Row::default()
        },
        Row {
            spec: "jobs 5, concurrency 8: bitmap commands, queries, set-speed drain nothing",
            story: one(
                "backup j0 d0 t0 {sync: none}\nmark\nclear n0/b0\nadd n0/x\nquery-jobs\nset-speed j0 4096\nquery-block",
            ),
            always: &[
                "left j0 running; $",
                "^; > block-dirty-bitmap-clear; R; > block-dirty-bitmap-add; R",
            ],
            never: &["paused j0"],
            ..Row::default()
        },
    ]);
}

#[test]
fn an_error_pauses_as_a_user_would() {
    let stopped = |rest: &str| {
        one_with_fault(
            "once: true",
            &format!(
                "backup j0 d0 t0 {{sync: full, on-source-error: stop}}\nuntil ERROR j0\n{rest}"
            ),
        )
    };
    check(&[
        Row {
            spec: "jobs 5: error pause, then resume copies the rest",
            story: stopped(
                "until paused j0\nuntil paused j0\nmark\nquery-block-jobs\nquery-jobs\njob-pause j0 ! Job is already paused\n\
                block-job-cancel j0 ! The block job for device 'j0' is currently paused\njob-resume j0",
            ),
            always: &[
                "R *\"io-status\":\"failed\"*\"status\":\"paused\",\"paused\":true*",
                "> job-resume; running j0; ..; COMPLETED j0 262144/262144; concluded j0; null j0",
            ],
            never: &["R *\"error\":*", "ERROR*"],
            ..Row::default()
        },
        Row {
            spec: "jobs 5: ENOSPC is nospace",
            story: one_with_fault(
                "once: true, errno: 28",
                "backup j0 d0 t0 {sync: full, on-source-error: enospc}\n\
                until ERROR j0\nuntil paused j0\nuntil paused j0\nmark\nquery-block-jobs\njob-resume j0\nquery-block-jobs",
            ),
            always: &[
                "R *\"io-status\":\"nospace\"*",
                "COMPLETED j0 262144/262144",
            ],
            sometimes: &["R *\"io-status\":\"ok\"*"],
            ..Row::default()
        },
        Row {
            spec: "jobs 7: a stopped job is cancelled by force, and by job-cancel",
            story: stopped(
                "until paused j0\nuntil paused j0\nmark\nblock-job-cancel j0 {force: true}",
            ),
            always: &[
                "^; > block-job-cancel; running j0; ..; aborting j0; CANCELLED j0 *; concluded j0; null j0",
            ],
            ..Row::default()
        },
        Row {
            spec: "backup 5 order quirk: a job cancelled in an error pause copies one more round",
            story: one_with_fault(
                "once: true",
                "backup j0 d0 t0 {sync: full, on-source-error: stop}\nuntil ERROR j0\n\
                until paused j0\nuntil paused j0\nmark\njob-cancel j0",
            ),
            always: &[
                "^; > job-cancel; running j0; ..; aborting j0; CANCELLED j0 262144/262144; concluded j0; null j0",
            ],
            ..Row::default()
        },
        Row {
            spec: "backup 9, 5: as far as its slice goes; that of a paused job may have run out",
            story: one_with_fault(
                "once: true",
                "backup j0 d0 t0 {sync: full, on-source-error: stop, speed: 1, x-perf: {max-workers: 1, max-chunk: 65536}}\n\
                until ERROR j0\nuntil paused j0\nuntil paused j0\nmark\njob-cancel j0",
            ),
            always: &["CANCELLED j0 *; concluded j0; null j0"],
            sometimes: &["CANCELLED j0 0/262144", "CANCELLED j0 65536/262144"],
            ..Row::default()
        },
        Row {
            spec: "backup 5: a job cancelled in a user's pause copies no more",
            story: one(
                "backup j0 d0 t0 {sync: full, x-perf: {max-workers: 1, max-chunk: 65536}}\nmark\n& job-pause j0\n\
                until paused j0\nquery-jobs\njob-cancel j0",
            ),
            sometimes: &[
                "R *progress\":131072,*; > job-cancel; running j0; aborting j0; CANCELLED j0 131072/262144",
                "R *progress\":196608,*; > job-cancel; running j0; aborting j0; CANCELLED j0 196608/262144",
            ],
            never: &[
                "R *progress\":131072,*; ..; CANCELLED j0 196608/262144",
                "R *progress\":131072,*; ..; CANCELLED j0 262144/262144",
            ],
            ..Row::default()
        },
    ]);
}

// ---- §7 cancel

#[test]
fn a_job_can_be_cancelled_at_every_moment() {
    check(&[
        Row {
            spec: "jobs 7: from any moment of a full backup",
            story: one(
                "backup j0 d0 t0 {sync: full, x-perf: {max-workers: 1, max-chunk: 65536}}\n& job-cancel j0",
            ),
            sometimes: &[
                // in flight: reply first
                "> job-cancel; R; aborting j0; CANCELLED j0 131072/262144; concluded j0; null j0; $",
                "E Job not found; $",
            ],
            always: &["concluded j0; null j0"],
            never: &[
                "waiting j0; ..; CANCELLED j0 *",
                "CANCELLED *; ..; COMPLETED *",
            ],
            ..Row::default()
        },
        Row {
            spec: "jobs 7: between the run function's return and its bottom half: before the reply",
            story: one("backup j0 d0 t0 {sync: full}\n& job-cancel j0"),
            sometimes: &[
                "> job-cancel; aborting j0; CANCELLED j0 262144/262144; concluded j0; null j0; R; $",
            ],
            ..Row::default()
        },
        Row {
            spec: "jobs 7: sync=none ends only so, within one pass",
            story: one(
                "backup j0 d0 t0 {sync: none, auto-dismiss: false}\nmark\njob-cancel j0\nuntil concluded j0\nquery-jobs",
            ),
            always: &["aborting j0; CANCELLED j0 0/262144; concluded j0; ..; \
                R [{\"current-progress\":0,\"status\":\"concluded\",\"total-progress\":262144,\"type\":\"backup\",\"id\":\"j0\",\
                \"error\":\"Operation canceled\"}]"],
            sometimes: &["CANCELLED j0 *; concluded j0; R"],
            ..Row::default()
        },
        Row {
            spec: "jobs 7: pending: synchronously, and the bitmap keeps its bits",
            story: one(
                "io d0 write 0 64k\nbackup j0 d0 t0 {sync: incremental, bitmap: b0, auto-finalize: false}\nuntil PENDING j0\n\
                mark\nblock-job-cancel j0\nbitmaps",
            ),
            always: &[
                "^; > block-job-cancel; aborting j0; CANCELLED j0 65536/65536; concluded j0; null j0; R; bitmaps n0/b0=65536; $",
            ],
            ..Row::default()
        },
        Row {
            spec: "jobs 7: a user-paused job: soft refused, force taken",
            story: one(
                "backup j0 d0 t0 {sync: none}\nmark\njob-pause j0\nuntil paused j0\n\
                block-job-cancel j0 ! The block job for device 'j0' is currently paused\nblock-job-cancel j0 {force: true}",
            ),
            always: &[
                "running j0; ..; aborting j0; CANCELLED j0 0/262144; concluded j0; null j0",
                "> block-job-cancel; E The block job for device 'j0' is currently paused; > block-job-cancel; running j0",
            ],
            ..Row::default()
        },
        Row {
            spec: "jobs 7: a user-paused job: job-cancel is always forceful",
            story: one(
                "backup j0 d0 t0 {sync: none}\nmark\njob-pause j0\nuntil paused j0\njob-cancel j0",
            ),
            always: &[
                "> job-cancel; running j0; aborting j0; CANCELLED j0 0/262144; concluded j0; null j0; R; $",
            ],
            ..Row::default()
        },
        Row {
            spec: "jobs 7, concurrency 5: cancel of a throttled job: events before the reply, or after it",
            story: one(
                "backup j0 d0 t0 {sync: full, speed: 65536, x-perf: {max-workers: 1, max-chunk: 65536}}\n& job-cancel j0",
            ),
            sometimes: &[
                "> job-cancel; aborting j0; CANCELLED j0 65536/262144; concluded j0; null j0; R; $",
                "> job-cancel; R; aborting j0; CANCELLED j0 *; concluded j0; null j0; $",
            ],
            ..Row::default()
        },
    ]);
}

// ---- §8 finalize and dismiss

#[test]
fn finalize_and_dismiss_are_the_users_if_he_wants() {
    let story = |options: &str, rest: &str| {
        one(&format!(
            "backup j0 d0 t0 {{sync: full, {options}}}\n{rest}"
        ))
    };
    check(&[
        Row {
            spec: "jobs 8: true true",
            story: story("speed: 0", ""),
            always: &["waiting j0; pending j0; COMPLETED j0 262144/262144; concluded j0; null j0"],
            ..Row::default()
        },
        Row {
            spec: "jobs 8: true false",
            story: story("auto-dismiss: false", "until concluded j0\njob-dismiss j0"),
            always: &[
                "waiting j0; pending j0; COMPLETED j0 262144/262144; concluded j0; ..; > job-dismiss; null j0; R; $",
            ],
            ..Row::default()
        },
        Row {
            spec: "jobs 8: false true",
            story: story("auto-finalize: false", "until PENDING j0\njob-finalize j0"),
            always: &[
                "waiting j0; pending j0; PENDING j0; ..; > job-finalize; COMPLETED j0 262144/262144; concluded j0; null j0; R; $",
            ],
            ..Row::default()
        },
        Row {
            spec: "jobs 8: false false",
            story: story(
                "auto-finalize: false, auto-dismiss: false",
                "until PENDING j0\nblock-job-finalize j0\nblock-job-dismiss j0",
            ),
            always: &[
                "pending j0; PENDING j0; ..; > block-job-finalize; COMPLETED j0 262144/262144; concluded j0; R; \
                > block-job-dismiss; null j0; R; $",
            ],
            ..Row::default()
        },
        Row {
            spec: "jobs 8: auto-dismiss false keeps a failed job",
            story: one_with_fault(
                "once: true",
                "backup j0 d0 t0 {sync: full, auto-dismiss: false, auto-finalize: false}\nuntil concluded j0\n\
                query-jobs\nquery-block-jobs",
            ),
            always: &[
                "ERROR j0 read report; ..; aborting j0; COMPLETED j0 * Input/output error; concluded j0; ..; \
                R *\"error\":\"Input/output error\"*; ..; R *\"error\":\"Input/output error\"*; left j0 concluded; $",
            ],
            ..Row::default()
        },
        Row {
            spec: "jobs 8: a never-started job is dismissed all the same",
            story: one(
                "each backup j0 d0 t0 {sync: full, auto-dismiss: false}; abort ! Transaction aborted using Abort action",
            ),
            always: &[
                "^; > transaction; created j0; aborting j0; concluded j0; null j0; E Transaction aborted using Abort action; $",
            ],
            ..Row::default()
        },
    ]);
}

// ---- §9 errors

#[test]
fn unknown_jobs_and_bad_ids_are_refused_in_two_classes() {
    let job = |verb: &str| format!("job-{verb} nobody ! Job not found\n");
    let block = |verb: &str| {
        format!("block-job-{verb} nobody ! DeviceNotActive: Block job 'nobody' not found\n")
    };
    let verbs = [
        "cancel", "pause", "resume", "complete", "finalize", "dismiss",
    ];
    let all: String = verbs
        .into_iter()
        .map(|verb| job(verb) + &block(verb))
        .collect();
    check(&[
        Row {
            spec: "jobs 9: not found",
            story: one(&format!(
                "{all}set-speed nobody 1 ! DeviceNotActive: Block job 'nobody' not found"
            )),
            always: &["E DeviceNotActive: Block job 'nobody' not found; $"],
            ..Row::default()
        },
        Row {
            spec: "jobs 9: set-speed: the verb before the value",
            story: one(
                "backup j0 d0 t0 {sync: full, auto-finalize: false}\nuntil PENDING j0\n\
                set-speed j0 -1 ! Job 'j0' in state 'pending' cannot accept command verb 'set-speed'",
            ),
            always: &["left j0 pending; $"],
            ..Row::default()
        },
        Row {
            spec: "jobs 9: a negative speed",
            story: one(
                "backup j0 d0 t0 {sync: none}\nset-speed j0 -1 ! Parameter 'speed' expects a non-negative value",
            ),
            always: &["left j0 running; $"],
            ..Row::default()
        },
        Row {
            spec: "jobs 9: ids, and the bitmap is free again",
            story: one(
                "backup 1j d0 t0 {sync: incremental, bitmap: b0} ! Invalid job ID '1j'\n\
                backup j$ d0 t0 {sync: incremental, bitmap: b0} ! Invalid job ID 'j$'\n\
                backup j0 d0 t0 {sync: none}\nmark\n\
                backup j0 n0 t0 {sync: full} ! Node 't0' is busy: block device is in use by block job: backup\n\
                disk t1 256k\nnode t1\nbackup j0 n0 t1 {sync: incremental, bitmap: b0} ! Job ID 'j0' already in use\nbitmaps",
            ),
            always: &["bitmaps *n0/b0=0; left j0 running; $"],
            ..Row::default()
        },
        Row {
            spec: "jobs 9: a concluded job still has its id",
            story: one(
                "backup j0 d0 t0 {sync: full, auto-dismiss: false}\nuntil concluded j0\n\
                backup j0 d0 t0 {sync: full} ! Job ID 'j0' already in use\njob-dismiss j0\nbackup j0 d0 t0 {sync: full}",
            ),
            always: &["COMPLETED j0 *; concluded j0; null j0; $"],
            ..Row::default()
        },
        Row {
            spec: "jobs 9: no id: the drive's name, by node too; a bare node has none",
            story: one(
                "backup - d0 t0 {sync: full}\nuntil null d0\nbackup - n0 t0 {sync: full}\nuntil null d0\n\
                disk x 256k\ndisk y 256k\nnode x\nbackup - x t0 {sync: full} ! Invalid job ID ''",
            ),
            always: &["E Invalid job ID ''; $"],
            ..Row::default()
        },
        Row {
            spec: "jobs 9, backup 2.3 #14: the filter of a second backup is on no drive",
            story: one(
                "backup j0 d0 t0 {sync: none}\ndisk t1 256k\nnode t1\nbackup - n0 t1 {sync: full} ! Invalid job ID ''",
            ),
            always: &["E Invalid job ID ''; left j0 running; $"],
            ..Row::default()
        },
        Row {
            spec: "jobs 3 step 1e: a negative speed is met after created",
            story: one(
                "backup j0 d0 t0 {sync: incremental, bitmap: b0, speed: -1} ! Parameter 'speed' expects a non-negative value\nbitmaps",
            ),
            always: &[
                "^; > blockdev-backup; created j0; null j0; E Parameter 'speed' expects a non-negative value; bitmaps n0/b0=0; $",
            ],
            ..Row::default()
        },
        Row {
            spec: "a command that does not exist",
            story: one(
                "no-such-command ! CommandNotFound: The command no-such-command has not been found",
            ),
            always: &["E CommandNotFound: *; $"],
            ..Row::default()
        },
    ]);
}

// ---- §10 a to c

#[test]
fn a_single_job_shows_exactly_these_sequences() {
    check(&[
        Row {
            spec: "jobs 10a: success: with I/O the reply is before waiting",
            story: one("backup j0 d0 t0 {sync: full}"),
            always: &[
                "^; > blockdev-backup; created j0; running j0; paused j0; running j0; R; \
                waiting j0; pending j0; COMPLETED j0 262144/262144; concluded j0; null j0; $",
            ],
            ..Row::default()
        },
        Row {
            spec: "jobs 10a: nothing to copy: the reply comes after null",
            story: one("backup j0 d0 t0 {sync: incremental, bitmap: b0}"),
            always: &[
                "^; > blockdev-backup; created j0; running j0; paused j0; running j0; \
                waiting j0; pending j0; COMPLETED j0 0/0; concluded j0; null j0; R; $",
            ],
            ..Row::default()
        },
        Row {
            spec: "jobs 10b: failure",
            story: one_with_fault("once: true", "backup j0 d0 t0 {sync: full}"),
            always: &[
                "^; > blockdev-backup; created j0; running j0; paused j0; running j0; ..; ERROR j0 read report; ..; \
                aborting j0; COMPLETED j0 0/262144 Input/output error; concluded j0; null j0",
            ],
            sometimes: &[
                "R; ERROR j0 read report",
                "running j0; ERROR j0 read report; R",
            ],
            ..Row::default()
        },
        Row {
            spec: "jobs 10b: several failures in one round are one event",
            story: one_with_fault(
                "once: false",
                "backup j0 d0 t0 {sync: full, x-perf: {max-chunk: 65536}}",
            ),
            always: &[
                "ERROR j0 read report; ..; aborting j0; COMPLETED j0 0/262144 Input/output error",
            ],
            never: &["ERROR*; ..; ERROR*"],
            ..Row::default()
        },
        Row {
            spec: "backup 6: ignored errors are met again and again",
            story: one_with_fault(
                "once: false",
                "backup j0 d0 t0 {sync: full, on-source-error: ignore}\nuntil ERROR j0\nuntil ERROR j0\njob-cancel j0",
            ),
            sometimes: &[
                "ERROR j0 read ignore; ..; ERROR j0 read ignore; ..; aborting j0; CANCELLED j0 0/262144; concluded j0; null j0",
            ],
            never: &["COMPLETED *"],
            ..Row::default()
        },
    ]);
}

#[test]
fn a_job_in_an_iothread_shows_the_same() {
    let story = |lines: &str| {
        format!(
            "disk d0 256k 0x41@0+256k\ndisk t0 256k\nlaunch d0:iothread0\nnode t0\nadd n0/b0\nmark\n{lines}"
        )
    };
    check(&[
        Row {
            spec: "jobs 3 step 2b: success in an iothread",
            story: story("backup j0 d0 t0 {sync: full}"),
            always: &[
                "created j0; running j0; ..; waiting j0; pending j0; COMPLETED j0 262144/262144; concluded j0; null j0",
            ],
            sometimes: &[
                "running j0; paused j0; running j0; R; waiting j0",
                "null j0; R; $",
            ],
            ..Row::default()
        },
        Row {
            spec: "jobs 7: cancel in an iothread",
            story: story("backup j0 d0 t0 {sync: none}\njob-cancel j0"),
            always: &["aborting j0; CANCELLED j0 0/262144; concluded j0; null j0"],
            sometimes: &["> job-cancel; R; aborting j0"],
            ..Row::default()
        },
        Row {
            spec: "jobs 5: pause in an iothread",
            story: story(
                "backup j0 d0 t0 {sync: none}\nmark\njob-pause j0\nuntil paused j0\njob-resume j0\nuntil running j0\njob-cancel j0",
            ),
            always: &[
                "paused j0; ..; > job-resume; ..; running j0; ..; CANCELLED j0 0/262144; concluded j0; null j0",
            ],
            ..Row::default()
        },
    ]);
}

#[test]
fn the_first_status_query_of_a_file_is_an_io_whatever_guests_have_read() {
    let story = "disk base 256k 0x41@0+64k\ndisk d0 256k backing=base 0x42@64k+64k\ndisk t0 256k\nlaunch d0\nnode t0\n\
                 io d0 read 0 256k\nbackup j0 d0 t0 {sync: full}\nmark\n& job-cancel j0";
    check(&[Row {
        spec: "a cancel that comes meanwhile lets the area go on that was asked for",
        story: story.into(),
        sometimes: &["CANCELLED j0 65536/262144"],
        ..Row::default()
    }]);
}

#[test]
fn an_iothread_enters_the_job_that_a_drain_let_go_while_the_main_thread_goes_on() {
    let story = "disk d0 256k\ndisk d1 256k\ndisk t0 256k\ndisk t1 256k\nlaunch d0:iothread0 d1:iothread1\nnode t0\nnode t1\n\
                 backup j0 d0 t0 {sync: none}\nmark\nbackup j1 d1 t1 {sync: none}";
    let beside = |dialect, sometimes| Row {
        spec: "another backup is created after it",
        dialect,
        story: story.into(),
        sometimes,
        ..Row::default()
    };
    check(&[
        beside(
            "7.2",
            &[
                "paused j0; running j0; created j1",
                "paused j0; created j1; running j1; running j0",
            ],
        ),
        beside(
            "10.0",
            &["paused j0; running j0; created j1", "paused j0; created j1"],
        ),
    ]);
}

#[test]
fn zeroes_into_a_table_that_is_in_memory_take_no_io() {
    check(&[row(
        "so the second backup of an empty drive is over before its reply",
        "disk d0 256k\ndisk t0 256k\nlaunch d0\nnode t0\nbackup j0 d0 t0 {sync: full}\nuntil null j0\nmark\n\
         backup j1 d0 t0 {sync: full}"
            .into(),
        &["running j1; waiting j1; pending j1; COMPLETED j1 262144/262144; concluded j1; null j1; R; $"],
    )]);
}

#[test]
fn each_change_of_the_graph_is_felt_by_a_job_beside_it() {
    let beside = |lines: &str| {
        format!(
            "disk d0 256k\ndisk d1 256k\ndisk t0 256k\ndisk t1 256k\nlaunch d0 d1\nnode t0\nnode t1\n\
             backup j0 d0 t0 {{sync: none}}\n{lines}"
        )
    };
    let pauses = |times: usize| "paused j0; running j0; ".repeat(times);
    let new = |dialect, story: &str, pattern: String| Row {
        spec: "counted in 7.2.22 and 10.0.2",
        dialect,
        story: beside(story),
        always: Vec::leak(vec![&*pattern.leak()]),
        ..Row::default()
    };
    let created = "mark\nbackup j1 d1 t1 {sync: full}";
    let finalized = "backup j1 d1 t1 {sync: full, auto-finalize: false, auto-dismiss: false}\nuntil PENDING j1\nmark\n\
                     job-finalize j1\njob-dismiss j1";
    let refused = "mark\nbackup j1 d0 t1 {sync: full} ! Node 'd0' is busy: block device is in use by block job: backup";
    check(&[
        new(
            "7.2",
            created,
            format!("^; > blockdev-backup; {}created j1", pauses(1)),
        ),
        new(
            "10.0",
            created,
            format!(
                "^; > blockdev-backup; {}created j1; {}running j1",
                pauses(5),
                pauses(1)
            ),
        ),
        new("7.2", finalized, "> job-finalize; COMPLETED j1 *".into()),
        new(
            "10.0",
            finalized,
            format!("> job-finalize; {}COMPLETED j1 *", pauses(3)),
        ),
        new(
            "10.0",
            finalized,
            format!("> job-dismiss; null j1; {}R", pauses(1)),
        ),
        new(
            "10.0",
            refused,
            format!("^; > blockdev-backup; {}E *", pauses(2)),
        ),
    ]);
}

#[test]
fn an_iothread_goes_on_between_the_drain_of_a_job_that_ends_and_its_last_event() {
    let story = "disk d0 256k\ndisk t0 256k\ndisk t1 256k\nlaunch d0:iothread0\nnode t0\nnode t1\nadd n0/b\n\
                 backup j0 d0 t0 {sync: none}\nmark\nbackup j1 n0 t1 {sync: incremental, bitmap: b}";
    check(&[Row {
        spec: "an empty backup beside one that idles",
        story: story.into(),
        sometimes: &[
            "paused j0; running j0; COMPLETED j1 0/0",
            "paused j0; COMPLETED j1 0/0; concluded j1; null j1; running j0",
        ],
        ..Row::default()
    }]);
}
