//! Every reduction, on generated systems: the same answer, the same ends, the same witnesses.

use proptest::prelude::*;
use sim::parts::{Offer, Offered, Parts, Whole};
use sim::search::{Control, Options, Report, Verdict, search};
use sim::{Breach, Footprint, System};

/// What a thread does to a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    /// Adds one, without looking.
    Add(u8),
    /// Sets it to a number.
    Set(u8, u8),
    /// Remembers its parity, and goes on only if it is not 3.
    Read(u8),
    /// Waits until it is not 0.
    Wait(u8),
}

/// Threads with programs over a few shared variables. It is promised that no variable is `forbidden`
/// after a step that set it, and that no thread waits for ever if `waits_forbidden`.
#[derive(Clone, Debug)]
struct Program {
    threads: Vec<Vec<Act>>,
    variables: usize,
    forbidden: u8,
    waits_forbidden: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Memory {
    variables: Vec<u8>,
    /// By thread: how far it is, and the parities it has read.
    threads: Vec<(usize, u32)>,
    broken: Option<u8>,
    /// The last step; no part of what it is.
    last: Last,
}

/// Equal to anything.
#[derive(Clone, Copy, Debug, Default)]
struct Last(u64);

impl PartialEq for Last {
    fn eq(&self, _: &Last) -> bool {
        true
    }
}

impl Eq for Last {}

impl std::hash::Hash for Last {
    fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
}

impl Program {
    fn next(&self, memory: &Memory, thread: usize) -> Option<Act> {
        self.threads[thread].get(memory.threads[thread].0).copied()
    }

    fn thread_bit(&self, thread: usize) -> u64 {
        1 << (self.variables + thread)
    }

    fn broken_bit(&self) -> u64 {
        1 << (self.variables + self.threads.len())
    }

    fn can(&self, memory: &Memory, thread: usize) -> bool {
        match self.next(memory, thread) {
            None => false,
            Some(Act::Wait(variable)) => memory.variables[usize::from(variable)] != 0,
            Some(Act::Read(variable)) => memory.variables[usize::from(variable)] != 3,
            Some(Act::Add(_) | Act::Set(..)) => true,
        }
    }
}

impl System for Program {
    type State = Memory;
    type Step = usize;
    type Observation = ();

    fn initial(&self) -> Memory {
        Memory {
            variables: vec![0; self.variables],
            threads: vec![(0, 0); self.threads.len()],
            broken: None,
            last: Last::default(),
        }
    }

    fn enabled(&self, memory: &Memory, steps: &mut Vec<usize>) {
        steps.clear();
        steps.extend((0..self.threads.len()).filter(|thread| self.can(memory, *thread)));
    }

    fn apply(&self, memory: &mut Memory, thread: usize, _: &mut Vec<()>) -> Footprint {
        let act = self.next(memory, thread).expect("it is enabled");
        let mut footprint = Footprint {
            writes: self.thread_bit(thread),
            ..Footprint::NONE
        };
        memory.last = Last(0);
        memory.threads[thread].0 += 1;
        match act {
            Act::Add(variable) => {
                footprint.adds |= 1 << variable;
                memory.variables[usize::from(variable)] += 1;
            }
            Act::Set(variable, value) => {
                footprint.writes |= 1 << variable;
                memory.variables[usize::from(variable)] = value;
                if value == self.forbidden && memory.broken.is_none() {
                    footprint.writes |= self.broken_bit();
                    memory.broken = Some(variable);
                }
            }
            Act::Read(variable) => {
                footprint.reads |= 1 << variable;
                let parity = u32::from(memory.variables[usize::from(variable)] % 2);
                let read = &mut memory.threads[thread].1;
                *read = *read * 2 + parity;
                memory.last = Last(1 << (2 * u64::from(variable) + u64::from(parity)));
            }
            Act::Wait(variable) => footprint.reads |= 1 << variable,
        }
        footprint
    }

    fn judge(&self, memory: &Memory, resting: bool) -> Result<(), Breach> {
        let waits = (0..self.threads.len()).any(|thread| self.next(memory, thread).is_some());
        let property = match memory.broken {
            Some(_) => "never-forbidden",
            None if resting && waits && self.waits_forbidden => "nobody-waits",
            None => return Ok(()),
        };
        Err(Breach::new(property, String::new()))
    }

    fn fingerprint(&self, memory: &Memory) -> u128 {
        sim::hash::fingerprint_of(memory)
    }

    fn name(&self, _: &Memory, thread: usize) -> String {
        format!("thread{thread}")
    }

    fn actor(&self, thread: usize) -> usize {
        thread
    }

    fn witnesses(&self) -> Vec<&'static str> {
        vec!["a parity"; 2 * self.variables]
    }

    fn witnessed(&self, memory: &Memory) -> u64 {
        memory.last.0
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Cell {
    Variable(u8),
    Thread(usize, u32),
    Broken(Option<u8>),
}

impl Parts for Program {
    type Part = Cell;

    fn columns(&self) -> usize {
        self.variables + self.threads.len() + 1
    }

    fn part(&self, memory: &Memory, column: usize) -> Cell {
        match column.checked_sub(self.variables) {
            None => Cell::Variable(memory.variables[column]),
            Some(thread) if thread < self.threads.len() => {
                let (at, read) = memory.threads[thread];
                Cell::Thread(at, read)
            }
            Some(_) => Cell::Broken(memory.broken),
        }
    }

    fn put_together(&self, parts: &[Cell]) -> Memory {
        let mut memory = self.initial();
        for (column, part) in parts.iter().enumerate() {
            match *part {
                Cell::Variable(value) => memory.variables[column] = value,
                Cell::Thread(at, read) => memory.threads[column - self.variables] = (at, read),
                Cell::Broken(broken) => memory.broken = broken,
            }
        }
        memory
    }

    fn offers(&self) -> usize {
        self.threads.len()
    }

    fn offer(&self, memory: &Memory, thread: usize, offer: &mut Offer<usize>) {
        offer.clear();
        offer.looked = self.thread_bit(thread);
        if let Some(Act::Wait(variable) | Act::Read(variable)) = self.next(memory, thread) {
            offer.looked |= 1 << variable;
        }
        if self.can(memory, thread) {
            offer.steps.push(Offered::new(thread));
        }
    }
}

fn programs() -> impl Strategy<Value = Program> {
    let act = (0..4_u8, 0..3_u8, 1..4_u8).prop_map(|(kind, variable, value)| match kind {
        0 => Act::Add(variable),
        1 => Act::Set(variable, value),
        2 => Act::Read(variable),
        _ => Act::Wait(variable),
    });
    let thread = prop::collection::vec(act, 0..5);
    let threads = prop::collection::vec(thread, 1..5);
    (threads, 2..9_u8, any::<bool>()).prop_map(|(threads, forbidden, waits_forbidden)| Program {
        threads,
        variables: 3,
        forbidden,
        waits_forbidden,
    })
}

/// What a search says: whether a promise is broken, and else what ends and witnesses there are.
fn answer(report: &Report<usize>) -> (Option<&'static str>, u64, u128, u64) {
    match &report.verdict {
        Verdict::Broken(found) => (Some(found.breach.property), 0, 0, 0),
        verdict => {
            assert_eq!(*verdict, Verdict::Verified);
            (
                None,
                report.resting,
                report.resting_digest,
                report.witnessed,
            )
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn reductions_change_no_answer(program in programs()) {
        let check = |reduce, sleep_sets| {
            let options = Options { reduce, sleep_sets, ..Options::default() };
            search(&program, &options, &Control::default())
        };
        let unreduced = check(false, false);
        for (reduce, sleep_sets) in [(false, true), (true, false), (true, true)] {
            let reduced = check(reduce, sleep_sets);
            prop_assert_eq!(answer(&reduced), answer(&unreduced), "{} {}", reduce, sleep_sets);
            if sleep_sets && unreduced.verdict == Verdict::Verified {
                prop_assert_eq!(reduced.states, unreduced.states);
                prop_assert!(reduced.transitions <= unreduced.transitions);
            }
            if let (Verdict::Broken(one), Verdict::Broken(other)) = (&reduced.verdict, &unreduced.verdict) {
                prop_assert_eq!(one, other);
            }
        }
    }

    /// Memory, by parts or none at all: the same graph.
    #[test]
    fn what_is_remembered_is_what_the_rules_say(program in programs()) {
        let options = Options { reduce: false, ..Options::default() };
        let parted = search(&program, &options, &Control::default());
        let whole = search(&Whole(program), &options, &Control::default());
        prop_assert_eq!(parted.verdict, whole.verdict);
        prop_assert_eq!(
            (parted.states, parted.transitions, parted.layers, parted.resting_digest, parted.witnessed),
            (whole.states, whole.transitions, whole.layers, whole.resting_digest, whole.witnessed)
        );
    }
}
