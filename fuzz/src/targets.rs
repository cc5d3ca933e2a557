//! What is done with an input, by kind of file.

pub mod config;
pub mod hosts;
pub mod log;
pub mod recording;
pub mod report;
pub mod scenario;
pub mod schedule;
