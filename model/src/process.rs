//! The process: started with its drives, ended by `quit` or by a crash.
//!
//! QEMU: `qemu_cleanup`: everything is drained, then each job is cancelled and waited for, newest first. Since 8.2 the
//! VM is stopped before that, which drains everything, lets it go on, and flushes: jobs go on, too, for a moment.

use crate::error::QmpError;
use crate::event::{Event, Output};
use crate::fault::Blkdebug;
use crate::guest::Stage;
use crate::job::Status;
use crate::main_loop::{self, Context, Flow, Frame, Wait};
use crate::name::Name;
use crate::node::{ALL_NODES, Access, NodeKind, Opener};
use crate::property;
use crate::stored;
use crate::world::World;

/// A drive on QEMU's command line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Drive {
    /// The drive's id.
    pub id: Name,
    /// The name of its node; generated if absent.
    pub node: Option<Name>,
    /// Its image file.
    pub file: Name,
    /// A blkdebug layer under the format.
    pub blkdebug: Option<Blkdebug>,
    /// The iothread its device runs in; the main loop if absent.
    pub iothread: Option<Name>,
    /// A guest's device uses it.
    pub has_device: bool,
}

impl World {
    /// Starts QEMU on the image folder.
    ///
    /// # Errors
    /// What QEMU would print before it exits: an image it cannot open.
    pub fn launch(&mut self, drives: &[Drive]) -> Result<(), QmpError> {
        self.monitor_mut().gone = false;
        for drive in drives {
            let node = self.open_node(
                &drive.file,
                drive.node.clone(),
                Opener::Drive,
                Access::default(),
            )?;
            let context = drive.iothread.as_ref().map(|name| self.iothread(name));
            let entry = self.node_mut(node);
            entry.drive = Some(drive.id.clone());
            entry.blkdebug = drive.blkdebug.clone();
            entry.context = context;
            entry.has_device = drive.has_device;
            if drive.has_device && self.length(node) > 0 {
                // The device guesses its disk's geometry from the first sector; that this fails is no error to it.
                // QEMU: `hd_geometry_guess`.
                let _ = self.read_starts(node, &(0..512));
            }
        }
        Ok(())
    }

    /// Somebody kills QEMU (SIGKILL): it ends between two of its steps, and says nothing.
    pub fn kill(&mut self) {
        if !self.monitor().gone {
            vanishes(self, KILLED);
        }
    }

    fn iothread(&mut self, name: &Name) -> usize {
        let found = self
            .context_indices()
            .find(|&index| self.context(index).name.as_ref() == Some(name));
        found.unwrap_or_else(|| {
            self.add_context(Context {
                name: Some(name.clone()),
                hops: Vec::new(),
            })
        })
    }
}

/// How far the shutdown has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shutdown {
    /// `SHUTDOWN` has been said.
    Begin,
    /// The VM stops: everything is drained, then let go again and flushed.
    StopVm {
        /// The drained section of the stop.
        drain: u32,
    },
    /// Jobs are to be cancelled, and everything is drained for that.
    HoldJobs,
    /// Everything is drained; jobs are cancelled one by one.
    CancelJobs {
        /// The drained section that holds until the end.
        drain: u32,
    },
}

/// Killed by SIGSEGV, as an exit code.
const KILLED_BY_SEGV: i32 = -11;

/// Killed by SIGKILL, as an exit code.
pub const KILLED: i32 = -9;

/// Killed by SIGABRT, as an exit code.
const KILLED_BY_ABORT: i32 = -6;

/// The main loop notices that the process is to end.
pub(crate) fn begin(w: &mut World) -> Frame {
    property::job::shuts_down(w);
    w.say(Output::Event(Event::Shutdown));
    Frame::Shutdown(Shutdown::Begin)
}

/// The shutdown goes on.
pub(crate) fn advance(w: &mut World, stage: Shutdown) -> Flow {
    match stage {
        Shutdown::Begin if w.dialect.vm_stops_before_jobs_are_held => {
            drain_all(w, |drain| Shutdown::StopVm { drain })
        }
        Shutdown::StopVm { drain } => {
            w.drain_end(drain);
            let next = Frame::Shutdown(Shutdown::HoldJobs);
            if flush_all(w) {
                Flow::Become(next, Wait::Io)
            } else {
                main_loop::meanwhile(w, next)
            }
        }
        Shutdown::Begin | Shutdown::HoldJobs => {
            drain_all(w, |drain| Shutdown::CancelJobs { drain })
        }
        Shutdown::CancelJobs { .. } => cancel_next(w),
    }
}

/// Drains everything, then goes on as `next`: `bdrv_drain_all_begin`.
fn drain_all(w: &mut World, next: impl FnOnce(u32) -> Shutdown) -> Flow {
    let drain = w.drain_begin(ALL_NODES);
    Flow::Become(Frame::Shutdown(next(drain)), Wait::Quiet(ALL_NODES))
}

/// Every node is flushed, whatever comes of it; whether that takes an I/O is returned. `bdrv_flush_all`, the end of
/// `do_vm_stop`.
fn flush_all(w: &mut World) -> bool {
    let mut takes_io = false;
    for node in w.node_indices().collect::<Vec<_>>() {
        w.flush_starts(node);
        takes_io |= w.node(node).written;
        w.node_mut(node).written = false;
    }
    takes_io
}

fn cancel_next(w: &mut World) -> Flow {
    let Some(&index) = w.main().jobs.first() else {
        return exits(w, 0);
    };
    if w.job(index).status == Status::Concluded {
        (w.rules().dismiss)(w, index);
        return Flow::Wait(Wait::Nothing);
    }
    let frame = (w.rules().cancel)(w, index, true);
    match frame {
        Some(frame) => Flow::Call(frame),
        None => Flow::Wait(Wait::JobConcluded(index)),
    }
}

/// The process ends by itself.
fn exits(w: &mut World, code: i32) -> Flow {
    (w.rules().flush_reply)(w);
    w.say(Output::Exit(code));
    stored::store_all(w);
    w.remove_process();
    w.monitor_mut().gone = true;
    Flow::Done
}

/// A reply that has not been written yet is written before the socket is closed.
pub(crate) fn flush_reply(w: &mut World) {
    if let Some(reply) = w.monitor_mut().reply.take() {
        w.say_reply(reply);
    }
}

/// QEMU would crash here: why.
pub(crate) fn dies(w: &mut World, why: &str) -> Flow {
    is_killed(w, KILLED_BY_SEGV, why)
}

/// QEMU would fail an assertion here, or meet an error that it says cannot happen (`&error_abort`): why.
pub(crate) fn aborts(w: &mut World, why: &str) -> Flow {
    is_killed(w, KILLED_BY_ABORT, why)
}

/// Whoever waits for a reply gets none, and guests' requests in flight are lost with the process.
fn is_killed(w: &mut World, code: i32, why: &str) -> Flow {
    w.breaks("no-crash", format!("QEMU would die here: {why}"));
    vanishes(w, code);
    Flow::Done
}

/// The process is gone in the middle of everything: nothing is stored, nothing is flushed.
fn vanishes(w: &mut World, code: i32) {
    w.say(Output::Exit(code));
    for guest in w.guest_indices().collect::<Vec<_>>() {
        let guest = w.guest_mut(guest);
        guest.stage = Stage::Idle;
        guest.started = false;
    }
    for node in w.node_indices().collect::<Vec<_>>() {
        if let NodeKind::Image { chain, .. } = &w.node(node).kind
            && w.node(node).written
        {
            let file = chain[0];
            w.file_mut(file).torn = true;
        }
    }
    w.remove_process();
    w.monitor_mut().gone = true;
}
