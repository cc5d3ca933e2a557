//! The documents say what is so: every command in them prints what stands there, links lead somewhere, and what can be
//! made from the code is made from it.
//!
//! `UPDATE_DOCS=1 cargo test --test docs` writes anew what is made from the code.

#[path = "../common/mod.rs"]
mod common;

mod commands;
mod generated;
mod links;
mod markdown;
mod page;
mod quotes;
mod scenario_format;
mod session;
mod stories;
mod tables;
