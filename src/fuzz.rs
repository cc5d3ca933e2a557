//! `blockrace fuzz`: many seeds, every expectation checked on each.

pub mod failures;
mod report;

use std::io::Write;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use model::dialect::Dialect;
use scenarios::scene::Scene;
use sim::fuzz::{Campaign, Control, Report, fuzz};

use self::failures::{Known, State};
use self::report::Told;
use crate::cli::{Format, FuzzArgs};
use crate::exit::Exit;
use crate::stage::{self, Loaded, STEPS_MAX};
use crate::watch::Watch;

/// Plays the scenarios.
///
/// # Errors
/// What to print: a scenario or a kept failure that cannot be used, or a failure that cannot be kept.
pub fn run(args: &FuzzArgs) -> Result<Exit, String> {
    let stories = stage::load_all(&args.scenarios)?;
    let mut scenes: Vec<(&Loaded, &'static Dialect, Scene)> = Vec::new();
    for loaded in &stories {
        for dialect in stage::dialects(args.dialect) {
            scenes.push((loaded, dialect, stage::scene(loaded, dialect)?));
        }
    }
    let seeds = args.range();
    if scenes.is_empty() || seeds.is_empty() {
        eprintln!("blockrace: nothing to check: no scenario, or no seed in the range");
        return Ok(Exit::NothingChecked);
    }
    let names = scenes.iter().map(|(loaded, ..)| loaded.name.len());
    let width = names.max().unwrap_or(0);
    let session = Session::new(args, seeds)?;
    let mut worst = Exit::Clean;
    let (mut runs, started) = (0, Instant::now());
    for (number, (loaded, dialect, scene)) in scenes.iter().enumerate() {
        let until = session.watch.share_of_time(scenes.len() - number);
        let told = session.play(loaded, dialect, scene, until)?;
        runs += told.report.runs;
        let mut out = anstream::stdout().lock();
        crate::written(match args.format {
            Format::Human => told.print(&mut out, width, args),
            Format::Json => told.print_json(&mut out, args),
        })?;
        worst = worst.worse(exit_of(&told));
        if session.watch.is_interrupted() {
            break;
        }
    }
    if args.format == Format::Human {
        crate::written(writeln!(anstream::stdout().lock(), "{}", report::LEGEND))?;
    }
    let seconds = started.elapsed().as_secs_f64();
    eprintln!(
        "{runs} runs in {seconds:.1} s: {:.0} runs/s",
        runs as f64 / f64::max(seconds, 1e-9)
    );
    Ok(worst)
}

fn exit_of(told: &Told<'_>) -> Exit {
    let report = &told.report;
    let known = told.known.iter().map(|(_, state)| match state {
        State::Fails(outcome) => Exit::of_run(&outcome.end),
        State::Fixed | State::Stale => Exit::Clean,
    });
    let known = known.fold(Exit::Clean, Exit::worse);
    let seeds = match &report.first_failure {
        _ if report.nondeterminism.is_some() => Exit::Nondeterministic,
        Some(failure) => Exit::of_run(&failure.outcome.end),
        None if known != Exit::Clean => known,
        None if report.unrested > 0 || report.interrupted && !told.out_of_time => {
            Exit::Inconclusive
        }
        None if report.runs == 0 => Exit::NothingChecked,
        None => Exit::Clean,
    };
    known.worse(seeds)
}

/// What all scenarios of one call have in common.
struct Session<'a> {
    args: &'a FuzzArgs,
    seeds: Range<u64>,
    jobs: NonZeroUsize,
    /// Failures of earlier calls.
    known: Vec<Known>,
    watch: Watch,
}

impl<'a> Session<'a> {
    fn new(args: &'a FuzzArgs, seeds: Range<u64>) -> Result<Session<'a>, String> {
        let jobs = args.jobs.or_else(|| thread::available_parallelism().ok());
        Ok(Session {
            args,
            seeds,
            jobs: jobs.unwrap_or(NonZeroUsize::MIN),
            known: match args.failures() {
                Some(folder) => failures::load(folder)?,
                None => Vec::new(),
            },
            watch: Watch::new(args.max_time),
        })
    }

    /// Tries the known failures again, then the seeds, and keeps what fails.
    fn play<'b>(
        &self,
        loaded: &'b Loaded,
        dialect: &'static Dialect,
        scene: &Scene,
        until: Option<Instant>,
    ) -> Result<Told<'b>, String> {
        let known = self.try_known(loaded, dialect, scene)?;
        let fails = known
            .iter()
            .any(|(_, state)| matches!(state, State::Fails(_)));
        let report = match fails && !self.args.keep_going {
            true => Report::default(),
            false => self.campaign(loaded, dialect, scene, until),
        };
        let mut told = Told {
            loaded,
            dialect,
            known,
            out_of_time: report.interrupted && !self.watch.is_interrupted(),
            report,
            kept: Vec::new(),
        };
        self.keep(&mut told, scene)?;
        Ok(told)
    }

    fn try_known(
        &self,
        loaded: &Loaded,
        dialect: &Dialect,
        scene: &Scene,
    ) -> Result<Vec<(PathBuf, State)>, String> {
        let mut states = Vec::new();
        for known in &self.known {
            if known.belongs_to(loaded, dialect) {
                let state = known.try_again(scene);
                if self.args.forget_fixed && !matches!(state, State::Fails(_)) {
                    known.forget()?;
                }
                states.push((known.file.clone(), state));
            }
        }
        Ok(states)
    }

    fn campaign(
        &self,
        loaded: &Loaded,
        dialect: &Dialect,
        scene: &Scene,
        until: Option<Instant>,
    ) -> Report {
        let strategy = self.args.strategy.maker(scene, STEPS_MAX);
        let campaign = Campaign {
            root: self.args.root,
            runs: self.seeds.clone(),
            strategy: &strategy,
            steps_max: STEPS_MAX,
            stop_at_failure: !self.args.keep_going,
            doublecheck: self.args.doublecheck,
            jobs: self.jobs,
        };
        let control = Control::default();
        let bar = self.bar(loaded, dialect);
        let look = || bar.set_position(control.runs_done.load(Relaxed));
        let report = self.watch.over(until, &control.interrupt, look, || {
            fuzz(scene, &campaign, &control)
        });
        bar.finish_and_clear();
        report
    }

    /// A bar that shows how far the campaign is, on a terminal.
    fn bar(&self, loaded: &Loaded, dialect: &Dialect) -> ProgressBar {
        let (length, template) = match self.args.max_time {
            Some(_) => (None, "{msg} {human_pos} runs {per_sec} {elapsed}"),
            None => (
                Some(self.seeds.end - self.seeds.start),
                "{msg} [{bar:30}] {human_pos}/{human_len} {per_sec} {eta}",
            ),
        };
        let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(format!("{} {dialect}", loaded.name));
        bar
    }

    /// Writes the schedules of what was found, unless a known failure of that kind is there already.
    fn keep(&self, told: &mut Told<'_>, scene: &Scene) -> Result<(), String> {
        let Some(folder) = self.args.failures() else {
            return Ok(());
        };
        let Told {
            loaded, dialect, ..
        } = *told;
        for finding in &told.report.findings {
            let file = failures::file_of(folder, loaded, dialect, &finding.first.outcome.end);
            let fails = |(known, state): &(PathBuf, State)| {
                *known == file && matches!(state, State::Fails(_))
            };
            if !told.known.iter().any(fails) {
                let (strategy, root) = (self.args.strategy, self.args.root);
                let schedule = failures::record(scene, loaded, dialect, strategy, root, finding);
                failures::save(&file, &schedule)?;
            }
            told.kept.push(file);
        }
        Ok(())
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
            out_of_time: false,
        };
        assert_eq!(exit_of(&told), Exit::Clean);
        told.report.nondeterminism = Some(Nondeterminism {
            index: 12,
            seed: 0,
            difference: Box::new(difference),
        });
        assert_eq!(exit_of(&told) as u8, 5);
        assert_eq!(exit_of(&told).worse(Exit::Violated) as u8, 5);
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
