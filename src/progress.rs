//! How far the work is: a line that changes on a terminal, a line each ten seconds elsewhere, on the standard error
//! output. What it said last is said once more by the command's summary, which stays.

mod figures;

use std::sync::Mutex;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use sim::search::Control;

use crate::terminal::{Terminal, terminal};

pub use figures::{Figures, Summary, rate};

/// How often a line is written where it cannot be changed.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// How wide the bar is, with its frame and what is around it.
const BAR: usize = 20;

/// When the last line was written: pieces of work that are shorter than ten seconds share one clock.
static LAST_LINE: Mutex<Option<Instant>> = Mutex::new(None);

/// A piece of work that goes on.
pub struct Progress {
    bar: ProgressBar,
    what: String,
    /// How much there is to do, if that is known.
    total: Option<u64>,
    started: Instant,
    /// When it must end.
    until: Option<Instant>,
}

impl Progress {
    /// Shows that `what` has begun. `total` is how much there is to do, if that is known, and `until` when it must end.
    pub fn new(what: impl Into<String>, total: Option<u64>, until: Option<Instant>) -> Progress {
        let started = Instant::now();
        LAST_LINE
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .get_or_insert(started);
        Progress {
            bar: bar(total),
            what: what.into(),
            total,
            started,
            until,
        }
    }

    /// Shows how far it is.
    pub fn show(&self, figures: &Figures) {
        let terminal = terminal();
        if terminal.is_quiet {
            return;
        }
        match terminal.progress.width {
            Some(width) => {
                let bar = self.total.map_or(0, |_| BAR + " []".len());
                let room = width.saturating_sub(bar + 3);
                self.bar.set_position(figures.done);
                self.bar.set_message(self.words(figures, room));
            }
            None if is_time_for_a_line() => {
                eprintln!("{}", self.words(figures, usize::MAX));
            }
            None => {}
        }
    }

    /// As many of the words as there is room for; the first are the most important ones.
    fn words(&self, figures: &Figures, room: usize) -> String {
        const NAME_MAX: usize = 32;
        let elapsed = self.started.elapsed();
        let left = self
            .until
            .map(|until| until.saturating_duration_since(Instant::now()));
        let mut line = match room {
            usize::MAX => self.what.clone(),
            _ => terminal().progress.shorten(&self.what, NAME_MAX.min(room)),
        };
        for word in figures.words(elapsed, self.total, left) {
            if line.chars().count() + 2 + word.chars().count() > room {
                break;
            }
            line = format!("{line}  {word}");
        }
        line
    }

    /// Does something that prints, with the bar out of its way.
    pub fn aside<R>(&self, print: impl FnOnce() -> R) -> R {
        self.bar.suspend(print)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A bar on a terminal whose reader wants one; hidden elsewhere.
fn bar(total: Option<u64>) -> ProgressBar {
    let Terminal {
        progress, is_quiet, ..
    } = terminal();
    let target = match progress.width {
        Some(_) if !is_quiet => ProgressDrawTarget::stderr(),
        _ => ProgressDrawTarget::hidden(),
    };
    let template = match total {
        Some(_) => format!("{{spinner}} [{{bar:{BAR}}}] {{msg}}"),
        None => "{spinner} {msg}".to_owned(),
    };
    let bar = ProgressBar::with_draw_target(total, target);
    // The template is ours; without it the bar would only look different.
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(match progress.is_ascii {
            true => style.progress_chars("=> ").tick_chars(r"|/-\ "),
            false => style.progress_chars("█▉▊▋▌▍▎▏ ").tick_chars("⠋⠙⠸⠴⠦⠇ "),
        });
    }
    bar
}

/// How far a search is.
pub fn of_search(control: &Control) -> Figures {
    Figures {
        depth: Some(control.depth.load(Relaxed)),
        queue: Some(control.frontier.load(Relaxed)),
        steps: Some(control.transitions.load(Relaxed)),
        ..Figures::done("states", control.states.load(Relaxed))
    }
}

/// Says what a command did: the last line, which stays.
pub fn summary(line: &str) {
    let terminal = terminal();
    if !terminal.is_quiet {
        eprintln!("{}", terminal.progress.fold(line).join("\n"));
    }
}

/// As [`summary`], of so many things of one kind.
pub fn summary_of(unit: &str, count: u64, elapsed: Duration) {
    let seconds = elapsed.as_secs_f64();
    let (words, rate) = (Summary::default().words(), rate(count, seconds));
    summary(&format!(
        "{count} {unit} in {seconds:.1} s{words}: {rate} {unit}/s"
    ));
}

fn is_time_for_a_line() -> bool {
    let mut last = LAST_LINE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let is_time = last.is_none_or(|last| last.elapsed() >= LINE_EVERY);
    if is_time {
        *last = Some(Instant::now());
    }
    is_time
}
