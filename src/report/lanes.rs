//! Where things stand in the picture of a run: a lane for each actor, and arrows from a step to those that had to come
//! after it.
//!
//! Time goes down, a row a step, and a row is as high as its text. So an arrow is drawn in pieces, some for each row,
//! as in the graphs of version control: out of its step to a track beside the lane, down the track, and from there into
//! the other step. All arrows out of one side of a step share a track. Numbers are CSS pixels.

use std::collections::BTreeMap;

use sim::causes::Cause;

/// A block is so wide.
const BLOCK: usize = 122;
/// Between two lanes, if no arrow goes down there.
const GUTTER: usize = 18;
/// From one track to the next.
const TRACK: usize = 7;

/// The width of a page of A4 on its side, without its margins.
const PAPER: usize = 1039;
/// What numbers and messages need of it.
const TEXT_ON_PAPER: usize = 600;

/// Lanes and arrows.
pub struct Lanes {
    /// The lanes, in the order of the actors.
    pub lanes: Vec<Lane>,
    /// All of them together.
    pub width: usize,
    /// By row: what is drawn behind the block.
    pub rows: Vec<Vec<Wire>>,
}

/// The lane of one actor.
pub struct Lane {
    /// The actor's name.
    pub name: String,
    /// Its left edge.
    pub x: usize,
    /// Its first and its last row.
    pub rows: (usize, usize),
}

impl Lane {
    /// How wide blocks are.
    pub const fn width(&self) -> usize {
        BLOCK
    }

    fn middle(&self) -> usize {
        self.x + BLOCK / 2
    }
}

/// A piece of a line in one row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wire {
    /// The lane of an actor that is there.
    Life {
        /// Where.
        x: usize,
    },
    /// Down from the top of the row to its bottom, on the way from that step.
    Down {
        /// The step.
        from: usize,
        /// Where.
        x: usize,
    },
    /// Out of the step of this row, and down.
    Out {
        /// The step.
        from: usize,
        /// The edge of its block.
        edge: usize,
        /// The track.
        x: usize,
    },
    /// From the top into the step of this row.
    In {
        /// Where it comes from.
        from: usize,
        /// The track.
        x: usize,
        /// The edge of the block.
        edge: usize,
    },
}

impl Wire {
    /// Whether the track is left of the block.
    pub fn is_left(&self) -> bool {
        match self {
            Wire::Out { edge, x, .. } | Wire::In { edge, x, .. } => x < edge,
            Wire::Life { .. } | Wire::Down { .. } => false,
        }
    }
}

/// All arrows out of one side of one step.
struct Bundle {
    from: usize,
    /// Left of this lane; as many as there are lanes for the right edge.
    gutter: usize,
    to: Vec<usize>,
    /// The number of its track in the gutter.
    track: usize,
}

impl Bundle {
    fn last(&self) -> usize {
        self.to.iter().copied().max().unwrap_or(self.from)
    }
}

impl Lanes {
    /// Lays out a run: the lane of each step by number, the names of the lanes, and the arrows.
    pub fn new(steps: &[usize], names: &[String], causes: &[Cause]) -> Lanes {
        let mut bundles = bundles(steps, causes);
        let tracks = give_tracks(&mut bundles, names.len());
        let mut lanes: Vec<Lane> = Vec::new();
        let (mut x, mut gutters) = (0, Vec::new());
        for (lane, name) in names.iter().enumerate() {
            gutters.push(x);
            x += gutter_width(tracks[lane], lane == 0);
            let first = steps.iter().position(|step| *step == lane);
            let last = steps.iter().rposition(|step| *step == lane);
            lanes.push(Lane {
                name: name.clone(),
                x,
                rows: (first.unwrap_or(0), last.unwrap_or(0)),
            });
            x += BLOCK;
        }
        gutters.push(x);
        let width = x + gutter_width(tracks[names.len()], true);
        let mut all = Lanes {
            lanes,
            width,
            rows: vec![Vec::new(); steps.len()],
        };
        all.draw(steps, &bundles, &gutters);
        all
    }

    /// How much smaller all is on paper, so that there is room for messages beside the lanes.
    pub fn percent_on_paper(&self) -> usize {
        (PAPER * 100 / (self.width + TEXT_ON_PAPER)).clamp(40, 100)
    }

    fn draw(&mut self, steps: &[usize], bundles: &[Bundle], gutters: &[usize]) {
        for lane in &self.lanes {
            let x = lane.middle();
            let rows = &mut self.rows[lane.rows.0..=lane.rows.1];
            rows.iter_mut().for_each(|row| row.push(Wire::Life { x }));
        }
        for bundle in bundles {
            let (from, source) = (bundle.from, &self.lanes[steps[bundle.from]]);
            let x = gutters[bundle.gutter] + GUTTER / 2 + bundle.track * TRACK;
            let edge = edge(source, x);
            self.rows[from].push(Wire::Out { from, edge, x });
            for row in &mut self.rows[from + 1..bundle.last()] {
                row.push(Wire::Down { from, x });
            }
            for &to in &bundle.to {
                let edge = self::edge(&self.lanes[steps[to]], x);
                self.rows[to].push(Wire::In { from, x, edge });
            }
        }
        self.rows.iter_mut().for_each(|row| row.sort());
    }
}

/// The edge of a block that looks to a track.
fn edge(lane: &Lane, track: usize) -> usize {
    if track < lane.x {
        lane.x
    } else {
        lane.x + BLOCK
    }
}

fn gutter_width(tracks: usize, is_outer: bool) -> usize {
    match tracks {
        0 if is_outer => 0,
        tracks => GUTTER + tracks.saturating_sub(1) * TRACK,
    }
}

fn bundles(steps: &[usize], causes: &[Cause]) -> Vec<Bundle> {
    let mut by_side: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
    for cause in causes {
        let (source, target) = (steps[cause.from], steps[cause.to]);
        let gutter = if target > source { source + 1 } else { source };
        let side = by_side.entry((cause.from, gutter)).or_default();
        side.push(cause.to);
    }
    let bundle = |((from, gutter), to)| Bundle {
        from,
        gutter,
        to,
        track: 0,
    };
    by_side.into_iter().map(bundle).collect()
}

/// Gives each bundle the first track of its gutter that is free; returns how many each gutter has.
fn give_tracks(bundles: &mut [Bundle], lanes: usize) -> Vec<usize> {
    let mut free_from: Vec<Vec<usize>> = vec![Vec::new(); lanes + 1];
    for bundle in bundles {
        let tracks = &mut free_from[bundle.gutter];
        let free = tracks.iter().position(|row| *row < bundle.from);
        bundle.track = free.unwrap_or(tracks.len());
        match free {
            Some(track) => tracks[track] = bundle.last(),
            None => tracks.push(bundle.last()),
        }
    }
    free_from.into_iter().map(|tracks| tracks.len()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(from: usize, to: usize) -> Cause {
        Cause { to, from, parts: 1 }
    }

    #[test]
    fn arrows_out_of_one_step_share_a_track_and_others_get_their_own() {
        let names = ["a", "b", "c"].map(str::to_owned);
        // Steps of a, b, a, c: both later ones of the others follow the first.
        let causes = [cause(0, 1), cause(0, 3), cause(1, 2)];
        let lanes = Lanes::new(&[0, 1, 0, 2], &names, &causes);
        let of = |row: usize| {
            let wires = lanes.rows[row].iter();
            let drawn = wires.filter(|wire| !matches!(wire, Wire::Life { .. }));
            drawn.cloned().collect::<Vec<_>>()
        };
        let (track, next) = (BLOCK + GUTTER / 2, BLOCK + GUTTER / 2 + TRACK);
        let b = BLOCK + GUTTER + TRACK;
        assert_eq!(
            of(0),
            [Wire::Out {
                from: 0,
                edge: BLOCK,
                x: track
            }]
        );
        assert_eq!(
            of(1),
            [
                Wire::Down { from: 0, x: track },
                Wire::Out {
                    from: 1,
                    edge: b,
                    x: next
                },
                Wire::In {
                    from: 0,
                    x: track,
                    edge: b
                },
            ]
        );
        assert_eq!(
            of(2),
            [
                Wire::Down { from: 0, x: track },
                Wire::In {
                    from: 1,
                    x: next,
                    edge: BLOCK
                },
            ]
        );
        assert_eq!(lanes.lanes[1].x, b);
    }
}
