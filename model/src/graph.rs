//! How often QEMU changes the block graph for one deed.
//!
//! Since 8.2 each change drains all nodes and lets them go again (`bdrv_graph_wrlock`): a nested event loop, in which
//! others may run. The numbers are pairs `paused`, `running` of an idle job beside the deed, counted with 10.0.2.

use crate::image::Format;
use crate::main_loop::{Flow, Frame, Wait};

use crate::world::{NodeIx, World};

/// A backup is about to be created: its filter goes in, its job takes its nodes.
pub(crate) const CREATES_JOB: u8 = 4;
/// A backup's filter may not have its name.
pub(crate) const NAMES_NO_FILTER: u8 = 1;
/// A backup whose filter was put in is refused: the filter goes.
pub(crate) const TAKES_FILTER_BACK: u8 = 1;
/// A backup whose filter was put in cannot have its job.
pub(crate) const MAKES_NO_JOB: u8 = 2;
/// A backup's job is refused once it was there.
pub(crate) const TAKES_JOB_BACK: u8 = 3;
/// A backup was created.
pub(crate) const CREATED_JOB: u8 = 1;
/// A job has let go of its nodes, and its filter goes.
pub(crate) const DROPS_FILTER: u8 = 2;
/// A job is gone.
pub(crate) const FORGETS_JOB: u8 = 1;

/// The file of a target was created: a qcow2 file gets its header and its length, a raw one takes none.
pub(crate) fn creates(w: &World, target: NodeIx, existing: bool) -> u8 {
    let is_qcow2 = w.file(w.top_file(target)).image.format == Format::Qcow2;
    if existing || !is_qcow2 { 0 } else { 15 }
}

/// An image file could not be opened: it is not there, or another node keeps this one out.
pub(crate) fn fails_to_open(is_there: bool) -> u8 {
    if is_there { 6 } else { 3 }
}

/// A node was opened: each image of its chain with its file, and put over the next one.
pub(crate) fn opens(w: &World, node: NodeIx) -> u8 {
    let over = u8::from(w.node(node).over.is_some());
    4 * images(w, node) - 1 + over + u8::from(w.node(node).blkdebug.is_some())
}

/// A node is closed, with the images that it was opened with.
pub(crate) fn closes(w: &World, node: NodeIx) -> u8 {
    2 * images(w, node) + u8::from(w.node(node).blkdebug.is_some())
}

/// How many images were opened for a node.
fn images(w: &World, node: NodeIx) -> u8 {
    let entry = w.node(node);
    if entry.over.is_some() {
        1
    } else {
        entry.chain().len() as u8
    }
}

/// Goes on as this frame once the graph has changed so often.
pub(crate) fn then(w: &World, frame: Frame, changes: u8) -> Flow {
    match changes_of(w, changes) {
        Some(callee) => Flow::BecomeAndCall(frame, callee),
        None => Flow::Become(frame, Wait::Nothing),
    }
}

/// So many changes of the graph, if the release drains for them.
pub(crate) fn changes_of(w: &World, left: u8) -> Option<Frame> {
    let felt = w.dialect.graph_change_drains_all && left > 0;
    felt.then_some(Frame::GraphChanges { left })
}

/// The next of several changes of the graph.
pub(crate) fn advance(left: u8) -> Flow {
    let change = Frame::GraphChange { drain: None };
    match left {
        0 => Flow::Done,
        1 => Flow::Instead(change),
        _ => Flow::BecomeAndCall(Frame::GraphChanges { left: left - 1 }, change),
    }
}
