//! A protocol of your own, checked: two writers, a mirror, and a flush that must not be lost.
//!
//! Each writer writes a sector of its own to the first disk, then flushes. The mirror copies to the second disk what
//! was written, in two steps: it takes a sector, which is no longer dirty then, and later the data lands. Whoever
//! flushes is told that it is done when both disks have what was written. The planted mistake: the flush looks at
//! what is dirty, and forgets what is on its way.
//!
//! ```sh
//! cargo run -p blockrace-sim --example own_system
//! ```
//!
//! On paper: a sector is new, dirty, on its way, mirrored, or mirrored and its flush is done. The two go from one to
//! the next, and no state of the one forbids a state of the other, so there are 5 × 5 states. With the mistake, the
//! shortest way to lose a write has three steps: write, take, flush.

use std::fmt::{self, Write};

use sim::hash::fingerprint_of;
use sim::parts::Whole;
use sim::run::{End, Runner};
use sim::schedule::Schedule;
use sim::search::{Control, Options, Verdict, search};
use sim::strategy::Replay;
use sim::{Breach, Footprint, System};

/// How many writers there are, and sectors.
const WRITERS: usize = 2;

/// Two disks and what keeps them the same.
struct Mirror {
    /// The planted mistake.
    forgets_copies: bool,
}

/// How far a sector is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Sector {
    New,
    Dirty,
    OnItsWay,
    Mirrored,
}

/// Everything that can change.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    sectors: [Sector; WRITERS],
    /// By writer: it was told that its data is safe.
    flushed: [bool; WRITERS],
}

/// What can happen, to the sector of that writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Write(usize),
    Flush(usize),
    Take(usize),
    Land(usize),
}

/// What a writer is told.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Safe(usize);

impl System for Mirror {
    type State = State;
    type Step = Step;
    type Observation = Safe;

    fn initial(&self) -> State {
        State {
            sectors: [Sector::New; WRITERS],
            flushed: [false; WRITERS],
        }
    }

    fn enabled(&self, state: &State, steps: &mut Vec<Step>) {
        steps.clear();
        for writer in 0..WRITERS {
            match state.sectors[writer] {
                Sector::New => steps.push(Step::Write(writer)),
                Sector::Dirty => steps.push(Step::Take(writer)),
                Sector::OnItsWay => steps.push(Step::Land(writer)),
                Sector::Mirrored => {}
            }
            if self.may_flush(state, writer) {
                steps.push(Step::Flush(writer));
            }
        }
        steps.sort_unstable();
    }

    fn apply(&self, state: &mut State, step: Step, seen: &mut Vec<Safe>) -> Footprint {
        match step {
            Step::Write(writer) => state.sectors[writer] = Sector::Dirty,
            Step::Take(writer) => state.sectors[writer] = Sector::OnItsWay,
            Step::Land(writer) => state.sectors[writer] = Sector::Mirrored,
            Step::Flush(writer) => {
                state.flushed[writer] = true;
                seen.push(Safe(writer));
            }
        }
        // Who says that every step touches everything is right, and gives a search nothing to leave out.
        Footprint {
            reads: 1,
            writes: 1,
            ..Footprint::NONE
        }
    }

    fn judge(&self, state: &State, resting: bool) -> Result<(), Breach> {
        for (writer, sector) in state.sectors.iter().enumerate() {
            if state.flushed[writer] && *sector != Sector::Mirrored {
                let message =
                    format!("writer{writer} was told that its data is safe, and one disk has it");
                return Err(Breach::new("flush-is-not-lost", message));
            }
            if resting && !state.flushed[writer] {
                let message = format!("writer{writer} waits for its flush for ever");
                return Err(Breach::new("flush-ends", message));
            }
        }
        Ok(())
    }

    fn fingerprint(&self, state: &State) -> u128 {
        fingerprint_of(state)
    }

    fn name(&self, _state: &State, step: Step) -> String {
        match step {
            Step::Write(writer) => format!("writer{writer} write"),
            Step::Flush(writer) => format!("writer{writer} flush"),
            Step::Take(sector) => format!("mirror take {sector}"),
            Step::Land(sector) => format!("mirror land {sector}"),
        }
    }

    fn actor(&self, step: Step) -> usize {
        match step {
            Step::Write(writer) | Step::Flush(writer) => writer,
            Step::Take(_) | Step::Land(_) => WRITERS,
        }
    }

    fn actor_name(&self, _state: &State, actor: usize) -> String {
        match actor {
            WRITERS => "mirror".to_owned(),
            writer => format!("writer{writer}"),
        }
    }
}

impl Mirror {
    /// A flush of what was written is done when nothing of the writer's is left to do.
    fn may_flush(&self, state: &State, writer: usize) -> bool {
        let is_safe = match state.sectors[writer] {
            Sector::New | Sector::Dirty => false,
            Sector::OnItsWay => self.forgets_copies,
            Sector::Mirrored => true,
        };
        is_safe && !state.flushed[writer]
    }
}

/// Looks at every interleaving, and says what came of it.
fn check(out: &mut impl Write, what: &str, mirror: Mirror) -> fmt::Result {
    // `Whole` is for systems that say nothing about how their states could be cut.
    let system = Whole(mirror);
    let report = search(&system, &Options::default(), &Control::default());
    match report.verdict {
        Verdict::Verified => writeln!(out, "{what}: verified in {} states", report.states),
        Verdict::Inconclusive(limit) => writeln!(out, "{what}: ended by {limit:?}"),
        Verdict::Broken(found) => {
            writeln!(out, "{what}: {}", found.breach)?;
            let schedule = named(&system, &found.steps);
            write!(out, "{schedule}")?;
            // The schedule is text; whoever reads it again gets the same.
            let mut runner = Runner::new(&system);
            let outcome = runner.run(&mut Replay::new(schedule), 0, &mut ());
            let again = outcome.end == End::Breached(found.breach);
            writeln!(
                out,
                "replayed: {}",
                if again { "the same" } else { "not the same" }
            )
        }
    }
}

/// The steps by name, which mean the same in another run.
fn named<S: System>(system: &S, steps: &[S::Step]) -> Schedule {
    let (mut schedule, mut state) = (Schedule::new(), system.initial());
    for step in steps {
        schedule.push(system.name(&state, *step));
        system.apply(&mut state, *step, &mut Vec::new());
    }
    schedule
}

/// The protocol as it should be, and with its mistake.
pub fn report() -> Result<String, fmt::Error> {
    let mut out = String::new();
    check(
        &mut out,
        "the protocol",
        Mirror {
            forgets_copies: false,
        },
    )?;
    check(
        &mut out,
        "with the mistake",
        Mirror {
            forgets_copies: true,
        },
    )?;
    Ok(out)
}

fn main() -> fmt::Result {
    print!("{}", report()?);
    Ok(())
}
