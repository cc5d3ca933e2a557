//! The file of a checkpoint, and how it is written so that a kill at any moment leaves the one before or the new one.
//!
//! ```text
//! "blockrace checkpoint\n"   what it is, also for people
//! u32                        the version of this format
//! u32, u128, head            its length, its checksum, and which command it is of and what it is bound to
//! u64, u128, body            its length, its checksum, and how far the work is
//! u64, u128, states          their length, their checksum, and what of the body is too much to be in memory twice
//! ```
//!
//! Numbers are little-endian, checksums XXH3 with 128 bits, head and body in postcard's format. The states are numbers,
//! which are written and read one by one; of most work there are none.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Take, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3Default, xxh3_128};

use super::bound::Bound;

const MAGIC: &[u8] = b"blockrace checkpoint\n";
/// The version of the format, and of what the bodies are.
const VERSION: u32 = 2;
/// No head is longer.
const HEAD_MAX: u64 = 1 << 20;
/// The length and the checksum of a section.
const SEAL: usize = 8 + 16;
/// So many bytes are read and written at once.
const BLOCK: usize = 1 << 16;

/// The states of a checkpoint.
pub type States = BufReader<Take<File>>;

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
pub(super) fn write(
    path: &Path,
    head: &Head,
    body: &impl Serialize,
    states: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    // Of a write that was ended one file is left at most, and the next takes its place.
    unfinished.push(".tmp");
    let unfinished = PathBuf::from(unfinished);
    let file = File::create(&unfinished)?;
    begin(&file, head)?;
    section(&file, |output| {
        let written = postcard::to_io(body, output);
        written.map(|_| ()).map_err(io::Error::other)
    })?;
    section(&file, states)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    match path.parent() {
        // Not every system lets a folder be opened; then it does not need to be.
        Some(folder) => File::open(folder).map_or(Ok(()), |folder| folder.sync_all()),
        None => Ok(()),
    }
}

fn begin(mut file: &File, head: &Head) -> io::Result<()> {
    let head = postcard::to_stdvec(head).map_err(io::Error::other)?;
    let mut start = MAGIC.to_vec();
    start.extend(VERSION.to_le_bytes());
    start.extend((head.len() as u32).to_le_bytes());
    start.extend(xxh3_128(&head).to_le_bytes());
    start.extend(head);
    file.write_all(&start)
}

/// Writes a section; its length and its checksum come in front of it when they are known.
fn section(mut file: &File, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let seal = file.stream_position()?;
    file.write_all(&[0; SEAL])?;
    let summed = Summed {
        inner: file,
        hash: Xxh3Default::new(),
        len: 0,
    };
    let mut output = BufWriter::with_capacity(BLOCK, summed);
    fill(&mut output)?;
    let Summed { hash, len, .. } = output.into_inner().map_err(|error| error.into_error())?;
    file.seek(SeekFrom::Start(seal))?;
    file.write_all(&len.to_le_bytes())?;
    file.write_all(&hash.digest128().to_le_bytes())?;
    file.seek(SeekFrom::End(0))?;
    Ok(())
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

    /// How far the work is, and its states.
    pub fn body<T: DeserializeOwned>(mut self) -> Result<(T, States), String> {
        let path = self.path;
        let wrong = |what: String| format!("{}: {what}", path.display());
        let body = self.read_body().map_err(wrong)?;
        let length = self.check_states().map_err(wrong)?;
        let states = BufReader::with_capacity(BLOCK, self.file.take(length));
        Ok((body, states))
    }

    fn read_body<T: DeserializeOwned>(&mut self) -> Result<T, String> {
        let length = length(&mut self.file)?;
        let body = summed(&mut self.file, length)?;
        postcard::from_bytes(&body).map_err(|_| DAMAGED.to_owned())
    }

    /// Reads the states once, to be sure that they are whole, and stands before them again; gives how many bytes they
    /// are.
    fn check_states(&mut self) -> Result<u64, String> {
        let length = length(&mut self.file)?;
        let sum = sum(&mut self.file)?;
        let (mut hash, mut left, mut block) = (Xxh3Default::new(), length, vec![0; BLOCK]);
        while left > 0 {
            let block = &mut block[..left.min(BLOCK as u64) as usize];
            self.file.read_exact(block).map_err(|error| what(&error))?;
            hash.update(block);
            left -= block.len() as u64;
        }
        if hash.digest128() != sum || self.file.read(&mut [0]).map_err(|error| what(&error))? != 0 {
            return Err(DAMAGED.to_owned());
        }
        let end = self.file.stream_position().map_err(|error| what(&error))?;
        let start = SeekFrom::Start(end - length);
        self.file.seek(start).map_err(|error| what(&error))?;
        Ok(length)
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

fn length(file: &mut File) -> Result<u64, String> {
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(|error| what(&error))?;
    Ok(u64::from_le_bytes(length))
}

fn sum(file: &mut File) -> Result<u128, String> {
    let mut sum = [0; 16];
    file.read_exact(&mut sum).map_err(|error| what(&error))?;
    Ok(u128::from_le_bytes(sum))
}

/// Reads a checksum and so many bytes, and compares the two.
fn summed(file: &mut File, length: u64) -> Result<Vec<u8>, String> {
    let sum = sum(file)?;
    let mut bytes = Vec::new();
    file.take(length)
        .read_to_end(&mut bytes)
        .map_err(|error| what(&error))?;
    if (bytes.len() as u64) < length {
        return Err(CUT.to_owned());
    }
    match xxh3_128(&bytes) == sum {
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
        let states = |output: &mut dyn Write| output.write_all(b"states");
        write(&path, &head, &vec![1_u64, 300, u64::MAX], states).expect("a folder to write in");
        let bytes = fs::read(&path).expect("the file");
        (path, bytes)
    }

    fn read(path: &Path) -> Result<Vec<u64>, String> {
        let reader = Reader::open(path)?;
        reader.is_of("fuzz", &Bound::to_rules().option("--root", 7))?;
        let (body, mut states) = reader.body()?;
        let mut read = String::new();
        states.read_to_string(&mut read).expect("it is whole");
        assert_eq!(read, "states");
        Ok(body)
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
        check(&newer, "format 99, and this blockrace knows 2");
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
