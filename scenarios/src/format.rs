//! What a scenario file says, as plain data.
//!
//! A story is what one QMP client does to one QEMU, step by step, and what must come back: image commands,
//! a launch, QMP and HMP commands, waits for events. The same data is played by the model and by a real QEMU.
//! Each verb carries its own expectations, so that an expectation cannot stand beside the wrong verb.
//! The qemu-io lines of guests and of the monitor are understood in `qemu_io`; what it means that an
//! expectation holds is in `expect`.
//!
//! Left to others: reading files and judging whole stories (`load`), the JSON Schema (`schema`), playing.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::size::Size;

mod expect;
mod mistake;
mod qemu_io;
mod write;

pub use expect::{mismatch, mismatch_in};
pub use mistake::Mistake;
pub(crate) use mistake::{did_you_mean, nearest_and_all};

/// One scenario file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// The file's name without folder and ending.
    pub name: String,
    /// One sentence: what the story shows.
    pub title: String,
    /// Where the story comes from; empty when it is new.
    pub source: String,
    /// A paragraph: what could go wrong, and why the story is told.
    pub about: String,
    /// A blkdebug layer for drives that `launch` starts, by drive id.
    pub faults: BTreeMap<String, Faults>,
    /// Guests that send requests while the script goes on, by name.
    pub guests: BTreeMap<String, Guest>,
    /// The interesting cases that some interleaving must reach, by the ids of the model's witnesses.
    pub witnesses: Vec<String>,
    /// The known defects of QEMU that some interleaving must show, by the model's names for them.
    pub defects: Vec<String>,
    /// What is done, in order. Never empty.
    pub script: Vec<Item>,
}

/// One line of the script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The line of the file on which the item starts, counted from 1: what a run-time message points at.
    pub line: u32,
    /// What is done, and what must come of it.
    pub verb: Verb,
}

/// What one script item does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb {
    /// A `qemu-img` or `qemu-io` command on an image that no QEMU has open.
    Img(Img),
    /// Starts QEMU. Everything from `Qmp` to `Guests` needs it running.
    Launch(Launch),
    /// A QMP command and its reply.
    Qmp(Qmp),
    /// A qemu-io line by `human-monitor-command`, in the guest's place.
    Hmp(Hmp),
    /// Waits for an event, as `event_wait` of iotests does.
    Wait(Wait),
    /// Asks for the dirty bitmaps of every node (`query-named-block-nodes`).
    Bitmaps(Bitmaps),
    /// So many events have been received and not been taken by a wait; they are forgotten.
    Pending(u64),
    /// Forgets the events received so far.
    Forget,
    /// Reads events until none has come for so many milliseconds, or until one that was awaited has come.
    Settle {
        /// The silence to wait for.
        ms: u64,
        /// The event that ends it sooner, and is taken.
        until: Option<Until>,
    },
    /// Waits so many milliseconds without reading.
    Sleep {
        /// The time to wait.
        ms: u64,
    },
    /// Starts guests, or waits until they have done all their requests.
    Guests(Guests),
    /// `quit`, then events to the end.
    Shutdown,
    /// SIGKILL, as soon as the script gets there; then what QEMU had sent before, to the end (exit code -9).
    Kill,
}

impl Verb {
    /// The key by which a story names this verb.
    pub fn name(&self) -> &'static str {
        match self {
            Verb::Img(_) => "img",
            Verb::Launch(_) => "launch",
            Verb::Qmp(_) => "qmp",
            Verb::Hmp(_) => "hmp",
            Verb::Wait(_) => "wait",
            Verb::Bitmaps(_) => "bitmaps",
            Verb::Pending(_) => "pending",
            Verb::Forget => "forget",
            Verb::Settle { .. } => "settle",
            Verb::Sleep { .. } => "sleep",
            Verb::Guests(_) => "guests",
            Verb::Shutdown => "shutdown",
            Verb::Kill => "kill",
        }
    }
}

// ------------------------------------------------------------------------------------------------- images

/// A command on image files. It must succeed; only a comparison has more than one good end.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(tag = "cmd", rename_all = "lowercase", deny_unknown_fields)]
pub enum Img {
    /// `qemu-img create`.
    Create {
        /// The new image.
        img: ImagePath,
        /// Its size.
        size: Size,
        /// The image below it.
        #[schemars(default)]
        backing: Option<ImagePath>,
        /// Options of the image format (`-o`), for example `{cluster_size: 128k}`.
        #[schemars(default)]
        opts: BTreeMap<String, ImgOpt>,
    },
    /// `qemu-io -c "write -P ..."`.
    Write {
        /// The image to write to.
        img: ImagePath,
        /// The byte to write.
        pattern: Pattern,
        /// Where.
        offset: Size,
        /// How much.
        len: Size,
    },
    /// `qemu-io -c "read -P ..."`: the range must hold the pattern.
    Read {
        /// The image to read from.
        img: ImagePath,
        /// The byte that must be there.
        pattern: Pattern,
        /// Where.
        offset: Size,
        /// How much.
        len: Size,
    },
    /// Copies the file.
    Copy {
        /// The image to copy.
        img: ImagePath,
        /// The copy.
        to: ImagePath,
    },
    /// `qemu-img rebase -u`: another backing file, the same clusters.
    Rebase {
        /// The image to change.
        img: ImagePath,
        /// The image below it from now on.
        backing: ImagePath,
    },
    /// `qemu-img compare`.
    Compare {
        /// One image.
        a: ImagePath,
        /// The other.
        b: ImagePath,
        /// How the comparison must end (`result` in the file); without it any end will do.
        #[schemars(skip)]
        result: Option<Comparison>,
    },
    /// `qemu-img map`.
    Map {
        /// The image to look at.
        img: ImagePath,
    },
    /// The bitmaps stored in the file, as `qemu-img info` lists them.
    Bitmaps {
        /// The image to look at.
        img: ImagePath,
        /// All of them, in the file's order (`result` in the file); without it there may be any.
        #[schemars(skip)]
        result: Option<Vec<StoredBitmap>>,
    },
    /// Deletes the file.
    Remove {
        /// The image to delete.
        img: ImagePath,
    },
}

/// The end of `qemu-img compare`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// Both images have the same content.
    Identical,
    /// They do not.
    Different,
}

impl Comparison {
    /// The word used in stories and recordings.
    pub fn name(self) -> &'static str {
        match self {
            Comparison::Identical => "identical",
            Comparison::Different => "different",
        }
    }
}

/// A bitmap stored in an image, as `qemu-img info --output=json` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoredBitmap {
    /// Its name.
    pub name: String,
    /// Bytes per bit.
    pub granularity: Size,
    /// Its flags in alphabetical order: `auto` (it records), `in-use` (it is out of date).
    #[serde(default)]
    pub flags: Vec<StoredFlag>,
}

/// QEMU: `Qcow2BitmapInfoFlags`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum StoredFlag {
    /// It records from the moment on at which the image is opened.
    Auto,
    /// Nobody has stored it since the image was opened.
    InUse,
}

/// The value of one image option, as `qemu-img create -o` takes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum ImgOpt {
    /// A switch: `lazy_refcounts: true`.
    Switch(bool),
    /// A number: `refcount_bits: 1`.
    Number(u64),
    /// A text, also a size with its unit: `cluster_size: 128k`.
    Text(String),
}

impl fmt::Display for ImgOpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImgOpt::Switch(on) => f.write_str(if *on { "on" } else { "off" }),
            ImgOpt::Number(number) => write!(f, "{number}"),
            ImgOpt::Text(text) => f.write_str(text),
        }
    }
}

/// A file in the image folder, written `$DIR/NAME`: a story can touch no other file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImagePath(String);

impl ImagePath {
    /// The path as the story has it, with `$DIR`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part after `$DIR/`.
    pub fn in_folder(&self) -> &str {
        &self.0["$DIR/".len()..]
    }
}

impl fmt::Display for ImagePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ImagePath {
    type Err = Mistake;

    fn from_str(text: &str) -> Result<ImagePath, Mistake> {
        match text.strip_prefix("$DIR/") {
            Some(name) if !name.is_empty() && !name.split('/').any(|part| part == "..") => {
                Ok(ImagePath(text.to_owned()))
            }
            _ => Err(Mistake::new(
                format!("`{text}` is not in the image folder"),
                "write `$DIR/NAME`: each run has its own folder, and a story touches no file outside it",
            )),
        }
    }
}

/// One byte, written `65` or `0x41`: what a write fills its range with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern(pub u8);

impl Pattern {
    /// What qemu-io writes when it is told no pattern.
    pub const QEMU_IO_DEFAULT: Pattern = Pattern(0xcd);
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#04x}", self.0)
    }
}

impl FromStr for Pattern {
    type Err = Mistake;

    fn from_str(text: &str) -> Result<Pattern, Mistake> {
        let byte = match text.strip_prefix("0x") {
            Some(hexadecimal) if hexadecimal.chars().all(|digit| digit.is_ascii_hexdigit()) => {
                u8::from_str_radix(hexadecimal, 16)
            }
            // A leading zero means octal to qemu-io and decimal to everybody else.
            _ if text.len() > 1 && text.starts_with(['0', '+']) => "".parse(),
            _ => text.parse(),
        };
        byte.map(Pattern).map_err(|_| {
            Mistake::new(
                format!("`{text}` is not a pattern"),
                "a pattern is one byte: 0 to 255, or 0x00 to 0xff",
            )
        })
    }
}

// ------------------------------------------------------------------------------------------------- QEMU

/// Starts QEMU with these drives.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Launch {
    /// The drives, in order (`-drive`).
    #[serde(default)]
    pub drives: Vec<Drive>,
    /// Further arguments of QEMU.
    #[serde(default)]
    pub args: Vec<String>,
}

/// A drive that QEMU starts with. A blkdebug layer for it stands under `faults`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Drive {
    /// The name of the drive (of its block backend).
    pub id: String,
    /// Its image.
    pub file: ImagePath,
    /// The name of the node of its image format.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub node: Option<String>,
    /// The device that the guest sees (`if=`), for example `virtio`; without it there is none.
    #[serde(
        default,
        deserialize_with = "present",
        rename = "if",
        skip_serializing_if = "Option::is_none"
    )]
    pub interface: Option<String>,
}

/// A QMP command, and how it must end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Qmp {
    /// The command's name.
    pub execute: String,
    /// Its arguments, in the order of the file.
    pub arguments: Map<String, Value>,
    /// Its reply: one of these. Never empty; more than one where the moment decides how the command ends.
    pub answers: Vec<Answer>,
}

/// One way in which a QMP command may end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It must succeed, and what it returns must hold this (see [`mismatch`]) when something is stated.
    Return(Option<Value>),
    /// It must fail, and so.
    Error(QmpError),
    /// It may end in any way.
    Any,
}

/// The error of a QMP command.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QmpError {
    /// The error's class.
    pub class: ErrorClass,
    /// The error's text, whole; without it any text will do.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub desc: Option<String>,
}

/// QEMU: `QapiErrorClass`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum ErrorClass {
    /// Nearly every error.
    GenericError,
    /// No such command.
    CommandNotFound,
    /// The device is not active.
    DeviceNotActive,
    /// No such device.
    DeviceNotFound,
    /// The host lacks a KVM capability.
    KVMMissingCap,
}

impl ErrorClass {
    /// The word used on the wire.
    pub fn name(self) -> &'static str {
        match self {
            ErrorClass::GenericError => "GenericError",
            ErrorClass::CommandNotFound => "CommandNotFound",
            ErrorClass::DeviceNotActive => "DeviceNotActive",
            ErrorClass::DeviceNotFound => "DeviceNotFound",
            ErrorClass::KVMMissingCap => "KVMMissingCap",
        }
    }
}

/// `human-monitor-command` with `qemu-io DRIVE "LINE"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hmp {
    /// The drive or node.
    pub drive: String,
    /// The line as the story has it.
    pub line: String,
    /// The line, understood.
    pub command: HmpCommand,
    /// The lines that must be printed, no more and no fewer (the line with the timing does not count).
    pub output: Option<Vec<String>>,
}

/// Waits for an event.
///
/// The events received so far and not yet taken are looked through, oldest first; then more are read. The
/// first that fits is taken, and those before it stay, unless `skip` says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// The event's name.
    pub event: String,
    /// What the data of the awaited event holds (see [`mismatch`]): this chooses the event.
    pub matching: Map<String, Value>,
    /// Which of the events before it are forgotten; without it they stay for later waits.
    pub skip: Option<Skip>,
    /// How long a real QEMU is given, in seconds; without it the player's own limit holds.
    pub timeout: Option<u64>,
    /// What the data of the event must hold, once it has come.
    pub data: Map<String, Value>,
    /// Keys that the data must not have.
    pub absent: Vec<String>,
}

/// An event that may come, and ends a [`Verb::Settle`] when it does. It is looked for as by a [`Wait`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Until {
    /// The event's name.
    pub event: String,
    /// What its data holds (see [`mismatch`]).
    #[serde(default, rename = "match", skip_serializing_if = "Map::is_empty")]
    pub matching: Map<String, Value>,
}

/// Which events before the awaited one a wait forgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Skip {
    /// Those of the same name.
    Same,
    /// All.
    All,
}

/// What must hold of the dirty bitmaps, by node and name; what is not named may be anything.
pub type Bitmaps = BTreeMap<String, BTreeMap<String, BitmapState>>;

/// What must hold of one dirty bitmap.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BitmapState {
    /// Set bits times granularity, in bytes.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub count: Option<Size>,
    /// Bytes per bit.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub granularity: Option<Size>,
    /// It records writes, itself or by its successor.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub recording: Option<bool>,
    /// An operation owns it.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub busy: Option<bool>,
    /// It will be stored in the image.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub persistent: Option<bool>,
    /// It was not stored when the image was last closed.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub inconsistent: Option<bool>,
    /// The one word that releases before QEMU 6.0 gave.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub status: Option<BitmapStatus>,
}

/// QEMU: `DirtyBitmapStatus`, removed in 6.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BitmapStatus {
    /// Records writes, and nobody uses it.
    Active,
    /// Has a successor.
    Frozen,
    /// In use without a successor.
    Locked,
    /// Does not record.
    Disabled,
    /// Not to be trusted, only to be removed.
    Inconsistent,
}

impl BitmapStatus {
    /// The word used on the wire.
    pub fn name(self) -> &'static str {
        match self {
            BitmapStatus::Active => "active",
            BitmapStatus::Frozen => "frozen",
            BitmapStatus::Locked => "locked",
            BitmapStatus::Disabled => "disabled",
            BitmapStatus::Inconsistent => "inconsistent",
        }
    }
}

// ------------------------------------------------------------------------------------------------- guests

/// What is done with guests.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Guests {
    /// They begin to send their requests; the script goes on.
    Start(Vec<String>),
    /// The script goes on when they have done them all.
    Join(Vec<String>),
}

/// A guest: requests to one drive, one after the other, beside the script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    /// The drive or node it writes to.
    pub drive: String,
    /// Its requests: each begins when the one before has ended.
    pub requests: Vec<Request>,
}

/// A request to a drive, as a qemu-io line.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Request {
    /// `write [-P PATTERN | -z] OFFSET LENGTH`
    Write {
        /// Where.
        offset: Size,
        /// How much.
        len: Size,
        /// What.
        fill: Fill,
    },
    /// `aio_write [-P PATTERN | -z] OFFSET LENGTH`: a write that nobody waits for.
    AioWrite {
        /// Where.
        offset: Size,
        /// How much.
        len: Size,
        /// What.
        fill: Fill,
    },
    /// `read [-P PATTERN] OFFSET LENGTH`
    Read {
        /// Where.
        offset: Size,
        /// How much.
        len: Size,
        /// The byte that must be there; without it anything will do.
        pattern: Option<Pattern>,
    },
    /// `discard OFFSET LENGTH`
    Discard {
        /// Where.
        offset: Size,
        /// How much.
        len: Size,
    },
    /// `flush`
    Flush,
}

/// What a write writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fill {
    /// This byte, over and over (`-P`).
    Pattern(Pattern),
    /// Zeroes, by a write-zeroes request (`-z`).
    Zeroes,
}

/// A qemu-io line of the monitor: a request, or a command to a blkdebug layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HmpCommand {
    /// A request, in the guest's place.
    Request(Request),
    /// `break EVENT TAG`: the next request that announces the event stops there.
    Break {
        /// The event of the breakpoint.
        event: FaultEvent,
        /// The name of the breakpoint, and of the request that it stops.
        tag: String,
    },
    /// `resume TAG`: lets a stopped request go on.
    Resume {
        /// The name of the breakpoint.
        tag: String,
    },
    /// `wait_break TAG`: waits until a request has stopped.
    WaitBreak {
        /// The name of the breakpoint.
        tag: String,
    },
    /// `remove_break TAG`: takes the breakpoint away, and lets requests stopped there go on.
    RemoveBreak {
        /// The name of the breakpoint.
        tag: String,
    },
}

// ------------------------------------------------------------------------------------------------- faults

/// The rules of a blkdebug layer, with QEMU's own keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Faults {
    /// Rules that change the layer's state.
    #[serde(default, rename = "set-state")]
    pub set_state: Vec<SetState>,
    /// Rules that make requests fail.
    #[serde(default, rename = "inject-error")]
    pub inject_error: Vec<InjectError>,
}

/// When the event fires in `state`, the state becomes `new_state`. A layer starts in state 1.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetState {
    /// The event.
    pub event: FaultEvent,
    /// The state in which the rule holds; 0 is any.
    #[serde(default)]
    pub state: u32,
    /// The state afterwards.
    pub new_state: u32,
}

/// When the event fires in `state`, a following request fails.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InjectError {
    /// The event.
    pub event: FaultEvent,
    /// The state in which the rule holds; 0 is any.
    #[serde(default)]
    pub state: u32,
    /// The error: 5 is EIO, 28 is ENOSPC.
    #[serde(default = "eio")]
    pub errno: u32,
    /// Only requests that touch this sector of 512 bytes.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub sector: Option<u64>,
    /// The rule is gone after the first request that it hits.
    #[serde(default)]
    pub once: bool,
    /// The request fails at once; otherwise one turn of the event loop later.
    #[serde(default)]
    pub immediately: bool,
    /// Only requests of this kind; without it all but `block-status`.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub iotype: Option<IoType>,
}

const fn eio() -> u32 {
    5
}

/// QEMU: `BlkdebugIOType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IoType {
    /// Reads.
    Read,
    /// Writes.
    Write,
    /// Write-zeroes requests.
    WriteZeroes,
    /// Discards.
    Discard,
    /// Flushes.
    Flush,
    /// Block-status queries.
    BlockStatus,
}

/// QEMU: `BlkdebugEvent`, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FaultEvent(&'static str);

impl FaultEvent {
    /// Every event that a blkdebug layer knows.
    #[rustfmt::skip]
    pub const ALL: &'static [&'static str] = &[
        "l1_update", "l1_grow_alloc_table", "l1_grow_write_table", "l1_grow_activate_table", "l2_load", "l2_update",
        "l2_update_compressed", "l2_alloc_cow_read", "l2_alloc_write", "read_aio", "read_backing_aio",
        "read_compressed", "write_aio", "write_compressed", "vmstate_load", "vmstate_save", "cow_read", "cow_write",
        "reftable_load", "reftable_grow", "reftable_update", "refblock_load", "refblock_update",
        "refblock_update_part", "refblock_alloc", "refblock_alloc_hookup", "refblock_alloc_write",
        "refblock_alloc_write_blocks", "refblock_alloc_write_table", "refblock_alloc_switch_table", "cluster_alloc",
        "cluster_alloc_bytes", "cluster_free", "flush_to_os", "flush_to_disk", "pwritev_rmw_head",
        "pwritev_rmw_after_head", "pwritev_rmw_tail", "pwritev_rmw_after_tail", "pwritev", "pwritev_zero",
        "pwritev_done", "empty_image_prepare", "l1_shrink_write_table", "l1_shrink_free_l2_clusters", "cor_write",
        "cluster_alloc_space", "none",
    ];

    /// QEMU's name of the event.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for FaultEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl FromStr for FaultEvent {
    type Err = Mistake;

    fn from_str(text: &str) -> Result<FaultEvent, Mistake> {
        match Self::ALL.iter().find(|known| **known == text) {
            Some(known) => Ok(FaultEvent(known)),
            None => Err(Mistake::new(
                format!("blkdebug has no event `{text}`"),
                nearest_and_all(
                    text,
                    Self::ALL,
                    "often used: read_aio, write_aio, flush_to_disk, cluster_alloc",
                ),
            )),
        }
    }
}

/// Writes a type that is one word or number in the file as its text.
macro_rules! written_as_text {
    ($($type:ty),+) => {
        $(impl Serialize for $type {
            fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
                output.collect_str(self)
            }
        })+
    };
}

written_as_text!(Size, Pattern, ImagePath, FaultEvent, Request);

/// Reads the value of a key that may be missing: when it is there it has to be something, not YAML's null.
pub(crate) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    input: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(input).map(Some)
}
