//! `blockrace report`: one run, or one check, as a single HTML file to look at.
//!
//! A report computes nothing about QEMU: engines return outcomes, and what is here says where on the page they stand.
//! The page needs no network and no scripts; a script only adds keys and a mouse. Templates are in `templates/`.

mod args;
mod cells;
mod lanes;
mod layers;
mod parts;
mod passing;
mod picture;
mod play;
mod survey;

use std::io::Write;
use std::path::Path;

use askama::Template;
use model::dialect::Dialect;
use scenarios::coverage::steps::StepMatrix;
use scenarios::scene::Scene;
use sim::run::{End, Outcome, Runner};
use sim::schedule::Schedule;
use sim::search::goes_round;
use sim::seed::run_seed;
use sim::strategy::Replay;

use self::lanes::Wire;
use self::play::{Play, Played};
use self::survey::Survey;
use crate::counterexample::{self, Film};
use crate::exit::Exit;
use crate::failures;
use crate::stage::{self, Loaded, STEPS_MAX};
use crate::terminal;
use crate::watch::Watch;

pub use args::ReportArgs;

/// Writes the report.
///
/// # Errors
/// What to print: a scenario or a schedule that cannot be used, a file that cannot be written.
pub fn run(args: &ReportArgs) -> Result<Exit, String> {
    let watch = Watch::new(None);
    let (page, exit) = match args.schedule()? {
        Some(file) => of_schedule(args, file, &watch)?,
        None if args.check => of_check(args, &watch)?,
        None => of_seed(args, &watch)?,
    };
    if args.to_stdout() {
        crate::written(terminal::out(false).write_all(page.as_bytes()))?;
        return Ok(exit);
    }
    failures::write(&args.output, &page)?;
    let file = args.output.display();
    crate::written(writeln!(terminal::out(true), "{file}"))?;
    if args.open {
        open::that_detached(&args.output)
            .map_err(|error| format!("{file}: written, but no browser opens it: {error}"))?;
    }
    Ok(exit)
}

/// The page of a schedule, and how that ended. `again` is the line to paste.
///
/// # Errors
/// What to print.
pub fn page_of_schedule(
    (loaded, dialect, scene): (&Loaded, &'static Dialect, &Scene),
    schedule: &Schedule,
    again: String,
    interrupted: &dyn Fn() -> bool,
) -> Result<(String, End), String> {
    let (film, outcome) = follow(scene, schedule);
    let played = Played {
        loaded,
        dialect,
        scene,
        film,
        outcome,
        again,
    };
    Ok((page_of_run(&played, interrupted)?, played.outcome.end))
}

fn of_schedule(args: &ReportArgs, file: &Path, watch: &Watch) -> Result<(String, Exit), String> {
    let schedule = stage::read_schedule(file)?;
    let loaded = stage::load(stage::scenario_of(
        &schedule,
        file,
        args.scenario.as_deref(),
    )?)?;
    let dialect = stage::dialect_of(&schedule, file, &args.qemu)?;
    let scene = stage::scene(&loaded, dialect)?;
    let again = format!("blockrace replay {}", file.display());
    let (page, end) = page_of_schedule((&loaded, dialect, &scene), &schedule, again, &|| {
        watch.is_interrupted()
    })?;
    let exit = match end {
        End::Diverged(_) => Exit::Diverged,
        _ => Exit::Clean,
    };
    Ok((page, exit))
}

fn follow(scene: &Scene, schedule: &Schedule) -> (Film, Outcome) {
    let (film, mut outcome) = counterexample::watch(scene, &mut Replay::new(schedule.clone()));
    if let (End::Stopped, Some(breach)) = (&outcome.end, goes_round(scene, &film.schedule())) {
        outcome.end = End::Breached(breach);
    }
    (film, outcome)
}

fn of_seed(args: &ReportArgs, watch: &Watch) -> Result<(String, Exit), String> {
    let scenario = args.what.as_deref().unwrap_or_default();
    let loaded = stage::load(scenario)?;
    let dialect = args.qemu.one();
    let scene = stage::scene(&loaded, dialect)?;
    let strategy = args.strategy()?;
    let (root, seed) = (args.root.unwrap_or(0), args.seed.unwrap_or(0));
    let mut chooses = strategy.maker(&scene, STEPS_MAX)();
    let mut film = Film::default();
    let mut runner = Runner::new(&scene);
    runner.steps_max = STEPS_MAX;
    let outcome = runner.run(&mut *chooses, run_seed(root, seed), &mut film);
    let played = Played {
        loaded: &loaded,
        dialect,
        scene: &scene,
        film,
        outcome,
        again: stage::line_to_paste(scenario, dialect, (root, seed), strategy),
    };
    Ok((
        page_of_run(&played, &|| watch.is_interrupted())?,
        Exit::Clean,
    ))
}

fn of_check(args: &ReportArgs, watch: &Watch) -> Result<(String, Exit), String> {
    let (stories, dialects) = stage::cast(args.what.as_slice(), &args.qemu)?;
    let [loaded] = &stories[..] else {
        let count = stories.len();
        return Err(format!(
            "a report is about one scenario, and these are {count}"
        ));
    };
    let dialect = match &dialects[..] {
        [dialect] => *dialect,
        _ => args.qemu.one(),
    };
    let scene = stage::scene(loaded, dialect)?;
    let found = survey::check(loaded, dialect, &scene, args.max_states.get(), watch);
    let play = found.broken.map(|schedule| {
        let (film, outcome) = follow(&scene, &schedule);
        let played = Played {
            loaded,
            dialect,
            scene: &scene,
            film,
            outcome,
            again: format!("blockrace check {} --dialect {dialect}", loaded.name),
        };
        Play::of(&played, &|| watch.is_interrupted())
    });
    let page = Page {
        name: &loaded.name,
        title: &loaded.story.title,
        dialect: dialect.name,
        survey: Some(found.survey),
        play,
    };
    Ok((page.html()?, Exit::Clean))
}

fn page_of_run(played: &Played, interrupted: &dyn Fn() -> bool) -> Result<String, String> {
    let page = Page {
        name: &played.loaded.name,
        title: &played.loaded.story.title,
        dialect: played.dialect.name,
        survey: None,
        play: Some(Play::of(played, interrupted)),
    };
    page.html()
}

/// The page.
#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    /// What the story is called on the command line.
    name: &'a str,
    /// What it says of itself.
    title: &'a str,
    dialect: &'a str,
    /// A check of the story.
    survey: Option<Survey>,
    /// One run: by itself, or the counterexample of the check.
    play: Option<Play>,
}

impl Page<'_> {
    fn html(&self) -> Result<String, String> {
        let html = self.render();
        html.map_err(|error| format!("the report cannot be written: {error}"))
    }
}
