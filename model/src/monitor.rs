//! The monitor: one command at a time comes in, its handler runs, its reply goes out.
//!
//! In both reference releases handlers run in the I/O handler's context, and after a handler returns the
//! dispatcher needs one more hop, before which the main loop's pass runs: what is exactly one bottom half away
//! is said before the reply. The reply then comes at the latest before the third pass begins: after two I/Os one
//! after the other that the handler started, the bottom half that follows is in the third.
//! (Spec: concurrency §5; QEMU: `monitor_qmp_dispatcher_co`.)

use std::collections::VecDeque;
use std::sync::Arc;

use crate::backup;
use crate::error::QmpError;
use crate::event::Reply;
use crate::fault::Blkdebug;
use crate::graph;
use crate::guest::{self, Request};
use crate::job::{self, Verb};
use crate::main_loop::{self, Bh, Flow, Frame, Wait};
use crate::name::Name;
use crate::node::{ALL_NODES, Access, Listed, NodeKind, Opener};
use crate::process;
use crate::property::{self, Witness};
use crate::query::{self, Query};
use crate::stored;
use crate::transaction::{Action, Transaction};
use crate::world::{JobIx, NodeIx, World};

/// A job verb as a command: which family of commands it came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ByName {
    /// `block-job-*`: another class of error, softer cancel.
    pub block_job: bool,
    /// `block-job-cancel` with `force: true`.
    pub force: bool,
}

/// A command of the client's, its arguments already understood.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// `transaction`, and the backup commands, which are transactions of one action.
    Transaction {
        /// The actions.
        actions: Arc<Vec<Action>>,
        /// `completion-mode: grouped`
        grouped: bool,
    },
    /// A dirty-bitmap command: an action done and committed at once, without draining anything.
    Bitmap(Arc<Vec<Action>>),
    /// A job verb.
    Job {
        /// Which.
        verb: Verb,
        /// The job.
        id: Name,
        /// The family of commands.
        by: ByName,
    },
    /// `block-job-set-speed`
    SetSpeed {
        /// The job.
        id: Name,
        /// Bytes per second.
        speed: i64,
    },
    /// Something that only looks.
    Query(Query),
    /// `blockdev-add` of an image.
    BlockdevAdd {
        /// The node's name, which may not be left out.
        node_name: Option<Name>,
        /// The file.
        file: Name,
        /// A blkdebug layer under the format.
        blkdebug: Option<Blkdebug>,
        /// The driver, and whether it may be written.
        access: Access,
    },
    /// `blockdev-del`
    BlockdevDel {
        /// The node.
        node_name: Name,
    },
    /// `block_resize`
    Resize {
        /// A drive, if named by one.
        device: Option<Name>,
        /// A node, if named by one.
        node_name: Option<Name>,
        /// Bytes.
        size: i64,
    },
    /// `qemu-io` by the human monitor.
    QemuIo {
        /// Drive or node.
        drive: Name,
        /// What.
        request: Request,
    },
    /// `quit`
    Quit,
    /// QEMU refuses the command before its handler runs.
    Refused(QmpError),
    /// Something the monitor does that has no effect on the block layer (`qmp_capabilities`, `stop`, `cont`).
    Nothing,
}

/// The monitor's state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Monitor {
    /// Commands on their way, oldest first, each with its word in a schedule.
    pub inbox: VecDeque<(Name, Command)>,
    /// A handler is running (it may wait in nested event loops).
    pub handling: bool,
    /// The number of the command being handled, or last handled.
    pub serial: u32,
    /// A handler returned; its reply is to be written.
    pub reply: Option<Reply>,
    /// How many replies were written: a ghost of [`crate::property`].
    pub replied: u32,
    /// `quit` was asked for.
    pub quitting: bool,
    /// The process is gone.
    pub gone: bool,
}

impl World {
    /// Sends a command down the socket. `word` is its name in schedules.
    pub fn submit(&mut self, word: Name, command: Command) {
        self.monitor_mut().inbox.push_back((word, command));
    }

    /// The process is gone: no more replies.
    pub fn is_gone(&self) -> bool {
        self.monitor().gone
    }
}

/// May the next command's handler begin? Not inside a nested event loop, not before the last reply is out.
pub(crate) fn may_begin(w: &World) -> bool {
    let monitor = w.monitor();
    !monitor.inbox.is_empty()
        && !monitor.handling
        && monitor.reply.is_none()
        && !monitor.quitting
        && !w.main().is_nested()
}

/// May the reply be written now?
pub(crate) fn may_reply(w: &World) -> bool {
    let monitor = w.monitor();
    let main = w.main();
    monitor.reply.is_some()
        && if monitor.quitting {
            main.is_nested()
        } else {
            !main.is_nested()
                && (main.between_passes() || main.passes_since_return > 0 || comes_later(w))
        }
}

/// May no bottom half of the main loop run: because the reply must be written before another pass begins, or
/// because a handler is at work?
pub(crate) fn holds_main_loop(w: &World) -> bool {
    let main = w.main();
    let monitor = w.monitor();
    let awaited = monitor.reply.is_some() && !monitor.quitting && !main.is_nested();
    main.is_busy()
        || awaited && (main.between_passes() && main.passes_since_return > 0 || comes_later(w))
}

/// Is the next bottom half at least three passes away from the handler that returned? The exit of a job that the
/// handler let go on is, if the job did two I/Os one after the other: each takes a pass.
fn comes_later(w: &World) -> bool {
    let Some(Bh::JobExit(job)) = w.main().next_bh() else {
        return false;
    };
    w.job(*job).exit_after_reply == Some(w.monitor().serial)
}

/// The next command's handler runs, to its end or to its first nested event loop.
pub(crate) fn begin(w: &mut World) {
    let (_, command) = w
        .monitor_mut()
        .inbox
        .pop_front()
        .expect("internal: no command came");
    let monitor = w.monitor_mut();
    monitor.handling = true;
    monitor.serial += 1;
    let frame = match handle(w, command) {
        Ok(frame) => frame,
        Err(error) => Frame::Command(Box::new(Reply::Error(error))),
    };
    main_loop::call(w, frame);
}

/// A handler returned: what it queued is one pass away, and comes first.
pub(crate) fn returns(w: &mut World, reply: Reply) -> Flow {
    let monitor = w.monitor_mut();
    monitor.handling = false;
    monitor.reply = Some(reply);
    let main = w.main_mut();
    main.begin_pass();
    main.passes_since_return = 0;
    Flow::Done
}

/// Writes the reply.
pub(crate) fn reply(w: &mut World) {
    let reply = w
        .monitor_mut()
        .reply
        .take()
        .expect("internal: no reply to write");
    w.main_mut().passes_since_return = 0;
    w.say_reply(reply);
}

fn done() -> Frame {
    Frame::Command(Box::new(Reply::Done))
}

/// Runs what a handler left to do in nested event loops, then replies.
fn done_after(w: &mut World, work: Option<Frame>) -> Frame {
    match work {
        None => done(),
        Some(work) => {
            // The command's frame is below what it called: it replies when that is done.
            main_loop::push(w, done());
            work
        }
    }
}

fn handle(w: &mut World, command: Command) -> Result<Frame, QmpError> {
    match command {
        Command::Transaction { actions, grouped } => Ok(Frame::Transaction(Box::new(
            Transaction::new(actions, grouped),
        ))),
        Command::Bitmap(actions) => Ok(Frame::Transaction(Box::new(Transaction::alone(actions)))),
        Command::Job { verb, id, by } => job_verb(w, verb, &id, by),
        Command::SetSpeed { id, speed } => {
            let job = job::find(w, &id, true)?;
            let asked = property::job::asks(w, job, Verb::SetSpeed);
            let set = job::user_set_speed(w, job, speed);
            property::job::asked(w, job, &asked, set.is_ok());
            set.map(|()| done())
        }
        Command::Query(query) => {
            let value = query::answer(w, query);
            Ok(Frame::Command(Box::new(Reply::Return(value))))
        }
        Command::BlockdevAdd {
            node_name,
            file,
            blkdebug,
            access,
        } => blockdev_add(w, node_name, &file, blkdebug, access),
        Command::BlockdevDel { node_name } => blockdev_del(w, &node_name),
        Command::Resize {
            device,
            node_name,
            size,
        } => resize(w, device, node_name, size),
        Command::QemuIo { drive, request } => match guest::qemu_io(w, &drive, request) {
            Ok(frame) => Ok(frame),
            Err(line) => Ok(Frame::Command(Box::new(Reply::Printed(vec![line.into()])))),
        },
        Command::Quit => {
            w.monitor_mut().quitting = true;
            Ok(done())
        }
        Command::Refused(error) => Err(error),
        Command::Nothing => Ok(done()),
    }
}

fn job_verb(w: &mut World, verb: Verb, id: &str, by: ByName) -> Result<Frame, QmpError> {
    let job = job::find(w, id, by.block_job)?;
    let asked = property::job::asks(w, job, verb);
    let work = do_verb(w, verb, job, by);
    property::job::asked(w, job, &asked, work.is_ok());
    Ok(done_after(w, work?))
}

/// Does a verb; what is left to do in nested event loops is returned.
fn do_verb(w: &mut World, verb: Verb, job: JobIx, by: ByName) -> Result<Option<Frame>, QmpError> {
    let mut work = None;
    match verb {
        Verb::Cancel => work = job::user_cancel(w, job, by.block_job && !by.force)?,
        Verb::Pause => job::user_pause(w, job)?,
        Verb::Resume => job::user_resume(w, job)?,
        Verb::Complete => job::user_complete(w, job)?,
        Verb::SetSpeed => panic!("internal: set-speed has a command of its own"),
        Verb::Finalize => {
            (w.rules().apply_verb)(w, job, Verb::Finalize)?;
            work = Some((w.rules().finalize)(w, job));
        }
        Verb::Dismiss => {
            (w.rules().apply_verb)(w, job, Verb::Dismiss)?;
            (w.rules().dismiss)(w, job);
            work = graph::changes_of(w, graph::FORGETS_JOB);
        }
    }
    Ok(work)
}

/// Every running job feels changes of the block graph, where the release drains for them.
fn after_graph_changes(w: &mut World, changes: u8) -> Frame {
    let work = graph::changes_of(w, changes);
    done_after(w, work)
}

fn blockdev_add(
    w: &mut World,
    node_name: Option<Name>,
    file: &Name,
    blkdebug: Option<Blkdebug>,
    access: Access,
) -> Result<Frame, QmpError> {
    if node_name.is_none() {
        return Err(QmpError::generic(
            "'node-name' must be specified for the root node",
        ));
    }
    let node = w.open_node(file, node_name, Opener::BlockdevAdd, access)?;
    w.node_mut(node).blkdebug = blkdebug;
    let changes = graph::opens(w, node);
    Ok(after_graph_changes(w, changes))
}

fn blockdev_del(w: &mut World, node_name: &Name) -> Result<Frame, QmpError> {
    let Some(node) = w
        .node_indices()
        .find(|&index| w.node(index).name == *node_name)
    else {
        return Err(QmpError::generic(format!(
            "Failed to find node with node-name='{node_name}'"
        )));
    };
    let entry = w.node(node);
    let guests = w.guest_indices().map(|index| w.guest(index));
    if w.drive_on(node).is_some()
        || guests
            .into_iter()
            .any(|guest| guest.drive == *node_name && !guest.is_finished())
    {
        return Err(QmpError::generic(format!("Node {node_name} is in use")));
    }
    backup::check_not_blocked(w, node)?;
    if entry.opener != Opener::BlockdevAdd {
        return Err(QmpError::generic(format!(
            "Node {node_name} is not owned by the monitor"
        )));
    }
    if !entry.filters.is_empty() {
        return Err(QmpError::generic(format!(
            "Block device {node_name} is in use"
        )));
    }
    let changes = graph::closes(w, node);
    w.close_node(node);
    Ok(after_graph_changes(w, changes))
}

/// Unlike elsewhere, a drive and a node are named by different arguments.
fn resized_node(
    w: &World,
    device: Option<&str>,
    node_name: Option<&str>,
) -> Result<NodeIx, QmpError> {
    let by_device = device
        .and_then(|device| w.find_drive(device))
        .map(|node| w.top_of(node));
    let by_name = || {
        w.node_indices()
            .find(|&index| node_name == Some(&*w.node(index).name))
    };
    by_device.or_else(by_name).ok_or_else(|| {
        let (device, node_name) = (device.unwrap_or(""), node_name.unwrap_or(""));
        QmpError::generic(format!(
            "Cannot find device='{device}' nor node-name='{node_name}'"
        ))
    })
}

fn resize(
    w: &mut World,
    device: Option<Name>,
    node_name: Option<Name>,
    size: i64,
) -> Result<Frame, QmpError> {
    let node = resized_node(w, device.as_deref(), node_name.as_deref())?;
    let Ok(size) = u64::try_from(size) else {
        return Err(QmpError::generic("Parameter 'size' expects a >0 size"));
    };
    if let Err(error) = backup::check_not_blocked(w, node).and_then(|()| check_not_below(w, node)) {
        w.witness(Witness::ResizeRefused);
        if w.dialect.resize_names_blocker {
            return Err(error);
        }
        let device = device.as_deref().unwrap_or("(null)");
        return Err(QmpError::generic(format!("Device '{device}' is in use")));
    }
    if let Err(error) = (w.rules().check_resize_shared)(w, node) {
        w.witness(Witness::ResizeRefused);
        if !w.dialect.graph_change_drains_all {
            return Err(error);
        }
        // The block device that was to resize it has been put above it before, which changed the graph.
        main_loop::push(w, Frame::Command(Box::new(Reply::Error(error))));
        return Ok(Frame::GraphChange { drain: None });
    }
    let nodes = if w.dialect.graph_change_drains_all {
        ALL_NODES
    } else {
        1 << node
    };
    let drain = w.drain_begin(nodes);
    main_loop::push(w, Frame::Resize { node, size, drain });
    Ok(Frame::WaitFor(Wait::Quiet(nodes)))
}

/// Is the node below another that was opened over it? QEMU: the `backing_blocker` of `bdrv_set_backing_hd`.
///
/// # Errors
/// `Node '…' is busy: node is used as backing hd of '…'`
fn check_not_below(w: &World, node: NodeIx) -> Result<(), QmpError> {
    let mut nodes = w.node_indices();
    let Some(above) = nodes.find(|other| w.node(*other).over == Some(node)) else {
        return Ok(());
    };
    Err(QmpError::generic(format!(
        "Node '{}' is busy: node is used as backing hd of '{}'",
        w.device_or_node(node),
        w.node(above).name
    )))
}

/// Does everybody above the node let others resize it? A backup's filter does not: `bdrv_refresh_perms`.
///
/// # Errors
/// `Permission conflict on node '…'`
pub(crate) fn check_resize_shared(w: &World, node: NodeIx) -> Result<(), QmpError> {
    let entry = w.node(node);
    let Some(&above) = entry.filters.first() else {
        return Ok(());
    };
    let filter = &w.node(above).name;
    Err(QmpError::generic(format!(
        "Permission conflict on node '{0}': permissions 'resize' are both required by an unnamed \
         block device (uses node '{0}' as 'root' child) and unshared by node '{filter}' (uses \
         node '{0}' as 'file' child).",
        entry.name
    )))
}

/// The node is drained: its image and all its bitmaps get the new length, in one step.
pub(crate) fn resize_drained(w: &mut World, node: NodeIx, size: u64, drain: u32) -> Flow {
    let NodeKind::Image { chain, .. } = &w.node(node).kind else {
        panic!("internal: filters are refused");
    };
    let chain = chain.clone();
    let image = &w.file(chain[0]).image;
    let reply = if image.format == crate::image::Format::Qcow2 && !size.is_multiple_of(512) {
        Reply::Error(QmpError::generic("The new size must be a multiple of 512"))
    } else if w.node(node).read_only {
        Reply::Error(QmpError::generic("Image is read-only"))
    } else if let Err(error) = stored::check_resize(w, node) {
        Reply::Error(error)
    } else {
        property::bitmap::resizes(w, node);
        w.change_image(&chain, false, |image, below| {
            let old = image.length;
            image.resize(below, size);
            image.place(&(old..size));
        });
        (w.rules().resize_bitmaps)(w, node, size);
        w.node_mut(node).written = true;
        property::bitmap::resized(w, node);
        Reply::Done
    };
    w.drain_end(drain);
    // The block device that was to resize it goes.
    graph::then(w, Frame::Command(Box::new(reply)), 1)
}

/// All bitmaps of a node get a new length: `bdrv_dirty_bitmap_truncate`.
pub(crate) fn resize_bitmaps(w: &mut World, node: NodeIx, size: u64) {
    for listed in &mut w.node_mut(node).listed {
        if let Listed::Bitmap(bitmap) = listed {
            bitmap.resize(size);
        }
    }
}

/// The main loop notices `quit` once its handler has returned.
pub(crate) fn may_shut_down(w: &World) -> bool {
    w.monitor().quitting && !w.monitor().handling && !w.main().is_nested()
}

/// The process begins to end.
pub(crate) fn shut_down(w: &mut World) {
    let frame = process::begin(w);
    main_loop::call(w, frame);
}
