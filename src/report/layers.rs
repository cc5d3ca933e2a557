//! Boxes and arrows in layers: where each stands, so that arrows go down and few of them cross.
//!
//! The method of Sugiyama, Tagawa and Toda (*Methods for Visual Understanding of Hierarchical System Structures*, 1981):
//! a layer for each box by the longest way to it, bends where an arrow passes a layer, the order in a layer by the mean
//! of the neighbours, and places as near to the neighbours as the order allows. All in whole numbers and in one order,
//! so that a picture is the same on every machine.

/// From one layer to the next.
const LAYER_GAP: i64 = 26;
/// From one box to the next in a layer.
const BOX_GAP: i64 = 18;
/// How often orders and places are improved.
const ROUNDS: usize = 12;

/// What is to be laid out.
pub struct Plan {
    /// Width and height of each box.
    pub sizes: Vec<(i64, i64)>,
    /// From box to box; each leads to a later one.
    pub arrows: Vec<(usize, usize)>,
}

/// Where things stand, in pixels from the upper left corner.
pub struct Layout {
    /// The middle of the upper edge of each box.
    pub boxes: Vec<(i64, i64)>,
    /// The points of each arrow, from the lower edge of a box to the upper edge of another.
    pub arrows: Vec<Vec<(i64, i64)>>,
    /// The width of all.
    pub width: i64,
    /// The height of all.
    pub height: i64,
}

/// Boxes, and the bends of arrows, which are boxes without a size.
struct Grid {
    widths: Vec<i64>,
    /// By layer, from left to right.
    layers: Vec<Vec<usize>>,
    /// The neighbours in the layer above and in the one below.
    above: Vec<Vec<usize>>,
    below: Vec<Vec<usize>>,
    /// The bends of each arrow, with its two ends.
    chains: Vec<Vec<usize>>,
}

/// Lays it out.
pub fn lay_out(plan: &Plan) -> Layout {
    let mut grid = Grid::new(plan);
    for round in 0..ROUNDS {
        grid.order(round % 2 == 0);
    }
    let x = grid.places();
    let (tops, bottoms) = heights(plan, &grid);
    let depth = |node: usize| grid.layer_of(node);
    let boxes = (0..plan.sizes.len()).map(|node| (x[node], tops[depth(node)]));
    let arrows = grid.chains.iter().map(|chain| {
        let mut points = Vec::new();
        for (at, node) in chain.iter().enumerate() {
            if at > 0 {
                points.push((x[*node], tops[depth(*node)]));
            }
            if at + 1 < chain.len() {
                let end = match plan.sizes.get(*node) {
                    Some((_, height)) => tops[depth(*node)] + height,
                    None => bottoms[depth(*node)],
                };
                points.push((x[*node], end));
            }
        }
        points
    });
    Layout {
        boxes: boxes.collect(),
        arrows: arrows.collect(),
        width: x
            .iter()
            .zip(&grid.widths)
            .map(|(x, width)| x + width / 2)
            .max()
            .unwrap_or(0),
        height: bottoms.last().copied().unwrap_or(0),
    }
}

/// The upper and the lower edge of each layer.
fn heights(plan: &Plan, grid: &Grid) -> (Vec<i64>, Vec<i64>) {
    let (mut tops, mut bottoms, mut top) = (Vec::new(), Vec::new(), 0);
    for layer in &grid.layers {
        let sizes = layer.iter().filter_map(|node| plan.sizes.get(*node));
        let height = sizes.map(|(_, height)| *height).max().unwrap_or(0);
        tops.push(top);
        bottoms.push(top + height);
        top += height + LAYER_GAP;
    }
    (tops, bottoms)
}

impl Grid {
    fn new(plan: &Plan) -> Grid {
        let count = plan.sizes.len();
        let mut depths = vec![0; count];
        // Each arrow leads to a later box, so all ways to a box are known when it is looked at.
        for node in 0..count {
            for (_, to) in plan.arrows.iter().filter(|(from, _)| *from == node) {
                depths[*to] = depths[*to].max(depths[node] + 1);
            }
        }
        let layers = depths.iter().max().map_or(0, |deepest| deepest + 1);
        let mut grid = Grid {
            widths: plan.sizes.iter().map(|(width, _)| *width).collect(),
            layers: vec![Vec::new(); layers],
            above: vec![Vec::new(); count],
            below: vec![Vec::new(); count],
            chains: Vec::new(),
        };
        for (node, depth) in depths.iter().enumerate() {
            grid.layers[*depth].push(node);
        }
        for (from, to) in &plan.arrows {
            grid.chain(*from, *to, depths[*from]..depths[*to]);
        }
        grid
    }

    /// Adds an arrow, with a bend in each layer between its ends.
    fn chain(&mut self, from: usize, to: usize, layers: std::ops::Range<usize>) {
        let mut chain = vec![from];
        for layer in layers.skip(1) {
            let bend = self.widths.len();
            self.widths.push(0);
            self.above.push(Vec::new());
            self.below.push(Vec::new());
            self.layers[layer].push(bend);
            chain.push(bend);
        }
        chain.push(to);
        for pair in chain.windows(2) {
            self.below[pair[0]].push(pair[1]);
            self.above[pair[1]].push(pair[0]);
        }
        self.chains.push(chain);
    }

    fn layer_of(&self, node: usize) -> usize {
        let layer = self.layers.iter().position(|layer| layer.contains(&node));
        layer.unwrap_or(0)
    }

    /// Sorts each layer by the mean position of the neighbours in the one before it, going down or up.
    fn order(&mut self, down: bool) {
        let count = self.layers.len();
        for step in 1..count {
            let (layer, other) = match down {
                true => (step, step - 1),
                false => (count - 1 - step, count - step),
            };
            let neighbours = if down { &self.above } else { &self.below };
            let mut position = vec![0_i64; self.widths.len()];
            for (at, node) in (0_i64..).zip(&self.layers[other]) {
                position[*node] = at;
            }
            let mut keyed: Vec<(i64, usize)> = (0_i64..)
                .zip(&self.layers[layer])
                .map(|(at, node)| {
                    // Thousandths, so that whole numbers are exact enough.
                    let found = neighbours[*node]
                        .iter()
                        .map(|other| position[*other] * 1000);
                    (mean(found).unwrap_or(at * 1000), *node)
                })
                .collect();
            keyed.sort_by_key(|(mean, _)| *mean);
            self.layers[layer] = keyed.into_iter().map(|(_, node)| node).collect();
        }
    }

    /// The middle of each box: near the middles of its neighbours, in the order of its layer.
    fn places(&self) -> Vec<i64> {
        let mut x = vec![0; self.widths.len()];
        for layer in &self.layers {
            self.place(layer, &vec![0; layer.len()], &mut x);
        }
        for round in 0..ROUNDS {
            let layers: Vec<&Vec<usize>> = match round % 2 {
                0 => self.layers.iter().collect(),
                _ => self.layers.iter().rev().collect(),
            };
            for layer in layers {
                let wanted = layer.iter().map(|node| {
                    let others = self.above[*node].iter().chain(&self.below[*node]);
                    mean(others.map(|other| x[*other])).unwrap_or(x[*node])
                });
                let wanted: Vec<i64> = wanted.collect();
                self.place(layer, &wanted, &mut x);
            }
        }
        let lefts = x.iter().zip(&self.widths).map(|(x, width)| x - width / 2);
        let left = lefts.min().unwrap_or(0);
        x.iter().map(|x| x - left).collect()
    }

    /// Places a layer's boxes as near to where they are wanted as their order and widths allow: those that would
    /// overlap are moved together to the mean of what they want (pooling of adjacent violators).
    fn place(&self, layer: &[usize], wanted: &[i64], x: &mut [i64]) {
        let mut offset = 0;
        let mut offsets = Vec::new();
        for pair in layer.iter().zip(layer.iter().skip(1)) {
            offsets.push(offset);
            offset += (self.widths[*pair.0] + self.widths[*pair.1]) / 2 + BOX_GAP;
        }
        offsets.push(offset);
        // Groups of boxes side by side: the sum of what they want, and how many they are.
        let mut groups: Vec<(i64, i64)> = Vec::new();
        for (wanted, offset) in wanted.iter().zip(&offsets) {
            groups.push((wanted - offset, 1));
            while let [.., (one, many), (other, more)] = groups[..]
                && one * more >= other * many
            {
                groups.truncate(groups.len() - 2);
                groups.push((one + other, many + more));
            }
        }
        let places = groups
            .into_iter()
            .flat_map(|(sum, count)| (0..count).map(move |_| sum.div_euclid(count)));
        for ((node, offset), place) in layer.iter().zip(&offsets).zip(places) {
            x[*node] = place + offset;
        }
    }
}

fn mean(values: impl Iterator<Item = i64>) -> Option<i64> {
    let (sum, count) = values.fold((0, 0), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| i64::div_euclid(sum, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(widths: &[i64], arrows: &[(usize, usize)]) -> Plan {
        Plan {
            sizes: widths.iter().map(|width| (*width, 10)).collect(),
            arrows: arrows.to_vec(),
        }
    }

    #[test]
    fn a_diamond_is_symmetric_and_nothing_overlaps() {
        let layout = lay_out(&plan(&[20, 40, 40, 20], &[(0, 1), (0, 2), (1, 3), (2, 3)]));
        let [top, left, right, bottom] = layout.boxes[..] else {
            panic!("four boxes");
        };
        assert_eq!(right.0 - left.0, 40 + BOX_GAP);
        assert_eq!((top.0, bottom.0), (left.0 + (40 + BOX_GAP) / 2, top.0));
        assert_eq!([top.1, left.1, right.1, bottom.1], [0, 36, 36, 72]);
        assert_eq!(layout.width, 2 * 40 + BOX_GAP);
        assert_eq!(layout.height, 82);
    }

    #[test]
    fn arrows_that_would_cross_are_untangled_and_long_ones_bend() {
        // Both go to the other side; the last passes a layer.
        let layout = lay_out(&plan(&[10; 5], &[(0, 3), (1, 2), (2, 4), (0, 4)]));
        let x = |node: usize| layout.boxes[node].0;
        assert_eq!(x(0) < x(1), x(3) < x(2));
        assert_eq!(layout.arrows[3].len(), 4);
        assert_eq!(layout.arrows[0].len(), 2);
    }
}
