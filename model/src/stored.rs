//! Bitmaps stored in a qcow2 file: written when its node is closed, loaded when it is opened.
//!
//! QEMU: `block/qcow2-bitmap.c`. Opening a file marks all its stored bitmaps as *in use*, at once and on the disk;
//! closing it stores them anew and takes the mark away. So whoever finds the mark knows that nobody stored the
//! bitmap after it went out of date: it is loaded as *inconsistent* and can only be removed.
//!
//! A file keeps its bitmaps in a list. A bitmap that is stored again stays where it was, a new one goes to the end,
//! the newest of a node first; loading goes through the list and makes each the newest of its node. A file below
//! another in a chain is opened read-only, and here its bitmaps are not loaded at all.

use serde_json::{Value, json};

use crate::bitmap::{Bitmap, Use};
use crate::error::QmpError;
use crate::name::Name;
use crate::node::{Listed, NodeKind};
use crate::property;
use crate::runs::{Bits, Range};
use crate::world::{FileIx, NodeIx, World};

/// One bitmap in a file.
///
/// QEMU: `Qcow2Bitmap` and its table of bits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StoredBitmap {
    /// Unique in the file.
    pub name: Name,
    /// Bytes per bit, a power of two.
    pub granularity: u64,
    /// Records from the moment on at which the file is opened: `BME_FLAG_AUTO`.
    pub auto: bool,
    /// Out of date, unless the one who has the file open stores it again: `BME_FLAG_IN_USE`.
    pub in_use: bool,
    /// Numbers of the dirty granules; they mean nothing while it is in use.
    bits: Bits,
    /// What it owes: a ghost of [`crate::property`].
    owed: Bits,
}

impl StoredBitmap {
    /// Its flags as `qemu-img info` names them, in alphabetical order.
    pub fn flags(&self) -> Vec<&'static str> {
        let flags = [("auto", self.auto), ("in-use", self.in_use)];
        let set = flags.into_iter().filter(|(_, set)| *set);
        set.map(|(name, _)| name).collect()
    }

    /// As `qemu-img info --output=json` lists it.
    pub fn listed(&self) -> Value {
        json!({"flags": self.flags(), "name": &*self.name, "granularity": self.granularity})
    }

    /// What becomes of it when a node of `length` bytes is opened: `load_bitmap`.
    fn load(&self, length: u64) -> Bitmap {
        let mut bitmap = Bitmap::new(Some(self.name.clone()), self.granularity, length);
        bitmap.persistent = true;
        bitmap.inconsistent = self.in_use;
        bitmap.disabled = self.in_use || !self.auto;
        if !self.in_use {
            for (granules, ()) in self.bits.iter() {
                let end = granules.end.saturating_mul(self.granularity).min(length);
                bitmap.set(granules.start * self.granularity..end);
            }
        }
        bitmap
    }
}

/// A node was opened: what is stored in its file becomes its bitmaps, and is in use from now on.
///
/// QEMU: `qcow2_load_dirty_bitmaps`.
pub(crate) fn load(w: &mut World, node: NodeIx) {
    let file = w.node(node).chain()[0];
    let image = &w.file(file).image;
    if image.bitmaps.is_empty() {
        return;
    }
    let length = image.length;
    for stored in image.bitmaps.clone() {
        let bitmap = stored.load(length);
        property::bitmap::loaded(w, node, &bitmap, stored.owed);
        w.node_mut(node).listed.insert(0, Listed::Bitmap(bitmap));
    }
    for stored in &mut w.file_mut(file).image.bitmaps {
        stored.in_use = true;
    }
}

/// A node is about to be closed: its persistent bitmaps are stored. An inconsistent one stays in the file as it is.
///
/// QEMU: `qcow2_store_persistent_dirty_bitmaps`.
pub(crate) fn store(w: &mut World, node: NodeIx) {
    let NodeKind::Image { chain, .. } = &w.node(node).kind else {
        return;
    };
    let file = chain[0];
    let entry = w.node(node);
    let kept = entry
        .bitmaps()
        .filter(|bitmap| bitmap.persistent && !bitmap.inconsistent);
    let fresh: Vec<StoredBitmap> = kept
        .filter_map(|bitmap| {
            Some(StoredBitmap {
                name: bitmap.name.clone()?,
                granularity: bitmap.granularity,
                auto: !bitmap.disabled,
                in_use: false,
                bits: bitmap.dirty_bits().clone(),
                owed: property::bitmap::owed(entry, bitmap),
            })
        })
        .collect();
    if fresh.is_empty() {
        return;
    }
    let stored = w.file_mut(file).image.store_bitmaps();
    for bitmap in fresh {
        match stored.iter_mut().find(|other| other.name == bitmap.name) {
            Some(old) => *old = bitmap,
            None => stored.push(bitmap),
        }
    }
}

/// Every node that is open is closed, as a process does that ends by itself: `bdrv_close_all`.
pub(crate) fn store_all(w: &mut World) {
    for node in w.node_indices().collect::<Vec<_>>() {
        store(w, node);
    }
}

/// A persistent bitmap is about to be removed: its stored copy goes first, at once.
///
/// QEMU: `qcow2_co_remove_persistent_dirty_bitmap`.
pub(crate) fn forget(w: &mut World, node: NodeIx, name: &str) {
    let entry = w.node(node);
    let NodeKind::Image { chain, .. } = &entry.kind else {
        return;
    };
    let file = chain[0];
    let persistent = entry.bitmap(name).is_some_and(|bitmap| bitmap.persistent);
    if persistent
        && w.file(file)
            .image
            .bitmaps
            .iter()
            .any(|stored| *stored.name == *name)
    {
        let stored = &mut w.file_mut(file).image.bitmaps;
        stored.retain(|stored| *stored.name != *name);
    }
}

/// May the image of a node get another length? Its stored bitmaps must get it, too.
///
/// # Errors
/// The text of the first stored bitmap, in the file's order, that may not be changed.
///
/// QEMU: `qcow2_truncate_bitmaps_check`.
pub(crate) fn check_resize(w: &World, node: NodeIx) -> Result<(), QmpError> {
    let entry = w.node(node);
    let stored = &w.file(entry.chain()[0]).image.bitmaps;
    let mut open = stored
        .iter()
        .filter_map(|stored| entry.bitmap(&stored.name));
    open.try_for_each(|bitmap| bitmap.check(Use::Default))
}

/// `qemu-io` writes `range` (bytes) into a file that nobody has open: it loads the bitmaps, they record, and it stores
/// them again.
pub(crate) fn record_offline(w: &mut World, file: FileIx, range: Range) {
    if range.is_empty() || w.file(file).image.bitmaps.is_empty() {
        return;
    }
    for stored in w.file_mut(file).image.store_bitmaps() {
        if stored.auto && !stored.in_use {
            let granules = range.start / stored.granularity..range.end.div_ceil(stored.granularity);
            stored.bits.set(granules.clone(), ());
            stored.owed.set(granules, ());
        }
    }
}
