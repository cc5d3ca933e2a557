//! What was judged, and what came of it, in the terms that all formats share.

use std::path::PathBuf;

use model::property::PROPERTIES;
use sim::search::EVERY_RUN_RESTS;

use crate::exit::Exit;
use crate::stage::Staged;

/// One thing that was judged: a story in a dialect, a recording, a planted bug.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it is called again.
    pub name: String,
    /// Whose rules were played; empty where that is no question.
    pub dialect: String,
    /// The file that it is about.
    pub file: String,
    /// What it means for the command's end.
    pub exit: Exit,
    /// The verdict, as the table says it.
    pub word: String,
    /// What is to be said besides, above all why it is inconclusive.
    pub note: String,
    /// How much was covered.
    pub work: String,
    /// How long that took.
    pub seconds: f64,
    /// What is wrong.
    pub failures: Vec<Failure>,
}

/// The word for a story whose turn never came: somebody pressed Ctrl-C before.
pub const NOT_BEGUN: &str = "NOT BEGUN";

impl Case {
    /// Of a story whose turn never came.
    pub fn not_begun(staged: &Staged<'_>) -> Case {
        Case {
            name: staged.loaded.name.clone(),
            dialect: staged.dialect.name.to_owned(),
            file: staged.loaded.file.clone(),
            exit: Exit::Inconclusive,
            word: NOT_BEGUN.to_owned(),
            note: "ended by Ctrl-C".to_owned(),
            work: String::new(),
            seconds: 0.0,
            failures: Vec::new(),
        }
    }

    /// Of a lane whose input cannot be used.
    pub fn unusable(lane: &str, why: &str) -> Case {
        Case::of_lane(lane, Exit::Usage, "BAD INPUT", why)
    }

    /// Of a lane that had nothing to do.
    pub fn nothing_checked(lane: &str) -> Case {
        Case::of_lane(
            lane,
            Exit::NothingChecked,
            "NOTHING CHECKED",
            "there was nothing to check",
        )
    }

    fn of_lane(lane: &str, exit: Exit, word: &str, note: &str) -> Case {
        Case {
            name: lane.to_owned(),
            dialect: String::new(),
            file: String::new(),
            exit,
            word: word.to_owned(),
            note: note.to_owned(),
            work: String::new(),
            seconds: 0.0,
            failures: Vec::new(),
        }
    }

    /// Its name, and whose rules were played.
    pub fn title(&self) -> String {
        match &*self.dialect {
            "" => self.name.clone(),
            dialect => format!("{} (QEMU {dialect})", self.name),
        }
    }

    /// Whether everything is as it should be.
    pub fn is_clean(&self) -> bool {
        self.exit == Exit::Clean
    }

    /// What is to be said in one line of a case that is not clean.
    pub fn message(&self) -> String {
        match (&self.failures[..], &*self.note) {
            ([], "") => self.word.clone(),
            ([], note) => format!("{}: {note}", self.word),
            ([first, ..], _) => format!("{}: {}", first.rule, first.message),
        }
    }
}

/// Something that is wrong, and how to see it again.
#[derive(Clone, Debug, Default)]
pub struct Failure {
    /// The promise that is broken, or another of [`sentence`]'s names.
    pub rule: String,
    /// What happened.
    pub message: String,
    /// Where it is kept, if it is.
    pub kept: Option<PathBuf>,
    /// The line to paste.
    pub again: String,
    /// The counterexample as people read it, if there is one.
    pub picture: String,
    /// The same as a diagram for Mermaid.
    pub diagram: String,
}

impl Failure {
    /// The place in a file that the message begins with (`FILE:LINE: what`), if it does.
    pub fn place(&self) -> Option<(&str, u32)> {
        let (place, _) = self.message.split_once(": ")?;
        let (file, line) = place.rsplit_once(':')?;
        Some((file, line.parse().ok()?))
    }
}

/// What was promised, of promises and of all else that can be wrong.
pub fn sentence(rule: &str) -> Option<&'static str> {
    let promise = PROPERTIES.iter().find(|row| row.id == rule);
    promise.map(|row| row.says).or_else(|| {
        let other = OTHERS.iter().find(|(name, _)| *name == rule);
        other.map(|(_, says)| *says)
    })
}

/// What can be wrong beside the promises of QEMU.
pub const OTHERS: [(&str, &str); 11] = [
    (
        "expectation",
        "What the story says of a reply, an event or an image comes true in every interleaving.",
    ),
    (
        EVERY_RUN_RESTS,
        "Every run comes to rest: there is no way to go round for ever.",
    ),
    (
        "witness",
        "An interleaving reaches each interesting case that the story names.",
    ),
    (
        "defect",
        "An interleaving shows each known defect that the story names.",
    ),
    (
        "kept-failure",
        "A schedule that broke a promise once does so no more.",
    ),
    (
        "recording",
        "What a real QEMU did is a trace of the model, and what the story expects.",
    ),
    (
        "planted-bug",
        "The search finds a planted bug as what it is.",
    ),
    (
        "needed-promise",
        "Some planted bug goes unseen if nobody looks at the promise.",
    ),
    ("replay", "A schedule can be followed to its end."),
    ("same-twice", "A run is the same twice."),
    (
        "inconclusive",
        "What was asked for is covered before a budget ends it.",
    ),
];

/// All cases, by the command that they are of.
pub struct Report {
    suites: Vec<(&'static str, Vec<Case>)>,
    /// Whether it is said how long things took.
    pub times: bool,
}

impl Report {
    /// Of a command called `suite`, so far without a case.
    pub fn new(suite: &'static str, times: bool) -> Report {
        Report {
            suites: vec![(suite, Vec::new())],
            times,
        }
    }

    /// The next cases are of another command.
    pub fn begin(&mut self, suite: &'static str) {
        self.suites.retain(|(_, cases)| !cases.is_empty());
        self.suites.push((suite, Vec::new()));
    }

    /// Adds a case.
    pub fn enter(&mut self, case: Case) {
        if let Some((_, cases)) = self.suites.last_mut() {
            cases.push(case);
        }
    }

    /// The cases of the last command.
    pub fn current(&self) -> &[Case] {
        self.suites.last().map_or(&[], |(_, cases)| cases)
    }

    /// By command.
    pub fn suites(&self) -> impl Iterator<Item = (&'static str, &[Case])> {
        let with_cases = self.suites.iter().filter(|(_, cases)| !cases.is_empty());
        with_cases.map(|(suite, cases)| (*suite, &cases[..]))
    }

    /// Those that are not clean.
    pub fn not_clean(&self) -> impl Iterator<Item = (&'static str, &Case)> {
        let all = self
            .suites()
            .flat_map(|(suite, cases)| cases.iter().map(move |case| (suite, case)));
        all.filter(|(_, case)| !case.is_clean())
    }
}

/// How many cases there are with each verdict, in the order in which the verdicts first come: `2 verified, 1 BROKEN`.
pub fn counts(cases: &[Case]) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for case in cases {
        match counts.iter_mut().find(|(word, _)| *word == case.word) {
            Some((_, count)) => *count += 1,
            None => counts.push((&case.word, 1)),
        }
    }
    let words: Vec<String> = counts
        .iter()
        .map(|(word, count)| format!("{count} {word}"))
        .collect();
    words.join(", ")
}
