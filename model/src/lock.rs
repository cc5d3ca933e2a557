//! Locks: which of QEMU's protects which part, and which a step names.
//!
//! | lock | what it is in QEMU | parts |
//! |---|---|---|
//! | `main` | the big lock, which the main thread holds; its lists of bottom halves and of messages | monitor, main loop, outbox, folder |
//! | `graph` | the block graph's lock (8.0 and later; before, the main thread and drains) | graph |
//! | `jobs` | the job mutex | jobs, groups |
//! | `bitmaps N` | a node's bitmaps lock, with its request list and its faults | node |
//! | `image N` | the requests in flight on a file | file |
//! | `block-copy N` | the mutex of a block-copy state | copy |
//! | `guest N` | a guest's own coroutine: nobody else is in it | guest |
//! | `iothread N` | an iothread's list of coroutines to enter | context |
//!
//! They are taken in the order of the table, which is that of their numbers. A step names as few as can be said
//! without doing it; what the observers of [`crate::property`] touch counts, as it lies in the parts. A step of the
//! main thread that may run other functions of its (a bottom half, the end of a nested event loop) names all.
//!
//! Two simplifications. A job's steps in an iothread name `main`: they queue bottom halves and messages there, which
//! have small locks of their own in QEMU. And who finishes the last request of a guest names `main` and all guests:
//! the client, outside QEMU, waits for that.

use crate::event::Reply;
use crate::guest::{self, QEMU_IO, Stage};
use crate::monitor::Command;
use crate::node::NodeKind;
use crate::step::Step;
use crate::world::{GuestIx, JobIx, NodeIx, Part, World};

/// How many locks there are.
pub const LOCKS: usize = 64;

/// The main thread's lock, the first of all.
pub const MAIN: usize = 0;

const GRAPH: usize = 1;
const JOBS: usize = 2;

/// How many nodes, block-copy states, … one step may add.
const ADDED_MAX: usize = 4;

/// The lock that protects a part.
fn of(part: Part) -> usize {
    match part {
        Part::Monitor | Part::Main | Part::Outbox | Part::Directory => MAIN,
        Part::Graph => GRAPH,
        Part::Job(_) | Part::Group(_) => JOBS,
        Part::Node(_) | Part::File(_) | Part::Copy(_) | Part::Guest(_) | Part::Context(_) => {
            part.bit().trailing_zeros() as usize
        }
    }
}

/// The lock that protects a column of a world.
pub fn of_column(column: usize) -> usize {
    of(Part::of_column(column))
}

/// The lock of the bitmaps of node 0, the first that a process opens.
pub const BITMAPS_FIRST: usize = Part::Node(0).bit().trailing_zeros() as usize;

/// What a lock is called.
pub fn name(lock: usize) -> String {
    match lock {
        MAIN => return "main".into(),
        GRAPH => return "graph".into(),
        JOBS => return "jobs".into(),
        _ => {}
    }
    let part = Part::of_column(lock);
    let kind = match part {
        Part::Node(_) => "bitmaps",
        Part::File(_) => "image",
        Part::Copy(_) => "block-copy",
        Part::Guest(_) => "guest",
        Part::Context(_) => "iothread",
        _ => "nothing's",
    };
    format!("{kind} {}", part.index())
}

/// The columns of a world that hold what is listed: all things but guests, which are there from the beginning.
pub fn listed() -> u64 {
    let is_listed = |column: &usize| of_column(*column) != MAIN && !is_guest(*column);
    (0..LOCKS)
        .filter(is_listed)
        .fold(0, |columns, column| columns | 1 << column)
}

/// Does this column of a world list others? The graph does, and so do jobs, which have nodes and block-copy states.
pub fn is_list(column: usize) -> bool {
    matches!(of_column(column), GRAPH | JOBS)
}

fn is_guest(column: usize) -> bool {
    matches!(Part::of_column(column), Part::Guest(_))
}

fn bit(lock: usize) -> u64 {
    1 << lock
}

fn bits(parts: impl Iterator<Item = Part>) -> u64 {
    parts.fold(0, |locks, part| locks | bit(of(part)))
}

impl World {
    /// The locks that an enabled step names, as a mask: a function of what lies under them, and of what was looked at
    /// to find the step.
    pub fn locks(&self, step: Step) -> u64 {
        match step {
            Step::MonitorReply => self.locks_of_reply(),
            Step::MonitorCommand => self.locks_of_command(),
            Step::Shutdown | Step::MainBh | Step::MainResume | Step::MainIo => self.all_locks(),
            Step::Enter(context) => {
                let jobs = self
                    .contexts
                    .get(context)
                    .and_then(|context| context.hops.first());
                let job = jobs.map_or(0, |&job| self.locks_of_job(job));
                bit(of(Part::Context(context))) | job
            }
            Step::Scan(job) | Step::Timer(job) | Step::Task(job, _) => self.locks_of_job(job),
            Step::Guest(guest) => self.locks_of_guest(guest),
        }
    }

    fn locks_of_nodes(&self) -> u64 {
        bits((0..self.node_slots() + ADDED_MAX).map(Part::Node))
    }

    fn locks_of_files(&self) -> u64 {
        let slots = self.files.indices().last().map_or(0, |last| last + 1);
        bits((0..slots + ADDED_MAX).map(Part::File))
    }

    fn locks_of_guests(&self) -> u64 {
        bits(self.guests.indices().map(Part::Guest))
    }

    /// Every lock of what there is, and of what may be added.
    fn all_locks(&self) -> u64 {
        bit(MAIN)
            | bit(GRAPH)
            | bit(JOBS)
            | self.locks_of_nodes()
            | self.locks_of_files()
            | self.locks_of_guests()
            | bits((0..self.job_slots() + ADDED_MAX).map(Part::Copy))
            | bits(self.contexts.indices().map(Part::Context))
    }

    /// The client reads a reply, may compare the bitmaps of nodes with it, and goes on: with another command, or by
    /// letting guests start.
    fn locks_of_reply(&self) -> u64 {
        let compared = match self.monitor.reply {
            Some(Reply::Return(_)) => bit(GRAPH) | self.locks_of_nodes(),
            _ => 0,
        };
        bit(MAIN) | self.locks_of_guests() | compared
    }

    fn locks_of_command(&self) -> u64 {
        match self.monitor.inbox.front().map(|(_, command)| command) {
            Some(Command::Bitmap(_)) => {
                bit(MAIN) | bit(GRAPH) | self.locks_of_nodes() | self.locks_of_files()
            }
            Some(Command::Quit | Command::Refused(_) | Command::Nothing) => bit(MAIN),
            _ => self.all_locks(),
        }
    }

    /// A job's coroutine and its tasks, and the guests: those whose requests these let go on, and those that the
    /// client lets start when it hears of the job.
    fn locks_of_job(&self, job: JobIx) -> u64 {
        let own = bit(MAIN) | bit(JOBS) | bit(of(Part::Copy(job))) | self.locks_of_guests();
        let Some(copy) = self.copies.get(job) else {
            return own;
        };
        own | self.locks_of_image(copy.source) | self.locks_of_image(copy.target)
    }

    /// An image node, its files, and the filters above it with their block-copy states.
    fn locks_of_image(&self, node: NodeIx) -> u64 {
        let mut locks = bit(of(Part::Node(node)));
        let Some(entry) = self.nodes.get(node) else {
            return locks;
        };
        if let NodeKind::Image { chain, .. } = &entry.kind {
            locks |= bits(chain.iter().map(|&file| Part::File(file)));
        }
        // A target that somebody else writes is the job's business.
        locks |= entry.target_of.map_or(0, |job| bit(of(Part::Copy(job))));
        for &filter in &entry.filters {
            locks |= bit(of(Part::Node(filter)));
            if let Some(job) = self.job_of_filter(filter) {
                locks |= bit(of(Part::Copy(job)));
            }
        }
        locks
    }

    fn job_of_filter(&self, filter: NodeIx) -> Option<JobIx> {
        match self.nodes.get(filter)?.kind {
            NodeKind::Filter { job, .. } => Some(job),
            NodeKind::Image { .. } => None,
        }
    }

    fn locks_of_guest(&self, index: GuestIx) -> u64 {
        let own = bit(of(Part::Guest(index)));
        let Some(guest) = self.guests.get(index) else {
            return own;
        };
        match guest.stage {
            Stage::Idle => {
                let node = guest::node_of(self, &guest.drive);
                own | bit(GRAPH) | node.map_or(0, |node| self.locks_of_beginning(node))
            }
            Stage::Held { node } => own | self.locks_of_beginning(node),
            Stage::Saving { .. } => own,
            Stage::InFlight { node, .. } => own | self.locks_of_image(node),
            Stage::Landed { node, .. } => {
                let awaited = guest.begun == guest.requests.len() || index == QEMU_IO;
                let all = bit(MAIN) | self.locks_of_guests();
                own | self.locks_of_image(node) | if awaited { all } else { 0 }
            }
        }
    }

    /// A request that begins above filters begins their block-copy calls.
    fn locks_of_beginning(&self, node: NodeIx) -> u64 {
        let filters = self.nodes.get(node).map_or(&[][..], |entry| &entry.filters);
        let jobs = filters
            .iter()
            .filter_map(|&filter| self.job_of_filter(filter));
        let begun = jobs.fold(0, |locks, job| locks | self.locks_of_job(job));
        self.locks_of_image(node) | begun
    }
}
