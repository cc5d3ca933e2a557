//! `transaction`: transactions.md §1 to §6 and the live defects A2 to A4, as stories under many seeds.

use crate::support::{Row, check};

/// A disk, its target, and a bitmap of which two granules are dirty.
const ONE: &str = "
    disk d0 256k 0x41@0+256k
    disk t0 256k
    launch d0
    node t0
    add n0/bm
    io d0 write 0 128k
    mark
";

fn one(lines: &str) -> String {
    format!("{ONE}\n{lines}\nbitmaps")
}

#[test]
fn what_failed_is_undone_and_what_did_not_is_done() {
    const ABORTED: &str = "! Transaction aborted using Abort action";
    const BUSY: &str = "! Bitmap 'bm' is currently in use by another operation and cannot be used";
    let row = |spec: &'static str, actions: &str, always: &'static [&'static str]| Row {
        spec,
        story: one(&format!("each {actions}")),
        always,
        ..Row::default()
    };
    check(&[
        row(
            "transactions 1: nothing",
            "",
            &["^; > transaction; R; bitmaps n0/bm=131072; $"],
        ),
        row(
            "transactions 5: clear, add, merge, disable, remove, abort",
            &format!(
                "clear n0/bm; add n0/b2; merge n0/b2 [bm]; disable n0/bm; remove n0/bm; abort {ABORTED}"
            ),
            &["bitmaps n0/bm=131072; $"],
        ),
        row(
            "transactions 5: remove, clear",
            &format!("remove n0/bm; clear n0/bm {BUSY}"),
            &["bitmaps n0/bm=131072; $"],
        ),
        row(
            "transactions 5: remove, add",
            "remove n0/bm; add n0/bm ! Bitmap already exists: bm",
            &["bitmaps n0/bm=131072; $"],
        ),
        row(
            "transactions 5: add, remove",
            "add n0/x; remove n0/x",
            &["bitmaps n0/bm=131072; $"],
        ),
        row(
            "transactions 5: add, remove, abort",
            &format!("add n0/x; remove n0/x; abort {ABORTED}"),
            &["bitmaps n0/bm=131072; $"],
        ),
        row(
            "transactions 5: add persistent, remove, abort",
            &format!("add n0/p {{persistent: true}}; remove n0/p; abort {ABORTED}"),
            &["bitmaps n0/bm=131072; $"],
        ),
        row(
            "transactions 5: clear, remove",
            "clear n0/bm; remove n0/bm",
            &["R; bitmaps; $"],
        ),
        row(
            "transactions 5: backup, clear",
            &format!("backup j0 d0 t0 {{sync: incremental, bitmap: bm}}; clear n0/bm {BUSY}"),
            &[
                "^; > transaction; created j0; aborting j0; concluded j0; null j0; \
               E Bitmap 'bm' is currently in use by another operation and cannot be used; bitmaps n0/bm=131072; $",
            ],
        ),
        row(
            "transactions 5: backup, abort",
            &format!("backup j0 d0 t0 {{sync: incremental, bitmap: bm}}; abort {ABORTED}"),
            &[
                "^; > transaction; created j0; aborting j0; concluded j0; null j0; \
               E Transaction aborted using Abort action; bitmaps n0/bm=131072; $",
            ],
        ),
        row(
            "transactions 5: add, add",
            "add n0/x; add n0/x ! Bitmap already exists: x",
            &["bitmaps n0/bm=131072; $"],
        ),
        row(
            "transactions 2: disable, abort",
            &format!("disable n0/bm; abort {ABORTED}"),
            &["bitmaps n0/bm=131072; $"],
        ),
        row(
            "transactions 2: enable, abort",
            &format!("enable n0/bm; abort {ABORTED}"),
            &["bitmaps n0/bm=131072; $"],
        ),
        row(
            "transactions 2: disable, enable",
            "disable n0/bm; enable n0/bm",
            &["bitmaps n0/bm=131072; $"],
        ),
        row(
            "transactions 2: clear, backup: one instant",
            "clear n0/bm; backup j0 d0 t0 {sync: incremental, bitmap: bm}",
            &["COMPLETED j0 0/0; concluded j0; null j0; R; bitmaps n0/bm=0; $"],
        ),
        row(
            "transactions 2: merge undone to the bits before the first merge",
            &format!("add n0/x; merge n0/x [bm]; merge n0/bm [x]; abort {ABORTED}"),
            &["bitmaps n0/bm=131072; $"],
        ),
        row(
            "transactions 3: the first error stops",
            "clear n0/none ! Dirty bitmap 'none' not found",
            &["^; > transaction; E Dirty bitmap 'none' not found; bitmaps n0/bm=131072; $"],
        ),
        row(
            "transactions 3: the first error stops, those after it never begin",
            "clear n0/none; backup j0 d0 t0 {sync: full} ! Dirty bitmap 'none' not found",
            &["^; > transaction; E Dirty bitmap 'none' not found; bitmaps n0/bm=131072; $"],
        ),
    ]);
}

#[test]
fn grouped_mode_suits_only_backups() {
    let two = |rest: &str| one(&format!("group {rest}"));
    check(&[
        Row {
            spec: "transactions 4: 7.2 refuses at the action, and rolls back",
            dialect: "7.2",
            story: two(
                "backup j0 d0 t0 {sync: incremental, bitmap: bm}; clear n0/bm \
                ! Action 'block-dirty-bitmap-clear' does not support Transaction property completion-mode = grouped",
            ),
            always: &[
                "^; > transaction; created j0; aborting j0; concluded j0; null j0; E Action*; bitmaps n0/bm=131072; $",
            ],
            ..Row::default()
        },
        Row {
            spec: "transactions 4: 10.0 refuses before anything",
            dialect: "10.0",
            story: two(
                "backup j0 d0 t0 {sync: incremental, bitmap: bm}; clear n0/bm \
                ! Action 'block-dirty-bitmap-clear' does not support transaction property completion-mode = grouped",
            ),
            always: &["^; > transaction; E Action*; bitmaps n0/bm=131072; $"],
            ..Row::default()
        },
        Row {
            spec: "transactions 4: 7.2: abort fails with its own text",
            dialect: "7.2",
            story: two("abort ! Transaction aborted using Abort action"),
            always: &["^; > transaction; E Transaction aborted using Abort action; bitmaps *"],
            ..Row::default()
        },
        Row {
            spec: "transactions 4: 10.0: abort is refused as the others",
            dialect: "10.0",
            story: two(
                "abort ! Action 'abort' does not support transaction property completion-mode = grouped",
            ),
            always: &["^; > transaction; E Action*; bitmaps *"],
            ..Row::default()
        },
        Row {
            spec: "transactions 6, 4: 7.2: the refused action's rollback: an enable has no bitmap yet",
            dialect: "7.2",
            story: two("enable n0/bm"),
            always: &["^; > transaction; exit -11; $"],
            ..Row::default()
        },
        Row {
            spec: "transactions 4: 7.2: a disable has none either, and does not need it",
            dialect: "7.2",
            story: two(
                "disable n0/bm ! Action 'block-dirty-bitmap-disable' does not support Transaction property \
                completion-mode = grouped",
            ),
            always: &["bitmaps n0/bm=131072; $"],
            ..Row::default()
        },
        Row {
            spec: "transactions 1, 4: grouped and empty",
            story: two(""),
            always: &["^; > transaction; R; bitmaps n0/bm=131072; $"],
            ..Row::default()
        },
    ]);
}

/// A transaction that changes a bitmap, prepares a backup with it, and fails.
fn freed(change: &str, mode: &str) -> String {
    format!(
        "each {change}; backup j0 d0 t0 {{sync: bitmap, bitmap: bm, bitmap-mode: {mode}}}; \
         abort ! Transaction aborted using Abort action"
    )
}

#[test]
fn live_defects_behave_as_they_do() {
    let row = |spec: &'static str, line: &str, always: &'static [&'static str]| Row {
        spec,
        story: one(line),
        always,
        ..Row::default()
    };
    check(&[
        row(
            "bugs A2: enable of a missing bitmap",
            "each enable n0/none",
            &["^; > transaction; exit -11; $"],
        ),
        row(
            "bugs A2: enable on a missing node",
            "each enable nothing/bm",
            &["^; > transaction; exit -11; $"],
        ),
        row(
            "bugs A2: disable is safe",
            "each disable n0/none ! Dirty bitmap 'none' not found",
            &["bitmaps n0/bm=131072; $"],
        ),
        row(
            "bugs A2: the command by itself is safe",
            "enable n0/none ! Dirty bitmap 'none' not found",
            &["bitmaps n0/bm=131072; $"],
        ),
        row(
            "bugs A3: remove, enable leaves it disabled",
            "each remove n0/bm; enable n0/bm ! Bitmap 'bm' is currently in use by another operation and cannot be used\n\
             io d0 write 192k 64k",
            &["bitmaps n0/bm=131072,disabled; $"],
        ),
        row(
            "bugs A4: merge of nothing, in a transaction",
            "each merge n0/bm []",
            &["^; > transaction; exit -11; $"],
        ),
        row(
            "bugs A4: merge of nothing, by itself",
            "merge n0/bm []",
            &["^; > block-dirty-bitmap-merge; exit -11; $"],
        ),
        row(
            "bugs A4: a merge of nothing that is not committed harms nobody",
            "each merge n0/bm []; abort ! Transaction aborted using Abort action",
            &["bitmaps n0/bm=131072; $"],
        ),
        row(
            "bugs A4: merge of nothing into a missing bitmap",
            "merge n0/none [] ! Dirty bitmap 'none' not found",
            &["bitmaps n0/bm=131072; $"],
        ),
        row(
            "bugs A10: disable, a backup that takes the bitmap in any case, abort",
            &freed("disable n0/bm", "always"),
            &["null j0; exit -6; $"],
        ),
        row(
            "bugs A10: clear, and merge",
            &format!(
                "add n0/other\n{}",
                freed("clear n0/bm; merge n0/bm [other]", "always")
            ),
            &["null j0; exit -6; $"],
        ),
        row(
            "bugs A10: an enable that changed nothing goes nowhere near the bitmap",
            &freed("enable n0/bm", "always"),
            &["null j0; E Transaction*; bitmaps n0/bm=*"],
        ),
        row(
            "bugs A10: a bitmap that goes back to its owner is not freed",
            &freed("clear n0/bm", "on-success"),
            &["null j0; E Transaction*; bitmaps n0/bm=131072; $"],
        ),
        Row {
            dialect: "10.0",
            ..row(
                "bugs A10: 10.0 remembers a bitmap that it added",
                &freed("add n0/bn", "always").replace("bitmap: bm", "bitmap: bn"),
                &["null j0; exit -6; $"],
            )
        },
        Row {
            dialect: "7.2",
            ..row(
                "bugs A10: 7.2 looks a bitmap that it added up by its name",
                &freed("add n0/bn", "always").replace("bitmap: bm", "bitmap: bn"),
                &["null j0; E Transaction*; bitmaps n0/bm=131072; $"],
            )
        },
        Row {
            spec: "bugs A2: a guest's request in flight dies with the process",
            story: format!(
                "disk d1 256k\nguest g0 d0: write 0 64k, write 0 64k\n{}",
                one("start g0\n& each enable n0/none")
            ),
            always: &["exit -11; ..; $"],
            sometimes: &["exit -11; g0 idle; $", "exit -11; g0 ok; $"],
            ..Row::default()
        },
    ]);
}

#[test]
fn every_transaction_drains_and_a_job_shows_it() {
    check(&[
        Row {
            spec: "transactions 3 step 2: bitmap actions too",
            story: one("backup j0 d0 t0 {sync: none}\nmark\neach clear n0/bm"),
            always: &["^; > transaction; paused j0; running j0; R"],
            ..Row::default()
        },
        Row {
            spec: "transactions 3 step 2: one that fails, too",
            story: one(
                "backup j0 d0 t0 {sync: none}\nmark\neach abort ! Transaction aborted using Abort action",
            ),
            always: &["^; > transaction; paused j0; running j0; E*"],
            ..Row::default()
        },
        Row {
            spec: "transactions 4: the refusal of 10.0 is before the drain",
            dialect: "10.0",
            story: one("backup j0 d0 t0 {sync: none}\nmark\ngroup abort \
                ! Action 'abort' does not support transaction property completion-mode = grouped"),
            always: &["^; > transaction; E*"],
            ..Row::default()
        },
    ]);
}

#[test]
fn a_guest_may_write_between_two_bitmap_actions_only_in_an_iothread() {
    // Each action saves the bits at its moment: what is dirty in x and not in y was written between them.
    let story = |thread: &str| {
        format!(
            "disk d0 256k 0x41@0+256k\nlaunch d0{thread}\nadd n0/bm\nguest g0 d0: write 0 1k\nmark\nstart g0\n\
             each add n0/x; add n0/y; clear n0/bm\njoin g0\nbitmaps"
        )
    };
    check(&[
        Row {
            spec: "transactions 3: in the main loop no request is between two actions",
            story: story(""),
            sometimes: &[
                "bitmaps n0/y=0 n0/x=0 n0/bm=0; ..; $",
                "bitmaps n0/y=65536 n0/x=65536 n0/bm=65536; ..; $",
            ],
            never: &[
                "bitmaps n0/y=0 n0/x=65536 n0/bm=*; ..; $",
                "bitmaps n0/y=65536 n0/x=65536 n0/bm=0; ..; $",
            ],
            ..Row::default()
        },
        Row {
            spec: "transactions 3: in an iothread it may be",
            story: story(":io0"),
            sometimes: &[
                "bitmaps n0/y=0 n0/x=65536 n0/bm=0; ..; $",
                "bitmaps n0/y=65536 n0/x=65536 n0/bm=0; ..; $",
            ],
            never: &["bitmaps n0/y=65536 n0/x=0 *"],
            ..Row::default()
        },
    ]);
}
