//! `blockrace fuzz`: many seeds, every expectation checked on each.

mod kept;
pub mod random;
mod report;
pub mod row;
mod sample;
mod verdict;

use std::io::Write;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use serde_json::json;
use sim::Breach;
use sim::fuzz::{Campaign, Control, Finding, Report, fuzz};
use sim::run::{End, Recorder, Runner};
use sim::schedule::Schedule;

use self::kept::Kept;
use self::report::Told;
use crate::checkpoint::{self, Shelf, Slot};
use crate::cli::FuzzArgs;
use crate::counterexample::{self, Exhibit, Found};
use crate::defects;
use crate::exit::Exit;
use crate::failures::{self, Known, Tried};
use crate::output::{Case, Output};
use crate::progress::{self, Figures, Progress};
use crate::stage::{self, STEPS_MAX, Staged};
use crate::terminal;
use crate::watch::{self, Watch};

/// Plays the scenarios.
///
/// # Errors
/// What to print: a scenario or a kept failure that cannot be used, or a failure that cannot be kept.
pub fn run(args: &FuzzArgs, output: &mut Output) -> Result<Exit, String> {
    if let Some(stories) = &args.random {
        return random::run(args, stories, output);
    }
    let (stories, dialects) = stage::cast(&args.scenarios, &args.qemu)?;
    let stages = stage::stages(&stories, &dialects)?;
    let seeds = args.range();
    if stages.is_empty() || seeds.is_empty() {
        eprintln!("blockrace: nothing to check: no scenario, or no seed in the range");
        return Ok(Exit::NothingChecked);
    }
    let width = stage::width_of_names(&stages);
    let session = Session::new(args, seeds)?;
    let slots = session.slots(&stages)?;
    let mut worst = Exit::Clean;
    let (mut runs, mut is_cut_short, started) = (0, false, Instant::now());
    for ((number, staged), slot) in stages.iter().enumerate().zip(slots) {
        let until = session.watch.share_of_time(stages.len() - number);
        let mut told = session.play(staged, slot, until)?;
        let new = session.keep(&mut told, staged)?;
        runs += told.report.runs;
        is_cut_short |= told.report.interrupted;
        output.row(json!(told.row(args)))?;
        let mut out = terminal::out(true);
        if output.is_human() {
            crate::written(told.print(&mut out, width, args))?;
        }
        let mut exhibits = Vec::new();
        for failure in &new {
            let found = failure.found(&told, staged, args);
            let exhibit = session.show(&mut out, failure, &found, output)?;
            exhibits.push((failure.index, exhibit));
        }
        drop(out);
        let exit = told.verdict().exit();
        output.case(told.case(args, exit, &exhibits));
        worst = worst.worse(exit);
        if session.watch.is_interrupted() {
            let not_begun = &stages[number + 1..];
            if !not_begun.is_empty() {
                worst = worst.worse(Exit::Inconclusive);
                let count = not_begun.len();
                eprintln!("blockrace: ended by Ctrl-C: {count} stories were not begun");
            }
            for staged in not_begun {
                output.case(Case::not_begun(staged));
            }
            break;
        }
    }
    if output.is_human() {
        crate::written(writeln!(terminal::out(true), "{}", report::LEGEND))?;
    }
    progress::summary_of("runs", runs, started.elapsed());
    if is_cut_short {
        checkpoint::tell_of_resume(&args.checkpoint);
    }
    Ok(worst)
}

/// What all scenarios of one call have in common.
struct Session<'a> {
    args: &'a FuzzArgs,
    seeds: Range<u64>,
    jobs: NonZeroUsize,
    /// Failures of earlier calls.
    known: Vec<Known>,
    /// Where checkpoints are, if they are wanted.
    shelf: Option<Shelf>,
    watch: Watch,
}

impl<'a> Session<'a> {
    fn new(args: &'a FuzzArgs, seeds: Range<u64>) -> Result<Session<'a>, String> {
        Ok(Session {
            args,
            seeds,
            jobs: watch::workers(args.jobs),
            known: failures::load(args.failures())?,
            shelf: args.checkpoint.shelf()?,
            watch: Watch::new(args.max_time),
        })
    }

    /// Tries the known failures again, then the seeds.
    fn play<'b>(
        &self,
        staged: &'b Staged<'b>,
        slot: Option<Slot>,
        until: Option<Instant>,
    ) -> Result<Told<'b>, String> {
        let started = Instant::now();
        let kept = slot.map(|slot| Kept::begin(slot, self.known.iter()));
        let kept = kept.transpose()?;
        let known = self.try_known(staged, kept.as_ref())?;
        let report = match known.iter().any(Tried::fails) && !self.args.keep_going {
            true => Report::default(),
            false => self.campaign(staged, kept.as_ref(), until)?,
        };
        Ok(Told {
            loaded: staged.loaded,
            dialect: staged.dialect,
            known,
            out_of_time: report.interrupted && !self.watch.is_interrupted(),
            must_finish: self.args.must_finish,
            report,
            kept: Vec::new(),
            seconds: started.elapsed().as_secs_f64(),
        })
    }

    fn try_known(&self, staged: &Staged<'_>, kept: Option<&Kept>) -> Result<Vec<Tried>, String> {
        let Staged {
            loaded,
            dialect,
            scene,
        } = staged;
        let mut all = Vec::new();
        for known in &self.known {
            let is_older = kept.is_none_or(|kept| kept.knew(known));
            if is_older && known.belongs_to(loaded, dialect) {
                let tried = known.try_again(loaded, dialect, scene);
                if self.args.forget_fixed && !tried.fails() {
                    known.forget()?;
                }
                all.push(tried);
            }
        }
        Ok(all)
    }

    fn campaign(
        &self,
        staged: &Staged<'_>,
        kept: Option<&Kept>,
        until: Option<Instant>,
    ) -> Result<Report, String> {
        let strategy = self.args.strategy.maker(&staged.scene, STEPS_MAX);
        let campaign = Campaign {
            root: self.args.root,
            runs: self.seeds.clone(),
            strategy: &strategy,
            steps_max: STEPS_MAX,
            stop_at_failure: report::stops_at_failure(self.args, staged.loaded),
            doublecheck: self.args.doublecheck,
            jobs: self.jobs,
        };
        let control = Control::default();
        let what = format!("{} {}", staged.loaded.name, staged.dialect);
        let runs = self.seeds.end - self.seeds.start;
        let total = self.args.max_time.is_none().then_some(runs);
        let progress = Progress::new(what, total, until);
        let look = || {
            progress.show(&Figures::done("runs", control.runs_done.load(Relaxed)));
            if let Some(kept) = kept {
                kept.look(&control);
            }
        };
        let scene = &staged.scene;
        self.watch
            .over(until, &control.interrupt, look, || match kept {
                Some(kept) => kept.fuzz(scene, &campaign, &control),
                None => Ok(fuzz(scene, &campaign, &control)),
            })
    }

    /// Writes the schedules of what was found as they are, unless a known failure of that kind still fails. Returns
    /// the new ones.
    fn keep(&self, told: &mut Told<'_>, staged: &Staged<'_>) -> Result<Vec<New>, String> {
        let (mut all, mut kept) = (Vec::new(), Vec::new());
        for finding in &told.report.findings {
            let End::Breached(breach) = &finding.first.outcome.end else {
                continue;
            };
            if defects::expected(staged.loaded, breach).is_some() {
                kept.push(None);
                continue;
            }
            let mut new = New {
                schedule: self.record(staged, finding),
                index: finding.first.index,
                breach: breach.clone(),
                kept: None,
            };
            let found = new.found(told, staged, self.args);
            let file = self.args.failures().map(|folder| found.file(folder));
            let fails = |tried: &Tried| Some(&tried.kept) == file.as_ref() && tried.fails();
            let is_known = told.known.iter().any(fails);
            if let (Some(folder), false) = (self.args.failures(), is_known) {
                found.keep(folder)?;
            }
            kept.push(file.clone());
            new.kept = file;
            if !is_known {
                all.push(new);
            }
        }
        told.kept = kept;
        Ok(all)
    }

    /// The schedule of a finding's first failure, with headers that say where it came from.
    fn record(&self, staged: &Staged<'_>, finding: &Finding) -> Schedule {
        let scene = &staged.scene;
        let mut recorder = Recorder::new();
        let mut runner = Runner::new(scene);
        runner.steps_max = STEPS_MAX;
        let mut chooser = self.args.strategy.maker(scene, STEPS_MAX)();
        runner.run(chooser.as_mut(), finding.first.seed, &mut recorder);
        let mut schedule = recorder.schedule;
        for (key, value) in [
            ("strategy", self.args.strategy.to_string()),
            ("root", self.args.root.to_string()),
            ("seed", finding.first.index.to_string()),
        ] {
            schedule.set_header(key, &value);
        }
        schedule
    }

    /// Shortens a failure, and shows it to people.
    fn show(
        &self,
        out: &mut impl Write,
        new: &New,
        found: &Found<'_>,
        output: &Output,
    ) -> Result<Exhibit, String> {
        let options = counterexample::Options {
            shrink_time: self.args.shrink_time,
            interrupted: &|| self.watch.is_interrupted(),
        };
        let kept = new.kept.as_deref();
        counterexample::show_below(out, found, kept, &options, output)
    }
}

/// A failure that was not known.
struct New {
    schedule: Schedule,
    /// The number of the run.
    index: u64,
    breach: Breach,
    /// Where it is kept, if it is.
    kept: Option<PathBuf>,
}

impl New {
    fn found<'a>(
        &'a self,
        told: &'a Told<'_>,
        staged: &'a Staged<'_>,
        args: &FuzzArgs,
    ) -> Found<'a> {
        Found {
            loaded: staged.loaded,
            dialect: staged.dialect,
            scene: &staged.scene,
            schedule: &self.schedule,
            breach: &self.breach,
            found_by: "fuzz",
            again: told.again(args, self.index),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::dialect::DIALECTS;
    use sim::fuzz::{Difference, Nondeterminism};

    /// A run that was not the same twice outweighs everything else, and says where the two parted.
    #[test]
    fn nondeterminism_is_shown_and_has_an_exit_code_of_its_own() {
        use clap::Parser;
        let cli = crate::cli::Cli::parse_from(["blockrace", "fuzz", "--strategy", "pct:2"]);
        let crate::cli::Command::Fuzz(args) = cli.command else {
            panic!("it is `fuzz`")
        };
        let difference = Difference {
            step: 3,
            what: "what it shows",
            first: "monitor reply: [1]".into(),
            second: "monitor reply: [2]".into(),
        };
        let loaded = stage::load("test_incremental_simple").expect("a shipped story");
        let mut told = Told {
            loaded: &loaded,
            dialect: DIALECTS[0],
            known: Vec::new(),
            report: Report {
                runs: 12,
                ..Report::default()
            },
            kept: Vec::new(),
            seconds: 0.0,
            out_of_time: false,
            must_finish: false,
        };
        assert_eq!(told.verdict().exit(), Exit::Clean);
        told.report.nondeterminism = Some(Nondeterminism {
            index: 12,
            seed: 0,
            difference: Box::new(difference),
        });
        assert_eq!(told.verdict().exit() as u8, 5);
        assert_eq!(told.verdict().exit().worse(Exit::Violated) as u8, 5);
        let mut out = Vec::new();
        told.print(&mut out, 0, &args).expect("memory");
        let printed = String::from_utf8(out).expect("text");
        let (row, rest) = printed.split_once('\n').expect("a row");
        assert!(row.ends_with("NONDETERMINISTIC"), "{row}");
        assert_eq!(
            rest,
            "  NONDETERMINISTIC  seed 12 was not the same twice
          at step 3 what it shows differs
            first   monitor reply: [1]
            then    monitor reply: [2]
  again   blockrace run test_incremental_simple --dialect 7.2 --seed 12 --strategy pct:2
"
        );
    }
}
