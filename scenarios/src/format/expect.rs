//! What it means that an expectation holds.

use serde_json::{Map, Value};

use crate::format::{BitmapState, BitmapStatus};
use crate::size::Size;

/// Says where `found` does not hold what is `expected`; nothing when it does.
///
/// A mapping holds another when it has all its keys and each value holds the other's. Lists must have the same
/// length and hold each other item by item. Anything else must be equal.
pub fn mismatch(expected: &Value, found: &Value) -> Option<String> {
    differs(expected, found).map(Difference::text)
}

/// The same for the data of an event, whose mappings need no [`Value`] around them.
pub fn mismatch_in(expected: &Map<String, Value>, found: &Map<String, Value>) -> Option<String> {
    differs_in(expected, found).map(Difference::text)
}

/// Where two values differ, and how.
struct Difference {
    /// The keys and indices that lead there, innermost first.
    path: Vec<String>,
    expected: String,
    found: String,
}

impl Difference {
    fn inside(mut self, key: impl ToString) -> Difference {
        self.path.push(key.to_string());
        self
    }

    fn text(mut self) -> String {
        self.path.reverse();
        let place = if self.path.is_empty() {
            String::new()
        } else {
            format!("`{}`: ", self.path.join("/"))
        };
        format!("{place}expected {}, found {}", self.expected, self.found)
    }
}

fn differs(expected: &Value, found: &Value) -> Option<Difference> {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => differs_in(expected, found),
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            let mut pairs = expected.iter().zip(found).enumerate();
            pairs.find_map(|(index, (expected, found))| {
                Some(differs(expected, found)?.inside(index))
            })
        }
        _ if expected == found => None,
        _ => Some(Difference {
            path: Vec::new(),
            expected: expected.to_string(),
            found: found.to_string(),
        }),
    }
}

fn differs_in(expected: &Map<String, Value>, found: &Map<String, Value>) -> Option<Difference> {
    expected.iter().find_map(|(key, expected)| {
        let difference = match found.get(key) {
            Some(found) => differs(expected, found)?,
            None => Difference {
                path: Vec::new(),
                expected: expected.to_string(),
                found: "nothing".to_owned(),
            },
        };
        Some(difference.inside(key))
    })
}

impl BitmapState {
    /// Says what of this does not hold of a bitmap as `query-named-block-nodes` lists it.
    ///
    /// Where the release gives no `status` it is judged by the fields that took its place; of these, both
    /// `frozen` and `locked` are `busy`.
    pub fn mismatch(&self, listed: &Map<String, Value>) -> Option<String> {
        let mut listed = listed.clone();
        // QEMU lists it only when it is true.
        listed.entry("inconsistent").or_insert(Value::Bool(false));
        let size = |size: Option<Size>| size.map(|size| Value::from(size.bytes()));
        let flag = |flag: Option<bool>| flag.map(Value::from);
        let stated = [
            ("count", size(self.count)),
            ("granularity", size(self.granularity)),
            ("recording", flag(self.recording)),
            ("busy", flag(self.busy)),
            ("persistent", flag(self.persistent)),
            ("inconsistent", flag(self.inconsistent)),
        ];
        let stated = stated
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value?)))
            .collect();
        mismatch_in(&stated, &listed).or_else(|| self.status?.mismatch(&listed))
    }
}

impl BitmapStatus {
    fn mismatch(self, listed: &Map<String, Value>) -> Option<String> {
        let is = |key: &str| listed.get(key) == Some(&Value::Bool(true));
        let holds = match (listed.get("status"), self) {
            (Some(status), _) => status == self.name(),
            (None, BitmapStatus::Inconsistent) => is("inconsistent"),
            (None, BitmapStatus::Frozen | BitmapStatus::Locked) => {
                !is("inconsistent") && is("busy")
            }
            (None, BitmapStatus::Disabled) => {
                !is("inconsistent") && !is("busy") && !is("recording")
            }
            (None, BitmapStatus::Active) => !is("inconsistent") && !is("busy") && is("recording"),
        };
        let found = || {
            listed
                .get("status")
                .cloned()
                .unwrap_or_else(|| Value::Object(listed.clone()))
        };
        (!holds).then(|| format!("`status`: expected {}, found {}", self.name(), found()))
    }
}
