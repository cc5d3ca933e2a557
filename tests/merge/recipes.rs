//! The recipes of docs/how-to/split-a-campaign.md: their shell lines are run, with the variables that the systems set.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::common::{project, text};
use crate::markdown::{Block, blocks};

/// What a recipe plays, and the less that a test plays of it.
const LESS: (&str, &str) = (
    "blockrace fuzz --seeds 0..100000",
    "blockrace fuzz racy.yaml test_incremental_failure --shrink-time 0 --seeds 0..24",
);

/// The blocks of the page in which these words stand.
fn block(words: &str) -> Block {
    let page = project().join("docs/how-to/split-a-campaign.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let mut found = blocks(&page)
        .into_iter()
        .filter(|block| block.text.contains(words));
    let block = found.next().expect("a block with these words");
    assert!(found.next().is_none(), "{words} stands in two blocks");
    block
}

/// Where the parts of a campaign are played.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Machine {
        let folder = tempfile::tempdir().expect("a folder");
        let story = project().join("tests/data/racy.yaml");
        std::fs::copy(story, folder.path().join("racy.yaml")).expect("a story");
        Machine(folder)
    }

    /// Runs a shell's lines with these variables; gives the exit code and what was printed.
    fn run(&self, lines: &str, variables: &[(&str, String)]) -> (Option<i32>, String) {
        let program = Path::new(env!("CARGO_BIN_EXE_blockrace"));
        let programs = program.parent().expect("a folder of programs").display();
        let path = std::env::var("PATH").unwrap_or_default();
        let output = Command::new("sh")
            .args(["-e", "-c", &lines.replace(LESS.0, LESS.1)])
            .current_dir(self.0.path())
            .env("PATH", format!("{programs}:{path}"))
            .env_remove("GITHUB_STEP_SUMMARY")
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .output()
            .expect("a shell");
        (
            output.status.code(),
            text(&output.stdout) + &text(&output.stderr),
        )
    }

    /// Plays a part, which must leave a report.
    fn part(&self, lines: &str, variables: &[(&str, String)]) {
        assert!(lines.contains(LESS.0), "{lines}");
        let (code, printed) = self.run(lines, variables);
        assert_eq!(code, Some(0), "{lines}\n{printed}");
    }

    /// Merges; what one process says is what comes of it.
    fn merge(&self, lines: &str) {
        let whole = self.run(
            &format!(
                "{} --keep-going --strategy portfolio --no-failures -q",
                LESS.0
            ),
            &[],
        );
        let (code, printed) = self.run(lines, &[]);
        assert_eq!((code, whole.0), (Some(1), Some(1)), "{printed}");
        let is_row = |line: &&str| line.contains("  QEMU ");
        let rows = |printed: &str| -> Vec<String> {
            let rows = printed.lines().filter(is_row);
            rows.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
                .collect()
        };
        assert_eq!(rows(&printed), rows(&whole.1));
        assert_eq!(rows(&printed).len(), 4, "{printed}");
        assert!(
            printed.contains("all 24 are covered, by 4 reports"),
            "{printed}"
        );
    }
}

/// The lines that the steps of a job run.
fn steps(job: &Value) -> Vec<&str> {
    let steps = job["steps"].as_array().expect("steps");
    let lines = steps.iter().filter_map(|step| step["run"].as_str());
    lines
        .filter(|lines| !lines.starts_with("cargo install"))
        .collect()
}

#[test]
fn a_matrix_of_github() {
    let workflow: Value = serde_saphyr::from_str(&block("strategy.job-total").text).expect("YAML");
    let (part, merge) = (&workflow["jobs"]["part"], &workflow["jobs"]["merge"]);
    let matrix = part["strategy"]["matrix"]["part"]
        .as_array()
        .expect("a matrix");
    let machine = Machine::new();
    for value in matrix {
        let evaluated = |text: &Value| {
            let text = text.as_str().expect("text");
            text.replace("${{ matrix.part }}", &value.to_string())
                .replace("${{ strategy.job-total }}", &matrix.len().to_string())
        };
        let variables = part["env"].as_object().expect("variables");
        let variables: Vec<(&str, String)> = variables
            .iter()
            .map(|(name, value)| (&**name, evaluated(value)))
            .collect();
        assert!(variables.iter().all(|(_, value)| !value.contains("${{")));
        steps(part)
            .iter()
            .for_each(|lines| machine.part(lines, &variables));
    }
    steps(merge).iter().for_each(|lines| machine.merge(lines));
}

#[test]
fn an_array_of_slurm() {
    let script = block("SLURM_ARRAY_TASK_COUNT\"").text;
    let array = script
        .lines()
        .find_map(|line| line.strip_prefix("#SBATCH --array="));
    let (first, last) = array
        .and_then(|array| array.split_once('-'))
        .expect("an array");
    let [first, last] = [first, last].map(|id| id.parse::<u64>().expect("a number"));
    let machine = Machine::new();
    for task in first..=last {
        let variables = [
            ("SLURM_ARRAY_TASK_ID", task),
            ("SLURM_ARRAY_TASK_MIN", first),
            ("SLURM_ARRAY_TASK_MAX", last),
            ("SLURM_ARRAY_TASK_COUNT", last - first + 1),
            ("SLURM_CPUS_PER_TASK", 2),
        ];
        machine.part(
            &script,
            &variables.map(|(name, value)| (name, value.to_string())),
        );
    }
    machine.merge(&block("#SBATCH --output").text);
}

#[test]
fn an_indexed_job_of_kubernetes() {
    let job: Value = serde_saphyr::from_str(&block("kind: Job").text).expect("YAML");
    let container = &job["spec"]["template"]["spec"]["containers"][0];
    let (count, env) = (
        job["spec"]["completions"].as_u64().expect("a number"),
        &container["env"][0],
    );
    assert_eq!(env["value"], count.to_string());
    let machine = Machine::new();
    for index in 0..count {
        let variables = [
            ("JOB_COMPLETION_INDEX", index.to_string()),
            ("PARTS", env["value"].as_str().expect("text").to_owned()),
        ];
        machine.part(container["command"][2].as_str().expect("lines"), &variables);
    }
    machine.merge(&block("--format junit").text);
}
