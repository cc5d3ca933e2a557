//! JSON of a stranger's: a value is read as serde_json reads it, as long as a budget lasts.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::{DEPTH_MAX, VALUES_MAX};

/// How many more values may be read.
#[derive(Clone, Debug)]
pub struct Budget {
    left: Cell<usize>,
    overdrawn: Cell<bool>,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget {
            left: Cell::new(VALUES_MAX),
            overdrawn: Cell::new(false),
        }
    }
}

impl Budget {
    /// Takes one value out of the budget, if there is one left.
    ///
    /// # Errors
    /// What to print.
    pub fn take(&self) -> Result<(), String> {
        match self.left.get().checked_sub(1) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => {
                self.overdrawn.set(true);
                Err(self.refusal())
            }
        }
    }

    /// What to say when it is overdrawn.
    pub fn refusal(&self) -> String {
        format!("there are more than {VALUES_MAX} values in this file")
    }

    /// What is read is kept if there is something; otherwise it costs nothing.
    pub fn kept_if<T>(&self, read: impl FnOnce() -> Option<T>) -> Option<T> {
        let before = self.left.get();
        let found = read();
        if found.is_none() {
            self.left.set(before);
        }
        found
    }

    /// Was more asked for than there was?
    pub fn is_overdrawn(&self) -> bool {
        self.overdrawn.get()
    }
}

/// Reads one value, whatever it is.
///
/// # Errors
/// What is no JSON, is nested too deeply, or is more than the budget allows.
pub fn value<'de, D: Deserializer<'de>>(input: D, budget: &Budget) -> Result<Value, D::Error> {
    Bounded { budget, depth: 0 }.deserialize(input)
}

/// Reads a value at this depth.
#[derive(Clone, Copy)]
struct Bounded<'b> {
    budget: &'b Budget,
    depth: usize,
}

impl Bounded<'_> {
    /// For what is in a list or an object here.
    fn deeper<E: Error>(self) -> Result<Self, E> {
        let depth = self.depth + 1;
        match depth > DEPTH_MAX {
            true => Err(E::custom(format_args!(
                "it is nested more than {DEPTH_MAX} deep"
            ))),
            false => Ok(Bounded { depth, ..self }),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Value, D::Error> {
        self.budget.take().map_err(D::Error::custom)?;
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut entries = Vec::new();
        while let Some(entry) = list.next_element_seed(inner)? {
            entries.push(entry);
        }
        Ok(Value::Array(entries))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut fields = Map::new();
        while let Some(key) = object.next_key::<String>()? {
            let value = object.next_value_seed(inner)?;
            fields.insert(key, value);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, budget: &Budget) -> Result<Value, String> {
        let mut input = serde_json::Deserializer::from_str(text);
        value(&mut input, budget).map_err(|error| error.to_string())
    }

    #[test]
    fn it_reads_what_serde_json_reads() {
        let text = r#"{"a": [1, -2, 1.5, 18446744073709551615, 1e3], "b": {"": null}, "c": true, "a": "\u00e9"}"#;
        let expected: Value = serde_json::from_str(text).expect("JSON");
        assert_eq!(read(text, &Budget::default()), Ok(expected));
    }

    #[test]
    fn what_is_nested_too_deeply_is_refused() {
        let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
        assert!(read(&nested(DEPTH_MAX), &Budget::default()).is_ok());
        let error = read(&nested(DEPTH_MAX + 1), &Budget::default()).expect_err("it is too deep");
        assert!(
            error.starts_with("it is nested more than 64 deep"),
            "{error}"
        );
    }

    #[test]
    fn a_budget_is_of_all_values_together() {
        let budget = Budget::default();
        let half = format!("[{}0]", "0,".repeat(VALUES_MAX / 2));
        assert!(read(&half, &budget).is_ok());
        let error = read(&half, &budget).expect_err("it is too much");
        assert!(
            error.starts_with("there are more than 100000 values"),
            "{error}"
        );
        assert!(budget.is_overdrawn());
    }
}
