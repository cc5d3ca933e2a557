//! `blockrace diff`: random stories, played with real QEMUs, and what these said held against the model.
//!
//! Where the two disagree, the story is made smaller, each candidate played with the same QEMU again, and kept with
//! its recording: it is a scenario that anybody can play. Each story is also played by the model alone, under some
//! seeds, and every promise is judged.

mod kept;
pub mod row;

use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use scenarios::conform::{Exactness, Rejection, Verdict, conform};
use scenarios::coverage::Matrix;
use scenarios::format::Story;
use scenarios::generate;
use scenarios::recording::Recording;
use scenarios::script::Script;
use scenarios::shrink;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sim::Breach;
use sim::run::{End, Runner};
use sim::schedule::Schedule;
use sim::seed::run_seed;
use sim::strategy::Random;

use self::row::Row;
use crate::checkpoint::{self, Slot};
use crate::cli::{DiffArgs, Format};
use crate::conform::print_rejection;
use crate::defects;
use crate::exit::Exit;
use crate::live::{self, Binary, Limits, Tally};
use crate::merge::part;
use crate::partition::Partition;
use crate::pool;
use crate::progress::{self, Figures, Progress};
use crate::stage::{self, STEPS_MAX};
use crate::terminal;
use crate::watch::{self, Watch};

/// Random stories state no expectation and need no patience: what does not come soon does not come.
const LIMITS: Limits = Limits {
    reply: Duration::from_secs(10),
    event: Duration::from_secs(4),
    exit: Duration::from_secs(10),
};

/// How often a smaller story is played before it is taken to agree: what it shows may be a race.
const TRIES: u64 = 3;

/// Plays the stories.
///
/// # Errors
/// What to print: a QEMU that cannot be used, a disagreement that cannot be kept.
pub fn run(args: &DiffArgs) -> Result<Exit, String> {
    let seeds = Partition::of(args.partition, &args.seeds);
    if seeds.is_empty() {
        eprintln!("blockrace: nothing to check: no seed in the range");
        return Ok(Exit::NothingChecked);
    }
    let count = seeds.end - seeds.start;
    let what = format!("{count} random stories");
    let img = args.qemu_img.as_deref();
    let Some(binaries) = live::binaries(&args.qemu, img, args.dialect, &what)? else {
        return Ok(Exit::NothingChecked);
    };
    let shelf = args.checkpoint.shelf()?;
    let mut slots = Vec::new();
    for binary in &binaries {
        let slot = shelf
            .as_ref()
            .map(|shelf| kept::slot(shelf, args, &seeds, binary));
        slots.push(slot.transpose()?);
    }
    let watch = Watch::new(args.max_time);
    let mut worst = Exit::Clean;
    for (binary, slot) in binaries.iter().zip(slots) {
        let campaign = Campaign {
            args,
            binary,
            seeds: seeds.clone(),
            watch: &watch,
            slot,
        };
        let told = campaign.play()?;
        let mut out = terminal::out(args.format == Format::Human);
        crate::written(match args.format {
            Format::Human => told.print(&mut out, binary, &seeds),
            Format::Json => writeln!(out, "{}", json!(told.row(args, binary, &seeds))),
        })?;
        progress::summary_of(
            "stories",
            told.stories,
            Duration::from_secs_f64(told.seconds),
        );
        worst = worst.worse(told.exit(&watch));
    }
    if watch.is_over() {
        checkpoint::tell_of_resume(&args.checkpoint);
    }
    Ok(worst)
}

/// What came of a range of stories.
#[derive(Default, Serialize, Deserialize)]
struct Told {
    stories: u64,
    lines: u64,
    agreed: u64,
    undecided: u64,
    /// The stories that the model does not allow, by seed.
    disagreed: Vec<u64>,
    /// Runs of the model alone.
    runs: u64,
    /// The stories that break a promise of the model alone which is no known defect, by seed.
    broken: Vec<u64>,
    coverage: Matrix,
    seconds: f64,
}

/// All stories with one QEMU.
struct Campaign<'a> {
    args: &'a DiffArgs,
    binary: &'a Binary,
    seeds: Range<u64>,
    watch: &'a Watch,
    /// Where it is kept how far it is, if that is wanted.
    slot: Option<Slot>,
}

/// What the model makes of a story by itself.
#[derive(Default)]
struct Judged {
    runs: u64,
    /// The first run that breaks a promise, and which.
    broken: Option<(u64, Breach)>,
}

/// One story, played.
struct Run {
    recording: Recording,
    verdict: Verdict,
    complaints: String,
}

impl Campaign<'_> {
    fn play(&self) -> Result<Told, String> {
        let started = Instant::now();
        let seeds = &self.seeds;
        let count = usize::try_from(seeds.end - seeds.start)
            .map_err(|_| "--seeds: more stories than this machine can count".to_owned())?;
        let what = format!("QEMU {}", self.binary.version);
        let progress = Progress::new(what, Some(count as u64), self.watch.deadline());
        let mut told = match &self.slot {
            Some(slot) => kept::begin(slot)?,
            None => Told::default(),
        };
        let (done, due) = (told.stories, AtomicBool::new(false));
        progress.show(&Figures::done("stories", done));
        let left = match told.has_found() && !self.args.keep_going {
            true => 0,
            false => count.saturating_sub(usize::try_from(done).unwrap_or(count)),
        };
        let mut failed = None;
        pool::in_order(
            watch::workers(self.args.jobs),
            left,
            |number| {
                let number = done + number as u64;
                let seed = seeds.start + number;
                let run = self.one(&generate::generate(seed), 0)?;
                Ok((run, self.judge(seed)?))
            },
            |number, run| {
                let number = done + number as u64;
                progress.show(&Figures::done("stories", number + 1));
                if self.watch.is_over() {
                    return false;
                }
                let seed = seeds.start + number;
                let done = run.and_then(|(run, judged)| {
                    progress.aside(|| {
                        self.count(&mut told, seed, &run)?;
                        self.enter(&mut told, seed, &judged)
                    })
                });
                failed = done.err();
                if let (Some(slot), None) = (&self.slot, &failed) {
                    slot.look(&due);
                    if due.swap(false, Relaxed) {
                        slot.keep(&told);
                    }
                }
                failed.is_none() && (self.args.keep_going || !told.has_found())
            },
        );
        drop(progress);
        if let Some(failed) = failed {
            return Err(failed);
        }
        told.seconds += started.elapsed().as_secs_f64();
        if let Some(slot) = &self.slot {
            slot.keep(&told);
        }
        Ok(told)
    }

    fn one(&self, story: &Story, number: u64) -> Result<Run, String> {
        let name = &story.name;
        let script = Script::of_story(story, name, self.binary.dialect)
            .map_err(|error| format!("{name}:{}: {}", error.line, error.what))?;
        let folder = live::folder()?;
        let stop = || self.watch.is_over();
        let patience = (LIMITS, &stop as &dyn Fn() -> bool);
        let played = live::play(
            self.binary,
            (story, &script),
            folder.path(),
            number,
            patience,
        )?;
        let recording = live::recording(name, self.binary, &played.lines);
        let verdict = conform(&recording, Exactness::Normal).map_err(|error| error.to_string())?;
        Ok(Run {
            recording,
            verdict,
            complaints: played.complaints,
        })
    }

    /// Plays a story in the model alone, and judges every promise.
    fn judge(&self, seed: u64) -> Result<Judged, String> {
        let mut judged = Judged::default();
        let loaded = stage::load(&format!("{}{seed}", generate::PREFIX))?;
        let scene = stage::scene(&loaded, self.binary.dialect)?;
        let mut runner = Runner::new(&scene);
        runner.steps_max = STEPS_MAX;
        let mut strategy = Random::default();
        for run in 0..self.args.runs {
            judged.runs += 1;
            let outcome = runner.run(&mut strategy, run_seed(0, run), &mut ());
            match outcome.end {
                End::Breached(breach) if defects::behind(&breach).is_none() => {
                    judged.broken = Some((run, breach));
                    break;
                }
                _ => {}
            }
        }
        Ok(judged)
    }

    fn enter(&self, told: &mut Told, seed: u64, judged: &Judged) -> Result<(), String> {
        told.runs += judged.runs;
        let Some((run, breach)) = &judged.broken else {
            return Ok(());
        };
        told.broken.push(seed);
        if self.args.format != Format::Human {
            return Ok(());
        }
        let dialect = self.binary.dialect;
        let story = format!("{}{seed}", generate::PREFIX);
        let again = format!("blockrace run {story} --dialect {dialect} --seed {run}");
        let mut out = terminal::out(true);
        crate::written(writeln!(
            out,
            "BROKEN  {story}  QEMU {dialect}  {breach}\n  again: {again}"
        ))
    }

    fn count(&self, told: &mut Told, seed: u64, run: &Run) -> Result<(), String> {
        let lines = run.recording.lines.iter().map(|(_, line)| line);
        told.stories += 1;
        told.lines += run.recording.lines.len() as u64;
        told.coverage.add(&Matrix::of_recording(lines));
        match &run.verdict {
            Verdict::Accepted { .. } => told.agreed += 1,
            Verdict::TooManyWorlds { .. } => told.undecided += 1,
            Verdict::Rejected(rejection) => {
                told.disagreed.push(seed);
                self.tell(seed, run, rejection)?;
            }
        }
        Ok(())
    }

    // ---- a disagreement

    /// Makes it smaller, keeps it, and shows it.
    fn tell(&self, seed: u64, run: &Run, rejection: &Rejection) -> Result<(), String> {
        let story = generate::generate(seed);
        let raw = self.keep(&story, &story.name, run)?;
        let smaller = self.smaller(&story, &kind(&rejection.recorded));
        let (story, run, rejection) = match &smaller {
            Some((story, run)) => match &run.verdict {
                Verdict::Rejected(rejection) => (story, run, &**rejection),
                _ => (story, run, rejection),
            },
            None => (&story, run, rejection),
        };
        let kept = match &smaller {
            Some((story, run)) => self.keep(story, &format!("{}.min", story.name), run)?,
            None => raw,
        };
        if self.args.format != Format::Human {
            return Ok(());
        }
        let mut out = terminal::out(true);
        crate::written(self.show(&mut out, seed, story, run, rejection, kept.as_deref()))
    }

    /// The smallest story in which a line of the same kind is still not allowed, with its run.
    fn smaller(&self, story: &Story, wanted: &str) -> Option<(Story, Run)> {
        let started = Instant::now();
        let enough = || started.elapsed() >= self.args.shrink_time || self.watch.is_over();
        let mut last = None;
        let mut still = |candidate: &Story, schedule: &Schedule| {
            // A candidate may be one that cannot be played at all.
            let mut runs = (0..TRIES).filter_map(|number| self.one(candidate, number).ok());
            let found = runs.find(|run| {
                matches!(&run.verdict, Verdict::Rejected(found) if kind(&found.recorded) == wanted)
            })?;
            last = Some((candidate.clone(), found));
            Some(schedule.clone())
        };
        let smallest = shrink::shrink(story, &Schedule::new(), &mut still, &enough);
        last.filter(|(found, _)| found.script.len() == smallest.story.script.len())
    }

    /// Writes the story, and what was recorded; gives the story's file.
    fn keep(&self, story: &Story, name: &str, run: &Run) -> Result<Option<PathBuf>, String> {
        let Some(folder) = self.args.failures() else {
            return Ok(None);
        };
        let file = folder.join(format!("{name}.{}.yaml", self.binary.version));
        let lines: Vec<Value> = run
            .recording
            .lines
            .iter()
            .map(|(_, line)| line.clone())
            .collect();
        let mut tally = Tally::default();
        tally.count(&lines);
        write(&file, &story.to_string())?;
        write(
            &file.with_extension("jsonl"),
            &tally.file(&story.name, self.binary),
        )?;
        Ok(Some(file))
    }

    fn show(
        &self,
        out: &mut impl Write,
        seed: u64,
        story: &Story,
        run: &Run,
        rejection: &Rejection,
        kept: Option<&Path>,
    ) -> io::Result<()> {
        let version = &self.binary.version;
        writeln!(
            out,
            "DISAGREEMENT  random:{seed}  QEMU {version}  a script of {} items",
            story.script.len()
        )?;
        print_rejection(out, rejection)?;
        for line in run.complaints.lines() {
            writeln!(out, "  QEMU complains: {line}")?;
        }
        let again = kept.map_or_else(
            || format!("random:{seed}"),
            |file| file.display().to_string(),
        );
        let qemu = self.binary.qemu.display();
        writeln!(out, "  again: blockrace conform --qemu {qemu} {again}")
    }
}

/// What a recorded line is, without its details: two disagreements about lines of one kind are taken to be one.
fn kind(line: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let reply = if line.get("error").is_some() {
        "error"
    } else {
        ""
    };
    let status = text(&line["data"]["status"]);
    [text(&line["t"]), text(&line["event"]), status, reply.into()].join(" ")
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(file, text));
    written.map_err(|error| format!("{}: cannot be written: {error}", file.display()))
}

impl Told {
    fn has_found(&self) -> bool {
        !(self.disagreed.is_empty() && self.broken.is_empty())
    }

    fn exit(&self, watch: &Watch) -> Exit {
        if self.has_found() {
            Exit::Violated
        } else if self.undecided > 0 || watch.is_over() {
            Exit::Inconclusive
        } else {
            Exit::Clean
        }
    }

    fn print(&self, out: &mut impl Write, binary: &Binary, seeds: &Range<u64>) -> io::Result<()> {
        writeln!(out, "{}", self.coverage)?;
        writeln!(
            out,
            "QEMU {}: {} of the random stories {}..{} played, {} lines: {} agree, {} disagree, {} undecided",
            binary.version,
            self.stories,
            seeds.start,
            seeds.end,
            self.lines,
            self.agreed,
            self.disagreed.len(),
            self.undecided,
        )?;
        if let Some(last) = self.disagreed.last() {
            writeln!(out, "  the last disagreement is random:{last}")?;
        }
        writeln!(
            out,
            "  and {} runs of the model alone: {} stories break a promise that is no known defect",
            self.runs,
            self.broken.len()
        )
    }

    /// For machines.
    fn row(&self, args: &DiffArgs, binary: &Binary, seeds: &Range<u64>) -> Row {
        let found = !(self.disagreed.is_empty() && self.broken.is_empty());
        Row {
            qemu: binary.version.to_string(),
            dialect: binary.dialect.name.to_owned(),
            seeds: [seeds.start, seeds.end],
            campaign: part::Campaign::new(&args.seeds, args.partition, args.keep_going),
            runs_of_each: args.runs,
            covered: part::covered(seeds, self.stories),
            stories: self.stories,
            lines: self.lines,
            agreed: self.agreed,
            undecided: self.undecided,
            disagreed: self.disagreed.clone(),
            runs: self.runs,
            broken: self.broken.clone(),
            coverage: self.coverage.clone(),
            interrupted: self.stories < seeds.end - seeds.start && (args.keep_going || !found),
        }
    }
}
