//! `cargo fuzz run config --features libfuzzer`: see `fuzz/src/lib.rs`.
#![no_main]
#![allow(missing_docs)]

fuzz::libfuzzer!("config");
