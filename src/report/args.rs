//! Arguments of `report`.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use clap::Args;
use sim::strategy::Spec;

use crate::cli::Qemu;

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// A schedule (FILE.schedule, such as a kept counterexample), or a scenario: a shipped one's name, or a file. With
    /// --check and --mutation, the story in which the bug shows if not given
    #[arg(
        value_name = "SCHEDULE|SCENARIO",
        required_unless_present_all = ["check", "mutation"]
    )]
    pub what: Option<String>,
    /// Show every interleaving of the scenario: what was covered, all traces, and a counterexample if there is one
    #[arg(long, conflicts_with_all = ["seed", "root", "strategy"])]
    pub check: bool,
    /// Show one run of the scenario: its number in the campaign of `fuzz` with the same root seed [default: 0]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// The campaign's root seed [default: 0]
    #[arg(long, value_name = "N")]
    pub root: Option<u64>,
    /// The campaign's strategy [default: random]
    #[arg(long)]
    pub strategy: Option<Spec>,
    /// The scenario of a schedule; its `# scenario:` if not given
    #[arg(long, value_name = "S")]
    pub scenario: Option<String>,
    /// Whose rules are played
    #[command(flatten)]
    pub qemu: Qemu,
    /// End the check as inconclusive after so many states
    #[arg(long, value_name = "N", requires = "check", default_value = "1000000")]
    pub max_states: NonZeroU64,
    /// Where to write it; - is the standard output
    #[arg(
        short,
        long,
        value_name = "FILE",
        default_value = "blockrace-report.html"
    )]
    pub output: PathBuf,
    /// Show it in the browser
    #[arg(long)]
    pub open: bool,
}

impl ReportArgs {
    /// The schedule to show, if it is one.
    ///
    /// # Errors
    /// An option that would be ignored.
    pub fn schedule(&self) -> Result<Option<&Path>, String> {
        let what = self.what.as_deref().map(Path::new);
        let schedule = what.filter(|what| what.extension().is_some_and(|end| end == "schedule"));
        let runs = self.seed.is_some() || self.root.is_some() || self.strategy.is_some();
        let ignored = [
            (runs, "--seed, --root and --strategy choose a run"),
            (self.check, "--check tries every interleaving"),
        ];
        match schedule {
            Some(file) => match ignored.iter().find(|(given, _)| *given) {
                Some((_, what)) => Err(format!(
                    "{what} of a scenario, and {} is one schedule",
                    file.display()
                )),
                None => Ok(schedule),
            },
            None if self.scenario.is_some() => {
                Err("--scenario says whose a schedule (FILE.schedule) is, and this is none".into())
            }
            None => Ok(None),
        }
    }

    /// Who chooses the steps of a run.
    ///
    /// # Errors
    /// There is no such strategy.
    pub fn strategy(&self) -> Result<Spec, String> {
        let random = || "random".parse::<Spec>();
        let asked = self.strategy.map_or_else(random, Ok);
        asked.map_err(|error| error.to_string())
    }

    /// Whether it goes to the standard output.
    pub fn to_stdout(&self) -> bool {
        self.output.as_os_str() == "-"
    }
}
