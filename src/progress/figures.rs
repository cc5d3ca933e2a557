//! The numbers of work that goes on, and of work that is done.

use std::fs;
use std::time::Duration;

/// How far work is. What does not apply, or is not known, is not said.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// What is counted: `states`, `runs`.
    pub unit: &'static str,
    /// How many of them there are so far.
    pub done: u64,
    /// How deep a search is.
    pub depth: Option<u64>,
    /// How many states wait.
    pub queue: Option<u64>,
    /// How many steps led to the states: more than there are states, as many are met again.
    pub steps: Option<u64>,
}

impl Figures {
    /// So many things done, of which nothing else is known.
    pub fn done(unit: &'static str, done: u64) -> Figures {
        Figures {
            unit,
            done,
            ..Figures::default()
        }
    }

    /// The words, the most important ones first.
    pub(super) fn words(
        &self,
        elapsed: Duration,
        total: Option<u64>,
        left: Option<Duration>,
    ) -> Vec<String> {
        let Figures { unit, done, .. } = *self;
        let mut words = vec![match total {
            Some(total) => format!("{done} of {total} {unit}"),
            None => format!("{done} {unit}"),
        }];
        let estimate = total.and_then(|total| estimate(done, total, elapsed));
        words.extend(match (left, estimate) {
            (Some(left), _) => Some(format!("{} left", clock(left))),
            (None, Some(left)) => Some(format!("about {} left", clock(left))),
            (None, None) => None,
        });
        words.push(format!("{}/s", rate(done, elapsed.as_secs_f64())));
        words.extend(self.search_words());
        words.extend(resident("VmRSS:").map(bytes));
        words
    }

    /// What only a search can say.
    fn search_words(&self) -> Vec<String> {
        let depth = self.depth.map(|depth| format!("depth {depth}"));
        let queue = self.queue.map(|queue| format!("queue {queue}"));
        let again = self.steps.and_then(|steps| again(self.done, steps));
        [depth, queue, again].into_iter().flatten().collect()
    }
}

/// All the work of a command, added up for its last line.
#[derive(Debug, Default)]
pub struct Summary {
    states: u64,
    steps: u64,
    depth_max: Option<u64>,
    queue_max: Option<u64>,
    /// Other processes searched, so this one's memory says nothing.
    pub is_elsewhere: bool,
}

impl Summary {
    /// One more search is done.
    pub fn add(&mut self, states: u64, steps: u64, depth: Option<u64>, queue: Option<u64>) {
        self.states += states;
        self.steps += steps;
        self.depth_max = self.depth_max.max(depth);
        self.queue_max = self.queue_max.max(queue);
    }

    /// What the searches have in common, and the memory: `, depth 12, queue 34, 56 % met again, 78 MiB`.
    pub fn words(&self) -> String {
        let words = Figures {
            unit: "",
            done: self.states,
            depth: self.depth_max,
            queue: self.queue_max,
            steps: (self.steps > 0).then_some(self.steps),
        };
        let memory = (!self.is_elsewhere)
            .then(|| resident("VmHWM:"))
            .flatten()
            .map(bytes);
        let words = words.search_words().into_iter().chain(memory);
        words.map(|word| format!(", {word}")).collect()
    }
}

/// How many a second.
pub fn rate(done: u64, seconds: f64) -> String {
    let rate = done as f64 / f64::max(seconds, 1e-9);
    let digits = usize::from(rate < 10.0);
    format!("{rate:.digits$}")
}

/// Which part of the steps led to a state that had been met before.
fn again(states: u64, steps: u64) -> Option<String> {
    let again = (steps + 1).checked_sub(states)?;
    (steps > 0).then(|| format!("{} % met again", again * 100 / (steps + 1)))
}

/// How much longer it takes if it goes on so.
fn estimate(done: u64, total: u64, elapsed: Duration) -> Option<Duration> {
    let to_do = total.checked_sub(done)? as f64;
    let seconds = elapsed.as_secs_f64() * to_do / done as f64;
    Duration::try_from_secs_f64(seconds).ok()
}

/// Seconds, or minutes, or hours: as much as a person wants to know.
fn clock(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..100 => format!("{seconds} s"),
        seconds @ 100..6000 => format!("{} min", seconds.div_ceil(60)),
        seconds => format!("{} h", seconds.div_ceil(3600)),
    }
}

fn bytes(bytes: u64) -> String {
    match bytes >> 20 {
        mebibytes @ 0..10_000 => format!("{mebibytes} MiB"),
        mebibytes => format!("{} GiB", mebibytes >> 10),
    }
}

/// How many bytes of memory the process has (`VmRSS:`), or had at most (`VmHWM:`), where Linux says so.
fn resident(which: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(which))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_said_and_nothing_else() {
        let minute = Duration::from_secs(60);
        let words = |figures: Figures, total, left| {
            let mut words = figures.words(minute, total, left);
            words.retain(|word| !word.ends_with("iB"));
            words.join(", ")
        };
        let runs = Figures::done("runs", 600);
        assert_eq!(words(runs, None, None), "600 runs, 10/s");
        assert_eq!(
            words(runs, Some(1200), None),
            "600 of 1200 runs, about 60 s left, 10/s"
        );
        assert_eq!(
            words(runs, None, Some(9 * minute)),
            "600 runs, 9 min left, 10/s"
        );
        let search = Figures {
            depth: Some(7),
            queue: Some(30),
            steps: Some(1199),
            ..Figures::done("states", 60)
        };
        assert_eq!(
            words(search, None, None),
            "60 states, 1.0/s, depth 7, queue 30, 95 % met again"
        );
        // Nothing is done yet, so nobody knows how long the rest takes.
        assert_eq!(
            words(Figures::done("runs", 0), Some(5), None),
            "0 of 5 runs, 0.0/s"
        );
    }

    #[test]
    fn a_summary_has_the_most_of_each() {
        let mut summary = Summary::default();
        summary.add(10, 19, Some(4), Some(3));
        summary.add(5, 10, Some(2), Some(6));
        let words = summary.words();
        assert!(
            words.starts_with(", depth 4, queue 6, 50 % met again"),
            "{words}"
        );
    }
}
