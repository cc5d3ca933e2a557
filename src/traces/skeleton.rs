//! An automaton without the states in which nothing happens but the next line: what is left are the
//! points where traces part, meet, or end, with the runs of lines between them.

use sim::language::{Automaton, End};

/// The points, in an order in which every run leads to a later one. The first is the start.
pub struct Skeleton {
    pub points: Vec<Point>,
}

/// A state where traces start, part, meet, or end.
pub struct Point {
    /// Its number in the automaton.
    pub state: usize,
    /// The ways on, in the order of the automaton's transitions.
    pub runs: Vec<Run>,
    /// How a trace may end here.
    pub ends: Vec<End>,
    /// Several runs lead here, and there is more to tell than how traces end.
    pub shared: bool,
    /// The shared points after which nothing is left that does not go through this point, but not
    /// through a later one: all that this point's ways have in common.
    pub joins: Vec<usize>,
}

/// Lines of which each is always followed by the next.
pub struct Run {
    /// Numbers of observations; at least one.
    pub lines: Vec<usize>,
    /// The position of the point at its end.
    pub to: usize,
}

impl Skeleton {
    /// The skeleton of an automaton.
    pub fn new<O>(automaton: &Automaton<O>) -> Skeleton {
        let mut led_to = vec![0_usize; automaton.states.len()];
        let transitions = automaton.states.iter().flat_map(|state| &state.next);
        transitions.for_each(|(_, to)| led_to[*to] += 1);
        let is_point = |state: usize| {
            let ways = automaton.states[state].way_count();
            let goes_on = ways == 1 && automaton.states[state].ends.is_empty();
            state == 0 || led_to[state] != 1 || !goes_on
        };
        let order = automaton.last_first();
        let states: Vec<usize> = order
            .into_iter()
            .rev()
            .filter(|state| is_point(*state))
            .collect();
        let mut position = vec![usize::MAX; automaton.states.len()];
        for (point, state) in states.iter().enumerate() {
            position[*state] = point;
        }
        let run = |(line, to): &(usize, usize)| {
            let (mut lines, mut at) = (vec![*line], *to);
            while position[at] == usize::MAX {
                let (line, to) = automaton.states[at].next[0];
                lines.push(line);
                at = to;
            }
            let to = position[at];
            Run { lines, to }
        };
        let point = |number: usize| {
            let state = &automaton.states[number];
            Point {
                state: number,
                runs: state.next.iter().map(run).collect(),
                ends: state.ends.clone(),
                shared: led_to[number] > 1 && !state.next.is_empty(),
                joins: Vec::new(),
            }
        };
        let mut skeleton = Skeleton {
            points: states.into_iter().map(point).collect(),
        };
        skeleton.find_joins();
        skeleton
    }

    /// Each shared point belongs to its immediate dominator: the last point that every way to it
    /// goes through. In this order of the points all that lead to a point come before it, so one
    /// pass finds them (Cooper, Harvey and Kennedy, *A Simple, Fast Dominance Algorithm*, 2001).
    fn find_joins(&mut self) {
        let mut dominators: Vec<Option<usize>> = vec![None; self.points.len()];
        dominators[0] = Some(0);
        for point in 0..self.points.len() {
            for run in &self.points[point].runs {
                let known = dominators[run.to].unwrap_or(point);
                dominators[run.to] = Some(common(&dominators, known, point));
            }
        }
        for (point, dominator) in dominators.into_iter().enumerate() {
            if let (true, Some(dominator)) = (self.points[point].shared, dominator) {
                self.points[dominator].joins.push(point);
            }
        }
    }

    /// How many lines come before traces first part; `None` if they never do.
    pub fn first_choice(&self) -> Option<usize> {
        let (mut point, mut lines) = (0, 0);
        loop {
            let at = &self.points[point];
            match &at.runs[..] {
                [run] if at.ends.is_empty() => {
                    lines += run.lines.len();
                    point = run.to;
                }
                [] => return None,
                _ => return Some(lines),
            }
        }
    }
}

/// The last point that is on the way of dominators of both.
fn common(dominators: &[Option<usize>], mut one: usize, mut other: usize) -> usize {
    while one != other {
        let later = one.max(other);
        let before = dominators[later].expect("internal: dominators are found in order");
        (one, other) = (one.min(other), before);
    }
    one
}
