//! A campaign that is gone on with in a later call.

use serde::{Deserialize, Serialize};
use sim::System;
use sim::fuzz::{Campaign, Control, Report, Saved, fuzz_on};

use super::Session;
use crate::checkpoint::{self, Bound, Slot};
use crate::failures::Known;
use crate::stage::Staged;

/// How far the campaign of one story in one dialect is.
pub struct Kept {
    slot: Slot,
    start: Start,
    from: Saved,
}

/// What there was when it began. A failure that was kept since then is the campaign's own: it finds it again.
#[derive(Serialize, Deserialize)]
struct Start {
    /// The known failures' files.
    known: Vec<String>,
}

impl Session<'_> {
    /// The place of each campaign's checkpoint, if they are wanted.
    ///
    /// # Errors
    /// What to print: one cannot be gone on with.
    pub fn slots(&self, stages: &[Staged<'_>]) -> Result<Vec<Option<Slot>>, String> {
        let slot = |staged: &Staged<'_>| match &self.shelf {
            None => Ok(None),
            Some(shelf) => {
                let (loaded, dialect) = (staged.loaded, staged.dialect.name);
                let name = checkpoint::name_of("fuzz", &loaded.story.name, &loaded.name, dialect);
                shelf.slot("fuzz", &name, self.bound(staged)).map(Some)
            }
        };
        stages.iter().map(slot).collect()
    }

    fn bound(&self, staged: &Staged<'_>) -> Bound {
        let args = self.args;
        let (start, end) = (self.seeds.start, self.seeds.end);
        let seeds = match end {
            u64::MAX => format!("{start}.."),
            _ => format!("{start}..{end}"),
        };
        Bound::to_rules()
            .story(staged.loaded)
            .option("--dialect", staged.dialect)
            .option("the range of runs", seeds)
            .option("--root", args.root)
            .option("--strategy", args.strategy)
            .option("--doublecheck", args.doublecheck)
            .option("--keep-going", args.keep_going)
    }
}

impl Kept {
    /// As it was left, or at its beginning, which is written down at once: a folder in which nothing can be written is
    /// no news for later.
    ///
    /// # Errors
    /// What to print: a checkpoint that cannot be read or written.
    pub fn begin<'k>(slot: Slot, known: impl Iterator<Item = &'k Known>) -> Result<Kept, String> {
        let (start, from) = match slot.read::<(Start, Saved)>()? {
            Some((start, from)) => {
                slot.tell(&format!("{} runs are done", from.runs()));
                (start, from)
            }
            None => {
                let known = known.map(|known| known.file.display().to_string());
                let start = Start {
                    known: known.collect(),
                };
                slot.write(&(&start, &Saved::default()))?;
                (start, Saved::default())
            }
        };
        Ok(Kept { slot, start, from })
    }

    /// Whether it was known when the campaign began.
    pub fn knew(&self, known: &Known) -> bool {
        let file = known.file.display().to_string();
        self.start.known.contains(&file)
    }

    /// Sets [`Control::keep`] when it is time to.
    pub fn look(&self, control: &Control) {
        self.slot.look(&control.keep);
    }

    /// Does the runs that were not done before.
    ///
    /// # Errors
    /// What to print: it is not the same campaign any more.
    pub fn fuzz<S: System>(
        &self,
        system: &S,
        campaign: &Campaign<'_>,
        control: &Control,
    ) -> Result<Report, String> {
        let keeper = |saved: &Saved| self.slot.keep(&(&self.start, saved));
        fuzz_on(system, campaign, control, &self.from, &keeper)
            .map_err(|stale| self.slot.stale(stale))
    }
}
