//! Which enabled steps need not be tried, because trying the others shows the same.
//!
//! # Crews
//!
//! [`System::crew`] names sets of interchangeable workers, such as the copies that a job has in
//! flight. A step of a crew is *not its last* when another step of the crew is enabled beside it.
//! By naming a crew a system promises:
//!
//! 1. Two steps of one crew that are enabled together belong to different workers, and commute:
//!    both orders lead to the same state, and what the two show together is the same sequence.
//! 2. A step that is not its crew's last shows nothing and disables nothing. What it enables are
//!    steps of its own crew that touch no more than it did (in the sense of [`Footprint::covers`]);
//!    and the others of its crew stay in the crew and touch no more than before, as long as they
//!    are not the last.
//!
//! # The reduction
//!
//! [`persistent`] keeps, of the enabled steps *E* in a state *s*, the set *T* of all steps without
//! a crew, the least step of each crew, and every step of a crew that does not commute, by
//! footprints observed in *s*, with some step of *E* outside that crew. What it leaves out are
//! siblings: steps of a crew of which another is kept.
//!
//! *T* is a persistent set (Godefroid, *Partial-Order Methods for the Verification of Concurrent
//! Systems*, 1996; a stubborn set in the sense of Valmari, *Stubborn sets for reduced state space
//! generation*, 1990): let *w* be any sequence of steps from *s* without one of *T*. It begins with
//! a sibling left out. While the kept one of its crew has not been done, no sibling is its crew's
//! last, so by promise 2 *w* consists of siblings and of what they enable within their crews, shows
//! nothing, and touches no more than the siblings do as seen from *s*. So by the choice of *T*, and
//! by promise 1 within a crew, every step of *w* commutes with every step of *T*, and leaves it
//! enabled.
//!
//! What follows, for any run from *s* that ends at rest or right after something was seen:
//!
//! - It contains a step of *T*. One that ends at rest does because the kept steps stay enabled
//!   until they are done; one that ends with something seen does because the rest of it shows
//!   nothing.
//! - Its first step of *T* can be moved to its front. That changes neither the last state nor what
//!   is seen, because what it is moved over shows nothing.
//!
//! By induction on the length of the run, the reduced exploration reaches every state of rest, and
//! shows exactly the traces of the full one. No proviso against cycles is needed: the induction is
//! over finite runs, and each has its own first step of *T*.
//!
//! Not kept: the states in between. A promise that speaks of them ([`System::judge`] with `resting`
//! false) can be broken in a state that the reduced exploration leaves out.
//!
//! # Trust
//!
//! Footprints and crews are claims. [`audit`] tests them in a given state by doing both orders. Run
//! it in every state of small systems, and along random runs of large ones.

use crate::{Breach, Footprint, System};

/// An enabled step, as far as it matters for the question whether it has to be tried.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// What it touches.
    pub footprint: Footprint,
    /// Its crew: see [`System::crew`].
    pub crew: Option<u32>,
}

/// Puts into `kept` the indices of the steps of `enabled` that have to be tried in `state`:
/// ascending, at least one if there is any. `footprints` are those of the `enabled` steps, done in
/// `state`. `kept` is cleared first.
///
/// # Panics
///
/// When there are not as many footprints as steps.
pub fn persistent<S: System>(
    system: &S,
    state: &S::State,
    enabled: &[S::Step],
    footprints: &[Footprint],
    kept: &mut Vec<usize>,
) {
    assert_eq!(
        enabled.len(),
        footprints.len(),
        "internal bug: each enabled step has one footprint"
    );
    let candidates: Vec<Candidate> = enabled
        .iter()
        .zip(footprints)
        .map(|(step, footprint)| Candidate {
            footprint: *footprint,
            crew: system.crew(state, *step),
        })
        .collect();
    persistent_of(&candidates, kept);
}

/// As [`persistent`], for candidates: those of all steps enabled in a state, in ascending order of
/// the steps.
pub fn persistent_of(enabled: &[Candidate], kept: &mut Vec<usize>) {
    kept.clear();
    let conflicts_outside = |one: &Candidate| {
        enabled
            .iter()
            .any(|other| other.crew != one.crew && !one.footprint.independent(other.footprint))
    };
    for (index, candidate) in enabled.iter().enumerate() {
        let is_least = |crew| {
            enabled[..index]
                .iter()
                .all(|other| other.crew != Some(crew))
        };
        if candidate.crew.is_none_or(is_least) || conflicts_outside(candidate) {
            kept.push(index);
        }
    }
}

/// Tests in `state` what the system claims to commute: every two enabled steps whose footprints are
/// independent, and every two of one crew, in both orders; and the promises that a crew makes.
///
/// # Errors
///
/// The first claim found false. The property is `independence` or `crew`.
pub fn audit<S: System>(system: &S, state: &S::State) -> Result<(), Breach> {
    let mut enabled = Vec::new();
    system.enabled(state, &mut enabled);
    let after: Vec<Done<S>> = enabled
        .iter()
        .map(|step| Done::new(system, state, *step))
        .collect();
    for (index, one) in after.iter().enumerate() {
        for other in &after[index + 1..] {
            if one.crew.is_some() && one.crew == other.crew {
                audit_siblings(system, &enabled, one, other)?;
                audit_siblings(system, &enabled, other, one)?;
                audit_order(system, one, other, "crew")?;
            } else if one.footprint.independent(other.footprint) {
                audit_order(system, one, other, "independence")?;
            }
        }
    }
    Ok(())
}

/// One step, done on a copy of a state.
struct Done<S: System> {
    step: S::Step,
    name: String,
    crew: Option<u32>,
    state: S::State,
    footprint: Footprint,
    seen: Vec<S::Observation>,
    witnessed: u64,
    /// What is enabled afterwards.
    enabled: Vec<S::Step>,
}

impl<S: System> Done<S> {
    fn new(system: &S, state: &S::State, step: S::Step) -> Done<S> {
        let (name, crew) = (system.name(state, step), system.crew(state, step));
        let (mut state, mut seen, mut enabled) = (state.clone(), Vec::new(), Vec::new());
        let footprint = system.apply(&mut state, step, &mut seen);
        let witnessed = system.witnessed(&state);
        system.enabled(&state, &mut enabled);
        Done {
            step,
            name,
            crew,
            state,
            footprint,
            seen,
            witnessed,
            enabled,
        }
    }
}

/// Promise 2 of a crew: `one` is not its last, since `sibling` was enabled with it.
fn audit_siblings<S: System>(
    system: &S,
    enabled: &[S::Step],
    one: &Done<S>,
    sibling: &Done<S>,
) -> Result<(), Breach> {
    let broken = |what: String| {
        let message = format!(
            "`{}` is not the last of its crew, as `{}` is left, but {what}",
            one.name, sibling.name
        );
        Err(Breach::new("crew", message))
    };
    if let Some(shown) = one.seen.first() {
        return broken(format!("it shows {shown:?}"));
    }
    if let Some(lost) = enabled
        .iter()
        .find(|step| **step != one.step && !one.enabled.contains(step))
    {
        return broken(format!("it disables {lost:?}"));
    }
    let is_new = |step: &&S::Step| **step == one.step || !enabled.contains(step);
    for next in one.enabled.iter().filter(is_new) {
        let next = Done::new(system, &one.state, *next);
        if next.crew != one.crew {
            return broken(format!(
                "it enables `{}`, which is not in the crew",
                next.name
            ));
        }
        if !one.footprint.covers(next.footprint) {
            return broken(format!(
                "it enables `{}`, which touches more than it does",
                next.name
            ));
        }
    }
    let in_crew = |step: &&S::Step| system.crew(&one.state, **step) == one.crew;
    if one.enabled.iter().filter(in_crew).count() > 1 {
        let later = Done::new(system, &one.state, sibling.step);
        if later.crew != one.crew || !sibling.footprint.covers(later.footprint) {
            return broken(format!(
                "`{}` touches more after it, or leaves the crew",
                sibling.name
            ));
        }
    }
    Ok(())
}

/// Both orders of two steps that are claimed to commute.
fn audit_order<S: System>(
    system: &S,
    one: &Done<S>,
    other: &Done<S>,
    property: &'static str,
) -> Result<(), Breach> {
    let broken = |what: &str| {
        let message = format!(
            "`{}` and `{}` are said to commute, but {what}",
            one.name, other.name
        );
        Err(Breach::new(property, message))
    };
    if !one.enabled.contains(&other.step) || !other.enabled.contains(&one.step) {
        return broken("one disables the other");
    }
    let (second, first) = (
        Done::new(system, &one.state, other.step),
        Done::new(system, &other.state, one.step),
    );
    if system.fingerprint(&second.state) != system.fingerprint(&first.state) {
        return broken("the two orders end in different states");
    }
    // Steps of one crew are interchangeable: whoever comes last shows what the last one shows.
    // Independent steps each show what they show, wherever they stand.
    let alike = match property {
        "crew" => one
            .seen
            .iter()
            .chain(&second.seen)
            .eq(other.seen.iter().chain(&first.seen)),
        _ => one.seen == first.seen && other.seen == second.seen,
    };
    if !alike {
        return broken("the two orders show different things");
    }
    let witnessed_alike = match property {
        "crew" => one.witnessed | second.witnessed == other.witnessed | first.witnessed,
        _ => one.witnessed == first.witnessed && other.witnessed == second.witnessed,
    };
    if !witnessed_alike {
        return broken("the two orders are different witnesses");
    }
    Ok(())
}
