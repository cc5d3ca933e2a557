//! What differs between QEMU releases, as data in one place.
//!
//! A rule that depends on the release asks its field here by name; no rule compares version numbers.
//! Each field names a recording (under `scenarios/recordings/`) or a section of the behaviour it stands for.

use std::fmt;
use std::str::FromStr;

use crate::defect::{self, Defect};

/// One QEMU release line, as far as a QMP client can tell it from another.
#[derive(Debug, PartialEq, Eq)]
pub struct Dialect {
    /// The release on the command line: `7.2` or `10.0`.
    pub release: &'static str,
    /// What it is called: the release, with ` fixed` behind it if it is a repaired one.
    pub name: &'static str,
    /// What it is known to do wrong; nothing if it is a repaired one.
    pub defects: &'static [&'static Defect],
    /// `qmp_transaction` commits (starts jobs) and cleans (ends drains) in reverse action order, since 8.1.
    /// Shown by `10.0.2/test_transaction_failure.0.jsonl`: drive1 runs first.
    pub transaction_reversed: bool,
    /// `completion-mode: grouped` is refused for unsuitable actions before anything is done, since 8.1.
    pub grouped_checked_first: bool,
    /// The noun of the refusal above: the capital letter went with the rewrite of 8.1.
    pub grouped_refusal_noun: &'static str,
    /// Any change of the block graph drains every node (`bdrv_graph_wrlock`), since 8.2.
    /// Shown by `10.0.2/transaction_failure_slow0.0.jsonl`: the sleeping sibling is aborting before its
    /// group's first member is completed.
    pub graph_change_drains_all: bool,
    /// block-copy's own bitmap hangs on the filter node, not on the source.
    /// Shown by `10.0.2/test_incremental_pause.0.jsonl`.
    pub copy_bitmap_on_filter: bool,
    /// `block_resize` names the blocking job (8.x) instead of "Device '…' is in use" (7.2).
    pub resize_names_blocker: bool,
}

const V7_2: Dialect = Dialect {
    release: "7.2",
    name: "7.2",
    defects: &[
        &defect::GROUPED_ABORT_HANGS,
        &defect::ENABLE_ROLLBACK_CRASHES,
        &defect::ENABLE_ROLLBACK_DISABLES,
        &defect::MERGE_OF_NOTHING_CRASHES,
        &defect::BITMAP_ON_FILTER_VANISHES,
    ],
    transaction_reversed: false,
    grouped_checked_first: false,
    grouped_refusal_noun: "Transaction",
    graph_change_drains_all: false,
    copy_bitmap_on_filter: false,
    resize_names_blocker: false,
};

const V10_0: Dialect = Dialect {
    release: "10.0",
    name: "10.0",
    defects: V7_2.defects,
    transaction_reversed: true,
    grouped_checked_first: true,
    grouped_refusal_noun: "transaction",
    graph_change_drains_all: true,
    copy_bitmap_on_filter: true,
    resize_names_blocker: true,
};

/// QEMU 7.2 (recorded with 7.2.22, which has the monitor of 9.0 backported).
pub static QEMU_7_2: Dialect = V7_2;

/// QEMU 10.0 (recorded with 10.0.2).
pub static QEMU_10_0: Dialect = V10_0;

/// QEMU 7.2, its known defects repaired.
static QEMU_7_2_FIXED: Dialect = Dialect {
    name: "7.2 fixed",
    defects: &[],
    ..V7_2
};

/// QEMU 10.0, its known defects repaired.
static QEMU_10_0_FIXED: Dialect = Dialect {
    name: "10.0 fixed",
    defects: &[],
    ..V10_0
};

/// Every dialect, oldest first.
pub static DIALECTS: [&Dialect; 2] = [&QEMU_7_2, &QEMU_10_0];

/// The same, repaired.
static REPAIRED: [&Dialect; 2] = [&QEMU_7_2_FIXED, &QEMU_10_0_FIXED];

impl Dialect {
    /// Does this QEMU have that defect?
    pub fn has(&self, defect: &Defect) -> bool {
        self.defects.iter().any(|known| known.id == defect.id)
    }

    /// Is it a repaired one, without known defects?
    pub fn is_fixed(&self) -> bool {
        REPAIRED.iter().any(|repaired| repaired.name == self.name)
    }

    /// The same release with its known defects repaired.
    pub fn fixed(&self) -> &'static Dialect {
        let repaired = REPAIRED.into_iter();
        let mut same = repaired.filter(|repaired| repaired.release == self.release);
        same.next()
            .expect("internal: each release has a repaired one")
    }

    /// The dialect of that [`Dialect::name`], repaired or not.
    pub fn named(name: &str) -> Option<&'static Dialect> {
        let all = DIALECTS.into_iter().chain(REPAIRED);
        all.into_iter().find(|dialect| dialect.name == name)
    }

    /// The dialect of a full version such as `7.2.22`, or of a bare name such as `10.0`.
    pub fn of_version(version: &str) -> Option<&'static Dialect> {
        DIALECTS.into_iter().find(|dialect| {
            version == dialect.name
                || version
                    .strip_prefix(dialect.name)
                    .is_some_and(|rest| rest.starts_with('.'))
        })
    }
}

impl FromStr for &'static Dialect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Dialect::of_version(text).ok_or_else(|| {
            let known: Vec<_> = DIALECTS.iter().map(|dialect| dialect.name).collect();
            format!("no dialect '{text}' (there are: {})", known.join(", "))
        })
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
