//! The shape of a scenario document: every key that a file may have, with the place where it stands.
//!
//! A script item is the only unusual part: one table below lists its keys with their types, and [`VERBS`] says
//! which expectation goes with which verb. The loader and the JSON Schema both follow these two tables. Nothing
//! is judged here beyond the type of each value.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::Spanned;

use crate::format::{
    Bitmaps, FaultEvent, Faults, Guests, ImagePath, ImgOpt, Launch, Mistake, Pattern, QmpError,
    Request, Skip, StoredBitmap, Until, present,
};
use crate::limits::{DEPTH_MAX, NODES_MAX, SCENARIO};
use crate::load::error::{self, Trouble};
use crate::size::Size;

/// Reads the YAML.
pub(crate) fn read(text: &str) -> Result<RawStory, Trouble> {
    let options = serde_saphyr::options! {
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        reject_unsupported_tags: true,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_depth: DEPTH_MAX,
            max_nodes: NODES_MAX,
            max_events: 3 * NODES_MAX,
            max_total_scalar_bytes: SCENARIO.bytes_max as usize,
            max_recorded_anchor_events: NODES_MAX,
            max_recorded_anchor_bytes: SCENARIO.bytes_max as usize,
        },
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| error::explain(&error))
}

/// A scenario of blockrace: what one QMP client does to one QEMU, and what must come back.
#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Story")]
pub(crate) struct RawStory {
    /// One sentence: what the story shows.
    #[schemars(with = "String")]
    pub title: Spanned<String>,
    /// Where the story comes from.
    #[serde(default)]
    pub source: String,
    /// A paragraph: what could go wrong, and why the story is told.
    #[serde(default)]
    pub about: String,
    /// A blkdebug layer for drives that `launch` starts, by drive id.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, Faults>")]
    pub faults: Named<Faults>,
    /// Guests that send requests while the script goes on, by name. A name and a `start` make one run.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, RawGuest>")]
    pub guests: Named<RawGuest>,
    /// The interesting cases that some interleaving must reach, by their ids: a search that misses one fails.
    #[serde(default)]
    #[schemars(with = "Vec<String>", inner(regex(pattern = "^[a-z]+(-[a-z]+)*$")))]
    pub witnesses: Vec<Spanned<String>>,
    /// The known defects of QEMU that the story shows, by their names: what they break is no surprise, and a search
    /// that does not meet one fails.
    #[serde(default)]
    #[schemars(with = "Vec<String>", inner(regex(pattern = "^[a-z]+(-[a-z]+)*$")))]
    pub defects: Vec<Spanned<String>>,
    /// What is done, in order: one verb per item, and beside it what must come of it.
    #[schemars(with = "Vec<RawItem>", length(min = 1))]
    pub script: Spanned<Vec<Spanned<RawItem>>>,
}

/// A guest: requests to one drive, one after the other, beside the script.
#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Guest")]
pub(crate) struct RawGuest {
    /// The drive or node it writes to.
    #[schemars(with = "String")]
    pub drive: Spanned<String>,
    /// Its requests, as qemu-io lines: `write -P0x11 0 64k`, `read 0 4k`, `flush`, `discard 0 64k`.
    pub requests: Vec<Request>,
}

/// A mapping from names, each with its place.
pub(crate) struct Named<T>(pub Vec<(Spanned<String>, T)>);

// ------------------------------------------------------------------------------------------------- script items

/// Makes the list of keys, the enum of their values, the reading of a value and its schema from one table.
macro_rules! keys {
    ($($(#[doc = $doc:literal])+ $key:literal => $variant:ident($type:ty),)+) => {
        /// Every key that a script item may have.
        pub(crate) const KEYS: &[&str] = &[$($key),+];

        /// The value of one key of a script item.
        pub(crate) enum Entry {
            $($(#[doc = $doc])+ $variant($type),)+
        }

        impl Entry {
            fn read<'de, A: MapAccess<'de>>(key: &Key, map: &mut A) -> Result<Entry, A::Error> {
                match key.0 {
                    $($key => map.next_value().map(Entry::$variant),)+
                    _ => unreachable!("a `Key` is one of `KEYS`"),
                }
            }

            /// The schema of the value of this key, with what an editor shows for it.
            pub(crate) fn schema(key: &str, generator: &mut SchemaGenerator) -> (Schema, &'static str) {
                match key {
                    $($key => (generator.subschema_for::<$type>(), concat!($($doc),+).trim_ascii()),)+
                    _ => unreachable!("internal bug: `VERBS` names the unknown key {key}"),
                }
            }
        }
    };
}

keys! {
    /// A command on image files that no QEMU has open.
    "img" => Img(Box<RawImg>),
    /// Starts QEMU.
    "launch" => Launch(Launch),
    /// A QMP command, as it goes over the wire. Without `error` it must succeed.
    "qmp" => Qmp(RawQmp),
    /// A qemu-io line by human-monitor-command, in the guest's place.
    "hmp" => Hmp(RawHmp),
    /// Waits for an event: looks through those received and not yet taken, oldest first, then reads more.
    "wait" => Wait(RawWait),
    /// Asks for the dirty bitmaps of every node; what is stated (by node, then by bitmap) must hold.
    "bitmaps" => Bitmaps(Bitmaps),
    /// So many events have been received and not been taken by a wait; they are forgotten.
    "pending" => Pending(u64),
    /// Forgets the events received so far.
    "forget" => Forget(Nothing),
    /// Reads events until none comes for so many milliseconds, or until an awaited one has come.
    "settle" => Settle(RawSettle),
    /// Waits so many milliseconds without reading.
    "sleep" => Sleep(Time),
    /// Starts guests, or waits until they have done all their requests.
    "guests" => Guests(Guests),
    /// `quit`, then events to the end.
    "shutdown" => Shutdown(Nothing),
    /// SIGKILL, then what QEMU had sent before, to the end.
    "kill" => Kill(Nothing),
    /// How the image command must end: `identical` or `different` for a comparison, the list of stored bitmaps, `ok` for any other.
    "result" => Result(ImgResult),
    /// What the reply's `return` must hold: all these keys, lists of this length, equal values.
    "reply" => Reply(Value),
    /// The error with which the command must fail.
    "error" => Error(QmpError),
    /// Ways in which the command may end, where it depends on the moment at which it is handled.
    "either" => Either(Vec<Outcome>),
    /// The command may end in any way: for what a machine has written.
    "any" => Any(Nothing),
    /// The lines that must be printed.
    "output" => Output(Vec<String>),
    /// What the data of the event must hold, once it has come.
    "data" => Data(Map<String, Value>),
    /// Keys that the data of the event must not have.
    "absent" => Absent(Vec<String>),
}

/// The verbs, and the expectations that may stand beside each.
pub(crate) const VERBS: &[(&str, &[&str])] = &[
    ("img", &["result"]),
    ("launch", &[]),
    ("qmp", &["reply", "error", "either", "any"]),
    ("hmp", &["output"]),
    ("wait", &["data", "absent"]),
    ("bitmaps", &[]),
    ("pending", &[]),
    ("forget", &[]),
    ("settle", &[]),
    ("sleep", &[]),
    ("guests", &[]),
    ("shutdown", &[]),
    ("kill", &[]),
];

/// What a script item may begin with, for messages.
pub(crate) fn verbs_in_words() -> String {
    let verbs: Vec<&str> = VERBS.iter().map(|(verb, _)| *verb).collect();
    format!(
        "an item is one verb and its expectations; the verbs are {}",
        verbs.join(", ")
    )
}

/// One script item: its keys in the order of the file, each known but not yet checked for sense together.
pub(crate) struct RawItem {
    pub entries: Vec<(Spanned<Key>, Entry)>,
}

/// One of [`KEYS`].
pub(crate) struct Key(pub &'static str);

/// What stands after `img:`. Which of the keys must be there depends on `cmd`.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawImg {
    pub cmd: Spanned<ImgCmd>,
    #[serde(default, deserialize_with = "present")]
    pub img: Option<Spanned<ImagePath>>,
    #[serde(default, deserialize_with = "present")]
    pub size: Option<Spanned<Size>>,
    #[serde(default, deserialize_with = "present")]
    pub backing: Option<Spanned<ImagePath>>,
    #[serde(default, deserialize_with = "present")]
    pub opts: Option<Spanned<BTreeMap<String, ImgOpt>>>,
    #[serde(default, deserialize_with = "present")]
    pub pattern: Option<Spanned<Pattern>>,
    #[serde(default, deserialize_with = "present")]
    pub offset: Option<Spanned<Size>>,
    #[serde(default, deserialize_with = "present")]
    pub len: Option<Spanned<Size>>,
    #[serde(default, deserialize_with = "present")]
    pub to: Option<Spanned<ImagePath>>,
    #[serde(default, deserialize_with = "present")]
    pub a: Option<Spanned<ImagePath>>,
    #[serde(default, deserialize_with = "present")]
    pub b: Option<Spanned<ImagePath>>,
}

#[derive(Clone, Copy, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ImgCmd {
    Create,
    Write,
    Read,
    Copy,
    Rebase,
    Compare,
    Map,
    Bitmaps,
    Remove,
}

/// How an image command ends: with a word, or with a list.
#[derive(Clone, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "a result is `ok`, `identical`, `different`, or a list of stored bitmaps"
)]
pub(crate) enum ImgResult {
    Word(ImgWord),
    Bitmaps(Vec<StoredBitmap>),
}

#[derive(Clone, Copy, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ImgWord {
    Ok,
    Identical,
    Different,
}

/// One way in which a QMP command may end: `{reply: ...}` or `{error: ...}`.
#[derive(serde::Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// It succeeds, and the reply's `return` holds this; `{}` holds in any mapping.
    Reply(Value),
    /// It fails with this error.
    Error(QmpError),
}

/// A QMP command, as it goes over the wire.
#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Qmp")]
pub(crate) struct RawQmp {
    /// The command's name.
    pub execute: String,
    /// Its arguments.
    #[serde(default)]
    pub arguments: Map<String, Value>,
}

/// `qemu-io DRIVE "LINE"`.
#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Hmp")]
pub(crate) struct RawHmp {
    /// The drive or node.
    pub drive: String,
    /// A request (`write -P0xba 0 512`, `flush`), or a command to a blkdebug layer (`break write_aio A`).
    #[schemars(with = "String")]
    pub line: Spanned<String>,
}

/// Which event is waited for.
#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Wait")]
pub(crate) struct RawWait {
    /// The event's name, for example `BLOCK_JOB_COMPLETED`.
    #[schemars(with = "String")]
    pub event: Spanned<String>,
    /// What the data of the awaited event holds.
    #[serde(default, rename = "match")]
    pub matching: Map<String, Value>,
    /// Which of the events before it are forgotten; without it they stay for later waits.
    #[serde(default, deserialize_with = "present")]
    pub skip: Option<Skip>,
    /// How long a real QEMU is given, in seconds.
    #[serde(default, deserialize_with = "present")]
    pub timeout: Option<u64>,
}

/// A silence, and what may come before it.
#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Settle")]
pub(crate) struct RawSettle {
    /// In milliseconds.
    pub ms: u64,
    /// The event that ends it sooner, and is taken; that it does not come is no failure.
    #[serde(default, deserialize_with = "present")]
    pub until: Option<Until>,
}

/// A time.
#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Time {
    /// In milliseconds.
    pub ms: u64,
}

/// Nothing more to say: `{}`.
#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

// ------------------------------------------------------------------------------------------------- reading

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Key, D::Error> {
        let text = String::deserialize(input)?;
        match KEYS.iter().find(|key| **key == text) {
            Some(key) => Ok(Key(key)),
            None => Err(de::Error::unknown_field(&text, KEYS)),
        }
    }
}

impl<'de> Deserialize<'de> for RawItem {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<RawItem, D::Error> {
        struct Item;
        impl<'de> Visitor<'de> for Item {
            type Value = RawItem;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a script item")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawItem, A::Error> {
                let mut entries = Vec::new();
                while let Some(key) = map.next_key::<Spanned<Key>>()? {
                    let entry = Entry::read(&key.value, &mut map)?;
                    entries.push((key, entry));
                }
                Ok(RawItem { entries })
            }
        }
        input.deserialize_map(Item)
    }
}

impl<T> Default for Named<T> {
    fn default() -> Named<T> {
        Named(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Named<T>, D::Error> {
        struct Entries<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Named<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping from names")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Named(entries))
            }
        }
        input.deserialize_map(Entries(PhantomData))
    }
}

/// Reads a type that is one word or number in the file through its `FromStr`.
struct Scalar<T>(PhantomData<T>, &'static str);

impl<T: FromStr<Err = Mistake>> Visitor<'_> for Scalar<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.1)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }
}

macro_rules! scalars {
    ($($type:ty: $name:literal,)+) => {
        $(impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                input.deserialize_any(Scalar(PhantomData, $name))
            }
        })+
    };
}

scalars! {
    Size: "a size",
    Pattern: "a pattern",
    ImagePath: "the path of an image",
    FaultEvent: "a blkdebug event",
    Request: "a qemu-io line",
}
