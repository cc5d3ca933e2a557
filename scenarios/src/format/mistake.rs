//! What is wrong with a small piece of a story (a size, a qemu-io line), and how it is put right.

use std::fmt;

/// What is wrong with a piece of a story, and how it is usually put right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// What is wrong.
    pub what: String,
    /// What to write instead, or what is allowed.
    pub help: String,
}

impl Mistake {
    pub(crate) fn new(what: impl Into<String>, help: impl Into<String>) -> Mistake {
        Mistake {
            what: what.into(),
            help: help.into(),
        }
    }
}

/// The mistake, and on a second line the help.
impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.what, self.help)
    }
}

impl std::error::Error for Mistake {}

/// The question that helps against a slip of the fingers, when one of the known words is near.
pub(crate) fn did_you_mean(word: &str, known: &[&str]) -> Option<String> {
    let limit = 1 + word.chars().count() / 4;
    let nearest = known
        .iter()
        .map(|other| (distance(word, other), other))
        .min_by_key(|(distance, _)| *distance);
    nearest
        .filter(|(distance, _)| *distance <= limit)
        .map(|(_, other)| format!("did you mean `{other}`?"))
}

/// The nearest of the known words, if one is near, and all of them, unless they are many: then `else_all` says where
/// they are.
pub(crate) fn nearest_and_all(word: &str, known: &[&str], else_all: &str) -> String {
    /// More are no help at a glance.
    const MANY: usize = 40;
    let all = match known {
        [only] => format!("only `{only}` is possible"),
        _ if known.len() > MANY || known.is_empty() => else_all.to_owned(),
        _ => format!("possible are `{}`", known.join("`, `")),
    };
    match did_you_mean(word, known) {
        Some(near) if all.is_empty() || known.len() == 1 => near,
        Some(near) => format!("{near} {all}"),
        None => all,
    }
}

/// How many letters must be changed, added, left out or exchanged with their neighbour (optimal string alignment).
fn distance(one: &str, other: &str) -> usize {
    // Nobody mistypes a word of this length into a known one; the table below is quadratic.
    const LENGTH_MAX: usize = 64;
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    if one.len() > LENGTH_MAX || other.len() > LENGTH_MAX {
        return usize::MAX;
    }
    let mut table = vec![vec![0; other.len() + 1]; one.len() + 1];
    for i in 0..=one.len() {
        for j in 0..=other.len() {
            table[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let changed = table[i - 1][j - 1] + usize::from(one[i - 1] != other[j - 1]);
                let best = changed.min(table[i - 1][j] + 1).min(table[i][j - 1] + 1);
                let swapped =
                    i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1];
                if swapped {
                    best.min(table[i - 2][j - 2] + 1)
                } else {
                    best
                }
            };
        }
    }
    table[one.len()][other.len()]
}
