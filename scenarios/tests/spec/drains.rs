//! Drained sections beside several jobs: whom they hold, who is paused first, how often. As real QEMUs do it.

use crate::support::{Row, check};

/// Two disks, their targets, and disks for a third and a fourth.
fn story(lines: &str) -> String {
    format!(
        "disk d0 256k 0x41@0+256k\ndisk d1 256k 0x41@0+256k\ndisk t0 256k\ndisk t1 256k\ndisk v0 256k\ndisk v1 256k\n\
         launch d0 d1\nnode t0\n{lines}"
    )
}

/// What an idle job says of one change of the graph.
macro_rules! change {
    () => {
        "paused j0; running j0; "
    };
}

#[test]
fn a_job_that_sleeps_pauses_at_once() {
    let lines = "node t1\nbackup j0 d0 t0 {sync: full, speed: 65536, x-perf: {max-workers: 1, max-chunk: 65536}}\n\
                 backup j1 d1 t1 {sync: none}\nmark\n";
    check(&[
        Row {
            spec: "drains: a sleeper is woken within the drain, before the next job is paused",
            story: story(&format!("{lines}& quit")),
            sometimes: &["^; > quit; SHUTDOWN; paused j0; paused j1; .."],
            ..Row::default()
        },
        Row {
            spec: "drains: a pause of a sleeper is heard before the reply",
            story: story(&format!("{lines}& job-pause j0")),
            sometimes: &["^; > job-pause; paused j0; R; .."],
            ..Row::default()
        },
    ]);
}

#[test]
fn nodes_are_drained_in_the_order_in_which_they_were_opened() {
    check(&[Row {
        spec: "drains: a node that took the place of a closed one is younger than those that stayed",
        story: story(
            "drive-backup jx d1 v0 {sync: full, mode: existing}\nnode t1\nuntil null jx\nbackup j0 d0 t1 {sync: none}\n\
             drive-backup j1 d1 v1 {sync: none, mode: existing}\nmark\n& quit",
        ),
        always: &["^; > quit; SHUTDOWN; paused j0; paused j1; .."],
        ..Row::default()
    }]);
}

#[test]
fn a_job_in_an_iothread_may_answer_before_the_next_one_is_reached() {
    let lines = "disk d0 256k\ndisk d1 256k\ndisk t0 256k\ndisk t1 256k\nlaunch d0:iothread0 d1\nnode t0\nnode t1\n\
                 backup j0 d0 t0 {sync: none}\nbackup j1 d1 t1 {sync: none}\nmark\n";
    let quit = format!("{lines}& quit");
    check(&[
        Row {
            spec: "drains: 7.2: either is heard first at quit",
            dialect: "7.2",
            story: quit.clone(),
            sometimes: &[
                "^; > quit; SHUTDOWN; paused j0; paused j1; ..",
                "^; > quit; SHUTDOWN; paused j1; paused j0; ..",
            ],
            ..Row::default()
        },
        Row {
            spec: "drains: 10.0: the machine has stopped, and both go on before they are held to be cancelled",
            dialect: "10.0",
            story: quit,
            sometimes: &[
                "^; > quit; SHUTDOWN; paused j0; paused j1; running j0; running j1; paused j0; paused j1; ..",
                "^; > quit; SHUTDOWN; paused j1; paused j0; running j1; running j0; paused j0; paused j1; ..",
            ],
            ..Row::default()
        },
    ]);
}

#[test]
fn a_drain_goes_up_from_its_node() {
    let lines =
        "node t1\nnode v0\nbackup j0 d0 t0 {sync: none}\nbackup j1 n0 t1 {sync: none}\nmark\n";
    check(&[
        Row {
            spec: "drains: a drive is its top filter; the one below it is not held",
            story: story(&format!(
                "{lines}backup j2 d0 v0 {{sync: full}} ! Node 'd0' is busy: block device is in use by block job: backup"
            )),
            always: &["paused j0; running j0; E Node 'd0' is busy*; .."],
            never: &["paused j1; ..; paused j1"],
            ..Row::default()
        },
        Row {
            spec: "drains: the image is below both",
            story: story(&format!(
                "{lines}backup j2 n0 n0 {{sync: full}} ! Source and target cannot be the same"
            )),
            always: &[
                "paused j1; paused j0; running j1; running j0; E Source and target cannot be the same; ..",
            ],
            ..Row::default()
        },
    ]);
}

#[test]
fn a_refused_backup_changes_the_graph_as_far_as_it_got() {
    let refused = |spec, asked: &str, why: &str, changes: usize, then: &str| Row {
        spec,
        dialect: "10.0",
        story: format!(
            "disk d0 256k\ndisk d1 256k\ndisk t0 256k\ndisk t1 256k\ndisk long 512k\nlaunch d0 d1\nnode t0\nnode t1\n\
             node long\nbackup j0 d1 t0 {{sync: none}}\nmark\nbackup j1 d0 {asked} ! {why}"
        ),
        always: Vec::leak(vec![
            &*format!(
                "^; > blockdev-backup; {}{then}E {why}; ..",
                change!().repeat(1 + changes)
            )
            .leak(),
        ]),
        ..Row::default()
    };
    check(&[
        refused(
            "drains: 10.0: lengths are compared before anything",
            "long {sync: full}",
            "Source and target image have different sizes",
            0,
            "",
        ),
        refused(
            "drains: 10.0: a name that is taken is found while the filter is made",
            "t1 {sync: full, filter-node-name: t0}",
            "Could not create node: Duplicate nodes with node-name='t0'",
            1,
            "",
        ),
        refused(
            "drains: 10.0: the size of a chunk is compared with the filter's clusters",
            "t1 {sync: full, x-perf: {max-chunk: 4096}}",
            "Required max-chunk (4096) is less than backup cluster size (65536)",
            5,
            "",
        ),
        refused(
            "drains: 10.0: the filter is there when the speed is refused",
            "t1 {sync: full, speed: -1}",
            "Parameter 'speed' expects a non-negative value",
            4,
            concat!("created j1; null j1; ", change!(), change!(), change!()),
        ),
    ]);
}

#[test]
fn each_change_of_the_graph_is_felt() {
    let bystander = "backup j0 d1 t0 {sync: none}\n";
    check(&[
        Row {
            spec: "drains: 10.0: five before a backup is created, one after",
            dialect: "10.0",
            story: story(&format!(
                "node t1\n{bystander}mark\nbackup j1 d0 t1 {{sync: none}}"
            )),
            always: &[concat!(
                "^; > blockdev-backup; ",
                change!(),
                change!(),
                change!(),
                change!(),
                change!(),
                "created j1; ",
                change!(),
                "running j1; paused j1; running j1; R; .."
            )],
            ..Row::default()
        },
        Row {
            spec: "drains: 10.0: three more to open a target",
            dialect: "10.0",
            story: story(&format!(
                "{bystander}mark\ndrive-backup j1 d0 v1 {{sync: full, bitmap: nobody, mode: existing}} ! Bitmap 'nobody' could not be found"
            )),
            always: &[concat!(
                "^; > drive-backup; ",
                change!(),
                change!(),
                change!(),
                change!(),
                change!(),
                change!(),
                "E Bitmap 'nobody' could not be found; .."
            )],
            ..Row::default()
        },
        Row {
            spec: "drains: 10.0: three and two when a job and its target go, one when it is forgotten",
            dialect: "10.0",
            story: story(&format!(
                "{bystander}drive-backup j1 d0 v1 {{sync: none, mode: existing}}\nmark\njob-cancel j1"
            )),
            sometimes: &[concat!(
                "^; > job-cancel; aborting j1; ",
                change!(),
                change!(),
                change!(),
                change!(),
                change!(),
                "CANCELLED j1 0/262144; concluded j1; null j1; ",
                change!(),
                "R; .."
            )],
            ..Row::default()
        },
        Row {
            spec: "drains: 7.2 drains once",
            dialect: "7.2",
            story: story(&format!(
                "node t1\n{bystander}mark\nbackup j1 d0 t1 {{sync: none}}"
            )),
            always: &[concat!(
                "^; > blockdev-backup; ",
                change!(),
                "created j1; running j1; paused j1; running j1; R; .."
            )],
            ..Row::default()
        },
    ]);
}
