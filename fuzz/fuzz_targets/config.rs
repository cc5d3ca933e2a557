//! `cargo fuzz run config --features libfuzzer`: see `fuzz/src/lib.rs`.
#![no_main]
#![allow(missing_docs)]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_target!(|input: &[u8]| (fuzz::target("config").run)(input));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    match seed % 3 {
        0 => fuzzer_mutate(data, size, max_size),
        _ => fuzz::target("config").mutate_in_place(data, size, max_size, seed.into()),
    }
});
