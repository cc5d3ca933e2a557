//! A check as it is shown: how many states by depth, all traces, which steps met which jobs, what was reached.

use model::dialect::Dialect;
use model::property::WITNESSES;
use scenarios::coverage::steps::StepMatrix;
use scenarios::scene::{Scene, Step};
use sim::Breach;
use sim::language::{self, Language};
use sim::schedule::Schedule;
use sim::search::{Control, Options, Report, Verdict, search};
use sim::visit::visit;

use super::picture::Picture;
use crate::defects;
use crate::stage::Loaded;
use crate::traces::{Answer, Count};
use crate::watch::{self, Watch};

/// A check, ready to be shown.
pub struct Survey {
    /// A word, and its colour.
    pub word: &'static str,
    /// The name of its colour.
    pub class: &'static str,
    /// What there is to say.
    pub says: String,
    /// Words and lines: sizes, what to paste.
    pub facts: Vec<(&'static str, String)>,
    /// States by depth.
    pub layers: Vec<Layer>,
    /// The most states of one depth.
    pub most: u64,
    /// What there is to say of the traces.
    pub traces: String,
    /// The traces as a picture; or why there is none.
    pub picture: Result<Picture, String>,
    /// What steps met jobs in what status.
    pub matrix: StepMatrix,
    /// Whether that is all of them.
    pub is_whole: bool,
    /// The interesting cases.
    pub witnesses: Vec<Witness>,
}

impl Survey {
    /// The depth of the last layer.
    pub fn deepest(&self) -> usize {
        self.layers.len().saturating_sub(1)
    }
}

/// The states that are first reached with so many steps.
pub struct Layer {
    /// How many they are.
    pub states: u64,
    /// The height of their bar, of a thousand.
    pub height: u64,
}

/// An interesting case.
pub struct Witness {
    /// What it is called.
    pub name: &'static str,
    /// What it is.
    pub says: &'static str,
    /// Whether some interleaving reaches it.
    pub is_met: bool,
    /// Whether the story says that one must.
    pub is_wanted: bool,
}

/// What a search found: what is shown, and a counterexample if there is one.
pub struct Checked {
    /// What is shown.
    pub survey: Survey,
    /// The shortest schedule that breaks a promise.
    pub broken: Option<Schedule>,
}

/// Checks a story in every interleaving, with at most so many states.
pub fn check(
    loaded: &Loaded,
    dialect: &'static Dialect,
    scene: &Scene,
    states_max: u64,
    watch: &Watch,
) -> Checked {
    let control = Control::default();
    let options = Options {
        states_max,
        jobs: watch::workers(None),
        ..Options::default()
    };
    let report = watch.over(
        None,
        &control.interrupt,
        || (),
        || search(scene, &options, &control),
    );
    let broken = match &report.verdict {
        Verdict::Broken(found) => Some((
            crate::check::schedule_of(scene, found),
            found.breach.clone(),
        )),
        Verdict::Verified | Verdict::Inconclusive(_) => None,
    };
    let breach = broken.as_ref().map(|(_, breach)| breach);
    let (word, class, says) = verdict(loaded, &report, breach);
    let (traces, picture) = traces(loaded, dialect, scene, states_max, watch);
    let (matrix, is_whole) = matrix(scene, states_max, watch);
    let mut facts = vec![("size", size(&report))];
    // Otherwise the counterexample says so.
    if broken.is_none() {
        let again = format!("blockrace check {} --dialect {dialect}", loaded.name);
        facts.push(("again", again));
    }
    let survey = Survey {
        word,
        class,
        says,
        facts,
        most: report.layers.iter().copied().max().unwrap_or(0),
        layers: layers(&report.layers),
        traces,
        picture,
        matrix,
        is_whole,
        witnesses: witnesses(loaded, scene, report.witnessed),
    };
    Checked {
        survey,
        broken: broken.map(|(schedule, _)| schedule),
    }
}

fn verdict(
    loaded: &Loaded,
    report: &Report<Step>,
    broken: Option<&Breach>,
) -> (&'static str, &'static str, String) {
    let known = broken.and_then(|breach| defects::expected(loaded, breach));
    match (&report.verdict, known) {
        (Verdict::Verified, _) => {
            let words = "No interleaving breaks a promise, hangs, or goes round for ever without a way to rest.";
            ("VERIFIED", "good", words.to_owned())
        }
        (Verdict::Broken(_), Some(defect)) => {
            let words = format!(
                "A known defect shows, and the story says so: {} {}.",
                defect.id, defect.name
            );
            ("KNOWN DEFECT", "known", words)
        }
        (Verdict::Broken(found), None) => {
            let words = match found.shortest {
                true => {
                    "Some interleaving breaks a promise. None does with fewer steps than this one."
                }
                false => "Some interleaving breaks a promise.",
            };
            ("BROKEN", "bad", words.to_owned())
        }
        (Verdict::Inconclusive(_), _) => {
            let words = "A budget ended it: nothing was broken so far.";
            ("INCONCLUSIVE", "unknown", words.to_owned())
        }
    }
}

fn size(report: &Report<Step>) -> String {
    let counted = |count: u64, thing: &str| match count {
        1 => format!("1 {thing}"),
        many => format!("{many} {thing}s"),
    };
    format!(
        "{}, {} between them, at most {} deep, {}",
        counted(report.states, "state"),
        counted(report.transitions, "step"),
        counted(report.layers.len().saturating_sub(1) as u64, "step"),
        counted(report.resting, "end"),
    )
}

fn layers(counts: &[u64]) -> Vec<Layer> {
    let most = counts.iter().copied().max().unwrap_or(1).max(1);
    let layer = |states: &u64| Layer {
        states: *states,
        // What is there is seen.
        height: (states * 1000 / most).max(12),
    };
    counts.iter().map(layer).collect()
}

/// How many traces there are, in words, and their picture or why there is none.
fn traces(
    loaded: &Loaded,
    dialect: &'static Dialect,
    scene: &Scene,
    states_max: u64,
    watch: &Watch,
) -> (String, Result<Picture, String>) {
    let options = language::Options {
        worlds_max: usize::try_from(states_max).unwrap_or(usize::MAX),
        ..language::Options::default()
    };
    let language = match Language::explore(scene, options, &mut |_| !watch.is_interrupted()) {
        Ok(language) => language,
        Err(endless) => {
            let line = endless.observation;
            let words =
                format!("There is no end to the traces: this can be seen again and again: {line}");
            return (words, Err(String::new()));
        }
    };
    let count = Count(language.automaton.trace_count());
    let traces = match (count.0, language.is_complete()) {
        (1, true) => "There is one order in which a client can read the messages.".to_owned(),
        (_, true) => format!(
            "There are {count} orders in which a client can read the messages, and no other."
        ),
        (_, false) => format!(
            "A budget ended it: there are at least {count} orders in which a client can read the messages."
        ),
    };
    let picture = Picture::of(&Answer::new(loaded, dialect, &language, false));
    let picture = picture.map_err(|boxes| {
        let name = &loaded.name;
        format!(
            "With {boxes} boxes it is too large for a picture here: blockrace traces {name} --dialect {dialect} prints it, \
             and with --format dot Graphviz draws it."
        )
    });
    (traces, picture)
}

fn matrix(scene: &Scene, states_max: u64, watch: &Watch) -> (StepMatrix, bool) {
    let mut matrix = StepMatrix::default();
    let mut goes_on = |states: usize| (states as u64) < states_max && !watch.is_interrupted();
    let visited = visit(scene, &mut goes_on, &mut |moment, step| {
        matrix.count(moment, step)
    });
    (matrix, visited.complete)
}

fn witnesses(loaded: &Loaded, scene: &Scene, witnessed: u64) -> Vec<Witness> {
    use sim::System;
    let names = scene.witnesses().into_iter().enumerate();
    let witness = |(index, name): (usize, &'static str)| Witness {
        name,
        says: WITNESSES
            .iter()
            .find(|(id, _)| *id == name)
            .map_or("", |(_, says)| *says),
        is_met: witnessed >> index & 1 == 1,
        is_wanted: loaded.story.witnesses.iter().any(|wanted| wanted == name),
    };
    names.map(witness).collect()
}
