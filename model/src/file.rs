//! The image folder: named files, what `qemu-img` does to them, and the chains QEMU opens.
//!
//! A name is symbolic (`$DIR/drive0.qcow2`). A file that was removed while open lives on until it is closed,
//! as on any Unix.

use serde_json::Value;

use crate::image::{self, Comparison, Fill, Format, Image};
use crate::name::Name;
use crate::property;
use crate::runs::Runs;
use crate::stored::{self, StoredBitmap};
use crate::world::{FileIx, World};

/// The names in the image folder, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Directory {
    entries: Vec<(Name, FileIx)>,
}

impl Directory {
    /// The file of that name.
    pub fn find(&self, name: &str) -> Option<FileIx> {
        let at = self
            .entries
            .binary_search_by(|(entry, _)| (**entry).cmp(name))
            .ok()?;
        Some(self.entries[at].1)
    }

    /// Every name with its file, in the order of names.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, FileIx)> {
        self.entries.iter().map(|(name, file)| (name, *file))
    }

    fn insert(&mut self, name: Name, file: FileIx) {
        let at = self.entries.partition_point(|(entry, _)| **entry < *name);
        self.entries.insert(at, (name, file));
    }

    fn remove(&mut self, name: &str) {
        self.entries.retain(|(entry, _)| **entry != *name);
    }
}

/// One image file on the host.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct File {
    /// What is in it.
    pub image: Image,
    /// How many nodes hold it open (as a node's own file, or in a backing chain).
    pub openers: u16,
    /// It still has a name.
    pub linked: bool,
    /// A process that was killed had written to it and not flushed: what a reader finds is QEMU's secret.
    pub torn: bool,
}

/// One `qemu-img` (or `qemu-io` on a closed image) command of the client.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ImageCommand {
    /// `qemu-img create`.
    Create {
        /// The new file.
        name: Name,
        /// Length in bytes; with a backing file it may be left out.
        size: Option<u64>,
        /// The format.
        format: Format,
        /// `cluster_size`, bytes.
        cluster_size: Option<u64>,
        /// The backing file.
        backing: Option<Name>,
    },
    /// `qemu-io -c "write -P …"`.
    Write {
        /// The file.
        name: Name,
        /// Where, in bytes.
        offset: u64,
        /// How much, in bytes.
        len: u64,
        /// What.
        fill: Fill,
    },
    /// `qemu-io -c "read -P …"`: does the range hold that pattern?
    Read {
        /// The file.
        name: Name,
        /// Where, in bytes.
        offset: u64,
        /// How much, in bytes.
        len: u64,
        /// The pattern to compare with, if any.
        fill: Option<Fill>,
    },
    /// `cp`.
    Copy {
        /// From.
        name: Name,
        /// To.
        to: Name,
    },
    /// `qemu-img rebase -u -b …`.
    Rebase {
        /// The file.
        name: Name,
        /// Its new backing file, or none.
        backing: Option<Name>,
    },
    /// `qemu-img compare`.
    Compare {
        /// One image.
        a: Name,
        /// The other.
        b: Name,
    },
    /// `qemu-img info`: the bitmaps stored in the file.
    Bitmaps {
        /// The file.
        name: Name,
    },
    /// `rm`.
    Remove {
        /// The file.
        name: Name,
    },
}

impl ImageCommand {
    /// The command's word in a schedule and in a trace.
    pub fn word(&self) -> &'static str {
        match self {
            ImageCommand::Create { .. } => "create",
            ImageCommand::Write { .. } => "write",
            ImageCommand::Read { .. } => "read",
            ImageCommand::Copy { .. } => "copy",
            ImageCommand::Rebase { .. } => "rebase",
            ImageCommand::Compare { .. } => "compare",
            ImageCommand::Bitmaps { .. } => "bitmaps",
            ImageCommand::Remove { .. } => "remove",
        }
    }

    /// The file it is about.
    pub fn file(&self) -> &Name {
        match self {
            ImageCommand::Create { name, .. }
            | ImageCommand::Write { name, .. }
            | ImageCommand::Read { name, .. }
            | ImageCommand::Copy { name, .. }
            | ImageCommand::Rebase { name, .. }
            | ImageCommand::Bitmaps { name }
            | ImageCommand::Remove { name } => name,
            ImageCommand::Compare { a, .. } => a,
        }
    }
}

/// The longest backing chain that is followed; longer ones are refused as a loop would be.
const CHAIN_MAX: usize = 64;

impl World {
    /// Runs one command of the client's on the image folder. How it ended is a word (`ok`, `identical`, …), or the list
    /// of stored bitmaps.
    ///
    /// # Errors
    /// The text qemu-img would print: a missing file, a bad size. Reading what a killed QEMU had not flushed.
    pub fn qemu_img(&mut self, command: &ImageCommand) -> Result<Value, String> {
        match command {
            ImageCommand::Create {
                name,
                size,
                format,
                cluster_size,
                backing,
            } => {
                self.create_image(name, *size, *format, *cluster_size, backing.as_ref())?;
            }
            ImageCommand::Write {
                name,
                offset,
                len,
                fill,
            } => {
                let chain = self.chain_of(name)?;
                self.check_range(chain[0], *offset, *len)?;
                property::data::file_changed(self, chain[0]);
                self.write_file(&chain, &filled(*offset, *len, *fill));
                stored::record_offline(self, chain[0], *offset..*offset + *len);
            }
            ImageCommand::Read {
                name,
                offset,
                len,
                fill,
            } => {
                let chain = self.chain_of(name)?;
                self.check_range(chain[0], *offset, *len)?;
                self.check_whole(&chain)?;
                let contents = self.read_chain(&chain, *offset..*offset + *len);
                if let Some(fill) = fill
                    && contents != filled(*offset, *len, *fill)
                {
                    return Ok("pattern verification failed".into());
                }
            }
            ImageCommand::Copy { name, to } => {
                let from = self.find_file(name)?;
                let (image, torn) = (self.file(from).image.clone(), self.file(from).torn);
                self.unlink(to);
                let copy = self.link(to, image);
                self.file_mut(copy).torn = torn;
            }
            ImageCommand::Rebase { name, backing } => {
                let file = self.find_file(name)?;
                property::data::file_changed(self, file);
                self.file_mut(file).image.rebase_unsafe(backing.clone());
            }
            ImageCommand::Compare { a, b } => return self.compare(a, b),
            ImageCommand::Bitmaps { name } => {
                let stored = &self.file(self.find_file(name)?).image.bitmaps;
                return Ok(stored.iter().map(StoredBitmap::listed).collect());
            }
            ImageCommand::Remove { name } => {
                self.find_file(name)?;
                self.unlink(name);
            }
        }
        Ok("ok".into())
    }

    /// Refuses to read a file that a killed QEMU has left torn: the model cannot know what is in it.
    fn check_whole(&self, chain: &[FileIx]) -> Result<(), String> {
        if chain.iter().any(|&file| self.file(file).torn) {
            return Err(
                "a killed QEMU had not flushed what it wrote here; flush before the kill".into(),
            );
        }
        Ok(())
    }

    fn compare(&mut self, a: &str, b: &str) -> Result<Value, String> {
        let (a, b) = (self.chain_of(a)?, self.chain_of(b)?);
        self.check_whole(&a)?;
        self.check_whole(&b)?;
        let compared = image::compare(&self.images(&a), &self.images(&b));
        Ok(match compared {
            Comparison::Identical => "identical".into(),
            Comparison::Different { .. } => "different".into(),
        })
    }

    fn find_file(&self, name: &str) -> Result<FileIx, String> {
        self.directory()
            .find(name)
            .ok_or_else(|| format!("Could not open '{name}': No such file or directory"))
    }

    fn check_range(&self, file: FileIx, offset: u64, len: u64) -> Result<(), String> {
        let length = self.file(file).image.length;
        if offset.checked_add(len).is_none_or(|end| end > length) {
            return Err(format!(
                "{offset}+{len} is beyond the end of the image ({length})"
            ));
        }
        Ok(())
    }

    /// Creates (or overwrites) an image file: `bdrv_img_create`.
    ///
    /// # Errors
    /// QEMU's text, without a prefix.
    pub(crate) fn create_image(
        &mut self,
        name: &Name,
        size: Option<u64>,
        format: Format,
        cluster_size: Option<u64>,
        backing: Option<&Name>,
    ) -> Result<(), String> {
        let size = match (size, backing) {
            (Some(size), _) => size,
            (None, Some(backing)) => {
                let file = self.find_file(backing)?;
                self.file(file).image.length
            }
            (None, None) => return Err("Image creation needs a size parameter".into()),
        };
        let image = Image::create(format, size, cluster_size, backing.cloned())?;
        self.unlink(name);
        self.link(name, image);
        Ok(())
    }

    fn link(&mut self, name: &Name, image: Image) -> FileIx {
        let file = self.add_file(File {
            image,
            openers: 0,
            linked: true,
            torn: false,
        });
        self.directory_mut().insert(name.clone(), file);
        file
    }

    fn unlink(&mut self, name: &str) {
        if let Some(file) = self.directory().find(name) {
            self.directory_mut().remove(name);
            self.file_mut(file).linked = false;
            self.reap(file);
        }
    }

    fn reap(&mut self, file: FileIx) {
        let entry = self.file(file);
        if entry.openers == 0 && !entry.linked {
            self.remove_file(file);
        }
    }

    /// The file and everything below it, top first.
    ///
    /// # Errors
    /// A missing file, or a chain without end.
    pub fn chain_of(&self, name: &str) -> Result<Vec<FileIx>, String> {
        let mut chain = vec![self.find_file(name)?];
        while let Some(backing) = self.file(chain[chain.len() - 1]).image.backing.clone() {
            let file = self.find_file(&backing)?;
            if chain.contains(&file) || chain.len() == CHAIN_MAX {
                return Err(format!(
                    "Could not open '{name}': its backing files never end"
                ));
            }
            chain.push(file);
        }
        Ok(chain)
    }

    /// Opens a chain: a node holds every file of it.
    pub(crate) fn open_chain(&mut self, chain: &[FileIx]) {
        for &index in chain {
            let file = self.file_mut(index);
            file.openers += 1;
            file.image.place_the_rest();
        }
    }

    /// Closes a chain that a node held.
    pub(crate) fn close_chain(&mut self, chain: &[FileIx]) {
        for &file in chain {
            self.file_mut(file).openers -= 1;
            self.reap(file);
        }
    }

    /// The images of a chain, top first.
    pub fn images(&self, chain: &[FileIx]) -> Vec<&Image> {
        chain.iter().map(|&file| &self.file(file).image).collect()
    }

    /// What a reader of the chain sees in `range` (bytes).
    pub fn read_chain(&self, chain: &[FileIx], range: std::ops::Range<u64>) -> Runs<Fill> {
        match chain {
            [only] => image::read(&[&self.file(*only).image], range),
            _ => image::read(&self.images(chain), range),
        }
    }

    /// Writes into the chain's top file, as a guest or a tool.
    pub(crate) fn write_file(&mut self, chain: &[FileIx], contents: &Runs<Fill>) {
        self.change_image(chain, false, |image, below| {
            image.write(below, contents);
            contents.iter().for_each(|(range, _)| image.place(&range));
        });
    }

    /// Changes the chain's top image; `adding` says that the change commutes with other additions to that file.
    pub(crate) fn change_image<R>(
        &mut self,
        chain: &[FileIx],
        adding: bool,
        change: impl FnOnce(&mut Image, &[&Image]) -> R,
    ) -> R {
        let top = chain[0];
        if chain.len() == 1 {
            let file = if adding {
                self.file_add(top)
            } else {
                self.file_mut(top)
            };
            return change(&mut file.image, &[]);
        }
        let below: Vec<Image> = self.images(&chain[1..]).into_iter().cloned().collect();
        let below: Vec<&Image> = below.iter().collect();
        let file = if adding {
            self.file_add(top)
        } else {
            self.file_mut(top)
        };
        change(&mut file.image, &below)
    }
}

/// A range that holds one fill.
pub fn filled(offset: u64, len: u64, fill: Fill) -> Runs<Fill> {
    let mut contents = Runs::default();
    if len > 0 {
        contents.set(offset..offset + len, fill);
    }
    contents
}
