//! The exact search, spread over threads, processes and machines.
//!
//! What is searched, and what a frame is like, is the business of [`sim::search::shard`]. This package
//! carries frames between shards on [timely dataflow](https://docs.rs/timely) (`dataflow.rs`), and brings processes
//! together (`join.rs`): timely trusts whoever is at the other end of a connection, so nobody gets one who has not
//! said that it is a blockrace of this version, about to search the same. While they search, each process hears
//! from each other on a second connection (`lifeline.rs`), and knows when one is gone.
//!
//! None of this is encrypted, and nobody proves who he is. It belongs on a network that you trust.

mod dataflow;
mod join;
mod lifeline;

pub use join::{Greeting, Peers, Refusal, join};
pub use lifeline::Lifelines;

use sim::Stale;
use sim::parts::Parts;
use sim::search::shard::{Place, Shard};
use sim::search::{Control, Options, Report, Saved, SoFar};
use std::any::Any;
use std::io::Read;
use std::net::TcpStream;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use timely::communication::Hooks;
use timely::communication::allocator::zero_copy::initialize::initialize_networking_from_sockets;
use timely::communication::allocator::{AllocatorBuilder, ProcessBuilder};
use timely::{CommunicationConfig, WorkerConfig};

/// The process that searches: what it hears of the search, and what it keeps.
pub trait Process<S: Parts>: Send + Sync {
    /// All together have found this. One worker says so, before the others are waited for.
    fn found(&self, report: &Report<S::Step>);

    /// The search cannot go on: a frame could not be read, or a rule panicked. The threads of a dataflow cannot be
    /// stopped, so this never returns.
    fn fail(&self, what: &str) -> !;

    /// What shard number `shard` was kept as, and with which number: see [`Shard::restore`].
    fn kept(&self, _shard: usize) -> Option<(u64, Saved, Box<dyn Read>)> {
        None
    }

    /// What it was kept as is not of this search.
    fn refuse(&self, _shard: usize, why: Stale) -> ! {
        self.fail(&why.to_string())
    }

    /// Whether shards are to be kept: see [`Shard::set_keeper`].
    fn keeps(&self) -> bool {
        false
    }

    /// Keeps shard number `shard`.
    fn keep(&self, _shard: usize, _number: u64, _so_far: &mut SoFar<'_>) {}
}

/// Searches with `options.jobs` workers here and as many at each of the peers.
///
/// `sockets` has one for each process in the order of their numbers, and none at our own place; it is empty if there
/// is no other process. `options.bytes_max` is for all workers here together.
///
/// # Errors
///
/// The threads that carry frames cannot be started.
pub fn search<S>(
    system: &Arc<S>,
    options: &Options,
    sockets: Vec<Option<TcpStream>>,
    control: &Arc<Control>,
    process: Arc<impl Process<S> + 'static>,
) -> Result<(), String>
where
    S: Parts + Send + Sync + 'static,
{
    let jobs = options.jobs.get();
    let (builders, others) = allocators(jobs, sockets)?;
    let mut options = *options;
    if options.bytes_max != u64::MAX {
        options.bytes_max = (options.bytes_max / jobs as u64).max(1);
    }
    let (system, control) = (Arc::clone(system), Arc::clone(control));
    let guards =
        timely::execute::execute_from(builders, others, WorkerConfig::default(), move |worker| {
            let is_first = worker.index() % jobs == 0;
            let work = || dataflow::run(worker, &*system, &options, &control, &*process);
            match catch_unwind(AssertUnwindSafe(work)) {
                Ok(Ok(report)) if is_first => process.found(&report),
                Ok(Ok(_)) => {}
                Ok(Err(malformed)) => process.fail(&malformed.to_string()),
                Err(payload) => process.fail(&said(&*payload)),
            }
        })?;
    guards.join();
    Ok(())
}

/// What timely builds its workers from, and what it holds meanwhile.
type Built = (Vec<AllocatorBuilder>, Box<dyn Any + Send>);

fn allocators(jobs: usize, sockets: Vec<Option<TcpStream>>) -> Result<Built, String> {
    let Some(process) = sockets.iter().position(Option::is_none) else {
        return CommunicationConfig::Process(jobs).try_build();
    };
    let hooks = Hooks::default();
    let within = ProcessBuilder::new_typed_vector(jobs, hooks.refill.clone(), hooks.spill.clone());
    let (builders, guard) =
        initialize_networking_from_sockets(within, sockets, process, jobs, hooks)
            .map_err(|error| error.to_string())?;
    let builders = builders.into_iter().map(AllocatorBuilder::Tcp);
    Ok((builders.collect(), Box::new(guard)))
}

/// What a panic said.
fn said(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    text.unwrap_or("no message").to_owned()
}

/// The shard of one worker of so many.
fn shard<'s, S: Parts>(
    system: &'s S,
    options: &Options,
    (number, count): (usize, usize),
    process: &impl Process<S>,
) -> Shard<'s, S> {
    let count = NonZeroUsize::new(count).expect("internal bug: timely runs without workers");
    let place = Place { number, count };
    match process.kept(number) {
        None => Shard::new(system, options, place),
        Some((kept, saved, mut states)) => {
            Shard::restore(system, options, place, kept, (saved, &mut states))
                .unwrap_or_else(|stale| process.refuse(number, stale))
        }
    }
}
