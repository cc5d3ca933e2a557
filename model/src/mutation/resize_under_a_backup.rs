//! A node is resized while it is backed up.

use super::Mutation;

pub(super) const MUTATION: Mutation = Mutation {
    name: "resize-under-a-backup",
    bug: "bug-B9-resize",
    what: "The backup's filter lets others resize its source: the disk grows under the job, whose bitmaps have \
           the length of the start.",
    reference: "inferred: no record; it is what the permissions of the filter and the blockers of the job are there \
                for",
    breaks: "no-resize-while-busy",
    story: "bugs/a-resize-beside-a-guest",
    dialect: "10.0",
    plant: |rules| rules.check_resize_shared = |_, _| Ok(()),
};
