//! How schedules are tried: seeded runs, replay, campaigns and membership for anything that takes
//! steps.
//!
//! This crate knows no QEMU. It explores whatever implements the one small trait [`System`], and it
//! is tried on [`toys`] whose numbers of states, schedules and failures can be worked out on paper.
//!
//! | module | what it answers |
//! |---|---|
//! | [`run`] | what happens when the steps are taken in this order? (the one run loop) |
//! | [`strategy`] | which step comes next? (a file and a row each) |
//! | [`seed`] | what does seed 7 mean, for ever? |
//! | [`schedule`] | which steps were taken, as text to read, edit and replay |
//! | [`fuzz`] | does any of these million seeds break a promise? |
//! | [`membership`] | could the system have shown this sequence of observations? |
//! | [`stateless`] | does any trace break a promise, when there are too many states to keep? |
//! | [`parts`] | how a state is cut so that millions of them fit, and steps can be remembered |
//! | [`reduce`] | which enabled steps need not be tried, and is what the system says of itself true? |
//! | [`hash`] | one 128-bit number for a state or a trace, the same on every machine |
//!
//! Everything is a function of its arguments: there is no clock, no environment, no output, and no
//! result that depends on the number of workers. The only threads are those of [`fuzz`].

pub mod fuzz;
pub mod hash;
pub mod membership;
pub mod parts;
pub mod reduce;
pub mod run;
pub mod schedule;
pub mod seed;
pub mod stateless;
pub mod strategy;
mod system;
pub mod toys;

pub use system::{Breach, Footprint, System};
