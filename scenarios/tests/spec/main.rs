//! The specification, a file for each of its chapters: rows of stories that say what happens under many seeds.

mod backup;
mod bitmaps;
mod drains;
mod faults;
mod groups;
mod guests;
mod jobs;
mod process;
mod storm;
mod support;
mod transactions;
