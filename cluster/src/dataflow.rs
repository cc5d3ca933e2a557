//! The dataflow: one operator in a loop, a round of the shards for each time.
//!
//! A frame that is sent in round *n* goes round the loop and comes to the worker it is for at time *n* + 1. A worker
//! that has done its work of round *n* gives up the right to send at time *n*; when all have, and all they sent has
//! come, the frontier of the operator's input passes *n* + 1, and that is what ends the round. Between two pieces of
//! work a worker lets timely carry what there is, so that queues stay as short as a piece.

use crate::{Process, shard};
use sim::parts::Parts;
use sim::search::shard::Malformed;
use sim::search::{Control, Options, Report, SoFar};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::operator::Operator;
use timely::dataflow::operators::{ConnectLoop, Feedback};
use timely::scheduling::Activator;
use timely::worker::Worker;

/// How long a worker with nothing to do sleeps before it looks again whether somebody wants an end.
const SLEEP: Duration = Duration::from_millis(20);

/// The worker it is for, the worker it is from, and the frame.
type Parcel = (u64, u64, Vec<u8>);

/// What is between a worker's shard and its operator.
#[derive(Default)]
struct Port {
    outgoing: Vec<Parcel>,
    /// By round: frames with the workers they are from, in the order in which they came.
    incoming: BTreeMap<u64, Vec<(usize, Vec<u8>)>>,
    /// The first round in which something may still be sent from here; none once all is over.
    sending: Option<u64>,
    /// All frames of earlier rounds have come.
    arrived: u64,
}

/// Searches with one shard for each worker.
pub fn run<S: Parts>(
    worker: &mut Worker,
    system: &S,
    options: &Options,
    control: &Control,
    process: &impl Process<S>,
) -> Result<Report<S::Step>, Malformed> {
    let index = worker.index();
    let mut keeper = |number, so_far: &mut SoFar<'_>| process.keep(index, number, so_far);
    let mut shard = shard(system, options, (index, worker.peers()), process);
    if process.keeps() {
        shard.set_keeper(&mut keeper);
    }
    let port = Rc::new(RefCell::new(Port {
        sending: Some(0),
        ..Port::default()
    }));
    let operator = build(worker, &port);
    let (mut round, mut is_more) = (0, true);
    loop {
        let frames = port.borrow_mut().incoming.remove(&round);
        for (from, frame) in frames.into_iter().flatten() {
            shard.take(from, &frame)?;
        }
        if is_more {
            let mut port = port.borrow_mut();
            is_more = shard.work(control, &mut |to, frame| {
                port.outgoing.push((to as u64, index as u64, frame));
            });
            port.sending = Some(if is_more { round } else { round + 1 });
            drop(port);
            operator.activate();
            worker.step();
        } else if port.borrow().arrived > round {
            if let Some(report) = shard.turn(control)? {
                port.borrow_mut().sending = None;
                operator.activate();
                return Ok(report);
            }
            (round, is_more) = (round + 1, true);
        } else {
            worker.step_or_park(Some(SLEEP));
        }
    }
}

/// Builds the operator and its loop, and returns what wakes it.
fn build(worker: &mut Worker, port: &Rc<RefCell<Port>>) -> Activator {
    let port = Rc::clone(port);
    worker.dataflow::<u64, _, _>(move |scope| {
        let (handle, frames) = scope.feedback::<Vec<Parcel>>(1);
        let mut operator = None;
        let to = Exchange::new(|parcel: &Parcel| parcel.0);
        let sent = frames.unary_frontier(to, "Shard", |capability, info| {
            operator = Some(scope.activator_for(info.address));
            let mut capability = Some(capability);
            move |(input, frontier), output| {
                let mut port = port.borrow_mut();
                input.for_each(|time, parcels| {
                    let round = time.least().map_or(0, |time| time.saturating_sub(1));
                    let frames = port.incoming.entry(round).or_default();
                    let parcels = parcels.drain(..);
                    frames.extend(parcels.map(|(_, from, frame)| (from as usize, frame)));
                });
                let frontier = frontier.frontier();
                let next = frontier.iter().min().copied();
                port.arrived = next.unwrap_or(u64::MAX).saturating_sub(1);
                if let Some(capability) = &mut capability {
                    output
                        .session(capability)
                        .give_iterator(port.outgoing.drain(..));
                    if let Some(round) = port.sending {
                        capability.downgrade(&round);
                    }
                }
                if port.sending.is_none() {
                    capability = None;
                }
            }
        });
        sent.connect_loop(handle);
        operator.expect("internal bug: the operator was not built")
    })
}
