//! Frames: the bytes that shards send each other, and how they are read with nothing taken on trust.
//!
//! Numbers are LEB128: seven bits a byte, the lowest first, the eighth set when more follow.

use std::fmt;

/// A frame that no shard of this search can have sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(pub(super) &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a frame cannot be read: {}", self.0)
    }
}

impl std::error::Error for Malformed {}

/// Appends a number.
pub(super) fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// What is left of a frame.
pub(super) struct Reader<'a>(pub &'a [u8]);

impl Reader<'_> {
    /// Whether that is all.
    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// The next number.
    pub fn number(&mut self) -> Result<u64, Malformed> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Malformed("a number has more than 64 bits"))
    }

    /// The next number, which must be below `end`.
    pub fn below(&mut self, end: usize) -> Result<usize, Malformed> {
        let number = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        if number < end {
            Ok(number)
        } else {
            Err(Malformed("a number is too large"))
        }
    }

    /// The next number, which has 32 bits.
    pub fn short(&mut self) -> Result<u32, Malformed> {
        u32::try_from(self.number()?).map_err(|_| Malformed("a number has more than 32 bits"))
    }

    /// The next byte.
    pub fn byte(&mut self) -> Result<u8, Malformed> {
        let (first, rest) = self.0.split_first().ok_or(Malformed("it ends too early"))?;
        self.0 = rest;
        Ok(*first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        let numbers = [0, 1, 127, 128, 300, 1 << 32, u64::MAX];
        let mut bytes = Vec::new();
        numbers.iter().for_each(|number| put(&mut bytes, *number));
        let mut reader = Reader(&bytes);
        for number in numbers {
            assert_eq!(reader.number(), Ok(number));
        }
        assert!(reader.is_over());
        assert!(reader.number().is_err() && Reader(&[0xff; 11]).number().is_err());
    }
}
