//! `blockrace check` over several processes: the same answer as one process gives, and what happens when they do not
//! come, do not agree, or die. Build with `--features cluster`.
#![cfg(feature = "cluster")]

mod common;
#[path = "common/processes.rs"]
mod processes;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::{blockrace, project, snapshot, text};
use processes::children;

/// Ten stories, and three that break promises: in a step, at rest, and one that is long to explain.
const STORIES: &str = "three-empty-backups three-empty-backups-each-alone clear-while-busy never-mode-keeps-all \
    several-on-one-node a-drain-beside-an-iothread a-resize-beside-a-guest cancelled-under-a-write \
    finalize-meets-the-end checkpoint-of-two-bitmaps tests/data/racy.yaml tests/data/never-comes.yaml \
    tests/data/guest-is-first.yaml";

/// So many states, without reduction, that somebody can be killed among them.
const LONG: &str = "three-drives-three-threads --no-reduction --dialect 10.0";

/// The command line after `blockrace`.
fn command(rest: &str) -> Vec<&str> {
    let rest = rest.split(' ').filter(|word| !word.is_empty());
    ["check", "-q", "--no-failures", "--shrink-time=0"]
        .into_iter()
        .chain(rest)
        .collect()
}

fn start(rest: &str) -> Child {
    started(Command::new(env!("CARGO_BIN_EXE_blockrace")).args(command(rest)))
}

fn started(command: &mut Command) -> Child {
    command
        .current_dir(project())
        .env("NO_COLOR", "1")
        .env("COLUMNS", "100")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command was built with the tests")
}

/// What it printed, and the exit code; a hang fails the test.
fn ended(mut child: Child) -> Output {
    let started = Instant::now();
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let out = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        out.read_to_end(&mut bytes).map(|_| bytes)
    });
    let err = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        err.read_to_end(&mut bytes).map(|_| bytes)
    });
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if started.elapsed() > Duration::from_secs(120) {
            child.kill().unwrap();
            panic!("it hangs");
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    Output {
        status,
        stdout: out.join().unwrap().unwrap(),
        stderr: err.join().unwrap().unwrap(),
    }
}

/// A file of hosts on ports that are free now.
fn hosts(name: &str, count: usize) -> PathBuf {
    let listeners: Vec<_> = (0..count)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let lines: String = listeners
        .iter()
        .map(|listener| format!("{}\n", listener.local_addr().unwrap()))
        .collect();
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&file, format!("# a line for each process\n{lines}")).unwrap();
    file
}

#[test]
fn processes_on_one_machine_say_what_one_process_says() {
    let alone = blockrace(&command(STORIES));
    assert_eq!(alone.status.code(), Some(1));
    for processes in [2, 4] {
        let line = format!("{STORIES} --jobs 1 --local-processes {processes}");
        let output = blockrace(&command(&line));
        assert_eq!(text(&output.stdout), text(&alone.stdout), "{processes}");
        assert_eq!(output.status, alone.status);
    }
    let limited = "three-empty-backups --max-states 50";
    let output = blockrace(&command(&format!("{limited} --local-processes 2 --jobs 2")));
    assert_eq!(output.stdout, blockrace(&command(limited)).stdout);
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn processes_started_one_by_one_say_the_same_each() {
    let stories = "clear-while-busy tests/data/racy.yaml";
    let alone = blockrace(&command(stories));
    let file = hosts("hosts.same", 2);
    let spread = |process| {
        let file = file.display();
        start(&format!(
            "{stories} --jobs 2 --processes 2 --process {process} --hosts {file}"
        ))
    };
    // A stranger calls first, and stays.
    let first = spread(0);
    let host = std::fs::read_to_string(&file).unwrap();
    let host = host.lines().nth(1).unwrap();
    let mut stranger = loop {
        match TcpStream::connect(host) {
            Ok(stranger) => break stranger,
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let second = spread(1);
    for process in [first, second] {
        let output = ended(process);
        assert_eq!(text(&output.stdout), text(&alone.stdout));
        assert_eq!(output.status, alone.status);
    }
}

#[test]
fn who_does_not_come_is_named() {
    let file = hosts("hosts.alone", 2);
    let line = format!(
        "clear-while-busy --processes 2 --process 0 --hosts {} --connect-timeout 1s",
        file.display()
    );
    let output = ended(start(&line));
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.starts_with("blockrace: process 1 at 127.0.0.1:"),
        "{said}"
    );
    assert!(
        said.contains("did not come within 1s: is it started"),
        "{said}"
    );
}

#[test]
fn two_that_are_about_to_search_different_things_do_not() {
    let file = hosts("hosts.different", 2);
    let at = |process: usize, what: &str| {
        let file = file.display();
        start(&format!(
            "{what} --jobs 1 --processes 2 --process {process} --hosts {file}"
        ))
    };
    let both = [at(0, "clear-while-busy"), at(1, "never-mode-keeps-all")];
    for process in both {
        let output = ended(process);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("another scenario"), "{said}");
    }
}

#[test]
fn a_process_that_is_killed_makes_it_inconclusive() {
    let mut child = start(&format!(
        "{LONG} --jobs 1 --local-processes 3 --format json"
    ));
    let members = members_of(&mut child, 3);
    // They have met, and are at it, or about to be.
    std::thread::sleep(Duration::from_millis(700));
    assert!(signal("KILL", members[1]));
    let started = Instant::now();
    let output = ended(child);
    let printed = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{printed}");
    assert!(printed.contains("the loss of a process"), "{printed}");
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "{:?}",
        started.elapsed()
    );
    for member in members {
        assert!(
            !Path::new(&format!("/proc/{member}")).exists(),
            "{member} is left"
        );
    }
}

/// Whether the process was there to hear it.
fn signal(name: &str, id: u32) -> bool {
    let line = format!("kill -{name} {id}");
    let sent = Command::new("sh")
        .args(["-c", &line])
        .stderr(Stdio::null())
        .status();
    sent.is_ok_and(|status| status.success())
}

/// The members that a process has started, when all are there.
fn members_of(child: &mut Child, count: usize) -> Vec<u32> {
    loop {
        match children(child.id()) {
            members if members.len() == count => break members,
            _ => assert!(child.try_wait().unwrap().is_none(), "it ended at once"),
        }
    }
}

/// Who stops for a while is waited for, and who stops for longer than --peer-timeout is lost.
#[test]
fn a_slow_process_is_waited_for_and_a_silent_one_is_not() {
    let story = "group-across-two-iothreads --dialect 7.2";
    let alone = blockrace(&command(story));
    let stopped = |rest: &str, pause: u64| {
        let mut child = start(&format!("{rest} --jobs 1 --local-processes 2"));
        let members = members_of(&mut child, 2);
        std::thread::sleep(Duration::from_millis(250));
        assert!(signal("STOP", members[1]));
        std::thread::sleep(Duration::from_millis(pause));
        if pause < 3_000 {
            assert!(signal("CONT", members[1]));
        }
        ended(child)
    };
    let output = stopped(story, 1_500);
    assert_eq!(text(&output.stdout), text(&alone.stdout));
    let output = stopped(&format!("{LONG} --peer-timeout 1s"), 3_000);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("process 1 at 127.0.0.1:") && said.contains(" is gone: "),
        "{said}"
    );
}

/// Two namespaces with a cable between them, which are gone when this is.
struct Namespaces([String; 2]);

impl Namespaces {
    /// Nothing where they cannot be had: without `ip`, without the right to, without the kernel's support.
    fn new() -> Option<Namespaces> {
        let names = ["a", "b"].map(|end| format!("blockrace-{}-{end}", std::process::id()));
        let both = Namespaces(names);
        let [a, b] = &both.0;
        let lines = [
            format!("netns add {a}"),
            format!("netns add {b}"),
            format!("link add cable netns {a} type veth peer name cable netns {b}"),
            format!("-n {a} addr add 10.77.0.1/24 dev cable"),
            format!("-n {b} addr add 10.77.0.2/24 dev cable"),
            format!("-n {a} link set cable up"),
            format!("-n {b} link set cable up"),
            format!("-n {a} link set lo up"),
            format!("-n {b} link set lo up"),
        ];
        lines.iter().all(|line| ip(line)).then_some(both)
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for name in &self.0 {
            ip(&format!("netns del {name}"));
        }
    }
}

fn ip(line: &str) -> bool {
    let mut command = Command::new("ip");
    command.args(line.split(' ')).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Each process has a network of its own, and the other is reached by a cable.
#[test]
fn two_network_namespaces_are_two_hosts() {
    let Some(namespaces) = Namespaces::new() else {
        eprintln!("skipped: there are no network namespaces to be had here");
        return;
    };
    let hosts = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hosts.namespaces");
    std::fs::write(&hosts, "10.77.0.1:4000\n10.77.0.2:4000\n").unwrap();
    let stories = "clear-while-busy tests/data/racy.yaml";
    let alone = blockrace(&command(stories));
    let both: Vec<Child> = (namespaces.0.iter().enumerate())
        .map(|(process, name)| {
            let line = format!(
                "{stories} --jobs 1 --processes 2 --process {process} --hosts {} --trusted-network",
                hosts.display()
            );
            let mut command_line = Command::new("ip");
            command_line.args(["netns", "exec", name, env!("CARGO_BIN_EXE_blockrace")]);
            started(command_line.args(command(&line)))
        })
        .collect();
    for process in both {
        let output = ended(process);
        assert_eq!(
            text(&output.stdout),
            text(&alone.stdout),
            "{}",
            text(&output.stderr)
        );
        assert_eq!(output.status, alone.status);
    }
}

#[test]
fn nobody_is_left_when_the_one_who_asked_is_killed() {
    let mut child = start(&format!("{LONG} --jobs 1 --local-processes 2"));
    let members = members_of(&mut child, 2);
    child.kill().unwrap();
    child.wait().unwrap();
    let started = Instant::now();
    let is_there = |member: &u32| {
        // Whoever adopts it may be slow to bury it.
        std::fs::read_to_string(format!("/proc/{member}/stat"))
            .is_ok_and(|stat| !stat.contains(") Z "))
    };
    while members.iter().any(is_there) {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "a member is left"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn mistakes_are_named() {
    let file = |name: &str, content: &str| {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&file, content).unwrap();
        file
    };
    let one = file("hosts.one", "127.0.0.1:4000\n");
    let public = file(
        "hosts.public",
        "127.0.0.1:4000\n192.0.2.7:4000 # not ours\n",
    );
    let twice = file("hosts.twice", "127.0.0.1:4000\n127.0.0.1:4000\n");
    let bad = file("hosts.bad", "127.0.0.1:4000\nnode\n");
    let story = "clear-while-busy";
    let rows = [
        (
            "order",
            format!("{story} --local-processes 2 --order depth"),
        ),
        (
            "sleep-sets",
            format!("{story} --local-processes 2 --sleep-sets"),
        ),
        (
            "fingerprints",
            format!("{story} --local-processes 2 --keep fingerprints"),
        ),
        ("both", format!("{story} --local-processes 2 --processes 2")),
        ("no-hosts", format!("{story} --processes 2 --process 0")),
        (
            "one-host",
            format!(
                "{story} --processes 2 --process 0 --hosts {}",
                one.display()
            ),
        ),
        (
            "not-one",
            format!(
                "{story} --processes 1 --process 1 --hosts {}",
                one.display()
            ),
        ),
        (
            "public",
            format!(
                "{story} --processes 2 --process 0 --hosts {}",
                public.display()
            ),
        ),
        (
            "twice",
            format!(
                "{story} --processes 2 --process 0 --hosts {}",
                twice.display()
            ),
        ),
        (
            "no-address",
            format!(
                "{story} --processes 2 --process 0 --hosts {}",
                bad.display()
            ),
        ),
    ];
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).display().to_string();
    for (name, line) in &rows {
        let output = blockrace(&command(line));
        let said = text(&output.stderr).replace(&folder, "FOLDER");
        assert_eq!(output.status.code(), Some(2), "{name}: {said}");
        snapshot(
            &format!("cluster.error.{name}"),
            &format!("blockrace check {}", line.replace(&folder, "FOLDER")),
            &said,
        );
    }
}

/// What the rows of a call say, without what was measured.
fn rows(output: &Output) -> Vec<serde_json::Value> {
    let rows = text(&output.stdout);
    let row = |line: &str| {
        let mut row: serde_json::Value = serde_json::from_str(line).expect(line);
        let covered = row["covered"].as_object_mut().expect("a row of `check`");
        covered.remove("measured");
        row
    };
    rows.lines().map(row).collect()
}

/// Whoever is killed, and whenever: the next call goes on, and says in the end what one process says.
#[test]
fn a_search_that_has_lost_somebody_goes_on() {
    let story = "group-across-two-iothreads --dialect 7.2 --format json";
    let alone = blockrace(&command(story));
    let mut went_on = 0;
    for round in 0..3_u64 {
        let folder = tempfile::tempdir().unwrap();
        let spread = format!(
            "{story} --local-processes 2 --jobs 1 --checkpoint {} --checkpoint-every 1ms",
            folder.path().display()
        );
        let mut line = spread.clone();
        for kill in 0..3 {
            let mut child = start(&line);
            std::thread::sleep(Duration::from_millis(150 + 130 * (round + 2 * kill)));
            let members = children(child.id());
            match members.get(kill as usize) {
                Some(member) => {
                    signal("KILL", *member);
                }
                None => drop(child.kill()),
            }
            went_on += usize::from(text(&ended(child).stderr).contains("goes on from checkpoint"));
            line = format!("{spread} --resume");
        }
        let last = ended(start(&line));
        went_on += usize::from(text(&last.stderr).contains("goes on from checkpoint"));
        assert_eq!(rows(&last), rows(&alone), "{}", text(&last.stderr));
        assert_eq!(last.status, alone.status);
    }
    assert!(went_on > 0, "nobody was killed when something was kept");
}
