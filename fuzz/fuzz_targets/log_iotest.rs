//! `cargo fuzz run log_iotest --features libfuzzer`: see `fuzz/src/lib.rs`.
#![no_main]
#![allow(missing_docs)]

fuzz::libfuzzer!("log_iotest");
