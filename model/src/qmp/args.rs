//! The arguments of a command, taken one by one as QEMU's schema has them, and what is said of one that is wrong.

use serde_json::{Map, Value};

use super::{Unmodelled, unexpected};
use crate::error::QmpError;
use crate::name::Name;

/// Why arguments were not understood.
pub(super) enum Refusal {
    ByQemu(Diagnosis),
    ByUs(Unmodelled),
}

impl From<QmpError> for Refusal {
    fn from(error: QmpError) -> Refusal {
        Refusal::ByQemu(Diagnosis::of(error))
    }
}

/// What QEMU refuses, and what an author is told who did not mean it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    /// What QEMU says.
    pub error: QmpError,
    /// The argument that is wrong, such as `actions[1].data.sync`; empty if it is the command as a whole.
    pub path: String,
    /// Its value is wrong, not its name.
    pub is_value: bool,
    /// The word that is unknown, or that is missing.
    pub word: String,
    /// The words that are known there.
    pub known: Vec<String>,
}

impl Diagnosis {
    fn of(error: QmpError) -> Diagnosis {
        Diagnosis {
            error,
            path: String::new(),
            is_value: false,
            word: String::new(),
            known: Vec::new(),
        }
    }

    fn at(message: String, path: &str) -> Diagnosis {
        Diagnosis {
            path: path.to_owned(),
            ..Diagnosis::of(QmpError::generic(message))
        }
    }
}

pub(super) type Parsed<T> = Result<T, Refusal>;

pub(super) fn unmodelled<T>(what: impl Into<String>) -> Parsed<T> {
    Err(Refusal::ByUs(Unmodelled(what.into())))
}

/// Arguments being taken one by one, in the order of QEMU's schema: the first that is wrong is refused, and only then
/// what is left over. QEMU: `QObjectInputVisitor`.
pub(super) struct Args {
    /// Where they are: `actions[0].data`; empty for a command's own.
    path: String,
    /// All of their names.
    names: Vec<String>,
    /// Those that were asked for, there or not.
    asked: Vec<String>,
    /// Those not taken yet.
    left: Map<String, Value>,
}

pub(super) fn missing(path: &str) -> Refusal {
    Refusal::ByQemu(Diagnosis::at(
        format!("Parameter '{path}' is missing"),
        path,
    ))
}

pub(super) fn wrong_type(path: &str, expected: &str) -> Refusal {
    Refusal::ByQemu(Diagnosis {
        is_value: true,
        ..Diagnosis::at(
            format!("Invalid parameter type for '{path}', expected: {expected}"),
            path,
        )
    })
}

/// Some types of numbers have a message of their own.
pub(super) fn not_a_number(path: &str, expected: &str) -> Refusal {
    Refusal::ByQemu(Diagnosis {
        is_value: true,
        ..Diagnosis::at(format!("Parameter '{path}' expects {expected}"), path)
    })
}

/// Unlike all others, this message does not say where the argument is.
pub(super) fn invalid_value<'w>(
    args: &Args,
    key: &str,
    value: &str,
    known: impl IntoIterator<Item = &'w str>,
) -> Refusal {
    Refusal::ByQemu(Diagnosis {
        is_value: true,
        word: value.to_owned(),
        known: known.into_iter().map(str::to_owned).collect(),
        ..Diagnosis::at(
            format!("Parameter '{key}' does not accept value '{value}'"),
            &args.full_name(key),
        )
    })
}

impl Args {
    pub(super) fn at(path: String, value: &Value) -> Parsed<Args> {
        match value {
            Value::Object(map) => Ok(Args {
                path,
                names: map.keys().cloned().collect(),
                asked: Vec::new(),
                left: map.clone(),
            }),
            _ => Err(wrong_type(&path, "object")),
        }
    }

    /// The arguments of a command, which may be absent.
    pub(super) fn of_command(value: &Value) -> Parsed<Args> {
        match value {
            Value::Null => Args::at(String::new(), &Value::Object(Map::new())),
            Value::Object(_) => Args::at(String::new(), value),
            _ => Err(QmpError::generic("QMP input member 'arguments' must be an object").into()),
        }
    }

    pub(super) fn full_name(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    pub(super) fn finish(&self) -> Parsed<()> {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        match unexpected::first(&names, |name| self.left.contains_key(name)) {
            None => Ok(()),
            Some(key) => {
                let path = self.full_name(key);
                Err(Refusal::ByQemu(Diagnosis {
                    word: key.to_owned(),
                    known: self.asked.clone(),
                    ..Diagnosis::at(format!("Parameter '{path}' is unexpected"), &path)
                }))
            }
        }
    }

    pub(super) fn optional(&mut self, key: &str) -> Option<Value> {
        self.asked.push(key.to_owned());
        self.left.shift_remove(key)
    }

    pub(super) fn required(&mut self, key: &str) -> Parsed<Value> {
        self.optional(key)
            .ok_or_else(|| missing(&self.full_name(key)))
    }

    pub(super) fn optional_object(&mut self, key: &str) -> Parsed<Option<Args>> {
        let path = self.full_name(key);
        self.optional(key)
            .map(|value| Args::at(path, &value))
            .transpose()
    }

    pub(super) fn object(&mut self, key: &str) -> Parsed<Args> {
        self.optional_object(key)?
            .ok_or_else(|| missing(&self.full_name(key)))
    }

    /// The entries of a list, each with where it is.
    pub(super) fn optional_entries(&mut self, key: &str) -> Parsed<Option<Vec<(String, Value)>>> {
        let path = self.full_name(key);
        match self.optional(key) {
            None => Ok(None),
            Some(Value::Array(entries)) => {
                let entries = entries.into_iter().enumerate();
                Ok(Some(
                    entries
                        .map(|(index, entry)| (format!("{path}[{index}]"), entry))
                        .collect(),
                ))
            }
            Some(_) => Err(wrong_type(&path, "array")),
        }
    }

    pub(super) fn entries(&mut self, key: &str) -> Parsed<Vec<(String, Value)>> {
        self.optional_entries(key)?
            .ok_or_else(|| missing(&self.full_name(key)))
    }

    /// A list of objects; an entry is looked at when its turn comes.
    pub(super) fn list(&mut self, key: &str) -> Parsed<impl Iterator<Item = Parsed<Args>>> {
        let entries = self.entries(key)?;
        Ok(entries
            .into_iter()
            .map(|(path, entry)| Args::at(path, &entry)))
    }

    pub(super) fn optional_list(&mut self, key: &str) -> Parsed<Vec<Args>> {
        let entries = self.optional_entries(key)?.unwrap_or_default();
        let entries = entries.into_iter();
        entries
            .map(|(path, entry)| Args::at(path, &entry))
            .collect()
    }

    pub(super) fn optional_name(&mut self, key: &str) -> Parsed<Option<Name>> {
        match self.optional(key) {
            None => Ok(None),
            Some(Value::String(name)) => Ok(Some(name.into())),
            Some(_) => Err(wrong_type(&self.full_name(key), "string")),
        }
    }

    pub(super) fn name(&mut self, key: &str) -> Parsed<Name> {
        self.optional_name(key)?
            .ok_or_else(|| missing(&self.full_name(key)))
    }

    pub(super) fn optional_int(&mut self, key: &str) -> Parsed<Option<i64>> {
        match self.optional(key) {
            None => Ok(None),
            Some(value) => value
                .as_i64()
                .map(Some)
                .ok_or_else(|| wrong_type(&self.full_name(key), "integer")),
        }
    }

    pub(super) fn int(&mut self, key: &str) -> Parsed<i64> {
        self.optional_int(key)?
            .ok_or_else(|| missing(&self.full_name(key)))
    }

    /// A number of 64 bits without a sign; a negative one is taken for its two's complement, as QEMU does.
    pub(super) fn optional_uint(&mut self, key: &str) -> Parsed<Option<u64>> {
        let Some(value) = self.optional(key) else {
            return Ok(None);
        };
        let unsigned = value.as_u64();
        unsigned
            .or_else(|| value.as_i64().map(i64::cast_unsigned))
            .map(Some)
            .ok_or_else(|| not_a_number(&self.full_name(key), "uint64"))
    }

    pub(super) fn flag(&mut self, key: &str, default: bool) -> Parsed<bool> {
        match self.optional(key) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(_) => Err(wrong_type(&self.full_name(key), "boolean")),
        }
    }

    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &str,
        choices: &[(&str, T)],
    ) -> Parsed<Option<T>> {
        let Some(name) = self.optional_name(key)? else {
            return Ok(None);
        };
        match choices.iter().find(|(choice, _)| *choice == &*name) {
            Some((_, value)) => Ok(Some(*value)),
            None => {
                let known = choices.iter().map(|(choice, _)| *choice);
                Err(invalid_value(self, key, &name, known))
            }
        }
    }

    pub(super) fn one_of(&mut self, key: &str, words: &[&'static str]) -> Parsed<&'static str> {
        let name = self.name(key)?;
        let mut known = words.iter().copied();
        known
            .find(|word| *word == &*name)
            .ok_or_else(|| invalid_value(self, key, &name, words.iter().copied()))
    }

    pub(super) fn granularity(&mut self) -> Parsed<Option<u64>> {
        let key = "granularity";
        match self.optional_uint(key)? {
            Some(bytes) if bytes > u64::from(u32::MAX) => {
                // QEMU: `visit_type_uintN` knows the last word only.
                Err(not_a_number(key, "uint32_t"))
            }
            bytes => Ok(bytes),
        }
    }
}
