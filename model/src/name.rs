//! The names that people give to nodes, drives, jobs, image files and dirty bitmaps.

/// A name, shared by everything that mentions it: copying a world copies no text.
pub type Name = std::sync::Arc<str>;

/// May a user call a job or a node so: a letter, then letters, digits, `-`, `.` and `_`. QEMU: `id_wellformed`.
pub fn is_well_formed(id: &str) -> bool {
    let mut chars = id.chars();
    chars
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic())
        && chars.all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
}
