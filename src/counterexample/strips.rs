//! Bitmaps and images as strips: one sign for each stretch of a drive.

use std::collections::BTreeMap;

use model::bitmap::{Bitmap, Hold};
use model::image::{Cell, Fill, Image};
use model::node::NodeKind;
use model::runs::Range;
use model::world::World;
use scenarios::size::Size;

/// No strip is longer; a larger drive has larger stretches.
const SIGNS_MAX: u64 = 32;
/// The smallest stretch: the granule of a bitmap and the cluster of an image, unless a story says otherwise.
const STRETCH_MIN: u64 = 64 << 10;
/// The signs of contents, in the order in which contents appear.
const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// Draws strips, and remembers which letter stands for which contents.
pub struct Strips {
    /// Bytes that one sign stands for.
    stretch: u64,
    letters: BTreeMap<Fill, char>,
}

/// What is drawn of a world: labels and strips, in a fixed order.
pub type Picture = Vec<(String, String)>;

impl Strips {
    /// Strips for these worlds, on the scale of the largest image in them.
    pub fn new<'w>(worlds: impl Iterator<Item = &'w World>) -> Strips {
        let longest = worlds.map(longest).max().unwrap_or(0);
        let mut stretch = STRETCH_MIN;
        while longest.div_ceil(stretch) > SIGNS_MAX {
            stretch *= 2;
        }
        Strips {
            stretch,
            letters: BTreeMap::new(),
        }
    }

    /// All bitmaps and images of a world.
    pub fn picture(&mut self, world: &World) -> Picture {
        let mut picture = Vec::new();
        for index in world.node_indices() {
            let node = world.node(index);
            if matches!(node.kind, NodeKind::Filter { .. }) {
                continue;
            }
            let drive = node.drive.as_deref().unwrap_or(&*node.name);
            for bitmap in node.bitmaps() {
                let name = bitmap.name.as_deref().unwrap_or("(unnamed)");
                picture.push((format!("{drive} {name}"), self.bitmap(bitmap)));
            }
        }
        for index in world.job_indices() {
            let copy = world.copy(index);
            let strip = self.dirty(&copy.dirty);
            picture.push((format!("{} copy", world.job(index).id), strip));
        }
        for (name, file) in world.directory().iter() {
            let name = name.strip_prefix("$DIR/").unwrap_or(name);
            let strip = self.image(&world.file(file).image);
            picture.push((name.to_owned(), strip));
        }
        picture
    }

    /// What the signs mean that were used so far.
    pub fn legend(&self) -> String {
        let mut letters: Vec<(char, Fill)> = self
            .letters
            .iter()
            .map(|(fill, letter)| (*letter, *fill))
            .collect();
        letters.sort_by_key(|(letter, _)| LETTERS.find(*letter));
        let mut words = vec![
            format!("one sign is {}", size(self.stretch)),
            "bitmaps: # dirty, + partly, . clean".to_owned(),
            "images: - not allocated, 0 zeroes, + several".to_owned(),
        ];
        words.extend(letters.into_iter().map(|(letter, fill)| match fill.0 {
            byte @ 0..=0xff => format!("{letter} {byte:#04x}"),
            number => format!("{letter} write {number}"),
        }));
        words.join("; ")
    }

    fn bitmap(&self, bitmap: &Bitmap) -> String {
        let strip = self.dirty(bitmap);
        match &bitmap.hold {
            Hold::Idle if bitmap.disabled => format!("{strip} disabled"),
            Hold::Idle => strip,
            Hold::Removing => format!("{strip} going"),
            Hold::Frozen { successor } => {
                format!("{strip} frozen, successor {}", self.dirty(successor))
            }
        }
    }

    fn stretches(&self, length: u64) -> impl Iterator<Item = Range> + use<> {
        let stretch = self.stretch;
        (0..length.div_ceil(stretch)).map(move |n| n * stretch..((n + 1) * stretch).min(length))
    }

    fn dirty(&self, bitmap: &Bitmap) -> String {
        let granule = bitmap.granularity;
        let sign = |range: Range| {
            let granules = range.start / granule..range.end.div_ceil(granule);
            match () {
                () if bitmap.dirty_bits().covers(granules.clone()) => '#',
                () if bitmap.dirty_bits().intersects(granules) => '+',
                () => '.',
            }
        };
        self.stretches(bitmap.size()).map(sign).collect()
    }

    fn image(&mut self, image: &Image) -> String {
        self.stretches(image.length)
            .map(|range| self.contents(image, range))
            .collect()
    }

    /// The sign of what an image itself holds in a range: what is written in it counts before zeroes, and these
    /// before nothing.
    fn contents(&mut self, image: &Image, range: Range) -> char {
        let (mut sign, mut fill) = ('-', None);
        for (_, cell) in image.cells().over(range) {
            match cell {
                None => {}
                Some(Cell::Zero | Cell::Data(Fill::ZERO)) => sign = '0',
                Some(Cell::Data(other)) if fill.is_some_and(|fill| fill != other) => return '+',
                Some(Cell::Data(other)) => fill = Some(other),
            }
        }
        fill.map_or(sign, |fill| self.letter(fill))
    }

    fn letter(&mut self, fill: Fill) -> char {
        let next = LETTERS.chars().nth(self.letters.len()).unwrap_or('*');
        *self.letters.entry(fill).or_insert(next)
    }
}

fn longest(world: &World) -> u64 {
    let files = world.directory().iter();
    files
        .map(|(_, file)| world.file(file).image.length)
        .max()
        .unwrap_or(0)
}

fn size(bytes: u64) -> String {
    Size::of(bytes).map_or_else(|| bytes.to_string(), |size| size.to_string())
}

#[cfg(test)]
mod tests {
    use model::image::Format;
    use model::runs::Runs;

    use super::*;

    const K: u64 = 1 << 10;

    fn strips() -> Strips {
        Strips::new(std::iter::empty())
    }

    #[test]
    fn a_bitmap_is_a_strip_of_its_stretches() {
        let mut bitmap = Bitmap::new(Some("b".into()), 32 * K, 320 * K);
        assert_eq!(strips().bitmap(&bitmap), ".....");
        bitmap.mark(64 * K..160 * K);
        assert_eq!(strips().bitmap(&bitmap), ".#+..");
        bitmap.create_successor().expect("nobody holds it");
        bitmap.mark(300 * K..301 * K);
        assert_eq!(strips().bitmap(&bitmap), ".#+.. frozen, successor ....+");
    }

    #[test]
    fn contents_get_letters_in_the_order_of_their_appearance() {
        let mut image = Image::create(Format::Raw, 256 * K, None, None).expect("an image");
        let mut strips = strips();
        image.write(&[], &Runs::of(64 * K..65 * K, Fill(0x41)));
        image.write(&[], &Runs::of(128 * K..192 * K, Fill(0x300)));
        image.write(&[], &Runs::of(192 * K..193 * K, Fill(0x300)));
        image.write(&[], &Runs::of(193 * K..194 * K, Fill(0x41)));
        assert_eq!(strips.image(&image), "-ab+");
        assert!(
            strips.legend().ends_with("a 0x41; b write 768"),
            "{}",
            strips.legend()
        );
    }
}
