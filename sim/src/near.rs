//! Names that are nearly the same: for "did you mean", and for schedules that are older than the
//! system they are replayed in.
//!
//! Nearness is the normalised Damerau–Levenshtein similarity: one minus the number of letters that
//! must be changed, added, left out or exchanged, divided by the length of the longer name.

use strsim::normalized_damerau_levenshtein;

/// From here on two names are taken to be near.
const NEAR: f64 = 0.6;

/// How alike two names are; nothing if their lengths alone make them strangers. So a name as long as a file costs
/// no more than a look at it: the exact answer takes time and memory by the product of the lengths.
fn similarity(one: &str, other: &str) -> f64 {
    let (one_len, other_len) = (one.chars().count(), other.chars().count());
    let (shorter, longer) = (one_len.min(other_len), one_len.max(other_len));
    match (shorter as f64) < NEAR * longer as f64 {
        true => 0.0,
        false => normalized_damerau_levenshtein(one, other),
    }
}

/// The known names that are near `name`, nearest first, and among equals in the order given; at most
/// `count_max`.
pub fn nearest<'a>(name: &str, known: &[&'a str], count_max: usize) -> Vec<&'a str> {
    let mut near: Vec<(f64, &str)> = known
        .iter()
        .map(|other| (similarity(name, other), *other))
        .filter(|(similarity, _)| *similarity >= NEAR)
        .collect();
    near.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    near.into_iter()
        .map(|(_, name)| name)
        .take(count_max)
        .collect()
}

/// The one of the `known` names that the step `wanted` may be called now: by the same actor, with
/// nearly the same verb, and near as a whole.
///
/// The actor is the first word of a step's name, the verb the second. So `thread0 load` is not taken
/// for `thread0 store`, though most of the letters are the same.
pub fn renamed<'a>(wanted: &str, known: &[&'a str]) -> Option<&'a str> {
    let (actor, verb) = actor_and_verb(wanted);
    let alike: Vec<&str> = known
        .iter()
        .copied()
        .filter(|other| {
            let (other_actor, other_verb) = actor_and_verb(other);
            actor == other_actor && similarity(verb, other_verb) >= NEAR
        })
        .collect();
    nearest(wanted, &alike, 1).pop()
}

fn actor_and_verb(name: &str) -> (&str, &str) {
    let mut words = name.split_whitespace();
    let mut word = || words.next().unwrap_or_default();
    (word(), word())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_comes_first_and_strangers_not_at_all() {
        let known = [
            "thread1 store",
            "monitor transaction",
            "thread1 load",
            "thread2 load",
        ];
        assert_eq!(
            nearest("thread1 lod", &known, 2),
            ["thread1 load", "thread2 load"]
        );
        assert_eq!(nearest("guest0 write 2 lands", &known, 2), [""; 0]);
    }

    #[test]
    fn a_renamed_step_keeps_its_actor_and_its_verb() {
        let check = |wanted: &str, known: &str, same: bool| {
            assert_eq!(
                renamed(wanted, &[known]).is_some(),
                same,
                "{wanted} / {known}"
            );
        };
        check("drive0 job read 16M+256k", "drive0 job read 16M+128k", true);
        check("thread0 load", "thread0 loads", true);
        check("thread0 load", "thread0 store", false);
        check("thread0 load", "thread1 load", false);
    }
}
