//! What a command says, and to whom: people read the standard output, machines read files.
//!
//! A command hands over a [`Case`] for each thing that it judged, and a row of JSON; each writer here makes a
//! document of them. So a command knows no format, and a format knows no command.

mod case;
mod github;
mod junit;
mod sarif;
mod summary;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{MAIN_SEPARATOR, Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::Value;

use self::case::Report;
pub use self::case::{Case, Failure, NOT_BEGUN, counts, sentence};
pub use self::github::{END_GROUP, group};
pub use self::summary::{fenced, text};
use crate::exit::Exit;
use crate::failures;

/// Where GitHub says that it wants a job's summary.
const SUMMARY_VARIABLE: &str = "GITHUB_STEP_SUMMARY";

/// How a result is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Human,
    /// For machines: JSON Lines
    Json,
    /// For CI systems: JUnit's XML
    Junit,
    /// For GitHub: annotations beside what people read, and a summary of the job in Markdown
    Github,
    /// For code scanning: SARIF 2.1.0
    Sarif,
}

impl Format {
    /// What its file is called in a folder.
    fn file_name(self) -> &'static str {
        match self {
            Format::Human => "blockrace.txt",
            Format::Json => "blockrace.json",
            Format::Junit => "blockrace.junit.xml",
            Format::Github => "summary.md",
            Format::Sarif => "blockrace.sarif",
        }
    }

    /// The one that is called so.
    ///
    /// # Errors
    /// Which there are.
    pub fn named(name: &str) -> Result<Format, String> {
        let all = Format::value_variants().iter().copied();
        let found = all.clone().find(|format| format.name() == name);
        found.ok_or_else(|| {
            let names: Vec<String> = all.map(Format::name).collect();
            format!(
                "no format is called {name}; there are: {}",
                names.join(", ")
            )
        })
    }

    /// What it is called on the command line.
    pub fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// Arguments of commands that write results.
#[derive(Args, Clone, Debug, Default)]
pub struct OutputArgs {
    /// How to write the result; with --output, may be given several times [default: human]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Vec<Format>,
    /// Write it to a file, and go on telling people: a PATH for each --format in their order, or one DIR/ for all
    #[arg(long, value_name = "PATH|DIR/")]
    pub output: Vec<PathBuf>,
    /// Leave out how long things took, and what else is not the same twice
    #[arg(long)]
    pub no_times: bool,
}

/// Who reads the standard output, and which files are to be written.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    stdout: Format,
    files: Vec<(Format, PathBuf)>,
}

impl Plan {
    fn of(formats: &[Format], outputs: &[PathBuf]) -> Result<Plan, String> {
        let to_files = |files| Plan {
            stdout: Format::Human,
            files,
        };
        let refuse_human = || -> Result<(), String> {
            match formats.contains(&Format::Human) {
                true => {
                    Err("--format human goes to the standard output, whatever --output says".into())
                }
                false => Ok(()),
            }
        };
        match (formats, outputs) {
            ([], []) => Ok(to_files(Vec::new())),
            ([one], []) => Ok(Plan {
                stdout: *one,
                files: Vec::new(),
            }),
            (_, []) => Err(
                "there is one standard output for several --format: say with --output PATH where each goes, or with \
                 --output DIR/ where all go"
                    .into(),
            ),
            ([], _) => Err(format!(
                "--output needs a --format: {}",
                [Format::Json, Format::Junit, Format::Github, Format::Sarif]
                    .map(Format::name)
                    .join(", ")
            )),
            (_, [folder]) if is_folder(folder) => {
                refuse_human()?;
                let file = |format: &Format| (*format, folder.join(format.file_name()));
                Ok(to_files(formats.iter().map(file).collect()))
            }
            _ if formats.len() == outputs.len() => {
                refuse_human()?;
                let pairs = formats.iter().copied().zip(outputs.iter().cloned());
                Ok(to_files(pairs.collect()))
            }
            _ => Err(format!(
                "{} --format and {} --output: there is one --output for each --format, in their order, or one \
                 folder (--output DIR/) for all",
                formats.len(),
                outputs.len()
            )),
        }
    }

    /// Whether that format is written anywhere.
    fn has(&self, format: Format) -> bool {
        self.stdout == format || self.files.iter().any(|(other, _)| *other == format)
    }
}

/// A folder is one that is there, or a path that ends as one.
fn is_folder(path: &Path) -> bool {
    path.is_dir() || path.to_string_lossy().ends_with(['/', MAIN_SEPARATOR])
}

/// Where a command's results go.
pub struct Output {
    plan: Plan,
    report: Report,
    /// The rows, for a file of JSON Lines.
    rows: String,
    /// A campaign of several commands writes into each row which of them it is by.
    lane: Option<&'static str>,
}

impl Output {
    /// Results of the command called `suite`, as the arguments say.
    ///
    /// # Errors
    /// What to print: formats and outputs that do not go together.
    pub fn new(args: &OutputArgs, suite: &'static str) -> Result<Output, String> {
        Ok(Output {
            plan: Plan::of(&args.format, &args.output)?,
            report: Report::new(suite, !args.no_times),
            rows: String::new(),
            lane: None,
        })
    }

    /// Does the work of a command, and writes what came of it.
    ///
    /// # Errors
    /// What to print: the work's, or that a file cannot be written.
    pub fn of(
        args: &OutputArgs,
        suite: &'static str,
        work: impl FnOnce(&mut Output) -> Result<Exit, String>,
    ) -> Result<Exit, String> {
        let mut output = Output::new(args, suite)?;
        let exit = work(&mut output)?;
        output.finish()?;
        Ok(exit)
    }

    /// What comes now is by another command.
    pub fn begin_lane(&mut self, suite: &'static str) {
        self.lane = Some(suite);
        self.report.begin(suite);
    }

    /// Whether people read the standard output.
    pub fn is_human(&self) -> bool {
        matches!(self.plan.stdout, Format::Human | Format::Github)
    }

    /// Whether GitHub reads it, too.
    pub fn is_for_github(&self) -> bool {
        self.plan.has(Format::Github)
    }

    /// Whether somebody will read counterexamples: people, or the readers of documents.
    pub fn shows_counterexamples(&self) -> bool {
        self.is_human() || self.plan.stdout != Format::Json || !self.plan.files.is_empty()
    }

    /// A result for machines: one row.
    ///
    /// # Errors
    /// What to print: it cannot be written.
    pub fn row(&mut self, mut row: Value) -> Result<(), String> {
        if !self.plan.has(Format::Json) {
            return Ok(());
        }
        if !self.report.times {
            leave_out_measured(&mut row);
        }
        if let (Some(lane), Value::Object(fields)) = (self.lane, &mut row) {
            fields.shift_insert(0, "lane".into(), lane.into());
        }
        match self.plan.stdout {
            Format::Json => crate::written(writeln!(anstream::stdout().lock(), "{row}")),
            _ => {
                self.rows += &format!("{row}\n");
                Ok(())
            }
        }
    }

    /// A result for all others.
    pub fn case(&mut self, case: Case) {
        self.report.enter(case);
    }

    /// The cases of the command, or of the lane, that is at work now.
    pub fn cases(&self) -> &[Case] {
        self.report.current()
    }

    /// Writes the documents.
    ///
    /// # Errors
    /// What to print: a file that cannot be written.
    pub fn finish(self) -> Result<(), String> {
        if let Some(document) = self.document(self.plan.stdout)? {
            crate::written(write!(anstream::stdout().lock(), "{document}"))?;
        }
        if self.is_for_github() {
            let annotations = github::annotations(&self.report);
            crate::written(write!(anstream::stdout().lock(), "{annotations}"))?;
            self.append_to_jobs_summary()?;
        }
        for (format, path) in &self.plan.files {
            let document = match format {
                Format::Json => Some(self.rows.clone()),
                Format::Github => Some(summary::markdown(&self.report)),
                _ => self.document(*format)?,
            };
            failures::write(path, &document.unwrap_or_default())?;
        }
        Ok(())
    }

    /// A format that is one document and no rows, whole.
    fn document(&self, format: Format) -> Result<Option<String>, String> {
        match format {
            Format::Junit => junit::document(&self.report).map(Some),
            Format::Sarif => Ok(Some(sarif::document(&self.report))),
            Format::Human | Format::Json | Format::Github => Ok(None),
        }
    }

    fn append_to_jobs_summary(&self) -> Result<(), String> {
        let Some(path) = std::env::var_os(SUMMARY_VARIABLE).filter(|path| !path.is_empty()) else {
            return Ok(());
        };
        let path = PathBuf::from(path);
        let file = OpenOptions::new().create(true).append(true).open(&path);
        file.and_then(|mut file| file.write_all(summary::markdown(&self.report).as_bytes()))
            .map_err(|error| {
                let path = path.display();
                format!("{path}: cannot be written: {error}; {SUMMARY_VARIABLE} names it")
            })
    }
}

/// What was measured stands below that name wherever it stands.
fn leave_out_measured(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.shift_remove("measured");
            fields.values_mut().for_each(leave_out_measured);
        }
        Value::Array(items) => items.iter_mut().for_each(leave_out_measured),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_and_outputs_are_paired() {
        use Format::{Human, Json, Junit, Sarif};
        let plan = |formats: &[Format], outputs: &[&str]| {
            let outputs: Vec<PathBuf> = outputs.iter().map(PathBuf::from).collect();
            Plan::of(formats, &outputs).map(|plan| {
                let files = plan.files.iter();
                let files =
                    files.map(|(format, path)| format!("{}={}", format.name(), path.display()));
                (plan.stdout, files.collect::<Vec<_>>().join(" "))
            })
        };
        let check = |formats: &[Format], outputs: &[&str], stdout, files: &str| {
            assert_eq!(plan(formats, outputs), Ok((stdout, files.to_owned())));
        };
        check(&[], &[], Human, "");
        check(&[Json], &[], Json, "");
        check(&[Junit], &["a.xml"], Human, "junit=a.xml");
        check(&[Junit, Sarif], &["a", "b"], Human, "junit=a sarif=b");
        check(
            &[Junit, Json],
            &["out/"],
            Human,
            "junit=out/blockrace.junit.xml json=out/blockrace.json",
        );
        let refused = |formats: &[Format], outputs: &[&str], why: &str| {
            let error = plan(formats, outputs).expect_err("it is refused");
            assert!(error.contains(why), "{error}");
        };
        refused(&[Junit, Sarif], &[], "one standard output");
        refused(&[], &["a.xml"], "--output needs a --format");
        refused(&[Junit, Sarif], &["a.xml"], "2 --format and 1 --output");
        refused(&[Human], &["a.txt"], "goes to the standard output");
    }

    #[test]
    fn what_was_measured_is_left_out_wherever_it_stands() {
        let mut row =
            serde_json::json!({"a": [{"measured": 1, "b": 2}], "measured": {"seconds": 3}});
        leave_out_measured(&mut row);
        assert_eq!(row.to_string(), r#"{"a":[{"b":2}]}"#);
    }
}
