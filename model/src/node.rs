//! Block nodes: an opened image with its bitmaps, or a backup's filter above one; finding them; draining them.
//!
//! QEMU: `block.c` (graph), `block/io.c` (drained sections). What one node's lock protects is one part of the
//! world: its list of bitmaps, its blkdebug layer, whether it is drained, how many requests it has in flight.

use std::ops::Range;

use crate::bitmap::{Bitmap, Hold};
use crate::defect;
use crate::error::QmpError;
use crate::fault::{Blkdebug, Fault, IoType};
use crate::guest::Request;
use crate::image::{Allocation, Format};
use crate::main_loop::{Drain, Reach};
use crate::name::{self, Name};
use crate::property::bitmap::NodeGhost;
use crate::stored;
use crate::world::{ContextIx, FileIx, JobIx, NodeIx, World};

/// The longest name of a node, in bytes: `BlockDriverState.node_name`, less its end.
const NODE_NAME_MAX: usize = 31;

/// A set of nodes: one bit each.
pub type NodeSet = u64;

/// The top image of a chain, in a set of its images: [`Node::surveyed`].
pub(crate) const TOP: u64 = 1;

/// An image of a chain by its place, in a set of its images.
fn layer(depth: usize) -> u64 {
    TOP << depth.min(63)
}

/// Every node there is and will be while the set is in force.
pub const ALL_NODES: NodeSet = u64::MAX;

/// One entry in a node's list of bitmaps, newest first, as queries show it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Listed {
    /// A bitmap of the user's (with its successor inside, while it has one).
    Bitmap(Bitmap),
    /// Here the successor of the bitmap of that name is listed.
    Successor(Name),
    /// Here block-copy's own bitmap of that job is listed.
    Copy(JobIx),
}

/// What a node is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NodeKind {
    /// An opened image: its file and the files of its backing chain, top first.
    Image {
        /// The chain.
        chain: Vec<FileIx>,
        /// The name of the top file.
        file: Name,
    },
    /// A backup's copy-before-write filter.
    Filter {
        /// The image node that is backed up.
        source: NodeIx,
        /// The job that inserted it.
        job: JobIx,
    },
}

/// Which command opened a node: only its opener may close it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Opener {
    /// `-drive` on the command line.
    Drive,
    /// `blockdev-add`.
    BlockdevAdd,
    /// `drive-backup`: the job closes its target.
    Job,
}

/// How an image file is to be opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Access {
    /// Nobody may write it through the node.
    pub read_only: bool,
    /// Its driver; the one that fits if absent.
    pub format: Option<Format>,
    /// This node is below it, whatever its header says: `drive-backup` with sync=none.
    pub over: Option<NodeIx>,
}

/// A block node.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    /// The node name; `#blockN` if QEMU chose it.
    pub name: Name,
    /// The drive (BlockBackend) that was attached to it, if any.
    pub drive: Option<Name>,
    /// Who opened it.
    pub opener: Opener,
    /// Nobody may write it.
    pub read_only: bool,
    /// The node that is below it, where that is no file of its own: the source of a `drive-backup` with sync=none.
    pub over: Option<NodeIx>,
    /// A guest's device uses it, and lets nobody else write it.
    pub has_device: bool,
    /// What it is.
    pub kind: NodeKind,
    /// Its bitmaps, newest first.
    pub listed: Vec<Listed>,
    /// The filters inserted above it, lowest first.
    pub filters: Vec<NodeIx>,
    /// Its fault injection layer.
    pub blkdebug: Option<Blkdebug>,
    /// Written since its last completed flush.
    pub written: bool,
    /// The images of its chain, by place, whose tables are in memory: what they hold is known without an I/O.
    pub surveyed: u64,
    /// Something was written to it as a target: the table of clusters of its top image is in memory.
    pub mapped: bool,
    /// A write under blkdebug has allocated: the reference counts of its top image are in memory.
    pub counted: bool,
    /// How many drained sections hold it.
    pub quiesced: u8,
    /// Guest requests in flight on it.
    pub requests: u8,
    /// The job whose target it is (it is op-blocked then).
    pub target_of: Option<JobIx>,
    /// The event loop it lives in: `None` is the main loop.
    pub context: Option<ContextIx>,
    /// What [`crate::property`] remembers of it; no rule reads it.
    pub ghost: NodeGhost,
}

impl Node {
    /// The bitmap of that name.
    pub fn bitmap(&self, name: &str) -> Option<&Bitmap> {
        self.bitmaps()
            .find(|bitmap| bitmap.name.as_deref() == Some(name))
    }

    pub(crate) fn bitmap_mut(&mut self, name: &str) -> Option<&mut Bitmap> {
        self.listed.iter_mut().find_map(|listed| match listed {
            Listed::Bitmap(bitmap) if bitmap.name.as_deref() == Some(name) => Some(bitmap),
            _ => None,
        })
    }

    /// Its bitmaps (not the internal ones of running jobs), newest first.
    pub fn bitmaps(&self) -> impl Iterator<Item = &Bitmap> {
        self.listed.iter().filter_map(|listed| match listed {
            Listed::Bitmap(bitmap) => Some(bitmap),
            _ => None,
        })
    }

    /// As [`Node::bitmaps`], to change them.
    pub(crate) fn bitmaps_mut(&mut self) -> impl Iterator<Item = &mut Bitmap> {
        self.listed.iter_mut().filter_map(|listed| match listed {
            Listed::Bitmap(bitmap) => Some(bitmap),
            _ => None,
        })
    }

    /// The chain of files, top first.
    ///
    /// # Panics
    /// On a filter: it has no file of its own.
    pub fn chain(&self) -> &[FileIx] {
        match &self.kind {
            NodeKind::Image { chain, .. } => chain,
            NodeKind::Filter { .. } => panic!("internal: a filter has no file"),
        }
    }
}

/// One step of I/O on a node is about to start: what a fault does to it.
pub type Started = Option<Fault>;

impl World {
    // ---- finding

    /// The node a command means: a drive's *top* node, or a node by name.
    ///
    /// # Errors
    /// `Cannot find device='…' nor node-name='…'` (`bdrv_lookup_bs`).
    pub fn lookup(&self, name: &str) -> Result<NodeIx, QmpError> {
        self.find_node(name).ok_or_else(|| {
            QmpError::generic(format!(
                "Cannot find device='{name}' nor node-name='{name}'"
            ))
        })
    }

    /// As [`World::lookup`], without the error.
    pub fn find_node(&self, name: &str) -> Option<NodeIx> {
        self.find_drive(name)
            .map(|node| self.top_of(node))
            .or_else(|| {
                self.node_indices().find(|&index| {
                    self.names_of(index)
                        .is_some_and(|(node, _)| &**node == name)
                })
            })
    }

    /// The node whose bitmaps a command means by that name. In QEMU a drive's name means its top node here too: the
    /// filter, during a backup. A repaired one means the image under it.
    pub(crate) fn find_bitmaps(&self, name: &str) -> Option<NodeIx> {
        let node = self.find_node(name)?;
        if self.dialect.has(&defect::BITMAP_ON_FILTER_VANISHES) {
            Some(node)
        } else {
            Some(self.image_under(node))
        }
    }

    /// The image node a drive is attached to, below any filter.
    pub fn find_drive(&self, drive: &str) -> Option<NodeIx> {
        self.node_indices().find(|&index| {
            let drive_of = self.names_of(index).and_then(|(_, drive)| drive);
            drive_of.is_some_and(|of| &**of == drive)
        })
    }

    /// The highest filter above an image node, or the node itself.
    pub fn top_of(&self, node: NodeIx) -> NodeIx {
        self.node(node).filters.last().copied().unwrap_or(node)
    }

    /// The drive on a node, if the node is the drive's top: `bdrv_get_device_name`.
    pub(crate) fn drive_on(&self, node: NodeIx) -> Option<&Name> {
        let image = self.image_under(node);
        let drive = self.node(image).drive.as_ref();
        drive.filter(|_| self.top_of(image) == node)
    }

    /// The name of the drive on a node, or else the node's: `bdrv_get_device_or_node_name`.
    pub(crate) fn device_or_node(&self, node: NodeIx) -> &Name {
        self.drive_on(node).unwrap_or(&self.node(node).name)
    }

    /// The image node at the bottom of a node: itself, or the source under a filter.
    pub fn image_under(&self, node: NodeIx) -> NodeIx {
        match self.node(node).kind {
            NodeKind::Image { .. } => node,
            NodeKind::Filter { source, .. } => source,
        }
    }

    /// A name no node has yet: `bdrv_gen_node_name` (QEMU adds two random digits; ours counts).
    pub(crate) fn generated_node_name(&mut self) -> Name {
        let main = self.main_mut();
        let number = main.next_node_number;
        main.next_node_number += 1;
        format!("#block{number}").into()
    }

    /// May a new node be called so: `bdrv_assign_node_name`.
    ///
    /// # Errors
    /// Malformed, taken by a drive or a node, or longer than 31 bytes.
    pub(crate) fn check_node_name(&self, name: &str) -> Result<(), QmpError> {
        let taken = |index| {
            self.names_of(index)
                .is_some_and(|(node, _)| &**node == name)
        };
        Err(QmpError::generic(if !name::is_well_formed(name) {
            format!("Invalid node-name: '{name}'")
        } else if self.find_drive(name).is_some() {
            format!("node-name={name} is conflicting with a device id")
        } else if self.node_indices().any(taken) {
            format!("Duplicate nodes with node-name='{name}'")
        } else if name.len() > NODE_NAME_MAX {
            "Node name too long".to_owned()
        } else {
            return Ok(());
        }))
    }

    // ---- opening and closing

    /// Opens an image file as a node.
    ///
    /// # Errors
    /// QEMU's text: the file is missing, is of another format, the name is not to be had, or another node of this
    /// process writes the file (or, if this one is to write it, uses it at all).
    pub(crate) fn open_node(
        &mut self,
        file: &Name,
        name: Option<Name>,
        opener: Opener,
        access: Access,
    ) -> Result<NodeIx, QmpError> {
        if file.is_empty() {
            return Err(QmpError::generic(
                "The 'file' block driver requires a file name",
            ));
        }
        self.check_room()?;
        let mut chain = self.chain_of(file).map_err(QmpError::generic)?;
        if let Some(name) = &name {
            self.check_node_name(name)?;
        }
        if access.read_only {
            self.check_unwritten(chain[0])?;
        } else {
            self.check_not_open(file)?;
        }
        let is_qcow2 = self.file(chain[0]).image.format == Format::Qcow2;
        if access.format == Some(Format::Qcow2) && !is_qcow2 {
            return Err(QmpError::generic("Image is not in qcow2 format"));
        }
        match access.over {
            Some(over) => {
                chain.truncate(1);
                chain.extend_from_slice(self.node(over).chain());
            }
            None => self.check_backing(&chain)?,
        }
        let name = match name {
            Some(name) => name,
            None => self.generated_node_name(),
        };
        self.open_chain(&chain);
        let node = self.add_node(Node {
            name,
            drive: None,
            opener,
            read_only: access.read_only,
            over: access.over,
            has_device: false,
            kind: NodeKind::Image {
                chain,
                file: file.clone(),
            },
            listed: Vec::new(),
            filters: Vec::new(),
            blkdebug: None,
            written: false,
            surveyed: 0,
            mapped: false,
            counted: false,
            quiesced: 0,
            requests: 0,
            target_of: None,
            context: None,
            ghost: NodeGhost::default(),
        });
        stored::load(self, node);
        Ok(node)
    }

    /// Refuses to write a file that another node of this process uses, be it as a backing file.
    ///
    /// # Errors
    /// `Failed to get "write" lock`.
    pub(crate) fn check_not_open(&self, file: &Name) -> Result<(), QmpError> {
        let wanted = self.directory().find(file);
        let in_use = self
            .node_indices()
            .any(|index| match &self.node(index).kind {
                NodeKind::Image { chain, .. } => chain.iter().any(|&open| Some(open) == wanted),
                NodeKind::Filter { .. } => false,
            });
        if in_use {
            return Err(QmpError::generic("Failed to get \"write\" lock"));
        }
        Ok(())
    }

    /// Refuses to read a file that another node of this process writes.
    fn check_unwritten(&self, file: FileIx) -> Result<(), QmpError> {
        let written = self.node_indices().any(|index| {
            let node = self.node(index);
            matches!(&node.kind, NodeKind::Image { chain, .. } if chain[0] == file && !node.read_only)
        });
        if written {
            return Err(QmpError::generic("Failed to get shared \"write\" lock"));
        }
        Ok(())
    }

    /// The files below are opened one after the other, each by the one above: `bdrv_open_backing_file`.
    fn check_backing(&self, chain: &[FileIx]) -> Result<(), QmpError> {
        for (depth, &file) in chain.iter().enumerate().skip(1) {
            self.check_unwritten(file).map_err(|error| {
                let opening = "Could not open backing file: ".repeat(depth);
                QmpError::generic(format!("{opening}{}", error.desc))
            })?;
        }
        Ok(())
    }

    /// Closes an image node: its persistent bitmaps are stored, the others are gone; its files are free.
    pub(crate) fn close_node(&mut self, index: NodeIx) {
        stored::store(self, index);
        let chain = self.node(index).chain().to_vec();
        self.remove_node(index);
        self.close_chain(&chain);
    }

    /// The length of the image a node shows, in bytes: `bdrv_getlength`.
    pub fn length(&self, node: NodeIx) -> u64 {
        let image = self.image_under(node);
        self.file(self.node(image).chain()[0]).image.length
    }

    // ---- I/O on an image node: what happens before the data moves (nothing, for a request of no bytes)

    /// A read starts: `qcow2_co_preadv_part` announces each part of it that is of one kind, the blkdebug layer may hit
    /// it. The parts are read together: the first failure counts, and those that are read already are waited for.
    pub(crate) fn read_starts(&mut self, node: NodeIx, range: &Range<u64>) -> Started {
        let mut failed: Started = None;
        let mut in_flight = false;
        for (part, allocation) in self.pieces(node, range) {
            let image = &self.file(self.node(node).chain()[0]).image;
            let fault = match (image.format, allocation) {
                (Format::Raw, _) | (Format::Qcow2, Allocation::Data) => {
                    self.announce(node, "read_aio");
                    self.hit(node, IoType::Read, &part)
                }
                (Format::Qcow2, Allocation::Unallocated) if image.backing.is_some() => {
                    self.announce(node, "read_backing_aio");
                    None
                }
                (Format::Qcow2, _) => continue,
            };
            let at_once = fault.is_some_and(|fault| fault.immediately);
            failed = failed.or(fault.map(|fault| Fault {
                immediately: at_once && !in_flight,
                ..fault
            }));
            if at_once {
                break;
            }
            in_flight = true;
        }
        failed
    }

    /// The parts of a request that are of one kind in the top image, if it has a blkdebug layer: who else would care?
    fn pieces(&self, node: NodeIx, range: &Range<u64>) -> Vec<(Range<u64>, Allocation)> {
        let mut parts = Vec::new();
        if self.node(node).blkdebug.is_none() {
            return parts;
        }
        let image = &self.file(self.node(node).chain()[0]).image;
        let mut at = range.start;
        while at < range.end.min(image.length) {
            let (allocation, end) = image.allocation(at, range.end);
            let end = if image.format == Format::Raw {
                range.end
            } else {
                end
            };
            parts.push((at..end, allocation));
            at = end;
        }
        parts
    }

    /// A write starts: `qcow2_co_pwritev_part`, then the generic write on the blkdebug node.
    pub(crate) fn write_starts(&mut self, node: NodeIx, range: &Range<u64>) -> Started {
        // Rules never come and go: looking whether there are any is no more than an addition.
        self.node_add(node)
            .blkdebug
            .as_ref()
            .filter(|_| !range.is_empty())?;
        let image = &self.file(self.node(node).chain()[0]).image;
        let first = range.start..range.start + 1;
        if image.format == Format::Qcow2 && image.allocates(first) {
            self.announce(node, "cluster_alloc");
            let fault = self.counts_are_read(node);
            if fault.is_some() {
                return fault;
            }
        }
        self.announce(node, "write_aio");
        self.announce(node, "pwritev");
        self.hit(node, IoType::Write, range)
    }

    /// The first write that allocates reads the reference counts of its file, and fails if that does:
    /// `qcow2_get_refcount`, which announces nothing that a rule waits for, but an armed rule hits it.
    fn counts_are_read(&mut self, node: NodeIx) -> Started {
        if self.node(node).counted {
            return None;
        }
        let fault = self.hit(node, IoType::Read, &(0..0));
        if fault.is_none() {
            self.node_mut(node).counted = true;
        }
        fault
    }

    /// Zeroes are about to be written: metadata only for whole clusters of a qcow2, and for parts of those that hold
    /// nothing else; a real write otherwise. QEMU: `qcow2_co_pwrite_zeroes`.
    pub(crate) fn zero_starts(&mut self, node: NodeIx, range: &Range<u64>) -> Started {
        self.node_add(node)
            .blkdebug
            .as_ref()
            .filter(|_| !range.is_empty())?;
        let image = &self.file(self.node(node).chain()[0]).image;
        if image.format == Format::Raw {
            self.announce(node, "pwritev_zero");
            return self.hit(node, IoType::WriteZeroes, range);
        }
        let whole = |at: u64| at.is_multiple_of(image.cluster_size) || at == image.length;
        let is_zero_around = |at: u64| {
            let start = at - at % image.cluster_size;
            let end = (start + image.cluster_size).min(image.length);
            match image.allocation(start, end) {
                (Allocation::Zero, _) => true,
                (Allocation::Unallocated, _) => image.backing.is_none(),
                (Allocation::Data, _) => false,
            }
        };
        if [range.start, range.end]
            .iter()
            .all(|&at| whole(at) || is_zero_around(at))
        {
            return None;
        }
        self.write_starts(node, range)
    }

    /// Does writing those zeroes take no I/O: does a qcow2 only note them in its table of clusters, which is in memory? One
    /// table of the image, where one is enough for all of it, is read or made by the first write.
    pub(crate) fn zeroes_at_once(&self, node: NodeIx, range: &Range<u64>) -> bool {
        let entry = self.node(node);
        if !entry.mapped && entry.surveyed & TOP == 0 {
            return false;
        }
        let image = &self.file(entry.chain()[0]).image;
        let whole = |at: u64| at.is_multiple_of(image.cluster_size) || at == image.length;
        image.format == Format::Qcow2
            && image.length <= image.table_covers()
            && whole(range.start)
            && whole(range.end)
    }

    /// A copy task wrote to the node. (Setting a flag commutes with setting it.)
    pub(crate) fn note_mapped(&mut self, node: NodeIx) {
        self.node_add(node).mapped = true;
    }

    /// Does it take an I/O to know what a node holds at a byte? The first time an image is asked: a qcow2 file reads its
    /// reference counts (`qcow2_detect_metadata_preallocation`) and its table of clusters (`qcow2_get_host_offset`).
    /// A file that does not know its size on disk, which is one under blkdebug, leaves the counts alone.
    pub(crate) fn must_survey(&self, node: NodeIx, at: u64) -> bool {
        let entry = self.node(node);
        let reads = |depth: usize| {
            let image = &self.file(entry.chain()[depth]).image;
            let counts = depth > 0 || entry.blkdebug.is_none();
            image.format == Format::Qcow2 && (counts || image.has_clusters())
        };
        self.asked(node, at)
            .any(|depth| entry.surveyed & layer(depth) == 0 && reads(depth))
    }

    /// The images that are asked what a node holds at a byte, by their place in its chain: down to the first that knows.
    fn asked(&self, node: NodeIx, at: u64) -> Range<usize> {
        let mut asked = 0;
        for &file in self.node(node).chain() {
            let image = &self.file(file).image;
            if at >= image.length {
                break;
            }
            asked += 1;
            if image.allocation(at, at + 1).0 != Allocation::Unallocated {
                break;
            }
        }
        0..asked
    }

    /// The status of the byte has been asked for.
    pub(crate) fn note_surveyed(&mut self, node: NodeIx, at: u64) {
        let asked = self
            .asked(node, at)
            .map(layer)
            .fold(0, |all, one| all | one);
        self.note_tables(node, asked);
    }

    /// The tables of those images of the chain are in memory.
    pub(crate) fn note_tables(&mut self, node: NodeIx, images: u64) {
        if images & !self.node(node).surveyed != 0 {
            self.node_mut(node).surveyed |= images;
        }
    }

    /// A guest's request reaches the top image, which reads the table of clusters for it, and the reference counts if
    /// something is to be allocated. See [`World::must_survey`].
    pub(crate) fn note_looked_up(&mut self, node: NodeIx, request: &Request) {
        let entry = self.node(node);
        let image = &self.file(entry.chain()[0]).image;
        let range = request.range();
        let allocates = match request {
            Request::Write { .. } => image.allocates(range),
            Request::WriteZeroes { .. } => !image.has_clusters(),
            _ => false,
        };
        if allocates || entry.blkdebug.is_some() {
            self.note_tables(node, TOP);
        }
    }

    /// A flush starts: `bdrv_co_flush`. Only a node written since its last flush reaches the disk.
    pub(crate) fn flush_starts(&mut self, node: NodeIx) -> Started {
        self.node(node).blkdebug.as_ref()?;
        self.announce(node, "flush_to_os");
        if !self.node(node).written {
            return None;
        }
        self.announce(node, "flush_to_disk");
        self.hit(node, IoType::Flush, &(0..u64::MAX))
    }

    /// Something was written: the next flush has work to do. (Setting a flag commutes with setting it.)
    pub(crate) fn mark_written(&mut self, node: NodeIx) {
        let entry = self.node_add(node);
        entry.written = true;
        if entry.blkdebug.is_some() {
            self.announce(node, "pwritev_done");
        }
    }

    fn announce(&mut self, node: NodeIx, event: &str) {
        // An event that no rule waits for changes nothing: looking is enough.
        if self
            .node(node)
            .blkdebug
            .as_ref()
            .is_some_and(|layer| !layer.is_deaf_to(event))
        {
            let layer = self.node_mut(node).blkdebug.as_mut();
            layer.expect("internal: just seen").announce(event);
        }
    }

    fn hit(&mut self, node: NodeIx, io: IoType, range: &Range<u64>) -> Option<Fault> {
        if self.node(node).blkdebug.as_ref()?.is_disarmed() {
            return None;
        }
        self.node_mut(node).blkdebug.as_mut()?.hit(io, range)
    }

    /// A guest write ended (well or not): every enabled bitmap of the node records it.
    /// QEMU: `bdrv_set_dirty`, under the node's bitmap mutex, one step for all bitmaps.
    pub(crate) fn mark_dirty(&mut self, node: NodeIx, range: Range<u64>) {
        if range.is_empty() || self.node(node).bitmaps().next().is_none() {
            return;
        }
        for listed in &mut self.node_mut(node).listed {
            if let Listed::Bitmap(bitmap) = listed {
                bitmap.mark(range.clone());
            }
        }
    }

    /// The sync bitmap gets a successor, listed as the newest: `bdrv_dirty_bitmap_create_successor`.
    pub(crate) fn freeze_bitmap(&mut self, node: NodeIx, name: &Name) -> Result<(), QmpError> {
        let node = self.node_mut(node);
        node.bitmap_mut(name)
            .expect("internal: looked up before")
            .create_successor()?;
        node.listed.insert(0, Listed::Successor(name.clone()));
        Ok(())
    }

    /// The successor takes the name over; it stays where it is in the list: `bdrv_dirty_bitmap_abdicate`.
    pub(crate) fn abdicate_bitmap(&mut self, node: NodeIx, name: &Name) {
        let node = self.node_mut(node);
        let at = |node: &Node, wanted: &dyn Fn(&Listed) -> bool| {
            node.listed
                .iter()
                .position(wanted)
                .expect("internal: a frozen bitmap is listed twice")
        };
        let parent = at(
            node,
            &|listed| matches!(listed, Listed::Bitmap(bitmap) if bitmap.name.as_deref() == Some(&**name)),
        );
        let Listed::Bitmap(mut bitmap) = node.listed.remove(parent) else {
            unreachable!("just matched");
        };
        bitmap.abdicate();
        let successor = at(node, &|listed| *listed == Listed::Successor(name.clone()));
        node.listed[successor] = Listed::Bitmap(bitmap);
    }

    /// The successor is folded back: `bdrv_reclaim_dirty_bitmap`.
    pub(crate) fn reclaim_bitmap(&mut self, node: NodeIx, name: &Name) {
        let node = self.node_mut(node);
        node.listed
            .retain(|listed| *listed != Listed::Successor(name.clone()));
        node.bitmap_mut(name)
            .expect("internal: a busy bitmap cannot be removed")
            .reclaim();
    }

    // ---- drained sections

    /// Begins a drained section over `nodes`: guests stop submitting there, jobs there are asked to pause.
    /// The caller then waits until [`World::is_quiet`]. QEMU: `bdrv_drained_begin`.
    pub(crate) fn drain_begin(&mut self, nodes: NodeSet) -> u32 {
        for index in self.node_indices().collect::<Vec<_>>() {
            if nodes & (1 << index) != 0 {
                self.node_mut(index).quiesced += 1;
            }
        }
        let mut jobs: Vec<JobIx> = self.jobs_on(nodes);
        if nodes == ALL_NODES {
            jobs.sort_by_key(|&job| self.first_drained(job));
        }
        let main = self.main_mut();
        let id = main.next_drain;
        main.next_drain += 1;
        main.drains.push(Drain {
            id,
            nodes,
            jobs: jobs.clone(),
        });
        self.reach(Reach::Pause, &jobs);
        id
    }

    /// Ends a drained section: jobs whose last reason to pause this was go on.
    /// QEMU: `bdrv_drained_end`.
    pub(crate) fn drain_end(&mut self, id: u32) {
        let main = self.main_mut();
        let at = main
            .drains
            .iter()
            .position(|drain| drain.id == id)
            .expect("internal: no such drain");
        let drain = main.drains.remove(at);
        if main.drains.is_empty() {
            main.next_drain = 0;
        }
        for index in self.node_indices().collect::<Vec<_>>() {
            if drain.nodes & (1 << index) != 0 && self.node(index).quiesced > 0 {
                (self.rules().let_go)(self, index);
            }
        }
        let mut jobs = drain.jobs;
        if drain.nodes == ALL_NODES {
            self.sort_by_last_let_go(&mut jobs);
        }
        self.reach(Reach::Resume, &jobs);
    }

    /// A drained section that begins or ends reaches its jobs one after the other. A job of an iothread may answer before
    /// the next one is reached, so those behind it are left to [`World::reach_rest`].
    fn reach(&mut self, what: Reach, jobs: &[JobIx]) {
        for (place, &job) in jobs.iter().enumerate() {
            match what {
                Reach::Pause => (self.rules().pause)(self, job),
                Reach::Resume => (self.rules().resume)(self, job),
            }
            let rest = &jobs[place + 1..];
            let elsewhere = self.try_job(job).is_some_and(|job| job.context.is_some());
            if elsewhere && !rest.is_empty() {
                self.main_mut().to_reach = Some((what, rest.to_vec()));
                return;
            }
        }
    }

    /// The main thread goes on with the jobs of a drained section that it had not reached.
    pub(crate) fn reach_rest(&mut self) {
        if let Some((what, jobs)) = self.main_mut().to_reach.take() {
            self.reach(what, &jobs);
        }
    }

    /// When a drained section over all nodes, which goes from one to the next as they were made, first reaches
    /// a job: through the filter from its source, or, where filters pass nothing on, only by its target.
    fn first_drained(&self, job: JobIx) -> Option<usize> {
        let backup = &self.job(job).backup;
        let node = if self.dialect.drain_all_skips_filters {
            backup.target
        } else {
            backup.source
        };
        self.main().nodes.iter().position(|&other| other == node)
    }

    /// The order in which jobs go on after a drained section over all nodes: the last node that lets a job go is its
    /// filter, or, where filters pass that on, the newest filter of its source, which lets the newest job go first.
    fn sort_by_last_let_go(&self, jobs: &mut [JobIx]) {
        let newest_first = &self.main().jobs;
        let age = |job: JobIx| newest_first.iter().position(|&other| other == job);
        jobs.sort_by_key(|&job| age(job));
        if self.dialect.drain_all_skips_filters {
            jobs.reverse();
            return;
        }
        let source = |job: JobIx| self.job(job).backup.source;
        let newest = |job: JobIx| {
            newest_first
                .iter()
                .position(|&other| source(other) == source(job))
        };
        jobs.sort_by_key(|&job| std::cmp::Reverse(newest(job)));
    }

    /// What a drained section over one node holds: the node, the filters above it and so the guest, but no filter below
    /// it. QEMU: `bdrv_parent_drained_begin`, which goes from a node to its parents.
    pub(crate) fn drained_with(&self, node: NodeIx) -> NodeSet {
        let image = self.image_under(node);
        let filters = &self.node(image).filters;
        let above = match filters.iter().position(|&filter| filter == node) {
            Some(at) => &filters[at..],
            None => filters,
        };
        above
            .iter()
            .fold(1 << image | 1 << node, |set, &filter| set | 1 << filter)
    }

    /// A node is held by one drained section less; held by none, guests submit there again.
    /// QEMU: `bdrv_parent_drained_end_single`.
    pub(crate) fn let_go(&mut self, node: NodeIx) {
        self.node_mut(node).quiesced -= 1;
    }

    /// The drained sections that a new node or job on `node` falls into.
    pub(crate) fn drains_over(&self, node: NodeIx) -> u8 {
        self.main()
            .drains
            .iter()
            .filter(|drain| drain.nodes & (1 << node) != 0)
            .count() as u8
    }

    /// Nothing runs on those nodes: `bdrv_drain_poll`.
    pub(crate) fn is_quiet(&self, nodes: NodeSet) -> bool {
        self.node_indices()
            .all(|index| nodes & (1 << index) == 0 || self.node(index).requests == 0)
            && self.jobs_on(nodes).into_iter().all(|index| {
                let job = self.job(index);
                !job.busy || job.status.is_completed()
            })
    }

    /// The jobs that use any of those nodes, newest first.
    pub(crate) fn jobs_on(&self, nodes: NodeSet) -> Vec<JobIx> {
        if self.main().jobs.is_empty() {
            return Vec::new();
        }
        let jobs = self.main().jobs.iter().copied();
        jobs.filter(|&index| self.job(index).nodes & nodes != 0)
            .collect()
    }

    /// The bitmap a busy mark is on, for a command that removes it in a transaction.
    pub(crate) fn set_hold(&mut self, node: NodeIx, name: &str, hold: Hold) {
        self.node_mut(node)
            .bitmap_mut(name)
            .expect("internal: looked up before")
            .hold = hold;
    }
}
