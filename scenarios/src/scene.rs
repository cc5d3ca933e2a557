//! The meeting point of `model` and `sim`: a story on its stage, as a system whose schedules can be tried.

use model::step::Step as WorldStep;
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
        if moment.client.failure().is_none() && (!resting || moment.client.is_done(&self.script)) {
            return Ok(());
        }
        self.verdict(moment, resting)
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

    fn crew(&self, moment: &Moment, step: Step) -> Option<u32> {
        match step {
            Step::World(step) => moment.world.crew(step),
            Step::Client => None,
        }
    }
}
