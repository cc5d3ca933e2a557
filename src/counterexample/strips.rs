//! Bitmaps and images as strips: one sign for each stretch of a drive.

use std::collections::BTreeMap;

use model::bitmap::{Bitmap, Hold};
use model::block_copy::BlockCopy;
use model::image::{Cell, Fill, Image};
use model::node::NodeKind;
use model::runs::Range;
use model::world::World;
use scenarios::size::Size;

use super::scale::Scale;

/// The signs of contents, in the order in which contents appear.
const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// What a strip is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A dirty bitmap.
    Bitmap,
    /// What a job has still to copy.
    Copy,
    /// What an image itself holds.
    Image,
}

/// A bitmap or an image: one sign for each stretch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strip {
    /// What it is called.
    pub label: String,
    /// What it is of.
    pub kind: Kind,
    /// How long it is, in bytes.
    pub length: u64,
    /// One for each stretch of the scale.
    pub signs: String,
    /// What else is to be said of it, if anything.
    pub note: &'static str,
    /// Of a frozen bitmap: the one that records meanwhile.
    pub successor: Option<String>,
    /// Of a copy: whether a task is at work there, for each stretch.
    pub in_flight: Vec<bool>,
}

impl Strip {
    /// In one line; what is in flight does not show.
    fn text(&self) -> String {
        let Strip { signs, note, .. } = self;
        match &self.successor {
            Some(successor) => format!("{signs} {note}, successor {successor}"),
            None if note.is_empty() => signs.clone(),
            None => format!("{signs} {note}"),
        }
    }
}

/// Draws strips, and remembers which letter stands for which contents.
pub struct Strips {
    scale: Scale,
    letters: BTreeMap<Fill, char>,
}

/// What is drawn of a world: labels and strips, in a fixed order.
pub type Picture = Vec<(String, String)>;

impl Strips {
    /// Strips on that scale.
    pub fn new(scale: Scale) -> Strips {
        Strips {
            scale,
            letters: BTreeMap::new(),
        }
    }

    /// All bitmaps and images of a world, as text.
    pub fn picture(&mut self, world: &World) -> Picture {
        let strips = self.strips(world).into_iter();
        strips
            .map(|strip| (strip.label.clone(), strip.text()))
            .collect()
    }

    /// All bitmaps and images of a world.
    pub fn strips(&mut self, world: &World) -> Vec<Strip> {
        let mut strips = Vec::new();
        for index in world.node_indices() {
            let node = world.node(index);
            if matches!(node.kind, NodeKind::Filter { .. }) {
                continue;
            }
            let drive = node.drive.as_deref().unwrap_or(&*node.name);
            for bitmap in node.bitmaps() {
                let name = bitmap.name.as_deref().unwrap_or("(unnamed)");
                strips.push(self.bitmap(format!("{drive} {name}"), bitmap));
            }
        }
        for index in world.job_indices() {
            let label = format!("{} copy", world.job(index).id);
            strips.push(self.copy(label, world.copy(index)));
        }
        for (name, file) in world.directory().iter() {
            let name = name.strip_prefix("$DIR/").unwrap_or(name);
            strips.push(self.image(name.to_owned(), &world.file(file).image));
        }
        strips
    }

    /// Where the signs of a strip of that length stand.
    pub fn scale(&self) -> &Scale {
        &self.scale
    }

    /// What the signs mean that were used so far.
    pub fn legend(&self) -> String {
        let mut words = vec![
            format!("one sign is {}", size(self.scale.unit)),
            "bitmaps: # dirty, + partly, . clean".to_owned(),
            "images: - not allocated, 0 zeroes, + several".to_owned(),
        ];
        let letters = self.letters().into_iter();
        words.extend(letters.map(|(letter, means)| format!("{letter} {means}")));
        words.join("; ")
    }

    /// What the letters mean that were used so far, in their order.
    pub fn letters(&self) -> Vec<(char, String)> {
        let mut letters: Vec<(char, Fill)> = self
            .letters
            .iter()
            .map(|(fill, letter)| (*letter, *fill))
            .collect();
        letters.sort_by_key(|(letter, _)| LETTERS.find(*letter));
        let means = |fill: Fill| match fill.0 {
            byte @ 0..=0xff => format!("{byte:#04x}"),
            number => format!("write {number}"),
        };
        letters
            .into_iter()
            .map(|(letter, fill)| (letter, means(fill)))
            .collect()
    }

    fn bitmap(&self, label: String, bitmap: &Bitmap) -> Strip {
        let successor = match &bitmap.hold {
            Hold::Frozen { successor } => Some(self.dirty(successor)),
            Hold::Idle | Hold::Removing => None,
        };
        let note = match &bitmap.hold {
            Hold::Idle if bitmap.disabled => "disabled",
            Hold::Idle => "",
            Hold::Removing => "going",
            Hold::Frozen { .. } => "frozen",
        };
        Strip {
            label,
            kind: Kind::Bitmap,
            length: bitmap.size(),
            signs: self.dirty(bitmap),
            note,
            successor,
            in_flight: Vec::new(),
        }
    }

    fn copy(&self, label: String, copy: &BlockCopy) -> Strip {
        let is_busy = |range: Range| {
            let mut tasks = copy.tasks.iter();
            tasks.any(|task| task.start < range.end && range.start < task.end)
        };
        Strip {
            label,
            kind: Kind::Copy,
            length: copy.dirty.size(),
            signs: self.dirty(&copy.dirty),
            note: "",
            successor: None,
            in_flight: self.scale.over(copy.dirty.size()).map(is_busy).collect(),
        }
    }

    fn image(&mut self, label: String, image: &Image) -> Strip {
        let stretches: Vec<Range> = self.scale.over(image.length).collect();
        let signs = stretches.into_iter();
        Strip {
            label,
            kind: Kind::Image,
            length: image.length,
            signs: signs.map(|range| self.contents(image, range)).collect(),
            note: "",
            successor: None,
            in_flight: Vec::new(),
        }
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
        self.scale.over(bitmap.size()).map(sign).collect()
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
        Strips::new(Scale::even(std::iter::empty()))
    }

    fn text(bitmap: &Bitmap) -> String {
        strips().bitmap("b".into(), bitmap).text()
    }

    #[test]
    fn a_bitmap_is_a_strip_of_its_stretches() {
        let mut bitmap = Bitmap::new(Some("b".into()), 32 * K, 320 * K);
        assert_eq!(text(&bitmap), ".....");
        bitmap.mark(64 * K..160 * K);
        assert_eq!(text(&bitmap), ".#+..");
        bitmap.create_successor().expect("nobody holds it");
        bitmap.mark(300 * K..301 * K);
        assert_eq!(text(&bitmap), ".#+.. frozen, successor ....+");
    }

    #[test]
    fn contents_get_letters_in_the_order_of_their_appearance() {
        let mut image = Image::create(Format::Raw, 256 * K, None, None).expect("an image");
        let mut strips = strips();
        image.write(&[], &Runs::of(64 * K..65 * K, Fill(0x41)));
        image.write(&[], &Runs::of(128 * K..192 * K, Fill(0x300)));
        image.write(&[], &Runs::of(192 * K..193 * K, Fill(0x300)));
        image.write(&[], &Runs::of(193 * K..194 * K, Fill(0x41)));
        assert_eq!(strips.image("i".into(), &image).text(), "-ab+");
        assert!(
            strips.legend().ends_with("a 0x41; b write 768"),
            "{}",
            strips.legend()
        );
    }
}
