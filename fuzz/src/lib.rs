//! Bad input: every reader of files as a target that must survive whatever it is given.
//!
//! A target takes bytes, reads them as one kind of file, and goes on with what came of it as the command would, within
//! small bounds. It may refuse them with an error; it must not panic, hang, or use much memory. [`TARGETS`] has them
//! all, a file each below `targets/`; the readers' own bounds are in `scenarios::limits`.
//!
//! - `cargo test -p fuzz` gives each target its corpus (`corpus/NAME/`), the files from which its inputs are made
//!   ([`Target::seeds`]), and some thousands of changed ones ([`mutate`]). No special tools; always the same inputs.
//!   `cargo run --release -p fuzz --bin survive NAME 1000000` is the same with a million.
//! - `cargo fuzz run -s none NAME --features libfuzzer` looks for new inputs, guided by the code they reach. It works with stable
//!   Rust and needs `cargo install cargo-fuzz` and a C++ compiler. A find goes into `corpus/NAME/` under a name that
//!   says what it is.
//!
//! A new kind of file is a file below `targets/`, a row here, one below `fuzz_targets/` with
//! its `[[bin]]`, and a folder in `corpus/`.

mod extremes;
pub mod mutate;
mod seeds;
mod targets;

use sim::seed::Randomness;

pub use extremes::Extreme;

/// One kind of file, and what is done with it.
pub struct Target {
    /// Its name: of the libFuzzer binary, and of the folder of its corpus.
    pub name: &'static str,
    /// Reads the bytes and goes on with what they say. It returns, whatever they are.
    pub run: fn(&[u8]),
    /// Good files of that kind, from which inputs are made.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// The largest files of that kind.
    pub extremes: &'static [Extreme],
    /// Words of the format, to put in the places of others.
    pub words: &'static [&'static str],
}

/// Every target.
pub const TARGETS: &[Target] = &[
    targets::scenario::TARGET,
    targets::schedule::TARGET,
    targets::recording::TARGET,
    targets::log::LIBVIRT,
    targets::log::QMP,
    targets::log::IOTEST,
    targets::config::TARGET,
    targets::report::TARGET,
    targets::hosts::TARGET,
];

/// The binary of the target of that name for libFuzzer.
#[macro_export]
macro_rules! libfuzzer {
    ($name:literal) => {
        libfuzzer_sys::fuzz_target!(|input: &[u8]| ($crate::target($name).run)(input));

        libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
            match seed % 3 {
                0 => libfuzzer_sys::fuzzer_mutate(data, size, max_size),
                _ => $crate::target($name).mutate_in_place(data, size, max_size, seed.into()),
            }
        });
    };
}

/// The target of that name.
///
/// # Panics
/// If there is none.
pub fn target(name: &str) -> &'static Target {
    let found = TARGETS.iter().find(|target| target.name == name);
    found.unwrap_or_else(|| panic!("no target is called {name}"))
}

impl Target {
    /// The corpus in `corpus/NAME/`, in the order of its names, and the seeds.
    pub fn kept(&self) -> Vec<Vec<u8>> {
        let mut kept = seeds::files(&format!("fuzz/corpus/{}", self.name), "");
        kept.extend((self.seeds)());
        kept
    }

    /// The input changed in a way that fits its kind; a function of the arguments alone.
    pub fn mutate(&self, input: &[u8], seed: u64) -> Vec<u8> {
        mutate::mutate(input, self.words, &mut Randomness::new(seed))
    }

    /// As [`Target::mutate`], in a buffer whose first `size` bytes are the input; says how many are now.
    pub fn mutate_in_place(
        &self,
        data: &mut [u8],
        size: usize,
        size_max: usize,
        seed: u64,
    ) -> usize {
        let mut changed = self.mutate(&data[..size], seed);
        changed.truncate(size_max);
        data[..changed.len()].copy_from_slice(&changed);
        changed.len()
    }
}
