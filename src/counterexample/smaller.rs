//! The same broken promise in a smaller story, which is written beside the schedule.

use std::path::Path;
use std::time::Instant;

use scenarios::format::Story;
use scenarios::judge;
use scenarios::scene::Scene;
use scenarios::script::Script;
use scenarios::shrink::{self as stories, Measure};
use sim::Breach;
use sim::run::{End, Recorder, Runner};
use sim::schedule::Schedule;
use sim::seed::run_seed;
use sim::shrink::{Budget, shrink};
use sim::strategy::{Random, Replay};

use super::{Found, Options, is_same};
use crate::failures;
use crate::stage::{self, Loaded, STEPS_MAX};

/// Seeds under which a candidate is played when the schedule of the larger story does not break it.
const SEEDS: u64 = 8;

/// A story made smaller, as it was read back from its file.
pub struct Smaller {
    loaded: Loaded,
    scene: Scene,
    schedule: Schedule,
    breach: Breach,
    /// Before and after.
    pub measures: (Measure, Measure),
}

impl Smaller {
    /// Looks for it, and writes it to the `.min.yaml` of `raw`.
    ///
    /// # Errors
    /// What to print: the file cannot be written.
    pub fn of(
        found: &Found,
        schedule: &Schedule,
        raw: &Path,
        options: &Options,
    ) -> Result<Option<Smaller>, String> {
        if options.shrink_time.is_zero() {
            return Ok(None);
        }
        let started = Instant::now();
        let enough = || started.elapsed() >= options.shrink_time || (options.interrupted)();
        let mut still_breaks =
            |story: &Story, schedule: &Schedule| still_breaks(found, story, schedule);
        let story = &found.loaded.story;
        let smallest = stories::shrink(story, schedule, &mut still_breaks, &enough);
        let measures = (Measure::of(story), Measure::of(&smallest.story));
        if smallest.story == *story {
            return Ok(None);
        }
        let file = failures::shortened(raw, "yaml");
        failures::write(&file, &smallest.story.to_string())?;
        let loaded = stage::load(&path_not_name(&file))?;
        let scene = stage::scene(&loaded, found.dialect)?;
        let end = Runner::new(&scene)
            .run(&mut Replay::new(smallest.schedule.clone()), 0, &mut ())
            .end;
        let End::Breached(breach) = end else {
            return Ok(None);
        };
        Ok(Some(Smaller {
            loaded,
            scene,
            schedule: smallest.schedule,
            breach,
            measures,
        }))
    }

    /// What was found, with this story in place of the larger one.
    pub fn found<'a>(&'a self, larger: &'a Found) -> Found<'a> {
        Found {
            loaded: &self.loaded,
            dialect: larger.dialect,
            scene: &self.scene,
            schedule: &self.schedule,
            breach: &self.breach,
            found_by: larger.found_by,
            again: larger.again.clone(),
        }
    }
}

/// A path that nobody takes for a shipped scenario's name.
fn path_not_name(file: &Path) -> String {
    match file.components().count() {
        1 => format!("./{}", file.display()),
        _ => file.display().to_string(),
    }
}

/// A schedule that breaks the same promise in another story: the one of the larger story as far as it is possible,
/// or that of a few seeds.
fn still_breaks(found: &Found, story: &Story, schedule: &Schedule) -> Option<Schedule> {
    // It will be read from its file like any other story.
    judge::story(story, found.dialect).ok()?;
    let script = Script::of_story(story, &found.loaded.file, found.dialect).ok()?;
    let scene = Scene::new(script);
    let same = |breach: &Breach| is_same(breach, found.breach);
    let once = Budget {
        replays_max: 1,
        steps_max: STEPS_MAX as usize,
        interrupted: &|| false,
    };
    let followed = shrink(&scene, schedule, &same, &once).ok();
    followed.map(|followed| followed.schedule).or_else(|| {
        let mut runner = Runner::new(&scene);
        runner.steps_max = STEPS_MAX;
        (0..SEEDS).find_map(|seed| {
            let mut recorder = Recorder::new();
            let outcome = runner.run(&mut Random::default(), run_seed(0, seed), &mut recorder);
            matches!(&outcome.end, End::Breached(breach) if same(breach))
                .then_some(recorder.schedule)
        })
    })
}
