//! All traces as a picture: the points where they start, part, meet and end, and between them boxes with their lines.

use super::layers::{Plan, lay_out};
use crate::traces::skeleton::{Point, Run};
use crate::traces::{Answer, diagram, reason};

/// A larger automaton is no picture any more.
const BOXES_MAX: usize = 150;
/// A longer line is cut, but for what the mouse shows.
const SIGNS_MAX: usize = 46;
/// The width of a sign, in thousandths of a pixel, and the height of a line, of the font in the boxes.
const SIGN: i64 = 6_650;
const LINE: i64 = 15;
/// Around the text of a box.
const PADDING: i64 = 8;
/// Across a point where traces only part or meet.
const DOT: i64 = 11;

/// The picture.
pub struct Picture {
    /// Its width.
    pub width: i64,
    /// Its height.
    pub height: i64,
    /// The boxes and points.
    pub boxes: Vec<Shape>,
    /// The arrows: the path of each.
    pub arrows: Vec<String>,
}

/// A box with text, or a point without.
pub struct Shape {
    /// The left edge.
    pub x: i64,
    /// The upper edge.
    pub y: i64,
    /// The width.
    pub width: i64,
    /// The height.
    pub height: i64,
    /// What kind of box it is: the name of a colour.
    pub class: &'static str,
    /// What it says.
    pub texts: Vec<Text>,
}

/// A line of text in a box.
pub struct Text {
    /// Where it begins.
    pub x: i64,
    /// Its base line.
    pub y: i64,
    /// Whether it is a reason, and no line of a trace.
    pub is_reason: bool,
    /// As much of it as there is room for.
    pub shown: String,
    /// All of it.
    pub whole: String,
}

/// What stands in a box, before it has a place.
struct Content {
    class: &'static str,
    lines: Vec<(bool, String)>,
}

impl Picture {
    /// Draws it.
    ///
    /// # Errors
    /// How many boxes it would have: too many.
    pub fn of(answer: &Answer) -> Result<Picture, usize> {
        let points = &answer.skeleton.points;
        let runs: usize = points.iter().map(|point| point.runs.len()).sum();
        if points.len() + runs > BOXES_MAX {
            return Err(points.len() + runs);
        }
        let (contents, arrows) = contents(answer);
        let sizes = contents.iter().map(Content::size).collect();
        let layout = lay_out(&Plan { sizes, arrows });
        let boxes = contents.into_iter().zip(&layout.boxes);
        Ok(Picture {
            width: layout.width,
            height: layout.height,
            boxes: boxes.map(|(content, place)| content.at(*place)).collect(),
            arrows: layout.arrows.iter().map(|points| path(points)).collect(),
        })
    }
}

/// The boxes in an order in which every arrow leads to a later one, and the arrows.
fn contents(answer: &Answer) -> (Vec<Content>, Vec<(usize, usize)>) {
    let points = &answer.skeleton.points;
    let (mut contents, mut arrows, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
    let mut incoming: Vec<Vec<usize>> = vec![Vec::new(); points.len()];
    for (position, point) in points.iter().enumerate() {
        let number = contents.len();
        contents.push(of_point(point));
        numbers.push(number);
        arrows.extend(incoming[position].iter().map(|run| (*run, number)));
        for (way, run) in point.runs.iter().enumerate() {
            arrows.push((number, contents.len()));
            incoming[run.to].push(contents.len());
            contents.push(of_run(answer, point, way, run));
        }
    }
    (contents, arrows)
}

fn of_point(point: &Point) -> Content {
    let ends = diagram::ends(point);
    let class = match &ends[..] {
        [] => "dot",
        ends if ends.iter().all(|end| end == "rests") => "rests",
        _ => "breach",
    };
    Content {
        class,
        lines: ends.into_iter().map(|end| (false, end)).collect(),
    }
}

fn of_run(answer: &Answer, point: &Point, way: usize, run: &Run) -> Content {
    let reason = reason(answer.way(point.state, way));
    let reason = (!reason.is_empty()).then_some((true, reason));
    let lines = diagram::lines(answer, run);
    Content {
        class: "lines",
        lines: reason
            .into_iter()
            .chain(lines.into_iter().map(|line| (false, line)))
            .collect(),
    }
}

impl Content {
    fn size(&self) -> (i64, i64) {
        let signs = self
            .lines
            .iter()
            .map(|(_, line)| line.chars().count().min(SIGNS_MAX));
        match signs.max() {
            None => (DOT, DOT),
            Some(signs) => {
                let width = signs as i64 * SIGN / 1000 + 2 * PADDING;
                (width, self.lines.len() as i64 * LINE + PADDING)
            }
        }
    }

    fn at(self, (middle, y): (i64, i64)) -> Shape {
        let (width, height) = self.size();
        let x = middle - width / 2;
        let texts = (1..)
            .zip(self.lines)
            .map(|(number, (is_reason, whole))| Text {
                x: x + PADDING,
                y: y + number * LINE,
                is_reason,
                shown: cut(&whole),
                whole,
            });
        Shape {
            x,
            y,
            width,
            height,
            class: self.class,
            texts: texts.collect(),
        }
    }
}

fn cut(line: &str) -> String {
    if line.chars().count() <= SIGNS_MAX {
        return line.to_owned();
    }
    let begin: String = line.chars().take(SIGNS_MAX - 1).collect();
    begin + "…"
}

/// A smooth line through the points; the head of the arrow takes the last pixels.
fn path(points: &[(i64, i64)]) -> String {
    let mut path = String::new();
    let last = points.len().saturating_sub(1);
    for (number, (x, y)) in points.iter().enumerate() {
        let y = if number == last { y - 5 } else { *y };
        if number == 0 {
            path += &format!("M{x} {y}");
            continue;
        }
        let (before_x, before_y) = points[number - 1];
        let half = (before_y + y) / 2;
        path += &format!("C{before_x} {half} {x} {half} {x} {y}");
    }
    path
}
