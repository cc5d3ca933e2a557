//! Arguments as the model knows them: paths in the image folder, and of a node only what decides what it does.

use serde_json::{Value, json};

use super::Converter;
use crate::log::infer::Asked;

impl Converter<'_> {
    /// The arguments with paths in the image folder, and `blockdev-add` as the model knows it.
    pub(super) fn rewritten(&mut self, asked: &Asked<'_>) -> Value {
        match asked.execute {
            "blockdev-add" => self.rewritten_node(asked.arguments),
            "drive-backup" => self.with_target(asked.arguments),
            "transaction" => {
                let mut arguments = asked.arguments.clone();
                let actions = arguments.get_mut("actions").and_then(Value::as_array_mut);
                for action in actions.into_iter().flatten() {
                    if action["type"] == "drive-backup" && action["data"].is_object() {
                        action["data"] = self.with_target(&action["data"]);
                    }
                }
                arguments
            }
            _ => asked.arguments.clone(),
        }
    }

    fn with_target(&mut self, data: &Value) -> Value {
        let mut data = data.clone();
        if let Some(path) = data["target"].as_str() {
            data["target"] = json!(self.file(path));
        }
        data
    }

    /// Only what the model looks at: the driver, the name, and the file with its faults.
    fn rewritten_node(&mut self, arguments: &Value) -> Value {
        let driver = arguments["driver"].as_str().unwrap_or_default();
        if !matches!(driver, "qcow2" | "raw") {
            return arguments.clone();
        }
        let file = match &arguments["file"] {
            Value::String(node) => match self.protocol.get(node).cloned() {
                Some(path) => json!({"driver": "file", "filename": self.file(&path)}),
                None => return arguments.clone(),
            },
            file => self.rewritten_file(file),
        };
        let mut node = json!({"driver": driver, "file": file});
        if let Some(name) = arguments.get("node-name") {
            node["node-name"] = name.clone();
        }
        node
    }

    fn rewritten_file(&mut self, file: &Value) -> Value {
        match file["driver"].as_str() {
            Some("file") => match file["filename"].as_str() {
                Some(path) => json!({"driver": "file", "filename": self.file(path)}),
                None => file.clone(),
            },
            Some("blkdebug") => {
                let mut layer = file.clone();
                layer["image"] = self.rewritten_file(&file["image"]);
                for rule in layer["set-state"].as_array_mut().into_iter().flatten() {
                    if let Some(fields) = rule.as_object_mut()
                        && let Some(state) = fields.remove("new-state")
                    {
                        fields.insert("new_state".into(), state);
                    }
                }
                if let Some(fields) = layer.as_object_mut() {
                    fields.retain(|_, value| !value.is_null());
                }
                layer
            }
            _ => file.clone(),
        }
    }

    /// The file in the image folder that a path means: of the same last name, unless another path has that.
    fn file(&mut self, path: &str) -> String {
        if let Some(file) = self.files.get(path) {
            return file.clone();
        }
        let last = path.rsplit('/').next().unwrap_or(path);
        let mut file = format!("$DIR/{last}");
        while self.files.values().any(|other| *other == file) {
            file.push('+');
        }
        self.files.insert(path.to_owned(), file.clone());
        file
    }
}

/// The path in a node's description, however deep it stands.
pub(super) fn file_of(file: &Value) -> String {
    match file["filename"].as_str() {
        Some(path) => path.to_owned(),
        None if file["image"].is_object() => file_of(&file["image"]),
        None => String::new(),
    }
}
