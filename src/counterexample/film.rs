//! A run as it is shown: who did what, what the client saw of it, and the world after it.

use model::world::World;
use scenarios::line::Line;
use scenarios::scene::{Moment, Scene, Step};
use sim::run::Watcher;
use sim::schedule::Schedule;
use sim::shrink::Size;
use sim::{Footprint, System};

/// Everything that is kept of a run, step by step.
#[derive(Default)]
pub struct Film {
    pub frames: Vec<Frame>,
}

/// One step of a run.
pub struct Frame {
    /// The step's whole name.
    pub step: String,
    /// The number by which actors are ordered.
    pub actor: usize,
    /// What the actor is called.
    pub actor_name: String,
    /// What the client sent and read.
    pub lines: Vec<Line>,
    /// What the step touched.
    pub footprint: Footprint,
    /// The world after the step. Its parts are shared with the frames around it.
    pub world: World,
}

impl Frame {
    /// What was done, without who did it.
    pub fn deed(&self) -> &str {
        let rest = self.step.strip_prefix(&self.actor_name);
        rest.and_then(|rest| rest.strip_prefix(' '))
            .unwrap_or(&self.step)
    }
}

impl Watcher<Scene> for Film {
    fn before(&mut self, scene: &Scene, moment: &Moment, step: Step) {
        let actor = scene.actor(step);
        self.frames.push(Frame {
            step: scene.name(moment, step),
            actor,
            actor_name: scene.actor_name(moment, actor),
            lines: Vec::new(),
            footprint: Footprint::NONE,
            world: moment.world.clone(),
        });
    }

    fn after(&mut self, _: &Scene, moment: &Moment, _: Step, did: Footprint, seen: &[Line]) {
        if let Some(frame) = self.frames.last_mut() {
            frame.lines = seen.to_vec();
            frame.footprint = did;
            frame.world = moment.world.clone();
        }
    }
}

impl Film {
    /// The steps, to be followed again; no headers.
    pub fn schedule(&self) -> Schedule {
        let mut schedule = Schedule::new();
        self.frames
            .iter()
            .for_each(|frame| schedule.push(frame.step.clone()));
        schedule
    }

    /// How many steps at the beginning are the client's alone, who makes images and launches QEMU: nothing else can
    /// happen yet.
    pub fn setup(&self) -> usize {
        let is_clients = |frame: &&Frame| frame.actor_name == "client";
        self.frames.iter().take_while(is_clients).count()
    }

    /// Everything that the client saw, in order.
    pub fn lines(&self) -> Vec<Line> {
        self.frames
            .iter()
            .flat_map(|frame| frame.lines.iter().cloned())
            .collect()
    }

    /// How much there is to read.
    pub fn size(&self) -> Size {
        let changes = |pair: &&[Frame]| pair[0].actor != pair[1].actor;
        Size {
            steps: self.frames.len(),
            switches: self.frames.windows(2).filter(changes).count(),
        }
    }
}
