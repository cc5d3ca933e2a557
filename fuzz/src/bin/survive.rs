//! `survive NAME COUNT [FROM]`: gives a target its corpus, its seeds, the largest files there may be, and COUNT
//! changed inputs, those of the seeds FROM, FROM+1, …; says how much memory that took. No special tools are needed, and it is always the same.
//!
//! The input that breaks a target is left in `crash-NAME` (in the folder for temporary files), and the exit code is
//! that of a panic.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use fuzz::Target;
use sim::seed::{Randomness, run_seed};

/// The root of the seeds of changed inputs.
const ROOT: u64 = 0;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (name, count, from) = match &arguments[..] {
        [name, count] => (name, number(count), 0),
        [name, count, from] => (name, number(count), number(from)),
        _ => panic!("usage: survive NAME COUNT [FROM]"),
    };
    let target = fuzz::target(name);
    let kept = target.kept();
    let before = memory("VmRSS:");
    for input in &kept {
        give(target, input);
    }
    for extreme in target.extremes {
        give(target, &extreme());
    }
    for index in from..from + count {
        let seed = run_seed(ROOT, index);
        let base = Randomness::new(!seed).below_u64(kept.len() as u64) as usize;
        give(target, &target.mutate(&kept[base], seed));
    }
    let grown = memory("VmHWM:")
        .zip(before)
        .map(|(peak, before)| peak.saturating_sub(before));
    let grown = grown.map_or_else(|| "?".into(), |grown| (grown >> 10).to_string());
    let all = (kept.len() + target.extremes.len()) as u64 + count;
    println!(
        "{name}: {all} inputs survived, {} of them kept; peak memory +{grown} MiB",
        kept.len()
    );
}

fn number(text: &str) -> u64 {
    text.parse()
        .unwrap_or_else(|_| panic!("not a number: {text}"))
}

fn give(target: &Target, input: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (target.run)(input))) {
        let file = std::env::temp_dir().join(format!("crash-{}", target.name));
        fs::write(&file, input).expect("a file can be written");
        eprintln!("{}: broken by {}", target.name, file.display());
        resume_unwind(panic);
    }
}

/// A line of `/proc/self/status`, in KiB; nothing where there is no such file.
fn memory(key: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}
