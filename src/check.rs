//! `blockrace check`: every interleaving of a scenario, and the shortest schedule that breaks a promise.

mod kept;
mod report;

use std::io::Write;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use scenarios::scene::{Scene, Step};
use sim::System;
use sim::schedule::Schedule;
use sim::search::{Control, Counterexample, Keep, Options, Order, Verdict, WhenFull, search};
use sim::stateless::{Limits, Stateless};

use self::kept::Kept;
use self::report::{Broken, Covered, INCONCLUSIVE, Told, Totals};
use crate::checkpoint::{self, Shelf, Slot};
use crate::cli::{CheckArgs, KeepArg, OrderArg, WhenFullArg};
use crate::counterexample::{self, Exhibit, Found};
use crate::defects;
use crate::exit::Exit;
use crate::failures::{self, Known, Tried};
use crate::output::{Case, NOT_BEGUN, Output};
use crate::progress::{self, Figures, Progress};
use crate::spill::Folder;
use crate::spread::{self, Plan};
use crate::stage::{self, Loaded, Staged};
use crate::terminal;
use crate::watch::{self, Watch};

/// Searches the scenarios.
///
/// # Errors
/// What to print: a scenario that cannot be used, options that do not go together, a counterexample that cannot be
/// kept.
pub fn run(args: &CheckArgs, output: &mut Output) -> Result<Exit, String> {
    refuse_contradictions(args)?;
    let (stories, dialects) = stage::cast(&args.scenarios, &args.qemu)?;
    let stages = stage::stages(&stories, &dialects)?;
    if stages.is_empty() {
        eprintln!("blockrace: nothing to check: no scenario");
        return Ok(Exit::NothingChecked);
    }
    let width = stage::width_of_names(&stages);
    let session = Session::new(args)?;
    let slots = session.slots(&stages)?;
    let mut worst = Exit::Clean;
    let (mut words, started) = (Vec::new(), Instant::now());
    let mut summary = Totals::new(session.plan.is_some());
    let mut shown = Vec::new();
    for ((number, staged), slot) in stages.iter().enumerate().zip(slots) {
        let until = session.watch.share_of_time(stages.len() - number);
        let told = session.check(staged, slot, until)?;
        summary.add(&told.covered);
        output.row(told.json())?;
        let mut out = terminal::out(true);
        if output.is_human() {
            crate::written(told.print(&mut out, width))?;
        }
        let exhibit = session.show(&mut out, &told, &staged.scene, output)?;
        drop(out);
        output.case(told.case(exhibit));
        worst = worst.worse(told.exit());
        words.push(told.word());
        shown.extend(told.shown());
        if session.watch.is_interrupted() {
            for staged in &stages[number + 1..] {
                words.push(NOT_BEGUN);
                output.case(Case::not_begun(staged));
            }
            break;
        }
    }
    if words.contains(&NOT_BEGUN) {
        worst = worst.worse(Exit::Inconclusive);
    }
    if output.is_human() {
        let mut out = terminal::out(true);
        crate::written(defects::print(&mut out, &shown))?;
        crate::written(report::print_summary(&mut out, &words, args.order))?;
    }
    progress::summary(&summary.line(started.elapsed()));
    if words
        .iter()
        .any(|word| [NOT_BEGUN, INCONCLUSIVE].contains(word))
    {
        checkpoint::tell_of_resume(&args.checkpoint);
    }
    Ok(worst)
}

/// Options that one way of searching would have to ignore are an error.
fn refuse_contradictions(args: &CheckArgs) -> Result<(), String> {
    let depth = args.order == OrderArg::Depth;
    let stateless = args.order == OrderArg::Stateless;
    let spill = args.when_full == WhenFullArg::Spill;
    let refused = [
        (
            depth && args.max_depth.is_some(),
            "--order depth and --max-depth: depth first, a state's depth is not the least",
        ),
        (
            depth && args.jobs.is_some_and(|jobs| jobs.get() > 1),
            "--order depth and --jobs: the newest state is one, so there is work for one",
        ),
        (
            args.sleep_sets && args.order != OrderArg::Breadth,
            "--sleep-sets and --order: what sleeps where is known a layer at a time; --order stateless has its own",
        ),
        (
            args.sleep_sets && args.jobs.is_some_and(|jobs| jobs.get() > 1),
            "--sleep-sets and --jobs: what sleeps in a state depends on who came there before",
        ),
        (
            stateless && args.keep == KeepArg::Fingerprints,
            "--order stateless and --keep: no state is kept",
        ),
        (
            stateless && args.no_reduction,
            "--order stateless and --no-reduction: without a visited set, every order of every step would be tried",
        ),
        (
            stateless && args.jobs.is_some_and(|jobs| jobs.get() > 1),
            "--order stateless and --jobs: each schedule follows from the one before",
        ),
        (
            stateless && args.max_memory.is_some(),
            "--order stateless and --max-memory: no state is kept",
        ),
        (
            stateless && args.bitstate.is_some(),
            "--order stateless and --bitstate: no state is kept",
        ),
        (
            args.sleep_sets && args.bitstate.is_some(),
            "--sleep-sets and --bitstate: a step may sleep only where its other order was surely tried",
        ),
        (
            spill && args.order != OrderArg::Breadth,
            "--when-full spill and --order: a disk is asked about a whole layer at a time",
        ),
        (
            spill && args.sleep_sets,
            "--when-full spill and --sleep-sets: what sleeps in a state depends on whether it was visited, at once",
        ),
        (
            spill && (args.keep == KeepArg::Fingerprints || args.bitstate.is_some()),
            "--when-full spill and --keep or --bitstate: on a disk there is room for whole states",
        ),
        (
            !spill && args.spill.is_some(),
            "--spill without --when-full spill: nothing is put there",
        ),
        (
            args.bitstate
                .zip(args.max_memory)
                .is_some_and(|(bits, most)| (1 << bits) / 8 > bytes_of_search(most)),
            "--bitstate and --max-memory: the bits alone take that memory; 2^30 bits are 128 MiB",
        ),
        (
            args.spread.is_wanted() && args.order != OrderArg::Breadth,
            "several processes and --order: what they share is a layer",
        ),
        (
            args.spread.is_wanted() && args.sleep_sets,
            "several processes and --sleep-sets: what sleeps in a state depends on who came there before",
        ),
        (
            args.spread.is_wanted() && (spill || args.bitstate.is_some()),
            "several processes and --when-full spill or --bitstate: each keeps its share whole, in memory",
        ),
        (
            args.spread.is_wanted() && !args.no_cycles && args.keep == KeepArg::Fingerprints,
            "several processes and --keep fingerprints: runs that need never rest are looked for in whole states; say \
             --no-cycles",
        ),
    ];
    match refused.into_iter().find(|(is_so, _)| *is_so) {
        Some((_, why)) => Err(format!("these do not go together: {why}")),
        None => Ok(()),
    }
}

/// What a process takes before it searches, about.
const PROGRAM: u64 = 24 << 20;

/// How many bytes a search may hold in a process that may take `most`: a quarter is for what the allocator keeps, and
/// for tables while they grow.
fn bytes_of_search(most: u64) -> u64 {
    (most / 4 * 3).saturating_sub(PROGRAM)
}

/// What all scenarios of one call have in common.
struct Session<'a> {
    args: &'a CheckArgs,
    options: Options,
    /// Who searches, if not this process alone.
    plan: Option<Plan>,
    /// Failures of earlier calls.
    known: Vec<Known>,
    /// Where checkpoints are, if they are wanted.
    shelf: Option<Shelf>,
    watch: Watch,
    /// Where a search goes on that is full.
    folder: Option<Folder>,
}

impl<'a> Session<'a> {
    fn new(args: &'a CheckArgs) -> Result<Session<'a>, String> {
        let order = match args.order {
            OrderArg::Breadth | OrderArg::Stateless => Order::Breadth,
            OrderArg::Depth => Order::Depth,
        };
        let options = Options {
            order,
            keep: match (args.bitstate, args.keep) {
                (Some(bits), _) => Keep::Bitstate(bits),
                (None, KeepArg::Rows) => Keep::Rows,
                (None, KeepArg::Fingerprints) => Keep::Fingerprints,
            },
            reduce: !args.no_reduction,
            sleep_sets: args.sleep_sets,
            symmetry: true,
            cycles: !args.no_cycles,
            jobs: if order == Order::Depth {
                NonZeroUsize::MIN
            } else {
                watch::workers_each(args.jobs, args.spread.here())
            },
            states_max: args.max_states.map_or(u64::MAX, u64::from),
            depth_max: args.max_depth.unwrap_or(u64::MAX),
            bytes_max: args.max_memory.map_or(u64::MAX, bytes_of_search),
            when_full: match args.when_full {
                WhenFullArg::Stop => WhenFull::Stop,
                WhenFullArg::Spill => WhenFull::Spill,
            },
            ..Options::default()
        };
        // Who has set a limit wants it kept while a counterexample is looked for, too.
        let folder = match (args.when_full, args.max_memory) {
            (WhenFullArg::Spill, _) => Some(Folder::new(args.spill.as_deref())?),
            (WhenFullArg::Stop, Some(_)) => Folder::new(None).ok(),
            (WhenFullArg::Stop, None) => None,
        };
        Ok(Session {
            args,
            options,
            plan: args.spread.plan(options.jobs)?,
            known: failures::load(args.failures())?,
            shelf: args.checkpoint.shelf()?,
            watch: Watch::new(args.max_time),
            folder,
        })
    }

    /// Tries the known failures again, then everything, and keeps what it finds.
    fn check<'b>(
        &self,
        staged: &'b Staged<'b>,
        slot: Option<Slot>,
        until: Option<Instant>,
    ) -> Result<Told<'b>, String> {
        let Staged {
            loaded,
            dialect,
            scene,
        } = staged;
        let kept = slot.map(|slot| Kept::begin(slot, self.known.iter(), self.plan.as_ref()));
        let kept = kept.transpose()?;
        let is_older = |known: &&Known| kept.as_ref().is_none_or(|kept| kept.knew(known));
        let known = self
            .known
            .iter()
            .filter(is_older)
            .filter(|known| known.belongs_to(loaded, dialect))
            .map(|known| known.try_again(loaded, dialect, scene))
            .filter(Tried::fails)
            .map(|tried| tried.followed)
            .collect();
        let started = Instant::now();
        let (covered, broken) = match self.args.order {
            OrderArg::Stateless => self.explore(staged, kept, until)?,
            OrderArg::Breadth | OrderArg::Depth => self.search(staged, kept, until)?,
        };
        let mut told = Told {
            loaded,
            dialect,
            known,
            missed: missed(loaded, scene, &covered),
            unshown: Vec::new(),
            covered,
            broken,
            kept: None,
            seconds: started.elapsed().as_secs_f64(),
            fingerprints: self.args.keep == KeepArg::Fingerprints,
        };
        let shown = told.defect();
        if told.covered.is_all() || shown.is_some() {
            told.unshown = defects::unshown(loaded, dialect, shown);
        }
        if let (Some(folder), Some(broken), None) = (self.args.failures(), &told.broken, shown) {
            told.kept = Some(found(&told, broken, scene).keep(folder)?);
        }
        Ok(told)
    }

    /// One schedule for each class of equivalent ones.
    fn explore(
        &self,
        staged: &Staged<'_>,
        mut kept: Option<Kept>,
        until: Option<Instant>,
    ) -> Result<(Covered, Option<Broken>), String> {
        let Staged {
            loaded,
            dialect,
            scene,
        } = staged;
        let (interrupt, due) = (AtomicBool::new(false), AtomicBool::new(false));
        let limits = Limits {
            executions_max: self.options.states_max,
            depth_max: usize::try_from(self.options.depth_max).unwrap_or(usize::MAX),
            stop_at_breach: true,
            interrupt: Some(&interrupt),
            ..Limits::NONE
        };
        let traces = AtomicU64::new(kept.as_ref().map_or(0, Kept::traces));
        let progress = Progress::new(format!("{} {dialect}", loaded.name), None, until);
        let slot = kept.as_ref().map(Kept::slot);
        let look = || {
            progress.show(&Figures::done("traces", traces.load(Relaxed)));
            if let Some(slot) = &slot {
                slot.look(&due);
            }
        };
        let report = self.watch.over(until, &interrupt, look, || {
            let exploration = Stateless::of_parts(scene, limits);
            let mut on_rest = |_: &_| {
                traces.fetch_add(1, Relaxed);
            };
            match &mut kept {
                Some(kept) => kept.explore(scene, exploration, &due, &mut on_rest),
                None => Ok(exploration.explore(&mut on_rest)),
            }
        })?;
        drop(progress);
        let broken = report.first_breach.clone().map(|found| Broken {
            breach: found.breach,
            schedule: found.schedule,
            shortest: false,
        });
        Ok((Covered::Traces(report), broken))
    }

    fn search(
        &self,
        staged: &Staged<'_>,
        mut kept: Option<Kept>,
        until: Option<Instant>,
    ) -> Result<(Covered, Option<Broken>), String> {
        let Staged {
            loaded,
            dialect,
            scene,
        } = staged;
        let mut control = Control::default();
        control.store = self.folder.as_ref().map(Folder::store);
        let progress = Progress::new(format!("{} {dialect}", loaded.name), None, until);
        let slot = kept.as_ref().map(Kept::slot);
        let look = || {
            progress.show(&progress::of_search(&control));
            if let Some(slot) = &slot {
                slot.look(&control.keep);
            }
        };
        let mut report = self.watch.over(until, &control.interrupt, look, || {
            match (&self.plan, &mut kept) {
                (Some(plan), Some(kept)) => {
                    kept.search_together(plan, staged, &self.options, &control)
                }
                (Some(plan), None) => spread::search(plan, staged, &self.options, None, &control),
                (None, Some(kept)) => kept.search(scene, &self.options, &control),
                (None, None) => Ok(search(scene, &self.options, &control)),
            }
        })?;
        drop(progress);
        if let (Some(folder), Some(error)) = (&self.folder, &mut report.disk_error) {
            *error = folder.blame(error);
        }
        let broken = match &report.verdict {
            Verdict::Broken(found) => Some(Broken {
                breach: found.breach.clone(),
                schedule: schedule_of(scene, found),
                shortest: found.shortest,
            }),
            Verdict::Verified | Verdict::Inconclusive(_) => None,
        };
        Ok((Covered::States(report), broken))
    }

    /// Shortens a counterexample, and shows it to people.
    fn show(
        &self,
        out: &mut impl Write,
        told: &Told<'_>,
        scene: &Scene,
        output: &Output,
    ) -> Result<Exhibit, String> {
        let (Some(broken), None) = (&told.broken, told.defect()) else {
            return Ok(Exhibit::default());
        };
        let found = found(told, broken, scene);
        let options = counterexample::Options {
            shrink_time: match found.breach.property {
                // The way into a cycle is no shorter for its end.
                sim::search::EVERY_RUN_RESTS => Duration::ZERO,
                _ => self.args.shrink_time,
            },
            interrupted: &|| self.watch.is_interrupted(),
        };
        let kept = told.kept.as_deref();
        counterexample::show_below(out, &found, kept, &options, output)
    }
}

/// What was found, and how to find it again.
fn found<'a>(told: &'a Told<'_>, broken: &'a Broken, scene: &'a Scene) -> Found<'a> {
    let (scenario, dialect) = (&told.loaded.name, told.dialect);
    Found {
        loaded: told.loaded,
        dialect,
        scene,
        schedule: &broken.schedule,
        breach: &broken.breach,
        found_by: "check",
        again: format!("blockrace check {scenario} --dialect {dialect}"),
    }
}

/// The witnesses that the story must reach and the search has not met, if it has met everything.
fn missed(loaded: &Loaded, scene: &Scene, covered: &Covered) -> Vec<String> {
    if !covered.is_all() {
        return Vec::new();
    }
    let names = scene.witnesses();
    let is_met = |wanted: &&String| {
        let index = names.iter().position(|name| name == wanted);
        index.is_some_and(|index| covered.witnessed() >> index & 1 == 1)
    };
    let wanted = loaded.story.witnesses.iter();
    wanted.filter(|wanted| !is_met(wanted)).cloned().collect()
}

/// The steps by name.
pub fn schedule_of(scene: &Scene, found: &Counterexample<Step>) -> Schedule {
    let (mut schedule, mut moment) = (Schedule::new(), scene.initial());
    for step in found.steps.iter().chain(&found.cycle) {
        schedule.push(scene.name(&moment, *step));
        scene.apply(&mut moment, *step, &mut Vec::new());
    }
    schedule
}
