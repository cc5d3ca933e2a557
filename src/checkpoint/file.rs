//! The file of a checkpoint, and how it is written so that a kill at any moment leaves the one before or the new one.
//!
//! ```text
//! "blockrace checkpoint\n"   what it is, also for people
//! u32                        the version of this format
//! u32, u128, head            its length, its checksum, and which command it is of and what it is bound to
//! u64, u128, body            its length, its checksum, and how far the work is
//! ```
//!
//! Numbers are little-endian, checksums XXH3 with 128 bits, head and body in postcard's format.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3Default, xxh3_128};

use super::bound::Bound;

const MAGIC: &[u8] = b"blockrace checkpoint\n";
/// The version of the format, and of what the bodies are.
const VERSION: u32 = 1;
/// No head is longer.
const HEAD_MAX: u64 = 1 << 20;
/// The length and the checksum of the body.
const SEAL: usize = 8 + 16;

/// Which command a checkpoint is of, and what it is bound to.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Head {
    command: String,
    bound: Bound,
}

impl Head {
    pub fn new(command: &str, bound: Bound) -> Head {
        let command = command.to_owned();
        Head { command, bound }
    }
}

/// Writes a checkpoint: under another name, to the disk, then by its own name; and that to the disk, too.
pub(super) fn write(path: &Path, head: &Head, body: &impl Serialize) -> io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    // Of a write that was ended one file is left at most, and the next takes its place.
    unfinished.push(".tmp");
    let unfinished = PathBuf::from(unfinished);
    let file = File::create(&unfinished)?;
    fill(&file, head, body)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    match path.parent() {
        // Not every system lets a folder be opened; then it does not need to be.
        Some(folder) => File::open(folder).map_or(Ok(()), |folder| folder.sync_all()),
        None => Ok(()),
    }
}

fn fill(file: &File, head: &Head, body: &impl Serialize) -> io::Result<()> {
    let head = postcard::to_stdvec(head).map_err(io::Error::other)?;
    let mut start = MAGIC.to_vec();
    start.extend(VERSION.to_le_bytes());
    start.extend((head.len() as u32).to_le_bytes());
    start.extend(xxh3_128(&head).to_le_bytes());
    start.extend(head);
    let mut output = Summed {
        inner: BufWriter::new(file),
        hash: Xxh3Default::new(),
        len: 0,
    };
    output.inner.write_all(&start)?;
    output.inner.write_all(&[0; SEAL])?;
    postcard::to_io(body, &mut output).map_err(io::Error::other)?;
    let Summed {
        mut inner,
        hash,
        len,
    } = output;
    inner.seek(SeekFrom::Start(start.len() as u64))?;
    inner.write_all(&len.to_le_bytes())?;
    inner.write_all(&hash.digest128().to_le_bytes())?;
    inner.flush()
}

/// Counts what is written, and adds it up.
struct Summed<W> {
    inner: W,
    hash: Xxh3Default,
    len: u64,
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hash.update(&bytes[..count]);
        self.len += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// A checkpoint whose head was read.
pub(super) struct Reader<'p> {
    path: &'p Path,
    file: File,
    head: Head,
}

impl<'p> Reader<'p> {
    /// Opens it, and reads its head.
    pub fn open(path: &'p Path) -> Result<Reader<'p>, String> {
        let wrong = |what: &str| format!("{}: {what}", path.display());
        let unreadable = |error: io::Error| wrong(&format!("cannot be read: {error}"));
        let mut file = File::open(path).map_err(unreadable)?;
        let mut start = Vec::new();
        let known = (MAGIC.len() + 4) as u64;
        (&mut file)
            .take(known)
            .read_to_end(&mut start)
            .map_err(unreadable)?;
        if !start.starts_with(&MAGIC[..MAGIC.len().min(start.len())]) {
            return Err(wrong("is no checkpoint of blockrace"));
        }
        let Some((version, _)) = start[MAGIC.len().min(start.len())..].split_first_chunk() else {
            return Err(wrong(CUT));
        };
        let version = u32::from_le_bytes(*version);
        if version != VERSION {
            return Err(wrong(&format!(
                "is a checkpoint in format {version}, and this blockrace knows {VERSION}\n  go on with the blockrace \
                 that wrote it"
            )));
        }
        let mut length = [0; 4];
        file.read_exact(&mut length)
            .map_err(|error| wrong(&what(&error)))?;
        let length = u64::from(u32::from_le_bytes(length));
        if length > HEAD_MAX {
            return Err(wrong(DAMAGED));
        }
        let head = summed(&mut file, length).map_err(|what| wrong(&what))?;
        let head = postcard::from_bytes(&head).map_err(|_| wrong(DAMAGED))?;
        Ok(Reader { path, file, head })
    }

    /// Refuses a checkpoint of something else.
    pub fn is_of(&self, command: &str, bound: &Bound) -> Result<(), String> {
        let path = self.path.display();
        if self.head.command != command {
            let other = &self.head.command;
            return Err(format!(
                "{path}: is a checkpoint of `{other}`, and not of `{command}`"
            ));
        }
        match self.head.bound.difference(bound) {
            None => Ok(()),
            Some(difference) => Err(format!(
                "{path}: cannot be gone on with: {difference}\n  make it what it was, or remove the checkpoint to begin anew"
            )),
        }
    }

    /// How far the work is.
    pub fn body<T: DeserializeOwned>(mut self) -> Result<T, String> {
        let body = self.read_body();
        body.map_err(|what| format!("{}: {what}", self.path.display()))
    }

    fn read_body<T: DeserializeOwned>(&mut self) -> Result<T, String> {
        let mut length = [0; 8];
        self.file
            .read_exact(&mut length)
            .map_err(|error| what(&error))?;
        let body = summed(&mut self.file, u64::from_le_bytes(length))?;
        if self.file.read(&mut [0]).map_err(|error| what(&error))? != 0 {
            return Err(DAMAGED.to_owned());
        }
        postcard::from_bytes(&body).map_err(|_| DAMAGED.to_owned())
    }
}

const CUT: &str = "is cut off: the disk was full, or it was copied while it was written\n  remove it to begin anew";
const DAMAGED: &str = "is damaged: its checksum does not fit\n  remove it to begin anew";

/// What an error in the midst of a file means.
fn what(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => CUT.to_owned(),
        _ => format!("cannot be read: {error}"),
    }
}

/// Reads a checksum and so many bytes, and compares the two.
fn summed(file: &mut File, length: u64) -> Result<Vec<u8>, String> {
    let mut sum = [0; 16];
    file.read_exact(&mut sum).map_err(|error| what(&error))?;
    let mut bytes = Vec::new();
    file.take(length)
        .read_to_end(&mut bytes)
        .map_err(|error| what(&error))?;
    if (bytes.len() as u64) < length {
        return Err(CUT.to_owned());
    }
    match xxh3_128(&bytes) == u128::from_le_bytes(sum) {
        true => Ok(bytes),
        false => Err(DAMAGED.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(folder: &Path) -> (PathBuf, Vec<u8>) {
        let path = folder.join("it.checkpoint");
        let head = Head::new("fuzz", Bound::to_rules().option("--root", 7));
        write(&path, &head, &vec![1_u64, 300, u64::MAX]).expect("a folder to write in");
        let bytes = fs::read(&path).expect("the file");
        (path, bytes)
    }

    fn read(path: &Path) -> Result<Vec<u64>, String> {
        let reader = Reader::open(path)?;
        reader.is_of("fuzz", &Bound::to_rules().option("--root", 7))?;
        reader.body()
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, _) = written(folder.path());
        assert_eq!(read(&path), Ok(vec![1, 300, u64::MAX]));
        let names: Vec<_> = fs::read_dir(folder.path()).expect("the folder").collect();
        assert_eq!(names.len(), 1, "nothing else is left");
    }

    /// Whatever is cut off, changed or appended is noticed, and nothing panics.
    #[test]
    fn a_torn_or_changed_file_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, bytes) = written(folder.path());
        for length in 0..bytes.len() {
            fs::write(&path, &bytes[..length]).expect("to write");
            let error = read(&path).expect_err("it is cut off");
            assert!(error.contains("is cut off"), "{length}: {error}");
        }
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 0x10;
            fs::write(&path, &changed).expect("to write");
            read(&path).expect_err("it is changed");
        }
        let longer = [&bytes[..], b"x"].concat();
        fs::write(&path, longer).expect("to write");
        assert!(
            read(&path)
                .expect_err("it is longer")
                .contains("is damaged")
        );
    }

    #[test]
    fn what_is_something_else_is_refused_with_the_reason() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, bytes) = written(folder.path());
        let check = |bytes: &[u8], expected: &str| {
            fs::write(&path, bytes).expect("to write");
            let error = read(&path).expect_err("it is something else");
            assert!(error.contains(expected), "{error}");
        };
        check(b"# a schedule\n", "is no checkpoint of blockrace");
        let mut newer = bytes.clone();
        newer[MAGIC.len()] = 99;
        check(&newer, "format 99, and this blockrace knows 1");
        fs::write(&path, &bytes).expect("to write");
        let reader = Reader::open(&path).expect("it is whole");
        let refused = |command, root: u64| {
            let bound = Bound::to_rules().option("--root", root);
            reader.is_of(command, &bound).expect_err("it is of another")
        };
        assert!(refused("check", 7).contains("a checkpoint of `fuzz`, and not of `check`"));
        assert!(refused("fuzz", 8).contains("--root was 7, and is 8 now"));
    }
}
