//! Dirty bitmaps: which parts of a node were written since somebody last looked.
//!
//! QEMU: `block/dirty-bitmap.c` above `util/hbitmap.c`; everything here happens under the node's
//! bitmaps lock, so each method is one step for everyone else. To whom a bitmap belongs, in which
//! order a node lists its bitmaps and how they are stored in a file is for others.

use std::mem;

use crate::error::QmpError;
use crate::name::Name;
use crate::runs::{Bits, Range};

/// One dirty bitmap.
///
/// QEMU: `BdrvDirtyBitmap`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bitmap {
    /// Unique in its node; absent for the bitmaps that operations make for themselves.
    pub name: Option<Name>,
    /// Bytes per bit, a power of two.
    pub granularity: u64,
    /// Bytes of the node that the bitmap covers.
    size: u64,
    /// Where a search for dirty bytes ends: the same. QEMU: `HBitmap.orig_size`.
    pub(crate) searched: u64,
    /// Numbers of the dirty granules, all below `size / granularity` rounded up.
    dirty: Bits,
    /// Whether guest writes are not recorded.
    pub disabled: bool,
    /// Whether an operation owns the bitmap, and in which way.
    pub hold: Hold,
    /// Whether it is stored in the image file when the node is closed.
    pub persistent: bool,
    /// Whether it was loaded from a file that nobody closed: its bits mean nothing.
    pub inconsistent: bool,
    /// Whether the node is opened read-only, so that the stored copy could not be kept up.
    pub readonly: bool,
}

/// Who holds a bitmap; while someone does, the user's commands refuse it.
///
/// QEMU: the fields `busy` and `successor`, which have only these combinations.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Hold {
    /// Nobody.
    Idle,
    /// A job: the bitmap's bits stand still, and guest writes go to the successor.
    Frozen {
        /// Anonymous, of the same granularity, and never held itself.
        successor: Box<Bitmap>,
    },
    /// `block-dirty-bitmap-remove`, between the prepare and the commit of a transaction.
    Removing,
}

/// What [`Bitmap::clear`] took away, for [`Bitmap::restore`].
///
/// QEMU: the `HBitmap` that transaction actions keep in `backup`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Undo {
    dirty: Bits,
}

/// What a command is about to do with a bitmap, which decides what it must not find.
///
/// QEMU: the `BDRV_BITMAP_*` flags of `bdrv_dirty_bitmap_check`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Use {
    /// Change bits: neither busy nor readonly nor inconsistent (`BDRV_BITMAP_DEFAULT`).
    Default,
    /// Read bits or switch recording: neither busy nor inconsistent (`BDRV_BITMAP_ALLOW_RO`).
    AllowReadonly,
    /// Remove it: neither busy nor readonly.
    AllowInconsistent,
    /// Own it: not busy.
    Hold,
}

/// What the queries tell of a bitmap.
///
/// QEMU: `BlockDirtyInfo`, as `bdrv_query_dirty_bitmaps` fills it in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BitmapInfo {
    /// Absent for an anonymous bitmap.
    pub name: Option<Name>,
    /// Dirty bytes, in whole granules.
    pub count: u64,
    /// Bytes per bit.
    pub granularity: u64,
    /// Whether guest writes are recorded, by it or by its successor.
    pub recording: bool,
    /// Whether an operation holds it.
    pub busy: bool,
    /// Whether it will be stored.
    pub persistent: bool,
    /// Whether it can only be removed.
    pub inconsistent: bool,
    /// The field of releases before 6.0; see [`Bitmap::status`].
    pub status: &'static str,
}

/// The granularity of a bitmap for which none was asked, from the node's cluster size; in bytes.
///
/// QEMU: `bdrv_get_default_bitmap_granularity`.
pub fn default_granularity(cluster_size: Option<u64>) -> u64 {
    cluster_size.map_or(65536, |bytes| bytes.clamp(4096, 65536))
}

/// Refuses a granularity (in bytes) that `block-dirty-bitmap-add` does not take.
///
/// QEMU: `qmp_block_dirty_bitmap_add`.
pub fn check_granularity(granularity: u64) -> Result<(), QmpError> {
    if granularity >= 512 && granularity.is_power_of_two() {
        Ok(())
    } else {
        Err(QmpError::generic(
            "Granularity must be power of 2 and at least 512",
        ))
    }
}

impl Bitmap {
    /// A clear bitmap that records, over `size` bytes with `granularity` bytes per bit.
    ///
    /// QEMU: `bdrv_create_dirty_bitmap`.
    pub fn new(name: Option<Name>, granularity: u64, size: u64) -> Bitmap {
        assert!(
            granularity.is_power_of_two(),
            "internal bug: granularity {granularity} is no power of two"
        );
        Bitmap {
            name,
            granularity,
            size,
            searched: size,
            dirty: Bits::new(),
            disabled: false,
            hold: Hold::Idle,
            persistent: false,
            inconsistent: false,
            readonly: false,
        }
    }

    /// The bytes that it covers.
    ///
    /// QEMU: `bdrv_dirty_bitmap_size`.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The numbers of the dirty granules.
    pub fn dirty_bits(&self) -> &Bits {
        &self.dirty
    }

    /// Dirty bytes in whole granules: more than the image has, if the last granule goes past it.
    ///
    /// QEMU: `bdrv_get_dirty_count`.
    pub fn count(&self) -> u64 {
        self.dirty.total() << self.shift()
    }

    /// Whether the granule of this byte is dirty.
    ///
    /// QEMU: `bdrv_dirty_bitmap_get`.
    pub fn is_dirty(&self, at: u64) -> bool {
        self.dirty.get(at >> self.shift()).is_some()
    }

    /// The first dirty bytes at or after `from`: before `limit` and the bitmap's end, and at most
    /// `longest` (all in bytes, and not rounded to granules).
    ///
    /// QEMU: `bdrv_dirty_bitmap_next_dirty_area`.
    pub fn next_dirty(&self, from: u64, limit: u64, longest: u64) -> Option<Range> {
        assert!(
            longest > 0,
            "internal bug: an area of no bytes was asked for"
        );
        let limit = limit.min(self.searched);
        if from >= limit {
            return None;
        }
        let shift = self.shift();
        let (run, ()) = self.dirty.next_from(from >> shift)?;
        let start = from.max(run.start << shift);
        let end = (run.end << shift).min(limit);
        (start < end).then(|| start..end.min(start.saturating_add(longest)))
    }

    /// Records a guest write of these bytes, if it is for this bitmap or its successor to record.
    ///
    /// QEMU: `bdrv_set_dirty`, which visits every enabled bitmap of the node, successors too.
    pub fn mark(&mut self, range: Range) {
        if let Hold::Frozen { successor } = &mut self.hold {
            successor.mark(range.clone());
        }
        if !self.disabled {
            self.set(range);
        }
    }

    /// Makes every granule dirty that these bytes touch, recording or not.
    ///
    /// QEMU: `bdrv_set_dirty_bitmap`.
    pub fn set(&mut self, range: Range) {
        assert!(!self.readonly, "internal bug: a readonly bitmap changes");
        if range.start < range.end {
            let granules = self.outwards(range);
            self.assert_inside(&granules);
            self.dirty.set(granules, ());
        }
    }

    /// Makes these bytes clean. They begin with a granule, and end with one or with the bitmap.
    ///
    /// QEMU: `bdrv_reset_dirty_bitmap`, whose assertions these are.
    pub fn reset(&mut self, range: Range) {
        assert!(!self.readonly, "internal bug: a readonly bitmap changes");
        let aligned = |at: u64| at & (self.granularity - 1) == 0;
        assert!(
            aligned(range.start) && (aligned(range.end) || range.end == self.size),
            "internal bug: {range:?} is cleared at granularity {}",
            self.granularity
        );
        if range.start < range.end {
            let granules = self.outwards(range);
            self.assert_inside(&granules);
            self.dirty.clear(granules);
        }
    }

    /// Makes everything clean.
    ///
    /// QEMU: `bdrv_clear_dirty_bitmap`.
    pub fn clear(&mut self) -> Undo {
        assert!(!self.readonly, "internal bug: a readonly bitmap changes");
        Undo {
            dirty: mem::take(&mut self.dirty),
        }
    }

    /// What brings the present bits back, for those who are about to [`Bitmap::merge`].
    ///
    /// QEMU: the `backup` argument of `bdrv_merge_dirty_bitmap`.
    pub fn undo(&self) -> Undo {
        Undo {
            dirty: self.dirty.clone(),
        }
    }

    /// Takes back a clear or a merge; what was recorded since is forgotten.
    ///
    /// QEMU: `bdrv_restore_dirty_bitmap`.
    pub fn restore(&mut self, undo: Undo) {
        assert!(!self.readonly, "internal bug: a readonly bitmap changes");
        self.dirty = undo.dirty;
    }

    /// Adds what is dirty in `source`, rounded outwards if its granules are not ours.
    ///
    /// Which bitmaps a command may merge is asked before ([`Bitmap::check`]); a bitmap merged into
    /// itself stays as it is.
    ///
    /// QEMU: `bdrv_merge_dirty_bitmap`, `hbitmap_merge`.
    pub fn merge(&mut self, source: &Bitmap) -> Result<(), QmpError> {
        if self.size != source.size {
            return Err(QmpError::generic(format!(
                "Bitmaps are of different sizes (destination size is {}, source size is {}) \
                 and can't be merged",
                self.size, source.size
            )));
        }
        assert!(!self.readonly, "internal bug: a readonly bitmap changes");
        if self.granularity == source.granularity {
            self.dirty.union(&source.dirty);
        } else {
            let widened: Bits = (source.dirty.iter())
                .map(|(granules, ())| (self.outwards(source.bytes(granules)), ()))
                .collect();
            self.dirty.union(&widened);
        }
        Ok(())
    }

    /// Follows the node to a new length in bytes: what lies wholly past the end is forgotten, and
    /// what is new is clean (unless a dirty granule reaches into it).
    ///
    /// QEMU: `bdrv_dirty_bitmap_truncate`, `hbitmap_truncate`. It asserts that the bitmap is not busy; here that is
    /// the promise `no-resize-while-busy`.
    pub fn resize(&mut self, size: u64) {
        (self.size, self.searched) = (size, size);
        self.dirty.truncate(self.granules());
        if let Hold::Frozen { successor } = &mut self.hold {
            successor.resize(size);
        }
    }

    /// Freezes the bitmap for an operation: from now on a clear successor records in its place,
    /// or does not, if the bitmap did not either.
    ///
    /// QEMU: `bdrv_dirty_bitmap_create_successor`. A node lists the successor as its newest bitmap.
    pub fn create_successor(&mut self) -> Result<(), QmpError> {
        self.check(Use::Hold)?;
        let mut successor = Box::new(Bitmap::new(None, self.granularity, self.size));
        successor.disabled = mem::replace(&mut self.disabled, true);
        self.hold = Hold::Frozen { successor };
        Ok(())
    }

    /// Makes the successor the bitmap of this name: what was dirty before has been backed up.
    ///
    /// QEMU: `bdrv_dirty_bitmap_abdicate`. The name moves to the successor's place in the node's list.
    pub fn abdicate(&mut self) {
        let successor = self.take_successor();
        let parent = mem::replace(self, successor);
        self.name = parent.name;
        self.persistent = parent.persistent;
    }

    /// Folds the successor back: what the guest wrote during the operation is still unsaved.
    ///
    /// QEMU: `bdrv_reclaim_dirty_bitmap`.
    pub fn reclaim(&mut self) {
        let successor = self.take_successor();
        self.dirty.union(&successor.dirty);
        self.disabled = successor.disabled;
    }

    /// Whether an operation holds the bitmap.
    ///
    /// QEMU: `bdrv_dirty_bitmap_busy`.
    pub fn busy(&self) -> bool {
        !matches!(self.hold, Hold::Idle)
    }

    /// Who records while the bitmap is frozen.
    ///
    /// QEMU: the field `successor`.
    pub fn successor(&self) -> Option<&Bitmap> {
        match &self.hold {
            Hold::Frozen { successor } => Some(successor),
            Hold::Idle | Hold::Removing => None,
        }
    }

    /// Whether guest writes are recorded, here or in the successor.
    ///
    /// QEMU: `bdrv_dirty_bitmap_recording`.
    pub fn recording(&self) -> bool {
        !self.disabled || self.successor().is_some_and(Bitmap::recording)
    }

    /// The one word that stood for all flags.
    ///
    /// QEMU: `bdrv_dirty_bitmap_status`, gone in 6.0.
    pub fn status(&self) -> &'static str {
        match &self.hold {
            _ if self.inconsistent => "inconsistent",
            Hold::Frozen { .. } => "frozen",
            Hold::Removing => "locked",
            Hold::Idle if self.disabled => "disabled",
            Hold::Idle => "active",
        }
    }

    /// Refuses a use that the bitmap's state does not allow; busy goes before readonly, and
    /// readonly before inconsistent.
    ///
    /// QEMU: `bdrv_dirty_bitmap_check`.
    pub fn check(&self, intent: Use) -> Result<(), QmpError> {
        let complaint = if self.busy() {
            "is currently in use by another operation and cannot be used"
        } else if self.readonly && matches!(intent, Use::Default | Use::AllowInconsistent) {
            "is readonly and cannot be modified"
        } else if self.inconsistent && matches!(intent, Use::Default | Use::AllowReadonly) {
            "is inconsistent and cannot be used"
        } else {
            return Ok(());
        };
        let name = self.name.as_deref().unwrap_or("(null)");
        Err(QmpError::generic(format!("Bitmap '{name}' {complaint}")))
    }

    /// What the queries tell of it.
    ///
    /// QEMU: `bdrv_query_dirty_bitmaps`.
    pub fn info(&self) -> BitmapInfo {
        BitmapInfo {
            name: self.name.clone(),
            count: self.count(),
            granularity: self.granularity,
            recording: self.recording(),
            busy: self.busy(),
            persistent: self.persistent,
            inconsistent: self.inconsistent,
            status: self.status(),
        }
    }

    fn take_successor(&mut self) -> Bitmap {
        match mem::replace(&mut self.hold, Hold::Idle) {
            Hold::Frozen { successor } => *successor,
            held => panic!("internal bug: {held:?} is no bitmap with a successor"),
        }
    }

    /// The power of two that the granularity is.
    fn shift(&self) -> u32 {
        self.granularity.trailing_zeros()
    }

    /// How many granules cover the size.
    fn granules(&self) -> u64 {
        (self.size + (self.granularity - 1)) >> self.shift()
    }

    /// The granules that these bytes (at least one) touch.
    fn outwards(&self, bytes: Range) -> Range {
        let shift = self.shift();
        bytes.start >> shift..((bytes.end - 1) >> shift) + 1
    }

    /// The bytes of these granules, up to the bitmap's end.
    fn bytes(&self, granules: Range) -> Range {
        let shift = self.shift();
        granules.start << shift..(granules.end << shift).min(self.size)
    }

    fn assert_inside(&self, granules: &Range) {
        assert!(
            granules.end <= self.granules(),
            "internal bug: granules {granules:?} of a bitmap of {}",
            self.granules()
        );
    }
}
