//! Image files: what a story does to them while no QEMU has them open, by `qemu-img` and `qemu-io`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use scenarios::format::ImagePath;
use serde_json::{Value, json};

use super::binary::Binary;

/// The images of one folder.
#[derive(Debug)]
pub struct Images<'a> {
    binary: &'a Binary,
    folder: &'a Path,
    /// The formats of those that are not qcow2, by the name in the story.
    formats: BTreeMap<String, String>,
}

/// What an image is if nobody has said.
const USUAL_FORMAT: &str = "qcow2";

impl<'a> Images<'a> {
    /// An empty folder.
    pub fn new(binary: &'a Binary, folder: &'a Path) -> Images<'a> {
        Images {
            binary,
            folder,
            formats: BTreeMap::new(),
        }
    }

    /// The format of an image, by the name in the story (`$DIR/…`).
    pub fn format(&self, name: &str) -> &str {
        self.formats.get(name).map_or(USUAL_FORMAT, String::as_str)
    }

    /// QEMU has made an image of that format.
    pub fn set_format(&mut self, name: &str, format: &str) {
        self.formats.insert(name.into(), format.into());
    }

    /// The file of an image.
    pub fn path(&self, name: &str) -> String {
        super::text(&match name.parse::<ImagePath>() {
            Ok(path) => self.folder.join(path.in_folder()),
            Err(_) => name.into(),
        })
    }

    /// Does one command (a line of a recording without its result), and says how it ended.
    ///
    /// # Errors
    /// What to print: a tool that cannot be run.
    pub fn run(&mut self, line: &Value) -> Result<Value, String> {
        let text = |key: &str| line[key].as_str().unwrap_or_default();
        let file = self.path(text("img"));
        match text("cmd") {
            "create" => self.create(line, &file),
            "write" => self.io(text("img"), &self.io_line("write", line)),
            "read" => self.io(text("img"), &self.io_line("read", line)),
            "copy" => {
                let format = self.format(text("img")).to_owned();
                self.set_format(text("to"), &format);
                let copied = std::fs::copy(&file, self.path(text("to")));
                Ok(ended(copied.map_err(|error| error.to_string())))
            }
            "remove" => {
                let removed = std::fs::remove_file(&file);
                Ok(ended(removed.map_err(|error| error.to_string())))
            }
            "rebase" => self.rebase(line, &file),
            "compare" => self.compare(&self.path(text("a")), &self.path(text("b"))),
            "bitmaps" => self.bitmaps(&file),
            other => Err(format!(
                "internal: the live player knows no image command {other}"
            )),
        }
    }

    fn create(&mut self, line: &Value, file: &str) -> Result<Value, String> {
        let mut format = USUAL_FORMAT.to_owned();
        let mut options = Vec::new();
        for (key, value) in line["opts"].as_object().into_iter().flatten() {
            let value = match value {
                Value::Bool(on) => (if *on { "on" } else { "off" }).to_owned(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            match key.as_str() {
                "format" => format = value,
                _ => options.push(format!("{key}={value}")),
            }
        }
        if let Some(name) = line["img"].as_str() {
            self.set_format(name, &format);
        }
        let mut command = vec!["create".to_owned(), "-q".into(), "-f".into(), format];
        if !options.is_empty() {
            command.extend(["-o".into(), options.join(",")]);
        }
        if let Some(backing) = line["backing"].as_str() {
            let format = self.format(backing).to_owned();
            command.extend(["-b".into(), self.path(backing), "-F".into(), format]);
        }
        command.push(file.to_owned());
        command.extend(line["size"].as_u64().map(|size| size.to_string()));
        Ok(self.done(self.qemu_img(&command)?))
    }

    fn rebase(&self, line: &Value, file: &str) -> Result<Value, String> {
        let mut command = ["rebase", "-q", "-u", "-f", USUAL_FORMAT]
            .map(str::to_owned)
            .to_vec();
        let backing = line["backing"].as_str();
        command.extend([
            "-b".into(),
            backing.map_or_else(String::new, |name| self.path(name)),
        ]);
        if let Some(name) = backing {
            command.extend(["-F".into(), self.format(name).into()]);
        }
        command.push(file.to_owned());
        Ok(self.done(self.qemu_img(&command)?))
    }

    fn compare(&self, a: &str, b: &str) -> Result<Value, String> {
        let command = ["compare", "-q", a, b].map(str::to_owned);
        let output = self.qemu_img(&command)?;
        Ok(match output.status.code() {
            Some(0) => json!("identical"),
            Some(1) => json!("different"),
            _ => self.done(output),
        })
    }

    /// The bitmaps stored in a file: name, granularity, flags in the order of the alphabet.
    fn bitmaps(&self, file: &str) -> Result<Value, String> {
        let command = ["info", "-U", "--output=json", file].map(str::to_owned);
        let output = self.qemu_img(&command)?;
        let Ok(info) = serde_json::from_slice::<Value>(&output.stdout) else {
            return Ok(self.done(output));
        };
        let listed = info.pointer("/format-specific/data/bitmaps");
        let bitmaps = listed.and_then(Value::as_array).into_iter().flatten();
        Ok(bitmaps
            .map(|bitmap| {
                let flags = bitmap["flags"].as_array().into_iter().flatten();
                let mut flags: Vec<&str> = flags.filter_map(Value::as_str).collect();
                flags.sort_unstable();
                json!({"name": bitmap["name"], "granularity": bitmap["granularity"], "flags": flags})
            })
            .collect())
    }

    fn io_line(&self, word: &str, line: &Value) -> String {
        let pattern = line["pattern"]
            .as_str()
            .map_or_else(String::new, |pattern| format!(" -P {pattern}"));
        format!("{word}{pattern} {} {}", line["offset"], line["len"])
    }

    fn io(&self, image: &str, line: &str) -> Result<Value, String> {
        let output = Command::new(&self.binary.io)
            .args(["-f", self.format(image), "-c", line])
            .arg(self.path(image))
            .output()
            .map_err(|error| format!("{}: cannot be run: {error}", self.binary.io.display()))?;
        let printed = String::from_utf8_lossy(&output.stdout);
        if printed.contains("Pattern verification failed") {
            return Ok(json!("pattern verification failed"));
        }
        // A command that fails prints why and ends with 0 all the same in some releases.
        match printed.split_once(" failed: ") {
            Some((_, why)) => Ok(json!(why.trim_end())),
            None => Ok(self.done(output)),
        }
    }

    fn qemu_img(&self, arguments: &[String]) -> Result<Output, String> {
        Command::new(&self.binary.img)
            .args(arguments)
            .output()
            .map_err(|error| format!("{}: cannot be run: {error}", self.binary.img.display()))
    }

    /// `ok`, or what the tool complained about, without its own name and the folder's.
    fn done(&self, output: Output) -> Value {
        if output.status.success() {
            return json!("ok");
        }
        let complaint = String::from_utf8_lossy(&output.stderr);
        let line = complaint.lines().next().unwrap_or("it failed silently");
        let line = line.replace(&super::text(self.folder), "$DIR");
        // Who could not open it is said once for each layer.
        let last = line.rfind("Could not open '").map(|start| &line[start..]);
        let named = || {
            line.split_once(": ")
                .map_or(line.as_str(), |(_, what)| what)
        };
        json!(last.unwrap_or_else(named))
    }
}

fn ended<T>(result: Result<T, String>) -> Value {
    match result {
        Ok(_) => json!("ok"),
        Err(why) => json!(why),
    }
}
