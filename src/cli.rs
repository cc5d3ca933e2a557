//! The command line: what can be asked, and its help.

use std::num::{NonZeroU64, NonZeroUsize};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use model::dialect::{DIALECTS, Dialect, QEMU_10_0};
use model::mutation::{MUTATIONS, Mutation};
use scenarios::log::Style;
use scenarios::size::Size;
use sim::search::BITSTATE;
use sim::strategy::Spec;

use crate::checkpoint::CheckpointArgs;
use crate::ci::CiArgs;
use crate::config::ConfigArgs;
use crate::demo::DemoArgs;
use crate::explain::ExplainArgs;
use crate::init::InitArgs;
use crate::manual::{CompletionsArgs, ManArgs};
use crate::merge::MergeArgs;
use crate::output::{self, OutputArgs};
use crate::partition::Partition;
use crate::report::ReportArgs;
use crate::snapshot::SnapshotArgs;
use crate::spread::SpreadArgs;
use crate::terminal::TerminalArgs;
use crate::version::VERSION;

/// Simulates and checks QEMU's incremental-backup machinery.
#[derive(Debug, Parser)]
#[command(name = "blockrace", version = VERSION, after_help = crate::exit::HELP, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How it is to look.
    #[command(flatten)]
    pub terminal: TerminalArgs,
}

/// What can be asked.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what there is: scenarios, strategies, dialects, properties, witnesses, mutations, defects
    List(ListArgs),
    /// Say what a promise, witness, defect, mutation, status, event or error class is; also as --explain NAME
    #[command(long_flag = "explain")]
    Explain(ExplainArgs),
    /// Play one scenario under one seed and show its trace
    Run(RunArgs),
    /// Play scenarios under many seeds, checking every expectation on each
    Fuzz(FuzzArgs),
    /// Play scenarios through every interleaving
    Check(CheckArgs),
    /// Follow a schedule, and show what it breaks
    Replay(ReplayArgs),
    /// Decide whether recordings of real QEMU are traces of the model
    Conform(ConformArgs),
    /// Play random stories with a real QEMU, and check what it says
    Diff(DiffArgs),
    /// Show every order in which a client can read one scenario's messages
    Traces(TracesArgs),
    /// Plant every bug of the catalogue, and say how hard each is to find
    Bugs(BugsArgs),
    /// Add up the reports of the parts of a campaign
    Merge(MergeArgs),
    /// Play scenarios on real threads, under QEMU's locks: the one result that chance decides
    Stress(StressArgs),
    /// Draw a run, a counterexample or a check as one HTML file
    Report(ReportArgs),
    /// Run the lanes of a profile of blockrace.toml: what CI runs, and what you run before it does
    Ci(CiArgs),
    /// Show what `ci` would take from flags, the environment, blockrace.toml and defaults, and which of them it is
    Config(ConfigArgs),
    /// Keep what scenarios print, and say when it changes
    Snapshot(SnapshotArgs),
    /// Write a first scenario, a `blockrace.toml` and a GitHub workflow
    Init(InitArgs),
    /// See a race of QEMU's found, made small and explained, in five seconds
    Demo(DemoArgs),
    /// Print completions for a shell
    Completions(CompletionsArgs),
    /// Write the man pages
    Man(ManArgs),
    /// One process of a search over several: `check` starts it
    #[cfg(feature = "cluster")]
    #[command(hide = true)]
    Member,
}

/// What to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Listing {
    /// The shipped scenarios
    #[default]
    Scenarios,
    /// Who can choose the next step
    Strategies,
    /// The QEMU releases whose rules are known
    Dialects,
    /// What is promised, and how it is checked
    Properties,
    /// The interesting cases that a search should meet
    Witnesses,
    /// The bugs that can be planted, and what each breaks
    Mutations,
    /// What the QEMU releases are known to do wrong
    Defects,
}

/// Arguments of `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// What to show
    #[arg(value_enum, default_value_t)]
    pub what: Listing,
}

/// How output is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Human,
    /// For machines: JSON Lines
    Json,
}

/// Whose rules are played.
#[derive(Debug, Args)]
pub struct Qemu {
    /// The QEMU release whose rules are played [default: 10.0 for one run, both for a campaign; the schedule's for a
    /// replay]
    #[arg(long, value_parser = dialect)]
    dialect: Option<&'static Dialect>,
    /// Plant a bug: see `blockrace list mutations`. May be given several times
    #[arg(long, value_name = "NAME", value_parser = mutation)]
    mutation: Vec<&'static Mutation>,
    /// Play a QEMU without its known defects: see `blockrace list defects`
    #[arg(long)]
    fixed: bool,
}

impl Qemu {
    /// The one whose rules are played.
    pub fn one(&self) -> &'static Dialect {
        self.chosen().unwrap_or_else(|| self.planted(&QEMU_10_0))
    }

    /// All whose rules are played.
    pub fn all(&self) -> Vec<&'static Dialect> {
        match self.chosen() {
            Some(dialect) => vec![dialect],
            None => DIALECTS.map(|dialect| self.planted(dialect)).to_vec(),
        }
    }

    /// The one that was named, if one was.
    pub fn chosen(&self) -> Option<&'static Dialect> {
        self.dialect.map(|dialect| self.planted(dialect))
    }

    /// Whether anything was said about it.
    pub fn is_given(&self) -> bool {
        self.dialect.is_some() || self.fixed || !self.mutation.is_empty()
    }

    /// That dialect, with the bugs that are to be planted, and repaired if that was asked for.
    pub fn planted(&self, dialect: &'static Dialect) -> &'static Dialect {
        let dialect = if self.fixed { dialect.fixed() } else { dialect };
        let mutations = self.mutation.iter();
        mutations.fold(dialect, |dialect, mutation| dialect.with(mutation))
    }

    /// The bugs that are planted beside those that a dialect's name says.
    pub fn mutations(&self) -> &[&'static Mutation] {
        &self.mutation
    }
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// A shipped scenario's name, or a file
    pub scenario: String,
    /// The run's number in the campaign of `fuzz` with the same root seed
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// The campaign's root seed
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub root: u64,
    /// The campaign's strategy
    #[arg(long, default_value = "random")]
    pub strategy: Spec,
    /// Whose rules are played
    #[command(flatten)]
    pub qemu: Qemu,
    /// Follow a schedule instead of a seed: one step a line
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seed", "root", "strategy"])]
    pub schedule: Option<PathBuf>,
    /// Write the schedule that was followed to a file
    #[arg(long, value_name = "FILE")]
    pub save_schedule: Option<PathBuf>,
    /// Show every step, and every message as QEMU's JSON
    #[arg(long, conflicts_with = "columns")]
    pub full: bool,
    /// Show one column for each of those who speak
    #[arg(long)]
    pub columns: bool,
    /// How to write the trace
    #[arg(long, value_enum, default_value_t, conflicts_with_all = ["full", "columns"])]
    pub format: Format,
}

/// In which order states are visited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OrderArg {
    /// A layer at a time: counterexamples are the shortest
    #[default]
    Breadth,
    /// The newest first: less memory for what waits
    Depth,
    /// No state is kept: one schedule for each class of equivalent ones
    Stateless,
}

/// What is kept of a visited state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum KeepArg {
    /// All of it
    #[default]
    Rows,
    /// A fingerprint; the odds of a missed state are printed
    Fingerprints,
}

/// What is done when memory is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum WhenFullArg {
    /// The scenario is INCONCLUSIVE
    #[default]
    Stop,
    /// Go on with a disk: slower, with the same result
    Spill,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Shipped scenarios' names, files, or folders; all shipped ones if none is given
    pub scenarios: Vec<String>,
    /// Whose rules are played
    #[command(flatten)]
    pub qemu: Qemu,
    /// In which order states are visited
    #[arg(long, value_enum, default_value_t)]
    pub order: OrderArg,
    /// What is kept of a visited state
    #[arg(long, value_enum, default_value_t)]
    pub keep: KeepArg,
    /// Keep 3 bits of each state, in 2^BITS bits: states are missed, and the verdict is never more than INCOMPLETE
    #[arg(long, value_name = "BITS", conflicts_with = "keep",
          value_parser = clap::value_parser!(u32).range(i64::from(*BITSTATE.start())..=i64::from(*BITSTATE.end())))]
    pub bitstate: Option<u32>,
    /// Try every order of steps, also where one stands for all
    #[arg(long)]
    pub no_reduction: bool,
    /// Leave out steps whose other order was tried: fewer steps, the same states
    #[arg(long)]
    pub sleep_sets: bool,
    /// Do not look for runs that need never rest
    #[arg(long)]
    pub no_cycles: bool,
    /// Give up on a scenario after so many states (or, stateless, executions)
    #[arg(
        long,
        value_name = "N",
        env = "BLOCKRACE_MAX_STATES",
        hide_env_values = true
    )]
    pub max_states: Option<NonZeroU64>,
    /// Go no deeper than so many steps
    #[arg(long, value_name = "N")]
    pub max_depth: Option<u64>,
    /// Take no more memory than this, such as 500M or 8G
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub max_memory: Option<u64>,
    /// What to do with a scenario that would take more
    #[arg(long, value_enum, default_value_t, requires = "max_memory")]
    pub when_full: WhenFullArg,
    /// Where --when-full spill has its files, which have no names; the system's folder for temporary files if not given
    #[arg(long, value_name = "DIR")]
    pub spill: Option<PathBuf>,
    /// Give up after this time for all scenarios together, such as 90 (seconds), 10m or 8h
    #[arg(long, value_name = "TIME", value_parser = duration, env = "BLOCKRACE_MAX_TIME",
          hide_env_values = true)]
    pub max_time: Option<Duration>,
    /// Worker threads; they change no result. As many as there are processors if not given
    #[arg(long, value_name = "N", env = "BLOCKRACE_JOBS", hide_env_values = true)]
    pub jobs: Option<NonZeroUsize>,
    /// How long a counterexample may be shortened; 0 not at all
    #[arg(long, value_name = "TIME", value_parser = duration_or_none, default_value = "20s")]
    pub shrink_time: Duration,
    /// Where counterexamples are kept, and tried first the next time
    #[arg(long, value_name = "DIR", default_value = "blockrace-failures")]
    failures: PathBuf,
    /// Keep no counterexamples, and try no old ones
    #[arg(long, conflicts_with = "failures")]
    no_failures: bool,
    /// Where it is kept how far everything is
    #[command(flatten)]
    pub checkpoint: CheckpointArgs,
    /// Who searches
    #[command(flatten)]
    pub spread: SpreadArgs,
    /// How and where to write the result
    #[command(flatten)]
    pub output: OutputArgs,
}

impl CheckArgs {
    /// Where counterexamples are kept, if they are.
    pub fn failures(&self) -> Option<&Path> {
        (!self.no_failures).then_some(&self.failures)
    }
}

/// Arguments of `replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// A schedule: one step a line
    #[arg(value_name = "FILE")]
    pub schedule: PathBuf,
    /// A shipped scenario's name, or a file; the schedule's `# scenario:` if not given
    #[arg(long, value_name = "S")]
    pub scenario: Option<String>,
    /// Whose rules are played
    #[command(flatten)]
    pub qemu: Qemu,
    /// Stop where a step is not possible (the default)
    #[arg(long)]
    pub strict: bool,
    /// Go on where a step is not possible: find it by a near name, or leave it out, and say so
    #[arg(long, conflicts_with = "strict")]
    pub best_effort: bool,
    /// Look for a shorter schedule that breaks the same promise, and write it to FILE's .min.schedule
    #[arg(long)]
    pub shrink: bool,
    /// How long to look, such as 30s or 5m
    #[arg(long, value_name = "T", value_parser = duration, default_value = "30s",
          requires = "shrink")]
    pub shrink_time: Duration,
    /// How and where to write the result
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Arguments of `fuzz`.
#[derive(Debug, Args)]
pub struct FuzzArgs {
    /// Shipped scenarios' names, files, or folders; all shipped ones if none is given
    pub scenarios: Vec<String>,
    /// Play the random stories random:A to random:B instead, and show which commands met jobs in which statuses. Known
    /// defects are counted, and are no failures
    #[arg(long, value_name = "A..B", value_parser = seeds,
          conflicts_with_all = ["scenarios", "forget_fixed"])]
    pub random: Option<Range<u64>>,
    /// The runs to do, as a half-open range of numbers [default: 0..1000, or all with --max-time; 0..100 of each
    /// random story]
    #[arg(long, value_name = "A..B", value_parser = seeds)]
    pub seeds: Option<Range<u64>>,
    /// Do one part of the runs, or of the random stories: part M of N, counted from 1
    #[arg(long, value_name = "slice:M/N")]
    pub partition: Option<Partition>,
    /// Stop after this time, such as 90 (seconds), 10m or 8h, shared equally among the scenarios, but not among
    /// random stories. What was not covered then is no failure
    #[arg(long, value_name = "TIME", value_parser = duration, env = "BLOCKRACE_MAX_TIME",
          hide_env_values = true)]
    pub max_time: Option<Duration>,
    /// That time is over before all runs are done is inconclusive: exit code 3
    #[arg(long, requires = "max_time")]
    pub must_finish: bool,
    /// The campaign's root seed
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        env = "BLOCKRACE_SEED",
        hide_env_values = true
    )]
    pub root: u64,
    /// Whose rules are played
    #[command(flatten)]
    pub qemu: Qemu,
    /// Who chooses the next step: see `blockrace list strategies`
    #[arg(long, default_value = "random")]
    pub strategy: Spec,
    /// Do each run twice and compare the two, step by step
    #[arg(long)]
    pub doublecheck: bool,
    /// Go on after a failure, and show one failure of each kind
    #[arg(long)]
    pub keep_going: bool,
    /// How long a failure may be shortened; 0 not at all
    #[arg(long, value_name = "TIME", value_parser = duration_or_none, default_value = "20s")]
    pub shrink_time: Duration,
    /// Where failures are kept, and tried first the next time
    #[arg(long, value_name = "DIR", default_value = "blockrace-failures")]
    failures: PathBuf,
    /// Keep no failures, and try no old ones
    #[arg(long, conflicts_with_all = ["failures", "forget_fixed"])]
    no_failures: bool,
    /// Remove kept failures that do not fail any more
    #[arg(long)]
    pub forget_fixed: bool,
    /// Worker threads; they change no result. As many as there are processors if not given
    #[arg(long, value_name = "N", env = "BLOCKRACE_JOBS", hide_env_values = true)]
    pub jobs: Option<NonZeroUsize>,
    /// Where it is kept how far everything is
    #[command(flatten)]
    pub checkpoint: CheckpointArgs,
    /// How and where to write the result
    #[command(flatten)]
    pub output: OutputArgs,
}

impl FuzzArgs {
    /// The runs of the whole campaign.
    pub fn asked(&self) -> Range<u64> {
        let end = if self.max_time.is_some() {
            u64::MAX
        } else {
            1000
        };
        self.seeds.clone().unwrap_or(0..end)
    }

    /// The runs to do: of those that were asked for, the part that was asked for.
    pub fn range(&self) -> Range<u64> {
        Partition::of(self.partition, &self.asked())
    }

    /// The runs to do of each random story.
    pub fn runs_of_each(&self) -> Range<u64> {
        self.seeds.clone().unwrap_or(0..100)
    }

    /// Where failures are kept, if they are.
    pub fn failures(&self) -> Option<&Path> {
        (!self.no_failures).then_some(&self.failures)
    }
}

/// Arguments of `conform`.
#[derive(Debug, Args)]
pub struct ConformArgs {
    /// Recordings, or folders of recordings (*.jsonl); with --qemu, or if nothing is given, scenarios to play
    #[arg(value_name = "RECORDING|SCENARIO")]
    pub what: Vec<PathBuf>,
    /// Play the scenarios with this QEMU, and check what it says; may be given several times
    #[arg(long, value_name = "BIN")]
    pub qemu: Vec<PathBuf>,
    /// The qemu-img of that QEMU, with a qemu-io beside it; found beside the QEMU if not given
    #[arg(long, value_name = "BIN")]
    pub qemu_img: Option<PathBuf>,
    /// How often each scenario is played
    #[arg(long, value_name = "N", default_value = "1")]
    pub repeat: NonZeroUsize,
    /// Write the accepted recordings to DIR/VERSION/SCENARIO.jsonl
    #[arg(long, value_name = "DIR")]
    pub save: Option<PathBuf>,
    /// How many are played at once. As many as there are processors if not given
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// Where recordings are kept that the model does not allow
    #[arg(long, value_name = "DIR", default_value = "blockrace-failures")]
    failures: PathBuf,
    /// Keep none of them
    #[arg(long, conflicts_with = "failures")]
    no_failures: bool,
    /// Unnamed bitmaps must match too, and pauses by drains are not normalised
    #[arg(long)]
    pub strict: bool,
    /// Check a log that somebody else wrote; --format says how. May be given several times
    #[arg(long, value_name = "FILE", conflicts_with_all = ["what", "qemu", "qemu_img", "save", "strict"])]
    pub log: Vec<PathBuf>,
    /// What was there before the log begins: a scenario of `img` items and one `launch`; inferred if not given
    #[arg(long, value_name = "SCENARIO", requires = "log")]
    pub given: Option<String>,
    /// Hold a QEMU to the rules of this release, whatever its version is, or a log that does not say its version, for
    /// which all are tried otherwise
    #[arg(long, value_parser = dialect)]
    pub dialect: Option<&'static Dialect>,
    /// Write the result as JSON Lines: with --log, where --format is taken
    #[arg(long, requires = "log")]
    json: bool,
    /// How to write the result; with --log, how the log is written. With --output, may be given several times
    /// [default: human]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Vec<ConformFormat>,
    /// Write it to a file, and go on telling people: a PATH for each --format in their order, or one DIR/ for all
    #[arg(long, value_name = "PATH|DIR/", conflicts_with = "log")]
    output: Vec<PathBuf>,
    /// Leave out how long things took, and what else is not the same twice
    #[arg(long, conflicts_with = "log")]
    pub no_times: bool,
}

/// How `conform` writes its result, or how the log is written that it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ConformFormat {
    /// For people
    Human,
    /// For machines: JSON Lines
    Json,
    /// For CI systems: JUnit's XML
    Junit,
    /// For GitHub: annotations beside what people read, and a summary of the job in Markdown
    Github,
    /// For code scanning: SARIF 2.1.0
    Sarif,
    /// A log: libvirt's debug log
    Libvirt,
    /// A log: qmp-shell -v, or the debug log of QEMU's Python client
    Qmp,
    /// A log: what QEMU's iotests print
    Iotest,
}

impl ConformFormat {
    fn style(self) -> Option<Style> {
        match self {
            ConformFormat::Libvirt => Some(Style::Libvirt),
            ConformFormat::Qmp => Some(Style::Qmp),
            ConformFormat::Iotest => Some(Style::Iotest),
            _ => None,
        }
    }

    fn result(self) -> Option<output::Format> {
        match self {
            ConformFormat::Human => Some(output::Format::Human),
            ConformFormat::Json => Some(output::Format::Json),
            ConformFormat::Junit => Some(output::Format::Junit),
            ConformFormat::Github => Some(output::Format::Github),
            ConformFormat::Sarif => Some(output::Format::Sarif),
            ConformFormat::Libvirt | ConformFormat::Qmp | ConformFormat::Iotest => None,
        }
    }
}

impl ConformArgs {
    /// How and where the result of recordings and of real QEMUs is written.
    ///
    /// # Errors
    /// A style of logs, without a log.
    pub fn output(&self) -> Result<OutputArgs, String> {
        let results = self.format.iter().map(|format| format.result());
        let format: Option<Vec<output::Format>> = results.collect();
        Ok(OutputArgs {
            format: format.ok_or(
                "--format says how a log is written, and there is no log: give it with --log FILE",
            )?,
            output: self.output.clone(),
            no_times: self.no_times,
        })
    }

    /// How what a log shows is written.
    pub fn format_of_log(&self) -> Format {
        match self.json {
            true => Format::Json,
            false => Format::Human,
        }
    }

    /// How the log is written.
    ///
    /// # Errors
    /// Nobody says so.
    pub fn style(&self) -> Result<Style, String> {
        let style = match self.format[..] {
            [one] => one.style(),
            _ => None,
        };
        style.ok_or_else(|| {
            "with --log, --format says how the log is written: libvirt, qmp or iotest; --json writes the result as \
             JSON Lines"
                .into()
        })
    }

    /// Recordings are checked as they are.
    ///
    /// # Errors
    /// An option that would be ignored.
    pub fn refuse_what_is_for_qemu(&self) -> Result<(), String> {
        let given = [
            ("--qemu-img", self.qemu_img.is_some()),
            ("--dialect", self.dialect.is_some()),
            ("--repeat", self.repeat.get() > 1),
            ("--save", self.save.is_some()),
            ("--jobs", self.jobs.is_some()),
        ];
        match given.into_iter().find(|(_, is_given)| *is_given) {
            Some((option, _)) => Err(format!(
                "{option} is for scenarios that are played (--qemu), and these are recordings"
            )),
            None => Ok(()),
        }
    }

    /// Whether scenarios are to be played, and no recordings to be read.
    pub fn is_live(&self) -> bool {
        self.log.is_empty() && (!self.qemu.is_empty() || self.what.is_empty())
    }

    /// Where rejected recordings are kept, if they are.
    pub fn failures(&self) -> Option<&Path> {
        (!self.no_failures).then_some(&self.failures)
    }
}

/// Arguments of `diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// Play with this QEMU; may be given several times. The one on the path if not given
    #[arg(long, value_name = "BIN")]
    pub qemu: Vec<PathBuf>,
    /// The qemu-img of that QEMU, with a qemu-io beside it; found beside the QEMU if not given
    #[arg(long, value_name = "BIN")]
    pub qemu_img: Option<PathBuf>,
    /// Hold the QEMU to the rules of this release, whatever its version is: see `blockrace list dialects`
    #[arg(long, value_parser = dialect)]
    pub dialect: Option<&'static Dialect>,
    /// The stories random:A to random:B to play, as a half-open range
    #[arg(long, value_name = "A..B", value_parser = seeds, default_value = "0..100")]
    pub seeds: Range<u64>,
    /// Also play each story in the model alone, under so many seeds, and judge every promise
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub runs: u64,
    /// Stop after this time, such as 90 (seconds), 10m or 8h
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub max_time: Option<Duration>,
    /// Play one part of the stories: part M of N, counted from 1
    #[arg(long, value_name = "slice:M/N")]
    pub partition: Option<Partition>,
    /// Go on after a disagreement or a broken promise
    #[arg(long)]
    pub keep_going: bool,
    /// How long a story may be made smaller, with the QEMU; 0 not at all
    #[arg(long, value_name = "TIME", value_parser = duration_or_none, default_value = "60s")]
    pub shrink_time: Duration,
    /// Where stories and recordings that disagree are kept
    #[arg(long, value_name = "DIR", default_value = "blockrace-failures")]
    failures: PathBuf,
    /// Keep none of them
    #[arg(long, conflicts_with = "failures")]
    no_failures: bool,
    /// How many are played at once. As many as there are processors if not given
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// Where it is kept how far everything is
    #[command(flatten)]
    pub checkpoint: CheckpointArgs,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

impl DiffArgs {
    /// Where disagreements are kept, if they are.
    pub fn failures(&self) -> Option<&Path> {
        (!self.no_failures).then_some(&self.failures)
    }
}

/// How the language of traces is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TracesFormat {
    /// For people: a line a message, a branch for each way
    #[default]
    Text,
    /// For Graphviz
    Dot,
    /// For Mermaid
    Mermaid,
    /// For machines: the automaton as one JSON document
    Json,
}

/// Arguments of `traces`.
#[derive(Debug, Args)]
pub struct TracesArgs {
    /// A shipped scenario's name, or a file
    pub scenario: String,
    /// Whose rules are played
    #[command(flatten)]
    pub qemu: Qemu,
    /// How to write the traces
    #[arg(long, value_enum, default_value_t)]
    pub format: TracesFormat,
    /// Leave out no line of a long stretch without a choice
    #[arg(long)]
    pub full: bool,
    /// Give up when there are more worlds than this
    #[arg(long, value_name = "N")]
    pub max_states: Option<NonZeroUsize>,
    /// Give up after this time, such as 90s or 5m
    #[arg(long, value_name = "T", value_parser = duration)]
    pub max_time: Option<Duration>,
}

/// Arguments of `bugs`.
#[derive(Debug, Args)]
pub struct BugsArgs {
    /// The bugs to plant, one at a time; all if none is given: see `blockrace list mutations`
    #[arg(value_name = "NAME", value_parser = mutation)]
    pub names: Vec<&'static Mutation>,
    /// Say instead which bugs go unseen when nobody looks at the promise that they break. A promise that no bug needs
    /// is a failure
    #[arg(long, conflicts_with_all = ["roots", "max_schedules", "strategy", "no_schedules", "folder"])]
    pub promises: bool,
    /// How many root seeds each strategy gets: with more, the intervals are narrower
    #[arg(long, value_name = "N", default_value = "200")]
    pub roots: NonZeroU64,
    /// Try one part of the root seeds: part M of N, counted from 1. The search is done by each part
    #[arg(long, value_name = "slice:M/N", conflicts_with_all = ["promises", "no_schedules"])]
    pub partition: Option<Partition>,
    /// Give up on a root seed after so many runs
    #[arg(long, value_name = "N", default_value = "1000")]
    pub max_schedules: NonZeroU64,
    /// The strategies to compare: see `blockrace list strategies`
    #[arg(long, value_name = "NAME,..", value_delimiter = ',',
          default_values = ["random", "pct:3", "pos", "urw"])]
    pub strategy: Vec<Spec>,
    /// Only search
    #[arg(long, conflicts_with_all = ["roots", "max_schedules", "strategy"])]
    pub no_schedules: bool,
    /// Stop after this time, such as 90 (seconds), 10m or 8h
    #[arg(long, value_name = "TIME", value_parser = duration, env = "BLOCKRACE_MAX_TIME",
          hide_env_values = true)]
    pub max_time: Option<Duration>,
    /// Worker threads; they change no result. As many as there are processors if not given
    #[arg(long, value_name = "N", env = "BLOCKRACE_JOBS", hide_env_values = true)]
    pub jobs: Option<NonZeroUsize>,
    /// Where it is kept how far everything is
    #[command(flatten)]
    pub checkpoint: CheckpointArgs,
    /// How and where to write the result
    #[command(flatten)]
    pub output: OutputArgs,
}

impl BugsArgs {
    /// The root seeds to try: of those that were asked for, the part that was asked for.
    pub fn roots_of_part(&self) -> Range<u64> {
        Partition::of(self.partition, &(0..self.roots.get()))
    }
}

/// Arguments of `stress`.
#[derive(Debug, Args)]
pub struct StressArgs {
    /// Shipped scenarios' names, files, or folders; all shipped ones if none is given
    pub scenarios: Vec<String>,
    /// Whose rules are played
    #[command(flatten)]
    pub qemu: Qemu,
    /// To how many threads the actors of a story are dealt
    #[arg(long, value_name = "N", default_value = "4")]
    pub threads: NonZeroUsize,
    /// Stop after this time, such as 90 (seconds), 10m or 8h, shared equally among the scenarios
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "10s")]
    pub time: Duration,
}

fn dialect(text: &str) -> Result<&'static Dialect, String> {
    text.parse()
}

/// A planted bug, by its name.
///
/// # Errors
/// Where the names are, and which is near.
pub fn mutation(text: &str) -> Result<&'static Mutation, String> {
    Mutation::called(text).ok_or_else(|| {
        let names: Vec<&str> = MUTATIONS.iter().map(|mutation| mutation.name).collect();
        let near = sim::near::nearest(text, &names, 1);
        let meant = near
            .first()
            .map_or_else(String::new, |near| format!("; did you mean {near}?"));
        format!("`blockrace list mutations` has them all{meant}")
    })
}

/// A number of seconds, or numbers with units: `90`, `1h 30m`.
///
/// # Errors
/// What is wrong with it.
pub fn duration(text: &str) -> Result<Duration, String> {
    let time = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => humantime::parse_duration(text)
            .map_err(|error| format!("{error}; it looks like 90, 10m or 8h"))?,
    };
    match time.is_zero() {
        true => Err("that is no time at all".to_owned()),
        false => Ok(time),
    }
}

/// As [`duration`], or 0.
fn duration_or_none(text: &str) -> Result<Duration, String> {
    match text {
        "0" | "0s" => Ok(Duration::ZERO),
        _ => duration(text),
    }
}

/// A number of bytes: `500M`, `8G`.
fn bytes(text: &str) -> Result<u64, String> {
    let size: Size = text.parse().map_err(|error| format!("{error}"))?;
    Ok(size.bytes())
}

/// `A..B`, `..B`, or `N` for one.
///
/// # Errors
/// What is wrong with it.
pub fn seeds(text: &str) -> Result<Range<u64>, String> {
    let number = |part: &str| {
        part.replace('_', "")
            .parse::<u64>()
            .map_err(|_| format!("`{part}` is not a number of a run"))
    };
    let range = match text.split_once("..") {
        Some(("", end)) => 0..number(end)?,
        Some((start, end)) => number(start)?..number(end)?,
        None => {
            let one = number(text)?;
            one..one.checked_add(1).ok_or("that number is too large")?
        }
    };
    if range.start > range.end {
        return Err(format!(
            "the range ends before it begins; did you mean {}..{}?",
            range.end, range.start
        ));
    }
    Ok(range)
}
