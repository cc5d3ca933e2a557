//! Which stories: their files, their loader, the recordings they are held against, and the bridge between what
//! QEMU does (`model`) and how schedules are tried (`sim`).
//!
//! | to find | open |
//! |---|---|
//! | what a scenario file says | [`mod@format`], and its JSON Schema in [`schema`] |
//! | loading one, with errors people can use | [`load`] |
//! | what a story says that can never be | [`judge`] |
//! | what the client does, compiled | [`script`], and doing it: [`client`] |
//! | the bridge: a story as a system of steps | [`scene`] |
//! | the same under QEMU's locks, for threads | [`locks`] |
//! | the lines of a trace | [`mod@line`] |
//! | how large files may be | [`limits`] |
//! | recordings of real QEMU, and whether the model allows them | [`recording`], [`conform`] |
//! | logs of libvirt, qmp-shell and iotests, as recordings | [`mod@log`] |

pub mod client;
pub mod conform;
pub mod coverage;
pub mod engines;
pub mod format;
pub mod generate;
pub mod judge;
pub mod limits;
pub mod line;
pub mod load;
pub mod locks;
pub mod log;
pub mod recording;
pub mod scene;
pub mod schema;
pub mod script;
pub mod shrink;
pub mod size;
