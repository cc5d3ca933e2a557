//! `blockrace fuzz --random`: many random stories, each under some seeds, in each dialect.
//!
//! What is found is a function of the range of stories and of the options, whatever the number of workers: they take
//! one story after the other, and what they found is added up in the order of the stories.

mod kept;
mod report;
pub mod row;

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Instant;

use model::dialect::Dialect;
use scenarios::coverage::{Follower, Matrix};
use scenarios::generate;
use scenarios::line::Line;
use scenarios::scene::{Moment, Scene, Step};
use serde_json::json;
use sim::fuzz::{Difference, run_twice, signature};
use sim::hash::fingerprint_of;
use sim::run::{End, Outcome, Recorder, Runner, Watcher};
use sim::seed::run_seed;
use sim::{Breach, Footprint};

use crate::checkpoint::{self, Slot};
use crate::cli::FuzzArgs;
use crate::counterexample::{self, Exhibit, Found};
use crate::defects;
use crate::exit::Exit;
use crate::failures;
use crate::output::{Case, Output};
use crate::partition::Partition;
use crate::progress::{self, Figures, Progress, Summary, rate};
use crate::stage::{self, STEPS_MAX, Staged};
use crate::terminal;
use crate::watch::{self, Watch};

/// Plays the stories.
///
/// # Errors
/// What to print: a failure that cannot be kept.
pub fn run(args: &FuzzArgs, all: &Range<u64>, output: &mut Output) -> Result<Exit, String> {
    let stories = Partition::of(args.partition, all);
    if stories.is_empty() || args.runs_of_each().is_empty() {
        eprintln!("blockrace: nothing to check: no random story, or no seed in the range");
        return Ok(Exit::NothingChecked);
    }
    let watch = Watch::new(args.max_time);
    let started = Instant::now();
    let mut campaign = Campaign::new(args, stories);
    if let Some(slot) = kept::slot(args, &campaign)? {
        campaign.begin(slot)?;
    }
    let total = campaign.play(&watch);
    let seconds = started.elapsed().as_secs_f64();
    let exit = exit_of(
        &total,
        &watch,
        args.must_finish && campaign.is_cut_short(&total),
    );
    let row = report::row(args, (all, &campaign.stories), &total, exit);
    output.row(json!(row))?;
    let mut out = terminal::out(true);
    if output.is_human() {
        let told = report::print(&mut out, args, &campaign.stories, &total, exit);
        crate::written(told)?;
    }
    let mut exhibits = Vec::new();
    for finding in total.findings.values() {
        exhibits.push(show(&mut out, args, &watch, finding, output)?);
    }
    if output.is_human() {
        crate::written(write!(out, "\n{}", total.matrix))?;
    }
    drop(out);
    let case = report::case(args, (&campaign.stories, &total), exit, &exhibits);
    output.case(Case { seconds, ..case });
    let (stories, runs) = (total.stories, total.runs);
    let memory = Summary::default().words();
    progress::summary(&format!(
        "{stories} stories, {runs} runs in {seconds:.1} s{memory}: {} stories/s, {} runs/s",
        rate(stories, seconds),
        rate(runs, seconds)
    ));
    if campaign.is_cut_short(&total) {
        checkpoint::tell_of_resume(&args.checkpoint);
    }
    Ok(exit)
}

fn exit_of(total: &Tally, watch: &Watch, is_cut_short: bool) -> Exit {
    if total.nondeterminism.is_some() {
        Exit::Nondeterministic
    } else if !total.findings.is_empty() {
        Exit::Violated
    } else if total.unrested > 0 || watch.is_interrupted() || is_cut_short {
        Exit::Inconclusive
    } else if total.stories == 0 {
        Exit::NothingChecked
    } else {
        Exit::Clean
    }
}

/// Where a run is: it can be done again.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// The story's seed.
    story: u64,
    /// The release whose rules were played.
    dialect: &'static Dialect,
    /// The number of the run.
    run: u64,
}

impl Place {
    /// The line that does it again.
    fn again(&self, args: &FuzzArgs, scenario: &str) -> String {
        stage::line_to_paste(scenario, self.dialect, (args.root, self.run), args.strategy)
    }
}

/// Failures of one kind.
#[derive(Clone, Debug)]
struct Finding {
    /// The first.
    first: Place,
    /// How that one ended.
    breach: Breach,
    /// How many runs failed so.
    runs: u64,
}

/// How often a known defect was met.
#[derive(Clone, Copy, Debug, Default)]
struct Met {
    stories: u64,
    runs: u64,
}

/// What came of one story, or of many.
#[derive(Debug, Default)]
struct Tally {
    stories: u64,
    runs: u64,
    steps: u64,
    /// Runs that were ended before they rested.
    unrested: u64,
    /// A hash of which run had which outcome: the sum, modulo 2¹²⁸, of a hash of each.
    digest: u128,
    matrix: Matrix,
    /// By name.
    defects: BTreeMap<&'static str, Met>,
    /// By their signatures.
    findings: BTreeMap<String, Finding>,
    /// The first run that was not the same twice.
    nondeterminism: Option<(Place, Box<Difference>)>,
}

impl Tally {
    /// Adds that of stories which come later.
    fn add(&mut self, later: Tally) {
        self.stories += later.stories;
        self.runs += later.runs;
        self.steps += later.steps;
        self.unrested += later.unrested;
        self.digest = self.digest.wrapping_add(later.digest);
        self.matrix.add(&later.matrix);
        for (name, met) in later.defects {
            let mine = self.defects.entry(name).or_default();
            mine.stories += met.stories;
            mine.runs += met.runs;
        }
        for (signature, finding) in later.findings {
            let runs = finding.runs;
            let entry = self.findings.entry(signature);
            entry
                .and_modify(|first| first.runs += runs)
                .or_insert(finding);
        }
        self.nondeterminism = self.nondeterminism.take().or(later.nondeterminism);
    }

    /// Enters a run.
    fn enter(&mut self, place: Place, outcome: &Outcome) {
        self.runs += 1;
        self.steps += outcome.steps;
        let Place {
            story,
            dialect,
            run,
        } = place;
        let hash = fingerprint_of(&(story, dialect.name, run, outcome));
        self.digest = self.digest.wrapping_add(hash);
        match &outcome.end {
            End::Breached(breach) => self.fails(place, breach),
            End::Rested => {}
            _ => self.unrested += 1,
        }
    }

    fn fails(&mut self, place: Place, breach: &Breach) {
        if let Some(defect) = defects::behind(breach) {
            let met = self.defects.entry(defect.name).or_default();
            (met.stories, met.runs) = (1, met.runs + 1);
            return;
        }
        let kind = signature(&End::Breached(breach.clone())).expect("internal: it is a failure");
        let finding = self.findings.entry(kind).or_insert_with(|| Finding {
            first: place,
            breach: breach.clone(),
            runs: 0,
        });
        finding.runs += 1;
    }

    /// Whether a campaign that does not go on after failures ends here.
    fn ends(&self) -> bool {
        !self.findings.is_empty() || self.nondeterminism.is_some()
    }
}

/// Feeds what is seen in a run to the matrix.
struct Cover<'a> {
    follower: Follower,
    matrix: &'a mut Matrix,
}

impl Watcher<Scene> for Cover<'_> {
    fn after(&mut self, _: &Scene, _: &Moment, _: Step, _: Footprint, seen: &[Line]) {
        for line in seen {
            self.follower.line(line, self.matrix);
        }
    }
}

/// What is to be done, and how far it is.
struct Campaign<'a> {
    args: &'a FuzzArgs,
    stories: Range<u64>,
    dialects: Vec<&'static Dialect>,
    /// The story that is taken next.
    next: AtomicU64,
    /// No later story matters any more.
    last: AtomicU64,
    interrupt: AtomicBool,
    ledger: Mutex<Ledger>,
    /// Where it is kept how far it is, if that is wanted.
    slot: Option<Slot>,
    /// It is time to keep it.
    keep: AtomicBool,
}

/// What was found, added up in the order of the stories.
#[derive(Default)]
struct Ledger {
    total: Tally,
    /// How many stories were entered, or come after the last that counts.
    entered: u64,
    /// Stories that were done before one that comes before them.
    waiting: BTreeMap<u64, Tally>,
    /// The campaign has ended with the last story that was added.
    over: bool,
}

impl<'a> Campaign<'a> {
    fn new(args: &'a FuzzArgs, stories: Range<u64>) -> Campaign<'a> {
        Campaign {
            args,
            next: AtomicU64::new(stories.start),
            last: AtomicU64::new(u64::MAX),
            stories,
            dialects: args.qemu.all(),
            interrupt: AtomicBool::new(false),
            ledger: Mutex::default(),
            slot: None,
            keep: AtomicBool::new(false),
        }
    }

    /// Goes on from stories that were done before.
    fn start(&mut self, total: Tally) {
        self.next = AtomicU64::new(self.stories.start + total.stories);
        let over = total.ends() && !self.args.keep_going;
        if over {
            self.interrupt = AtomicBool::new(true);
        }
        self.ledger = Mutex::new(Ledger {
            entered: total.stories,
            over,
            total,
            ..Ledger::default()
        });
    }

    /// Whether it ended before the last story, and not with a failure.
    fn is_cut_short(&self, total: &Tally) -> bool {
        let asked = self.stories.end - self.stories.start;
        total.stories < asked && (self.args.keep_going || !total.ends())
    }

    fn play(&self, watch: &Watch) -> Tally {
        let count = self.stories.end - self.stories.start;
        let until = watch.share_of_time(1);
        let progress = Progress::new("random", Some(count), until);
        let begun = || self.next.load(Relaxed).min(self.stories.end) - self.stories.start;
        let look = || {
            progress.show(&Figures::done("stories", begun()));
            if let Some(slot) = &self.slot {
                slot.look(&self.keep);
            }
        };
        watch.over(until, &self.interrupt, look, || {
            thread::scope(|scope| {
                for _ in 0..watch::workers(self.args.jobs).get() {
                    scope.spawn(|| self.work());
                }
            });
        });
        drop(progress);
        let mut ledger = self.ledger.lock().expect("internal: a worker panicked");
        self.keep(&ledger.total);
        std::mem::take(&mut ledger.total)
    }

    /// What one worker does.
    fn work(&self) {
        loop {
            let story = self.next.fetch_add(1, Relaxed);
            let over = self.interrupt.load(Relaxed) || story > self.last.load(Relaxed);
            if over || story >= self.stories.end {
                return;
            }
            let tally = catch_unwind(AssertUnwindSafe(|| self.story(story)));
            let tally = tally.unwrap_or_else(|payload| {
                self.interrupt.store(true, Relaxed);
                eprintln!("blockrace: random:{story} ran into a mistake of blockrace's own");
                resume_unwind(payload)
            });
            if tally.ends() && !self.args.keep_going {
                self.last.fetch_min(story, Relaxed);
            }
            self.enter(story, tally);
        }
    }

    fn enter(&self, story: u64, tally: Tally) {
        let mut ledger = self.ledger.lock().expect("internal: a worker panicked");
        let kinds = ledger.total.findings.len();
        ledger.waiting.insert(story - self.stories.start, tally);
        loop {
            let next = ledger.entered;
            let Some(tally) = ledger.waiting.remove(&next) else {
                break;
            };
            ledger.entered += 1;
            if !ledger.over {
                ledger.over = tally.ends() && !self.args.keep_going;
                ledger.total.add(tally);
            }
        }
        if self.keep.swap(false, Relaxed) || ledger.total.findings.len() > kinds {
            self.keep(&ledger.total);
        }
    }

    /// Plays one story.
    fn story(&self, seed: u64) -> Tally {
        let mut tally = Tally {
            stories: 1,
            ..Tally::default()
        };
        let loaded = stage::load(&format!("{}{seed}", generate::PREFIX));
        let loaded = loaded.expect("internal: a random story can be played");
        for &dialect in &self.dialects {
            let scene = stage::scene(&loaded, dialect);
            let scene = scene.expect("internal: a random story is modelled");
            self.runs(seed, dialect, &scene, &mut tally);
        }
        tally
    }

    fn runs(&self, story: u64, dialect: &'static Dialect, scene: &Scene, tally: &mut Tally) {
        let mut runner = Runner::new(scene);
        runner.steps_max = STEPS_MAX;
        let mut strategy = self.args.strategy.maker(scene, STEPS_MAX)();
        for run in self.args.runs_of_each() {
            let place = Place {
                story,
                dialect,
                run,
            };
            let seed = run_seed(self.args.root, run);
            if self.args.doublecheck
                && let Err(difference) = run_twice(&mut runner, strategy.as_mut(), seed)
            {
                tally.nondeterminism.get_or_insert((place, difference));
                return;
            }
            let mut cover = Cover {
                follower: Follower::default(),
                matrix: &mut tally.matrix,
            };
            let outcome = runner.run(strategy.as_mut(), seed, &mut cover);
            tally.enter(place, &outcome);
        }
    }
}

/// Keeps the story and the schedule of a finding's first failure, shortens them, and shows them to people. The story
/// is kept as a file: what a seed means may change, and the failure should not.
fn show(
    out: &mut impl Write,
    args: &FuzzArgs,
    watch: &Watch,
    finding: &Finding,
    output: &Output,
) -> Result<(Option<PathBuf>, Exhibit), String> {
    let Place {
        story,
        dialect,
        run,
    } = finding.first;
    let mut scenario = format!("{}{story}", generate::PREFIX);
    if let Some(folder) = args.failures() {
        let told = generate::generate(story);
        let file = folder.join(format!("{}.yaml", told.name));
        failures::write(&file, &told.to_string())?;
        scenario = file.display().to_string();
    }
    let loaded = stage::load(&scenario)?;
    let scene = stage::scene(&loaded, dialect)?;
    let staged = Staged {
        loaded: &loaded,
        dialect,
        scene,
    };
    let scene = &staged.scene;
    let mut recorder = Recorder::new();
    let mut runner = Runner::new(scene);
    runner.steps_max = STEPS_MAX;
    let mut strategy = args.strategy.maker(scene, STEPS_MAX)();
    runner.run(strategy.as_mut(), run_seed(args.root, run), &mut recorder);
    let found = Found {
        loaded: &loaded,
        dialect,
        scene,
        schedule: &recorder.schedule,
        breach: &finding.breach,
        found_by: "fuzz --random",
        again: finding.first.again(args, &scenario),
    };
    let kept = match args.failures() {
        Some(folder) => Some(found.keep(folder)?),
        None => None,
    };
    let options = counterexample::Options {
        shrink_time: args.shrink_time,
        interrupted: &|| watch.is_interrupted(),
    };
    let exhibit = counterexample::show_below(out, &found, kept.as_deref(), &options, output)?;
    Ok((kept, exhibit))
}
