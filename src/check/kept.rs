//! A search that is gone on with in a later call.

use std::sync::Arc;

use scenarios::scene::{Scene, Step};
use serde::{Deserialize, Serialize};
use sim::schedule::Schedule;
use sim::search::{Control, Counterexample, Options, Report, Saved, SoFar, Verdict, search_on};

use super::{Session, schedule_of};
use crate::checkpoint::{self, Bound, Slot};
use crate::cli::CheckArgs;
use crate::failures::Known;
use crate::spread::{self, Plan};
use crate::stage::Staged;

/// How far the search through one story in one dialect is.
pub struct Kept {
    slot: Arc<Slot>,
    start: Start,
    left: Left,
}

/// What there was when it began. A failure that was kept since then is the search's own: it finds it again.
#[derive(Serialize, Deserialize)]
struct Start {
    /// The known failures' files.
    known: Vec<String>,
}

/// Where a search was left.
#[derive(Deserialize)]
enum Left {
    /// Before the end.
    Amid(Option<Box<Saved>>),
    /// It is done.
    Done(Box<Done>),
}

/// The same, to be written.
#[derive(Serialize)]
enum Leaving<'a, 'b> {
    Amid(Option<&'a SoFar<'b>>),
    Done(&'a Done),
}

/// What came of a search that is done. Its counterexample is a schedule: what that breaks is a function of it.
#[derive(Clone, Serialize, Deserialize)]
struct Done {
    report: Report<Step>,
    broken: Option<Names>,
}

/// The steps of a counterexample by name.
#[derive(Clone, Serialize, Deserialize)]
struct Names {
    steps: Vec<String>,
    /// How many of them, at the end, go round.
    cycle: usize,
    shortest: bool,
}

impl Session<'_> {
    /// The place of each search's checkpoint, if they are wanted.
    ///
    /// # Errors
    /// What to print: one cannot be gone on with.
    pub fn slots(&self, stages: &[Staged<'_>]) -> Result<Vec<Option<Slot>>, String> {
        let slot = |staged: &Staged<'_>| match &self.shelf {
            None => Ok(None),
            Some(shelf) => {
                let (loaded, dialect) = (staged.loaded, staged.dialect.name);
                let name = checkpoint::name_of("check", &loaded.story.name, &loaded.name, dialect);
                let bound = bound(self.args, self.plan.as_ref(), staged);
                shelf.slot("check", &name, bound).map(Some)
            }
        };
        stages.iter().map(slot).collect()
    }
}

/// Limits are not among it, so that a search which one of them ended can go on with another.
fn bound(args: &CheckArgs, plan: Option<&Plan>, staged: &Staged<'_>) -> Bound {
    let bound = Bound::to_rules()
        .story(staged.loaded)
        .option("--dialect", staged.dialect)
        .option("--order", format!("{:?}", args.order).to_lowercase())
        .option("--keep", format!("{:?}", args.keep).to_lowercase())
        .option("--no-reduction", args.no_reduction)
        .option("--no-cycles", args.no_cycles);
    match plan {
        None => bound,
        Some(plan) => bound
            .option("the number of processes", plan.hosts.len())
            .option("the number of workers of each", plan.jobs),
    }
}

impl Kept {
    /// As it was left, or at its beginning, which is written down at once: a folder in which nothing can be written is
    /// no news for later.
    ///
    /// # Errors
    /// What to print: a checkpoint that cannot be read or written.
    pub fn begin<'k>(
        slot: Slot,
        known: impl Iterator<Item = &'k Known>,
        plan: Option<&Plan>,
    ) -> Result<Kept, String> {
        let slot = Arc::new(slot);
        if let Some((start, left)) = slot.read::<(Start, Left)>()? {
            slot.tell(&match &left {
                Left::Amid(None) if plan.is_some() => "its processes have the rest".to_owned(),
                Left::Amid(None) => "nothing is done".to_owned(),
                Left::Amid(Some(saved)) => format!("{} states were visited", saved.states()),
                Left::Done(_) => "it is done".to_owned(),
            });
            return Ok(Kept { slot, start, left });
        }
        let known = known.map(|known| known.file.display().to_string());
        let start = Start {
            known: known.collect(),
        };
        slot.write(&(&start, Leaving::Amid(None)))?;
        let left = Left::Amid(None);
        Ok(Kept { slot, start, left })
    }

    /// Whether it was known when the search began.
    pub fn knew(&self, known: &Known) -> bool {
        let file = known.file.display().to_string();
        self.start.known.contains(&file)
    }

    /// Where it is kept.
    pub fn slot(&self) -> Arc<Slot> {
        Arc::clone(&self.slot)
    }

    /// Visits the states that were not visited before.
    ///
    /// # Errors
    /// What to print: it is not the same search any more.
    pub fn search(
        &mut self,
        scene: &Scene,
        options: &Options,
        control: &Control,
    ) -> Result<Report<Step>, String> {
        let saved = match std::mem::replace(&mut self.left, Left::Amid(None)) {
            Left::Done(done) => return self.again(&done, scene),
            Left::Amid(saved) => saved.map(|saved| *saved),
        };
        let mut keeper = |so_far: &SoFar<'_>| {
            self.slot.keep(&(&self.start, Leaving::Amid(Some(so_far))));
        };
        let report = search_on(scene, options, control, saved, &mut keeper)
            .map_err(|stale| self.slot.stale(stale))?;
        self.keep_if_done(scene, &report);
        Ok(report)
    }

    /// As [`Kept::search`], by several processes. Each keeps its own share.
    ///
    /// # Errors
    /// What to print: it is not the same search any more, or see [`spread::search`].
    pub fn search_together(
        &mut self,
        plan: &Plan,
        staged: &Staged<'_>,
        options: &Options,
        control: &Control,
    ) -> Result<Report<Step>, String> {
        if let Left::Done(done) = &self.left {
            return self.again(done, &staged.scene);
        }
        let shares = Some(self.slot.shares());
        let report = spread::search(plan, staged, options, shares, control)?;
        self.keep_if_done(&staged.scene, &report);
        Ok(report)
    }

    /// What came of it.
    fn again(&self, done: &Done, scene: &Scene) -> Result<Report<Step>, String> {
        let gone = "its counterexample breaks nothing now";
        done.report(scene).ok_or_else(|| self.slot.refuse(gone))
    }

    fn keep_if_done(&self, scene: &Scene, report: &Report<Step>) {
        if !matches!(report.verdict, Verdict::Inconclusive(_)) {
            let done = Done::of(scene, report);
            self.slot.keep(&(&self.start, Leaving::Done(&done)));
        }
    }
}

impl Done {
    fn of(scene: &Scene, report: &Report<Step>) -> Done {
        let broken = match &report.verdict {
            Verdict::Broken(found) => Some(Names {
                steps: schedule_of(scene, found)
                    .names()
                    .map(str::to_owned)
                    .collect(),
                cycle: found.cycle.len(),
                shortest: found.shortest,
            }),
            Verdict::Verified | Verdict::Inconclusive(_) => None,
        };
        Done {
            report: report.clone(),
            broken,
        }
    }

    /// As it was; nothing if the counterexample is none any more.
    fn report(&self, scene: &Scene) -> Option<Report<Step>> {
        let mut report = self.report.clone();
        if let Some(Names {
            steps,
            cycle,
            shortest,
        }) = &self.broken
        {
            let mut schedule = Schedule::new();
            steps.iter().for_each(|name| schedule.push(name.clone()));
            let found = Counterexample::again(scene, &schedule, *cycle, *shortest)?;
            report.verdict = Verdict::Broken(found);
        }
        Some(report)
    }
}
