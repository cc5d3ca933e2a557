//! `cargo fuzz run scenario --features libfuzzer`: see `fuzz/src/lib.rs`.
#![no_main]
#![allow(missing_docs)]

fuzz::libfuzzer!("scenario");
