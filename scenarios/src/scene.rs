//! The meeting point of `model` and `sim`: a story on its stage, as a system whose schedules can be tried.

use model::property::WITNESSES;
use model::step::{Actor, Step as WorldStep};
use model::world::{Part, World};
use sim::{Breach, Footprint, System};

use crate::client::Client;
use crate::line::Line;
use crate::script::Script;

/// A script ready to be played.
pub struct Scene {
    /// What the client does.
    pub script: Script,
}

/// A moment of a play: QEMU's world, and its client.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Moment {
    /// QEMU, the image folder and the guests.
    pub world: World,
    /// The client.
    pub client: Client,
}

/// A step of a play.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The client's.
    Client,
    /// The world's.
    World(WorldStep),
}

/// What the client may touch when it goes on: itself (it is not one of the world's parts, and shares the outbox's
/// bit, which only matters to it), the monitor's inbox, and the guests it starts.
fn client_parts() -> u64 {
    Part::Outbox.bit() | Part::Monitor.bit() | guest_parts()
}

fn guest_parts() -> u64 {
    (0..8).fold(0, |parts, guest| parts | Part::Guest(guest).bit())
}

/// How many actors of a kind have a number of their own.
const IOTHREADS: usize = 16;
const JOBS: usize = 64;

/// The number of an actor of the world; the client is 0.
fn number_of(actor: Actor) -> usize {
    match actor {
        Actor::Monitor => 1,
        Actor::Main => 2,
        Actor::Iothread(context) => 3 + context,
        Actor::Job(job) => 3 + IOTHREADS + job,
        Actor::Guest(guest) => 3 + IOTHREADS + JOBS + guest,
    }
}

/// [`number_of`] backwards; the client is none of the world's.
fn actor_of(number: usize) -> Option<Actor> {
    const JOBS_FROM: usize = 3 + IOTHREADS;
    const GUESTS_FROM: usize = JOBS_FROM + JOBS;
    match number {
        0 => None,
        1 => Some(Actor::Monitor),
        2 => Some(Actor::Main),
        3..JOBS_FROM => Some(Actor::Iothread(number - 3)),
        JOBS_FROM..GUESTS_FROM => Some(Actor::Job(number - JOBS_FROM)),
        _ => Some(Actor::Guest(number - GUESTS_FROM)),
    }
}

/// The first promise of the model's that does not hold.
fn broken_promise(world: &World, resting: bool) -> Option<Breach> {
    let broken = if resting {
        world.broken_at_rest()
    } else {
        world.broken().cloned()
    };
    broken.map(|broken| Breach {
        property: broken.property,
        message: broken.message,
    })
}

impl Scene {
    /// A scene of a script.
    pub fn new(script: Script) -> Scene {
        Scene { script }
    }

    /// What the story has to say about the state of things: a failed expectation, or an end before its end.
    fn verdict(&self, moment: &Moment, resting: bool) -> Result<(), Breach> {
        let failure = match moment.client.failure() {
            Some((line, what)) => Some((line, what.to_owned())),
            None if resting => moment.client.waits_for(&self.script),
            None => None,
        };
        match failure {
            None => Ok(()),
            Some((line, what)) => {
                let message = format!("{}:{line}: {what}", self.script.file);
                Err(Breach {
                    property: "expectation",
                    message,
                })
            }
        }
    }
}

impl System for Scene {
    type State = Moment;
    type Step = Step;
    type Observation = Line;

    fn initial(&self) -> Moment {
        Moment {
            world: self.script.world.clone(),
            client: Client::default(),
        }
    }

    fn enabled(&self, moment: &Moment, steps: &mut Vec<Step>) {
        steps.clear();
        moment.world.enabled_as(steps, Step::World);
        let idle = || {
            steps
                .iter()
                .all(|step| matches!(step, Step::World(WorldStep::Timer(_))))
        };
        if moment.client.has_step(&self.script, idle) {
            steps.insert(0, Step::Client);
        }
    }

    fn apply(&self, moment: &mut Moment, step: Step, seen: &mut Vec<Line>) -> Footprint {
        let Moment { world, client } = moment;
        let mut footprint = Footprint::NONE;
        match step {
            Step::Client => {
                world.forget_witnessed();
                client.step(&self.script, world, seen);
                // A rare step, between the stretches of a story: taken as touching everything.
                footprint.writes = u64::MAX;
            }
            Step::World(step) => {
                let touched = world.apply(step);
                footprint = Footprint {
                    reads: touched.reads,
                    writes: touched.writes,
                    adds: touched.adds,
                    looks: touched.looks,
                };
            }
        }
        client.hear(world);
        if client.proceed(&self.script, world, seen) {
            footprint.writes |= client_parts();
        } else if footprint.writes & guest_parts() != 0 && client.joins(&self.script) {
            // Whether it goes on when one guest has finished depends on the others.
            footprint.reads |= guest_parts();
        }
        footprint
    }

    fn judge(&self, moment: &Moment, resting: bool) -> Result<(), Breach> {
        if let Some(breach) = broken_promise(&moment.world, resting) {
            return Err(breach);
        }
        if moment.client.failure().is_none() && (!resting || moment.client.is_done(&self.script)) {
            return Ok(());
        }
        self.verdict(moment, resting)
    }

    fn witnesses(&self) -> Vec<&'static str> {
        WITNESSES.iter().map(|(id, _)| *id).collect()
    }

    fn witnessed(&self, moment: &Moment) -> u64 {
        moment.world.witnessed()
    }

    fn fingerprint(&self, moment: &Moment) -> u128 {
        sim::hash::fingerprint_of(moment)
    }

    fn name(&self, moment: &Moment, step: Step) -> String {
        match step {
            Step::Client => moment.client.step_name(&self.script),
            Step::World(step) => moment.world.step_name(step),
        }
    }

    fn actor(&self, step: Step) -> usize {
        match step {
            Step::Client => 0,
            Step::World(step) => number_of(step.actor()),
        }
    }

    fn actor_name(&self, moment: &Moment, actor: usize) -> String {
        actor_of(actor).map_or_else(|| "client".into(), |actor| moment.world.actor_name(actor))
    }

    fn crew(&self, moment: &Moment, step: Step) -> Option<u32> {
        match step {
            Step::World(step) => moment.world.crew(step),
            Step::Client => None,
        }
    }
}
