//! The long part of what is kept: numbers of eight bytes, one after the other, which never are in memory all at once.

use std::io::{self, Read, Write};

/// Where they go.
pub(in crate::search) struct Output<'o>(pub &'o mut dyn Write);

impl Output<'_> {
    pub fn push(&mut self, word: u64) -> io::Result<()> {
        self.0.write_all(&word.to_le_bytes())
    }

    pub fn push_all(&mut self, words: &[u64]) -> io::Result<()> {
        words.iter().try_for_each(|word| self.push(*word))
    }
}

/// Where they come from.
pub(in crate::search) struct Input<'i>(pub &'i mut dyn Read);

impl Input<'_> {
    pub fn next(&mut self) -> io::Result<u64> {
        let mut word = [0; size_of::<u64>()];
        self.0.read_exact(&mut word)?;
        Ok(u64::from_le_bytes(word))
    }
}

/// Writes some of them.
pub(in crate::search) type List<'a> = Box<dyn FnMut(&mut Output<'_>) -> io::Result<()> + 'a>;
