//! Image files: what they hold, what they show through from a backing file, how they compare.
//!
//! QEMU: `block/qcow2.c` and `block/raw-format.c` as far as contents go, `qemu-img` for the rest.
//! Contents are runs, so an image costs what was written to it and not what it could hold. A
//! *chain* is a slice of images, top first, each the backing file of the one before; to find the
//! images by their names is for others, and so are requests, faults and who may write.
//!
//! Where the clusters lie in the file is for [`crate::places`] and only as exact as that.
//!
//! Not covered: compression, subclusters, snapshots, qcow2 before version 3. A qcow2 that is shrunk to
//! within a cluster and grown again reads zeros here; from QEMU's the cluster's old bytes come back.
//! A new raw file is one hole here; `qemu-img create` allocates its first block.

use std::fmt;
use std::str::FromStr;

use crate::name::Name;
use crate::places::Places;
use crate::runs::{Range, Runs};
use crate::stored::StoredBitmap;

/// Images are made in whole sectors, and `qemu-img compare` names a difference by its sector.
const SECTOR: u64 = 512;

/// One image file.
///
/// QEMU: a `BlockDriverState` of a format driver, without its options and users.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Image {
    /// What the file's format can do.
    pub format: Format,
    /// Bytes that a guest sees.
    pub length: u64,
    /// Bytes that are allocated at once: a power of two, 1 for raw.
    pub cluster_size: u64,
    /// The backing file that the header names.
    pub backing: Option<Name>,
    /// By byte, none past `length`. All bytes of a cluster are data, or all are zero, or none has
    /// a cell. A raw image has no zero cells: its holes are zeros already.
    cells: Runs<Cell>,
    /// Where those of its clusters lie in the file that guests and tools wrote. A raw image has none.
    places: Places,
    /// The bitmaps stored in the file, in its order. A raw image has none.
    pub bitmaps: Vec<StoredBitmap>,
}

/// Image formats; displays and parses as QEMU's name of it.
///
/// QEMU: `BlockDriver.format_name`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Clusters, backing files, stored bitmaps.
    Qcow2,
    /// The bytes themselves.
    Raw,
}

/// What an image itself says of a byte; no cell means unallocated.
///
/// QEMU: `QCow2ClusterType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cell {
    /// Reads as zeros whatever the backing file has: `QCOW2_CLUSTER_ZERO_PLAIN` or `_ALLOC`.
    Zero,
    /// Allocated with these contents: `QCOW2_CLUSTER_NORMAL`.
    Data(Fill),
}

/// The contents of a byte: up to 255 the byte's value; from 256 on the number of a guest write,
/// whose bytes equal those of no other write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fill(pub u32);

impl Fill {
    /// What is read where nothing was written.
    pub const ZERO: Fill = Fill(0);
}

/// What a whole chain says of some bytes.
///
/// QEMU: the `BDRV_BLOCK_*` bits of a block status, without those about the place in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// They must be read, though they may be zeros.
    Data,
    /// They are zeros.
    Zero,
}

/// The answer of [`status`]: what is there, and up to where this answer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Extent {
    /// The first byte (from the image's begin) of which this says nothing.
    pub end: u64,
    /// What is there.
    pub kind: Kind,
}

/// What one image of a chain says of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Allocation {
    /// Allocated, to be read (`BDRV_BLOCK_DATA`).
    Data,
    /// Allocated, zeros (`BDRV_BLOCK_ZERO`); what is not data of a raw image, too.
    Zero,
    /// The backing file decides.
    Unallocated,
}

/// The result of [`compare`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// A guest could not tell them apart (but perhaps by their lengths).
    Identical,
    /// They differ.
    Different {
        /// The byte where the first sector begins that differs: what `qemu-img compare` prints.
        offset: u64,
    },
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Qcow2 => "qcow2",
            Format::Raw => "raw",
        })
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Format, String> {
        match name {
            "qcow2" => Ok(Format::Qcow2),
            "raw" => Ok(Format::Raw),
            _ => Err(format!("Unknown file format '{name}'")),
        }
    }
}

impl Image {
    /// A new image of at least `length` bytes: like QEMU it is rounded up to whole sectors of 512.
    ///
    /// The errors are QEMU's, without the file's name before them.
    ///
    /// QEMU: `bdrv_img_create`, `qcow2_co_create`.
    pub fn create(
        format: Format,
        length: u64,
        cluster_size: Option<u64>,
        backing: Option<Name>,
    ) -> Result<Image, String> {
        let cluster_size = match (format, cluster_size) {
            (Format::Raw, Some(_)) => return Err("Invalid parameter 'cluster_size'".into()),
            (Format::Raw, None) => 1,
            (Format::Qcow2, bytes) => bytes.unwrap_or(65536),
        };
        if format == Format::Raw && backing.is_some() {
            return Err("Backing file not supported for file format 'raw'".into());
        }
        let possible = cluster_size.is_power_of_two() && (512..=2 << 20).contains(&cluster_size);
        if format == Format::Qcow2 && !possible {
            return Err("Cluster size must be a power of two between 512 and 2048k".into());
        }
        Ok(Image {
            format,
            length: length.next_multiple_of(SECTOR),
            cluster_size,
            backing,
            cells: Runs::new(),
            places: Places::new(),
            bitmaps: Vec::new(),
        })
    }

    /// Bytes per cluster, if the format has clusters.
    ///
    /// QEMU: `bdrv_get_info`, which has none to report for raw.
    pub fn reported_cluster_size(&self) -> Option<u64> {
        (self.format == Format::Qcow2).then_some(self.cluster_size)
    }

    /// What this image itself holds, by byte.
    pub fn cells(&self) -> &Runs<Cell> {
        &self.cells
    }

    /// What this image alone says of the byte at `at`, and the byte up to which it says the same
    /// of bytes that follow each other in the file, too (at most `limit` and the image's end).
    ///
    /// QEMU: `bdrv_is_allocated`, `bdrv_co_block_status` of one node.
    pub fn allocation(&self, at: u64, limit: u64) -> (Allocation, u64) {
        let limit = limit.min(self.length);
        assert!(at < limit, "internal bug: the allocation of no bytes");
        let mut pieces =
            (self.cells.over(at..limit)).map(|(piece, cell)| (self.says(cell), piece.end));
        let (allocation, end) = pieces.next().expect("the range is not empty");
        let same = pieces.take_while(|(other, _)| *other == allocation);
        let end = same.last().map_or(end, |(_, end)| end);
        (allocation, self.together(at, end, allocation))
    }

    /// Up to where bytes of one kind follow each other in the file; to be zero with a place is another kind.
    fn together(&self, at: u64, end: u64, allocation: Allocation) -> u64 {
        let clusters = self.clusters(&(at..end));
        let mut last = self.places.together(clusters.clone());
        if allocation == Allocation::Zero {
            last = last.min(self.places.alike(clusters));
        }
        end.min(last.saturating_mul(self.cluster_size))
    }

    /// The numbers of the clusters that a range touches.
    fn clusters(&self, range: &Range) -> Range {
        range.start / self.cluster_size..range.end.div_ceil(self.cluster_size)
    }

    /// Must a write of those bytes allocate a cluster? Not for zeros that have kept their place.
    ///
    /// QEMU: `cluster_needs_new_alloc`.
    pub fn allocates(&self, range: Range) -> bool {
        let end = range.end.min(self.length);
        (self.cells.over(range.start..end)).any(|(piece, cell)| {
            let clusters = self.clusters(&piece);
            let placed = || {
                self.places.has(clusters.start)
                    && self.places.alike(clusters.clone()) == clusters.end
            };
            !matches!(cell, Some(Cell::Data(_))) && !placed()
        })
    }

    /// The range was written by somebody whose order is followed, a guest or a tool: what is data by now and has no
    /// place in the file gets one.
    pub fn place(&mut self, range: &Range) {
        self.each_unplaced(range, Places::give);
    }

    /// The image is opened: what is data and has no place, because copy tasks wrote it, is as good as in order.
    pub fn place_the_rest(&mut self) {
        self.each_unplaced(&(0..self.length), Places::adopt);
    }

    fn each_unplaced(&mut self, range: &Range, place: fn(&mut Places, Range)) {
        if self.format == Format::Raw || range.is_empty() {
            return;
        }
        let Range { start: mut at, end } = self.clusters(range);
        while at < end {
            let alike = self.places.alike(at..end);
            if self.places.has(at) {
                at = alike;
                continue;
            }
            let size = self.cluster_size;
            let (cell, same) = self.cells.extent(at * size, alike * size);
            let same = same.div_ceil(size);
            if let Some(Cell::Data(_)) = cell {
                place(&mut self.places, at..same);
            }
            at = same;
        }
    }

    /// Bitmaps are stored in the file, behind what is there.
    pub fn store_bitmaps(&mut self) -> &mut Vec<StoredBitmap> {
        self.places.put_other();
        &mut self.bitmaps
    }

    /// Has it any cluster of its own, and so a table that says where they lie?
    pub fn has_clusters(&self) -> bool {
        !self.cells.is_empty()
    }

    /// How many bytes one table of clusters of a qcow2 image is for: it is a cluster of entries of 8 bytes (an *L2 table*).
    pub fn table_covers(&self) -> u64 {
        self.cluster_size.saturating_mul(self.cluster_size / 8)
    }

    fn says(&self, cell: Option<Cell>) -> Allocation {
        match cell {
            Some(Cell::Data(_)) => Allocation::Data,
            Some(Cell::Zero) => Allocation::Zero,
            None if self.format == Format::Raw => Allocation::Zero,
            None => Allocation::Unallocated,
        }
    }

    /// Writes `contents` (by this image's bytes; gaps are left alone). The rest of a cluster that
    /// becomes data is copied from the images below.
    ///
    /// QEMU: `qcow2_co_pwritev_part`, `perform_cow`; `raw_co_pwritev`.
    pub fn write(&mut self, below: &[&Image], contents: &Runs<Fill>) {
        let mut span = 0..0;
        for (range, _) in contents.iter() {
            if range.start == span.end {
                span.end = range.end;
            } else {
                self.copy_on_write(below, &span);
                span = range;
            }
        }
        self.copy_on_write(below, &span);
        for (range, fill) in contents.iter() {
            self.cells.set(range, Cell::Data(fill));
        }
    }

    /// Fills what surrounds a write in its first and last cluster, where these are not data yet.
    fn copy_on_write(&mut self, below: &[&Image], span: &Range) {
        self.assert_inside(span);
        let head = self.cluster_start(span.start)..span.start;
        let tail = span.end..self.cluster_end(span.end);
        // Both are read before either is written: they may lie in one cluster.
        let [head, tail] = [head, tail].map(|edge| self.uncopied(below, edge));
        for (range, fill) in head.iter().chain(tail.iter()) {
            self.cells.set(range, Cell::Data(fill));
        }
    }

    /// What a part of one cluster reads as, or nothing if the cluster is data already.
    fn uncopied(&self, below: &[&Image], edge: Range) -> Runs<Fill> {
        if edge.is_empty() {
            return Runs::new();
        }
        match self.cells.get(self.cluster_start(edge.start)) {
            Some(Cell::Data(_)) => Runs::new(),
            Some(Cell::Zero) => Runs::of(edge, Fill::ZERO),
            None => read(below, edge),
        }
    }

    /// Makes the range read as zeros: whole clusters become zero clusters, and so does a cluster
    /// whose rest is zeros anyway; in other parts of clusters zeros are written as data.
    ///
    /// QEMU: `qcow2_co_pwrite_zeroes`, and where it declines, `bdrv_co_do_pwrite_zeroes`.
    pub fn write_zeroes(&mut self, below: &[&Image], range: Range) {
        self.assert_inside(&range);
        if self.format == Format::Raw {
            return self.cells.clear(range);
        }
        let whole = self.whole_clusters(&range);
        if whole.is_empty() {
            // Inside one cluster, or the last part of one and the first part of the next.
            let middle = self.cluster_end(range.start).min(range.end);
            self.zero_part(below, range.start..middle);
            self.zero_part(below, middle..range.end);
        } else {
            self.zero_part(below, range.start..whole.start);
            self.zero_part(below, whole.end..range.end);
            self.cells.set(whole, Cell::Zero);
        }
    }

    /// Zeros in a part of one cluster, or in none.
    fn zero_part(&mut self, below: &[&Image], part: Range) {
        if part.is_empty() {
            return;
        }
        let cluster = self.cluster_start(part.start)..self.cluster_end(part.end);
        let [before, after] = [cluster.start..part.start, part.end..cluster.end];
        let rest_is_zero = match self.cells.get(cluster.start) {
            Some(Cell::Data(_)) => false,
            Some(Cell::Zero) => true,
            None => is_zero(below, before) && is_zero(below, after),
        };
        if rest_is_zero {
            self.cells.set(cluster, Cell::Zero);
        } else {
            self.write(below, &Runs::of(part, Fill::ZERO));
        }
    }

    /// Gives whole clusters back: they read as zeros afterwards. One that never held anything, with
    /// nothing below, stays unallocated; parts of clusters stay what they are.
    ///
    /// QEMU: `qcow2_co_pdiscard`, `discard_in_l2_slice`; `raw_co_pdiscard`. Whether a discard gets
    /// here at all (`discard=unmap`) is for the node to say.
    pub fn discard(&mut self, below: &[&Image], range: Range) {
        self.assert_inside(&range);
        if self.format == Format::Raw {
            return self.cells.clear(range);
        }
        let whole = self.whole_clusters(&range);
        self.places.free(self.clusters(&whole));
        if !below.is_empty() {
            return self.cells.set(whole, Cell::Zero);
        }
        let pieces = self.cells.over(whole);
        let allocated: Vec<Range> = pieces
            .filter_map(|(piece, cell)| cell.and(Some(piece)))
            .collect();
        for piece in allocated {
            self.cells.set(piece, Cell::Zero);
        }
    }

    /// Changes the length. What a longer image gains reads as zeros: a backing file that goes on
    /// past the old end is hidden by zero clusters up to the new one.
    ///
    /// QEMU: `bdrv_co_truncate`, `qcow2_co_truncate`, `raw_co_truncate`.
    pub fn resize(&mut self, below: &[&Image], length: u64) {
        let old = std::mem::replace(&mut self.length, length);
        if length < old {
            self.places
                .free(self.clusters(&(length.next_multiple_of(self.cluster_size)..old)));
        }
        if length < old || self.format == Format::Raw {
            return self.cells.truncate(length);
        }
        let cut = old..self.cluster_end(old);
        let rest = cut.end..length;
        if below.first().is_some_and(|backing| backing.length > old) {
            self.write(below, &Runs::of(cut, Fill::ZERO));
            self.cells.set(rest, Cell::Zero);
        } else if !cut.is_empty() {
            self.extend_last_cluster(cut);
        }
    }

    /// The image's end was inside a cluster and moves on; the cluster stays what it is.
    fn extend_last_cluster(&mut self, cut: Range) {
        match self.cells.get(self.cluster_start(cut.start)) {
            Some(Cell::Data(_)) => self.cells.set(cut, Cell::Data(Fill::ZERO)),
            Some(Cell::Zero) => self.cells.set(cut, Cell::Zero),
            None => {}
        }
    }

    /// Names another backing file without a look at the contents.
    ///
    /// QEMU: `qemu-img rebase -u`.
    pub fn rebase_unsafe(&mut self, backing: Option<Name>) {
        self.backing = backing;
    }

    /// The first byte of the cluster that `at` is in.
    fn cluster_start(&self, at: u64) -> u64 {
        at & !(self.cluster_size - 1)
    }

    /// `at` rounded up to the end of a cluster, which the image's end may cut.
    fn cluster_end(&self, at: u64) -> u64 {
        self.cluster_start(at + (self.cluster_size - 1))
            .min(self.length)
    }

    /// The bytes of the clusters that lie in the range wholly; there may be none.
    fn whole_clusters(&self, range: &Range) -> Range {
        let at_end = range.end == self.length;
        let end = if at_end {
            range.end
        } else {
            self.cluster_start(range.end)
        };
        self.cluster_end(range.start)..end
    }

    fn assert_inside(&self, range: &Range) {
        assert!(
            range.end <= self.length,
            "internal bug: a request for {range:?} of {} bytes",
            self.length
        );
    }
}

/// What a guest reads: runs that cover the range exactly. Past an image's end there are zeros.
///
/// QEMU: `bdrv_co_preadv` of the top node.
pub fn read(chain: &[&Image], range: Range) -> Runs<Fill> {
    let mut contents = Runs::new();
    read_into(chain, range, &mut contents);
    contents
}

fn read_into(chain: &[&Image], range: Range, contents: &mut Runs<Fill>) {
    let Some((top, below)) = chain.split_first() else {
        return contents.set(range, Fill::ZERO);
    };
    let end = range.end.min(top.length).max(range.start);
    for (piece, cell) in top.cells.over(range.start..end) {
        match cell {
            Some(Cell::Data(fill)) => contents.set(piece, fill),
            Some(Cell::Zero) => contents.set(piece, Fill::ZERO),
            None if top.format == Format::Raw => contents.set(piece, Fill::ZERO),
            None => read_into(below, piece, contents),
        }
    }
    contents.set(end..range.end, Fill::ZERO);
}

/// What the chain says of the byte at `at`, and the byte up to which every image that was asked
/// says the same (at most `limit`). Past the top image's end there are zeros.
///
/// QEMU: `bdrv_block_status_above` without a base. As there, two extents in a row can be of one
/// kind: each ends where an image that left the answer to the one below stops doing so.
pub fn status(chain: &[&Image], at: u64, limit: u64) -> Extent {
    assert!(at < limit, "internal bug: the block status of no bytes");
    let mut end = limit;
    for image in chain.iter().take_while(|image| at < image.length) {
        let (allocation, same) = image.allocation(at, end);
        end = same;
        let kind = match allocation {
            Allocation::Data => Kind::Data,
            Allocation::Zero => Kind::Zero,
            Allocation::Unallocated => continue,
        };
        return Extent { end, kind };
    }
    let kind = Kind::Zero;
    Extent { end, kind }
}

/// Whether the status of all these bytes is zero; past the end it is.
///
/// QEMU: `is_zero` of `qcow2.c`.
fn is_zero(chain: &[&Image], range: Range) -> bool {
    let mut at = range.start;
    while at < range.end {
        let extent = status(chain, at, range.end);
        if extent.kind == Kind::Data {
            return false;
        }
        at = extent.end;
    }
    true
}

/// Whether a guest would read the same from both; the longer one may go on with zeros.
///
/// QEMU: `qemu-img compare` without `-s`.
pub fn compare(a_chain: &[&Image], b_chain: &[&Image]) -> Comparison {
    // Past an end zeros are read, and zeros are what the longer image must have there.
    let length = a_chain[0].length.max(b_chain[0].length);
    let [a, b] = [a_chain, b_chain].map(|chain| read(chain, 0..length));
    match first_difference(&a, &b) {
        None => Comparison::Identical,
        Some(at) => Comparison::Different {
            offset: at & !(SECTOR - 1),
        },
    }
}

/// The first byte at which two tilings of one range differ.
fn first_difference(a: &Runs<Fill>, b: &Runs<Fill>) -> Option<u64> {
    // Equal contents are equal runs, so the first two runs that are not equal tell: they start
    // alike, and have another value or end elsewhere.
    let ((a, a_fill), (b, b_fill)) = a.iter().zip(b.iter()).find(|(a, b)| a != b)?;
    Some(if a_fill == b_fill {
        a.end.min(b.end)
    } else {
        a.start
    })
}
