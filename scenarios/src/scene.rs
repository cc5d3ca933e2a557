//! The meeting point of `model` and `sim`: a story on its stage, as a system whose schedules can be tried.

use model::property::WITNESSES;
use std::sync::Arc;

use model::column::{COLUMNS, Column};
use model::step::{Actor, Step as WorldStep};
use model::world::{Part, World};
use sim::parts::{Offer, Offered, Parts};
use sim::{Breach, Footprint, System};

use crate::client::Client;
use crate::line::Line;
use crate::script::Script;

/// A script ready to be played.
pub struct Scene {
    /// What the client does.
    pub script: Script,
    /// Does a run go on when a known defect has broken a promise?
    forgives: bool,
    /// Where it begins, if not at the beginning.
    start: Option<Moment>,
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

pub(crate) fn guest_parts() -> u64 {
    (0..8).fold(0, |parts, guest| parts | Part::Guest(guest).bit())
}

/// How many iothreads have a number of their own as actors; those beyond share it with others, like their parts.
const IOTHREADS: usize = 3;
/// How many jobs have.
const JOBS: usize = 10;
/// How many guests have.
const GUESTS: usize = 8;

const IOTHREADS_FROM: usize = 3;
const JOBS_FROM: usize = IOTHREADS_FROM + IOTHREADS;
const GUESTS_FROM: usize = JOBS_FROM + JOBS;
pub(crate) const ACTORS: usize = GUESTS_FROM + GUESTS;

/// The number of an actor of the world; the client is 0.
pub(crate) fn number_of(actor: Actor) -> usize {
    match actor {
        Actor::Monitor => 1,
        Actor::Main => 2,
        Actor::Iothread(context) => IOTHREADS_FROM + context % IOTHREADS,
        Actor::Job(job) => JOBS_FROM + job % JOBS,
        Actor::Guest(guest) => GUESTS_FROM + guest % GUESTS,
    }
}

/// Those of the world's actors that have this number; the client is none of them.
fn actors_of(number: usize, world: &World) -> Vec<Actor> {
    match number {
        0 => Vec::new(),
        1 => vec![Actor::Monitor],
        2 => vec![Actor::Main],
        IOTHREADS_FROM..JOBS_FROM => {
            folded(number - IOTHREADS_FROM, IOTHREADS, world.context_slots())
                .map(Actor::Iothread)
                .collect()
        }
        JOBS_FROM..GUESTS_FROM => folded(number - JOBS_FROM, JOBS, world.job_slots())
            .map(Actor::Job)
            .collect(),
        _ => folded(number - GUESTS_FROM, GUESTS, world.guest_slots())
            .map(Actor::Guest)
            .collect(),
    }
}

/// The slots with that number, or that share it; at least one.
fn folded(first: usize, share: usize, slots: usize) -> impl Iterator<Item = usize> {
    (first..slots.max(first + 1)).step_by(share)
}

impl Scene {
    /// A scene of a script.
    pub fn new(script: Script) -> Scene {
        Scene {
            script,
            forgives: false,
            start: None,
        }
    }

    /// A scene in which a run goes on when a known defect of the dialect has broken a promise: what does QEMU do then?
    pub fn forgiving(script: Script) -> Scene {
        Scene {
            forgives: true,
            ..Scene::new(script)
        }
    }

    /// The same scene from a moment on, which it has reached.
    #[must_use]
    pub fn starting_at(self, moment: Moment) -> Scene {
        Scene {
            start: Some(moment),
            ..self
        }
    }

    /// The first promise of the model's that does not hold.
    fn broken_promise(&self, world: &World, resting: bool) -> Option<Breach> {
        let broken = if resting {
            world.broken_at_rest()
        } else {
            world.broken().cloned()
        }?;
        let known = world.explains(&broken).map(|defect| defect.name);
        let breach = Breach {
            known,
            ..Breach::new(broken.property, broken.message)
        };
        (known.is_none() || !self.forgives).then_some(breach)
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
                Err(Breach::new("expectation", message))
            }
        }
    }
}

impl System for Scene {
    type State = Moment;
    type Step = Step;
    type Observation = Line;

    fn initial(&self) -> Moment {
        if let Some(moment) = &self.start {
            return moment.clone();
        }
        Moment {
            world: self.script.world.clone(),
            client: Client::default(),
        }
    }

    fn bytes_of(&self, moment: &Moment) -> usize {
        size_of::<Moment>() + moment.world.bytes_of_its_own() + moment.client.bytes()
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
        match step {
            Step::Client => {
                world.forget_touched();
                world.forget_witnessed();
                client.step(&self.script, world, seen);
            }
            Step::World(step) => {
                world.apply(step);
            }
        }
        client.hear(world);
        let proceeded = client.proceed(&self.script, world, seen);
        let touched = world.footprint();
        let mut footprint = Footprint {
            reads: touched.reads,
            writes: touched.writes,
            adds: touched.adds,
            looks: touched.looks,
        };
        // What a search may take for all that matters.
        footprint.looks = footprint.depends() | Part::Outbox.bit();
        if step == Step::Client {
            // A rare step, between the stretches of a story: taken as touching everything.
            footprint.writes = u64::MAX;
        } else if proceeded {
            footprint.writes |= client_parts();
        } else if footprint.writes & guest_parts() != 0 && client.joins(&self.script) {
            // Whether it goes on when one guest has finished depends on the others.
            footprint.reads |= guest_parts();
        }
        footprint
    }

    fn judge(&self, moment: &Moment, resting: bool) -> Result<(), Breach> {
        if let Some(breach) = self.broken_promise(&moment.world, resting) {
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
        let actors = actors_of(actor, &moment.world);
        match actors.first() {
            None => "client".into(),
            Some(actor) => moment.world.actor_name(*actor),
        }
    }

    fn crew(&self, moment: &Moment, step: Step) -> Option<u32> {
        match step {
            Step::World(step) => moment.world.crew(step),
            Step::Client => None,
        }
    }
}

/// What a column of a moment holds. The client is where the outbox is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Held {
    /// A column of the world's.
    World(Column),
    /// The client, and the world's column beside it.
    Client(Arc<Client>, Column),
}

/// What a part has on the heap behind itself (frames, messages, lists of clusters), about: measured as what a process
/// takes for each part of a story whose states share little, `iotest-124/test_incremental_failure` without reduction.
const BEHIND_A_PART: usize = 3 << 10;

/// The client's column.
pub(crate) const CLIENT: usize = Part::Outbox.bit().trailing_zeros() as usize;

impl Parts for Scene {
    type Part = Held;

    fn columns(&self) -> usize {
        COLUMNS
    }

    fn part(&self, moment: &Moment, column: usize) -> Held {
        let world = moment.world.column(column);
        if column == CLIENT {
            Held::Client(Arc::new(moment.client.clone()), world)
        } else {
            Held::World(world)
        }
    }

    fn bytes_of_part(&self, column: usize) -> usize {
        let client = match column {
            CLIENT => 2 * size_of::<Client>(),
            _ => 0,
        };
        World::bytes_of_column(column) + client + BEHIND_A_PART
    }

    fn put_together(&self, parts: &[Held]) -> Moment {
        let mut moment = self.initial();
        for (column, part) in parts.iter().enumerate() {
            let (Held::World(world) | Held::Client(_, world)) = part;
            moment.world.set_column(column, world);
            if let Held::Client(client, _) = part {
                moment.client = Client::clone(client);
            }
        }
        moment
    }

    fn offers(&self) -> usize {
        ACTORS
    }

    fn depends(&self, _step: Step, footprint: Footprint) -> u64 {
        footprint.looks
    }

    fn changes(&self, _step: Step, footprint: Footprint) -> u64 {
        (footprint.writes | footprint.adds) & footprint.looks
    }

    fn offer(&self, moment: &Moment, number: usize, offer: &mut Offer<Step>) {
        offer.clear();
        let Moment { world, client } = moment;
        if number == 0 {
            offer.looked = Part::Outbox.bit();
            offer.when_idle = client.waits_for_idleness(&self.script);
            if client.has_step(&self.script, || true) {
                offer.steps.push(Offered::new(Step::Client));
            }
            return;
        }
        world.forget_touched();
        let mut steps = Vec::new();
        for actor in actors_of(number, world) {
            world.enabled_for(actor, |step| steps.push(step));
        }
        let offered = steps.into_iter().map(|step| Offered {
            step: Step::World(step),
            crew: world.crew(step),
            of_time: matches!(step, WorldStep::Timer(_)),
        });
        offer.steps.extend(offered);
        let touched = world.footprint();
        offer.looked = touched.reads | touched.looks;
    }
}
