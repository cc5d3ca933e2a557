//! A search that is gone on with in a later call.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use scenarios::scene::{Moment, Scene, Step};
use serde::{Deserialize, Serialize};
use sim::schedule::Schedule;
use sim::search::{Control, Counterexample, Options, Report, Saved, SoFar, Verdict, search_on};
use sim::stateless::{self, Keeping, Stateless};

use super::{Session, schedule_of};
use crate::checkpoint::{self, Bound, Slot, States};
use crate::cli::{CheckArgs, OrderArg};
use crate::failures::Known;
use crate::spread::{self, Plan};
use crate::stage::Staged;

/// How far the search through one story in one dialect is.
pub struct Kept {
    slot: Arc<Slot>,
    start: Start,
    left: Left,
    /// The visited states, and those that wait.
    states: Option<States>,
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
    /// At its beginning.
    Begun,
    /// Amid the states.
    Amid(Box<Saved>),
    Done(Box<Done>),
    /// Amid the traces.
    AmidTraces(Box<stateless::Saved>),
    DoneTraces(Box<DoneTraces>),
}

/// The same, to be written.
#[derive(Serialize)]
enum Leaving<'a> {
    Begun,
    Amid(&'a Saved),
    Done(&'a Done),
    AmidTraces(&'a stateless::Saved),
    DoneTraces(&'a DoneTraces),
}

/// What came of a search that is done. Its counterexample is a schedule: what that breaks is a function of it.
#[derive(Clone, Serialize, Deserialize)]
struct Done {
    report: Report<Step>,
    broken: Option<Names>,
}

/// What came of an exploration that is done.
#[derive(Serialize, Deserialize)]
struct DoneTraces {
    report: stateless::Report,
    broken: Option<Vec<String>>,
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
        .option("--bitstate", or_none(args.bitstate))
        .option("--sleep-sets", args.sleep_sets)
        .option("--no-reduction", args.no_reduction)
        .option("--no-cycles", args.no_cycles);
    let bound = match args.order {
        // An execution that was cut off is not gone on with.
        OrderArg::Stateless => bound.option("--max-depth", or_none(args.max_depth)),
        OrderArg::Breadth | OrderArg::Depth => bound,
    };
    match plan {
        None => bound,
        Some(plan) => bound
            .option("the number of processes", plan.hosts.len())
            .option("the number of workers of each", plan.jobs),
    }
}

fn or_none(value: Option<impl ToString>) -> String {
    value.map_or("none".to_owned(), |value| value.to_string())
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
        if let Some(((start, left), states)) = slot.read_with_states::<(Start, Left)>()? {
            slot.tell(&match &left {
                Left::Begun if plan.is_some() => "its processes have the rest".to_owned(),
                Left::Begun => "nothing is done".to_owned(),
                Left::Amid(saved) => format!("{} states were visited", saved.states()),
                Left::AmidTraces(saved) => format!("{} traces were seen", saved.executions()),
                Left::Done(_) | Left::DoneTraces(_) => "it is done".to_owned(),
            });
            let states = Some(states);
            return Ok(Kept {
                slot,
                start,
                left,
                states,
            });
        }
        let known = known.map(|known| known.file.display().to_string());
        let start = Start {
            known: known.collect(),
        };
        slot.write(&(&start, Leaving::Begun))?;
        Ok(Kept {
            slot,
            start,
            left: Left::Begun,
            states: None,
        })
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
        let saved = match std::mem::replace(&mut self.left, Left::Begun) {
            Left::Done(done) => return self.again(&done, scene),
            Left::Amid(saved) => Some(*saved),
            Left::Begun => None,
            Left::AmidTraces(_) | Left::DoneTraces(_) => return Err(self.slot.refuse(TRACES)),
        };
        let (slot, start) = (&self.slot, &self.start);
        let mut keeper = |so_far: &mut SoFar<'_>| {
            let body = (start, Leaving::Amid(&so_far.saved));
            slot.keep_with_states(&body, |output| so_far.states.write(output));
        };
        let mut states = self.states.take();
        let states = states.as_mut().map(|states| states as &mut dyn Read);
        let report = search_on(scene, options, control, saved.zip(states), &mut keeper)
            .map_err(|stale| slot.stale(stale))?;
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
        done.report(scene).ok_or_else(|| self.slot.refuse(GONE))
    }

    fn keep_if_done(&self, scene: &Scene, report: &Report<Step>) {
        if !matches!(report.verdict, Verdict::Inconclusive(_)) {
            let done = Done::of(scene, report);
            self.slot.keep(&(&self.start, Leaving::Done(&done)));
        }
    }

    /// How many traces were seen before.
    pub fn traces(&self) -> u64 {
        match &self.left {
            Left::AmidTraces(saved) => saved.executions(),
            _ => 0,
        }
    }

    /// Goes through the traces that were not seen before; it is kept whenever it is `due`.
    ///
    /// # Errors
    /// What to print: it is not the same exploration any more.
    pub fn explore(
        &mut self,
        scene: &Scene,
        exploration: Stateless<'_, Scene>,
        due: &AtomicBool,
        on_rest: &mut dyn FnMut(&Moment),
    ) -> Result<stateless::Report, String> {
        let saved = match std::mem::replace(&mut self.left, Left::Begun) {
            Left::DoneTraces(done) => {
                return done.report(scene).ok_or_else(|| self.slot.refuse(GONE));
            }
            Left::AmidTraces(saved) => Some(saved),
            Left::Begun => None,
            Left::Amid(_) | Left::Done(_) => return Err(self.slot.refuse(STATES)),
        };
        let (slot, start) = (&self.slot, &self.start);
        let mut keeper = |saved: &stateless::Saved| {
            slot.keep(&(start, Leaving::AmidTraces(saved)));
        };
        let keeping = Keeping {
            due,
            keeper: &mut keeper,
        };
        let report = exploration
            .explore_on(saved.as_deref(), keeping, on_rest)
            .map_err(|stale| slot.stale(stale))?;
        if let stateless::End::Exhausted | stateless::End::Breached | stateless::End::DepthMax =
            report.end
        {
            slot.keep(&(start, Leaving::DoneTraces(&DoneTraces::of(&report))));
        }
        Ok(report)
    }
}

const GONE: &str = "its counterexample breaks nothing now";
const TRACES: &str = "it is of --order stateless";
const STATES: &str = "it is not of --order stateless";

impl DoneTraces {
    fn of(report: &stateless::Report) -> DoneTraces {
        let broken = report.first_breach.as_ref();
        DoneTraces {
            report: report.clone(),
            broken: broken.map(|found| found.schedule.names().map(str::to_owned).collect()),
        }
    }

    /// As it was; nothing if the counterexample is none any more.
    fn report(&self, scene: &Scene) -> Option<stateless::Report> {
        let mut report = self.report.clone();
        if let Some(steps) = &self.broken {
            report.first_breach = Some(stateless::Found::again(scene, steps)?);
        }
        Some(report)
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
