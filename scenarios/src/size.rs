//! Sizes and offsets as people write them: `64M`, `32k`, `512`.
//!
//! Units are binary, as in `qemu-img` and `qemu-io`. Printing gives the shortest exact text, so that what
//! blockrace prints can be pasted into a story. Decimal units and fractions are left out on purpose: a size
//! in a story is a number of bytes that has to be exact.

use std::fmt;
use std::str::FromStr;

use crate::format::Mistake;

/// The units, largest first, each with the power of two that it stands for.
const UNITS: [(char, u32); 4] = [('T', 40), ('G', 30), ('M', 20), ('k', 10)];

/// A number of bytes, never more than QEMU can address (`i64::MAX`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

impl Size {
    /// The largest size: QEMU counts bytes in a signed 64-bit number.
    pub const MAX: Size = Size(i64::MAX as u64);

    /// A size of so many bytes, or nothing when QEMU could not address them.
    pub const fn of(bytes: u64) -> Option<Size> {
        if bytes > Self::MAX.0 {
            None
        } else {
            Some(Size(bytes))
        }
    }

    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

/// The shortest exact text: a unit is used where it divides the number.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, power) in UNITS {
            if self.0 != 0 && self.0.trailing_zeros() >= power {
                return write!(f, "{}{unit}", self.0 >> power);
            }
        }
        write!(f, "{}", self.0)
    }
}

/// Reads a plain number, a hexadecimal one (`0x10000`), or a plain number with a unit (`k`, `K`, `M`, `G`, `T`).
impl FromStr for Size {
    type Err = Mistake;

    fn from_str(text: &str) -> Result<Size, Mistake> {
        let (digits, power) = split_unit(text);
        let number = match digits.strip_prefix("0x") {
            Some(hexadecimal) if power == 0 => digits_only(hexadecimal, 16),
            _ => digits_only(digits, 10),
        };
        let Some(number) = number else {
            return Err(Mistake::new(
                format!("`{text}` is not a size"),
                advice(text),
            ));
        };
        let bytes = number.and_then(|number| number.checked_mul(1 << power));
        bytes.and_then(Size::of).ok_or_else(|| {
            Mistake::new(
                format!("`{text}` is too large a size"),
                "at most 2^63 - 1 bytes, as in QEMU",
            )
        })
    }
}

/// The text without its unit, and the power of two that the unit stands for.
fn split_unit(text: &str) -> (&str, u32) {
    for (unit, power) in UNITS {
        if let Some(digits) = text.strip_suffix(unit) {
            return (digits, power);
        }
    }
    match text.strip_suffix('K') {
        Some(digits) => (digits, 10),
        None => (text, 0),
    }
}

/// The value of a text of digits; nothing when it is another kind of text, `Some(None)` when 64 bits are too few.
fn digits_only(text: &str, radix: u32) -> Option<Option<u64>> {
    let is_number = !text.is_empty() && text.chars().all(|digit| digit.is_digit(radix));
    is_number.then(|| u64::from_str_radix(text, radix).ok())
}

/// What to write instead: the likeliest repair of this text, or what is allowed.
fn advice(text: &str) -> String {
    let bare = text
        .trim_end_matches(['b', 'B'])
        .trim_end_matches('i')
        .trim();
    let upper = bare.to_ascii_uppercase().replace('K', "k");
    if upper != text
        && !upper.is_empty()
        && split_unit(&upper).1 > 0
        && Size::from_str(&upper).is_ok()
    {
        return format!("did you mean `{upper}`? The units are k, M, G and T, and they are binary");
    }
    "write whole bytes, or a whole number with one of the binary units k, M, G, T: `512`, `64k`, `64M`".to_owned()
}
