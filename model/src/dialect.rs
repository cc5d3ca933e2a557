//! What differs between QEMU releases, as data in one place.
//!
//! A rule that depends on the release asks its field here by name; no rule compares version numbers.
//! Each field names a recording (under `scenarios/recordings/`) or a section of the behaviour it stands for.

use std::fmt;
use std::str::FromStr;

/// One QEMU release line, as far as a QMP client can tell it from another.
#[derive(Debug, PartialEq, Eq)]
pub struct Dialect {
    /// The name on the command line: `7.2` or `10.0`.
    pub name: &'static str,
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

/// QEMU 7.2 (recorded with 7.2.22, which has the monitor of 9.0 backported).
pub static QEMU_7_2: Dialect = Dialect {
    name: "7.2",
    transaction_reversed: false,
    grouped_checked_first: false,
    grouped_refusal_noun: "Transaction",
    graph_change_drains_all: false,
    copy_bitmap_on_filter: false,
    resize_names_blocker: false,
};

/// QEMU 10.0 (recorded with 10.0.2).
pub static QEMU_10_0: Dialect = Dialect {
    name: "10.0",
    transaction_reversed: true,
    grouped_checked_first: true,
    grouped_refusal_noun: "transaction",
    graph_change_drains_all: true,
    copy_bitmap_on_filter: true,
    resize_names_blocker: true,
};

/// Every dialect, oldest first.
pub static DIALECTS: [&Dialect; 2] = [&QEMU_7_2, &QEMU_10_0];

impl Dialect {
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
