//! The names that people give to nodes, drives, jobs, image files and dirty bitmaps.

/// A name, shared by everything that mentions it: copying a world copies no text.
pub type Name = std::sync::Arc<str>;
