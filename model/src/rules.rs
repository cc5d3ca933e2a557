//! The rules that a planted bug can replace: one function each.
//!
//! A rule that some [`Mutation`](crate::mutation::Mutation) replaces is called through this table
//! (`(w.rules().settle_bitmap)(w, job)`), and so does not know of it. The table of a QEMU without planted bugs is
//! [`Rules::QEMU`]: each row names the function that a reader looks for.

use crate::backup::{self, BackupRequest, Sync};
use crate::bitmap::{Bitmap, Undo};
use crate::block_copy::BlockCopy;
use crate::dirty_bitmap;
use crate::error::{Errno, QmpError};
use crate::event::{ErrorAction, Operation};
use crate::guest;
use crate::job;
use crate::name::Name;
use crate::node::NodeSet;
use crate::transaction::{self, BitmapName};
use crate::world::{GroupIx, GuestIx, JobIx, NodeIx, World};

/// One function for each rule that can be replaced.
#[derive(Clone, Debug)]
pub struct Rules {
    /// A backup's prepare creates its job.
    pub create_backup: CreateBackup,
    /// A transaction's commit starts a job.
    pub start_job: fn(&mut World, JobIx),
    /// A job meets an error.
    pub error_action: fn(&mut World, JobIx, Operation, Errno) -> ErrorAction,
    /// A job's end decides what becomes of its bitmap.
    pub settle_bitmap: fn(&mut World, JobIx),
    /// A backup's prepare drains its source; the drained section.
    pub drain_source: fn(&mut World, NodeSet) -> Option<u32>,
    /// A backup's bitmap gets a successor.
    pub freeze_bitmap: fn(&mut World, NodeIx, &Name) -> Result<(), QmpError>,
    /// A backup that could not be created gives its bitmap back to the source.
    pub give_bitmap_back: fn(&mut World, NodeIx, &BackupRequest),
    /// What there is to copy.
    pub fill_copy_bitmap: FillCopyBitmap,
    /// A job's run function begins; whether its coroutine goes on.
    pub begin_run: fn(&mut World, JobIx) -> bool,
    /// May a bitmap be the source of a merge?
    pub check_merge_source: fn(&Bitmap) -> Result<(), QmpError>,
    /// One bitmap is merged into another.
    pub merge_bits: fn(&mut Bitmap, &Bitmap) -> Result<(), QmpError>,
    /// A merge of all its sources.
    pub merge_sources: MergeSources,
    /// A bitmap follows its node to a new length.
    pub resize_bitmap: fn(&mut Bitmap, u64),
    /// A guest's own I/O on an image begins.
    pub begin_io: fn(&mut World, GuestIx, NodeIx),
    /// A guest's I/O is done on the host.
    pub write_lands: fn(&mut World, GuestIx),
    /// The bitmaps record a guest's write that ends.
    pub record_write: fn(&mut World, GuestIx, NodeIx),
}

/// See [`Rules::create_backup`]: the request, its source and target, and the group to join.
pub type CreateBackup =
    fn(&mut World, &BackupRequest, NodeIx, NodeIx, Option<GroupIx>) -> Result<JobIx, QmpError>;

/// See [`Rules::fill_copy_bitmap`]: the state to fill, what is copied, and the sync bitmap.
pub type FillCopyBitmap = fn(&World, &mut BlockCopy, Sync, Option<&Name>);

/// See [`Rules::merge_sources`]: the target, its sources; the target's node and its bits before.
pub type MergeSources =
    fn(&mut World, &BitmapName, &[BitmapName]) -> Result<(NodeIx, Option<Undo>), QmpError>;

impl Rules {
    /// QEMU's.
    pub const QEMU: Rules = Rules {
        create_backup: backup::create,
        start_job: job::start,
        error_action: job::error_action,
        settle_bitmap: backup::settle_bitmap,
        drain_source: transaction::drain_source,
        freeze_bitmap: World::freeze_bitmap,
        give_bitmap_back: backup::give_bitmap_back,
        fill_copy_bitmap: backup::fill_copy_bitmap,
        begin_run: backup::begin,
        check_merge_source: dirty_bitmap::check_merge_source,
        merge_bits: Bitmap::merge,
        merge_sources: dirty_bitmap::merge,
        resize_bitmap: Bitmap::resize,
        begin_io: guest::begin_io,
        write_lands: guest::lands,
        record_write: guest::record_write,
    };
}

impl World {
    /// The rules in force.
    pub(crate) fn rules(&self) -> &'static Rules {
        &self.dialect.rules
    }
}
