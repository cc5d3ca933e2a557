//! Which snapshot belongs to which scenario.
//!
//! A scenario file is named by its path from the folder that the snapshots' folder stands in. So it is called the same
//! from wherever `blockrace` is started, and on every machine.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use model::dialect::Dialect;
use scenarios::load::SHIPPED;

use super::file::{ENDING, Snapshot};
use crate::stage::Loaded;

/// Whose a snapshot is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A scenario file, by its path from the home.
    File(String),
    /// A shipped scenario, by its whole name.
    Shipped(String),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Owner::File(name) | Owner::Shipped(name) => f.write_str(name),
        }
    }
}

/// The folder of the snapshots, and the one that it stands in.
pub struct Home {
    snapshots: PathBuf,
    folder: PathBuf,
}

impl Home {
    /// That of a folder of snapshots, which need not be there.
    ///
    /// # Errors
    /// What to print: a folder that stands in no other.
    pub fn of(snapshots: &Path) -> Result<Home, String> {
        let whole = whole(snapshots)?;
        match whole.parent() {
            Some(folder) => Ok(Home {
                snapshots: snapshots.to_owned(),
                folder: folder.to_owned(),
            }),
            None => Err(format!(
                "{}: cannot be the folder of snapshots: it stands in no other",
                snapshots.display()
            )),
        }
    }

    /// A folder of scenarios beside the snapshots, as it is called from here.
    ///
    /// # Errors
    /// What to print: that there is none.
    pub fn scenarios(&self, name: &str) -> Result<String, String> {
        let beside = self.snapshots.with_file_name(name);
        match beside.is_dir() {
            true => Ok(beside.to_string_lossy().into_owned()),
            false => Err(format!(
                "{}: there is no such folder\n  name your scenarios: `blockrace snapshot check FOLDER|SCENARIO..`; \
                 `blockrace init` writes a first one",
                beside.display()
            )),
        }
    }

    /// Whose the snapshots of a scenario are.
    ///
    /// # Errors
    /// What to print: a scenario that has no name from here.
    pub fn owner(&self, loaded: &Loaded) -> Result<Owner, String> {
        let file = &loaded.file;
        if scenarios::generate::seed_of(&loaded.name).is_some() {
            return Err(format!(
                "{file}: a random story has no snapshots; save it as a file"
            ));
        }
        if loaded.name != *file {
            let name = file.strip_prefix("scenarios/").unwrap_or(file);
            let name = name.strip_suffix(".yaml").unwrap_or(name);
            return Ok(Owner::Shipped(name.to_owned()));
        }
        match self.name_of(Path::new(file))? {
            Some(path) => Ok(Owner::File(path)),
            None => Err(format!(
                "{file}: is not below the folder that the snapshots stand in\n  `--snapshots DIR` names another one, \
                 such as a folder beside your scenarios"
            )),
        }
    }

    /// Where the snapshot of a scenario in a dialect is.
    pub fn file(&self, whose: &Owner, dialect: &str) -> PathBuf {
        let name = match whose {
            Owner::File(path) => path.strip_suffix(".yaml").unwrap_or(path).to_owned(),
            Owner::Shipped(name) => format!("shipped/{name}"),
        };
        self.snapshots.join(format!("{name}.{dialect}.{ENDING}"))
    }

    /// Whether it is of what was named on the command line: that scenario, or one in that folder.
    pub fn is_of(&self, whose: &Owner, named: &str) -> bool {
        let is_in = |name: &str, folder: &str| {
            name.strip_prefix(folder.trim_end_matches('/'))
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        match whose {
            Owner::Shipped(name) => is_in(name, named) || name.rsplit('/').next() == Some(named),
            Owner::File(path) => match self.name_of(Path::new(named)) {
                Ok(Some(named)) => named.is_empty() || is_in(path, &named),
                Ok(None) | Err(_) => false,
            },
        }
    }

    /// Why a snapshot at that place belongs to nothing, if so.
    pub fn why_orphan(&self, path: &Path, kept: &Snapshot) -> Option<String> {
        let is_there = match &kept.whose {
            Owner::File(path) => self.folder.join(path).is_file(),
            Owner::Shipped(name) => SHIPPED.iter().any(|(other, _)| other == name),
        };
        let place = self.file(&kept.whose, &kept.dialect);
        if !is_there {
            Some("its scenario is gone".to_owned())
        } else if kept.dialect.parse::<&'static Dialect>().is_err() {
            Some(format!("there is no dialect {}", kept.dialect))
        } else if place != path {
            Some(format!("it belongs at {}", place.display()))
        } else {
            None
        }
    }

    /// A path from the home, with `/` between its parts; `None` if it leads elsewhere.
    fn name_of(&self, path: &Path) -> Result<Option<String>, String> {
        let whole = whole(path)?;
        let parts = whole.strip_prefix(&self.folder).ok().map(|rest| {
            let parts = rest
                .components()
                .map(|part| part.as_os_str().to_string_lossy());
            parts.collect::<Vec<_>>().join("/")
        });
        Ok(parts)
    }
}

/// The whole path, without `.` and `..`.
fn whole(path: &Path) -> Result<PathBuf, String> {
    let absolute = std::path::absolute(path)
        .map_err(|error| format!("{}: is no path: {error}", path.display()))?;
    let mut whole = PathBuf::new();
    for part in absolute.components() {
        match part {
            Component::ParentDir => {
                whole.pop();
            }
            Component::CurDir => {}
            part => whole.push(part),
        }
    }
    Ok(whole)
}
