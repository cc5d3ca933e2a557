//! From names on the command line to what can be played: scenes, dialects, schedules.

use std::path::Path;

use model::dialect::Dialect;
use scenarios::format::Story;
use scenarios::generate;
use scenarios::judge;
use scenarios::limits::SCHEDULE;
use scenarios::load::{self, LoadError, SHIPPED};
use scenarios::scene::Scene;
use scenarios::script::Script;
use sim::schedule::Schedule;
use sim::strategy::Spec;

use crate::cli::Qemu;

/// Steps after which a run is taken to go on for ever.
pub const STEPS_MAX: u64 = 1_000_000;

/// A story that was loaded, with the name by which it is called again.
pub struct Loaded {
    /// What to write on the command line to get it again.
    pub name: String,
    /// The file it came from, for messages.
    pub file: String,
    /// The story.
    pub story: Story,
}

/// Loads one scenario: a shipped one, a file, or the random story `random:SEED`.
///
/// # Errors
/// What to print.
pub fn load(scenario: &str) -> Result<Loaded, String> {
    if let Some(seed) = generate::seed_of(scenario) {
        let (name, file) = (scenario.to_owned(), scenario.to_owned());
        let story = generate::generate(seed);
        return Ok(Loaded { name, file, story });
    }
    let story = load::open(scenario).map_err(|error| error.to_string())?;
    let shipped = SHIPPED
        .iter()
        .find(|(name, _)| *name == scenario || name.rsplit('/').next() == Some(scenario));
    let (name, file) = match shipped {
        Some((name, _)) => (story.name.clone(), format!("scenarios/{name}.yaml")),
        None => (scenario.to_owned(), scenario.to_owned()),
    };
    Ok(Loaded { name, file, story })
}

/// Loads what the arguments name: scenarios, files, folders of files; all shipped ones if nothing is named.
///
/// # Errors
/// What to print.
pub fn load_all(scenarios: &[String]) -> Result<Vec<Loaded>, String> {
    let mut loaded = Vec::new();
    if scenarios.is_empty() {
        for (name, _) in SHIPPED {
            loaded.push(load(name)?);
        }
    }
    for scenario in scenarios {
        let of_folder: Vec<_> = SHIPPED
            .iter()
            .filter(|(name, _)| {
                name.strip_prefix(scenario.trim_end_matches('/'))
                    .is_some_and(|rest| rest.starts_with('/'))
            })
            .collect();
        if Path::new(scenario).is_dir() {
            for file in files_in(Path::new(scenario), "yaml")? {
                loaded.push(load(&file)?);
            }
        } else if !of_folder.is_empty() {
            for (name, _) in of_folder {
                loaded.push(load(name)?);
            }
        } else {
            loaded.push(load(scenario)?);
        }
    }
    Ok(loaded)
}

/// The stories that the arguments name, and the dialects to play them in. If bugs are to be planted and nothing is
/// named, that is the story and the release in which the first one shows.
///
/// # Errors
/// What to print: see [`load_all`].
pub fn cast(
    scenarios: &[String],
    qemu: &Qemu,
) -> Result<(Vec<Loaded>, Vec<&'static Dialect>), String> {
    match (scenarios, qemu.mutations()) {
        ([], [first, ..]) => {
            let dialect = match qemu.chosen() {
                Some(dialect) => dialect,
                None => qemu.planted(first.dialect.parse()?),
            };
            Ok((vec![load(first.story)?], vec![dialect]))
        }
        _ => Ok((load_all(scenarios)?, qemu.all())),
    }
}

/// The files with that ending in a folder and its folders, in the order of their names.
///
/// # Errors
/// A folder that cannot be read.
pub fn files_in(folder: &Path, ending: &str) -> Result<Vec<String>, String> {
    let mut files = Vec::new();
    let entries = std::fs::read_dir(folder)
        .map_err(|error| format!("{}: cannot be read: {error}", folder.display()))?;
    for entry in entries {
        let path = entry
            .map_err(|error| format!("{}: {error}", folder.display()))?
            .path();
        if path.is_dir() {
            files.extend(files_in(&path, ending)?);
        } else if path.extension().is_some_and(|found| found == ending) {
            files.push(path.to_string_lossy().into_owned());
        }
    }
    files.sort();
    Ok(files)
}

/// A story in a dialect, ready to be played.
pub struct Staged<'a> {
    /// The story.
    pub loaded: &'a Loaded,
    /// The release whose rules are played.
    pub dialect: &'static Dialect,
    /// The two together.
    pub scene: Scene,
}

/// Puts stories on their stages: each in each of the dialects.
///
/// # Errors
/// What to print: see [`scene`].
pub fn stages<'a>(
    stories: &'a [Loaded],
    dialects: &[&'static Dialect],
) -> Result<Vec<Staged<'a>>, String> {
    let mut stages = Vec::new();
    for loaded in stories {
        for &dialect in dialects {
            let scene = scene(loaded, dialect)?;
            stages.push(Staged {
                loaded,
                dialect,
                scene,
            });
        }
    }
    Ok(stages)
}

/// How wide a column of their names is.
pub fn width_of_names(stages: &[Staged<'_>]) -> usize {
    let names = stages.iter().map(|staged| staged.loaded.name.len());
    names.max().unwrap_or(0)
}

/// The line that plays one run of a campaign again.
pub fn line_to_paste(scenario: &str, dialect: &Dialect, run: (u64, u64), strategy: Spec) -> String {
    words_to_paste(scenario, dialect.name, run, &strategy.to_string())
}

/// As [`line_to_paste`], where names are all that is known.
pub fn words_to_paste(
    scenario: &str,
    dialect: &str,
    (root, seed): (u64, u64),
    strategy: &str,
) -> String {
    let mut line = format!("blockrace run {scenario} --dialect {dialect} --seed {seed}");
    if strategy != "random" {
        line += &format!(" --strategy {strategy}");
    }
    if root != 0 {
        line += &format!(" --root {root}");
    }
    line
}

/// Puts a story on its stage.
///
/// # Errors
/// What to print: something that the story says and that can never be, such as a witness or a command that there is not.
pub fn scene(loaded: &Loaded, dialect: &'static Dialect) -> Result<Scene, String> {
    judge::story(&loaded.story, dialect).map_err(|wrong| {
        let text = load::text_of(&loaded.name);
        LoadError::of_wrong(&loaded.file, text.as_deref(), wrong).to_string()
    })?;
    let script = Script::of_story(&loaded.story, &loaded.file, dialect)
        .map_err(|error| format!("{}:{}: {}", loaded.file, error.line, error.what))?;
    Ok(Scene::new(script))
}

/// Reads a schedule.
///
/// # Errors
/// What to print: a file that cannot be read, or is no schedule.
pub fn read_schedule(file: &Path) -> Result<Schedule, String> {
    let text = SCHEDULE.read_text(file)?;
    Schedule::parse(&text).map_err(|error| format!("{}: {error}", file.display()))
}

/// The scenario that was asked for, or else the one that a schedule names; `file` is where that stands.
///
/// # Errors
/// What to print: neither is there.
pub fn scenario_of<'a>(
    schedule: &'a Schedule,
    file: &Path,
    asked: Option<&'a str>,
) -> Result<&'a str, String> {
    asked.or(schedule.header("scenario")).ok_or_else(|| {
        let file = file.display();
        format!("{file}: no `# scenario:` header\n  say which one with --scenario")
    })
}

/// The dialect that was asked for, or else the one that a schedule names, or else the newest; with the bugs that are to
/// be planted. `file` is where the schedule stands.
///
/// # Errors
/// What to print: there is no such dialect.
pub fn dialect_of(
    schedule: &Schedule,
    file: &Path,
    qemu: &Qemu,
) -> Result<&'static Dialect, String> {
    match (qemu.chosen(), schedule.header("dialect")) {
        (None, Some(name)) => {
            let named = name.parse().map_err(|error| {
                let file = file.display();
                format!("{file}: {error}\n  say which one with --dialect")
            })?;
            Ok(qemu.planted(named))
        }
        _ => Ok(qemu.one()),
    }
}
