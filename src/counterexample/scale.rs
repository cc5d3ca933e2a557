//! How a drive is laid out on a strip: which bytes each sign stands for.

use std::collections::BTreeSet;

use model::bitmap::{Bitmap, Hold};
use model::runs::Range;
use model::world::World;

/// No strip is longer; a larger drive has larger stretches.
const SIGNS_MAX: u64 = 32;
/// Where stretches are as long as what matters, there may be so many.
const ZOOMED_MAX: usize = 40;
/// The smallest stretch: the granule of a bitmap and the cluster of an image, unless a story says otherwise.
const STRETCH_MIN: u64 = 64 << 10;

/// Stretches of a drive, ascending, without gaps between them.
pub struct Scale {
    /// The shortest of the stretches, but for the last one.
    pub unit: u64,
    stretches: Vec<Range>,
}

impl Scale {
    /// Equal stretches, for the largest image of these worlds.
    pub fn even<'w>(worlds: impl Iterator<Item = &'w World>) -> Scale {
        Scale::of_length(worlds.map(longest).max().unwrap_or(0))
    }

    fn of_length(length: u64) -> Scale {
        let mut unit = STRETCH_MIN;
        while length.div_ceil(unit) > SIGNS_MAX {
            unit *= 2;
        }
        let stretch = |number| number * unit..(number + 1) * unit;
        Scale {
            unit,
            stretches: (0..length.div_ceil(unit)).map(stretch).collect(),
        }
    }

    /// Where little of a large drive ever differs, long stretches between short ones: a stretch of more than one unit
    /// is all the same in every bitmap and image, in each of these worlds. Otherwise as [`Scale::even`].
    pub fn zoomed<'w>(worlds: impl Iterator<Item = &'w World> + Clone) -> Scale {
        let even = Scale::even(worlds.clone());
        let borders = borders(worlds);
        let mut unit = STRETCH_MIN;
        while unit < even.unit {
            let rounded = borders
                .iter()
                .flat_map(|border| [border / unit * unit, border.next_multiple_of(unit)]);
            let cuts: BTreeSet<u64> = rounded.collect();
            if cuts.len() <= ZOOMED_MAX {
                let cuts: Vec<u64> = cuts.into_iter().collect();
                let stretches = cuts.windows(2).map(|pair| pair[0]..pair[1]).collect();
                return Scale { unit, stretches };
            }
            unit *= 2;
        }
        even
    }

    /// Whether some stretches are longer than others.
    pub fn is_zoomed(&self) -> bool {
        let mut stretches = self.stretches.iter();
        stretches.any(|stretch| stretch.end - stretch.start > self.unit)
    }

    /// The stretches of an image or a bitmap of that length.
    pub fn over(&self, length: u64) -> impl Iterator<Item = Range> + '_ {
        let within = self
            .stretches
            .iter()
            .take_while(move |stretch| stretch.start < length);
        // Without images there is no scale: all stretches are equal.
        let beyond = self.stretches.last().map_or(0, |last| last.end);
        let unit = self.unit;
        let more = (beyond / unit..length.div_ceil(unit)).map(move |n| n * unit..(n + 1) * unit);
        let clipped = move |stretch: Range| stretch.start..stretch.end.min(length);
        within.cloned().chain(more).map(clipped)
    }
}

fn longest(world: &World) -> u64 {
    let files = world.directory().iter();
    files
        .map(|(_, file)| world.file(file).image.length)
        .max()
        .unwrap_or(0)
}

/// Where something begins or ends in an image or a bitmap.
fn borders<'w>(worlds: impl Iterator<Item = &'w World>) -> BTreeSet<u64> {
    let mut borders = BTreeSet::from([0]);
    for world in worlds {
        for (_, file) in world.directory().iter() {
            let image = &world.file(file).image;
            borders.insert(image.length);
            let runs = image.cells().iter();
            borders.extend(runs.flat_map(|(range, _)| [range.start, range.end]));
        }
        let nodes = world.node_indices().map(|node| world.node(node));
        for bitmap in nodes.flat_map(|node| node.bitmaps()) {
            add_borders(bitmap, &mut borders);
        }
        for copy in world.job_indices().map(|job| world.copy(job)) {
            add_borders(&copy.dirty, &mut borders);
            let tasks = copy.tasks.iter();
            borders.extend(tasks.flat_map(|task| [task.start, task.end]));
        }
    }
    borders
}

fn add_borders(bitmap: &Bitmap, borders: &mut BTreeSet<u64>) {
    let runs = bitmap.dirty_bits().iter();
    borders.extend(runs.flat_map(|(range, ())| {
        [range.start, range.end].map(|granule| granule * bitmap.granularity)
    }));
    if let Hold::Frozen { successor } = &bitmap.hold {
        add_borders(successor, borders);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const K: u64 = 1 << 10;

    #[test]
    fn a_large_drive_has_larger_stretches() {
        let units = |length| {
            let scale = Scale::of_length(length);
            (scale.unit / K, scale.over(length).count())
        };
        assert_eq!(units(448 * K), (64, 7));
        assert_eq!(units(2048 * K), (64, 32));
        assert_eq!(units(2049 * K), (128, 17));
        assert_eq!(units(64 << 20), (2048, 32));
    }

    #[test]
    fn a_long_stretch_stands_between_short_ones() {
        let stretches = vec![0..64 * K, 64 * K..640 * K, 640 * K..704 * K];
        let scale = Scale {
            unit: 64 * K,
            stretches,
        };
        assert!(scale.is_zoomed() && !Scale::of_length(64 << 20).is_zoomed());
        let ends: Vec<u64> = scale.over(500 * K).map(|stretch| stretch.end / K).collect();
        assert_eq!(ends, [64, 500]);
    }

    #[test]
    fn what_is_longer_than_the_scale_goes_on_in_units() {
        let scale = Scale::of_length(100 * K);
        let ends = |length: u64| scale.over(length).map(|r| r.end / K).collect::<Vec<_>>();
        assert_eq!(ends(70 * K), [64, 70]);
        assert_eq!(ends(256 * K), [64, 128, 192, 256]);
    }
}
