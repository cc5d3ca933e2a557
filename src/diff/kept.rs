//! Stories that an earlier call has played.

use std::ops::Range;

use sim::hash::fingerprint_of;

use super::Told;
use crate::checkpoint::{Bound, Shelf, Slot};
use crate::cli::DiffArgs;
use crate::live::Binary;

/// The place of a QEMU's checkpoint.
///
/// # Errors
/// What to print: what is there cannot be gone on with.
pub(super) fn slot(
    shelf: &Shelf,
    args: &DiffArgs,
    seeds: &Range<u64>,
    binary: &Binary,
) -> Result<Slot, String> {
    let (version, dialect) = (&binary.version, binary.dialect.name);
    let Range { start, end } = seeds;
    let bound = Bound::to_rules()
        .option("the QEMU's version", version)
        .option("--dialect", dialect)
        .option("the range of seeds", format!("{start}..{end}"))
        .option("--runs", args.runs)
        .option("--keep-going", args.keep_going);
    let hash = fingerprint_of(&binary.qemu) as u32;
    shelf.slot("diff", &format!("diff-{dialect}-{hash:08x}"), bound)
}

/// What was told of the stories that are done, if some are; that it begins is written down at once.
///
/// # Errors
/// What to print: a checkpoint that cannot be read or written.
pub(super) fn begin(slot: &Slot) -> Result<Told, String> {
    if let Some(told) = slot.read::<Told>()? {
        slot.tell(&format!("{} stories are done", told.stories));
        return Ok(told);
    }
    let told = Told::default();
    slot.write(&told)?;
    Ok(told)
}
