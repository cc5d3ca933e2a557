//! The dirty-bitmap commands: finding bitmaps, and each command's checks in QEMU's order.
//!
//! Every one is also a transaction action ([`crate::transaction`]), which adds the way back.
//! QEMU: `block/monitor/bitmap-qmp-cmds.c`. The bitmap itself is [`crate::bitmap`].

use crate::bitmap::{self, Bitmap, Undo, Use};
use crate::error::QmpError;
use crate::image::Format;
use crate::name::Name;
use crate::node::{Listed, NodeKind};
use crate::transaction::BitmapName;
use crate::world::{NodeIx, World};

/// The longest name, in bytes: `BDRV_BITMAP_MAX_NAME_SIZE`.
const NAME_MAX: usize = 1023;

/// Finds a bitmap: `block_dirty_bitmap_lookup`.
///
/// # Errors
/// `Node '…' not found`, `Dirty bitmap '…' not found`.
pub(crate) fn find(w: &World, bitmap: &BitmapName) -> Result<NodeIx, QmpError> {
    let Some(node) = w.find_bitmaps(&bitmap.node) else {
        return Err(QmpError::generic(format!(
            "Node '{}' not found",
            bitmap.node
        )));
    };
    match w.node(node).bitmap(&bitmap.name) {
        Some(_) => Ok(node),
        None => Err(QmpError::generic(format!(
            "Dirty bitmap '{}' not found",
            bitmap.name
        ))),
    }
}

/// Is a bitmap that an action has prepared no longer there? One on a filter goes with it when the job ends in a
/// nested event loop of a later action; QEMU's pointer to it dangles then
/// ([`crate::defect::BITMAP_ON_FILTER_VANISHES`]).
pub(crate) fn is_gone(w: &World, node: NodeIx, name: &str) -> bool {
    !w.node_indices().any(|index| index == node) || w.node(node).bitmap(name).is_none()
}

/// A bitmap that was found.
pub(crate) fn named<'w>(w: &'w World, node: NodeIx, bitmap: &BitmapName) -> &'w Bitmap {
    w.node(node)
        .bitmap(&bitmap.name)
        .expect("internal: found before")
}

/// A bitmap that was found, to change it.
pub(crate) fn named_mut<'w>(w: &'w mut World, node: NodeIx, bitmap: &BitmapName) -> &'w mut Bitmap {
    by_name(w, node, &bitmap.name)
}

/// A bitmap that was found, to change it.
pub(crate) fn by_name<'w>(w: &'w mut World, node: NodeIx, name: &str) -> &'w mut Bitmap {
    w.node_mut(node)
        .bitmap_mut(name)
        .expect("internal: found before")
}

/// `block-dirty-bitmap-add`. Which node that is by a drive's name during a backup, see [`World::find_bitmaps`].
pub(crate) fn add(
    w: &mut World,
    bitmap: &BitmapName,
    granularity: Option<u64>,
    persistent: bool,
    disabled: bool,
) -> Result<(), QmpError> {
    let name = &bitmap.name;
    if name.is_empty() {
        return Err(QmpError::generic("Bitmap name cannot be empty"));
    }
    let named = w.lookup(&bitmap.node)?;
    let node = w.find_bitmaps(&bitmap.node).unwrap_or(named);
    let granularity = match granularity {
        Some(granularity) => {
            bitmap::check_granularity(granularity)?;
            granularity
        }
        None => bitmap::default_granularity(cluster_size(w, node)),
    };
    let exists = w.node(node).bitmap(name).is_some();
    if persistent && !exists {
        check_persistent(w, node, name, granularity)?;
    }
    if exists {
        return Err(QmpError::generic(format!("Bitmap already exists: {name}")));
    }
    if name.len() > NAME_MAX {
        return Err(QmpError::generic(format!("Bitmap name too long: {name}")));
    }
    let mut entry = Bitmap::new(Some(name.clone()), granularity, w.length(node));
    entry.persistent = persistent;
    entry.disabled = disabled;
    w.node_mut(node).listed.insert(0, Listed::Bitmap(entry));
    Ok(())
}

fn cluster_size(w: &World, node: NodeIx) -> Option<u64> {
    match &w.node(node).kind {
        NodeKind::Image { chain, .. } => w.file(chain[0]).image.reported_cluster_size(),
        NodeKind::Filter { source, .. } => cluster_size(w, *source),
    }
}

/// Bytes of bits a stored bitmap may take: `BME_MAX_PHYS_SIZE`.
const STORED_MAX: u64 = 512 << 20;

fn check_persistent(w: &World, node: NodeIx, name: &str, granularity: u64) -> Result<(), QmpError> {
    let refuse = |why: &str| {
        let node = w.device_or_node(node);
        Err(QmpError::generic(format!(
            "Can't make bitmap '{name}' persistent in '{node}': {why}"
        )))
    };
    let NodeKind::Image { chain, .. } = &w.node(node).kind else {
        return Err(cannot_store(w, node));
    };
    if w.file(chain[0]).image.format != Format::Qcow2 {
        return Err(cannot_store(w, node));
    }
    if granularity > 1 << 31 {
        return refuse("Granularity exceeds maximum (2147483648 bytes)");
    }
    if granularity < 1 << 9 {
        return refuse("Granularity is under minimum (512 bytes)");
    }
    if name.len() > NAME_MAX {
        return refuse("Name length exceeds maximum (1023 characters)");
    }
    if w.length(node).div_ceil(granularity).div_ceil(8) > STORED_MAX {
        return refuse("Too much space will be occupied by the bitmap. Use larger granularity");
    }
    Ok(())
}

fn cannot_store(w: &World, node: NodeIx) -> QmpError {
    QmpError::generic(format!(
        "Can't store persistent bitmaps to {}: Operation not supported",
        w.device_or_node(node)
    ))
}

/// `block-dirty-bitmap-merge`: checks and merges source by source; on an error the sources before it are undone.
/// Returns the bits before the first merge, unless there was no source at all.
pub(crate) fn merge(
    w: &mut World,
    target: &BitmapName,
    sources: &[BitmapName],
) -> Result<(NodeIx, Option<Undo>), QmpError> {
    let node = find(w, target)?;
    let mut undo = None;
    for source in sources {
        if let Err(error) = merge_one(w, node, target, source, &mut undo) {
            if let Some(undo) = undo {
                named_mut(w, node, target).restore(undo);
            }
            return Err(error);
        }
    }
    Ok((node, undo))
}

fn merge_one(
    w: &mut World,
    node: NodeIx,
    target: &BitmapName,
    source: &BitmapName,
    undo: &mut Option<Undo>,
) -> Result<(), QmpError> {
    let from = find(w, source)?;
    named(w, node, target).check(Use::Default)?;
    let source = named(w, from, source).clone();
    (w.rules().check_merge_source)(&source)?;
    let merge_bits = w.rules().merge_bits;
    let into = named_mut(w, node, target);
    let before = into.undo();
    merge_bits(into, &source)?;
    undo.get_or_insert(before);
    Ok(())
}

/// The checks of a source of `block-dirty-bitmap-merge`: it is read only.
pub(crate) fn check_merge_source(bitmap: &Bitmap) -> Result<(), QmpError> {
    bitmap.check(Use::AllowReadonly)
}

/// The checks of `block-dirty-bitmap-remove`: an inconsistent bitmap can be removed.
pub(crate) fn check_removable(bitmap: &Bitmap) -> Result<(), QmpError> {
    bitmap.check(Use::AllowInconsistent)
}

/// Takes a bitmap off its node.
pub(crate) fn remove_now(w: &mut World, node: NodeIx, name: &Name) {
    w.node_mut(node).listed.retain(
        |listed| !matches!(listed, Listed::Bitmap(bitmap) if bitmap.name.as_ref() == Some(name)),
    );
}
