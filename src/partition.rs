//! Parts of a campaign: one of several processes does one of them, and `merge` adds up what came of all.

use std::fmt::{self, Display};
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Part `part` of `parts`, counted from 1; written `slice:PART/PARTS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Partition {
    part: u64,
    parts: u64,
}

impl Partition {
    /// What this part is of `all`; all of it if there are no parts.
    pub fn of(partition: Option<Partition>, all: &Range<u64>) -> Range<u64> {
        match partition {
            Some(Partition { part, parts }) => sim::seed::slice(all, part, parts),
            None => all.clone(),
        }
    }
}

impl FromStr for Partition {
    type Err = String;

    fn from_str(text: &str) -> Result<Partition, String> {
        let numbers = text
            .strip_prefix("slice:")
            .and_then(|numbers| numbers.split_once('/'));
        let (part, parts) = numbers.ok_or("it looks like slice:1/3")?;
        let number = |text: &str| {
            text.parse::<u64>()
                .map_err(|_| format!("`{text}` is not a number"))
        };
        let (part, parts) = (number(part)?, number(parts)?);
        match (1..=parts).contains(&part) {
            true => Ok(Partition { part, parts }),
            false => Err(format!(
                "parts are counted from 1 to {parts}; there is no part {part}"
            )),
        }
    }
}

impl Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slice:{}/{}", self.part, self.parts)
    }
}

impl TryFrom<String> for Partition {
    type Error = String;

    fn try_from(text: String) -> Result<Partition, String> {
        text.parse()
    }
}

impl From<Partition> for String {
    fn from(partition: Partition) -> String {
        partition.to_string()
    }
}
