//! What a report of a part must carry, so that different traces can be counted over all parts: which ones it saw.
//!
//! Numbers of different things cannot be added up, as the parts may have seen the same ones. The hashes behind them
//! can, exactly: see [`Census::add`].

use serde::{Deserialize, Serialize};
use sim::fuzz::{Census, Count};

/// A count, for machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Count")]
pub struct Counted {
    distinct: u64,
    once: u64,
    estimated: bool,
}

/// What a part saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The traces.
    #[serde(with = "census")]
    pub traces: Census,
    /// The states in which runs came to rest.
    #[serde(with = "census")]
    pub ends: Census,
}

/// A census as JSON.
mod census {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use sim::fuzz::Census;

    /// Hashes are sixteen hexadecimal digits each, one behind the other.
    #[derive(Serialize, Deserialize)]
    struct Sample {
        level: u32,
        once: String,
        again: String,
    }

    /// How many digits a hash has.
    const DIGITS: usize = 16;

    pub fn serialize<S: Serializer>(census: &Census, to: S) -> Result<S::Ok, S::Error> {
        let (level, pairs) = census.sample();
        let (mut once, mut again) = (String::new(), String::new());
        for (hash, was_again) in pairs {
            let digits = if was_again { &mut again } else { &mut once };
            *digits += &format!("{hash:016x}");
        }
        Sample { level, once, again }.serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Census, D::Error> {
        let Sample { level, once, again } = Sample::deserialize(from)?;
        let of = |digits: &str, was_again: bool| {
            let hashes = digits.as_bytes().chunks(DIGITS).map(hash);
            let pairs = hashes.map(|hash| hash.map(|hash| (hash, was_again)));
            pairs.collect::<Option<Vec<_>>>()
        };
        let pairs = of(&once, false).zip(of(&again, true));
        let census =
            pairs.and_then(|(once, again)| Census::of_sample(level, once.into_iter().chain(again)));
        census.ok_or_else(|| D::Error::custom("the hashes of what was seen are damaged"))
    }

    fn hash(digits: &[u8]) -> Option<u64> {
        let text = str::from_utf8(digits).ok()?;
        let is_hash = text.len() == DIGITS && !text.starts_with('+');
        u64::from_str_radix(text, 16).ok().filter(|_| is_hash)
    }
}
