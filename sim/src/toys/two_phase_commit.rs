//! Two-phase commit: one transaction manager, some resource managers, and messages that are never
//! lost.

use crate::hash::fingerprint_of;
use crate::parts::{Offer, Offered, Parts};
use crate::{Breach, Footprint, System};

/// Gray and Lamport's `TwoPhase` (*Consensus on Transaction Commit*, 2003), as in stateright's
/// `examples/2pc.rs`, except that nobody receives a message that would change nothing, so that
/// every run rests.
///
/// On paper, for *n* resource managers: while the transaction manager is undecided, each of them is
/// working, has prepared, has prepared and is known to have, or has aborted by itself: 4ⁿ states.
/// Commit needs that all are known to have prepared, and each then is prepared or has committed:
/// 2ⁿ. Abort may come at any time, and each then is in one of the four, or has aborted on being
/// told so after having prepared, known or not: 6ⁿ. Together 288 for three and 8,832 for five,
/// which are stateright's numbers too.
#[derive(Clone, Copy, Debug)]
pub struct TwoPhaseCommit {
    /// How many there are; at most 20.
    pub resource_managers: u8,
}

/// Who has come how far. Bit *n* of a mask stands for resource manager *n*.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TwoPhaseState {
    /// What the transaction manager has decided and told everyone.
    pub decision: Option<Decision>,
    /// By resource manager: how it has concluded.
    pub concluded: Vec<Option<Decision>>,
    /// Who has prepared, and has said so.
    prepared: u32,
    /// Who is known to the transaction manager to have prepared.
    known: u32,
}

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decision {
    /// With all changes made.
    Commit,
    /// With none.
    Abort,
}

/// A step; the numbers are those of the resource managers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TwoPhaseStep {
    /// The transaction manager decides and tells everyone.
    Decide(Decision),
    /// The transaction manager learns that one has prepared.
    ReceivePrepared(u8),
    /// One prepares, and says so.
    Prepare(u8),
    /// One aborts by itself.
    ChooseToAbort(u8),
    /// One receives the decision, and concludes.
    ReceiveDecision(u8),
}

/// What is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TwoPhaseSight {
    /// The transaction manager has decided.
    Decided(Decision),
    /// A resource manager has concluded.
    Concluded(u8, Decision),
}

/// The part that is the transaction manager's decision. A resource manager is part *n*, its message
/// 20 + *n*, and what is known of it 40 + *n*.
const DECISION: u64 = 1 << 63;

impl TwoPhaseCommit {
    fn everyone(&self) -> u32 {
        (1 << self.resource_managers) - 1
    }
}

impl System for TwoPhaseCommit {
    type State = TwoPhaseState;
    type Step = TwoPhaseStep;
    type Observation = TwoPhaseSight;

    fn initial(&self) -> TwoPhaseState {
        let count = self.resource_managers;
        assert!(
            count <= 20,
            "internal bug: a footprint has no room for {count} resource managers"
        );
        TwoPhaseState {
            decision: None,
            concluded: vec![None; count.into()],
            prepared: 0,
            known: 0,
        }
    }

    fn enabled(&self, state: &TwoPhaseState, steps: &mut Vec<TwoPhaseStep>) {
        steps.clear();
        let is_in = |mask: u32, n: u8| mask >> n & 1 == 1;
        let everyone = 0..self.resource_managers;
        if state.decision.is_none() {
            if state.known == self.everyone() {
                steps.push(TwoPhaseStep::Decide(Decision::Commit));
            }
            steps.push(TwoPhaseStep::Decide(Decision::Abort));
            let told = everyone
                .clone()
                .filter(|n| is_in(state.prepared & !state.known, *n));
            steps.extend(told.map(TwoPhaseStep::ReceivePrepared));
        }
        let working =
            |n: &u8| state.concluded[usize::from(*n)].is_none() && !is_in(state.prepared, *n);
        steps.extend(everyone.clone().filter(working).map(TwoPhaseStep::Prepare));
        steps.extend(
            everyone
                .clone()
                .filter(working)
                .map(TwoPhaseStep::ChooseToAbort),
        );
        if state.decision.is_some() {
            let untold = everyone.filter(|n| state.concluded[usize::from(*n)] != state.decision);
            steps.extend(untold.map(TwoPhaseStep::ReceiveDecision));
        }
    }

    fn apply(
        &self,
        state: &mut TwoPhaseState,
        step: TwoPhaseStep,
        seen: &mut Vec<TwoPhaseSight>,
    ) -> Footprint {
        let mut conclude = |n: u8, decision: Decision| {
            state.concluded[usize::from(n)] = Some(decision);
            seen.push(TwoPhaseSight::Concluded(n, decision));
        };
        match step {
            TwoPhaseStep::Decide(decision) => {
                state.decision = Some(decision);
                seen.push(TwoPhaseSight::Decided(decision));
                Footprint {
                    reads: u64::from(self.everyone()) << 40,
                    writes: DECISION,
                    ..Footprint::NONE
                }
            }
            TwoPhaseStep::ReceivePrepared(n) => {
                state.known |= 1 << n;
                Footprint {
                    reads: DECISION | 1 << (20 + n),
                    writes: 1 << (40 + n),
                    ..Footprint::NONE
                }
            }
            TwoPhaseStep::Prepare(n) => {
                state.prepared |= 1 << n;
                Footprint {
                    reads: 0,
                    writes: 1 << n | 1 << (20 + n),
                    ..Footprint::NONE
                }
            }
            TwoPhaseStep::ChooseToAbort(n) => {
                conclude(n, Decision::Abort);
                Footprint {
                    reads: 1 << (20 + n),
                    writes: 1 << n,
                    ..Footprint::NONE
                }
            }
            TwoPhaseStep::ReceiveDecision(n) => {
                let decision = state
                    .decision
                    .expect("internal bug: nobody receives what is not sent");
                conclude(n, decision);
                Footprint {
                    reads: DECISION,
                    writes: 1 << n,
                    ..Footprint::NONE
                }
            }
        }
    }

    fn judge(&self, state: &TwoPhaseState, _resting: bool) -> Result<(), Breach> {
        let who = |decision| {
            state
                .concluded
                .iter()
                .position(|concluded| *concluded == Some(decision))
        };
        if let (Some(one), Some(other)) = (who(Decision::Commit), who(Decision::Abort)) {
            let message = format!("resource manager {one} has committed, and {other} has aborted");
            return Err(Breach::new("consistent", message));
        }
        Ok(())
    }

    fn fingerprint(&self, state: &TwoPhaseState) -> u128 {
        fingerprint_of(state)
    }

    fn actor(&self, step: TwoPhaseStep) -> usize {
        match step {
            TwoPhaseStep::Decide(_) | TwoPhaseStep::ReceivePrepared(_) => 0,
            TwoPhaseStep::Prepare(n)
            | TwoPhaseStep::ChooseToAbort(n)
            | TwoPhaseStep::ReceiveDecision(n) => 1 + usize::from(n),
        }
    }

    fn actor_name(&self, _state: &TwoPhaseState, actor: usize) -> String {
        match actor.checked_sub(1) {
            None => "tm".to_owned(),
            Some(n) => format!("rm{n}"),
        }
    }

    fn name(&self, _state: &TwoPhaseState, step: TwoPhaseStep) -> String {
        match step {
            TwoPhaseStep::Decide(Decision::Commit) => "tm commit".to_owned(),
            TwoPhaseStep::Decide(Decision::Abort) => "tm abort".to_owned(),
            TwoPhaseStep::ReceivePrepared(n) => format!("tm receive prepared rm{n}"),
            TwoPhaseStep::Prepare(n) => format!("rm{n} prepare"),
            TwoPhaseStep::ChooseToAbort(n) => format!("rm{n} choose to abort"),
            TwoPhaseStep::ReceiveDecision(n) => format!("rm{n} receive decision"),
        }
    }
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TwoPhasePart {
    /// What the transaction manager has decided.
    Decision(Option<Decision>),
    /// A resource manager.
    ResourceManager {
        /// How it has concluded.
        concluded: Option<Decision>,
        /// It has prepared, and has said so.
        prepared: bool,
        /// It is known to have prepared.
        known: bool,
    },
}

/// Column 0 is the transaction manager; resource manager *n* is column 1 + *n*.
impl Parts for TwoPhaseCommit {
    type Part = TwoPhasePart;

    fn columns(&self) -> usize {
        1 + usize::from(self.resource_managers)
    }

    fn part(&self, state: &TwoPhaseState, column: usize) -> TwoPhasePart {
        match column.checked_sub(1) {
            None => TwoPhasePart::Decision(state.decision),
            Some(n) => TwoPhasePart::ResourceManager {
                concluded: state.concluded[n],
                prepared: state.prepared >> n & 1 == 1,
                known: state.known >> n & 1 == 1,
            },
        }
    }

    fn put_together(&self, parts: &[TwoPhasePart]) -> TwoPhaseState {
        let mut state = self.initial();
        for (column, part) in parts.iter().enumerate() {
            match *part {
                TwoPhasePart::Decision(decision) => state.decision = decision,
                TwoPhasePart::ResourceManager {
                    concluded,
                    prepared,
                    known,
                } => {
                    let n = column - 1;
                    state.concluded[n] = concluded;
                    state.prepared |= u32::from(prepared) << n;
                    state.known |= u32::from(known) << n;
                }
            }
        }
        state
    }

    fn offers(&self) -> usize {
        self.columns()
    }

    fn offer(&self, state: &TwoPhaseState, number: usize, offer: &mut Offer<TwoPhaseStep>) {
        offer.clear();
        let mut steps = Vec::new();
        self.enabled(state, &mut steps);
        let mine = steps.into_iter().filter(|step| self.actor(*step) == number);
        offer.steps.extend(mine.map(Offered::new));
        offer.looked = match number {
            0 => (1 << self.columns()) - 1,
            n => 1 | 1 << n,
        };
    }

    fn alike(&self) -> Vec<Vec<Vec<usize>>> {
        vec![(1..self.columns()).map(|column| vec![column]).collect()]
    }

    fn depends(&self, step: TwoPhaseStep, _footprint: Footprint) -> u64 {
        match step {
            TwoPhaseStep::Decide(_) => (1 << self.columns()) - 1,
            TwoPhaseStep::ReceivePrepared(n)
            | TwoPhaseStep::Prepare(n)
            | TwoPhaseStep::ChooseToAbort(n)
            | TwoPhaseStep::ReceiveDecision(n) => 1 | 1 << (1 + n),
        }
    }

    fn changes(&self, step: TwoPhaseStep, footprint: Footprint) -> u64 {
        self.depends(step, footprint)
    }
}
