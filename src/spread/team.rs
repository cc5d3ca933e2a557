//! The members that run here: started, told what to do, listened to, and never left behind.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use scenarios::scene::Step;
use serde::Serialize;
use sim::search::shard::report;
use sim::search::{Control, Keep, Limit, Options, Report, Verdict};

use super::Plan;
use super::message::{Counts, Job, Message, Reported};
use crate::checkpoint::Shares;
use crate::stage::Staged;

/// How often it is asked whether somebody wants an end.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How long a member may take to end when it has nothing to do any more.
const END: Duration = Duration::from_secs(5);

/// A process that searches.
struct Member {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Member {
    fn tell(&mut self, message: &impl Serialize) {
        if let (Some(stdin), Ok(line)) = (&mut self.stdin, serde_json::to_string(message)) {
            // If it is gone, its end is heard.
            let _ = writeln!(stdin, "{line}").and_then(|()| stdin.flush());
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What comes from a member: its messages, and its end.
type Heard = (usize, Option<Message>);

fn start(job: &Job, heard: &Sender<Heard>) -> Result<Member, String> {
    let itself = |error| format!("blockrace cannot start itself: {error}");
    let mut child = Command::new(std::env::current_exe().map_err(itself)?)
        .arg("member")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(itself)?;
    let (number, heard) = (job.process, heard.clone());
    if let Some(stdout) = child.stdout.take() {
        thread::spawn(move || {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            for line in lines {
                // A line cut short is the last word of somebody who was killed.
                if let Ok(message) = serde_json::from_str(&line) {
                    let _ = heard.send((number, Some(message)));
                }
            }
            let _ = heard.send((number, None));
        });
    }
    let stdin = child.stdin.take();
    let mut member = Member { child, stdin };
    member.tell(job);
    Ok(member)
}

/// All that run here, and what is known.
struct Team<'a> {
    plan: &'a Plan,
    control: &'a Control,
    members: Vec<Member>,
    hosts: Vec<String>,
    listening: usize,
    ended: usize,
    is_stopped: bool,
    has_reported: Vec<bool>,
    found: Option<Reported>,
    /// What was said already, by one of them.
    noted: Vec<String>,
    /// Who was lost, as it was noticed first.
    lost: Option<String>,
    /// Who is not gone then is ended.
    until: Option<Instant>,
}

/// Searches.
///
/// # Errors
/// What to print: see [`super::search`].
pub fn search(
    plan: &Plan,
    staged: &Staged<'_>,
    options: &Options,
    shares: Option<&Shares>,
    control: &Control,
) -> Result<Report<Step>, String> {
    let (heard, hears) = mpsc::channel();
    let mut team = Team {
        plan,
        control,
        members: Vec::new(),
        hosts: plan.hosts.clone(),
        listening: 0,
        ended: 0,
        is_stopped: false,
        has_reported: vec![false; plan.hosts.len()],
        found: None,
        noted: Vec::new(),
        lost: None,
        until: None,
    };
    for process in plan.ours.clone() {
        let job = Job {
            shares: shares.cloned(),
            ..job(plan, process, staged, options)
        };
        team.members.push(start(&job, &heard)?);
    }
    drop(heard);
    team.listen(&hears)?;
    let scene = &staged.scene;
    if let Some(reported) = team.found.take() {
        return reported
            .report(scene)
            .ok_or_else(|| "a member has found what cannot be followed".to_owned());
    }
    let lost = team.lost.as_deref().unwrap_or("the search was given up");
    eprintln!("blockrace: {lost}");
    let mut report = report(Verdict::Inconclusive(Limit::Peer));
    report.states = control.states.load(Relaxed);
    report.transitions = control.transitions.load(Relaxed);
    Ok(report)
}

fn job(plan: &Plan, process: usize, staged: &Staged<'_>, options: &Options) -> Job {
    Job {
        scenario: staged.loaded.name.clone(),
        dialect: staged.dialect.name.to_owned(),
        bind: plan.hosts[process].clone(),
        process,
        connect_timeout: plan.connect_timeout,
        peer_timeout: plan.peer_timeout,
        reduce: options.reduce,
        fingerprints: options.keep == Keep::Fingerprints,
        jobs: options.jobs,
        states_max: options.states_max,
        depth_max: options.depth_max,
        bytes_max: options.bytes_max,
        cycles: options.cycles,
        shares: None,
    }
}

impl Team<'_> {
    /// Hears everything until all have ended.
    fn listen(&mut self, hears: &Receiver<Heard>) -> Result<(), String> {
        while self.ended < self.members.len() {
            match hears.recv_timeout(LOOK_EVERY) {
                Ok((number, Some(message))) => self.hear(number, message)?,
                Ok((number, None)) => self.end(number),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            if self.control.interrupt.load(Relaxed) && !self.is_stopped {
                self.stop();
            }
            if self.until.is_some_and(|until| Instant::now() >= until) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Somebody wants an end.
    fn stop(&mut self) {
        self.is_stopped = true;
        for member in &mut self.members {
            member.tell(&"stop");
        }
        // Whoever still waits for others does not hear it.
        let patience = match self.control.states.load(Relaxed) {
            0 => END,
            _ => self.plan.peer_timeout,
        };
        self.until.get_or_insert(Instant::now() + patience);
    }

    fn hear(&mut self, number: usize, message: Message) -> Result<(), String> {
        match message {
            Message::Listening(address) => {
                // A host's own name is how the others know it.
                if self.plan.ours.len() > 1 || self.hosts.len() == 1 {
                    self.hosts[number] = address;
                }
                self.listening += 1;
                if self.listening == self.members.len() {
                    let hosts = &self.hosts;
                    self.members
                        .iter_mut()
                        .for_each(|member| member.tell(hosts));
                }
            }
            Message::Note(what) if self.noted.contains(&what) => {}
            Message::Note(what) => {
                eprintln!("blockrace: {what}");
                self.noted.push(what);
            }
            Message::Covered(counts) => self.count(counts),
            Message::Found(reported) => {
                self.has_reported[number] = true;
                self.found = Some(*reported);
                self.hurry();
            }
            Message::Lost(who) => {
                self.lost.get_or_insert(who);
                self.hurry();
            }
            Message::Refused(why) => return Err(why),
            Message::Failed(what) => panic!("{what}"),
        }
        Ok(())
    }

    fn end(&mut self, number: usize) {
        self.ended += 1;
        if !self.has_reported[number] && self.lost.is_none() {
            let host = &self.hosts[number];
            self.lost = Some(format!(
                "process {number} at {host} ended before it was done"
            ));
            self.hurry();
        }
    }

    /// Nothing that follows changes the answer.
    fn hurry(&mut self) {
        self.until.get_or_insert(Instant::now() + END);
    }

    fn count(&self, counts: Counts) {
        let control = self.control;
        control.states.fetch_max(counts.states, Relaxed);
        control.transitions.fetch_max(counts.transitions, Relaxed);
        control.depth.fetch_max(counts.depth, Relaxed);
        control.frontier.store(counts.frontier, Relaxed);
    }
}
