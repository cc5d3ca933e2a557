//! A campaign as far as it has got, to go on from later, in another process.
//!
//! What a run does is a function of its number, so of a failure only that is kept: it is done again. That also shows
//! whether the system is still the one that it was.

use super::{Campaign, Census, Failure, Finding, Ledger, Totals, signature};
use crate::run::Runner;
use crate::seed::run_seed;
use crate::{Stale, System};
use serde::{Deserialize, Serialize};

/// What came of the runs covered so far: as many from the first one on, without a gap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    total: Totals,
    findings: Vec<Kind>,
    traces: Census,
    rests: Census,
}

/// A kind of failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Kind {
    signature: String,
    /// The first run that failed so.
    index: u64,
    /// How many did.
    runs: u64,
}

impl Saved {
    /// How many runs are covered.
    #[must_use]
    pub fn runs(&self) -> u64 {
        self.total.runs
    }

    pub(super) fn of(ledger: &Ledger) -> Saved {
        let kind = |finding: &Finding| Kind {
            signature: finding.signature.clone(),
            index: finding.first.index,
            runs: finding.runs,
        };
        Saved {
            total: ledger.total,
            findings: ledger.findings.values().map(kind).collect(),
            traces: ledger.traces.clone(),
            rests: ledger.rests.clone(),
        }
    }

    /// What was found, as it was.
    pub(super) fn ledger<S: System>(
        &self,
        system: &S,
        campaign: &Campaign<'_>,
    ) -> Result<Ledger, Stale> {
        let mut ledger = Ledger {
            total: self.total,
            traces: self.traces.clone(),
            rests: self.rests.clone(),
            ..Ledger::default()
        };
        let mut runner = Runner::new(system);
        runner.steps_max = campaign.steps_max;
        let mut strategy = (campaign.strategy)();
        for kind in &self.findings {
            let seed = run_seed(campaign.root, kind.index);
            let outcome = runner.run(strategy.as_mut(), seed, &mut ());
            if signature(&outcome.end).as_ref() != Some(&kind.signature) {
                return Err(Stale("a run that failed then does not fail so now"));
            }
            let finding = Finding {
                signature: kind.signature.clone(),
                first: Failure {
                    index: kind.index,
                    seed,
                    outcome,
                },
                runs: kind.runs,
            };
            ledger.findings.insert(kind.signature.clone(), finding);
        }
        let all = ledger.findings.values().map(|finding| &finding.first);
        ledger.first_failure = all.min_by_key(|failure| failure.index).cloned();
        Ok(ledger)
    }
}
