//! When two failures are the same mistake.

use crate::run::End;

/// What failures of one cause have in common: the property, and the message without its numbers.
///
/// A word that begins with a digit (`64k`, `0x2a`) becomes `#`, and so do the digits in other words, so
/// `drive0` and `drive1` are both `drive#`. A line number, as in `story.yaml:29:`, stays: it says which
/// expectation it was. What a known defect explains is not what nobody can explain. `None` for a run that did not
/// fail.
#[must_use]
pub fn signature(end: &End) -> Option<String> {
    match end {
        End::Breached(breach) => {
            let message = normalised(&breach.message);
            let known = breach.known.map(|known| format!(" ({known})"));
            let known = known.unwrap_or_default();
            Some(format!("{}: {message}{known}", breach.property))
        }
        End::Diverged(divergence) => Some(format!(
            "diverged: wanted {}",
            normalised(&divergence.wanted)
        )),
        End::Rested | End::StepLimit | End::Stopped => None,
    }
}

fn normalised(message: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric();
    let mut normal = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(first) = rest.chars().next() {
        let length = match rest.find(|c| !is_word(c)) {
            Some(0) => first.len_utf8(),
            Some(end) => end,
            None => rest.len(),
        };
        let (word, after) = rest.split_at(length);
        if is_line_number(&normal, word, after) {
            normal += word;
        } else {
            push_normalised(&mut normal, word);
        }
        rest = after;
    }
    normal
}

/// Whether `word` is the number in `story.yaml:29: …`.
fn is_line_number(before: &str, word: &str, after: &str) -> bool {
    let file = before.strip_suffix(':');
    file.is_some_and(|file| file.ends_with(char::is_alphabetic))
        && after.starts_with(':')
        && word.chars().all(|c| c.is_ascii_digit())
}

fn push_normalised(normal: &mut String, word: &str) {
    if word.starts_with(|c: char| c.is_ascii_digit()) {
        normal.push('#');
        return;
    }
    for c in word.chars() {
        match c {
            '0'..='9' if normal.ends_with('#') => {}
            '0'..='9' => normal.push('#'),
            _ => normal.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_not_part_of_a_signature() {
        let check = |message: &str, expected: &str| assert_eq!(normalised(message), expected);
        check("", "");
        check(
            "cluster 12 of drive0 is lost",
            "cluster # of drive# is lost",
        );
        check("64k+16M at 0x2a", "#+# at #");
        check("#block123 é7", "#block# é#");
        check("a.yaml:29: got 29", "a.yaml:29: got #");
        check("at 10:20:30", "at #:#:#");
        check("d0 and d12", "d# and d#");
    }

    #[test]
    fn what_did_not_fail_has_none() {
        for end in [End::Rested, End::StepLimit, End::Stopped] {
            assert_eq!(signature(&end), None);
        }
    }
}
