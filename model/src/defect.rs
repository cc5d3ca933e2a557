//! Known defects of the QEMUs played: what they do although it breaks a promise.
//!
//! A defect is a behaviour of the dialects that list it ([`crate::dialect::Dialect::defects`]), and a rule asks for
//! it by name, as for any other difference between releases. A repaired dialect lists none. Where a defect happens
//! the world notes it, so that a promise which is broken then can be explained.

use crate::property::Broken;
use crate::world::{Part, World};

/// One defect.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Defect {
    /// Its number in the catalogue of bugs.
    pub id: &'static str,
    /// Its name: what a story says that it shows.
    pub name: &'static str,
    /// What happens, in one plain sentence.
    pub says: &'static str,
    /// What would happen instead in a repaired QEMU, in one plain sentence.
    pub repaired: &'static str,
    /// The promises that it breaks, by the ids of their [`crate::property::PROPERTIES`]: the one broken first is the
    /// first.
    pub breaks: &'static [&'static str],
    /// The QEMU function in which it is.
    pub place: &'static str,
    /// The shipped story that shows it.
    pub story: &'static str,
    /// How it is known of real QEMU.
    pub evidence: &'static str,
}

/// The rollback of a grouped transaction waits for a job that it never started.
pub static GROUPED_ABORT_HANGS: Defect = Defect {
    id: "bug-A1",
    name: "grouped-abort-hangs",
    says: "A grouped transaction that has prepared two jobs or more and then fails never replies, and the monitor \
           is stuck.",
    repaired: "A job that was never started ends at once when its group is aborted.",
    breaks: &["no-deadlock"],
    place: "job_completed_txn_abort waits with job_finish_sync_locked for each sibling, also for one that is still \
            created",
    story: "defects/grouped-abort-hangs",
    evidence: "reproduced on 7.2.22 and 10.0.2: no reply ever comes",
};

/// The rollback of an enable that found no bitmap writes to none.
pub static ENABLE_ROLLBACK_CRASHES: Defect = Defect {
    id: "bug-A2",
    name: "enable-rollback-crashes",
    says: "A transaction that enables a bitmap which is not there kills QEMU.",
    repaired: "The rollback of an enable touches nothing unless the enable was prepared.",
    breaks: &["no-crash"],
    place: "block_dirty_bitmap_enable_abort restores without looking whether there is a bitmap",
    story: "defects/enable-rollback-crashes",
    evidence: "reproduced on 7.2.22 and 10.0.2: SIGSEGV",
};

/// The rollback of an enable that was refused writes back a flag that was never remembered.
pub static ENABLE_ROLLBACK_DISABLES: Defect = Defect {
    id: "bug-A3",
    name: "enable-rollback-disables",
    says: "A transaction that fails because it may not enable a bitmap leaves the bitmap disabled: it does not \
           record what is written from then on.",
    repaired: "The rollback of an enable touches nothing unless the enable was prepared.",
    breaks: &["abort-safe", "atomic-prepare"],
    place: "block_dirty_bitmap_enable_abort writes back a flag that was not yet remembered",
    story: "defects/enable-rollback-disables",
    evidence: "reproduced on 7.2.22 and 10.0.2: the bitmap says recording: false",
};

/// The commit of a merge without sources frees a copy that was never made.
pub static MERGE_OF_NOTHING_CRASHES: Defect = Defect {
    id: "bug-A4",
    name: "merge-of-nothing-crashes",
    says: "Merging an empty list of bitmaps into one kills QEMU.",
    repaired: "A merge of nothing succeeds and changes nothing.",
    breaks: &["no-crash"],
    place: "block_dirty_bitmap_merge frees the old bits, which it copies at the first source",
    story: "defects/merge-of-nothing-crashes",
    evidence: "reproduced on 7.2.22 and 10.0.2: SIGSEGV",
};

/// A drive's name means its top node, also when that is the filter of a backup.
pub static BITMAP_ON_FILTER_VANISHES: Defect = Defect {
    id: "bug-A6",
    name: "bitmap-on-filter-vanishes",
    says: "A bitmap that is added by the name of a drive during a backup is gone when the backup ends, without an \
           error or an event.",
    repaired: "A bitmap that is added during a backup belongs to the image under the filter.",
    breaks: &["no-lost-dirty", "no-crash"],
    place: "block_dirty_bitmap_add looks up the drive's top node, which is the copy-before-write filter",
    story: "defects/bitmap-on-filter-vanishes",
    evidence: "reproduced on 7.2.22 and 10.0.2",
};

/// The end of a transaction ends the drain of a node that is no longer there.
pub static GONE_FILTER_CRASHES: Defect = Defect {
    id: "bug-A7",
    name: "gone-filter-crashes",
    says: "A second backup of a drive by its name kills QEMU if the first ends meanwhile, or in the same transaction.",
    repaired: "A backup that was prepared keeps the node that it has drained until the transaction is over.",
    breaks: &["no-crash"],
    place: "drive_backup_action and blockdev_backup_action drain a node that they do not keep, the first backup's \
            filter, which goes while they wait or when the first is rolled back; then they end the drained section",
    story: "defects/gone-filter-crashes",
    evidence: "reproduced on 7.2.22 and 10.0.2: bdrv_do_drained_end: Assertion `bs->quiesce_counter > 0' failed; \
               with more nodes 7.2.22 dies of SIGSEGV instead, the node's memory was freed",
};

/// A job's bitmap is settled before its filter is drained, and nobody looks again.
pub static ALWAYS_SETTLES_TOO_EARLY: Defect = Defect {
    id: "bug-A8",
    name: "always-settles-too-early",
    says: "With bitmap-mode always, a cluster that a guest's write is saving while the job is cancelled or fails is in \
           no bitmap afterwards if it cannot be saved, and the next backup misses it.",
    repaired: "A bitmap that takes back what is not copied takes back what is being copied, too.",
    breaks: &["no-lost-dirty"],
    place: "backup_cleanup_sync_bitmap merges the copy bitmap before bdrv_cbw_drop drains the filter; \
            block_copy_task_end puts what failed back into the copy bitmap, which nobody reads any more",
    story: "defects/always-settles-too-early",
    evidence: "found by a search, then reproduced on 7.2.22 and 10.0.2 (eight runs of eight): reads of the source slowed \
               down by a throttle-group, one of them failing; the bitmap says count: 0",
};

/// The copy bitmap of a job is made that of its bitmap when the job runs, and all set before that.
pub static UNSTARTED_MARKS_ALL: Defect = Defect {
    id: "bug-A9",
    name: "unstarted-marks-all",
    says: "A transaction that fails after a backup with bitmap-mode always was prepared marks all of the backup's bitmap, \
           and the next backup copies the whole drive.",
    repaired: "A job that was never started gives its bitmap back as it was.",
    breaks: &["atomic-prepare"],
    place: "backup_cleanup_sync_bitmap merges the copy bitmap, which is all set until backup_run calls \
            backup_init_bcs_bitmap",
    story: "defects/unstarted-marks-all",
    evidence: "found by a story made by chance, then reproduced on 7.2.22 and 10.0.2: the bitmap counts the whole drive",
};

/// What a transaction remembers of a bitmap outlives the bitmap.
pub static FREED_BITMAP_CRASHES: Defect = Defect {
    id: "bug-A10",
    name: "freed-bitmap-crashes",
    says: "A transaction that changes a bitmap, then prepares a backup with it and bitmap-mode always, and then fails, \
           kills QEMU.",
    repaired: "What was changed before the backup was prepared is undone.",
    breaks: &["no-crash"],
    place: "backup_cleanup_sync_bitmap abdicates: the bitmap is released, and its successor takes its name; then \
            block_dirty_bitmap_restore, block_dirty_bitmap_enable_abort or block_dirty_bitmap_disable_abort (in 10.0 \
            also block_dirty_bitmap_add_abort) touches the bitmap that it remembers",
    story: "defects/freed-bitmap-crashes",
    evidence: "found by stories made by chance, then reproduced on 7.2.22 and 10.0.2 with clear, merge, enable and \
               disable, three runs of three each: SIGSEGV or a failed assertion, such as \
               bdrv_restore_dirty_bitmap: Assertion `!bdrv_dirty_bitmap_readonly(bitmap)' failed",
};

/// Every defect that the model has, in the order of the catalogue.
pub static DEFECTS: [&Defect; 9] = [
    &GROUPED_ABORT_HANGS,
    &ENABLE_ROLLBACK_CRASHES,
    &ENABLE_ROLLBACK_DISABLES,
    &MERGE_OF_NOTHING_CRASHES,
    &BITMAP_ON_FILTER_VANISHES,
    &GONE_FILTER_CRASHES,
    &ALWAYS_SETTLES_TOO_EARLY,
    &UNSTARTED_MARKS_ALL,
    &FREED_BITMAP_CRASHES,
];

/// Which defects happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Met(u16);

impl Defect {
    /// The defect of that name.
    pub fn named(name: &str) -> Option<&'static Defect> {
        DEFECTS.into_iter().find(|defect| defect.name == name)
    }

    /// Its place in a set of defects.
    fn bit(&self) -> u16 {
        let place = DEFECTS.iter().position(|other| other.id == self.id);
        1 << place.expect("internal: every defect is in the list")
    }
}

impl World {
    /// A defect happens here, if this QEMU has it.
    pub(crate) fn meets(&mut self, defect: &'static Defect) {
        if self.dialect.has(defect) {
            self.note_write(Part::Outbox);
            self.met.0 |= defect.bit();
        }
    }

    /// The known defect of the dialect that explains a broken promise: one that happened before, and breaks such
    /// promises.
    pub fn explains(&self, broken: &Broken) -> Option<&'static Defect> {
        let met = |defect: &&Defect| self.met.0 & defect.bit() != 0;
        let mut defects = DEFECTS.into_iter().filter(met);
        defects.find(|defect| defect.breaks.contains(&broken.property))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::dialect::{DIALECTS, Dialect};
    use crate::property::PROPERTIES;

    #[test]
    fn rows_are_sentences_about_promises_that_are_checked() {
        for defect in DEFECTS {
            for says in [defect.says, defect.repaired] {
                assert!(says.ends_with('.'), "a sentence: {says}");
            }
            assert!(!defect.breaks.is_empty(), "{} breaks nothing", defect.name);
            for property in defect.breaks {
                let mut rows = PROPERTIES.iter();
                let checked = rows.any(|row| row.id == *property && row.kind.is_checked());
                assert!(checked, "{}: nobody checks {property}", defect.name);
            }
            assert_eq!(Defect::named(defect.name), Some(defect));
        }
        let ids: BTreeSet<&str> = DEFECTS.iter().map(|defect| defect.id).collect();
        assert_eq!(ids.len(), DEFECTS.len());
    }

    /// Each defect lives somewhere, and in no repaired dialect.
    #[test]
    fn defects_belong_to_dialects() {
        for defect in DEFECTS {
            assert!(DIALECTS.iter().any(|dialect| dialect.has(defect)));
            assert!(!DIALECTS.iter().any(|dialect| dialect.fixed().has(defect)));
        }
        for dialect in DIALECTS {
            let fixed = dialect.fixed();
            assert_eq!(Dialect::of_version(fixed.name), Ok(fixed));
            assert_eq!(fixed.fixed().name, fixed.name);
            assert_eq!(fixed.release(), dialect.name);
        }
    }
}
