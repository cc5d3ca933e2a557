//! A world in which nothing can happen any more: who waits for whom?
//!
//! A run that rests is over, so here nothing has to commute with anything, and nothing is noted.

use super::{Broken, area};
use crate::backup::{At, Sync};
use crate::block_copy::{CallState, Caller};
use crate::guest::{self, Stage};
use crate::job::Status;
use crate::main_loop::{Frame, Wait};
use crate::node::NodeSet;
use crate::world::{GuestIx, JobIx, World};

impl World {
    /// The first promise that does not hold of this world, in which no step is enabled.
    pub fn broken_at_rest(&self) -> Option<Broken> {
        if self.broken().is_some() {
            return self.broken().cloned();
        }
        if self.is_gone() {
            return None;
        }
        deadlock(self)
            .or_else(|| unfinished_request(self))
            .or_else(|| endless_job(self))
    }
}

fn deadlock(w: &World) -> Option<Broken> {
    let main = w.main();
    let what = if let Some(wait) = main.waiting_for() {
        let frames: Vec<&str> = main.frames().map(frame_name).collect();
        format!(
            "{} waits for {}",
            frames.join(" waits for "),
            awaited(w, wait)
        )
    } else if w.monitor().handling || w.monitor().reply.is_some() {
        "a command has no reply".to_owned()
    } else if !w.monitor().inbox.is_empty() {
        "a command came and is not handled".to_owned()
    } else if main.next_bh().is_some() {
        "a bottom half of the main loop never runs".to_owned()
    } else if let Some(drain) = main.drains.first() {
        let nodes = names(w, drain.nodes);
        format!("the drained section over {nodes} never ends")
    } else {
        return None;
    };
    w.breach_of("no-deadlock", what)
}

fn frame_name(frame: &Frame) -> &'static str {
    match frame {
        Frame::Command(_) => "the command's reply",
        Frame::Transaction(_) => "the transaction",
        Frame::FinalizeAll { .. } => "the end of the group",
        Frame::AbortGroup { .. } => "the abort of the group",
        Frame::Finalize { .. } => "the end of a job",
        Frame::GraphChange { .. } | Frame::GraphChanges { .. } => "a change of the graph",
        Frame::QemuIo { .. } => "qemu-io",
        Frame::Resize { .. } => "the resize",
        Frame::ReachJobs { .. } | Frame::WaitFor(_) => "a drained section",
        Frame::Shutdown(_) => "the shutdown",
    }
}

/// What a nested event loop waits for, and what that waits for.
fn awaited(w: &World, wait: Wait) -> String {
    match wait {
        Wait::Nothing | Wait::BottomHalves | Wait::Threads => "nothing".to_owned(),
        Wait::Io => "an I/O of its own".to_owned(),
        Wait::JobCompleted(job) | Wait::JobConcluded(job) => job_waits(w, job),
        Wait::Request(guest) => guest_waits(w, guest),
        Wait::Quiet(nodes) => noise(w, nodes),
    }
}

/// Who keeps nodes from being quiet.
fn noise(w: &World, nodes: NodeSet) -> String {
    let guests = w.guest_indices().filter(|&guest| {
        let node = match w.guest(guest).stage {
            Stage::Saving { node, .. }
            | Stage::InFlight { node, .. }
            | Stage::Landed { node, .. }
            | Stage::Held { node } => node,
            Stage::Idle => return false,
        };
        nodes & (1 << node) != 0
    });
    let jobs = w.main().jobs.iter().copied().filter(|&job| {
        let entry = w.job(job);
        entry.nodes & nodes != 0 && entry.busy && !entry.status.is_completed()
    });
    let waits: Vec<String> = guests
        .map(|guest| guest_waits(w, guest))
        .chain(jobs.map(|job| job_waits(w, job)))
        .collect();
    let nodes = names(w, nodes);
    if waits.is_empty() {
        return format!("silence on {nodes}, and nobody says that it has come");
    }
    format!("silence on {nodes}, where is {}", waits.join(" and "))
}

fn names(w: &World, nodes: NodeSet) -> String {
    let named = w.node_indices().filter(|node| nodes & (1 << node) != 0);
    let named: Vec<&str> = named.map(|node| &*w.node(node).name).collect();
    named.join(", ")
}

fn guest_waits(w: &World, guest: GuestIx) -> String {
    let entry = w.guest(guest);
    let name = &entry.name;
    let word = entry.request().map_or("request", |request| request.word());
    let by = match entry.stage {
        Stage::Idle => return format!("{name}, which may not begin its {word}"),
        Stage::InFlight { .. } => return format!("the I/O of a {word} of {name}"),
        Stage::Landed { .. } => return format!("the end of a {word} of {name}"),
        Stage::Held { .. } => Some("the end of a drained section".to_owned()),
        Stage::Saving { .. } => w.job_indices().find_map(|job| {
            let call = w.copy(job).call(Caller::Guest(guest))?;
            Some(call_waits(w, job, call.state))
        }),
    };
    let by = by.unwrap_or_else(|| "old data that nobody copies".to_owned());
    format!("a {word} of {name}, which waits for {by}")
}

fn job_waits(w: &World, job: JobIx) -> String {
    let Some(entry) = w.try_job(job) else {
        return "a job that is gone".to_owned();
    };
    let (id, status) = (&entry.id, entry.status.name());
    let call = w.copy(job).call(Caller::Job);
    let by = match (entry.backup.at, call) {
        _ if !entry.started => "nothing: it was never started".to_owned(),
        (At::Paused(_), _) => format!("the end of {} reasons to pause", entry.pause_count),
        (At::Returned, _) => "its group".to_owned(),
        (At::Idle, _) => "its cancel".to_owned(),
        (At::Scanning(_), _) => "a status of its source".to_owned(),
        (_, Some(call)) => call_waits(w, job, call.state),
        (_, None) => "nothing that comes".to_owned(),
    };
    format!("job {id} ({status}), which waits for {by}")
}

fn call_waits(w: &World, job: JobIx, state: CallState) -> String {
    let id = &w.job(job).id;
    let copy = w.copy(job);
    let in_flight = |start: u64| copy.tasks.iter().find(|task| task.start == start);
    match state {
        CallState::Claiming | CallState::Finished => "a call that is over".to_owned(),
        CallState::Sleeping { .. } => format!("the rate limiter of job {id}"),
        CallState::PoolFull { start, end, .. } => {
            format!("a free worker of job {id} for {}", area(&(start..end)))
        }
        CallState::Locating => "a status of its source".to_owned(),
        CallState::Draining => format!("{} copies of job {id}", copy.tasks.len()),
        CallState::AwaitTask(start) => match in_flight(start) {
            Some(task) => format!("the copy of {} by job {id}", area(&(task.start..task.end))),
            None => format!("a copy by job {id} that is over"),
        },
    }
}

fn unfinished_request(w: &World) -> Option<Broken> {
    let waiting = w
        .guest_indices()
        .find(|&guest| !w.guest(guest).is_idle() || guest::next_on(w, guest).is_some())?;
    let message = format!(
        "nothing can happen any more but {}",
        guest_waits(w, waiting)
    );
    w.breach_of("guest-write-completes", message)
}

fn endless_job(w: &World) -> Option<Broken> {
    let mut jobs = w.main().jobs.iter().copied();
    let stuck = jobs.find(|&job| user_action(w, job).is_none())?;
    let message = format!(
        "nothing can happen any more, and no command is due from the user, but {}",
        job_waits(w, stuck)
    );
    w.breach_of("job-ends", message)
}

/// The command by which the user lets a job go on, if that is all it waits for.
pub(super) fn user_action(w: &World, job: JobIx) -> Option<&'static str> {
    let entry = w.job(job);
    match entry.status {
        Status::Concluded if !entry.auto_dismiss => Some("job-dismiss"),
        Status::Pending => {
            let members = &w.group(entry.group).members;
            let by_hand = members.iter().any(|&member| !w.job(member).auto_finalize);
            by_hand.then_some("job-finalize")
        }
        Status::Waiting => {
            let members = &w.group(entry.group).members;
            let mut others = members
                .iter()
                .copied()
                .filter(|&other| w.job(other).status != Status::Waiting);
            others.find_map(|other| user_action(w, other))
        }
        Status::Running | Status::Paused if entry.user_paused => Some("job-resume"),
        Status::Running if entry.backup.sync == Sync::None && !entry.force_cancel => {
            Some("job-cancel")
        }
        _ => None,
    }
}
