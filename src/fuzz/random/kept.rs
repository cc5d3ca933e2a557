//! A campaign of random stories that is gone on with in a later call.
//!
//! What a run does is a function of its story and its number, so of a failure only these are kept: it is done again.

use model::defect::Defect;
use scenarios::coverage::Matrix;
use scenarios::generate;
use serde::{Deserialize, Serialize};
use sim::fuzz::signature;
use sim::run::{End, Runner};
use sim::seed::run_seed;

use super::{Campaign, Finding, Met, Place, Tally};
use crate::checkpoint::{Bound, Slot};
use crate::cli::FuzzArgs;
use crate::stage::{self, STEPS_MAX};

/// What came of the stories done so far: as many from the first one on, without a gap.
#[derive(Serialize, Deserialize)]
struct Saved {
    stories: u64,
    runs: u64,
    steps: u64,
    unrested: u64,
    digest: u128,
    matrix: Matrix,
    /// By name: in how many stories and runs.
    defects: Vec<(String, u64, u64)>,
    findings: Vec<Kind>,
}

/// A kind of failure: where it was met first, and how often.
#[derive(Serialize, Deserialize)]
struct Kind {
    signature: String,
    story: u64,
    dialect: String,
    run: u64,
    runs: u64,
}

impl Saved {
    fn of(tally: &Tally) -> Saved {
        let kind = |(signature, finding): (&String, &Finding)| Kind {
            signature: signature.clone(),
            story: finding.first.story,
            dialect: finding.first.dialect.name.to_owned(),
            run: finding.first.run,
            runs: finding.runs,
        };
        let defect = |(name, met): (&&str, &Met)| ((*name).to_owned(), met.stories, met.runs);
        Saved {
            stories: tally.stories,
            runs: tally.runs,
            steps: tally.steps,
            unrested: tally.unrested,
            digest: tally.digest,
            matrix: tally.matrix.clone(),
            defects: tally.defects.iter().map(defect).collect(),
            findings: tally.findings.iter().map(kind).collect(),
        }
    }
}

/// The place of the campaign's checkpoint, if it is wanted.
///
/// # Errors
/// What to print: what is there cannot be gone on with.
pub(super) fn slot(args: &FuzzArgs, campaign: &Campaign<'_>) -> Result<Option<Slot>, String> {
    let Some(shelf) = args.checkpoint.shelf()? else {
        return Ok(None);
    };
    let dialects: Vec<&str> = campaign
        .dialects
        .iter()
        .map(|dialect| dialect.name)
        .collect();
    let (stories, runs) = (&campaign.stories, args.runs_of_each());
    let bound = Bound::to_rules()
        .option(
            "the range of random stories",
            format!("{}..{}", stories.start, stories.end),
        )
        .option(
            "the range of runs of each",
            format!("{}..{}", runs.start, runs.end),
        )
        .option("--dialect", dialects.join(", "))
        .option("--root", args.root)
        .option("--strategy", args.strategy)
        .option("--doublecheck", args.doublecheck)
        .option("--keep-going", args.keep_going);
    shelf.slot("fuzz --random", "fuzz-random", bound).map(Some)
}

impl Campaign<'_> {
    /// Goes on from where it was left, if it was; where it begins is written down at once.
    ///
    /// # Errors
    /// What to print: a checkpoint that cannot be read or written, or is not of this campaign any more.
    pub(super) fn begin(&mut self, slot: Slot) -> Result<(), String> {
        match slot.read::<Saved>()? {
            Some(saved) => {
                slot.tell(&format!("{} stories are done", saved.stories));
                let tally = self.tally(saved);
                let stale = "a run that failed then does not fail so now";
                self.start(tally.ok_or_else(|| slot.refuse(stale))?);
            }
            None => slot.write(&Saved::of(&Tally::default()))?,
        }
        self.slot = Some(slot);
        Ok(())
    }

    /// Writes down how far it is, if that is wanted.
    pub(super) fn keep(&self, total: &Tally) {
        // What comes after a run that was not the same twice is worth nothing.
        if let (Some(slot), None) = (&self.slot, &total.nondeterminism) {
            slot.keep(&Saved::of(total));
        }
    }

    /// What was found, as it was; nothing if it is not found any more.
    fn tally(&self, saved: Saved) -> Option<Tally> {
        let mut tally = Tally {
            stories: saved.stories,
            runs: saved.runs,
            steps: saved.steps,
            unrested: saved.unrested,
            digest: saved.digest,
            matrix: saved.matrix,
            ..Tally::default()
        };
        for (name, stories, runs) in saved.defects {
            let defect = Defect::named(&name)?;
            tally.defects.insert(defect.name, Met { stories, runs });
        }
        for kind in saved.findings {
            let finding = self.again(&kind)?;
            tally.findings.insert(kind.signature, finding);
        }
        Some(tally)
    }

    /// Does the run again that failed.
    fn again(&self, kind: &Kind) -> Option<Finding> {
        let mut dialects = self.dialects.iter();
        let dialect = dialects.find(|dialect| dialect.name == kind.dialect)?;
        let loaded = stage::load(&format!("{}{}", generate::PREFIX, kind.story)).ok()?;
        let scene = stage::scene(&loaded, dialect).ok()?;
        let mut runner = Runner::new(&scene);
        runner.steps_max = STEPS_MAX;
        let mut strategy = self.args.strategy.maker(&scene, STEPS_MAX)();
        let seed = run_seed(self.args.root, kind.run);
        let end = runner.run(strategy.as_mut(), seed, &mut ()).end;
        match (signature(&end), end) {
            (Some(found), End::Breached(breach)) if found == kind.signature => Some(Finding {
                first: Place {
                    story: kind.story,
                    dialect,
                    run: kind.run,
                },
                breach,
                runs: kind.runs,
            }),
            _ => None,
        }
    }
}
