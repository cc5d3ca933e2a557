//! Keys on disk: what a search puts there when memory is full.
//!
//! Two kinds of files: a list of keys in the order in which they came, for the states that wait, and
//! a *run* of keys in the order of their hashes, for the states that were visited. A run is never
//! changed; two of them are merged into a third. Whether some keys are in a run is found in one pass
//! over it, and blocks that none of them can be in are not read.

use super::key_set::{Segment, hash_of};
use std::fmt::Debug;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::Arc;

/// Where a search gets files from: the engine has no folders.
pub trait Store: Debug + Send + Sync {
    /// A new, empty file, which is gone when it is dropped.
    ///
    /// # Errors
    ///
    /// There is no room for one, or no right to make it.
    fn create(&self) -> io::Result<Box<dyn Scratch>>;
}

/// A file that nobody else sees.
pub trait Scratch: Read + Write + Seek + Send {}

impl<T: Read + Write + Seek + Send> Scratch for T {}

/// How many keys are read and written at once.
pub(super) const BLOCK: usize = 1 << 12;

/// How many bytes a key takes.
const KEY: usize = size_of::<u64>();

/// A list of keys.
pub(super) struct Keys {
    file: Box<dyn Scratch>,
    len: u64,
}

impl Keys {
    pub fn new(store: &dyn Store) -> io::Result<Keys> {
        Ok(Keys {
            file: store.create()?,
            len: 0,
        })
    }

    pub fn len(&self) -> u64 {
        self.len
    }

    /// Appends `keys`. If that fails, the list may have some of them.
    pub fn append(&mut self, keys: &[u64]) -> io::Result<()> {
        for block in keys.chunks(BLOCK) {
            self.write(self.len, block)?;
            self.len += block.len() as u64;
        }
        Ok(())
    }

    /// Puts up to `count` keys, from number `from` on, into `block`, which is cleared first.
    pub fn read(&mut self, from: u64, count: usize, block: &mut Vec<u64>) -> io::Result<()> {
        block.clear();
        let end = self.len.min(from + count as u64);
        let mut bytes = vec![0; BLOCK * KEY];
        self.file.seek(SeekFrom::Start(from * KEY as u64))?;
        let mut at = from;
        while at < end {
            let part = (end - at).min(BLOCK as u64);
            let bytes = &mut bytes[..part as usize * KEY];
            self.file.read_exact(bytes)?;
            let (keys, _) = bytes.as_chunks::<KEY>();
            block.extend(keys.iter().map(|key| u64::from_le_bytes(*key)));
            at += part;
        }
        Ok(())
    }

    /// Hands all keys to `on`, from number `from` on.
    pub fn each(&mut self, from: u64, mut on: impl FnMut(u64) -> io::Result<()>) -> io::Result<()> {
        let (mut at, mut block) = (from, Vec::new());
        while at < self.len {
            self.read(at, BLOCK, &mut block)?;
            at += block.len() as u64;
            block.iter().try_for_each(|key| on(*key))?;
        }
        Ok(())
    }

    /// Makes each key another one.
    pub fn change(&mut self, mut to: impl FnMut(u64) -> u64) -> io::Result<()> {
        let (mut at, mut block) = (0, Vec::new());
        while at < self.len {
            self.read(at, BLOCK, &mut block)?;
            block.iter_mut().for_each(|key| *key = to(*key));
            self.write(at, &block)?;
            at += block.len() as u64;
        }
        Ok(())
    }

    fn write(&mut self, at: u64, block: &[u64]) -> io::Result<()> {
        let bytes: Vec<u8> = block.iter().flat_map(|key| key.to_le_bytes()).collect();
        self.file.seek(SeekFrom::Start(at * KEY as u64))?;
        self.file.write_all(&bytes)
    }
}

/// Different keys, in the order of their hashes; at least one.
struct Run {
    keys: Keys,
    /// By block: the hash of its first key.
    firsts: Vec<u64>,
}

impl Run {
    /// Takes those keys out of `wanted` that it has. They are in the order of their hashes, and stay
    /// so.
    fn take_out(&mut self, wanted: &mut Vec<u64>) -> io::Result<()> {
        let (mut at, mut left, mut block) = (0, 0, Vec::new());
        for number in 0..self.firsts.len() {
            let end = match self.firsts.get(number + 1) {
                Some(next) => at + wanted[at..].partition_point(|key| hash_of(*key) < *next),
                None => wanted.len(),
            };
            if at == end {
                continue;
            }
            self.keys.read((number * BLOCK) as u64, BLOCK, &mut block)?;
            let mut known = block.iter().peekable();
            for index in at..end {
                let key = wanted[index];
                while known
                    .next_if(|known| hash_of(**known) < hash_of(key))
                    .is_some()
                {}
                if known.peek() != Some(&&key) {
                    wanted[left] = key;
                    left += 1;
                }
            }
            at = end;
        }
        wanted.truncate(left);
        Ok(())
    }
}

/// A run being written.
struct Writer {
    run: Run,
    block: Vec<u64>,
}

impl Writer {
    fn new(store: &dyn Store) -> io::Result<Writer> {
        let run = Run {
            keys: Keys::new(store)?,
            firsts: Vec::new(),
        };
        Ok(Writer {
            run,
            block: Vec::with_capacity(BLOCK),
        })
    }

    fn push(&mut self, key: u64) -> io::Result<()> {
        self.block.push(key);
        match self.block.len() {
            BLOCK => self.flush(),
            _ => Ok(()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(first) = self.block.first() {
            self.run.firsts.push(hash_of(*first));
            self.run.keys.append(&self.block)?;
            self.block.clear();
        }
        Ok(())
    }

    fn finish(mut self) -> io::Result<Run> {
        self.flush()?;
        Ok(self.run)
    }
}

/// A run being read from its first key to its last.
struct Reader<'r> {
    run: &'r mut Run,
    read: u64,
    block: Vec<u64>,
    at: usize,
}

impl<'r> Reader<'r> {
    fn new(run: &'r mut Run) -> Reader<'r> {
        Reader {
            run,
            read: 0,
            block: Vec::new(),
            at: 0,
        }
    }

    /// The next key, which stays the next one.
    fn peek(&mut self) -> io::Result<Option<u64>> {
        if self.at == self.block.len() {
            self.run.keys.read(self.read, BLOCK, &mut self.block)?;
            self.read += self.block.len() as u64;
            self.at = 0;
        }
        Ok(self.block.get(self.at).copied())
    }

    fn pass(&mut self) {
        self.at += 1;
    }
}

/// A set of keys on disk: runs, each less than half as long as the one before it, so that there are
/// few of them and no key is written often (as in a log-structured merge-tree: O'Neil, Cheng, Gawlick
/// and O'Neil, 1996).
pub(super) struct Runs {
    store: Arc<dyn Store>,
    runs: Vec<Run>,
    /// How often memory was emptied into a run.
    pub emptied: u64,
    /// How many keys were written, merging included.
    pub written: u64,
}

impl Runs {
    pub fn new(store: Arc<dyn Store>) -> Runs {
        Runs {
            store,
            runs: Vec::new(),
            emptied: 0,
            written: 0,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Writes the keys of all segments as a run. The segments are left as they are.
    pub fn add(&mut self, segments: &[Segment]) -> io::Result<()> {
        let (mut writer, mut keys) = (Writer::new(&*self.store)?, Vec::new());
        for segment in segments {
            keys.clear();
            keys.extend(segment.iter());
            keys.sort_unstable_by_key(|key| hash_of(*key));
            keys.iter().try_for_each(|key| writer.push(*key))?;
        }
        let run = writer.finish()?;
        if run.keys.len() > 0 {
            self.emptied += 1;
            self.written += run.keys.len();
            self.runs.push(run);
        }
        self.tidy()
    }

    /// Merges runs until each is less than half as long as the one before it.
    fn tidy(&mut self) -> io::Result<()> {
        while let [.., before, last] = &mut self.runs[..]
            && last.keys.len() * 2 >= before.keys.len()
        {
            let merged = merge(&*self.store, before, last)?;
            self.written += merged.keys.len();
            self.runs.truncate(self.runs.len() - 2);
            self.runs.push(merged);
        }
        Ok(())
    }

    /// Takes those keys out of `wanted` that it has, and leaves the others in the order of their
    /// hashes.
    pub fn take_out(&mut self, wanted: &mut Vec<u64>) -> io::Result<()> {
        if self.runs.is_empty() || wanted.is_empty() {
            return Ok(());
        }
        wanted.sort_unstable_by_key(|key| hash_of(*key));
        let mut runs = self.runs.iter_mut();
        runs.try_for_each(|run| run.take_out(wanted))
    }

    /// Empties the set, and hands its keys to `on`, some of them more than once.
    pub fn drain(
        &mut self,
        mut on: impl FnMut(&mut Runs, u64) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut runs = std::mem::take(&mut self.runs).into_iter();
        runs.try_for_each(|mut run| run.keys.each(0, |key| on(self, key)))
    }

    /// Hands its keys to `on`, some of them more than once.
    pub fn each(&mut self, mut on: impl FnMut(u64) -> io::Result<()>) -> io::Result<()> {
        let mut runs = self.runs.iter_mut();
        runs.try_for_each(|run| run.keys.each(0, &mut on))
    }

    /// How many keys that is.
    pub fn len(&self) -> u64 {
        self.runs.iter().map(|run| run.keys.len()).sum()
    }

    /// What it takes in memory.
    pub fn bytes(&self) -> usize {
        let firsts = self.runs.iter().map(|run| run.firsts.capacity());
        firsts.sum::<usize>() * size_of::<u64>() + 4 * BLOCK * KEY
    }
}

/// The keys of both runs.
fn merge(store: &dyn Store, first: &mut Run, second: &mut Run) -> io::Result<Run> {
    let mut writer = Writer::new(store)?;
    let (mut first, mut second) = (Reader::new(first), Reader::new(second));
    loop {
        let (one, other) = (first.peek()?, second.peek()?);
        let Some(key) = [one, other]
            .into_iter()
            .flatten()
            .min_by_key(|key| hash_of(*key))
        else {
            return writer.finish();
        };
        if one == Some(key) {
            first.pass();
        }
        if other == Some(key) {
            second.pass();
        }
        writer.push(key)?;
    }
}

#[cfg(test)]
mod tests {
    use super::super::key_set::segment_of;
    use super::*;
    use std::collections::BTreeSet;
    use std::io::Cursor;

    /// Files in memory, all in all of so many bytes.
    #[derive(Debug)]
    struct Memory;

    impl Store for Memory {
        fn create(&self) -> io::Result<Box<dyn Scratch>> {
            Ok(Box::new(Cursor::new(Vec::new())))
        }
    }

    fn runs() -> Runs {
        Runs::new(Arc::new(Memory))
    }

    fn add(runs: &mut Runs, keys: impl IntoIterator<Item = u64>) {
        let mut segments = Segment::all();
        for key in keys {
            segments[segment_of(key)].insert(key);
        }
        runs.add(&segments).expect("memory is never full");
    }

    #[test]
    fn what_was_added_is_taken_out_and_nothing_else() {
        let (mut runs, mut expected) = (runs(), BTreeSet::new());
        for round in 0..40_u64 {
            // Of many sizes, and overlapping, with blocks that are full and some that are not.
            let from = round * 1_700;
            let keys = from..from + 100 + round % 7 * 3_000;
            expected.extend(keys.clone());
            add(&mut runs, keys);
            let mut wanted: Vec<u64> = (0..90_000).step_by(7).collect();
            runs.take_out(&mut wanted).expect("memory can be read");
            let left: BTreeSet<u64> = wanted.iter().copied().collect();
            let new = (0..90_000).step_by(7).filter(|key| !expected.contains(key));
            assert_eq!(left, new.collect());
            assert!(wanted.is_sorted_by_key(|key| hash_of(*key)));
        }
        assert!(runs.runs.len() < 8, "{} runs", runs.runs.len());
        assert_eq!(runs.emptied, 40);
        let mut drained = BTreeSet::new();
        let all = runs.drain(|_, key| {
            drained.insert(key);
            Ok(())
        });
        all.expect("memory can be read");
        assert_eq!(drained, expected);
        assert!(runs.is_empty());
    }

    #[test]
    fn a_list_is_read_as_it_was_written_and_can_be_changed() {
        let mut list = Keys::new(&Memory).expect("a file");
        let keys: Vec<u64> = (0..10_000).rev().collect();
        keys.chunks(3_333)
            .for_each(|keys| list.append(keys).expect("room"));
        list.change(|key| key + 1).expect("room");
        let (mut all, mut block) = (Vec::new(), Vec::new());
        while (all.len() as u64) < list.len() {
            list.read(all.len() as u64, 5_000, &mut block)
                .expect("keys");
            all.extend_from_slice(&block);
        }
        assert_eq!(all, (1..=10_000).rev().collect::<Vec<_>>());
    }

    #[test]
    fn nothing_is_no_run() {
        let mut runs = runs();
        add(&mut runs, []);
        assert!(runs.is_empty());
    }
}
