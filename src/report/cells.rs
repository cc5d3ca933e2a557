//! Strips as they are drawn: runs of equal signs, each with a colour and a word for it.

use std::collections::BTreeMap;

use model::runs::Range;
use scenarios::size::Size;

use crate::counterexample::{Kind, Scale, Strip};

/// So many colours are there for contents; a letter beyond has the colour of an earlier one.
const COLOURS: u32 = 6;

/// A strip, or that it is gone.
pub struct Drawn {
    /// What it is called.
    pub label: String,
    /// What else is to be said of it.
    pub note: &'static str,
    /// Its rows: a word for each, and its cells. None of one that is gone.
    pub rows: Vec<(&'static str, Vec<Cell>)>,
}

/// Some stretches side by side that are the same.
#[derive(Debug, PartialEq, Eq)]
pub struct Cell {
    /// The name of its colour.
    pub class: String,
    /// Its signs, one a stretch. After that of a long stretch stands an ellipsis.
    pub signs: String,
    /// What it means, and where it is.
    pub title: String,
}

/// What is not the same as before: new strips, other strips, and those that are gone.
#[derive(Default)]
pub struct Draughtsman {
    before: Vec<Strip>,
    /// By label of a copy: the stretches that have been to copy at some time.
    wanted: BTreeMap<String, Vec<bool>>,
}

impl Draughtsman {
    /// Draws what changed.
    pub fn changes(&mut self, after: Vec<Strip>, scale: &Scale) -> Vec<Drawn> {
        self.wanted
            .retain(|label, _| after.iter().any(|strip| strip.label == *label));
        for copy in after.iter().filter(|strip| strip.kind == Kind::Copy) {
            let wanted = self.wanted.entry(copy.label.clone()).or_default();
            wanted.resize(copy.in_flight.len(), false);
            let now = copy.signs.chars().zip(&copy.in_flight);
            for (wanted, (sign, in_flight)) in wanted.iter_mut().zip(now) {
                *wanted |= sign != '.' || *in_flight;
            }
        }
        let is_new = |strip: &&Strip| !self.before.contains(strip);
        let mut drawn: Vec<Drawn> = after
            .iter()
            .filter(is_new)
            .map(|strip| self.draw(strip, scale))
            .collect();
        let there = |label: &String| after.iter().any(|strip| strip.label == *label);
        let gone = self.before.iter().filter(|strip| !there(&strip.label));
        drawn.extend(gone.map(|strip| Drawn {
            label: strip.label.clone(),
            note: "gone",
            rows: Vec::new(),
        }));
        self.before = after;
        drawn
    }

    fn draw(&self, strip: &Strip, scale: &Scale) -> Drawn {
        let signs = match strip.kind {
            Kind::Copy => self.copy_signs(strip),
            Kind::Bitmap | Kind::Image => strip.signs.clone(),
        };
        let mut rows = vec![("", cells(strip, &signs, scale))];
        if let Some(successor) = &strip.successor {
            rows.push(("successor", cells(strip, successor, scale)));
        }
        Drawn {
            label: strip.label.clone(),
            note: strip.note,
            rows,
        }
    }

    /// With signs for what is in flight, and for what is done.
    fn copy_signs(&self, strip: &Strip) -> String {
        let wanted = self.wanted.get(&strip.label);
        let signs = strip.signs.chars().zip(&strip.in_flight).enumerate();
        let sign = |(at, (sign, in_flight)): (usize, (char, &bool))| {
            let was_wanted = wanted.is_some_and(|wanted| wanted[at]);
            match sign {
                _ if *in_flight => '>',
                '.' if was_wanted => '=',
                sign => sign,
            }
        };
        signs.map(sign).collect()
    }
}

fn cells(strip: &Strip, signs: &str, scale: &Scale) -> Vec<Cell> {
    let (kind, stretches) = (strip.kind, scale.over(strip.length).zip(signs.chars()));
    let mut cells: Vec<(char, Range, String)> = Vec::new();
    for (stretch, sign) in stretches {
        let mut signs = sign.to_string();
        if stretch.end - stretch.start > scale.unit {
            signs.push('⋯');
        }
        match cells.last_mut() {
            Some((last, range, text)) if *last == sign => {
                range.end = stretch.end;
                text.push_str(&signs);
            }
            _ => cells.push((sign, stretch, signs)),
        }
    }
    let cell = |(sign, range, signs): (char, Range, String)| Cell {
        class: class(kind, sign),
        title: format!(
            "{}, {} to {}",
            word(kind, sign),
            size(range.start),
            size(range.end)
        ),
        signs,
    };
    cells.into_iter().map(cell).collect()
}

fn class(kind: Kind, sign: char) -> String {
    let letter = |sign: char| (sign as u32).saturating_sub('a' as u32) % COLOURS;
    match (kind, sign) {
        (Kind::Image, '-') => "none".to_owned(),
        (Kind::Image, '0') => "zero".to_owned(),
        (Kind::Image, '+') => "mixed".to_owned(),
        (Kind::Image, sign) => format!("data{}", letter(sign)),
        (_, '#') => "dirty".to_owned(),
        (_, '+') => "part".to_owned(),
        (_, '>') => "flight".to_owned(),
        (_, '=') => "copied".to_owned(),
        (_, _) => "clean".to_owned(),
    }
}

fn word(kind: Kind, sign: char) -> &'static str {
    match (kind, sign) {
        (Kind::Image, '-') => "not allocated",
        (Kind::Image, '0') => "zeroes",
        (Kind::Image, '+') => "several contents",
        (Kind::Image, _) => "data",
        (Kind::Bitmap, '#') => "dirty",
        (Kind::Bitmap, '+') => "partly dirty",
        (Kind::Bitmap, _) => "clean",
        (Kind::Copy, '>') => "in flight",
        (Kind::Copy, '=') => "done",
        (Kind::Copy, '#') => "to copy",
        (Kind::Copy, '+') => "partly to copy",
        (Kind::Copy, _) => "nothing to copy",
    }
}

/// A number of bytes, as people write it.
pub fn size(bytes: u64) -> String {
    Size::of(bytes).map_or_else(|| bytes.to_string(), |size| size.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const K: u64 = 1 << 10;

    fn copy(signs: &str, in_flight: [bool; 3]) -> Strip {
        Strip {
            label: "drive0 copy".into(),
            kind: Kind::Copy,
            length: 160 * K,
            signs: signs.into(),
            note: "",
            successor: None,
            in_flight: in_flight.to_vec(),
        }
    }

    /// The signs of what changed, or `gone`.
    fn drawn(changes: &[Drawn]) -> Vec<String> {
        let signs = |(_, cells): &(&str, Vec<Cell>)| {
            cells
                .iter()
                .map(|cell| cell.signs.as_str())
                .collect::<String>()
        };
        let drawn = changes.iter().map(|strip| match strip.rows.first() {
            Some(row) => signs(row),
            None => strip.note.to_owned(),
        });
        drawn.collect()
    }

    #[test]
    fn a_copy_is_wanted_then_in_flight_then_done() {
        let (mut draughtsman, scale) = (Draughtsman::default(), Scale::even(std::iter::empty()));
        let mut after = |strips: Vec<Strip>| drawn(&draughtsman.changes(strips, &scale));
        // The first one is claimed as soon as it is there; the last one is never wanted.
        assert_eq!(after(vec![copy(".#.", [true, false, false])]), [">#."]);
        assert_eq!(after(vec![copy("..", [false, true, false])]), ["=>"]);
        assert!(after(vec![copy("..", [false, true, false])]).is_empty());
        assert_eq!(after(Vec::new()), ["gone"]);
    }

    #[test]
    fn equal_stretches_are_one_cell_that_says_where_it_is() {
        let scale = Scale::even(std::iter::empty());
        let strip = copy("##.", [false; 3]);
        let cells = cells(&strip, &strip.signs, &scale);
        let titles: Vec<&str> = cells.iter().map(|cell| cell.title.as_str()).collect();
        assert_eq!(
            titles,
            ["to copy, 0 to 128k", "nothing to copy, 128k to 160k"]
        );
    }
}
