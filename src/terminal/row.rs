//! A row of a table: a name, numbers in columns, and a verdict. On a narrow terminal the name is shortened, and when
//! that is not enough the numbers go below, so that name and verdict still stand beside each other.

use super::terminal;

/// No name is made shorter to keep a row on one line.
const NAME_MIN: usize = 20;

/// The row; `names` is how wide the column of names is.
pub fn row(name: &str, names: usize, numbers: &str, verdict: &str) -> String {
    let look = terminal().out;
    let narrow = |columns| look.shorten(name, columns);
    fitted((name, names), numbers, verdict, look.width, narrow)
}

/// Room for the longest verdict, so that all rows of a table are of one kind.
const VERDICT: usize = "known defect".len();

fn fitted(
    (name, names): (&str, usize),
    numbers: &str,
    verdict: &str,
    width: Option<usize>,
    narrow: impl Fn(usize) -> String,
) -> String {
    let verdicts = 2 + VERDICT.max(verdict.chars().count());
    let rest = numbers.chars().count() + verdicts;
    match width {
        Some(width) if names + rest <= width => format!("{name:<names$}{numbers}  {verdict}"),
        Some(width) if NAME_MIN + rest <= width => {
            let names = width - rest;
            format!("{:<names$}{numbers}  {verdict}", narrow(names))
        }
        Some(width) => {
            let names = names.min(width.saturating_sub(verdicts));
            let words: Vec<&str> = numbers.split_whitespace().collect();
            let words = words.join(" ");
            format!("{:<names$}  {verdict}\n    {words}", narrow(names))
        }
        None => format!("{name:<names$}{numbers}  {verdict}"),
    }
}

#[cfg(test)]
mod tests {
    use crate::terminal::fold::shorten;

    const NAME: &str = "test_transaction_failure_race";
    const NUMBERS: &str = "  QEMU 10.0       405 states";

    fn fitted(name: &str, names: usize, width: Option<usize>) -> String {
        let narrow = |columns| shorten(name, columns, "…");
        super::fitted((name, names), NUMBERS, "verified", width, narrow)
    }

    #[test]
    fn a_pipe_gets_the_whole_row() {
        let row = fitted("a", 5, None);
        assert_eq!(row, "a      QEMU 10.0       405 states  verified");
        let row = fitted(NAME, NAME.len(), None);
        assert_eq!(row, format!("{NAME}{NUMBERS}  verified"));
    }

    #[test]
    fn a_narrow_terminal_gets_a_short_name_and_then_two_lines() {
        let row = |width| fitted(NAME, NAME.len(), Some(width));
        assert_eq!(row(80), format!("{NAME}{NUMBERS}  verified"));
        assert_eq!(
            row(66),
            format!("test_transa…failure_race{NUMBERS}  verified")
        );
        assert_eq!(
            row(40),
            "test_transac…_failure_race  verified\n    QEMU 10.0 405 states"
        );
        for width in 40..100 {
            let wide = row(width).lines().map(|line| line.chars().count()).max();
            assert!(wide <= Some(width), "{width}: {}", row(width));
        }
    }
}
