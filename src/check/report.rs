//! What `check` says about a scenario.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use model::defect::Defect;
use model::dialect::Dialect;
use scenarios::scene::Step;
use serde_json::{Value, json};
use sim::Breach;
use sim::schedule::Schedule;
use sim::search::{self, Limit, Verdict};
use sim::stateless::{self, End};

use crate::cli::OrderArg;
use crate::counterexample::Exhibit;
use crate::defects::{self, Shown};
use crate::exit::Exit;
use crate::failures;
use crate::output::{Case, Failure, NOT_BEGUN};
use crate::progress::{Summary, rate};
use crate::stage::Loaded;
use crate::terminal;

/// The verdicts, from the best to the worst.
const WORDS: [&str; 7] = [
    "verified",
    "known defect",
    "UNREACHED",
    NOT_BEGUN,
    INCOMPLETE,
    INCONCLUSIVE,
    "BROKEN",
];

/// The word for a search that has missed states, and broken nothing.
const INCOMPLETE: &str = "INCOMPLETE";

/// Nobody knows.
pub const INCONCLUSIVE: &str = "INCONCLUSIVE";

/// What the columns are.
const LEGEND: &str = concat!(
    "  states: each is met once; steps: ways between them; depth: the longest of the shortest ways to a state\n",
    "  ends: states in which nothing can happen any more, with every promise kept",
);

/// Prints what the rows mean, and how many there are with each verdict.
pub fn print_summary(out: &mut impl Write, words: &[&str], order: OrderArg) -> io::Result<()> {
    if order != OrderArg::Stateless {
        writeln!(out, "{LEGEND}")?;
    }
    let counts = WORDS
        .iter()
        .map(|word| (words.iter().filter(|other| *other == word).count(), word));
    let counts: Vec<String> = counts
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    writeln!(out, "{}", counts.join(", "))
}

/// What was covered.
pub enum Covered {
    /// States.
    States(search::Report<Step>),
    /// Traces, by one schedule each.
    Traces(stateless::Report),
}

impl Covered {
    /// How many of them.
    pub fn count(&self) -> u64 {
        match self {
            Covered::States(report) => report.states,
            Covered::Traces(report) => report.executions,
        }
    }

    /// Whether that is all, and no promise is broken.
    pub fn is_all(&self) -> bool {
        match self {
            Covered::States(report) => report.verdict == Verdict::Verified,
            Covered::Traces(report) => {
                report.end == End::Exhausted && report.first_breach.is_none()
            }
        }
    }

    /// The witnesses met, as a mask.
    pub fn witnessed(&self) -> u64 {
        match self {
            Covered::States(report) => report.witnessed,
            Covered::Traces(report) => report.witnessed,
        }
    }

    /// What ended it before that was all.
    fn limit(&self) -> Option<&'static str> {
        const STATES: &str = "--max-states";
        const DEPTH: &str = "--max-depth";
        const INTERRUPT: &str = "--max-time or Ctrl-C";
        match self {
            Covered::States(report) => match report.verdict {
                Verdict::Inconclusive(Limit::States) => Some(STATES),
                Verdict::Inconclusive(Limit::Depth) => Some(DEPTH),
                Verdict::Inconclusive(Limit::Bytes | Limit::BytesForCycles) => Some("--max-memory"),
                Verdict::Inconclusive(Limit::Disk) => Some("--spill"),
                Verdict::Inconclusive(Limit::Bitstate) => Some("--bitstate"),
                Verdict::Inconclusive(Limit::Interrupt) => Some(INTERRUPT),
                Verdict::Inconclusive(Limit::Peer) => Some("the loss of a process"),
                Verdict::Inconclusive(Limit::Cycle) => Some("a state that leads back to itself"),
                Verdict::Verified | Verdict::Broken(_) => None,
            },
            Covered::Traces(report) => match report.end {
                End::ExecutionsMax | End::StepsMax => Some(STATES),
                End::DepthMax => Some(DEPTH),
                End::Interrupted => Some(INTERRUPT),
                End::Exhausted | End::Breached => None,
            },
        }
    }

    /// Why that is not all, in words, if nothing is broken.
    fn ended(&self) -> Option<String> {
        let limit = self.limit()?;
        let Covered::States(report) = self else {
            return Some(format!("ended by {limit}: nothing was broken so far"));
        };
        Some(match report.verdict {
            Verdict::Inconclusive(Limit::BytesForCycles) => format!(
                "ended by {limit} when all states were visited and nothing was broken: whether a run can go on for \
                 ever is not known (--no-cycles does not ask)"
            ),
            Verdict::Inconclusive(Limit::Disk) => {
                let error = report.disk_error.as_deref().unwrap_or_default();
                format!("ended by the disk: {error}: nothing was broken so far")
            }
            Verdict::Inconclusive(Limit::Bitstate) => {
                "nothing was broken in what was seen".to_owned()
            }
            _ => format!("ended by {limit}: nothing was broken so far"),
        })
    }

    /// How much a search by bits has seen; none for others.
    fn coverage(&self) -> Option<String> {
        match self {
            Covered::States(report) => report.coverage.as_ref().map(|coverage| {
                format!(
                    "incomplete, with an estimated coverage of {}: {} bits are kept of each state, and {} of 2^{} are set",
                    percent_down(coverage.estimate),
                    coverage.hashes,
                    percent_down(coverage.fill),
                    coverage.bits,
                )
            }),
            Covered::Traces(_) => None,
        }
    }

    /// The numbers in a few words.
    fn words(&self) -> String {
        match self {
            Covered::States(report) => {
                let numbers = format!(
                    "{} states, {} steps, {} ends",
                    report.states, report.transitions, report.resting
                );
                match self.coverage() {
                    Some(coverage) => format!("{numbers}; {coverage}"),
                    None => numbers,
                }
            }
            Covered::Traces(report) => {
                format!("{} traces, {} steps", report.executions, report.steps)
            }
        }
    }

    /// The numbers in a line.
    fn line(&self) -> String {
        match self {
            Covered::States(report) => format!(
                "{:>9} states {:>10} steps  depth {:>4}  {:>6} ends",
                report.states,
                report.transitions,
                // Depth first there are no layers, and a state's depth says little.
                match report.layers.len() {
                    0 => "-".to_owned(),
                    layers => (layers - 1).to_string(),
                },
                report.resting
            ),
            Covered::Traces(report) => format!(
                "{:>9} traces {:>10} steps  depth {:>4}",
                report.executions, report.steps, report.depth
            ),
        }
    }

    fn json(&self, seconds: f64) -> Value {
        match self {
            Covered::States(report) => json!({
                "states": report.states,
                "transitions": report.transitions,
                "layers": report.layers,
                "resting": report.resting,
                "resting_digest": format!("{:032x}", report.resting_digest),
                "omission_odds": report.omission_odds,
                "incomplete": report.coverage.map(|coverage| json!({
                    "bits": coverage.bits,
                    "hashes": coverage.hashes,
                    "fill": coverage.fill,
                    "estimated_coverage": coverage.estimate,
                })),
                "measured": {
                    "seconds": seconds,
                    "bytes": report.bytes,
                    "visited_bytes": report.visited_bytes,
                    "spills": report.spills,
                    "spilled_bytes": report.spilled_bytes,
                    "parts": report.parts,
                    "memo_hits": report.memo_hits,
                    "memo_misses": report.memo_misses,
                },
            }),
            Covered::Traces(report) => json!({
                "traces": report.executions,
                "blocked": report.blocked,
                "transitions": report.steps,
                "depth": report.depth,
                "measured": {"seconds": seconds},
            }),
        }
    }
}

/// A part as a percentage with two decimals, cut off, so that what is not all is never 100 %.
fn percent_down(part: f64) -> String {
    format!("{:.2} %", (part * 10_000.0).floor() / 100.0)
}

/// What was covered of all scenarios, for the last line.
#[derive(Default)]
pub struct Totals {
    count: u64,
    is_of_traces: bool,
    is_incomplete: bool,
    searches: Summary,
}

impl Totals {
    /// Of nothing yet; `is_elsewhere`: other processes search.
    pub fn new(is_elsewhere: bool) -> Totals {
        let mut totals = Totals::default();
        totals.searches.is_elsewhere = is_elsewhere;
        totals
    }

    /// One more scenario.
    pub fn add(&mut self, covered: &Covered) {
        self.count += covered.count();
        match covered {
            Covered::States(report) => {
                let depth = report.layers.len().checked_sub(1);
                self.is_incomplete |= report.coverage.is_some();
                self.searches.add(
                    report.states,
                    report.transitions,
                    depth.map(|depth| depth as u64),
                    report.layers.iter().max().copied(),
                );
            }
            Covered::Traces(report) => {
                self.is_of_traces = true;
                self.searches.add(0, 0, Some(report.depth as u64), None);
            }
        }
    }

    /// The line: `468 states in 0.3 s, depth 12, queue 34, 56 % met again, 78 MiB: 1560 a second`.
    pub fn line(&self, elapsed: Duration) -> String {
        let (count, seconds) = (self.count, elapsed.as_secs_f64());
        let unit = if self.is_of_traces {
            "traces"
        } else {
            "states"
        };
        let unit = match self.is_incomplete {
            true => format!("{unit} (incomplete)"),
            false => unit.to_owned(),
        };
        let words = self.searches.words();
        let rate = rate(count, seconds);
        format!("{count} {unit} in {seconds:.1} s{words}: {rate} a second")
    }
}

/// A broken promise.
pub struct Broken {
    /// Which, and how.
    pub breach: Breach,
    /// The steps that break it.
    pub schedule: Schedule,
    /// Whether there is no shorter schedule that breaks a promise.
    pub shortest: bool,
}

/// What came of a scenario in a dialect.
pub struct Told<'a> {
    /// The story.
    pub loaded: &'a Loaded,
    /// The release whose rules were played.
    pub dialect: &'static Dialect,
    /// Schedules kept earlier that still break a promise.
    pub known: Vec<PathBuf>,
    /// Witnesses that no interleaving reaches.
    pub missed: Vec<String>,
    /// Defects that the story names, and that do not show.
    pub unshown: Vec<&'static Defect>,
    /// What was covered.
    pub covered: Covered,
    /// What is broken, if something is.
    pub broken: Option<Broken>,
    /// Where its schedule is kept, if it is.
    pub kept: Option<PathBuf>,
    /// How long it took.
    pub seconds: f64,
    /// Whether only fingerprints were kept.
    pub fingerprints: bool,
}

impl Told<'_> {
    /// The known defect that explains what is broken, if the story says that it shows it.
    pub fn defect(&self) -> Option<&'static Defect> {
        defects::expected(self.loaded, &self.broken.as_ref()?.breach)
    }

    /// The same, and how it showed.
    pub fn shown(&self) -> Option<Shown> {
        let broken = self.broken.as_ref()?;
        Some(Shown {
            defect: self.defect()?,
            scenario: self.loaded.name.clone(),
            dialect: self.dialect,
            property: broken.breach.property,
            steps: broken.schedule.names().count(),
            shortest: broken.shortest,
        })
    }

    fn is_broken(&self) -> bool {
        self.broken.is_some() && self.defect().is_none() || !self.known.is_empty()
    }

    fn is_unreached(&self) -> bool {
        !self.missed.is_empty() || !self.unshown.is_empty()
    }

    /// What it means for the command's end.
    pub fn exit(&self) -> Exit {
        let failed = self.is_broken() || self.is_unreached();
        match self.covered.limit() {
            _ if failed => Exit::Violated,
            Some(_) => Exit::Inconclusive,
            None => Exit::Clean,
        }
    }

    /// The verdict.
    pub fn word(&self) -> &'static str {
        match self.covered.limit() {
            _ if self.is_broken() => "BROKEN",
            Some("--bitstate") => INCOMPLETE,
            Some(_) => INCONCLUSIVE,
            None if self.is_unreached() => "UNREACHED",
            None if self.broken.is_some() => "known defect",
            None => "verified",
        }
    }

    /// A line, and what needs to be said besides.
    pub fn print(&self, out: &mut impl Write, width: usize) -> io::Result<()> {
        let (name, dialect) = (&self.loaded.name, self.dialect);
        let numbers = format!("  QEMU {dialect:<5} {}", self.covered.line());
        writeln!(out, "{}", terminal::row(name, width, &numbers, self.word()))?;
        if let Some(ended) = self.covered.ended().filter(|_| self.broken.is_none()) {
            writeln!(out, "  {ended}")?;
        }
        if let Some(coverage) = self.covered.coverage() {
            writeln!(out, "  {coverage}")?;
        }
        for witness in &self.missed {
            writeln!(out, "  no interleaving reaches the witness {witness}")?;
        }
        for Defect { id, name, .. } in &self.unshown {
            writeln!(
                out,
                "  no interleaving shows {id} {name}, which the story names and QEMU {dialect} has"
            )?;
        }
        for file in &self.known {
            let file = file.display();
            writeln!(out, "  still breaks a promise: blockrace replay {file}")?;
        }
        if let (true, Covered::States(report)) = (self.fingerprints, &self.covered) {
            let odds = report.omission_odds;
            writeln!(
                out,
                "  only fingerprints were kept: the odds of a missed state are at most {odds:.1e}"
            )?;
        }
        Ok(())
    }

    /// The same for documents; `exhibit` is what was shown of the counterexample.
    pub fn case(&self, exhibit: Exhibit) -> Case {
        let ended = self.covered.ended().filter(|_| self.broken.is_none());
        let ended = ended.map(|ended| match self.covered.coverage() {
            Some(coverage) => format!("{coverage}; {ended}"),
            None => ended,
        });
        let shown = self
            .defect()
            .map(|defect| format!("shows {} {}", defect.id, defect.name));
        Case {
            name: self.loaded.name.clone(),
            dialect: self.dialect.name.to_owned(),
            file: self.loaded.file.clone(),
            exit: self.exit(),
            word: self.word().to_owned(),
            note: ended.or(shown).unwrap_or_default(),
            work: self.covered.words(),
            seconds: self.seconds,
            failures: self.failures(exhibit),
        }
    }

    fn failures(&self, exhibit: Exhibit) -> Vec<Failure> {
        let again = format!(
            "blockrace check {} --dialect {}",
            self.loaded.name, self.dialect
        );
        let failure = |rule: &str, message: String| Failure {
            rule: rule.to_owned(),
            message,
            again: again.clone(),
            ..Failure::default()
        };
        let broken = self.broken.iter().filter(|_| self.defect().is_none());
        let broken = broken.map(|Broken { breach, .. }| Failure {
            kept: self.kept.clone(),
            again: match &*exhibit.again {
                "" => again.clone(),
                shown => shown.to_owned(),
            },
            picture: exhibit.picture.clone(),
            diagram: exhibit.diagram.clone(),
            ..failure(breach.property, breach.message.clone())
        });
        // What is shown needs no second word, though it was kept before.
        let is_shown = |file: &&PathBuf| {
            let shortened = self
                .kept
                .as_ref()
                .map(|kept| failures::shortened(kept, "schedule"));
            Some(*file) == self.kept.as_ref() || Some(*file) == shortened.as_ref()
        };
        let known = self
            .known
            .iter()
            .filter(|file| !is_shown(file))
            .map(|file| Failure {
                kept: Some(file.clone()),
                again: format!("blockrace replay {}", file.display()),
                ..failure(
                    "kept-failure",
                    format!("{} still breaks a promise", file.display()),
                )
            });
        let missed = self.missed.iter().map(|witness| {
            failure(
                "witness",
                format!("no interleaving reaches the witness {witness}"),
            )
        });
        let unshown = self.unshown.iter().map(|defect| {
            failure(
                "defect",
                format!("no interleaving shows {} {}", defect.id, defect.name),
            )
        });
        broken.chain(known).chain(missed).chain(unshown).collect()
    }

    /// The same for machines, with what was measured.
    pub fn json(&self) -> Value {
        let broken = self.broken.as_ref().map(|broken| {
            json!({
                "property": broken.breach.property,
                "message": broken.breach.message,
                "schedule": broken.schedule.names().collect::<Vec<_>>(),
                "shortest": broken.shortest,
                "kept": self.kept,
            })
        });
        json!({
            "scenario": self.loaded.name,
            "dialect": self.dialect.name,
            "verdict": self.word().to_lowercase(),
            "covered": self.covered.json(self.seconds),
            "limit": self.covered.limit(),
            "unreached": self.missed,
            "unshown": self.unshown.iter().map(|defect| defect.name).collect::<Vec<_>>(),
            "defect": self.shown().map(|shown| shown.json()),
            "known": self.known,
            "broken": broken,
        })
    }
}
