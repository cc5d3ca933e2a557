//! Every kind of line a recording can have is understood, also those that no shipped recording has.

use scenarios::conform::{Exactness, Verdict, conform};
use scenarios::recording::Recording;

const HEADER: &str = r#"{"t":"header","scenario":"made","qemu":"7.2.22","format":"qcow2"}"#;

const DRIVE: &str = r#"
{"t":"img","cmd":"create","img":"$DIR/d.qcow2","size":1048576,"result":"ok"}
{"t":"img","cmd":"write","img":"$DIR/d.qcow2","pattern":"0x11","offset":0,"len":65536,"result":"ok"}
{"t":"launch","drives":[{"id":"d","file":"$DIR/d.qcow2","node":"n"}],"args":[],"machine":"pc"}"#;

const BACKUP: &str = r#"
{"t":"cmd","execute":"drive-backup","arguments":{"device":"d","target":"$DIR/t.qcow2","sync":"full","format":"qcow2"}}
{"t":"event","event":"JOB_STATUS_CHANGE","data":{"status":"created","id":"d"}}
{"t":"event","event":"JOB_STATUS_CHANGE","data":{"status":"running","id":"d"}}
{"t":"event","event":"JOB_STATUS_CHANGE","data":{"status":"paused","id":"d"}}
{"t":"event","event":"JOB_STATUS_CHANGE","data":{"status":"running","id":"d"}}
{"t":"reply","return":{}}"#;

const BACKUP_ENDS: &str = r#"
{"t":"event","event":"JOB_STATUS_CHANGE","data":{"status":"waiting","id":"d"}}
{"t":"event","event":"JOB_STATUS_CHANGE","data":{"status":"pending","id":"d"}}
{"t":"event","event":"BLOCK_JOB_COMPLETED","data":{"device":"d","len":1048576,"offset":1048576,"speed":0,"type":"backup"}}
{"t":"event","event":"JOB_STATUS_CHANGE","data":{"status":"concluded","id":"d"}}
{"t":"event","event":"JOB_STATUS_CHANGE","data":{"status":"null","id":"d"}}"#;

/// Two backups are prepared in a group, and a third action fails: QEMU never replies (bug-A1).
const HANGS: &str = r#"
{"t":"img","cmd":"create","img":"$DIR/e.qcow2","size":1048576,"result":"ok"}
{"t":"cmd","execute":"blockdev-add","arguments":{"node-name":"e","driver":"qcow2","file":{"driver":"file","filename":"$DIR/e.qcow2"}}}
{"t":"reply","return":{}}
{"t":"cmd","execute":"transaction","arguments":{"actions":[{"type":"drive-backup","data":{"job-id":"j0","device":"d","target":"$DIR/t0.qcow2","sync":"full","format":"qcow2"}},{"type":"drive-backup","data":{"job-id":"j1","device":"e","target":"$DIR/t1.qcow2","sync":"full","format":"qcow2"}},{"type":"abort","data":{}}],"properties":{"completion-mode":"grouped"}}}
{"t":"event","event":"JOB_STATUS_CHANGE","data":{"status":"created","id":"j0"}}
{"t":"event","event":"JOB_STATUS_CHANGE","data":{"status":"created","id":"j1"}}
{"t":"event","event":"JOB_STATUS_CHANGE","data":{"status":"aborting","id":"j1"}}
{"t":"event","event":"JOB_STATUS_CHANGE","data":{"status":"concluded","id":"j1"}}
{"t":"event","event":"JOB_STATUS_CHANGE","data":{"status":"null","id":"j1"}}
{"t":"hang"}"#;

/// An empty list of bitmaps to merge kills QEMU (bug-A4).
const DIES: &str = r#"
{"t":"cmd","execute":"block-dirty-bitmap-add","arguments":{"node":"n","name":"b"}}
{"t":"reply","return":{}}
{"t":"cmd","execute":"block-dirty-bitmap-merge","arguments":{"node":"n","target":"b","bitmaps":[]}}
{"t":"exit","code":-11,"printed":"*"}"#;

/// A stored bitmap, and a QEMU that is killed with the image open: the bitmap is inconsistent from then on.
const KILLED: &str = r#"
{"t":"cmd","execute":"block-dirty-bitmap-add","arguments":{"node":"n","name":"b","persistent":true}}
{"t":"reply","return":{}}
{"t":"cmd","execute":"quit","arguments":{}}
{"t":"event","event":"SHUTDOWN","data":{"guest":false,"reason":"host-qmp-quit"}}
{"t":"reply","return":{}}
{"t":"exit","code":0}
{"t":"img","cmd":"bitmaps","img":"$DIR/d.qcow2","result":[{"name":"b","granularity":65536,"flags":["auto"]}]}
{"t":"launch","drives":[{"id":"d","file":"$DIR/d.qcow2","node":"n"}],"args":[],"machine":"pc"}
{"t":"exit","code":-9}
{"t":"launch","drives":[{"id":"d","file":"$DIR/d.qcow2","node":"n"}],"args":[],"machine":"pc"}
{"t":"bitmaps","nodes":{"n":[{"name":"b","recording":false,"persistent":true,"busy":false,"granularity":65536,"count":0,"inconsistent":true}]}}"#;

fn accepted(lines: &[&str], exactness: Exactness) -> bool {
    let text = format!("{HEADER}{}", lines.concat());
    let recording = Recording::parse("made.jsonl", &text).expect("a recording");
    match conform(&recording, exactness).expect("a usable recording") {
        Verdict::Accepted { .. } => true,
        Verdict::Rejected(_) => false,
        Verdict::TooManyWorlds { line, .. } => panic!("too many worlds at line {line}"),
    }
}

#[test]
fn each_kind_is_accepted_where_it_is_right_and_rejected_where_not() {
    let pair = concat!(
        "\n",
        r#"{"t":"event","event":"JOB_STATUS_CHANGE","data":{"status":"paused","id":"d"}}"#,
        "\n",
        r#"{"t":"event","event":"JOB_STATUS_CHANGE","data":{"status":"running","id":"d"}}"#,
    );
    let any = BACKUP_ENDS.replace(r#""offset":1048576"#, r#""offset":"*""#);
    let wrong = BACKUP_ENDS.replace(r#""offset":1048576"#, r#""offset":65536"#);
    let quit = concat!(
        "\n",
        r#"{"t":"cmd","execute":"quit","arguments":{}}"#,
        "\n",
        r#"{"t":"event","event":"SHUTDOWN","data":{"guest":false,"reason":"host-qmp-quit"}}"#,
        "\n",
        r#"{"t":"reply","return":{}}"#,
        "\n",
        r#"{"t":"exit","code":0}"#,
    );
    let settled = "\n{\"t\":\"settled\",\"ms\":500}";
    let slept = "\n{\"t\":\"slept\",\"ms\":100}";
    let timeout = "\n{\"t\":\"timeout\",\"event\":\"BLOCK_JOB_READY\",\"match\":{}}";
    let map =
        "\n{\"t\":\"img\",\"cmd\":\"map\",\"img\":\"$DIR/t.qcow2\",\"result\":[{\"start\":0}]}";
    let write = "\n{\"t\":\"hmp\",\"line\":\"qemu-io d \\\"write -P0x22 0 64k\\\"\",\"output\":[\"wrote 65536/65536 bytes at offset 0\"]}";
    let refused = write.replace(
        "wrote 65536/65536 bytes at offset 0",
        "write failed: Input/output error",
    );
    let check = |name: &str, lines: &[&str], expected: bool| {
        assert_eq!(accepted(lines, Exactness::Normal), expected, "{name}");
    };
    check("exit", &[DRIVE, BACKUP, BACKUP_ENDS, quit], true);
    check(
        "another exit code",
        &[
            DRIVE,
            BACKUP,
            BACKUP_ENDS,
            &quit.replace("\"code\":0", "\"code\":1"),
        ],
        false,
    );
    check("anything", &[DRIVE, BACKUP, &any], true);
    check("another offset", &[DRIVE, BACKUP, &wrong], false);
    check(
        "settled after the end",
        &[DRIVE, BACKUP, BACKUP_ENDS, settled],
        true,
    );
    check(
        "settled while a job runs at full speed",
        &[DRIVE, BACKUP, settled, BACKUP_ENDS],
        false,
    );
    check("slept", &[DRIVE, BACKUP, slept, BACKUP_ENDS, slept], true);
    check("timeout", &[DRIVE, BACKUP, BACKUP_ENDS, timeout], true);
    check(
        "timeout while a job runs at full speed",
        &[DRIVE, BACKUP, timeout, BACKUP_ENDS],
        false,
    );
    check("hang", &[DRIVE, HANGS], true);
    check(
        "hang where a reply must come",
        &[
            DRIVE,
            BACKUP.trim_end_matches("\n{\"t\":\"reply\",\"return\":{}}"),
            "\n{\"t\":\"hang\"}",
        ],
        false,
    );
    check("death", &[DRIVE, DIES], true);
    // What a use of freed memory ends in is chance; a clean end it is not.
    check("the same death", &[DRIVE, &DIES.replace("-11", "-6")], true);
    check("another death", &[DRIVE, &DIES.replace("-11", "-4")], false);
    check("kill", &[DRIVE, KILLED], true);
    check(
        "kill during a backup",
        &[DRIVE, BACKUP, "\n{\"t\":\"exit\",\"code\":-9}"],
        true,
    );
    check(
        "a kill that leaves the bitmap as it was",
        &[DRIVE, &KILLED.replace(",\"inconsistent\":true", "")],
        false,
    );
    check(
        "a bitmap that is stored in use",
        &[
            DRIVE,
            &KILLED.replace("[\"auto\"]", "[\"auto\",\"in-use\"]"),
        ],
        false,
    );
    check("map", &[DRIVE, BACKUP, BACKUP_ENDS, map], true);
    check(
        "a write sent before the events above its line",
        &[DRIVE, BACKUP, BACKUP_ENDS, write],
        true,
    );
    check(
        "a write that fails for no reason",
        &[DRIVE, BACKUP, BACKUP_ENDS, &refused],
        false,
    );
    check(
        "a pair that a drain may cause",
        &[DRIVE, BACKUP, pair, BACKUP_ENDS],
        true,
    );
    assert!(
        !accepted(&[DRIVE, BACKUP, pair, BACKUP_ENDS], Exactness::Strict),
        "nothing drains here"
    );
}

/// A story that settles reads what comes until nothing does.
#[test]
fn a_story_settles_when_nothing_comes_any_more() {
    use scenarios::{load, scene::Scene, script::Script};
    use sim::run::{End, Runner};
    let story = "title: Settling\nsource: ours\nabout: A job ends while the client settles.\nscript:\n\
        \x20 - img: {cmd: create, img: $DIR/d.qcow2, size: 1M}\n\
        \x20 - launch: {drives: [{id: d, file: $DIR/d.qcow2}]}\n\
        \x20 - qmp: {\"execute\": \"drive-backup\", \"arguments\": {\"device\": \"d\", \"target\": \"$DIR/t.qcow2\", \"sync\": \"full\"}}\n\
        \x20 - settle: {ms: 500}\n\
        \x20 - pending: 9\n\
        \x20 - shutdown: {}\n";
    let story = load::parse("settling.yaml", story).expect("a story");
    let script = Script::of_story(&story, "settling.yaml", &model::dialect::QEMU_7_2);
    let scene = Scene::new(script.expect("a script"));
    let mut runner = Runner::new(&scene);
    for seed in 0..100 {
        let outcome = runner.run(&mut sim::strategy::Random::default(), seed, &mut ());
        assert_eq!(outcome.end, End::Rested, "seed {seed}");
    }
}
