//! A bitmap grows with its node, but the search for its dirty bits ends where it ended before.
//!
//! Backups of that time filled their copy bitmap by searching.

use super::Mutation;
use crate::backup::{self, Sync};
use crate::block_copy::BlockCopy;
use crate::monitor;
use crate::name::Name;
use crate::world::{NodeIx, World};

pub(super) const MUTATION: Mutation = Mutation {
    name: "bits-past-the-old-end",
    bug: "bug-D1",
    what: "A bitmap grows with its disk, but what it marks beyond the old end is never found: a backup leaves it \
           out and then forgets it.",
    reference: "QEMU, mended in 4.1 and 4.0.1; guarded by iotest 124, test_growing_before_backup",
    breaks: "point-in-time",
    story: "bugs/grow-and-shrink",
    dialect: "10.0",
    plant: |rules| {
        rules.resize_bitmaps = resize_but_search_as_before;
        rules.fill_copy_bitmap = fill_by_searching;
    },
};

fn resize_but_search_as_before(w: &mut World, node: NodeIx, size: u64) {
    let ends: Vec<u64> = w.node(node).bitmaps().map(|bitmap| bitmap.searched).collect();
    monitor::resize_bitmaps(w, node, size);
    for (bitmap, end) in w.node_mut(node).bitmaps_mut().zip(ends) {
        bitmap.searched = end;
    }
}

fn fill_by_searching(w: &World, copy: &mut BlockCopy, sync: Sync, bitmap: Option<&Name>) {
    let by_bitmap = matches!(sync, Sync::Bitmap | Sync::Incremental);
    let found = bitmap.and_then(|name| w.node(copy.source).bitmap(name));
    let Some(sync_bitmap) = found.filter(|_| by_bitmap) else {
        return backup::fill_copy_bitmap(w, copy, sync, bitmap);
    };
    let mut from = 0;
    while let Some(area) = sync_bitmap.next_dirty(from, copy.len, u64::MAX) {
        from = area.end;
        copy.dirty.set(area);
    }
}
