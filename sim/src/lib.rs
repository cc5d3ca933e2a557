//! How schedules are tried: seeded runs, replay, campaigns and membership for anything that takes
//! steps.
//!
//! This crate knows no QEMU. It explores whatever implements the one small trait [`System`], and it
//! is tried on [`toys`] whose numbers of states, schedules and failures can be worked out on paper.
//!
//! ```
//! use sim::parts::Whole;
//! use sim::search::{Control, Options, Verdict, search};
//! use sim::toys::Counter;
//!
//! // Two threads increment a counter without a lock: load, then store.
//! let counter = Whole(Counter { threads: 2, compare_and_swap: false });
//! let report = search(&counter, &Options::default(), &Control::default());
//! let Verdict::Broken(found) = report.verdict else {
//!     panic!("an update can be lost");
//! };
//! assert_eq!(found.breach.property, "no-lost-update");
//! assert_eq!(found.steps.len(), 4);
//! assert!(found.shortest);
//! ```
//!
//! `examples/own_system.rs` is a protocol of its own, from the first line to the shortest schedule that breaks it.
//!
//! | module | what it answers |
//! |---|---|
//! | [`run`] | what happens when the steps are taken in this order? (the one run loop) |
//! | [`strategy`] | which step comes next? (a file and a row each) |
//! | [`seed`] | what does seed 7 mean, for ever? |
//! | [`schedule`] | which steps were taken, as text to read, edit and replay |
//! | [`fuzz`] | does any of these million seeds break a promise? |
//! | [`trials`] | how many runs does a strategy need until one breaks a promise? |
//! | [`median`] | what is typical of a sample, and how sure is that? |
//! | [`shrink`] | which shorter schedule breaks the same promise? |
//! | [`inevitable`] | from which step on was there no way out, and which way was the last? |
//! | [`causes`] | which steps of a run had to come before which? |
//! | [`visit`] | what can be met anywhere? |
//! | [`membership`] | could the system have shown this sequence of observations? |
//! | [`near`] | which of these names was meant? |
//! | [`language`] | what are all the sequences that it can show, and why in more than one way? |
//! | [`stateless`] | does any trace break a promise, when there are too many states to keep? |
//! | [`parts`] | how a state is cut so that millions of them fit, and steps can be remembered |
//! | [`reduce`] | which enabled steps need not be tried, and is what the system says of itself true? |
//! | [`search`] | is there any interleaving that breaks a promise? |
//! | [`threads`] | are the locks enough, when the steps are taken by threads? (loom, and stress) |
//! | [`hash`] | one 128-bit number for a state or a trace, the same on every machine |
//!
//! Everything is a function of its arguments: there is no clock, no environment, no output, and no
//! result that depends on the number of workers; other threads than those of [`fuzz`], [`search`] and
//! [`trials`] are in [`threads`] only, and their order is its business.

#![forbid(unsafe_code)]

pub mod causes;
mod expand;
pub mod fuzz;
pub mod hash;
pub mod inevitable;
pub mod language;
pub mod median;
pub mod membership;
pub mod near;
pub mod parts;
pub mod reduce;
pub mod run;
pub mod schedule;
pub mod search;
pub mod seed;
pub mod shrink;
mod stale;
pub mod stateless;
pub mod strategy;
pub mod sync;
mod system;
pub mod threads;
pub mod toys;
pub mod trials;
pub mod visit;

pub use stale::Stale;
pub use system::{Breach, Footprint, System};
