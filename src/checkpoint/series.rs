//! Checkpoints of a share of a search: numbered, so that all who share it can go on from the same number.
//!
//! A new one is begun when everybody has the one before, so each keeps its last two: whenever one is killed, there is
//! a number that all have.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Bound, Shares, States, Timer, file, say_once};

/// The command that such a checkpoint is of.
const COMMAND: &str = "check, a share";

/// The checkpoints of one share.
pub struct Series {
    /// Without the number and what follows it.
    path: PathBuf,
    head: file::Head,
    bound: Bound,
    timer: Timer,
    has_failed: AtomicBool,
}

impl Shares {
    /// Whether what is there is to be gone on with.
    pub fn are_gone_on_with(&self) -> bool {
        self.resume
    }

    /// The checkpoints of share `number` of `count`. If nothing is to be gone on with there are none.
    ///
    /// # Errors
    /// What to print: the folder cannot be read.
    pub fn series(&self, number: usize, count: usize) -> Result<Series, String> {
        let share = format!("{number} of {count}");
        let bound = self.bound.clone().option("the share", &share);
        let mut path = self.path.clone().into_os_string();
        path.push(format!(".share-{number}-of-{count}"));
        let series = Series {
            path: path.into(),
            head: file::Head::new(COMMAND, bound.clone()),
            bound,
            timer: Timer::new(self.every),
            has_failed: AtomicBool::new(false),
        };
        if !self.resume {
            series.forget_after(None)?;
        }
        Ok(series)
    }
}

impl Series {
    /// The numbers there are, ascending.
    ///
    /// # Errors
    /// What to print: the folder cannot be read.
    pub fn numbers(&self) -> Result<Vec<u64>, String> {
        let folder = self.path.parent().unwrap_or(&self.path);
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let unreadable = |error| format!("{}: cannot be read: {error}", folder.display());
        let mut numbers = Vec::new();
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            let other = entry.map_err(unreadable)?.file_name();
            let other = other.to_string_lossy();
            let number = other
                .strip_prefix(&*name)
                .and_then(|rest| rest.strip_prefix('.')?.strip_suffix(".checkpoint"));
            numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// What was kept with that number.
    ///
    /// # Errors
    /// What to print: it cannot be read, is damaged, or is of something else.
    pub fn read<T: DeserializeOwned>(&self, number: u64) -> Result<(T, States), String> {
        let path = self.path_of(number);
        let reader = file::Reader::open(&path)?;
        reader.is_of(COMMAND, &self.bound)?;
        reader.body()
    }

    /// Keeps it with that number, and what `states` writes behind it, and forgets all but the one before. That a disk
    /// is full is said once.
    pub fn keep(
        &self,
        number: u64,
        body: &impl Serialize,
        states: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) {
        let path = self.path_of(number);
        let written = self
            .timer
            .timed(|| file::write(&path, &self.head, body, states))
            .map_err(|error| format!("{}: it cannot be written: {error}", path.display()));
        let old = written.and_then(|()| self.numbers());
        match old {
            Ok(numbers) => numbers
                .into_iter()
                .filter(|old| old + 1 < number)
                .for_each(|old| drop(fs::remove_file(self.path_of(old)))),
            Err(message) => say_once(&self.has_failed, &message),
        }
    }

    /// Forgets what was kept after that number, or everything.
    ///
    /// # Errors
    /// What to print: a file cannot be removed.
    pub fn forget_after(&self, number: Option<u64>) -> Result<(), String> {
        for old in self.numbers()? {
            if number.is_none_or(|number| old > number) {
                let path = self.path_of(old);
                fs::remove_file(&path)
                    .map_err(|error| format!("{}: cannot be removed: {error}", path.display()))?;
            }
        }
        Ok(())
    }

    /// Sets `keep` if it is time to write the next one.
    pub fn look(&self, keep: &AtomicBool) {
        self.timer.look(keep);
    }

    /// Why it cannot be gone on with.
    pub fn refuse(&self, why: &str) -> String {
        super::refuse(&self.path, why)
    }

    fn path_of(&self, number: u64) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(format!(".{number}.checkpoint"));
        path.into()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_last_two_are_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut shares = Shares {
            path: folder.path().join("it"),
            bound: Bound::to_rules().option("--root", 7),
            every: Duration::ZERO,
            resume: true,
        };
        let series = shares.series(0, 2).expect("a folder");
        let other = shares.series(1, 2).expect("a folder");
        for number in 1..12_u64 {
            series.keep(number, &number, |_| Ok(()));
        }
        other.keep(4, &4_u64, |_| Ok(()));
        assert_eq!(series.numbers(), Ok(vec![10, 11]));
        let ten = series.read::<u64>(10).map(|(number, _)| number);
        assert_eq!(ten, Ok(10));
        assert!(series.read::<u64>(9).is_err());
        assert_eq!(series.forget_after(Some(10)), Ok(()));
        assert_eq!(series.numbers(), Ok(vec![10]));
        shares.resume = false;
        let anew = shares.series(0, 2).expect("a folder");
        assert_eq!(anew.numbers(), Ok(vec![]));
        assert_eq!(other.numbers(), Ok(vec![4]));
    }

    #[test]
    fn that_of_another_share_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let shares = Shares {
            path: folder.path().join("it"),
            bound: Bound::to_rules(),
            every: Duration::ZERO,
            resume: true,
        };
        let series = shares.series(0, 2).expect("a folder");
        series.keep(1, &1_u64, |_| Ok(()));
        let other = shares.series(1, 2).expect("a folder");
        fs::rename(series.path_of(1), other.path_of(1)).expect("a file");
        let said = other.read::<u64>(1).expect_err("it is another's");
        assert!(
            said.contains("the share was 0 of 2, and is 1 of 2 now"),
            "{said}"
        );
    }
}
