//! The JSON Schema of scenario files, for editors: `scenarios/schema.json`.
//!
//! It is made from the same types and the same two tables that the loader reads with, so it says what the
//! loader accepts as far as a schema can say it. What needs the whole story (is QEMU running, does the guest
//! exist) only the loader knows.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

use crate::format::{FaultEvent, ImagePath, Img, Pattern, Request};
use crate::load::raw::{Entry, RawImg, RawItem, RawStory, VERBS};
use crate::size::Size;

/// The schema as text, as it stands in `scenarios/schema.json`.
pub fn text() -> String {
    let mut text = serde_json::to_string_pretty(&schema()).expect("internal bug: a schema is JSON");
    text.push('\n');
    text
}

/// The schema of a scenario file.
pub fn schema() -> Value {
    // Draft 7 is what the YAML language server knows best.
    let schema = SchemaSettings::draft07()
        .into_generator()
        .into_root_schema_for::<RawStory>();
    without_null(schema.to_value())
}

/// Takes the `null` out again that stands for a missing key in Rust: a file leaves such a key out.
fn without_null(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            Value::Object(map.into_iter().filter_map(keyword_without_null).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_null).collect()),
        other => other,
    }
}

fn keyword_without_null((keyword, value): (String, Value)) -> Option<(String, Value)> {
    if keyword == "default" && value.is_null() {
        return None;
    }
    let null = |item: &Value| *item == json!("null") || *item == json!({"type": "null"});
    match value {
        Value::Array(items) if items.len() == 2 && items.iter().any(null) => {
            let only = items.into_iter().find(|item| !null(item))?;
            let keyword = if keyword == "anyOf" {
                "allOf".to_owned()
            } else {
                keyword
            };
            let only = without_null(only);
            Some(if keyword == "allOf" {
                (keyword, json!([only]))
            } else {
                (keyword, only)
            })
        }
        value => Some((keyword, without_null(value))),
    }
}

/// One alternative per verb, each with its own expectations and nothing else.
impl JsonSchema for RawItem {
    fn schema_name() -> Cow<'static, str> {
        "Item".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let alternatives: Vec<Value> = VERBS
            .iter()
            .map(|(verb, expectations)| alternative(verb, expectations, generator))
            .collect();
        json_schema!({ "oneOf": alternatives })
    }
}

fn alternative(verb: &str, expectations: &[&str], generator: &mut SchemaGenerator) -> Value {
    let mut properties = Map::new();
    for key in [verb].iter().chain(expectations) {
        let (schema, description) = Entry::schema(key, generator);
        properties.insert(
            (*key).to_owned(),
            json!({ "description": description, "allOf": [schema] }),
        );
    }
    let mut schema = json!({ "type": "object", "properties": properties, "required": [verb], "additionalProperties": false });
    if verb == "qmp" {
        // A command ends in one way, and that is said in one way.
        schema["maxProperties"] = json!(2);
    }
    schema
}

/// The loader reads image commands key by key; which keys go together is said by the enum of the story.
impl JsonSchema for RawImg {
    fn schema_name() -> Cow<'static, str> {
        Img::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Img::json_schema(generator)
    }
}

/// The schemas of the types that are one word or number in the file.
macro_rules! scalars {
    ($($type:ty as $name:literal: $schema:tt,)+) => {
        $(impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        })+
    };
}

scalars! {
    Size as "Size": {
        "description": "Bytes, as a number or with a binary unit: 512, 64k, 64M.",
        "type": ["integer", "string"],
        "minimum": 0,
        "pattern": "^(0x[0-9a-fA-F]+|[0-9]+[kKMGT]?)$"
    },
    Pattern as "Pattern": {
        "description": "One byte: 65 or 0x41.",
        "type": ["integer", "string"],
        "minimum": 0,
        "maximum": 255,
        "pattern": "^(0x[0-9a-fA-F]{1,2}|[0-9]{1,3})$"
    },
    ImagePath as "ImagePath": {
        "description": "A file in the image folder: $DIR/NAME.",
        "type": "string",
        "pattern": "^\\$DIR/."
    },
    Request as "Request": {
        "description": "A qemu-io line: write [-P PATTERN | -z] OFFSET LENGTH, aio_write (the same), \
                        read [-P PATTERN] OFFSET LENGTH, discard OFFSET LENGTH, flush.",
        "type": "string",
        "pattern": "^ *(write|aio_write|read|discard|flush)( |$)"
    },
    FaultEvent as "FaultEvent": {
        "description": "An event that the image format announces to a blkdebug layer below it.",
        "type": "string",
        "enum": (FaultEvent::ALL)
    },
}
