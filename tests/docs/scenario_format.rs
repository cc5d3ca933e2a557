//! The keys of a scenario, from `scenarios/schema.json`.

use serde_json::{Map, Value};

use crate::markdown::{anchor, cell, row};

/// The sections for every type, in the order in which the story mentions them.
pub fn keys() -> String {
    let schema = scenarios::schema::schema();
    let definitions = schema["definitions"].as_object().expect("definitions");
    let mut made = format!("### Story\n\n{}\n\n", said(&schema));
    made += &table(&schema);
    for (name, definition) in definitions {
        made += &section(name, definition);
    }
    made
}

/// What the schema says of it, without the links of Rust's documentation.
fn said(value: &Value) -> String {
    let text = value["description"].as_str().unwrap_or_default();
    cell(&text.replace("[`", "`").replace("`]", "`"))
}

/// A type: what it is, and its keys, its words or its forms.
fn section(name: &str, definition: &Value) -> String {
    let mut made = format!("### {name}\n\n");
    if !said(definition).is_empty() {
        made += &format!("{}\n\n", said(definition));
    }
    let forms = definition["oneOf"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    if definition.get("properties").is_some() {
        made += &table(definition);
    } else if let Some(words) = definition["enum"].as_array() {
        made += &format!("One of {}.\n\n", all(words, ", "));
    } else if forms.iter().all(|form| form.get("const").is_some()) && !forms.is_empty() {
        made += &(row(&["word", "meaning"]) + &row(&["---", "---"]));
        for form in forms {
            made += &row(&[&value(&form["const"]), &said(form)]);
        }
        made += "\n";
    } else if !forms.is_empty() {
        forms.iter().for_each(|form| made += &form_of(form));
    } else {
        made += &format!("Written as {}.\n\n", kind(definition));
    }
    made
}

/// One form of a type that has several: it is told by its first key.
fn form_of(form: &Value) -> String {
    let properties = form["properties"].as_object().expect("keys");
    let (first, shape) = properties.iter().next().expect("a key");
    let name = match shape.get("const") {
        Some(word) => format!("`{first}: {}`", word.as_str().unwrap_or_default()),
        None => format!("`{first}`"),
    };
    let said = said(form);
    let said = if said.is_empty() {
        said
    } else {
        format!(": {said}")
    };
    format!("**{name}**{said}\n\n{}", table(form))
}

/// The keys of a mapping.
fn table(mapping: &Value) -> String {
    let Some(properties) = mapping["properties"].as_object() else {
        return String::new();
    };
    let required = mapping["required"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let mut made = row(&["key", "value", "default", "meaning"]) + &row(&["---"; 4]);
    for (key, shape) in properties {
        let default = match shape.get("default") {
            _ if required.iter().any(|name| name == key) => "required".to_owned(),
            Some(default) => value(default),
            None => String::new(),
        };
        made += &row(&[&format!("`{key}`"), &kind(shape), &default, &said(shape)]);
    }
    made + "\n"
}

/// What a value is, in words, with a link to the type if it has a name.
fn kind(shape: &Value) -> String {
    let Some(shape) = shape.as_object() else {
        return "anything".to_owned();
    };
    if let Some(name) = shape.get("$ref").and_then(Value::as_str) {
        let name = name.rsplit('/').next().unwrap_or(name);
        return format!("[{name}](#{})", anchor(name));
    }
    if let Some(word) = shape.get("const") {
        return value(word);
    }
    if let Some(parts) = shape
        .get("allOf")
        .or(shape.get("anyOf"))
        .and_then(Value::as_array)
    {
        return all_kinds(parts);
    }
    let types = match shape.get("type") {
        Some(Value::Array(types)) => types.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(one)) => vec![one.as_str()],
        _ => Vec::new(),
    };
    let words: Vec<String> = types.into_iter().map(|name| word(name, shape)).collect();
    if words.is_empty() {
        "anything".to_owned()
    } else {
        words.join(" or ")
    }
}

fn all_kinds(parts: &[Value]) -> String {
    parts.iter().map(kind).collect::<Vec<_>>().join(" or ")
}

fn word(name: &str, shape: &Map<String, Value>) -> String {
    match name {
        "array" => format!("list of {}", kind(&shape["items"])),
        "object" => match shape.get("additionalProperties") {
            Some(values) if values.is_object() => format!("mapping of names to {}", kind(values)),
            _ => "mapping".to_owned(),
        },
        "string" => "text".to_owned(),
        "integer" => "number".to_owned(),
        "boolean" => "`true` or `false`".to_owned(),
        other => other.to_owned(),
    }
}

fn all(values: &[Value], between: &str) -> String {
    values.iter().map(value).collect::<Vec<_>>().join(between)
}

fn value(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "none".to_owned(),
        Value::String(text) => format!("`{text}`"),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Object(map) if map.is_empty() => "none".to_owned(),
        other => format!("`{other}`"),
    }
}
