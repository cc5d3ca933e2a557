//! What differs between QEMU releases, as data in one place.
//!
//! A rule that depends on the release asks its field here by name; no rule compares version numbers.
//! Each field names a recording (under `scenarios/recordings/`) or a section of the behaviour it stands for.

use std::fmt;
use std::str::FromStr;

use crate::defect::{DEFECTS, Defect};
use crate::mutation::Mutation;
use crate::rules::Rules;

/// One QEMU release line, as far as a QMP client can tell it from another.
#[derive(Clone, Debug)]
pub struct Dialect {
    /// The name on the command line: `7.2` or `10.0`, or `10.0+NAME` with the [`Mutation`] of that name planted, or
    /// `10.0+fixed` with the defects repaired.
    pub name: &'static str,
    /// What it is known to do wrong; nothing if it is repaired.
    pub defects: &'static [&'static Defect],
    /// The rules that planted bugs replace.
    pub rules: Rules,
    /// The promise that nobody looks at, to see what it is good for.
    pub unwatched: Option<&'static str>,
    /// `qmp_transaction` commits (starts jobs) and cleans (ends drains) in reverse action order, since 8.1.
    /// Shown by `10.0.2/test_transaction_failure.jsonl`: drive1 runs first.
    pub transaction_reversed: bool,
    /// `completion-mode: grouped` is refused for unsuitable actions before anything is done, since 8.1.
    pub grouped_checked_first: bool,
    /// The noun of the refusal above: the capital letter went with the rewrite of 8.1.
    pub grouped_refusal_noun: &'static str,
    /// Any change of the block graph drains every node (`bdrv_graph_wrlock`), since 8.2.
    /// Shown by `10.0.2/transaction_failure_slow0.jsonl`: the sleeping sibling is aborting before its
    /// group's first member is completed.
    pub graph_change_drains_all: bool,
    /// A drained section over all nodes leaves it to each node to hold its own users, and a filter's are not those of
    /// the node below it (`ignore_bds_parents`, until 8.0). Shown by a command beside two jobs: 7.2 says first of the
    /// job that it is paused whose target was opened first, 10.0 of the one whose source was.
    pub drain_all_skips_filters: bool,
    /// block-copy's own bitmap hangs on the filter node, not on the source.
    /// Shown by `10.0.2/test_incremental_pause.jsonl`.
    pub copy_bitmap_on_filter: bool,
    /// The backup commands have `discard-source`, since 9.1. Shown by `query-qmp-schema` of both.
    pub backup_discards_source: bool,
    /// The backup commands have `x-perf.min-cluster-size`, since 9.1. Shown by `query-qmp-schema` of both.
    pub backup_has_min_cluster_size: bool,
    /// `block_resize` names the blocking job (8.x) instead of "Device '…' is in use" (7.2).
    pub resize_names_blocker: bool,
    /// At `quit` the VM is stopped (drained, let go, flushed) before everything is drained for the cancelling of
    /// jobs; 7.2 stops it inside that drained section. Shown by a job that runs at `quit`: it says `paused` once more
    /// in 10.0 (`shutdown/with-a-running-job`), and copies on meanwhile.
    pub vm_stops_before_jobs_are_held: bool,
    /// The rollback of `block-dirty-bitmap-add` goes to the bitmap that was added; that of 7.2 looks its name up.
    /// Shown by a backup with bitmap-mode always behind the add: 10.0 dies, 7.2 does not.
    pub add_remembers_bitmap: bool,
}

/// QEMU 7.2 (recorded with 7.2.22, which has the monitor of 9.0 backported).
pub static QEMU_7_2: Dialect = Dialect {
    name: "7.2",
    defects: &DEFECTS,
    rules: Rules::QEMU,
    unwatched: None,
    transaction_reversed: false,
    grouped_checked_first: false,
    grouped_refusal_noun: "Transaction",
    graph_change_drains_all: false,
    drain_all_skips_filters: true,
    copy_bitmap_on_filter: false,
    backup_discards_source: false,
    backup_has_min_cluster_size: false,
    resize_names_blocker: false,
    vm_stops_before_jobs_are_held: false,
    add_remembers_bitmap: false,
};

/// QEMU 10.0 (recorded with 10.0.2).
pub static QEMU_10_0: Dialect = Dialect {
    name: "10.0",
    defects: &DEFECTS,
    rules: Rules::QEMU,
    unwatched: None,
    transaction_reversed: true,
    grouped_checked_first: true,
    grouped_refusal_noun: "transaction",
    graph_change_drains_all: true,
    drain_all_skips_filters: false,
    copy_bitmap_on_filter: true,
    backup_discards_source: true,
    backup_has_min_cluster_size: true,
    resize_names_blocker: true,
    vm_stops_before_jobs_are_held: true,
    add_remembers_bitmap: true,
};

/// Every dialect, oldest first.
pub static DIALECTS: [&Dialect; 2] = [&QEMU_7_2, &QEMU_10_0];

/// What stands behind a release's name if its defects are repaired: no mutation is called so.
const FIXED: &str = "fixed";

/// Two dialects of one name are one.
impl PartialEq for Dialect {
    fn eq(&self, other: &Dialect) -> bool {
        self.name == other.name
    }
}

impl Eq for Dialect {}

impl Dialect {
    /// Does this QEMU have that defect?
    pub fn has(&self, defect: &Defect) -> bool {
        self.defects.iter().any(|known| known.id == defect.id)
    }

    /// The dialect with its known defects repaired. It is kept for as long as the process lives.
    #[must_use]
    pub fn fixed(&self) -> &'static Dialect {
        let name = match self.defects {
            [] => self.name,
            _ => format!("{}+{FIXED}", self.name).leak(),
        };
        Box::leak(Box::new(Dialect {
            name,
            defects: &[],
            ..self.clone()
        }))
    }

    /// The dialect of a full version such as `7.2.22`, or of a bare name such as `10.0`; `10.0+NAME` has the
    /// [`Mutation`] of that name planted, `10.0+fixed` its known defects repaired.
    ///
    /// # Errors
    /// What there is instead.
    pub fn of_version(text: &str) -> Result<&'static Dialect, String> {
        let mut words = text.split('+');
        let version = words.next().unwrap_or_default();
        let known = DIALECTS.into_iter().find(|dialect| {
            version == dialect.name
                || version
                    .strip_prefix(dialect.name)
                    .is_some_and(|rest| rest.starts_with('.'))
        });
        let Some(dialect) = known else {
            let known: Vec<_> = DIALECTS.iter().map(|dialect| dialect.name).collect();
            return Err(format!(
                "no dialect '{version}' (there are: {})",
                known.join(", ")
            ));
        };
        words.try_fold(dialect, |dialect, name| {
            if name == FIXED {
                return Ok(dialect.fixed());
            }
            let planted = Mutation::called(name).ok_or_else(|| format!("no mutation '{name}'"))?;
            Ok(dialect.with(planted))
        })
    }

    /// The dialect of a version; of a release that nobody has looked at, the dialect of the nearest one, and `true`.
    ///
    /// # Errors
    /// What is no version at all.
    pub fn nearest(version: &str) -> Result<(&'static Dialect, bool), String> {
        if let Ok(dialect) = Dialect::of_version(version) {
            return Ok((dialect, false));
        }
        let number =
            number_of(version).ok_or_else(|| format!("'{version}' is no version of QEMU"))?;
        let away =
            |dialect: &&&Dialect| number_of(dialect.name).map(|other| other.abs_diff(number));
        let nearest = DIALECTS.iter().min_by_key(away);
        Ok((nearest.expect("internal: there are dialects"), true))
    }

    /// The release without what is planted in it: `10.0`.
    pub fn release(&self) -> &'static str {
        self.name.split('+').next().unwrap_or(self.name)
    }

    /// The dialect with a bug planted in it. It is kept for as long as the process lives, like those that are
    /// written down here.
    #[must_use]
    pub fn with(&self, mutation: &Mutation) -> &'static Dialect {
        let mut planted = Dialect {
            name: format!("{}+{}", self.name, mutation.name).leak(),
            ..self.clone()
        };
        (mutation.plant)(&mut planted.rules);
        Box::leak(Box::new(planted))
    }

    /// The dialect in which nobody looks at one of the [`PROPERTIES`](crate::property::PROPERTIES).
    #[must_use]
    pub fn without(&self, property: &'static str) -> &'static Dialect {
        Box::leak(Box::new(Dialect {
            unwatched: Some(property),
            ..self.clone()
        }))
    }
}

/// `8.2.1` as one number that orders releases: there are at most three a year, so ten to a major number are enough.
fn number_of(version: &str) -> Option<u32> {
    let mut parts = version.split('.');
    let major: u32 = parts.next()?.parse().ok()?;
    let minor: u32 = parts.next()?.parse().ok()?;
    Some(major.checked_mul(10)?.saturating_add(minor.min(9)))
}

impl FromStr for &'static Dialect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Dialect::of_version(text)
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
