//! What is drawn with the signs of Unicode, in those of ASCII.

/// The signs that blockrace draws with, and what stands for each.
const SIGNS: [(char, &str); 21] = [
    ('│', "|"),
    ('├', "|"),
    ('└', "`"),
    ('─', "-"),
    ('■', "#"),
    ('→', "->"),
    ('←', "<-"),
    ('↑', "^"),
    ('↓', "v"),
    ('…', "..."),
    ('·', "."),
    ('×', "x"),
    ('≤', "<="),
    ('≥', ">="),
    ('–', "-"),
    ('—', "--"),
    ('‘', "'"),
    ('’', "'"),
    ('“', "\""),
    ('”', "\""),
    ('\u{a0}', " "),
];

/// The text in ASCII; a letter that has no sign there becomes a question mark.
pub fn ascii(text: &str) -> String {
    let mut ascii = String::with_capacity(text.len());
    for sign in text.chars() {
        match SIGNS.iter().find(|(known, _)| *known == sign) {
            _ if sign.is_ascii() => ascii.push(sign),
            Some((_, instead)) => ascii.push_str(instead),
            None => ascii.push('?'),
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sign_has_one_of_ascii() {
        assert_eq!(ascii("  ├─ if `x` … → A: é"), "  |- if `x` ... -> A: ?");
        for (sign, instead) in SIGNS {
            assert!(!sign.is_ascii() && instead.is_ascii(), "{sign}");
        }
    }
}
