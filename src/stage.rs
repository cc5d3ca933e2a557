//! From names on the command line to what can be played: scenes, dialects, schedules.

use std::path::Path;

use model::dialect::{DIALECTS, Dialect};
use model::property::WITNESSES;
use scenarios::format::Story;
use scenarios::load::{self, SHIPPED};
use scenarios::scene::Scene;
use scenarios::script::Script;
use sim::near;
use sim::schedule::Schedule;

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

/// Loads one scenario.
///
/// # Errors
/// What to print.
pub fn load(scenario: &str) -> Result<Loaded, String> {
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

/// Puts a story on its stage.
///
/// # Errors
/// What to print: a command that is not modelled.
pub fn scene(loaded: &Loaded, dialect: &'static Dialect) -> Result<Scene, String> {
    for witness in &loaded.story.witnesses {
        let known: Vec<&str> = WITNESSES.iter().map(|(id, _)| *id).collect();
        if !known.contains(&witness.as_str()) {
            let near = near::nearest(witness, &known, 1);
            let meant = near.iter().map(|near| format!("\n  did you mean {near}?"));
            let meant: String = meant.collect();
            return Err(format!(
                "{}: no witness is called {witness}; `blockrace list witnesses` has them all{meant}",
                loaded.file
            ));
        }
    }
    let script = Script::of_story(&loaded.story, &loaded.file, dialect)
        .map_err(|error| format!("{}:{}: {}", loaded.file, error.line, error.what))?;
    Ok(Scene::new(script))
}

/// The dialects asked for.
pub fn dialects(one: Option<&'static Dialect>) -> Vec<&'static Dialect> {
    one.map_or_else(|| DIALECTS.to_vec(), |dialect| vec![dialect])
}

/// Reads a schedule.
///
/// # Errors
/// What to print: a file that cannot be read, or is no schedule.
pub fn read_schedule(file: &Path) -> Result<Schedule, String> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("{}: cannot be read: {error}", file.display()))?;
    Schedule::parse(&text).map_err(|error| format!("{}: {error}", file.display()))
}
