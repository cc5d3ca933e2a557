//! What was there before a log's first line, said by somebody who knows: the header of a scenario.

use serde_json::{Value, json};

use crate::format::{Story, Verb};
use crate::script::{Act, Kind, Script};

/// A scenario's header: the commands on image files, and the launch, as lines of a recording.
#[derive(Clone, Debug)]
pub struct Given {
    /// The lines, the launch last.
    pub lines: Vec<Value>,
    /// The drives: id, node name, file.
    pub drives: Vec<(String, Option<String>, String)>,
}

impl Given {
    /// The header of a story: all of its script must be one, that is `img` items and then one `launch`.
    ///
    /// # Errors
    /// Another item, with its line; or no launch.
    pub fn of_story(story: &Story, file: &str) -> Result<Given, String> {
        for item in &story.script {
            if !matches!(item.verb, Verb::Img(_) | Verb::Launch(_)) {
                return Err(format!(
                    "{file}:{}: `{}` is no part of a header: the log says what comes after the launch",
                    item.line,
                    item.verb.name()
                ));
            }
        }
        let dialect = model::dialect::DIALECTS[0];
        let script = Script::of_story(story, file, dialect)
            .map_err(|error| format!("{file}:{}: {}", error.line, error.what))?;
        let mut given = Given {
            lines: script.acts.iter().filter_map(line_of).collect(),
            drives: Vec::new(),
        };
        let is_launch = |line: &&Value| line["t"] == "launch";
        let Some(launch) = given.lines.last().filter(is_launch) else {
            return Err(format!("{file}: the last item of a header is a `launch`"));
        };
        let text =
            |drive: &Value, key: &str| drive.get(key).and_then(Value::as_str).map(str::to_owned);
        for drive in launch["drives"].as_array().into_iter().flatten() {
            let (id, file) = (text(drive, "id"), text(drive, "file"));
            let names = (
                id.unwrap_or_default(),
                text(drive, "node"),
                file.unwrap_or_default(),
            );
            given.drives.push(names);
        }
        Ok(given)
    }

    /// The size of an image that the header makes, in bytes.
    pub fn size_of(&self, file: &str) -> Option<u64> {
        let made = self.lines.iter().filter(|line| line["img"] == file);
        made.filter_map(|line| line["size"].as_u64()).next_back()
    }
}

fn line_of(act: &Act) -> Option<Value> {
    let (tag, shown) = match &act.kind {
        Kind::Img { shown, .. } => ("img", shown),
        Kind::Launch { shown, .. } => ("launch", shown),
        _ => return None,
    };
    let mut line = json!({"t": tag});
    let fields = shown.as_object()?;
    line.as_object_mut()?.extend(fields.clone());
    if tag == "img" {
        line["result"] = json!("*");
    }
    Some(line)
}
