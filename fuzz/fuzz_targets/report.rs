//! `cargo fuzz run report --features libfuzzer`: see `fuzz/src/lib.rs`.
#![no_main]
#![allow(missing_docs)]

fuzz::libfuzzer!("report");
