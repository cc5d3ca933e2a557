//! What QEMU does, as plain data and plain functions: images, dirty bitmaps, jobs, transactions, backup.
//!
//! This crate knows nobody: no clock, no random numbers, no threads, no files, no log. A [`world::World`] is
//! everything that can change; [`world::World::enabled`] lists what may happen next;
//! [`world::World::apply`] does one such [`step::Step`] and says what it touched. Whoever chooses the steps
//! chooses the schedule: all nondeterminism is there.
//!
//! ```
//! use model::dialect::QEMU_10_0;
//! use model::event::{Event, Output};
//! use model::file::ImageCommand;
//! use model::image::Format;
//! use model::process::Drive;
//! use model::qmp;
//! use model::world::World;
//! use serde_json::json;
//!
//! // qemu-img create -f qcow2 disk.qcow2 1M
//! let mut world = World::new(&QEMU_10_0);
//! world.qemu_img(&ImageCommand::Create {
//!     name: "disk.qcow2".into(),
//!     size: Some(1 << 20),
//!     format: Format::Qcow2,
//!     cluster_size: None,
//!     backing: None,
//! })?;
//! // qemu-system-x86_64 -drive id=drive0,file=disk.qcow2
//! let drive = Drive {
//!     id: "drive0".into(),
//!     node: None,
//!     file: "disk.qcow2".into(),
//!     blkdebug: None,
//!     iothread: None,
//!     has_device: false,
//! };
//! world.launch(&[drive]).map_err(|error| error.to_string())?;
//! let arguments = json!({"device": "drive0", "target": "backup.qcow2", "sync": "full"});
//! let backup = qmp::parse(&QEMU_10_0, "drive-backup", &arguments).map_err(|error| error.0)?;
//! world.submit("drive-backup".into(), backup);
//!
//! // One schedule of many: always the first step that is possible.
//! let (mut steps, mut said) = (Vec::new(), Vec::new());
//! loop {
//!     world.enabled(&mut steps);
//!     let Some(step) = steps.first() else { break };
//!     world.apply(*step);
//!     world.take_output(|output| said.push(output));
//! }
//! let is_end = |output: &Output| match output {
//!     Output::Event(Event::BlockJobCompleted { error, .. }) => error.is_none(),
//!     _ => false,
//! };
//! assert!(said.iter().any(is_end));
//! assert_eq!(world.broken(), None);
//! # Ok::<(), String>(())
//! ```
//!
//! | to find | open |
//! |---|---|
//! | what may happen next, and what a step is called | [`step`] |
//! | the parts of the world, and who touched what | [`world`] |
//! | bottom halves, nested event loops, drains' waits | [`main_loop`] |
//! | the job status machine, verbs, pause, cancel | [`job`] |
//! | jobs that end together | [`group`] |
//! | `transaction`: prepare, commit, abort, clean | [`transaction`] |
//! | the backup job's creation, coroutine and end | [`backup`] |
//! | claiming and copying clusters | [`block_copy`] |
//! | guests' requests, copy-before-write | [`guest`] |
//! | dirty bitmaps | [`bitmap`], and their commands in [`dirty_bitmap`] |
//! | bitmaps stored in files | [`stored`] |
//! | image contents, chains, qemu-img | [`image`], [`mod@file`] |
//! | nodes, filters, drained sections | [`node`] |
//! | blkdebug rules | [`fault`] |
//! | commands in, replies and events out | [`monitor`], [`qmp`], [`query`], [`event`] |
//! | what is promised, and which cases are interesting | [`property`] |
//! | the world as a row of columns, for searches | [`mod@column`] |
//! | which lock protects what, and which a step names | [`lock`] |
//! | what differs between releases | [`dialect`] |
//! | what they are known to do wrong | [`defect`] |
//! | planted bugs | [`mutation`], and the rules they replace in [`rules`] |

#![forbid(unsafe_code)]

pub mod backup;
pub mod bitmap;
pub mod block_copy;
pub mod column;
pub mod defect;
pub mod dialect;
pub mod dirty_bitmap;
pub mod error;
pub mod event;
pub mod fault;
pub mod file;
mod graph;
pub mod group;
pub mod guest;
pub mod image;
pub mod job;
pub mod lock;
pub mod main_loop;
pub mod monitor;
pub mod mutation;
pub mod name;
pub mod node;
pub mod places;
pub mod process;
pub mod property;
pub mod qmp;
pub mod query;
pub mod rules;
pub mod runs;
pub mod step;
pub mod stored;
pub mod transaction;
pub mod world;
