//! Whether the source of a merge means anything is not asked: bits that nobody has kept up get into the sum.

use super::Mutation;
use crate::bitmap::Use;

pub(super) const MUTATION: Mutation = Mutation {
    name: "merge-from-inconsistent-bitmap",
    bug: "bug-D10",
    what: "A bitmap that was not stored when QEMU died can be merged into another, which then lacks what guests \
           had written, and nobody says so.",
    reference: "inferred: such bitmaps are refused since there are any, 4.0",
    breaks: "inconsistent-untouchable",
    story: "bugs/merge-after-a-crash",
    dialect: "10.0",
    plant: |rules| rules.check_merge_source = |bitmap| bitmap.check(Use::AllowInconsistent),
};
