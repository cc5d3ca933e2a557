//! `cargo fuzz run log_qmp --features libfuzzer`: see `fuzz/src/lib.rs`.
#![no_main]
#![allow(missing_docs)]

fuzz::libfuzzer!("log_qmp");
