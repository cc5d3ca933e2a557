//! Guests: their requests, each with a beginning and an end, and what they meet on the way.
//!
//! A write that goes through a backup's filter first waits until the old clusters are saved (copy-before-write);
//! then its data is written; then the bitmaps record it. Others run between these. `qemu-io` of the human
//! monitor is guest 0, for whose request a command waits.
//! QEMU: `block/copy-before-write.c`, `bdrv_co_write_req_finish` in `block/io.c`.

use std::ops::Range;
use std::sync::Arc;

use crate::block_copy::{self, Caller};
use crate::error::Errno;
use crate::event::Reply;
use crate::file::filled;
use crate::image::Fill;
use crate::main_loop::{Flow, Frame};
use crate::name::Name;
use crate::node::NodeKind;
use crate::property::{self, Witness};
use crate::world::{GuestIx, JobIx, NodeIx, World};

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// Writes a fill.
    Write {
        /// Bytes.
        offset: u64,
        /// Bytes.
        len: u64,
        /// What.
        fill: Fill,
    },
    /// Writes zeroes (`write -z`).
    WriteZeroes {
        /// Bytes.
        offset: u64,
        /// Bytes.
        len: u64,
    },
    /// Discards. Drives ignore discards unless opened with discard=unmap, so nothing happens.
    Discard {
        /// Bytes.
        offset: u64,
        /// Bytes.
        len: u64,
    },
    /// Reads.
    Read {
        /// Bytes.
        offset: u64,
        /// Bytes.
        len: u64,
    },
    /// Flushes.
    Flush,
}

impl Request {
    /// The request's word in a schedule.
    pub fn word(&self) -> &'static str {
        match self {
            Request::Write { .. } => "write",
            Request::WriteZeroes { .. } => "write-zeroes",
            Request::Discard { .. } => "discard",
            Request::Read { .. } => "read",
            Request::Flush => "flush",
        }
    }

    /// The bytes that it is about.
    pub fn range(&self) -> Range<u64> {
        match *self {
            Request::Write { offset, len, .. }
            | Request::WriteZeroes { offset, len }
            | Request::Discard { offset, len }
            | Request::Read { offset, len } => offset..offset.saturating_add(len),
            Request::Flush => 0..0,
        }
    }

    /// Does it change what the drive holds?
    pub fn changes_data(&self) -> bool {
        matches!(self, Request::Write { .. } | Request::WriteZeroes { .. })
    }
}

/// Where a guest's request has got to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// None in flight.
    Idle,
    /// Old data is being saved by the filters; these are still to come.
    Saving {
        /// The image node.
        node: NodeIx,
        /// Filters below the one in progress.
        below: Vec<NodeIx>,
    },
    /// The I/O on the image is in flight.
    InFlight {
        /// The image node.
        node: NodeIx,
        /// What it will fail with.
        fault: Option<Errno>,
    },
    /// The I/O is done, the request is not: the bitmaps do not know yet.
    Landed {
        /// The image node.
        node: NodeIx,
        /// How it went.
        result: Result<(), Errno>,
        /// Whether the write reached the image node at all.
        reached: bool,
    },
    /// It came in a drained section, and waits for its end. QEMU (`blk_wait_while_drained`) does not count it
    /// meanwhile, so it is as if it had not come, and is [`Stage::Idle`]; this is one that is counted.
    Held {
        /// The image node.
        node: NodeIx,
    },
}

/// A guest: a source of requests, one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Guest {
    /// Its name in schedules.
    pub name: Name,
    /// The drive (or node) it uses.
    pub drive: Name,
    /// Its requests.
    pub requests: Arc<Vec<Request>>,
    /// How many of them have begun.
    pub begun: usize,
    /// It may begin requests.
    pub started: bool,
    /// Where the one in flight is.
    pub stage: Stage,
    /// How the last one ended.
    pub last: Option<Result<(), Errno>>,
}

impl Guest {
    /// A guest that has not started.
    pub fn new(name: Name, drive: Name, requests: Vec<Request>) -> Guest {
        Guest {
            name,
            drive,
            requests: Arc::new(requests),
            begun: 0,
            started: false,
            stage: Stage::Idle,
            last: None,
        }
    }

    /// The slot in which the human monitor's `qemu-io` runs.
    pub(crate) fn qemu_io() -> Guest {
        Guest::new("qemu-io".into(), "".into(), Vec::new())
    }

    /// No request in flight.
    pub fn is_idle(&self) -> bool {
        self.stage == Stage::Idle
    }

    /// All requests are done.
    pub fn is_finished(&self) -> bool {
        self.is_idle() && self.begun == self.requests.len()
    }

    /// The request in flight, or the next one.
    pub fn request(&self) -> Option<Request> {
        let index = if self.is_idle() {
            self.begun
        } else {
            self.begun - 1
        };
        self.requests.get(index).copied()
    }
}

impl World {
    /// Lets a guest begin its requests, once more if it has done them all.
    pub fn start_guest(&mut self, guest: GuestIx) {
        let guest = self.guest_mut(guest);
        if guest.started && guest.is_finished() {
            guest.begun = 0;
        }
        guest.started = true;
    }
}

/// May the guest do its next move? One in the main loop waits while the main thread is in a handler.
pub(crate) fn is_enabled(w: &World, index: GuestIx) -> bool {
    let guest = w.guest(index);
    let may_run = |node: NodeIx| (w.rules().may_run)(w, w.node(node).context);
    match guest.stage {
        Stage::Idle => {
            next_on(w, index).is_some_and(|node| (w.rules().may_submit)(w, node) && may_run(node))
        }
        Stage::Saving { .. } => false,
        Stage::Held { node } => may_submit(w, node) && may_run(node),
        Stage::InFlight { node, .. } | Stage::Landed { node, .. } => may_run(node),
    }
}

/// The node that the guest's next request is for, if it has one to begin and the node is there.
pub(crate) fn next_on(w: &World, index: GuestIx) -> Option<NodeIx> {
    let guest = w.guest(index);
    if guest.is_idle() && guest.started && guest.begun < guest.requests.len() {
        node_of(w, &guest.drive)
    } else {
        None
    }
}

/// May guests begin requests there? Not in a drained section.
pub(crate) fn may_submit(w: &World, node: NodeIx) -> bool {
    w.node(node).quiesced == 0
}

pub(crate) fn node_of(w: &World, drive: &str) -> Option<NodeIx> {
    w.find_node(drive).map(|node| w.image_under(node))
}

/// The guest's next move: a request begins, its I/O is done, or it ends.
pub(crate) fn step(w: &mut World, index: GuestIx) {
    match w.guest(index).stage {
        Stage::Idle => (w.rules().begin_request)(w, index),
        Stage::Held { node } => {
            w.node_mut(node).requests -= 1;
            let guest = w.guest_mut(index);
            guest.begun -= 1;
            guest.stage = Stage::Idle;
            begin(w, index);
        }
        Stage::InFlight { .. } => (w.rules().write_lands)(w, index),
        Stage::Landed { .. } => ends(w, index),
        Stage::Saving { .. } => panic!("internal: a guest that waits for copies has no step"),
    }
}

/// A request begins: a write first meets the filters, the topmost first.
pub(crate) fn begin(w: &mut World, index: GuestIx) {
    let guest = w.guest(index);
    let node = node_of(w, &guest.drive).expect("internal: checked by is_enabled");
    let request = guest.requests[guest.begun];
    let range = request.range();
    w.guest_mut(index).begun += 1;
    w.node_mut(node).requests += 1;
    if request.changes_data() {
        property::bitmap::write_begun(w, node);
    }
    if range.end > w.length(node) {
        let result = Err(Errno::Eio);
        w.guest_mut(index).stage = Stage::Landed {
            node,
            result,
            reached: false,
        };
        return;
    }
    let saves = request.changes_data() && !range.is_empty();
    let below = if saves {
        w.node(node).filters.clone()
    } else {
        Vec::new()
    };
    w.guest_mut(index).stage = Stage::Saving { node, below };
    (w.rules().save_old_data)(w, index);
}

/// The next filter's copy-before-write call; after the last, the I/O itself.
pub(crate) fn save_next(w: &mut World, index: GuestIx) {
    let Stage::Saving { node, below } = &mut w.guest_mut(index).stage else {
        panic!("internal: the guest is not saving old data");
    };
    let node = *node;
    let Some(filter) = below.pop() else {
        return (w.rules().begin_io)(w, index, node);
    };
    let NodeKind::Filter { job, .. } = w.node(filter).kind else {
        panic!("internal: only filters are inserted above a source");
    };
    let request = w
        .guest(index)
        .request()
        .expect("internal: a request is in flight");
    let clusters = w.copy(job).clusters(&request.range());
    block_copy::begin_call(w, job, Caller::Guest(index), clusters);
}

/// A copy-before-write call is over. If the old data could not be saved, the guest's write fails
/// (`on-cbw-error=break-guest-write`).
pub(crate) fn copied(w: &mut World, index: GuestIx, job: JobIx, failed: Option<Errno>) {
    let Stage::Saving { node, .. } = w.guest(index).stage else {
        panic!("internal: the guest is not saving old data");
    };
    match failed {
        Some(errno) => {
            let result = Err(errno);
            w.guest_mut(index).stage = Stage::Landed {
                node,
                result,
                reached: false,
            };
            record_failure(w, index, node, w.job(job).backup.filter);
            w.witness(Witness::CbwFailed);
        }
        None => {
            property::data::write_goes_on(w, index, job);
            note_done(w, index, job);
            (w.rules().save_old_data)(w, index);
        }
    }
}

/// The filter remembers which clusters guests' writes have had copied (its second internal bitmap).
fn note_done(w: &mut World, index: GuestIx, job: JobIx) {
    let request = w
        .guest(index)
        .request()
        .expect("internal: a request is in flight");
    let copy = w.copy(job);
    let (start, end) = copy.clusters(&request.range());
    let range = start..end.min(copy.len);
    let filter = w.job(job).backup.filter;
    // A user's bitmaps are newer.
    if let Some(done) = w.node_mut(filter).bitmaps_mut().last() {
        done.set(range);
    }
}

/// The request's own I/O starts.
pub(crate) fn begin_io(w: &mut World, index: GuestIx, node: NodeIx) {
    let request = w
        .guest(index)
        .request()
        .expect("internal: a request is in flight");
    let range = request.range();
    let fault = match request {
        Request::Write { .. } => w.write_starts(node, &range),
        Request::WriteZeroes { .. } => w.zero_starts(node, &range),
        // Ignored by every node that is not opened with `discard=unmap`.
        Request::Discard { .. } => None,
        Request::Read { .. } => w.read_starts(node, &range),
        Request::Flush => w.flush_starts(node),
    };
    let fault = fault.map(|fault| fault.errno);
    w.guest_mut(index).stage = Stage::InFlight { node, fault };
}

/// The I/O is done on the host: the data has changed, the request has not ended.
pub(crate) fn lands(w: &mut World, index: GuestIx) {
    let Stage::InFlight { node, fault } = w.guest(index).stage else {
        panic!("internal: no I/O in flight");
    };
    let request = w
        .guest(index)
        .request()
        .expect("internal: a request is in flight");
    if request.changes_data() {
        property::data::spoils(w, node);
    }
    if !request.range().is_empty() {
        w.note_looked_up(node, &request);
    }
    if fault.is_none() {
        let chain = w.node(node).chain().to_vec();
        match request {
            Request::Write { offset, len, fill } if len > 0 => {
                w.write_file(&chain, &filled(offset, len, fill));
                w.mark_written(node);
            }
            Request::WriteZeroes { offset, len } if len > 0 => {
                w.change_image(&chain, false, |image, below| {
                    image.write_zeroes(below, offset..offset + len);
                    image.place(&(offset..offset + len));
                });
                w.mark_written(node);
            }
            Request::Flush => w.node_mut(node).written = false,
            _ => {}
        }
    }
    let result = fault.map_or(Ok(()), Err);
    w.guest_mut(index).stage = Stage::Landed {
        node,
        result,
        reached: true,
    };
}

/// A request's I/O is over: if it is a write, the bitmaps record it, whether it succeeded or failed.
/// QEMU: `bdrv_co_write_req_finish`.
pub(crate) fn record_write(w: &mut World, index: GuestIx, node: NodeIx) {
    let request = w
        .guest(index)
        .request()
        .expect("internal: a request is in flight");
    if !request.changes_data() {
        return;
    }
    w.mark_dirty(node, request.range());
    for filter in w.node(node).filters.clone() {
        mark_users(w, filter, request.range());
    }
}

/// A write fails in a filter: it has reached that one and those above it, whose bitmaps record it, but not the image.
fn record_failure(w: &mut World, index: GuestIx, node: NodeIx, failed: NodeIx) {
    let request = w
        .guest(index)
        .request()
        .expect("internal: a request is in flight");
    let filters = w.node(node).filters.clone().into_iter();
    for filter in filters.skip_while(|&filter| filter != failed) {
        mark_users(w, filter, request.range());
    }
}

/// The request ends.
fn ends(w: &mut World, index: GuestIx) {
    let Stage::Landed {
        node,
        result,
        reached,
    } = w.guest(index).stage
    else {
        panic!("internal: the I/O is still in flight");
    };
    let request = w
        .guest(index)
        .request()
        .expect("internal: a request is in flight");
    if reached {
        (w.rules().record_write)(w, index, node);
    }
    w.node_mut(node).requests -= 1;
    if request.changes_data() {
        property::bitmap::write_ended(w, node, &request.range(), reached);
    }
    let guest = w.guest_mut(index);
    guest.stage = Stage::Idle;
    guest.last = Some(result);
}

/// Bitmaps that a user put on a filter (by the drive's name) record too; the filter's own two are disabled.
fn mark_users(w: &mut World, filter: NodeIx, range: Range<u64>) {
    if w.node(filter).bitmaps().any(|bitmap| bitmap.name.is_some()) {
        w.mark_dirty(filter, range);
    }
}

// ---- qemu-io by the human monitor

/// The guest slot in which the human monitor's `qemu-io` runs.
pub const QEMU_IO: GuestIx = 0;

/// Begins `qemu-io DRIVE "…"`; the command waits for the request in a nested event loop.
///
/// # Errors
/// What is printed: no such drive; a read-only node; one below a running backup's filter, which nobody else may write.
pub(crate) fn qemu_io(w: &mut World, drive: &Name, request: Request) -> Result<Frame, String> {
    let Some(node) = w.find_node(drive) else {
        return Err(format!(
            "Error: Cannot find device='' nor node-name='{drive}'"
        ));
    };
    let entry = w.node(node);
    let writes = request.changes_data() || matches!(request, Request::Discard { .. });
    if writes && entry.read_only {
        return Err("Block node is read-only".into());
    }
    if let Some(&above) = entry.filters.first().filter(|_| writes) {
        let (name, above) = (&entry.name, &w.node(above).name);
        return Err(format!(
            "Permission conflict on node '{name}': permissions 'write' are both required by an unnamed block device \
             (uses node '{name}' as 'root' child) and unshared by node '{above}' (uses node '{name}' as 'file' child)."
        ));
    }
    let guest = w.guest_mut(QEMU_IO);
    guest.drive = drive.clone();
    guest.requests = Arc::new(vec![request]);
    guest.begun = 0;
    begin(w, QEMU_IO);
    Ok(Frame::QemuIo { guest: QEMU_IO })
}

/// The request of `qemu-io` is done (or not yet): what the human monitor prints.
pub(crate) fn qemu_io_done(w: &mut World, index: GuestIx) -> Flow {
    let guest = w.guest(index);
    if !guest.is_idle() {
        return Flow::Wait(crate::main_loop::Wait::Request(index));
    }
    let request = guest.requests[0];
    let result = guest.last.expect("internal: the request has ended");
    let guest = w.guest_mut(index);
    *guest = Guest::qemu_io();
    let reply = Reply::Printed(printed(request, result));
    Flow::Instead(Frame::Command(Box::new(reply)))
}

fn printed(request: Request, result: Result<(), Errno>) -> Vec<Arc<str>> {
    let range = request.range();
    let (len, offset) = (range.end - range.start, range.start);
    let line = match (request, result) {
        (Request::Flush, Ok(())) => return Vec::new(),
        (Request::Flush, Err(errno)) => format!("flush failed: {}", errno.text()),
        (Request::Read { .. }, Ok(())) => format!("read {len}/{len} bytes at offset {offset}"),
        (Request::Read { .. }, Err(errno)) => format!("read failed: {}", errno.text()),
        (Request::Discard { .. }, Ok(())) => {
            format!("discard {len}/{len} bytes at offset {offset}")
        }
        (Request::Discard { .. }, Err(errno)) => format!("discard failed: {}", errno.text()),
        (_, Ok(())) => format!("wrote {len}/{len} bytes at offset {offset}"),
        (_, Err(errno)) => format!("write failed: {}", errno.text()),
    };
    vec![line.into()]
}
